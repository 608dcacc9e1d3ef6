"""Bytes to text, and places in notebooks."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.keys.leaks.texts import HEAD, Notebook, decoded, is_binary


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1251", "gbk"],
)
def test_a_key_survives_any_encoding(encoding: str) -> None:
    """Notepad writes UTF-16, old Windows machines whatever they like: the key is of ASCII in all of them."""
    note = {"latin-1": "clé", "cp1251": "ключ", "gbk": "密钥"}.get(encoding, "key")
    text = decoded(f"{note}: BINANCE_SECRET=q7Zp0WmK2vTx9LbR\n".encode(encoding))
    assert text is not None
    assert "BINANCE_SECRET=q7Zp0WmK2vTx9LbR" in text


@pytest.mark.parametrize("data", [b"\x7fELF\0\0\0\1", b"\0" * 100, b"PK\3\4\0\0abc\0\xff"])
def test_what_is_no_text_is_said_so(data: bytes) -> None:
    assert decoded(data) is None
    assert is_binary(data)


def test_a_zero_beyond_the_head_is_text() -> None:
    """As git has it: a log with one broken line is still a log."""
    assert decoded(b"a" * HEAD + b"\0") is not None


@given(st.binary(max_size=300))
def test_any_bytes_get_an_answer(data: bytes) -> None:
    text = decoded(data)
    assert text is None or isinstance(text, str)
    if is_binary(data):
        assert text is None


def test_lines_of_a_notebook_have_cells() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["first\n"]},
        {"cell_type": "code", "outputs": [{"text": ["printed\n"]}], "source": ["second\n"]},
    ]
    text = json.dumps({"cells": cells, "nbformat": 4}, indent=1)
    notebook = Notebook(text)

    def place(word: str) -> str:
        return notebook.place_of(text[: text.index(word)].count("\n") + 1)

    assert place("first") == "cell 1"
    assert place("printed") == "cell 2, output"
    assert place("second") == "cell 2"
    assert notebook.place_of(1) == ""
    assert Notebook("").place_of(99) == ""
