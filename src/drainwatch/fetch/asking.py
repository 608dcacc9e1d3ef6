"""Asking an exchange for its past, without a key: page by page, patiently, and nothing twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from drainwatch.errors import KeyRefusedError, VenueError
from drainwatch.events import NS_PER_MS
from drainwatch.fetch.spans import MINUTE_MS, Span
from drainwatch.rows import Candle, Trade
from drainwatch.venues.ccxt_errors import error_of, named
from drainwatch.venues.ccxt_rows import candle_of, inner_info, trade_of
from drainwatch.venues.ports import Clock
from drainwatch.venues.protocol import BadMessage
from drainwatch.venues.rest import Rest

TRIES: Final = 8
LONGEST_WAIT_S: Final = 60.0
LONGEST_OBEYED_S: Final = 600.0
"""Whom an exchange tells to stay away for longer does so, and comes back when started again."""
CANDLES_A_PAGE: Final = 500
TRADES_A_PAGE: Final = 1_000
_HOPELESS: Final = ("BadSymbol", "ArgumentsRequired", "NotSupported", "PermissionDenied")
_MOST_PRINTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Past:
    """How an exchange gives old trades when asked from a time on, the oldest first.

    Attributes
    ----------
    step_ms
        The longest time that one request may be about; None: it goes on until the page is full.
    grain_ms
        To this ccxt rounds the time from which it asks.
    """

    step_ms: int | None = None
    grain_ms: int = 1


PASTS: Final[Mapping[str, Past]] = {
    # As read in ccxt 4.5.90; tried out here is Binance's.
    "binance": Past(step_ms=60 * MINUTE_MS),
    "binanceus": Past(step_ms=60 * MINUTE_MS),
    "binanceusdm": Past(step_ms=60 * MINUTE_MS),
    "binancecoinm": Past(step_ms=60 * MINUTE_MS),
    "bitfinex": Past(),
    "kraken": Past(grain_ms=1_000),
}
"""Exchanges whose old trades can be had; others tell only what was traded last."""


class Refused(VenueError):  # noqa: N818 - what it is, not how it failed
    """The exchange won't give this, ask as one may."""


