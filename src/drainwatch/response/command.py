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
import tempfile
from pathlib import Path
from typing import Any, Final

from drainwatch.alerts.layouts.request import to_bytes
from drainwatch.response.hook import Done, Hook, HookError
from drainwatch.response.record import MAX_OUTPUT

READ_BYTES: Final = 65_536
PAUSE_S: Final = 0.02
"""Between reads of output beyond what is kept: a flood of it may not take the processor from the watch."""
KILLED_S: Final = 1.0
"""So long the end of a killed command is waited for."""
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
    loop = asyncio.get_running_loop()
    # pipes of asyncio's own would be waited for as long as any child that was left behind holds them open
    ours, theirs = os.pipe()
    reader = asyncio.StreamReader(READ_BYTES)
    pipe, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", buffering=0)
    )
    process: asyncio.subprocess.Process | None = None
    printed = bytearray()
    reading = asyncio.create_task(_read(reader, printed))
    try:
        try:
            with tempfile.TemporaryFile() as content:
                content.write(to_bytes(incident))
                content.seek(0)
                process = await asyncio.create_subprocess_exec(
                    program,
                    *hook.command[1:],
                    stdin=content,
                    stdout=theirs,
                    stderr=theirs,
                    env=hook.environment,
                    start_new_session=True,
                )
        except OSError as error:
            raise HookError(f"the command can't be run: {error.strerror or type(error).__name__}") from None
        finally:
            os.close(theirs)
        status = await process.wait()
        await asyncio.wait({reading}, timeout=LINGER_S)
    except asyncio.CancelledError:
        if process is not None:
            _kill(process)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KILLED_S):
                    await process.wait()
        raise
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        pipe.close()
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


async def _read(reader: asyncio.StreamReader, printed: bytearray) -> None:
    """Read what it prints to its end, and keep the beginning."""
    while part := await reader.read(READ_BYTES):
        room = MAX_OUTPUT - len(printed)
        printed += part[: max(room, 0)]
        if room <= 0:
            await asyncio.sleep(PAUSE_S)


def _kill(process: asyncio.subprocess.Process) -> None:
    """End the command and all that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
