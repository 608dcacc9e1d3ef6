"""Ids as numbers: 64-bit hashes that are the same in every process, and what an id looks like.

The hash is FNV-1a over the UTF-8 bytes (Fowler, Noll and Vo, 1991) with the final mix of
MurmurHash3 (Appleby, 2011), which makes every output bit depend on every byte. 0 means absent.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from drainwatch.kernel_cache import jit

_OFFSET = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_MIX_1 = np.uint64(0xFF51AFD7ED558CCD)
_MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
_TOP_BIT = np.uint64(1 << 63)

NO_RANK = _TOP_BIT
"""What `order_ids` gives for an absent id."""

_LONGEST_NUMBER = 18  # decimal digits that always fit below the top bit
_SHORTEST_HEX = 8  # shorter runs of hex digits are more likely words: "face", "bad1"
_SHORTEST_RANDOM = 16
_UUID_LENGTH = 36
_SHAPES = ("<other>", "<number>", "<hex>", "<uuid>", "<random>")


@jit
def mix(h: np.uint64) -> np.uint64:
    """Spread the bits of one hash (MurmurHash3's fmix64)."""
    h ^= h >> np.uint64(33)
    h *= _MIX_1
    h ^= h >> np.uint64(33)
    h *= _MIX_2
    h ^= h >> np.uint64(33)
    return h


@jit
def _hash_bytes(data: NDArray[np.uint8], start: int, stop: int) -> np.uint64:
    if stop <= start:
        return np.uint64(0)
    h = _OFFSET
    for i in range(start, stop):
        h = (h ^ np.uint64(data[i])) * _PRIME
    h = mix(h)
    return h if h != np.uint64(0) else np.uint64(1)


@jit
def _hash_all(data: NDArray[np.uint8], offsets: NDArray[np.int64], out: NDArray[np.uint64]) -> None:
    for i in range(out.size):
        out[i] = _hash_bytes(data, offsets[i], offsets[i + 1])


@jit
def _order_all(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    out: NDArray[np.uint64],
) -> None:
    for i in range(out.size):
        start, stop = offsets[i], offsets[i + 1]
        length = stop - start
        number = np.uint64(0)
        plain = 0 < length <= _LONGEST_NUMBER and not (length > 1 and data[start] == 48)
        if plain:
            for j in range(start, stop):
                digit = data[j]
                if digit < 48 or digit > 57:
                    plain = False
                    break
                number = number * np.uint64(10) + np.uint64(digit - 48)
        out[i] = number if plain else hashes[i] | _TOP_BIT


@jit
def _is_hex(c: int) -> bool:
    return 48 <= c <= 57 or 65 <= c <= 70 or 97 <= c <= 102


@jit
def _shape(data: NDArray[np.uint8], start: int, stop: int) -> int:
    """What an id's bytes are: 0 words with digits after them, 1 number, 2 hex, 3 uuid, 4 random letters."""
    length = stop - start
    body = start
    if length > 2 and data[start] == 48 and (data[start + 1] == 120 or data[start + 1] == 88):
        body = start + 2
    digits = 0
    hexes = 0
    alnums = 0
    dashes = 0
    letter_after_digit = False
    for j in range(body, stop):
        c = data[j]
        is_digit = 48 <= c <= 57
        is_letter = 65 <= c <= 90 or 97 <= c <= 122
        digits += is_digit
        hexes += _is_hex(c)
        alnums += is_digit or is_letter
        dashes += c == 45
        letter_after_digit = letter_after_digit or (is_letter and digits > 0)
    size = stop - body
    if digits == size and body == start:
        return 1
    if length == _UUID_LENGTH and hexes == _UUID_LENGTH - 4 and dashes == 4:
        return 3
    if hexes == size and digits > 0 and (body > start or size >= _SHORTEST_HEX):
        return 2
    if alnums == size and letter_after_digit and size >= _SHORTEST_RANDOM:
        return 4
    return 0


@jit
def _prefix_one(data: NDArray[np.uint8], start: int, stop: int, shapes: NDArray[np.uint64]) -> np.uint64:
    if stop <= start:
        return np.uint64(0)
    shape = _shape(data, start, stop)
    if shape > 0:
        return np.uint64(shapes[shape])
    end = start
    while end < stop and not (48 <= data[end] <= 57):
        end += 1
    # a mixed id that starts with a digit has no prefix: all such look alike
    return _hash_bytes(data, start, end) if end > start else np.uint64(shapes[0])


@jit
def _prefix_all(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    shapes: NDArray[np.uint64],
    out: NDArray[np.uint64],
) -> None:
    for i in range(out.size):
        out[i] = _prefix_one(data, offsets[i], offsets[i + 1], shapes)


@jit
def _fold_words(words: NDArray[np.uint64], h: np.uint64) -> np.uint64:
    for i in range(words.size):
        h = mix(h * _PRIME + words[i])
    return h


@jit
def _fold_all(h: NDArray[np.uint64], values: NDArray[np.uint64]) -> None:
    for i in range(h.size):
        h[i] = mix(h[i] * _PRIME + values[i])


def _buffers(strings: Any) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Bytes and n + 1 offsets of n strings; an absent one has length 0."""
    if not isinstance(strings, pa.Array):
        strings = pa.array(strings, pa.large_string())
    if pa.types.is_string(strings.type) or pa.types.is_null(strings.type):
        strings = strings.cast(pa.large_string())
    if strings.null_count:
        strings = strings.fill_null("")  # a null's offsets may span bytes
    n = len(strings)
    _, offsets, data = strings.buffers()
    if n == 0 or offsets is None:
        return np.frombuffer(b"\0", np.uint8), np.zeros(n + 1, np.int64)
    bounds = np.frombuffer(offsets, np.int64)[strings.offset : strings.offset + n + 1].copy()
    # an empty buffer has no address; one spare byte keeps the array's type the same
    raw = np.frombuffer(data, np.uint8) if data is not None and data.size else np.frombuffer(b"\0", np.uint8)
    return raw, bounds


def hash_ids(strings: Any) -> NDArray[np.uint64]:
    """Hash strings to 64 bits, the same in every process.

    Parameters
    ----------
    strings
        A pyarrow string array, or any sequence of `str` and None.

    Returns
    -------
    ndarray of uint64
        One a string; 0 for None and for the empty string, never 0 for another.
    """
    data, offsets = _buffers(strings)
    out = np.empty(offsets.size - 1, np.uint64)
    _hash_all(data, offsets, out)
    return out


def hash_id(text: str | None) -> int:
    """Hash one string as `hash_ids` does; 0 for None and for the empty string."""
    if not text:
        return 0
    data = np.frombuffer(text.encode(), np.uint8)
    return int(_hash_bytes(data, 0, data.size))


def client_prefix(text: str | None) -> int:
    """Hash what one client order id says of who made it, as `client_prefixes` does; 0 where absent."""
    if not text:
        return 0
    data = np.frombuffer(text.encode(), np.uint8)
    return int(_prefix_one(data, 0, data.size, hash_shapes()))


@cache
def hash_shapes() -> NDArray[np.uint64]:
    """Hashes of the shapes that stand for ids without words."""
    return hash_ids(_SHAPES)


def order_id(text: str | None) -> int:
    """Give the number to sort one id by, as `order_ids` does."""
    plain = text and len(text) <= _LONGEST_NUMBER and text.isascii() and text.isdigit()
    if text and plain and (len(text) == 1 or text[0] != "0"):
        return int(text)
    return hash_id(text) | (1 << 63)


def order_ids(strings: Any, hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Give numbers to sort ids by: decimal integers by value (9 before 10), then the others by hash."""
    data, offsets = _buffers(strings)
    out = np.empty(offsets.size - 1, np.uint64)
    _order_all(data, offsets, hashes, out)
    return out


def client_prefixes(strings: Any) -> NDArray[np.uint64]:
    """Hash what a client order id says of who made it.

    That is its leading letters and punctuation up to the first digit: `grid-00017` gives the hash of
    `grid-`. An id without meaning to read gives the hash of its shape: `<number>`, `<hex>`, `<uuid>`,
    `<random>` (16 or more letters and digits mixed), `<other>` (starts with a digit, none of these).

    Returns
    -------
    ndarray of uint64
        One a string; 0 where absent.
    """
    data, offsets = _buffers(strings)
    out = np.empty(offsets.size - 1, np.uint64)
    _prefix_all(data, offsets, hash_shapes(), out)
    return out


def fold_words(words: NDArray[np.uint64], hashed: int = 0) -> int:
    """Mix words into one hash, one after the other, as `fold` does with columns."""
    return int(_fold_words(words, np.uint64(hashed)))


def fold(hashes: NDArray[np.uint64], values: NDArray[Any]) -> None:
    """Mix a column of 1- or 8-byte values into `hashes`, in place; the order of calls matters."""
    if values.dtype.itemsize == 8:
        words = np.ascontiguousarray(values).view(np.uint64)
    else:
        words = values.astype(np.int64).view(np.uint64)
    _fold_all(hashes, words)
