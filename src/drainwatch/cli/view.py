"""The terminal view of a running watch: accounts, streams, last fills, open incidents, notices.

Everything from outside becomes `Text`, never markup, and loses what would steer a terminal. What colour
says is said by a word or a sign as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from drainwatch.notices import Notice
from drainwatch.report import words
from drainwatch.watch.view import (
    AccountView,
    FillView,
    IncidentView,
    StreamState,
    StreamView,
    ViewState,
    age,
)

WIDE = 120
"""From so many columns on, sections stand side by side."""
SMALLEST = (40, 10)
"""Below it, only the first lines are shown."""

_STEPS = (
    ("incidents", 1), ("streams", 2), ("accounts", 1), ("fills", 3), ("notices", 1), ("incidents", 3),
    ("streams", 6), ("accounts", 3), ("notices", 2), ("fills", 9), ("streams", 12), ("incidents", 8),
    ("accounts", 12), ("fills", 15), ("notices", 10), ("streams", 40), ("accounts", 40), ("incidents", 40),
)  # fmt: skip
"""Who gets how many rows, in the order in which the room is given out."""

_Item = TypeVar("_Item")

_STATES = {
    StreamState.LIVE: "green",
    StreamState.FILLING: "cyan",
    StreamState.CONNECTING: "yellow",
    StreamState.SILENT: "yellow",
    StreamState.CLOSED: "bold red",
    StreamState.REFUSED: "bold red",
}


class Viewer:
    """Draws states on a terminal, on a screen of its own that is gone afterwards."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, state: ViewState) -> None:
        """Draw a state in the terminal's present size; call it about once a second."""
        self._live.update(layout(state, *self._console.size), refresh=True)


def layout(state: ViewState, width: int, height: int) -> RenderableType:
    """Arrange a state for a terminal of so many columns and lines; never takes more lines than that."""
    parts: list[RenderableType] = [_header(state)]
    if width < SMALLEST[0] or height < SMALLEST[1]:
        return Group(*parts)
    wide = width >= WIDE
    rooms = _rooms(state, height, wide=wide)
    # what is wrong must not be what is cut off
    streams = sorted(state.streams, key=lambda stream: stream.state.is_well)

    def drawn(name: str, columns: int) -> Group:
        now_ns, room = state.now_ns, rooms[name]
        if name == "accounts":
            return _section("accounts", state.accounts, room, lambda shown: _accounts(shown, columns))
        if name == "streams":
            return _section("streams", streams, room, lambda shown: _streams(shown, now_ns))
        if name == "fills":
            return _section("last fills", state.fills, room, lambda shown: _fills(shown, wide=wide))
        if name == "incidents":
            return _section(
                "open incidents", state.incidents, room, lambda shown: _incidents(shown, now_ns, columns)
            )
        return _section("notices", state.notices, room, _notices)

    def beside(left: str, right: str) -> RenderableType:
        half = (width - 2) // 2
        pair = Table.grid(expand=True, padding=(0, 2, 0, 0), pad_edge=False)
        pair.add_column(width=half)
        pair.add_column(width=width - 2 - half)
        pair.add_row(drawn(left, half), drawn(right, width - 2 - half))
        return pair

    if wide:
        parts += [beside("accounts", "streams"), drawn("fills", width), beside("incidents", "notices")]
    else:
        parts += [drawn(name, width) for name in ("accounts", "streams", "fills", "incidents", "notices")]
    return Group(*parts)


def _rooms(state: ViewState, height: int, *, wide: bool) -> dict[str, int]:
    """Give out the lines: how many rows each section may have."""
    there = {
        "accounts": len(state.accounts),
        "streams": len(state.streams),
        "fills": len(state.fills),
        "incidents": len(state.incidents),
        "notices": len(state.notices),
    }
    beside = {"accounts": "streams", "streams": "accounts", "incidents": "notices", "notices": "incidents"}
    rooms = dict.fromkeys(there, 0)
    titles = 3 if wide else 5
    free = height - 1 - titles - (1 if there["fills"] else 0)  # the fills have names of columns
    for name, most in _STEPS:
        wanted = min(most, there[name])
        taken = max(rooms[beside[name]], rooms[name]) if wide and name in beside else rooms[name]
        # side by side, a row beside one that is there costs nothing
        granted = max(rooms[name], min(wanted, taken + max(free, 0)))
        free -= max(granted - taken, 0)
        rooms[name] = granted
    return rooms


def _section(
    title: str, items: Sequence[_Item], room: int, draw: Callable[[Sequence[_Item]], Table]
) -> Group:
    """Draw a section below its title, which says how many are left out."""
    shown = items[:room]
    count = "none" if not items else f"{len(items)}"
    if 0 < len(items) != len(shown):
        count = f"{len(shown)} of {count}"
    rule = Rule(Text(f"{title}: {count}", style="bold"), align="left", style="dim")
    return Group(rule, *((draw(shown),) if shown else ()))


def _header(state: ViewState) -> Text:
    """Say in a line how all is."""
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append("drainwatch ", "bold")
    line.append(f"{words.clock(state.now_ns / 1e6)} UTC, up {age(state.since_ns, state.now_ns)}  ")
    deaf = [stream for stream in state.streams if not stream.state.is_well]
    if state.incidents:
        line.append(words.plural(len(state.incidents), "open incident").upper(), "bold white on red")
        line.append("  ")
    if deaf:
        line.append(f"NOT HEARING {words.plural(len(deaf), 'stream')}", "bold black on yellow")
        line.append("  ")
    if state.is_well:
        line.append("hearing all, nothing found" if state.streams else "no streams", "green")
        line.append("  ")
    if state.backlog:
        line.append(f"{state.backlog:,} rows wait  ", "yellow")
    if state.unsent:
        line.append(f"{words.plural(state.unsent, 'alert')} unsent", "yellow")
    return line


