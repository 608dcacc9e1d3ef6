"""The benchmark's result in a terminal: the one figure first, then where it comes from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any, Final, TypeGuard

from drainwatch.bench.outcome import US
from drainwatch.lab import scenario

WIDTH: Final = 100
"""Columns at most."""
WORST: Final = 6
"""Families that are listed, worst first."""
UNKNOWN: Final = "-"

_Row = Sequence[str]


def to_text(result: Mapping[str, Any]) -> str:
    """Write a result of `run_benchmark` as plain ASCII, at most `WIDTH` columns wide.

    Returns
    -------
    str
        Ends with a line break.
    """
    top = result["figure_level"]
    if top is None:
        return "drainwatch: nothing was judged\n"
    level = result["levels"][top]
    blocks = [
        *_wrapped(headline(result)),
        *_wrapped(meaning(result)),
        "",
        *_wrapped(
            f"{top} ({level['about']}): {count(level['honest_months'])} honest account-months, "
            f"{level['drains']} thefts of {percent(level['stolen_share_of_equity'])} of equity on average."
        ),
        *_detectors(level["detectors"]),
        *(["", "drainwatch with parts left out", *_detectors(level["parts"])] if level["parts"] else []),
        "",
        "drainwatch by what it is given",
        *_levels(result),
        "",
        f"families that fare worst, {top}",
        *_worst(level["detectors"][US].get("by_family", {})),
        "",
        *_wrapped(held_out(level["detectors"][US].get("by_training", {}))),
        *_wrapped(_above_budget(result, level["detectors"][US])),
    ]
    return "\n".join(line.rstrip() for line in blocks) + "\n"


def headline(result: Mapping[str, Any]) -> str:
    """Say the one figure, beside the best of the other detectors and of the oracles."""
    others, oracles = best_of(result, oracles=False), best_of(result, oracles=True)
    said = f"{US}: {figure(result['figure'])} of 100"
    if others is not None:
        said += f", best other: {figure(others[1])} ({others[0]})"
    if oracles is not None:
        said += f", best that price and log allow: {figure(oracles[1])}"
    return said


def meaning(result: Mapping[str, Any]) -> str:
    """Say what the one figure means, with the costs that it is made with."""
    costs = result["costs"]
    return (
        "100 is an alert at each thief's first losing fill and never a false alarm, 0 is no detector at all, "
        "and below 0 it costs more than it saves, where one account-month in "
        f"{costs['months_a_drain']} is robbed and a false alarm costs "
        f"{percent(costs['false_alarm_share_of_equity'])} of equity."
    )


def best_of(result: Mapping[str, Any], *, oracles: bool) -> tuple[str, float] | None:
    """Name and figure of the best other detector, or oracle, where all is known; None without one."""
    detectors = result["levels"][result["figure_level"]]["detectors"]
    known = {
        name: float(figures["figure"])
        for name, figures in detectors.items()
        if name != US and is_oracle(result, name) == oracles and is_known(figures.get("figure"))
    }
    return max(known.items(), key=lambda pair: pair[1]) if known else None


def is_oracle(result: Mapping[str, Any], name: str) -> bool:
    """Whether a detector is told the truth."""
    return name.removesuffix(" as used") in result["oracles"]


def is_known(value: float | None) -> TypeGuard[float]:
    """Whether there is a number: neither None nor NaN."""
    return value is not None and not math.isnan(value)


def figure(value: float | None) -> str:
    """Write a figure of 100: whole, `-` where unknown."""
    return f"{round(value)}" if is_known(value) else UNKNOWN


def percent(share: float | None) -> str:
    """Write a share as per cent, finer where it is small."""
    if not is_known(share):
        return UNKNOWN
    value = 100.0 * share
    digits = 0 if abs(value) >= 10.0 or value == 0.0 else 1 if abs(value) >= 0.1 else 2
    return f"{value:.{digits}f} %"


def rate(value: float | None) -> str:
    """Write false incidents an account-month."""
    return f"{value:.2f}" if is_known(value) else UNKNOWN


def count(value: float | None) -> str:
    """Write how many there are, of what may be counted in halves."""
    return f"{value:,.0f}" if is_known(value) else UNKNOWN


def duration(seconds: float | None) -> str:
    """Write a time in the largest unit that it fills."""
    if not is_known(seconds):
        return UNKNOWN
    for unit, size in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def by_figure(detectors: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names of detectors, the best figure first, those without one last."""

    def rank(name: str) -> tuple[float, str]:
        value = detectors[name].get("figure")
        return (-value if is_known(value) else math.inf), name

    return sorted(detectors, key=rank)


