"""What apprise is given: a title, a plain text, and no link but ours."""

from __future__ import annotations

from hypothesis import given

from alert_fakes import later, messages, notice, opened
from drainwatch.alerts.layouts.extra import note_of
from drainwatch.alerts.message import Message


def test_the_title_is_the_first_line_and_the_body_the_rest() -> None:
    note = note_of(opened())
    assert note.title[2:] == opened().first_line
    assert note.body.splitlines()[0] == opened().text.splitlines()[1]
    assert note.kind == "failure"
    assert note_of(notice()).kind == "warning"


def test_what_follows_is_short() -> None:
    lines = note_of(later("reminder")).body.splitlines()
    assert len(lines) == 3
    assert lines[-1] == "Seen to it? drainwatch incidents ack a1"


@given(messages())
def test_any_message_is_harmless_and_bounded(message: Message) -> None:
    note = note_of(message)
    assert len(note.title) <= 250
    assert len(note.body) <= 20_100
    assert "evil.example" not in note.title + note.body
    assert "@everyone" not in note.title + note.body
