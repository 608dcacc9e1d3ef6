"""What changed of a key is said; what is no longer told, or newly told, is no change."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from drainwatch.keys.changes import changes, merged
from drainwatch.keys.facts import Facts, Other
from test_keys_advice import GOOD

BOT = Other(mark="b" * 16, name="bot")


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({}, {"trade": True}, "the key can now trade"),
        (
            {},
            {"withdraw": True, "transfer": True},
            "the key can now move coins to other accounts and withdraw",
        ),
        ({"trade": True}, {"trade": False}, "the key can no longer trade"),
        ({"granted": ("a",)}, {"granted": ("a", "b")}, "the key got b of its exchange's permissions"),
        ({"granted": ("a",)}, {"granted": ("b",)}, "the key got b and lost a of its exchange's permissions"),
        ({}, {"works": False}, "the key was switched off, frozen, or it expired"),
        ({"works": False}, {"works": True}, "the key was switched on"),
        ({}, {"bound": False, "addresses": ()}, "works from everywhere now"),
        ({"bound": False, "addresses": ()}, {}, "was bound to a list of addresses"),
        ({}, {"addresses": ("1.2.3.4", "6.6.6.6")}, "the key's list of addresses got 6.6.6.6"),
        ({}, {"addresses": ("6.6.6.6",)}, "the key's list of addresses got 6.6.6.6 and lost 1.2.3.4"),
        ({"markets": ("A",)}, {"markets": ()}, "may trade all markets now"),
        ({"markets": ("A",)}, {"markets": ("A", "VIA")}, "the key's list of markets got VIA"),
        ({"markets": ()}, {"markets": ("A",)}, "the key may trade A only now"),
        ({}, {"ends": False, "ends_ns": None}, "the key doesn't end any more"),
        ({"others": ()}, {"others": (BOT,)}, "1 new key in the account: bot"),
        ({"others": (BOT,)}, {"others": ()}, "1 key gone from the account: bot"),
        (
            {"others": (replace(BOT, works=False),)},
            {"others": (replace(BOT, works=True),)},
            "switched on again: bot",
        ),
    ],
)
def test_each_change_is_said(before: dict[str, Any], now: dict[str, Any], said: str) -> None:
    told = changes(replace(GOOD, **before), replace(GOOD, **now))
    assert len(told) == 1
    assert said in told[0]


def test_a_new_key_is_said_with_its_name_and_when_it_was_made() -> None:
    new = Other(mark="c" * 16, name="\x1b[2Japi\n", created_ns=1_700_000_000 * 10**9)
    (told,) = changes(replace(GOOD, others=(BOT,)), replace(GOOD, others=(BOT, new)))
    assert "made 14 Nov 2023 22:13:20 UTC" in told
    assert told.isprintable()


def test_a_right_and_its_word_are_one_change() -> None:
    before, now = replace(GOOD, granted=("read",)), replace(GOOD, granted=("read", "trade"), trade=True)
    assert changes(before, now) == ["the key can now trade"]


def test_a_key_of_ours_that_was_replaced_is_no_change_but_the_set_of_keys_is() -> None:
    other = replace(GOOD, mark="f" * 16, trade=True, bound=False, addresses=(), others=None)
    assert changes(GOOD, other) == []
    with_new = replace(other, others=(*(GOOD.others or ()), BOT))
    assert changes(GOOD, with_new) == ["1 new key in the account: bot"]


FACTS = st.builds(
    replace,
    st.just(GOOD),
    trade=st.none() | st.booleans(),
    withdraw=st.none() | st.booleans(),
    bound=st.none() | st.booleans(),
    works=st.none() | st.booleans(),
    ends=st.none() | st.booleans(),
    markets=st.none() | st.tuples() | st.just(("A",)),
    others=st.none() | st.tuples() | st.just((BOT,)),
    mark=st.sampled_from(["a" * 16, "f" * 16]),
)


@given(FACTS)
def test_the_same_is_no_change_and_neither_is_silence(facts: Facts) -> None:
    assert changes(facts, facts) == []
    assert changes(facts, Facts(mark=facts.mark)) == []
    assert changes(Facts(mark=facts.mark), facts) == []


@given(FACTS, FACTS)
def test_an_exchange_that_is_silent_for_a_day_hides_no_change(before: Facts, now: Facts) -> None:
    """Else a change made while the exchange tells nothing would never be told."""
    now = replace(now, mark=before.mark)
    silent = merged(before, Facts(mark=before.mark))
    assert changes(silent, now) == changes(before, now)


def test_a_list_of_addresses_that_was_taken_away_is_not_remembered() -> None:
    now = replace(GOOD, bound=False, addresses=())
    assert merged(GOOD, now).addresses == ()
    assert merged(None, now) == now
