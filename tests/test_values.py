"""Values as others write them: read exactly, and never depending on their neighbours."""

from __future__ import annotations

import datetime as dt
import math
import struct
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch import values

T0 = 1_570_752_000_123_000_000
ISO_LIKE = st.from_regex(
    r"20[0-9]{2}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9](:[0-5][0-9](:[0-5][0-9]([.][0-9]{1,10})?)?)?)?"
    r"(Z|[+-][0-9]{2}:?[0-9]{2})?",
    fullmatch=True,
)
ODD = st.one_of(
    st.sampled_from(
        ["", " ", "nan", "inf", "-inf", "1_0", "0x10", "+5", "5.", ".5", "1e3", "1e400", "\u0661", "-0"]
    ),
    st.text(max_size=8),
    st.floats().map(repr),
    st.integers().map(str),
    ISO_LIKE,
)


@pytest.mark.parametrize(
    ("written", "ns"),
    [
        (1570752000123, T0),
        (1570752000123.0, T0),
        (1570752000123.456, T0 + 456_000),
        ("1570752000123", T0),
        ("1570752000123.456", T0 + 456_000),
        (" 1.570752000123e12 ", T0),
        ("2019-10-11T00:00:00.123Z", T0),
        ("2019-10-11 00:00:00.123", T0),
        ("2019-10-11T00:00:00.123456789", T0 + 456_789),
        ("2019-10-11T00:00:00.1234567899Z", T0 + 456_789),
        ("2019-10-11T02:00:00.123+02:00", T0),
        ("2019-10-10T18:30:00.123-0530", T0),
        ("2019-10-11T02:00:00,123+02", T0),
        ("20191011T000000.123Z", T0),
        ("2019-10-11 00:00:00.123 UTC", T0),
        ("2019-10-11", T0 - 123_000_000),
        (0, 0),
        (dt.datetime.fromisoformat("2019-10-11 00:00:00.123"), T0),
        (dt.datetime(2019, 10, 11, 2, 0, 0, 123000, dt.timezone(dt.timedelta(hours=2))), T0),
        (dt.date(2019, 10, 11), T0 - 123_000_000),
    ],
)
def test_times_are_read(written: object, ns: int) -> None:
    got, bad = values.times(pa.array([written, None]))
    assert got.tolist() == [ns, -1]
    assert bad.tolist() == [False, False]


@pytest.mark.parametrize(
    "written",
    [
        -1,
        1570752000123456,
        10**18,
        "soon",
        "2019-13-01",
        "2019-02-30T00:00:00",
        "nan",
        "inf",
        math.inf,
        True,
        "2019-10-11T00:00:00+25:00",
        "2300-01-01",
        "2019-10-11T24:61",
        "1569-01-01",
    ],
)
def test_times_that_are_none(written: object) -> None:
    got, bad = values.times(pa.array([written]))
    assert (got.tolist(), bad.tolist()) == ([-1], [True])


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_stamps_of_any_unit_and_zone(unit: str) -> None:
    naive = pa.array([dt.datetime.fromisoformat("2019-10-11"), None]).cast(pa.timestamp(unit))
    zoned = naive.cast(pa.timestamp(unit, "America/New_York"))
    for array in (naive, zoned, naive.dictionary_encode()):
        got, bad = values.times(array)
        assert got.tolist() == [T0 - 123_000_000, -1]
        assert not bad.any()
    far = pa.array([2**62, -5], pa.int64()).cast(pa.timestamp(unit))
    got, bad = values.times(far)
    assert bad.tolist() == [unit != "ns", True]


@pytest.mark.parametrize("kind", [pa.int32(), pa.uint64(), pa.float64(), pa.string(), pa.large_string()])
def test_times_in_any_type_of_number(kind: pa.DataType) -> None:
    got, bad = values.times(pa.array([86_400_000, None], pa.int64()).cast(kind))
    assert got.tolist() == [86_400 * 10**9, -1]
    assert not bad.any()


def test_unsigned_times_may_be_too_large() -> None:
    assert values.times(pa.array([2**64 - 1, 5], pa.uint64())).values.tolist() == [-1, 5_000_000]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back_as_the_same_float(x: float) -> None:
    for array in (pa.array([repr(x)]), pa.array([x]), pa.array([repr(x), "abc"])):
        got = values.numbers(array).values[0]
        assert struct.pack("d", got) == struct.pack("d", x + 0.0)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("5.84e-10", 5.84e-10),
        ("1e15", 1e15),
        ("+1.5", 1.5),
        (" 2 ", 2.0),
        (".5", 0.5),
        ("1E-12", 1e-12),
        (3, 3.0),
    ],
)
def test_numbers_are_read(written: object, number: float) -> None:
    got, bad = values.numbers(pa.array([written]))
    assert (got.tolist(), bad.tolist()) == ([number], [False])


