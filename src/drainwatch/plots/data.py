"""What is drawn, as arrays: the same for pictures and for pages. No library of drawings is needed for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from drainwatch.errors import InputError
from drainwatch.plots.style import shown
from drainwatch.plots.subject import Subject, one_incident, subjects

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]

MONTH_S: Final = 30.0 * 86_400.0
MOST_PARTIES: Final = 12
"""Counterparties drawn by themselves; the others are one."""
AROUND: Final = 0.5
"""How much before and after an incident is drawn, as a share of its length; an hour at least."""


@dataclass(frozen=True, slots=True)
class Span:
    """The time of an incident."""

    first: np.datetime64
    last: np.datetime64
    alerted: np.datetime64
    label: str


@dataclass(frozen=True, slots=True)
class Price:
    """Fills of one market with what they were worth; NaN where that isn't known."""

    title: str
    unit: str
    times: Times
    prices: Floats
    fair: Floats
    deviation_bps: Floats
    buys: NDArray[np.bool_]
    mine: NDArray[np.bool_]
    """Belongs to an incident that is drawn."""
    market_times: Times
    market: Floats
    spans: tuple[Span, ...]


def price(of: Subject, symbol: str | None = None, account: str | None = None) -> Price:
    """Fills of one market, around the incident where one is given."""
    it = subjects(of)
    symbol = it.symbol(symbol)
    fills = it.replay.fills
    fills = fills[(fills["symbol"] == symbol).to_numpy()]
    if account is not None or it.told is not None:
        fills = fills[(fills["account"] == it.account(account)).to_numpy()]
    market = it.replay.market
    market = market[(market["symbol"] == symbol).to_numpy()]
    if it.told is not None:
        first, last = _around(it.told, fills)
        fills, market = _within(fills, first, last), _within(market, first, last)
    ids = set(it.incidents["id"])
    return Price(
        title=shown(symbol),
        unit=_quote(symbol),
        times=_utc(fills["timestamp"]),
        prices=fills["price"].to_numpy(dtype=np.float64),
        fair=fills["fair_price"].to_numpy(dtype=np.float64),
        deviation_bps=fills["deviation_bps"].to_numpy(dtype=np.float64),
        buys=(fills["side"] == "buy").to_numpy(dtype=bool),
        mine=fills["incident"].isin(ids).to_numpy(dtype=bool),
        market_times=_utc(market["timestamp"]),
        market=market["price"].to_numpy(dtype=np.float64),
        spans=tuple(span for span in _spans(it.incidents, it.replay.fills, symbol=symbol)),
    )


@dataclass(frozen=True, slots=True)
class Money:
    """Money over time."""

    title: str
    unit: str
    times: Times
    values: Floats
    gone: bool
    """The values are what was lost so far, as nothing is known of what is left."""
    spans: tuple[Span, ...]


def money(of: Subject, account: str | None = None) -> Money:
    """What an account was worth at its fills; without balances, what its incidents have lost so far.

    Around an incident, what was known last before and first after is drawn at the ends.
    """
    it = subjects(of)
    account = it.account(account)
    incidents = it.incidents[(it.incidents["account"] == account).to_numpy()]
    spans = tuple(_spans(incidents, it.replay.fills))
    equity = it.replay.equity
    equity = equity[(equity["account"] == account).to_numpy()]
    if it.told is not None and len(equity):
        first, last = _around(it.told, it.replay.fills)
        inside = ((equity["timestamp"] >= first) & (equity["timestamp"] <= last)).to_numpy()
        before = np.flatnonzero((equity["timestamp"] < first).to_numpy())[-1:]  # what there was at first
        after = np.flatnonzero((equity["timestamp"] > last).to_numpy())[:1]  # what the last fill left
        equity = equity.iloc[np.sort(np.concatenate([before, np.flatnonzero(inside), after]))]
        times = equity["timestamp"].where(equity["timestamp"] >= first, first)
        equity = equity.assign(timestamp=times.where(times <= last, last))
    if len(equity):
        values = equity["equity"].to_numpy(dtype=np.float64)
        unit = shown(equity["currency"].iloc[0], 12)
        return Money(f"Money in {shown(account)}", unit, _utc(equity["timestamp"]), values, False, spans)
    fills = it.replay.fills
    fills = fills[(fills["account"] == account).to_numpy() & fills["incident"].isin(set(incidents["id"]))]
    each, unit = _worth("money", fills, it.replay.currency)
    lost = np.nancumsum(fills["loss_quote"].to_numpy(dtype=np.float64) * each)
    return Money(f"Gone from {shown(account)} so far", unit, _utc(fills["timestamp"]), lost, True, spans)


