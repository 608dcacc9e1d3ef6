"""Slack's blocks: within its limits, and nothing in them that somebody else wrote does anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_fakes import SLACK, SLACK_BOT, digest, largest, later, messages, notice, opened
from drainwatch.alerts.layouts import Request, id_in, request_of
from drainwatch.alerts.layouts.fit import units
from drainwatch.alerts.message import WHATS, Message

REFUSED = 13_000
"""Characters of blocks from which on Slack says `msg_blocks_too_long`, as others found."""


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a body."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from parts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from parts(inner)


def body_of(request: Request) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(request.body)
    return made


def text_in(body: dict[str, Any]) -> str:
    """All that is read in the blocks."""
    return "\n".join(part["text"] for part in parts(body["blocks"]) if isinstance(part.get("text"), str))


def check_limits(body: dict[str, Any]) -> None:
    blocks = body["blocks"]
    assert 1 <= len(blocks) <= 50
    assert len(body["text"]) <= 40_000
    assert len(json.dumps(blocks, ensure_ascii=False)) < REFUSED
    header = [block["text"]["text"] for block in blocks if block["type"] == "header"]
    assert len(header) == 1
    assert 0 < units(header[0]) <= 150
    for part in parts(blocks):
        text = part.get("text")
        if isinstance(text, str):
            assert 0 < units(text) <= 3_000  # an empty text is refused, too


@pytest.mark.parametrize("character", ["x", '"', "\\", "\U0001f4b8", "@a"])
def test_the_largest_message_is_within_the_limits(character: str) -> None:
    for message in largest(character):
        check_limits(body_of(request_of(SLACK_BOT, message, earlier="1.2")))


@given(messages(), st.sampled_from([SLACK, SLACK_BOT]), st.none() | st.just("1.2"))
def test_any_message_is_within_the_limits(message: Message, channel: Any, reply_to: str | None) -> None:
    check_limits(body_of(request_of(channel, message, reply_to=reply_to)))


@given(messages())
def test_what_others_wrote_is_text_alone(message: Message) -> None:
    """Elements of rich text do something by their type, never by what they hold."""
    body = body_of(request_of(SLACK, message))
    kinds = {part["type"] for part in parts(body["blocks"]) if "type" in part}
    assert kinds <= {
        "header", "plain_text", "rich_text", "rich_text_section", "rich_text_list", "text", "link",
    }  # fmt: skip
    links = {part["url"] for part in parts(body["blocks"]) if part.get("type") == "link"}
    assert links <= {message.link.url if message.link else ""}
    said = body["text"] + text_in(body)
    assert "evil.example" not in said
    assert "@everyone" not in said
    assert "<" not in body["text"]


@pytest.mark.parametrize("what", WHATS)
def test_the_first_line_and_what_to_do_come_first(what: str) -> None:
    blocks = body_of(request_of(SLACK_BOT, later(what)))["blocks"]
    assert (
        "3.36 ETH gone from account main at binance, 41 % of it; about 4.84 ETH left"
        in (blocks[0]["text"]["text"])
    )
    first = blocks[1]["elements"][0]["elements"]
    assert first[0] == {"type": "text", "text": "Now: ", "style": {"bold": True}}
    assert first[3]["url"] == "https://www.binance.com/en/my/settings/api-management"


def test_a_long_first_line_is_below_the_header_and_whole() -> None:
    blocks = body_of(request_of(SLACK, opened(account="a" * 80, exchange="b" * 80)))["blocks"]
    assert blocks[0]["text"]["text"].endswith("CRITICAL")
    assert "about 4.84 ETH left" in blocks[1]["elements"][0]["elements"][0]["text"]


def test_a_webhook_can_not_edit_so_what_follows_is_short() -> None:
    whole = text_in(body_of(request_of(SLACK, opened())))
    short = body_of(request_of(SLACK, later("grew")))
    assert "Why" in whole
    assert "Why" not in text_in(short)
    assert "grown since the last message" in text_in(short)
    assert "ts" not in short
    again = text_in(body_of(request_of(SLACK, later("escalated"))))
    assert "Why" in again, "what has become critical is worth reading whole"


def test_a_bot_edits_and_answers_in_the_thread() -> None:
    new = request_of(SLACK_BOT, opened())
    assert new.url == "https://slack.example/api/chat.postMessage"
    assert new.headers["Authorization"] == "Bearer xoxb-hunter2"
    assert body_of(new)["channel"] == "C0123456789"
    edit = request_of(SLACK_BOT, later("grew"), earlier="1503435956.000247")
    assert edit.url == "https://slack.example/api/chat.update"
    assert body_of(edit)["ts"] == "1503435956.000247"
    assert "Why" in text_in(body_of(edit)), "an edit replaces the whole"
    reply = body_of(request_of(SLACK_BOT, later("escalated"), reply_to="1503435956.000247"))
    assert (reply["thread_ts"], reply["reply_broadcast"]) == ("1503435956.000247", True)
    assert "Why" not in text_in(reply)


def test_no_request_shows_its_secret() -> None:
    assert "hunter2" not in repr(request_of(SLACK_BOT, opened())) + repr(request_of(SLACK, opened()))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"ok":true,"channel":"C1","ts":"1503435956.000247","message":{}}', "1503435956.000247"),
        (b'{"ok":true}', None),
        (b'{"ok":true,"ts":5}', None),
        (b"ok", None),
        (b"[]", None),
        (b"\xff", None),
    ],
)
def test_the_id_of_a_message(body: bytes, found: str | None) -> None:
    assert id_in(SLACK_BOT, body) == found
    assert id_in(SLACK, body) is None


def test_digests_and_notices_say_all_they_have() -> None:
    many = text_in(body_of(request_of(SLACK, digest(12))))
    assert "and 4 more" in many
    assert "farm-0" in many
    said = text_in(body_of(request_of(SLACK, notice())))
    assert "make one, and start the watch again." in said
