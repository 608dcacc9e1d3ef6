"""The tape: raw frames of streams, kept as they came in, to be played again.

A tape is a folder of numbered files, `frames-000001-20260131T120000Z.jsonl.gz`: gzip whose every batch
of lines is flushed to a whole byte, so that a file cut off anywhere (kill -9, power) can be read up to
its last whole line. The first line of a file says what was connected when it began, so that the oldest
files can be deleted without making the others useless. What the watch *sends* is never recorded (logins
are among it), nor is an address (listen keys are); secrets that a venue echoes are starred out (`hide`).
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import threading
import zlib
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from drainwatch.errors import StateError

VERSION = 1
OPENED = "opened"
"""A stream was connected: a fresh protocol starts here."""
WANTED = "wanted"
"""Symbols were asked for; the frame is their JSON list, sorted."""
FRAME = "frame"
"""A frame came in."""
TICK = "tick"
"""The protocol did what was due by its clock."""
CLOSED = "closed"
"""The connection ended; the frame is the reason."""
ROWS = "rows"
"""Rows that came otherwise than in frames, by REST or pushed, as a JSON list."""
MARKETS = "markets"
"""What an account's venue lists, as JSON: its protocols read frames by it."""
BEGAN = "began"
"""The watch began; the frame is what it went on from, as JSON."""
TURN = "turn"
"""Rows were judged; the frame is the JSON list of fills that were left out as known from before."""
LOST = "lost"
"""Frames came in that could not be written; the frame is their number. Others may be missing around it."""

_NAME = re.compile(r"frames-(\d{6,})-\d{8}T\d{6}Z\.jsonl\.gz")
_LEVEL = 1  # three times as fast as 6, and only a tenth larger
_GZIP = 31
_CHUNK = 1 << 16
_CRUMB = 64
_HAND_OVER = 256 << 10
_FEWEST_HIDDEN = 8


class _Line(msgspec.Struct, omit_defaults=True):
    """A line of a file; `d` is text, `b` bytes that aren't, in base64."""

    t: int
    s: str
    e: str = FRAME
    d: str = ""
    b: str = ""


class _Head(msgspec.Struct):
    """The first line: what was connected when the file began, and which symbols each stream wanted."""

    version: int
    connected: dict[str, list[str]]
    deleted: list[str]
    """Older files of this tape that were deleted since the last head, for lack of room."""


class Recorded(NamedTuple):
    """What was recorded, in the order of receipt."""

    stream: str
    received_ns: int
    event: str
    """One of `opened`, `wanted`, `frame`, `closed`, `lost`, or what others added."""
    frame: bytes