@dataclass(frozen=True, slots=True)
class Reasons:
    """What each reason contributed, strongest first."""

    title: str
    names: tuple[str, ...]
    nats: Floats
    texts: tuple[str, ...]


def reasons(of: Subject) -> Reasons:
    """Reasons of an incident; of a replay, of its first."""
    incident = one_incident(of)
    table = incident.reasons
    return Reasons(
        title=f"Why it was raised: {shown(incident.told['kind'])}",
        names=tuple(shown(name) for name in table["feature"]),
        nats=table["nats"].to_numpy(dtype=np.float64),
        texts=tuple(shown(text, 90) for text in table["text"]),
    )


@dataclass(frozen=True, slots=True)
class Markouts:
    """How the price stood after fills of one kind: quartiles over the fills, at each horizon."""

    label: str
    horizons_s: Floats
    low_bps: Floats
    median_bps: Floats
    high_bps: Floats
    count: NDArray[np.int64]
    """Fills whose markout is known at each horizon."""
    incident: bool


HORIZONS_S: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)


def markouts(of: Subject, market: Any, horizons_s: tuple[float, ...] = HORIZONS_S) -> tuple[Markouts, ...]:
    """Markouts of an incident's fills and of all others: `s (m(t+h) - p) / p`, good > 0.

    Parameters
    ----------
    of
        Replay or incident.
    market
        What prices stood at: quotes (`bid` and `ask`), trades (`price`) or candles (`close`), with
        `timestamp` and `symbol`, as given to `drainwatch.replay`. The last one at or before the
        horizon counts, unless it is older than the fill.
    horizons_s
        How long after the fill, in seconds.

    """
    it = subjects(of)
    fills = it.replay.fills
    if it.told is not None:
        fills = fills[(fills["account"] == it.told["account"]).to_numpy()]
    prices, at_ns, symbols = _market(market)
    mine = fills["incident"].isin(set(it.incidents["id"])).to_numpy(dtype=bool)
    fill_ns = _ns(fills["timestamp"])
    sides = np.where((fills["side"] == "buy").to_numpy(), 1.0, -1.0)
    paid = fills["price"].to_numpy(dtype=np.float64)
    found = np.full((len(fills), len(horizons_s)), np.nan)
    for symbol in set(fills["symbol"]):
        rows = np.flatnonzero((fills["symbol"] == symbol).to_numpy())
        of_symbol = np.flatnonzero(symbols == symbol)
        order = of_symbol[np.argsort(at_ns[of_symbol], kind="stable")]
        if not len(order):
            continue
        for column, horizon_s in enumerate(horizons_s):
            until = fill_ns[rows] + int(horizon_s * 1e9)
            last = np.searchsorted(at_ns[order], until, "right") - 1
            known = (last >= 0) & (at_ns[order[np.maximum(last, 0)]] > fill_ns[rows])
            known &= until <= at_ns[order[-1]]  # beyond the end nothing is known
            later = np.where(known, prices[order[np.maximum(last, 0)]], np.nan)
            found[rows, column] = 1e4 * sides[rows] * (later - paid[rows]) / paid[rows]
    made = []
    for label, those in (("the incident's fills", mine), ("other fills", ~mine)):
        if those.any():
            made.append(_quartiles(label, np.asarray(horizons_s), found[those], label != "other fills"))
    return tuple(made)


@dataclass(frozen=True, slots=True)
class Party:
    """One on the other side of an incident's fills."""

    name: str
    fills: int
    value: float
    """Price times amount of these fills, in `Network.unit`."""
    loss: float
    """What they lost against fair value, in `Network.unit`; NaN where unknown."""
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Network:
    """An account in the middle, and who it traded with around it."""

    title: str
    account: str
    unit: str
    parties: tuple[Party, ...]
    """By what they took, the most first, clockwise from the top."""


