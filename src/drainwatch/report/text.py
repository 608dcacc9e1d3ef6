"""An incident in plain text, as its owner would want to read it in a terminal or a chat."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from drainwatch.report import words
from drainwatch.report.responses import words_of
from drainwatch.report.table import Fills, FillTable

Incident = Mapping[str, Any]
"""One object of `incidents.jsonl`."""

MAX_REASONS = 3


def headline(incident: Incident, fills: Fills | FillTable | None = None) -> str:
    """Say in one sentence what happened.

    Parameters
    ----------
    incident
        One object of `incidents.jsonl`.
    fills
        The table of fills, as of `FillTable`. Without it the sentence leaves out how far the
        prices were off, and when the last fill was.
    """
    table = fills if isinstance(fills, FillTable) else FillTable(fills)
    rows = table.of_incident(incident.get("id"))
    when = words.between(
        incident.get("opened_at"), table.floats("timestamp")[rows[-1]] if len(rows) else None
    )
    if not len(rows) and len(incident.get("fills") or ()) > 1:
        when = f"since{when.removeprefix('at')}"
    account = words.clean(incident.get("account")) or "default"
    stolen = is_theft(incident)
    who = "somebody" if stolen else f"account {account}"
    pairs = words.listing(incident.get("symbols") or (), noun="pair")
    off = how_far_off(incident, table)
    done = f"{words.upper_first(when)} {who} {_verb(incident)} {pairs}{' ' + off if off else ''}"
    loss = words.as_float(incident.get("loss"))
    share = words.as_float(incident.get("equity_share"))
    if not math.isfinite(loss):
        end = "how much is gone is unknown"
    elif loss <= 0:
        end = "nothing lost so far"
    else:
        end = f"{words.money(loss, incident.get('loss_currency'))} gone"
        end += " in fees and prices" if kind_of(incident) is words.KINDS["fee_churn"] else ""
        if math.isfinite(share):
            end += (
                f", {words.percent(share)} of account {account}"
                if stolen
                else f", {words.percent(share)} of it"
            )
        elif stolen:
            end += f" from account {account}"
    return f"{done}: {end}." + ("" if stolen else " This may have been you.")


def severity_of(incident: Incident) -> str:
    """Severity by now: `critical` once it was or became so, else `warning`."""
    escalated = words.as_ms(incident.get("escalated_at")) is not None
    return "critical" if escalated or incident.get("severity") == "critical" else "warning"


def kind_of(incident: Incident) -> words.Kind:
    """Words for what it resembles by now, which knows more than the alert did."""
    return words.kind_of(incident.get("kind_now") or incident.get("kind"))


def is_theft(incident: Incident) -> bool:
    """Tell whether to speak of somebody else: critical, and not like an owner's own bad fill."""
    return severity_of(incident) == "critical" and kind_of(incident) is not words.KINDS["own_bad_fill"]


def _verb(incident: Incident) -> str:
    """Say what was done, from the sides of its fills."""
    sides = {str(fill.get("side")) for fill in incident.get("fills") or ()}
    if sides == {"sell"}:
        return "sold on"
    return "bought on" if sides == {"buy"} else "bought and sold on"


@np.errstate(all="ignore")  # of numbers that no market has
def how_far_off(incident: Incident, table: FillTable) -> str:
    """Say how far the fills of an incident were from fair value; empty where unknown."""
    rows = table.of_incident(incident.get("id"))
    paid, fair = table.floats("price")[rows], table.floats("fair_price")[rows]
    amount = table.floats("amount")[rows]
    worth = np.where(fair > 0, fair * amount, np.nan)
    known = np.isfinite(paid * amount) & np.isfinite(worth)
    sides = {table.value("side", int(row)) for row in rows[known]}
    if 2 * known.sum() < len(rows):  # what holds for a few of them isn't what happened
        return ""
    one_pair = len(table.symbols(rows[known])) == 1
    if one_pair and len(sides) == 1:
        off = words.off_price(sides.pop(), (paid * amount)[known].sum(), worth[known].sum())
        return f"at {off}" if off else ""
    adverse = table.floats("deviation_bps")[rows]
    weights = worth if one_pair else np.ones(len(rows))
    usable = np.isfinite(adverse * weights)
    mean_bps = float((adverse * weights)[usable].sum() / weights[usable].sum())
    if not 0 < mean_bps < np.inf:
        return ""
    return f"at prices {words.percent(mean_bps / 1e4)} worse than fair value"


