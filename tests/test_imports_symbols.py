"""Names of markets: merged, separated, dated."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.imports.binance import name_future
from drainwatch.imports.bybit import name_contract
from drainwatch.imports.kraken import name_pair
from drainwatch.imports.okx import name_market
from drainwatch.imports.symbols import expiry, fee_in_what_came, name_spot, split_pair, spot
from drainwatch.imports.work import Tally, Work


@pytest.mark.parametrize(
    ("pair", "symbol"),
    [
        ("BTCUSDT", "BTC/USDT"),
        ("btcusdt", "BTC/USDT"),
        ("1INCHUSDT", "1INCH/USDT"),
        ("BTCFDUSD", "BTC/FDUSD"),
        ("DOTUSD", "DOT/USD"),
        ("ARBUSD", "ARB/USD"),
        ("AVAXUSD", "AVAX/USD"),
        ("USDCUSDT", "USDC/USDT"),
        ("ETHBTC", "ETH/BTC"),
        ("BNBETH", "BNB/ETH"),
        ("BTC-USD", "BTC/USD"),
        ("BTC_EUR", "BTC/EUR"),
        ("BTC / EUR", "BTC/EUR"),
        ("USDT", None),
        ("FOO", None),
        ("", None),
        (None, None),
        ("A-B-C", None),
    ],
)
def test_a_spot_pair(pair: str | None, symbol: str | None) -> None:
    assert spot(pair) == symbol


@given(st.text(max_size=20))
def test_any_text_is_a_pair_or_none(text: str) -> None:
    found = split_pair(text)
    assert found is None or (found[0] and found[1])
    for name in (name_future, name_contract, name_pair, name_market):
        assert isinstance(name(text), str)


@pytest.mark.parametrize(
    ("text", "made"),
    [("240329", "240329"), ("20240329", "240329"), ("29MAR24", "240329"), ("9MAR24", "240309"), ("X", None)],
)
def test_an_expiry(text: str, made: str | None) -> None:
    assert expiry(text) == made


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("BTCUSDT", "BTC/USDT:USDT"),
        ("1000PEPEUSDC", "1000PEPE/USDC:USDC"),
        ("BTCUSD_PERP", "BTC/USD:BTC"),
        ("BTCUSD_240329", "BTC/USD:BTC-240329"),
        ("BTCUSDT_240329", "BTC/USDT:USDT-240329"),
        ("BTCUSDT Perpetual", "BTC/USDT:USDT"),
        ("ETHBTC", "ETH/BTC:BTC"),
        ("???", "???"),
    ],
)
def test_binances_futures(text: str, symbol: str) -> None:
    assert name_future(text) == symbol


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("BTCUSDT", "BTC/USDT:USDT"),
        ("BTCPERP", "BTC/USDC:USDC"),
        ("BTCUSD", "BTC/USD:BTC"),
        ("BTC-27MAR26", "BTC/USDC:USDC-260327"),
        ("BTCUSDT-27MAR26", "BTC/USDT:USDT-260327"),
        ("BTCUSDH26", "BTCUSDH26"),
    ],
)
def test_bybits_contracts(text: str, symbol: str) -> None:
    assert name_contract(text) == symbol


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("XXBTZUSD", "BTC/USD"),
        ("XETHXXBT", "ETH/BTC"),
        ("XDGUSD", "DOGE/USD"),
        ("XBTUSDT", "BTC/USDT"),
        ("ADAXBT", "ADA/BTC"),
        ("DOTEUR", "DOT/EUR"),
        ("XBT/USD", "BTC/USD"),
        ("XTZUSD", "XTZ/USD"),
        ("USDTZUSD", "USDT/USD"),
    ],
)
def test_krakens_pairs(text: str, symbol: str) -> None:
    """A coin whose name begins with X is not one of the old codes: XTZ stays."""
    assert name_pair(text) == symbol


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("BTC-USDT", "BTC/USDT"),
        ("BTC-USDT-SWAP", "BTC/USDT:USDT"),
        ("BTC-USD-SWAP", "BTC/USD:BTC"),
        ("BTC-USD-240329", "BTC/USD:BTC-240329"),
    ],
)
def test_okxs_markets(text: str, symbol: str) -> None:
    assert name_market(text) == symbol


def test_a_fee_is_in_what_came_unless_told() -> None:
    columns = {"_pair": ["BTCUSDT"] * 3, "side": ["buy", "sell", "buy"], "fee_currency": [None, None, "BNB"]}
    arrays = {name: pa.array(cells, pa.string()) for name, cells in columns.items()}
    work = Work(np.arange(1, 4), arrays, {}, Tally())
    name_spot(work)
    fee_in_what_came(work)
    assert work.texts("fee_currency") == ["BTC", "USDT", "BNB"]
