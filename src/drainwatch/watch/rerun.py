"""A recorded session played again: the tape's frames through fresh protocols, by the clock of the tape.

The same desk (`core`) takes the same rows in the same order and judges at the same moments, so that it
says what the watch said, bit for bit. There is no network: what was told by REST, pushed or read from a
bot's log is on the tape as rows.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from drainwatch import tape
from drainwatch.config import Settings
from drainwatch.engine import Block, Engine
from drainwatch.errors import StateError
from drainwatch.events import Names
from drainwatch.model import default_model_path, load_model
from drainwatch.replay import Judged, ReplaySummary, new_engine, results, take_block
from drainwatch.rows import Fill, Market, Row
from drainwatch.store import Judgement
from drainwatch.tape import Recorded, read_frames
from drainwatch.venues.catalogue import Streams, native_streams
from drainwatch.venues.protocol import Credentials, StreamProtocol
from drainwatch.watch.core import Core, Key
from drainwatch.watch.followed import Listed
from drainwatch.watch.hub import TAPED, TapedOrigin
from drainwatch.watch.journal import TABLES

SAY_EVERY: Final = 10_000
_NOBODY: Final = Credentials("0" * 16, "0" * 16, "0" * 16)

_rows = msgspec.json.Decoder(list[Row])
_keys = msgspec.json.Decoder(list[Key])


class NothingKept:
    """A store that keeps nothing but which fills were there."""

    def __init__(self) -> None:
        self.known: set[Key] = set()
        self._count = 0

    def transaction(self) -> AbstractContextManager[None]:
        """Nothing has to be undone here."""
        return nullcontext()

    def add_fills(self, fills: Sequence[Fill], received_ns: int) -> list[bool]:
        """Know fills; says of each whether it is new."""
        del received_ns
        news = []
        for fill in fills:
            news.append(fill.key not in self.known)
            self.known.add(fill.key)
        return news

    def append(self, entry: bytes) -> int:
        """Count entries."""
        del entry
        self._count += 1
        return self._count

    def entries(self, after: int = 0) -> Iterator[tuple[int, bytes]]:
        """Give none."""
        del after
        return iter(())

    def save_snapshot(self, number: int, snapshot: bytes, *, whole_journal: bool = False) -> None:
        """Keep none."""

    def snapshots(self) -> list[tuple[int, bytes]]:
        """Give none."""
        return []

    def save_incident(self, incident: Mapping[str, Any]) -> None:
        """Keep none: the engine has them."""

    def incidents(self) -> list[dict[str, Any]]:
        """Give none."""
        return []

    def add_judgements(self, judgements: Iterable[Judgement]) -> None:
        """Keep none."""

    def judgements(self, incident: str) -> list[Judgement]:
        """Give none."""
        del incident
        return []

    def hold_entries(self, first: int, last: int) -> None:
        """Hold none."""

    def entry_after(self, number: int) -> tuple[int, bytes] | None:
        """Give none."""
        del number
        return None


@dataclass(slots=True)
class _Played:
    """An account's streams as they stood on the tape."""

    exchange: str
    streams: Streams
    protocols: dict[str, StreamProtocol] = field(default_factory=dict)


class Player:
    """Plays what was recorded to a desk of its own.

    Parameters
    ----------
    new_engine
        Makes an engine for names, given what the tape says of model and settings.
    on_block
        Takes what was judged.
    """

    def __init__(
        self, new_engine: Callable[[Names, Mapping[str, Any]], Engine], on_block: Callable[[Block], None]
    ) -> None:
        self._new_engine = new_engine
        self._on_block = on_block
        self._store = NothingKept()
        self._accounts: dict[str, _Played] = {}
        self.core: Core | None = None
        """None before the tape's first word of where the watch began."""
        self.counts: Counter[str] = Counter()
        """Rows taken, by table."""
        self.lost = 0
        """Frames that couldn't be recorded."""
        self.unread = 0
        """Frames that came before the watch began on this tape, or of streams unknown here."""

    async def take(self, recorded: Recorded) -> None:
        """Play one thing that was recorded.

        Raises
        ------
        StateError
            It isn't what a watch of this version records.
        """
        try:
            if recorded.stream == TAPED:
                self._take_own(recorded)
            else:
                await self._take_stream(recorded)
        except msgspec.DecodeError as error:
            raise StateError(
                f"expected what a watch of this version records as {recorded.event!a}, found otherwise "
                f"({error}): play it with the drainwatch that recorded it"
            ) from None

    def _take_own(self, recorded: Recorded) -> None:
        if recorded.event == tape.BEGAN:
            self._begin(msgspec.json.decode(recorded.frame, type=TapedOrigin))
        elif self.core is None:
            self.unread += 1
        elif recorded.event == tape.ROWS:
            self._add(self.core, _rows.decode(recorded.frame), recorded.received_ns)
        elif recorded.event == tape.TURN:
            self._store.known.update(_keys.decode(recorded.frame))
            self.core.judge(recorded.received_ns)

    def _begin(self, taped: TapedOrigin) -> None:
        self._accounts.clear()
        self.core = Core(lambda names: self._new_engine(names, taped.judged_by), self._store)
        self.core.on_block = self._on_block
        self.core.begin(taped.origin)

    def _add(self, core: Core, rows: Sequence[Row], received_ns: int) -> None:
        for row in rows:
            self.counts[TABLES[type(row)]] += 1
            core.add(row, received_ns)

    async def _take_stream(self, recorded: Recorded) -> None:
        account, _, stream = recorded.stream.partition("/")
        now_ns = recorded.received_ns
        if recorded.event == tape.LOST:
            self.lost += int(recorded.frame)
            return
        if recorded.event == tape.MARKETS:
            self._list(account, msgspec.json.decode(recorded.frame, type=Listed))
            return
        played = self._accounts.get(account)
        if self.core is None or played is None:
            self.unread += 1
            return
        if recorded.event == tape.OPENED:
            source = _source(played.streams, stream)
            if source is None:
                self.unread += 1
                return
            protocol = await source.start()
            played.protocols[stream] = protocol
            protocol.opened(now_ns)
            return
        if recorded.event == tape.ROWS:
            self._add_own(self.core, account, _rows.decode(recorded.frame), now_ns)
            return
        found = played.protocols.get(stream)
        if found is None:
            self.unread += 1
        elif recorded.event == tape.FRAME:
            self._frame(self.core, account, found, recorded)
        elif recorded.event == tape.WANTED:
            found.want(msgspec.json.decode(recorded.frame, type=list[str]), now_ns)
        elif recorded.event == tape.TICK:
            found.tick(now_ns)
        elif recorded.event == tape.CLOSED:
            del played.protocols[stream]

    def _frame(self, core: Core, account: str, protocol: StreamProtocol, recorded: Recorded) -> None:
        try:
            reading = protocol.take(recorded.frame, recorded.received_ns)
        except Exception:  # noqa: BLE001 - the watch went on, too
            self.unread += 1
            return
        self._add_own(core, account, reading.rows, recorded.received_ns)

    def _add_own(self, core: Core, account: str, rows: Sequence[Row], received_ns: int) -> None:
        """Add a stream's rows as `Followed` passes them on."""
        own = [
            row
            for row in rows
            if not isinstance(row, Market) and not (isinstance(row, Fill) and row.account != account)
        ]
        self._add(core, own, received_ns)

    def _list(self, account: str, listed: Listed) -> None:
        played = self._accounts.get(account)
        if played is None:
            streams = native_streams(
                listed.exchange,
                listed.markets,
                cast("Any", _NoRest()),
                account=account,
                credentials=_NOBODY,
                address=listed.address,
            )
            self._accounts[account] = _Played(listed.exchange, streams)
        else:
            played.streams.relist(listed.markets)


