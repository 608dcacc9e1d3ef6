"""Charts as inline SVG, built by hand: no script, no font, no network.

Across, places are percentages, so a chart fills whatever width there is while its words keep
their size; down, they are pixels. Lines lie in an inner drawing that is stretched without
thickening its strokes. Fills and lines are thinned out, so a page stays small whatever the incident.
Everything from outside is escaped by markupsafe.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from drainwatch.report import words

MAX_MARKS = 240
DENSE_FROM = 70
"""Fills from which on they are drawn small."""
MAX_POINTS = 400
TOP = 18
"""Pixels above the plot, for the word at the alert's line."""
BOTTOM = 24
"""Pixels below the plot, for the times."""
LOG_FROM = 6.0
"""Highest over lowest price from which on the scale is logarithmic."""
MAX_LABEL = 10
"""Characters that fit beside the plot, on a phone as well."""
NARROWEST = 250
"""Pixels across that a plot has on a phone."""
LETTER = 6.5
"""Pixels across that a letter of a label takes, at most."""
LARGEST = 1e300
"""Prices and amounts from which on nothing is drawn: no market has them, and sums would overflow."""
TIME_STEPS_S = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200),
    *(86_400, 172_800, 345_600, 604_800, 1_209_600, 2_592_000, 7_776_000, 15_552_000, 31_536_000),
)
"""Each at most three times the one before: else a span could lie between two round times."""
DEFINITIONS = Markup(
    '<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>'
    '<path id="dw-buy" d="M0-6.5 6 4.5H-6Z"/><path id="dw-sell" d="M0 6.5 6-4.5H-6Z"/>'
    '<path id="dw-fair" d="M-6 0H6"/>'
    '<path id="dw-buy-small" d="M0-4 3.7 2.8H-3.7Z"/><path id="dw-sell-small" d="M0 4 3.7-2.8H-3.7Z"/>'
    '<path id="dw-fair-small" d="M-2.5 0H2.5"/></defs></svg>'
)
"""Shapes that the charts use by name: once a page."""

Points = Sequence[tuple[float, float]]
"""Times in ms and values."""


class Mark(NamedTuple):
    """A fill on a chart."""

    at_ms: float
    price: float
    fair: float  # NaN where unknown
    side: str  # "buy" or "sell"
    mine: bool  # belongs to the incident that the chart is of
    tip: str


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to pixels down: `high` is at the top, logarithmic where told."""

    low: float
    high: float
    log: bool
    height: int

    @classmethod
    def around(cls, values: Iterable[float], height: int, *, from_zero: bool = False) -> Scale:
        """Make a scale on which all finite values fit with some air.

        Logarithmic where all are positive and the highest is `LOG_FROM` times the lowest.
        """
        array = np.asarray([v for v in values if math.isfinite(v)] or [0.0])
        low, high = float(array.min()), float(array.max())
        if from_zero:
            low, high = min(0.0, low), max(0.0, high)
        elif low > 0 and high / low >= LOG_FROM:
            air = (high / low) ** 0.06
            return cls(low / air, high * air, log=True, height=height)
        air = (high - low) * 0.08
        if not air > abs(high) * 1e-9:
            air = abs(high) * 0.01 or 1.0
        return cls(low if from_zero and low == 0 else low - air, high + air, log=False, height=height)

    def at(self, value: float) -> float:
        """Pixels from the top of the drawing; NaN for what can't be placed."""
        if self.log:
            if not value > 0:
                return math.nan
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return TOP + self.height * (1 - part)

    def ticks(self, about: int = 4) -> list[tuple[float, str]]:
        """Round values for the grid lines, with their labels."""
        return self._log_ticks(about) if self.log else self._linear_ticks(about)

    def _linear_ticks(self, about: int) -> list[tuple[float, str]]:
        raw = (self.high - self.low) / about
        magnitude = 10.0 ** math.floor(math.log10(raw))
        step = next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= raw * 0.999)
        first = math.ceil(self.low / step)
        values = [n * step for n in range(first, math.floor(self.high / step) + 1)]
        return [(value, _label(value, step)) for value in values]

    def _log_ticks(self, about: int) -> list[tuple[float, str]]:
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        for steps in ((1, 2, 5), (1,)):
            values = [m * 10.0**e for e in range(first, last + 1) for m in steps]
            values = [v for v in values if self.low <= v <= self.high]
            if len(values) <= about + 2:
                break
        values = values[:: max(1, math.ceil(len(values) / (about + 2)))]
        return [(value, words.number(value, 3)) for value in values]


