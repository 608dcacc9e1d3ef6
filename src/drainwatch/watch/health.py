"""How the watch is, for machines: `/health` for whoever starts it anew, `/metrics` for Prometheus.

On loopback, from a plain `Status` that is made when it is asked for. Names are those of the settings;
no keys, no ids of orders or fills.
"""

from __future__ import annotations

import ipaddress
import os
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec
from msgspec import Struct, field

from drainwatch.errors import ConfigError
from drainwatch.events import NS_PER_S
from drainwatch.sockets.door import Token, check_host

if TYPE_CHECKING:
    from aiohttp import web
    from prometheus_client.core import Metric
    from prometheus_client.registry import CollectorRegistry

_Handler = Callable[["web.Request"], Awaitable["web.Response"]]

BOUNDS_S: Final = (2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1.0, 5.0)
"""Upper bounds of the latencies that are told apart, s."""


class Latency:
    """How long something took, as counts by size."""

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        """By `BOUNDS_S`; the last is beyond all."""
        self.total_s = 0.0

    def add(self, seconds: float, times: int = 1) -> None:
        """Take a duration down, as often as it was."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += times
        self.total_s += seconds * times

    def cumulative(self) -> list[tuple[str, float]]:
        """Count what took at most so long, as Prometheus wants it."""
        total, out = 0, []
        for bound, count in zip((*map(repr, BOUNDS_S), "+Inf"), self.counts, strict=True):
            total += count
            out.append((bound, float(total)))
        return out


class StreamStatus(Struct, kw_only=True):
    """One stream. Times are ns since the epoch."""

    name: str
    """`binance private`."""
    account: str = ""
    """As the settings call it."""
    connected: bool = False
    last_frame_ns: int | None = None
    """When it last said anything; None: never."""
    deaf: str | None = None
    """Why nothing may be heard on it; None: all is well."""
    rows: int = 0
    bad: int = 0
    reconnects: int = 0


class ResponseStatus(Struct, kw_only=True):
    """One response hook, since the start of the watch."""

    name: str
    kind: str
    dry_run: bool
    last: str = ""
    """How it ended the last time; empty: it hasn't run."""
    last_ns: int | None = None
    text: str = ""
    """What came of it then."""
    counts: dict[str, int] = field(default_factory=dict)
    """How often it ended how."""


class Status(Struct, kw_only=True):
    """The watch as a whole. Counts are since its start."""

    now_ns: int
    started_ns: int
    version: str = ""
    streams: list[StreamStatus] = field(default_factory=list)
    fills: int = 0
    blind: int = 0
    """Fills that couldn't be judged."""
    rows: int = 0
    """All rows taken, fills as well."""
    flagged: int = 0
    notices: dict[str, int] = field(default_factory=dict)
    """By kind."""
    incidents: dict[str, int] = field(default_factory=dict)
    """Opened, by severity."""
    open_incidents: int = 0
    backlog: int = 0
    """Rows heard and not judged yet, beside those held back on purpose."""
    stalled: str | None = None
    """Why events wait longer than they may."""
    store: str | None = None
    """Why the store doesn't take rows; None: it does."""
    outbox_waiting: int = 0
    outbox_failed: int = 0
    """Alerts given up on."""
    responses: list[ResponseStatus] = field(default_factory=list)
    judging: Latency = field(default_factory=Latency)
    """From a fill's arrival to its verdict."""
    journal: Latency = field(default_factory=Latency)
    """Of each write to the journal."""

    def reasons(self) -> list[str]:
        """Say why the watch may be deaf; none if it isn't."""
        found = [
            f"{stream.name}{f' of {stream.account}' if stream.account else ''}: {stream.deaf}"
            for stream in self.streams
            if stream.deaf is not None
        ]
        found += [f"store: {self.store}"] if self.store is not None else []
        found += [self.stalled] if self.stalled is not None else []
        return found


def health(status: Status) -> dict[str, Any]:
    """Put a status into words for `/health`; times are ms, ages s."""
    reasons = status.reasons()
    return {
        "ok": not reasons,
        "reasons": reasons,
        "version": status.version,
        "since": status.started_ns // 1_000_000,
        "uptime_s": _age_s(status.now_ns, status.started_ns),
        "store_ok": status.store is None,
        "backlog": status.backlog,
        "open_incidents": status.open_incidents,
        "streams": [
            {
                "name": stream.name,
                "account": stream.account,
                "connected": stream.connected,
                "last_frame_s": _age_s(status.now_ns, stream.last_frame_ns),
                "deaf": stream.deaf,
            }
            for stream in status.streams
        ],
        "responses": [
            {
                "name": response.name,
                "kind": response.kind,
                "dry_run": response.dry_run,
                "last": response.last or None,
                "last_s": _age_s(status.now_ns, response.last_ns),
                "text": response.text,
            }
            for response in status.responses
        ],
    }


def _age_s(now_ns: int, then_ns: int | None) -> float | None:
    return None if then_ns is None else max(0.0, round((now_ns - then_ns) / NS_PER_S, 3))


