"""A channel that takes no alert is found before there is one."""

from __future__ import annotations

import asyncio

import pytest

from doctor_fakes import HOOK, URL, tools
from drainwatch.alerts.answer import Answer, Outcome
from drainwatch.alerts.channel import Channel as Target
from drainwatch.doctor import Status, channel
from drainwatch.doctor.channel import check_channel


def test_a_url_that_isnt_there_fails() -> None:
    check = asyncio.run(check_channel(HOOK, tools(env={}), send=False))
    assert check.status is Status.FAIL
    assert "url_env" in check.found


def test_a_refused_message_fails_with_its_reason() -> None:
    async def refused(_: Target) -> Answer:
        return Answer(Outcome.NEVER, "HTTP 404: there is no such channel any more: make a new webhook")

    check = asyncio.run(check_channel(HOOK, tools(send=refused), send=True))
    assert check.status is Status.FAIL
    assert check.found == "HTTP 404: there is no such channel any more: make a new webhook"
    assert "drainwatch alerts test --channel 'hook'" in check.advice
    assert URL not in repr(check)


def test_trouble_is_no_arrival() -> None:
    async def troubled(_: Target) -> Answer:
        return Answer(Outcome.LATER, "HTTP 503: the service has trouble")

    check = asyncio.run(check_channel(HOOK, tools(send=troubled), send=True))
    assert check.status is Status.FAIL


def test_no_answer_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "ANSWER_S", 0.01)

    async def silent(_: Target) -> Answer:
        await asyncio.sleep(60)
        raise AssertionError

    check = asyncio.run(check_channel(HOOK, tools(send=silent), send=True))
    assert (check.status, check.found) == (Status.FAIL, "no answer in 0.01 s")


def test_a_message_that_was_taken_has_to_be_seen() -> None:
    check = asyncio.run(check_channel(HOOK, tools(), send=True))
    assert check.status is Status.OK
    assert "look whether you see it" in check.found
