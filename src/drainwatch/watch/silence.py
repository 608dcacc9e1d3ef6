"""When silence is news: nothing heard for much longer than has been usual. No clock, no network.

What is usual is learned for each account and each public stream on its own, as the longest pause of the
last days: nights, weekends and a strategy's rests are in it. Not a quantile of pauses: most owners
trade in bursts, where pauses are seconds, and what matters is the rest between the bursts. Three
times the longest pause of 14 days was exceeded 0.06 times an account-month by the lab's honest owners (5
times in 83 months with a limit, of 202 simulated); 2 times, 0.21 times.

Where the longest pause is so long that three times as much would be of no use to anybody (a day and a
half for an account), silence is never news; whether the stream is up is then known from the connection alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from drainwatch.errors import StateError
from drainwatch.notices import Notice, NoticeKind

_S = 1_000_000_000
_HOUR_S = 3600.0
_DAY_S = 24 * _HOUR_S
_BUCKETS = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """How silence is judged; times in seconds."""

    factor: float = 3.0
    """Silence is news beyond this many times the longest usual pause."""
    floor_s: float
    """It never is before this."""
    ceiling_s: float
    """Where it would be only after this, it never is."""
    learn_s: float
    """What is usual isn't known before one has listened for this long,"""
    fewest: int
    """... and heard something this many times."""
    remember_s: float
    """Pauses are forgotten after this; in 14 steps."""


ACTIVITY = Habit(floor_s=900.0, ceiling_s=36 * _HOUR_S, learn_s=3 * _DAY_S, fewest=30, remember_s=14 * _DAY_S)
"""Of an account's fills."""
PUBLIC = Habit(floor_s=60.0, ceiling_s=_HOUR_S, learn_s=_HOUR_S, fewest=100, remember_s=_DAY_S)
"""Of a public stream: prints and quotes."""


class Voice(msgspec.Struct, frozen=True):
    """Who is listened to: an account's fills at an exchange, or (account empty) a public stream."""

    exchange: str
    account: str = ""
    stream: str = ""


class _Heard(msgspec.Struct):
    """What is known of a voice; times are ns since the epoch."""

    first_ns: int
    last_ns: int
    count: int = 0
    longest: dict[int, int] = msgspec.field(default_factory=dict)
    """Longest pause, ns, of those that ended in each step of `remember_s`; at most 15 of them."""
    told: bool = False
    away: bool = False


