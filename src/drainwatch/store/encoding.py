"""Rows and texts as a database keeps them: JSON that gives back exactly what went in.

Texts come from outside. What UTF-8 or PostgreSQL can't hold (half of a surrogate pair, a NUL) is
written as an escape instead of being refused: a fill with an odd id must not stop the watch.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from drainwatch.errors import StateError

T = TypeVar("T")

LEAST: Final = -(2**63)
MOST: Final = 2**63 - 1

LONGEST_KEY: Final = 300

_ESCAPE: Final = re.compile(r"\\(u[0-9a-f]{4}|.)", re.DOTALL)


def to_json(value: Any) -> str:
    """Write a struct or plain data as JSON; texts that aren't Unicode as escapes."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value))


def from_json(text: str, kind: type[T]) -> T:
    """Read what `to_json` wrote.

    Raises
    ------
    StateError
        The database doesn't hold what was written to it.

    """
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeEncodeError):
        pass
    try:  # msgspec refuses half of a surrogate pair, Python's own reader doesn't
        return msgspec.convert(json.loads(text), type=kind)
    except (ValueError, RecursionError):
        raise StateError(
            f"expected a {kind.__name__} as JSON in the store, found {text[:60]!a}: the database is "
            "damaged or was altered; go back to a copy of it, or begin with a new one"
        ) from None


def checked(kind: type[T], **values: Any) -> T:
    """Make a struct of a row's values.

    Raises
    ------
    StateError
        A value isn't one that was ever written.

    """
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise StateError(
            f"expected a {kind.__name__} in the store, found otherwise ({error}): the database is damaged "
            "or was altered; go back to a copy of it, or begin with a new one"
        ) from None


@lru_cache(1 << 10)
def to_name(name: str) -> str:
    """Write a text that comes again and again, as `to_text` does."""
    return to_text(name)


def to_text(text: str) -> str:
    """Write a text so that every database holds it: the same for the same text, and for no other."""
    if text.isprintable() and "\\" not in text:
        return text
    safe = text.replace("\\", "\\\\").replace("\0", "\\0")
    return safe.encode("utf-8", "backslashreplace").decode()


def from_text(text: str) -> str:
    """Read what `to_text` wrote."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda found: _unescape(found[1]), text)


def _unescape(escape: str) -> str:
    if escape.startswith("u"):
        return chr(int(escape[1:], 16))
    return "\0" if escape == "0" else escape


def to_integer(number: int) -> int:
    """Give the nearest number that fits in 64 bits."""
    return number if LEAST <= number <= MOST else min(max(number, LEAST), MOST)


def to_key(key: tuple[str | None, ...]) -> bytes:
    """Give bytes that stand for a key: None and the empty text are told apart.

    Keys that follow each other at a venue do so here, too: an index grows at its end, which writes few
    pages. A long one is shortened, with 16 bytes of hash for the rest, as no index takes any length.
    """
    try:
        plain = msgspec.json.encode(key)
    except UnicodeEncodeError:
        plain = json.dumps(key).encode()
    if len(plain) <= LONGEST_KEY:
        return plain
    return plain[:LONGEST_KEY] + hashlib.blake2b(plain, digest_size=16).digest()
