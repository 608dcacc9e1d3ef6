"""Telegram's text: within its limit, its tags whole, and none of them anybody else's."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_fakes import TELEGRAM, digest, largest, later, messages, notice, opened
from drainwatch.alerts.channel import Channel
from drainwatch.alerts.layouts import Request, id_in, request_of
from drainwatch.alerts.layouts.fit import units
from drainwatch.alerts.message import WHATS, Message

TAGS = {"b", "a", "code", "blockquote"}


class Reader(HTMLParser):
    """Reads as Telegram does: tags, and what is left without them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.links = "", list[str]()
        self.open, self.tags = list[str](), set[str]()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def body_of(request: Request) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(request.body)
    return made


@pytest.mark.parametrize("character", ["x", "<", "\U0001f4b8", "@a"])
def test_the_largest_message_is_within_the_limit(character: str) -> None:
    for message in largest(character):
        assert units(Reader(body_of(request_of(TELEGRAM, message))["text"]).text) <= 4_096


@given(messages(), st.none() | st.just("1"))
def test_any_message_is_within_the_limits(message: Message, reply_to: str | None) -> None:
    body = body_of(request_of(TELEGRAM, message, reply_to=reply_to))
    read = Reader(body["text"])
    assert 0 < units(read.text) <= 4_096
    assert read.open == []
    assert read.text.strip()


@given(messages())
def test_what_others_wrote_is_text_alone(message: Message) -> None:
    text = body_of(request_of(TELEGRAM, message))["text"]
    read = Reader(text)
    assert read.tags <= TAGS
    assert set(read.links) <= {message.link.url if message.link else ""}
    assert "evil.example" not in text
    assert "@everyone" not in text
    assert "t.me/" not in text
    assert not re.search(r"&(?!amp;|lt;|gt;|quot;)", text), "Telegram refuses other names"
    # the command is ours, and shown as code
    outside = re.sub(r"<code>[^<]*</code>", "", text)
    assert not re.search(r"(?<![\w<])[/#$](?=\w)", outside.replace(read.links[0] if read.links else "\0", ""))


@pytest.mark.parametrize("what", WHATS)
def test_the_first_lines_say_what_is_gone_and_what_to_do(what: str) -> None:
    lines = body_of(request_of(TELEGRAM, later(what)))["text"].splitlines()
    assert "3.36 ETH gone from account main at binance, 41 % of it; about 4.84 ETH left" in lines[0]
    assert lines[1].startswith("<b>Now:</b> revoke the API key at binance")
    assert '<a href="https://www.binance.com/en/my/settings/api-management">' in lines[1]


@pytest.mark.parametrize("end", ["", "/", "/sendMessage"])
def test_methods_are_those_of_the_bot(end: str) -> None:
    channel = Channel(name="t", kind="telegram", url=f"{TELEGRAM.url}{end}", chat_id="-100")
    new = request_of(channel, opened())
    assert new.url == "https://telegram.example/bothunter2/sendMessage"
    assert body_of(new)["chat_id"] == "-100"
    assert body_of(new)["link_preview_options"] == {"is_disabled": True}
    edit = request_of(channel, later("grew"), earlier="77")
    assert edit.url == "https://telegram.example/bothunter2/editMessageText"
    assert body_of(edit)["message_id"] == 77
    assert "<b>Why</b>" in body_of(edit)["text"]
    reply = body_of(request_of(channel, later("reminder"), reply_to="77"))
    assert reply["reply_parameters"] == {"message_id": 77, "allow_sending_without_reply": True}
    assert "<b>Why</b>" not in reply["text"]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"ok":true,"result":{"message_id":77}}', "77"),
        (b'{"ok":true,"result":true}', None),
        (b'{"ok":true,"result":{"message_id":"77"}}', None),
        (b'{"ok":true,"result":{"message_id":true}}', None),
        (b"", None),
    ],
)
def test_the_id_of_a_message(body: bytes, found: str | None) -> None:
    assert id_in(TELEGRAM, body) == found


def test_digests_and_notices_say_all_they_have() -> None:
    many = body_of(request_of(TELEGRAM, digest(12)))["text"]
    assert "9. and 4 more" in many
    assert "make one, and start the watch again." in body_of(request_of(TELEGRAM, notice()))["text"]
