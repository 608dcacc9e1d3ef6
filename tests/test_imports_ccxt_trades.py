"""What ccxt's `fetch_my_trades` gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import foreign
from drainwatch.imports.ccxt_trades import client_id, only_fee


def test_a_list_and_lines_give_the_same_fills(tmp_path: Path) -> None:
    told = foreign.read(foreign.FILES / "ccxt.json")
    lines = tmp_path / "trades.jsonl"
    trades = json.loads((foreign.FILES / "ccxt.json").read_text("utf-8"))
    lines.write_text("".join(json.dumps(trade) + "\n" for trade in trades))
    got = foreign.read(lines)
    assert got.importer == told.importer == "ccxt"
    assert got.rows == told.rows
    assert [(row.get("client_order_id"), row["fee_currency"]) for row in told.rows] == [
        ("grid-17", "USDT"),
        (None, "BNB"),
    ]


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
