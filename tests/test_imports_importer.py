"""Columns' names: what is the same name, what it tells of the zone, and what a header lacks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.imports.importer import Column, Importer, match, plain, zone_minutes

ONE = Importer(
    name="one",
    title="One",
    columns=(
        Column("price", ("Price", "Kurs")),
        Column("amount", ("Amount",)),
        Column("cost", ("Total",), needed=False),
    ),
    others=("Notes",),
)


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("Date(UTC)", "date"),
        ("Filled Time(UTC+08:00)", "filledtime"),
        ("Timestamp (UTC+0)", "timestamp"),
        ("UTC_Time", "time"),
        ("\ufeffid", "id"),
        ("price/fee/total unit", "pricefeetotalunit"),
        ("时间(UTC)", "时间"),
        ("Ｐｒｉｃｅ", "price"),  # noqa: RUF001 - full width, as Japanese exports have it
        (" Order No. ", "orderno"),
    ],
)
def test_one_name_however_it_is_written(name: str, same: str) -> None:
    assert plain(name) == same


@pytest.mark.parametrize(
    ("name", "minutes"),
    [
        ("Date(UTC)", 0),
        ("Time(UTC+8)", 480),
        ("Time(UTC-03:30)", -210),
        ("Time (GMT+0530)", 330),
        ("Binance-Spot-202601(UTC+9).csv", 540),
        ("Time Zone:UTC+3", 180),
        ("Time", None),
        ("cutcost", None),
    ],
)
def test_a_name_tells_its_zone(name: str, minutes: int | None) -> None:
    assert zone_minutes(name) == minutes


def test_a_header_is_matched() -> None:
    found = match(ONE, ["notes", "KURS", "Amount", "Extra"])
    assert found.found == {"price": "KURS", "amount": "Amount"}
    assert found.missing == ()
    assert found.unknown == ("Extra",)


def test_what_a_header_lacks_is_told() -> None:
    assert [column.to for column in match(ONE, ["Kurs"]).missing] == ["amount"]


@given(st.lists(st.text(max_size=8), max_size=8))
def test_any_header_is_matched_or_not(header: list[str]) -> None:
    found = match(ONE, header)
    assert set(found.found.values()) <= set(header)
    assert not set(found.unknown) & set(found.found.values())