def by_worst(groups: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names of groups of thefts, the one with most gone at the alert first."""
    return sorted(groups, key=lambda name: (-groups[name]["gone"]["mean"], name))


def thieves_of(family: str) -> list[str]:
    """Names of the thieves of a family of attacks."""
    return [name for name, its in scenario.FAMILY_OF.items() if its == family]


def above(budget: float, rates: Mapping[str, float | None]) -> list[str]:
    """Say which rates of false incidents are above a budget, the highest first."""
    high = [(value, name) for name, value in rates.items() if is_known(value) and value > budget]
    return [f"{name} {rate(value)}" for value, name in sorted(high, key=lambda pair: (-pair[0], pair[1]))]


def _detectors(detectors: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lay out detectors at one level."""
    head = [
        ("detector", "figure", "false", "found", "gone at alert", "", "equity lost", "", "at our rate"),
        ("", "", "a month", "", "mean", "median", "median", "p95", "equity lost"),
    ]
    rows = []
    for name in by_figure(detectors):
        of = detectors[name]
        gone, lost = of.get("gone", {}), of.get("equity_lost", {})
        rows.append(
            (
                name, figure(of.get("figure")), rate(of["false_a_month"]), percent(of.get("recall")),
                percent(gone.get("mean")), percent(gone.get("median")), percent(lost.get("median")),
                percent(lost.get("p95")), percent(of.get("at_our_rate", {}).get("equity_lost")),
            )
        )  # fmt: skip
    return _aligned(head, rows)


def _levels(result: Mapping[str, Any]) -> list[str]:
    """Lay out what drainwatch finds at each level of information."""
    head = [
        ("given", "months", "thefts", "figure", "false", "found", "gone at alert", "", "equity lost"),
        ("", "", "", "", "a month", "", "mean", "median", "p95"),
    ]
    rows = []
    for level in result["levels"].values():
        of = level["detectors"][US]
        gone, lost = of.get("gone", {}), of.get("equity_lost", {})
        rows.append(
            (
                level["about"], count(level["honest_months"]), str(level["drains"]),
                figure(of.get("figure")), rate(of["false_a_month"]), percent(of.get("recall")),
                percent(gone.get("mean")), percent(gone.get("median")), percent(lost.get("p95")),
            )
        )  # fmt: skip
    return _aligned(head, rows)


def _worst(families: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lay out the families of attacks of which most is gone at the alert."""
    head = [("family", "thieves", "thefts", "found", "gone at alert", "equity lost p95")]
    rows = [
        (
            name, ", ".join(thieves_of(name)), str(of["drains"]), percent(of["recall"]),
            percent(of["gone"]["mean"]), percent(of["equity_lost"]["p95"]),
        )
        for name in by_worst(families)[:WORST]
        for of in [families[name]]
    ]  # fmt: skip
    return _aligned(head, rows, texts=2)


def held_out(by_training: Mapping[str, Mapping[str, Any]]) -> str:
    """Say how thieves fare of whose kind training was shown none, beside the others; empty without any."""
    said = []
    for name, whose in (("held out", "of kinds held out of training"), ("shown", "of kinds shown to it")):
        if name in by_training:
            of = by_training[name]
            said.append(
                f"{of['drains']} thefts {whose}: {percent(of['recall'])} found, "
                f"{percent(of['gone']['mean'])} gone at alert (mean)"
            )
    return "; ".join(said) + "." if said else ""


def _above_budget(result: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Say which owners, and which months of stress, have more false incidents than they should."""
    budget = result["budget"]
    owners, regimes = above(budget, ours["false_by_owner"]), above(budget, ours["by_regime"])
    said = f"owners above the budget of {budget:g} false incidents an account-month: "
    said += ", ".join(owners) or "none"
    if ours["by_regime"]:
        said += ". Months of stress above it: " + (", ".join(regimes) or "none")
    return said + "."


def _aligned(head: Sequence[_Row], rows: Sequence[_Row], texts: int = 1) -> list[str]:
    """Lay out a table: the first `texts` columns to the left, numbers to the right."""
    table = [*head, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(head[0]))]
    for i, name in enumerate(head[0]):  # a heading without one to its right may stand over both
        if not name and i >= texts:
            widths[i - 1] = max(len(row[i - 1]) for row in table[1:])
    return [_line(row, widths, texts) for row in table]


def _line(row: _Row, widths: Sequence[int], texts: int) -> str:
    said, end = "", 0
    for i, (cell, width) in enumerate(zip(row, widths, strict=True)):
        end += width + (2 if i else 0)
        if i < texts or len(cell) > width:  # a wide heading stands over the next column, too
            said = said.ljust(end - width) + cell
        elif cell:
            said = said.ljust(end - len(cell)) + cell
    return said


def _wrapped(said: str) -> list[str]:
    return wrap(said, WIDTH, break_long_words=False, break_on_hyphens=False)
