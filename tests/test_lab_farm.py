"""A farm's accounts trade alike, each with its own cash; a thief robs some of them together."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from drainwatch.errors import ConfigError
from drainwatch.lab import farm, thieves
from drainwatch.lab.desk import Desk, run
from drainwatch.lab.scenario import TABLES, Scenario, make
from drainwatch.lab.universe import build
from drainwatch.lab.venue import Venue


@cache
def accounts(owner: str, thief: str | None = None, seed: int = 8) -> Scenario:
    return make(seed, days=6.0, owner=owner, thief=thief, difficulty=0.3, accounts=4)


def own(made: Scenario) -> pd.DataFrame:
    """Fills of the program, none by hand or by a thief."""
    logged = made.orders["order"] if len(made.orders) else made.fills["order"]
    return made.fills[made.fills["order"].isin(logged) & ~made.labels["is_drain"].to_numpy()]


def desks(n: int) -> list[Desk]:
    rng = np.random.default_rng(8)
    world, coins, markets = build(rng, 4.0, regime="calm")
    venue = Venue("v", "a", 0.001, 0.001, "quote", "nothing", "counter", "b", "number", mixed_feeds=True)
    first = Desk(rng, world, coins, markets, venue, 0.2)
    first.thief_names = ["thief"]
    return farm.open_accounts(first, n)


def test_same_seed_same_tables() -> None:
    first, second = (make(9, days=2.0, owner="farm", thief="ping_pong") for _ in range(2))
    for table in (*TABLES, "labels"):
        pd.testing.assert_frame_equal(getattr(first, table), getattr(second, table))
    assert first.robbed == second.robbed


def test_a_farm_has_a_few_accounts_and_every_table_has_them_all() -> None:
    sizes = {len(make(seed, days=0.5, owner="farm").accounts) for seed in range(12)}
    assert sizes <= {3, 4, 5, 6}
    assert len(sizes) > 1
    made = accounts("grid", seed=7)
    assert made.accounts == ("sub1", "sub2", "sub3", "sub4")
    for table in ("fills", "balances", "orders", "labels"):
        assert set(getattr(made, table)["account"]) == set(made.accounts), table
    assert (made.labels["account"] == made.fills["account"]).all()


@pytest.mark.parametrize("owner", ["grid", "dca", "twap", "rebalancer", "market_maker"])
def test_one_program_trades_the_same_markets_in_all_accounts(owner: str) -> None:
    fills = own(accounts(owner, seed=11))
    by_account = fills.groupby("account")
    assert len({tuple(sorted(set(rows["symbol"]))) for _, rows in by_account}) == 1
    orders = by_account["order"].nunique()
    assert len(orders) == 4
    assert orders.min() > 0.8 * orders.max()


def test_orders_come_in_the_same_seconds_but_not_at_the_same_time() -> None:
    first_fills = own(accounts("dca", seed=7)).drop_duplicates("order")
    times = {name: rows["timestamp"].to_numpy() for name, rows in first_fills.groupby("account", sort=True)}
    for name, mine in times.items():
        if name == "sub1":
            continue
        nearest = np.abs(mine[:, None] - times["sub1"][None, :]).min(axis=1)
        assert 0 < np.median(nearest) < 30_000


def test_sizes_follow_each_accounts_equity() -> None:
    made = accounts("dca", seed=7)
    start = made.balances[made.balances["timestamp"] == made.balances["timestamp"].min()]
    cash = start[start["currency"] == "USDT"].set_index("account")["total"]
    usual = own(made).groupby(["account", "order"])["cost"].sum().groupby("account").median()
    ratio = usual / cash
    assert ratio.max() / ratio.min() == pytest.approx(1.0, abs=0.15)
    assert cash.max() / cash.min() > 1.1


def test_accounts_have_orders_of_their_own_and_one_habit_of_naming_them() -> None:
    made = accounts("dca", seed=11)
    assert (made.fills.groupby("order")["account"].nunique() == 1).all()
    named = own(made)["client_order_id"].dropna()
    assert len(named)
    assert named.str.slice(0, 2).nunique() == 1


@pytest.mark.parametrize("thief", [None, "planted_wall", "slow_bleed"])
def test_cash_adds_up_in_each_account(thief: str | None) -> None:
    made = accounts("rebalancer", thief)
    fills = made.fills
    sign = np.where(fills["side"] == "buy", 1.0, -1.0)
    pairs = fills["symbol"].str.partition("/")
    legs = [
        (pairs[0], sign * fills["amount"]),
        (pairs[2], -sign * fills["cost"]),
        (fills["fee_currency"], -fills["fee_cost"]),
    ]
    moves = pd.concat(
        [
            pd.DataFrame({"account": fills["account"], "ms": fills["timestamp"], "currency": of, "by": by})
            for of, by in legs
        ]
    )
    compared = 0
    for (account, currency), rows in made.balances.groupby(["account", "currency"]):
        if currency == "USDT":
            continue  # some of it is brought and taken
        mine = moves[(moves["account"] == account) & (moves["currency"] == currency)]
        total = rows["total"].iloc[0]
        since = rows["timestamp"].iloc[0]
        scale = max(rows["total"].max(), mine["by"].abs().sum(), 1e-12)
        for at, now in zip(rows["timestamp"].iloc[1:], rows["total"].iloc[1:], strict=True):
            total += mine["by"][(mine["ms"] >= since) & (mine["ms"] < at)].sum()
            assert now == pytest.approx(total, abs=1e-9 * scale)
            since = at
            compared += 1
        assert rows["total"].min() >= -1e-9 * scale
    assert compared > 20


def test_fills_of_all_accounts_are_on_the_one_tape() -> None:
    made = accounts("twap", "ping_pong")
    both = made.fills.merge(made.trades, on=["symbol", "id"], suffixes=("", "_tape"), how="left")
    assert (both["price"] == both["price_tape"]).all()
    assert (both["timestamp"] == both["timestamp_tape"]).all()
    assert not made.fills.duplicated(["symbol", "id"]).any()


@pytest.mark.parametrize("thief", ["planted_wall", "ping_pong", "boosted_coin", "coordinated_pump"])
def test_the_robbed_accounts_are_robbed_on_one_coin_within_minutes(thief: str) -> None:
    made = accounts("grid", thief)
    stolen = made.labels["is_drain"].to_numpy()
    drain = made.fills[stolen]
    assert set(drain["account"]) <= set(made.robbed) <= set(made.accounts)
    assert len(made.robbed) > 1
    bad = made.labels[stolen & (made.labels["loss"] > 0.0).to_numpy() & made.labels["to_thief"].to_numpy()]
    assert bad["symbol"].nunique() == 1
    started = drain.groupby("account")["timestamp"].min()
    assert 0 < started.max() - started.min() <= 120_000 * len(made.robbed)
    assert made.started_ms == started.min()
    lost = made.labels[stolen].groupby("account")["loss"].sum()
    assert made.stolen_quote == pytest.approx(lost.sum())
    assert (lost > 0.0).all()


def test_a_thief_robs_one_to_all_of_the_accounts_and_leaves_the_others_alone() -> None:
    counts = set()
    for seed in range(8):
        made = make(seed, days=0.5, owner="dca", thief="planted_wall", accounts=3)
        counts.add(len(made.robbed))
        spared = ~made.fills["account"].isin(made.robbed)
        assert not made.labels["is_drain"][spared].any()
    assert counts == {1, 2, 3}


def test_equities_are_sums_over_whom_the_thief_robs() -> None:
    honest, drained = accounts("grid", seed=7), accounts("grid", "ping_pong", seed=7)
    for made, counted in ((honest, honest.accounts), (drained, drained.robbed)):
        start = made.balances[made.balances["timestamp"] == made.balances["timestamp"].min()]
        mine = start[start["account"].isin(counted) & (start["currency"] == "USDT")]["total"].sum()
        assert mine == pytest.approx(0.5 * made.equity0, rel=1e-6)  # a grid starts half in cash
    assert np.isnan(honest.equity_before)
    assert 0.5 < drained.equity_before / drained.equity0 < 2.0


def test_one_raid_pushes_a_price_once() -> None:
    robbed = desks(3)
    for desk in robbed:
        desk.fund("USDT", 10_000.0)
    make_thief = thieves.KINDS["boosted_coin"].make
    run(farm.raids(robbed[0].rng, robbed, make_thief, 5000.0), robbed[0].end)
    pushed = [market for market in robbed[0].markets.values() if market.pushes]
    assert len(pushed) == 1
    assert len(pushed[0].pushes) == 1
    assert all(desk.fills for desk in robbed)
    assert all(desk.raid is None for desk in robbed)
    assert len({id(desk.rng) for desk in robbed}) == 1


def test_minds_are_alike_and_later_accounts_lag() -> None:
    made = desks(4)
    drawn = {desk.mind.random() for desk in made}
    assert len(drawn) == 1
    assert made[0].lag_s == 0.0
    assert all(0.0 < desk.lag_s < 20.0 for desk in made[1:])
    assert [desk.venue.account for desk in made] == ["sub1", "sub2", "sub3", "sub4"]


@pytest.mark.parametrize("n", [0, 21])
def test_too_many_or_no_accounts_are_refused(n: int) -> None:
    with pytest.raises(ConfigError, match=f"accounts must be from 1 to 20, was {n}"):
        make(1, accounts=n)
