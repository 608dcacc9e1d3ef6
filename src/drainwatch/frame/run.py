"""Replay of DataFrames: tables in, what was found out, with the index that the fills came with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from drainwatch.config import Incidents, Judgement, Settings
from drainwatch.detector import judge_from
from drainwatch.engine import Block
from drainwatch.events import Names
from drainwatch.explain import weights_of
from drainwatch.features.registry import FEATURES, NAMES, index
from drainwatch.frame.incident import Incident
from drainwatch.frame.match import rows_of
from drainwatch.frame.shown import replay_html
from drainwatch.frame.taken import taken
from drainwatch.model import Model, default_model_path, load_model
from drainwatch.replay import Page, judge, new_engine, page_of
from drainwatch.report import words
from drainwatch.scores import COLUMNS, KEYS
from drainwatch.tables import tables_from_frames

if TYPE_CHECKING:
    import pandas as pd

_INCIDENT_COLUMNS: Final = (
    "id", "account", "exchange", "symbols", "severity", "escalated_at", "kind", "kind_now", "opened_at",
    "alerted_at", "closed_at", "fills", "alert_fill", "loss", "loss_currency", "equity_share", "score",
    "p_value", "reasons",
)  # fmt: skip
_REASON_COLUMNS: Final = ("incident", "feature", "unit", "value", "typical", "nats", "text")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Replay:
    """What a replay of DataFrames found. All times are UTC."""

    incidents: pd.DataFrame
    """One row an incident, the columns of `incidents.jsonl`."""
    scores: pd.DataFrame
    """One row a fill in the order judged, the columns of `scores.parquet`; the index is that of the fills
    as they were given, so that `fills.join(scores[["score"]])` puts each score beside its fill."""
    fills: pd.DataFrame
    """What was judged, one row a fill as in `scores` and with its index: the fill's key, `timestamp`, `price`
    and `amount` as understood, `counterparty`, `fair_price`, `deviation_bps`, `loss_quote` (quote units),
    `quote_value` (what one of these was worth then, in `currency`), `score`, `flagged`, and `incident`, here
    from before the alert on."""
    reasons: pd.DataFrame
    """One row for each reason of each incident, strongest first: `feature`, its `unit`, `value` and what is
    `typical`, the `nats` of the alert's score that it accounts for, and the `text`."""
    rejected: pd.DataFrame
    """Rows that could not be read, and why."""
    false_alarms_per_month: float
    """The budget that it was judged with."""
    _page: Page

    @property
    def market(self) -> pd.DataFrame:
        """What each market stood at just before each fill: `exchange`, `symbol`, `timestamp`, `price`.

        With more than 50,000 fills, only around incidents; empty where nothing is traded for dollars.
        """
        return _series(self._page.market, ("exchange", "symbol"), "price")

    @property
    def equity(self) -> pd.DataFrame:
        """What each account was worth just before each fill: `account`, `timestamp`, `equity`, `currency`.

        As `market`; empty without balances.
        """
        equity = _series(
            {(name,): points for name, points in self._page.equity.items()}, ("account",), "equity"
        )
        return equity.assign(currency=self.currency)

    @property
    def currency(self) -> str | None:
        """The dollar that `equity` and `quote_value` are in; None where nothing is traded for one."""
        name: str | None = self._page.about["equity_currency"]
        return name

    def incident(self, which: int | str = 0) -> Incident:
        """One incident with its fills and reasons.

        Parameters
        ----------
        which
            Its place in `incidents`, from 0, or its id.

        Raises
        ------
        LookupError
            There is none of that place or id.

        """
        ids = self.incidents["id"].tolist()
        if isinstance(which, str) and which in ids:
            place = ids.index(which)
        elif not isinstance(which, str) and -len(ids) <= which < len(ids):
            place = range(len(ids))[which]
        else:
            known = f"{len(ids)}: {', '.join(ids[:5])}{' ...' if len(ids) > 5 else ''}" if ids else "none"
            raise LookupError(f"expected an incident's place or id, was {which!r}; there are {known}")
        own = self.fills[(self.fills["incident"] == ids[place]).to_numpy()]
        why = self.reasons[(self.reasons["incident"] == ids[place]).to_numpy()]
        return Incident(self.incidents.iloc[place], own, why.reset_index(drop=True), self, self._page, place)

    def to_html(self, path: str | Path | None = None) -> str:
        """The report as one page of HTML; written to `path` too, where one is given."""
        page = self._page.html()
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def __repr__(self) -> str:
        found = words.plural(len(self.incidents), "incident")
        return f"<Replay: {found} in {words.plural(len(self.scores), 'fill')}>"

    def _repr_html_(self) -> str:
        return str(replay_html(self._page))


