"""What Binance's streams have in common."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_frames import NOW_NS, SECOND_NS, silent, spot_markets, usdm_markets
from drainwatch.venues.binance_stream import BinancePrivate, BinanceStream, as_bytes, guess, plain
from drainwatch.venues.protocol import Reading, Symbols
from drainwatch.venues.skew import Skew


class Bare(BinanceStream):
    """The parts that others use, to look at."""

    def begin(self, now_ns: int) -> int:
        self._begin(now_ns)
        return self._end_ns

    def ended(self, now_ns: int) -> Reading | None:
        return self._ended(now_ns)

    def bad(self, reason: str, frame: bytes) -> Reading:
        reading = Reading()
        self._bad(reading, reason, frame)
        return reading


@pytest.mark.parametrize("name", ["binance private", "binance public", "binanceusdm private", ""])
def test_a_connection_ends_between_23_and_24_hours_and_not_before(name: str) -> None:
    stream = Bare(name, "wss://127.0.0.1")
    assert stream.ended(NOW_NS) is None, "not opened yet"
    end = stream.begin(NOW_NS)
    assert 23 * 3600 <= (end - NOW_NS) / SECOND_NS < 23.75 * 3600
    assert stream.ended(end - 1) is None
    last = stream.ended(end)
    assert last is not None
    assert str(last.close).startswith("planned")


def test_secrets_are_hidden_in_what_cant_be_read() -> None:
    stream = Bare("x", "wss://127.0.0.1/?listenKey=hush", ["hush", ""])
    (bad,) = stream.bad("found hush", b"a" * 100 + b"hush" + b"b" * 1000).bad
    assert bad.reason == "found ***"
    assert bad.frame == b"a" * 100 + b"***" + b"b" * 397
    assert "hush" not in repr(stream)


def test_a_secret_across_the_cut_is_hidden_too() -> None:
    (bad,) = Bare("x", "", ["0123456789"]).bad("", b"a" * 495 + b"0123456789").bad
    assert bad.frame == b"a" * 495 + b"***"


@given(st.text(max_size=400))
def test_text_from_outside_becomes_printable_ascii_of_bounded_length(text: str) -> None:
    shown = plain(text, 50)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= 50 * 10


@given(st.text())
def test_text_frames_become_bytes_whatever_is_in_them(text: str) -> None:
    assert as_bytes(text).decode("utf-8", "surrogatepass") == text


@pytest.mark.parametrize(
    ("venue_symbol", "spot", "usdm"),
    [
        ("NEWUSDT", "NEW/USDT", "NEW/USDT:USDT"),
        ("1000SATSUSDT", "1000SATS/USDT", "1000SATS/USDT:USDT"),
        ("NEWBTC", "NEW/BTC", None),
        ("BTCUSDT_270326", "BTC/USDT-270326", "BTC/USDT:USDT-270326"),
        ("USDT", None, None),
        ("", None, None),
        ("ABC", None, None),
    ],
)
def test_an_unlisted_market_is_named_by_the_currencies_that_are_listed(
    venue_symbol: str, spot: str | None, usdm: str | None
) -> None:
    assert guess(venue_symbol, spot_markets(), settled=False) == spot
    assert guess(venue_symbol, usdm_markets(), settled=True) == usdm


def test_every_listed_market_would_be_guessed_right() -> None:
    for symbols, settled in ((spot_markets(), False), (usdm_markets(), True)):
        for name, market in symbols.by_venue.items():
            assert guess(name, symbols, settled=settled) == market.symbol


def test_without_a_list_nothing_is_guessed() -> None:
    assert guess("ETHBTC", Symbols(), settled=False) is None


def test_a_private_stream_subscribes_to_no_market() -> None:
    skew = Skew("binance", "binance private")
    stream = BinancePrivate(
        "wss://127.0.0.1", [], spot_markets(), skew, exchange="binance", account="main", settled=False
    )
    assert silent(stream.want(["ETH/BTC"], NOW_NS))
