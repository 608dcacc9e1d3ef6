"""What is wrong with a key is said in plain words, with where to change it; what isn't told is never fine."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from drainwatch.keys.advice import DAY_NS, Allowed, Finding, State, examine, refusal
from drainwatch.keys.facts import Facts, Other

NOW_NS = 1_750_000_000 * 10**9
NOTHING = Allowed()
GOOD = Facts(
    read=True,
    trade=False,
    margin=False,
    derivatives=False,
    transfer=False,
    withdraw=False,
    manage=False,
    bound=True,
    addresses=("1.2.3.4",),
    markets=(),
    created_ns=NOW_NS - 7 * DAY_NS,
    used_ns=NOW_NS - 60 * 10**9,
    ends=True,
    ends_ns=NOW_NS + 80 * DAY_NS,
    works=True,
    main=True,
    others=(Other(mark="a" * 16, name="watch"),),
    mark="a" * 16,
)


def found(facts: Facts | None, allowed: Allowed = NOTHING, exchange: str = "binance") -> dict[str, Finding]:
    findings = examine(exchange, facts, NOW_NS, allowed)
    by_subject = {finding.subject: finding for finding in findings}
    assert len(by_subject) == len(findings)
    return by_subject


def test_a_good_key_has_nothing_to_do() -> None:
    assert {(one.state, one.advice) for one in found(GOOD).values()} == {(State.OK, "")}
    assert found(GOOD)["addresses"].found == "only 1.2.3.4"
    assert found(GOOD)["last use"].found == "1 min ago"
    assert found(GOOD)["end"].found == "in 80 days"


@pytest.mark.parametrize(
    ("change", "subject", "state", "said"),
    [
        ({"trade": True, "margin": True}, "trading", State.BAD, "it can trade and trade on margin"),
        ({"derivatives": True}, "trading", State.BAD, "it can trade derivatives"),
        ({"transfer": True}, "trading", State.BAD, "move coins to other accounts"),
        ({"trade": None}, "trading", State.UNTOLD, "doesn't tell whether it can trade"),
        ({"withdraw": True}, "withdrawal", State.BAD, "it can withdraw"),
        ({"manage": True}, "withdrawal", State.BAD, "change keys or addresses"),
        ({"withdraw": None}, "withdrawal", State.UNTOLD, "doesn't tell whether coins can leave"),
        ({"bound": False}, "addresses", State.WARN, "works from everywhere"),
        ({"bound": False, "trade": True}, "addresses", State.BAD, "works from everywhere"),
        ({"bound": None}, "addresses", State.UNTOLD, "doesn't tell from where"),
        ({"created_ns": NOW_NS - 91 * DAY_NS}, "age", State.WARN, "91 days"),
        ({"created_ns": NOW_NS - 90 * DAY_NS}, "age", State.OK, "90 days"),
        ({"ends_ns": NOW_NS + 3 * DAY_NS}, "end", State.WARN, "in 3 days"),
        ({"ends_ns": NOW_NS - DAY_NS}, "end", State.BAD, "it ended 1 day ago"),
        ({"ends": False, "ends_ns": None}, "end", State.OK, "never by itself"),
        ({"ends": False, "ends_ns": None, "withdraw": True}, "end", State.WARN, "never by itself"),
        ({"works": False}, "state", State.BAD, "switched off, frozen or expired"),
        ({"read": False}, "reading", State.BAD, "can't read"),
        ({"trade": True}, "markets", State.WARN, "may trade all"),
        ({"trade": True, "markets": ("A", "B")}, "markets", State.OK, "only 2 markets"),
        ({"trade": True}, "account", State.WARN, "of the main account"),
        ({"trade": True, "main": False}, "account", State.OK, "of a sub-account"),
    ],
)
def test_each_bad_state_is_said(change: dict[str, Any], subject: str, state: State, said: str) -> None:
    finding = found(replace(GOOD, **change))[subject]
    assert finding.state is state
    assert said in finding.found
    assert bool(finding.advice) is (state is not State.OK)


def test_what_the_settings_allow_is_still_warned_of() -> None:
    able = replace(GOOD, trade=True, withdraw=True)
    allowed = found(able, Allowed(trading=True))
    assert (allowed["trading"].state, allowed["withdrawal"].state) == (State.WARN, State.BAD)
    assert "which your settings allow" in allowed["trading"].found


def test_what_isnt_told_is_said_in_one_line_with_where_to_look() -> None:
    facts = Facts(read=True, trade=True, margin=False, derivatives=False, transfer=False, withdraw=False)
    rest = found(facts)["other facts"]
    assert rest.state is State.UNTOLD
    assert rest.found == "age, end, last use, which markets and which other keys there are"
    assert "https://www.binance.com/" in rest.advice
    assert "the exchange's page of API keys" in found(facts, exchange="nowhere")["other facts"].advice


def test_an_exchange_that_cant_be_asked_says_nothing_good() -> None:
    assert [finding.state for finding in examine("bitstamp", None, NOW_NS, NOTHING)] == [State.UNTOLD]
    assert {finding.state for finding in found(Facts()).values()} == {State.UNTOLD}


def test_keys_that_nobody_uses_are_to_be_deleted() -> None:
    old = Other(mark="b" * 16, name="old bot", used_ns=NOW_NS - 91 * DAY_NS, works=True)
    off = Other(mark="c" * 16, used_ns=NOW_NS - 900 * DAY_NS, works=False)
    finding = found(replace(GOOD, others=(*(GOOD.others or ()), old, off)))["all keys"]
    assert finding.state is State.WARN
    assert finding.found == "3: `watch`, `old bot` and #cccccc"
    assert "Delete `old bot` " in finding.advice


def test_of_a_wallet_only_who_may_sign_for_it_is_looked_at() -> None:
    agents = found(Facts(others=(Other(mark="d" * 16, name="bot"),)), exchange="hyperliquid")
    assert set(agents) == {"all keys"}
    assert agents["all keys"].found == "1: `bot`"
    assert found(None, exchange="hyperliquid")["all keys"].state is State.UNTOLD


def test_names_from_outside_steer_no_terminal() -> None:
    evil = Other(mark="e" * 16, name="\x1b[2Jbot\u202e\n" + "x" * 500)
    said = found(replace(GOOD, others=(evil,), addresses=("\x1b[31m",)))
    shown = said["all keys"].found + said["addresses"].found
    assert shown.isprintable()
    assert len(shown) < 200


@pytest.mark.parametrize(
    ("change", "allowed", "settings"),
    [
        ({}, NOTHING, []),
        ({"trade": None, "withdraw": None}, NOTHING, []),
        ({"derivatives": True}, NOTHING, ["allow_trading_key = true"]),
        ({"transfer": True}, NOTHING, ["allow_trading_key = true"]),
        ({"trade": True}, Allowed(trading=True), []),
        ({"withdraw": True}, Allowed(trading=True), ["allow_withdrawal_key = true"]),
        ({"manage": True}, NOTHING, ["allow_withdrawal_key = true"]),
        (
            {"trade": True, "withdraw": True},
            NOTHING,
            ["allow_trading_key = true", "allow_withdrawal_key = true"],
        ),
        ({"trade": True, "withdraw": True}, Allowed(trading=True, withdrawal=True), []),
    ],
)
def test_a_watch_refuses_what_isnt_allowed_and_says_how_to_allow_it(
    change: dict[str, Any], allowed: Allowed, settings: list[str]
) -> None:
    why = refusal("main", "binance", replace(GOOD, **change), allowed)
    assert bool(why) is bool(settings)
    assert [
        one for one in ("allow_trading_key = true", "allow_withdrawal_key = true") if one in why
    ] == settings
    if why:
        assert why.startswith("expected the key of account `main` to do nothing but read, found that it can ")
        assert "https://www.binance.com/" in why


def test_what_cant_be_asked_is_not_refused() -> None:
    assert refusal("main", "bitstamp", None, NOTHING) == ""
