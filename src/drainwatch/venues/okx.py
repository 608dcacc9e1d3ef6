"""OKX v5: the account's fills and balances, public trades and best quotes.

Docs: okx.com/docs-v5. Fills are read from the updates of orders: the `fills` channel is for large
accounts only. Amounts and sizes are contracts for derivatives.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

import msgspec

from drainwatch.notices import NoticeKind
from drainwatch.rows import Balance, Fill, Market, Quote, Trade
from drainwatch.venues.conversation import Conversation, encode
from drainwatch.venues.okx_messages import (
    ACCOUNT,
    ACCOUNTS,
    BEST_QUOTE,
    BEST_QUOTES,
    DETAIL,
    ENVELOPE,
    FILLED_ORDER,
    ORDER_HEAD,
    PUBLIC_TRADE,
    PUBLIC_TRADES,
    Envelope,
    FilledOrder,
)
from drainwatch.venues.protocol import Credentials, Reading, Symbols
from drainwatch.venues.signing import hmac_base64
from drainwatch.venues.skew import Skew
from drainwatch.venues.wire import ANY, NS_PER_MS, NS_PER_S, SHOWN, each, price_or_none, signed_cost

URL = "wss://ws.okx.com:8443"
"""Base; accounts of some countries have others (`wss://wseea.okx.com:8443`)."""

PING_S = 25.0
"""OKX ends a connection on which nothing was said for 30 s."""

FORCED = frozenset(
    {"adl", "full_liquidation", "partial_liquidation", "liquidation", "delivery", "auto_conversion"}
)
"""`category` of the orders with which the venue closes or converts a position itself."""

IGNORED = frozenset(
    {
        "balance_and_position", "positions", "orders-algo", "algo-advance", "sprd-orders", "sprd-trades",
        "fills", "liquidation-warning", "account-greeks", "deposit-info", "withdrawal-info",
        "instruments", "tickers", "funding-rate", "open-interest", "price-limit", "opt-summary",
        "estimated-price", "mark-price", "index-tickers", "liquidation-orders", "adl-warning", "status",
        "books", "books5", "books-l2-tbt", "books50-l2-tbt", "option-trades",
    }
)  # fmt: skip
"""Channels that exist and don't matter here; so do those that begin with these words:"""
IGNORED_FAMILIES = ("candle", "mark-price-candle", "index-candle", "grid-", "copytrading-")

REFUSED = frozenset({"60001", "60002", "60003", "60005", "60007", "60009", "60024", "60031", "60032"})
"""Codes of a login: the key, its signature or its passphrase is wrong, or the key is gone."""
TOO_LATE = frozenset({"60004", "60006"})
"""Codes of a login that came outside its time."""
CLOSING = "64008"
"""Code of the notice that the venue is about to end the connection, for an upgrade."""

ARGS = 40
"""How many channels a message asks for; the venue allows 64 KB."""

MARKET_TYPES = frozenset({"market", "optimal_limit_ioc"})
LIMIT_TYPES = frozenset(
    {"limit", "post_only", "fok", "ioc", "mmp", "mmp_and_post_only", "op_fok", "elp", "rpi"}
)


class _OkxConversation(Conversation):
    """Pings and events that both streams have."""

    def _read(self, raw: bytes, reading: Reading, now_ns: int) -> None:
        if raw == b"pong":
            return
        message = ENVELOPE.decode(raw)
        if message.event == "notice":
            self._told_notice(message, reading, raw)
        elif message.event:
            self._event(message, reading, raw, now_ns)
        elif not self._data(message, reading, now_ns) and not _ignored(message.arg.channel):
            self._bad(reading, "expected a known channel or event", raw)

    def _told_notice(self, message: Envelope, reading: Reading, raw: bytes) -> None:
        if str(message.code) == CLOSING:
            reading.close = "the venue is about to end this connection for an upgrade"
        else:
            self._bad(reading, f"the venue sent a notice: {self._quote(message.msg)}", raw)

    def _event(self, message: Envelope, reading: Reading, raw: bytes, now_ns: int) -> None:
        raise NotImplementedError

    def _data(self, message: Envelope, reading: Reading, now_ns: int) -> bool:
        """Read data; False if the channel isn't one of those asked for."""
        raise NotImplementedError


