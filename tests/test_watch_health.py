"""Machines learn whether the watch hears, and its figures, and nothing that is nobody's business."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from drainwatch.errors import ConfigError
from drainwatch.sockets.door import Token
from drainwatch.watch.health import (
    BOUNDS_S,
    HealthServer,
    Latency,
    ResponseStatus,
    Status,
    StreamStatus,
    health,
)

NOW = 1_700_000_100_000_000_000
TOKEN = Token("correct-horse-battery-staple")
ODD = 'odd "name"\n\\'


def status() -> Status:
    """A watch in full swing."""
    judging = Latency()
    judging.add(0.0001, 3)
    judging.add(7.0)
    return Status(
        now_ns=NOW,
        started_ns=NOW - 100_000_000_000,
        version="1.2.3",
        streams=[
            StreamStatus(
                name="binance private",
                account="main",
                connected=True,
                last_frame_ns=NOW - 2_500_000_000,
                rows=40,
                bad=2,
                reconnects=3,
            ),
            StreamStatus(name=ODD),
        ],
        fills=30,
        blind=1,
        flagged=2,
        rows=41,
        notices={"gap": 2},
        incidents={"critical": 1, "warning": 4},
        open_incidents=1,
        backlog=5,
        outbox_waiting=6,
        responses=[
            ResponseStatus(
                name="stop",
                kind="freqtrade",
                dry_run=False,
                last="done",
                last_ns=NOW - 1_000_000_000,
                text="freqtrade has stopped",
                counts={"done": 1, "failed": 2},
            ),
            ResponseStatus(name=ODD, kind="command", dry_run=True),
        ],
        outbox_failed=7,
        judging=judging,
    )


async def get(
    now: Status, path: str, headers: dict[str, str] | None = None, **options: Any
) -> tuple[int, str, str]:
    """Ask a server; gives status, content type and text."""
    async with (
        HealthServer(lambda: now, **options) as server,
        ClientSession() as session,
        session.get(f"http://127.0.0.1:{server.port}{path}", headers=headers) as answer,
    ):
        return answer.status, answer.headers.get("Content-Type", ""), await answer.text()


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_watch_that_hears_is_healthy() -> None:
    code, kind, text = asyncio.run(get(status(), "/health"))
    told = json.loads(text)
    assert (code, kind) == (200, "application/json")
    assert told == {
        "ok": True,
        "reasons": [],
        "version": "1.2.3",
        "since": 1_700_000_000_000,
        "uptime_s": 100.0,
        "store_ok": True,
        "backlog": 5,
        "open_incidents": 1,
        "streams": [
            {
                "name": "binance private",
                "account": "main",
                "connected": True,
                "last_frame_s": 2.5,
                "deaf": None,
            },
            {"name": ODD, "account": "", "connected": False, "last_frame_s": None, "deaf": None},
        ],
        "responses": [
            {
                "name": "stop",
                "kind": "freqtrade",
                "dry_run": False,
                "last": "done",
                "last_s": 1.0,
                "text": "freqtrade has stopped",
            },
            {"name": ODD, "kind": "command", "dry_run": True, "last": None, "last_s": None, "text": ""},
        ],
    }


def test_watch_that_may_be_deaf_says_503_and_why() -> None:
    now = status()
    now.streams[0].deaf = "silent for 10 minutes"
    now.streams[1].deaf = "closed"
    now.store, now.stalled = "the disk is full", "events wait for 5 s"
    code, _, text = asyncio.run(get(now, "/health"))
    told = json.loads(text)
    assert (code, told["ok"], told["store_ok"]) == (503, False, False)
    assert told["reasons"] == [
        "binance private of main: silent for 10 minutes",
        f"{ODD}: closed",
        "store: the disk is full",
        "events wait for 5 s",
    ]


@pytest.mark.parametrize("change", [{"store": "x"}, {"stalled": "x"}])
def test_each_reason_alone_is_enough(change: dict[str, str]) -> None:
    now = status()
    for name, value in change.items():
        setattr(now, name, value)
    assert not health(now)["ok"]


def test_clock_that_went_back_makes_no_age_below_zero() -> None:
    now = status()
    now.streams[0].last_frame_ns = NOW + 1
    assert health(now)["streams"][0]["last_frame_s"] == 0.0


def test_prometheus_reads_every_figure() -> None:
    code, kind, text = asyncio.run(get(status(), "/metrics"))
    assert code == 200
    assert kind.startswith("text/plain")
    got = samples(text)
    own, odd = (("account", "main"), ("stream", "binance private")), (("account", ""), ("stream", ODD))
    assert got["drainwatch_ok", ()] == 1
    assert got["drainwatch_fills_total", ()] == 30
    assert got["drainwatch_blind_fills_total", ()] == 1
    assert got["drainwatch_flagged_fills_total", ()] == 2
    assert got["drainwatch_rows_total", ()] == 41
    assert got["drainwatch_notices_total", (("kind", "gap"),)] == 2
    assert got["drainwatch_incidents_total", (("severity", "warning"),)] == 4
    assert got["drainwatch_responses_total", (("name", "stop"), ("state", "failed"))] == 2
    assert got["drainwatch_open_incidents", ()] == 1
    assert got["drainwatch_backlog_rows", ()] == 5
    assert got["drainwatch_store_ok", ()] == 1
    assert got["drainwatch_outbox_waiting", ()] == 6
    assert got["drainwatch_outbox_failed_total", ()] == 7
    assert got["drainwatch_start_time_seconds", ()] == 1_700_000_000
    assert got["drainwatch_stream_connected", own] == 1
    assert got["drainwatch_stream_connected", odd] == 0
    assert got["drainwatch_stream_deaf", own] == 0
    assert got["drainwatch_stream_silence_seconds", own] == 2.5
    assert ("drainwatch_stream_silence_seconds", odd) not in got
    assert got["drainwatch_stream_rows_total", own] == 40
    assert got["drainwatch_stream_bad_messages_total", own] == 2
    assert got["drainwatch_stream_reconnects_total", own] == 3
    assert got["drainwatch_judging_seconds_bucket", (("le", "5e-05"),)] == 0
    assert got["drainwatch_judging_seconds_bucket", (("le", "0.0001"),)] == 3
    assert got["drainwatch_judging_seconds_bucket", (("le", "+Inf"),)] == 4
    assert got["drainwatch_judging_seconds_count", ()] == 4
    assert got["drainwatch_judging_seconds_sum", ()] == pytest.approx(7.0003)
    assert got["drainwatch_journal_seconds_count", ()] == 0


def test_deaf_watch_shows_in_the_metrics() -> None:
    now = status()
    now.streams[0].deaf = "closed"
    got = samples(asyncio.run(get(now, "/metrics"))[2])
    assert got["drainwatch_ok", ()] == 0
    assert got["drainwatch_stream_deaf", (("account", "main"), ("stream", "binance private"))] == 1


def test_two_watches_in_one_process_do_not_meet() -> None:
    one, other = status(), status()
    other.fills = 99

    async def run() -> list[str]:
        texts = []
        async with (
            HealthServer(lambda: one) as first,
            HealthServer(lambda: other) as second,
            ClientSession() as session,
        ):
            for server in (first, second):
                async with session.get(f"http://127.0.0.1:{server.port}/metrics") as answer:
                    texts.append(await answer.text())
        return texts

    texts = asyncio.run(run())
    assert [samples(text)["drainwatch_fills_total", ()] for text in texts] == [30, 99]
    assert not any(family.name.startswith("drainwatch") for family in REGISTRY.collect())


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("127.0.0.1:80", 200),
        ("localhost", 200),
        ("[::1]:5", 200),
        ("evil.example.org", 403),
        ("127.0.0.1.example.org:80", 403),
        ("10.0.0.1", 403),
        ("", 403),
    ],
)
def test_only_names_of_this_machine_are_answered(host: str, code: int) -> None:
    """A web page can point its own name at 127.0.0.1, and read what is there."""
    assert asyncio.run(get(status(), "/health", {"Host": host}))[0] == code


@pytest.mark.parametrize(
    ("said", "code"), [(f"Bearer {TOKEN.text}", 200), ("Bearer wrong", 401), ("", 401), ("Basic eA==", 401)]
)
def test_token_is_asked_for_where_one_is_set(said: str, code: int) -> None:
    got, _, text = asyncio.run(get(status(), "/metrics", {"Authorization": said}, token=TOKEN))
    assert got == code
    assert TOKEN.text not in text


def test_other_paths_and_methods_are_refused() -> None:
    async def run() -> tuple[int, int]:
        async with HealthServer(status) as server, ClientSession() as session:
            url = f"http://127.0.0.1:{server.port}"
            async with session.get(url + "/") as missing, session.post(url + "/health") as post:
                return missing.status, post.status

    assert asyncio.run(run()) == (404, 405)


def test_other_hosts_are_refused_unless_asked_for() -> None:
    with pytest.raises(ConfigError, match="loopback"):
        asyncio.run(HealthServer(status, host="0.0.0.0").start())  # noqa: S104


def test_port_in_use_is_told_with_its_number() -> None:
    async def run() -> None:
        async with HealthServer(status) as first:
            with pytest.raises(ConfigError, match=f"127.0.0.1:{first.port}: Address already in use"):
                await HealthServer(status, port=first.port).start()

    asyncio.run(run())


@given(st.lists(st.floats(0, 10), max_size=50))
def test_latencies_are_counted_by_size(durations: list[float]) -> None:
    latency = Latency()
    for duration in durations:
        latency.add(duration)
    got = latency.cumulative()
    assert [float(bound) for bound, _ in got] == [*BOUNDS_S, float("inf")]
    for bound, count in got:
        assert count == sum(duration <= float(bound) for duration in durations)
    assert latency.total_s == pytest.approx(sum(durations))
