"""Oracles: what price alone could tell, at best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench_accounts import START_MS, account, cut, fills
from drainwatch.bench.detectors import Seen
from drainwatch.bench.oracles import (
    HALF_LIFE_MS,
    LOGGED,
    ORACLES,
    UNLOGGED,
    OraclePrice,
    OraclePriceAndLog,
    equity_shares,
)
from drainwatch.errors import ConfigError

ETH = "ETH/USDT"


def told(own: pd.DataFrame, fair: list[float], **tables: pd.DataFrame) -> Seen:
    sign = np.where(own["side"] == "buy", 1.0, -1.0)
    loss = sign * (own["price"] - fair) * own["amount"]
    return Seen(own, tables, "orders", pd.DataFrame({"true_fair": fair, "loss": loss}))


def balances(**totals: float) -> pd.DataFrame:
    rows = [(START_MS - 1_000, currency, total) for currency, total in totals.items()]
    return pd.DataFrame(rows, columns=["timestamp", "currency", "total"])


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda oracle: oracle.name)
def test_scores_are_one_a_fill_and_do_not_look_ahead(oracle: OraclePrice) -> None:
    for seen in (account(5, "momentum", "ping_pong"), account(4, "human", "planted_wall", "fills")):
        scores = oracle.scores(seen)
        assert scores.shape == (len(seen.fills),)
        assert np.isfinite(scores).all()
        for n in (1, 2, len(scores) // 2, len(scores) - 1):
            np.testing.assert_array_equal(oracle.scores(cut(seen, n)), scores[:n])


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda oracle: oracle.name)
def test_market_data_is_ignored(oracle: OraclePrice) -> None:
    seen = account(5, "momentum", "ping_pong")
    bare = {name: seen.tables[name] for name in ("balances", "orders", "markets")}
    np.testing.assert_array_equal(oracle.scores(replace(seen, tables=bare)), oracle.scores(seen))


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda oracle: oracle.name)
def test_without_truth_an_oracle_says_so(oracle: OraclePrice) -> None:
    with pytest.raises(ConfigError, match="needs the truth"):
        oracle.scores(replace(account(5, "momentum", "ping_pong"), truth=None))


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda oracle: oracle.name)
@pytest.mark.parametrize(("owner", "thief"), [("momentum", "ping_pong"), ("human", "planted_wall")])
def test_the_thiefs_fills_score_above_the_owners(oracle: OraclePrice, owner: str, thief: str) -> None:
    seen = account(5 if owner == "momentum" else 7, owner, thief)
    assert seen.truth is not None
    drain = seen.truth["is_drain"].to_numpy()
    scores = oracle.scores(seen)
    before = scores[: int(np.flatnonzero(drain)[0])]
    assert scores[drain].max() > 2.0 * before.max()


def test_a_loss_counts_as_a_share_of_equity_and_fades() -> None:
    later = HALF_LIFE_MS / 1e3
    own = fills((0, ETH, "buy", 110.0, 1.0), (later, ETH, "buy", 110.0, 1.0), (later, ETH, "buy", 90.0, 1.0))
    rich, poor = (
        OraclePrice().scores(told(own, [100.0] * 3, balances=balances(USDT=usdt))) for usdt in (1e5, 1e4)
    )
    assert poor[0] == pytest.approx(10.0 * rich[0], rel=1e-6)
    assert 0.5 * rich[0] < rich[1] < 1.5 * rich[0]
    assert rich[2] == 0.0  # a bargain


def test_what_an_account_usually_pays_is_held_against_it_less() -> None:
    raised = {}
    for usual in (100.0, 100.3):
        often = [(60.0 * i, ETH, "buy", usual, 100.0) for i in range(200)]
        own = fills(*often, (12_060.0, ETH, "buy", 100.6, 100.0))
        scores = OraclePrice().scores(told(own, [100.0] * 201, balances=balances(USDT=1e7)))
        raised[usual] = scores[-1] - scores[-2]
        assert scores[:200].max() == 0.0 or usual > 100.0
    assert 0.0 < raised[100.3] < 0.75 * raised[100.0]


def test_the_log_excuses_what_it_has_and_accuses_what_it_lacks() -> None:
    own = fills((0, ETH, "buy", 110.0, 1.0), (1e6, ETH, "buy", 110.0, 1.0))
    log = pd.DataFrame({"timestamp": [START_MS - 1_000], "order": ["0"]})
    tables = {"balances": balances(USDT=1e5)}
    price = OraclePrice().scores(told(own, [100.0] * 2, **tables))
    both = OraclePriceAndLog().scores(told(own, [100.0] * 2, orders=log, **tables))
    assert both[0] == pytest.approx(LOGGED * price[0])
    dead = both[1] - both[0] * 0.5 ** (1e9 / HALF_LIFE_MS)  # its last row is eleven days old
    assert dead == pytest.approx(price[1] - price[0] * 0.5 ** (1e9 / HALF_LIFE_MS))
    other = pd.DataFrame({"timestamp": [START_MS - 1_000], "order": ["x"]})
    accused = OraclePriceAndLog().scores(told(own, [100.0] * 2, orders=other, **tables))
    assert accused[0] == pytest.approx(UNLOGGED * price[0])
    np.testing.assert_array_equal(OraclePriceAndLog().scores(told(own, [100.0] * 2, **tables)), price)


def test_equity_is_rolled_forward_by_fills_at_fair_value() -> None:
    own = fills((0, ETH, "buy", 110.0, 4.0), (1, ETH, "sell", 100.0, 1.0))
    shares = equity_shares(told(own, [100.0, 100.0], balances=balances(USDT=1_000.0)))
    assert shares == pytest.approx([0.4, 100.0 / (560.0 + 400.0)])


def test_a_coin_as_quote_is_worth_what_its_own_fills_or_the_labels_say() -> None:
    own = fills(
        (0, "ETH/BTC", "buy", 0.11, 1.0), (1, "ETH/BTC", "buy", 0.11, 1.0), (2, "BTC/USDT", "buy", 2e4, 0.1)
    )
    seen = told(own, [0.1, 0.1, 2e4], balances=balances(BTC=1.0))
    assert seen.truth is not None
    seen.truth["loss"] = [300.0, 300.0, 0.0]  # 0.01 BTC at 30,000
    shares = equity_shares(seen)
    assert shares[0] == 0.01  # nothing tells what BTC is worth: a usual fill
    assert shares[1] == pytest.approx(0.1 / (0.89 + 0.1), rel=1e-6)
    assert shares[2] == pytest.approx(2e3 / (0.78 * 2e4 + 2 * 0.1 * 3e4), rel=1e-6)


def test_without_balances_a_share_is_of_a_hundred_median_fills() -> None:
    own = fills((0, ETH, "buy", 10.0, 1.0), (1, ETH, "buy", 10.0, 2.0), (2, ETH, "buy", 10.0, 1e4))
    assert equity_shares(told(own, [10.0] * 3)).tolist() == [0.01, 0.02, 1.0]
