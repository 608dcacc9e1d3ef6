"""What ccxt's `fetch_my_trades` gives."""

from __future__ import annotations

import pytest

import foreign
from drainwatch.imports.ccxt_trades import client_id, only_fee


@pytest.mark.parametrize("name", ["ccxt.json", "ccxt.jsonl"])
def test_list_and_lines_give_the_golden_fills(name: str) -> None:
    got = foreign.read(foreign.FILES / name)
    assert got.importer == "ccxt"
    assert got.rows == foreign.golden("ccxt")


@pytest.mark.parametrize(
    ("info", "found"),
    [
        ('{"clOrdId": "grid-1"}', "grid-1"),
        ('{"clientOid": 17}', "17"),
        ('{"orderLinkId": ""}', None),
        ('["orderLinkId"]', None),
        ("{", None),
        (None, None),
    ],
)
def test_owners_id_is_found_in_what_the_exchange_said(info: str | None, found: str | None) -> None:
    assert client_id(info) == found


@pytest.mark.parametrize(
    ("fees", "fee"),
    [
        ('[{"cost": 0.5, "currency": "USDT"}]', ("0.5", "USDT")),
        ('[{"cost": "0.25", "currency": "BNB"}, {"cost": 0.25, "currency": "BNB"}]', ("0.5", "BNB")),
        ('[{"cost": 0.5, "currency": "USDT"}, {"cost": 1, "currency": "BNB"}]', None),
        ('[{"cost": null, "currency": "USDT"}]', None),
        ('[1, "two"]', None),
        ("[]", None),
        (None, None),
    ],
)
def test_fees_of_one_coin_are_summed(fees: str | None, fee: tuple[str, str] | None) -> None:
    assert only_fee(fees) == fee
