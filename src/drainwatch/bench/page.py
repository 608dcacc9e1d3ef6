"""The benchmark's result as one HTML page: no network, no script; every word from outside is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from drainwatch.bench import plots, text
from drainwatch.bench.outcome import US
from drainwatch.bench.text import count, duration, figure, percent, rate


class Table(NamedTuple):
    """A table as it is shown, folded."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


class Plot(NamedTuple):
    """A drawing as it is shown."""

    name: str
    title: str
    svg: Markup


_DRAWN: Final = (
    ("losses", plots.losses, "What a detector's false alarms buy"),
    ("calibration", plots.calibration, "False incidents as promised?"),
    ("false_by_owner", plots.false_by_owner, "Who is alarmed for nothing"),
    ("gone", plots.gone_by_thief, "Gone before the alert"),
    ("found", plots.recall_by_family, "What is found, by what is given"),
    ("kinds", plots.confusion, "What it said it was"),
)
"""What is drawn: its name in the template, which has its caption, how, and its title."""


def to_html(result: Mapping[str, Any]) -> str:
    """Write a result of `run_benchmark` as a page that needs nothing else; the same result, the same page."""
    if result["figure_level"] is None:
        tiles, drawn, tables, basis = [], [], [], ""
        headline, meaning = "drainwatch: nothing was judged", text.meaning(result)
    else:
        tiles, basis = _tiles(result), _basis(result)
        drawn = [Plot(name, title, _trusted(draw(result))) for name, draw, title in _DRAWN]
        tables = _tables(result)
        headline, meaning = text.headline(result), text.meaning(result)
    return _template().render(
        title=headline,
        headline=headline,
        meaning=meaning,
        tiles=tiles,
        basis=basis,
        plots=drawn,
        tables=tables,
        detectors=list(result["about"].items()),
        footer=_footer(result),
        style=_trusted(files("drainwatch.bench").joinpath("page.css").read_text("utf-8")),
        us=US,
    )


@cache
def _template() -> Template:
    """Read the template that lies beside this file."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(files("drainwatch.bench").joinpath("page.html.j2").read_text("utf-8"))


def _trusted(made: str) -> Markup:
    """Mark what was made here, or escaped by who drew it, as not to be escaped."""
    return Markup(made)  # noqa: S704 - our own style sheet, or Matplotlib's drawing


def _tiles(result: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the figures at the head of the page."""
    ours = result["levels"][result["figure_level"]]["detectors"][US]
    tiles = [_tile("drainwatch, of 100", figure(ours.get("figure")), "at its default budget")]
    for name, oracles in (("best other", False), ("best that price and log allow", True)):
        best = text.best_of(result, oracles=oracles)
        if best:
            tiles.append(_tile(name, figure(best[1]), best[0]))
    gone = ours.get("gone", {})
    return [
        *tiles,
        _tile("found", percent(ours.get("recall")), "of all thefts"),
        _tile("gone at the alert", percent(gone.get("median")), f"median; mean {percent(gone.get('mean'))}"),
        _tile(
            "false incidents an account-month", rate(ours["false_a_month"]), f"budget {result['budget']:g}"
        ),
    ]


def _tile(name: str, value: str, note: str) -> dict[str, str]:
    return {"name": name, "value": value, "note": note}


def _basis(result: Mapping[str, Any]) -> str:
    """Say what the figures rest on."""
    level = result["levels"][result["figure_level"]]
    apart = (
        "apart from all that was trained, tuned or chosen on"
        if result["seeds"]["apart"]
        else "for trying out"
    )
    return (
        f"Level of information: {level['about']}. {count(level['honest_months'])} honest account-months, "
        f"{count(level['stress_months'])} of stress, {level['drains']} thefts of "
        f"{percent(level['stolen_share_of_equity'])} of equity on average; seeds from "
        f"{result['seeds']['first']:,} on, {apart}. All accounts are simulated."
    )


def _footer(result: Mapping[str, Any]) -> list[str]:
    """Say what was judged by what."""
    model = result["model"]
    return [
        f"drainwatch {result['version']}",
        f"model {model['name'] or 'without a name'}, arrays {str(model['arrays_sha256'])[:16]}",
        f"{result['months']} honest months",
        f"{result['drains_of_each_thief']} thefts by each thief",
        f"{result['stress_months_of_each_regime']} months of each stress",
    ]


def _tables(result: Mapping[str, Any]) -> list[Table]:
    """All figures: at the top level first, then by level."""
    top = result["figure_level"]
    levels = result["levels"]
    ours = {name: level["detectors"][US] for name, level in levels.items()}
    best = text.best_of(result, oracles=False)
    detectors = levels[top]["detectors"]
    shown = [US] + ([best[0]] if best else [])
    shown += [name for name in detectors if text.is_oracle(result, name)]
    return [
        _detectors(top, levels[top]),
        *(_detectors(name, level) for name, level in levels.items() if name != top),
        *(_detectors(name, level, "parts") for name, level in levels.items() if level["parts"]),
        _levels(levels),
        _curves(top, detectors),
        *(
            _groups(f"{name} by {what}, {top}", detectors[name].get(f"by_{what}", {}))
            for what in ("thief", "family", "difficulty")
            for name in shown
        ),
        _across("drainwatch: found, by family and level", "family", ours, "by_family"),
        _across("drainwatch: false incidents an account-month, by owner", "owner", ours, "false_by_owner"),
        _across("drainwatch: false incidents an account-month of stress", "regime", ours, "by_regime"),
        _calibration(ours),
        _own_bad(ours),
        _kinds(top, ours[top].get("kinds", {})),
    ]  # fmt: skip


