"""A sink that keeps what it is given, a clock that is moved by hand, JSON rows in many spellings."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from drainwatch.notices import Notice
from drainwatch.rows import Row
from drainwatch.venues.protocol import BadMessage

T0 = 1_700_000_000_000
"""Ms."""


class Sink:
    """Keeps everything; `fails` is raised instead, `open` may hold it up."""

    def __init__(self) -> None:
        self.got: list[Row] = []
        self.notices: list[Notice] = []
        self.bads: list[BadMessage] = []
        self.symbols: list[tuple[str, set[str]]] = []
        self.fails: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def rows(self, rows: Sequence[Row], received_ns: int) -> None:
        assert received_ns > 0
        await self.open.wait()
        if self.fails is not None:
            raise self.fails
        self.got += rows

    async def ready(self, stream: str, *, first: bool) -> None:
        raise AssertionError("no socket or log needs a back-fill")

    def notice(self, notice: Notice) -> None:
        self.notices.append(notice)

    def bad(self, message: BadMessage) -> None:
        self.bads.append(message)

    def seen(self, exchange: str, symbols: set[str]) -> None:
        self.symbols.append((exchange, symbols))

    def unlisted(self, exchange: str, names: set[str]) -> None:
        pass


class Clock:
    """Time that passes when `let_pass` says so."""

    def __init__(self) -> None:
        self._now_ns = T0 * 1_000_000
        self._sleepers: list[tuple[int, asyncio.Event]] = []

    def now_ns(self) -> int:
        return self._now_ns

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._sleepers.append((self._now_ns + int(seconds * 1e9), woken))
        await woken.wait()

    async def let_pass(self, seconds: float) -> None:
        """Move time, and let those who wake do what they have to."""
        await settle()
        self._now_ns += int(seconds * 1e9)
        for due_ns, woken in self._sleepers:
            if due_ns <= self._now_ns:
                woken.set()
        self._sleepers = [(due, woken) for due, woken in self._sleepers if not woken.is_set()]
        await settle()


async def settle() -> None:
    """Let the loop's tasks run until they wait."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until(condition: Any, seconds: float = 60.0) -> None:
    """Wait for what the network brings in its own time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.005)


def fill(number: int = 1, **other: Any) -> dict[str, Any]:
    """One good fill, as a bot that uses ccxt has it."""
    row: dict[str, Any] = {
        "table": "fills",
        "id": str(number),
        "timestamp": T0 + number,
        "symbol": "ETH/BTC",
        "side": "buy",
        "price": "0.0200",
        "amount": "1.50",
        "order": f"o{number}",
        "clientOrderId": "grid-1",
        "takerOrMaker": "maker",
        "fee": {"cost": "0.0001", "currency": "ETH"},
    }
    return row | other


_WORDS = """buy SELL sell hold 1m 4h 7 7.0 123.0 nan inf 1e5 -1 +1.5 0 0.0 -0 .5 5. 1_0 1e400 1e-320 true
false limit market maker é ETH/BTC autoclose-1 2023-11-14T22:13:20Z 99999999999999999999999999"""
WORDS = st.sampled_from([*_WORDS.split(), "", " ", "1h ", " 7 ", "2023-11-14 22:13:20,5", "\x00"])
VALUES = st.one_of(
    WORDS,
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.integers(T0, T0 + 10**6),
    st.integers(-(10**25), 10**25),
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(1e-12, 1e15),
    st.text(max_size=6),
    st.lists(st.floats(0, 2), max_size=2),
    st.dictionaries(st.sampled_from(["cost", "currency", "rate"]), st.floats(0, 2) | WORDS, max_size=2),
)
GOOD: dict[str, dict[str, Any]] = {
    "fills": fill(),
    "trades": {
        "table": "trades",
        "timestamp": T0,
        "symbol": "ETH/BTC",
        "price": 0.02,
        "amount": 2,
        "id": 5,
        "side": "sell",
        "takerOrder": "t1",
    },
    "quotes": {
        "table": "quotes",
        "timestamp": T0,
        "symbol": "ETH/BTC",
        "bid": 0.0199,
        "ask": "0.0201",
        "bidSize": 0,
    },
    "candles": {
        "table": "candles",
        "timestamp": T0,
        "symbol": "ETH/BTC",
        "open": 1,
        "high": 1.5,
        "low": "0.50",
        "close": 1,
        "volume": 0,
        "timeframe": "5m",
    },
    "balances": {"table": "balances", "timestamp": T0, "account": "a", "currency": "BTC", "total": "1.5"},
    "orders": {"table": "orders", "order": 7, "clientOrderId": "grid-7", "timestamp": T0},
    "markets": {"table": "markets", "symbol": "BTC/USDT:USDT", "contractSize": "0.001", "tick_size": 0.1},
}


@st.composite
def rows_of(draw: st.DrawFn, table: str) -> list[dict[str, Any]]:
    """Rows of a table: good ones, with columns changed, dropped, and spelled otherwise."""
    from drainwatch.schema import SCHEMA

    names = st.sampled_from(
        [
            *SCHEMA[table],
            *(name for name in GOOD[table] if name != "table"),
            "datetime",
            "fee.cost",
            "Price",
            "fee",
        ]
    )
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        row = dict(GOOD[table])
        for name in draw(st.lists(names, max_size=3)):
            row[name] = draw(VALUES)
        for name in draw(st.lists(names, max_size=1)):
            row.pop(name, None)
        rows.append(row)
    return rows