def replay(
    fills: Any,
    trades: Any = None,
    quotes: Any = None,
    candles: Any = None,
    balances: Any = None,
    orders: Any = None,
    markets: Any = None,
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
        Tables with the contract's columns (docs/tables.md): DataFrames of pandas or polars, tables of
        pyarrow, or anything else that hands out an Arrow stream. They are not changed.
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
        A table misses a needed column, has no rows, too many bad ones, or is no table.

    Examples
    --------
    >>> import pandas as pd
    >>> import drainwatch
    >>> fills = pd.DataFrame(
    ...     {
    ...         "timestamp": pd.date_range("2026-03-01", periods=3, freq="h", tz="UTC"),
    ...         "symbol": "ETH/BTC",
    ...         "side": ["buy", "sell", "buy"],
    ...         "price": [0.0310, 0.0311, 0.0312],
    ...         "amount": [2.0, 2.0, 1.0],
    ...     },
    ...     index=pd.Index(["a", "b", "c"], name="id"),
    ... )
    >>> found = drainwatch.replay(fills)
    >>> len(found.incidents)
    0
    >>> found.scores[["symbol", "fair_source"]]
         symbol fair_source
    id
    a   ETH/BTC        none
    b   ETH/BTC   own_fills
    c   ETH/BTC   own_fills

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
    given: dict[str, Any] = {
        "fills": fills, "trades": trades, "quotes": quotes, "candles": candles, "balances": balances,
        "orders": orders, "markets": markets,
    }  # fmt: skip
    frames: dict[str, Any] = {
        name: taken(name, frame) for name, frame in given.items() if frame is not None or name == "fills"
    }
    names = Names()
    parts: list[dict[str, Any]] = []
    seen = _Seen()
    with tables_from_frames(**frames, names=names, strict=strict) as tables:
        judged = judge(
            tables, new_engine(loaded, names, settings), names, parts.append, lambda *_: None, seen.take
        )
        rejected = pd.DataFrame(
            list(tables.rejects), columns=["table", "file", "row", "column", "found", "expected"]
        )
    columns = {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}
    own = seen.columns()
    rows, counterparties = rows_of(frames["fills"], {name: columns[name] for name in KEYS} | own)
    at = frames["fills"].index.take(rows)
    scores = pd.DataFrame(columns, index=at)
    scores["timestamp"] = pd.to_datetime(columns["timestamp"], unit="ms", utc=True)
    incidents = pd.DataFrame(judged.incidents, columns=list(_INCIDENT_COLUMNS))
    for name in ("opened_at", "alerted_at", "closed_at", "escalated_at"):
        incidents[name] = pd.to_datetime(incidents[name], unit="ms", utc=True)
    member = _members(columns, judged.incidents)
    told = pd.DataFrame(
        {
            **{name: columns[name] for name in KEYS},
            "timestamp": pd.to_datetime(own["ts_ns"], unit="ns", utc=True),
            "price": own["price"],
            "amount": own["amount"],
            "counterparty": counterparties,
            "fair_price": columns["fair_price"],
            "fair_source": columns["fair_source"],
            "deviation_bps": columns["deviation_bps"],
            "loss_quote": own["loss_quote"],
            "quote_value": own["quote_value"],
            "score": columns["score"],
            "flagged": columns["flagged"],
            "incident": member,
        },
        index=at,
    )
    reasons = pd.DataFrame(
        seen.reasons(loaded, settings, judged.incidents, columns), columns=list(_REASON_COLUMNS)
    )
    page = page_of(judged, loaded, settings)
    return Replay(incidents, scores, told, reasons, rejected, false_alarms_per_month, page)


def features(
    fills: Any,
    trades: Any = None,
    quotes: Any = None,
    candles: Any = None,
    balances: Any = None,
    orders: Any = None,
    markets: Any = None,
    *,
    strict: bool = False,
) -> pd.DataFrame:
    """Measure each fill as the engine does: one row a fill, one column a feature (docs/features.md).

    Parameters
    ----------
    fills, trades, quotes, candles, balances, orders, markets
        As for `replay`.
    strict
        Refuse any bad row instead of up to 1 % of a table.

    Returns
    -------
    DataFrame
        In the order and with the index of the given fills; bad rows and duplicates have none. A feature
        rises with danger, its unit is in docs/features.md; NaN: it can't be known.

    Raises
    ------
    InputError
        As `replay`.

    Examples
    --------
    >>> import pandas as pd
    >>> import drainwatch
    >>> fills = pd.DataFrame(
    ...     {
    ...         "id": ["2", "1"],
    ...         "timestamp": [120_000, 60_000],  # the second comes first
    ...         "symbol": "ETH/BTC",
    ...         "side": ["buy", "sell"],
    ...         "price": [0.0312, 0.0310],
    ...         "amount": [2.0, 2.0],
    ...     }
    ... )
    >>> drainwatch.features(fills)["deviation_bps"].round(1)
    0    64.5
    1     NaN
    Name: deviation_bps, dtype: float64

    """
    import pandas as pd

    given = taken("fills", fills)
    numbered = given.set_axis(pd.RangeIndex(len(given)))
    named = [name for name in given.index.names if name is not None]
    if named:  # an index with a name is a column
        numbered = given.reset_index(level=named).set_axis(pd.RangeIndex(len(given)))
    scores = replay(numbered, trades, quotes, candles, balances, orders, markets, strict=strict).scores
    measured = scores.loc[scores.index.sort_values(), list(NAMES)]
    return measured.set_axis(given.index.take(measured.index.to_numpy()))


class _Seen:
    """What the scores don't hold of the judged fills."""

    def __init__(self) -> None:
        self._parts: list[dict[str, NDArray[Any]]] = []
        self._suspects: dict[int, tuple[np.void, NDArray[np.float64]]] = {}
        self._count = 0

    def take(self, block: Block) -> None:
        """Keep a block's prices, and verdicts and features of what belongs to incidents."""
        fills = block.fills
        part = {name: fills[name].copy() for name in ("ts_ns", "price", "amount")}
        part |= {name: block.judged[name].copy() for name in ("loss_quote", "quote_value")}
        self._parts.append(part)
        for row, incident in enumerate(block.incidents):
            if incident is not None:
                self._suspects[self._count + row] = (block.judged[row].copy(), block.features[row].copy())
        self._count += len(fills)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Give time in ns, price, amount, loss and worth of the quote unit of all fills."""
        return {name: np.concatenate([part[name] for part in self._parts]) for name in self._parts[0]}

    def reasons(
        self,
        model: Model,
        settings: Settings,
        incidents: list[dict[str, Any]],
        columns: dict[str, NDArray[Any]],
    ) -> list[tuple[Any, ...]]:
        """Give each incident's reasons with the nats that they account for at the alert's fill."""
        if not incidents:
            return []
        judge = judge_from(
            model.arrays, model.card.get("features", ()), settings.judgement.false_alarms_per_month
        )
        place = {
            (
                columns["account"][row],
                *(columns[name][row] for name in ("symbol", "id", "order", "side")),
            ): row
            for row in self._suspects
        }
        rows: list[tuple[Any, ...]] = []
        for incident in incidents:
            at = place.get(_key(incident["account"], incident["alert_fill"]))
            nats = None if at is None else weights_of(judge, *self._suspects[at])
            for reason in incident["reasons"]:
                number = index(reason["feature"])
                share = np.nan if nats is None else float(nats[number])
                unit = FEATURES[number].unit
                rows.append(
                    (incident["id"], reason["feature"], unit, reason["value"], reason["typical"], share,
                     reason["text"])
                )  # fmt: skip
        return rows


def _key(account: str, fill: dict[str, Any]) -> tuple[Any, ...]:
    return (account, fill["symbol"], fill["id"], fill["order"], fill["side"])


def _members(columns: dict[str, NDArray[Any]], incidents: list[dict[str, Any]]) -> NDArray[np.object_]:
    """Name the incident that each fill belongs to in the end; None for most."""
    member = {
        _key(incident["account"], fill): incident["id"]
        for incident in incidents
        for fill in incident["fills"]
    }
    keys = zip(*(columns[name] for name in ("account", "symbol", "id", "order", "side")), strict=True)
    found = np.empty(len(columns["id"]), dtype=object)
    found[:] = [member.get(key) for key in keys]
    return found


def _series(of: dict[Any, NDArray[np.float64]], keys: tuple[str, ...], value: str) -> pd.DataFrame:
    """Put series of (ms, value) below each other."""
    import pandas as pd

    parts = [
        pd.DataFrame(dict(zip(keys, key, strict=True)), index=range(len(points))).assign(
            timestamp=pd.to_datetime(points[:, 0], unit="ms", utc=True), **{value: points[:, 1]}
        )
        for key, points in of.items()
    ]
    if parts:
        return pd.concat(parts, ignore_index=True)
    empty = pd.DataFrame({name: pd.Series(dtype=object) for name in keys})
    empty["timestamp"] = pd.Series(dtype="datetime64[ns, UTC]")
    return empty.assign(**{value: pd.Series(dtype=float)})
