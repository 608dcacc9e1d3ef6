"""Dates of single exchanges."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest

from drainwatch.imports.convert import Converter, Manner
from drainwatch.imports.dates import BROWSER_TIME, SHORT_TIME, is_padded


def days(converter: Converter, *texts: str | None, **manner: Any) -> list[str | None]:
    column, bad = converter.read(pa.array(texts, pa.string()), Manner(**manner))
    return [
        "bad" if is_bad else None if when is None else f"{when:%Y-%m-%d %H:%M:%S}"
        for when, is_bad in zip(column.to_pylist(), bad.tolist(), strict=True)
    ]


def test_browsers_that_pad_write_the_day_first() -> None:
    assert days(BROWSER_TIME, "06/01/2025 - 17:38:42", None) == ["2025-01-06 17:38:42", None]


def test_browsers_that_do_not_pad_write_the_month_first() -> None:
    assert days(BROWSER_TIME, "9/8/2025 - 14:59:56", "10/11/2025 - 08:00:00") == [
        "2025-09-08 14:59:56",
        "2025-10-11 08:00:00",
    ]


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (("13/02/2025 - 00:00:00", "05/06/2025 - 00:00:00"), "2025-02-13 00:00:00"),
        (("02/13/2025 - 00:00:00", "05/06/2025 - 00:00:00"), "2025-02-13 00:00:00"),
    ],
)
def test_a_day_beyond_the_twelfth_decides_for_the_whole_column(texts: tuple[str, ...], first: str) -> None:
    decided, other = days(BROWSER_TIME, *texts)
    assert decided == first
    assert other == ("2025-06-05 00:00:00" if texts[0].startswith("13") else "2025-05-06 00:00:00")


def test_what_the_file_showed_before_goes_before_padding() -> None:
    assert days(BROWSER_TIME, "06/01/2025 - 00:00:00", day_first=False) == ["2025-06-01 00:00:00"]


def test_zone_and_iso_are_kept() -> None:
    assert days(BROWSER_TIME, "2025-01-06 13:25:38.148000") == ["2025-01-06 13:25:38"]
    assert days(BROWSER_TIME, "06/01/2025 - 02:00:00", zone=timezone(timedelta(hours=2))) == [
        "2025-01-06 00:00:00"
    ]


def test_short_years_stand_at_the_end() -> None:
    assert days(SHORT_TIME, "05-03-24 13:20:43") == ["2024-03-05 13:20:43"]
    assert days(SHORT_TIME, "03-18-24 13:20:43", "03-05-24 00:00:00") == [
        "2024-03-18 13:20:43",
        "2024-03-05 00:00:00",
    ]
    assert days(SHORT_TIME, "2018-02-01 13:20:43") == ["2018-02-01 13:20:43"]


def test_what_is_no_time_is_bad() -> None:
    assert days(BROWSER_TIME, "soon", "31/31/2025 - 00:00:00") == ["bad", "bad"]
    assert days(SHORT_TIME, "soon", "99-99-24 00:00:00") == ["bad", "bad"]


def test_padding_is_seen_in_either_part() -> None:
    assert is_padded(["06/01/2025"])
    assert not is_padded(["6/01/2025"])
    assert not is_padded(["06/01/2025", "12/1/2025"])
