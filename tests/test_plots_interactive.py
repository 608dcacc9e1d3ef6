"""Drawings with plotly: the same figures as the pictures, and nothing from outside read as markup."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from plotly.graph_objects import Figure

from drainwatch.plots import data, interactive
from drainwatch.plots.style import PALETTES
from plots_fakes import found, given, nasty, reliable

Draw = Callable[..., Figure]
ALL: dict[str, Draw] = {
    "price": lambda **theme: interactive.price(found().incident(0), **theme),
    "money": lambda **theme: interactive.money(found(), account="bob", **theme),
    "reasons": lambda **theme: interactive.reasons(found(), **theme),
    "markouts": lambda **theme: interactive.markouts(found(), given()["quotes"], **theme),
    "network": lambda **theme: interactive.network(found(), **theme),
    "scores": lambda **theme: interactive.scores(found(), **theme),
    "reliability": lambda **theme: interactive.reliability(reliable(), **theme),
}


def texts_of(part: Any) -> list[str]:
    """All texts in a figure's JSON."""
    if isinstance(part, str):
        return [part]
    if isinstance(part, dict):
        return [text for value in part.values() for text in texts_of(value)]
    if isinstance(part, list | tuple | np.ndarray):
        return [text for value in part for text in texts_of(value)]
    return []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("draw", ALL.values(), ids=ALL)
def test_a_figure_is_in_its_theme(draw: Draw, theme: str) -> None:
    figure = draw(theme=theme)
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == PALETTES[theme].paper
    assert figure.data


@pytest.mark.parametrize(
    "figure",
    [
        lambda: interactive.price(nasty().incident(0)),
        lambda: interactive.money(nasty().incident(0)),
        lambda: interactive.reasons(nasty().incident(0)),
        lambda: interactive.network(found().incident(0)),
    ],
)
def test_no_text_is_markup_formula_or_template(figure: Callable[[], Figure]) -> None:
    made = figure()
    for text in texts_of(made.to_plotly_json()):
        assert "<b>" not in text
        assert not re.search(r"\$.*\$", text)
    for trace in made.data:
        assert trace.hovertemplate in (None, "%{text}<extra></extra>", "%{hovertext}<extra></extra>")


def test_price_shows_the_fills_of_the_picture() -> None:
    it = data.price(found().incident(0))
    drawn = {trace.name: trace for trace in interactive.price(found().incident(0)).data}
    assert list(drawn["buy"].y) == it.prices[it.buys].tolist()
    assert list(drawn["sell"].y) == it.prices[~it.buys].tolist()
    assert [size == 11 for size in drawn["buy"].marker.size] == it.mine[it.buys].tolist()
    assert f"deviation {1200:,} bps" in drawn["buy"].text[int(np.flatnonzero(it.mine[it.buys])[0])]


def test_money_reasons_and_scores_are_those_of_the_picture() -> None:
    assert (
        list(interactive.money(found().incident(0)).data[0].y)
        == data.money(found().incident(0)).values.tolist()
    )
    assert list(interactive.reasons(found()).data[0].x) == data.reasons(found()).nats.tolist()
    assert list(interactive.scores(found()).data[0].y) == data.scores(found()).calibrated.tolist()
