"""Drawn by chance, or written by somebody."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.keys.leaks.randomness import entropy_bits, looks_random

WORD = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


@pytest.mark.parametrize(
    ("alphabet", "length", "least"),
    [
        (WORD, 18, 0.95),
        (WORD, 36, 0.98),
        (WORD, 43, 0.98),
        (WORD, 64, 0.99),
        (HEX, 32, 0.96),
        (HEX, 64, 0.98),
    ],
)
def test_keys_look_random(alphabet: str, length: int, least: float) -> None:
    rng = random.Random(f"{alphabet}{length}")
    drawn = ["".join(rng.choice(alphabet) for _ in range(length)) for _ in range(600)]
    assert sum(map(looks_random, drawn)) >= least * len(drawn)


@pytest.mark.parametrize(
    "text",
    [
        "YOUR_BINANCE_API_KEY_HERE_PLEASE",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "00000000-0000-0000-0000-000000000000",
        "deadbeefdeadbeefdeadbeefdeadbeef",
        "0123456789abcdef0123456789abcdef",
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP",
        "ZYXWVUTSRQPONMLKJIHGFEDCBA987654",
        "12345678901234567890123456789012",
        "handleOrderBookUpdateForEverySymbol",
        "src/main/java/org/traders/exchange",
        "exchange-binance-futures-settings",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "AKIAQX7RN4TZ2WVB5KLM",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpX",
        "bg_0123456789abcdef0123456789abcdef",
        "",
    ],
)
def test_what_people_and_other_services_write_does_not(text: str) -> None:
    assert not looks_random(text)


@given(st.text(max_size=200))
def test_any_text_gets_an_answer(text: str) -> None:
    assert looks_random(text) in {True, False}


@given(st.text(max_size=100))
def test_entropy_is_between_none_and_that_of_all_different(text: str) -> None:
    assert -1e-9 <= entropy_bits(text) <= 6.65
    assert entropy_bits(text * 2) == pytest.approx(entropy_bits(text))
