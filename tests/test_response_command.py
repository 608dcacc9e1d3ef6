"""A command gets the incident and nothing else of ours, and is gone when its time is up."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from drainwatch.response import command
from drainwatch.response.hook import Done, HookError
from drainwatch.response.record import MAX_OUTPUT, State
from drainwatch.response.switch import attempt
from response_fakes import hook, incident

ENVIRONMENT = {"PATH": os.environ.get("PATH", ""), "GIVEN": "yes"}


def python(code: str, *arguments: str, **changes: Any) -> Any:
    """Give a hook that runs some Python."""
    words = (sys.executable, "-c", code, *arguments)
    return hook("command", command=words, environment=ENVIRONMENT, **changes)


def run(one: Any, about: dict[str, Any] | None = None) -> Done:
    return asyncio.run(command.run(one, incident() if about is None else about))


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_it_reads_the_incident_on_its_standard_input() -> None:
    about = incident(symbols=["ETH/BTC", "\ud800<'$(id)"])
    done = run(python("import sys, json; print(json.load(sys.stdin)['id'])"), about)
    assert done.text == "the command ended with status 0"
    assert done.output.strip() == about["id"]


def test_arguments_are_given_as_they_are_and_no_shell_reads_them() -> None:
    odd = ["$(touch here)", "a b", "'", "; exit 3"]
    done = run(python("import sys, json; print(json.dumps(sys.argv[1:]))", *odd))
    assert json.loads(done.output) == odd


def test_it_gets_only_the_environment_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in our environment would otherwise be in that of every command."""
    monkeypatch.setenv("LAB_SECRET", "PlAnTeDsecret")
    done = run(python("import os, json; print(json.dumps(dict(os.environ)))"))
    found = json.loads(done.output)
    assert found["GIVEN"] == "yes"
    assert set(found) <= {*ENVIRONMENT, "LC_CTYPE"}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise SystemExit(3)", "ended with status 3"),
        ("import os; os.kill(os.getpid(), 9)", "ended by signal 9"),
    ],
)
def test_a_command_that_fails_is_told_with_what_it_printed(code: str, said: str) -> None:
    with pytest.raises(HookError, match=said) as caught:
        run(python(f"print('so far', flush=True); {code}"))
    assert caught.value.output == "so far\n"


def test_a_command_need_not_read_its_input() -> None:
    about = incident(fills=[{"id": "x" * 1_000}] * 2_000)
    assert run(python("pass"), about).output == ""


def test_a_flood_of_output_is_cut_and_the_loop_goes_on() -> None:
    """A hook that prints without end may not take the processor from the judgement."""
    code = "import sys\nwhile True: sys.stdout.write('x' * 65536)"

    async def scene() -> tuple[Any, int]:
        turns = 0

        async def judge() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0.005)
                turns += 1

        judging = asyncio.create_task(judge())
        result = await attempt(python(code, timeout_s=1.0), incident(), command)
        judging.cancel()
        return result, turns

    (state, text, _), turns = asyncio.run(scene())
    assert state is State.UNKNOWN
    assert "longer than 1 s" in text
    assert turns > 3


def test_the_beginning_of_what_it_prints_is_kept() -> None:
    done = run(python("print('a' * 100_000)"))
    assert done.output == "a" * MAX_OUTPUT


def test_at_its_time_limit_the_whole_group_is_killed(tmp_path: Path) -> None:
    """A child that ignores signals, and a grandchild, would go on stopping and starting things."""
    code = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open(sys.argv[1] + '~', 'w').write(f'{os.getpid()} {child.pid}')\n"
        "os.rename(sys.argv[1] + '~', sys.argv[1])\n"
        "time.sleep(600)\n"
    )
    pids = tmp_path / "pids"

    async def scene() -> tuple[State, str, str]:
        running = asyncio.create_task(attempt(python(code, str(pids), timeout_s=600.0), incident(), command))
        async with asyncio.timeout(60):
            while not pids.exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.02)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return await attempt(python(code, str(tmp_path / "more"), timeout_s=1.0), incident(), command)

    state, text, _ = asyncio.run(scene())
    assert state is State.UNKNOWN
    assert text == "it took longer than 1 s and was cut off; look yourself whether it took effect"
    found = [*map(int, pids.read_text().split())]
    if (tmp_path / "more").exists():
        found += map(int, (tmp_path / "more").read_text().split())
    end_s = time.monotonic() + 30
    while any(map(is_alive, found)) and time.monotonic() < end_s:
        time.sleep(0.02)
    assert not any(map(is_alive, found))


def test_a_child_left_behind_that_holds_the_output_open_is_not_waited_for() -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid)\n"
    )
    done = run(python(code))
    pid = int(done.output)
    assert is_alive(pid), "what a command starts in the background may go on"
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("word", ["no-such-program-anywhere", "/", "{here}/plain", "{here}/absent"])
def test_what_is_no_program_is_told(tmp_path: Path, word: str) -> None:
    (tmp_path / "plain").touch(0o600)
    word = word.format(here=tmp_path)
    one = hook("command", command=(word,), environment=ENVIRONMENT)
    for do in (command.check, lambda one: command.run(one, incident())):
        with pytest.raises(HookError, match="no program that this user may run"):
            asyncio.run(do(one))


def test_a_file_that_no_machine_can_run_is_told(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x00\x01\x02")
    program.chmod(0o700)
    with pytest.raises(HookError, match="can't be run"):
        run(hook("command", command=(str(program),), environment=ENVIRONMENT))


def test_a_program_that_everybody_may_change_is_refused_by_the_check(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    one = hook("command", command=(str(program),), environment=ENVIRONMENT)
    assert asyncio.run(command.check(one)) == f"would run {program} with the incident on its standard input"
    program.chmod(0o707)
    with pytest.raises(HookError, match="can be changed by everybody"):
        asyncio.run(command.check(one))


def test_a_check_runs_nothing(tmp_path: Path) -> None:
    made = tmp_path / "made"
    assert "would run" in asyncio.run(command.check(python("import sys; open(sys.argv[1], 'w')", str(made))))
    assert not made.exists()
