"""Forms of keys, and where venues are named."""

from __future__ import annotations

import random

import pytest

import leaky
from drainwatch.keys.leaks.shapes import ALIASES, SHAPES, Part, is_published, mentions_in, shapes_of

VENUE_OF = {"gateio": "gate"}


@pytest.mark.parametrize("venue", [venue for venue in leaky.VENUES if venue != "deribit"])
def test_each_venues_keys_have_its_form(venue: str) -> None:
    repo = leaky.Repo("x", random.Random(venue))
    for _ in range(50):
        key, secret = leaky.FORMS[venue](repo)
        name = VENUE_OF.get(venue, venue)
        assert (name, Part.KEY) in {(s.venue, s.part) for s in shapes_of(key)}
        assert (name, Part.SECRET) in {(s.venue, s.part) for s in shapes_of(secret)}


def test_a_hash_has_no_form_that_mixes_cases() -> None:
    """A Binance key without any capital comes once in 10^16: what looks so is a hash."""
    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    assert {shape.venue for shape in shapes_of(digest)} == {"bitget", "gate", "hyperliquid"}


def test_what_is_too_long_or_too_short_has_no_form() -> None:
    assert shapes_of("") == ()
    assert shapes_of("a1B2" * 200) == ()


def test_every_venue_with_a_form_has_a_name() -> None:
    """A form whose venue no text can name would never count."""
    assert {shape.venue for shape in SHAPES} <= set(ALIASES)


def test_venues_are_found_in_order() -> None:
    assert mentions_in("export okx_key, then x-mbx-apikey at gate.io") == [
        (7, "okx"),
        (21, "binance"),
        (37, "gate"),
    ]


@pytest.mark.parametrize("text", ["qokxr", "mhtxa", "abfxc"])
def test_a_short_name_inside_of_letters_is_none(text: str) -> None:
    """Three letters stand somewhere in every picture's base64."""
    assert mentions_in(text) == []


def test_examples_of_documents_are_known() -> None:
    repo = leaky.Repo("x", random.Random(1))
    leaky.published(repo)
    values = [line.split(" = ")[1] for line in repo.files["docs/signing.md"].splitlines()]
    assert len(values) == 3
    assert all(is_published(value) for value in values)
    assert is_published(values[2].removeprefix("0x"))
    assert not is_published(values[0][::-1])
