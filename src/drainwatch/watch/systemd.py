"""Talking to systemd: ready, how it goes, still alive, stopping. Says nothing where there is no systemd.

The protocol is one datagram a message, to a unix socket that `NOTIFY_SOCKET` names (sd_notify(3)).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from typing import Final

from drainwatch.venues.ports import Clock

LONGEST_STATUS: Final = 500


class ServiceManager:
    """What started the watch.

    Parameters
    ----------
    environ
        Where `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` are looked up.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._interval_s = watchdog_interval_s(environ)

    @property
    def listens(self) -> bool:
        """Whether anybody wants to be told."""
        return self._address is not None

    def ready(self, status: str = "") -> bool:
        """Tell that the watch stands; gives whether it was told."""
        return self._tell("READY=1", *_status(status))

    def status(self, text: str) -> bool:
        """Tell how it goes, in one line, for `systemctl status`."""
        return self._tell(*_status(text))

    def alive(self) -> bool:
        """Tell that the watch hasn't hung."""
        return self._tell("WATCHDOG=1")

    def stopping(self, status: str = "") -> bool:
        """Tell that the end has begun."""
        return self._tell("STOPPING=1", *_status(status))

    async def keep_alive(self, clock: Clock, healthy: Callable[[], bool]) -> None:
        """Tell that the watch is alive, twice in the time that systemd waits, while it is healthy.

        Ends at once where systemd doesn't wait for it, else only by being cancelled. A watch that isn't
        healthy says nothing and is started anew; so `healthy` is for what that can mend: a loop or a store
        that hangs, and not an exchange that can't be reached.
        """
        if self._interval_s is None or not self.listens:
            return
        while True:
            if healthy():
                self.alive()
            await clock.sleep(self._interval_s)

    def _tell(self, *lines: str) -> bool:
        if self._address is None or not lines:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)  # a full queue must not hold up the watch
                sock.sendto("\n".join(lines).encode("utf-8", "backslashreplace"), self._address)
        except OSError:
            return False  # a watch that can't reach systemd still watches
        return True


def watchdog_interval_s(environ: Mapping[str, str] = os.environ) -> float | None:
    """Say how often `alive` should be told, s: half of what systemd waits; None where it doesn't."""
    pid = environ.get("WATCHDOG_PID", "")
    if pid and pid != str(os.getpid()):
        return None  # meant for another process
    usec = environ.get("WATCHDOG_USEC", "")
    if not (usec.isascii() and usec.isdigit() and len(usec) < 20) or int(usec) == 0:
        return None
    return int(usec) / 2e6


def _address(name: str) -> str | None:
    """Read the socket's name; `@` stands for the zero byte of Linux's abstract names."""
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else None


def _status(text: str) -> tuple[str, ...]:
    """Make a status line: a line break in it would begin another message."""
    line = " ".join(text.split())[:LONGEST_STATUS]
    return (f"STATUS={line}",) if line else ()
