"""What goes wrong between an exchange and who listens: by chance with a seed, or by hand.

Faults touch only what goes over the wire. What the exchange executed is `Exchange.executed`, always.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec


class Fault(StrEnum):
    """What can go wrong."""

    CUT = "cut"
    """The connection breaks."""
    HALF_OPEN = "half_open"
    """The connection stays, but nothing comes any more, not even an answer to a ping."""
    DUPLICATE = "duplicate"
    """A message comes twice."""
    REORDER = "reorder"
    """A message comes after some that were sent later."""
    DELAY = "delay"
    """A message, and all after it, comes late."""
    TRUNCATED = "truncated"
    """A message's JSON is cut off."""
    EMPTY_LIST = "empty_list"
    """`[]` comes instead."""
    BAD_PRICE = "bad_price"
    """A price is `abc`."""
    MISSING_FIELDS = "missing_fields"
    """Some fields are gone."""
    WRONG_TYPES = "wrong_types"
    """Some fields are of another type."""
    BINARY = "binary"
    """Bytes that are no text come instead."""
    HUGE = "huge"
    """Two megabytes of nothing come instead."""
    TERMINATED = "terminated"
    """The exchange ends the user stream and says so; the connection stays."""
    RATE_LIMIT = "rate_limit"
    """REST: 429, with `Retry-After`."""
    BANNED = "banned"
    """REST: 418, with `Retry-After`."""
    SERVER_ERROR = "server_error"
    """REST: a 5xx; nothing was done."""
    LOST_ANSWER = "lost_answer"
    """REST: a 503, but it was done."""
    SHORT_PAGE = "short_page"
    """REST: a list has fewer rows than were asked for, though there are more."""
    CUT_BODY = "cut_body"
    """REST: the JSON of an answer is cut off."""


ON_CONNECTIONS = (Fault.CUT, Fault.HALF_OPEN, Fault.TERMINATED)
"""What happens to a connection; the message that it hits is lost."""
DAMAGE = (
    Fault.TRUNCATED, Fault.EMPTY_LIST, Fault.BAD_PRICE, Fault.MISSING_FIELDS, Fault.WRONG_TYPES,
    Fault.BINARY, Fault.HUGE,
)  # fmt: skip
"""What happens to a message: something else comes in its place."""
ON_MESSAGES = (Fault.DUPLICATE, Fault.REORDER, Fault.DELAY, *DAMAGE)
ON_REQUESTS = (
    Fault.RATE_LIMIT, Fault.BANNED, Fault.SERVER_ERROR, Fault.LOST_ANSWER, Fault.SHORT_PAGE, Fault.CUT_BODY,
)  # fmt: skip
"""What happens to a REST request."""

_PRICE = re.compile(rb'"(L|p|b|a|execPrice|fillPx|px)":"[0-9.]+"')
_INNER = ("event", "data", "fills", "o")
"""Under which names messages hold what they are about; of a list, its first row is it."""
_HUGE = 2 << 20


