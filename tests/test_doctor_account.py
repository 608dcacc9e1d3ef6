"""An account that would be deaf, blind or easy prey is told so, with what to do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from doctor_fakes import MAIN, RIGHTS, FakeVenue, by_name, failing, fill, tools
from drainwatch.config import Account
from drainwatch.doctor import Check, Heard, Status, Tools
from drainwatch.doctor import account as module
from drainwatch.doctor.account import check_account
from drainwatch.errors import KeyRefusedError, VenueError


def checked(through: Tools, account: Account = MAIN) -> dict[str, Check]:
    async def collect() -> list[Check]:
        return [check async for check in check_account(account, through)]

    return {
        name.removeprefix(f"{account.name} at {account.exchange}: "): check
        for name, check in by_name(asyncio.run(collect())).items()
    }


def with_answer(**answers: Any) -> dict[str, Check]:
    return checked(tools(FakeVenue(answers)))


def test_a_missing_key_ends_the_examination() -> None:
    checks = checked(tools(env={"K": "k"}))
    assert (checks["key"].status, checks["the rest"].status) == (Status.FAIL, Status.SKIPPED)
    assert "secret_env" in checks["key"].found


@pytest.mark.parametrize(
    ("skew_ms", "status", "said"),
    [
        (100, Status.OK, "100 ms behind"),
        (-100, Status.OK, "100 ms ahead of"),
        (400, Status.WARN, "400 ms behind"),
        (-1_500, Status.FAIL, "1500 ms ahead of"),
    ],
)
def test_clocks_are_compared(skew_ms: int, status: Status, said: str) -> None:
    check = with_answer(clock_skew_ns=skew_ms * 1_000_000)["clock"]
    assert check.status is status
    assert said in check.found
    assert ("NTP" in check.advice) is (status is not Status.OK)


def test_a_clock_that_cant_be_compared_is_not_called_right() -> None:
    assert with_answer(clock_skew_ns=None)["clock"].status is Status.SKIPPED
    assert with_answer(clock_skew_ns=VenueError("x"))["clock"].status is Status.WARN


def test_a_refused_key_is_said_and_nothing_more_asked() -> None:
    checks = with_answer(balances=KeyRefusedError("binance: the key isn't accepted"))
    assert checks["key accepted"].status is Status.FAIL
    assert "page of API keys" in checks["key accepted"].advice
    assert checks["the rest"].status is Status.SKIPPED
    assert "stream of fills" not in checks


@pytest.mark.parametrize(
    ("rights", "subject", "status", "said"),
    [
        ({}, "trading", Status.OK, "no"),
        ({"enableFutures": True}, "trading", Status.FAIL, "it can trade derivatives"),
        ({"enableWithdrawals": True}, "withdrawal", Status.FAIL, "it can withdraw"),
        ({"enableWithdrawals": None}, "withdrawal", Status.SKIPPED, "doesn't tell"),
        ({"ipRestrict": False}, "addresses", Status.WARN, "from everywhere"),
        ({"ipRestrict": False, "enableFutures": True}, "addresses", Status.WARN, "from everywhere"),
        ({"createTime": 1_600_000_000_000}, "age", Status.WARN, "days"),
    ],
)
def test_what_the_watch_would_refuse_fails_and_the_rest_is_told(
    rights: dict[str, Any], subject: str, status: Status, said: str
) -> None:
    check = with_answer(rights=RIGHTS | rights)[f"key's {subject}"]
    assert check.status is status
    assert said in check.found
    assert bool(check.advice) is (status is not Status.OK)


def test_a_key_that_the_settings_allow_is_only_warned_of() -> None:
    able = FakeVenue({"rights": RIGHTS | {"enableFutures": True, "enableWithdrawals": True}})
    checks = checked(tools(able), replace(MAIN, allow_trading_key=True))
    assert checks["key's trading"].status is Status.WARN
    assert checks["key's withdrawal"].status is Status.FAIL


def test_an_exchange_that_doesnt_answer_about_the_key_is_no_failure_of_the_watch() -> None:
    check = with_answer(rights=VenueError("binance: no"))["key's key"]
    assert (check.status, check.found) == (Status.WARN, "binance: no")
    silent = checked(tools(), replace(MAIN, exchange="bitstamp"))["key's key"]
    assert silent.status is Status.SKIPPED
    assert "nothing to ask by" in silent.found


def test_misspelled_markets_are_named() -> None:
    account = replace(MAIN, markets=("ETH/BTC", "ETC/ETH"))
    check = checked(tools(), account)["markets"]
    assert check.status is Status.FAIL
    assert check.found.endswith(": ETC/ETH")


def test_a_stream_that_stands_promises_no_fill() -> None:
    assert "only the next fill can show" in checked(tools())["stream of fills"].found


def test_a_stream_that_doesnt_stand_fails() -> None:
    async def hear(*_: object) -> Heard:
        return Heard(stands=False, symbols=frozenset())

    checks = checked(tools(hear=hear))
    assert checks["stream of fills"].status is Status.FAIL
    assert checks["prices"].status is Status.WARN
    assert "ETH/BTC" in checks["prices"].found


def test_a_stream_that_cant_be_opened_fails_with_its_reason() -> None:
    async def hear(*_: object) -> Heard:
        raise VenueError("binance: no route")

    check = checked(tools(hear=hear))["stream of fills"]
    assert (check.status, check.found) == (Status.FAIL, "binance: no route")


def test_prices_say_what_they_can_be_compared_with() -> None:
    assert "each comparable with another market" in checked(tools())["prices"].found
    lone = with_answer(my_trades=[fill("VIA/BTC"), fill("ETH/BTC")])["prices"]
    assert lone.found == "come; VIA/BTC can be compared with nothing but its own past"
    assert checked(tools(), replace(MAIN, markets=()))["prices"].status is Status.SKIPPED


def test_fills_that_cant_be_asked_for_leave_gaps() -> None:
    checks = with_answer(my_trades=VenueError("binance: no"))
    assert checks["own fills"].status is Status.WARN
    assert checks["stream of fills"].status is Status.OK


def test_an_address_needs_no_key() -> None:
    wallet = Account(name="w", exchange="hyperliquid", address="0x" + "0" * 40, markets=("ETH/BTC",))
    venue = FakeVenue({"balances": AssertionError("asked"), "rights": AssertionError("asked")})
    checks = checked(tools(venue), wallet)
    assert "key" not in checks
    assert checks["stream of fills"].status is Status.OK


def test_an_exchange_that_never_answers_doesnt_hold_up_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mute(FakeVenue):
        async def markets(self) -> Any:
            await asyncio.Event().wait()

    monkeypatch.setattr(module, "ANSWER_S", 0.02)
    venue = Mute()
    checks = checked(tools(venue))
    assert checks["exchange"].status is Status.FAIL
    assert "no answer in 0.02 s" in checks["exchange"].found
    assert venue.closed == 1


def test_connections_are_closed_when_the_examination_breaks_off() -> None:
    venue = FakeVenue({"balances": RuntimeError("a fault")})
    with pytest.raises(RuntimeError):
        checked(tools(venue))
    assert venue.closed == 1
    with pytest.raises(ValueError, match="strange"):
        checked(tools(rest=failing(ValueError("strange"))))
