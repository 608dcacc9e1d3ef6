"""Hyperliquid: fills of any address without a key, public trades with both sides, best quotes.

Docs: hyperliquid.gitbook.io, websocket. The venue's public prints name buyer and seller, its fills
don't: they are joined by the trade's id.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import partial

import msgspec

from drainwatch.errors import ConfigError
from drainwatch.rows import Fill, Market, Quote, Trade
from drainwatch.venues.conversation import Conversation, encode
from drainwatch.venues.counterparties import Counterparties
from drainwatch.venues.hyperliquid_messages import (
    ANSWER,
    BBO,
    ENVELOPE,
    FILL,
    FILLS,
    PUBLIC_TRADE,
    PUBLIC_TRADES,
    TEXT,
    USER_FILLS,
    UserFill,
)
from drainwatch.venues.protocol import Reading, Symbols
from drainwatch.venues.skew import Skew
from drainwatch.venues.wire import NS_PER_MS, SHOWN, each, price_or_none, signed_cost

URL = "wss://api.hyperliquid.xyz/ws"

PING = '{"method":"ping"}'
PING_S = 50.0
"""Hyperliquid ends a connection to which it has sent nothing for 60 s."""

ADDRESS = re.compile(r"0x[0-9a-f]{40}")

FORCED = frozenset({"Auto-Deleveraging", "Settlement", "Spot Dust Conversion", "Net Child Vaults"})
"""`dir` of the fills that the venue makes itself; so are those that begin with:"""
LIQUIDATED = "Liquidated"

IGNORED = frozenset(
    {
        "pong", "l2Book", "allMids", "candle", "notification", "webData2", "webData3", "orderUpdates",
        "userFundings", "userNonFundingLedgerUpdates", "activeAssetCtx", "activeSpotAssetCtx",
        "activeAssetData", "userTwapSliceFills", "userTwapHistory", "twapStates", "clearinghouseState",
        "openOrders", "spotState", "allDexsAssetCtxs", "allDexsClearinghouseState", "post",
    }
)  # fmt: skip
"""Channels that exist and don't matter here."""

NO_TRADE = 0
"""`tid` of what isn't a trade of two: a conversion of dust."""


def address_of(text: str) -> str:
    """Give an account's address in lower case.

    Raises
    ------
    ConfigError
        It isn't one.
    """
    address = text.strip().lower()
    if not ADDRESS.fullmatch(address):
        raise ConfigError(
            f"a Hyperliquid account is given by its address, 0x and 40 hexadecimal digits; "
            f"found {text[:60]!a}. It is the master's or the sub-account's, not an agent wallet's."
        )
    return address


