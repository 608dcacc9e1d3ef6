"""Charts: what is drawn is where it should be, escaped, and never too much."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup

from drainwatch.report import charts
from drainwatch.report.charts import (
    MAX_MARKS,
    Mark,
    Scale,
    TimeAxis,
    money_chart,
    price_chart,
    thin,
    thin_line,
)

NAN = math.nan
AXIS = TimeAxis.over(0.0, 100_000.0)


def mark(at_ms: float, price: float = 1.0, fair: float = 1.0, side: str = "buy", tip: str = "") -> Mark:
    return Mark(at_ms, price, fair, side, mine=True, tip=tip)


def parse(svg: Markup) -> ET.Element:
    """Read a drawing as XML: what isn't closed or escaped fails here."""
    return ET.fromstring(svg)  # noqa: S314 - our own drawing


def uses(svg: Markup, name: str) -> list[tuple[float, float]]:
    """Return where a shape stands: percent across, pixels down."""
    found = [use for use in parse(svg).iter("use") if use.get("class") == name]
    return [(float(str(use.get("x")).rstrip("%")), float(str(use.get("y")))) for use in found]


@given(
    st.lists(st.floats(1e-12, 1e15), min_size=1, max_size=20),
    st.booleans(),
)
def test_every_value_fits_on_its_scale(values: list[float], from_zero: bool) -> None:
    scale = Scale.around(values, 200, from_zero=from_zero)
    for value in values:
        assert charts.TOP - 0.01 <= scale.at(value) <= charts.TOP + 200.01
    ticks = scale.ticks()
    assert len(ticks) <= 8
    assert all(charts.TOP - 0.01 <= scale.at(value) <= charts.TOP + 200.01 for value, _ in ticks)
    assert len({label for _, label in ticks}) == len(ticks), ticks


def test_higher_is_further_up() -> None:
    for values in ([1.0, 2.0], [1.0, 1_000.0]):
        scale = Scale.around(values, 200)
        assert scale.at(values[1]) < scale.at(values[0])


def test_wide_range_is_logarithmic() -> None:
    """At 2.4 million times its worth, a fill would press everything else into one line."""
    scale = Scale.around([0.00004, 96.0], 200)
    assert scale.log
    assert not Scale.around([1.0, 5.0], 200).log
    assert not Scale.around([0.0, 1_000.0], 200, from_zero=True).log
    assert math.isnan(scale.at(0.0))


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.00175, 0.00214], ["0.0018", "0.0019", "0.0020", "0.0021"]),
        ([0.0, 1_250_000.0], ["0", "500,000", "1 M"]),
        ([5.84e-10, 5.9e-10], ["5.84e-10", "5.86e-10", "5.88e-10", "5.90e-10"]),
        ([100.0, 90_000.0], ["100", "1,000", "10,000", "100,000"]),
    ],
)
def test_labels_are_round(values: list[float], labels: list[str]) -> None:
    found = [label for _, label in Scale.around(values, 200).ticks()]
    assert set(found) <= set(labels), found
    assert len(found) >= 2


@given(st.integers(0, 2**41), st.integers(0, 2**40))
def test_times_are_round_and_few(first: int, length: int) -> None:
    axis = TimeAxis.over(float(first), float(first + length))
    ticks = axis.ticks()
    assert len(ticks) <= 6
    assert all(0 <= across <= 100 for across, _ in ticks)


def test_time_labels_are_as_fine_as_needed() -> None:
    start = 1_520_434_500_000.0
    assert [label for _, label in TimeAxis.over(start, start + 600_000).ticks()][:2] == ["14:56", "14:58"]
    assert [label for _, label in TimeAxis.over(start, start + 20_000).ticks()][:2] == [
        "14:55:00",
        "14:55:05",
    ]
    assert "8 Mar 00:00" in [label for _, label in TimeAxis.over(start, start + 1.2 * 86_400_000).ticks()]
    assert "10 Mar" in [label for _, label in TimeAxis.over(start, start + 4 * 86_400_000).ticks()]


def test_fills_stand_where_they_belong() -> None:
    svg = price_chart([mark(25_000, 90.0, 100.0, "sell"), mark(75_000, 110.0, 100.0)], [], AXIS, 25_000, "x")
    (low_x, low_y), (high_x, high_y) = uses(svg, "fill")
    assert (low_x, high_x) == (25.0, 75.0)
    worth = {y for _, y in uses(svg, "worth")}
    assert len(worth) == 1
    assert high_y < worth.pop() < low_y
    assert [use.get("href") for use in parse(svg).iter("use") if use.get("class") == "fill"] == [
        "#dw-sell",
        "#dw-buy",
    ]


def test_unknown_worth_is_not_drawn() -> None:
    svg = price_chart([mark(1_000, 2.0, NAN)], [], AXIS, None, "x")
    assert len(uses(svg, "fill")) == 1
    assert uses(svg, "worth") == []
    assert "alert" not in svg


def test_what_lies_outside_the_time_is_left_out() -> None:
    svg = price_chart([mark(-1), mark(5), mark(100_001)], [(-5.0, 1.0), (5.0, 1.0)], AXIS, 200_000, "x")
    assert len(uses(svg, "fill")) == 1
    assert 'class="market"' not in svg  # a line needs two points
    assert "alert" not in svg


