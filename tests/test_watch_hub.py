"""Notices outlive a store that fails for a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drainwatch.alerts.channel import Channel
from drainwatch.alerts.message import Message
from drainwatch.config import Settings
from drainwatch.engine import Engine
from drainwatch.errors import StateError
from drainwatch.events import NS_PER_S, Names
from drainwatch.model import default_model_path, load_model
from drainwatch.notices import Notice, NoticeKind
from drainwatch.replay import new_engine
from drainwatch.response.hook import Done, Hook
from drainwatch.response.record import State, responses_of
from drainwatch.response.switch import Switch
from drainwatch.rows import Balance, Fill, Market, Quote, Row
from drainwatch.store import Store, open_store
from drainwatch.store.sqlite import SqliteStore
from drainwatch.tape import FrameRecorder, read_frames
from drainwatch.venues.clock import VirtualClock
from drainwatch.venues.protocol import BadMessage
from drainwatch.watch.core import Verdict
from drainwatch.watch.hub import BAD_AGAIN_NS, STALLED_NS, Hub, channels_from, verdict_of
from report_fakes import fills, incident


def test_notices_that_the_store_could_not_take_are_kept_when_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(default_model_path())

    def engine(names: Names) -> Engine:
        return Engine(model.arrays, model.card.get("features", ()), names)

    store = SqliteStore(tmp_path / "watch.db")
    hub = Hub(engine, store, VirtualClock())
    keep, fails = store.add_notice, [StateError("the disk is full")] * 3

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
    kept = store.notices()
    assert kept[:1] + kept[2:3] == notices
    assert [one.kind for one in kept[1::2]] == [NoticeKind.STALLED, NoticeKind.STREAM_BACK]
    hub.notice(notices[0])
    assert store.notices() == kept, "the same twice is once"
    store.close()


MODEL = load_model(default_model_path())
T0 = 1_760_000_000 * NS_PER_S


def engine(names: Names) -> Engine:
    return new_engine(MODEL, names, Settings())


class ByHand:
    """A clock that is set, and that a sleep moves on."""

    def __init__(self) -> None:
        self.ns = T0
        self.slept = 0

    def now_ns(self) -> int:
        return self.ns

    async def sleep(self, seconds: float) -> None:
        self.slept += 1
        self.ns += round(seconds * NS_PER_S)
        await asyncio.sleep(0)


def quote(s: float) -> Quote:
    return Quote(exchange="x", symbol="A/B", ts_ns=T0 + round(s * NS_PER_S), bid=0.02997, ask=0.03003)


def fill(s: float, number: int, price: str = "0.03", side: str = "buy") -> Fill:
    at_ns = T0 + round(s * NS_PER_S)
    return Fill(
        exchange="x", account="a", symbol="A/B", id=str(number), order=f"o{number}", ts_ns=at_ns, side=side,
        price=price, amount="1",
    )  # fmt: skip


def told_before() -> list[Row]:
    return [
        Market(exchange="x", symbol="A/B", venue_symbol="AB", base="A", quote="B"),
        Balance(exchange="x", account="a", currency="A", ts_ns=T0, total=100.0),
        Balance(exchange="x", account="a", currency="B", ts_ns=T0, total=10.0),
        *(quote(i) for i in range(60)),
    ]


def stolen(s: float, n: int = 8) -> list[Fill]:
    return [fill(s + i, 100 + i, *(("0.09", "buy") if i % 2 == 0 else ("0.01", "sell"))) for i in range(n)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path / 'hub.db'}")) as opened:
        yield opened


def a_hub(store: Store, **options: Any) -> tuple[Hub, ByHand, list[dict[str, Any]]]:
    clock = ByHand()
    hub = Hub(engine, store, clock, **options)
    heard: list[dict[str, Any]] = []
    hub.listeners.append(lambda message: heard.append(dict(message)))
    return hub, clock, heard


def seal(store: SqliteStore, *, sealed: bool = True) -> None:
    """Let the database refuse whatever is to be written, as on a disk that was made read-only."""
    store._select(f"PRAGMA query_only = {int(sealed)}")


def take(hub: Hub, clock: ByHand, rows: list[Any]) -> None:
    clock.ns = max([clock.ns, *(getattr(row, "ts_ns", T0) for row in rows)])
    asyncio.run(hub.rows(rows, clock.ns))


def test_fills_are_judged_when_rows_returns_and_each_verdict_is_told(store: Store) -> None:
    hub, clock, heard = a_hub(store)
    take(hub, clock, told_before())
    assert heard == []
    take(hub, clock, [fill(30, 1), fill(31, 2, side="sell")])
    assert [(m["type"], m["id"], m["flagged"]) for m in heard] == [
        ("verdict", "1", False),
        ("verdict", "2", False),
    ]
    assert heard[0]["fair_price"] == pytest.approx(0.03, rel=1e-3)
    assert [v.fill.id for v in hub.verdicts] == ["1", "2"]
    assert (hub.counts["fills"], hub.counts["blind"], hub.counts["flagged"]) == (2, 0, 0)
    assert sum(hub.judging.counts) == 2
    day = hub.days["a"]
    assert (str(day.date), day.fills, day.blind) == ("2025-10-09", 2, 0)


def test_verdicts_that_nobody_wants_are_not_told(store: Store) -> None:
    hub, clock, heard = a_hub(store)
    take(hub, clock, told_before())
    hub.tells_all = lambda: False
    take(hub, clock, [fill(30, 1), fill(31, 2, side="sell")])
    assert heard == []
    assert [v.fill.id for v in hub.verdicts] == ["1", "2"]
    take(hub, clock, [fill(40 + i, 10 + i, price="0.09") for i in range(6)])
    flagged = [v.fill.id for v in hub.verdicts if v.flagged]
    assert flagged
    assert [m["id"] for m in heard if m["type"] == "verdict"] == flagged


def test_a_fill_that_nothing_is_known_of_is_told_as_blind_and_never_as_harmless(store: Store) -> None:
    hub, clock, heard = a_hub(store)
    take(hub, clock, [fill(1, 1)])
    assert hub.counts["blind"] == 1
    assert heard[0]["fair_price"] is None
    assert heard[0]["loss"] is None
    assert verdict_of(hub.verdicts[0])["deviation_bps"] is None


def test_an_incident_is_told_as_it_opens_grows_and_closes_and_posted_by_how_grave_it_is(store: Store) -> None:
    every = [Channel(name=name, kind="webhook", url="http://127.0.0.1:9/") for name in ("calm", "keen")]
    warned, alarmed = channels_from(every, {"calm": "critical", "keen": "warning"})
    assert ([c.name for c in warned], [c.name for c in alarmed]) == (["keen"], ["calm", "keen"])
    hub, clock, heard = a_hub(store, warned=warned, alarmed=alarmed)
    posts = []
    hub.on_post = lambda: posts.append(clock.ns)
    take(hub, clock, told_before())
    for row in stolen(61):
        take(hub, clock, [row])
    what = [message["what"] for message in heard if message["type"] == "incident"]
    assert what[0] == "opened"
    assert set(what[1:]) <= {"grew", "escalated"}
    (incident,) = hub.open.values()
    assert store.incidents() == [incident]
    assert posts
    assert what.count("escalated") == (incident["severity"] == "warning")
    assert incident["severity"] == "critical" or incident["escalated_at"] is not None
    assert set(store.waiting()) == {"calm", "keen"}
    clock.ns += 7 * 3600 * NS_PER_S
    hub.judge()
    assert heard[-1]["what"] == "closed"
    assert hub.open == {}
    assert hub.counts["incidents warning"] + hub.counts["incidents critical"] == 1


def test_responses_to_an_incident_are_kept_with_it_run_beside_and_told_with_its_next_message(
    store: Store,
) -> None:
    """The first message can't know what comes of them; a later one, and a notice, do."""
    webhook = Channel(name="all", kind="webhook", url="http://127.0.0.1:9/")
    hub, clock, _ = a_hub(store, warned=[webhook], alarmed=[webhook])
    ran: list[str] = []

    class Doing:
        async def check(self, _hook: Hook) -> str:
            raise NotImplementedError

        async def run(self, _hook: Hook, incident: dict[str, Any]) -> Done:
            ran.append(incident["id"])
            return Done("did it")

    stop = Hook(name="stop", kind="command", dry_run=False)
    hub.switch = Switch(store, [stop], clock, hub.notice, {"command": Doing()})
    take(hub, clock, told_before())
    for row in stolen(61):
        take(hub, clock, [row])
    (incident,) = hub.open
    assert [one.state for one in responses_of(store, incident)] == [State.DUE]

    async def scene() -> None:
        assert hub.switch is not None
        task = asyncio.create_task(hub.switch.run())
        async with asyncio.timeout(60):
            while not hub.notices:  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())
    assert ran == [incident]
    assert hub.notices[-1].text == f"stop: done: did it. For incident {incident}."
    clock.ns += 7 * 3600 * NS_PER_S
    hub.judge()
    assert hub.open == {}
    messages = [msgspec.json.decode(posted.body) for posted in store.due(clock.ns)]
    told = [
        m["incident"]["drainwatch_responses"]
        for m in messages
        if m["incident"] and "drainwatch_responses" in m["incident"]
    ]
    assert [(one["name"], one["state"], one["text"]) for one in told[-1]] == [("stop", "done", "did it")]
    assert any("Response: stop: done: did it" in m["text"] for m in messages)
    assert "drainwatch_responses" not in store.incidents()[0], "what is kept is what a replay would say"


