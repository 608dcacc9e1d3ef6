"""What became of responses is kept as it was, and damage is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from drainwatch.errors import StateError
from drainwatch.response.record import Response, State, last_run_ns, put, responses_of, set_last_run
from drainwatch.store import Store, open_store

ONE = Response(name="a", kind="command", dry_run=False, state=State.DUE, due_ns=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "store.db")
    yield opened
    opened.close()


def test_a_response_takes_the_place_of_what_was_known_of_it(store: Store) -> None:
    other = replace(ONE, name="b")
    for response in (ONE, other):
        put(store, "i", response)
    done = replace(ONE, state=State.DONE, text="ended", began_ns=2, ended_ns=3, output="x\ufffd", told=True)
    put(store, "i", done)
    assert responses_of(store, "i") == [done, other]
    assert responses_of(store, "j") == []


def test_what_is_told_holds_no_output() -> None:
    told = replace(ONE, state=State.FAILED, began_ns=2_000_000, output="PlAnTeD").plain()
    assert told == {
        "name": "a", "kind": "command", "dry_run": False, "state": "failed", "text": "", "began_at": 2.0,
        "ended_at": None,
    }  # fmt: skip


def test_when_a_hook_last_ran_is_known(store: Store) -> None:
    assert last_run_ns(store, "a") == 0
    set_last_run(store, "a", 5)
    assert last_run_ns(store, "a") == 5


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'[{"name": "a"}]', b"\xff"])
def test_damage_is_told(store: Store, content: bytes) -> None:
    store.set_value("responses/i", content)
    with pytest.raises(StateError, match="the store is damaged"):
        responses_of(store, "i")