class Hyperliquid(Conversation):
    """An address's fills, or public trades and best quotes, or both on one connection.

    Parameters
    ----------
    symbols
        All the venue's markets, by the coin names of its messages: `BTC`, `PURR/USDC`, `@107`, `xyz:GOLD`.
    address
        Whose fills are wanted; None for public data alone.
    counterparties
        Shared by the connections of this venue whose prints and fills are to be joined; None for one
        of its own.
    """

    def __init__(
        self,
        symbols: Symbols,
        *,
        address: str | None = None,
        account: str = "default",
        counterparties: Counterparties | None = None,
        exchange: str = "hyperliquid",
        url: str = URL,
        skew: Skew | None = None,
    ) -> None:
        super().__init__(
            exchange,
            f"{exchange} {'public' if address is None else 'private'}",
            url,
            ping=PING,
            every_s=PING_S,
            account="" if address is None else account,
            skew=skew,
        )
        self._symbols = symbols
        self._address = None if address is None else address_of(address)
        self._join = Counterparties() if counterparties is None else counterparties
        self._wanted: dict[str, None] = {}

    def _begin(self, reading: Reading, now_ns: int) -> None:
        # Prints first: the first fills, which are of the past, may then find theirs.
        self._subscribe(list(self._wanted), reading, now_ns)
        if self._address is not None:
            wanted = {"type": "userFills", "user": self._address}
            reading.send.append(encode({"method": "subscribe", "subscription": wanted}))
            self._expect_answer(now_ns)

    def want(self, symbols: Collection[str], now_ns: int) -> Reading:
        """Subscribe to trades and best quotes of further symbols."""
        reading = Reading()
        markets = [self._symbols.by_symbol[symbol] for symbol in symbols if symbol in self._symbols.by_symbol]
        new = [market.venue_symbol for market in markets if market.venue_symbol not in self._wanted]
        self._wanted.update(dict.fromkeys(new))
        self._told.update(symbols)
        if self._is_open:
            self._subscribe(new, reading, now_ns)
            self._plan()
        return reading

    def _subscribe(self, coins: list[str], reading: Reading, now_ns: int) -> None:
        for coin in coins:
            for kind in ("trades", "bbo"):
                wanted = {"type": kind, "coin": coin}
                reading.send.append(encode({"method": "subscribe", "subscription": wanted}))
        if coins and not self._stands:
            self._expect_answer(now_ns)

    def _due(self, reading: Reading, now_ns: int) -> None:
        for fill in self._join.due(now_ns):
            super()._give(fill, reading, now_ns)

    def _due_ns(self) -> int | None:
        return self._join.next_ns()

    def _give(self, fill: Fill, reading: Reading, now_ns: int) -> None:
        """Hand on a fill, with the other side if its print is known or comes in a moment."""
        if fill.id == str(NO_TRADE) or self._address is None:
            super()._give(fill, reading, now_ns)
            return
        for joined in self._join.fill(fill, self._address, now_ns):
            super()._give(joined, reading, now_ns)
        if fill.symbol not in self._told:
            # Said at once, not when the fill has waited: the next one's print should be heard.
            self._told.add(fill.symbol)
            reading.symbols.add(fill.symbol)

    def _read(self, raw: bytes, reading: Reading, now_ns: int) -> None:
        message = ENVELOPE.decode(raw)
        channel = message.channel
        if channel == "trades":
            self._trades(message.data, reading, now_ns)
        elif channel == "bbo":
            self._bbo(message.data, reading, now_ns)
        elif channel in {"userFills", "user"}:
            self._user(channel, message.data, reading, raw, now_ns)
        elif channel == "subscriptionResponse":
            self._answer(message.data, reading)
        elif channel == "error":
            self._error(TEXT.decode(message.data), reading, raw)
        elif channel not in IGNORED:
            self._bad(reading, "expected a known channel", raw)
        for fill in self._join.due(now_ns):
            super()._give(fill, reading, now_ns)

    def _answer(self, data: msgspec.Raw, reading: Reading) -> None:
        told = ANSWER.decode(data).subscription
        if told.type == "trades":
            market = self._symbols.by_venue.get(told.coin)
            if market is not None:
                self._join.covered.add(market.symbol)
        # What is missed is told by the fills' subscription; without one, by any.
        if self._address is None or told.type == "userFills":
            self._confirm(reading)

    def _error(self, text: str, reading: Reading, raw: bytes) -> None:
        if text.startswith("Already subscribed"):
            return
        if self._address is not None and not self._stands and "userFills" in text:
            reading.close = f"the venue refused the subscription to fills: {self._quote(text)}"
        elif self._address is not None and not self._stands and "total users" in text:
            reading.close = (
                "the venue refused the subscription to fills: it allows so many addresses for one network "
                f"address only ({self._quote(text)})"
            )
        else:
            if self._address is None:
                self._answer_by_ns = None
            self._bad(reading, f"the venue answered with an error: {self._quote(text)}", raw)

    def _user(self, channel: str, data: msgspec.Raw, reading: Reading, raw: bytes, now_ns: int) -> None:
        told = USER_FILLS.decode(data)
        if self._address is None or (told.user or self._address).lower() != self._address:
            self._bad(reading, "expected fills of the address asked for, found another's", raw)
            return
        if not memoryview(told.fills).nbytes:
            if channel == "userFills":
                self._bad(reading, "expected a list of fills", raw)
            return  # `user` tells of funding and cancellations, too
        self._confirm(reading)
        for item in each(told.fills, FILLS, FILL):
            if isinstance(item, msgspec.DecodeError):
                self._bad(reading, f"not a fill: {item}", bytes(told.fills)[:SHOWN])
                continue
            if not told.is_snapshot:
                self._saw(item.time * NS_PER_MS, reading, now_ns)
            market = self._symbols.by_venue.get(item.coin)
            if market is None:
                self._keep(item.coin, self._symbols, partial(self._fill, item), reading, now_ns)
            else:
                self._give(self._fill(item, market), reading, now_ns)

    def _fill(self, item: UserFill, market: Market | None) -> Fill:
        fee = signed_cost(item.fee) if item.fee else None
        liquidation = item.liquidation
        if liquidation is not None and liquidation.liquidated_user is not None:
            forced = liquidation.liquidated_user.lower() == self._address
        else:
            forced = item.dir in FORCED or (item.dir or "").startswith(LIQUIDATED)
        return Fill(
            exchange=self.exchange,
            account=self.account,
            symbol=market.symbol if market is not None else item.coin,
            id=str(item.tid),
            ts_ns=item.time * NS_PER_MS,
            side="buy" if item.side == "B" else "sell",
            price=item.px,
            amount=item.sz,
            order=str(item.oid),
            client_order_id=item.cloid or None,
            taker_or_maker=None if item.crossed is None else "taker" if item.crossed else "maker",
            fee_cost=fee,
            fee_currency=(item.fee_token or None) if fee is not None else None,
            mark=price_or_none(liquidation.mark_px) if liquidation is not None else None,
            forced=forced,
        )

    def _trades(self, data: msgspec.Raw, reading: Reading, now_ns: int) -> None:
        for item in each(data, PUBLIC_TRADES, PUBLIC_TRADE):
            if isinstance(item, msgspec.DecodeError):
                self._bad(reading, f"not a trade: {item}", bytes(data)[:SHOWN])
                continue
            self._saw(item.time * NS_PER_MS, reading, now_ns)
            market = self._symbols.by_venue.get(item.coin)
            if market is None:
                continue
            trade_id = str(item.tid)
            buyer, seller = (user.lower() for user in item.users) if item.users else (None, None)
            reading.rows.append(
                Trade(
                    exchange=self.exchange,
                    symbol=market.symbol,
                    ts_ns=item.time * NS_PER_MS,
                    price=item.px,
                    amount=item.sz,
                    id=trade_id,
                    side="buy" if item.side == "B" else "sell",
                    buyer=buyer,
                    seller=seller,
                )
            )
            if buyer is not None and seller is not None and item.tid != NO_TRADE:
                for fill in self._join.print(market.symbol, trade_id, buyer, seller):
                    super()._give(fill, reading, now_ns)

    def _bbo(self, data: msgspec.Raw, reading: Reading, now_ns: int) -> None:
        item = BBO.decode(data)
        self._saw(item.time * NS_PER_MS, reading, now_ns)
        market = self._symbols.by_venue.get(item.coin)
        bid, ask = item.bbo
        # An empty side is no quote: nobody bids, or nobody offers.
        if market is not None and bid is not None and ask is not None:
            reading.rows.append(
                Quote(
                    exchange=self.exchange,
                    symbol=market.symbol,
                    ts_ns=item.time * NS_PER_MS,
                    bid=bid.px,
                    ask=ask.px,
                    bid_size=bid.sz,
                    ask_size=ask.sz,
                )
            )
