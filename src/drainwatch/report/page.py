"""A whole replay as one HTML page: no network, no script; every word from outside is escaped.

A content security policy in the page itself forbids whatever would load or run something, so
that even a mistake in here could not.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup
from numpy.typing import NDArray

from drainwatch.report import charts, text, words
from drainwatch.report.charts import MAX_MARKS
from drainwatch.report.diary import Diary
from drainwatch.report.drawings import Series, drawings, losses
from drainwatch.report.quality import quality
from drainwatch.report.quiet import quiet
from drainwatch.report.table import Fills, FillTable
from drainwatch.report.text import Incident
from drainwatch.report.timeline import timeline

MAX_INCIDENTS = 50
"""Incidents shown in full."""
MAX_LISTED = 500
"""Incidents named at all."""
DETAILED = 10
"""Incidents with all details; those after them are drawn with fewer marks, and fewer fills are listed."""
MAX_ROWS = 200
"""Fills listed for an incident."""
FEW_ROWS = 40
"""Fills listed for one that isn't among the first."""
FEW_MARKS = 60
"""Fills drawn for one that isn't among the first."""
MAX_REASONS = 8


def to_html(
    incidents: Sequence[Incident],
    fills: Fills,
    summary: Mapping[str, Any] | None = None,
    *,
    equity: Series | None = None,
    market: Series | None = None,
) -> str:
    """Write the page; the same input gives the same text.

    Parameters
    ----------
    incidents
        Objects of `incidents.jsonl`.
    fills
        The accepted fills, or those near incidents, as of `FillTable`: columns by name, or one
        mapping a row.
    summary
        What is known of the replay; all of it optional: `n_fills`, `counts` (by table, the number
        of rows, or a mapping of `rows`, `rejected`, `duplicates`), `rejects`, `blind_reasons`
        and `fair_sources` (name to number of fills), `span_ms` (first and last time),
        `false_alarms_per_month`, `model`, `version`, `equity_currency`, `bad_rows` (the first of
        each table, as in `rejected.jsonl`), and `diary` (`Diary`): without one it is written of `fills`.
    equity
        By account: what it was worth over time, in `equity_currency`. Without it the page draws
        what was lost so far.
    market
        By symbol, or by (exchange, symbol): the market's price over time.

    Returns
    -------
    str
        One document that needs nothing else; of bounded size, however long the replay.
    """
    summary = summary or {}
    table = FillTable(fills)
    diary = summary.get("diary") or Diary.of(table)
    ordered = sorted(incidents, key=lambda i: text.severity_of(i) != "critical")
    cards = [
        _card(place, incident, table, summary, equity or {}, market or {})
        for place, incident in enumerate(ordered[:MAX_INCIDENTS], 1)
    ]
    first, last = text.span_of(table, summary)
    return _template().render(
        title=_title(ordered),
        verdict=_keep(text.verdict(ordered, table, summary)),
        mood=_mood(ordered, table, summary),
        facts=_facts(ordered, diary, summary, first, last),
        cards=cards,
        listed=[_line(place, incident) for place, incident in enumerate(ordered[:MAX_LISTED], 1)],
        full=MAX_INCIDENTS,
        unlisted=max(0, len(ordered) - MAX_LISTED),
        timeline=timeline(diary, ordered),
        quiet=quiet(diary, ordered, summary),
        partial=_partial(diary, table, summary),
        quality=quality(table, diary, summary),
        footer=_footer(summary),
        style=_style(),
        definitions=charts.DEFINITIONS,
    )


@cache
def _template() -> Template:
    """Read the template that lies beside this file."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(files("drainwatch.report").joinpath("page.html.j2").read_text("utf-8"))


@cache
def _style() -> Markup:
    """Read the style sheet that lies beside this file."""
    return Markup(files("drainwatch.report").joinpath("page.css").read_text("utf-8"))  # noqa: S704 - our own file


def _keep(said: str) -> str:
    """Keep a number and its percent sign, currency or UTC on one line."""
    return re.sub(r"(?<=\d) (?=%|[A-Z]{3,5}\b)", "\u00a0", said)


def _title(incidents: Sequence[Incident]) -> str:
    """Title of the browser's tab."""
    return f"drainwatch: {words.plural(len(incidents), 'incident') if incidents else 'no incident'}"


def _mood(incidents: Sequence[Incident], table: FillTable, summary: Mapping[str, Any]) -> str:
    """Tell how the page greets: critical, warning, quiet, or blind where much was not judged."""
    if incidents:
        return "critical" if any(text.severity_of(i) == "critical" for i in incidents) else "warning"
    total = int(summary.get("n_fills") or len(table))
    blind = sum(int(n) for n in (summary.get("blind_reasons") or {}).values())
    return "warning" if total and blind >= total / 2 else "quiet"


