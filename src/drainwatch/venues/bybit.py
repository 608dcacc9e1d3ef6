"""Bybit v5: the account's executions and wallet, public trades and best quotes.

Docs: bybit-exchange.github.io/docs/v5. One private connection serves all categories; public data have
a connection for each of spot, linear and inverse, and so has the naming of markets: `BTCUSDT` is
both a spot and a linear market.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial

import msgspec

from drainwatch.rows import Balance, Fill, Market, Quote, Trade
from drainwatch.venues.bybit_messages import (
    BOOK_CHANGE,
    COIN,
    ENVELOPE,
    EXECUTION,
    EXECUTION_KIND,
    EXECUTIONS,
    PUBLIC_TRADE,
    PUBLIC_TRADES,
    WALLET,
    WALLETS,
    BookChange,
    Envelope,
    Execution,
)
from drainwatch.venues.conversation import Conversation, encode
from drainwatch.venues.protocol import Credentials, Reading, Symbols
from drainwatch.venues.signing import hmac_hex
from drainwatch.venues.skew import Skew
from drainwatch.venues.wire import ANY, NS_PER_MS, SHOWN, each, price_or_none, signed_cost

URL = "wss://stream.bybit.com"
"""Base; accounts of some countries have others (`stream.bybit-tr.com`, `stream.bybit.kz`)."""

PING = '{"op":"ping"}'
PING_S = 20.0

LOGIN_MS = 10_000
"""For how long a login may travel."""

NO_FILL = frozenset({"Funding", "SessionSettlePnL"})
"""Executions that pay without moving a position."""

FORCED = frozenset({"AdlTrade", "BustTrade", "Settle", "Delivery"})
FORCED_ORDERS = frozenset(
    {
        "CreateByLiq",
        "CreateByTakeOver_PassThrough",
        "CreateByAdl_PassThrough",
        "CreateBySettle",
        "CreateByAdminClosing",
    }
)
"""`createType` of the orders with which the venue closes a position itself."""

IGNORED = frozenset(
    {
        "order", "position", "greeks", "dcp", "kline", "tickers", "tickers_lt", "kline_lt", "lt",
        "liquidation", "allLiquidation", "insurance", "priceLimit", "adlAlert", "fast_execution",
    }
)  # fmt: skip
"""First words of topics that exist and don't matter here."""
IGNORED_OPS = frozenset({"pong", "ping", "unsubscribe", "order"})
"""First words of operations of which the answer doesn't matter, unless it is a refusal."""

REFUSED = frozenset(
    {10003, 10004, 10005, 10007, 10008, 10009, 10010, 10024, 10027, 10028, 10029, 20003, 33004}
)
"""Codes of a login: the key is wrong, expired, banned, or not for this address."""
TOO_LATE = frozenset({10002})
"""Codes of a login that came outside its time."""

SPOT_ARGS = 10
"""Most topics that a message to the spot stream may ask for; the others take more, but needn't get them."""

MAX_LEVELS = 200
"""A best-quote book with more levels than this has lost deletions."""


