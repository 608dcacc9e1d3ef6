"""Write `docs/lab-thieves.md`: the simulated thieves, their parameters, and what they come to.

    python scripts/thieves.py

Takes two or three minutes: every figure is measured on months simulated for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from drainwatch.lab.scenario import THIEVES, Scenario, make
from drainwatch.lab.theft import PATIENCE
from drainwatch.lab.thieves import KINDS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "lab-thieves.md"
SEEDS = range(40_000, 40_005)
DAYS = 12.0
EASY, HARD = 0.1, 0.9


class Told(NamedTuple):
    """What the code can't say of itself: its parameters in words, and the case it is modelled on."""

    parameters: str
    modelled_on: str


TOLD = {
    "planted_wall": Told(
        "asks 40 % to 1,000 % above fair -> 4 % to 15 %; 1 to 30 orders in 1 to 60 s -> 5 to 120 s; "
        "the hard one moves the price for up to 10 h first",
        "CyberNews 2021 (sell wall buyouts), new-coins bot 2021, QTUM/BTC 2024",
    ),
    "ping_pong": Told(
        "a round trip costs 2 % to 10 % -> 0.5 % to 2 %; 20 to 600 fills -> 40 to 2,000; "
        "until 30 % to 90 % of the equity is gone -> 4 % to 40 %",
        "FTX DMG 2022 (over 5,000 fills in an evening), money pass (CFTC)",
    ),
    "slow_bleed": Told(
        "at most 25 to 50 bp a fill -> 8 to 25 bp; over 2 to 12 h -> 6 to 96 h; 3 % to 20 % of the equity "
        "-> 0.6 % to 4 %; the harder, the likelier within the spread",
        "prearranged trades within a wide spread (CBOT); else feared, not seen",
    ),
    "liquidate_then_pump": Told(
        "the bought coin stands 30 % to 900 % above fair -> 6 % to 60 %; boosted 2 to 60 min before "
        "-> 0.5 to 12 h; bought within 5 to 120 s -> 30 s to 1 h",
        "VIA 2018, OKEx 2017, 3Commas keys 2022, Japan's brokers 2025",
    ),
    "dump_into_bids": Told(
        "bids 15 % to 95 % below fair -> 4 % to 12 %; 1 to 50 orders in 1 to 30 s -> 5 to 120 s",
        "Kraken BTC/CAD 2019 (suspected), Liquid 2018",
    ),
    "off_market_maker": Told(
        "limit orders 20 % to 300 % off -> 3 % to 12 %; 1 to 20 of them",
        "feared; EtherDelta's typo is the harmless twin",
    ),
    "boosted_coin": Told(
        "boosted 3 to 50 times -> 1.5 to 4 times, 5 min to 24 h before; bought in 30 s to 1 h "
        "-> 10 min to 6 h",
        "CyberNews 2021 (price boosting)",
    ),
    "leverage_max": Told(
        "a loan of 1 to 4 times the equity -> 0.5 to 1.5 times, or a position of 8 to 25 times -> 4 to 10; "
        "then a wall or round trips",
        "QTUM/BTC 2024 (with leverage), loans taken 2024",
    ),
    "mimicry": Told(
        "1.5 % to 8 % off fair -> 0.3 % to 1.5 %, or what the spread gives; the owner's sizes, pairs, hours, "
        "pace, ids; up to 700 fills",
        "feared",
    ),
    "stable_skim": Told("2 % to 30 % from one -> 0.4 % to 2 %; 1 to 50 fills", "feared"),
    "fee_churn": Told(
        "200 to 2,500 orders, 0.3 to 3 s apart -> 2 to 60 s; until 20 % to 80 % of the equity is paid "
        "-> 3 % to 20 %",
        "feared",
    ),
    "crumbs": Told(
        "a coin moved by 8 % to 80 % -> 1.2 % to 6 %; up to 1,500 orders of a few USDT or lots, 0.2 to 3 s "
        "apart -> 1 to 60 s",
        "feared: he who knows that large fills are looked at",
    ),
    "far_quote": Told(
        "1,000 to 2.4 million times fair -> 5 to 100 times; one order", "SYS 2018 (2.4 million times)"
    ),
    "coordinated_pump": Told(
        "risen by 50 % to 1,100 % in 1 to 5 min -> 20 % to 80 %; 1 to 8 orders near the peak",
        "VIA 2018, AXS 2022",
    ),
    "wall_suppression": Told(
        "pressed by 8 % to 30 % in 10 min to 2 h -> 3 % to 10 % in 1 to 12 h; 20 to 200 sales",
        "CyberNews 2021 (sell wall suppression)",
    ),
    "twin_skim": Told(
        "4 % to 15 % above the liquid pair -> 1 % to 4 %; 2 to 60 rounds",
        "QTUM/BTC, ENA/USDC 2024 (about +14 %)",
    ),
    "triangle": Told(
        "one leg of three costs 2 % to 8 % -> 0.6 % to 2 %; until 20 % to 80 % is gone -> 5 % to 30 %",
        "feared",
    ),
    "iceberg": Told(
        "asks 5 % to 60 % above fair -> 1 % to 5 %; 40 to 400 orders -> 100 to 1,200, "
        "against one that is refilled",
        "feared",
    ),
    "thin_perp": Told(
        "5 % to 30 % from the mark -> 1 % to 5 %; 1 to 20 round trips, up to 5 times the margin",
        "JELLY 2025 (alike)",
    ),
    "trainer": Told(
        "3 to 10 days of losses rising from 8 to 30 bp to 1 % to 3 % -> 10 to 21 days, 2 to 8 bp "
        "to 0.4 % to 1.2 %; "
        "then 10 % to 80 % above fair -> 3 % to 12 %",
        "feared: he who knows that detectors learn",
    ),
    "in_the_crash": Told(
        "8 % to 90 % beyond fair and market -> 2 % to 8 %; 2 to 60 orders within minutes of the fall",
        "feared: he who knows that crashes excuse everything",
    ),
}
"""For each kind of thief, easy -> hard."""

