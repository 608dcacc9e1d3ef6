"""Write `docs/lab-likeness.md` and its plots: real tapes beside the lab's.

    python scripts/likeness.py FOLDER

`FOLDER` holds the real data (see its README). The same data and code give the same bytes. Needs matplotlib.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from drainwatch.lab import counterparts, likeness, realtape, recordings
from drainwatch.lab.likeness import Floats, Likeness

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "lab-likeness.md"
PLOTS = ROOT / "docs" / "lab-likeness"
SEEDS = 12
"""Simulated tapes beside each real one; those of even seeds are half-liquid, the others liquid."""
POINTS = 120
"""Points of a curve, so that the drawings stay small."""
REAL, LAB = "#b3312c", "#2b5c8a"


@dataclass(frozen=True, slots=True)
class Tape:
    """One market's trades and quotes (None where there are none) with their figures."""

    trades: pd.DataFrame
    quotes: pd.DataFrame | None
    figures: Likeness


def _tape(name: str, trades: pd.DataFrame, quotes: pd.DataFrame | None = None, bin_s: float = 60.0) -> Tape:
    return Tape(trades, quotes, likeness.measure(name, trades, quotes, bin_s=bin_s))


def _beside(real: Tape, *, quotes: bool) -> list[Tape]:
    """Draw tapes as long and as busy as a real one; where it has no quotes they are left out."""
    hours = real.figures.hours
    wait_s = hours * 3600.0 / len(likeness.taker_orders(real.trades))
    out = []
    for seed in range(SEEDS):
        kind = ("half", "liquid")[seed % 2]
        trades, best = counterparts.draw(seed, kind, max(hours, 12.0), wait_s=wait_s)
        last = hours * 3.6e6
        trades, best = trades[trades["timestamp"] < last], best[best["timestamp"] < last]
        out.append(_tape(f"{kind} {seed}", trades, best if quotes else None))
    return out


def _kind(kind: str) -> list[Tape]:
    """Draw ten days of markets of a kind as the lab has them."""
    return [_tape(kind, *counterparts.draw(seed, kind, 240.0)) for seed in range(6)]


def _values(tapes: list[Tape], name: str) -> Floats:
    """Figures of one name, a row a tape."""
    return np.array([np.atleast_1d(getattr(tape.figures, name)) for tape in tapes], dtype=np.float64)


def _over_median(tape: Tape, at: int) -> float:
    """Return a quantile of the spread over its median."""
    return tape.figures.spread_bps[at] / tape.figures.spread_bps[1]


def _number(value: float) -> str:
    if isnan(value):
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _range(tapes: list[Tape], name: str, at: int) -> str:
    values = _values(tapes, name)[:, at]
    values = values[np.isfinite(values)]
    if not len(values):
        return "-"
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9]).tolist()
    return f"{_number(middle)} ({_number(low)} to {_number(high)})"


ROWS: tuple[tuple[str, str, int], ...] = (
    ("time between taker orders, median (s)", "waits_s", 1),
    ("… 90 % quantile (s)", "waits_s", 2),
    ("… standard deviation over mean (1 if at random)", "wait_spread", 0),
    ("minutes without a trade (share)", "quiet", 0),
    ("orders a minute, autocorrelation at 1 minute", "count_memory", 0),
    ("… at 5 minutes", "count_memory", 2),
    ("… at 20 minutes", "count_memory", 4),
    ("volatility of a minute (bp)", "volatility_bps", 0),
    ("excess kurtosis of a minute's return", "kurtosis", 0),
    ("tail index of absolute returns", "tail", 0),
    ("returns, autocorrelation at 1 minute", "return_memory", 0),
    ("absolute returns, autocorrelation at 1 minute", "absolute_memory", 0),
    ("… at 5 minutes", "absolute_memory", 2),
    ("… at 20 minutes", "absolute_memory", 4),
    ("takers' sides, autocorrelation at 1 order", "sign_memory", 0),
    ("… at 5 orders", "sign_memory", 2),
    ("… at 20 orders", "sign_memory", 4),
    ("taker order over the median, 90 % quantile", "sizes", 2),
    ("… 99 % quantile", "sizes", 3),
    ("tail index of taker orders", "size_tail", 0),
    ("spread, median (bp)", "spread_bps", 1),
    ("spread, 90 % quantile (bp)", "spread_bps", 2),
    ("size at the best price over the median order", "depth_to_size", 0),
    ("move of the mid 1 s after an order (bp)", "response_bps", 0),
    ("move of the mid 60 s after an order (bp)", "response_bps", 2),
)
"""Rows of the tables: what it is, the field of `Likeness`, which of its values."""


