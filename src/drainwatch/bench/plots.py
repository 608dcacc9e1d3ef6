"""The benchmark's figures as SVG: text stays text, nothing is loaded, the same result, the same bytes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from drainwatch.bench.outcome import US
from drainwatch.bench.text import best_of, by_worst, is_known, is_oracle
from drainwatch.lab import scenario
from drainwatch.plots import pictures, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK: Final = style.PALETTES["light"].ink
SOFT: Final = style.PALETTES["light"].soft
OURS: Final = "#a8201a"
ORACLES: Final = ("#8b9099", "#4d535b")
OTHERS: Final = ("#0067a8", "#c44e00", "#1d6b4f", "#7b2a8b", "#8a5300", "#3f7f93", "#5a6b1f")
BEST_OTHER: Final = "#0067a8"
WIDTH: Final = 4.2
"""Inches of a drawing that a phone shows at its own size."""
_REFERRED: Final = re.compile(r"(?:#|url\(#)([A-Za-z0-9_-]+)")
_ID: Final = re.compile(r' id="([^"]*)"')
_HEAD: Final = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_SIZE: Final = re.compile(r'<svg [^>]*viewBox="([^"]*)"[^>]*>')


def losses(result: Mapping[str, Any]) -> str:
    """Money lost against false incidents an account-month, one line a detector, ours marked."""
    level = result["levels"][result["figure_level"]]
    colours = iter(OTHERS * 3)
    greys = iter(ORACLES * 3)
    with _drawing(WIDTH, 4.1) as (figure, axes):
        ends = []
        for name, of in level["detectors"].items():
            if not of.get("curve"):
                continue
            rates, lost = np.array(of["curve"], dtype=np.float64).T
            ours = name == US
            colour = OURS if ours else next(greys) if is_oracle(result, name) else next(colours)
            axes.plot(
                rates, 100.0 * lost, color=colour, lw=2.6 if ours else 1.3, zorder=4 if ours else 3,
                ls="--" if is_oracle(result, name) else "-", label=name,
            )  # fmt: skip
            ends.append(lost)
        ours_now = level["detectors"][US]
        if ends and ours_now["false_a_month"] > 0.0:
            axes.plot(
                [ours_now["false_a_month"]], [100.0 * ours_now["equity_lost"]["mean"]], "o", color=OURS, ms=8,
                mec="white", zorder=5, label=f"{US}, as it comes",
            )  # fmt: skip
        axes.axvline(result["budget"], color=SOFT, lw=0.8, ls=":", zorder=2)
        axes.set_xscale("log")
        ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.set_ylim(bottom=0.0)
        axes.set_xlabel("false incidents an account-month (dotted: the budget)")
        axes.set_ylabel("equity lost, mean, %")
        if ends:
            figure.legend(loc="outside lower center", ncols=2, fontsize=7.5)
        return _svg(figure)


def recall_by_family(result: Mapping[str, Any]) -> str:
    """Share found of each family of attacks at each level of information, ours."""
    levels = result["levels"]
    groups = {name: level["detectors"][US].get("by_family", {}) for name, level in levels.items()}
    families = sorted({family for group in groups.values() for family in group}, key=family_order)
    values = np.array(
        [[100.0 * _of(groups[level].get(family), "recall") for level in levels] for family in families]
    ).reshape(len(families), len(levels))
    with _drawing(WIDTH, 1.1 + 0.2 * len(families)) as (figure, axes):
        _heat(axes, values, families, list(levels), colours="RdYlGn", most=100.0)
        axes.set_xlabel("found, %")
        return _svg(figure)


def gone_by_thief(result: Mapping[str, Any]) -> str:
    """Mean share of the theft gone at the alert, by thief: ours beside the best other and the oracles."""
    detectors = result["levels"][result["figure_level"]]["detectors"]
    ours = detectors[US].get("by_thief", {})
    thieves = by_worst(ours)[::-1]
    best = best_of(result, oracles=False)
    oracles = [name for name in detectors if is_oracle(result, name) and "by_thief" in detectors[name]]
    shown = [(US, OURS, "o")] + ([(best[0], BEST_OTHER, "s")] if best else [])
    shown += [(name, ORACLES[i % 2], "D^"[i % 2]) for i, name in enumerate(oracles)]
    at = np.arange(len(thieves))
    with _drawing(WIDTH, 1.3 + 0.2 * len(thieves)) as (figure, axes):
        gone = np.array([100.0 * ours[thief]["gone"]["mean"] for thief in thieves])
        axes.barh(at, gone, height=0.55, color=OURS, alpha=0.25, zorder=2)
        for name, colour, marker in shown:
            by_thief = detectors[name].get("by_thief", {})
            gone = np.array([100.0 * _of(by_thief.get(thief, {}).get("gone"), "mean") for thief in thieves])
            axes.plot(
                gone, at, marker, color=colour, ms=6.5 if name == US else 4.5, mec="white", mew=0.5,
                label=name, zorder=5 if name == US else 4, ls="none", clip_on=False,
            )  # fmt: skip
        axes.set_yticks(at, thieves)
        axes.set_xlim(0.0, 100.0)
        axes.set_xlabel("gone at the alert, mean, % of the theft (missed: 100)")
        axes.grid(visible=False, axis="y")
        axes.set_ylim(-0.6, len(thieves) - 0.4)
        figure.legend(loc="outside lower center", ncols=2, fontsize=7.5)
        return _svg(figure)


def false_by_owner(result: Mapping[str, Any]) -> str:
    """False incidents an account-month by kind of owner and in months of stress, with the budget."""
    ours = result["levels"][result["figure_level"]]["detectors"][US]
    owners = {name: value for name, value in ours["false_by_owner"].items() if is_known(value)}
    stress = {f"{name} (stress)": value for name, value in ours["by_regime"].items() if is_known(value)}
    rows = sorted(stress.items(), key=lambda row: row[1]) + sorted(owners.items(), key=lambda row: row[1])
    at, values = np.arange(len(rows)), [value for _, value in rows]
    with _drawing(WIDTH, 0.9 + 0.2 * len(rows)) as (figure, axes):
        high = [OURS if value > result["budget"] else "#1d6b4f" for value in values]
        axes.barh(at, values, height=0.6, color=high, zorder=3)
        most = max([*values, 2.0 * result["budget"]])
        for y, value in zip(at.tolist(), values, strict=True):
            axes.text(value + 0.01 * most, y, f"{value:.2f}", va="center", fontsize=7.5)
        axes.axvline(result["budget"], color=INK, lw=1.0, ls="--", zorder=4)
        axes.set_xlim(0.0, 1.1 * most)
        axes.set_yticks(at, [name for name, _ in rows])
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("false incidents a month (dashed: the budget)")
        return _svg(figure)


def calibration(result: Mapping[str, Any]) -> str:
    """Measured rates of false incidents against stated budgets, with 90 % intervals, within a factor of 2."""
    rows = result["levels"][result["figure_level"]]["detectors"][US]["calibration"]
    with _drawing(WIDTH, 3.9) as (figure, axes):
        pictures.reliability(rows, ax=axes)
        return _svg(figure)


def confusion(result: Mapping[str, Any]) -> str:
    """Which kind each thief's incidents were said to be in the end, % of his thefts; the right one framed."""
    kinds = result["levels"][result["figure_level"]]["detectors"][US].get("kinds", {})
    thieves = sorted(kinds, key=lambda name: (family_order(scenario.FAMILY_OF.get(name, "")), name))
    right = [scenario.KIND_OF.get(thief, "") for thief in thieves]
    said = {kind for by_kind in kinds.values() for kind in by_kind} | set(right)
    order = {kind: i for i, kind in enumerate(dict.fromkeys(right))}
    columns = sorted(said - {""}, key=lambda kind: (kind == "None", order.get(kind, len(order)), kind))
    values = np.array(
        [
            [100.0 * kinds[thief].get(kind, 0) / sum(kinds[thief].values()) for kind in columns]
            for thief in thieves
        ]
    ).reshape(len(thieves), len(columns))
    labels = ["missed" if kind == "None" else kind for kind in columns]
    with _drawing(2.0 * WIDTH, 1.9 + 0.22 * len(thieves)) as (figure, axes):
        _heat(axes, values, thieves, labels, colours="Blues", most=100.0, blank=0.0, slant=True)
        for y, kind in enumerate(right):
            if kind in columns:
                x = columns.index(kind)
                axes.plot([x, x + 1, x + 1, x, x], [y, y, y + 1, y + 1, y], color=OURS, lw=1.4, zorder=4)
        return _svg(figure)