class OkxPrivate(_OkxConversation):
    """The account's fills and balances.

    Parameters
    ----------
    credentials
        A key that may read, with its passphrase.
    symbols
        All the venue's markets: their names are different for each kind.
    """

    def __init__(
        self,
        credentials: Credentials,
        symbols: Symbols,
        *,
        account: str = "default",
        exchange: str = "okx",
        url: str = URL,
        skew: Skew | None = None,
    ) -> None:
        super().__init__(
            exchange,
            f"{exchange} private",
            f"{url}/ws/v5/private",
            ping="ping",
            every_s=PING_S,
            account=account,
            credentials=credentials,
            skew=skew,
        )
        self._credentials = credentials
        self._symbols = symbols
        self._logged_in = False
        self._totals: dict[str, float] = {}

    def _begin(self, reading: Reading, now_ns: int) -> None:
        seconds = str(now_ns // NS_PER_S)
        login = {
            "apiKey": self._credentials.key,
            "passphrase": self._credentials.passphrase,
            "timestamp": seconds,
            "sign": hmac_base64(self._credentials.secret, f"{seconds}GET/users/self/verify"),
        }
        reading.send.append(encode({"op": "login", "args": [login]}))
        self._expect_answer(now_ns)

    def _hides(self, raw: bytes) -> bool:
        # Errors may repeat the login, and then with its quotes escaped: none is shown before it is done.
        return not self._logged_in or super()._hides(raw)

    def _event(self, message: Envelope, reading: Reading, raw: bytes, now_ns: int) -> None:
        code = str(message.code)
        channel = message.arg.channel or message.channel
        if message.event == "login" and code == "0":
            self._logged_in = True
            args = [{"channel": "orders", "instType": "ANY"}, {"channel": "account"}]
            reading.send.append(encode({"op": "subscribe", "args": args}))
        elif message.event in {"login", "error"} and not self._logged_in:
            self._login_failed(code, reading, now_ns)
        elif message.event == "subscribe":
            if channel == "orders":
                self._confirm(reading)
        elif message.event in {"channel-conn-count-error", "unsubscribe"} and channel in {"orders", ""}:
            text = (
                f"{self.exchange} ended the subscription to this account's fills: too many programs listen "
                "to them with this account's keys. Close those that you don't know, or that you don't need."
            )
            reading.notices.append(self._notice(NoticeKind.SESSION_LOST, text, now_ns))
            reading.close = "the venue ended the subscription to fills: too many connections listen to them"
        elif message.event == "error" and not self._stands:
            reading.close = f"the venue refused a subscription (code {code!a}): {self._quote(message.msg)}"
        elif message.event != "channel-conn-count":
            reason = f"the venue answered {message.event[:40]!a} (code {code[:20]!a})"
            self._bad(reading, f"{reason}: {self._quote(message.msg)}", raw)

    def _login_failed(self, code: str, reading: Reading, now_ns: int) -> None:
        if code in TOO_LATE:
            self._refused_for_time(reading, now_ns)
        elif code in REFUSED:
            reading.close = f"the venue doesn't take the key (code {code})"
            reading.refused = True
        else:
            reading.close = f"the login failed (code {code[:20]!a})"

    def _data(self, message: Envelope, reading: Reading, now_ns: int) -> bool:
        if message.arg.channel == "orders":
            self._orders(message, reading, now_ns)
        elif message.arg.channel == "account":
            self._accounts(message, reading, now_ns)
        else:
            return False
        return True

    def _orders(self, message: Envelope, reading: Reading, now_ns: int) -> None:
        for raw in ANY.decode(message.data):
            try:
                head = ORDER_HEAD.decode(raw)
                if head.trade_id == "" or head.fill_sz in {"", "0"}:
                    continue
                item = FILLED_ORDER.decode(raw)
            except msgspec.DecodeError as error:
                self._bad(reading, f"not an order's update: {error}", bytes(raw))
                continue
            self._saw(item.fill_time * NS_PER_MS, reading, now_ns)
            market = self._symbols.by_venue.get(item.inst_id)
            if market is None:
                self._keep(item.inst_id, self._symbols, partial(self._fill, item), reading, now_ns)
            else:
                self._give(self._fill(item, market), reading, now_ns)

    def _fill(self, item: FilledOrder, market: Market | None) -> Fill:
        kind = item.ord_type
        return Fill(
            exchange=self.exchange,
            account=self.account,
            symbol=market.symbol if market is not None else item.inst_id,
            id=item.trade_id,
            ts_ns=item.fill_time * NS_PER_MS,
            side=item.side,
            price=item.fill_px,
            amount=item.fill_sz,
            order=item.ord_id or None,
            client_order_id=item.cl_ord_id or None,
            type="market" if kind in MARKET_TYPES else "limit" if kind in LIMIT_TYPES else None,
            taker_or_maker={"T": "taker", "M": "maker"}.get(item.exec_type or ""),
            fee_cost=signed_cost(item.fill_fee, charged_negative=True) if item.fill_fee else None,
            fee_currency=(item.fill_fee_ccy or None) if item.fill_fee else None,
            mark=price_or_none(item.fill_mark_px) or price_or_none(item.fill_idx_px),
            forced=item.category in FORCED,
        )

    def _accounts(self, message: Envelope, reading: Reading, now_ns: int) -> None:
        for item in each(message.data, ACCOUNTS, ACCOUNT):
            if isinstance(item, msgspec.DecodeError):
                self._bad(reading, f"not an account: {item}", bytes(message.data)[:SHOWN])
                continue
            ts_ns = item.u_time * NS_PER_MS
            self._saw(ts_ns, reading, now_ns)
            for raw in item.details:
                try:
                    detail = DETAIL.decode(raw)
                except msgspec.DecodeError as error:
                    self._bad(reading, f"not an account's currency: {error}", bytes(raw))
                    continue
                # The channel also repeats itself every few seconds: only changes are rows.
                if self._totals.get(detail.ccy) != detail.cash_bal:
                    self._totals[detail.ccy] = detail.cash_bal
                    reading.rows.append(
                        Balance(
                            exchange=self.exchange,
                            account=self.account,
                            currency=detail.ccy,
                            ts_ns=ts_ns,
                            total=detail.cash_bal,
                        )
                    )


class OkxPublic(_OkxConversation):
    """Public trades and best quotes.

    Parameters
    ----------
    symbols
        All the venue's markets.
    channels
        What to subscribe to for each. `trades` puts the prints of one order at one price together under
        the last one's id; `trades-all` doesn't, but lives on another path.
    path
        `/ws/v5/public`; `/ws/v5/business` for `trades-all`.
    """

    def __init__(
        self,
        symbols: Symbols,
        *,
        exchange: str = "okx",
        url: str = URL,
        skew: Skew | None = None,
        channels: tuple[str, ...] = ("trades", "bbo-tbt"),
        path: str = "/ws/v5/public",
    ) -> None:
        super().__init__(
            exchange, f"{exchange} public", f"{url}{path}", ping="ping", every_s=PING_S, skew=skew
        )
        self._symbols = symbols
        self._channels = channels
        self._wanted: dict[str, None] = {}

    def _begin(self, reading: Reading, now_ns: int) -> None:
        self._subscribe(list(self._wanted), reading, now_ns)

    def want(self, symbols: Collection[str], now_ns: int) -> Reading:
        """Subscribe to the public data of further symbols."""
        reading = Reading()
        markets = [self._symbols.by_symbol[symbol] for symbol in symbols if symbol in self._symbols.by_symbol]
        new = [market.venue_symbol for market in markets if market.venue_symbol not in self._wanted]
        self._wanted.update(dict.fromkeys(new))
        if self._is_open:
            self._subscribe(new, reading, now_ns)
            self._plan()
        return reading

    def _subscribe(self, names: list[str], reading: Reading, now_ns: int) -> None:
        args = [{"channel": channel, "instId": name} for name in names for channel in self._channels]
        for start in range(0, len(args), ARGS):
            reading.send.append(encode({"op": "subscribe", "args": args[start : start + ARGS]}))
            self._expect_answer(now_ns)

    def _event(self, message: Envelope, reading: Reading, raw: bytes, now_ns: int) -> None:  # noqa: ARG002
        if message.event == "subscribe":
            self._confirm(reading)
        elif message.event != "channel-conn-count":
            # One market without data must not end the others'.
            self._answer_by_ns = None
            code = ascii(str(message.code)[:20])
            reason = f"the venue answered {message.event[:40]!a} (code {code})"
            self._bad(reading, f"{reason}: {self._quote(message.msg)}", raw)

    def _data(self, message: Envelope, reading: Reading, now_ns: int) -> bool:
        if message.arg.channel in {"trades", "trades-all"}:
            self._trades(message, reading, now_ns)
        elif message.arg.channel == "bbo-tbt":
            self._quotes(message, reading, now_ns)
        else:
            return False
        return True

    def _trades(self, message: Envelope, reading: Reading, now_ns: int) -> None:
        for item in each(message.data, PUBLIC_TRADES, PUBLIC_TRADE):
            if isinstance(item, msgspec.DecodeError):
                self._bad(reading, f"not a trade: {item}", bytes(message.data)[:SHOWN])
                continue
            self._saw(item.ts * NS_PER_MS, reading, now_ns)
            market = self._symbols.by_venue.get(item.inst_id)
            if market is not None:
                reading.rows.append(
                    Trade(
                        exchange=self.exchange,
                        symbol=market.symbol,
                        ts_ns=item.ts * NS_PER_MS,
                        price=item.px,
                        amount=item.sz,
                        id=item.trade_id,
                        side=item.side,
                    )
                )

    def _quotes(self, message: Envelope, reading: Reading, now_ns: int) -> None:
        market = self._symbols.by_venue.get(message.arg.inst_id)
        for item in each(message.data, BEST_QUOTES, BEST_QUOTE):
            if isinstance(item, msgspec.DecodeError):
                self._bad(reading, f"not a best quote: {item}", bytes(message.data)[:SHOWN])
                continue
            self._saw(item.ts * NS_PER_MS, reading, now_ns)
            # An empty side is no quote: nobody bids, or nobody offers.
            if market is not None and item.bids and item.asks:
                bid, ask = item.bids[0], item.asks[0]
                reading.rows.append(
                    Quote(
                        exchange=self.exchange,
                        symbol=market.symbol,
                        ts_ns=item.ts * NS_PER_MS,
                        bid=bid.price,
                        ask=ask.price,
                        bid_size=bid.size,
                        ask_size=ask.size,
                    )
                )


def _ignored(channel: str) -> bool:
    return channel in IGNORED or channel.startswith(IGNORED_FAMILIES)
