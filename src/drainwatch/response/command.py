"""Runs a command with the incident as JSON on its standard input.

No shell, no argument made of the incident, no variable of ours but a few harmless ones; in a process
group of its own, which is killed whole at the time limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import stat
from pathlib import Path
from typing import Any, Final

from drainwatch.alerts.layouts.request import to_bytes
from drainwatch.response.hook import Done, Hook, HookError
from drainwatch.response.record import MAX_OUTPUT

READ_BYTES: Final = 65_536
PAUSE_S: Final = 0.02
"""Between reads of output beyond what is kept: a flood of it may not take the processor from the watch."""
LINGER_S: Final = 0.2
"""So long output is waited for after the end: a child left behind may hold it open for ever."""


async def check(hook: Hook) -> str:
    """Look whether the command is there, and not for others to change.

    Raises
    ------
    HookError
        It couldn't be run, or shouldn't.
    """
    program = _program(hook)
    if os.name != "nt":
        for place in (program, program.resolve(), program.resolve().parent):
            mode = place.stat().st_mode
            if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
                raise HookError(
                    f"{place} can be changed by everybody on this machine ({stat.filemode(mode)}): run "
                    f"`chmod o-w {place}`, or he who does decides what is run here"
                )
    return f"would run {program} with the incident on its standard input"


async def run(hook: Hook, incident: dict[str, Any]) -> Done:
    """Run it.

    Raises
    ------
    HookError
        It isn't there, or ended with another status than 0.
    """
    program = _program(hook)
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *hook.command[1:],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=hook.environment,
            start_new_session=True,
        )
    except OSError as error:
        raise HookError(f"the command can't be run: {error.strerror or type(error).__name__}") from None
    except ValueError:
        raise HookError("the command can't be run: an argument holds a NUL") from None
    printed = bytearray()
    reading = asyncio.create_task(_read(process, printed))
    writing = asyncio.create_task(_write(process, to_bytes(incident)))
    try:
        status = await process.wait()
        await asyncio.wait({reading}, timeout=LINGER_S)
    except BaseException:
        _kill(process)
        raise
    finally:
        for task in (reading, writing):
            task.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)
        process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - else it waits for pipes that a child left behind holds
    output = printed.decode(errors="replace")
    if status < 0:
        raise HookError(f"the command was ended by signal {-status}", output)
    if status:
        raise HookError(f"the command ended with status {status}", output)
    return Done("the command ended with status 0", output)


def _program(hook: Hook) -> Path:
    """Find the program, by the command's own PATH."""
    found = shutil.which(Path(hook.command[0]).expanduser(), path=hook.environment.get("PATH", os.defpath))
    if found is None:
        raise HookError(
            "the first word of `command` is no program that this user may run: give its whole path, and "
            "run `chmod +x` on it"
        )
    return Path(found)


async def _write(process: asyncio.subprocess.Process, content: bytes) -> None:
    """Write the incident; a command need not read it."""
    pipe = process.stdin
    if pipe is None:
        return
    with contextlib.suppress(OSError):
        pipe.write(content)
        await pipe.drain()
        pipe.close()


async def _read(process: asyncio.subprocess.Process, printed: bytearray) -> None:
    """Read what it prints to its end, and keep the beginning."""
    pipe = process.stdout
    while pipe is not None and (part := await pipe.read(READ_BYTES)):
        room = MAX_OUTPUT - len(printed)
        printed += part[: max(room, 0)]
        if room <= 0:
            await asyncio.sleep(PAUSE_S)


def _kill(process: asyncio.subprocess.Process) -> None:
    """End the command and all that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "nt":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