def _label(value: float, step: float) -> str:
    """Label a round value as finely as the step needs, in the room that there is beside the plot.

    Plain where it is short, `130.05 M` or `2.1687e-6` where it isn't.
    """
    if value == 0:
        return "0"
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if size <= abs(value) < 1e15:
            short = f"{value / size:,.{_decimals(step / size)}f}"
            return f"{short.rstrip('0').rstrip('.') if '.' in short else short} {letter}"
    plain = f"{value:,.{_decimals(step)}f}"
    if len(plain.removeprefix("-")) <= MAX_LABEL and abs(value) < 1e15:
        return plain
    exponent = math.floor(math.log10(abs(value)))
    # as many digits as tell it from its neighbours, however far below it the step is
    mantissa = f"{value:.{max(0, exponent - math.floor(math.log10(step) + 1e-9))}e}".partition("e")[0]
    return f"{mantissa}e{exponent}"


def _decimals(step: float) -> int:
    """How many decimals a multiple of a step needs."""
    return max(0, -math.floor(math.log10(step) + 1e-9))


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """From times in ms to percent across."""

    first_ms: float
    last_ms: float

    @classmethod
    def over(cls, first_ms: float, last_ms: float) -> TimeAxis:
        """Make an axis; a moment alone gets a second, so that it has a width."""
        return cls(first_ms, last_ms) if last_ms > first_ms else cls(first_ms - 500, first_ms + 500)

    def at(self, at_ms: float) -> float:
        """Percent from the left."""
        return 100 * (at_ms - self.first_ms) / (self.last_ms - self.first_ms)

    def ticks(self) -> list[tuple[float, str]]:
        """Round times in percent, with their labels in UTC; at most five."""
        span_s = (self.last_ms - self.first_ms) / 1_000
        most = 3 if span_s > 86_400 else 5
        step = next((s for s in TIME_STEPS_S if s >= span_s / most), span_s / most)
        ticks = []
        count = math.ceil(self.first_ms / 1_000 / step)
        while (at_ms := count * step * 1_000) <= self.last_ms:
            ticks.append((min(max(self.at(at_ms), 0.0), 100.0), _time_label(at_ms, step, span_s)))
            count += 1
        return ticks


def _time_label(at_ms: float, step_s: float, span_s: float) -> str:
    """Label a time as finely as the step needs."""
    text = words.clock(at_ms)
    if step_s >= 86_400:
        return words.day(at_ms).rsplit(" ", 1)[0]
    if step_s >= 60:
        text = text[:5]
    return f"{words.day(at_ms).rsplit(' ', 1)[0]} {text}" if span_s > 86_400 else text