def money_gone(incident: Incident) -> str:
    """Say how much is gone, of what, and what is left."""
    account = words.clean(incident.get("account")) or "default"
    venue = words.clean(incident.get("exchange"))
    where = f"account {account}" + (f" at {venue}" if venue else "")
    loss = words.as_float(incident.get("loss"))
    share = words.as_float(incident.get("equity_share"))
    currency = incident.get("loss_currency")
    if not math.isfinite(loss):
        return f"an unknown amount gone from {where}"
    if loss <= 0:
        return f"nothing gone yet from {where}"
    said = f"{words.money(loss, currency)} gone from {where}"
    if not math.isfinite(share) or share <= 0:
        return f"{said}; what is left is unknown (no balances given)"
    left = loss / share - loss
    if left <= 0:
        return f"{said}, {words.percent(share)} of it: all that it held"
    return f"{said}, {words.percent(share)} of it; about {words.money(left, currency)} left"


def steps(incident: Incident) -> list[str]:
    """List what the owner should do now, the most urgent first."""
    account = words.clean(incident.get("account")) or "default"
    venue = words.clean(incident.get("exchange"))
    page = f"on {venue}'s API keys page" if venue else "on the exchange's API keys page"
    support = f"{venue}'s support" if venue else "the exchange's support"
    revoke = f"evoke the API key {page} (type the address yourself). A new password may leave a key working."
    cancel = f"ancel all open orders of account {account}, also those that you don't know."
    if not is_theft(incident):
        return [
            "Look whether you or your bot placed these orders: by hand, or in the bot's own log.",
            f"If not, or if in doubt: r{revoke}",
            f"Then c{cancel}",
            "If it was you: compare the order with the price elsewhere and the depth of the book.",
        ]
    return [
        f"R{revoke}",
        f"C{cancel}",
        "Look for orders that your bot did not place; keep it off until it has a new key on a clean machine.",
        f"Write to {support} with the ids of these fills: they can freeze whoever got the money.",
    ]


def what_now(incident: Incident) -> str:
    """Say what to do in one line."""
    venue = words.clean(incident.get("exchange"))
    at = f" at {venue}" if venue else ""
    do = f"revoke the API key{at}, cancel all open orders"
    if not is_theft(incident):
        return f"check whether you or your bot placed these orders; if not, {do}."
    return f"{do}, then look for orders that your bot did not place."


def reason_facts(reason: Mapping[str, Any]) -> str:
    """Write the value of a reason's feature against what is typical."""
    name = words.clean(reason.get("feature"))
    value, typical = words.as_float(reason.get("value")), words.as_float(reason.get("typical"))
    facts = f"{name} {words.number(value)}".strip() if math.isfinite(value) else name
    if math.isfinite(typical):
        facts += f"{', ' if facts else ''}usual {words.number(typical)}"
    return facts


def to_text(incident: Incident, fills: Fills | FillTable | None = None) -> str:
    """Write an incident as plain text.

    The first line says how much is gone and what is left, the second what to do now; then come
    the three strongest reasons, then the facts. No line holds control characters, whatever the
    symbols and ids do; it ends without a line break.

    Parameters
    ----------
    incident
        One object of `incidents.jsonl`.
    fills
        The table of fills, as of `FillTable`, where prices shall be told too.
    """
    table = fills if isinstance(fills, FillTable) else FillTable(fills)
    lines = [f"{severity_of(incident).upper()}: {money_gone(incident)}", f"Now: {what_now(incident)}"]
    why = reasons(incident)
    if why:
        lines.append("Why:")
    lines += [f"  {place}. {reason}" for place, reason in enumerate(why, 1)]
    lines += [f"{name}: {value}" for name, value in facts(incident, table)]
    return "\n".join(lines)


def reasons(incident: Incident) -> list[str]:
    """Write the strongest reasons, a line each, with their figures where the sentence has none."""
    lines = []
    for reason in (incident.get("reasons") or ())[:MAX_REASONS]:
        said = words.upper_first(words.clean(reason.get("text"), 300))
        figures = "" if "(usual" in said else reason_facts(reason)
        lines.append(f"{said} [{figures}]" if said and figures else said or figures)
    return lines