def network(of: Subject) -> Network:
    """Counterparties of an incident; of a replay, of its first.

    Raises
    ------
    InputError
        The fills don't tell who was on the other side.

    """
    incident = one_incident(of)
    fills = incident.fills
    known = fills[fills["counterparty"].notna().to_numpy()]
    if not len(known):
        raise InputError(
            "network: expected fills with a column `counterparty`, found none that tells it: few exchanges do"
        )
    each, unit = _worth("network", known, incident.replay.currency)
    worth = {"value": known["price"] * known["amount"] * each, "loss": known["loss_quote"] * each}
    by = known.assign(**worth).groupby("counterparty", sort=True)
    rows = [
        (
            str(name), len(group), float(group["value"].sum()),
            float(group["loss"].sum()) if group["loss"].notna().any() else float("nan"),
        )
        for name, group in by
    ]  # fmt: skip
    rows.sort(key=lambda row: (-np.nan_to_num(row[3], nan=0.0), -row[2], row[0]))
    if len(rows) > MOST_PARTIES:
        few, rest = rows[: MOST_PARTIES - 1], rows[MOST_PARTIES - 1 :]
        losses = np.array([row[3] for row in rest])
        lost = float(np.nansum(losses)) if np.isfinite(losses).any() else float("nan")
        rows = [*few, (f"{len(rest)} others", sum(r[1] for r in rest), sum(r[2] for r in rest), lost)]
    angles = 2.0 * np.pi * np.arange(len(rows)) / len(rows)
    parties = tuple(
        Party(shown(name, 20), count, value, lost, float(np.sin(angle)), float(np.cos(angle)))
        for (name, count, value, lost), angle in zip(rows, angles, strict=True)
    )
    account = shown(incident.told["account"], 20)
    return Network(f"Who {account} traded with", account, unit, parties)


@dataclass(frozen=True, slots=True)
class Scores:
    """How often scores were reached, beside what harmless trading is calibrated to."""

    title: str
    levels: Floats
    calibrated: Floats
    """Times an account-month that harmless trading reaches each level: `10^-level`."""
    reached: Floats
    """Times an account-month that it was reached here."""
    others: Floats
    """The same without the fills of incidents."""
    threshold: float
    """Score from which on a fill is flagged."""
    months: float
    """Account-months that were looked at."""


def scores(of: Subject) -> Scores:
    """Distribution of a replay's scores: how many times they climbed to each level.

    A run of fills that stay above a level reached it once. An account counts from its first fill to its
    last, a day at least.
    """
    replay = subjects(of).replay
    table = replay.fills
    values = table["score"].to_numpy(dtype=np.float64)
    low, high = np.nanmin(values), np.nanmax(values)
    levels = np.arange(
        np.floor(4.0 * max(low, -1.0)) / 4.0, np.ceil(4.0 * max(high, 2.0)) / 4.0 + 0.125, 0.25
    )
    months, reached, others = 0.0, np.zeros(len(levels)), np.zeros(len(levels))
    for _, fills in table.groupby("account", sort=True):
        at_ns = _ns(fills["timestamp"])
        months += max((int(at_ns.max()) - int(at_ns.min())) / 1e9, 86_400.0) / MONTH_S
        own = fills["score"].to_numpy(dtype=np.float64)
        reached += _climbs(own, levels)
        others += _climbs(own[fills["incident"].isna().to_numpy()], levels)
    return Scores(
        title="How often scores were reached",
        levels=levels,
        calibrated=10.0**-levels,
        reached=reached / months,
        others=others / months,
        threshold=float(-np.log10(replay.false_alarms_per_month)),
        months=months,
    )


@dataclass(frozen=True, slots=True)
class Reliability:
    """False incidents an account-month: as stated, and as counted, with an interval of 90 %."""

    stated: Floats
    measured: Floats
    low: Floats
    high: Floats


def reliability(rows: Any) -> Reliability:
    """Read measured rates from a table or a list with `budget`, `measured`, `low` and `high`.

    `drainwatch lab bench` writes such rows: `calibration` in its result.
    """
    import pandas as pd

    table = pd.DataFrame(rows, columns=None if len(rows) else ["budget", "measured", "low", "high"])
    missing = [name for name in ("budget", "measured", "low", "high") if name not in table]
    if missing:
        raise InputError(f"reliability: column {missing[0]} is missing; found {', '.join(map(str, table))}")
    table = table.sort_values("budget")
    return Reliability(
        *(table[name].to_numpy(dtype=np.float64) for name in ("budget", "measured", "low", "high"))
    )


# --- helpers -------------------------------------------------------------------------------------


def _utc(times: pd.Series[Any]) -> Times:
    """Times without a zone, which are UTC, as matplotlib and plotly take them."""
    naive: Times = times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[ns]")
    return naive


def _ns(times: pd.Series[Any]) -> NDArray[np.int64]:
    return _utc(times).astype(np.int64)


