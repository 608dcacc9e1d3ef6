"""Market data around fills, over the loopback exchange: all of it, once, whatever goes wrong."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from drainwatch.errors import InputError, VenueError
from drainwatch.fetch.plan import What
from drainwatch.fetch.spans import Span
from drainwatch.lab.exchange.faults import Fault, Faults
from drainwatch.replay import replay_tables
from drainwatch.tables import TablePaths
from fetch_lab import (
    DAY_MS,
    HOUR_MS,
    START_MS,
    QuickClock,
    a_fill,
    a_past,
    fetched,
    files_of,
    read_times,
    written,
)

TIMES = [0, 59 * 60_000, HOUR_MS, HOUR_MS + 1, 2 * HOUR_MS, 3 * HOUR_MS - 1, 3 * HOUR_MS, 9 * HOUR_MS]


def rows_of(folder: Path, name: str) -> list[dict[str, object]]:
    return [row for path in sorted(folder.glob(f"{name}.*")) for row in pq.read_table(path).to_pylist()]


def test_trades_of_what_was_traded_and_candles_of_its_twins(tmp_path: Path) -> None:
    fills = written(tmp_path / "fills.jsonl", [a_fill(2 * HOUR_MS)])
    found = fetched(a_past(TIMES), read_times(fills), tmp_path / "out")
    assert sorted(files_of(tmp_path / "out")) == [
        "candles/BTC%2FUSDT.2025-06-16.parquet",
        "candles/QTUM%2FUSDT.2025-06-16.parquet",
        "trades/QTUM%2FBTC.2025-06-16.parquet",
    ]
    trades = rows_of(tmp_path / "out" / "trades", "QTUM%2FBTC")
    inside = [HOUR_MS, HOUR_MS + 1, 2 * HOUR_MS, 3 * HOUR_MS - 1]
    assert [row["timestamp"] for row in trades] == [START_MS + at for at in inside]
    assert len({row["id"] for row in trades}) == 4
    assert {row["symbol"] for row in trades} == {"QTUM/BTC"}
    candles = rows_of(tmp_path / "out" / "candles", "QTUM%2FUSDT")
    assert [row["timestamp"] for row in candles] == [
        START_MS + at for at in (HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS - 60_000)
    ]
    assert {row["timeframe"] for row in candles} == {"1m"}
    assert found.n_rows == {"trades": 4, "candles": 6}
    assert (found.plan.unlisted, found.nothing, found.n_bad) == ({}, {}, 0)


def test_what_is_there_is_not_asked_for_again(tmp_path: Path) -> None:
    times = read_times(written(tmp_path / "fills.jsonl", [a_fill(2 * HOUR_MS)]))
    fetched(a_past(TIMES), times, tmp_path / "out")
    before = files_of(tmp_path / "out")
    again = fetched(a_past(TIMES), times, tmp_path / "out")
    assert (again.n_requests, again.minutes_fetched) == (0, 0)
    assert again.minutes_before == 3 * 120
    assert files_of(tmp_path / "out") == before


def test_further_fills_bring_only_what_is_missing_and_the_same_bytes(tmp_path: Path) -> None:
    """An account goes on trading; who fetches each week has in the end what who fetches once has."""
    one, two = a_fill(2 * HOUR_MS), a_fill(30 * 60_000)
    few = read_times(written(tmp_path / "one.jsonl", [one]))
    all_ = read_times(written(tmp_path / "two.jsonl", [one, two]))
    fetched(a_past(TIMES), few, tmp_path / "steps")
    further = fetched(a_past(TIMES), all_, tmp_path / "steps")
    # An hour and a half before the first span, the day before included; the exchange's list as well.
    assert further.minutes_fetched == 3 * 90
    fetched(a_past(TIMES), all_, tmp_path / "whole")
    assert files_of(tmp_path / "steps") == files_of(tmp_path / "whole")


def test_rows_written_in_small_steps_are_the_same(tmp_path: Path) -> None:
    times = read_times(written(tmp_path / "fills.jsonl", [a_fill(2 * HOUR_MS)]))
    minutes = [HOUR_MS + at * 60_000 for at in range(110)] * 12  # more than a page of trades
    fetched(a_past(minutes, ["QTUM/BTC"]), times, tmp_path / "small", kept_rows=50)
    whole = fetched(a_past(minutes, ["QTUM/BTC"]), times, tmp_path / "whole")
    assert whole.n_rows["trades"] == len(minutes)
    assert files_of(tmp_path / "small") == files_of(tmp_path / "whole")


@pytest.mark.parametrize(
    "fault", [Fault.RATE_LIMIT, Fault.SERVER_ERROR, Fault.LOST_ANSWER, Fault.SHORT_PAGE, Fault.CUT_BODY]
)
def test_nothing_is_missing_after_faults(fault: Fault, tmp_path: Path) -> None:
    """A row that is missing here is a price that a thief can't be held against."""
    times = read_times(written(tmp_path / "fills.jsonl", [a_fill(2 * HOUR_MS), a_fill(DAY_MS)]))
    faults = Faults(5, {fault: 0.3})
    clock = QuickClock()
    fetched(a_past(TIMES), times, tmp_path / "faulty", faults=faults, clock=clock, chance=random.Random(1))
    assert faults.happened[fault] >= 3
    fetched(a_past(TIMES), times, tmp_path / "whole")
    assert files_of(tmp_path / "faulty") == files_of(tmp_path / "whole")
    if fault is not Fault.SHORT_PAGE:
        assert clock.slept


