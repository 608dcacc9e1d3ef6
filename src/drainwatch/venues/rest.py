"""What is asked of a venue rather than streamed, through ccxt: markets, missed fills, balances, keys."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, NamedTuple

from drainwatch.errors import KeyRefusedError, VenueError
from drainwatch.events import NS_PER_MS, NS_PER_S
from drainwatch.rows import Balance, Candle, Fill, Market
from drainwatch.venues.ccxt_errors import error_of, named
from drainwatch.venues.ccxt_rows import balances_of, candle_of, fill_of, market_of
from drainwatch.venues.ccxt_table import make
from drainwatch.venues.ports import Clock
from drainwatch.venues.protocol import BadMessage, Credentials

OVERLAP_NS = 60 * NS_PER_S
"""Fills are asked for from so long before what was asked: a venue lists them late, and clocks differ."""
_DAY_NS = 86_400 * NS_PER_S
_CANDLE, _CANDLE_NS, _CANDLES = "5m", 300 * NS_PER_S, 300
_TRIES = 5
_MOST_PAGES = 1_000
_MAYBE_FULL = 20
"""No venue cuts its list off before."""
_EXECUTIONS = ("Trade", "BlockTrade", "AdlTrade", "BustTrade", "Settle")
"""Bybit's kinds of fill; without a word of it ccxt asks for the first alone."""
_TICK_SIZE = 4
_WORTH_ANOTHER_TRY = ("NetworkError",)
"""ccxt's class over everything that passes: time-outs, rate limits, maintenance."""
_Found = dict[tuple[str, str, str, str, str | None, str], Fill]
_LISTEN_KEYS = {"binance": "fapiPrivate", "binanceusdm": "fapiPrivate", "binancecoinm": "dapiPrivate"}


