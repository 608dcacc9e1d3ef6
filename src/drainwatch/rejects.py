"""Bad rows, kept until they are written down: in memory while few, else in a temporary file."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Self, TypedDict

import msgspec

_IN_MEMORY = 1 << 20


class Reject(TypedDict):
    """A row that was left out, as `rejected.jsonl` tells of it.

    `row` counts from 1, without a header; `column` is None where the row as a whole is at fault.
    """

    table: str
    file: str
    row: int
    column: str | None
    found: str
    expected: str


class Rejects:
    """Rejects in the order in which they were added; iterate as often as needed, until closed."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._n_bytes = 0
        self._file: IO[bytes] | None = None
        self._encoder = msgspec.json.Encoder()
        self.counts: Counter[str] = Counter()
        """How many there are of each table."""
        self.first: dict[str, Reject] = {}
        """The first of each table."""

    def add(self, reject: Reject) -> None:
        """Take one more."""
        line = self._encoder.encode(reject) + b"\n"
        if self._n_bytes + len(line) > _IN_MEMORY:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
            self._file.seek(0, 2)
            self._file.writelines(self._lines)
            self._lines, self._n_bytes = [], 0
        self._lines.append(line)
        self._n_bytes += len(line)
        self.counts[reject["table"]] += 1
        self.first.setdefault(reject["table"], reject)

    def __len__(self) -> int:
        """Count them."""
        return self.counts.total()

    def __iter__(self) -> Iterator[Reject]:
        """Go through them; nothing may be added meanwhile."""
        if self._file is not None:
            self._file.seek(0)
            for line in self._file:
                yield msgspec.json.decode(line, type=Reject)
        for line in self._lines:
            yield msgspec.json.decode(line, type=Reject)

    def close(self) -> None:
        """Delete the file, if there is one."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