INTRODUCTION = f"""\
# The lab's thieves

<!-- made by `python scripts/thieves.py`: edit there -->

Simulated months are robbed by thieves of every known family. Each draws his parameters from bounds that
slide with `difficulty`, from 0 (blatant, in a hurry) to 1 (careful). Families F1 to F17 are known or feared;
A1 to A3 are those who adapt to being watched. Detectors are never trained or calibrated on those **held
out**, nor on their families.

What all share: the harder, the likelier they forge the owner's client ids, act through several accounts,
clear the book first and move the thin price for hours before. Any may do something beforehand (F0) that the
tables can show: cancel the orders of the owner's program, so that it falls silent for minutes or days (22 of
100); try the key with a trade of a few USDT (30); bring money over from another wallet, sell the smallest
holding, sell everything (up to 15, 15 and 10; fewer where difficult). `mimicry` and `trainer` neither silence
the program nor sell everything. New keys, mails and lifted restrictions are not in the tables; a fee coin
isn't either, as simulated venues take fees in what is traded.

A thief pays strangers at most {PATIENCE:g} times what one victim loses through a book that he clears: he robs
others through the same hole. Where that is not enough he moves the price with small trades, or asks for less.
`stable_skim` is the exception: the lab's pairs of stable coins are too deep to be cleared at any sane cost,
and he stands for thieves in thin ones. The quotes of strangers follow a price that is moved more willingly
than real ones might.
"""

MEASURED = """
## What they come to

Medians over {n} simulated accounts of {days:g} days, at difficulty {easy:g} and then at {hard:g}: all fills
that the thief ordered; the time from the first to the last in which he was the other side, and how far off
fair those were; the share of the equity lost beyond fair (with fees for `fee_churn`), and how much of that
went to him rather than to bystanders.
"""