def _table(*columns: tuple[str, int | None, bool], heads: bool = False) -> Table:
    """Make a table of (name, width, whether to the right); the one without a width takes what is left."""
    table = Table(
        box=None, expand=True, show_header=heads, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim"
    )
    for name, width, right in columns:
        table.add_column(
            name,
            width=width,
            ratio=None if width else 1,
            justify="right" if right else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    return table


def _accounts(accounts: Sequence[AccountView], width: int) -> Table:
    table = _table(("", None, False), ("", 15, True), ("", 22 if width > 75 else 18, True), ("", 17, True))
    for account in accounts:
        loss = account.loss_today
        lost = "loss not known"
        if loss is not None:
            lost = f"{'lost' if loss >= 0 else 'gained'} {words.money(abs(loss), account.currency)}"
        worth = "worth not known" if account.equity is None else words.money(account.equity, account.currency)
        blind = f", {account.blind_today:,} blind" if account.blind_today else ""
        share = loss / account.equity if loss is not None and account.equity else 0.0
        table.add_row(
            _text(f"{account.name} at {account.exchange}", limit=60),
            _text(worth),
            _text(lost, "bold red" if share > 0.02 else ""),
            _text(f"{account.fills_today:,} fills{blind}", "yellow" if account.blind_today else ""),
        )
    return table


def _streams(streams: Sequence[StreamView], now_ns: int) -> Table:
    table = _table(("", None, False), ("", 10, False), ("", 14, True), ("", 12, True), ("", 10, True))
    for stream in streams:
        rate = f"{words.number(stream.per_second, 3)} a s"
        table.add_row(
            _text(stream.name, limit=40),
            _text(stream.state, _STATES[stream.state]),
            _text(f"heard {age(stream.last_ns, now_ns)}" if stream.last_ns is not None else "nothing yet"),
            _text(rate),
            _text(f"{stream.bad:,} bad" if stream.bad else "", "yellow"),
        )
    return table


def _fills(fills: Sequence[FillView], *, wide: bool) -> Table:
    extra: tuple[tuple[str, int | None, bool], ...] = (("account", 14, False),) if wide else ()
    why: tuple[tuple[str, int | None, bool], ...] = (("fair by, or why blind", 30, False),) if wide else ()
    table = _table(
        ("time", 8, False),
        ("", 1, False),
        *extra,
        ("market", None, False),
        ("side", 4, False),
        ("amount", 10, True),
        ("price", 11, True),
        ("fair", 11, True),
        ("off, bps", 9, True),
        ("score", 6, True),
        *why,
        heads=True,
    )
    for fill in fills:
        style = "bold red" if fill.flagged else "yellow" if fill.score is None else ""
        cells = [
            words.clock(fill.ts_ns / 1e6),
            "!" if fill.flagged else "?" if fill.score is None else " ",
            *((fill.account,) if wide else ()),
            fill.symbol,
            fill.side,
            _figure(fill.amount),
            _figure(fill.price),
            "-" if fill.fair is None else words.price(fill.fair),
            _bps(fill.deviation_bps),
            "blind" if fill.score is None else f"{fill.score:.1f}",
            *((fill.blind or fill.fair_source,) if wide else ()),
        ]
        table.add_row(*(_text(cell, style) for cell in cells))
    return table


def _incidents(incidents: Sequence[IncidentView], now_ns: int, width: int) -> Table:
    table = _table(("", 8, False), ("", None, False), ("", 26 if width > 75 else 22, True), ("", 6, True))
    for incident in incidents:
        critical = incident.severity == "critical"
        share = "" if incident.equity_share is None else f", {words.percent(incident.equity_share)}"
        count = words.plural(incident.fills, "fill")
        looks = f"{incident.headline}: " if incident.headline else ""
        lost = (
            "loss not known"
            if incident.loss is None
            else f"lost {words.money(incident.loss, incident.currency)}"
        )
        table.add_row(
            _text(incident.severity.upper(), "bold white on red" if critical else "black on yellow"),
            _text(
                f"{incident.account} at {incident.exchange}: {looks}{', '.join(incident.symbols)}, {count}",
                limit=200,
            ),
            _text(f"{lost}{share}", "bold red", limit=40),
            _text(age(incident.opened_ns, now_ns)),
        )
    return table


def _notices(notices: Sequence[Notice]) -> Table:
    table = _table(("", 8, False), ("", None, False))
    for notice in notices:
        table.add_row(_text(words.clock(notice.ts_ns / 1e6)), _text(notice.text, limit=300))
    return table


def _bps(deviation: float | None) -> str:
    """Write a deviation with its sign; a dash where it isn't known."""
    if deviation is None or math.isnan(deviation):
        return "-"
    return f"{deviation:+,.1f}" if abs(deviation) < 1e5 else f"{deviation:+.1e}"


def _figure(exact: str) -> str:
    """Shorten the venue's own figure; what isn't one is shown as it is."""
    try:
        return words.price(float(exact))
    except ValueError:
        return exact


def _text(said: object, style: str = "", limit: int = 80) -> Text:
    """Make text that is only text."""
    return Text(words.clean(said, limit), style=style, no_wrap=True, overflow="ellipsis")