def test_it_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    times = read_times(written(tmp_path / "fills.jsonl", [a_fill(2 * HOUR_MS)]))
    clock = QuickClock()
    faults = Faults(5, {Fault.RATE_LIMIT: 0.3}, retry_after_s=77)
    fetched(a_past(TIMES), times, tmp_path / "out", faults=faults, clock=clock)
    told = [seconds for seconds in clock.slept if seconds >= 77]
    assert told
    assert all(seconds < 78 for seconds in told)


def test_an_exchange_that_stays_away_is_left_with_what_came(tmp_path: Path) -> None:
    times = read_times(written(tmp_path / "fills.jsonl", [a_fill(2 * HOUR_MS)]))
    faults = Faults()
    clock = QuickClock()

    def fail_soon(doing: str, done: int, total: int | None) -> None:
        if done:
            faults.set({Fault.SERVER_ERROR: 1.0})

    with pytest.raises(VenueError, match="goes on from there"):
        fetched(a_past(TIMES), times, tmp_path / "out", faults=faults, clock=clock, progress=fail_soon)
    assert 1 <= sum(name.endswith(".parquet") for name in files_of(tmp_path / "out")) < 3
    assert max(clock.slept) <= 60
    rest = fetched(a_past(TIMES), times, tmp_path / "out")
    assert rest.minutes_before > 0
    fetched(a_past(TIMES), times, tmp_path / "whole")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_what_cannot_be_had_is_told(tmp_path: Path) -> None:
    fills = [
        a_fill(2 * HOUR_MS),
        a_fill(HOUR_MS, "GONE/BTC"),
        a_fill(HOUR_MS, exchange="kraken"),
        a_fill(20 * DAY_MS),
    ]
    found = fetched(
        a_past(TIMES),
        read_times(written(tmp_path / "fills.jsonl", fills)),
        tmp_path / "out",
        what=What.TRADES,
    )
    assert found.plan.unlisted == {"GONE/BTC": 1}
    assert found.plan.elsewhere == {"kraken": 1}
    late = START_MS + 20 * DAY_MS
    assert found.nothing["trades", "QTUM/BTC"] == [Span(late - HOUR_MS, late + HOUR_MS)]
    assert not (tmp_path / "out" / "candles").exists()
    again = fetched(a_past(TIMES), read_times(tmp_path / "fills.jsonl"), tmp_path / "out", what=What.TRADES)
    assert again.n_requests == 0, "that there was nothing is remembered"


def test_rows_name_the_exchange_as_the_fills_do(tmp_path: Path) -> None:
    """Rows of `binance` would be another market than fills without an exchange, and tell nothing of it."""
    fills = [a_fill(2 * HOUR_MS, exchange="binance")]
    fetched(a_past(TIMES), read_times(written(tmp_path / "fills.jsonl", fills)), tmp_path / "out")
    trades = rows_of(tmp_path / "out" / "trades", "binance.QTUM%2FBTC")
    assert {row["exchange"] for row in trades} == {"binance"}


def test_replay_takes_it_and_sees(tmp_path: Path) -> None:
    minutes = [HOUR_MS + at * 60_000 for at in range(0, 120, 2)]
    fills = written(tmp_path / "fills.jsonl", [a_fill(2 * HOUR_MS + at) for at in (1, 500)])
    alone = replay_tables(TablePaths(fills=str(fills)), tmp_path / "alone")
    found = fetched(a_past(minutes), read_times(fills), tmp_path / "out")
    seen = replay_tables(TablePaths(fills=str(fills), **found.folders), tmp_path / "seen")
    assert alone.n_blind >= 1
    assert seen.n_blind == 0
    assert seen.notes == []
    assert seen.rejects == 0


def test_a_folder_of_another_exchange_or_kind_is_left_alone(tmp_path: Path) -> None:
    times = read_times(written(tmp_path / "fills.jsonl", [a_fill(2 * HOUR_MS)]))
    file = tmp_path / "out" / "trades" / "QTUM%2FBTC.2025-06-16.parquet"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"mine")
    with pytest.raises(InputError, match="move it away"):
        fetched(a_past(TIMES), times, tmp_path / "out")
    assert file.read_bytes() == b"mine"
