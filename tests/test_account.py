"""What an account holds and is worth, against a ledger kept by hand; small statistics against naive ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainwatch.account import ACCOUNT, HOLDING, PAIR, hour_of, learn_mean
from drainwatch.engine import Engine
from drainwatch.events import Kind, Liquidity, Names
from streams import DAY_S, HOUR_S, START_S, Tape, feed, judge, new_engine, random_tape, usual_names

SEEDS = st.integers(0, 2**32 - 1)


def holdings_of(engine: Engine, names: Names) -> dict[tuple[str, str], float]:
    """What each account holds, as found by following each account's own chain."""
    state = engine._state
    found = {}
    for code, account in enumerate(names.accounts):
        at = int(state.accounts[code]["first_hold"])
        while at >= 0:
            holding = state.holdings[at]
            assert holding["account"] == code
            key = (account, names.currencies[holding["currency"]])
            assert key not in found
            found[key] = float(holding["total"])
            at = int(holding["next"])
    return found


@given(SEEDS)
@settings(max_examples=30)
def test_holdings_roll_forward_by_fills_and_fees(seed: int) -> None:
    """A balance row sets a currency; a spot fill moves base and quote, a contract's only its fee."""
    names = usual_names()
    tape = random_tape(seed)
    batch = tape.batch(names)
    engine = feed(new_engine(names), [batch]).engine
    ledger: dict[tuple[str, str], float] = {}
    rows = [(row["ts_ns"], 0, row) for row in batch.rows if row["kind"] == Kind.BALANCE]
    fills = [(fill["ts_ns"], 1, fill) for fill in batch.fills]
    for _, is_fill, event in sorted(rows + fills, key=lambda item: item[:2]):
        account = names.accounts[event["account"]]
        if not is_fill:
            ledger[account, names.currencies[event["currency"]]] = float(event["a"])
            continue
        spec = names.markets[event["market"]]
        moves = {spec.base: 0.0, spec.quote: 0.0}
        if not spec.is_derivative:
            moves = {
                spec.base: event["side"] * event["amount"],
                spec.quote: -event["side"] * event["amount"] * event["price"],
            }
        for currency, moved in moves.items():
            ledger[account, currency] = ledger.get((account, currency), 0.0) + moved
        if event["fee_currency"] >= 0 and not np.isnan(event["fee_cost"]):
            key = (account, names.currencies[event["fee_currency"]])
            ledger[key] = ledger.get(key, 0.0) - event["fee_cost"]
    found = holdings_of(engine, names)
    for key, total in ledger.items():
        assert found.get(key, 0.0) == pytest.approx(total, rel=1e-9, abs=1e-6), key


def test_equity_is_what_holdings_are_worth_just_before_the_fill() -> None:
    tape = Tape()
    for minute in range(200):
        tape.mid(60 * minute, "ETH/USDT", 3000.0 + minute, 0.5)
        tape.mid(60 * minute, "ETH/BTC", 0.05, 0.5)
    tape.balance(0, "USDT", 10_000.0)
    tape.balance(0, "ETH", 2.0)
    tape.balance(0, "BTC", 0.1)
    tape.balance(0, "VOID", 1e9)  # nobody knows what it is worth
    tape.fill(3605, "ETH/USDT", 1, 3060.0, 1.0)
    tape.fill(7205, "ETH/USDT", 1, 3120.0, 1.0)
    equity = judge(tape).judged["equity"]
    eth, later = 3060.0, 3120.0
    assert equity[0] == pytest.approx(10_000.0 + 2.0 * eth + 0.1 * eth / 0.05, rel=2e-3)
    assert equity[1] == pytest.approx(6940.0 + 3.0 * later + 0.1 * later / 0.05, rel=2e-3)


def test_equity_is_unknown_without_balances_or_prices() -> None:
    tape = Tape()
    tape.fill(10, "ETH/USDT", 1, 3000.0)
    tape.balance(20, "VOID", 5.0, account="other")
    tape.fill(30, "ETH/VOID2", 1, 3000.0, account="other")
    tape.fill(40, "ETH/USDT", 1, 3000.0, account="third")
    equity = judge(tape).judged["equity"]
    assert np.isnan(equity[0])
    assert np.isnan(equity[2])


