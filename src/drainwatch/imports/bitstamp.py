"""Bitstamp's transactions: the old export with coins in the cells, and the one called RFC 4180. UTC.

Both list everything that happened; rows of the type Market are the fills.
"""

from __future__ import annotations

from typing import Final

from drainwatch.imports.convert import NUMBER, TIME, number_text
from drainwatch.imports.importer import Column, Importer, Stranger
from drainwatch.imports.work import Work

FILLS: Final = frozenset({"market", "instant", "limit"})
"""`Type` of fills, in lower case: all of them are Market, whatever their order was."""


def split_unit(text: str | None) -> tuple[str | None, str | None]:
    """Split `0.25 BTC` into number and coin; a text that is none stays whole, to be told as bad."""
    if text is None:
        return None, None
    number, _, unit = text.strip().rpartition(" ")
    read = number_text(number) if unit.isalnum() and not unit[:1].isdecimal() else None
    return (read, unit.upper()) if read else (number_text(text) or text, None)


def _fills(work: Work) -> None:
    kinds = work.texts("_kind")
    work.leave(
        [kind or "row without a type" if (kind or "").casefold() not in FILLS else None for kind in kinds]
    )


def _units(work: Work) -> None:
    """Take numbers and coins apart; what is bought is named with its amount, what it costs with its value."""
    for name, coins in (
        ("amount", "_base"), ("cost", "_quote"), ("price", "_price_coin"), ("fee_cost", "fee_currency"),
    ):  # fmt: skip
        split = [split_unit(text) for text in work.texts(name)]
        work.set(name, [number for number, _ in split])
        work.set(coins, [unit for _, unit in split])


def _markets(work: Work) -> None:
    work.each(
        "symbol", ["_base", "_quote"], lambda base, quote: f"{base}/{quote}" if base and quote else None
    )


_WHERE: Final = "Transactions, Export"

IMPORTERS = (
    Importer(
        name="bitstamp",
        title="Bitstamp transactions (RFC 4180)",
        exchange="bitstamp",
        where=f"{_WHERE}, RFC 4180",
        columns=(
            Column("id", ("ID",)),
            Column("_kind", ("Type",)),
            Column("side", ("Subtype",)),
            Column("timestamp", ("Datetime",), TIME),
            Column("amount", ("Amount",), NUMBER),
            Column("_base", ("Amount currency",)),
            Column("cost", ("Value",), NUMBER),
            Column("_quote", ("Value currency",)),
            Column("price", ("Rate",), NUMBER),
            Column("fee_cost", ("Fee",), NUMBER),
            Column("fee_currency", ("Fee currency",)),
            Column("order", ("Order ID",), needed=False),
        ),
        others=("Account", "Rate currency"),
        quirks=(_fills, _markets),
    ),
    Importer(
        name="bitstamp-old",
        title="Bitstamp transactions",
        exchange="bitstamp",
        where=_WHERE,
        columns=(
            Column("_kind", ("Type",)),
            Column("timestamp", ("Datetime",), TIME),
            Column("amount", ("Amount",)),
            Column("cost", ("Value",)),
            Column("price", ("Rate",)),
            Column("fee_cost", ("Fee",)),
            Column("side", ("Sub Type",)),
        ),
        others=("Account",),
        marks=("Sub Type",),
        quirks=(_fills, _units, _markets),
    ),
)
STRANGERS: tuple[Stranger, ...] = ()
