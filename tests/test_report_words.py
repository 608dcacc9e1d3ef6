"""Numbers, times and names as a person reads them."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.fair import SOURCES
from drainwatch.report import words

KINDS_OF_THE_CONTRACT = [
    "planted_wall",
    "far_quote",
    "ping_pong",
    "slow_bleed",
    "liquidate_then_buy",
    "coordinated_pump",
    "off_market_maker",
    "price_pressure",
    "boosted_coin",
    "leverage",
    "cross_pair",
    "stable_pair",
    "fee_churn",
    "thin_perp",
    "own_bad_fill",
    "unknown",
]
MS = 1_520_434_500_000


def test_every_kind_of_the_contract_has_words() -> None:
    assert list(words.KINDS) == KINDS_OF_THE_CONTRACT
    for kind in words.KINDS.values():
        assert "_" not in kind.title + kind.meaning
        assert kind.meaning.endswith(".")


def test_unknown_kind_reads_as_of_no_known_pattern() -> None:
    assert words.kind_of("<script>") == words.KINDS["unknown"]
    assert words.kind_of(None) == words.KINDS["unknown"]


def test_every_fair_source_has_words() -> None:
    """A new source would otherwise stand in the report under its name in the code."""
    assert set(SOURCES) == set(words.FAIR_SOURCES)


@pytest.mark.parametrize(
    ("value", "digits", "said"),
    [
        (0, 4, "0"),
        (-0.0, 4, "0"),
        (12_345.678, 4, "12,346"),
        (1.5, 4, "1.5"),
        (2.0, 4, "2"),
        (0.000021, 4, "0.000021"),
        (5.84e-10, 4, "5.84e-10"),
        (1e-300, 4, "1e-300"),
        (1.234567e18, 4, "1.235e18"),
        (-3.14159, 3, "-3.14"),
        (99.996, 4, "100"),
        (math.nan, 4, "unknown"),
        (math.inf, 4, "unknown"),
        (None, 4, "unknown"),
        ("12", 4, "unknown"),
    ],
)
def test_number(value: object, digits: int, said: str) -> None:
    assert words.number(value, digits) == said


@given(st.floats(-1e300, 1e300), st.integers(2, 8))
def test_number_keeps_its_value(value: float, digits: int) -> None:
    """A figure that is rounded to something else is worse than none."""
    read = float(words.number(value, digits).replace(",", ""))
    assert math.isclose(read, value, rel_tol=10.0 ** (1 - digits), abs_tol=0.0)


@pytest.mark.parametrize(
    ("value", "currency", "said"),
    [
        (312.4, "USDT", "312.40 USDT"),
        (1_204.4, "USDT", "1,204 USDT"),
        (0.0001234, "BTC", "0.0001234 BTC"),
        (1.5e16, "SHIB", "1.5e16 SHIB"),
        (-5.0, "EUR", "-5.00 EUR"),
        (7.0, None, "7.00"),
        (None, "USDT", "unknown"),
    ],
)
def test_money(value: float | None, currency: str | None, said: str) -> None:
    assert words.money(value, currency) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.413, "41 %"),
        (0.0123, "1.2 %"),
        (0.00004, "0.004 %"),
        (-0.5, "-50 %"),
        (12.0, "1,200 %"),
        (0.0, "0 %"),
        (None, "unknown"),
    ],
)
def test_percent(share: float | None, said: str) -> None:
    assert words.percent(share) == said


@pytest.mark.parametrize(
    ("side", "paid", "fair", "said"),
    [
        ("sell", 88.0, 100.0, "12 % below what it was worth"),
        ("buy", 112.0, 100.0, "12 % above what it was worth"),
        ("buy", 800.0, 100.0, "8 times what it was worth"),
        ("buy", 96.0, 0.00004, "2,400,000 times what it was worth"),
        ("sell", 101.0, 11_200.0, "1/111 of what it was worth"),
        ("sell", 100.001, 100.0, "what it was worth"),
        ("buy", 90.0, 100.0, "10 % below what it was worth, to the account's advantage"),
        ("buy", math.nan, 100.0, ""),
        ("buy", 1.0, 0.0, ""),
    ],
)
def test_off_price_is_told_from_the_accounts_side(side: str, paid: float, fair: float, said: str) -> None:
    assert words.off_price(side, paid, fair) == said


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (MS, MS + 449_000, "between 14:55:00 and 15:02:29 UTC on 7 Mar 2018"),
        (MS, MS + 300, "at 14:55:00 UTC on 7 Mar 2018"),
        (MS, None, "at 14:55:00 UTC on 7 Mar 2018"),
        (MS, MS + 36_000_000, "between 7 Mar 2018 14:55:00 and 8 Mar 2018 00:55:00 UTC"),
        (None, MS, "at an unknown time"),
        (10**18, 10**18, "at an unknown time"),
    ],
)
def test_between(first: int | None, last: int | None, said: str) -> None:
    assert words.between(first, last) == said


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "0 s"),
        (450, "0.45 s"),
        (42_000, "42 s"),
        (449_000, "7 min 29 s"),
        (7_200_000, "2 h"),
        (7_260_000, "2 h 1 min"),
        (86_400_000 + 3_600_000, "1 day 1 h"),
        (31 * 86_400_000 + 5_000_000, "31 days"),
        (None, "unknown"),
    ],
)
def test_duration(ms: int | None, said: str) -> None:
    assert words.duration(ms) == said


@pytest.mark.parametrize(
    ("p_value", "said"),
    [
        (0.9, "harmless account-months have such fills, too"),
        (0.25, "1 of 4 harmless account-months has such a fill"),
        (2.4e-6, "1 of 420,000 harmless account-months has such a fill"),
        (3e-10, "fewer than 1 of 10^9 harmless account-months has such a fill"),
        (0.0, "fewer than 1 of 10^300 harmless account-months has such a fill"),
        (None, ""),
        (7.0, ""),
    ],
)
def test_rarity(p_value: float | None, said: str) -> None:
    assert words.rarity(p_value) == said


def test_listing_counts_what_it_leaves_out() -> None:
    assert words.listing(["A"]) == "A"
    assert words.listing("AB") == "A and B"
    assert words.listing("ABCDEF") == "A, B, C and 3 more"
    assert words.listing("ABCDEF", noun="pair") == "A, B, C and 3 more pairs"
    assert words.listing("ABCD", noun="pair") == "A, B, C and 1 more pair"
    assert words.listing([]) == "unknown"


@given(st.text(max_size=200))
def test_cleaned_names_cant_steer_a_terminal(name: str) -> None:
    """A symbol with an escape sequence in it could rewrite the alert on the owner's screen."""
    cleaned = words.clean(name)
    assert len(cleaned) <= words.MAX_NAME
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", cleaned)
    cleaned.encode()


def test_ordinary_names_stay_as_they_are() -> None:
    assert words.clean("BTC/USDT:USDT") == "BTC/USDT:USDT"
    assert words.clean("Ünïcode 币") == "Ünïcode 币"
    assert words.clean(None) == ""
    assert words.clean("x" * 200) == "x" * 79 + "…"


def test_words_need_no_locale() -> None:
    """Month names from the machine's language would make one input give two reports."""
    assert words.day(MS) == "7 Mar 2018"
    assert words.moment(MS) == "7 Mar 2018 14:55:00 UTC"
    assert words.moment(None) == "unknown"
