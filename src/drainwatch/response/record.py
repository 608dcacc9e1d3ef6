"""What became of the responses to incidents, as the store keeps it.

A response is kept as running before it is run, so that a killed watch never runs it a second time.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from drainwatch.errors import StateError
from drainwatch.store import Store

MAX_OUTPUT: Final = 4_000

T = TypeVar("T")


class State(StrEnum):
    """How far a response has come."""

    DUE = "due"
    """It waits for its turn."""
    RUNNING = "running"
    WOULD = "would"
    """A dry run: it could have been done."""
    DONE = "done"
    FAILED = "failed"
    """It wasn't done, or a dry run found that it couldn't be."""
    UNKNOWN = "unknown"
    """It was cut off: whether it took effect isn't known. It isn't run again."""
    SKIPPED = "skipped"
    """It wasn't run, on purpose."""


SETTLED: Final = frozenset({State.WOULD, State.DONE, State.FAILED, State.UNKNOWN, State.SKIPPED})


class Response(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One hook's one shot at one incident. Times are ns since the epoch."""

    name: str
    """The hook's."""
    kind: str
    dry_run: bool
    state: State
    text: str = ""
    """What came of it, in a sentence; no secret."""
    due_ns: int
    began_ns: int = 0
    ended_ns: int = 0
    told: bool = False
    """Whether what came of it has been told."""
    output: str = ""
    """The beginning of what a command printed. Never in an alert: it may hold anything."""

    def plain(self) -> dict[str, Any]:
        """Give it as alerts and bots are told: times in ms, without a command's output."""
        return {
            "name": self.name,
            "kind": self.kind,
            "dry_run": self.dry_run,
            "state": self.state.value,
            "text": self.text,
            "began_at": self.began_ns / 1e6 or None,
            "ended_at": self.ended_ns / 1e6 or None,
        }


def responses_of(store: Store, incident: str) -> list[Response]:
    """Give the responses to an incident, in the order in which they became due."""
    return _read(store, f"responses/{incident}", list[Response]) or []


def put(store: Store, incident: str, response: Response) -> None:
    """Keep a response in place of what was known of it."""
    kept = responses_of(store, incident)
    places = [place for place, one in enumerate(kept) if one.name == response.name]
    if places:
        kept[places[0]] = response
    else:
        kept.append(response)
    store.set_value(f"responses/{incident}", msgspec.json.encode(kept))


def last_run_ns(store: Store, hook: str) -> int:
    """Say when a hook was last run for any incident; 0: never."""
    return _read(store, f"responded/{hook}", int) or 0


def set_last_run(store: Store, hook: str, now_ns: int) -> None:
    """Note when a hook was last run."""
    store.set_value(f"responded/{hook}", msgspec.json.encode(now_ns))


def _read(store: Store, name: str, kind: type[T]) -> T | None:
    content = store.value(name)
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise StateError(
            f"expected what responses came to, found otherwise at {name}: {error}: the store is damaged; go "
            "back to a copy of it, or begin with a new one"
        ) from None
