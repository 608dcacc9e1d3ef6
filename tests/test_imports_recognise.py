"""Which export a file is; what is said where nobody can tell."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.errors import InputError
from drainwatch.imports.catalogue import IMPORTERS, STRANGERS
from drainwatch.imports.importer import Column, Importer, Match, Stranger
from drainwatch.imports.plain import COLUMNS
from drainwatch.imports.recognise import listed, mapped, parse_maps, recognise, why
from drainwatch.imports.sheet import Sheet

ONE = Importer(
    name="one", title="One's trades", columns=(Column("price", ("Price",)), Column("amount", ("Amount",)))
)
TWO = Importer(
    name="two", title="Two's trades", columns=(Column("price", ("Price",)), Column("cost", ("Amount",)))
)
MORE = Importer(
    name="more",
    title="More trades",
    columns=(Column("price", ("Price",)), Column("amount", ("Amount",)), Column("side", ("Side",))),
)


def sheet(*header: str, part: str = "") -> Sheet:
    """Make a sheet that has only a header."""
    return Sheet("f.csv", list(header), lambda _: iter(()), part=part)


def test_the_importer_that_knows_most_columns_is_taken() -> None:
    found = recognise(sheet("Side", "Price", "Amount"), [ONE, MORE])
    assert isinstance(found, Match)
    assert found.importer is MORE
    assert why(found) == "columns Price, Amount and Side"


def test_two_that_fit_alike_are_asked_about() -> None:
    with pytest.raises(InputError, match=r"f\.csv: the columns fit One's trades \(--format one\) or Two's"):
        recognise(sheet("Price", "Amount"), [ONE, TWO])
    found = recognise(sheet("Price", "Amount"), [ONE, TWO], only="two")
    assert isinstance(found, Match)
    assert found.importer is TWO


def test_an_unknown_file_is_told_what_it_lacks_and_how_to_go_on() -> None:
    with pytest.raises(InputError) as caught:
        recognise(sheet("Price", "Qty"), [ONE])
    said = str(caught.value)
    assert "f.csv: no export that is known has its columns: Price and Qty." in said
    assert "Nearest is One's trades, but there is no column Amount (amount)." in said
    assert "--map price=COLUMN" in said


def test_a_file_with_too_much_that_is_unknown_is_not_guessed_at() -> None:
    with pytest.raises(InputError, match=r"doesn't know A, B and C \(--format one takes it for that\)"):
        recognise(sheet("Price", "Amount", "A", "B", "C"), [ONE])


def test_a_stranger_is_told_as_one() -> None:
    stranger = Stranger(title="A ledger", columns=("Balance",), instead="take the trades")
    assert recognise(sheet("Price", "Amount", "Balance"), [ONE], [stranger]) is stranger


def test_a_table_of_a_database_is_only_told_by_importers_of_it() -> None:
    with pytest.raises(InputError, match="no export that is known"):
        recognise(sheet("Price", "Amount", part="orders"), [ONE])


def test_a_forced_format() -> None:
    with pytest.raises(InputError, match=r"--format three: expected one of one, two"):
        recognise(sheet("Price"), [ONE, TWO], only="three")
    with pytest.raises(
        InputError, match=re.escape("f.csv: no One's trades: there is no column Amount (amount)")
    ):
        recognise(sheet("Price"), [ONE], only="one")


@given(st.lists(st.text(max_size=12), max_size=12))
def test_any_header_is_told_or_refused_with_a_way_out(header: list[str]) -> None:
    try:
        found = recognise(sheet(*header), IMPORTERS, STRANGERS)
    except InputError as error:
        said = str(error)
    else:
        assert isinstance(found, Match | Stranger)
        return
    assert "--map" in said or "--format" in said
    assert said.isprintable()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("price", "expected OURS=THEIRS"),
        ("price=", "expected OURS=THEIRS"),
        ("price==", "expected OURS=THEIRS"),
        ("prize=Px", "before the =, found 'prize'"),
    ],
)
def test_a_mapping_that_cant_be_understood(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_maps([text], COLUMNS)


def test_a_column_mapped_twice_is_refused() -> None:
    with pytest.raises(InputError, match="mapped twice"):
        parse_maps(["price=A", "price=B"], COLUMNS)


def test_a_mapping_goes_before_what_was_found() -> None:
    found = Match(ONE, {"price": "Price"}, (ONE.columns[1],), ("Px", "Qty"))
    told = parse_maps(["price=px", "amount=Qty", "symbol==BTC/USDT"], COLUMNS)
    made = mapped(found, told, sheet("Price", "Px", "Qty"), COLUMNS)
    assert made.found == {"price": "Px", "amount": "Qty"}
    assert made.constants == {"symbol": "BTC/USDT"}
    assert made.missing == ()
    with pytest.raises(InputError, match=r"--map price=Pz: no such column; found Price, Px and Qty"):
        mapped(found, {"price": "Pz"}, sheet("Price", "Px", "Qty"), COLUMNS)


def test_names_from_outside_are_shown_without_steering_anything() -> None:
    assert listed(["a\x1b[31m", "b"]) == "a\ufffd[31m and b"
    assert listed([]) == "none"
    assert listed(str(i) for i in range(40)).endswith("29 and 10 more")