CASES = """
## Beside published cases

| published case | what is known | in the lab |
|---|---|---|
| VIA 2018 | two minutes; +1,100 % or more; the whole balance | `liquidate_then_pump`, easy |
| SYS 2018 | one fill at 2.4 million times fair | `far_quote`, easy |
| DMG 2022 | over 5,000 fills in an evening; about 100 % | `ping_pong`, but at most 2,000 fills |
| AXS 2022 | +200 % in minutes, across many accounts | `coordinated_pump` |
| 3Commas 2022 | everything sold, dozens of trades in thin coins | `liquidate_then_pump` |
| QTUM/BTC 2024 | about an hour; example +14 %; nearly all, with leverage | `twin_skim`, `leverage_max` |
| Kraken BTC/CAD 2019 | seconds; -99 % | `dump_into_bids`, easy, where the book lets him |

No source publishes deviations fill by fill, so only these orders of magnitude can be compared. Published
thefts took nearly all; the lab's thieves take less on purpose, most of all hard ones: a watcher has to notice
before all is gone.
"""


def measured(name: str, difficulty: float) -> list[str]:
    """Return a kind's medians over the seeds: fills, duration, deviation, share of the equity, of it his."""
    rows = [figures(make(seed, days=DAYS, thief=name, difficulty=difficulty)) for seed in SEEDS]
    fills, seconds, bps, share, his = np.median(rows, axis=0).tolist()
    return [f"{fills:,.0f}", duration(seconds), deviation(bps), f"{share:.1%}", f"{his:.0%}"]


def figures(made: Scenario) -> tuple[float, float, float, float, float]:
    """Return fills, seconds from first to last, median bp off fair, share of the equity, share his."""
    drain = made.labels["is_drain"].to_numpy(dtype=bool)
    labels, fills = made.labels[drain], made.fills[drain]
    # Without the fills that only brought money into place; a churner has no others.
    main = labels["to_thief"].to_numpy(dtype=bool)
    main = main if main.any() else np.ones(len(labels), dtype=bool)
    side = np.where(fills["side"] == "buy", 1.0, -1.0)
    bps = side * (fills["price"].to_numpy() / labels["true_fair"].to_numpy() - 1.0) * 1e4
    times = fills["timestamp"].to_numpy()[main]
    his = float(labels["loss"].to_numpy()[main & labels["to_thief"].to_numpy(dtype=bool)].sum())
    return (
        float(drain.sum()),
        float(times.max() - times.min()) / 1000.0,
        float(np.median(bps[main])),
        made.stolen_quote / made.equity_before,
        his / made.stolen_quote,
    )


def duration(seconds: float) -> str:
    """Return seconds in a unit that suits them."""
    for limit, unit, name in ((120.0, 1.0, "s"), (7200.0, 60.0, "min"), (172_800.0, 3600.0, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86_400.0:.1f} d"


def deviation(bps: float) -> str:
    """Return basis points in a unit that suits them."""
    if bps >= 1e6:
        return f"{bps / 1e4 + 1.0:,.0f} x"
    return f"{bps / 100.0:,.0f} %" if bps >= 1000.0 else f"{bps:.0f} bp"


def page() -> str:
    """Return the page."""
    missing = set(KINDS) ^ set(TOLD)
    if missing:
        raise SystemExit(f"told and known kinds of thief must be the same, differ in {sorted(missing)}")
    out = [
        INTRODUCTION,
        "| family | thief | what he does | easy -> hard | modelled on |",
        "|---|---|---|---|---|",
    ]
    for name in sorted(KINDS, key=lambda name: (KINDS[name].family[0] == "A", int(KINDS[name].family[1:]))):
        kind = KINDS[name]
        mark = " (held out)" if kind.held_out else ""
        told = TOLD[name]
        out.append(
            f"| {kind.family} | `{name}`{mark} | {THIEVES[name]} | {told.parameters} | {told.modelled_on} |"
        )
    out.append(MEASURED.format(n=len(SEEDS), days=DAYS, easy=EASY, hard=HARD))
    heads = ["fills", "duration", "off fair", "of equity", "his"]
    out.append(f"| thief | {' | '.join([*heads, *(f'{head}, hard' for head in heads)])} |")
    out.append("|---" * 11 + "|")
    out += [f"| `{name}` | {' | '.join([*measured(name, EASY), *measured(name, HARD)])} |" for name in KINDS]
    return "\n".join([*out, CASES])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} written")