class FrameRecorder:
    """Writes a tape. `record` and its siblings never wait: a thread compresses and writes.

    Parameters
    ----------
    folder
        Made if absent, for the owner's eyes only, as its files are.
    file_bytes
        A file that has grown beyond this is followed by the next.
    total_bytes
        What all files together may take; the oldest are deleted, and the next file says which.
    flush_s
        How late a frame may be written. What came after that is lost with kill -9.
    waiting_bytes
        What may wait to be written, when the disk is slow; what goes beyond isn't recorded, but counted.

    Raises
    ------
    StateError
        The folder can't be made or written to.
    """

    def __init__(
        self,
        folder: Path,
        *,
        file_bytes: int = 64 << 20,
        total_bytes: int = 4 << 30,
        flush_s: float = 1.0,
        waiting_bytes: int = 64 << 20,
    ) -> None:
        self.lost = 0
        """Frames that could not be recorded: the disk was full or too slow."""
        self.deleted = 0
        """Files deleted for lack of room."""
        self.problem: str | None = None
        """Why nothing can be written just now; None while all is well."""
        self._folder = folder
        self._file_bytes = file_bytes
        self._total_bytes = total_bytes
        self._flush_s = flush_s
        self._waiting_bytes = waiting_bytes
        self._encode = msgspec.json.Encoder().encode
        self._hidden: dict[bytes, bytes] = {}
        self._connected: dict[str, set[str]] = {}
        self._lines: list[bytes] = []
        self._n_bytes = 0
        self._untold = 0  # lost since the last `lost` line
        self._before = self._state()  # as it was before the first of `_lines`
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        self._file: _File | None = None
        self._dropped: list[str] = []
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._next = max(_numbers(folder), default=0) + 1
            self._make_room()
            self._file = self._begin(self._before)
        except OSError as error:
            raise StateError(
                f"the folder to record frames in must be writable: {str(folder)!a} isn't "
                f"({error.strerror}); choose another, or don't record"
            ) from None
        self._thread = threading.Thread(target=self._write_on, name="drainwatch-tape", daemon=True)
        self._thread.start()

    def hide(self, secret: str) -> None:
        """Star a secret out wherever it turns up from now on; one shorter than 8 characters is refused."""
        if len(secret) < _FEWEST_HIDDEN:
            raise ValueError(f"a secret to hide must have {_FEWEST_HIDDEN} characters or more")
        found = secret.encode()
        self._hidden[found] = b"*" * len(found)

    def opened(self, stream: str, received_ns: int) -> None:
        """Record that a stream was connected."""
        self.record(stream, received_ns, b"", OPENED)
        self._connected[stream] = set()

    def wanted(self, stream: str, received_ns: int, symbols: Collection[str]) -> None:
        """Record that symbols were asked for on it."""
        self.record(stream, received_ns, self._encode(sorted(symbols)), WANTED)
        self._connected.setdefault(stream, set()).update(symbols)

    def ticked(self, stream: str, now_ns: int) -> None:
        """Record that its protocol did what was due."""
        self.record(stream, now_ns, b"", TICK)

    def closed(self, stream: str, received_ns: int, reason: str) -> None:
        """Record that its connection ended."""
        self.record(stream, received_ns, reason.encode(), CLOSED)
        self._connected.pop(stream, None)

    def record(self, stream: str, received_ns: int, frame: bytes, event: str = FRAME) -> None:
        """Record a frame, or anything else that is to be played again in its place."""
        for secret, stars in self._hidden.items():
            if secret in frame:
                frame = frame.replace(secret, stars)
        try:
            line = self._encode(_Line(received_ns, stream, event, frame.decode()))
        except UnicodeDecodeError:
            line = self._encode(_Line(received_ns, stream, event, b=base64.b64encode(frame).decode()))
        with self._lock:
            if self._n_bytes + len(line) > self._waiting_bytes:
                self.lost += 1
                self._untold += 1
                return
            if not self._lines:
                self._before = self._state()
            if self._untold:
                self._lines.append(self._encode(_Line(received_ns, stream, LOST, str(self._untold))))
                self._untold = 0
            self._lines.append(line)
            self._n_bytes += len(line) + 1
            if self._n_bytes > _HAND_OVER:
                self._wake.set()

    def close(self) -> None:
        """Write what waits and end the file. May take as long as the disk does."""
        with self._lock:
            self._closing = True
        self._wake.set()
        self._thread.join()

    def _state(self) -> _Head:
        return _Head(
            VERSION, {stream: sorted(symbols) for stream, symbols in sorted(self._connected.items())}, []
        )

    # --- in the thread ----------------------------------------------------------------------------

    def _write_on(self) -> None:
        ending = False
        while not ending:
            self._wake.wait(self._flush_s)
            with self._lock:
                self._wake.clear()
                lines, self._lines = self._lines, []
                head, ending = self._before, self._closing
                self._n_bytes = 0
            if lines:
                self._write(lines, head)
        if self._file is not None:
            try:
                self._file.end()
            except OSError as error:
                self.problem = _why(error)

    def _write(self, lines: list[bytes], head: _Head) -> None:
        try:
            if self._file is None or self._file.size > self._file_bytes:
                file, self._file = self._file, None
                if file is not None:
                    file.end()
                self._make_room()
                self._file = self._begin(head)
            self._file.write(b"\n".join(lines) + b"\n")
            self.problem = None
        except OSError as error:
            # This file may have a broken line now: it is left as it is, and the next batch tries a new one.
            self.problem = _why(error)
            if self._file is not None:
                self._file.abandon()
                self._file = None
            with self._lock:
                self.lost += len(lines)
                self._untold += len(lines)

    def _begin(self, head: _Head) -> _File:
        while True:
            now = datetime.now(UTC)
            path = self._folder / f"frames-{self._next:06d}-{now:%Y%m%dT%H%M%SZ}.jsonl.gz"
            self._next += 1
            try:
                file = _File(path)
            except FileExistsError:  # of another process that records here
                continue
            head.deleted = self._dropped
            file.write(self._encode(head) + b"\n")
            self._dropped = []
            return file

    def _make_room(self) -> None:
        """Delete the oldest until there is room for one more file."""
        files = [(path, path.stat().st_size) for path in _files(self._folder)]
        total = sum(size for _, size in files)
        for path, size in files:
            if total + self._file_bytes <= self._total_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size
            self.deleted += 1
            self._dropped.append(path.name)


