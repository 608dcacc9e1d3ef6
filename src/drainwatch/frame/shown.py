"""What a notebook shows of a replay and of an incident: HTML in the notebook's own colours, all escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from drainwatch.replay import Page
from drainwatch.report import headline, text, words
from drainwatch.report.table import FillTable

MOST_INCIDENTS: Final = 20
"""Incidents listed; how many more there are is said."""
_CELL: Final = "text-align:left;vertical-align:top;padding:.25em .9em .25em 0"
_BADGE: Final = (
    "display:inline-block;border:1px solid currentColor;border-radius:.6em;padding:0 .5em;font-size:.85em"
)
_SOFT: Final = "opacity:.75"


def replay_html(page: Page) -> Markup:
    """Show a replay: how many incidents in how many fills, what could not be judged, and the incidents."""
    about = page.about
    said = f"{words.plural(len(page.incidents), 'incident')} in {words.plural(about['n_fills'], 'fill')}"
    first_ms, last_ms = about["span_ms"] or (None, None)
    notes = [words.upper_first(words.between(first_ms, last_ms))]
    blind = sum(about["blind_reasons"].values())
    if blind:
        notes.append(f"{words.plural(blind, 'fill')} could not be judged")
    if about["rejects"]:
        notes.append(f"{words.plural(about['rejects'], 'row')} could not be read")
    notes.append(f"budget {words.number(about['false_alarms_per_month'])} false incidents an account-month")
    rows = [
        (
            _badge(incident),
            text.kind_of(incident).title,
            words.clean(incident["account"]),
            words.listing(incident["symbols"], noun="pair"),
            words.moment(incident["alerted_at"]),
            words.money(incident["loss"], incident["loss_currency"]),
            words.plural(len(incident["fills"]), "fill"),
            words.clean(incident["id"]),
        )
        for incident in page.incidents[:MOST_INCIDENTS]
    ]
    head = ("", "what", "account", "where", "alerted", "gone", "", "id")
    more = len(page.incidents) - len(rows)
    return Markup(
        '<div><p style="margin:.4em 0"><b>{}</b><br><span style="{}">{}.</span></p>{}{}</div>'
    ).format(
        said,
        _SOFT,
        "; ".join(notes),
        _table(head, rows) if rows else "",
        Markup("<p>{} more.</p>").format(f"{more:,}") if more > 0 else "",
    )


def incident_html(incident: Mapping[str, Any], fills: Any) -> Markup:
    """Show an incident: what happened in a sentence, what to do, why, and the facts."""
    table = FillTable(fills)
    why = Markup("").join(Markup("<li>{}</li>").format(reason) for reason in text.reasons(incident))
    return Markup(
        '<div><p style="margin:.4em 0">{} <b>{}</b></p><p style="margin:.4em 0">Now: {}</p>'
        '<ol style="margin:.4em 0">{}</ol>{}</div>'
    ).format(
        _badge(incident),
        headline(incident, table),
        text.what_now(incident),
        why,
        _table((), text.facts(incident, table)),
    )


def _badge(incident: Mapping[str, Any]) -> Markup:
    severity = text.severity_of(incident)
    strong = ";font-weight:bold" if severity == "critical" else ""
    return Markup('<span style="{}{}">{}</span>').format(_BADGE, strong, severity)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """Write a table; a cell is escaped unless it is `Markup`."""
    top = Markup("").join(Markup('<th style="{}">{}</th>').format(_CELL, name) for name in head)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup('<td style="{}">{}</td>').format(_CELL, cell) for cell in row)
        )
        for row in rows
    )
    return Markup("<table>{}<tbody>{}</tbody></table>").format(
        Markup("<thead><tr>{}</tr></thead>").format(top) if head else "", body
    )
