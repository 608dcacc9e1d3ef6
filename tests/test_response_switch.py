"""One shot an incident: not lost, not twice, not beyond its time, and never in the judgement's way."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from drainwatch.errors import StateError
from drainwatch.notices import Notice, NoticeKind
from drainwatch.response.hook import Done, Hook, HookError
from drainwatch.response.record import State, responses_of
from drainwatch.response.switch import ACTORS, AT_ONCE, SAME_NS, Switch, attempt
from drainwatch.store import Mark, Silence, open_store
from response_fakes import hook, incident

CHILD = Path(__file__).with_name("switch_child.py")
HOUR_NS = 3_600_000_000_000


class ByHand:
    """A clock that is set, and that a sleep moves on."""

    def __init__(self) -> None:
        self.ns = 1_764_600_000_000_000_000

    def now_ns(self) -> int:
        return self.ns

    async def sleep(self, seconds: float) -> None:
        self.ns += int(seconds * 1e9)
        await asyncio.sleep(0)


class Doing:
    """An actor that does what it is told, and notes it."""

    def __init__(self, do: Callable[[Hook, dict[str, Any]], Awaitable[Done]] | None = None) -> None:
        self.do = do
        self.ran: list[tuple[str, str]] = []
        self.checked: list[str] = []

    async def check(self, hook: Hook) -> str:
        self.checked.append(hook.name)
        return "would do it"

    async def run(self, hook: Hook, incident: dict[str, Any]) -> Done:
        self.ran.append((hook.name, incident["id"]))
        return Done("did it") if self.do is None else await self.do(hook, incident)


class Scene:
    """A switch with a store of its own."""

    def __init__(self, path: Path, *hooks: Hook, actor: Any = None) -> None:
        self.path, self.hooks = path, hooks
        self.actor = actor or Doing()
        self.clock = ByHand()
        self.told: list[Notice] = []
        self.open()

    def open(self) -> None:
        """Begin anew, as after a start."""
        self.store = open_store(self.path)
        self.switch = Switch(self.store, self.hooks, self.clock, self.told.append, {"command": self.actor})

    def restart(self) -> None:
        """Begin anew with what the store holds."""
        self.store.close()
        self.open()
        self.switch.resume(self.store.incidents())

    def happen(self, now: dict[str, Any], before: dict[str, Any] | None = None) -> None:
        """Let an incident be kept, as the judge's desk does."""
        with self.store.transaction():
            self.store.save_incident(now)
            self.switch.note(now, before)
        self.switch.wake()

    def states(self, number: int = 1) -> dict[str, str]:
        """How the responses to an incident stand."""
        return {one.name: one.state.value for one in responses_of(self.store, f"incident-{number}")}

    def play(
        self, until: Callable[[], bool] = lambda: True, during: Callable[[], None] = lambda: None
    ) -> None:
        """Let it run until something is true and nothing is left to do."""

        async def scene() -> None:
            task = asyncio.create_task(self.switch.run())
            during()
            async with asyncio.timeout(60):
                while not (until() and not self.switch._shots and not self._running()):  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            await asyncio.sleep(0.005)  # what is told is told by the next turn
            assert not task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(scene())

    def _running(self) -> bool:
        return any(
            one.state is State.RUNNING
            for about in self.store.incidents()
            for one in responses_of(self.store, about["id"])
        )


