"""What keys of exchanges look like: lengths, alphabets and prefixes, as data.

Venues publish no grammar of their keys; these are the forms that their own documents and clients show. A
form alone proves little (a Binance key is any 64 letters and digits), so most count only beside a name.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from typing import NamedTuple


class Part(StrEnum):
    """Which part of a credential a string is."""

    KEY = "api-key"
    SECRET = "api-secret"  # noqa: S105 - names the part
    PRIVATE_KEY = "private-key"
    TOKEN = "token"  # noqa: S105
    WEBHOOK = "webhook"


class Shape(NamedTuple):
    """One form of a key: whose, which part, how long at least and at most, and its pattern."""

    venue: str
    part: Part
    shortest: int
    longest: int
    pattern: re.Pattern[str]
    telling: bool = False
    """Whether hardly anything else looks so, like a prefix of the venue's own."""


_WORD = r"[A-Za-z0-9]"
_MIXED = (
    r"(?=.*[A-Z])(?=.*[a-z])"  # by chance a string of 32 lacks one of them once in 10^7: hashes always do
)
_URL64 = r"[A-Za-z0-9_-]"
_B64 = r"[A-Za-z0-9+/]"
_HEX = r"[0-9a-f]"
_UUID = rf"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
_HTX = r"[a-z0-9]{8,12}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{5}"


def _shape(
    venue: str, part: Part, alphabet: str, shortest: int, longest: int = 0, *, telling: bool = False
) -> Shape:
    """Make a shape of so many characters of an alphabet."""
    longest = longest or shortest
    mixed = _MIXED if alphabet in {_WORD, _B64} and shortest >= 32 else ""
    pattern = re.compile(rf"{mixed}{alphabet}{{{shortest},{longest}}}")
    return Shape(venue, part, shortest, longest, pattern, telling)


def _form(
    venue: str, part: Part, form: str, shortest: int, longest: int = 0, *, telling: bool = False
) -> Shape:
    """Make a shape of a pattern of its own."""
    return Shape(venue, part, shortest, longest or shortest, re.compile(form), telling)


SHAPES: tuple[Shape, ...] = (
    _shape("binance", Part.KEY, _WORD, 64, telling=True),
    _shape("binance", Part.SECRET, _WORD, 64, telling=True),
    _shape("bybit", Part.KEY, _WORD, 18),
    _shape("bybit", Part.SECRET, _WORD, 36),
    _form("okx", Part.KEY, _UUID, 36),
    _form("okx", Part.SECRET, r"[0-9A-F]{32}", 32),
    _shape("kraken", Part.KEY, _B64, 56),
    _form("kraken", Part.SECRET, rf"{_MIXED}{_B64}{{86}}==", 88),
    _shape("kucoin", Part.KEY, _HEX, 24),
    _form("kucoin", Part.SECRET, _UUID, 36),
    _shape("coinbase", Part.KEY, _WORD, 16),
    _shape("coinbase", Part.SECRET, _WORD, 32),
    _shape("coinbase", Part.KEY, _HEX, 32),
    _form("coinbase", Part.KEY, _UUID, 36),
    _form("coinbase", Part.SECRET, rf"{_MIXED}{_B64}{{86}}==", 88),
    _form("bitget", Part.KEY, rf"bg_{_HEX}{{32}}", 35, telling=True),
    _shape("bitget", Part.SECRET, _HEX, 64),
    _shape("gate", Part.KEY, _HEX, 32),
    _shape("gate", Part.SECRET, _HEX, 64),
    _shape("bitfinex", Part.KEY, _WORD, 43),
    _shape("bitfinex", Part.SECRET, _WORD, 43),
    _form("htx", Part.KEY, _HTX, 31, 35),
    _form("htx", Part.SECRET, _HTX, 31, 35),
    _form("mexc", Part.KEY, rf"mx0{_WORD}{{13,17}}", 16, 20, telling=True),
    _shape("mexc", Part.SECRET, _HEX, 32),
    _form("bitmex", Part.KEY, rf"{_MIXED}(?=.*\d){_URL64}{{24}}", 24),
    _form("bitmex", Part.SECRET, rf"{_MIXED}(?=.*\d){_URL64}{{48}}", 48),
    _shape("bitstamp", Part.KEY, _WORD, 32),
    _shape("bitstamp", Part.SECRET, _WORD, 32),
    _form("gemini", Part.KEY, rf"(?:account|master)-{_WORD}{{20}}", 27, 28),
    _shape("gemini", Part.SECRET, _WORD, 26, 28),
    _form("hyperliquid", Part.PRIVATE_KEY, r"(?:0x)?[0-9a-fA-F]{64}", 64, 66),
)
"""Every form known, of each venue's keys and secrets."""

