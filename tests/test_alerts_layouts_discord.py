"""Discord's embeds: within its limits, and nothing in them that somebody else wrote does anything."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_fakes import DISCORD, digest, largest, later, messages, notice, opened
from drainwatch.alerts.channel import Channel
from drainwatch.alerts.layouts import Request, id_in, request_of
from drainwatch.alerts.layouts.fit import units
from drainwatch.alerts.message import WHATS, Message

OURS = re.compile(
    r"\[(?:\\.|[^\]\\])*\]\(https://[^)\s]+\)|(?m:^)- |`drainwatch incidents ack [A-Za-z0-9]+`|\*\*"
)
"""The markup that the layout itself writes."""


def body_of(request: Request) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(request.body)
    return made


def texts(body: dict[str, Any]) -> list[str]:
    """All that is read as markup."""
    (embed,) = body["embeds"]
    fields = embed.get("fields", [])
    return [body["content"], embed["description"], *(field["value"] for field in fields)]


def check_limits(body: dict[str, Any]) -> None:
    (embed,) = body["embeds"]
    fields = embed.get("fields", [])
    footer = embed.get("footer", {}).get("text", "")
    assert 0 < units(body["content"]) <= 2_000
    assert units(embed["description"]) <= 4_096
    assert len(fields) <= 25
    assert all(0 < units(field["name"]) <= 256 and 0 < units(field["value"]) <= 1_024 for field in fields)
    assert units(footer) <= 2_048
    whole = units(embed["description"]) + units(footer)
    assert whole + sum(units(field["name"]) + units(field["value"]) for field in fields) <= 6_000


@pytest.mark.parametrize("character", ["x", "*", "\U0001f4b8", "@a"])
def test_the_largest_message_is_within_the_limits(character: str) -> None:
    for message in largest(character):
        check_limits(body_of(request_of(DISCORD, message)))


@given(messages(), st.none() | st.just("1"))
def test_any_message_is_within_the_limits(message: Message, reply_to: str | None) -> None:
    check_limits(body_of(request_of(DISCORD, message, reply_to=reply_to)))


@given(messages())
def test_what_others_wrote_is_text_alone(message: Message) -> None:
    body = body_of(request_of(DISCORD, message))
    assert body["allowed_mentions"] == {"parse": []}
    for text in texts(body):
        bare = re.sub(r"\\[\\*_~`|<>\[\]#]", "", OURS.sub("", text))
        assert not re.search(r"[*_~`|<>\[\]#\\]", bare), text
        assert "evil.example" not in text
        assert "@everyone" not in text
    links = set(re.findall(r"\]\((https://[^)]+)\)", "\n".join(texts(body))))
    assert links <= {message.link.url if message.link else ""}


@pytest.mark.parametrize("what", WHATS)
def test_the_first_line_is_what_a_phone_shows(what: str) -> None:
    body = body_of(request_of(DISCORD, later(what)))
    assert "3.36 ETH gone from account main at binance, 41 % of it; about 4.84 ETH left" in body["content"]
    assert body["embeds"][0]["description"].startswith("**Now:** revoke the API key at binance")
    assert "](https://www.binance.com/en/my/settings/api-management)" in body["embeds"][0]["description"]


def test_a_new_message_is_waited_for_and_an_edit_goes_to_it() -> None:
    new = request_of(DISCORD, opened())
    assert (new.method, new.url) == ("POST", f"{DISCORD.url}?wait=true")
    edit = request_of(DISCORD, later("grew"), earlier="1203/4")
    assert (edit.method, edit.url) == ("PATCH", f"{DISCORD.url}/messages/1203%2F4")
    assert "flags" not in body_of(edit), "an edit can't set them"
    assert "Why" in json.dumps(body_of(edit))
    assert "Why" not in json.dumps(body_of(request_of(DISCORD, later("escalated"), reply_to="1")))


def test_a_thread_stays_named_in_the_url() -> None:
    channel = Channel(name="d", kind="discord", url=f"{DISCORD.url}?thread_id=7")
    assert request_of(channel, opened()).url == f"{DISCORD.url}?thread_id=7&wait=true"
    assert request_of(channel, opened(), earlier="5").url == f"{DISCORD.url}/messages/5?thread_id=7"


@pytest.mark.parametrize(
    ("body", "found"),
    [(b'{"id":"1203","content":"x"}', "1203"), (b'{"id":1203}', None), (b"", None), (b"[1]", None)],
)
def test_the_id_of_a_message(body: bytes, found: str | None) -> None:
    assert id_in(DISCORD, body) == found


def test_long_lists_go_on_in_further_fields_and_nothing_is_left_out() -> None:
    body = body_of(request_of(DISCORD, digest(12)))
    fields = body["embeds"][0]["fields"]
    assert {field["name"] for field in fields} == {"What", "\u200b"} or len(fields) == 1
    said = "\n".join(field["value"] for field in fields)
    assert [line.split(".")[0] for line in said.splitlines()] == [str(n) for n in range(1, 10)]
    assert "and 4 more" in said
    assert "make one, and start the watch again." in json.dumps(body_of(request_of(DISCORD, notice())))