def facts(incident: Incident, table: FillTable) -> list[tuple[str, str]]:
    """List what is known of an incident: name and value."""
    kind, at_first = kind_of(incident), words.kind_of(incident.get("kind"))
    what = kind.title + ("" if at_first is kind else f"; at the alert: {at_first.title}")
    off = how_far_off(incident, table)
    pairs = words.listing(incident.get("symbols") or (), noun="pair")
    found = [
        ("What", what),
        ("Where", f"{pairs}: {count_sides(incident.get('fills') or ())}{', ' + off if off else ''}"),
        ("When", when(incident)),
    ]
    score = words.as_float(incident.get("score"))
    if math.isfinite(score):
        rare = words.rarity(incident.get("p_value"))
        found.append(("Score", words.number(score) + (f": {rare}" if rare else "")))
    found += [("Response", line) for line in words_of(incident.get("drainwatch_responses") or ())]
    found.append(("Incident", words.clean(incident.get("id"))))
    return found


def count_sides(fills: Sequence[Mapping[str, Any]]) -> str:
    """Count fills and their sides: `14 fills (3 buys, 11 sells)`."""
    sides = Counter(str(fill.get("side")) for fill in fills)
    parts = [words.plural(sides[side], side) for side in ("buy", "sell") if sides[side]]
    return words.plural(len(fills), "fill") + (f" ({', '.join(parts)})" if parts else "")


def when(incident: Incident) -> str:
    """Say when an incident opened, was told, became critical and ended."""
    opened, alerted = words.as_ms(incident.get("opened_at")), words.as_ms(incident.get("alerted_at"))
    said = f"first fill {words.moment(opened)}"
    if alerted is not None:
        late = "" if opened is None else f", {words.duration(alerted - opened)} later"
        fill = incident.get("alert_fill") or {}
        by = f" by fill {words.clean(fill.get('id'))}" if fill.get("id") is not None else ""
        same, day = opened == alerted, words.day(opened) == words.day(alerted)
        at = words.clock(alerted) if day else words.moment(alerted)
        said += f"; alert at once{by}" if same else f"; alert {at}{late}{by}"
    if words.as_ms(incident.get("escalated_at")) is not None:
        said += f"; critical since {words.moment(incident['escalated_at'])}"
    closed = words.as_ms(incident.get("closed_at"))
    return said + ("; still open" if closed is None else f"; closed {words.moment(closed)}")


def verdict(incidents: Sequence[Incident], table: FillTable, summary: Mapping[str, Any]) -> str:
    """Say in one sentence what came out of a whole replay.

    Fills that could not be judged are never counted among the innocent ones.
    """
    total = int(summary.get("n_fills") or len(table))
    blind = sum(int(n) for n in (summary.get("blind_reasons") or {}).values())
    first, last = span_of(table, summary)
    length = 0 if first is None or last is None else last - first
    over = f" of {words.duration(length)}" if length > 0 else ""
    if incidents:
        alike = len({incident.get("loss_currency") for incident in incidents}) == 1
        worst = max(incidents, key=lambda incident: _gravity(incident, alike=alike))
        said = headline(worst, table)
        if len(incidents) == 1:
            return said
        count = words.plural(len(incidents), "incident")
        return f"{count} in {words.plural(total, 'fill')}{over}. The worst: {said[:1].lower()}{said[1:]}"
    if total and blind >= total:
        return f"None of {words.plural(total, 'fill')}{over} could be judged: that is not the same as safe."
    said = f"Nothing that looks like a drain in {words.plural(total - blind, 'fill')}{over}"
    return said + (f"; {blind:,} more could not be judged." if blind else ".")


def _gravity(incident: Incident, *, alike: bool) -> tuple[bool, float, float]:
    """Rank incidents: critical ones first, then by share of the account, then by loss.

    Losses in several currencies (not `alike`) can't be compared, 63 USDT is less than 0.1 BTC:
    then the one with most fills goes before.
    """
    share, loss = words.as_float(incident.get("equity_share")), words.as_float(incident.get("loss"))
    size = loss if alike else float(len(incident.get("fills") or ()))
    return (
        severity_of(incident) == "critical",
        share if math.isfinite(share) else 0.0,
        size if math.isfinite(size) else 0.0,
    )


def span_of(table: FillTable, summary: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """First and last time in ms: of the summary, else of the fills; None where unknown."""
    given = summary.get("span_ms")
    if given:
        return words.as_ms(given[0]), words.as_ms(given[1])
    times = table.floats("timestamp")
    times = times[np.isfinite(times)]
    return (int(times.min()), int(times.max())) if len(times) else (None, None)
