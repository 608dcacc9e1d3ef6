"""Requests show no secret, and their JSON is JSON."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from drainwatch.alerts.layouts.request import Request, fields_of, to_bytes

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def test_neither_url_nor_headers_are_shown() -> None:
    request = Request("https://x/hunter2", {"Authorization": "hunter2"}, b"abc", "PATCH")
    assert repr(request) == str(request) == "Request(PATCH, 3 bytes)"


@given(ANY)
def test_any_text_becomes_valid_json(value: object) -> None:
    """A text that isn't Unicode would be refused by every service, and the alert with it."""
    json.loads(to_bytes(value).decode())


@given(st.binary(max_size=60))
def test_an_answer_may_be_anything(body: bytes) -> None:
    assert isinstance(fields_of(body), dict)


def test_fields_of_an_object() -> None:
    assert fields_of(b'{"a":1}') == {"a": 1}
    assert fields_of(b"[1]") == fields_of(b"[" * 100_000) == {}