def metrics(status: Status) -> Iterable[Metric]:
    """Put a status into Prometheus' terms."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    def gauge(name: str, text: str, value: float) -> Metric:
        return GaugeMetricFamily(f"drainwatch_{name}", text, value=value)

    def counter(name: str, text: str, value: float) -> Metric:
        return CounterMetricFamily(f"drainwatch_{name}", text, value=value)

    def by_stream(family: Any, text: str, name: str, of: Callable[[StreamStatus], float | None]) -> Metric:
        metric: Metric = family(f"drainwatch_stream_{name}", text, labels=("stream", "account"))
        for stream in status.streams:
            value = of(stream)
            if value is not None:
                metric.add_metric((stream.name, stream.account), value)  # type: ignore[attr-defined]
        return metric

    def by_word(name: str, text: str, label: str, counts: dict[str, int]) -> Metric:
        metric = CounterMetricFamily(f"drainwatch_{name}", text, labels=(label,))
        for word, count in sorted(counts.items()):
            metric.add_metric((word,), count)
        return metric

    def histogram(name: str, text: str, latency: Latency) -> Metric:
        metric = HistogramMetricFamily(f"drainwatch_{name}_seconds", text)
        metric.add_metric((), buckets=latency.cumulative(), sum_value=latency.total_s)
        return metric

    yield gauge("ok", "1 while the watch hears and judges, 0 while it may be deaf.", not status.reasons())
    yield gauge("start_time_seconds", "When the watch started.", status.started_ns / NS_PER_S)
    yield counter("fills", "Fills of the accounts.", status.fills)
    yield counter("blind_fills", "Fills that couldn't be judged.", status.blind)
    yield counter("flagged_fills", "Fills that were flagged.", status.flagged)
    yield counter("rows", "Rows of all kinds.", status.rows)
    yield by_word("notices", "What the watch had to say of itself.", "kind", status.notices)
    yield by_word("incidents", "Incidents opened.", "severity", status.incidents)
    yield gauge("open_incidents", "Incidents open now.", status.open_incidents)
    yield gauge("backlog_rows", "Rows heard and not judged yet.", status.backlog)
    yield gauge("store_ok", "1 while the store takes rows.", status.store is None)
    yield gauge("outbox_waiting", "Alerts not delivered yet.", status.outbox_waiting)
    yield counter("outbox_failed", "Alerts given up on.", status.outbox_failed)
    responses = CounterMetricFamily(
        "drainwatch_responses", "Responses to incidents that have ended.", labels=("name", "state")
    )
    for response in status.responses:
        for state, count in sorted(response.counts.items()):
            responses.add_metric((response.name, state), count)
    yield responses
    gauges, counters = GaugeMetricFamily, CounterMetricFamily
    yield by_stream(gauges, "1 while it is connected.", "connected", lambda s: s.connected)
    yield by_stream(gauges, "1 while it may be deaf.", "deaf", lambda s: s.deaf is not None)
    yield by_stream(
        gauges,
        "Since it last said anything.",
        "silence_seconds",
        lambda s: _age_s(status.now_ns, s.last_frame_ns),
    )
    yield by_stream(counters, "Rows it gave.", "rows", lambda s: s.rows)
    yield by_stream(counters, "Messages that weren't understood.", "bad_messages", lambda s: s.bad)
    yield by_stream(counters, "How often it was connected anew.", "reconnects", lambda s: s.reconnects)
    yield histogram("judging", "From a fill's arrival to its verdict.", status.judging)
    yield histogram("journal", "Writes to the journal.", status.journal)


class _Collector:
    """Makes the metrics when they are asked for."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        return metrics(self._status())


def registry(status: Callable[[], Status]) -> CollectorRegistry:
    """Make a registry of this watch alone: two of them may live in one process."""
    from prometheus_client.registry import CollectorRegistry

    own = CollectorRegistry(auto_describe=False)
    own.register(_Collector(status))
    return own


class HealthServer:
    """Serves both. Use it in `async with`, or call `start` and `close`.

    Parameters
    ----------
    status
        Gives the watch's status now.
    host, port, anywhere
        Where to listen; port 0 takes a free one; other than loopback only with `anywhere`.
    token
        What clients must show, as `Authorization: Bearer`; None: nothing.
    """

    def __init__(
        self,
        status: Callable[[], Status],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        anywhere: bool = False,
        token: Token | None = None,
    ) -> None:
        self._status, self._registry = status, registry(status)
        self._host, self._port, self._anywhere, self._token = host, port, anywhere, token
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen.

        Raises
        ------
        ConfigError
            If it can't listen there, or may not.
        """
        from aiohttp import web

        check_host(self._host, anywhere=self._anywhere)
        app = web.Application()
        app.router.add_get("/health", self._guarded(self._health))
        app.router.add_get("/metrics", self._guarded(self._metrics))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            why = os.strerror(error.errno or 0)
            raise ConfigError(
                f"can't listen on {self._host}:{self._port}: {why}; take another port"
            ) from error
        self._runner = runner

    @property
    def port(self) -> int:
        """The port that it listens on, once started."""
        return self._port if self._runner is None else int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _guarded(self, handler: _Handler) -> _Handler:
        """Make a handler that answers only those who may ask."""
        from aiohttp import web

        async def guard(request: web.Request) -> web.Response:
            if not self._anywhere and not _is_here(request.host):
                # a web page can point a name of its own at this machine, and read what answers
                return web.Response(status=403, text="expected this machine's address as the host\n")
            scheme, _, word = request.headers.get("Authorization", "").partition(" ")
            if self._token is not None and not (scheme == "Bearer" and self._token.is_(word)):
                return web.Response(status=401, text="expected Authorization: Bearer with the token\n")
            return await handler(request)

        return guard

    async def _health(self, request: web.Request) -> web.Response:
        from aiohttp import web

        del request
        told = health(self._status())
        body = msgspec.json.format(msgspec.json.encode(told)) + b"\n"
        return web.Response(status=200 if told["ok"] else 503, body=body, content_type="application/json")

    async def _metrics(self, request: web.Request) -> web.Response:
        from aiohttp import web
        from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

        del request
        return web.Response(
            body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )


def _is_here(host: str) -> bool:
    """Say whether a `Host` header names this machine by an address that no DNS server decides on."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.strip("[]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
