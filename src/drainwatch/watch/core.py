"""The judge's desk of a running watch: journal, engine, incidents, posts, each in its turn.

What the engine is fed has been journalled before, so that what the engine knows is a function of the
journal; what is posted has a key made of what it says, so that saying it again after a crash says
nothing. A snapshot now and then saves reading the whole journal again.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from drainwatch.engine import Block, Engine
from drainwatch.errors import StateError
from drainwatch.events import NS_PER_S, Names
from drainwatch.fair import SOURCES
from drainwatch.incidents import Incident, Member
from drainwatch.kernel import JUDGED
from drainwatch.rows import Balance, BotOrder, Candle, Fill, Market, Quote, Row, Trade
from drainwatch.store import Judgement
from drainwatch.watch.around import Around
from drainwatch.watch.encoding import batch_of, unfit
from drainwatch.watch.entries import read_entry
from drainwatch.watch.intake import HOLD_BACK_NS, ROWS_LAST, WAIT_NS, Intake, Remembered, sort_key

JOURNAL_VERSION: Final = 1

LARGE: Final = 100
"""Fills from which on an incident is large: all of them are written whenever it is kept."""
GROWN_EVERY_NS: Final = NS_PER_S
"""A large incident that only grew is kept and told so often at most."""

Key = tuple[str, str, str, str, str | None, str]
"""Of a fill: `rows.Fill.key`."""

_encoder = msgspec.msgpack.Encoder()


class Keeper(Protocol):
    """What of a store the desk needs."""

    def transaction(self) -> AbstractContextManager[None]:
        """Make what is done inside all or nothing."""

    def add_fills(self, fills: Sequence[Fill], received_ns: int) -> list[bool]:
        """Keep fills that aren't there yet; says of each whether it is new."""

    def append(self, entry: bytes) -> int:
        """Add an entry to the journal; gives its number."""

    def entries(self, after: int = 0) -> Iterator[tuple[int, bytes]]:
        """Give the entries whose number is above `after`, in order."""

    def save_snapshot(self, number: int, snapshot: bytes, *, whole_journal: bool = False) -> None:
        """Keep the state after entry `number`."""

    def snapshots(self) -> list[tuple[int, bytes]]:
        """Give the newest snapshots, the newest first, each with the entry that it stands after."""

    def save_incident(self, incident: Mapping[str, Any]) -> None:
        """Keep an incident in place of what was known of it."""

    def incidents(self) -> list[dict[str, Any]]:
        """Give all incidents in order of `alerted_at`."""

    def add_judgements(self, judgements: Iterable[Judgement]) -> None:
        """Keep how fills of incidents were judged."""

    def judgements(self, incident: str) -> list[Judgement]:
        """Give how the fills of an incident were judged."""

    def hold_entries(self, first: int, last: int) -> None:
        """Never drop the journal's entries from `first` to `last`."""

    def entry_after(self, number: int) -> tuple[int, bytes] | None:
        """Give the first entry whose number is above `number`; None where there is none."""


class Origin(msgspec.Struct, frozen=True):
    """All that a desk goes on from: another that begins with it says the same of the same rows."""

    engine: bytes
    """`Engine.snapshot`."""
    intake: Remembered
    logged: list[str]
    followed: list[str]
    hold_back_ns: int
    wait_ns: int


class Verdict(NamedTuple):
    """A judged fill in short, for the screen and for bots."""

    fill: Fill
    judged_ns: int
    """Time at which it counts."""
    fair: float
    """NaN: blind."""
    source: str
    deviation_bps: float
    """Positive is worse for the account; NaN: blind."""
    score: float
    flagged: bool
    loss_quote: float
    """Positive is a loss; NaN: blind."""
    loss_value: float
    """The same in units of value; NaN: blind, or the quote currency has no price."""
    equity: float
    """In units of value just before the fill; NaN without balances."""
    incident: str | None


@dataclass(slots=True)
class Outcome:
    """What came of what was taken."""

    verdicts: list[Verdict] = field(default_factory=list)
    incidents: list[dict[str, Any]] = field(default_factory=list)
    """Opened or changed: the contract's form."""
    n_rows: int = 0