def test_who_brings_rows_waits_while_the_store_is_full_and_then_they_are_judged(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, clock, heard = a_hub(store)
    take(hub, clock, told_before())
    append = store.append

    def full(entry: bytes) -> int:
        raise StateError("no room on the disk")

    monkeypatch.setattr(store, "append", full)

    async def scene() -> None:
        bringing = asyncio.create_task(hub.rows([fill(61, 1)], clock.ns))
        running = asyncio.create_task(hub.run())
        while clock.slept < 20:  # noqa: ASYNC110 - the clock is moved by those who sleep
            await asyncio.sleep(0)
        assert not bringing.done()
        assert hub.failing is not None
        assert "no room" in hub.failing
        assert [message["type"] for message in heard] == ["notice"]
        monkeypatch.setattr(store, "append", append)
        await bringing
        running.cancel()

    clock.ns = T0 + 61 * NS_PER_S
    asyncio.run(scene())
    assert hub.failing is None
    assert [m["id"] for m in heard if m["type"] == "verdict"] == ["1"]
    assert [one.id for one in store.fills()] == ["1"]


def test_a_store_that_fails_is_told_at_once_without_it_and_once_an_hour(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(SqliteStore(tmp_path / "sealed.db")) as store:
        hub, clock, heard = a_hub(
            store, alarmed=[Channel(name="keen", kind="webhook", url="http://127.0.0.1:9/")]
        )
        said: list[str | None] = []
        hub.on_failing = said.append
        take(hub, clock, told_before())
        seal(store)
        hub.core.add(fill(61, 1), clock.ns)
        clock.ns = T0 + 62 * NS_PER_S
        hub.judge()
        (told,) = [message for message in heard if message["type"] == "notice"]
        assert told["kind"] == NoticeKind.STALLED
        assert "nothing is judged" in told["text"]
        assert hub.notices[-1].text == told["text"]
        assert "readonly" in str(hub.failing)
        assert said == [hub.failing]
        assert any(one.levelname == "ERROR" and "readonly" in one.message for one in caplog.records)
        hub.judge()
        assert len(said) == 1, "still failing isn't new"
        assert store.notices() == []
        seal(store, sealed=False)
        clock.ns += 5 * NS_PER_S
        assert [verdict.fill.id for verdict in hub.judge().verdicts] == ["1"]
        assert said[1:] == [None]
        assert [one.kind for one in store.notices()] == [NoticeKind.STALLED, NoticeKind.STREAM_BACK]
        assert "after 5 s" in store.notices()[1].text
        assert store.waiting() == {"keen": 2}
        for number, later_s in ((2, 60), (3, 2 * 3_600)):
            clock.ns += later_s * NS_PER_S
            seal(store)
            hub.core.add(fill((clock.ns - T0) / NS_PER_S - 1, number), clock.ns)
            hub.judge()
            assert str(hub.failing) != "None"
            seal(store, sealed=False)
            hub.judge()
        assert hub.told == {NoticeKind.STALLED: 2, NoticeKind.STREAM_BACK: 2}, "a minute later isn't told"


def test_a_snapshot_that_the_store_does_not_take_does_not_end_the_watch(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "sealed.db")) as store:
        hub, clock, heard = a_hub(store)
        take(hub, clock, told_before())
        seal(store)
        hub.snapshot()
        assert hub.failing is not None
        assert heard[-1]["kind"] == NoticeKind.STALLED
        seal(store, sealed=False)
        hub.judge()
        assert str(hub.failing) == "None"


def test_a_row_that_cannot_be_used_is_counted_and_told_of_once_an_hour(store: Store) -> None:
    hub, clock, _ = a_hub(store)
    bad = msgspec.structs.replace(quote(1), bid=-1.0)
    for _ in range(3):
        take(hub, clock, [bad])
    assert hub.bad_by_stream["rows"] == 3
    assert hub.told[NoticeKind.BAD_MESSAGE] == 1
    clock.ns += BAD_AGAIN_NS
    hub.bad(BadMessage("rows", "a bid below 0", b""))
    assert hub.told[NoticeKind.BAD_MESSAGE] == 2
    assert len(store.notices()) == 2


def test_a_notice_is_kept_told_and_posted_once(store: Store) -> None:
    channel = Channel(name="keen", kind="webhook", url="http://127.0.0.1:9/")
    hub, _, heard = a_hub(store, alarmed=[channel])
    notice = Notice(kind=NoticeKind.GAP, ts_ns=T0, text="Fills may be missing.", exchange="x", account="a")
    hub.notice(notice)
    hub.notice(notice)
    assert store.notices() == [notice]
    assert store.waiting() == {"keen": 1}
    assert heard[0]["type"] == "notice"
    assert heard[0]["text"] == "Fills may be missing."
    assert list(hub.notices) == [notice, notice]


def test_a_fill_that_is_judged_late_is_a_notice_of_its_own_once(store: Store) -> None:
    hub, clock, _ = a_hub(store)
    take(hub, clock, told_before())
    for number in (1, 2):
        came_ns = clock.ns
        clock.ns += STALLED_NS
        asyncio.run(hub.rows([fill(70 + number, number)], came_ns))
    assert hub.told[NoticeKind.STALLED] == 1


def test_a_hub_that_comes_back_knows_its_open_incidents_and_says_nothing_again(store: Store) -> None:
    channel = Channel(name="keen", kind="webhook", url="http://127.0.0.1:9/")
    hub, clock, _ = a_hub(store, warned=[channel], alarmed=[channel])
    take(hub, clock, told_before())
    take(hub, clock, list(stolen(61)))
    waiting, state = store.waiting(), hub.core.state()
    back, _, heard = a_hub(store, warned=[channel], alarmed=[channel])
    assert back.resume() == hub.core.journalled
    assert back.open == hub.open
    assert back.core.state() == state
    assert store.waiting() == waiting
    assert heard == []


def test_what_judgements_come_of_is_on_the_tape(store: Store, tmp_path: Path) -> None:
    hub, clock, _ = a_hub(store)
    recorder = FrameRecorder(tmp_path / "tape")
    hub.record(recorder, {"model": "m"})
    take(hub, clock, told_before())
    take(hub, clock, [fill(61, 1)])
    asyncio.run(hub.rows([fill(62, 2)], clock.ns, taped=True))
    asyncio.run(hub.rows([fill(61, 1)], clock.ns))
    recorder.close()
    events = [(one.stream, one.event) for one in read_frames(tmp_path / "tape")]
    assert events == [
        ("watch", "began"), ("watch", "rows"), ("watch", "rows"), ("watch", "turn"), ("watch", "turn"),
        ("watch", "rows"), ("watch", "turn"),
    ]  # fmt: skip
    turns = [one.frame for one in read_frames(tmp_path / "tape") if one.event == "turn"]
    assert turns[:2] == [b"[]", b"[]"]
    assert msgspec.json.decode(turns[2]) == [list(fill(61, 1).key)]


# --- alerts ----------------------------------------------------------------------------------------

OWNER = Channel(name="owner", kind="webhook", url="https://hook.example/x")


def messages(store: Store) -> list[Message]:
    return [msgspec.json.decode(posted.body, type=Message) for posted in store.due(2**62)]


def test_reminders_run_with_the_watch(tmp_path: Path) -> None:
    """Nothing need happen for one: the thief may be done, and the owner asleep."""
    with closing(SqliteStore(tmp_path / "watch.db")) as store:
        clock = ByHand()
        hub = Hub(engine, store, clock, warned=[OWNER], alarmed=[OWNER])
        posted = list[str]()
        hub.on_post = lambda: posted.append("news")
        with store.transaction():
            store.save_incident(incident())
            hub._post(incident(), None)
        for one in store.due(2**62):
            store.delivered(one, T0)
        again = Hub(engine, store, clock, warned=[OWNER], alarmed=[OWNER])
        again.resume()
        again.on_post = hub.on_post

        async def watch() -> None:
            running = asyncio.create_task(again.run())
            while not messages(store):
                clock.ns += 60 * NS_PER_S
                await asyncio.sleep(0)
            running.cancel()

        asyncio.run(watch())
        assert [message.what for message in messages(store)] == ["reminder"]
        assert clock.ns - T0 >= 15 * 60 * NS_PER_S
        assert posted == ["news"], "whoever delivers is woken"


def test_an_alert_shows_the_fills_that_are_remembered(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "watch.db")) as store:
        hub = Hub(engine, store, ByHand(), warned=[OWNER], alarmed=[OWNER])
        rows = fills(9)
        for number, row in enumerate(rows):
            told = Fill(
                exchange="binance",
                account="main" if number else "other",
                symbol=row["symbol"],
                id=row["id"],
                order=row["order"],
                ts_ns=T0 + number * NS_PER_S,
                side="sell",
                price="0.00176",
                amount="1000",
            )
            hub.verdicts.append(
                Verdict(told, T0, 0.002, "cross", 1_200.0, 3.0, True, float(number), 1.0, 9.0, None)
            )
        hub._post(incident(rows[:7]), None)
        (message,) = messages(store)
        assert [shown.id for shown in message.fills] == ["f2", "f3", "f4", "f5", "f6"]
        assert message.fills[0].text.endswith("sell 1,000 XRP/ETH at 0.00176, 12 % below its worth of 0.002")
        assert hub.decided == {"opened": 1}
