"""Order and duplicates: rows in any order go in, ordered and deduplicated `Batch`es come out.

The order is the contract's: by time, market rows before fills, then by what the rows themselves say
(hashes of names, ids, contents), never by codes or by what came first. One mechanism does it all: a
sort in runs of bounded size, merged block by block. It is used for the rows, for the fills, to find
keys that come again at a later time, and to bring those back into the order of time.

The strings of the fills' ids stay in memory; all else is in the stores that the caller provides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from drainwatch.events import FILL, ROW, Batch, Kind, Names
from drainwatch.ids import fold
from drainwatch.sorter import RUN_BYTES, MemoryStore, Sorter, Store, joined, key_at, picked, words

_KIND_SHIFT = np.uint64(61)

_ROW = np.dtype([("ts", "i8"), ("what", "u8"), ("rank", "u8"), ("content", "u8"), ("event", ROW)])
_FILL = np.dtype([("ts", "i8"), ("key", "u8"), ("content", "u8"), ("slot", "i8"), ("event", FILL)])
_SEEN = np.dtype([("key", "u8"), ("ts", "i8")])
_LATE = np.dtype([("ts", "i8"), ("key", "u8")])


def _events(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Take the events out of stored rows."""
    event, offset = rows.dtype.fields["event"][:2]  # type: ignore[index]
    out: NDArray[np.void] = words(rows)[:, offset // 8 :].reshape(-1).view(event)
    return out


def _stored(events: NDArray[np.void], dtype: np.dtype[np.void]) -> NDArray[np.void]:
    """Make stored rows of events; the other fields are left to be filled in."""
    out = np.empty(events.size, dtype)
    words(out)[:, dtype.fields["event"][1] // 8 :] = words(np.ascontiguousarray(events))  # type: ignore[index]
    return out


class _Firsts:
    """Keys that come more than once, wherever they stand: only the earliest time of each is kept."""

    def __init__(self, new_sorter: Callable[[np.dtype[np.void], Sequence[str]], Sorter]) -> None:
        self._seen = new_sorter(_SEEN, ("key", "ts"))
        self._late = new_sorter(_LATE, ("ts", "key"))
        self.n_rows = 0
        self.n_distinct = 0

    def add(self, keys: NDArray[np.uint64], ts: NDArray[np.int64]) -> None:
        """Take keys and their times."""
        seen = np.empty(keys.size, _SEEN)
        seen["key"], seen["ts"] = keys, ts
        self._seen.add(seen)
        self.n_rows += keys.size

    def seal(self) -> None:
        """Find what is late, after the last `add`."""
        key, ts = None, 0
        for block in self._seen.blocks():
            new = np.ones(block.size, np.bool_)
            new[1:] = block["key"][1:] != block["key"][:-1]
            new[0] = key is None or block["key"][0] != key
            self.n_distinct += int(new.sum())
            starts = np.maximum.accumulate(np.where(new, np.arange(block.size), -1))
            first = np.where(starts >= 0, block["ts"][starts], ts)
            key, ts = block["key"][-1], int(first[-1])
            at = block["ts"] > first
            if at.any():
                late = np.empty(int(at.sum()), _LATE)
                late["key"], late["ts"] = block["key"][at], block["ts"][at]
                self._late.add(late)

    def late(self) -> _Late:
        """Start looking at events in the order of time."""
        return _Late(self._late.blocks())


class _Late:
    """Says of events in the order of time which come after the first of their key."""

    def __init__(self, blocks: Iterator[NDArray[np.void]]) -> None:
        self._blocks = blocks
        self._waiting = next(blocks, np.empty(0, _LATE))

    def among(self, keys: NDArray[np.uint64], ts: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Say which are late, or None for none. A later call may go on at the same time, not before it."""
        first, last = ts[0], ts[-1]
        while self._waiting.size and self._waiting["ts"][-1] <= last:
            more = next(self._blocks, None)
            if more is None:
                break
            self._waiting = joined([self._waiting, more])
        ts_late = self._waiting["ts"]
        now = self._waiting[np.searchsorted(ts_late, first) : np.searchsorted(ts_late, last, "right")]
        self._waiting = self._waiting[np.searchsorted(ts_late, last) :]  # those of the last time stay
        return np.isin(_of_time(keys, ts), _of_time(now["key"], now["ts"])) if now.size else None


def _of_time(keys: NDArray[np.uint64], ts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Hash a key at a time."""
    hashes = np.array(keys, np.uint64)
    fold(hashes, ts)
    return hashes


class Sequencer:
    """All events of a replay.

    Add them in any order, `seal`, then draw `batches`, more than once if need be.
    """

    def __init__(
        self, new_store: Callable[[np.dtype[np.void]], Store] = MemoryStore, run_bytes: int = RUN_BYTES
    ) -> None:
        def new_sorter(dtype: np.dtype[np.void], keys: Sequence[str]) -> Sorter:
            return Sorter(dtype, keys, new_store(dtype), run_bytes)

        self._rows = new_sorter(_ROW, ("ts", "what", "rank", "content"))
        self._fills = new_sorter(_FILL, ("ts", "key", "content"))
        self._trade_ids = _Firsts(new_sorter)
        self._fill_keys = _Firsts(new_sorter)
        self._ids: Any = []
        self._orders: Any = []
        self._n_slots = 0
        self._ranks: dict[str, NDArray[np.int64]] = {}
        self._codes: dict[str, NDArray[np.int32]] = {}
        self.duplicates = dict.fromkeys(Kind, 0)
        """Rows left out as duplicates by the last `batches`, by kind."""

    @property
    def n_fills(self) -> int:
        """How many different fills there are; known after `seal`."""
        return self._fill_keys.n_distinct

    @property
    def n_duplicate_fills(self) -> int:
        """How many fills were left out as duplicates; known after `seal`."""
        return self._fill_keys.n_rows - self._fill_keys.n_distinct

    def add_rows(
        self,
        rows: NDArray[np.void],
        name: NDArray[np.uint64],
        rank: NDArray[np.uint64],
        content: NDArray[np.uint64],
    ) -> None:
        """Take rows of one kind: `ROW`, a hash of what each is of, of what its id sorts by, of the rest."""
        if not rows.size:
            return
        spooled = _stored(rows, _ROW)
        spooled["ts"] = rows["ts_ns"]
        spooled["what"] = (rows["kind"].astype(np.uint64) << _KIND_SHIFT) | (name >> np.uint64(3))
        spooled["rank"], spooled["content"] = rank, content
        self._rows.add(spooled)
        if rows["kind"][0] == Kind.TRADE:
            known = rows["id"] != 0
            self._trade_ids.add(_of_time(spooled["what"][known], rows["id"][known]), rows["ts_ns"][known])

    def add_fills(
        self,
        fills: NDArray[np.void],
        key: NDArray[np.uint64],
        content: NDArray[np.uint64],
        ids: Any,
        orders: Any,
    ) -> None:
        """Take fills: `FILL`, a hash of each one's key, one of the rest, its id and order as strings."""
        if not fills.size:
            return
        spooled = _stored(fills, _FILL)
        spooled["ts"] = fills["ts_ns"]
        spooled["key"], spooled["content"] = key, content
        spooled["slot"] = np.arange(self._n_slots, self._n_slots + fills.size)
        self._n_slots += fills.size
        self._ids.append(ids.cast(pa.large_string()))
        self._orders.append(orders.cast(pa.large_string()))
        self._fills.add(spooled)
        self._fill_keys.add(key, fills["ts_ns"])

    def seal(self, names: Names, codes: dict[str, NDArray[np.int32]]) -> None:
        """Say that all is added.

        Parameters
        ----------
        names
            What the codes in the events mean.
        codes
            What to put in their place: an array each for `market`, `account` and `currency`.
        """
        none = pa.array([], pa.large_string())
        self._ids = pa.concat_arrays([*self._ids, none])
        self._orders = pa.concat_arrays([*self._orders, none])
        self._ranks = {
            "exchange": _ranks([market.exchange for market in names.markets]),
            "account": _ranks(names.accounts),
            "symbol": _ranks([market.symbol for market in names.markets]),
        }
        # -1, absent, finds the last one
        self._codes = {name: np.append(code, np.int32(-1)) for name, code in codes.items()}
        self._trade_ids.seal()
        self._fill_keys.seal()

    def batches(self, max_rows: int, until_ns: int | None = None) -> Iterator[Batch]:
        """Give all events, or those up to and at `until_ns`.

        Each batch's events come before the next one's; it holds at most `max_rows` rows and as many
        fills, and may end between events of one time.
        """
        self.duplicates = dict.fromkeys(Kind, 0)
        rows = _Stream(_cut(self._row_blocks(), until_ns), max_rows)
        fills = _Stream(_cut(self._fill_blocks(), until_ns), max_rows)
        while rows.has_any or fills.has_any:
            if not fills.has_any:
                n_rows, n_fills = rows.size, 0
            elif not rows.has_any:
                n_rows, n_fills = 0, fills.size
            elif rows.last <= fills.last:  # more rows may come at that time, and they go first
                n_rows, n_fills = rows.size, fills.count_before(rows.last)
            else:
                n_rows, n_fills = rows.count_to(fills.last), fills.size
            yield self._batch(rows.take(n_rows, _ROW), fills.take(n_fills, _FILL))

    def _batch(self, rows: NDArray[np.void], fills: NDArray[np.void]) -> Batch:
        events, own = _events(rows), _events(fills)
        for name in ("market", "account", "currency"):
            events[name] = self._codes[name][events[name]]
        own["market"] = self._codes["market"][own["market"]]
        own["account"] = self._codes["account"][own["account"]]
        own["fee_currency"] = self._codes["currency"][own["fee_currency"]]
        slots = pa.array(fills["slot"])
        ids = self._ids.take(slots).to_numpy(zero_copy_only=False)
        orders = self._orders.take(slots).to_numpy(zero_copy_only=False)
        return Batch(events, own, ids.astype(object), orders.astype(object))

    def _row_blocks(self) -> Iterator[NDArray[np.void]]:
        late = self._trade_ids.late()
        before = None
        for block in self._rows.blocks():
            kinds = (block["what"] >> _KIND_SHIFT).astype(np.int64)
            trades = kinds == Kind.TRADE
            again = np.zeros(block.size, np.bool_)
            ids, last = block["event"]["id"], block[-1:]
            again[1:] = _again(block[1:], block[:-1], trades[1:])
            if before is not None:
                again[:1] = _again(block[:1], before, trades[:1])
            before = last
            drop = again
            if trades.any():
                is_late = late.among(_of_time(block["what"], ids), block["ts"])
                if is_late is not None:
                    drop = again | (is_late & trades & (ids != 0))
            if drop.any():
                for kind, count in enumerate(np.bincount(kinds[drop], minlength=len(Kind)).tolist()):
                    self.duplicates[Kind(kind)] += count
                block = picked(block, ~drop)  # noqa: PLW2901
            yield block

    def _fill_blocks(self) -> Iterator[NDArray[np.void]]:
        late = self._fill_keys.late()
        before = None
        held = np.empty(0, _FILL)  # of the last time: more may come that go before them
        for block in self._fills.blocks():
            drop = np.zeros(block.size, np.bool_)
            drop[1:] = (block["ts"][1:] == block["ts"][:-1]) & (block["key"][1:] == block["key"][:-1])
            drop[0] = before is not None and key_at(block, 0, ("ts", "key")) == before
            before = key_at(block, -1, ("ts", "key"))
            is_late = late.among(block["key"], block["ts"])
            held = joined([held, picked(block, ~drop if is_late is None else ~(drop | is_late))])
            if held.size:
                ready = int(np.searchsorted(held["ts"], held["ts"][-1]))
                yield self._by_key(held[:ready])
                held = held[ready:]
        yield self._by_key(held)

    def _by_key(self, fills: NDArray[np.void]) -> NDArray[np.void]:
        """Order fills, already by time, at equal times by the strings of their keys."""
        same = fills["ts"][1:] == fills["ts"][:-1]
        if not same.any():
            return fills
        tied = np.zeros(fills.size, np.bool_)
        tied[1:] = same
        tied[:-1] |= same
        some = picked(fills, tied)
        slots = pa.array(some["slot"])
        event = some["event"]
        order = np.lexsort(
            (
                -event["side"],  # "buy" before "sell"
                _ranks(self._orders.take(slots).fill_null("")),
                _ranks(self._ids.take(slots)),
                self._ranks["symbol"][event["market"]],
                self._ranks["account"][event["account"]],
                self._ranks["exchange"][event["market"]],
                some["ts"],
            )
        )
        fills = fills.copy()
        words(fills)[tied] = words(some)[order]
        return fills


def _ranks(strings: Any) -> NDArray[np.int64]:
    """Number strings in their order, equal ones alike."""
    if not isinstance(strings, pa.Array):
        strings = pa.array(strings, pa.string())
    ranks: NDArray[np.int64] = pc.rank(strings, tiebreaker="dense").to_numpy().astype(np.int64)
    return ranks


def _again(rows: NDArray[np.void], before: NDArray[np.void], trades: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which rows repeat the one before: trades by their id, if any, others whole."""
    same: NDArray[np.bool_] = (
        (rows["ts"] == before["ts"]) & (rows["what"] == before["what"]) & (rows["rank"] == before["rank"])
    )
    if not same.any():
        return same
    ids = rows["event"]["id"]
    same &= np.where(
        trades, (ids != 0) & (ids == before["event"]["id"]), rows["content"] == before["content"]
    )
    return same


def _cut(blocks: Iterator[NDArray[np.void]], until_ns: int | None) -> Iterator[NDArray[np.void]]:
    """End a stream of blocks after the last event at `until_ns`."""
    for block in blocks:
        if until_ns is not None and block.size and block["ts"][-1] > until_ns:
            yield block[: np.searchsorted(block["ts"], until_ns, "right")]
            return
        yield block


class _Stream:
    """Blocks of events, the next few in hand."""

    def __init__(self, blocks: Iterator[NDArray[np.void]], max_rows: int) -> None:
        self._blocks, self._max_rows = blocks, max_rows
        self._rest: NDArray[np.void] = np.empty(0, _LATE)
        self.has_any = True
        self._fill()

    def _fill(self) -> None:
        while not self._rest.size:
            block = next(self._blocks, None)
            if block is None:
                self.has_any = False
                return
            self._rest = block

    @property
    def size(self) -> int:
        return min(self._rest.size, self._max_rows)

    @property
    def last(self) -> int:
        return int(self._rest["ts"][self.size - 1])

    def count_before(self, ts: int) -> int:
        return int(np.searchsorted(self._rest["ts"][: self.size], ts, "left"))

    def count_to(self, ts: int) -> int:
        return int(np.searchsorted(self._rest["ts"][: self.size], ts, "right"))

    def take(self, count: int, dtype: np.dtype[np.void]) -> NDArray[np.void]:
        if not count:
            return np.empty(0, dtype)
        taken, self._rest = self._rest[:count], self._rest[count:]
        self._fill()
        return taken