class Core:
    """Intake, journal, engine and outbox of one watch.

    Parameters
    ----------
    make_engine
        Makes an engine for names; called again where a snapshot can't be used.
    store
        Where everything is kept.
    post
        Called within the transaction that keeps an incident, with the incident and what it was when it
        was last kept (None: new): puts into the outbox what is to be said and done.
    logged, followed, hold_back_ns, wait_ns
        As `Intake` takes them.
    whole_journal
        Whether the journal is kept from its beginning, so that it can be replayed.
    """

    def __init__(
        self,
        make_engine: Callable[[Names], Engine],
        store: Keeper,
        post: Callable[[dict[str, Any], dict[str, Any] | None], None] | None = None,
        *,
        logged: Collection[str] = (),
        followed: Collection[str] = (),
        hold_back_ns: int = HOLD_BACK_NS,
        wait_ns: int = WAIT_NS,
        whole_journal: bool = False,
    ) -> None:
        self._store = store
        self._post = post
        self._make_engine = make_engine
        self._logged, self._followed = sorted(logged), sorted(followed)
        self._hold_back_ns, self._wait_ns = hold_back_ns, wait_ns
        self._whole_journal = whole_journal
        self.names = Names()
        self._engine = make_engine(self.names)
        self.intake = self._new_intake()
        self._untaken: list[tuple[int, Row]] = []
        self._outcome = Outcome()
        self._unkept: dict[str, Incident] = {}
        """Incidents that changed since they were kept."""
        self._kept_ns: dict[str, int] = {}
        """When open incidents were last kept."""
        self._joined: list[Member] = []
        """Fills of incidents whose judgements aren't kept yet."""
        self._around = Around(store)
        self._doubtful = False
        """Whether it isn't known if the last entry got into the journal."""
        self._last_ns = 0
        self._told: dict[str, dict[str, Any]] = {}
        """Incidents as they were last kept."""
        self.on_turn: Callable[[int, list[Key]], None] | None = None
        """Called with the time of each `judge` that did something, and with the fills left out as known."""
        self.on_block: Callable[[Block], None] | None = None
        """Called with what was judged."""
        self.journalled = 0
        """Number of the last journal entry that the engine was fed."""
        self.unfit = 0
        """Rows left out because a value can't be used."""
        self.repeated = 0
        """Fills told again."""
        self.judged = 0

    def _new_intake(self) -> Intake:
        return Intake(
            self.names,
            logged=self._logged,
            followed=self._followed,
            hold_back_ns=self._hold_back_ns,
            wait_ns=self._wait_ns,
        )

    # --- in ------------------------------------------------------------------------------------------

    def add(self, row: Row, received_ns: int) -> str | None:
        """Take a row; says why it can't be used, None for a good one."""
        why = unfit(row)
        if why is not None:
            self.unfit += 1
            return why
        self.intake.add(row, received_ns)
        return None

    def judge(self, now_ns: int) -> Outcome:
        """Journal, then judge, all that counts by now; then keep what came of it.

        Raises
        ------
        StateError
            The store can't take it. Nothing is lost: the next call goes on from there.
        """
        did = False
        repeated: list[Key] = []
        self._keep_rest(now_ns)
        try:
            if self._doubtful:
                self._take_kept()
            if not self._untaken:
                self._untaken = self.intake.take(now_ns)
                did = bool(self._untaken)
            if self._untaken:
                timed = self._journal(self._untaken, now_ns, repeated)
                self._untaken = []
                if timed:
                    self._feed(timed)
            deadline = self._engine.next_deadline()
            if deadline is not None and now_ns - self._hold_back_ns >= deadline:
                did = True
                self._pass(max(deadline, self.intake.last_ns))
        finally:
            if did and self.on_turn is not None:
                self.on_turn(now_ns, repeated)
        with suppress(StateError):  # the next call begins with that; these verdicts count already
            self._keep_rest(now_ns)
        outcome, self._outcome = self._outcome, Outcome()
        return outcome

    def _take_kept(self) -> None:
        """The store said that it failed, as the connection was lost: see whether it had kept the entry."""
        kept_after_all = next(iter(self._store.entries(self.journalled)), None)
        self._doubtful = False
        if kept_after_all is None:
            return
        self.journalled = kept_after_all[0]
        entry = read_entry(kept_after_all[1])
        if isinstance(entry, int):
            self._advance(entry)
            self.intake.pass_by(entry)
        else:
            self._untaken = []
            self._feed(entry)

    def _journal(
        self, timed: list[tuple[int, Row]], now_ns: int, repeated: list[Key]
    ) -> list[tuple[int, Row]]:
        fills = [row for _, row in timed if type(row) is Fill]
        self._doubtful = True
        with self._store.transaction():
            if fills:
                is_new = self._store.add_fills(fills, now_ns)
                if not all(is_new):
                    taken = {fill.key for fill, new in zip(fills, is_new, strict=True) if new}
                    repeated += [fill.key for fill in fills if fill.key not in taken]
                    news = iter(is_new)
                    kept = [item for item in timed if type(item[1]) is not Fill or next(news)]
                    self.repeated += len(timed) - len(kept)
                    timed = kept
            number = self._store.append(_encoder.encode(timed)) if timed else self.journalled
        self.journalled, self._doubtful = number, False
        return timed

    def _feed(self, timed: Sequence[tuple[int, Row]]) -> None:
        self._engine.feed(batch_of(self.names, timed))
        blocks, changed = self._engine.take_outputs()
        outcome = self._outcome
        outcome.n_rows += len(timed)
        if blocks:
            fills = [row for _, row in timed if type(row) is Fill]
            self.judged += len(fills)
            at = 0
            for block in blocks:
                outcome.verdicts += _verdicts(block, fills[at : at + len(block.fills)])
                at += len(block.fills)
                if self.on_block is not None:
                    self.on_block(block)
        self._unkept.update((incident.id, incident) for incident in changed)
        self._joined += self._engine.take_joined()

    def _pass(self, until_ns: int) -> None:
        """Let time pass: quiet incidents are closed, and what comes later counts later.

        It is in the journal, too: whether an incident was closed before a late fill is no matter of when
        somebody looked.
        """
        self._doubtful = True
        self.journalled = self._store.append(_encoder.encode(until_ns))
        self._doubtful = False
        self._advance(until_ns)
        self.intake.pass_by(until_ns)

    def _advance(self, until_ns: int) -> None:
        self._engine.advance(until_ns)
        _, changed = self._engine.take_outputs()
        self._unkept.update((incident.id, incident) for incident in changed)

    def _keep_rest(self, now_ns: int | None = None) -> None:
        """Keep and post incidents that are new or changed: those that are due, or all.

        That a large one grew may wait a moment, as it is after the last snapshot in any case: judged again,
        it grows again. Else a drain of thousands of fills would be written thousands of times.
        """
        due = [i for i in self._unkept.values() if now_ns is None or self._is_due(i, now_ns)]
        if not due:
            return
        kept = [incident.to_dict() for incident in due]
        with self._store.transaction():
            if self._joined:
                self._store.add_judgements(map(judgement_of, self._joined))
            for incident in kept:
                self._store.save_incident(incident)
                if self._post is not None:
                    self._post(incident, self._told.get(incident["id"]))
        self._around.add(self._joined)
        self._joined = []
        for incident in kept:
            name = incident["id"]
            del self._unkept[name]
            self._told[name] = incident
            if incident["closed_at"] is not None:
                self._kept_ns.pop(name, None)
            elif now_ns is not None:
                self._kept_ns[name] = now_ns
        self._outcome.incidents += kept

    @property
    def fresh(self) -> list[Verdict]:
        """Verdicts that `judge` hasn't given yet: those of what it is about to tell."""
        return self._outcome.verdicts

    def _is_due(self, incident: Incident, now_ns: int) -> bool:
        """Whether an incident is to be kept now: it says something new, is small, or has waited."""
        told = self._told.get(incident.id)
        return (
            told is None
            or len(incident.fills) < LARGE
            or incident.closed_ns is not None
            or (incident.escalated_ns is not None and told["escalated_at"] is None)
            or now_ns - self._kept_ns.get(incident.id, 0) >= GROWN_EVERY_NS
        )

    def oldest_unkept_ns(self, account: str) -> int | None:
        """Time of the oldest fill of an account that isn't in the journal yet; None: all are."""
        times = [self.intake.oldest_fill_ns(account)]
        times += [row.ts_ns for _, row in self._untaken if isinstance(row, Fill) and row.account == account]
        return min((t for t in times if t is not None), default=None)

    def next_ns(self) -> int | None:
        """When `judge` has something to do though nothing comes in."""
        if self._doubtful:
            return 0
        deadline = self._engine.next_deadline()
        soonest = self.intake.next_ns()
        if self._unkept:
            due = min(self._kept_ns.get(name, 0) + GROWN_EVERY_NS for name in self._unkept)
            soonest = due if soonest is None else min(soonest, due)
        if deadline is None:
            return soonest
        deadline += self._hold_back_ns
        return deadline if soonest is None else min(soonest, deadline)

    # --- from the journal and back ---------------------------------------------------------------------

    def resume(self, on_step: Callable[[int], None] | None = None) -> int:
        """Come back to where the journal ends; returns how many entries were judged again.

        What a snapshot doesn't have is judged again, and what it says again is in the store already.
        """
        snapshots = self._store.snapshots()
        self.journalled = self._last_ns = 0
        for number, snapshot in snapshots:
            try:
                self._restore(snapshot)
            except StateError:
                self.names = Names()
                self._engine = self._make_engine(self.names)
                continue
            self.journalled = number
            break
        self._told = {incident["id"]: incident for incident in self._store.incidents()}
        for name, incident in self._told.items():
            if incident["closed_at"] is None:
                self._around.recall(self._store.judgements(name), self._last_ns)
        last_ns, last_fill = self._last_ns, ROWS_LAST
        self.intake = self._new_intake()
        count = 0
        # from the older snapshot on: what was told before the newer one must be known, too
        oldest = snapshots[-1][0] if len(snapshots) > 1 else 0
        for number, content in self._store.entries(oldest):
            entry = read_entry(content)
            if isinstance(entry, int):
                last_ns, last_fill = entry, ROWS_LAST
            else:
                for _, row in entry:
                    self.intake.remember(row)
                at_ns, row = entry[-1]
                if not isinstance(row, Market):
                    last_ns, last_fill = at_ns, sort_key(row) if isinstance(row, Fill) else ROWS_LAST
            if number <= self.journalled:
                continue
            if isinstance(entry, int):
                self._advance(entry)
            else:
                self._feed(entry)
            self._keep_rest(last_ns)
            self.journalled = number
            count += 1
            if on_step is not None:
                on_step(count)
        self._keep_rest()
        self._outcome = Outcome()
        self.intake.resume(Remembered(last_ns, last_fill, sorted(self.heard()), [], []))
        return count

    def heard(self) -> set[tuple[str, str]]:
        """Exchange and symbol of the markets of which there were rows."""
        return self._engine.heard()

    def snapshot(self) -> None:
        """Keep the engine's state as of the last journal entry, and before it what the state has told."""
        self._keep_rest()
        state = self._engine.snapshot()
        head = self.intake.last_ns.to_bytes(8, "little")
        with self._store.transaction():
            self._around.hold(self.journalled)
            self._store.save_snapshot(
                self.journalled, bytes([JOURNAL_VERSION]) + head + state, whole_journal=self._whole_journal
            )
        self._around.forget(self.intake.last_ns)

    def _restore(self, snapshot: bytes) -> None:
        if snapshot[:1] != bytes([JOURNAL_VERSION]):
            raise StateError("expected a snapshot of this version, found another's")
        self._engine.restore(snapshot[9:])
        self._last_ns = int.from_bytes(snapshot[1:9], "little")

    def origin(self) -> Origin:
        """All that this desk would go on from, for one elsewhere."""
        return Origin(
            self._engine.snapshot(),
            self.intake.remembered(),
            self._logged,
            self._followed,
            self._hold_back_ns,
            self._wait_ns,
        )

    def begin(self, origin: Origin) -> None:
        """Go on from there, instead of from what the store has.

        Raises
        ------
        StateError
            Its state was made by another version.
        """
        self._logged, self._followed = origin.logged, origin.followed
        self._hold_back_ns, self._wait_ns = origin.hold_back_ns, origin.wait_ns
        self._engine.restore(origin.engine)
        self.intake = self._new_intake()
        self.intake.resume(origin.intake)

    @property
    def engine(self) -> Engine:
        """The engine that it feeds: for a look, not for feeding."""
        return self._engine

    def state(self) -> bytes:
        """The engine's whole state: equal states are equal bytes."""
        return self._engine.snapshot()


