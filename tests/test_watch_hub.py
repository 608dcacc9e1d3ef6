"""Notices outlive a store that fails for a moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from drainwatch.engine import Engine
from drainwatch.errors import StateError
from drainwatch.events import Names
from drainwatch.model import default_model_path, load_model
from drainwatch.notices import Notice, NoticeKind
from drainwatch.store.sqlite import SqliteStore
from drainwatch.venues.clock import VirtualClock
from drainwatch.watch.hub import Hub


def test_notices_that_the_store_could_not_take_are_kept_when_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(default_model_path())

    def engine(names: Names) -> Engine:
        return Engine(model.arrays, model.card.get("features", ()), names)

    store = SqliteStore(tmp_path / "watch.db")
    hub = Hub(engine, store, VirtualClock())
    keep, fails = store.add_notice, [StateError("the disk is full")] * 2

    def add_notice(key: str, notice: Notice) -> bool:
        if fails:
            raise fails.pop()
        return keep(key, notice)

    monkeypatch.setattr(store, "add_notice", add_notice)
    notices = [Notice(kind=NoticeKind.GAP, ts_ns=number, text="fills may be missing") for number in (1, 2)]
    for notice in notices:
        hub.notice(notice)
    assert "full" in str(hub.failing)
    assert store.notices() == []
    hub.judge()
    assert str(hub.failing) == "None"
    assert store.notices() == notices
    hub.notice(notices[0])
    assert store.notices() == notices, "the same twice is once"
    store.close()