def thin(prices: NDArray[np.float64], fair: NDArray[np.float64], most: int = MAX_MARKS) -> NDArray[np.int64]:
    """Choose which fills to draw: all, or the first, the last, the worst quarter and others evenly.

    Parameters
    ----------
    prices, fair
        Of the fills by time, each of shape (fills,); NaN where unknown.
    most
        How many at most.

    Returns
    -------
    ndarray of int
        Their places, ascending.
    """
    if len(prices) <= most:
        return np.arange(len(prices))
    with np.errstate(all="ignore"):
        off = np.abs(np.log(prices / fair))
    worst = np.argsort(-np.where(np.isfinite(off), off, 0.0), kind="stable")[: most // 4]
    even = np.linspace(0, len(prices) - 1, most - len(worst)).astype(np.int64)
    return np.union1d(worst, even)


def thin_line(points: Points, most: int = MAX_POINTS) -> list[tuple[float, float]]:
    """Keep the lowest and highest of each stretch of a line, so that no spike is lost."""
    if len(points) <= most:
        return list(points)
    stretches: list[NDArray[np.int64]] = np.array_split(np.arange(len(points)), most // 2)
    values = np.array([value for _, value in points], dtype=np.float64)
    kept: set[int] = {0, len(points) - 1}
    for stretch in stretches:
        part = np.nan_to_num(values[stretch], nan=0.0)
        kept |= {int(stretch[part.argmin()]), int(stretch[part.argmax()])}
    return [points[i] for i in sorted(kept)]


def price_chart(
    marks: Sequence[Mark],
    market: Points,
    axis: TimeAxis,
    alert_ms: float | None,
    label: str,
    height: int = 230,
) -> Markup:
    """Draw prices over time: the fills, what each was worth, and the market where known.

    Parameters
    ----------
    marks
        Fills by time; the caller thins them out where they are too many.
    market
        The market's price over time; may be empty.
    axis
        The stretch of time that is drawn; what lies outside is left out.
    alert_ms
        When the alert was raised, in ms; None where it isn't to be drawn.
    label
        What a screen reader says instead of the picture.
    height
        Of the plot, in pixels.
    """
    kept = [m for m in marks if axis.first_ms <= m.at_ms <= axis.last_ms and 0 < m.price < LARGEST]
    line = [(t, v) for t, v in market if axis.first_ms <= t <= axis.last_ms and 0 < v < LARGEST]
    line = thin_line(line)
    fair = [(m.at_ms, m.fair) for m in kept if 0 < m.fair < LARGEST]
    scale = Scale.around([*(m.price for m in kept), *(v for _, v in fair), *(v for _, v in line)], height)
    parts = [frame(scale, axis), _alert(scale, axis, alert_ms)]
    parts.append(inner(scale, [("market", _path(line, axis, scale)), ("fair", _path(fair, axis, scale))]))
    # the fills of the incident are drawn last, over the others
    small = "-small" if len(kept) >= DENSE_FROM else ""
    parts += [_mark(mark, axis, scale, small) for mark in sorted(kept, key=lambda m: m.mine)]
    return drawing(parts, scale, label)


def money_chart(
    points: Points,
    axis: TimeAxis,
    alert_ms: float | None,
    label: str,
    height: int = 120,
    *,
    loss: bool = False,
) -> Markup:
    """Draw money over time as steps from zero: what was left, or (`loss`) what was gone."""
    inside = [(t, v) for t, v in points if t <= axis.last_ms and abs(v) < LARGEST]
    before = [(t, v) for t, v in inside if t < axis.first_ms]
    line = [(axis.first_ms, before[-1][1])] if before else []
    line = thin_line(line + [(t, v) for t, v in inside if t >= axis.first_ms])
    scale = Scale.around([v for _, v in line], height, from_zero=True)
    parts = [frame(scale, axis, about=3)]
    if line:
        steps = [line[0]]
        for (_, value), (at_ms, following) in pairwise(line):
            steps += [(at_ms, value), (at_ms, following)]
        steps.append((axis.last_ms, line[-1][1]))
        path = _path(steps, axis, scale)
        floor = scale.at(0.0) - TOP
        start, end = axis.at(steps[0][0]) * 10, axis.at(steps[-1][0]) * 10
        area = f"{path}L{end:.1f} {floor:.1f}L{start:.1f} {floor:.1f}Z"
        parts.append(
            inner(scale, [("area gone" if loss else "area", area), ("gone" if loss else "left", path)])
        )
    parts.append(_alert(scale, axis, alert_ms))
    return drawing(parts, scale, label)


def drawing(parts: Sequence[Markup], scale: Scale, label: str) -> Markup:
    """Put parts into one drawing."""
    body = Markup("").join(parts)
    size = scale.height + TOP + BOTTOM
    return Markup('<svg class="chart" role="img" width="100%" height="{}" aria-label="{}">{}</svg>').format(
        size, label, body
    )


def frame(scale: Scale, axis: TimeAxis, about: int = 4) -> Markup:
    """Draw grid lines with values to their left, and times below."""
    parts = []
    for value, label in scale.ticks(about):
        y = scale.at(value)
        parts.append(
            Markup('<line class="grid" x1="0" x2="100%" y1="{0:.1f}" y2="{0:.1f}"/>').format(y)
            + Markup('<text class="tick" x="-8" y="{:.1f}" dy=".32em" text-anchor="end">{}</text>').format(
                y, label
            )
        )
    base = TOP + scale.height
    written = -math.inf
    for across, label in axis.ticks():
        parts.append(
            Markup('<line class="grid" x1="{0:.2f}%" x2="{0:.2f}%" y1="{1}" y2="{2}"/>').format(
                across, base, base + 5
            )
        )
        anchor = "start" if across < 6 else "end" if across > 94 else "middle"
        wide = 100 * len(label) * LETTER / NARROWEST
        begin = across - wide * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
        if begin < written:  # on a phone it would stand over the one before
            continue
        written = begin + wide
        parts.append(
            Markup('<text class="tick" x="{:.2f}%" y="{}" text-anchor="{}">{}</text>').format(
                across, base + 19, anchor, label
            )
        )
    return Markup("").join(parts)


def _alert(scale: Scale, axis: TimeAxis, alert_ms: float | None) -> Markup:
    """Draw the moment of the alert."""
    if alert_ms is None or not axis.first_ms <= alert_ms <= axis.last_ms:
        return Markup("")
    across = axis.at(alert_ms)
    late = across > 80
    return Markup(
        '<line class="alert" x1="{0:.2f}%" x2="{0:.2f}%" y1="4" y2="{1}"/>'
        '<text class="alert" x="{0:.2f}%" dx="{2}" y="12" text-anchor="{3}">alert</text>'
    ).format(across, TOP + scale.height, -5 if late else 5, "end" if late else "start")


def inner(scale: Scale, lines: Sequence[tuple[str, str]]) -> Markup:
    """Draw paths in the inner, stretched drawing."""
    drawn = [Markup('<path class="{}" d="{}"/>').format(name, path) for name, path in lines if path]
    return Markup(
        '<svg x="0" y="{}" width="100%" height="{}" viewBox="0 0 1000 {}" preserveAspectRatio="none">{}</svg>'
    ).format(TOP, scale.height, scale.height, Markup("").join(drawn))


def _path(points: Points, axis: TimeAxis, scale: Scale) -> str:
    """Write a line through points; empty for less than two."""
    if len(points) < 2:
        return ""
    return "M" + "L".join(f"{axis.at(t) * 10:.1f} {scale.at(v) - TOP:.1f}" for t, v in points)


def _mark(mark: Mark, axis: TimeAxis, scale: Scale, small: str) -> Markup:
    """Draw a fill: its price, its fair value, and a line between, which is the loss."""
    across, y = axis.at(mark.at_ms), scale.at(mark.price)
    side = "buy" if mark.side == "buy" else "sell"
    parts = []
    if 0 < mark.fair < LARGEST:
        fair = scale.at(mark.fair)
        parts.append(
            Markup(
                '<line class="whisker" x1="{0:.2f}%" x2="{0:.2f}%" y1="{1:.1f}" y2="{2:.1f}"/>'
                '<use class="worth" href="#dw-fair{3}" x="{0:.2f}%" y="{2:.1f}"/>'
            ).format(across, y, fair, small)
        )
    parts.append(
        Markup('<use class="fill" href="#dw-{}{}" x="{:.2f}%" y="{:.1f}"/>').format(side, small, across, y)
    )
    return Markup('<g class="mark {}{}{}"><title>{}</title>{}</g>').format(
        side, " mine" if mark.mine else "", " dense" if small else "", mark.tip, Markup("").join(parts)
    )
