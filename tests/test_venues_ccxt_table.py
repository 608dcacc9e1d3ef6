"""What ccxt can do for each venue is read from ccxt itself."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from drainwatch.errors import ConfigError
from drainwatch.venues.catalogue import NATIVE
from drainwatch.venues.ccxt_table import Coverage, coverage_of, library, make, redirected, supported
from drainwatch.venues.protocol import Credentials


def test_the_table_names_every_venue_and_how_its_fills_come() -> None:
    table = supported()
    rest, _ = library()
    assert table.keys() >= set(rest.exchanges)
    assert table["kraken"] is Coverage.FILLS
    assert table["coinbase"] is Coverage.ORDERS
    assert table["bithumb"] is Coverage.ORDERS_ONLY
    assert sum(how is Coverage.FILLS for how in table.values()) >= 50
    assert set(table.values()) == set(Coverage)


def test_coverage_prefers_fills_to_orders_to_asking() -> None:
    assert coverage_of({"watchMyTrades": True, "watchOrders": True}) is Coverage.FILLS
    assert coverage_of({"watchOrders": True, "fetchMyTrades": True}) is Coverage.ORDERS
    assert coverage_of({"watchOrders": True}) is Coverage.ORDERS_ONLY
    assert coverage_of({"fetchMyTrades": True}) is Coverage.POLLED
    assert coverage_of({"fetchMyTrades": None}) is Coverage.NONE


def test_fills_negotiated_off_the_book_are_wanted_of_bybit() -> None:
    options = make("bybit", None, streams=True).options
    assert "BlockTrade" in options["watchMyTrades"]["execType"]


def test_binance_is_asked_for_its_own_kind_of_market_alone() -> None:
    for name, kind in (("binance", "spot"), ("binanceusdm", "linear"), ("binancecoinm", "inverse")):
        options = make(name, None, streams=False).options
        assert options["fetchMarkets"]["types"] == [kind]
        assert options["fetchCurrencies"] is False
        assert options["fetchMargins"] is False


def test_settings_and_addresses_are_taken_up_beside_ccxts_own() -> None:
    made = make(
        "binance", Credentials("k", "s", "p"), streams=False, urls={"public": "http://x"}, options={"a": 1}
    )
    assert made.urls["api"]["public"] == "http://x"
    assert made.urls["api"]["private"].startswith("https")
    assert made.options["a"] == 1
    assert (made.apiKey, made.secret, made.password) == ("k", "s", "p")
    assert make("binance", None, streams=False).urls["api"]["public"].startswith("https")


def test_requests_are_logged_by_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        made = make("binance", None, streams=False)
        made.logger.debug("planted %s", "signature")
        made.logger.warning("told")
    assert [record.message for record in caplog.records] == ["told"]


def test_an_unknown_venue_is_a_wrong_setting_and_so_is_one_without_streams() -> None:
    with pytest.raises(ConfigError, match="knows no such exchange"):
        make("mtgox", None, streams=False)
    rest, pro = library()
    without = next(name for name in rest.exchanges if name not in pro.exchanges)
    with pytest.raises(ConfigError, match="can't stream"):
        make(without, None, streams=True)


def test_another_host_takes_the_place_of_the_exchange() -> None:
    urls = {
        "public": "https://api.{hostname}/api/v3",
        "v5": {"private": "https://www.{hostname}"},
        "ws": "wss://stream",
        "none": None,
    }
    assert redirected(urls, "http://127.0.0.1:9/") == {
        "public": "http://127.0.0.1:9/api/v3",
        "v5": {"private": "http://127.0.0.1:9"},
        "ws": "wss://stream",
        "none": None,
    }


def test_the_page_of_exchanges_lists_what_ccxt_can_do() -> None:
    import ccxt  # type: ignore[import-untyped]

    page = (Path(__file__).parents[1] / "docs" / "venues.md").read_text()
    said = re.search(r"As of ccxt ([0-9.]+)", page)
    assert said is not None
    if said.group(1).rstrip(".") != ccxt.__version__:
        pytest.skip(f"the page is of ccxt {said.group(1)}, this is {ccxt.__version__}")
    listed = {
        name for line in page.splitlines() if line.startswith("- **") for name in re.findall(r"`(\w+)`", line)
    }
    can = {name for name, coverage in supported().items() if coverage is not Coverage.NONE}
    assert listed == can - NATIVE
