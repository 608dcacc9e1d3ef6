"""What speaks for a string being an exchange's key: name, form, surroundings and pair, each weighed."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from drainwatch.keys.leaks.names import TRADING, Label, Role, label_before, role_in_words, role_of
from drainwatch.keys.leaks.randomness import SHORTEST, looks_random
from drainwatch.keys.leaks.shapes import KNOWN, Part, Shape, is_published, mentions_in, shapes_of

TOKEN = re.compile(r"[A-Za-z0-9+/_][A-Za-z0-9+/_-]{14,}+={0,2}")
"""Whatever could be a key: unbroken, 15 characters and more."""

LONGEST = 130
_CODE = frozenset({
    "c", "cc", "cpp", "cs", "go", "h", "hpp", "java", "js", "jsx", "kt", "mjs", "php", "py", "pyi", "pyx",
    "rb", "rs", "scala", "sol", "swift", "ts", "tsx",
})  # fmt: skip
"""Endings of programs, in which what is a value has quotes around it."""
_ASSIGNED = re.compile(r"[ \t]*(?:=(?!=)|\(|\[|:=)")
_NAME_LIKE = re.compile(r"(?=.*[a-z]{4})[A-Za-z_]\w*")
_WIDEST_ROW = 20_000
_AROUND = " \t\r\"'\\,+;n"
_BLOCK_LINE = re.compile(r"[A-Za-z0-9+/]{30,}={0,2}|-----[A-Z ]+-----")
_TESTS = re.compile(
    r"(?:^|[/_.-])(?:tests?|specs?|fixtures?|mocks?|testdata|testing)(?:$|[/_.-])", re.IGNORECASE
)
"""Paths of tests, whose keys are mostly made up: there more has to speak for one."""
_PLAIN = re.compile(r"(?=\D*\d)[A-Za-z0-9+/]{20,}={0,2}")
"""What a key of no known form has to be like, beside having the name of one."""
NEAR = 8
"""So many lines above and below are a string's surroundings."""
REACH = 1_200
"""... but no more characters than this on either side: a line of minified code is a whole program."""
PAIR_LINES = 4
ENOUGH = 3.5
"""A string is reported from this weight on; chosen on the tuning half of the corpus."""

NAMED, SAID = 2.0, 1.0
VENUE_IN_NAME, VENUE_NEAR, VENUE_SOMEWHERE = 2.0, 1.5, 1.0
TELLING_FORM, FORM, UNLIKE = 1.5, 1.0, 1.0
PAIRED, AMONG_TRADING, IN_TESTS = 1.5, 0.5, 1.0

_WHERE = {VENUE_IN_NAME: "with it", VENUE_NEAR: "near it", VENUE_SOMEWHERE: "in the file"}
_SECRET_ROLES = frozenset({Role.SECRET, Role.PRIVATE_KEY})


@dataclass(slots=True)
class Candidate:
    """A string that may be a key, with what speaks for it."""

    token: str
    start: int
    line: int
    label: Label
    role: Role
    said: bool
    """Whether the role is from words on the line, not from a name."""
    shapes: tuple[Shape, ...]
    venue: str = ""
    closeness: float = 0.0
    """Weight of the mention of its venue."""
    paired: bool = False
    trading: bool = False
    tested: bool = False
    """Whether it stands in a test."""
    because: list[str] = field(default_factory=list)

    @property
    def fitting(self) -> Shape | None:
        """The shape that fits the venue and the role best; one of another venue where none is named."""
        fits = [s for s in self.shapes if s.venue == self.venue] if self.venue else list(self.shapes)
        wanted = _PARTS.get(self.role)
        ranked = sorted(fits, key=lambda s: (s.part is not wanted, not s.telling))
        return ranked[0] if ranked else None

    @property
    def weight(self) -> float:
        """All that speaks for it, added up."""
        shape = self.fitting
        total = 0.0 if self.role is Role.UNKNOWN else SAID if self.said else NAMED
        total += self.closeness
        if shape is not None:
            wallet = shape.part is Part.PRIVATE_KEY and self.role is Role.PRIVATE_KEY and not self.said
            proven = bool(self.venue) or self.trading or self.paired
            telling = shape.telling and (proven or shape.shortest < 64)  # prefixes tell by themselves
            total += TELLING_FORM if telling or wallet else FORM if self.venue or shape.telling else FORM / 2
        elif (self.venue, _PARTS.get(self.role)) in KNOWN:
            total -= UNLIKE
        return total + PAIRED * self.paired + AMONG_TRADING * self.trading - IN_TESTS * self.tested


_PARTS = {Role.KEY: Part.KEY, Role.SECRET: Part.SECRET, Role.PRIVATE_KEY: Part.PRIVATE_KEY}