def warm_up(make_engine: Callable[[Names], Engine]) -> None:
    """Have all kernels compiled, or read from their cache, before anything is heard.

    The first start of a version compiles for up to a minute, and while a kernel is compiled no frame is
    read and no ping answered: that mustn't happen at an account's first fill.
    """
    names = Names()
    engine = make_engine(names)
    at, symbol = "x", "A/B"
    at_ns = [NS_PER_S * (1_000 + i) for i in range(6)]
    rows: list[Row] = [
        Market(exchange=at, symbol=symbol, venue_symbol="AB", base="A", quote="B", tick_size=0.1),
        Candle(
            exchange=at, symbol=symbol, ts_ns=at_ns[0], open=1.0, high=1.0, low=1.0, close=1.0, volume=1.0
        ),
        Trade(exchange=at, symbol=symbol, ts_ns=at_ns[1], price=1.0, amount=1.0, id="1", side="buy"),
        Quote(exchange=at, symbol=symbol, ts_ns=at_ns[2], bid=0.9, ask=1.1),
        Balance(exchange=at, account="a", currency="B", ts_ns=at_ns[3], total=100.0),
        BotOrder(account="a", order="1", ts_ns=at_ns[4]),
        # so bad that it is flagged, and explained: kernels for that, too
        Fill(
            exchange=at,
            symbol=symbol,
            account="a",
            id="1",
            ts_ns=at_ns[5],
            side="buy",
            price="90",
            amount="1",
            cost="90",
        ),
    ]
    engine.feed(batch_of(names, [(0 if isinstance(row, Market) else row.ts_ns, row) for row in rows]))
    engine.take_outputs()
    engine.advance(at_ns[5])