KNOWN = frozenset((shape.venue, shape.part) for shape in SHAPES)
"""Venues and parts whose form is known."""

_LONGEST = max(shape.longest for shape in SHAPES)
_OF_LENGTH: dict[int, tuple[Shape, ...]] = {
    n: tuple(s for s in SHAPES if s.shortest <= n <= s.longest) for n in range(_LONGEST + 1)
}

ALIASES: dict[str, tuple[str, ...]] = {
    "binance": ("binance", "x-mbx"),
    "bybit": ("bybit", "x-bapi"),
    "okx": ("okx", "okex", "ok-access"),
    "kraken": ("kraken",),
    "kucoin": ("kucoin", "kc-api"),
    "coinbase": ("coinbase", "cbpro", "cb-access", "gdax", "cdp_api", "/apikeys/"),
    "bitget": ("bitget",),
    "gate": ("gateio", "gate.io", "gate_io", "gate-io", "gate_api", "gate_key", "gate_secret", "gateapi"),
    "bitfinex": ("bitfinex", "bfx"),
    "htx": ("htx", "huobi"),
    "mexc": ("mexc",),
    "bitmex": ("bitmex",),
    "bitstamp": ("bitstamp",),
    "gemini": ("gemini",),
    "hyperliquid": ("hyperliquid",),
    "deribit": ("deribit",),
    "bingx": ("bingx",),
    "bitmart": ("bitmart",),
    "phemex": ("phemex",),
    "poloniex": ("poloniex",),
    "coinex": ("coinex",),
    "cryptocom": ("cryptocom", "crypto_com", "crypto.com"),
    "upbit": ("upbit",),
    "bithumb": ("bithumb",),
    "bitvavo": ("bitvavo",),
    "whitebit": ("whitebit",),
    "bitflyer": ("bitflyer",),
    "dydx": ("dydx",),
    "3commas": ("3commas", "threecommas", "three_commas"),
}
"""How each venue is named in texts; those without a shape are known by names and randomness alone."""


def mentions_in(lower: str) -> list[tuple[int, str]]:
    """Find where venues are named in a text of small letters: position and venue, in order.

    Plain searches for each word: one pattern for all of them takes ten times as long.
    """
    found = []
    for venue, names in ALIASES.items():
        for name in names:
            at = lower.find(name)
            while at >= 0:
                if len(name) > 4 or _stands_out(lower, at, at + len(name)):
                    found.append((at, venue))
                at = lower.find(name, at + len(name))
    return sorted(found)


def _stands_out(lower: str, start: int, end: int) -> bool:
    """Tell whether a short name begins or ends a word: in base64 it may stand anywhere."""
    return not lower[start - 1 : start].isalnum() or not lower[end : end + 1].isalnum()


def shapes_of(token: str) -> tuple[Shape, ...]:
    """Return every shape that a string has, none for most strings."""
    if len(token) > _LONGEST:
        return ()
    return tuple(shape for shape in _OF_LENGTH[len(token)] if shape.pattern.fullmatch(token))


PUBLISHED = frozenset(
    {
        "5ba1ed8425baaa72",  # Binance, "SIGNED endpoint examples": the key
        "23e9efa3ced6e70c",  # ... and the secret
        "98c0adc16caa135b",  # Kraken, "Spot REST authentication": the secret
        "bc1a50966c9e6486",  # Hardhat's and Anvil's account 0
        "8335c55334821eef",  # ... and 1
        "578592185588730b",  # Ganache's account 0
    }
)
"""Examples out of documents that half the world has copied: the first 16 digits of their SHA-256."""


def is_published(token: str) -> bool:
    """Tell whether a string is an example that documents print, and so opens nothing."""
    bare = token.removeprefix("0x")
    return hashlib.sha256(bare.encode()).hexdigest()[:16] in PUBLISHED
