"""How drawings look: colours that the colour-blind tell apart, light and dark, text that stays text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from drainwatch.errors import ConfigError
from drainwatch.report import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

Theme = Literal["light", "dark"]


class Palette(NamedTuple):
    """Colours of a theme; those of data are Okabe and Ito's (2008)."""

    paper: str
    ink: str
    soft: str
    line: str
    bad: str
    """The incident, and what was lost."""
    usual: str
    """All else of the account."""
    fair: str
    market: str
    good: str


PALETTES: Final[dict[str, Palette]] = {
    "light": Palette(
        "#ffffff", "#16191d", "#555d68", "#dde1e6", "#d55e00", "#0072b2", "#16191d", "#8b9099", "#009e73"
    ),
    "dark": Palette(
        "#16191d", "#eef0f2", "#a9b0ba", "#3a4049", "#e8702a", "#56b4e9", "#eef0f2", "#7d8590", "#2fbf97"
    ),
}
DEVIATION: Final = ((0.0, "#0072b2"), (0.5, "#b9bec6"), (1.0, "#d55e00"))
"""From a fill better than fair over one at it to one worse: blue, grey and vermilion."""
SIZE_INCHES: Final = (7.0, 3.4)


def palette(theme: str) -> Palette:
    """Colours of a theme.

    Raises
    ------
    ConfigError
        There is no such theme.

    """
    found = PALETTES.get(theme)
    if found is None:
        raise ConfigError(f"theme: expected one of {', '.join(PALETTES)}, found {theme!r}")
    return found


def rc(theme: str = "light") -> dict[Any, Any]:
    """Settings of matplotlib for a theme."""
    colours = palette(theme)
    return {
        "axes.axisbelow": True,
        "axes.edgecolor": colours.line,
        "axes.facecolor": colours.paper,
        "axes.grid": True,
        "axes.labelcolor": colours.soft,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": colours.ink,
        "axes.titlelocation": "left",
        "axes.titlesize": 9.0,
        "figure.constrained_layout.use": True,
        "figure.facecolor": colours.paper,
        "font.family": "DejaVu Sans",  # wider than what a browser takes: what fits here fits there
        "font.size": 8.0,
        "grid.color": colours.line,
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        "legend.labelcolor": colours.ink,
        "savefig.facecolor": colours.paper,
        "svg.fonttype": "none",
        "svg.hashsalt": "drainwatch",
        "text.color": colours.ink,
        "text.parse_math": False,
        "xtick.color": colours.soft,
        "xtick.major.size": 0.0,
        "xtick.minor.size": 0.0,
        "ytick.color": colours.soft,
        "ytick.major.size": 0.0,
    }


@contextmanager
def drawing(
    ax: Axes | None, theme: str, size_inches: tuple[float, float] = SIZE_INCHES
) -> Iterator[tuple[Axes, Palette]]:
    """Axes to draw on, new ones where none are given, with this module's style while it lasts."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt
    from matplotlib.text import Text

    colours = palette(theme)
    with mpl.rc_context(rc(theme)):
        if ax is None:
            ax = plt.subplots(figsize=size_inches)[1]
        else:
            _dress(ax, colours)
        yield ax, colours
        for text in ax.findobj(Text):  # those that were there before are as they were set up elsewhere
            text.set_parse_math(False)


def _dress(ax: Axes, colours: Palette) -> None:
    """Give axes that were made elsewhere the colours of a theme."""
    ax.set_facecolor(colours.paper)
    ax.set_axisbelow(True)
    ax.grid(visible=True, color=colours.line, linewidth=0.6)
    ax.tick_params(colors=colours.soft, length=0.0, labelsize=8.0)
    ax.tick_params(which="minor", length=0.0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[:].set_color(colours.line)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set_color(colours.soft)
        axis.label.set_fontsize(8.0)


def deviation_colours() -> Colormap:
    """Colours of deviations, from -1 over 0 to 1."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("deviation", list(DEVIATION))


def shown(text: object, limit: int = 40) -> str:
    """A name from outside, fit to be drawn: nothing invisible, and not too long."""
    return words.clean(text, limit)
