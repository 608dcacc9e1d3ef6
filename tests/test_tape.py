"""Frames are kept as they came in, whatever happens to the process or to the disk, and never a secret."""

from __future__ import annotations

import errno
import gzip
import os
import signal
import stat
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch import tape
from drainwatch.errors import StateError
from drainwatch.tape import CLOSED, FRAME, LOST, OPENED, WANTED, FrameRecorder, Recorded, read_frames

FILL = b'{"e":"executionReport","s":"ETHBTC","L":"0.0711"}'


def wait_for(what: object, seconds: float = 5.0) -> None:
    assert callable(what)
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def has_frames(folder: Path, n: int) -> bool:
    return len(list(read_frames(folder))) == n


def note(found: list[Path], path: Path, what: str) -> None:
    assert what
    found.append(path)


def test_what_was_recorded_comes_back_in_order(tmp_path: Path) -> None:
    recorder = FrameRecorder(tmp_path / "tape")
    recorder.opened("binance private", 1)
    recorder.wanted("binance private", 2, ["ETH/BTC", "BTC/USDT"])
    recorder.record("binance private", 3, FILL)
    recorder.record("okx public", 3, b"\xff\x00 no text")
    recorder.record("binance private", 4, b"[]", "rows")
    recorder.closed("binance private", 5, "the venue closed it")
    recorder.close()
    assert list(read_frames(tmp_path / "tape")) == [
        Recorded("binance private", 1, OPENED, b""),
        Recorded("binance private", 2, WANTED, b'["BTC/USDT","ETH/BTC"]'),
        Recorded("binance private", 3, FRAME, FILL),
        Recorded("okx public", 3, FRAME, b"\xff\x00 no text"),
        Recorded("binance private", 4, "rows", b"[]"),
        Recorded("binance private", 5, CLOSED, b"the venue closed it"),
    ]


@given(frames=st.lists(st.binary() | st.text().map(str.encode), max_size=20))
def test_any_frame_comes_back(frames: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("tape")
    recorder = FrameRecorder(folder)
    for i, frame in enumerate(frames):
        recorder.record("s", i, frame)
    recorder.close()
    assert [(r.received_ns, r.frame) for r in read_frames(folder)] == list(enumerate(frames))


def test_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        FrameRecorder(tmp_path / "tape").close()
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "tape").stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tape").iterdir()] == [0o600]


def test_a_secret_that_a_venue_echoes_is_starred_out(tmp_path: Path) -> None:
    recorder = FrameRecorder(tmp_path)
    recorder.hide("vmPUZE6mv9SD5VNH")
    recorder.record("s", 1, b'{"result":{"apiKey":"vmPUZE6mv9SD5VNH","since":1}}')
    recorder.closed("s", 2, "no such key: vmPUZE6mv9SD5VNH")
    recorder.close()
    assert [r.frame for r in read_frames(tmp_path)] == [
        b'{"result":{"apiKey":"****************","since":1}}',
        b"no such key: ****************",
    ]
    with pytest.raises(ValueError, match="8 characters"):
        recorder.hide("BTC")


def test_a_frame_is_on_disk_within_the_second(tmp_path: Path) -> None:
    recorder = FrameRecorder(tmp_path, flush_s=0.2)
    recorder.record("s", 1, FILL)
    wait_for(lambda: [r.frame for r in read_frames(tmp_path)] == [FILL], 2.0)
    recorder.close()


