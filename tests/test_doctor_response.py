"""A response that couldn't do its part is found before it is needed."""

# ruff: noqa: S106 - where secrets are kept isn't secret

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from doctor_fakes import SETTINGS, by_name, failing, tools
from drainwatch.config import Response, ResponseKind
from drainwatch.doctor import Check, Status, Tools, examine
from drainwatch.doctor.response import check_response
from drainwatch.response.hook import Hook, HookError

STOP = Response(
    name="stop", kind=ResponseKind.FREQTRADE, address="http://127.0.0.1:8080", user="me", password_env="PW",
    timeout_s=0.1,
)  # fmt: skip


def checked(response: Response, through: Tools) -> Check:
    return asyncio.run(check_response(response, SETTINGS, through))


def with_password(**changes: Any) -> Tools:
    return tools(env={"PW": "PlAnTeDpassword"}, **changes)


def test_what_would_be_done_is_told_and_that_it_is_a_dry_run() -> None:
    check = checked(STOP, with_password())
    assert (check.status, check.found) == (Status.OK, "dry run: would stop")
    assert "dry_run = false" in check.advice
    earnest = checked(replace(STOP, dry_run=False), with_password())
    assert (earnest.status, earnest.found, earnest.advice) == (Status.OK, "would stop", "")


def test_what_could_not_be_done_fails_with_its_reason() -> None:
    check = checked(STOP, with_password(respond=failing(HookError("freqtrade wasn't reached"))))
    assert (check.status, check.found) == (Status.FAIL, "freqtrade wasn't reached")
    assert "drainwatch response test stop" in check.advice


def test_a_secret_that_is_not_there_fails() -> None:
    check = checked(STOP, tools())
    assert check.status is Status.FAIL
    assert "password_env" in check.found


def test_a_bot_that_does_not_answer_fails_in_time() -> None:
    async def hang(_hook: Hook) -> str:
        await asyncio.sleep(3_600)
        raise AssertionError

    check = checked(STOP, with_password(respond=hang))
    assert (check.status, check.found) == (Status.FAIL, "no answer in 0.1 s")


@pytest.mark.parametrize("responses", [(), (STOP,)])
def test_the_doctor_looks_at_each(responses: tuple[Response, ...]) -> None:
    async def collect() -> list[Check]:
        settings = replace(SETTINGS, responses=responses)
        return [check async for check in examine(settings, tools())]

    assert ("response stop" in by_name(asyncio.run(collect()))) is bool(responses)
