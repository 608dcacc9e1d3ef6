"""Drawings to hover over and zoom into, with plotly (the extra `interactive`): twins of `drainwatch.plots`.

Each takes a `drainwatch.Replay` or `drainwatch.Incident` and a theme (`light` or `dark`), and gives a
figure. Names from outside are escaped: plotly reads texts as HTML.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drainwatch.plots import data
from drainwatch.plots.pictures import FLOOR, LEAST_BPS, party_colour, party_words
from drainwatch.plots.style import DEVIATION, Palette, Theme, palette
from drainwatch.plots.subject import Subject
from drainwatch.report import words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TEXT: Final = "%{text}<extra></extra>"
_HOVERTEXT: Final = "%{hovertext}<extra></extra>"
"""Hovering shows the text alone: what is put into it is never read as a template."""


def price(
    of: Subject, *, symbol: str | None = None, account: str | None = None, theme: Theme = "light"
) -> Figure:
    """Draw one market's price with fair value and fills, coloured by how far off they were.

    Parameters
    ----------
    of
        An incident, drawn with the hours around it, or a whole replay.
    symbol, account
        Which to draw; needed where there are several and no incident tells.
    theme
        `light` or `dark`.

    Raises
    ------
    InputError
        There is no such market or account, or several and none was named.

    """
    it = data.price(of, symbol, account)
    colours = palette(theme)
    figure = _figure(it.title, colours, across="UTC", up=f"price, {it.unit}" if it.unit else "price")
    figure.add_scatter(
        x=it.market_times, y=it.market, mode="lines", name="market",
        line={"color": colours.market, "width": 1},
        hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=it.times, y=it.fair, mode="markers", name="fair value", hoverinfo="skip",
        marker={"symbol": "line-ew-open", "color": colours.fair, "size": 8},
    )  # fmt: skip
    bend = np.arcsinh(it.deviation_bps / LEAST_BPS)
    most = float(np.nanmax(np.abs(bend), initial=np.arcsinh(10.0)))
    ticks = [
        value for n in range(1, 16) for value in (10.0**n, -(10.0**n)) if 10.0**n / LEAST_BPS <= np.sinh(most)
    ]
    ticks = sorted([0.0, *ticks])
    for number, (buys, name) in enumerate(((True, "buy"), (False, "sell"))):
        those = it.buys == buys
        marker: dict[str, Any] = {
            "symbol": "triangle-up" if buys else "triangle-down",
            "size": np.where(it.mine[those], 11, 7),
            "color": np.nan_to_num(bend[those]),
            "cmin": -most,
            "cmax": most,
            "colorscale": [list(stop) for stop in DEVIATION],
            "line": {"width": np.where(it.mine[those], 1, 0), "color": colours.ink},
            "opacity": np.where(np.isnan(bend[those]), 0.4, 1.0),
        }
        if number == 0:
            marker["colorbar"] = {
                "title": {"text": "deviation, bps", "side": "right"},
                "tickvals": [float(np.arcsinh(tick / LEAST_BPS)) for tick in ticks],
                "ticktext": [f"{tick:,.0f}" for tick in ticks],
                "thickness": 10,
            }
        figure.add_scatter(
            x=it.times[those], y=it.prices[those], mode="markers", name=name, marker=marker,
            text=[
                f"{name} at {words.price(it.prices[at])}<br>fair value {words.price(it.fair[at])}"
                f"<br>deviation {words.number(it.deviation_bps[at])} bps"
                for at in np.flatnonzero(those)
            ],
            hovertemplate=_TEXT,
        )  # fmt: skip
    _spans(figure, it.spans, colours)
    return figure


def money(of: Subject, *, account: str | None = None, theme: Theme = "light") -> Figure:
    """Draw an account's money over time, incidents shaded; what is gone so far where nothing else is known.

    Parameters
    ----------
    of
        An incident, drawn with the hours around it, or a whole replay.
    account
        Whose; needed where there are several and no incident tells.
    theme
        `light` or `dark`.

    Raises
    ------
    InputError
        There is no such account, or several and none was named; or losses in currencies that
        aren't known in dollars, and no balances.

    """
    it = data.money(of, account)
    colours = palette(theme)
    figure = _figure(it.title, colours, across="UTC", up=it.unit)
    figure.add_scatter(
        x=it.times, y=it.values, mode="lines", name="gone" if it.gone else "left",
        line={"shape": "hv", "color": colours.bad if it.gone else colours.usual},
        text=[_plain(words.money(value, it.unit)) for value in it.values], hovertemplate=_TEXT,
    )  # fmt: skip
    figure.update_yaxes(rangemode="tozero")
    figure.update_layout(showlegend=False)
    _spans(figure, it.spans, colours, shade=True)
    return figure


def reasons(of: Subject, *, theme: Theme = "light") -> Figure:
    """Draw what each reason contributed to the score of an alert, in nats, the strongest on top.

    Parameters
    ----------
    of
        An incident, or a replay: then its first.
    theme
        `light` or `dark`.

    """
    it = data.reasons(of)
    colours = palette(theme)
    figure = _figure(it.title, colours, across="contribution to the score, nats", up="")
    figure.add_bar(
        x=np.nan_to_num(it.nats), y=[_plain(name) for name in it.names], orientation="h",
        marker={"color": colours.bad},
        text=["unknown" if np.isnan(nats) else f"{nats:.3g}" for nats in it.nats.tolist()],
        hovertext=[_plain(text) for text in it.texts], hovertemplate=_HOVERTEXT,
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def markouts(
    of: Subject, market: Any, *, horizons_s: tuple[float, ...] = data.HORIZONS_S, theme: Theme = "light"
) -> Figure:
    """Draw how prices stood after an incident's fills and after the others: medians and quartiles.

    Parameters
    ----------
    of
        An incident, or a replay: then all of its incidents.
    market
        Quotes, trades or candles as given to `drainwatch.replay`.
    horizons_s
        How long after a fill, in seconds.
    theme
        `light` or `dark`.

    """
    colours = palette(theme)
    figure = _figure("Markouts: medians and quartiles", colours, across="after the fill", up="bps, good > 0")
    for it in data.markouts(of, market, horizons_s):
        figure.add_scatter(
            x=it.horizons_s, y=it.median_bps, mode="lines+markers", name=it.label,
            line={"color": colours.bad if it.incident else colours.usual},
            error_y={
                "array": it.high_bps - it.median_bps, "arrayminus": it.median_bps - it.low_bps,
                "thickness": 1, "width": 3,
            },
            text=[
                f"{words.number(median)} bps ({words.number(low)} to {words.number(high)}), "
                f"{words.plural(n, 'fill')}"
                for low, median, high, n in zip(
                    it.low_bps, it.median_bps, it.high_bps, it.count.tolist(), strict=True
                )
            ],
            hovertemplate=_TEXT,
        )  # fmt: skip
    figure.update_xaxes(
        type="log",
        tickvals=list(horizons_s),
        ticktext=[words.duration(1_000 * horizon_s) for horizon_s in horizons_s],
    )
    figure.add_hline(y=0.0, line={"color": colours.soft, "width": 1})
    return figure


def network(of: Subject, *, theme: Theme = "light") -> Figure:
    """Draw who was on the other side of an incident's fills; the more they were paid, the thicker the line.

    Parameters
    ----------
    of
        An incident, or a replay: then its first.
    theme
        `light` or `dark`.

    Raises
    ------
    InputError
        The fills don't tell who was on the other side, or are in currencies that aren't known in dollars.

    """
    it = data.network(of)
    colours = palette(theme)
    figure = _figure(it.title, colours, across="", up="")
    most = max((party.value for party in it.parties), default=0.0) or 1.0
    for party in it.parties:
        figure.add_scatter(
            x=[0.0, party.x], y=[0.0, party.y], mode="lines", hoverinfo="skip",
            line={"color": party_colour(party, colours), "width": 1.0 + 7.0 * party.value / most},
        )  # fmt: skip
    figure.add_scatter(
        x=[party.x for party in it.parties], y=[party.y for party in it.parties], mode="markers+text",
        marker={"size": 14, "color": [party_colour(party, colours) for party in it.parties], "opacity": 1.0},
        text=[_plain(party.name) for party in it.parties], textposition="top center",
        hovertext=["<br>".join(map(_plain, party_words(party, it.unit))) for party in it.parties],
        hovertemplate=_HOVERTEXT,
    )  # fmt: skip
    figure.add_scatter(
        x=[0.0], y=[0.0], mode="markers+text", marker={"size": 26, "color": colours.ink},
        text=[_plain(it.account)], textposition="bottom center", hoverinfo="skip",
    )  # fmt: skip
    figure.update_xaxes(visible=False, range=[-1.5, 1.5])
    figure.update_yaxes(visible=False, range=[-1.3, 1.4], scaleanchor="x")
    figure.update_layout(showlegend=False)
    return figure


def scores(of: Subject, *, theme: Theme = "light") -> Figure:
    """Draw how often scores were reached beside what harmless trading is calibrated to, with the threshold.

    Parameters
    ----------
    of
        A replay; of an incident, the replay it is of.
    theme
        `light` or `dark`.

    """
    it = data.scores(of)
    colours = palette(theme)
    title = f"{it.title}, over {words.number(it.months, 2)} account-months"
    figure = _figure(title, colours, across="score", up="times an account-month")
    for values, colour, dash, name in (
        (it.calibrated, colours.soft, "dash", "harmless, as calibrated"),
        (it.reached, colours.bad, "solid", "this replay"),
        (it.others, colours.usual, "solid", "without incidents"),
    ):
        figure.add_scatter(
            x=it.levels, y=np.where(values > 0.0, values, np.nan), mode="lines", name=name,
            line={"color": colour, "dash": dash, "shape": "linear" if dash == "dash" else "hvh"},
        )  # fmt: skip
    figure.update_yaxes(type="log")
    figure.add_vline(
        x=it.threshold,
        line={"color": colours.ink, "width": 1, "dash": "dot"},
        annotation_text=f"threshold {it.threshold:.3g}",
    )
    return figure


def reliability(rows: Any, *, theme: Theme = "light") -> Figure:
    """Draw measured rates of false incidents against stated budgets: 90 % intervals, a factor of 2 shaded.

    Parameters
    ----------
    rows
        A table or list with `budget`, `measured`, `low` and `high`: `calibration` in the result of
        `drainwatch lab bench`.
    theme
        `light` or `dark`.

    """
    it = data.reliability(rows)
    colours = palette(theme)
    figure = _figure(
        "False incidents as promised?",
        colours,
        across="stated: false incidents an account-month",
        up="measured",
    )
    ends = np.array([min([0.02, *(0.7 * it.stated)]), max([1.6, *(1.6 * it.stated)])])
    figure.add_scatter(
        x=[*ends, *ends[::-1]], y=[*(ends / 2.0), *(2.0 * ends[::-1])], fill="toself", mode="none",
        name="factor of 2", fillcolor=colours.good, opacity=0.2, hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=ends, y=ends, mode="lines", name="as stated", line={"color": colours.soft, "dash": "dash"}
    )
    shown = np.maximum(it.measured, FLOOR)
    figure.add_scatter(
        x=it.stated, y=shown, mode="markers", name="measured, 90 % interval",
        marker={"color": colours.bad, "size": 10},
        error_y={"array": it.high - shown, "arrayminus": shown - np.maximum(it.low, FLOOR), "width": 0},
    )  # fmt: skip
    figure.update_xaxes(type="log")
    figure.update_yaxes(type="log")
    return figure


def _figure(title: str, colours: Palette, *, across: str, up: str) -> Figure:
    """An empty figure in a theme's colours."""
    from plotly.graph_objects import Figure

    axis = {"gridcolor": colours.line, "zeroline": False, "linecolor": colours.line, "color": colours.soft}
    return Figure(
        layout={
            "title": {"text": _plain(title), "font": {"size": 15}},
            "paper_bgcolor": colours.paper,
            "plot_bgcolor": colours.paper,
            "font": {"color": colours.ink, "size": 12},
            "hovermode": "closest",
            "legend": {"orientation": "h", "y": -0.3},
            "margin": {"l": 60, "r": 20, "t": 50, "b": 50},
            "template": None,
            "xaxis": axis | {"title": {"text": _plain(across)}},
            "yaxis": axis | {"title": {"text": _plain(up)}, "automargin": True},
        }
    )


def _plain(text: str) -> str:
    """Write a text so that neither plotly's HTML nor its formulas read anything into it."""
    return html.escape(text, quote=False).replace("$", "&#36;")


def _spans(figure: Figure, spans: tuple[data.Span, ...], colours: Palette, *, shade: bool = False) -> None:
    """Mark incidents: shaded where told, with a line at the alert."""
    for span in spans:
        if shade:
            figure.add_vrect(x0=span.first, x1=span.last, fillcolor=colours.bad, opacity=0.18, line_width=0)
        figure.add_shape(
            type="line", x0=span.alerted, x1=span.alerted, y0=0, y1=1, yref="paper",
            line={"color": colours.bad, "width": 1},
        )  # fmt: skip
        figure.add_annotation(
            x=span.alerted, y=1, yref="paper", showarrow=False, xanchor="left", yanchor="bottom",
            text=_plain(span.label) if shade else "alert", font={"color": colours.bad, "size": 11},
        )  # fmt: skip
