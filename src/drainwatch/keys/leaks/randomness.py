"""Whether a string was drawn by chance, as a key is, or written by somebody: words, paths, placeholders."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import lru_cache
from itertools import pairwise

PLACEHOLDER = re.compile(
    r"your|example|sample|dummy|placeholder|change_?me|insert|replace|redacted|fake|mock|demo|test|todo|none|null"
    r"|here|foobar|lorem|secret|passw|apikey|api_key|1234|4321|abcd|qwert|asdf|dead_?beef|cafe_?babe",
    re.IGNORECASE,
)
"""What people write in place of a key. Hardly in a random one: four given letters are in 64 random letters
and digits once in 10,000."""

HEX_PLACEHOLDER = re.compile(r"dead_?beef|cafe_?babe|0123|1234|4321|fedc", re.IGNORECASE)
"""The same for strings of hexadecimal digits, of which 1 in 1,000 has four given ones."""

FOREIGN_PREFIX = re.compile(
    r"sk_(?:live|test)|pk_(?:live|test)|rk_live|sk-|AKIA|ASIA|gh[pousr]_|github_pat|glpat-|xox[abprs]|AIza|SG\."
    r"|npm_|pypi-|hf_|ya29|eyJ|AAAA[BC]|whsec_|sha(?:1|256|384|512)-|key-|dop_v1|shpat_|MII"
)
"""Beginnings of other services' tokens, of signed tokens, certificates and hashes: not an exchange's."""

SHORTEST = 16
_HEX = re.compile(r"[0-9a-f-]+|[0-9A-F-]+")
_RUN = re.compile(r"(.)\1{4}")
_SMALL_RUN = re.compile(r"[a-z]{5,}")
_STEP = 6
"""So many neighbours of an alphabet in a row are no chance: 1 in 10^7 for a string of 64."""


def entropy_bits(text: str) -> float:
    """Return Shannon's entropy of a string's characters, in bits a character; 0 for the empty one."""
    n = len(text)
    return -sum(c / n * math.log2(c / n) for c in Counter(text).values()) if n else 0.0


@lru_cache(maxsize=16)  # a string is asked about again as the neighbour of the next
def looks_random(token: str) -> bool:
    """Tell whether a string looks drawn by chance; of less than 16 characters nothing can be told: no.

    Examples
    --------
    >>> looks_random("YOUR_BINANCE_API_SECRET_GOES_HERE")
    False
    >>> looks_random("handleOrderBookUpdateForAllSymbols")
    False
    >>> looks_random("q7Zp0WmK2vTx9LbRf4Yc")
    True
    """
    if (
        len(token) < SHORTEST
        or FOREIGN_PREFIX.match(token)
        or _RUN.search(token)
        or _has_steps(token.lower())
    ):
        return False
    bare = token.removeprefix("0x").removeprefix("bg_")
    if _HEX.fullmatch(bare):
        return _random_hex(bare.replace("-", "").lower())
    if PLACEHOLDER.search(token) or _of_words(token):
        return False
    n = len(token)
    if entropy_bits(token) < 0.72 * math.log2(min(n, 62)):
        return False
    digits = sum(c.isdigit() for c in token)
    if digits == n or (n >= 24 and not digits):
        return False
    if sum(map(len, _SMALL_RUN.findall(token))) > n / 2:
        return False
    return _class_changes(token) >= (0.24 if n < 24 else 0.3 if n < 32 else 0.36)


def _random_hex(digits: str) -> bool:
    """Tell whether hexadecimal digits, without anything between them, look random."""
    if len(digits) < SHORTEST or HEX_PLACEHOLDER.search(digits) or digits.isdigit() or digits.isalpha():
        return False
    return entropy_bits(digits) >= 0.74 * math.log2(min(len(digits), 16))


def _has_steps(lower: str) -> bool:
    """Tell whether a piece of an alphabet stands in it, forwards or backwards."""
    run, way = 1, 0
    for one, two in pairwise(lower):
        step = ord(two) - ord(one)
        if step in {1, -1} and (one.isalnum() and two.isalnum()):
            run = run + 1 if step == way else 2
            way = step
            if run >= _STEP:
                return True
        else:
            run, way = 1, 0
    return False


def _of_words(token: str) -> bool:
    """Tell whether it is three or more short pieces joined by signs, such as a path or a name."""
    pieces = [piece for piece in re.split(r"[_/+-]+", token.rstrip("=")) if piece]
    if len(pieces) < 3:
        return False
    wordy = sum(
        len(p) for p in pieces if p.isdigit() or (p.isalpha() and (p.islower() or p.isupper() or p.istitle()))
    )
    return wordy >= 0.7 * sum(map(len, pieces)) and max(map(len, pieces)) <= 14


def _class_changes(token: str) -> float:
    """Return how often, of neighbouring characters, one is of another kind: capital, small, digit, sign."""
    kinds = ["d" if c.isdigit() else "u" if c.isupper() else "l" if c.islower() else "s" for c in token]
    if len(set(kinds)) == 2 and "u" not in kinds:  # small letters and digits alone change less often
        return 0.14 + sum(a != b for a, b in pairwise(kinds)) / (len(kinds) - 1)
    return sum(a != b for a, b in pairwise(kinds)) / (len(kinds) - 1)