def _detectors(name: str, level: Mapping[str, Any], which: str = "detectors") -> Table:
    """All detectors at one level, or drainwatch with `parts` left out."""
    rows = []
    for detector in text.by_figure(level[which]):
        of = level[which][detector]
        gone, lost, same = of.get("gone", {}), of.get("equity_lost", {}), of.get("at_our_rate", {})
        threshold = of.get("threshold")
        rows.append(
            (
                detector, figure(of.get("figure")), rate(of["false_a_month"]), percent(of.get("recall")),
                percent(gone.get("mean")), percent(gone.get("median")), percent(lost.get("mean")),
                percent(lost.get("median")), percent(lost.get("p95")), percent(same.get("equity_lost")),
                percent(same.get("recall")), rate(of.get("average_precision")),
                f"{threshold:.4g}" if text.is_known(threshold) else "its own",
            )
        )  # fmt: skip
    return Table(
        f"{'All detectors' if which == 'detectors' else 'Parts left out'}: {name} ({level['about']})",
        (
            "detector", "figure", "false a month", "found", "gone, mean", "gone, median",
            "equity lost, mean", "equity lost, median", "equity lost, p95", "at our rate: equity lost",
            "at our rate: found", "average precision", "threshold",
        ),
        rows,
    )  # fmt: skip


def _levels(levels: Mapping[str, Any]) -> Table:
    """What drainwatch makes of each level of information."""
    rows = []
    for name, level in levels.items():
        of = level["detectors"][US]
        rows.append(
            (
                f"{name} ({level['about']})", count(level["honest_months"]), count(level["stress_months"]),
                str(level["drains"]), percent(level["stolen_share_of_equity"]), figure(of.get("figure")),
                rate(of["false_a_month"]), *_of_thefts(of),
            )
        )  # fmt: skip
    head = ("level", "honest months", "stress months", "thefts", "stolen", "figure", "false a month")
    return Table("drainwatch by level of information", (*head, *_THEFTS), rows)


_THEFTS: Final = (
    "found", "gone, mean", "gone, median", "gone, p95", "equity lost, mean", "equity lost, median",
    "equity lost, p95", "bad fills, median", "bad fills, p95", "time to alert, median", "time to alert, p95",
)  # fmt: skip


def _of_thefts(of: Mapping[str, Any]) -> list[str]:
    """Cells for `_THEFTS`."""
    cells = [percent(of.get("recall"))]
    for what in ("gone", "equity_lost"):
        cells += [percent(of.get(what, {}).get(q)) for q in ("mean", "median", "p95")]
    cells += [count(of.get("bad_fills", {}).get(q)) for q in ("median", "p95")]
    return cells + [duration(of.get("seconds", {}).get(q)) for q in ("median", "p95")]


def _groups(title: str, groups: Mapping[str, Mapping[str, Any]]) -> Table:
    """Thefts by what they have in common, worst first."""
    rows = [(name, str(groups[name]["drains"]), *_of_thefts(groups[name])) for name in text.by_worst(groups)]
    return Table(title, ("", "thefts", *_THEFTS), rows)


def _curves(top: str, detectors: Mapping[str, Mapping[str, Any]]) -> Table:
    """Money lost at rates of false incidents."""
    known = {name: dict(of["curve"]) for name, of in detectors.items() if of.get("curve")}
    rates = sorted({at for curve in known.values() for at in curve})
    return Table(
        f"Equity lost, mean, by false incidents an account-month, {top}",
        ("detector", *(f"{at:g}" for at in rates)),
        [(name, *(percent(curve.get(at)) for at in rates)) for name, curve in known.items()],
    )


def _across(title: str, what: str, ours: Mapping[str, Mapping[str, Any]], key: str) -> Table:
    """One figure of each group at each level: recall of groups of thefts, else rates."""
    names = list(dict.fromkeys(name for of in ours.values() for name in of.get(key, {})))
    if key == "by_family":
        names.sort(key=plots.family_order)

    def cell(value: Any) -> str:
        return percent(value["recall"]) if isinstance(value, Mapping) else rate(value)

    rows = [(name, *(cell(of.get(key, {}).get(name)) for of in ours.values())) for name in names]
    return Table(title, (what, *ours), rows)


def _calibration(ours: Mapping[str, Mapping[str, Any]]) -> Table:
    """Stated and measured rates at all levels."""
    rows = [
        (level, f"{row['budget']:g}", *(rate(row[name]) for name in ("measured", "low", "high")))
        for level, of in ours.items()
        for row in of["calibration"]
    ]
    return Table(
        "drainwatch: measured against stated budgets",
        ("level", "budget", "measured", "90 % from", "to"),
        rows,
    )


def _own_bad(ours: Mapping[str, Mapping[str, Any]]) -> Table:
    """Owners' own bad fills that were told, and told as such."""
    rows = [
        (level, str(of["own_bad_fills"]["told"]), str(of["own_bad_fills"]["told_as_such"]))
        for level, of in ours.items()
    ]
    return Table("drainwatch: incidents at owners' own bad fills", ("level", "told", "told as such"), rows)


def _kinds(top: str, kinds: Mapping[str, Mapping[str, int]]) -> Table:
    """Count what each thief's incidents were said to be."""
    said = sorted(
        {kind for by_kind in kinds.values() for kind in by_kind}, key=lambda kind: (kind == "None", kind)
    )
    return Table(
        f"drainwatch: kinds told in the end, thefts, {top}",
        ("thief", *("missed" if kind == "None" else kind for kind in said)),
        [(thief, *(str(by_kind.get(kind, 0)) for kind in said)) for thief, by_kind in kinds.items()],
    )  # fmt: skip
