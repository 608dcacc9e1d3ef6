"""A simulated account: same seed same rows, money adds up, its fills are on the tape."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from drainwatch.errors import ConfigError
from drainwatch.lab.scenario import (
    HELD_OUT,
    KIND_OF,
    OWNERS,
    TABLES,
    THIEVES,
    TRAINING_THIEVES,
    Scenario,
    make,
)

NEEDED = {
    "fills": ["id", "timestamp", "symbol", "side", "price", "amount"],
    "trades": ["timestamp", "symbol", "price", "amount", "id", "side"],
    "quotes": ["timestamp", "symbol", "bid", "ask", "bid_size", "ask_size"],
    "candles": ["timestamp", "symbol", "open", "high", "low", "close", "volume", "timeframe"],
    "balances": ["timestamp", "account", "currency", "total"],
    "orders": ["timestamp", "account", "order", "client_order_id"],
    "markets": ["symbol", "contract_size", "linear", "inverse", "base", "quote", "settle", "tick_size"],
}
KINDS = {
    "planted_wall", "far_quote", "ping_pong", "slow_bleed", "liquidate_then_buy", "coordinated_pump",
    "off_market_maker", "price_pressure", "boosted_coin", "leverage", "cross_pair", "stable_pair",
    "fee_churn", "thin_perp", "own_bad_fill", "unknown",
}  # fmt: skip


@cache
def account(seed: int, owner: str, thief: str | None = None, days: float = 6.0) -> Scenario:
    return make(seed, days=days, owner=owner, thief=thief, difficulty=0.4)


ACCOUNTS = [
    (1, "grid", "ping_pong"),
    (2, "market_maker", "slow_bleed"),
    (13, "rebalancer", "liquidate_then_pump"),
    (4, "human", "planted_wall"),
    (5, "twin_arbitrage", None),
    (6, "perp_trader", "thin_perp"),
    (7, "twap", "triangle"),
]


@pytest.fixture(params=ACCOUNTS, ids=lambda given: f"{given[1]}-{given[2]}")
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return account(*request.param)


def test_same_seed_same_tables() -> None:
    first, second = (make(9, days=2.0, thief="ping_pong") for _ in range(2))
    for table in (*TABLES, "labels"):
        pd.testing.assert_frame_equal(getattr(first, table), getattr(second, table))
    other = make(10, days=2.0, thief="ping_pong")
    assert len(other.trades) != len(first.trades)


def test_tables_have_the_contracts_columns(scenario: Scenario) -> None:
    for table, columns in NEEDED.items():
        frame: pd.DataFrame = getattr(scenario, table)
        assert set(columns) <= set(frame.columns), table
        if table != "orders":
            assert len(frame), table
    for table in ("fills", "trades"):
        frame = getattr(scenario, table)
        assert set(frame["side"]) <= {"buy", "sell"}
        assert (frame["price"] > 0).all()
        assert (frame["amount"] > 0).all()
        assert not frame.duplicated(["symbol", "id", *(["order", "side"] if table == "fills" else [])]).any()
    assert (scenario.quotes["bid"] < scenario.quotes["ask"]).all()
    assert (scenario.quotes["bid"] > 0).all()
    assert scenario.trades["timestamp"].is_monotonic_increasing
    assert set(scenario.fills["symbol"]) <= set(scenario.markets["symbol"])


def test_own_fills_are_on_the_tape_by_id(scenario: Scenario) -> None:
    both = scenario.fills.merge(
        scenario.trades, on=["exchange", "symbol", "id"], suffixes=("", "_tape"), how="left"
    )
    assert len(both) == len(scenario.fills)
    assert (both["price"] == both["price_tape"]).all()
    assert (both["amount"] == both["amount_tape"]).all()
    assert (both["timestamp"] == both["timestamp_tape"]).all()
    takes = both["taker_or_maker"] == "taker"
    assert ((both["side"] == both["side_tape"]) == takes).all()


def test_balances_roll_forward_by_fills_and_fees(scenario: Scenario) -> None:
    fills = scenario.fills
    sign = np.where(fills["side"] == "buy", 1.0, -1.0)
    pairs = fills["symbol"].str.partition("/")
    spot = ~fills["symbol"].str.contains(":").to_numpy()
    settled = {symbol.partition(":")[2] for symbol in fills["symbol"][~spot]}
    legs = [
        (pairs[0], sign * fills["amount"], spot),
        (pairs[2], -sign * fills["cost"], spot),
        (fills["fee_currency"], -fills["fee_cost"], np.ones(len(fills), dtype=bool)),
    ]
    moves = pd.concat(
        [pd.DataFrame({"ms": fills["timestamp"], "currency": of, "by": by})[kept] for of, by, kept in legs]
    )
    others = scenario.balances["currency"] != "USDT"
    snapshots = set(scenario.balances["timestamp"][others])
    for currency, rows in scenario.balances.groupby("currency"):
        if currency in settled:
            continue  # a perpetual's profit isn't in the fills
        mine = moves[moves["currency"] == currency]
        scale = max(rows["total"].abs().max(), mine["by"].abs().sum(), 1e-12)
        before, total = rows["timestamp"].iloc[0], rows["total"].iloc[0]
        for at, now in zip(rows["timestamp"].iloc[1:], rows["total"].iloc[1:], strict=True):
            if at not in snapshots:  # the owner brought or took something
                before, total = at, now
                continue
            total += mine["by"][(mine["ms"] >= before) & (mine["ms"] < at)].sum()
            assert now == pytest.approx(total, abs=1e-9 * scale), currency
            before, total = at, now


def test_nothing_is_spent_that_is_not_there(scenario: Scenario) -> None:
    if scenario.family == "thin_perp" or scenario.owner == "perp_trader":
        return  # a position can lose more than there is
    for _, rows in scenario.balances.groupby("currency"):
        assert rows["total"].min() >= -1e-6 * max(rows["total"].max(), 1e-9)


def test_labels_go_with_the_fills(scenario: Scenario) -> None:
    labels, fills = scenario.labels, scenario.fills
    for name in ("id", "order", "symbol", "side"):
        assert (labels[name] == fills[name]).all()
    drain = labels["is_drain"].to_numpy()
    assert drain.any() == (scenario.family is not None)
    assert (labels["family"].notna() == drain).all()
    size = fills["symbol"].map(scenario.markets.set_index("symbol")["contract_size"]).to_numpy()
    sign = np.where(fills["side"] == "buy", 1.0, -1.0)
    loss = sign * (fills["price"] - labels["true_fair"]).to_numpy() * fills["amount"].to_numpy() * size
    in_usdt = fills["symbol"].str.contains("/USDT").to_numpy()
    np.testing.assert_allclose(loss[in_usdt], labels["loss"].to_numpy()[in_usdt], rtol=1e-9, atol=1e-9)
    assert scenario.stolen_quote == pytest.approx(labels["loss"][drain].sum())
    if drain.any():
        assert scenario.stolen_quote > 0.0
        assert scenario.started_ms == fills["timestamp"][drain].min()


def test_the_bots_log_has_its_orders_and_none_of_the_thiefs(scenario: Scenario) -> None:
    thief = set(scenario.fills["order"][scenario.labels["is_drain"]])
    logged = scenario.orders.set_index("order")["timestamp"]
    assert not thief & set(logged.index)
    rest = scenario.fills[~scenario.labels["is_drain"] & scenario.fills["order"].isin(logged.index)]
    rest = rest.iloc[:0] if scenario.log == "late" else rest
    assert (rest["timestamp"].to_numpy() >= logged.loc[rest["order"]].to_numpy()).all()
    if scenario.owner not in {"human", "perp_trader"} and scenario.log == "kept":
        own = scenario.fills[~scenario.labels["is_drain"]]
        assert own["order"].isin(logged.index).mean() > 0.8


def test_without_its_log_the_orders_are_empty() -> None:
    bare = make(3, days=1.0, owner="grid", own_log=False)
    assert bare.orders.empty
    assert list(bare.orders.columns) == ["timestamp", "account", "order", "client_order_id"]


def test_the_owners_takers_pay_and_makers_earn() -> None:
    """Costs of an honest account are small: takers pay about half a spread, makers earn it."""
    takers, makers = [], []
    for seed, owner in enumerate(["twap", "momentum", "dca", "rebalancer", "market_maker", "grid"]):
        honest = account(20 + seed, owner)
        fills, fair = honest.fills, honest.labels["true_fair"]
        cost = np.where(fills["side"] == "buy", 1.0, -1.0) * (fills["price"] / fair - 1.0) * 1e4
        takes = (fills["taker_or_maker"] == "taker").to_numpy()
        takers += cost[takes].tolist()
        makers += cost[~takes].tolist()
    assert 0.0 < float(np.median(takers)) < 30.0
    assert float(np.quantile(takers, 0.99)) < 1500.0
    assert float(np.median(makers)) < 0.0


def test_an_owners_buys_are_within_the_book_just_before() -> None:
    honest = account(16, "twap")
    quotes = honest.quotes.sort_values("timestamp", kind="stable")
    buys = honest.fills[(honest.fills["taker_or_maker"] == "taker")].sort_values("timestamp", kind="stable")
    seen = pd.merge_asof(buys, quotes, on="timestamp", by=["exchange", "symbol"], allow_exact_matches=False)
    first = ~seen.duplicated("order")
    bought = first & (seen["side"] == "buy")
    sold = first & (seen["side"] == "sell")
    assert (seen["price"][bought] / seen["ask"][bought] - 1.0).abs().quantile(0.9) < 1e-3
    assert (seen["price"][sold] / seen["bid"][sold] - 1.0).abs().quantile(0.9) < 1e-3


def test_venues_that_disclose_say_the_same_on_tape_and_fills() -> None:
    seen: set[str] = set()
    for seed in range(40, 60):
        if len(seen) == 3:
            break
        told = make(seed, days=0.6, owner="twap", thief="ping_pong")
        seen.add(told.discloses)
        both = told.fills.merge(told.trades, on=["symbol", "id"], suffixes=("", "_tape"))
        if told.discloses == "orders":
            assert (both["taker_order"] == both["taker_order_tape"]).all()
            own = np.where(both["taker_or_maker"] == "taker", both["taker_order"], both["maker_order"])
            assert (own == both["order"]).all()
        elif told.discloses == "accounts":
            other = np.where(both["side"] == "buy", both["seller"], both["buyer"])
            assert (other == both["counterparty"]).all()
        else:
            assert not {"taker_order", "buyer"} & set(told.trades.columns)
    assert seen == {"nothing", "orders", "accounts"}


def test_registries_fit_each_other() -> None:
    assert set(TRAINING_THIEVES) | set(HELD_OUT) == set(THIEVES)
    assert not set(TRAINING_THIEVES) & set(HELD_OUT)
    assert {"planted_wall", "ping_pong", "slow_bleed", "liquidate_then_pump"} <= set(TRAINING_THIEVES)
    assert "triangle" in HELD_OUT
    assert set(KIND_OF.values()) <= KINDS
    assert all(text.endswith(".") for text in (*OWNERS.values(), *THIEVES.values()))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"owner": "nobody"}, "owner must be one of grid, .*'nobody'"),
        ({"thief": "nobody"}, "thief must be one of planted_wall, .*'nobody'"),
        ({"difficulty": 1.5}, "difficulty must be from 0 to 1, was 1.5"),
        ({"days": 0.1}, "days must be at least 0.5, was 0.1"),
    ],
)
def test_what_cannot_be_made_is_said(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(1, **wrong)  # type: ignore[arg-type]


def test_written_tables_read_back(tmp_path: Path) -> None:
    small = make(5, days=1.0, owner="twap")
    paths = small.write(tmp_path / "parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(paths["quotes"]), small.quotes)
    paths = small.write(tmp_path / "mixed", {"fills": "csv", "trades": "csv.gz", "balances": "jsonl"})
    assert set(paths) == {"fills", "trades", "balances"}
    back = pd.read_csv(paths["fills"], dtype={"id": str, "order": str})
    assert (back["price"] == small.fills["price"]).all()
    assert back["id"].tolist() == small.fills["id"].tolist()
    assert len(pd.read_json(paths["balances"], lines=True)) == len(small.balances)
    with pytest.raises(ConfigError, match="format must be parquet"):
        small.write(tmp_path, "xlsx")
