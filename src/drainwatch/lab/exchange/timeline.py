"""A clock that can stand still, jump, and run faster than the machine's."""

from __future__ import annotations

import asyncio
import time


def wall_clock_ms() -> int:
    """Give the time of this machine, ms since the epoch."""
    return time.time_ns() // 1_000_000


class Timeline:
    """Time of a played scenario; does as a stream's `Clock`, too.

    Parameters
    ----------
    ms
        Where it stands at first, ms since the epoch.
    """

    def __init__(self, ms: int) -> None:
        self._stands: int | None = ms
        self._from_ms = float(ms)
        self._from_s = 0.0
        self.speed = 1.0
        """How many of its seconds pass in one of the machine's."""

    def now_ms(self) -> int:
        """Give the time, ms since the epoch."""
        return self._stands if self._stands is not None else int(self._running())

    def now_ns(self) -> int:
        """Give the time, ns since the epoch."""
        return self._stands * 1_000_000 if self._stands is not None else int(self._running() * 1e6)

    async def sleep(self, seconds: float) -> None:
        """Wait some of its own seconds."""
        await asyncio.sleep(seconds / self.speed)

    def stand(self, ms: int) -> None:
        """Stop at a time."""
        self._stands = ms

    def run(self, ms: int, speed: float) -> None:
        """Run from a time on.

        Raises
        ------
        ValueError
            The speed isn't above 0.
        """
        if not speed > 0.0:
            raise ValueError(f"speed must be above 0, was {speed}")
        self._from_ms, self._from_s, self.speed, self._stands = float(ms), time.monotonic(), speed, None

    def go_on(self) -> None:
        """Run on as if it had never stood still."""
        self._stands = None

    def due_in(self, ms: int) -> float:
        """Give how many of the machine's seconds pass until a time; negative for one that is over."""
        return (ms - self._running()) / 1000.0 / self.speed

    def _running(self) -> float:
        return self._from_ms + (time.monotonic() - self._from_s) * 1000.0 * self.speed
