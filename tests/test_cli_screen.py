"""What goes to which stream, and how errors end."""

from __future__ import annotations

import io
import sys

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.cli import ExitCode
from drainwatch.cli.screen import Screen, wrapped
from drainwatch.errors import ConfigError, InputError


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def ended(error: BaseException, *, debug: bool = False) -> int:
    with pytest.raises(typer.Exit) as raised, Screen(debug=debug):
        raise error
    return raised.value.exit_code


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InputError("fills.csv row 3: no"), ExitCode.INPUT, "drainwatch: fills.csv row 3: no\n"),
        (ConfigError("$.x is odd"), ExitCode.USAGE, "drainwatch: $.x is odd\n"),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "drainwatch: interrupted\n"),
        (
            OSError(28, "No space left", "out/x"),
            ExitCode.INPUT,
            "drainwatch: can't write out/x: No space left\n",
        ),
    ],
)
def test_errors_end_in_a_message_and_a_code(
    error: BaseException, code: ExitCode, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(error) == code
    shown = capsys.readouterr()
    assert shown.err == message
    assert shown.out == ""


def test_internal_error_says_how_to_report_it_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(ZeroDivisionError("division by zero")) == ExitCode.INTERNAL
    said = capsys.readouterr().err
    assert said.startswith("drainwatch: internal error: ZeroDivisionError: division by zero\n")
    assert "--debug" in said
    assert "Traceback" not in said


def test_debug_shows_the_traceback_and_keeps_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(InputError("x"), debug=True) == ExitCode.INPUT
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_exits_and_usage_errors_pass() -> None:
    with pytest.raises(typer.Exit) as raised, Screen():
        raise typer.Exit(7)
    assert raised.value.exit_code == 7
    with pytest.raises(typer.BadParameter), Screen():
        raise typer.BadParameter("x")


def test_results_go_to_stdout_and_notes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.out("result")
    screen.incident("CRITICAL: gone\nNow: act")
    screen.note("note")
    assert capsys.readouterr() == ("result\nCRITICAL: gone\nNow: act\n", "note\n")


def test_quiet_shows_errors_only(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(quiet=True)
    screen.out("result")
    screen.note("note")
    screen.table(("a",), [("b",)])
    screen.error("wrong")
    assert capsys.readouterr() == ("", "drainwatch: wrong\n")


def test_no_name_can_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.out("\x1b[2J\rA")
    screen.error("\x1b]0;title\x07B")
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err
    assert "A" in shown.out
    assert "B" in shown.err


def test_colour_only_where_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    Screen().incident("CRITICAL: [red]x[/red]\nrest")
    coloured = terminal.getvalue()
    assert "\x1b[1;31mCRITICAL: [red]x[/red]\x1b[0m" in coloured  # brackets are not markup
    for screen in (Screen(no_color=True), _with(monkeypatch, "NO_COLOR", "1")):
        plain = Terminal()
        monkeypatch.setattr(sys, "stdout", plain)
        screen.incident("CRITICAL: x\nrest")
        assert plain.getvalue() == "CRITICAL: x\nrest\n"


def _with(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> Screen:
    monkeypatch.setenv(name, value)
    return Screen()


def test_no_word_is_cut_on_a_terminal_and_no_line_elsewhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a chat or a file a line is a line; in a terminal of 80 columns half words are hard to read."""
    said = "Now: revoke the API key\n  1. the loss is large\nhttps://an.address/that/stays/whole"
    Screen().prose(said)
    assert capsys.readouterr().out == said + "\n"
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "20")
    Screen(no_color=True).prose(said)
    assert terminal.getvalue() == (
        "Now: revoke the API\n     key\n  1. the loss is\n     large\nhttps://an.address/that/stays/whole\n"
    )


@given(st.text(st.sampled_from("ab :.1\n"), max_size=200), st.integers(20, 100))
def test_wrapping_changes_nothing_but_the_blanks(text: str, width: int) -> None:
    shown = "\n".join(wrapped(line, width) for line in text.split("\n"))
    assert shown.split() == text.split()
    assert all(len(line) <= width for line in shown.split("\n") if len(line.split()) > 1)


def test_table_in_plain_columns_and_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Screen().table(("name", "unit"), [("a", "bps"), ("longer", "")])
    assert capsys.readouterr().out == "name    unit\na       bps\nlonger\n"
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    Screen().table(("name",), [("[bold]x[/bold]",)])
    assert "[bold]x[/bold]" in terminal.getvalue()


def test_progress_is_drawn_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with Screen().progress() as progress:
        assert progress is None
    with Screen(quiet=True).progress() as progress:
        assert progress is None
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Screen().progress() as progress:
        assert progress is not None
        progress("judging [fills]", 5, 10)
        progress("judging [fills]", 10, 10)
        progress("reading", 3, None)
    assert "judging [fills]" in terminal.getvalue()


def test_closed_pipe_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """`drainwatch replay ... | head` has done its work: its exit code must say so."""

    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    screen = Screen()
    screen.out("a")
    screen.out("b")
    sys.stdout.close()
