"""Exit codes, and which error ends in which: the only place that knows."""

from __future__ import annotations

from enum import IntEnum

from drainwatch.errors import ConfigError, InputError, ModelError, StateError, VenueError


class ExitCode(IntEnum):
    """How the command ended. `docs/exit-codes.md` lists the same; a test compares them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INPUT = 3
    INTERNAL = 70
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """What it means, in one line."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "It ran, with or without incidents; `--exit-code N` makes it N when there is an incident.",
    ExitCode.FAILED: "`doctor` found what would keep the watch from hearing, judging or telling; or "
    "`keys check` something bad; or `keys scan` a key, or it couldn't look at everything; or a channel "
    "didn't take the sample of `alerts test`, or a response failed in `response test`; or the watch can't "
    "use its store, or not watch an exchange; or no alert came of `demo --live`; or "
    "`fetch` could have nothing, or the exchange stayed away.",
    ExitCode.USAGE: "A wrong option, setting or model.",
    ExitCode.INPUT: "A table can't be read, is empty, lacks a needed column or has too many bad rows, or "
    "the outcome can't be written; nothing was written.",
    ExitCode.INTERNAL: "A fault in drainwatch itself: please report it.",
    ExitCode.INTERRUPTED: "Interrupted from the keyboard (Ctrl-C).",
}


def exit_code_of(error: BaseException) -> ExitCode:
    """Tell the exit code of an error; what nobody foresaw is `INTERNAL`."""
    # shells turn a failure to read a table into InputError: an OSError that gets here is of the output
    if isinstance(error, InputError | OSError):
        return ExitCode.INPUT
    if isinstance(error, ConfigError | ModelError):
        return ExitCode.USAGE
    if isinstance(error, StateError | VenueError):
        return ExitCode.FAILED
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    return ExitCode.INTERNAL