class Page:
    """A text with its lines and the venues it mentions, looked up by position."""

    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path
        self.is_code = path.rpartition(".")[2].lower() in _CODE
        self.is_test = bool(_TESTS.search(path))
        self.columns = _columns(text, path)
        self._trading_path = any(word in path.lower() for word in TRADING)
        found = mentions_in(path.lower())
        self.path_venue = found[-1][1] if found else ""

    def line_of(self, position: int) -> int:
        """Number of the line, from 1, on which a position is."""
        return bisect_left(self._ends, position) + 1

    @cached_property
    def _ends(self) -> list[int]:
        """Where each line ends; most texts never need it."""
        return [m.start() for m in re.finditer("\n", self.text)]

    def column_of(self, position: int) -> str:
        """Name the column in which a position of a table is; empty beyond the last."""
        first = self.text.rfind("\n", max(0, position - _WIDEST_ROW), position) + 1
        before = self.text.count(self.columns[0], first, position)
        return self.columns[before + 1] if before + 1 < len(self.columns) else ""

    def span_of(self, line: int) -> tuple[int, int]:
        """First position of a line, and the one after its last; nothing beyond the last line."""
        if line > len(self._ends) + 1:
            return len(self.text), len(self.text)
        first = self._ends[line - 2] + 1 if line >= 2 else 0
        return first, self._ends[line - 1] if line <= len(self._ends) else len(self.text)

    def around(self, position: int) -> tuple[int, int]:
        """Positions between which a string's surroundings are."""
        line = self.line_of(position)
        first = self.span_of(max(1, line - NEAR))[0]
        last = self.span_of(min(len(self._ends) + 1, line + NEAR))[1]
        return max(first, position - REACH), min(last, position + REACH)

    @cached_property
    def mentions(self) -> list[tuple[int, str]]:
        """Where which venue is named, in order."""
        return mentions_in(self.text.lower())

    @cached_property
    def venues(self) -> frozenset[str]:
        """Which venues are named anywhere, in the path, too."""
        return frozenset({venue for _, venue in self.mentions} | ({self.path_venue} - {""}))

    def trading_near(self, position: int) -> bool:
        """Tell whether words of trading programs stand around a position, or in the path."""
        first, last = self.around(position)
        near = self.text[first:last].lower()
        return self._trading_path or any(word in near for word in TRADING)


def _columns(text: str, path: str) -> tuple[str, ...]:
    """Return a table's separator and the names of its columns; nothing where it has no heading."""
    if not path.lower().endswith((".csv", ".tsv")):
        return ()
    heading = text[:2_000].partition("\n")[0].strip()
    separator = max(",;\t", key=heading.count)
    names = [name.strip(" \"'") for name in heading.split(separator)]
    return (separator, *names) if len(names) > 1 and not any(map(looks_random, names)) else ()


def candidates_in(page: Page) -> Iterator[Candidate]:
    """Go through the strings of a text that could be keys, by form or by name."""
    text = page.text
    for found in TOKEN.finditer(text):
        token, start = found.group(), found.start()
        if len(token) > LONGEST + 1:
            continue
        if start and text[start - 1] == "\\" and token[0] in "nrt":  # a line's end, written as in JSON
            token, start = token[1:], start + 1
        if not SHORTEST <= len(token) <= LONGEST:
            continue
        shapes = shapes_of(token)
        if not shapes and not _PLAIN.fullmatch(token):
            continue
        candidate = _named(page, token, start, shapes)
        if candidate is not None and looks_random(token) and not _is_other(page, candidate):
            yield candidate


def _named(page: Page, token: str, start: int, shapes: tuple[Shape, ...]) -> Candidate | None:
    """Read a string's name, and what is said of it on its line; None where these rule it out.

    This comes first, as it is cheap: tables of orders have a hundred thousand ids.
    """
    left = page.text[max(0, start - 2 * LONGEST) : start]
    label, said = label_before(left), False
    role = role_of(label.name)
    if page.columns:
        label = Label(page.column_of(start), ",")
        role = role_of(label.name)
        if role is Role.UNKNOWN:
            return None
    elif role is Role.UNKNOWN or len(label.name) >= SHORTEST:
        # pieces of another key before it say nothing, though one may read `pk`
        left = TOKEN.sub(_without_chance, left)
        label = label_before(left)
        role = role_of(label.name)
        if role is Role.UNKNOWN:
            role = role_in_words(left.rpartition("\n")[2])
            said = role is not Role.UNKNOWN
    if role is Role.OTHER:
        return None
    if not shapes and (said or role is Role.UNKNOWN):
        return None
    if role is Role.UNKNOWN and label.sign not in "(," and not any(shape.telling for shape in shapes):
        return None
    return Candidate(token, start, page.line_of(start), label, role, said, shapes, tested=page.is_test)


def _without_chance(found: re.Match[str]) -> str:
    """Put a space in place of a string that was drawn by chance."""
    return " " if looks_random(found.group()) else found.group()


def _is_other(page: Page, candidate: Candidate) -> bool:
    """Tell whether a string is something else by where it stands, or an example that everybody knows."""
    start, end = candidate.start, candidate.start + len(candidate.token)
    return _in_something_else(page, start, end) or is_published(candidate.token)


