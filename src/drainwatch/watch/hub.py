"""Where all streams of a watch meet: rows in, judged at once; what came of it out to whoever wants it.

A stream's call returns when its rows are journalled and judged: there is no queue to overflow, and a
reader that must wait makes the network's own back-pressure work.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import msgspec

from drainwatch.alerts.channel import Channel
from drainwatch.alerts.decide import Reason
from drainwatch.alerts.outbox import post_notice
from drainwatch.alerts.teller import Teller
from drainwatch.engine import Engine
from drainwatch.errors import StateError
from drainwatch.events import NS_PER_S, Names
from drainwatch.notices import Notice, NoticeKind
from drainwatch.response.switch import Switch
from drainwatch.rows import Fill, Row
from drainwatch.store import Store
from drainwatch.tape import BEGAN, ROWS, TURN, FrameRecorder
from drainwatch.venues.ports import Clock
from drainwatch.venues.protocol import BadMessage
from drainwatch.watch.core import Core, Key, Origin, Outcome, Verdict
from drainwatch.watch.health import Latency
from drainwatch.watch.silence import Silence, Voice

TURN_S: Final = 0.1
"""How often what waits is looked at: fills don't, market rows and time do."""
STALLED_NS: Final = 5 * NS_PER_S
"""Later than this after it came, a fill is judged too late."""
BAD_AGAIN_NS: Final = 3_600 * NS_PER_S
"""Messages of a stream that aren't understood are told of once an hour."""
FAILS_AGAIN_NS: Final = 3_600 * NS_PER_S
"""A store that fails now and then is told of once an hour."""
RECENT: Final = 50
DAY_NS: Final = 86_400 * NS_PER_S
EPOCH: Final = date(1970, 1, 1)
TAPED: Final = "watch"
"""Name of the watch itself on a tape, beside those of streams."""
MOST_UNSAID: Final = 1_000
"""Notices that are kept in mind while the store doesn't take them."""

_log = logging.getLogger("drainwatch.watch")


@dataclass(slots=True)
class Day:
    """What an account did on a day, UTC."""

    number: int
    """Days since the epoch."""
    fills: int = 0
    blind: int = 0
    loss: float = 0.0
    """Lost against fair value, in units of value; positive is a loss."""

    @property
    def date(self) -> date:
        """The day."""
        return EPOCH + timedelta(days=self.number)


class TapedOrigin(msgspec.Struct, frozen=True):
    """What a tape begins with."""

    origin: Origin
    judged_by: dict[str, Any]


Listener = Callable[[Mapping[str, Any]], None]


