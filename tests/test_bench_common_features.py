"""Features for generic detectors: what they are on hand-made tables, and that they don't look ahead."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench_accounts import START_MS, account, cut, fills, honest, prices
from drainwatch.bench.common_features import (
    FEATURES,
    MOST_ROWS,
    Filled,
    adverse_deviation,
    costs,
    feature_rows,
    last_market_price,
    logged,
    past_medians,
    pooled_rows,
    quote_currencies,
)
from drainwatch.bench.detectors import Seen

ETH, ALT = "ETH/USDT", "ALT/USDT"


def column(seen: Seen, name: str) -> list[float]:
    return [float(value) for value in feature_rows(seen)[:, FEATURES.index(name)]]


def test_last_price_is_of_the_best_table_that_has_one() -> None:
    own = fills((100, ETH, "buy", 10.0, 1.0), (200, ALT, "buy", 5.0, 1.0), (300, ALT, "buy", 6.0, 1.0))
    quotes = prices((50, ETH, 0.0)).drop(columns=["price", "amount"]).assign(bid=9.0, ask=11.0)
    trades = prices((60, ETH, 12.0), (150, ALT, 4.0))
    seen = Seen(own, {"quotes": quotes, "trades": trades}, "quotes")
    assert last_market_price(seen).tolist() == [10.0, 4.0, 4.0]
    assert last_market_price(Seen(own, {"trades": trades}, "trades")).tolist() == [12.0, 4.0, 4.0]
    np.testing.assert_array_equal(last_market_price(Seen(own, {}, "fills")), [np.nan, np.nan, 5.0])


def test_a_row_of_the_fills_own_millisecond_is_not_before_it() -> None:
    own = fills((100, ETH, "buy", 10.0, 1.0), (100, ETH, "buy", 11.0, 1.0))
    trades = prices((99, ETH, 9.0), (100, ETH, 10.0))
    assert last_market_price(Seen(own, {"trades": trades}, "trades")).tolist() == [9.0, 9.0]
    assert np.isnan(last_market_price(Seen(own, {}, "fills"))).all()


def test_a_candle_is_known_once_it_has_closed() -> None:
    minute = START_MS // 60_000 * 60_000
    own = pd.concat([fills((0, ETH, "buy", 10.0, 1.0))] * 3)
    own["timestamp"] = [minute + 59_999, minute + 60_000, minute + 300_000]
    candles = pd.DataFrame({"timestamp": [minute], "symbol": ETH, "close": 8.0, "timeframe": "1m"})
    np.testing.assert_array_equal(
        last_market_price(Seen(own, {"candles": candles}, "candles"))[:2], [np.nan, 8.0]
    )
    longer = candles.assign(timeframe="5m")
    price = last_market_price(Seen(own, {"candles": longer}, "candles"))
    assert price[2] == 8.0
    assert np.isnan(price[0])


def test_worse_is_positive_on_both_sides() -> None:
    own = fills((0, ETH, "buy", 11.0, 1.0), (1, ETH, "sell", 9.0, 1.0), (2, ETH, "buy", 9.0, 1.0))
    assert adverse_deviation(own, np.full(3, 10.0)) == pytest.approx([0.1, 0.1, -0.1])


def test_cost_is_as_told_else_of_the_contract() -> None:
    markets = pd.DataFrame({"symbol": [ETH], "contract_size": [10.0]})
    own = fills((0, ETH, "buy", 2.0, 3.0), (1, ALT, "buy", 2.0, 3.0))
    assert costs(Seen(own, {"markets": markets}, "fills")).tolist() == [60.0, 6.0]
    told = own.assign(cost=[59.0, np.nan])
    assert costs(Seen(told, {"markets": markets}, "fills")).tolist() == [59.0, 6.0]


def test_quote_currency_is_of_the_symbol() -> None:
    own = fills((0, "ETH/BTC", "buy", 1.0, 1.0), (1, "ETH/USDT:USDT", "buy", 1.0, 1.0))
    assert quote_currencies(own).tolist() == ["BTC", "USDT"]


def test_medians_are_of_earlier_rows_of_the_group() -> None:
    medians = past_medians(np.array([3.0, 1.0, 5.0, np.nan, 100.0, 7.0]), ["a", "a", "b", "a", "a", "a"])
    np.testing.assert_array_equal(medians, [np.nan, 3.0, np.nan, 2.0, 2.0, 3.0])


def test_log_knows_an_order_from_its_row_on_by_either_id() -> None:
    own = fills(
        (10, ETH, "buy", 1.0, 1.0),
        (20, ETH, "buy", 1.0, 1.0),
        (30, ETH, "buy", 1.0, 1.0),
        client_order_id=[None, "mine", None],
    )
    log = pd.DataFrame(
        {
            "timestamp": [START_MS + 15_000, START_MS, START_MS],
            "order": ["0", "other", None],
            "client_order_id": [None, "mine", None],
        }
    )
    assert logged(Seen(own, {"orders": log}, "orders")).tolist() == [0.0, 1.0, 0.0]
    assert np.isnan(logged(Seen(own, {}, "trades"))).all()
    assert np.isnan(logged(Seen(own, {"orders": log.iloc[:0]}, "orders"))).all()


def test_features_of_hand_made_fills() -> None:
    own = fills(
        (0, ETH, "buy", 10.0, 1.0),
        (60, ETH, "buy", 10.0, 2.0),
        (90, ALT, "sell", 1.0, 40.0),
        (10_000, ETH, "buy", 11.0, 1.0),
        taker_or_maker=["taker", "maker", None, "taker"],
    )
    seen = Seen(own, {"trades": prices((-1, ETH, 10.0))}, "trades")
    assert column(seen, "adverse_bps") == pytest.approx([0.0, 0.0, np.nan, np.arcsinh(1e3)], nan_ok=True)
    assert column(seen, "log_size") == pytest.approx(
        [np.nan, np.log(2.0), np.log(40.0 / 15.0), np.log(11.0 / 20.0)], nan_ok=True
    )
    assert column(seen, "log_gap")[1:] == pytest.approx(np.log1p([60.0, 30.0, 9_910.0]))
    assert column(seen, "log_gap_in_symbol") == pytest.approx(
        [np.nan, np.log1p(60.0), np.nan, np.log1p(9_940.0)], nan_ok=True
    )
    assert column(seen, "symbol_is_new") == [1.0, 0.0, 1.0, 0.0]
    assert column(seen, "log_side_run") == pytest.approx(np.log([1.0, 2.0, 1.0, 1.0]))
    turnover = np.array([1.0, 3.0, 3.0 + 40.0 / 15.0, 11.0 / 20.0])
    assert column(seen, "log_turnover")[1:] == pytest.approx(np.log(turnover[1:] / [1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(column(seen, "is_taker"), [1.0, 0.0, np.nan, 1.0])
    hour = np.array([column(seen, "hour_sin"), column(seen, "hour_cos")])
    assert np.hypot(*hour) == pytest.approx(np.ones(4))


@pytest.mark.parametrize("level", ["fills", "candles", "trades", "orders"])
def test_features_do_not_look_ahead(level: str) -> None:
    seen = account(4, "human", "planted_wall", level)
    rows = feature_rows(seen)
    for n in (1, 2, len(rows) // 2, len(rows) - 1):
        np.testing.assert_array_equal(feature_rows(cut(seen, n)), rows[:n])


def test_filled_rows_have_medians_and_say_so() -> None:
    rows = np.array([[1.0, np.nan, 7.0], [3.0, 4.0, 7.0], [5.0, 6.0, 7.0]])
    filled = Filled.of(rows)
    np.testing.assert_array_equal(filled(rows), [[1.0, 5.0, 1.0], [3.0, 4.0, 0.0], [5.0, 6.0, 0.0]])
    np.testing.assert_array_equal(filled(np.full((1, 3), np.nan)), [[3.0, 5.0, 1.0]])


def test_pooled_rows_are_of_all_accounts_the_busiest_thinned() -> None:
    seen = honest("fills")
    lengths = [len(account.fills) for account in seen]
    busy = pd.concat([seen[0].fills] * (2 * MOST_ROWS // lengths[0] + 1), ignore_index=True)
    busy = busy.sort_values("timestamp", kind="stable")
    rows = pooled_rows([*seen, Seen(busy, {}, "fills")])
    assert sum(lengths) < len(rows) <= sum(lengths) + MOST_ROWS