def family_order(family: str) -> tuple[int, int, str]:
    """Sort key of families: F1 to F17, then others."""
    number = family[1:]
    return (0 if family.startswith("F") else 1, int(number) if number.isdigit() else 0, family)


def _of(group: Mapping[str, Any] | None, name: str) -> float:
    """Value of a group's figure, NaN without one."""
    value = None if group is None else group.get(name)
    return float(value) if is_known(value) else float("nan")


def _heat(
    axes: Axes,
    values: NDArray[np.float64],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    colours: str,
    most: float,
    blank: float | None = None,
    slant: bool = False,
) -> None:
    """Draw cells with their values in them, the first row on top; no number where a value is `blank`."""
    if values.size:
        axes.pcolormesh(values, cmap=colours, vmin=0.0, vmax=most, edgecolors="white", lw=0.8, alpha=0.6)
    for y, row in enumerate(values):
        for x, value in enumerate(row):
            if not np.isnan(value) and value != blank:
                axes.text(x + 0.5, y + 0.5, f"{value:.0f}", ha="center", va="center", fontsize=7.5, zorder=5)
    at = np.arange(len(columns)) + 0.5
    axes.set_xticks(at, columns, rotation=40.0 if slant else 30.0, ha="left", rotation_mode="anchor")
    axes.xaxis.tick_top()
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows)
    axes.set_xlim(0.0, max(len(columns), 1))
    axes.set_ylim(max(len(rows), 1), 0.0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


@contextmanager
def _drawing(width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    """Set up a drawing, in inches, with this module's style while it lasts."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(style.rc()):
        figure = Figure(figsize=(width, height))
        yield figure, figure.add_subplot()


def _svg(figure: Figure) -> str:
    """Write a drawing as an element of a page: as wide as there is room for, without a word on its maker."""
    out = io.StringIO()
    none = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(out, format="svg", metadata=none, transparent=True)
    text = _HEAD.sub("", out.getvalue())
    text = _SIZE.sub(r'<svg viewBox="\1" role="img">', text, count=1).replace("xlink:href", "href")
    referred = set(
        _REFERRED.findall(text)
    )  # several drawings share a page: ids that nothing needs are dropped
    return _ID.sub(lambda found: found[0] if found[1] in referred else "", text)