def test_words_from_outside_are_escaped() -> None:
    svg = price_chart([mark(5, tip="</title><script>alert(1)</script>")], [], AXIS, 5, '"><script>')
    assert "<script" not in svg
    root = parse(svg)
    assert root.get("aria-label") == '"><script>'
    assert next(root.iter("title")).text == "</title><script>alert(1)</script>"


def test_many_fills_are_thinned_out_and_the_worst_stays() -> None:
    prices = np.ones(5_000)
    fair = np.ones(5_000)
    prices[3_333] = 50.0
    fair[10] = NAN
    kept = thin(prices, fair).tolist()
    assert len(kept) <= MAX_MARKS
    assert kept == sorted(set(kept))
    assert {0, 3_333, 4_999} <= set(kept)
    assert thin(prices[:7], fair[:7]).tolist() == list(range(7))


def test_thinned_line_keeps_its_spikes() -> None:
    """A wick of one second is what a drain looks like on the market."""
    points = [(float(n), 1.0) for n in range(100_000)]
    points[77_777] = (77_777.0, 9.0)
    points[55_555] = (55_555.0, 0.1)
    kept = thin_line(points)
    assert len(kept) <= charts.MAX_POINTS + 2
    assert points[77_777] in kept
    assert points[55_555] in kept
    assert kept[-1] == points[-1]


def test_money_falls_in_steps_from_what_was_there_before() -> None:
    svg = money_chart([(-10.0, 100.0), (50_000.0, 40.0)], AXIS, 50_000, "money")
    (path,) = [p.get("d") for p in parse(svg).iter("path") if p.get("class") == "left"]
    points = [tuple(map(float, point.split())) for point in re.split("[ML]", str(path))[1:]]
    assert [x for x, _ in points] == [0.0, 500.0, 500.0, 1_000.0]
    (_, before), (_, still), (_, after), (_, end) = points
    assert before == still < after == end  # further down the drawing is less money


def test_empty_drawings_are_drawings() -> None:
    assert parse(price_chart([], [], AXIS, None, "x")).tag == "svg"
    assert parse(money_chart([], AXIS, None, "x")).tag == "svg"
    assert parse(money_chart([(0.0, NAN)], AXIS, None, "x")).tag == "svg"


def test_shapes_are_defined_once_and_used_by_name() -> None:
    assert {path.get("id") for path in parse(charts.DEFINITIONS).iter("path")} == {
        f"dw-{shape}{size}" for shape in ("buy", "sell", "fair") for size in ("", "-small")
    }


def test_every_shape_that_is_used_is_defined() -> None:
    defined = {f"#{path.get('id')}" for path in parse(charts.DEFINITIONS).iter("path")}
    for count in (3, 200):
        marks = [mark(float(n), side="buy" if n % 2 else "sell") for n in range(count)]
        used = {use.get("href") for use in parse(price_chart(marks, [], AXIS, None, "x")).iter("use")}
        assert used <= defined
        assert len(used) == 3


def test_numbers_that_no_market_has_are_left_out() -> None:
    svg = price_chart([mark(5.0, 1.7e308, 1.7e308), mark(6.0, 2.0, math.inf), mark(7.0)], [], AXIS, None, "x")
    assert len(uses(svg, "fill")) == 2
    assert len(uses(svg, "worth")) == 1
    assert "inf" not in svg
    assert "nan" not in svg
    assert "nan" not in money_chart([(0.0, 1.7e308), (1.0, -math.inf)], AXIS, None, "x")


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.00176, 0.002, ["0.0018", "0.0019", "0.0020"]),
        (2.1687e-6, 2.169e-6, ["2.1687e-6", "2.1688e-6", "2.1689e-6", "2.1690e-6"]),
        (5.68e-8, 5.81e-8, ["5.70e-8", "5.75e-8", "5.80e-8"]),
        (2.1e-7, 2.2e-7, ["2.10e-7", "2.15e-7", "2.20e-7"]),
        (89_500, 90_500, ["89,500", "90,000", "90,500"]),
        (130_010_000, 130_060_000, ["130.02 M", "130.04 M", "130.06 M"]),
    ],
)
def test_labels_of_prices_fit_beside_the_plot(low: float, high: float, labels: list[str]) -> None:
    """Coins that cost a millionth have long prices; a label that is cut off at the edge is a wrong price."""
    shown = [label for _, label in Scale.around([low, high], 230).ticks()]
    assert shown == labels
    assert all(len(label) <= charts.MAX_LABEL for label in shown)


@example(first_ms=1_749_842_543_000.0, magnitude=5.13)  # 135 s
@example(first_ms=1.0, magnitude=10.375)  # nine months between two round times
@given(first_ms=st.floats(0, 4e12), magnitude=st.floats(3, 11))
def test_times_below_a_plot_dont_stand_over_each_other(first_ms: float, magnitude: float) -> None:
    """On a phone, where `19:22:30` and `19:23:00` have hardly room beside each other."""
    svg = money_chart([(first_ms, 1.0)], TimeAxis.over(first_ms, first_ms + 10**magnitude), None, "")
    labels = [text for text in parse(svg).iter("text") if str(text.get("x")).endswith("%")]
    assert labels
    ends = -math.inf
    for text in labels:
        wide = len(str(text.text)) * 6.5
        part = {"start": 0.0, "middle": 0.5, "end": 1.0}[str(text.get("text-anchor"))]
        begins = float(str(text.get("x")).rstrip("%")) / 100 * 250 - wide * part
        assert begins >= ends - 0.1
        ends = begins + wide