def _unpacker(*wanted: str) -> struct.Struct:
    """What reads these fields of judgements, in the order of the record."""
    form, end = "<", 0
    for name in wanted:
        offset, size = int(JUDGED.fields[name][1]), JUDGED[name].itemsize  # type: ignore[index]
        form += "x" * (offset - end) + {8: "d", 1: "b"}[size]
        end = offset + size
    return struct.Struct(form + "x" * (JUDGED.itemsize - end))


def judgement_of(member: Member) -> Judgement:
    """How a fill of an incident was judged, as the store keeps it."""
    said, loss = member.judgement, member.loss
    return Judgement(
        incident=member.incident,
        key=(member.exchange, member.account, *member.key),
        at_ns=member.at_ns,
        fair=_known(said.fair) if said else None,
        source=said.source if said else "none",
        deviation_bps=_known(said.deviation_bps) if said else None,
        score=_known(said.score) if said else None,
        flagged=said.flagged if said else False,
        loss=loss.quote if loss else None,
        fee=loss.fee if loss else None,
        currency=loss.currency if loss else "",
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


_SAID: Final = _unpacker(
    "fair", "source", "flagged", "deviation_bps", "score", "loss_quote", "quote_value", "equity"
)


def _verdicts(block: Block, fills: Sequence[Fill]) -> list[Verdict]:
    """What was said of each fill."""
    columns = zip(
        fills,
        block.fills["ts_ns"].tolist(),
        _SAID.iter_unpack(block.judged.tobytes()),
        block.incidents,
        strict=True,
    )
    return [
        Verdict(fill, at, fair, SOURCES[source], off, score, flagged > 0, loss, loss * unit, equity, incident)
        for fill, at, (fair, source, flagged, off, score, loss, unit, equity), incident in columns
    ]