class Asking:
    """Asks one exchange.

    Parameters
    ----------
    rest
        Of the exchange, without a key; its markets must be loaded.
    chance
        Of the waits between tries, so that many who were turned away don't come back at once.

    Attributes
    ----------
    n_requests, n_bad
        How often it asked, and how many rows couldn't be read.
    n_crowded
        Times at which more was traded than one page holds, so that some of it is missing.
    """

    def __init__(self, rest: Rest, clock: Clock, chance: random.Random) -> None:
        self._rest, self._clock, self._chance = rest, clock, chance
        self.n_requests = self.n_bad = self.n_crowded = 0
        exchange = rest.exchange
        exchange.enableLastResponseHeaders = exchange.enableLastJsonResponse = True

    @property
    def has_past_trades(self) -> bool:
        """Whether old trades can be asked for."""
        return self._rest.exchange_id in PASTS

    async def pages(self, table: str, symbol: str, span: Span) -> AsyncIterator[tuple[list[Any], int]]:
        """Give all of a span in order, page by page: rows, and up to when (ms) they are all there are.

        Raises
        ------
        Refused
            The exchange has no such data.
        VenueError
            It can't be reached, or doesn't answer sense.
        """
        exchange, candles = self._rest.exchange, table == "candles"
        past = Past() if candles else PASTS.get(self._rest.exchange_id)
        if past is None or not exchange.has.get("fetchOHLCV" if candles else "fetchTrades"):
            raise Refused(f"{self._rest.exchange_id}: it gives no old {table}")
        step_ms = CANDLES_A_PAGE * MINUTE_MS if candles else past.step_ms or span.end_ms - span.start_ms
        since_ms, edge = span.start_ms, set[object]()
        while since_ms < span.end_ms:
            until_ms = min(span.end_ms, since_ms + step_ms)
            if candles:
                found: list[Any] = await self._candles(symbol, since_ms)
            else:
                found = await self._trades(symbol, since_ms, until_ms, past)
            newest_ms = max((_ms(row) for row in found), default=None)
            inside = [row for row in found if since_ms <= _ms(row) < span.end_ms]
            new = [row for row in inside if _ms(row) > since_ms or _key(row) not in edge]
            if newest_ms is None or newest_ms < since_ms:
                since_ms, edge = until_ms, set()  # nothing in so long a time; go on behind it
            elif newest_ms >= span.end_ms:
                since_ms = span.end_ms
            elif candles:
                since_ms = newest_ms + MINUTE_MS
            elif newest_ms == since_ms and not new:
                # The page may have ended within one moment; whether it did is known by its length.
                self.n_crowded += len(found) >= TRADES_A_PAGE
                since_ms, edge = since_ms - since_ms % past.grain_ms + past.grain_ms, set()
            else:
                edge = {_key(row) for row in inside if _ms(row) == newest_ms} | (
                    edge if newest_ms == since_ms else set()
                )
                since_ms = newest_ms
            yield [one for row in new for one in _prints(row)], min(since_ms, span.end_ms)

    async def _trades(self, symbol: str, since_ms: int, until_ms: int, past: Past) -> list[Any]:
        exchange, limit = self._rest.exchange, TRADES_A_PAGE
        params = {} if past.step_ms is None else {"until": until_ms - 1}
        reply = await self._ask(
            f"asking for trades of {symbol}",
            lambda: exchange.fetch_trades(symbol, since_ms, limit, dict(params)),
        )
        read = (trade_of(raw, self._rest.exchange_id, symbol) for raw in reply)
        return self._good(zip(read, reply, strict=True))

    async def _candles(self, symbol: str, since_ms: int) -> list[Any]:
        exchange = self._rest.exchange
        reply = await self._ask(
            f"asking for candles of {symbol}",
            lambda: exchange.fetch_ohlcv(symbol, "1m", since_ms, CANDLES_A_PAGE),
        )
        length_ns = MINUTE_MS * NS_PER_MS
        return self._good((candle_of(raw, self._rest.exchange_id, symbol, length_ns), raw) for raw in reply)

    def _good(self, read: Iterable[tuple[Trade | Candle | BadMessage | None, Any]]) -> list[Any]:
        good = []
        for row, raw in read:
            if row is None or isinstance(row, BadMessage):
                self.n_bad += 1
            else:
                good.append((row, raw))
        return sorted(good, key=_ms)

    async def _ask(self, what: str, call: Callable[[], Awaitable[Any]]) -> list[Any]:
        """Ask, and again after a while: as long as the exchange says, else longer each time."""
        exchange, name = self._rest.exchange, self._rest.exchange_id
        for attempt in range(TRIES):
            self.n_requests += 1
            exchange.last_response_headers = exchange.last_json_response = None
            try:
                reply = await call()
                # What isn't JSON is no error to ccxt, and then makes an empty list.
                if isinstance(reply, list) and exchange.last_json_response is not None:
                    return reply
                failure = VenueError(f"{name}: {what} failed: expected a list, found something else; wait")
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - ccxt raises KeyError and TypeError for odd replies
                failure = error_of(error, name, what)
                if isinstance(failure, KeyRefusedError) or named(error, *_HOPELESS):
                    failure = Refused(str(failure))
            # Outside of the handler, so that no traceback shows ccxt's own text.
            if isinstance(failure, Refused) or attempt == TRIES - 1:
                raise failure
            told_s = _retry_after_s(exchange.last_response_headers)
            if told_s is not None and told_s > LONGEST_OBEYED_S:
                raise VenueError(f"{name}: it wants to be left alone for {told_s:,.0f} s; go on after that")
            backoff_s = min(LONGEST_WAIT_S, 2.0**attempt) * self._chance.uniform(0.5, 1.0)
            await self._clock.sleep(backoff_s if told_s is None else told_s + self._chance.uniform(0.0, 1.0))
        raise AssertionError  # the loop returns or raises


def _retry_after_s(headers: Mapping[str, str] | None) -> float | None:
    """Read how long one is to wait; None where it isn't told in seconds."""
    told = next((value for name, value in (headers or {}).items() if name.lower() == "retry-after"), "")
    return float(told) if told.isascii() and told.isdigit() and len(told) < 10 else None


def _ms(pair: tuple[Trade | Candle, Any]) -> int:
    return pair[0].ts_ns // NS_PER_MS


def _key(pair: tuple[Trade | Candle, Any]) -> object:
    row, raw = pair
    if isinstance(row, Candle):
        return row.ts_ns
    info = inner_info(raw.get("info"))
    return raw.get("id") or info.get("a") or row


def _prints(pair: tuple[Trade | Candle, Any]) -> list[Trade | Candle]:
    """Give an aggregate of Binance's as the prints that it is of; anything else as it is.

    Its own id is none of a trade's. But the ids of the first and last trade in it are told, so it becomes
    that many prints of equal amounts: then an account's own print is known by its id, as it must be.
    """
    row, raw = pair
    if isinstance(row, Candle):
        return [row]
    info = inner_info(raw.get("info"))
    if "a" not in info:
        return [row]
    first, last = _whole(info.get("f")), _whole(info.get("l"))
    count = 0 if first is None or last is None else last - first + 1
    if first is None or not 0 < count <= _MOST_PRINTS:
        return [_with(row, None, row.amount)]
    return [_with(row, str(first + at), row.amount / count) for at in range(count)]


def _with(row: Trade, ident: str | None, amount: float) -> Trade:
    return Trade(
        exchange=row.exchange,
        symbol=row.symbol,
        ts_ns=row.ts_ns,
        price=row.price,
        amount=amount,
        id=ident,
        side=row.side,
    )


def _whole(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