class BybitPrivate(Conversation):
    """The account's executions and wallet.

    Parameters
    ----------
    credentials
        A key that may read; HMAC.
    symbols
        The venue's markets for each category: `spot`, `linear`, `inverse`, `option`.
    """

    def __init__(
        self,
        credentials: Credentials,
        symbols: Mapping[str, Symbols],
        *,
        account: str = "default",
        exchange: str = "bybit",
        url: str = URL,
        skew: Skew | None = None,
    ) -> None:
        super().__init__(
            exchange,
            f"{exchange} private",
            f"{url}/v5/private",
            ping=PING,
            every_s=PING_S,
            account=account,
            credentials=credentials,
            skew=skew,
        )
        self._credentials = credentials
        self._symbols = symbols
        self._totals: dict[str, float] = {}

    def _begin(self, reading: Reading, now_ns: int) -> None:
        expires = now_ns // NS_PER_MS + LOGIN_MS
        sign = hmac_hex(self._credentials.secret, f"GET/realtime{expires}")
        reading.send.append(encode({"op": "auth", "args": [self._credentials.key, expires, sign]}))
        self._expect_answer(now_ns)

    def _read(self, raw: bytes, reading: Reading, now_ns: int) -> None:
        message = ENVELOPE.decode(raw)
        topic = message.topic.split(".", 1)[0]
        if topic == "execution":
            self._executions(message, reading, now_ns)
        elif topic == "wallet":
            self._wallets(message, reading, now_ns)
        elif message.op == "auth":
            self._login(message, reading, now_ns)
        elif message.op == "subscribe":
            if message.failed:
                reading.close = f"the venue refused the subscription to fills: {self._quote(message.message)}"
            else:
                self._confirm(reading)
        elif topic not in IGNORED and not _ignored(message):
            self._bad(reading, "expected a known topic or the answer to an operation", raw)

    def _login(self, message: Envelope, reading: Reading, now_ns: int) -> None:
        if not message.failed:
            # Answered, but the clock for an answer goes on: the subscription is what counts.
            reading.send.append(encode({"op": "subscribe", "args": ["execution", "wallet"]}))
            return
        code, text = message.ret_code, message.message.lower()
        # Older answers have no code, and the text of some repeats what was sent: it is never shown.
        in_time = "timestamp" in text or ("expire" in text and "key" not in text)
        if code in TOO_LATE or (code is None and in_time):
            self._refused_for_time(reading, now_ns)
        elif code in REFUSED or code is None:
            reading.close = (
                f"the venue doesn't take the key (code {code if code is not None else 'not given'})"
            )
            reading.refused = True
        else:
            reading.close = f"the login failed (code {code})"

    def _executions(self, message: Envelope, reading: Reading, now_ns: int) -> None:
        if message.creation_time is not None:
            self._saw(message.creation_time * NS_PER_MS, reading, now_ns)
        for item, raw in _with_raw(message.data):
            if isinstance(item, msgspec.DecodeError):
                if not _moves_nothing(raw):
                    self._bad(reading, f"not an execution: {item}", raw)
                continue
            if item.exec_type in NO_FILL:
                continue
            symbols = self._symbols.get(item.category)
            market = symbols.by_venue.get(item.symbol) if symbols is not None else None
            if market is not None:
                self._give(self._fill(item, market), reading, now_ns)
            elif symbols is not None:
                self._keep(item.symbol, symbols, partial(self._fill, item), reading, now_ns)
            else:
                self._nameless(self._fill(item, None), reading)

    def _fill(self, item: Execution, market: Market | None) -> Fill:
        side = item.side.lower()
        linear_cost = item.category in {"spot", "linear"} and not (market is not None and market.inverse)
        fee = signed_cost(item.exec_fee) if item.exec_fee else None
        return Fill(
            exchange=self.exchange,
            account=self.account,
            symbol=market.symbol if market is not None else item.symbol,
            id=item.exec_id,
            ts_ns=item.exec_time * NS_PER_MS,
            side=side,
            price=item.exec_price,
            amount=item.exec_qty,
            cost=price_or_none(item.exec_value) if linear_cost else None,
            order=item.order_id or None,
            client_order_id=item.order_link_id or None,
            type={"Market": "market", "Limit": "limit"}.get(item.order_type or ""),
            taker_or_maker=None if item.is_maker is None else "maker" if item.is_maker else "taker",
            fee_cost=fee,
            fee_currency=_fee_currency(item, market, fee, side),
            mark=price_or_none(item.mark_price) or price_or_none(item.index_price),
            forced=item.exec_type in FORCED or item.create_type in FORCED_ORDERS,
        )

    def _wallets(self, message: Envelope, reading: Reading, now_ns: int) -> None:
        if message.creation_time is None:
            raise ValueError
        ts_ns = message.creation_time * NS_PER_MS
        self._saw(ts_ns, reading, now_ns)
        for wallet in each(message.data, WALLETS, WALLET):
            if isinstance(wallet, msgspec.DecodeError):
                self._bad(reading, f"not a wallet: {wallet}", bytes(message.data)[:SHOWN])
                continue
            if wallet.account_type not in {"", "UNIFIED"}:
                continue  # classic accounts hold a currency in several wallets: no single one is the total
            for raw in wallet.coin:
                try:
                    coin = COIN.decode(raw)
                except msgspec.DecodeError as error:
                    self._bad(reading, f"not a wallet's currency: {error}", bytes(raw))
                    continue
                if self._totals.get(coin.coin) != coin.wallet_balance:
                    self._totals[coin.coin] = coin.wallet_balance
                    reading.rows.append(
                        Balance(
                            exchange=self.exchange,
                            account=self.account,
                            currency=coin.coin,
                            ts_ns=ts_ns,
                            total=coin.wallet_balance,
                        )
                    )


