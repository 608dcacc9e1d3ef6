"""Whatever goes wrong on the wire, the journal is what the exchange executed: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import loopback
from drainwatch.lab.exchange.faults import ON_CONNECTIONS, ON_MESSAGES, ON_REQUESTS, Fault, Faults
from drainwatch.lab.exchange.server import Server
from drainwatch.notices import Notice, NoticeKind
from drainwatch.venues.rest import Rest
from drainwatch.watch import followed, runner
from drainwatch.watch.runner import Watch
from watch_lab import hurry, new_watch, running, settled

RATES = {
    Fault.CUT: 0.002, Fault.HALF_OPEN: 0.0005, Fault.TERMINATED: 0.001,
    Fault.DUPLICATE: 0.05, Fault.REORDER: 0.05, Fault.DELAY: 0.002,
    Fault.TRUNCATED: 0.005, Fault.EMPTY_LIST: 0.005, Fault.BAD_PRICE: 0.01, Fault.MISSING_FIELDS: 0.01,
    Fault.WRONG_TYPES: 0.01, Fault.BINARY: 0.005, Fault.HUGE: 0.0005,
    Fault.RATE_LIMIT: 0.1, Fault.BANNED: 0.05, Fault.SERVER_ERROR: 0.1, Fault.LOST_ANSWER: 0.1,
    Fault.SHORT_PAGE: 0.3, Fault.CUT_BODY: 0.1,
}  # fmt: skip
"""How likely each is, for a message or a request. One in a thousand cuts is ten an hour at a busy account."""
ALL = "all together"
SEEDS = 10
FILLS = 10_000


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


def rates(fault: str) -> dict[Fault, float]:
    """Give the faults of a run; those of requests come with cuts, as little is requested without."""
    if fault == ALL:
        return dict(RATES)
    chosen = Fault(fault)
    if chosen in ON_REQUESTS:
        return {chosen: 0.3, Fault.CUT: RATES[Fault.CUT]}
    return {chosen: RATES[chosen]}


async def trade(server: Server, n: int) -> None:
    """Execute fills, many of them in the same millisecond, slowly enough for streams to come back."""
    for done in range(0, n, 250):
        await server.exchange.burst("main", min(250, n - done))
        await asyncio.sleep(0.04)


async def under_faults(
    folder: Path, fault: str, seed: int, n: int, make: Callable[[Path, Server], Watch] = new_watch
) -> tuple[str, Faults, Watch]:
    """Trade under faults; say how the journal differs from what was executed."""
    async with Server(loopback.an_exchange(), Faults(seed)) as server:
        watch = make(folder, server)
        async with running(watch):
            server.faults.set(rates(fault))
            await trade(server, n)
            server.faults.off()
            return await settled(watch, server), server.faults, watch


def new_folder(parent: Path, seed: int) -> Path:
    """Make a folder for a run."""
    folder = parent / str(seed)
    folder.mkdir()
    return folder


def test_all_faults_have_a_rate() -> None:
    assert RATES.keys() == {*ON_CONNECTIONS, *ON_MESSAGES, *ON_REQUESTS} == set(Fault)


def test_a_thousand_fills_under_all_faults_are_journalled_once_each(tmp_path: Path) -> None:
    difference, faults, _ = asyncio.run(under_faults(tmp_path, ALL, 1, 1_000))
    assert not difference
    assert len(faults.happened) > 5, "or it shows nothing"


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("fault", [*Fault, ALL])
def test_ten_thousand_fills_under_a_fault_are_journalled_once_each(fault: str, tmp_path: Path) -> None:
    for seed in range(SEEDS):
        difference, faults, _ = asyncio.run(under_faults(new_folder(tmp_path, seed), fault, seed, FILLS))
        assert not difference, f"seed {seed}: {difference}"
        assert faults.happened, f"seed {seed}: nothing went wrong"
        assert fault == ALL or faults.happened[Fault(fault)], f"seed {seed}: it didn't happen"


# --- through ccxt.pro ---------------------------------------------------------------------------------


@pytest.fixture
def by_ccxt(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Server], Watch]:
    """Give what makes watches that hear Binance through ccxt.pro."""
    monkeypatch.setattr(followed, "NATIVE", frozenset())
    monkeypatch.setattr(runner, "NATIVE", frozenset())

    def make(folder: Path, server: Server) -> Watch:
        monkeypatch.setattr(runner, "Rest", partial(Rest, urls=server.ccxt_urls()["api"]))
        return new_watch(folder, server)

    return make


def test_through_ccxt_a_thousand_fills_under_all_faults_are_journalled_once_each(
    by_ccxt: Callable[[Path, Server], Watch], tmp_path: Path
) -> None:
    difference, faults, watch = asyncio.run(under_faults(tmp_path, ALL, 1, 1_000, by_ccxt))
    assert not difference
    assert faults.happened
    assert watch.followed[0].ccxt is not None


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_through_ccxt_ten_thousand_fills_under_all_faults_are_journalled_once_each(
    seed: int, by_ccxt: Callable[[Path, Server], Watch], tmp_path: Path
) -> None:
    difference, faults, _ = asyncio.run(under_faults(tmp_path, ALL, seed, FILLS, by_ccxt))
    assert not difference
    assert len(faults.happened) > 5, "or it shows nothing"


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(("number", "fault"), list(enumerate(Fault)))
def test_through_ccxt_ten_thousand_fills_under_a_fault_are_journalled_once_each(
    number: int, fault: Fault, by_ccxt: Callable[[Path, Server], Watch], tmp_path: Path
) -> None:
    for seed in (number % SEEDS, (number + SEEDS // 2) % SEEDS):  # all seeds, over the faults
        difference, faults, _ = asyncio.run(
            under_faults(new_folder(tmp_path, seed), fault, seed, FILLS, by_ccxt)
        )
        assert not difference, f"seed {seed}: {difference}"
        assert faults.happened[fault], f"seed {seed}: it didn't happen"


# --- on a server --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ten_thousand_fills_under_all_faults_are_journalled_on_a_server(
    postgres_server: Callable[[], str], tmp_path: Path
) -> None:
    store = postgres_server()
    difference, faults, watch = asyncio.run(
        under_faults(tmp_path, ALL, 0, FILLS, partial(new_watch, store=store))
    )
    assert not difference
    assert faults.happened
    assert "postgres" in type(watch.store).__name__.lower()


# --- what is said of it -------------------------------------------------------------------------------


def told(watch: Watch, kind: NoticeKind) -> list[Notice]:
    """Give the notices of a kind that the store has."""
    return [notice for notice in watch.store.notices() if notice.kind is kind]


async def until_told(watch: Watch, kind: NoticeKind) -> Notice:
    """Wait for a notice."""
    await loopback.until(lambda: told(watch, kind), 10)
    return told(watch, kind)[0]


def test_a_gap_that_cannot_be_filled_in_is_told_and_its_end_too(tmp_path: Path) -> None:
    async def run() -> None:
        async with Server(loopback.an_exchange()) as server, running(new_watch(tmp_path, server)) as w:
            await server.exchange.burst("main", 50)
            assert not await settled(w, server)
            server.faults.set({Fault.SERVER_ERROR: 1.0})
            for connection in server.connections:
                connection.cut()
            await server.exchange.burst("main", 50)
            first_lost_ns = server.exchange.executed("main")[50].ms * 1_000_000
            gap = await until_told(w, NoticeKind.GAP)
            assert gap.since_ns is not None
            assert gap.since_ns <= first_lost_ns
            assert gap.account == "main"
            assert not told(w, NoticeKind.STREAM_BACK)
            server.faults.off()
            await until_told(w, NoticeKind.STREAM_BACK)
            assert not await settled(w, server)

    asyncio.run(run())


def test_an_exchange_that_stays_away_is_told_and_what_it_did_meanwhile_is_filled_in(tmp_path: Path) -> None:
    async def run() -> None:
        async with Server(loopback.an_exchange()) as server, running(new_watch(tmp_path, server)) as w:
            await server.exchange.burst("main", 50)
            assert not await settled(w, server)
            await server.stop()
            await server.exchange.burst("main", 50)
            closed = await until_told(w, NoticeKind.STREAM_CLOSED)
            assert closed.since_ns is not None
            await server.start()
            server.exchange.listeners.append(server.hub)
            await until_told(w, NoticeKind.STREAM_BACK)
            assert not await settled(w, server)

    asyncio.run(run())


def test_short_reconnects_that_lose_nothing_are_not_told(tmp_path: Path) -> None:
    async def run() -> None:
        async with Server(loopback.an_exchange()) as server, running(new_watch(tmp_path, server)) as w:
            server.connections[0].cut()
            await server.exchange.burst("main", 50)
            assert not await settled(w, server)
            assert w.store.notices() == []

    asyncio.run(run())