class Rest:
    """A venue's REST interface.

    Parameters
    ----------
    exchange_id
        ccxt's id of the venue; rows carry it, too.
    credentials
        None for what is public.
    account
        Name of the account in the rows.
    urls, options
        What to change of ccxt's addresses (nested as its `urls["api"]`) and options.
    base_url
        Host that stands in for the venue's in all its REST addresses; empty for none.
    on_bad
        Takes what a list of fills holds that can't be read.
    """

    def __init__(
        self,
        exchange_id: str,
        credentials: Credentials | None,
        clock: Clock,
        *,
        account: str,
        urls: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        base_url: str = "",
        on_bad: Callable[[BadMessage], None] | None = None,
    ) -> None:
        self.exchange_id, self.account = exchange_id, account
        self.by_symbol: dict[str, Market] = {}
        """Filled by `markets`."""
        self._credentials, self._clock, self._on_bad = credentials, clock, on_bad
        self._urls, self._options, self._base_url = urls, options, base_url
        self._made: Any = None
        self._symbol_needed: bool | None = None
        self._number: type[str | float] = str
        self._one = asyncio.Lock()

    def __repr__(self) -> str:
        return f"Rest({self.exchange_id!r}, account={self.account!r})"

    @property
    def exchange(self) -> Any:
        """The object of ccxt, made when first needed."""
        if self._made is None:
            self._made = self.new(streams=False)
        return self._made

    def new(self, *, streams: bool) -> Any:
        """Make another ccxt object for the same account; who asks for it closes it."""
        return make(
            self.exchange_id,
            self._credentials,
            streams=streams,
            urls=self._urls,
            options=self._options,
            base_url=self._base_url,
        )

    async def markets(self, *, reload: bool = False) -> list[Market]:
        """Give all markets that the venue lists, and know them from then on.

        Raises
        ------
        VenueError
            It can't be reached, or lists nothing that makes sense.
        """
        exchange = self.exchange

        # Numbers as strings are for fills; some venues' lists of markets are computed with.
        async def load() -> Any:
            exchange.number = float
            return await exchange.load_markets(reload)

        loaded = await self._ask("asking for markets", load)
        ticks = exchange.precisionMode == _TICK_SIZE
        found = [
            market
            for raw in (loaded.values() if isinstance(loaded, Mapping) else ())
            if (market := market_of(raw, self.exchange_id, ticks=ticks)) is not None
        ]
        if not found:
            raise VenueError(f"{self.exchange_id}: expected a list of markets, found none; try again later")
        self.by_symbol = {market.symbol: market for market in found}
        return found

    async def symbol_needed(self) -> bool:
        """Tell whether the venue lists fills for one market at a time only."""
        if self._symbol_needed is None:
            await self._loaded()
            self._symbol_needed = self._feature("symbolRequired") is True
        return self._symbol_needed

    @property
    def lists_fills(self) -> bool:
        """Whether fills can be asked for at all."""
        return bool(self.exchange.has.get("fetchMyTrades"))

    async def my_trades(self, symbols: Collection[str], since_ns: int) -> list[Fill]:
        """Give the account's own fills since a minute before then, each once, by time.

        Parameters
        ----------
        symbols
            Markets to ask for where the venue wants one named; else all of the account's are given.

        Raises
        ------
        VenueError
            A part can't be had: nothing is returned then, so that it is asked for again.
        """
        await self._loaded()
        found: _Found = {}
        start_ns = since_ns - OVERLAP_NS
        if not await self.symbol_needed():
            try:
                for kind in self._kinds():
                    await self._collect(None, start_ns, found, kind)
            except _SymbolNeededError:
                self._symbol_needed = True
        if await self.symbol_needed():
            for symbol in sorted(symbols):
                if symbol in self.exchange.markets:
                    await self._collect(symbol, start_ns, found)
        return sorted(found.values(), key=lambda fill: (fill.ts_ns, fill.symbol, len(fill.id), fill.id))

    async def balances(self) -> list[Balance]:
        """Give what the account holds of each currency, free and in orders together."""
        await self._loaded()
        reply = await self._ask("asking for balances", self.exchange.fetch_balance)
        return balances_of(reply, self.exchange_id, self.account, self._clock.now_ns())

    async def candles(self, symbol: str, since_ns: int) -> list[Candle]:
        """Give a market's candles of five minutes since then, by time; none where the venue has none.

        The last may still be open.
        """
        await self._loaded()
        if symbol not in self.exchange.markets or not self.exchange.has.get("fetchOHLCV"):
            return []
        since_ms = since_ns // NS_PER_MS
        fetch = self.exchange.fetch_ohlcv
        reply = await self._ask("asking for candles", lambda: fetch(symbol, _CANDLE, since_ms, _CANDLES))
        found = [candle_of(raw, self.exchange_id, symbol, _CANDLE_NS) for raw in reply]
        return [candle for candle in found if candle is not None and candle.ts_ns >= since_ns - _CANDLE_NS]

    async def clock_skew_ns(self) -> int | None:
        """Give the venue's clock minus ours, to half the time a request takes; None if it tells no time."""
        if not self.exchange.has.get("fetchTime"):
            return None
        before_ns = self._clock.now_ns()
        there_ms = await self._ask("asking for the time", self.exchange.fetch_time)
        after_ns = self._clock.now_ns()
        if not isinstance(there_ms, int):
            return None
        return there_ms * NS_PER_MS - (before_ns + after_ns) // 2

    async def raw(self, method: str, params: Mapping[str, Any], what: str) -> Any:
        """Give the venue's own reply to one of ccxt's methods; it may hold what is secret.

        `what` is what is being done, as a phrase: `asking what the key may do`.
        """
        call = getattr(self.exchange, method, None)
        if call is None:
            raise VenueError(
                f"{self.exchange_id}: expected ccxt to know {method}, found it doesn't; update it"
            )
        return await self._ask(what, lambda: call(dict(params)))

    async def listen_key(self, method: str, key: str = "") -> str:
        """Make (`POST`), keep alive (`PUT`) or end (`DELETE`) the listen key of Binance's futures stream.

        Returns
        -------
        str
            The key: as secret as a password while it lives. Empty where the venue names none.
        """
        prefix = _LISTEN_KEYS.get(self.exchange_id)
        if prefix is None or method not in {"POST", "PUT", "DELETE"}:
            raise ValueError(f"expected POST, PUT or DELETE for a Binance venue, was {method!r}")
        request = {"listenKey": key} if key and method != "POST" else {}
        call = getattr(self.exchange, f"{prefix}{method.capitalize()}ListenKey")
        reply = await self._ask("asking for a listen key", lambda: call(request))
        found = reply.get("listenKey") if isinstance(reply, Mapping) else None
        if method == "POST" and not (isinstance(found, str) and found):
            raise VenueError(f"{self.exchange_id}: expected a listen key, found none; try again later")
        return found if isinstance(found, str) else ""

    async def close(self) -> None:
        """Close the connections."""
        if self._made is not None:
            made, self._made = self._made, None
            made.timeout_on_exit = 0
            with contextlib.suppress(Exception):  # it is thrown away; nothing can be done about it
                await made.close()

    async def _loaded(self) -> None:
        if not self.by_symbol:
            await self.markets()

    def _kinds(self) -> list[_Kind]:
        """Give the kinds of market that the venue must be asked about one by one, if it has several."""
        kinds: set[_Kind] = set()
        for market in self.exchange.markets.values():
            kind = market.get("type")
            if kind in {"swap", "future"}:
                kinds.add(_Kind(kind, "inverse" if market.get("inverse") else "linear"))
            elif isinstance(kind, str):
                kinds.add(_Kind(kind, ""))
        return sorted(kinds) if len(kinds) > 1 else [_Kind()]

    async def _collect(
        self, symbol: str | None, start_ns: int, found: _Found, kind: _Kind | None = None
    ) -> None:
        """Ask in spans that the venue allows, each until it brings nothing new."""
        for execution in _EXECUTIONS if self.exchange_id.startswith("bybit") else ("",):
            asked = _Asked(symbol, kind or _Kind(), {"execType": execution} if execution else {})
            await self._spans(asked, start_ns, found)

    async def _spans(self, asked: _Asked, start_ns: int, found: _Found) -> None:
        symbol = asked.symbol
        span = self._feature("untilDays", symbol)
        step_ns = int(span * _DAY_NS) if isinstance(span, int | float) and span > 0 else None
        now_ns = self._clock.now_ns()
        pages = 0
        while start_ns < now_ns or pages == 0:
            last = step_ns is None or start_ns + step_ns >= now_ns
            end_ns = None if last or step_ns is None else start_ns + step_ns
            pages += await self._span(asked, start_ns, end_ns, found)
            if last or end_ns is None:
                return
            start_ns = end_ns

    async def _span(self, asked: _Asked, start_ns: int, end_ns: int | None, found: _Found) -> int:
        """Collect one span and give the number of requests; None as its end is now.

        Venues give the oldest first, so that the next page begins at the newest known, or the newest
        first, so that what is missing lies before the oldest known: both are asked for.
        """
        since_ns = start_ns
        pages = 0
        while pages < _MOST_PAGES:
            page = await self._page(asked, since_ns, end_ns)
            pages += 1
            if not _add(page, start_ns, found):
                return pages
            newest_ns = max(fill.ts_ns for fill in page)
            while len(page) >= _MAYBE_FULL and pages < _MOST_PAGES:
                page = await self._page(asked, since_ns, min(fill.ts_ns for fill in page))
                pages += 1
                if not _add(page, start_ns, found):
                    break
            # A page full of one instant would come again and again.
            since_ns = newest_ns if newest_ns > since_ns else since_ns + NS_PER_MS
        raise VenueError(
            f"{self.exchange_id}: expected an end to the list of fills, found none after {pages} pages; "
            "report this"
        )

    async def _page(self, asked: _Asked, since_ns: int, until_ns: int | None) -> list[Fill]:
        symbol = asked.symbol
        limit = self._feature("limit", symbol)
        limit = limit if isinstance(limit, int) and limit > 0 else None
        params = {**asked.params} if until_ns is None else {**asked.params, "until": until_ns // NS_PER_MS}
        exchange = self.exchange

        async def call() -> Any:
            kept = {key: exchange.options.get(key) for key in ("defaultType", "defaultSubType")}
            # By option, as not every venue of ccxt takes the kind out of the parameters again.
            if asked.kind.type:
                exchange.options["defaultType"] = asked.kind.type
            if asked.kind.sub:
                exchange.options["defaultSubType"] = asked.kind.sub
            # Exact figures: ccxt gives what the venue wrote, where its numbers are strings.
            exchange.number = self._number
            try:
                return await exchange.fetch_my_trades(symbol, since_ns // NS_PER_MS, limit, dict(params))
            finally:
                exchange.options.update(kept)

        reply = await self._ask("asking for fills", call)
        fills = []
        for trade in reply if isinstance(reply, list) else [reply]:
            row = fill_of(trade, self.exchange_id, self.account)
            if isinstance(row, Fill):
                fills.append(row)
            elif self._on_bad is not None:
                self._on_bad(row)
        return fills

    def _feature(self, name: str, symbol: str | None = None) -> Any:
        """Look up what ccxt knows of asking for fills; None if nothing."""
        exchange = self.exchange
        if symbol is not None and symbol in exchange.markets:
            market = exchange.markets[symbol]
            kind, sub = market.get("type"), "inverse" if market.get("inverse") else "linear"
        else:
            kind = exchange.options.get("defaultType", "spot")
            sub = exchange.options.get("defaultSubType") or "linear"
        known = exchange.features or {}
        part = known.get(kind) or known.get("spot") or known.get("default") or known.get("swap") or {}
        part = part.get("fetchMyTrades", part.get(sub)) or {}
        part = part.get("fetchMyTrades", part) or {}
        return part.get(name)

    async def _ask(self, what: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """Ask, again after a while where that can help, and raise only what is safe to show."""
        for attempt in range(_TRIES):
            try:
                async with self._one:
                    return await call()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - ccxt raises KeyError and TypeError for odd replies
                if named(error, "ArgumentsRequired"):
                    failure: VenueError = _SymbolNeededError(f"{self.exchange_id}: a market must be named")
                else:
                    failure = error_of(error, self.exchange_id, what)
                again = not isinstance(failure, KeyRefusedError) and named(error, *_WORTH_ANOTHER_TRY)
                if isinstance(error, TypeError) and self._number is str:
                    # A venue whose replies ccxt computes with: floats then, to the digit that they hold.
                    self._number = float
                    again = True
                if named(error, "InvalidNonce"):
                    again = await self._learn_time()
            # Outside of the handler, so that no traceback shows ccxt's own text.
            if not again or attempt == _TRIES - 1:
                raise failure
            await self._clock.sleep(2.0**attempt / 2)
        raise AssertionError  # the loop returns or raises

    async def _learn_time(self) -> bool:
        with contextlib.suppress(Exception):  # the first failure is the one to tell of
            await self.exchange.load_time_difference()
            self.exchange.options["adjustForTimeDifference"] = True
            return True
        return False


class _Kind(NamedTuple):
    """A kind of market in ccxt's words; empty for the venue's usual one."""

    type: str = ""
    sub: str = ""


class _Asked(NamedTuple):
    """Which fills are asked for."""

    symbol: str | None
    kind: _Kind
    params: dict[str, str]


class _SymbolNeededError(VenueError):
    """The venue lists fills of one market at a time."""


def _add(page: list[Fill], start_ns: int, found: _Found) -> bool:
    new = {fill.key: fill for fill in page if fill.ts_ns >= start_ns and fill.key not in found}
    found.update(new)
    return bool(new)
