"""The notebook's face: DataFrames in, DataFrames out, through the same engine as files and streams."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drainwatch.config import Incidents, Judgement, Settings
from drainwatch.events import Names
from drainwatch.model import Model, default_model_path, load_model
from drainwatch.replay import Page, judge, new_engine, page_of
from drainwatch.scores import COLUMNS
from drainwatch.tables import tables_from_frames

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay of DataFrames found."""

    incidents: pd.DataFrame
    """One row an incident, the columns of `incidents.jsonl`; times are UTC."""
    scores: pd.DataFrame
    """One row a fill in the order judged, the columns of `scores.parquet`; times are UTC."""
    rejected: pd.DataFrame
    """Rows that could not be read, and why."""
    _page: Page = field(repr=False)

    def to_html(self, path: str | Path | None = None) -> str:
        """The report as one page of HTML; written to `path` too, where one is given."""
        page = self._page.html()
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def _repr_html_(self) -> str:
        shown = self.incidents[
            ["severity", "kind", "account", "symbols", "alerted_at", "loss", "loss_currency"]
        ]
        said = f"{len(self.incidents)} incidents in {len(self.scores):,} fills"
        return f"<p>{said}</p>{shown.to_html(escape=True, index=False)}"


def replay(
    fills: pd.DataFrame,
    trades: pd.DataFrame | None = None,
    quotes: pd.DataFrame | None = None,
    candles: pd.DataFrame | None = None,
    balances: pd.DataFrame | None = None,
    orders: pd.DataFrame | None = None,
    markets: pd.DataFrame | None = None,
    *,
    model: Model | str | Path | None = None,
    false_alarms_per_month: float = 0.1,
    quiet_hours: float = 6.0,
    strict: bool = False,
) -> Replay:
    """Replay an account's fills against whatever market data there is.

    Parameters
    ----------
    fills, trades, quotes, candles, balances, orders, markets
        Tables with the contract's columns (docs/tables.md); they are not changed.
    model
        A model, or the folder of one; the shipped one where absent.
    false_alarms_per_month
        Budget of false incidents for an account and month.
    quiet_hours
        An incident is closed so long after its last flagged fill.
    strict
        Refuse any bad row instead of up to 1 % of a table.

    Raises
    ------
    InputError
        A table misses a needed column, has no rows, or too many bad ones.

    """
    import pandas as pd

    loaded = (
        model
        if isinstance(model, Model)
        else load_model(model if model is not None else default_model_path())
    )
    settings = Settings(
        judgement=Judgement(false_alarms_per_month=false_alarms_per_month),
        incidents=Incidents(quiet_hours=quiet_hours),
    )
    names = Names()
    parts: list[dict[str, Any]] = []
    with tables_from_frames(
        fills, trades, quotes, candles, balances, orders, markets, names=names, strict=strict
    ) as tables:
        judged = judge(tables, new_engine(loaded, names, settings), names, parts.append, lambda *_: None)
        rejected = pd.DataFrame(
            list(tables.rejects), columns=["table", "file", "row", "column", "found", "expected"]
        )
    scores = pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in COLUMNS})
    scores["timestamp"] = pd.to_datetime(scores["timestamp"], unit="ms", utc=True)
    incidents = pd.DataFrame(judged.incidents, columns=list(_INCIDENT_COLUMNS))
    for name in ("opened_at", "alerted_at", "closed_at", "escalated_at"):
        incidents[name] = pd.to_datetime(incidents[name], unit="ms", utc=True)
    return Replay(incidents, scores, rejected, page_of(judged, loaded, settings))


_INCIDENT_COLUMNS = (
    "id", "account", "exchange", "symbols", "severity", "escalated_at", "kind", "kind_now", "opened_at",
    "alerted_at", "closed_at", "fills", "alert_fill", "loss", "loss_currency", "equity_share", "score",
    "p_value", "reasons",
)  # fmt: skip