class BybitPublic(Conversation):
    """Public trades and best quotes of a category.

    Parameters
    ----------
    category
        `spot`, `linear` or `inverse`.
    symbols
        Its markets; what else is wanted belongs to another connection and is left to it.
    """

    def __init__(
        self,
        category: str,
        symbols: Symbols,
        *,
        exchange: str = "bybit",
        url: str = URL,
        skew: Skew | None = None,
    ) -> None:
        super().__init__(
            exchange,
            f"{exchange} {category}",
            f"{url}/v5/public/{category}",
            ping=PING,
            every_s=PING_S,
            skew=skew,
        )
        self._symbols = symbols
        self._wanted: dict[str, None] = {}
        self._asked: dict[str, list[str]] = {}
        self._requests = 0
        self._books: dict[str, _Book] = {}

    def _begin(self, reading: Reading, now_ns: int) -> None:
        self._subscribe(list(self._wanted), reading, now_ns)

    def want(self, symbols: Collection[str], now_ns: int) -> Reading:
        """Subscribe to trades and best quotes of further symbols of this category."""
        reading = Reading()
        markets = [self._symbols.by_symbol[symbol] for symbol in symbols if symbol in self._symbols.by_symbol]
        new = [market.venue_symbol for market in markets if market.venue_symbol not in self._wanted]
        self._wanted.update(dict.fromkeys(new))
        if self._is_open:
            self._subscribe(new, reading, now_ns)
            self._plan()
        return reading

    def _subscribe(self, names: list[str], reading: Reading, now_ns: int) -> None:
        topics = [topic for name in names for topic in (f"publicTrade.{name}", f"orderbook.1.{name}")]
        for start in range(0, len(topics), SPOT_ARGS):
            self._ask(topics[start : start + SPOT_ARGS], reading, now_ns)

    def _ask(self, topics: list[str], reading: Reading, now_ns: int) -> None:
        self._requests += 1
        request = str(self._requests)
        self._asked[request] = topics
        reading.send.append(encode({"op": "subscribe", "req_id": request, "args": topics}))
        self._expect_answer(now_ns)

    def _read(self, raw: bytes, reading: Reading, now_ns: int) -> None:
        message = ENVELOPE.decode(raw)
        topic = message.topic.split(".", 1)[0]
        if topic in {"publicTrade", "trade"}:
            self._trades(message, reading, now_ns)
        elif message.topic.startswith("orderbook.1."):
            self._book(message, reading, now_ns)
        elif message.op == "subscribe":
            self._answer(message, reading, raw, now_ns)
        elif topic not in IGNORED | {"orderbook"} and not _ignored(message):
            self._bad(reading, "expected a known topic or the answer to an operation", raw)

    def _answer(self, message: Envelope, reading: Reading, raw: bytes, now_ns: int) -> None:
        topics = self._asked.pop(message.req_id or "", [])
        if not message.failed:
            self._confirm(reading)
        elif len(topics) > 1:
            # One wrong topic spoils the message: ask for each alone to find it.
            self._answer_by_ns = None
            for topic in topics:
                self._ask([topic], reading, now_ns)
        else:
            self._answer_by_ns = None
            what = ascii(topics[0]) if topics else "a topic"
            reason = f"the venue refused the subscription to {what}: {self._quote(message.message)}"
            self._bad(reading, reason, raw)

    def _trades(self, message: Envelope, reading: Reading, now_ns: int) -> None:
        last_ns = None
        for item in each(message.data, PUBLIC_TRADES, PUBLIC_TRADE):
            if isinstance(item, msgspec.DecodeError):
                self._bad(reading, f"not a trade: {item}", bytes(message.data)[:SHOWN])
                continue
            last_ns = item.time * NS_PER_MS
            market = self._symbols.by_venue.get(item.symbol)
            # A block trade was negotiated elsewhere: its price says nothing of the market's.
            if market is not None and not item.block:
                reading.rows.append(
                    Trade(
                        exchange=self.exchange,
                        symbol=market.symbol,
                        ts_ns=last_ns,
                        price=item.price,
                        amount=item.amount,
                        id=item.id,
                        side=item.side.lower(),
                    )
                )
        if last_ns is not None:
            self._saw(last_ns, reading, now_ns)

    def _book(self, message: Envelope, reading: Reading, now_ns: int) -> None:
        change = BOOK_CHANGE.decode(message.data)
        at = message.cts or message.ts
        if at is None or message.type not in {"snapshot", "delta"}:
            raise ValueError
        market = self._symbols.by_venue.get(change.symbol)
        if market is None:
            return
        book = self._books.get(change.symbol)
        if message.type == "snapshot":
            book = self._books[change.symbol] = _Book()
        if book is None:
            self._bad(reading, "expected a book's snapshot before its changes", bytes(message.data)[:SHOWN])
            return
        book.apply(change)
        if len(book.bids) > MAX_LEVELS or len(book.asks) > MAX_LEVELS:
            del self._books[change.symbol]
            self._bad(reading, "expected a book of one level, it only grows", bytes(message.data)[:SHOWN])
            return
        self._saw(at * NS_PER_MS, reading, now_ns)
        if book.bids and book.asks:
            bid, ask = max(book.bids), min(book.asks)
            reading.rows.append(
                Quote(
                    exchange=self.exchange,
                    symbol=market.symbol,
                    ts_ns=at * NS_PER_MS,
                    bid=bid,
                    ask=ask,
                    bid_size=book.bids[bid],
                    ask_size=book.asks[ask],
                )
            )


