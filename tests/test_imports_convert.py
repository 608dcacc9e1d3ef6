"""Texts of exports: what each is read as, and which could be one of two and so are not read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.imports.convert import (
    LIQUIDITY,
    NUMBER,
    SIDE,
    SIZE,
    TIME,
    TURNED,
    TYPE,
    Converter,
    Manner,
    day_first_of,
    decimal_of,
    number_text,
    time_ns,
)


@pytest.mark.parametrize(
    ("text", "decimal", "made"),
    [
        ("1,234.56", ".", "1234.56"),
        ("1.234,56", ".", "1234.56"),
        ("1.234.567,5", ",", "1234567.5"),
        ("1,234,567", ",", "1234567"),
        ("1,234", ".", "1234"),
        ("1,234", ",", "1.234"),
        ("1,234", "", None),
        ("1.234", ".", "1.234"),
        ("1.234", ",", "1234"),
        ("1.234", "", None),
        ("0,500", ".", "0.500"),
        ("12,5", ".", "12.5"),
        ("1 234,5", ",", "1234.5"),
        ("1\u202f234.5", ".", "1234.5"),
        ("1'234.5", ".", "1234.5"),
        ("$65,000.00", ".", "65000.00"),
        ("-$5", ".", None),
        ("+1.5", ".", "1.5"),
        ("\u22121.5", ".", "-1.5"),
        ("1e-8", ".", "1e-8"),
        ("2.0E-7", ".", "2.0E-7"),
        ("--", ".", ""),
        ("12,34,5", ".", None),
        ("1,23.4", ".", None),
        ("1.2.3", ".", None),
        ("abc", ".", None),
        ("0.5BTC", ".", None),
        ("\u0661", ".", None),
    ],
)
def test_a_number_is_read_or_left(text: str, decimal: str, made: str | None) -> None:
    assert number_text(text, decimal) == made


@given(st.decimals(min_value=0, max_value=10**12, places=4), st.sampled_from([".", ","]))
def test_grouped_numbers_come_back(number: object, decimal: str) -> None:
    """A thousandfold amount is how a separator that was misread shows."""
    text = f"{number:,.4f}"
    if decimal == ",":
        text = text.translate(str.maketrans(",.", ".,"))
    made = number_text(text, decimal)
    assert made is not None
    assert float(made) == float(f"{number:.4f}")


@given(st.text())
def test_any_text_is_read_or_left(text: str) -> None:
    for decimal in (".", ",", ""):
        made = number_text(text, decimal)
        assert made is None or made == "" or float(made) is not None
    ns = time_ns(text, Manner())
    assert ns is None or 0 <= ns < 2**63


@pytest.mark.parametrize(
    ("texts", "decimal"),
    [
        (["1.5", "1,234.5"], "."),
        (["1,5", "1.234"], ","),
        (["1.234", "5"], "."),
        (["1,5", "1.5"], ""),
        ([], "."),
        (["2024-01-01", "0.5BTC", "1,2"], ","),
    ],
)
def test_a_files_beginning_shows_its_decimal_separator(texts: list[str], decimal: str) -> None:
    assert decimal_of(texts) == decimal


BERLIN = Manner(zone=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("text", "manner", "iso"),
    [
        ("2024-03-05 09:14:22", Manner(), "2024-03-05T09:14:22"),
        ("2024-03-05T09:14:22.123Z", Manner(), "2024-03-05T09:14:22.123"),
        ("2024/3/5 9:14", Manner(), "2024-03-05T09:14:00"),
        ("24-03-05 09:14:22", Manner(), "2024-03-05T09:14:22"),
        ("08:22 2026-06-05", Manner(), "2026-06-05T08:22:00"),
        ("2024年3月5日 09:14:22", Manner(), "2024-03-05T09:14:22"),
        ("Mar 5, 2024 1:02:03 PM", Manner(), "2024-03-05T13:02:03"),
        ("5 Mar 2024 12:00 AM", Manner(), "2024-03-05T00:00:00"),
        ("2024-12-19 17:59:59 UTC", BERLIN, "2024-12-19T17:59:59"),
        ("2024-12-19 17:59:59+08:00", BERLIN, "2024-12-19T09:59:59"),
        ("2024-12-19 17:59:59 (UTC+8)", Manner(), "2024-12-19T09:59:59"),
        ("2024-07-01 12:00:00", BERLIN, "2024-07-01T10:00:00"),
        ("2024-01-01 12:00:00", BERLIN, "2024-01-01T11:00:00"),
        ("25/04/2024 10:00", Manner(), "2024-04-25T10:00:00"),
        ("04/25/2024 10:00", Manner(), "2024-04-25T10:00:00"),
        ("03/04/2024 10:00", Manner(day_first=True), "2024-04-03T10:00:00"),
        ("03/04/2024 10:00", Manner(day_first=False), "2024-03-04T10:00:00"),
        ("03/04/2024 10:00", Manner(), None),
        ("17.11.2021 10:21:26", Manner(), "2021-11-17T10:21:26"),
        ("1709630062", Manner(), "2024-03-05T09:14:22"),
        ("1709630062123", Manner(), "2024-03-05T09:14:22.123"),
        ("1709630062123456", Manner(), "2024-03-05T09:14:22.123456"),
        ("45356.38", Manner(), None),
        ("2024-02-30 00:00:00", Manner(), None),
        ("2024-03-05 25:00:00", Manner(), None),
        ("13:00 PM 2024", Manner(), None),
        ("Foo 5, 2024", Manner(), None),
        ("2024-12-19 17:59:59+99:00", Manner(), None),
    ],
)
def test_a_time_is_read_or_left(text: str, manner: Manner, iso: str | None) -> None:
    expected = None
    if iso is not None:
        since = datetime.fromisoformat(iso).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        expected = since // timedelta(microseconds=1) * 1000
    assert time_ns(text, manner) == expected


@given(
    st.lists(
        st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1)).map(lambda t: t.replace(microsecond=0)),  # noqa: DTZ001
        min_size=1,
        max_size=5,
    ),
    st.integers(-12, 14),
)
def test_a_column_is_read_as_each_of_its_times(times: list[datetime], hours: int) -> None:
    zone = timezone(timedelta(hours=hours)) if hours else UTC
    texts = [str(time) for time in times]
    column, bad = TIME.read(pa.array(texts), Manner(zone=zone))
    assert not bad.any()
    assert column.cast(pa.int64()).to_pylist() == [time_ns(text, Manner(zone=zone)) for text in texts]


def test_dates_tell_which_part_is_the_day() -> None:
    assert day_first_of(["03/04/2024", "25/04/2024"]) is True
    assert day_first_of(["03/04/2024", "04/25/2024"]) is False
    assert day_first_of(["03/04/2024"]) is None
    assert day_first_of(["25/04/2024", "04/25/2024"]) is None


@pytest.mark.parametrize(
    ("converter", "texts", "made", "bad"),
    [
        (
            SIDE,
            ["BUY", "Sell", "买入", "賣出", "Kauf", "Verkauf", "compra"],
            "buy sell buy sell buy sell buy",
            [],
        ),
        (SIDE, ["hold", "buy"], None, [0]),
        (TYPE, ["LIMIT", "Market", "limit_maker", "市价"], "limit market limit market", []),
        (LIQUIDITY, ["MAKER", "Taker"], "maker taker", []),
        (NUMBER, ["1.5", "1,000.5"], "1.5 1000.5", []),
        (SIZE, ["-1.5", "2"], "1.5 2", []),
        (TURNED, ["-1.5", "2", "0"], "1.5 -2 0", []),
    ],
)
def test_columns(converter: Converter, texts: list[str], made: str | None, bad: list[int]) -> None:
    column, unread = converter.read(pa.array(texts), Manner())
    assert [at for at, it in enumerate(unread) if it] == bad
    if made is not None:
        assert column.to_pylist() == made.split()


def test_what_is_absent_stays_absent() -> None:
    for converter in (SIDE, TYPE, LIQUIDITY, NUMBER, SIZE, TIME):
        column, bad = converter.read(pa.array([None, "--"]), Manner())
        assert column.null_count == 2
        assert not bad.any()


def test_an_unknown_order_type_is_absent_but_not_bad() -> None:
    column, bad = TYPE.read(pa.array(["stop-loss"]), Manner())
    assert column.to_pylist() == [None]
    assert not bad.any()
