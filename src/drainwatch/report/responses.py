"""What responses did about an incident, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from drainwatch.report import words

MAX_TEXT: Final = 400

_STATES: Final = {
    "due": "is about to run",
    "running": "is running",
    "would": "dry run, nothing was done",
    "done": "done",
    "failed": "FAILED",
    "unknown": "UNKNOWN OUTCOME",
    "skipped": "not run",
}


def words_of(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say in a line each what the responses to an incident came to, in the order in which they were due.

    Parameters
    ----------
    results
        Objects of `drainwatch_responses`: `name`, `state`, `text`, as `response.Response` has them.
    """
    return [_line(result) for result in results]


def _line(result: Mapping[str, Any]) -> str:
    state = _STATES.get(str(result.get("state")), words.clean(result.get("state")))
    if result.get("dry_run") and result.get("state") == "failed":
        state = "dry run, and in earnest it would have FAILED"
    said = words.clean(result.get("text"), MAX_TEXT)
    return f"{words.clean(result.get('name'))}: {state}" + (f": {said}" if said else "")
