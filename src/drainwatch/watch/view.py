"""What a terminal shows of a running watch, as plain data: the watch fills it, `cli.view` draws it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from drainwatch.notices import Notice

MOST_FILLS = 15
MOST_NOTICES = 10


class StreamState(StrEnum):
    """How a stream is."""

    LIVE = "live"
    CONNECTING = "connecting"
    FILLING = "filling in"
    """Connected; what may have been missed is being asked for."""
    SILENT = "silent"
    """Connected, but nothing was heard for longer than is usual."""
    CLOSED = "closed"
    REFUSED = "refused"
    """The venue doesn't take the key."""

    @property
    def is_well(self) -> bool:
        """Whether nothing has to be done about it."""
        return self in {StreamState.LIVE, StreamState.FILLING}


class AccountView(Struct, frozen=True, kw_only=True):
    """An account now. Money is in `currency`; None: not known."""

    name: str
    exchange: str
    equity: float | None = None
    loss_today: float | None = None
    """Lost against fair value since midnight UTC, of all fills; positive is a loss."""
    currency: str = "USDT"
    fills_today: int = 0
    blind_today: int = 0
    """Of them: those that couldn't be judged."""


class StreamView(Struct, frozen=True, kw_only=True):
    """A stream now."""

    name: str
    """`binance private`."""
    state: StreamState
    last_ns: int | None = None
    """When its last message came; None: none yet."""
    per_second: float = 0.0
    """Messages, over the last minute."""
    bad: int = 0
    """Messages that weren't understood, since the start."""


class FillView(Struct, frozen=True, kw_only=True):
    """A fill with what was found of it."""

    ts_ns: int
    account: str
    symbol: str
    side: str
    amount: str
    price: str
    fair: float | None = None
    """Fair price; None: not known."""
    fair_source: str = ""
    deviation_bps: float | None = None
    """Worse than fair, bps; negative: better."""
    score: float | None = None
    """None: blind."""
    flagged: bool = False
    blind: str = ""
    """Why it couldn't be judged."""


class IncidentView(Struct, frozen=True, kw_only=True):
    """An open incident."""

    id: str
    severity: str
    account: str
    exchange: str
    symbols: tuple[str, ...]
    opened_ns: int
    fills: int
    loss: float | None = None
    currency: str = ""
    equity_share: float | None = None
    """Share of the account that is gone, 0 to 1."""
    headline: str = ""
    """What it looks like, in a few words."""


class ViewState(Struct, frozen=True, kw_only=True):
    """All that is shown."""

    now_ns: int
    since_ns: int
    """When the watch started."""
    accounts: tuple[AccountView, ...] = ()
    streams: tuple[StreamView, ...] = ()
    fills: tuple[FillView, ...] = ()
    """The newest first, `MOST_FILLS` at most."""
    incidents: tuple[IncidentView, ...] = ()
    """Those that are open, the worst first."""
    notices: tuple[Notice, ...] = ()
    """The newest first, `MOST_NOTICES` at most."""
    backlog: int = 0
    """Rows that wait to be judged."""
    unsent: int = 0
    """Alerts that no channel has taken yet."""

    @property
    def is_well(self) -> bool:
        """Whether it hears everything and has nothing to tell."""
        return not self.incidents and all(stream.state.is_well for stream in self.streams)


def age(then_ns: int | None, now_ns: int) -> str:
    """Say how long ago something was, in six characters at most: `3.2 s`, `14 min`, `5 h`, `12 d`.

    A clock that was set back makes it `0.0 s`; None is a dash.
    """
    if then_ns is None:
        return "-"
    seconds = max(now_ns - then_ns, 0) / 1e9
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    if seconds < 3_570:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3_600:.0f} h"
    return f"{min(seconds / 86_400, 9_999):.0f} d"