def _around(told: pd.Series[Any], fills: pd.DataFrame) -> tuple[pd.Timestamp, pd.Timestamp]:
    """The stretch of time that shows an incident."""
    import pandas as pd

    own = fills[(fills["incident"] == told["id"]).to_numpy()]
    first, last = told["opened_at"], told["alerted_at"]
    if len(own):
        first, last = min(first, own["timestamp"].min()), max(last, own["timestamp"].max())
    air = max((last - first) * AROUND, pd.Timedelta(hours=1))
    return first - air, last + air


def _quote(symbol: str) -> str:
    """Quote currency of a symbol, fit to be drawn."""
    return shown(symbol.partition(":")[0].partition("/")[2], 12)


def _worth(what: str, fills: pd.DataFrame, currency: str | None) -> tuple[Floats, str]:
    """What a quote unit of each fill counts, and in which currency: their own, or dollars for several."""
    quotes = sorted({_quote(symbol) for symbol in fills["symbol"]})
    if len(quotes) <= 1:
        return np.ones(len(fills)), next(iter(quotes), "")
    each = fills["quote_value"].to_numpy(dtype=np.float64)
    if currency is None or np.isnan(each).any():
        raise InputError(
            f"{what}: expected fills in one currency, or in such as are traded for a dollar, found"
            f" {', '.join(quotes)}: give `drainwatch.replay` trades or quotes of these against a dollar"
        )
    return each, shown(currency, 12)


def _within(table: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    return table[((table["timestamp"] >= first) & (table["timestamp"] <= last)).to_numpy()]


def _spans(incidents: pd.DataFrame, fills: pd.DataFrame, symbol: str | None = None) -> list[Span]:
    found = []
    told: Any
    for told in incidents.itertuples():
        if symbol is not None and symbol not in told.symbols:
            continue
        own = fills.loc[(fills["incident"] == told.id).to_numpy(), "timestamp"]
        last = max(told.alerted_at, own.max()) if len(own) else told.alerted_at
        first, last, alerted = (
            time.tz_convert("UTC").tz_localize(None).to_datetime64()
            for time in (told.opened_at, last, told.alerted_at)
        )
        found.append(Span(first, last, alerted, f"{shown(told.severity)}: {shown(told.kind)}"))
    return found


def _market(market: Any) -> tuple[Floats, NDArray[np.int64], NDArray[np.object_]]:
    """Prices, times in ns and symbols of a table of quotes, trades or candles."""
    import pandas as pd

    if not isinstance(market, pd.DataFrame):
        market = market.to_pandas()
    names = set(market.columns)
    if {"bid", "ask"} <= names:
        prices = 0.5 * (market["bid"] + market["ask"])
    elif names & {"price", "close"}:
        prices = market["price" if "price" in names else "close"]
    else:
        raise InputError(
            f"markouts: expected columns bid and ask, price, or close, found {', '.join(map(str, market))}"
        )
    for name in ("timestamp", "symbol"):
        if name not in names:
            raise InputError(f"markouts: column {name} is missing; found {', '.join(map(str, market))}")
    times = market["timestamp"]
    numbers = pd.api.types.is_numeric_dtype(times)
    utc = pd.to_datetime(times, unit="ms", utc=True) if numbers else pd.to_datetime(times, utc=True)
    return prices.to_numpy(dtype=np.float64), _ns(utc), market["symbol"].to_numpy(dtype=object)


def _quartiles(label: str, horizons_s: Floats, values: Floats, incident: bool) -> Markouts:
    count = np.isfinite(values).sum(axis=0)
    quartiles = np.full((3, len(horizons_s)), np.nan)
    for column in np.flatnonzero(count):
        known = values[np.isfinite(values[:, column]), column]
        quartiles[:, column] = np.quantile(known, [0.25, 0.5, 0.75])
    low, median, high = quartiles
    return Markouts(label, horizons_s, low, median, high, count, incident)


def _climbs(values: Floats, levels: Floats) -> Floats:
    """How many times a sequence goes from below each level to it or above."""
    values = values[np.isfinite(values)]
    before = np.concatenate([[-np.inf], values[:-1]])
    rising = values > before
    starts = np.searchsorted(levels, before[rising], "right")  # levels above what was before
    ends = np.searchsorted(levels, values[rising], "right")  # levels reached now
    steps = np.zeros(len(levels) + 1)
    np.add.at(steps, starts, 1.0)
    np.add.at(steps, ends, -1.0)
    return np.cumsum(steps)[:-1]
