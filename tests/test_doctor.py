"""The doctor as a whole: everything looked at, in the order of a start, and no secret said."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec.structs import replace

from doctor_fakes import KEY, SECRET, SETTINGS, URL, FakeVenue, by_name, failing, tools
from drainwatch.config import Inlet, Settings
from drainwatch.doctor import Check, Status, Tools, examine
from drainwatch.errors import StateError, VenueError


def checked(settings: Settings, through: Tools, **options: Any) -> list[Check]:
    async def collect() -> list[Check]:
        return [check async for check in examine(settings, through, **options)]

    return asyncio.run(collect())


def test_all_is_well() -> None:
    venue = FakeVenue()
    checks = checked(SETTINGS, tools(venue), send=True)
    assert {check.status for check in checks if check.name != "main at binance: key's other facts"} == {
        Status.OK
    }
    assert [check.name for check in checks] == [
        "model",
        "store",
        "disk of the store",
        "main at binance: key",
        "main at binance: exchange",
        "main at binance: clock",
        "main at binance: key accepted",
        "main at binance: key's reading",
        "main at binance: key's trading",
        "main at binance: key's withdrawal",
        "main at binance: key's addresses",
        "main at binance: key's age",
        "main at binance: key's other facts",
        "main at binance: own fills",
        "main at binance: stream of fills",
        "main at binance: prices",
        "channel hook",
    ]
    assert venue.closed == 1


def test_nothing_is_sent_unasked() -> None:
    checks = by_name(checked(SETTINGS, tools(send=failing(AssertionError("sent")))))
    assert checks["channel hook"].status is Status.SKIPPED
    assert "--send" in checks["channel hook"].advice


def test_an_empty_file_watches_nothing_and_tells_nobody() -> None:
    checks = by_name(checked(Settings(), tools()))
    assert checks["accounts"].status is Status.FAIL
    assert checks["channels"].status is Status.WARN
    fed = by_name(checked(Settings(inlet=Inlet(enabled=True)), tools()))
    assert "accounts" not in fed
    assert fed["inlet's port"].status is Status.OK


def test_one_sick_account_hides_none_of_the_others() -> None:
    (main,) = SETTINGS.accounts
    two = replace(SETTINGS, accounts=(replace(main, name="sick"), main))
    venues = {"sick": FakeVenue({"markets": VenueError("binance: down")}), "main": FakeVenue()}
    checks = by_name(checked(two, tools(rest=lambda account, _: venues[account.name])))
    assert checks["sick at binance: exchange"].status is Status.FAIL
    assert checks["sick at binance: the rest"].status is Status.SKIPPED
    assert checks["main at binance: prices"].status is Status.OK
    assert [venue.closed for venue in venues.values()] == [1, 1]


def test_no_secret_is_said_whatever_fails() -> None:
    (main,) = SETTINGS.accounts
    for through in (
        tools(),
        tools(open_store=failing(StateError("store: in use"))),
        tools(FakeVenue({"balances": VenueError("binance: nonsense")})),
        tools(env={"K": KEY + "\n" + SECRET, "S": SECRET, "U": "ftp://" + URL}),
    ):
        for settings in (SETTINGS, replace(SETTINGS, accounts=(replace(main, exchange="okx"),))):
            said = repr(checked(settings, through, send=True))
            assert not any(secret in said for secret in (KEY, SECRET, URL))