class Silence:
    """Listens to voices and says when one is missed.

    Parameters
    ----------
    activity, public
        How the silence of accounts and of public streams is judged.
    """

    def __init__(self, activity: Habit = ACTIVITY, public: Habit = PUBLIC) -> None:
        self._activity = activity
        self._public = public
        self._voices: dict[Voice, _Heard] = {}
        self._again: list[Notice] = []
        self._since_ns = 0

    def listen(self, now_ns: int) -> None:
        """Begin, or go on after a stop: no silence is told before its floor has passed from now on."""
        self._since_ns = now_ns

    def heard(self, voice: Voice, ts_ns: int) -> None:
        """Note that something happened at a time, the venue's own. Earlier than the last teaches nothing."""
        heard = self._voices.get(voice)
        if heard is None:
            self._voices[voice] = _Heard(ts_ns, ts_ns)
            return
        pause_ns = ts_ns - heard.last_ns
        if pause_ns <= 0:
            return
        if not heard.away:
            self._learn(voice, heard, ts_ns, pause_ns)
        if heard.told:
            self._again.append(_again(voice, heard.last_ns, ts_ns))
        heard.last_ns = ts_ns
        heard.told = heard.away = False

    def stopped(self, voice: Voice) -> None:
        """Note that it is known to be away: its silence is neither news nor usual until it is heard again."""
        heard = self._voices.get(voice)
        if heard is not None:
            heard.away = True

    def usual_s(self, voice: Voice, now_ns: int) -> float | None:
        """Longest usual pause, s; None while it isn't known."""
        heard, habit = self._voices.get(voice), self._habit(voice)
        if heard is None or heard.count < habit.fewest or now_ns - heard.first_ns < habit.learn_s * _S:
            return None
        oldest = _step(now_ns, habit) - _BUCKETS
        longest = max((pause for step, pause in heard.longest.items() if step >= oldest), default=0)
        return longest / _S if longest else None

    def patience_s(self, voice: Voice, now_ns: int) -> float | None:
        """How long it may be silent until that is news, s; None if it may be so for ever."""
        usual_s, habit = self.usual_s(voice, now_ns), self._habit(voice)
        if usual_s is None:
            return None
        patience_s = max(habit.floor_s, habit.factor * usual_s)
        return patience_s if patience_s <= habit.ceiling_s else None

    @property
    def next_deadline_ns(self) -> int | None:
        """When `due` will have something to say if nothing is heard until then; None: never."""
        deadlines = [
            at
            for voice, heard in self._voices.items()
            if (at := self._deadline_ns(voice, heard, heard.last_ns)) is not None
        ]
        if self._again:
            deadlines.append(self._again[0].ts_ns)
        return min(deadlines, default=None)

    def due(self, now_ns: int) -> list[Notice]:
        """Give what is to be said: each silence once, and its end (`until_ns` is set) once."""
        said, self._again = self._again, []
        for voice, heard in self._voices.items():
            at_ns = self._deadline_ns(voice, heard, heard.last_ns)
            if at_ns is not None and now_ns >= at_ns:
                heard.told = True
                said.append(_missed(voice, heard.last_ns, now_ns, self.usual_s(voice, heard.last_ns) or 0.0))
        return said

    def snapshot(self) -> bytes:
        """Give all that was learned, as JSON."""
        return msgspec.json.encode(list(self._voices.items()))

    def restore(self, snapshot: bytes) -> None:
        """Know what a snapshot knew, instead of what is known.

        Raises
        ------
        StateError
            It isn't a snapshot of `Silence`.
        """
        try:
            self._voices = dict(msgspec.json.decode(snapshot, type=list[tuple[Voice, _Heard]]))
        except msgspec.DecodeError as error:
            raise StateError(
                f"a snapshot of what silence is usual was expected, found something else ({error}); "
                "without it, what is usual is learned anew"
            ) from None

    def _habit(self, voice: Voice) -> Habit:
        return self._activity if voice.account else self._public

    def _deadline_ns(self, voice: Voice, heard: _Heard, now_ns: int) -> int | None:
        if heard.told or heard.away:
            return None
        patience_s = self.patience_s(voice, now_ns)
        if patience_s is None:
            return None
        floor_ns = self._since_ns + round(self._habit(voice).floor_s * _S)
        return max(heard.last_ns + round(patience_s * _S), floor_ns)

    def _learn(self, voice: Voice, heard: _Heard, ts_ns: int, pause_ns: int) -> None:
        habit = self._habit(voice)
        if heard.told:
            # It may have been an outage. Learned as it is, the next one would go unheard; not learned at
            # all, an owner's new habit would be news every time.
            patience_s = self.patience_s(voice, heard.last_ns)
            pause_ns = min(pause_ns, round((patience_s or 0.0) * _S))
        heard.count += 1
        step = _step(ts_ns, habit)
        if step not in heard.longest:
            heard.longest = {old: pause for old, pause in heard.longest.items() if old >= step - _BUCKETS}
            heard.longest[step] = pause_ns
        elif pause_ns > heard.longest[step]:
            heard.longest[step] = pause_ns


def _step(ts_ns: int, habit: Habit) -> int:
    return ts_ns * _BUCKETS // round(habit.remember_s * _S)


def _missed(voice: Voice, last_ns: int, now_ns: int, usual_s: float) -> Notice:
    who, what = _names(voice)
    return Notice(
        kind=NoticeKind.SILENCE,
        ts_ns=now_ns,
        text=(
            f"{what} {who} for {_span((now_ns - last_ns) / _S)}, since {_time(last_ns)}; the "
            f"longest usual pause is {_span(usual_s)}. Either nothing happens there or the watch is deaf: "
            + (
                "see whether the bot runs, and whether the exchange shows trades later than that."
                if voice.account
                else "see whether the exchange is up. Meanwhile fills are judged by old prices."
            )
        ),
        exchange=voice.exchange,
        account=voice.account,
        stream=voice.stream,
        since_ns=last_ns,
    )


def _again(voice: Voice, last_ns: int, ts_ns: int) -> Notice:
    who, _ = _names(voice)
    heard = f"{who[0].upper()}{who[1:]}" if not voice.account else f"The trading {who}"
    return Notice(
        kind=NoticeKind.SILENCE,
        ts_ns=ts_ns,
        text=(
            f"{heard} is heard again since {_time(ts_ns)}, after {_span((ts_ns - last_ns) / _S)} of silence."
        ),
        exchange=voice.exchange,
        account=voice.account,
        stream=voice.stream,
        since_ns=last_ns,
        until_ns=ts_ns,
    )


def _names(voice: Voice) -> tuple[str, str]:
    if voice.account:
        return f"of the account {voice.account!a} at {voice.exchange}", "No trade"
    return f"the stream {voice.stream or voice.exchange}", "Nothing from"


def _span(seconds: float) -> str:
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR_S:
        return f"{seconds / 60.0:.0f} min"
    return f"{seconds / _HOUR_S:.0f} h"


def _time(ts_ns: int) -> str:
    return f"{datetime.fromtimestamp(ts_ns // _S, UTC):%Y-%m-%d %H:%M} UTC"
