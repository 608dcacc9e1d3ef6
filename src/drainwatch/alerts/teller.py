"""The teller: follows each incident until its owner has nothing more to hear of it, and posts his news.

What was told is kept in the store, so a restart repeats nothing and forgets nothing. Marks and silences
are written by other processes; they are looked at every two seconds, and whenever an incident changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from drainwatch.alerts import decide, harmless
from drainwatch.alerts.channel import Channel
from drainwatch.alerts.decide import Decision, Reason, Told, is_grave
from drainwatch.alerts.harmless import Pattern, Withheld
from drainwatch.alerts.message import WORST, Message, digest_of, message_of, rank_of
from drainwatch.alerts.outbox import post
from drainwatch.errors import StateError
from drainwatch.events import NS_PER_S
from drainwatch.report import words
from drainwatch.store import Mark, Silence, Store

LOOK_NS: Final = 2 * NS_PER_S
"""So often it is looked whether the owner has said something, or a reminder is due."""

Incident = Mapping[str, Any]
Kept = TypeVar("Kept")


class Teller:
    """Tells the owner of incidents.

    Parameters
    ----------
    store
        Holds what was told, marks, silences and the outbox.
    warned, alarmed
        Channels that are told of warnings, and those that are told of criticals.
    fills_of
        Gives an incident's fills that are remembered, as rows of `scores.parquet`, for the message.
    more_of
        Gives what messages say of an incident beside the contract's fields.
    """

    def __init__(
        self,
        store: Store,
        warned: Sequence[Channel],
        alarmed: Sequence[Channel],
        fills_of: Callable[[Incident], Iterable[Mapping[str, Any]]] = lambda _: (),
        more_of: Callable[[Incident], Mapping[str, Any]] = lambda _: {},
    ) -> None:
        self._store = store
        self._warned, self._alarmed = tuple(warned), tuple(alarmed)
        self._fills_of, self._more_of = fills_of, more_of
        self._live: dict[str, tuple[Incident, int | None]] = {}
        """Incidents of which there may be more to tell, and when to look at them though nothing happens."""
        self._looked_ns: int | None = None
        self._marks: list[Mark] = []
        self._silences: list[Silence] = []

    def resume(self, incidents: Iterable[Incident], now_ns: int) -> None:
        """Take up those of which there may be more to tell."""
        for incident in incidents:
            told = self._told(incident["id"])
            if told is None:  # kept by a version that told nothing of it, or it was undone: when it changes
                continue
            if incident["closed_at"] is None or not told.closed or decide.reminder_ns(incident, told):
                self._live[incident["id"]] = incident, now_ns

    # --- what happens --------------------------------------------------------------------------------

    def take(self, incident: Incident, now_ns: int) -> Decision:
        """Take an incident that is new or has changed; call it within the transaction that keeps it."""
        told = self._told(incident["id"])
        marks = self._store.marks(incident["id"]) if told is not None else []
        return self._decide(incident, told, marks, self._store.silences(now_ns), now_ns)

    def turn(self, now_ns: int) -> bool:
        """Look at what the owner said and what time it is; True where something was posted.

        Raises
        ------
        StateError
            The store can't be used. The next call does what this one didn't.
        """
        if self._looked_ns is not None and 0 <= now_ns - self._looked_ns < LOOK_NS:
            return False
        marks, silences = self._store.marks(), self._store.silences()
        fresh = {mark.incident for mark in marks[len(self._marks) :]}
        if silences != self._silences:
            due = list(self._live)
        else:
            due = [
                name
                for name, (_, next_ns) in self._live.items()
                if name in fresh or (next_ns is not None and next_ns <= now_ns)
            ]
        posted = False
        if due or fresh:
            before = dict(self._live)
            try:
                with self._store.transaction():
                    posted = self._look(due, marks, silences, now_ns)
                    self._note_false_alarms(mark for mark in marks if mark.incident in fresh)
            except StateError:
                self._live = before
                raise
        self._looked_ns, self._marks, self._silences = now_ns, marks, silences
        return posted

    def _look(
        self, due: Iterable[str], marks: Sequence[Mark], silences: Sequence[Silence], now_ns: int
    ) -> bool:
        """Decide anew of some; reminders that come together, come as one message."""
        said: dict[str, list[Mark]] = {}
        for mark in marks:
            said.setdefault(mark.incident, []).append(mark)
        reminded = list[tuple[Incident, Told]]()
        posted = False
        for name in due:
            incident, _ = self._live[name]
            told = self._told(name)
            decision = self._decide(incident, told, said.get(name, ()), silences, now_ns, remind=False)
            if decision.what == "reminder" and told is not None:
                reminded.append((incident, told))
            posted |= decision.what is not None
        if reminded:
            reminded += self._nearly_due({incident["id"] for incident, _ in reminded}, said, silences, now_ns)
            self._remind(reminded, now_ns)
        return posted

    # --- one incident --------------------------------------------------------------------------------

    def _decide(
        self,
        incident: Incident,
        told: Told | None,
        marks: Sequence[Mark],
        silences: Sequence[Silence],
        now_ns: int,
        *,
        remind: bool = True,
    ) -> Decision:
        like = (told is None or not told.count) and self._is_harmless(incident, now_ns)
        decision = decide.decide(incident, told, marks, silences, now_ns, like_a_false_alarm=like)
        if decision.reason is Reason.LIKE_A_FALSE_ALARM:
            self._withhold(incident, now_ns)
        if decision.what is not None and (remind or decision.what != "reminder"):
            told = self._tell(incident, told, decision.what, now_ns)
        elif decision.reason in (Reason.SILENCED, Reason.LIKE_A_FALSE_ALARM) and (
            told is None or not told.count
        ):
            told = Told(kept_by=decision.reason)
            self._keep(incident["id"], told)
        next_ns = decide.next_ns(incident, told, decision, silences, now_ns)
        if incident["closed_at"] is None or next_ns is not None:
            self._live[incident["id"]] = incident, next_ns
        else:
            self._live.pop(incident["id"], None)
        return decision

    def _tell(self, incident: Incident, told: Told | None, what: str, now_ns: int) -> Told:
        rings = decide.rings(what, told)
        fills = self._worst(incident, () if told is None else told.fills)
        message = self._message(incident, told, what, fills)
        key = f"{incident['id']}/{what}/{1 if told is None else told.count + 1}"
        channels, keys = self._channels(incident), () if told is None else told.keys
        if what == "reminder":  # of what wasn't heard yet nobody need be reminded
            channels = tuple(c for c in channels if not self._store.waits(keys, c.name))
        post(self._store, channels, key, message, rank_of(message, rings=rings), now_ns, instead=keys)
        now_told = decide.after_telling(incident, told, what, key, now_ns, fills)
        self._keep(incident["id"], now_told)
        return now_told

    def _channels(self, incident: Incident) -> tuple[Channel, ...]:
        return self._alarmed if is_grave(incident) else self._warned

    def _message(
        self, incident: Incident, told: Told | None, what: str, fills: Sequence[Mapping[str, Any]]
    ) -> Message:
        history = () if told is None else told.history
        return message_of({**incident, **self._more_of(incident)}, what, fills=fills or None, history=history)

    def _worst(self, incident: Incident, known: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
        """Give the worst fills of those told before and those remembered; blind ones last."""
        rows = {
            (row["symbol"], row["id"], row["order"], row["side"]): dict(row)
            for row in (*known, *self._fills_of(incident))
        }
        worst = sorted(rows.values(), key=lambda row: _above_nan(row.get("loss")), reverse=True)
        return tuple(worst[:WORST])

    # --- reminders -----------------------------------------------------------------------------------

    def _nearly_due(
        self,
        but: set[str],
        said: Mapping[str, Sequence[Mark]],
        silences: Sequence[Silence],
        now_ns: int,
    ) -> list[tuple[Incident, Told]]:
        """Give those whose reminder would come soon: half its pause is over. They needn't ring again."""
        found = list[tuple[Incident, Told]]()
        for name, (incident, _) in self._live.items():
            told = None if name in but else self._told(name)
            due_ns = None if told is None else decide.reminder_ns(incident, told)
            if told is None or due_ns is None or now_ns - told.rang_ns < due_ns - now_ns:
                continue
            if not said.get(name) and not decide.is_silenced(incident, silences, now_ns):
                found.append((incident, told))
        return found

    def _remind(self, reminded: Sequence[tuple[Incident, Told]], now_ns: int) -> None:
        for grave in (True, False):
            several = [(incident, told) for incident, told in reminded if is_grave(incident) is grave]
            if len(several) == 1:
                incident, told = several[0]
                self._rewind(incident, self._tell(incident, told, "reminder", now_ns))
            elif several:
                several.sort(key=lambda one: _above_nan(one[0].get("equity_share")), reverse=True)
                message = digest_of(
                    [self._message(incident, told, "reminder", told.fills) for incident, told in several],
                    "and nobody has acknowledged them",
                )
                channels = self._channels(several[0][0])
                key = f"reminders/{'critical' if grave else 'warning'}/{now_ns}"
                post(self._store, channels, key, message, rank_of(message, rings=True), now_ns)
                for incident, told in several:
                    after = decide.after_telling(incident, told, "reminder", "", now_ns, told.fills)
                    self._keep(incident["id"], after)
                    self._rewind(incident, after)

    def _rewind(self, incident: Incident, told: Told) -> None:
        self._live[incident["id"]] = incident, decide.reminder_ns(incident, told)

    # --- false alarms --------------------------------------------------------------------------------

    def _is_harmless(self, incident: Incident, now_ns: int) -> bool:
        if is_grave(incident):
            return False
        names = {mark.incident for mark in self._store.marks() if mark.what == "false_alarm"}
        marked = [told.harmless for told in map(self._told, names) if told is not None]
        patterns = [pattern for pattern in marked if pattern is not None]
        return bool(patterns) and harmless.is_like(incident, patterns, self._withheld(incident), now_ns)

    def _withhold(self, incident: Incident, now_ns: int) -> None:
        this = harmless.withheld_of(incident, now_ns)
        if this is not None:
            kept = harmless.with_this(self._withheld(incident), this)
            self._store.set_value(_withheld_name(incident), msgspec.json.encode(kept))

    def _withheld(self, incident: Incident) -> list[Withheld]:
        return _read(self._store.value(_withheld_name(incident)), list[Withheld]) or []

    def _note_false_alarms(self, marks: Iterable[Mark]) -> None:
        """Keep of what was called a false alarm how it was told then: what came of it later wasn't meant."""
        names = {mark.incident for mark in marks if mark.what == "false_alarm"}
        for incident in self._store.incidents() if names else ():
            told = self._told(incident["id"]) if incident["id"] in names else None
            if told is None or told.harmless is not None or told.loss is None or not told.currency:
                continue
            pattern = Pattern(
                account=incident["account"],
                exchange=incident["exchange"],
                kinds=tuple(sorted({incident["kind"], told.kind})),
                symbols=told.symbols,
                loss=told.loss,
                currency=told.currency,
            )
            self._keep(incident["id"], msgspec.structs.replace(told, harmless=pattern))

    # --- what was told -------------------------------------------------------------------------------

    def _told(self, incident_id: str) -> Told | None:
        return _read(self._store.value(f"told/{incident_id}"), Told)

    def _keep(self, incident_id: str, told: Told) -> None:
        self._store.set_value(f"told/{incident_id}", msgspec.json.encode(told))


def _above_nan(value: object) -> float:
    """Give a number by which the unknown comes last."""
    number = words.as_float(value)
    return -math.inf if math.isnan(number) else number


def _withheld_name(incident: Incident) -> str:
    return f"withheld/{msgspec.json.encode([incident['exchange'], incident['account']]).decode()}"


def _read(known: bytes | None, kind: type[Kept]) -> Kept | None:
    if known is None:
        return None
    try:
        return msgspec.json.decode(known, type=kind)
    except msgspec.DecodeError as error:
        raise StateError(
            f"expected what was told of an incident, found otherwise: {error}: the store is damaged; go back "
            "to a copy of it, or begin with a new one"
        ) from None
