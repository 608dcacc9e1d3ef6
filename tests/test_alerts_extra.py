"""Services by way of apprise itself, against real servers on this machine."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from alert_fakes import NOW_NS, later, opened
from drainwatch.alerts import extra
from drainwatch.alerts.answer import Answer, Outcome
from drainwatch.alerts.channel import Channel
from drainwatch.errors import ConfigError


@contextmanager
def serving(status: int = 200, until: threading.Event | None = None) -> Iterator[tuple[str, list[Any]]]:
    """Serve one status; gives the address, and what came."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if until is not None:
                until.wait(60)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Give all that reaches the log of the process: pytest's own listens where nobody else does."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.setLevel(before)
    root.removeHandler(handler)


def sent(url: str, name: str = "a") -> Answer:
    channel = Channel(name=name, kind="apprise", url=url)
    return asyncio.run(extra.send(channel, opened(), NOW_NS))


def test_a_message_arrives_at_ntfy() -> None:
    with serving() as (host, got):
        assert sent(f"ntfy://{host}/hunter2") == Answer(Outcome.ARRIVED, "")
    assert got[0]["topic"] == "hunter2"
    assert "3.36 ETH gone" in got[0]["title"]
    assert "https://www.binance.com/en/my/settings/api-management" in got[0]["message"]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (401, Outcome.NEVER),
        (403, Outcome.NEVER),
        (404, Outcome.NEVER),
        (429, Outcome.LATER),
        (500, Outcome.LATER),
        (503, Outcome.LATER),
    ],
)
def test_a_status_that_apprise_tells_is_read(status: int, outcome: Outcome, logged: io.StringIO) -> None:
    with serving(status) as (host, _):
        answer = sent(f"json://me:hunter2@{host}/hunter2")
    assert answer.outcome is outcome
    assert str(status) in answer.reason
    assert "hunter2" not in answer.reason + logged.getvalue(), "its log has whole URLs in it"


def test_what_apprise_does_not_tell_is_tried_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        answer = sent(f"json://127.0.0.1:{taken.getsockname()[1]}/hunter2")
    assert answer == Answer(Outcome.LATER, "apprise couldn't send it, and doesn't say why")


def test_redirects_are_not_followed() -> None:
    with serving(302) as (host, got):
        assert sent(f"json://{host}/x").outcome is Outcome.NEVER
    assert len(got) == 1


def test_a_try_that_hangs_holds_up_nothing_and_is_not_joined_by_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A mail server that never answers must neither stop the watch nor gather threads."""
    release = threading.Event()
    monkeypatch.setattr(extra, "TIMEOUT_S", 0.05)
    monkeypatch.setattr(extra, "_tell", lambda *_: release.wait(60))
    try:
        assert "no answer within" in sent("ntfy://127.0.0.1/x", "slow").reason
        assert "hasn't ended yet" in sent("ntfy://127.0.0.1/x", "slow").reason
        assert "no answer within" in sent("ntfy://127.0.0.1/x", "other").reason
    finally:
        release.set()
    for thread in threading.enumerate():
        if thread.name.startswith("apprise "):
            thread.join(20)


def test_a_service_that_breaks_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> None:
        raise RuntimeError("https://x/hunter2")

    monkeypatch.setattr(extra, "_service", broken)
    assert sent("ntfy://127.0.0.1/x") == Answer(Outcome.LATER, "apprise failed (RuntimeError)")


@pytest.mark.parametrize("url", ["nonsense://hunter2", "https://example.com/hunter2", "mailto://"])
def test_a_url_that_apprise_does_not_know_is_refused_and_not_shown(url: str, logged: io.StringIO) -> None:
    channel = Channel(name="a", kind="apprise", url=url)
    with pytest.raises(ConfigError, match="expected a URL of channel a as apprise has them") as caught:
        extra.check(channel)
    assert "hunter2" not in str(caught.value) + logged.getvalue()
    assert sent(url).outcome is Outcome.NEVER


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'drainwatch\[apprise\]'"):
        extra.check(Channel(name="a", kind="apprise", url="ntfy://x/y"))


def test_what_follows_is_sent_in_short() -> None:
    with serving() as (host, got):
        channel = Channel(name="a", kind="apprise", url=f"ntfy://{host}/t")
        asyncio.run(extra.send(channel, later("reminder"), NOW_NS))
    assert len(got[0]["message"].splitlines()) == 3
