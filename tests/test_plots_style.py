"""How drawings look: both themes readable, colours apart, text that stays text."""

from __future__ import annotations

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from drainwatch.errors import ConfigError
from drainwatch.plots.style import PALETTES, deviation_colours, drawing, palette, shown


def luminance(colour: str) -> float:
    """Relative luminance as WCAG has it."""
    parts = [int(colour[i : i + 2], 16) / 255.0 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_and_marks_stand_out_from_the_paper(theme: str) -> None:
    colours = palette(theme)
    paper = luminance(colours.paper)

    def contrast(colour: str) -> float:
        low, high = sorted([luminance(colour), paper])
        return (high + 0.05) / (low + 0.05)

    assert min(contrast(colours.ink), contrast(colours.soft)) >= 4.5
    for colour in (colours.bad, colours.usual, colours.good, colours.market):
        assert contrast(colour) >= 3.0


def test_an_unknown_theme_is_told() -> None:
    with pytest.raises(ConfigError, match="theme: expected one of light, dark, found 'sepia'"):
        palette("sepia")


def test_settings_last_no_longer_than_the_drawing() -> None:
    before = dict(mpl.rcParams)
    with drawing(Figure().add_subplot(), "dark") as (_, colours):
        assert mpl.rcParams["axes.facecolor"] == colours.paper
    assert dict(mpl.rcParams) == before


def test_axes_of_others_take_the_colours_and_text_stays_text() -> None:
    axes = Figure().add_subplot()
    assert axes.title.get_parse_math()
    with drawing(axes, "dark") as (same, colours):
        same.set_title("$x$")
        same.text(0.5, 0.5, "$y$")
    assert same is axes
    assert mpl.colors.to_hex(axes.get_facecolor()) == colours.paper
    assert not axes.title.get_parse_math()
    assert not axes.texts[0].get_parse_math()


def test_deviations_go_from_blue_to_vermilion() -> None:
    colours = [mpl.colors.to_hex(deviation_colours()(part)) for part in (0.0, 1.0)]
    assert colours == [PALETTES["light"].usual, PALETTES["light"].bad]


def test_invisible_and_endless_names_are_cut() -> None:
    assert shown("a\u202eb\n") == "a\ufffdb\ufffd"
    assert len(shown("x" * 1000)) == 40
