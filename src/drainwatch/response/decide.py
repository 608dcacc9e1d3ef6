"""Whether a hook is to run for an incident. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drainwatch.events import NS_PER_MS
from drainwatch.response.hook import Hook
from drainwatch.store import Mark, Silence

Incident = Mapping[str, Any]
"""The contract's object."""


def is_grave(incident: Incident) -> bool:
    """Whether an incident is critical by now."""
    return incident["severity"] == "critical" or incident["escalated_at"] is not None


def fires(hook: Hook, incident: Incident, before: Incident | None) -> bool:
    """Tell whether an incident has just come to a hook's severity.

    Parameters
    ----------
    hook, incident
        Which hook, and the incident as it is now.
    before
        The incident as it was when it was last kept; None: it is new.
    """
    if hook.account not in ("", incident["account"]):
        return False
    if hook.severity == "critical":
        return is_grave(incident) and (before is None or not is_grave(before))
    return before is None


def held(incident: Incident, marks: Sequence[Mark], silences: Sequence[Silence]) -> str:
    """Say why the owner doesn't want anything done about an incident; empty: he never said so.

    An incident that he closed or called a false alarm is left alone. One that he acknowledged is in his
    hands, unless it has become critical since: that he hadn't seen. A silence holds a warning, and a
    critical only where he said so.

    Parameters
    ----------
    marks
        Those of the incident.
    silences
        Those in force.
    """
    for mark in marks:
        if mark.what == "false_alarm":
            return "the owner marked the incident as a false alarm"
        if mark.what == "closed":
            return "the owner closed the incident"
        escalated_ms = incident["escalated_at"]
        if escalated_ms is None or mark.at_ns >= escalated_ms * NS_PER_MS:
            return "the owner acknowledged the incident: it is in his hands"
    grave = is_grave(incident)
    for silence in silences:
        if silence.covers(incident) and (silence.forced or not grave):
            return "the owner silenced such incidents"
    return ""
