"""The judge's desk of a running watch: journal, engine, incidents, posts, each in its turn.

What the engine is fed has been journalled before, so that what the engine knows is a function of the
journal; what is posted has a key made of what it says, so that saying it again after a crash says
nothing. A snapshot now and then saves reading the whole journal again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from drainwatch.engine import Block, Engine
from drainwatch.errors import StateError
from drainwatch.events import NS_PER_S, Names
from drainwatch.fair import SOURCES
from drainwatch.rows import Balance, BotOrder, Candle, Fill, Market, Quote, Row, Trade
from drainwatch.store import Store
from drainwatch.watch.encoding import batch_of, unfit
from drainwatch.watch.intake import HOLD_BACK_NS, WAIT_NS, Intake

JOURNAL_VERSION: Final = 1

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[tuple[int, Row]])


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
        was last told (None: new): puts into the outbox what is to be said.
    logged, followed, hold_back_ns, wait_ns
        As `Intake` takes them.
    """

    def __init__(
        self,
        make_engine: Callable[[Names], Engine],
        store: Store,
        post: Callable[[dict[str, Any], dict[str, Any] | None], None] | None = None,
        *,
        logged: Collection[str] = (),
        followed: Collection[str] = (),
        hold_back_ns: int = HOLD_BACK_NS,
        wait_ns: int = WAIT_NS,
    ) -> None:
        self._store = store
        self._post = post
        self._make_engine = make_engine
        self._hold_back_ns = hold_back_ns
        self._new_intake = partial(
            Intake, logged=logged, followed=followed, hold_back_ns=hold_back_ns, wait_ns=wait_ns
        )
        self.names = Names()
        self._engine = make_engine(self.names)
        self.intake = self._new_intake(self.names)
        self._untaken: list[tuple[int, Row]] = []
        self._unkept: list[dict[str, Any]] = []
        """Incidents that the store couldn't take."""
        self._doubtful = False
        """Whether it isn't known if the last entry got into the journal."""
        self._last_ns = 0
        self._told: dict[str, dict[str, Any]] = {}
        self.journalled = 0
        """Number of the last journal entry that the engine was fed."""
        self.unfit = 0
        """Rows left out because a value can't be used."""
        self.repeated = 0
        """Fills told again."""
        self.judged = 0

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
            The store can't take it; nothing is lost, the next call tries again.
        """
        outcome = Outcome(incidents=self._keep_rest())
        timed = self._untaken = self._untaken or self.intake.take(now_ns)
        if timed:
            timed = self._journal(timed, now_ns)
            self._untaken = []
        if timed:
            fed = self._feed(timed)
            outcome.verdicts, outcome.n_rows = fed.verdicts, fed.n_rows
            self._unkept += fed.incidents
        deadline = self._engine.next_deadline()
        if deadline is not None and now_ns - self._hold_back_ns >= deadline:
            # closed by the journal, too: quiet is what the journal shows, not when we looked
            self._engine.advance(max(deadline, self.intake.last_ns))
            self._unkept += self._changed()
        with suppress(StateError):  # the next call begins with that; these verdicts count already
            outcome.incidents += self._keep_rest()
        return outcome

    def _journal(self, timed: list[tuple[int, Row]], now_ns: int) -> list[tuple[int, Row]]:
        if self._doubtful and (kept_after_all := next(iter(self._store.entries(self.journalled)), None)):
            # the store said that it failed, as the connection was lost, but it had kept the entry
            self.journalled, self._doubtful = kept_after_all[0], False
            return _decoder.decode(kept_after_all[1])
        fills = [row for _, row in timed if isinstance(row, Fill)]
        self._doubtful = True
        with self._store.transaction():
            if fills:
                is_new = iter(self._store.add_fills(fills, now_ns))
                kept = [item for item in timed if not isinstance(item[1], Fill) or next(is_new)]
                self.repeated += len(timed) - len(kept)
                timed = kept
            number = self._store.append(_encoder.encode(timed)) if timed else self.journalled
        self.journalled, self._doubtful = number, False
        return timed

    def _feed(self, timed: Sequence[tuple[int, Row]]) -> Outcome:
        batch = batch_of(self.names, timed)
        self._engine.feed(batch)
        blocks, changed = self._engine.take_outputs()
        fills = [row for _, row in timed if isinstance(row, Fill)]
        self.judged += len(fills)
        verdicts: list[Verdict] = []
        for block in blocks:
            verdicts += _verdicts(block, fills[len(verdicts) : len(verdicts) + len(block.fills)])
        return Outcome(verdicts, [incident.to_dict() for incident in changed], len(timed))

    def _changed(self) -> list[dict[str, Any]]:
        _, changed = self._engine.take_outputs()
        return [incident.to_dict() for incident in changed]

    def _keep_rest(self) -> list[dict[str, Any]]:
        """Keep and post incidents that are new or changed; gives them."""
        if not self._unkept:
            return []
        with self._store.transaction():
            for incident in self._unkept:
                self._store.save_incident(incident)
                if self._post is not None:
                    self._post(incident, self._told.get(incident["id"]))
        kept, self._unkept = self._unkept, []
        for incident in kept:
            self._told[incident["id"]] = incident
        return kept

    def oldest_unkept_ns(self, account: str) -> int | None:
        """Time of the oldest fill of an account that isn't in the journal yet; None: all are."""
        times = [self.intake.oldest_fill_ns(account)]
        times += [row.ts_ns for _, row in self._untaken if isinstance(row, Fill) and row.account == account]
        return min((t for t in times if t is not None), default=None)

    def next_ns(self) -> int | None:
        """When `judge` has something to do though nothing comes in."""
        times = [self.intake.next_ns(), self._engine.next_deadline(), 0 if self._unkept else None]
        return min((t for t in times if t is not None), default=None)

    # --- from the journal and back ---------------------------------------------------------------------

    def resume(self, on_step: Callable[[int], None] | None = None) -> int:
        """Come back to where the journal ends; returns how many entries were read again.

        What a snapshot doesn't have is judged again, and what it says again is in the store already.
        """
        for number, snapshot in self._store.snapshots():
            try:
                self._restore(snapshot)
            except StateError:
                self.names = Names()
                self._engine = self._make_engine(self.names)
                continue
            self.journalled = number
            break
        else:
            self.journalled = 0
        self._told = {incident["id"]: incident for incident in self._store.incidents()}
        last_ns = self._last_ns
        self.intake = self._new_intake(self.names)
        count = 0
        for number, entry in self._store.entries(self.journalled):
            timed = _decoder.decode(entry)
            self._unkept += self._feed(timed).incidents
            self._keep_rest()
            self.journalled = number
            last_ns = max(last_ns, max((at for at, _ in timed), default=0))
            for _, row in timed:
                self.intake.remember(row)
            count += 1
            if on_step is not None:
                on_step(count)
        self.intake.resume(last_ns, self.heard())
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
            self._store.save_snapshot(self.journalled, bytes([JOURNAL_VERSION]) + head + state)

    def _restore(self, snapshot: bytes) -> None:
        if snapshot[:1] != bytes([JOURNAL_VERSION]):
            raise StateError("expected a snapshot of this version, found another's")
        self._engine.restore(snapshot[9:])
        self._last_ns = int.from_bytes(snapshot[1:9], "little")

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


def _verdicts(block: Block, fills: Sequence[Fill]) -> list[Verdict]:
    """What was said of each fill."""
    judged = block.judged
    columns = zip(
        fills,
        block.fills["ts_ns"].tolist(),
        judged["fair"].tolist(),
        judged["source"].tolist(),
        judged["deviation_bps"].tolist(),
        judged["score"].tolist(),
        (judged["flagged"] > 0).tolist(),
        judged["loss_quote"].tolist(),
        (judged["loss_quote"] * judged["quote_value"]).tolist(),
        judged["equity"].tolist(),
        block.incidents,
        strict=True,
    )
    return [
        Verdict(fill, at, fair, SOURCES[source], off, score, flagged, loss, value, equity, incident)
        for fill, at, fair, source, off, score, flagged, loss, value, equity, incident in columns
    ]
