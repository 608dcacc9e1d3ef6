"""What the streams of Bybit, OKX and Hyperliquid have in common: pings, answers in time, bad frames."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

import msgspec

from drainwatch.notices import Notice, NoticeKind
from drainwatch.rows import Fill, Market
from drainwatch.venues.protocol import BadMessage, Credentials, Reading, StreamProtocol, Symbols
from drainwatch.venues.skew import Skew
from drainwatch.venues.unlisted import Unlisted
from drainwatch.venues.wire import NS_PER_S, SHOWN, as_bytes

ANSWER_NS = 15 * NS_PER_S
"""A login or a subscription that isn't answered within this time is taken for lost."""

LOOK_NS = NS_PER_S
"""How often to look whether a missing market has turned up."""

DEAF_AFTER = 3
"""So many pings without a single frame: the connection is dead, whatever the socket says."""


class Conversation:
    """A `StreamProtocol` but for what is said in it.

    A venue's protocol overrides `_begin`, `_read`, `want`, and where it has things of its own to do
    `_due` and `_due_ns`.

    Parameters
    ----------
    exchange, account, stream, url
        As in rows and notices.
    ping
        The venue's own ping, a text frame.
    every_s
        How often to send it.
    credentials
        Nothing in which a part of them occurs is ever shown.
    skew
        The stream's, kept through its connections so that nothing is said twice; None for a new one.
    """

    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        exchange: str,
        stream: str,
        url: str,
        *,
        ping: str,
        every_s: float,
        account: str = "",
        credentials: Credentials | None = None,
        skew: Skew | None = None,
    ) -> None:
        self.exchange = exchange
        self.account = account
        self.stream = stream
        self.url = url
        self.next_tick_ns: int | None = None
        self._ping = ping
        self._every_ns = int(every_s * NS_PER_S)
        self._ping_ns = 0
        self._heard_ns = 0
        self._answer_by_ns: int | None = None
        self._is_open = False
        self._stands = False
        self._skew = Skew(exchange, stream, account) if skew is None else skew
        self._unlisted = Unlisted()
        self._look_ns = 0
        self._told: set[str] = set()
        parts = (credentials.key, credentials.secret, credentials.passphrase) if credentials else ()
        self._secrets = tuple(part for part in parts if part)

    # --- StreamProtocol ----------------------------------------------------------------------------

    def opened(self, now_ns: int) -> Reading:
        """Give what to send first."""
        reading = Reading()
        self._is_open = True
        self._heard_ns = now_ns
        self._ping_ns = now_ns + self._every_ns
        self._begin(reading, now_ns)
        self._plan()
        return reading

    def take(self, frame: bytes | str, now_ns: int) -> Reading:
        """Read a frame. Never raises for what is in it."""
        self._heard_ns = now_ns
        reading = Reading()
        raw = as_bytes(frame)
        try:
            self._read(raw, reading, now_ns)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            self._bad(reading, _reason(error), raw)
        if self._unlisted:
            self._look(reading, now_ns)
        self._plan()
        return reading

    def tick(self, now_ns: int) -> Reading:
        """Send a ping when it is due, and end a connection that doesn't answer."""
        reading = Reading()
        if self._unlisted:
            self._look(reading, now_ns)
        self._due(reading, now_ns)
        if self._answer_by_ns is not None and now_ns >= self._answer_by_ns:
            seconds = ANSWER_NS // NS_PER_S
            reading.close = (
                reading.close or f"the venue didn't answer a login or subscription within {seconds} s"
            )
            self._answer_by_ns = None
        if self._is_open and now_ns >= self._ping_ns:
            if now_ns - self._heard_ns >= DEAF_AFTER * self._every_ns:
                seconds = (now_ns - self._heard_ns) // NS_PER_S
                reading.close = reading.close or f"nothing was heard for {seconds} s though pings were sent"
            reading.send.append(self._ping)
            self._ping_ns = now_ns + self._every_ns
        self._plan()
        return reading

    def want(self, symbols: Collection[str], now_ns: int) -> Reading:  # noqa: ARG002
        """Ignore it: a private stream tells of all symbols."""
        return Reading()

    # --- for the venues ----------------------------------------------------------------------------

    def _begin(self, reading: Reading, now_ns: int) -> None:
        """Say what to send at the opening."""

    def _read(self, raw: bytes, reading: Reading, now_ns: int) -> None:
        """Read a frame; may raise msgspec's errors and ValueError."""
        raise NotImplementedError

    def _due(self, reading: Reading, now_ns: int) -> None:
        """Do what else is due."""

    def _due_ns(self) -> int | None:
        """When `_due` is wanted; None: never."""
        return None

    def _plan(self) -> None:
        # Each frame passes here: hence no list.
        due = self._due_ns()
        if self._is_open and (due is None or self._ping_ns < due):
            due = self._ping_ns
        if self._answer_by_ns is not None and (due is None or self._answer_by_ns < due):
            due = self._answer_by_ns
        if self._unlisted and (due is None or self._look_ns < due):
            due = self._look_ns
        self.next_tick_ns = due

    def _expect_answer(self, now_ns: int) -> None:
        """A request was sent that must be answered."""
        if self._answer_by_ns is None:
            self._answer_by_ns = now_ns + ANSWER_NS

    def _confirm(self, reading: Reading) -> None:
        """The first subscription stands."""
        self._answer_by_ns = None
        if not self._stands:
            self._stands = True
            reading.ready = True

    def _give(self, fill: Fill, reading: Reading, now_ns: int) -> None:  # noqa: ARG002
        """Hand on a fill, and the symbol if it is new."""
        reading.rows.append(fill)
        if fill.symbol not in self._told:
            self._told.add(fill.symbol)
            reading.symbols.add(fill.symbol)

    def _keep(
        self,
        name: str,
        symbols: Symbols,
        make: Callable[[Market | None], Fill],
        reading: Reading,
        now_ns: int,
    ) -> None:
        """Keep a fill whose market isn't listed until it is."""
        self._unlisted.keep(name, symbols, make, now_ns)
        self._look_ns = now_ns + LOOK_NS
        reading.unlisted.add(name)

    def _look(self, reading: Reading, now_ns: int) -> None:
        """Hand on the fills whose market has turned up, or that have waited long enough."""
        for fill in self._unlisted.found():
            self._give(fill, reading, now_ns)
        for fill in self._unlisted.given_up(now_ns):
            self._nameless(fill, reading)
        self._look_ns = now_ns + LOOK_NS

    def _nameless(self, fill: Fill, reading: Reading) -> None:
        """Hand on a fill under the venue's own name of the market."""
        reading.rows.append(fill)
        reason = "expected a market of the venue's list; the fill stands under the venue's own name of it"
        self._bad(reading, reason, fill.symbol.encode(errors="replace"))

    def _saw(self, event_ns: int, reading: Reading, now_ns: int) -> None:
        """Compare clocks."""
        notice = self._skew.saw(event_ns, now_ns)
        if notice is not None:
            reading.notices.append(notice)

    def _refused_for_time(self, reading: Reading, now_ns: int) -> None:
        """A login was refused because of its time."""
        notice = self._skew.tell(None, now_ns)
        if notice is not None:
            reading.notices.append(notice)
        reading.close = "the login was refused: its time is too far from the venue's"

    def _bad(self, reading: Reading, reason: str, raw: bytes) -> None:
        """Count a bad message; one that repeats a part of the key is counted but not shown."""
        shown = bytes(raw[:SHOWN])
        if self._hides(raw):
            shown = b"(not shown: a part of the key may be in it)"
        reading.bad.append(BadMessage(self.stream, reason, shown))

    def _hides(self, raw: bytes) -> bool:
        return any(secret.encode() in raw for secret in self._secrets)

    def _quote(self, text: str | None) -> str:
        """Quote what the venue said, unless it holds a part of the key."""
        if not text:
            return "no reason given"
        if self._hides(text.encode(errors="replace")):
            return "its reason may repeat a part of the key and isn't shown"
        return ascii(text[:200])

    def _notice(self, kind: NoticeKind, text: str, now_ns: int) -> Notice:
        return Notice(
            kind=kind,
            ts_ns=now_ns,
            text=text,
            exchange=self.exchange,
            account=self.account,
            stream=self.stream,
        )


def _reason(error: Exception) -> str:
    """What msgspec expected; it names the place, not the value."""
    if isinstance(error, msgspec.DecodeError):
        return f"not as {type(error).__name__.removesuffix('Error').lower()} expects: {error}"
    return f"can't be read: {type(error).__name__}"


class DirectSource:
    """Makes the connections of a stream that needs no REST before it.

    Parameters
    ----------
    stream
        Name in notices and metrics.
    make
        Gives a fresh protocol.
    """

    def __init__(self, stream: str, make: Callable[[], StreamProtocol]) -> None:
        self.stream = stream
        self._make = make

    async def start(self) -> StreamProtocol:
        """Give a fresh protocol."""
        return self._make()

    async def renew(self) -> None:
        """Do nothing: such a session lives as long as its connection."""


def encode(value: object) -> str:
    """JSON of a request."""
    return msgspec.json.encode(value).decode()