def test_a_new_balance_counts_from_the_next_fill_on() -> None:
    """Even within the minute in which equity otherwise stands still."""
    tape = Tape()
    tape.balance(0, "USDT", 1000.0)
    tape.fill(10, "ETH/USDT", 1, 10.0)
    tape.balance(11, "USDT", 5000.0)
    tape.fill(12, "ETH/USDT", 1, 10.0)
    equity = judge(tape).judged["equity"]
    assert equity[0] == 1000.0
    assert equity[1] >= 5000.0


def test_a_balance_is_each_accounts_own() -> None:
    tape = Tape()
    tape.balance(0, "USDT", 1000.0, account="ann")
    tape.balance(0, "USDT", 7.0, account="bob")
    for account in ("ann", "bob", "cat"):
        tape.fill(10, "ETH/USDT", 1, 10.0, account=account)
    np.testing.assert_array_equal(judge(tape).judged["equity"], [1000.0, 7.0, np.nan])


@given(st.integers(0, (2**63 - 1) // 10**9))
def test_hour_of_the_day(seconds: int) -> None:
    assert hour_of(seconds * 10**9) == seconds // HOUR_S % 24
    assert hour_of(START_S * 10**9) == 0
    assert hour_of((START_S + DAY_S) * 10**9 - 1) == 23


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30))
def test_a_mean_over_fewer_than_its_memory_is_the_mean(values: list[float]) -> None:
    mean = var = count = 0.0
    for value in values:
        mean, var, count = learn_mean(mean, var, count, value, 100.0)
    assert mean == pytest.approx(np.mean(values), abs=1e-9)
    assert var == pytest.approx(np.var(values), abs=1e-6)
    assert count == len(values)


def test_a_mean_forgets_what_is_beyond_its_memory() -> None:
    mean = var = count = 0.0
    for value in [1000.0] * 50 + [1.0] * 200:
        mean, var, count = learn_mean(mean, var, count, value, 20.0)
    assert mean == pytest.approx(1.0, abs=0.1)
    assert var == pytest.approx(0.0, abs=50.0)
    assert count == 20.0


@pytest.mark.parametrize("record", [ACCOUNT, PAIR, HOLDING])
def test_what_is_remembered_is_bounded(record: np.dtype[np.void]) -> None:
    """Numbers and short rings: thousands of accounts fit, and a snapshot is their bytes."""
    assert not record.hasobject
    assert record.itemsize < 20_000


def test_usual_costs_are_learned_by_class_of_liquidity() -> None:
    tape = Tape()
    for i in range(600):
        tape.mid(60 * i, "ETH/USDT", 3000.0, 1.0)
        liquidity = Liquidity.MAKER if i % 2 else Liquidity.TAKER
        cost = -2e-4 if i % 2 else 9e-4
        tape.fill(60 * i + 1, "ETH/USDT", 1, 3000.0 * (1.0 + cost), liquidity=liquidity)
    account = judge(tape).engine._state.accounts[0]
    assert account["cost"][Liquidity.TAKER] == pytest.approx(9.0, abs=1.0)
    assert account["cost"][Liquidity.MAKER] == pytest.approx(-2.0, abs=1.0)


def test_weeks_of_worse_and_worse_fills_do_not_become_usual_at_once() -> None:
    """Flagged fills teach nothing: the bar stays where it was while the account is drained."""
    tape = Tape()
    for i in range(300):
        tape.mid(600 * i, "ETH/USDT", 3000.0, 1.0)
        tape.fill(600 * i + 1, "ETH/USDT", 1, 3000.0 * (1.0 + 3e-4))
    for i in range(300, 400):
        tape.mid(600 * i, "ETH/USDT", 3000.0, 1.0)
        tape.fill(600 * i + 1, "ETH/USDT", 1, 3000.0 * (1.0 + 300e-4))
    outcome = judge(tape)
    assert outcome.judged["flagged"][350:].all()
    assert outcome.engine._state.accounts[0]["cost"][Liquidity.UNKNOWN] < 10.0
