"""What the command shows: results on stdout, notes and progress on stderr; colour only where it is seen.

rich is loaded only where a terminal is there to show it.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Annotated, Self

import typer

from drainwatch.cli.exit_codes import ExitCode, exit_code_of
from drainwatch.errors import DrainwatchError

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="No colour, even on a terminal. Also: NO_COLOR=1.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
"""Options of every verb: how it shows what it does."""

Progress = Callable[[str, int, int | None], None]
"""Called with the stage in words, how much is done, and how much there is in all (None: unknown)."""

ISSUE = (
    "This is a fault in drainwatch, not in your data. To report it, run the same command with --debug and "
    "send what it prints; look through it first for ids and amounts that are nobody's business."
)


class Screen:
    """Stdout and stderr of one command, and how it ends when something goes wrong.

    As a context it turns errors into a message on stderr and an exit code.

    Parameters
    ----------
    quiet
        Show nothing but errors.
    no_color
        No colour even on a terminal; `NO_COLOR` in the environment says the same.
    debug
        Show the traceback of an error as well.
    """

    def __init__(self, *, quiet: bool = False, no_color: bool = False, debug: bool = False) -> None:
        self.quiet = quiet
        self.debug = debug
        self._plain = no_color or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        for stream in (sys.stdout, sys.stderr):
            if hasattr(
                stream, "reconfigure"
            ):  # a terminal that can't show a sign gets its code, not an error
                stream.reconfigure(errors="backslashreplace")

    @property
    def plain(self) -> bool:
        """Whether there is to be no colour."""
        return self._plain

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if (
            error is None
            or isinstance(error, typer.Exit | typer.BadParameter)
            or not isinstance(error, Exception | KeyboardInterrupt)
        ):
            return
        code = exit_code_of(error)
        if self.debug:
            traceback.print_exception(kind, error, trace, file=sys.stderr)
        if code is ExitCode.INTERRUPTED:
            message = "interrupted"
        elif isinstance(error, OSError):
            message = f"can't write {error.filename or 'the output'}: {error.strerror or error}"
        elif isinstance(error, DrainwatchError) and code is not ExitCode.INTERNAL:
            message = str(error)
        else:
            message = f"internal error: {type(error).__name__}: {error}\n{ISSUE}"
        self.error(message)
        raise typer.Exit(code) from error

    def error(self, message: str) -> None:
        """Say on stderr what went wrong."""
        typer.echo(f"drainwatch: {_without_controls(message)}", err=True)

    def note(self, message: str) -> None:
        """Say something on stderr that isn't a result."""
        if not self.quiet:
            typer.echo(_without_controls(message), err=True)

    def out(self, text: str = "", style: str = "") -> None:
        """Write a result to stdout, in a style of rich's where it is seen."""
        if self.quiet:
            return
        text = _without_controls(text)
        try:
            if style and self._coloured(sys.stdout):
                from rich.console import Console

                Console(highlight=False, markup=False, emoji=False, soft_wrap=True).print(text, style=style)
            else:
                typer.echo(text)
        except BrokenPipeError:  # the reader has seen enough (`| head`); the work and the exit code go on
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - until the process ends

    def incident(self, text: str) -> None:
        """Write an incident's text: its first line stands out."""
        first, _, rest = text.partition("\n")
        self.prose(first, "bold red" if first.startswith("CRITICAL") else "bold yellow")
        self.prose(rest)

    def prose(self, text: str, style: str = "") -> None:
        """Write sentences to stdout: on a terminal no word is cut in two, elsewhere lines stay whole."""
        if getattr(sys.stdout, "isatty", lambda: False)():
            width = shutil.get_terminal_size().columns
            text = "\n".join(wrapped(line, width) for line in text.split("\n"))
        self.out(text, style)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write a table to stdout: drawn on a terminal, in plain columns elsewhere."""
        if self.quiet:
            return
        if self._coloured(sys.stdout):
            from rich import box
            from rich.console import Console
            from rich.table import Table
            from rich.text import Text

            drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
            for name in head:
                drawn.add_column(name)
            for row in rows:
                drawn.add_row(*(Text(_without_controls(cell)) for cell in row))
            Console().print(drawn)
            return
        widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
        for row in [head, *rows]:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.out(line.rstrip())

    @contextmanager
    def progress(self) -> Iterator[Progress | None]:
        """Give a function that draws a progress bar on stderr; None where nobody would see it."""
        if self.quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
            yield None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
        )
        console = Console(stderr=True, no_color=self._plain)
        tasks: dict[str, TaskID] = {}
        with Bars(*columns, console=console, transient=True) as bars:

            def show(stage: str, done: int, total: int | None) -> None:
                if stage not in tasks:
                    tasks[stage] = bars.add_task(stage, total=total)
                bars.update(tasks[stage], completed=done, total=total)

            yield show

    def _coloured(self, stream: object) -> bool:
        """Tell whether colour would be seen."""
        return not self._plain and bool(getattr(stream, "isatty", lambda: False)())


def wrapped(line: str, width: int) -> str:
    """Break a line between words; what goes on stands below the text behind its mark (`When:`, `1.`)."""
    hang = re.match(r" *(?:\d+\. |[A-Z][a-z]+: )?", line)
    indent = " " * min(hang.end() if hang else 0, width // 4)
    broken = textwrap.wrap(
        line, max(width, 20), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(broken)


def _without_controls(text: str) -> str:
    """Take out what would steer a terminal: names of symbols and files come from outside."""
    return "".join(c if c == "\n" or c.isprintable() else "\ufffd" for c in text)