def test_a_file_cut_off_anywhere_is_read_up_to_its_last_whole_frame(tmp_path: Path) -> None:
    recorder = FrameRecorder(tmp_path, flush_s=0.01)
    frames = [b"%d " % i + os.urandom(20).hex().encode() for i in range(60)]
    sizes = []
    (path,) = tmp_path.iterdir()
    for i, frame in enumerate(frames):
        recorder.record("s", i, frame)
        if i % 10 == 9:  # each ten are written on their own
            wait_for(partial(has_frames, tmp_path, i + 1))
            sizes.append(path.stat().st_size)
    recorder.close()
    whole = path.read_bytes()
    seen_before = 0
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        found: list[Path] = []
        read = [r.frame for r in read_frames(tmp_path, damaged=partial(note, found))]
        assert read == frames[: len(read)]
        assert len(read) >= max(10 * sum(size >= s for s in sizes), seen_before)
        assert found == [path]
        seen_before = len(read)
    path.write_bytes(whole)
    assert len(list(read_frames(tmp_path, damaged=pytest.fail))) == 60


def test_damage_in_the_middle_costs_what_follows_in_that_file_only(tmp_path: Path) -> None:
    recorder = FrameRecorder(tmp_path, file_bytes=10_000, flush_s=60.0)
    for i in range(2000):
        recorder.record("s", i, b"%d " % i + os.urandom(20).hex().encode())
        if i % 500 == 499:
            recorder._wake.set()
            wait_for(lambda: not recorder._lines)
    recorder.close()
    files = sorted(tmp_path.iterdir())
    assert len(files) > 2
    whole = files[0].read_bytes()
    files[0].write_bytes(whole[: len(whole) // 2] + b"\xff" * 50 + whole[len(whole) // 2 + 50 :])
    found: list[str] = []
    read = [r.received_ns for r in read_frames(tmp_path, damaged=lambda path, what: found.append(path.name))]
    assert found == [files[0].name]
    lost = sorted(set(range(2000)) - set(read))
    assert lost == list(range(lost[0], 500))
    assert lost[0] > 0


def test_killed_at_once_nothing_older_than_a_flush_is_lost(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom drainwatch.tape import FrameRecorder\n"
        "recorder = FrameRecorder(Path(sys.argv[1]), flush_s=0.05)\nrecorder.opened('s', 1)\n"
        "recorder.wanted('s', 1, ['A/B'])\ni = 0\n"
        "while True:\n    i += 1\n    recorder.record('s', i, b'frame %d' % i)\n    time.sleep(0.001)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    wait_for(lambda: any(tmp_path.iterdir()) and len(list(read_frames(tmp_path))) > 200, 20.0)
    before = len(list(read_frames(tmp_path)))
    process.send_signal(signal.SIGKILL)
    process.wait()
    recorder = FrameRecorder(tmp_path)
    recorder.opened("s", 10_000_000)
    recorder.record("s", 10_000_001, FILL)
    recorder.close()
    read = list(read_frames(tmp_path))
    kinds = [r.event for r in read]
    assert len(read) - 3 >= before
    # The new process knows nothing of the old one's connection: it ended, and that is said.
    assert kinds[:3] == [OPENED, WANTED, FRAME]
    assert kinds[-3:] == [CLOSED, OPENED, FRAME]
    assert read[-3].frame == b"the recording broke off"
    assert [r.frame for r in read[2:-3]] == [b"frame %d" % i for i in range(1, len(read) - 4)]


def fill_files(recorder: FrameRecorder, n: int) -> None:
    for i in range(n):
        recorder.record("s", i, os.urandom(500).hex().encode())
        if i % 20 == 19:
            recorder._wake.set()
            wait_for(lambda: not recorder._lines)


def test_the_oldest_files_go_and_the_others_can_still_be_played(tmp_path: Path) -> None:
    recorder = FrameRecorder(tmp_path, file_bytes=20_000, total_bytes=100_000)
    recorder.opened("s", 0)
    recorder.wanted("s", 0, ["B/C", "A/B"])
    fill_files(recorder, 1000)
    recorder.close()
    files = sorted(tmp_path.iterdir())
    assert recorder.deleted > 10
    assert sum(path.stat().st_size for path in files) < 130_000
    with gzip.open(files[-1]) as file:
        head = msgspec.json.decode(file.readline())
    assert head["connected"] == {"s": ["A/B", "B/C"]}
    assert head["deleted"]
    read = list(read_frames(tmp_path))
    first = read[2].received_ns
    assert read[:2] == [
        Recorded("s", first, OPENED, b""),
        Recorded("s", first, WANTED, b'["A/B","B/C"]'),
    ]
    assert [r.received_ns for r in read[2:]] == list(range(first, 1000))
    assert {r.event for r in read[2:]} == {FRAME}


def test_a_full_disk_is_told_of_and_recording_goes_on_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = FrameRecorder(tmp_path, flush_s=0.01)
    recorder.record("s", 1, b"before")
    wait_for(lambda: len(list(read_frames(tmp_path))) == 1)

    def full(_file: tape._File, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(tape._File, "_put", full)
        recorder.record("s", 2, b"meanwhile")
        wait_for(lambda: recorder.problem is not None)
        assert recorder.problem == "frames can't be recorded: No space left on device"
        wait_for(lambda: recorder.lost == 1)
    recorder.record("s", 3, b"after")
    recorder.close()
    assert recorder.problem is None
    assert [(r.event, r.frame) for r in read_frames(tmp_path)] == [
        (FRAME, b"before"),
        (LOST, b"1"),
        (FRAME, b"after"),
    ]


def test_a_slow_disk_costs_frames_never_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put = tape._File._put

    def slow(file: tape._File, data: bytes) -> None:
        time.sleep(0.3)
        put(file, data)

    recorder = FrameRecorder(tmp_path, flush_s=0.01, waiting_bytes=10_000)
    monkeypatch.setattr(tape._File, "_put", slow)
    for i in range(1000):
        recorder.record("s", i, b"x" * 100)
    assert recorder._n_bytes <= 10_000
    wait_for(lambda: not recorder._lines)
    recorder.record("s", 1000, b"after")
    recorder.close()
    read = list(read_frames(tmp_path))
    frames = [r for r in read if r.event == FRAME]
    assert recorder.lost > 800
    assert len(frames) + recorder.lost == 1001
    assert sum(int(r.frame) for r in read if r.event == LOST) == recorder.lost


def test_what_cannot_be_used_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="has none"):
        list(read_frames(tmp_path / "nowhere"))
    with pytest.raises(StateError, match="has none"):
        list(read_frames(tmp_path))
    file = tmp_path / "a file"
    file.write_text("")
    with pytest.raises(StateError, match="writable"):
        FrameRecorder(file / "below")
    later = tmp_path / "frames-000001-20260101T000000Z.jsonl.gz"
    later.write_bytes(gzip.compress(b'{"version":99,"connected":{},"deleted":[]}\n'))
    with pytest.raises(StateError, match="version 99"):
        list(read_frames(tmp_path))


@given(junk=st.binary(max_size=300), packed=st.booleans(), headed=st.booleans())
def test_a_broken_file_is_told_of_and_never_stops_the_others(
    junk: bytes, packed: bool, headed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("tape")
    head = b'{"version":1,"connected":{},"deleted":[]}\n' if headed else b""
    data = head + junk + b"\n"
    (folder / "frames-000001-20260101T000000Z.jsonl.gz").write_bytes(gzip.compress(data) if packed else data)
    recorder = FrameRecorder(folder)
    recorder.record("s", 1, FILL)
    recorder.close()
    found: list[Path] = []
    read = list(read_frames(folder, damaged=lambda path, _: found.append(path)))
    assert read[-1] == Recorded("s", 1, FRAME, FILL)
    assert len(found) == 1


def test_recording_costs_the_loop_little(tmp_path: Path) -> None:
    recorder = FrameRecorder(tmp_path)
    frame = FILL * 8
    started = time.thread_time()
    for i in range(20_000):
        recorder.record("s", i, frame)
    spent = time.thread_time() - started
    recorder.close()
    assert len(list(read_frames(tmp_path))) + recorder.lost == 20_000
    assert spent / 20_000 < 50e-6  # a few microseconds, if nothing else runs