class Strand:
    """One account's part of a tape: its streams are named after it, as each account has its own.

    Parameters
    ----------
    recorder
        Writes the tape.
    name
        Of the account; may not hold a slash.
    """

    def __init__(self, recorder: FrameRecorder, name: str) -> None:
        self._recorder = recorder
        self._name = name

    def hide(self, secret: str) -> None:
        """Star a secret out of the whole tape from now on."""
        self._recorder.hide(secret)

    def opened(self, stream: str, received_ns: int) -> None:
        """Record that a stream was connected."""
        self._recorder.opened(f"{self._name}/{stream}", received_ns)

    def wanted(self, stream: str, received_ns: int, symbols: Collection[str]) -> None:
        """Record that symbols were asked for on it."""
        self._recorder.wanted(f"{self._name}/{stream}", received_ns, symbols)

    def ticked(self, stream: str, now_ns: int) -> None:
        """Record that its protocol did what was due."""
        self._recorder.ticked(f"{self._name}/{stream}", now_ns)

    def closed(self, stream: str, received_ns: int, reason: str) -> None:
        """Record that its connection ended."""
        self._recorder.closed(f"{self._name}/{stream}", received_ns, reason)

    def record(self, stream: str, received_ns: int, frame: bytes, event: str = FRAME) -> None:
        """Record a frame, or anything else in its place."""
        self._recorder.record(f"{self._name}/{stream}", received_ns, frame, event)


class _File:
    """A file that grows, compressed."""

    def __init__(self, path: Path) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._raw: BinaryIO = os.fdopen(handle, "wb", buffering=0)
        self._zip = zlib.compressobj(_LEVEL, wbits=_GZIP)
        self.size = 0

    def write(self, lines: bytes) -> None:
        """Append, up to a whole byte: what is written can be read even if nothing follows."""
        self._put(self._zip.compress(lines) + self._zip.flush(zlib.Z_SYNC_FLUSH))

    def end(self) -> None:
        """Close it properly."""
        try:
            self._put(self._zip.flush())
        finally:
            self._raw.close()

    def abandon(self) -> None:
        """Leave it as it is."""
        self._raw.close()

    def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:  # an unbuffered file may take less than all
            n = self._raw.write(rest)
            rest = rest[n:]
            self.size += n


def read_frames(folder: Path, *, damaged: Callable[[Path, str], None] | None = None) -> Iterator[Recorded]:
    """Play a tape: what was recorded, in the order of receipt.

    Where a file ends in the middle, as after a power cut, what is whole before that is given, then the
    next file's. Connections that were open and of which the next file knows nothing are `closed`, and
    those that it found open (when the files before were deleted) are `opened` and `wanted`.

    Parameters
    ----------
    folder
        Where `FrameRecorder` wrote.
    damaged
        Told of each file that ends in the middle or is broken: its path, and what was found.

    Raises
    ------
    StateError
        There is no such folder, no tape in it, or a file is of a later version.
    """
    files = _files(folder) if folder.is_dir() else []
    if not files:
        raise StateError(
            f"a folder with recorded frames (frames-*.jsonl.gz) was expected, {str(folder)!a} has none"
        )
    connected: dict[str, set[str]] = {}
    last_ns = 0
    for path in files:
        lines = _lines(path, lambda found, path=path: damaged and damaged(path, found))  # type: ignore[misc]
        first = next(lines, None)
        if first is None:
            continue
        head = _head(path, first)
        if head is None:
            if damaged:
                damaged(path, "its first line isn't that of a tape")
            continue
        # Only the first line that follows knows the time.
        opening = True
        for line in lines:
            try:
                recorded = _recorded(line)
            except (msgspec.DecodeError, ValueError):
                if damaged:
                    damaged(path, f"a line isn't one of a tape: {line[:60].decode(errors='replace')!a}")
                break
            if opening:
                yield from _mended(connected, head.connected, last_ns or recorded.received_ns)
                opening = False
            _follow(connected, recorded)
            last_ns = recorded.received_ns
            yield recorded


