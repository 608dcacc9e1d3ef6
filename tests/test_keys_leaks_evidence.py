"""What is weighed, and that each weight counts."""

from __future__ import annotations

import random

import pytest

import leaky
from drainwatch.keys.leaks.evidence import Page, candidates_in, judge, pair, place


def drawn(seed: str = "1") -> leaky.Repo:
    return leaky.Repo("x", random.Random(seed))


def kept(text: str, path: str = "notes.txt") -> list[tuple[str, str]]:
    page = Page(text, path)
    candidates = list(candidates_in(page))
    for candidate in candidates:
        place(candidate, page)
    pair(candidates, page)
    return [(candidate.venue, candidate.role.value) for candidate in judge(candidates)]


def test_a_form_alone_is_nothing() -> None:
    r = drawn()
    assert kept(f"{r.draw(64)} {r.uuid()} {r.draw(36)}\n") == []


def test_a_name_alone_is_not_enough() -> None:
    """`api_key` with 64 letters and digits may be anybody's: nothing speaks of an exchange."""
    assert kept(f"api_key = {drawn().draw(64)}\n") == []


@pytest.mark.parametrize("around", ["binance", "# ccxt", "exchange: unknown"])
def test_a_name_and_surroundings_are(around: str) -> None:
    assert len(kept(f"{around}\napi_key = {drawn().draw(64)}\n")) == 1


def test_a_pair_is_more_than_its_halves() -> None:
    r = drawn()
    key, secret = r.draw(64), r.draw(64)
    assert kept(f"API_KEY={key}\n") == []
    assert kept(f"API_SECRET={secret}\n") == []
    assert kept(f"API_KEY={key}\nAPI_SECRET={secret}\n") == [("", "key"), ("", "secret")]
    far = "\n" * 30
    assert kept(f"API_KEY={key}\n{far}API_SECRET={secret}\n") == []


def test_a_pair_in_a_call_needs_the_venues_form() -> None:
    r = drawn()
    key, secret = leaky.FORMS["bybit"](r)
    assert kept(f'Bybit("{key}", "{secret}")') == [("bybit", "key"), ("bybit", "secret")]
    assert kept(f'Bybit("{r.uuid()}", "{r.draw(32)}")') == []
    assert kept(f"bybit,BTC,{key},{secret}\n") == [], "a row of an export is no call"


def test_columns_of_a_table_name_what_is_below() -> None:
    r = drawn()
    key, secret = leaky.FORMS["kucoin"](r)
    assert kept(f"exchange,api_key,api_secret\nkucoin,{key},{secret}\n", "a.csv") == [
        ("kucoin", "key"),
        ("kucoin", "secret"),
    ]
    assert kept(f"exchange,order_id,client_order_id\nkucoin,{key},{secret}\n", "a.csv") == []


def test_the_nearest_venue_above_is_meant() -> None:
    r = drawn()
    one, two = r.draw(18), r.draw(64)
    text = f"bybit:\n  key: {one}\nbinance:\n  key: {two}\n"
    assert kept(text) == [("bybit", "key"), ("binance", "key")]


def test_a_test_needs_more() -> None:
    text = f"# ccxt\napi_key = '{drawn().draw(64)}'\n"
    assert len(kept(text, "bot.py")) == 1
    assert kept(text, "tests/test_bot.py") == []


@pytest.mark.parametrize(
    "line",
    [
        "binance api_key_hash = '{}'",
        "binance signature={}",
        "binance listenKey: '{}'",
        "binance.{} = 1",
        "binance = {}(1)",
        "binance https://x.example.org//{}",
        "binance AWS_SECRET_ACCESS_KEY={}",
    ],
)
def test_what_is_named_as_something_else_is_left(line: str) -> None:
    assert kept(line.format(drawn().draw(64))) == []


def test_reasons_never_hold_the_string_nor_one_beside_it() -> None:
    r = drawn()
    key, secret = leaky.FORMS["binance"](r)
    page = Page(f'binance.Client("{key}", secret="{secret}"); api_key="{secret}"', "a.py")
    candidates = list(candidates_in(page))
    for candidate in candidates:
        place(candidate, page)
    pair(candidates, page)
    because = " ".join(why for candidate in judge(candidates) for why in candidate.because)
    assert because
    assert key[:8] not in because
    assert secret[:8] not in because


def test_pieces_of_a_key_say_nothing_of_the_next_string() -> None:
    """A random key holds `pk` or `tx` every now and then, which are words elsewhere."""
    r = drawn()
    key, secret = leaky.FORMS["binance"](r)
    key = f"{key[:20]}9pk9Tx9Sk9{key[30:]}"
    assert kept(f'binance("{key}", "{secret}")') == [("binance", "key"), ("binance", "secret")]


def test_a_bundle_on_one_line_is_looked_through() -> None:
    r = drawn()
    filler = "var a=function(e){return e.key};" * 3_000
    key, secret = leaky.FORMS["binance"](r)
    text = f"{filler}binance.api_key='{key}';{filler}api_secret='{secret}';{filler}"
    assert kept(text, "x.min.js") == [("binance", "key"), ("binance", "secret")]
