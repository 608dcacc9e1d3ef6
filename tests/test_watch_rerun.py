"""What was recorded and played again, and what was exported and replayed, is what was said live."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest

from drainwatch.config import Settings, load_settings
from drainwatch.engine import Block, Engine
from drainwatch.errors import StateError
from drainwatch.events import Names
from drainwatch.lab.exchange.faults import Fault, Faults
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.server import Server
from drainwatch.lab.exchange.units import amount_of, price_of
from drainwatch.lab.scenario import Scenario, make
from drainwatch.lab.stream import records
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
from drainwatch.watch.runner import Watch
from live_rows import MS, arrivals, markets_of, row_of
from loopback import KEY, SECRET, an_exchange, until

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

    def __init__(self, store: Store, recorder: FrameRecorder | None) -> None:
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


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path / 'live.db'}")) as opened:
        yield opened


def pasts(scenario: Scenario, at_ns: int) -> list[Row]:
    """Candles of some markets as REST gives them once they are traded: long after they closed."""
    rows = [row_of({"table": "candles", **told}) for told in records(scenario.candles)]
    return [
        msgspec.structs.replace(row, exchange="simex")
        for row in rows
        if row.ts_ns + 60_000 * MS <= at_ns  # type: ignore[union-attr]
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_live_rerun_and_replay_of_the_export_say_the_same(
    tmp_path: Path, store: Store, robbed: Scenario, seed: int
) -> None:
    rng = random.Random(seed)
    events = list(arrivals(robbed, rng, ("fills", "trades", "quotes", "balances", "orders")))
    thirds = [
        events[: len(events) // 3],
        events[len(events) // 3 : len(events) // 2],
        events[len(events) // 2 :],
    ]
    recorder = FrameRecorder(tmp_path / "tape")
    scores: list[pd.DataFrame] = []

    async def live() -> Session:
        session = Session(store, recorder)
        for number, part in enumerate(thirds):
            if number:  # a restart, once with a fresh snapshot and once with an old one
                if number == 1:
                    session.hub.core.snapshot()
                scores.extend(session.scores)
                session = Session(store, recorder)
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


def watching(folder: Path, server: Server) -> Watch:
    """Give a watch of the loopback exchange that records and keeps its whole journal."""
    settings = folder / "settings.toml"
    settings.write_text(
        f"""
[watch]
store = "sqlite:///{folder}/live.db"
record = "{folder}/tape"
whole_journal = true
hold_back_ms = 300
[[accounts]]
name = "main"
exchange = "binance"
key_env = "THE_KEY"
secret_env = "THE_SECRET"
url_rest = "{server.url}"
url_private = "{server.ws_api_url}"
url_public = "{server.ws_url}/stream"
allow_trading_key = true
"""
    )
    return Watch(load_settings(settings, env={}), environ={"THE_KEY": KEY, "THE_SECRET": SECRET})


async def steal(exchange: Exchange, rounds: int) -> None:
    """Buy from a friend at three times the price, and sell to him at a third."""
    for _ in range(rounds):
        wall = exchange.place("house", "ETH/BTC", "sell", "limit", 1, "0.0302")
        exchange.cancel("house", "ETH/BTC", wall.id)
        for side, price in (("buy", "0.09"), ("sell", "0.01")):
            with exchange.at_once("ETH/BTC"):
                taker = exchange.new_order(
                    "main", "ETH/BTC", side, "limit", amount_of("0.2"), price_of(price)
                )
                other = "sell" if side == "buy" else "buy"
                maker = exchange.new_order(
                    "house", "ETH/BTC", other, "limit", amount_of("0.2"), price_of(price)
                )
                exchange.cross(taker, maker, price_of(price), amount_of("0.2"))
            await asyncio.sleep(0.03)


def test_a_session_on_the_exchange_with_cuts_and_a_restart_is_judged_the_same_from_its_frames(
    tmp_path: Path,
) -> None:
    scores: list[pd.DataFrame] = []

    async def live() -> None:
        faults = Faults(seed=3, rates={Fault.DUPLICATE: 0.05, Fault.REORDER: 0.05})
        async with Server(an_exchange(), faults) as server:
            exchange = server.exchange
            for part in range(2):
                watch = watching(tmp_path, server)
                core = watch.hub.core
                core.on_block = lambda block, core=core: scores.append(
                    pd.DataFrame(score_columns(core.names, block))
                )
                task = asyncio.create_task(watch.run())
                await until(lambda w=watch: w.store.value("known until/main") is not None, 90.0)
                streams = watch.followed[0].connections
                await until(lambda s=streams: s and all(one.counts.connected for one in s), 30.0)
                await exchange.burst("main", 60, "ETH/BTC", rate=150.0)
                await steal(exchange, 4)
                if part == 0:
                    watch.hub.core.snapshot()
                server.connections[0].cut()
                await exchange.burst("main", 40, "BTC/USDT", rate=200.0)
                await steal(exchange, 3)
                executed = len(list(exchange.executed("main")))
                await until(lambda w=watch, n=executed: len(list(w.store.fills())) == n, 30.0)
                await asyncio.sleep(0.8)  # prices that are held back count, too
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(live())
    with closing(open_store(f"sqlite:///{tmp_path / 'live.db'}")) as store:
        said = plain(store.incidents())
    assert said
    summary = rerun(tmp_path / "tape", tmp_path / "rerun")
    assert summary.notes == []
    assert summary.counts["fills"]["rows"] >= summary.n_fills == sum(map(len, scores)) == 228
    assert incidents_in(tmp_path / "rerun") == said
    same_scores(table(scores), tmp_path / "rerun" / "scores.parquet")
    with closing(open_store(f"sqlite:///{tmp_path / 'live.db'}")) as store:
        out = replayed(store, tmp_path)
    assert incidents_in(out) == said
    same_scores(table(scores), out / "scores.parquet")


def test_a_tape_without_the_watchs_beginning_is_refused_in_words(tmp_path: Path) -> None:
    recorder = FrameRecorder(tmp_path / "tape")
    recorder.opened("main/binance private", 1)
    recorder.record("main/binance private", 2, b"{}")
    recorder.close()
    with pytest.raises(StateError, match="expected a tape with the watch's beginning"):
        rerun(tmp_path / "tape", tmp_path / "out")
    assert not (tmp_path / "out").exists()