def _mended(connected: dict[str, set[str]], found: dict[str, list[str]], now_ns: int) -> Iterator[Recorded]:
    """Make up for what was lost between two files."""
    for stream in sorted(set(connected) - set(found)):
        del connected[stream]
        yield Recorded(stream, now_ns, CLOSED, b"the recording broke off")
    for stream, symbols in found.items():
        if stream not in connected:
            connected[stream] = set()
            yield Recorded(stream, now_ns, OPENED, b"")
        new = set(symbols) - connected[stream]
        if new:
            connected[stream] |= new
            yield Recorded(stream, now_ns, WANTED, msgspec.json.encode(sorted(new)))


def _follow(connected: dict[str, set[str]], recorded: Recorded) -> None:
    if recorded.event == OPENED:
        connected[recorded.stream] = set()
    elif recorded.event == WANTED:
        symbols = msgspec.json.decode(recorded.frame, type=set[str])
        connected.setdefault(recorded.stream, set()).update(symbols)
    elif recorded.event == CLOSED:
        connected.pop(recorded.stream, None)


def _recorded(line: bytes) -> Recorded:
    read = msgspec.json.decode(line, type=_Line)
    frame = base64.b64decode(read.b, validate=True) if read.b else read.d.encode()
    if read.e == WANTED:
        msgspec.json.decode(frame, type=set[str])
    return Recorded(read.s, read.t, read.e, frame)


def _head(path: Path, line: bytes) -> _Head | None:
    try:
        head = msgspec.json.decode(line, type=_Head)
    except msgspec.DecodeError:
        return None
    if head.version > VERSION:
        raise StateError(
            f"frames recorded as version {VERSION} or below were expected, {str(path)!a} is of "
            f"version {head.version}; read it with the drainwatch that wrote it"
        )
    return head


def _lines(path: Path, damaged: Callable[[str], object]) -> Iterator[bytes]:
    """Give the whole lines of a file, as far as it can be read."""
    rest = b""
    for text in _unpacked(path, damaged):
        *lines, rest = (rest + text).split(b"\n")
        yield from lines


def _unpacked(path: Path, damaged: Callable[[str], object]) -> Iterator[bytes]:
    unzip = zlib.decompressobj(wbits=_GZIP)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            before = unzip.copy()
            try:
                text = unzip.decompress(chunk)
            except zlib.error as error:
                # What comes before the damage is still good.
                with contextlib.suppress(zlib.error):
                    for at in range(0, len(chunk), _CRUMB):
                        yield before.decompress(chunk[at : at + _CRUMB])
                damaged(f"it can't be unpacked to its end: {error}")
                return
            yield text
    if not unzip.eof:
        damaged("it ends in the middle")


def _files(folder: Path) -> list[Path]:
    """Give the files of a tape, oldest first."""
    return sorted(
        (path for path in folder.iterdir() if _NAME.fullmatch(path.name)), key=lambda path: _number(path.name)
    )


def _numbers(folder: Path) -> Iterator[int]:
    return (_number(path.name) for path in _files(folder))


def _number(name: str) -> int:
    return int(name.split("-")[1])


def _why(error: OSError) -> str:
    return f"frames can't be recorded: {error.strerror or type(error).__name__}"
