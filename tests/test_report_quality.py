"""What a report rests on: what was blind and why, and what would help most, is said without being asked."""

from __future__ import annotations

import numpy as np

from drainwatch.report.diary import DAY_MS, Diary
from drainwatch.report.quality import MAX_PAIRS, MAX_STRETCHES, hints, quality
from drainwatch.report.table import FillTable
from drainwatch.scores import NO_PRICE
from report_fakes import NASTY, START_MS, fill, fills


def test_pairs_that_were_blind_are_named_the_worst_first() -> None:
    rows = [fill(n, blind="no price") for n in range(3)]
    rows += [fill(n, symbol="A/B", blind="no price" if n else None) for n in range(8)]
    diary = Diary.of(FillTable(rows))
    made = quality(FillTable(rows), diary, {})
    assert made["pairs"] == [("A/B", "binance", "7", "88\u00a0%"), ("XRP/ETH", "binance", "3", "100\u00a0%")]
    first = hints(diary, {"fills": 11, "trades": 5, "orders": 1, "balances": 1})
    assert " ".join(first) == (
        "10 fills could not be judged. Trades, quotes or candles of A/B and XRP/ETH, from some hours before "
        "the first of them on, would change that."
    )


def test_reasons_of_blindness_are_told_in_full() -> None:
    made = quality(FillTable(None), Diary(), {"blind_reasons": {NO_PRICE: 3, "too_old": 5}})
    assert made["blind"] == [("Too old", "5"), ("N" + NO_PRICE[1:], "3")]


def test_what_would_help_most_comes_first() -> None:
    diary = Diary.of(FillTable(fills()))
    assert [hint.split(":")[0] for hint in hints(diary, {"fills": 14})] == [
        "No market data was given (trades, quotes or candles)",
        "No order log of the bot was given",
        "No balances were given",
    ]
    (only,) = hints(diary, dict.fromkeys(("fills", "candles", "orders", "balances"), 3))
    assert only.startswith("Of the market only candles were given")
    assert hints(diary, dict.fromkeys(("fills", "quotes", "orders", "balances"), 3)) == []


def test_dark_days_and_gaps_are_listed_and_the_rest_counted() -> None:
    rows = [
        fill(n, timestamp=START_MS + n * DAY_MS, blind=None if n % 2 else "no price")
        for n in range(4 * MAX_STRETCHES)
    ]
    diary = Diary.of(FillTable(rows))
    days = np.arange(0, 4 * MAX_STRETCHES, 2)
    diary.take_market(START_MS + np.concatenate([days * DAY_MS + n * 3_600_000 for n in range(9)]))
    made = quality(FillTable(rows), diary, {})
    assert made["dark"][0] == ("7 Mar 2018", "1", "1")
    assert (len(made["dark"]), made["more_dark"]) == (MAX_STRETCHES, MAX_STRETCHES)
    assert made["gaps"][0] == ("7 Mar 2018 23:00:00 UTC", "1 day 15 h", "1")
    assert (len(made["gaps"]), made["more_gaps"]) == (MAX_STRETCHES, MAX_STRETCHES)


def test_first_bad_row_names_its_file_without_the_way_there() -> None:
    row = {"table": "fills", "file": "/home/me/x.csv", "row": 12, "column": "price", "found": "\x1b[31m"}
    made = quality(FillTable(None), Diary(), {"bad_rows": [row | {"expected": "a number above 0"}]})
    assert made["bad_rows"] == [("x.csv, row 12, price", "\ufffd[31m", "a number above 0")]


def test_a_thousand_pairs_arent_listed() -> None:
    rows = [fill(n, symbol=f"{NASTY}{n}", blind="no price") for n in range(1_000)]
    made = quality(FillTable(rows), Diary.of(FillTable(rows)), {"counts": {"fills": 1_000, "trades": 1}})
    assert len(made["pairs"]) == MAX_PAIRS
    assert "and 997 more pairs" in made["hints"][0]
