"""Texts made harmless, and cut to what a service takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_fakes import later, notice, opened, warning
from drainwatch.alerts.layouts.fit import defused, fitted, is_short, marked, shown, units


@pytest.mark.parametrize(
    "link",
    ["https://evil.example/x", "evil.example", "t.me/thief", "www.evil.example", "tg://x", "a@evil.example"],
)
def test_nothing_from_outside_becomes_a_link(link: str) -> None:
    """Somebody who may name a coin could send the owner to a page of his."""
    said = defused(f"claim at {link} now")
    assert link not in said
    assert said.replace("\u2060", "") == f"claim at {link} now"


@pytest.mark.parametrize("call", ["@everyone", "@here", "@someone"])
def test_nobody_can_be_called(call: str) -> None:
    assert call not in defused(f"pair {call} fell")


def test_numbers_stay_as_they_are() -> None:
    assert defused("3.36 ETH, 0.5 %. Now: go") == "3.36 ETH, 0.5 %. Now: go"


@given(st.text(st.characters(exclude_categories=()), max_size=300), st.integers(1, 100))
def test_a_cut_text_is_the_beginning_of_the_whole(text: str, limit: int) -> None:
    escape = {"<": "&lt;", "&": "&amp;"}
    whole = "".join(escape.get(c, c) for c in text)
    cut = fitted(text, limit, escape)
    assert cut == whole or (cut.endswith("…") and whole.startswith(cut[:-1]))
    assert units(cut) <= limit


@pytest.mark.parametrize("character", ["x", "<", "\U0001f4b8", "@a", ".a"])
def test_long_texts_are_cut_where_a_piece_ends(character: str) -> None:
    said = shown("start" + character * 50_000, 200, {"<": "&lt;"})
    assert 200 - 6 <= units(said) <= 200
    assert said.endswith("…")
    assert not said.endswith(("&l…", "&…", "&lt…"))


def test_how_bad_it_is_is_seen_before_it_is_read() -> None:
    marks = [marked(message)[0] for message in (opened(), warning(0), notice())]
    assert marks == ["\U0001f534", "\U0001f7e0", "\U0001f535"]
    assert marked(opened())[2:] == opened().first_line


@pytest.mark.parametrize(
    ("what", "can_edit", "replies", "short"),
    [
        ("opened", False, False, False),
        ("escalated", False, False, False),
        ("grew", False, False, True),
        ("grew", True, False, False),
        ("reminder", False, False, True),
        ("escalated", True, True, True),
    ],
)
def test_what_follows_is_short_where_the_rest_stands_above(
    what: str, can_edit: bool, replies: bool, short: bool
) -> None:
    assert is_short(later(what), can_edit=can_edit, replies=replies) is short
