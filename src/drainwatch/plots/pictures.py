"""Drawings with matplotlib: each takes what is to be drawn and gives the axes it is drawn on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from drainwatch.plots import data
from drainwatch.plots.style import Palette, Theme, deviation_colours, drawing
from drainwatch.plots.subject import Subject
from drainwatch.report import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST_BPS: Final = 10.0
"""Deviations up to here are near 0; from here on a colour stands for a magnitude."""
FLOOR: Final = 5e-3
"""A rate of 0 has no place on a logarithmic axis: it stands here."""


def price(
    of: Subject,
    *,
    symbol: str | None = None,
    account: str | None = None,
    ax: Axes | None = None,
    theme: Theme = "light",
) -> Axes:
    """Draw one market's price with fair value and fills, coloured by how far off they were.

    Buys point up, sells down; vermilion is worse than fair for the account, blue better, hollow unknown. The
    fills of incidents are larger. A vertical line is an alert.

    Parameters
    ----------
    of
        An incident, drawn with the hours around it, or a whole replay.
    symbol, account
        Which to draw; needed where there are several and no incident tells.
    ax, theme
        Axes to draw on; `light` or `dark`.

    Raises
    ------
    InputError
        There is no such market or account, or several and none was named.

    """
    it = data.price(of, symbol, account)
    with drawing(ax, theme) as (axes, colours):
        axes.plot(it.market_times, it.market, color=colours.market, lw=1.0, label="market")
        known = np.isfinite(it.fair)
        axes.plot(
            it.times[known], it.fair[known], ls="none", marker="_", ms=7.0, color=colours.fair, mew=1.2,
            label="fair value", zorder=3,
        )  # fmt: skip
        _spans(axes, it.spans, colours)
        norm, colouring = _norm(it.deviation_bps), deviation_colours()
        for buys, marker, name in ((True, "^", "buy"), (False, "v", "sell")):
            for mine in (False, True):
                those = (it.buys == buys) & (it.mine == mine)
                blind = those & np.isnan(it.deviation_bps)
                seen = those & ~blind
                size = 46.0 if mine else 20.0
                zorder = 5 if mine else 4
                axes.scatter(
                    it.times[seen], it.prices[seen], s=size, c=it.deviation_bps[seen], cmap=colouring,
                    norm=norm,
                    marker=marker, edgecolors=colours.ink if mine else "none", linewidths=0.6, zorder=zorder,
                )  # fmt: skip
                axes.scatter(
                    it.times[blind], it.prices[blind], s=size, marker=marker, facecolors="none",
                    edgecolors=colours.soft, linewidths=0.8, zorder=zorder,
                )  # fmt: skip
            axes.plot([], [], ls="none", marker=marker, color=colours.soft, ms=4.5, label=name)
        if np.isfinite(it.deviation_bps).any():
            _colour_bar(axes, norm, colouring, colours)
        _times(axes)
        axes.set_title(it.title)
        axes.set_ylabel(f"price, {it.unit}" if it.unit else "price")
        axes.legend(fontsize=7.0, ncols=4, loc="upper left", bbox_to_anchor=(0.0, -0.14))
        return axes


def money(of: Subject, *, account: str | None = None, ax: Axes | None = None, theme: Theme = "light") -> Axes:
    """Draw an account's money over time, incidents shaded; what is gone so far where nothing else is known.

    Parameters
    ----------
    of
        An incident, drawn with the hours around it, or a whole replay.
    account
        Whose; needed where there are several and no incident tells.
    ax, theme
        Axes to draw on; `light` or `dark`.

    Raises
    ------
    InputError
        There is no such account, or several and none was named; or losses in currencies that
        aren't known in dollars, and no balances.

    """
    it = data.money(of, account)
    with drawing(ax, theme) as (axes, colours):
        colour = colours.bad if it.gone else colours.usual
        axes.step(it.times, it.values, where="post", color=colour, lw=1.6)
        _spans(axes, it.spans, colours, shade=True)
        _times(axes)
        axes.set_ylim(bottom=min(0.0, float(np.nanmin(it.values, initial=0.0))))
        _plain(axes)
        axes.set_title(it.title)
        axes.set_ylabel(it.unit)
        return axes


def reasons(of: Subject, *, ax: Axes | None = None, theme: Theme = "light") -> Axes:
    """Draw what each reason contributed to the score of an alert, in nats, the strongest on top.

    A nat of evidence makes harmless trading e = 2.7 times less likely to look so. What a rule or the sum of
    losses said is shared out among the features that it looks at.

    Parameters
    ----------
    of
        An incident, or a replay: then its first.
    ax, theme
        Axes to draw on; `light` or `dark`.

    """
    it = data.reasons(of)
    count = len(it.names)
    with drawing(ax, theme, (7.0, 0.9 + 0.42 * max(count, 1))) as (axes, colours):
        at = np.arange(count)[::-1]
        axes.barh(at, np.nan_to_num(it.nats), height=0.38, color=colours.bad, zorder=3)
        for y, text, nats in zip(at.tolist(), it.texts, it.nats.tolist(), strict=True):
            figure = "unknown" if np.isnan(nats) else f"{nats:.3g}"
            axes.annotate(
                f"{figure}: {text}", (0.0, y), (2.0, 9.0), textcoords="offset points", fontsize=7.0,
                va="bottom", color=colours.ink, zorder=4,
            )  # fmt: skip
        axes.set_yticks(at, it.names)
        axes.set_ylim(-0.5, max(count, 1) - 0.2)
        axes.grid(visible=False, axis="y")
        axes.set_xlim(left=0.0)
        axes.set_title(it.title)
        axes.set_xlabel("contribution to the score, nats")
        return axes


def markouts(
    of: Subject,
    market: Any,
    *,
    horizons_s: tuple[float, ...] = data.HORIZONS_S,
    ax: Axes | None = None,
    theme: Theme = "light",
) -> Axes:
    """Draw how prices stood after an incident's fills and after the others: medians and quartiles.

    Above 0 the price went the account's way. After a fill that gave money away it stands far below.

    Parameters
    ----------
    of
        An incident, or a replay: then all of its incidents.
    market
        Quotes, trades or candles as given to `drainwatch.replay`.
    horizons_s
        How long after a fill, in seconds.
    ax, theme
        Axes to draw on; `light` or `dark`.

    """
    with drawing(ax, theme) as (axes, colours):
        for it in data.markouts(of, market, horizons_s):
            colour = colours.bad if it.incident else colours.usual
            axes.fill_between(it.horizons_s, it.low_bps, it.high_bps, color=colour, alpha=0.2, lw=0.0)
            label = f"{it.label} ({int(it.count.max(initial=0)):,})"
            axes.plot(
                it.horizons_s, it.median_bps, "s-" if it.incident else "o-", color=colour, ms=4.0, label=label
            )
        axes.axhline(0.0, color=colours.soft, lw=0.8)
        axes.set_xscale("log")
        axes.set_yscale("symlog", linthresh=LEAST_BPS)
        axes.set_xticks(horizons_s, [words.duration(1_000 * horizon_s) for horizon_s in horizons_s])
        axes.set_xticks([], minor=True)
        _plain(axes)
        axes.set_title("Markouts: medians, middle half shaded")
        axes.set_xlabel("after the fill")
        axes.set_ylabel("bps, good > 0")
        axes.set_ylim(top=max(3.0 * LEAST_BPS, axes.get_ylim()[1]))
        axes.legend(fontsize=7.5, loc="upper right", ncols=2)
        return axes


def network(of: Subject, *, ax: Axes | None = None, theme: Theme = "light") -> Axes:
    """Draw who was on the other side of an incident's fills; the more they were paid, the thicker the line.

    Vermilion took money against fair value, blue didn't, grey isn't known.

    Parameters
    ----------
    of
        An incident, or a replay: then its first.
    ax, theme
        Axes to draw on; `light` or `dark`.

    Raises
    ------
    InputError
        The fills don't tell who was on the other side, or are in currencies that aren't known in dollars.

    """
    it = data.network(of)
    most = max((party.value for party in it.parties), default=0.0) or 1.0
    with drawing(ax, theme, (5.6, 4.6)) as (axes, colours):
        for party in it.parties:
            colour = party_colour(party, colours)
            axes.plot([0.0, party.x], [0.0, party.y], color=colour, zorder=2,
                      lw=0.8 + 6.0 * party.value / most,
                      solid_capstyle="round")  # fmt: skip
            axes.plot([party.x], [party.y], "o", ms=10.0, color=colour, mec=colours.paper, zorder=3)
            away = 1.3 if abs(party.x) <= 0.15 else 1.12  # those above and below have neighbours
            side = "left" if party.x > 0.15 else "right" if party.x < -0.15 else "center"
            up = "bottom" if party.y > 0.15 else "top" if party.y < -0.15 else "center"
            axes.text(
                away * party.x, away * party.y, "\n".join(party_words(party, it.unit)), ha=side, va=up,
                fontsize=7.5, color=colours.ink,
            )  # fmt: skip
        axes.plot([0.0], [0.0], "o", ms=24.0, color=colours.ink, mec=colours.paper, zorder=4)
        axes.text(
            0.0, -0.14, it.account, ha="center", va="top", fontsize=8.0, color=colours.ink, zorder=5,
            bbox={"facecolor": colours.paper, "edgecolor": "none", "alpha": 0.8, "pad": 1.0},
        )  # fmt: skip
        axes.set_aspect("equal")
        axes.set_xlim(-2.1, 2.1)
        axes.set_ylim(-1.6, 1.6)
        axes.set_axis_off()
        axes.set_title(it.title)
        return axes


def scores(of: Subject, *, ax: Axes | None = None, theme: Theme = "light") -> Axes:
    """Draw how often scores were reached beside what harmless trading is calibrated to, with the threshold.

    Parameters
    ----------
    of
        A replay; of an incident, the replay it is of.
    ax, theme
        Axes to draw on; `light` or `dark`.

    """
    it = data.scores(of)
    with drawing(ax, theme) as (axes, colours):
        axes.plot(
            it.levels, it.calibrated, color=colours.soft, lw=1.0, ls="--", label="harmless, as calibrated"
        )
        for values, colour, width, label in (
            (it.reached, colours.bad, 1.6, "this replay"),
            (it.others, colours.usual, 1.6, "without incidents"),
        ):
            shown = np.where(values > 0.0, values, np.nan)
            axes.step(it.levels, shown, where="mid", color=colour, lw=width, label=label)
        axes.axvline(it.threshold, color=colours.ink, lw=0.9, ls=":", label=f"threshold {it.threshold:.3g}")
        axes.set_yscale("log")
        _plain(axes)
        axes.set_xlim(it.levels[0], it.levels[-1])
        positive = it.reached[it.reached > 0.0]
        axes.set_ylim(0.3 * min([*positive, 1.0]), 3.0 * max([*positive, 1.0]))
        axes.set_title(f"{it.title}, over {words.number(it.months, 2)} account-months")
        axes.set_xlabel("score")
        axes.set_ylabel("times an account-month")
        axes.legend(fontsize=7.5)
        return axes


def reliability(rows: Any, *, ax: Axes | None = None, theme: Theme = "light") -> Axes:
    """Draw measured rates of false incidents against stated budgets: 90 % intervals, a factor of 2 shaded.

    Parameters
    ----------
    rows
        A table or list with `budget`, `measured`, `low` and `high`, all false incidents an account-month:
        `calibration` in the result of `drainwatch lab bench`.
    ax, theme
        Axes to draw on; `light` or `dark`.

    """
    it = data.reliability(rows)
    with drawing(ax, theme, (4.2, 3.9)) as (axes, colours):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks([], minor=True)
        ends = np.array([min([0.02, *(0.7 * it.stated)]), max([1.6, *(1.6 * it.stated)])])
        axes.fill_between(
            ends, ends / 2.0, ends * 2.0, color=colours.good, alpha=0.13, lw=0.0, label="factor of 2"
        )
        axes.plot(ends, ends, color=colours.soft, lw=0.8, ls="--", label="as stated")
        axes.vlines(it.stated, np.maximum(it.low, FLOOR), it.high, color=colours.bad, lw=1.6, zorder=3)
        axes.plot(
            it.stated, np.maximum(it.measured, FLOOR), "o", color=colours.bad, ms=6.5, mec=colours.paper,
            zorder=4, label="measured, 90 % interval",
        )  # fmt: skip
        stated = it.stated.tolist() or [0.1, 1.0]
        axes.set_xticks(stated, [f"{value:g}" for value in stated])
        ticks = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_yticks([], minor=True)
        axes.set_xlim(*ends)
        axes.set_ylim(bottom=0.9 * FLOOR)
        axes.set_xlabel("stated: false incidents an account-month")
        axes.set_ylabel("measured")
        axes.legend(loc="upper left", fontsize=7.5)
        return axes


def party_colour(party: data.Party, colours: Palette) -> str:
    """Colour of one on the other side."""
    if np.isnan(party.loss):
        return colours.market
    return colours.bad if party.loss > 0.0 else colours.usual


def party_words(party: data.Party, unit: str) -> tuple[str, str]:
    """Name and figures of one on the other side."""
    took = "" if np.isnan(party.loss) else f", took {words.money(party.loss, unit)}"
    return party.name, f"{words.plural(party.fills, 'fill')}{took}"


def _norm(deviation_bps: NDArray[np.float64]) -> Any:
    """Scale of deviations: even around 0, logarithmic beyond `LEAST_BPS`."""
    from matplotlib.colors import SymLogNorm

    known = np.abs(deviation_bps[np.isfinite(deviation_bps)])
    most = max(10.0 * LEAST_BPS, float(known.max(initial=0.0)))
    return SymLogNorm(LEAST_BPS, vmin=-most, vmax=most, base=10)


def _colour_bar(axes: Axes, norm: Any, colouring: Any, colours: Palette) -> None:
    from matplotlib.cm import ScalarMappable

    figure = axes.get_figure(root=True)
    if figure is None:
        return
    bar = figure.colorbar(ScalarMappable(norm, colouring), ax=axes, pad=0.01, fraction=0.04)
    powers = [10.0**n for n in range(1, 16) if 10.0**n <= norm.vmax]
    ticks = [*(-power for power in powers[::-1]), 0.0, *powers]
    bar.set_ticks(ticks, labels=[f"{tick:,.0f}" for tick in ticks])
    bar.ax.tick_params(length=0.0, colors=colours.soft, labelsize=7.0, which="both")
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)
    bar.set_label("deviation, bps, cost > 0", color=colours.soft, fontsize=7.5)


def _plain(axes: Axes) -> None:
    """Label the axis of values with numbers as people write them: powers would be written as formulas."""
    from matplotlib.ticker import FuncFormatter

    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: words.number(value)))


def _spans(axes: Axes, spans: tuple[data.Span, ...], colours: Palette, *, shade: bool = False) -> None:
    """Mark incidents: shaded where told, with a line at the alert."""
    for number, span in enumerate(spans):
        if shade:
            axes.axvspan(span.first, span.last, color=colours.bad, alpha=0.18, lw=0.0)  # type: ignore[arg-type]
        axes.axvline(span.alerted, color=colours.bad, lw=1.0)  # type: ignore[arg-type]
        if number == 0 or shade:
            axes.annotate(
                span.label if shade else "alert", (span.alerted, 1.0), (4.0, -3.0),
                xycoords=("data", "axes fraction"), textcoords="offset points", va="top", fontsize=7.0,
                color=colours.bad,
            )  # fmt: skip


def _times(axes: Axes) -> None:
    """Label the axis of times as short as can be, in UTC."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_xlabel("UTC")