class _NoRest:
    """Stands where streams ask REST for what they need first."""

    async def listen_key(self, method: str, key: str = "") -> str:
        """Give a key that opens nothing."""
        del method
        return key or "0" * 64


def _source(streams: Streams, stream: str) -> Any:
    sources = [*streams.private, *(source for source, _ in streams.public)]
    return next((source for source in sources if source.stream == stream), None)


def rerun(
    folder: Path,
    out: Path,
    *,
    model: Path | None = None,
    settings: Settings | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> ReplaySummary:
    """Play a tape into `out`: the files of a replay, as the watch judged then.

    Parameters
    ----------
    folder
        Where the watch recorded (`record`).
    model, settings
        To judge by others than the watch did; None: the model that comes along, and the watch's settings.

    Raises
    ------
    StateError
        The folder holds no tape, or one without the watch's beginning.
    InputError
        `out` can't be written.
    ModelError
        The model can't be used.
    """
    loaded = load_model(model if model is not None else default_model_path())
    chosen = settings
    found = Judged(Names())
    notes: list[str] = []

    def make_engine(names: Names, judged_by: Mapping[str, Any]) -> Engine:
        nonlocal chosen
        if settings is None:
            chosen = _settings_of(judged_by)
        if judged_by.get("model") != loaded.card["arrays_sha256"]:
            notes.append("judged by another model than the watch was: what it says may differ")
        return new_engine(loaded, names, chosen or Settings())

    def damaged(path: Path, what: str) -> None:
        notes.append(f"{path.name}: {what}")

    with results(out) as made:

        def take(block: Block) -> None:
            if player.core is not None:
                found.last_ns = max(found.last_ns, int(block.fills["ts_ns"][-1]))
                take_block(found, block, player.core.engine, made.scores)

        player = Player(make_engine, take)
        asyncio.run(_play(player, found, folder, damaged, progress))
        if player.core is None:
            raise StateError(
                f"expected a tape with the watch's beginning, found none in {str(folder)!a}: the files that "
                "had it were deleted for lack of room, or it was recorded by an older version"
            )
        found.incidents = [incident.to_dict() for incident in player.core.engine.incidents]
        found.counts = {
            table: {"rows": rows, "rejected": 0, "duplicates": 0} for table, rows in player.counts.items()
        }
        if player.lost:
            notes.append(f"{player.lost} frames could not be recorded: what they told is missing here")
        if player.unread:
            notes.append(f"{player.unread} recorded frames could not be read")
        return made.publish(found, loaded, chosen or Settings(), notes=dict.fromkeys(notes))


async def _play(
    player: Player,
    found: Judged,
    folder: Path,
    damaged: Callable[[Path, str], None],
    progress: Callable[[str, int, int | None], None] | None,
) -> None:
    for count, recorded in enumerate(read_frames(folder, damaged=damaged), 1):
        before = player.core
        await player.take(recorded)
        if player.core is not None and player.core is not before:
            names = player.core.names
            if names.markets[: len(found.names.markets)] != found.names.markets:
                found.kept.clear()  # numbered by other names: only scores can tell of them
            found.names = names
        if progress is not None and count % SAY_EVERY == 0:
            progress("playing the tape", count, None)


def _settings_of(judged_by: Mapping[str, Any]) -> Settings:
    """The settings by which the watch judged, as far as they matter to judgements."""
    return msgspec.convert(
        {
            "judgement": {"false_alarms_per_month": judged_by["false_alarms_per_month"]},
            "incidents": {"quiet_hours": judged_by["quiet_hours"]},
        },
        Settings,
    )