def _table(groups: dict[str, Tape | list[Tape]], bin_name: str = "minute") -> str:
    """Write one column a tape, or a group of tapes; rows that none of them has are left out."""
    lines = ["| | " + " | ".join(groups) + " |", "|---|" + "---:|" * len(groups)]
    for text, name, at in ROWS:
        cells = [
            _range(tapes, name, at)
            if isinstance(tapes, list)
            else _number(float(np.atleast_1d(getattr(tapes.figures, name))[at]))
            for tapes in groups.values()
        ]
        if set(cells) != {"-"}:
            lines.append(f"| {text.replace('minute', bin_name)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


# --- plots ---------------------------------------------------------------------------------------


def _beyond(values: Floats) -> tuple[Floats, Floats]:
    """Curve of the share of values above x, thinned to `POINTS`, even on a logarithmic scale."""
    values = np.sort(values[values > 0.0])
    share = 1.0 - np.arange(len(values)) / len(values)
    at = np.unique(np.round(np.geomspace(1, len(values), POINTS)).astype(np.int64))
    return values[len(values) - at], share[len(values) - at]


def _curves(
    axes: Axes, real: dict[str, Tape], lab: list[Tape], of: Callable[[Tape], tuple[Floats, Floats]]
) -> None:
    for i, tape in enumerate(lab):
        axes.plot(*of(tape), color=LAB, alpha=0.45, linewidth=0.8, label="lab" if i == 0 else None)
    for style, (name, tape) in zip(("-", "--", ":"), real.items(), strict=False):
        axes.plot(*of(tape), style, color=REAL, linewidth=1.6, label=name)
    axes.grid(visible=True, alpha=0.25)
    axes.legend(fontsize=7, frameon=False)


def _lags(name: str, unit: float = 1.0) -> Callable[[Tape], tuple[Floats, Floats]]:
    return lambda tape: (np.array(likeness.LAGS) * unit, np.array(getattr(tape.figures, name)))


def _waits(tape: Tape) -> tuple[Floats, Floats]:
    waits = np.diff(likeness.taker_orders(tape.trades)["ms"].to_numpy()) / 1000.0
    return _beyond(waits / waits.mean())


def _sizes(tape: Tape) -> tuple[Floats, Floats]:
    sizes = likeness.taker_orders(tape.trades)["amount"].to_numpy(dtype=np.float64)
    return _beyond(sizes / np.median(sizes))


def _moves(tape: Tape) -> tuple[Floats, Floats]:
    returns = np.abs(likeness.returns(tape.trades, tape.quotes))
    return _beyond(returns / returns.std())


def _spreads(tape: Tape) -> tuple[Floats, Floats]:
    quotes = tape.quotes if tape.quotes is not None else pd.DataFrame({"bid": [], "ask": []})
    ask, bid = quotes["ask"].to_numpy(dtype=np.float64), quotes["bid"].to_numpy(dtype=np.float64)
    spread = (ask - bid) / bid
    return _beyond(spread / np.median(spread))


def _response(tape: Tape) -> tuple[Floats, Floats]:
    spread = tape.figures.spread_bps[1]
    return np.array(likeness.LATER_MS) / 1000.0, np.array(tape.figures.response_bps) / spread


def _draw(name: str, panels: list[Callable[[Axes], None]]) -> None:
    """Write one drawing of two panels, without a date or a random id in it."""
    mpl.rcParams.update({"svg.hashsalt": name, "svg.fonttype": "none", "font.size": 8.0})
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.3), layout="constrained")
    for panel, part in zip(panels, axes, strict=True):
        panel(part)
    PLOTS.mkdir(parents=True, exist_ok=True)
    figure.savefig(PLOTS / f"{name}.svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    path = PLOTS / f"{name}.svg"
    path.write_text(
        re.sub(r"[ \t]+$", "", path.read_text("utf-8"), flags=re.MULTILINE), "utf-8", newline="\n"
    )


def _panel(
    title: str, across: str, real: dict[str, Tape], lab: list[Tape],
    of: Callable[[Tape], tuple[Floats, Floats]], *, scale: str = "log",
) -> Callable[[Axes], None]:  # fmt: skip
    def draw(axes: Axes) -> None:
        _curves(axes, real, lab, of)
        axes.set_title(title, fontsize=9)
        axes.set_xlabel(across)
        axes.set_xscale("log")
        axes.set_yscale(scale)
        if scale == "linear":
            axes.axhline(0.0, color="black", linewidth=0.6)

    return draw


TEXT = """\
<!-- made by `python scripts/likeness.py FOLDER` from real tapes and the lab: edit there -->

# How much the lab's markets are like real ones

Everything that drainwatch learns it learns on simulated markets, so those have to behave as real ones do
where it looks: how spread, trades, sizes and returns vary, and what is usual. Here the same figures
(`drainwatch.lab.likeness`) are taken of real tapes and of simulated ones.

For each real tape, {seeds} are drawn that are as long and, on average over worlds, as busy
(`drainwatch.lab.counterparts`): half of liquid, half of half-liquid markets, from calm worlds. A cell of
the lab gives the median of these and, in brackets, the range that eight in ten of them are in.

## A pair of middling liquidity, 59 hours

XRP/ETH on Binance, October 2019, {xrp_trades} trades, no book. Returns are of last prints.

{xrp}

## A thin market with its book, 5 hours

BTC/USD on Bitstamp, 1 May 2015, {b2015_trades} trades, best quotes rebuilt from {events} of orders. Returns
are of mids.

{b2015}

![Waiting times and orders a minute](lab-likeness/bursts.svg)

![Absolute returns and how long they are remembered](lab-likeness/returns.svg)

![Takers' sides and sizes](lab-likeness/takers.svg)

![Spreads and what an order does to the mid](lab-likeness/book.svg)

## The most liquid markets, minutes

Frames of Binance, 8 August 2024, five to six minutes each, and half an hour of BTC/USD on Bitstamp, May
2026. The lab has no market like these: see below. Bins are of one second (Bitstamp: ten).

{liquid}

Hyperliquid, 27 October 2025: {hl_trades} trades of {hl_coins} coins in 81 seconds. Of the {hl_many} coins
with 30 trades and more, the 90 % quantile of a taker order over its coin's median is {hl_90}, the 99 %
quantile {hl_99}.

## What the lab has by itself

Ten days of six markets of each kind, at the rates that the lab gives them. Bins are of a minute.

{kinds}

## Where the lab differs

- **Thinned.** The busiest real markets have 5 to 60 trades a second and a spread of one tick, some
  hundredths of a basis point at most. The lab's liquid ones have a taker order each few minutes and 1 to 10
  bp: a month of a dozen markets has to fit into seconds of computing. What is judged in a liquid market is
  therefore judged against fewer witnesses and a wider spread than in truth.
- **At their own rates** most minutes of a lab market have no trade, so minute figures of returns there are
  mostly about when there was a quote; the tables above compare at the real rates for that reason.
- **Bounce.** Returns from print to print turn back more in XRP/ETH (autocorrelation {xrp_bounce} at a
  minute) than in most of the lab's tapes ({lab_bounce}), whose spread is small beside what a minute moves.
- **Spreads** of the 2015 tape range wider than the lab's: its narrowest tenth is at most {real_narrow} of
  the median and its widest tenth at least {real_wide} times the median; in the lab it is {lab_narrow} and
  {lab_wide}.
- **Answers.** The mid moves at once by {b2015_answer} bp after a real order and by {lab_answer} in the lab:
  here only a third of the smaller orders make makers step back, and quotes between events aren't drawn.
- **Volatility** is higher in the lab than in both real stretches ({lab_vol} and {lab_vol_2015} bp a minute
  at their medians against {xrp_vol} and {b2015_vol}): wild months are where false alarms come from.
- **Memory.** Over some minutes busy times and storms last longer in the lab than in the 59 hours of
  XRP/ETH; takers keep to a side longer than in the 2015 tape, and for less long than in XRP/ETH.

## What can't be calibrated

There is **no real tape of a thin alt, of a dead coin or of a twin pair** among the data: all that is said
of `thin` and `dead` markets (median spreads of 50 to 250 bp, an order each 7 to 70 minutes, basis between
twins) is reasoned, not measured. Nor is there one of a crash, a listing, a de-peg or an outage: how deep
and how long these are is drawn widely instead. Five hours, 59 hours and minutes say nothing about weeks:
the slow part of volatility is reasoned, too.
"""


def main(folder: Path) -> int:
    """Write page and plots; returns 0."""
    xrp = _tape("XRP/ETH 2019", realtape.xrp_eth(folder).trades)
    old = realtape.bitstamp_2015(folder)
    b2015 = _tape("BTC/USD 2015", old.trades, old.quotes)
    lab_xrp, lab_b2015 = _beside(xrp, quotes=False), _beside(b2015, quotes=True)
    frames = folder / "binance-raw-frames"
    liquid: dict[str, Tape | list[Tape]] = {
        name: _tape(name, *recordings.binance(frames / path), bin_s=1.0)
        for name, path in (
            ("BTC/USDT spot", "spot/btcusdt_20240808.gz"),
            ("BTC/USDT perpetual", "usdm/btcusdt_20240808.gz"),
            ("ETH/USD inverse", "cm/ethusd_perp_20240808.gz"),
        )
    }
    liquid["BTC/USD 2026"] = _tape("BTC/USD 2026", *recordings.bitstamp_2026(folder), bin_s=10.0)
    kinds: dict[str, Tape | list[Tape]] = {kind: _kind(kind) for kind in ("liquid", "half", "thin", "dead")}
    fills = recordings.hyperliquid(folder)
    coins = [likeness.measure(str(coin), rows) for coin, rows in fills.groupby("coin") if len(rows) >= 30]
    both = {"XRP/ETH 2019": xrp, "BTC/USD 2015": b2015}
    lab = lab_xrp
    _draw(
        "bursts",
        [
            _panel("time between taker orders", "over the mean", both, lab, _waits),
            _panel(
                "orders a minute, autocorrelation",
                "minutes",
                both,
                lab,
                _lags("count_memory"),
                scale="linear",
            ),
        ],
    )
    _draw(
        "returns",
        [
            _panel("absolute returns of a minute", "over their deviation", both, lab, _moves),
            _panel("… their autocorrelation", "minutes", both, lab, _lags("absolute_memory"), scale="linear"),
        ],
    )
    _draw(
        "takers",
        [
            _panel(
                "takers' sides, autocorrelation", "orders", both, lab, _lags("sign_memory"), scale="linear"
            ),
            _panel("taker orders", "size over the median", both, lab, _sizes),
        ],
    )
    book = {"BTC/USD 2015": b2015}
    _draw(
        "book",
        [
            _panel("spread", "over the median", book, lab_b2015, _spreads),
            _panel(
                "move of the mid after an order, in spreads",
                "seconds",
                book,
                lab_b2015,
                _response,
                scale="linear",
            ),
        ],
    )

    def over_coins(name: str, at: int) -> str:
        return _number(float(np.nanmedian([getattr(coin, name)[at] for coin in coins])))

    def middle(tapes: list[Tape], name: str, at: int = 0) -> str:
        return _number(float(np.nanmedian(_values(tapes, name)[:, at])))

    page = TEXT.format(
        seeds=SEEDS,
        xrp_trades=f"{len(xrp.trades):,}",
        xrp=_table({"XRP/ETH": xrp, "lab": lab_xrp}),
        b2015_trades=len(b2015.trades),
        events="50,414 events",
        b2015=_table({"BTC/USD 2015": b2015, "lab": lab_b2015}),
        liquid=_table(liquid, "bin"),
        hl_trades=f"{len(fills):,}",
        hl_coins=fills["coin"].nunique(),
        hl_many=len(coins),
        hl_90=over_coins("sizes", 2),
        hl_99=over_coins("sizes", 3),
        kinds=_table(kinds),
        xrp_bounce=_number(xrp.figures.return_memory[0]),
        lab_bounce=middle(lab_xrp, "return_memory"),
        real_narrow=_number(_over_median(b2015, 0)),
        real_wide=_number(_over_median(b2015, 2)),
        lab_narrow=_number(float(np.median([_over_median(tape, 0) for tape in lab_b2015]))),
        lab_wide=_number(float(np.median([_over_median(tape, 2) for tape in lab_b2015]))),
        lab_vol=middle(lab_xrp, "volatility_bps"),
        lab_vol_2015=middle(lab_b2015, "volatility_bps"),
        xrp_vol=_number(xrp.figures.volatility_bps),
        b2015_vol=_number(b2015.figures.volatility_bps),
        b2015_answer=_number(b2015.figures.response_bps[0]),
        lab_answer=middle(lab_b2015, "response_bps"),
    )
    PAGE.write_text(page, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
