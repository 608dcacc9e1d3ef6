"""systemd hears what sd_notify(3) says it should, over a real socket."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from drainwatch.watch.systemd import LONGEST_STATUS, ServiceManager, watchdog_interval_s
from socket_fakes import Clock, settle


class Systemd:
    """The other end."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)
        self.environ = {"NOTIFY_SOCKET": address}

    def heard(self) -> list[str]:
        got = []
        while True:
            try:
                got.append(self._socket.recv(10_000).decode())
            except BlockingIOError:
                return got

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@drainwatch-test-{os.getpid()}"
    other = Systemd(name)
    yield other
    other.close()


def test_life_of_a_service_is_told(systemd: Systemd) -> None:
    manager = ServiceManager(systemd.environ)
    assert manager.listens
    assert manager.ready("2 accounts")
    assert manager.status("40 fills")
    assert manager.alive()
    assert manager.stopping()
    assert systemd.heard() == ["READY=1\nSTATUS=2 accounts", "STATUS=40 fills", "WATCHDOG=1", "STOPPING=1"]


def test_status_is_one_line_whatever_is_in_it(systemd: Systemd) -> None:
    """A market's name that holds a line break could stop the service."""
    manager = ServiceManager(systemd.environ)
    assert manager.status("a\nSTOPPING=1\r\n\x85\u2028b \udc80")
    assert manager.status("x" * 9000)
    first, second = systemd.heard()
    assert first == "STATUS=a STOPPING=1 b \\udc80"
    assert second == "STATUS=" + "x" * LONGEST_STATUS


def test_empty_status_is_not_told(systemd: Systemd) -> None:
    assert not ServiceManager(systemd.environ).status(" \n")
    assert systemd.heard() == []


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "relative"}])
def test_without_systemd_nothing_is_told(environ: dict[str, str]) -> None:
    manager = ServiceManager(environ)
    assert not manager.listens
    assert not manager.ready()
    asyncio.run(manager.keep_alive(Clock(), lambda: True))


def test_gone_systemd_is_no_error(tmp_path: Path) -> None:
    assert not ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()


def test_full_queue_does_not_hold_up_the_watch(systemd: Systemd) -> None:
    manager = ServiceManager(systemd.environ)
    told = [manager.status("x" * 400) for _ in range(5000)]
    assert told[0]
    assert not told[-1]


def test_alive_is_told_twice_in_the_time_and_only_while_healthy(systemd: Systemd) -> None:
    clock, healthy = Clock(), True
    manager = ServiceManager(systemd.environ | {"WATCHDOG_USEC": "10000000"})

    async def run() -> None:
        nonlocal healthy
        task = asyncio.create_task(manager.keep_alive(clock, lambda: healthy))
        await settle()
        assert systemd.heard() == ["WATCHDOG=1"]
        await clock.let_pass(4)
        assert systemd.heard() == []
        await clock.let_pass(1)
        assert systemd.heard() == ["WATCHDOG=1"]
        healthy = False
        await clock.let_pass(5)
        assert systemd.heard() == []
        healthy = True
        await clock.let_pass(5)
        assert systemd.heard() == ["WATCHDOG=1"]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
        ({"WATCHDOG_USEC": "9" * 400}, None),
        ({}, None),
    ],
)
def test_interval_is_half_of_what_systemd_waits(environ: dict[str, str], seconds: float | None) -> None:
    assert watchdog_interval_s(environ) == seconds