@pytest.fixture
def scenes(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    made: list[Scene] = []

    def make(*hooks: Hook, actor: Any = None) -> Scene:
        made.append(Scene(tmp_path / f"{len(made)}.db", *hooks, actor=actor))
        return made[-1]

    yield make
    for scene in made:
        scene.store.close()


Scenes = Callable[..., Scene]


def test_every_kind_has_an_actor() -> None:
    from drainwatch.config import ResponseKind

    assert set(ACTORS) == {kind.value for kind in ResponseKind}


def test_a_hook_runs_once_an_incident_and_is_told(scenes: Scenes) -> None:
    scene = scenes(hook())
    scene.happen(incident())
    scene.happen(incident(loss=5.0), incident())
    scene.play()
    scene.happen(incident(loss=9.0), incident(loss=5.0))
    scene.happen(incident(2), None)
    scene.play()
    assert scene.actor.ran == [("the-hook", "incident-1"), ("the-hook", "incident-2")]
    assert scene.states() == scene.states(2) == {"the-hook": "done"}
    assert [notice.text for notice in scene.told] == ["the-hook: done: did it. For incident incident-1."]
    assert (scene.told[0].kind, scene.told[0].account) == (NoticeKind.RESPONSE, "main")
    (told,) = scene.switch.of("incident-1")
    assert (told["state"], told["text"]) == ("done", "did it")
    assert scene.switch.counts == Counter({("the-hook", "done"): 2})


def test_the_same_incident_judged_once_more_after_a_crash_runs_nothing_again(scenes: Scenes) -> None:
    """What a snapshot doesn't have is judged again, and said again."""
    scene = scenes(hook())
    scene.happen(incident())
    scene.play()
    scene.restart()
    scene.happen(incident(), None)
    scene.play()
    assert scene.actor.ran == [("the-hook", "incident-1")]
    assert len(scene.told) == 1


def test_what_was_due_when_the_watch_ended_runs_after_the_start(scenes: Scenes) -> None:
    scene = scenes(hook())
    scene.happen(incident())
    scene.restart()
    scene.play(lambda: bool(scene.told))
    assert scene.states() == {"the-hook": "done"}


def test_what_is_noted_while_the_journal_is_read_again_is_taken_up_once(scenes: Scenes) -> None:
    """An incident that a snapshot lacks is noted anew, and found in the store as well."""
    scene = scenes(hook())
    scene.happen(incident())
    scene.switch.resume(scene.store.incidents())
    scene.play(lambda: bool(scene.told))
    assert scene.actor.ran == [("the-hook", "incident-1")]


def test_what_was_undone_with_its_incident_does_not_run(scenes: Scenes) -> None:
    """The store was full: the incident isn't kept, and will be told of once it is."""
    scene = scenes(hook())

    def fail() -> None:
        with scene.store.transaction():
            scene.switch.note(incident(), None)
            raise StateError("the disk is full")

    with pytest.raises(StateError, match="full"):
        fail()
    scene.switch.wake()
    scene.play()
    assert scene.actor.ran == []
    scene.happen(incident())
    scene.play(lambda: bool(scene.told))
    assert len(scene.actor.ran) == 1


def test_a_dry_run_does_nothing_but_look(scenes: Scenes) -> None:
    scene = scenes(hook(dry_run=True))
    scene.happen(incident())
    scene.play(lambda: bool(scene.told))
    assert scene.actor.checked == ["the-hook"]
    assert scene.actor.ran == []
    assert scene.states() == {"the-hook": "would"}
    assert scene.told[0].text.startswith("the-hook: dry run, nothing was done: would do it.")


@pytest.mark.parametrize(
    ("error", "state", "said"),
    [
        (HookError("no answer", "printed"), "failed", "no answer"),
        (ZeroDivisionError("PlAnTeDsecret"), "unknown", "a fault in drainwatch (ZeroDivisionError in"),
    ],
)
def test_what_goes_wrong_is_a_result(scenes: Scenes, error: Exception, state: str, said: str) -> None:
    async def fail(_hook: Hook, _incident: dict[str, Any]) -> Done:
        raise error

    scene = scenes(hook(), actor=Doing(fail))
    scene.happen(incident())
    scene.play(lambda: bool(scene.told))
    assert scene.states() == {"the-hook": state}
    assert said in scene.told[0].text
    assert "PlAnTeD" not in scene.told[0].text


def test_a_hook_that_hangs_is_cut_off_and_holds_up_no_other() -> None:
    async def hang(_hook: Hook, _incident: dict[str, Any]) -> Done:
        await asyncio.sleep(3_600)
        raise AssertionError

    state, text, _ = asyncio.run(attempt(hook(timeout_s=0.05), incident(), Doing(hang)))
    assert state is State.UNKNOWN
    assert "was cut off; look yourself whether it took effect" in text


def test_hanging_runs_of_a_hook_hold_up_neither_others_nor_later_ones(scenes: Scenes) -> None:
    """Of five incidents of a hook that hangs at the first three, all are answered in time."""
    hung = asyncio.Event()

    async def do(one: Hook, about: dict[str, Any]) -> Done:
        if one.name == "hangs" and int(about["id"][-1]) < AT_ONCE:
            await hung.wait()
        return Done(f"{one.name} {about['id']}")

    scene = scenes(hook(name="hangs", timeout_s=600.0), hook(name="quick"), actor=Doing(do))
    for number in range(1, 6):
        scene.happen(incident(number))

    async def watch() -> None:
        task = asyncio.create_task(scene.switch.run())
        async with asyncio.timeout(60):
            wanted = Counter({("quick", "done"): 5, ("hangs", "done"): 2})
            while scene.switch.counts != wanted:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(watch())
    assert [scene.states(number)["hangs"] for number in range(1, 6)] == ["running"] * 3 + ["done"] * 2


def test_criticals_go_before_warnings_that_came_first(scenes: Scenes) -> None:
    scene = scenes(hook(severity="warning"))
    for number in range(1, 9):
        scene.happen(incident(number, severity="warning"))
    scene.happen(incident(9))
    scene.play(lambda: scene.switch.counts.total() == 9)
    assert scene.actor.ran[0] == ("the-hook", "incident-9")


@pytest.mark.parametrize("before_start", [True, False])
def test_what_the_owner_holds_is_not_run_and_says_why(scenes: Scenes, before_start: bool) -> None:
    """He may have marked it while the watch was down."""
    scene = scenes(hook())
    if not before_start:
        silence = Silence(id="s", reason="tests", from_ns=0, until_ns=2**62, forced=True)
        scene.store.add_silence(silence)
    scene.happen(incident())
    if before_start:
        scene.store.add_mark(Mark(incident="incident-1", what="false_alarm", at_ns=1))
        scene.restart()
    scene.play()
    (kept,) = responses_of(scene.store, "incident-1")
    assert kept.state is State.SKIPPED
    assert kept.text.startswith("the owner")
    assert scene.actor.ran == scene.told == []


def test_an_incident_that_was_over_before_the_start_is_left_alone(scenes: Scenes) -> None:
    scene = scenes(hook())
    scene.happen(incident())
    scene.store.save_incident(incident(closed_at=1.0))
    scene.restart()
    scene.play()
    assert scene.states() == {"the-hook": "skipped"}
    assert scene.actor.ran == []


def test_a_hook_that_is_gone_from_the_settings_is_told_of(scenes: Scenes) -> None:
    scene = scenes(hook())
    scene.happen(incident())
    scene.hooks = ()
    scene.restart()
    assert scene.states() == {"the-hook": "skipped"}
    assert "isn't among the settings any more" in scene.told[0].text


def test_once_an_hour_is_not_twice_an_hour(scenes: Scenes) -> None:
    scene = scenes(hook(once_s=3_600.0))
    scene.happen(incident(1))
    scene.play(lambda: len(scene.actor.ran) == 1)
    scene.happen(incident(2))
    scene.play()
    assert scene.states(2) == {"the-hook": "skipped"}
    scene.restart()
    scene.clock.ns += HOUR_NS
    scene.happen(incident(3))
    scene.play()
    assert scene.actor.ran == [("the-hook", "incident-1"), ("the-hook", "incident-3")]


def test_a_flood_of_the_same_result_is_told_once_and_kept_each(scenes: Scenes) -> None:
    scene = scenes(hook())
    for number in range(1, 101):
        scene.happen(incident(number))
    scene.play(lambda: scene.switch.counts.total() == 100)
    assert len(scene.told) == 1
    assert all(scene.states(number) == {"the-hook": "done"} for number in range(1, 101))
    scene.clock.ns += SAME_NS
    scene.happen(incident(101))
    scene.play(lambda: len(scene.told) == 2)


def test_a_store_that_fails_before_the_run_is_waited_for(
    scenes: Scenes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What isn't kept as running isn't run: it could be run twice."""
    scene = scenes(hook())
    scene.happen(incident())
    keep, fails = scene.store.set_value, [StateError("the disk is full")] * 3

    def set_value(name: str, value: bytes) -> None:
        if fails:
            assert scene.actor.ran == []
            raise fails.pop()
        keep(name, value)

    monkeypatch.setattr(scene.store, "set_value", set_value)
    scene.play(lambda: bool(scene.told))
    assert scene.actor.ran == [("the-hook", "incident-1")]
    assert scene.states() == {"the-hook": "done"}


def test_a_store_that_fails_after_the_run_gets_the_result_when_it_can(
    scenes: Scenes, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = scenes(hook())
    scene.happen(incident())
    keep, fails = scene.store.set_value, [StateError("the disk is full")] * 3

    def set_value(name: str, value: bytes) -> None:
        if scene.actor.ran and fails:
            raise fails.pop()
        keep(name, value)

    monkeypatch.setattr(scene.store, "set_value", set_value)
    scene.play(lambda: bool(scene.told))
    assert scene.actor.ran == [("the-hook", "incident-1")]
    assert scene.states() == {"the-hook": "done"}
    assert len(scene.told) == 1


def test_what_was_not_told_before_the_end_is_told_after_the_start(scenes: Scenes) -> None:
    scene = scenes(hook())

    def tell(_notice: Notice) -> None:
        raise StateError("the disk is full")

    scene.switch._tell = tell
    scene.happen(incident())
    scene.play(lambda: scene.switch.counts.total() == 1)
    assert scene.states() == {"the-hook": "done"}
    scene.restart()
    assert [notice.text for notice in scene.told] == ["the-hook: done: did it. For incident incident-1."]
    scene.restart()
    assert len(scene.told) == 1


def test_a_mistake_of_ours_ends_neither_the_switch_nor_the_watch(
    scenes: Scenes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, logger="drainwatch.response")  # whatever ran before in this process
    scene = scenes(hook())
    tell, fails = scene.switch._tell, [ZeroDivisionError("PlAnTeD")] * 2

    def broken(notice: Notice) -> None:
        if fails:
            raise fails.pop()
        tell(notice)

    monkeypatch.setattr(scene.switch, "_tell", broken)
    scene.happen(incident())
    scene.play(lambda: bool(scene.told))
    assert scene.actor.ran == [("the-hook", "incident-1")]
    assert "ZeroDivisionError in test_response_switch.py" in caplog.text
    assert "PlAnTeD" not in caplog.text


def test_a_switch_without_hooks_does_nothing_and_stays(scenes: Scenes) -> None:
    scene = scenes()
    scene.happen(incident())
    scene.play()
    assert scene.switch.of("incident-1") == []


# --- kill -9 -------------------------------------------------------------------------------------------


def child(path: Path, ran: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, str(CHILD), str(path), str(ran)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json.dumps(incident()) + "\n")
    process.stdin.flush()
    return process


def killed(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


def wait_for(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end_s = time.monotonic() + 60
    while not true():
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < end_s, "it never came to that"
        time.sleep(0.01)


def test_a_watch_killed_in_the_middle_of_a_run_never_runs_it_again(tmp_path: Path) -> None:
    """A second shot could stop a bot that the owner has started again, or sell twice."""
    path, ran = tmp_path / "store.db", tmp_path / "ran"
    first = child(path, ran)
    try:
        wait_for(lambda: ran.exists() and ran.read_text() != "", first)
    finally:
        killed(first)
    with closing(open_store(path)) as store:
        assert [one.state for one in responses_of(store, "incident-1")] == [State.RUNNING]
    again = child(path, ran)
    try:
        assert again.stdout is not None
        assert "slow: UNKNOWN OUTCOME: drainwatch was ended while it ran" in again.stdout.readline()
        assert again.stdout.readline() == "resumed\n"
    finally:
        killed(again)
    assert ran.read_text() == "slow incident-1\n"
    with closing(open_store(path)) as store:
        assert [one.state for one in responses_of(store, "incident-1")] == [State.UNKNOWN]
        told: list[Notice] = []
        Switch(store, [], ByHand(), told.append).resume(store.incidents())
        assert (len(store.notices()), told) == (1, []), "it is told once"