class Faults:
    """The switch: how often each fault happens, and what is to happen next.

    Parameters
    ----------
    seed
        Of chance.
    rates
        How likely each fault is for a message or a request; one that isn't named never happens by itself.
    delay_s
        How late a message comes, at most.
    retry_after_s
        What `Retry-After` says.
    """

    def __init__(
        self,
        seed: int = 0,
        rates: Mapping[Fault, float] | None = None,
        *,
        delay_s: float = 0.2,
        retry_after_s: int = 1,
    ) -> None:
        self._random = random.Random(seed)  # noqa: S311 - chance with a seed makes tests, not secrets
        self.delay_s = delay_s
        self.retry_after_s = retry_after_s
        self.happened: Counter[Fault] = Counter()
        self._next: Counter[Fault] = Counter()
        self.rates: dict[Fault, float] = {}
        self.set(rates or {})

    def set(self, rates: Mapping[Fault, float]) -> None:
        """Set how likely faults are from now on; those that aren't named don't happen any more."""
        for fault, rate in rates.items():
            if not 0.0 <= rate <= 1.0:
                raise ValueError(f"the rate of {fault} must be from 0 to 1, was {rate}")
        self.rates = dict(rates)

    def off(self) -> None:
        """Let nothing go wrong from now on."""
        self.rates = {}
        self._next.clear()

    def once(self, fault: Fault, times: int = 1) -> None:
        """Let the next message or request, or the next few, have a fault."""
        self._next[fault] += times

    def on_message(self) -> Fault | None:
        """Draw what happens to a message; None: it goes through."""
        if not self.rates and not self._next:
            return None
        return self._draw(ON_CONNECTIONS) or self._draw(ON_MESSAGES)

    def on_request(self) -> Fault | None:
        """Draw what happens to a REST request; None: it is answered."""
        if not self.rates and not self._next:
            return None
        return self._draw(ON_REQUESTS)

    def _draw(self, faults: tuple[Fault, ...]) -> Fault | None:
        for fault in faults:
            if self._next[fault] > 0:
                self._next[fault] -= 1
            elif not (rate := self.rates.get(fault, 0.0)) or self._random.random() >= rate:
                continue
            self._next += Counter()  # drops what is used up
            self.happened[fault] += 1
            return fault
        return None

    def delay(self) -> float:
        """Draw how late a message comes, in seconds."""
        return self._random.uniform(0.0, self.delay_s)

    def behind(self) -> int:
        """Draw how many later messages overtake one."""
        return self._random.randint(1, 3)

    def status(self) -> int:
        """Draw a 5xx."""
        return self._random.choice((500, 502, 503, 504))

    def shortened(self, rows: list[Any]) -> list[Any]:
        """Give the beginning of a page, one row at least."""
        return rows[: self._random.randint(1, max(len(rows) - 1, 1))]

    def cut(self, body: bytes) -> bytes:
        """Give the beginning of a text."""
        return body[: self._random.randrange(len(body))] if body else body

    def damaged(self, fault: Fault, payload: bytes) -> tuple[bytes, bool]:
        """Give what comes instead of a message, and whether as a binary frame."""
        return _DAMAGES[fault](self, payload), fault is Fault.BINARY

    def _missing(self, payload: bytes) -> bytes:
        """Drop half of the fields."""
        return self._changed(payload, lambda fields, name: fields.pop(name))

    def _wrong(self, payload: bytes) -> bytes:
        """Give half of the fields another type."""

        def change(fields: dict[str, Any], name: str) -> None:
            fields[name] = self._random.choice(([], {}, True, None, -1, 1.5, "?", {"a": []}))

        return self._changed(payload, change)

    def _changed(self, payload: bytes, change: Callable[[dict[str, Any], str], Any]) -> bytes:
        message = msgspec.json.decode(payload)
        fields = message
        for name in _INNER:
            inner = fields.get(name) if isinstance(fields, dict) else None
            if isinstance(inner, list) and inner:
                inner = inner[0]
            if isinstance(inner, dict):
                fields = inner
        if isinstance(fields, dict) and fields:
            names = list(fields)
            for name in self._random.sample(names, (len(names) + 1) // 2):
                change(fields, name)
        return msgspec.json.encode(message)


_DAMAGES: dict[Fault, Callable[[Faults, bytes], bytes]] = {
    Fault.TRUNCATED: Faults.cut,
    Fault.EMPTY_LIST: lambda _faults, _payload: b"[]",
    Fault.BAD_PRICE: lambda _faults, payload: _PRICE.sub(rb'"\1":"abc"', payload),
    Fault.MISSING_FIELDS: Faults._missing,  # noqa: SLF001 - its own
    Fault.WRONG_TYPES: Faults._wrong,  # noqa: SLF001
    Fault.BINARY: lambda faults, _payload: b"\xff\xfe" + faults._random.randbytes(30),  # noqa: SLF001
    Fault.HUGE: lambda _faults, _payload: b'{"e":"' + b"x" * _HUGE + b'"}',
}
