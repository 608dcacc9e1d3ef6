"""What was recorded and played again, and what was exported and replayed, is what was said live."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from drainwatch.config import Settings
from drainwatch.engine import Block, Engine
from drainwatch.events import Names
from drainwatch.lab.scenario import Scenario, make
from drainwatch.model import default_model_path, load_model
from drainwatch.replay import new_engine, replay_tables
from drainwatch.rows import Row
from drainwatch.scores import score_columns
from drainwatch.store import Store, open_store
from drainwatch.tables import TablePaths
from drainwatch.tape import FrameRecorder
from drainwatch.watch.hub import Hub
from drainwatch.watch.journal import export_journal
from drainwatch.watch.rerun import rerun
from live_rows import MS, arrivals, markets_of

MODEL = load_model(default_model_path())
JUDGED_BY = {"model": MODEL.card["arrays_sha256"], "false_alarms_per_month": 0.1, "quiet_hours": 6.0}


def engine(names: Names) -> Engine:
    return new_engine(MODEL, names, Settings())


class ByHand:
    """A clock that is set."""

    def __init__(self) -> None:
        self.ns = 0

    def now_ns(self) -> int:
        return self.ns

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nothing waits for {seconds} s here")


class Session:
    """A watch without a network, with its tape and its scores."""

    def __init__(self, folder: Path, store: Store, recorder: FrameRecorder | None) -> None:
        self.store, self.clock = store, ByHand()
        self.hub = Hub(engine, store, self.clock, logged=["main"], followed=["simex"], whole_journal=True)
        self.scores: list[pd.DataFrame] = []
        self.hub.resume()
        self.hub.core.on_block = self._take
        if recorder is not None:
            self.hub.record(recorder, JUDGED_BY)

    def _take(self, block: Block) -> None:
        self.scores.append(pd.DataFrame(score_columns(self.hub.core.names, block)))

    async def play(self, events: Iterator[tuple[int, Row]], rng: random.Random) -> None:
        """Take rows as they arrive; look after what waits now and then, as late as a busy machine does."""
        turn_ns = 0
        for at_ns, row in events:
            self.clock.ns = max(at_ns, self.clock.ns)
            await self.hub.rows([row], self.clock.ns)
            if self.clock.ns >= turn_ns:
                self.hub.judge()
                turn_ns = self.clock.ns + rng.choice([100, 130, 2_500]) * MS


def table(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)


def same_scores(ours: pd.DataFrame, path: Path) -> None:
    """Scores are equal to the last bit."""
    theirs = pd.read_parquet(path)
    ours = ours.copy()
    ours["timestamp"] = ours["timestamp"].astype(float)
    theirs["timestamp"] = theirs["timestamp"].astype(float)
    for frame in (ours, theirs):
        for name in frame.columns:
            if frame[name].dtype == object or str(frame[name].dtype) in {"str", "string"}:
                frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True, check_dtype=False)


def incidents_in(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "incidents.jsonl").read_text().splitlines()]


def plain(incidents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [json.loads(json.dumps(incident)) for incident in incidents]


def replayed(store: Store, folder: Path) -> Path:
    """Export the journal and replay its tables."""
    exported = export_journal(store, folder / "tables")
    assert exported.whole
    paths = {name: str(folder / "tables" / f"{name}.jsonl") for name in exported.rows}
    replay_tables(TablePaths(**paths), folder / "replayed")
    return folder / "replayed"


@pytest.fixture(scope="module")
def robbed() -> Scenario:
    """Give a day with a thief."""
    return make(31, days=1.0, owner="rebalancer", thief="ping_pong", difficulty=0.4)


def pasts(scenario: Scenario, at_ns: int) -> list[Row]:
    """Candles of some markets as REST gives them once they are traded: long after they closed."""
    import msgspec

    from drainwatch.lab.stream import records
    from live_rows import row_of

    rows = [row_of({"table": "candles", **told}) for told in records(scenario.candles)]
    return [
        msgspec.structs.replace(row, exchange="simex")  # type: ignore[type-var]
        for row in rows
        if row.ts_ns + 60_000 * MS <= at_ns  # type: ignore[union-attr]
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_live_rerun_and_replay_of_the_export_say_the_same(
    tmp_path: Path, robbed: Scenario, seed: int
) -> None:
    rng = random.Random(seed)
    events = list(arrivals(robbed, rng, ("fills", "trades", "quotes", "balances", "orders")))
    thirds = [
        events[: len(events) // 3],
        events[len(events) // 3 : len(events) // 2],
        events[len(events) // 2 :],
    ]
    store = open_store(f"sqlite:///{tmp_path / 'live.db'}")
    recorder = FrameRecorder(tmp_path / "tape")
    scores: list[pd.DataFrame] = []

    async def live() -> Session:
        session = Session(tmp_path, store, recorder)
        for number, part in enumerate(thirds):
            if number:  # a restart, once with a fresh snapshot and once with an old one
                if number == 1:
                    session.hub.core.snapshot()
                scores.extend(session.scores)
                session = Session(tmp_path, store, recorder)
            session.clock.ns = part[0][0]
            await session.hub.rows(markets_of(robbed, "simex"), session.clock.ns)
            await session.hub.rows(pasts(robbed, session.clock.ns), session.clock.ns)
            await session.play(iter(part), rng)
        session.clock.ns += 3_000 * MS
        session.hub.judge()
        scores.extend(session.scores)
        return session

    session = asyncio.run(live())
    recorder.close()
    said = plain(session.store.incidents())
    assert said, "the thief must be found, or there is nothing to compare"
    assert session.hub.core.repeated or session.hub.core.intake.duplicates

    summary = rerun(tmp_path / "tape", tmp_path / "rerun")
    assert summary.notes == []
    assert incidents_in(tmp_path / "rerun") == said
    same_scores(table(scores), tmp_path / "rerun" / "scores.parquet")

    out = replayed(store, tmp_path)
    assert incidents_in(out) == said
    same_scores(table(scores), out / "scores.parquet")
    store.close()
