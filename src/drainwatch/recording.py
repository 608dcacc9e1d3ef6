"""A simulated account as the engine's events, read once and played at each level of information.

The levels differ in what else is known beside the fills. Reading the tables takes most of a replay's
time, so they are read once, whole; a level leaves out the rows that it hasn't got.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drainwatch.engine import Block, Engine
from drainwatch.events import Batch, Kind, Names
from drainwatch.incidents import Incident
from drainwatch.lab.scenario import Scenario
from drainwatch.tables import tables_from_frames

_MARKET: Final = (Kind.TRADE, Kind.QUOTE)
ROWS: Final[dict[str, tuple[Kind, ...]]] = {
    "fills": (),
    "candles": (Kind.CANDLE,),
    "trades": (Kind.TRADE,),
    "quotes": _MARKET,
    "balances": (*_MARKET, Kind.BALANCE),
    "orders": (*_MARKET, Kind.BALANCE, Kind.ORDER),
    "nameless": (*_MARKET, Kind.BALANCE, Kind.ORDER),
    "candles, balances": (Kind.CANDLE, Kind.BALANCE),
    "trades, balances": (Kind.TRADE, Kind.BALANCE),
}
"""Rows that a level of information has beside the fills. `nameless` is `orders` without a word of who was
on the other side."""
_PARTIES: Final = ("taker_order", "maker_order", "buyer", "seller")


@dataclass(frozen=True, slots=True)
class Recording:
    """All events of one simulated account, in order."""

    rows: NDArray[np.void]
    fills: NDArray[np.void]
    ids: NDArray[np.object_]
    orders: NDArray[np.object_]
    names: Names
    places: dict[tuple[str, str, str], int]
    """Row of the scenario's `fills` and `labels` by (symbol, id, side)."""

    def at(self, level: str) -> tuple[Batch, Names]:
        """Return the events at a level (`ROWS`), and names of their own for an engine."""
        fills = self.fills
        rows = self.rows[np.isin(self.rows["kind"], [int(kind) for kind in ROWS[level]])]
        if level == "nameless":
            rows, fills = rows.copy(), fills.copy()
            for name in _PARTIES:
                rows[name] = 0
            for name in ("counterparty", "maker_order", "taker_order"):
                fills[name] = 0
        return Batch(rows, fills, self.ids, self.orders), deepcopy(self.names)

    def play(
        self,
        level: str,
        arrays: Mapping[str, NDArray[Any]],
        features: list[str],
        *,
        false_alarms_per_month: float = 0.1,
    ) -> tuple[Block, list[Incident]]:
        """Run a model over the account at a level: what was judged, and the incidents."""
        batch, names = self.at(level)
        engine = Engine(arrays, features, names, false_alarms_per_month=false_alarms_per_month)
        engine.feed(batch)
        (block,) = engine.take_outputs()[0]
        return block, engine.incidents

    def place(self, symbol: str, fill_id: str, side: str) -> int:
        """Row of the scenario's `fills` and `labels` that a fill has."""
        return self.places[symbol, fill_id, side]

    def played(self, block: Block) -> NDArray[np.int64]:
        """Row of the scenario's `fills` and `labels` for each fill of a block, shape (n_fills,)."""
        symbols = [self.names.markets[market].symbol for market in block.fills["market"]]
        sides = np.where(block.fills["side"] > 0, "buy", "sell")
        keys = zip(symbols, (str(i) for i in block.ids), sides.tolist(), strict=True)
        return np.array([self.places[key] for key in keys], dtype=np.int64)


def record(made: Scenario) -> Recording:
    """Read a scenario's tables into events; `made` has at least one fill."""
    names = Names()
    tables = {
        name: frame
        for name in ("trades", "quotes", "candles", "balances", "orders")
        if len(frame := getattr(made, name))
    }
    with tables_from_frames(made.fills, **tables, markets=made.markets, names=names) as read:
        batches = list(read.batches())
    labels = made.labels
    keys = zip(labels["symbol"], labels["id"].astype(str), labels["side"], strict=True)
    return Recording(
        rows=np.concatenate([batch.rows for batch in batches]),
        fills=np.concatenate([batch.fills for batch in batches]),
        ids=np.concatenate([batch.ids for batch in batches]),
        orders=np.concatenate([batch.orders for batch in batches]),
        names=names,
        places={key: place for place, key in enumerate(keys)},
    )
