"""A channel that takes no alert is found before there is one."""

from __future__ import annotations

import asyncio

from doctor_fakes import HOOK, URL, failing, tools
from drainwatch.doctor import Status
from drainwatch.doctor.channel import check_channel
from drainwatch.errors import DrainwatchError


def test_a_url_that_isnt_there_fails() -> None:
    check = asyncio.run(check_channel(HOOK, tools(env={}), send=False))
    assert check.status is Status.FAIL
    assert "url_env" in check.found


def test_a_refused_message_fails_with_its_reason() -> None:
    through = tools(send=failing(DrainwatchError("slack answered 404")))
    check = asyncio.run(check_channel(HOOK, through, send=True))
    assert (check.status, check.found) == (Status.FAIL, "slack answered 404")
    assert URL not in repr(check)


def test_a_message_that_was_taken_has_to_be_seen() -> None:
    check = asyncio.run(check_channel(HOOK, tools(), send=True))
    assert check.status is Status.OK
    assert "look whether you see it" in check.found