@pytest.mark.parametrize("written", ["abc", "1,5", "1_0", "0x10", "--1", "1 2", "None", True])
def test_numbers_that_are_none(written: object) -> None:
    got, bad = values.numbers(pa.array([written, None]))
    assert np.isnan(got).all()
    assert bad.tolist() == [True, False]


def test_decimals_are_rounded_once() -> None:
    exact = Decimal("0.1000000000000000055511151231257827")
    assert values.numbers(pa.array([exact])).values.tolist() == [0.1]


def test_minus_zero_and_nan_have_one_form() -> None:
    got = values.numbers(pa.array([-0.0, math.nan])).values
    assert got.view(np.uint64).tolist() == np.array([0.0, np.nan]).view(np.uint64).tolist()


@given(st.lists(ODD, min_size=1, max_size=6))
def test_a_value_never_depends_on_its_neighbours(texts: list[str]) -> None:
    """Rows of any order and in any pieces must be read alike: fast and slow paths agree."""
    together = pa.array(texts)
    for read in (values.times, values.numbers, values.sides, values.truths, values.spans):
        whole = read(together)
        for i, text in enumerate(texts):
            alone = read(pa.array([text]))
            assert whole.values[i : i + 1].tobytes() == alone.values.tobytes(), (read.__name__, text)
            assert whole.bad[i] == alone.bad[0], (read.__name__, text)


@pytest.mark.parametrize(
    ("array", "ids"),
    [
        (pa.array([123, None]), ["123", None]),
        (pa.array([123.0, math.nan]), ["123", None]),
        (pa.array([-7.0, -0.0]), ["-7", "0"]),
        (pa.array(["-7.0", "-0.0", "-0.5"]), ["-7", "0", "-0.5"]),
        (pa.array(["123.0", " a ", ""]), ["123", "a", None]),
        (pa.array(["1.50", "x.0", "1.0.0"]), ["1.50", "x.0", "1.0.0"]),
        (pa.array([2**64 - 1], pa.uint64()), [str(2**64 - 1)]),
        (pa.array(["b", "b"]).dictionary_encode(), ["b", "b"]),
        (pa.array([b"\xff1"]), ["\\xff1"]),
        (pa.array([45.5, 1e300]), ["45.5", "1e+300"]),
        (pa.array([True]), ["true"]),
        (pa.nulls(1), [None]),
        (pa.array(["x"], pa.large_string()), ["x"]),
    ],
)
def test_ids_are_the_same_text_from_any_type(array: pa.Array, ids: list[str | None]) -> None:
    assert values.ids(array).to_pylist() == ids


def test_sides_in_any_case() -> None:
    got, bad = values.sides(pa.array(["buy", "SELL", " Buy ", "", None, "b", "bid"]))
    assert got.tolist() == [1, -1, 1, 0, 0, 0, 0]
    assert bad.tolist() == [False] * 5 + [True] * 2


def test_truths() -> None:
    got, bad = values.truths(pa.array(["True", "0", "FALSE", "1", "", "yes"]))
    assert got.tolist() == [1, 0, 0, 1, -1, -1]
    assert bad.tolist() == [False] * 5 + [True]
    assert values.truths(pa.array([True, False, None])).values.tolist() == [1, 0, -1]
    assert values.truths(pa.array([1.0, 0.0, None])).values.tolist() == [1, 0, -1]
    assert values.truths(pa.array(["1.0", "0.0", ""])).values.tolist() == [1, 0, -1]  # the same as CSV


def test_timeframes() -> None:
    got, bad = values.spans(pa.array(["1m", "4h", "1d", "1M", "1w", None, "0m", "m", "1min", "999999y"]))
    s = 10**9
    assert got.tolist() == [60 * s, 14_400 * s, 86_400 * s, 31 * 86_400 * s, 7 * 86_400 * s, 0, 0, 0, 0, 0]
    assert bad.tolist() == [False] * 6 + [True] * 4


def test_a_time_beyond_pythons_is_still_shown() -> None:
    assert values.texts(pa.array([2**62], pa.int64()).cast(pa.timestamp("s"))).to_pylist()[0]