class _Book:
    """Levels of a book by price; for depth 1 there is one on each side, two within a change."""

    def __init__(self) -> None:
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}

    def apply(self, change: BookChange) -> None:
        """Take up a snapshot's levels or a change of them."""
        for side, levels in ((self.bids, change.bids), (self.asks, change.asks)):
            for price, size in levels:
                if size > 0:
                    side[price] = size
                else:
                    side.pop(price, None)


def _ignored(message: Envelope) -> bool:
    return message.op.split(".", 1)[0] in IGNORED_OPS and not message.failed


def _with_raw(data: msgspec.Raw) -> list[tuple[Execution | msgspec.DecodeError, bytes]]:
    """Executions, or the error and the bytes of those that aren't."""
    try:
        return [(item, b"") for item in EXECUTIONS.decode(data)]
    except msgspec.DecodeError:
        out: list[tuple[Execution | msgspec.DecodeError, bytes]] = []
        for raw in ANY.decode(data):
            try:
                out.append((EXECUTION.decode(raw), b""))
            except msgspec.DecodeError as error:
                out.append((error, bytes(raw)))
        return out


def _moves_nothing(raw: bytes) -> bool:
    """Whether what isn't like a fill needn't be one: funding has no quantity."""
    try:
        return EXECUTION_KIND.decode(raw).exec_type in NO_FILL
    except msgspec.DecodeError:
        return False


def _fee_currency(item: Execution, market: Market | None, fee: str | None, side: str) -> str | None:
    """Currency of a fee: as told, else by the venue's rule."""
    told = item.fee_currency or item.fee_coin
    if told or fee is None or market is None:
        return told or None
    if item.category != "spot":
        return market.settle or None
    # A spot fee is taken out of what was bought, a rebate given in what was paid.
    rebate = fee.startswith("-")
    return market.base if (side == "buy") is not rebate else market.quote