def _in_something_else(page: Page, start: int, end: int) -> bool:
    """Tell whether a string is no value: a piece of a token, a line of base64, a name in a program."""
    text = page.text
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    if after[:1] in {".", "("} and after[1:].isalnum():
        return True
    if before.endswith(".") and text[max(0, start - 3) : start - 1].isalnum():
        return True
    if before.endswith(("%", "#")) or before == "//":
        return True
    if _ASSIGNED.match(text, end):
        return True
    quoted = before[-1:] in {'"', "'", "`"}
    if not quoted and page.is_code and _NAME_LIKE.fullmatch(text, start, end):
        return True
    return end - start >= 48 and _in_block(page, start, end)


def _in_block(page: Page, start: int, end: int) -> bool:
    """Tell whether a string is one line of several of base64: a certificate, a picture, a key in PEM."""
    line = page.line_of(start)
    first, last = page.span_of(line)
    if last - first > end - start + 200 or page.text[first:last].strip(_AROUND) != page.text[start:end]:
        return False
    beside = [page.span_of(line + 1), *([page.span_of(line - 1)] if line > 1 else [])]
    return any(
        _BLOCK_LINE.fullmatch(page.text[one : min(two, one + 400)].strip(_AROUND)) for one, two in beside
    )


def place(candidate: Candidate, page: Page) -> None:
    """Find the venue that a string most likely belongs to, and how near it is named."""
    named = mentions_in(candidate.label.name.lower())
    candidate.trading = page.trading_near(candidate.start)
    if named:
        candidate.venue, candidate.closeness = named[-1][1], VENUE_IN_NAME
        return
    first, last = page.around(candidate.start)
    mentions = page.mentions
    near = mentions[bisect_left(mentions, (first, "")) : bisect_right(mentions, (last, ""))]
    own_line = page.span_of(candidate.line)
    fitting = {shape.venue for shape in candidate.shapes}

    def distance(mention: tuple[int, str]) -> tuple[bool, int]:
        # a block is headed by its venue: what comes before is twice as near
        gap = candidate.start - mention[0]
        return mention[1] not in fitting, gap if gap >= 0 else -2 * gap

    if near:
        at, venue = min(near, key=distance)
        on_line = own_line[0] <= at < own_line[1] and abs(at - candidate.start) <= 200
        candidate.venue, candidate.closeness = venue, VENUE_IN_NAME if on_line else VENUE_NEAR
        return
    best = sorted(page.venues & fitting) or sorted(page.venues)
    if best:
        candidate.venue, candidate.closeness = page.path_venue or best[0], VENUE_SOMEWHERE


def pair(candidates: list[Candidate], page: Page) -> None:
    """Mark keys that stand beside secrets, and strings given one after the other as a call's arguments."""
    for one, two in pairwise(candidates):
        if two.line - one.line > PAIR_LINES or two.start - one.start > REACH or one.token == two.token:
            continue
        roles = {one.role, two.role}
        if Role.KEY in roles and roles & _SECRET_ROLES:
            one.paired = two.paired = True
        elif roles == {Role.UNKNOWN} and _side_by_side(one, two, page):
            one.paired = two.paired = True
            one.role, two.role = Role.KEY, Role.SECRET
            one.said = two.said = True


def _side_by_side(one: Candidate, two: Candidate, page: Page) -> bool:
    """Tell whether two strings are the key and the secret of the venue named, as arguments of one call."""
    keys = {s.venue for s in one.shapes if s.part is Part.KEY and (s.telling or s.venue == one.venue)}
    secrets = {s.venue for s in two.shapes if s.part is Part.SECRET}
    between = two.start - one.start - len(one.token)
    opened = "(" in page.text[max(page.span_of(one.line)[0] - 80, one.start - 200, 0) : one.start]
    return bool(keys & secrets) and between <= 24 and two.label.sign == "," and opened


def judge(candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """Keep those that enough speaks for, and say what does."""
    for candidate in candidates:
        if candidate.role is Role.OTHER or candidate.weight < ENOUGH:
            continue
        shape = candidate.fitting
        if shape is None and not _PLAIN.fullmatch(candidate.token):
            continue
        if candidate.role is Role.UNKNOWN and not (shape and shape.telling):
            continue
        candidate.because.extend(_reasons(candidate))
        yield candidate


def _reasons(candidate: Candidate) -> Iterator[str]:
    """Say in words what speaks for it; never with the string itself."""
    name = candidate.label.name
    if not candidate.said and candidate.role is not Role.UNKNOWN:
        shown = name if len(name) <= 40 and not (len(name) >= SHORTEST and looks_random(name)) else ""
        yield f"named {shown}" if shown else f"named as a {candidate.role.value}"
    elif candidate.said and not candidate.paired:
        yield f"its line speaks of a {candidate.role.value}"
    if (shape := candidate.fitting) is not None:
        yield f"looks like {_article(shape.venue)} {shape.venue} {shape.part.value}"
    if candidate.closeness:
        yield f"{candidate.venue} is named {_WHERE[candidate.closeness]}"
    if candidate.paired:
        yield "key and secret stand together"
    if candidate.trading and not candidate.venue:
        yield "among words of trading"


def _article(noun: str) -> str:
    """Choose `a` or `an`."""
    return "an" if noun[0] in "aeiou" else "a"