def _facts(
    incidents: Sequence[Incident],
    diary: Diary,
    summary: Mapping[str, Any],
    first: int | None,
    last: int | None,
) -> list[tuple[str, str]]:
    """List what was looked at: fills, time, accounts, markets, money."""
    total = int(summary.get("n_fills") or diary.fills)
    facts = [("Fills", f"{total:,}")]
    if first is not None and last is not None:
        facts += [("From", words.moment(first)), ("To", words.moment(last))]
    markets: Counter[str] = Counter()
    exchanges: Counter[str] = Counter()
    for (exchange, symbol), n in diary.pairs.items():
        markets[symbol] += n
        exchanges[exchange] += n
    for name, names in (
        ("Account", diary.accounts),
        ("Exchange", exchanges),
        ("Market", markets),
    ):
        shown = [value for value, _ in sorted(names.items(), key=lambda pair: (-pair[1], pair[0])) if value]
        if shown:
            facts.append(
                (name if len(shown) == 1 else f"{len(shown):,} {name.lower()}s", words.listing(shown))
            )
    return facts + _money(incidents, diary, summary)


def _money(incidents: Sequence[Incident], diary: Diary, summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say what all accounts were worth at first and at last, and what went in incidents."""
    facts = []
    if diary.worth:
        first = math.fsum(worth.first for worth in diary.worth.values())
        last = math.fsum(worth.last for worth in diary.worth.values())
        unit = summary.get("equity_currency")
        facts.append(("Worth at first and last", f"{words.money(first)} and {words.money(last, unit)}"))
    gone: dict[str, float] = {}
    for incident in incidents:
        loss = words.as_float(incident.get("loss"))
        if math.isfinite(loss) and loss > 0:
            unit = words.clean(incident.get("loss_currency"), 20)
            gone[unit] = gone.get(unit, 0.0) + loss
    if gone:
        sums = [words.money(loss, unit) for unit, loss in sorted(gone.items())]
        facts.append(("Gone in incidents", _keep(words.listing(sums))))
    return facts


def _partial(diary: Diary, table: FillTable, summary: Mapping[str, Any]) -> str:
    """Say that the diary knows a part only; empty where it knows all."""
    total = int(summary.get("n_fills") or len(table))
    return f"Days are known of {diary.fills:,} of {total:,} fills." if diary.fills < total else ""


def _line(place: int, incident: Incident) -> dict[str, Any]:
    """One incident in the list of all."""
    return {
        "place": place,
        "severity": text.severity_of(incident),
        "kind": text.kind_of(incident).title,
        "account": words.clean(incident.get("account")),
        "symbols": words.listing(incident.get("symbols") or (), most=1),
        "at": words.moment(incident.get("opened_at")),
        "loss": words.money(incident.get("loss"), incident.get("loss_currency")),
        "share": words.percent(incident.get("equity_share")),
    }


def _card(
    place: int,
    incident: Incident,
    table: FillTable,
    summary: Mapping[str, Any],
    equity: Series,
    market: Series,
) -> dict[str, Any]:
    """Everything that is shown of one incident."""
    rows = table.of_incident(incident.get("id"))
    detailed = place <= DETAILED
    kind = text.kind_of(incident)
    at_first = words.kind_of(incident.get("kind"))
    return {
        "place": place,
        "severity": text.severity_of(incident),
        "kind": words.upper_first(kind.title),
        "meaning": kind.meaning,
        "kind_first": at_first.title if at_first is not kind else "",
        "headline": _keep(text.headline(incident, table)),
        "tiles": _tiles(incident, table, rows),
        "steps": text.steps(incident),
        "charts": drawings(
            incident, table, rows, summary, equity, market, MAX_MARKS if detailed else FEW_MARKS
        ),
        "reasons": [_reason(reason) for reason in (incident.get("reasons") or ())[:MAX_REASONS]],
        "when": words.upper_first(text.when(incident)),
        "judged": _judged(incident),
        "id": words.clean(incident.get("id")),
        "fills": _fill_rows(incident, table, rows, MAX_ROWS if detailed else FEW_ROWS),
    }


def _tiles(incident: Incident, table: FillTable, rows: NDArray[np.int64]) -> list[tuple[str, str]]:
    """Figures at the head of an incident: label and value."""
    loss, share = words.as_float(incident.get("loss")), words.as_float(incident.get("equity_share"))
    currency = incident.get("loss_currency")
    tiles = [("Gone", words.money(loss, currency))]
    if math.isfinite(share):
        tiles.append(("Of the account", words.percent(share)))
        if share > 0:
            tiles.append(("Left, about", words.money(max(0.0, loss / share - loss), currency)))
    alerted = words.as_float(incident.get("alerted_at"))
    lost = losses(incident, table, rows)
    if lost is not None and math.isfinite(alerted):
        before = float(lost[table.floats("timestamp")[rows] <= alerted].sum())
        tiles.append(("Gone at the alert", words.money(max(0.0, before), currency)))
    tiles.append(("Fills", f"{len(incident.get('fills') or ()):,}"))
    opened = words.as_float(incident.get("opened_at"))
    if math.isfinite(opened) and math.isfinite(alerted):
        late = alerted - opened
        tiles.append(("Alert after", words.duration(late) if late > 0 else "first fill"))
    return tiles


def _reason(reason: Mapping[str, Any]) -> dict[str, str]:
    """Read a reason as it is shown; figures that its text tells already aren't told twice."""
    said = words.clean(reason.get("text"), 300)
    told = "(usual" in said
    value, typical = words.as_float(reason.get("value")), words.as_float(reason.get("typical"))
    return {
        "text": words.upper_first(said or words.spoken(reason.get("feature"))),
        "feature": words.clean(reason.get("feature")),
        "value": words.number(value) if math.isfinite(value) and not told else "",
        "typical": words.number(typical) if math.isfinite(typical) and not told else "",
    }


def _judged(incident: Incident) -> str:
    """Say how sure the judgement is."""
    score = words.as_float(incident.get("score"))
    if not math.isfinite(score):
        return ""
    rare = words.rarity(incident.get("p_value"))
    return f"Score {words.number(score)} at the alert" + (f": {rare}." if rare else ".")


def _fill_rows(incident: Incident, table: FillTable, rows: NDArray[np.int64], most: int) -> dict[str, Any]:
    """Fills of an incident as they are listed, and the sums of those that aren't."""
    times = table.floats("timestamp")[rows]
    days = len(rows) > 0 and words.day(times[0]) != words.day(times[-1])
    alert = incident.get("alert_fill") or {}
    alert_key = [str(alert.get(name)) for name in ("symbol", "id", "side")] if alert else None
    listed = []
    for row in map(int, rows[:most]):
        at_ms = table.floats("timestamp")[row]
        off_bps = table.floats("deviation_bps")[row]
        key = [str(table.value(name, row)) for name in ("symbol", "id", "side")]
        listed.append(
            {
                "time": words.moment(at_ms).removesuffix(" UTC") if days else words.clock(at_ms),
                "symbol": table.text("symbol", row),
                "side": table.text("side", row),
                "price": words.price(table.floats("price")[row]),
                "fair": words.price(table.floats("fair_price")[row]),
                "off": _keep(words.percent(off_bps / 1e4)),
                "bad": bool(off_bps > 0),
                "amount": words.number(table.floats("amount")[row], 6),
                "source": words.FAIR_SOURCES.get(name := table.text("fair_source", row), name),
                "score": words.number(table.floats("score")[row], 3),
                "id": table.text("id", row),
                "order": table.text("order", row),
                "blind": table.text("blind", row),
                "flagged": bool(table.flagged[row]),
                "alert": key == alert_key,
            }
        )
    total = len(rows) or len(incident.get("fills") or ())
    return {"rows": listed, "total": total, "rest": _rest(table, rows[most:], incident, rows)}


def _rest(table: FillTable, rest: NDArray[np.int64], incident: Incident, rows: NDArray[np.int64]) -> str:
    """Sum up the fills that aren't listed; empty where there is none."""
    if not len(rest):
        return ""
    sides = [table.value("side", int(row)) for row in rest]
    said = f"and {len(rest):,} more: {words.plural(sides.count('buy'), 'buy')}, "
    said += words.plural(sides.count("sell"), "sell")
    lost = losses(incident, table, rows)
    if lost is not None:
        said += f", {words.money(lost[-len(rest) :].sum(), incident.get('loss_currency'))} gone"
    return said


def _footer(summary: Mapping[str, Any]) -> list[str]:
    """Say what judged: model, budget, version."""
    said = []
    if summary.get("model"):
        said.append(f"model {words.clean(summary['model'])}")
    budget = words.as_float(summary.get("false_alarms_per_month"))
    if math.isfinite(budget):
        said.append(f"budget {words.number(budget)} false incidents an account and month")
    if summary.get("version"):
        said.append(f"drainwatch {words.clean(summary['version'])}")
    return said
