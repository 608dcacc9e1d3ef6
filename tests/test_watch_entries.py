"""A time is found in the journal, whatever was dropped of it."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.rows import Market, Quote
from drainwatch.watch.entries import Entry, number_at, read_entry

MARKET = Market(exchange="x", symbol="A/B", venue_symbol="AB", base="A", quote="B")


class Journal:
    """Entries by number, with holes."""

    def __init__(self, entries: dict[int, Entry]) -> None:
        self.entries = {number: msgspec.msgpack.encode(entry) for number, entry in entries.items()}

    def entry_after(self, number: int) -> tuple[int, bytes] | None:
        after = [(n, content) for n, content in sorted(self.entries.items()) if n > number]
        return after[0] if after else None


def quotes(*times: int) -> Entry:
    return [(at, Quote(exchange="x", symbol="A/B", ts_ns=at, bid=1.0, ask=2.0)) for at in times]


def test_an_entry_is_read_as_it_was_written() -> None:
    rows: Entry = [(0, MARKET), *quotes(5)]  # type: ignore[misc]
    assert read_entry(msgspec.msgpack.encode(rows)) == rows
    assert read_entry(msgspec.msgpack.encode(7)) == 7


def test_an_entry_of_markets_alone_goes_with_the_next() -> None:
    journal = Journal({1: quotes(10), 2: [(0, MARKET)], 3: quotes(20), 4: [(0, MARKET)]})
    assert [number_at(journal, at, 4) for at in (10, 11, 20, 21)] == [1, 2, 2, 4]


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.booleans()), max_size=12), st.integers(0, 31))
def test_a_time_is_found_whatever_was_dropped(plan: list[tuple[int, bool, bool]], at_ns: int) -> None:
    """A slow search from the beginning says the same."""
    times = sorted(at for at, _, _ in plan)
    kept: dict[int, Entry] = {}
    for number, (at, (_, passed, dropped)) in enumerate(zip(times, plan, strict=True), 1):
        if not dropped:
            kept[number] = at if passed else quotes(at)
    found = number_at(Journal(kept), at_ns, len(times))
    wanted = next((n for n in sorted(kept) if times[n - 1] >= at_ns), None)
    assert found == (len(times) + 1 if wanted is None else wanted)