class Hub:
    """Takes rows and notices of all streams; keeps, judges, tells.

    Parameters
    ----------
    make_engine
        Makes an engine for names.
    store, clock
        Where everything is kept, and the time.
    warned, alarmed
        Channels that are told of warnings, and those that are told of criticals and notices.
    options
        Further arguments of `Core`.
    """

    def __init__(
        self,
        make_engine: Callable[[Names], Engine],
        store: Store,
        clock: Clock,
        *,
        warned: Sequence[Channel] = (),
        alarmed: Sequence[Channel] = (),
        **options: Any,
    ) -> None:
        self.store, self.clock = store, clock
        self._alarmed = tuple(alarmed)
        self.teller = Teller(store, warned, alarmed, self._fills_of, self._more_of)
        self.core = Core(make_engine, store, self._post, **options)
        self.listeners: list[Listener] = []
        """Called with each message of the socket out."""
        self.switch: Switch | None = None
        """Runs responses; None: there are none."""
        self.tells_all: Callable[[], bool] = lambda: True
        """Whether verdicts that aren't flagged are among them: thousands a second in a burst."""
        self.on_post: Callable[[], None] = lambda: None
        """Called when something was put into the outbox."""
        self.started_ns = clock.now_ns()
        self.verdicts: deque[Verdict] = deque(maxlen=RECENT)
        self.notices: deque[Notice] = deque(maxlen=RECENT)
        self.counts: Counter[str] = Counter()
        self._unsaid: deque[tuple[str, Notice]] = deque(maxlen=MOST_UNSAID)
        self.told: Counter[str] = Counter()
        """Notices by kind."""
        self.decided: Counter[Reason] = Counter()
        """Why incidents were told, or weren't, each time they changed."""
        self.bad_by_stream: Counter[str] = Counter()
        self.judging, self.journal = Latency(), Latency()
        self.days: dict[str, Day] = {}
        """Of each account, the last on which it traded."""
        self.silence = Silence()
        self.voices: list[Callable[[], Iterable[tuple[Voice, int | None]]]] = []
        """Called ten times a second: public streams, with when each was last heard; None: it is away."""
        self.open: dict[str, dict[str, Any]] = {}
        """Open incidents by id."""
        self.failing: str | None = None
        """Why the store doesn't take rows; None: it does."""
        self.on_failing: Callable[[str | None], None] = lambda _why: None
        """Called with why the store doesn't take rows, as soon as that is so; and with None when it does."""
        self.tape: FrameRecorder | None = None
        """Set by `record`."""
        self._bad_told: dict[str, int] = {}
        self._stalled_told = False
        self._failing_ns = self._failing_told_ns = -FAILS_AGAIN_NS

    def record(self, tape: FrameRecorder, judged_by: Mapping[str, Any]) -> None:
        """Keep on tape all that judgements come of, from now on.

        `judged_by` says by which model and settings: plain data, for whoever plays it.
        """
        self.tape = tape
        origin = TapedOrigin(self.core.origin(), dict(judged_by))
        tape.record(TAPED, self.clock.now_ns(), msgspec.json.encode(origin), BEGAN)
        self.core.on_turn = self._record_turn

    def _record_turn(self, now_ns: int, known: list[Key]) -> None:
        if self.tape is not None:
            self.tape.record(TAPED, now_ns, msgspec.json.encode(known), TURN)

    # --- the sink ------------------------------------------------------------------------------------

    async def rows(self, rows: Sequence[Row], received_ns: int, *, taped: bool = False) -> None:
        """Take rows; returns when they are journalled and judged, or held back on purpose.

        `taped`: the frames that they came in are on the tape already.
        """
        self.take(rows, received_ns, taped=taped)
        if self.core.intake.n_fills:
            self.judge(received_ns)
        while self.failing is not None:  # whoever brings rows waits until there is room for them
            await self.clock.sleep(TURN_S)

    def take(self, rows: Sequence[Row], received_ns: int, *, taped: bool = False) -> None:
        """Take rows, to be judged by with what comes next."""
        if self.tape is not None and not taped and rows:
            self.tape.record(TAPED, received_ns, msgspec.json.encode(rows), ROWS)
        add = self.core.add
        heard: tuple[str, str, int] | None = None
        for row in rows:
            why = add(row, received_ns)
            if why is not None:
                self.bad(BadMessage("rows", why, b""))
            elif type(row) is Fill and heard != (row.exchange, row.account, row.ts_ns):
                heard = row.exchange, row.account, row.ts_ns  # many in a burst: one of a moment is enough
                self.silence.heard(Voice(row.exchange, row.account), row.ts_ns)
        self.counts["rows"] += len(rows)

    async def ready(self, stream: str, *, first: bool) -> None:
        """Nothing to fill in: whoever owns the stream does that."""

    def seen(self, exchange: str, symbols: set[str]) -> None:
        """Nothing to follow: whoever owns the stream does that."""

    def unlisted(self, exchange: str, names: set[str]) -> None:
        """Nothing to list: whoever owns the stream does that."""

    def notice(self, notice: Notice) -> None:
        """Keep a notice and have it told."""
        self.told[notice.kind] += 1
        self.notices.append(notice)
        _log.log(
            logging.INFO if notice.kind == NoticeKind.ALIVE else logging.WARNING,
            "%s %s %s",
            notice.kind.value,
            notice.stream or notice.exchange,
            notice.text,
        )
        what = (notice.kind, notice.exchange, notice.account, notice.stream, notice.ts_ns, notice.text)
        key = hashlib.blake2b(repr(what).encode(), digest_size=12).hexdigest()
        self._unsaid.append((key, notice))
        self._say_rest()
        self._publish({"type": "notice", **_plain(notice)})
        self.on_post()

    def _say_rest(self) -> None:
        """Keep and post the notices that the store hasn't taken yet."""
        try:
            while self._unsaid:
                with self.store.transaction():
                    post_notice(self.store, self._alarmed, *self._unsaid[0], self.clock.now_ns())
                self._unsaid.popleft()
        except StateError as error:
            self._fail(error)

    def bad(self, message: BadMessage) -> None:
        """Count a message that isn't understood; tell of it once an hour a stream."""
        self.bad_by_stream[message.stream] += 1
        now_ns = self.clock.now_ns()
        if now_ns - self._bad_told.get(message.stream, -BAD_AGAIN_NS) < BAD_AGAIN_NS:
            return
        self._bad_told[message.stream] = now_ns
        self.notice(
            Notice(
                kind=NoticeKind.BAD_MESSAGE,
                ts_ns=now_ns,
                stream=message.stream,
                text=f"{message.stream}: a message isn't what was expected: {message.reason}. It was left "
                "out; what it told may be missing. Further ones are counted and told of in an hour.",
            )
        )

    # --- judging -------------------------------------------------------------------------------------

    def judge(self, received_ns: int | None = None) -> Outcome:
        """Judge all that counts by now, and pass on what came of it."""
        now_ns = self.clock.now_ns()
        try:
            outcome = self.core.judge(now_ns)
        except StateError as error:
            self._fail(error)
            return Outcome()
        if self.failing is not None:
            self._recover()
        if outcome.verdicts:
            came_ns = now_ns if received_ns is None else received_ns
            took_ns = self.clock.now_ns() - came_ns
            self.judging.add(max(took_ns, 0) / NS_PER_S, len(outcome.verdicts))
            self._note_stall(took_ns)
        if outcome.verdicts:
            self._take_verdicts(outcome.verdicts)
        for incident in outcome.incidents:
            self._take_incident(incident)
        return outcome

    async def run(self) -> None:
        """Judge what waits, ten times a second, until cancelled."""
        while True:
            await self.clock.sleep(TURN_S)
            now_ns = self.clock.now_ns()
            due = self.core.next_ns()
            if self.failing is not None or (due is not None and due <= now_ns):
                self.judge()
            self._listen(now_ns)
            self._remind(now_ns)

    def _listen(self, now_ns: int) -> None:
        """Say who has been silent for longer than is usual."""
        for voices in self.voices:
            for voice, heard_ns in voices():
                if heard_ns is None:
                    self.silence.stopped(voice)
                else:
                    self.silence.heard(voice, heard_ns)
        deadline = self.silence.next_deadline_ns
        if deadline is not None and deadline <= now_ns:
            for notice in self.silence.due(now_ns):
                self.notice(notice)

    def _remind(self, now_ns: int) -> None:
        """Tell what is due though nothing happened: reminders, and answers to what the owner said."""
        try:
            if self.failing is None and self.teller.turn(now_ns):
                self.on_post()
        except StateError as error:
            self._fail(error)

    def snapshot(self) -> None:
        """Keep the state, so that the next start need not read the whole journal."""
        try:
            self.core.snapshot()
            self.store.set_value("silence", self.silence.snapshot())
        except StateError as error:  # the journal has it all: a snapshot only saves time
            self._fail(error)

    def resume(self) -> int:
        """Come back to where the journal ends; gives how many entries were read again."""
        count = self.core.resume()
        usual = self.store.value("silence")
        if usual is not None:
            with contextlib.suppress(StateError):  # of another version: it is learned anew
                self.silence.restore(usual)
        self.silence.listen(self.clock.now_ns())
        incidents = self.store.incidents()
        self.open = {i["id"]: i for i in incidents if i["closed_at"] is None}
        self.teller.resume(incidents, self.clock.now_ns())
        if self.switch is not None:
            self.switch.resume(incidents)
        return count

    def _fail(self, error: StateError) -> None:
        """Note that the store doesn't take rows; what needs no store says so at once, chats when it does."""
        began, self.failing = self.failing is None, str(error)
        if not began:
            return
        _log.error("the store doesn't take rows: %s", error)
        self._failing_ns = now_ns = self.clock.now_ns()
        self.on_failing(self.failing)
        if now_ns - self._failing_told_ns >= FAILS_AGAIN_NS:
            self._failing_told_ns = now_ns
            self._say_store(
                NoticeKind.STALLED,
                f"The store doesn't take rows: {error}. Until it does nothing is judged and nobody is "
                "alerted; what comes meanwhile waits. It is tried again ten times a second.",
            )

    def _recover(self) -> None:
        """Note that the store takes rows again, and tell what had to wait for it."""
        self.failing = None
        _log.warning("the store takes rows again")
        self.on_failing(None)
        self._say_rest()
        if self._failing_told_ns == self._failing_ns and not self._unsaid:
            away_s = (self.clock.now_ns() - self._failing_ns) / NS_PER_S
            self._say_store(
                NoticeKind.STREAM_BACK,
                f"The store takes rows again, after {away_s:.0f} s. What came meanwhile is judged now.",
            )

    def _say_store(self, kind: NoticeKind, text: str) -> None:
        self.notice(Notice(kind=kind, ts_ns=self.clock.now_ns(), text=text, since_ns=self._failing_ns))

    def _note_stall(self, took_ns: int) -> None:
        if took_ns < STALLED_NS:
            self._stalled_told = False
        elif not self._stalled_told:
            self._stalled_told = True
            self.notice(
                Notice(
                    kind=NoticeKind.STALLED,
                    ts_ns=self.clock.now_ns(),
                    text=f"A fill was judged {took_ns / NS_PER_S:.0f} s after it came: this machine or its "
                    "disk doesn't keep up. Alerts come late until it does.",
                )
            )

    def _take_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        self.verdicts.extend(verdicts[-RECENT:])
        n_flagged = n_blind = 0
        days = self.days
        for verdict in verdicts:
            day = verdict.judged_ns // DAY_NS
            account = verdict.fill.account
            so_far = days.get(account)
            if so_far is None or so_far.number != day:
                so_far = days[account] = Day(day)
            so_far.fills += 1
            loss = verdict.loss_value
            if loss == loss:  # noqa: PLR0124 - else it is NaN
                so_far.loss += loss
            if math.isnan(verdict.fair):
                so_far.blind += 1
                n_blind += 1
            n_flagged += verdict.flagged
        self.counts["fills"] += len(verdicts)
        self.counts["flagged"] += n_flagged
        self.counts["blind"] += n_blind
        if self.listeners:
            every = self.tells_all()
            for verdict in verdicts:
                if every or verdict.flagged:
                    self._publish({"type": "verdict", **verdict_of(verdict)})

    def _take_incident(self, incident: dict[str, Any]) -> None:
        known = self.open.get(incident["id"])
        what = "grew"
        if known is None:
            what = "opened"
            self.counts[f"incidents {incident['severity']}"] += 1
        elif incident["closed_at"] is not None:
            what = "closed"
        elif incident["escalated_at"] is not None and known["escalated_at"] is None:
            what = "escalated"
        if incident["closed_at"] is None:
            self.open[incident["id"]] = incident
        else:
            self.open.pop(incident["id"], None)
        self._publish({"type": "incident", "what": what, "incident": incident})
        self.on_post()

    def _post(self, incident: dict[str, Any], before: dict[str, Any] | None) -> None:
        decision = self.teller.take(incident, self.clock.now_ns())
        self.decided[decision.reason] += 1
        if self.switch is not None and decision.reason is not Reason.LIKE_A_FALSE_ALARM:
            self.switch.note(incident, before)

    def _more_of(self, incident: Mapping[str, Any]) -> dict[str, Any]:
        """Give what is told of an incident beside the contract's fields: what responses came to."""
        responses = [] if self.switch is None else self.switch.of(incident["id"])
        return {"drainwatch_responses": responses} if responses else {}

    def _fills_of(self, incident: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Give those of an incident's fills whose verdicts are remembered."""
        whose = incident["account"], incident["exchange"]
        found = [
            verdict
            for verdict in (*self.verdicts, *self.core.fresh)
            if (verdict.fill.account, verdict.fill.exchange) == whose
        ]
        keys = {tuple(key.values()) for key in incident["fills"]} if found else set()
        return [
            verdict_of(verdict)
            | {
                "incident": incident["id"],
                "price": float(verdict.fill.price),
                "amount": float(verdict.fill.amount),
            }
            for verdict in found
            if (verdict.fill.symbol, verdict.fill.id, verdict.fill.order, verdict.fill.side) in keys
        ]

    def _publish(self, message: Mapping[str, Any]) -> None:
        for listener in self.listeners:
            listener(message)


def verdict_of(verdict: Verdict) -> dict[str, Any]:
    """A verdict as the socket out tells it: the contract's names; None where unknown."""
    fill = verdict.fill
    return {
        "exchange": fill.exchange,
        "account": fill.account,
        "symbol": fill.symbol,
        "id": fill.id,
        "order": fill.order,
        "side": fill.side,
        "timestamp": fill.ts_ns / 1e6,
        "price": fill.price,
        "amount": fill.amount,
        "fair_price": _known(verdict.fair),
        "fair_source": verdict.source,
        "deviation_bps": _known(verdict.deviation_bps),
        "score": verdict.score,
        "flagged": verdict.flagged,
        "loss": _known(verdict.loss_quote),
        "incident": verdict.incident,
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _plain(notice: Notice) -> dict[str, Any]:
    return {name: getattr(notice, name) for name in notice.__struct_fields__}


def channels_from(
    channels: Iterable[Channel], severities: Mapping[str, str]
) -> tuple[list[Channel], list[Channel]]:
    """Part channels into those told of warnings, too, and all of them."""
    every = list(channels)
    return [c for c in every if severities.get(c.name, "warning") == "warning"], every
