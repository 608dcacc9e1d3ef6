"""Drawings with matplotlib: what is on the axes, in both themes, on axes of others and on new ones."""

from __future__ import annotations

import io
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from drainwatch import plots
from drainwatch.plots import data
from drainwatch.plots.style import PALETTES, shown
from plots_fakes import NASTY, found, given, nasty, reliable

Draw = Callable[..., Axes]
ALL: dict[str, Draw] = {
    "price": lambda **on: plots.price(found().incident(0), **on),
    "price of all": lambda **on: plots.price(found(), **on),
    "money": lambda **on: plots.money(found().incident(0), **on),
    "reasons": lambda **on: plots.reasons(found().incident(0), **on),
    "markouts": lambda **on: plots.markouts(found(), given()["quotes"], **on),
    "network": lambda **on: plots.network(found().incident(0), **on),
    "scores": lambda **on: plots.scores(found(), **on),
    "reliability": lambda **on: plots.reliability(reliable(), **on),
    "reliability of nothing": lambda **on: plots.reliability([], **on),
}


@pytest.fixture(autouse=True)
def no_windows() -> Any:
    """Draw to memory, and leave no figure open."""
    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


def words_of(axes: Axes) -> list[str]:
    """Texts of a drawing as SVG has them; fails where it isn't well-formed."""
    out = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none"}):
        figure = axes.get_figure(root=True)
        assert figure is not None
        figure.savefig(out, format="svg")
    elements = ET.fromstring(out.getvalue()).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314 - our own
    return ["".join(element.itertext()) for element in elements]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("draw", ALL.values(), ids=ALL)
def test_a_drawing_is_in_its_theme_and_none_of_its_text_is_a_formula(draw: Draw, theme: str) -> None:
    axes = draw(theme=theme)
    assert mpl.colors.to_hex(axes.get_facecolor()) == PALETTES[theme].paper
    said = words_of(axes)
    assert said
    assert not [word for word in said if "mathdefault" in word or "\\" in word.replace(NASTY[:10], "")]


@pytest.mark.parametrize("draw", ALL.values(), ids=ALL)
def test_given_axes_are_drawn_on_and_no_figure_is_opened(draw: Draw) -> None:
    axes, open_before = Figure().add_subplot(), plt.get_fignums()
    assert draw(ax=axes) is axes
    assert plt.get_fignums() == open_before


def test_price_shows_each_fill_once_and_those_of_the_incident_large() -> None:
    axes = plots.price(found().incident(0))
    it = data.price(found().incident(0))
    parts: list[Any] = list(axes.collections)
    drawn = {round(float(y), 9): part.get_sizes()[0] for part in parts for _, y in part.get_offsets()}
    assert sorted(drawn) == sorted({round(float(price), 9) for price in it.prices})
    assert {drawn[round(float(price), 9)] for price in it.prices[it.mine]} == {46.0}
    assert {drawn[round(float(price), 9)] for price in it.prices[~it.mine]} <= {20.0}


def test_money_is_drawn_with_the_incident_shaded() -> None:
    axes = plots.money(found().incident(0))
    it = data.money(found().incident(0))
    assert np.asarray(axes.lines[0].get_ydata()).tolist() == it.values.tolist()
    (shade,) = axes.patches
    first, last = mpl.dates.date2num([it.spans[0].first, it.spans[0].last])  # type: ignore[no-untyped-call]
    bounds = shade.get_extents().transformed(axes.transData.inverted())
    assert (bounds.x0, bounds.x1) == pytest.approx((first, last))


def test_reasons_are_bars_of_their_nats() -> None:
    axes = plots.reasons(found().incident(0))
    reasons = found().incident(0).reasons
    assert [bar.get_width() for bar in axes.patches] == reasons["nats"].tolist()  # type: ignore[attr-defined]
    assert [label.get_text() for label in axes.get_yticklabels()] == reasons["feature"].tolist()


def test_scores_have_calibration_replay_and_threshold() -> None:
    axes = plots.scores(found())
    it = data.scores(found())
    assert np.asarray(axes.lines[0].get_ydata()).tolist() == it.calibrated.tolist()
    assert np.asarray(axes.lines[-1].get_xdata()).tolist() == [it.threshold, it.threshold]
    legend = axes.get_legend()
    assert legend is not None
    assert "threshold 1" in [text.get_text() for text in legend.get_texts()]


def test_reliability_puts_a_rate_of_nothing_at_the_floor() -> None:
    axes = plots.reliability(reliable())
    assert np.asarray(axes.lines[-1].get_ydata()).tolist() == [5e-3, 0.4]


@pytest.mark.parametrize("draw", [plots.price, plots.money, plots.reasons])
def test_names_from_outside_are_drawn_as_they_stand(draw: Draw) -> None:
    axes = draw(nasty().incident(0))
    said = " ".join(words_of(axes))
    if draw is not plots.reasons:  # it names neither account nor market
        assert "$\\frac{1}{0}$<b>" in said


def test_a_counterparty_is_drawn_as_it_stands() -> None:
    assert shown(NASTY, 20) in words_of(plots.network(found().incident(0)))


def test_naming_the_drawings_loads_no_library_of_drawings() -> None:
    code = (
        "import sys\nfrom drainwatch import plots\nfrom drainwatch.plots import interactive\n"
        "print(sorted({'matplotlib', 'plotly', 'pandas'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout == "[]\n"
