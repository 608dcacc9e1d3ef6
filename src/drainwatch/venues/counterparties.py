"""Who was on the other side: own fills joined with public prints that name both sides.

Where a venue's prints name buyer and seller but its own fills don't, the two are joined by the
trade's id, whichever comes first. Several connections may share one `Counterparties`: a fill is given
by the connection that hears the missing part, or by one whose time is up.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from msgspec.structs import replace

from drainwatch.rows import Fill

HOLD_NS = 50_000_000
"""How long a fill waits for its print."""

KEPT = 20_000
"""How many prints are kept for fills to come: a few seconds of a whole venue."""


class _Held(NamedTuple):
    since_ns: int
    key: tuple[str, str]
    fill: Fill
    own: str


class Counterparties:
    """Prints waiting for fills, and fills waiting for prints."""

    def __init__(self) -> None:
        self.covered: set[str] = set()
        """Symbols whose prints are listened to: a fill of another has nothing to wait for."""
        self._prints: dict[tuple[str, str], tuple[str, str]] = {}
        self._held: dict[tuple[str, str], list[_Held]] = {}
        self._order: deque[_Held] = deque()

    def next_ns(self) -> int | None:
        """When the oldest held fill must go; None if there is none."""
        while self._order and not self._is_held(self._order[0]):
            self._order.popleft()
        return self._order[0].since_ns + HOLD_NS if self._order else None

    def fill(self, fill: Fill, own: str, now_ns: int) -> list[Fill]:
        """Take a fill of the address `own`; give it back at once if it needn't wait."""
        key = fill.symbol, fill.id
        sides = self._prints.get(key)
        if sides is not None:
            return [_joined(fill, own, sides)]
        if fill.symbol not in self.covered:
            return [fill]
        held = _Held(now_ns, key, fill, own)
        self._held.setdefault(key, []).append(held)
        self._order.append(held)
        return []

    def print(self, symbol: str, trade_id: str, buyer: str, seller: str) -> list[Fill]:
        """Take a print; give back the fills that waited for it."""
        key = symbol, trade_id
        sides = buyer, seller
        self._prints[key] = sides
        if len(self._prints) > KEPT:
            del self._prints[next(iter(self._prints))]
        return [_joined(held.fill, held.own, sides) for held in self._held.pop(key, ())]

    def due(self, now_ns: int) -> list[Fill]:
        """Give back, without the other side, the fills that have waited long enough."""
        out: list[Fill] = []
        while (next_ns := self.next_ns()) is not None and now_ns >= next_ns:
            held = self._order.popleft()
            waiting = self._held[held.key]
            waiting.remove(held)
            if not waiting:
                del self._held[held.key]
            out.append(held.fill)
        return out

    def _is_held(self, held: _Held) -> bool:
        return any(other is held for other in self._held.get(held.key, ()))


def _joined(fill: Fill, own: str, sides: tuple[str, str]) -> Fill:
    """Fill with the print's other side; unchanged if the print's own side is somebody else."""
    buyer, seller = sides
    mine, other = (buyer, seller) if fill.side == "buy" else (seller, buyer)
    return replace(fill, counterparty=other) if mine == own else fill
