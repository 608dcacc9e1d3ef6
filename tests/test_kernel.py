"""The compiled loop: money, worth, level of information and judgement of each fill against naive ones.

That batches, prefixes, codes and snapshots change nothing is looked at in `test_engine`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from drainwatch.account import FILLS_KEPT, HOLDING, PAIR
from drainwatch.detector import LEVELS, VOTES, final_score, forest_scores, weigh
from drainwatch.engine import STABLES, Engine
from drainwatch.events import FORCED, Batch, Kind, Liquidity, MarketSpec, Names
from drainwatch.evidence import LOGGED_SHARE
from drainwatch.fair import SOURCES
from drainwatch.features.price import SIGMAS_LEARNED
from drainwatch.features.registry import COUNT, FAMILIES, index
from drainwatch.kernel import (
    AT_FILL,
    AT_ROW,
    DONE,
    EQUITY_ORDERS,
    HOLDINGS_FULL,
    JUDGED,
    LOG_FULL,
    MET,
    MET_ROW,
    N_HOLDINGS,
    N_PAIRS,
    NEW_MARKET,
    PAIRS_FULL,
    UNPRICED_RANK,
    State,
    run,
)
from drainwatch.precedent import precedent
from drainwatch.rules import tripped
from streams import (
    HOUR_S,
    NAN,
    Outcome,
    Tape,
    differing,
    feed,
    judge,
    new_engine,
    random_tape,
    tiny_judge,
    usual_names,
)

SEEDS = st.integers(0, 2**32 - 1)


def calm_tape(minutes: int = 90, price: float = 3000.0, symbol: str = "ETH/USDT") -> Tape:
    """A market that stands still, quoted every minute; from the tenth on a fill a minute, dear by two bps."""
    tape = Tape()
    for minute in range(minutes):
        tape.mid(60 * minute, symbol, price, 1.0)
        side = 1 if minute % 2 else -1
        if minute >= 10:
            tape.fill(60 * minute + 1, symbol, side, price * (1.0 + 2e-4 * side))
    return tape


def worth_of(outcome: Outcome, names: Names, currency: str) -> tuple[float, int]:
    """What one unit is worth by the markets, and over how many of them that was found."""
    found = outcome.engine._state.currencies[names.currency(currency)]
    return float(found["value"]), int(found["rank"])


def near(worth: float, rank: int) -> Any:
    """What `worth_of` says but for the markets' spread."""
    return pytest.approx((worth, rank), rel=1e-3)


def holding_of(outcome: Outcome, names: Names, currency: str, account: str = "default") -> float:
    """What an account holds of a currency."""
    state = outcome.engine._state
    holdings = state.holdings[: state.counts[N_HOLDINGS]]
    mine = (holdings["account"] == names.account(account)) & (
        holdings["currency"] == names.currency(currency)
    )
    assert mine.sum() == 1
    return float(holdings["total"][mine][0])


# --- money --------------------------------------------------------------------------------------------


def naive_notional(names: Names, fill: np.void) -> float:
    """Quote units that a fill moved: price, amount and what a contract is of."""
    spec = names.markets[fill["market"]]
    size = spec.contract_size if spec.contract_size > 0.0 else 1.0
    return float(size * fill["amount"] if spec.inverse else size * fill["amount"] * fill["price"])


@given(SEEDS)
@settings(max_examples=30)
def test_a_loss_is_what_was_paid_beyond_fair(seed: int) -> None:
    """Positive is a loss, for both sides and for contracts of both kinds; unknown, not 0, where blind."""
    names = usual_names()
    batch = random_tape(seed).batch(names)
    judged = feed(new_engine(names), [batch]).judged
    for fill, out in zip(batch.fills, judged, strict=True):
        if np.isnan(out["fair"]):
            assert np.isnan(out["loss_quote"])
            assert np.isnan(out["deviation_bps"])
            continue
        beyond = fill["side"] * (fill["price"] - out["fair"]) / fill["price"]
        naive = naive_notional(names, fill) * beyond
        assert out["loss_quote"] == pytest.approx(naive, rel=1e-9, abs=1e-9 * naive_notional(names, fill))
        assert np.sign(out["loss_quote"]) == np.sign(out["deviation_bps"])


CONTRACTS = {
    "spot": (MarketSpec("x", "A/USD", "A", "USD", "", NAN, False, NAN), NAN, 1.0),
    "linear, not told": (MarketSpec("x", "A/USD:USD", "A", "USD", "USD", NAN, False, NAN), NAN, 1.0),
    "linear, told": (MarketSpec("x", "A/USD:USD", "A", "USD", "USD", 0.01, False, NAN), NAN, 0.01),
    "linear, told by cost": (MarketSpec("x", "A/USD:USD", "A", "USD", "USD", NAN, False, NAN), 0.01, 0.01),
    "told, and another cost": (MarketSpec("x", "A/USD:USD", "A", "USD", "USD", 0.01, False, NAN), 1.0, 0.01),
    "cost, but for rounding": (MarketSpec("x", "A/USD:USD", "A", "USD", "USD", NAN, False, NAN), 1.01, 1.0),
    "cost of nothing": (MarketSpec("x", "A/USD:USD", "A", "USD", "USD", NAN, False, NAN), 0.0, 1.0),
    "inverse, told": (MarketSpec("x", "A/USD:A", "A", "USD", "A", 100.0, True, NAN), NAN, 100.0),
    "inverse, told by cost": (MarketSpec("x", "A/USD:A", "A", "USD", "A", NAN, True, NAN), 10.0, 10.0),
    "inverse, not told": (MarketSpec("x", "A/USD:A", "A", "USD", "A", NAN, True, NAN), NAN, 1.0),
}
"""What is known of a market, the size that a fill's cost tells (NaN: no cost), and the size that is taken."""


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_contracts_size_is_told_by_the_table_else_by_the_cost_else_one(contract: str, side: int) -> None:
    """A hundredfold loss, or a hundredth of one, would be reported where the size is taken wrong."""
    spec, told, size = CONTRACTS[contract]
    names = Names()
    names.add_market(spec)
    price, amount = 50.0 * 1.1**side, 7.0
    units = amount if spec.inverse else amount * price
    tape = Tape()
    for minute in range(60):
        tape.mid(60 * minute, spec.symbol, 50.0)
    tape.fill(HOUR_S, spec.symbol, side, price, amount, cost=told * units)
    out = judge(tape, names).judged[0]
    assert out["fair"] == pytest.approx(50.0, rel=1e-4)
    assert out["loss_quote"] == pytest.approx(size * units * side * (1.0 - 50.0 / price), rel=1e-3)


def test_an_inverse_contracts_cost_may_be_in_its_base_coin() -> None:
    """As ccxt has it: ten contracts of 100 at 2,000 cost half a coin, and are worth 1,000."""
    tape = Tape()
    for minute in range(60):
        tape.mid(60 * minute, "A/USD:A", 2000.0)
    tape.fill(HOUR_S, "A/USD:A", 1, 2200.0, 10.0, cost=1000.0 / 2200.0)
    assert judge(tape).judged[0]["loss_quote"] == pytest.approx(1000.0 * (1.0 - 2000.0 / 2200.0), rel=1e-3)


def test_holdings_roll_forward_by_fills_and_fees_in_any_currency() -> None:
    """Bought and sold back at one price leaves what was there, but for fees; a rebate is one below zero."""
    tape = Tape()
    tape.balance(0, "USDT", 1000.0)
    tape.balance(0, "BNB", 3.0)
    tape.fill(10, "ETH/USDT", 1, 100.0, 4.0, fee_cost=0.5, fee_currency="BNB")
    tape.fill(20, "ETH/USDT", -1, 100.0, 4.0, fee_cost=-0.25, fee_currency="USDT")
    tape.fill(30, "ETH/USDT", 1, 100.0, 1.0, fee_cost=0.001, fee_currency="ETH")
    tape.fill(40, "ETH/USDT", 1, 100.0, 1.0, fee_cost=NAN, fee_currency="ETH")
    tape.fill(50, "ETH/USDT", 1, 100.0, 1.0, fee_cost=9.0)  # of what, nobody says
    names = Names()
    outcome = judge(tape, names)
    assert holding_of(outcome, names, "USDT") == pytest.approx(1000.25 - 300.0, rel=1e-12)
    assert holding_of(outcome, names, "ETH") == pytest.approx(2.999, rel=1e-12)
    assert holding_of(outcome, names, "BNB") == pytest.approx(2.5, rel=1e-12)


def test_a_contract_moves_only_its_fee() -> None:
    """A position is no holding: it would be counted as coins that the account doesn't have."""
    tape = Tape()
    tape.balance(0, "USDT", 1000.0)
    tape.fill(10, "ETH/USDT:USDT", 1, 100.0, 4.0, fee_cost=0.5, fee_currency="USDT")
    names = Names()
    outcome = judge(tape, names)
    assert holding_of(outcome, names, "USDT") == 999.5
    assert holding_of(outcome, names, "ETH") == 0.0


def test_a_balance_row_sets_what_rolled_away() -> None:
    tape = Tape()
    tape.balance(0, "USDT", 1000.0)
    tape.fill(10, "ETH/USDT", 1, 100.0, 4.0)
    tape.balance(20, "USDT", 750.0)
    tape.fill(30, "ETH/USDT", 1, 100.0, 1.0)
    names = Names()
    assert holding_of(judge(tape, names), names, "USDT") == 650.0


def test_a_fee_is_told_in_quote_units_and_unknown_where_nothing_prices_its_currency() -> None:
    tape = Tape()
    for minute in range(20):
        tape.mid(60 * minute, "ETH/BTC", 0.05)
        tape.mid(60 * minute, "BNB/BTC", 0.01)
    tape.fill(1200, "ETH/BTC", 1, 0.05, 2.0, fee_cost=3.0, fee_currency="BNB")
    tape.fill(1201, "ETH/BTC", 1, 0.05, 2.0, fee_cost=1e-4, fee_currency="BTC")
    tape.fill(1202, "ETH/BTC", 1, 0.05, 2.0, fee_cost=-0.2, fee_currency="ETH")
    tape.fill(1203, "ETH/BTC", 1, 0.05, 2.0, fee_cost=3.0, fee_currency="VOID")
    tape.fill(1204, "ETH/BTC", 1, 0.05, 2.0)
    fees = judge(tape).judged["fee_quote"]
    np.testing.assert_allclose(fees, [0.03, 1e-4, -0.01, NAN, NAN], rtol=1e-3)


# --- equity -------------------------------------------------------------------------------------------


def test_equity_stands_still_for_a_minute() -> None:
    """Valuing all holdings at each of a burst's fills would cost more than judging them."""
    tape = Tape()
    tape.balance(0, "USDT", 1000.0)
    for second in (100.5, 130.5, 160.4, 160.5, 200.5, 220.5):
        tape.fill(second, "VOID/USDT", 1, 1.0, 1.0, fee_cost=1.0, fee_currency="USDT")
    assert judge(tape).judged["equity"].tolist() == [1000.0, 1000.0, 1000.0, 997.0, 997.0, 995.0]


def test_equity_is_valued_anew_within_a_minute_after_so_many_fills() -> None:
    """A drain of hundreds of fills a minute must not be measured against what was there before it."""
    tape = Tape()
    tape.balance(0, "USDT", 1000.0)
    for i in range(40):
        tape.fill(100 + 0.1 * i, "VOID/USDT", 1, 1.0, 1.0, fee_cost=1.0, fee_currency="USDT")
    equity = judge(tape).judged["equity"]
    assert np.flatnonzero(np.diff(equity)).tolist() == [FILLS_KEPT - 1, 2 * FILLS_KEPT - 1]
    assert equity[-1] == pytest.approx(1000.0 - 2 * FILLS_KEPT, abs=1e-6)


def test_without_balances_the_account_is_taken_for_some_of_its_largest_orders() -> None:
    tape = calm_tape()
    outcome = judge(tape)
    assert np.isnan(outcome.judged["equity"]).all()
    turnover, value = outcome.feature("turnover_equity"), 3000.0
    assert turnover[0] == pytest.approx(1.0 / EQUITY_ORDERS, rel=1e-3)
    told = Tape(tape.rows, tape.fills)
    told.balance(0, "USDT", EQUITY_ORDERS * value)
    assert judge(told).feature("turnover_equity")[0] == pytest.approx(turnover[0], rel=1e-3)


# --- what a currency is worth -------------------------------------------------------------------------

WORTHS = {"USDT": 1.0, "BTC": 60_000.0, "ETH": 3000.0, "THIN": 1e-3, "DOGE": 0.2, "LIRA": 0.025}
PAIRS = [(base, quote) for base in WORTHS for quote in WORTHS if base not in {quote, "USDT"}]


def hops(edges: list[tuple[str, str]]) -> dict[str, int]:
    """Markets between each currency and the dollar, by the shortest way."""
    found, waiting = {"USDT": 0}, deque(["USDT"])
    while waiting:
        at = waiting.popleft()
        for base, quote in edges:
            for near, far in ((base, quote), (quote, base)):
                if near == at and far not in found:
                    found[far] = found[at] + 1
                    waiting.append(far)
    return found


@given(st.lists(st.sampled_from(PAIRS), min_size=1, max_size=7, unique_by=frozenset), st.randoms())
@settings(max_examples=40)
def test_a_currency_is_priced_over_the_shortest_way_to_a_dollar(
    edges: list[tuple[str, str]], chance: Any
) -> None:
    """Whatever the order in which markets turn up, and whichever way round they are quoted."""
    names, tape = Names(), Tape()
    for five_minutes in range(8):
        for base, quote in chance.sample(edges, len(edges)):
            at = 300 * five_minutes + chance.randrange(300)
            tape.mid(at, f"{base}/{quote}", WORTHS[base] / WORTHS[quote], 0.5)
    outcome = judge(tape, names)
    ways = hops(edges)
    del ways["USDT"]  # worth a dollar, seen or not
    for currency, distance in ways.items():
        assert worth_of(outcome, names, currency) == near(WORTHS[currency], distance), currency


@pytest.mark.parametrize("price", [0.9, 1.1])
def test_a_dollar_by_name_stays_one(price: float) -> None:
    """Else a coin's depeg would move the worth of all that is counted in it."""
    tape = Tape()
    for minute in range(30):
        tape.mid(60 * minute, "USDC/USDT", price)
    names = Names()
    outcome = judge(tape, names)
    assert worth_of(outcome, names, "USDC") == worth_of(outcome, names, "USDT") == (1.0, 0)
    assert {"USDC", "USDT"} <= STABLES


def test_a_shorter_way_replaces_a_longer_one_and_not_the_reverse() -> None:
    tape = Tape()
    for minute in range(60):
        tape.mid(60 * minute, "BTC/USDT", 60_000.0)
        tape.mid(60 * minute, "THIN/BTC", 2e-5)  # 1.2 dollars
        if minute >= 30:
            tape.mid(60 * minute, "THIN/USDT", 1.0)
    names = Names()
    before = judge(Tape([row for row in tape.rows if row.symbol != "THIN/USDT"]), names)
    assert worth_of(before, names, "THIN") == near(1.2, 2)
    names = Names()
    assert worth_of(judge(tape, names), names, "THIN") == near(1.0, 1)


def test_an_island_of_coins_is_counted_in_one_of_them_until_a_dollar_is_in_sight() -> None:
    names, tape = Names(), Tape()
    for minute in range(30):
        tape.mid(60 * minute, "A/B", 4.0)
    worth, rank = worth_of(judge(tape, names), names, "A")
    assert worth == pytest.approx(4.0, rel=1e-3)
    assert rank < UNPRICED_RANK
    assert worth_of(judge(tape, names), names, "B")[0] == 1.0
    for minute in range(30, 60):
        tape.mid(60 * minute, "A/B", 4.0)
        tape.mid(60 * minute, "B/USDT", 10.0)
    outcome = judge(tape, names)
    assert worth_of(outcome, names, "B") == near(10.0, 1)
    assert worth_of(outcome, names, "A") == near(40.0, 2)


def test_a_derivative_prices_no_currency() -> None:
    """Its price carries funding and time, and an inverse one's counts in another unit."""
    tape = Tape()
    for minute in range(30):
        tape.mid(60 * minute, "ETH/USDT:USDT", 3000.0)
    names = Names()
    assert worth_of(judge(tape, names), names, "ETH")[1] == UNPRICED_RANK


def test_where_no_market_tells_own_fills_do() -> None:
    tape = Tape()
    tape.fill(10, "ETH/VOID", 1, 4.0)  # a VOID is the unit then
    tape.fill(20, "THIN/ETH", 1, 2.0)  # an ETH is 4 VOID
    tape.fill(30, "USDT/LIRA", 1, 40.0)  # a dollar is known
    tape.fill(40, "THIN/LIRA", 1, 80.0)
    np.testing.assert_allclose(judge(tape).judged["quote_value"], [1.0, 4.0, 0.025, 0.025], rtol=1e-12)


def test_what_another_account_paid_prices_nothing_for_this_one() -> None:
    """Else whoever shares a platform with a thief's victim could be made to look poor, or rich."""
    tape = Tape()
    for account, price in (("thief", 1e6), ("ann", 4.0)):
        tape.balance(5, "VOID", 100.0, account=account)
        tape.fill(10, "ETH/VOID", 1, price, account=account)
        tape.fill(80, "THIN/ETH", 1, 2.0, account=account)
    outcome = judge(tape)
    alone = judge(Tape(tape.rows, [fill for fill in tape.fills if fill.account == "ann"]))
    assert outcome.judged["quote_value"].tolist() == [1.0, 1.0, 1e6, 4.0]
    assert differing(outcome.judged[[1, 3]], alone.judged) == []


# --- level of information -----------------------------------------------------------------------------


def _quotes(tape: Tape) -> None:
    for minute in range(60):
        tape.mid(60 * minute, "THIN/BTC", 1e-4)


def _prints(tape: Tape) -> None:
    for minute in range(60):
        tape.trade(60 * minute, "THIN/BTC", 1e-4)


def _candles(tape: Tape) -> None:
    for minute in range(1, 60):
        tape.candle(60 * minute, "THIN/BTC", (1e-4, 1e-4, 1e-4, 1e-4), 5.0)


def _own(tape: Tape) -> None:
    tape.fill(3000, "THIN/BTC", 1, 1e-4)


def _legs(of: str) -> Callable[[Tape], None]:
    def tell(tape: Tape) -> None:
        for minute in range(1, 60):
            for symbol, price in (("THIN/USDT", 6.0), ("BTC/USDT", 60_000.0)):
                if of == "quotes":
                    tape.mid(60 * minute, symbol, price)
                elif of == "prints":
                    tape.trade(60 * minute, symbol, price)
                else:
                    tape.candle(60 * minute, symbol, (price, price, price, price), 5.0)

    return tell


def _boosted(of: str) -> Callable[[Tape], None]:
    """A dead coin, threefold an hour ago, with nothing else to price it: its past is what counts."""

    def tell(tape: Tape) -> None:
        for i in range(70):
            at, price = (1200 * i, 3e-5) if i < 60 else (71_400 + 60 * (i - 60), 1e-4)
            if of == "prints":
                tape.trade(at - 80_000, "THIN/BTC", price, 1e-6)
            elif of == "quotes":
                tape.trade(at - 80_000, "THIN/BTC", price, 1e-6)
                tape.mid(at - 80_000, "THIN/BTC", price)
            else:
                tape.candle(at - 80_000, "THIN/BTC", (price, price, price, price), 1e-6)

    return tell


def _nothing(tape: Tape) -> None:
    del tape


INFORMATION: dict[str, tuple[Callable[[Tape], None], dict[str, float], str, str]] = {
    "nothing": (_nothing, {}, "none", "fills"),
    "own fills": (_own, {}, "own_fills", "fills"),
    "candles": (_candles, {}, "candles", "candles"),
    "prints": (_prints, {}, "trades", "trades"),
    "quotes": (_quotes, {}, "mid", "quotes"),
    "a mark price": (_nothing, {"mark": 1e-4}, "mark", "quotes"),
    "legs by candles": (_legs("candles"), {}, "cross", "candles"),
    "legs by prints": (_legs("prints"), {}, "cross", "trades"),
    "legs by quotes": (_legs("quotes"), {}, "cross", "quotes"),
    "past by candles": (_boosted("candles"), {}, "history", "candles"),
    "past by prints": (_boosted("prints"), {}, "history", "trades"),
    "past by quotes": (_boosted("quotes"), {}, "history", "quotes"),
}
"""What there is, what the venue's message tells beside, whose word is taken, and the level of that."""


def test_every_source_is_among_the_cases() -> None:
    assert {source for _, _, source, _ in INFORMATION.values()} == set(SOURCES)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("case", INFORMATION)
def test_the_level_is_that_of_what_the_fill_was_judged_against(case: str, log: bool) -> None:
    """Each level is calibrated by itself: at the wrong one a score promises a rate that doesn't hold.

    The owner's log makes a level of its own, but only above market data that can be judged with it.
    """
    tell, other, source, level = INFORMATION[case]
    tape = Tape()
    tell(tape)
    if log:
        tape.logged(3500, order=1)
    tape.fill(3601, "THIN/BTC", 1, 1e-4, 50.0, **other)
    out = judge(tape).judged[-1]
    assert SOURCES[out["source"]] == source
    assert LEVELS[out["level"]] == ("orders" if log and level in {"trades", "quotes"} else level)


@pytest.mark.parametrize(
    ("order", "client", "logged"),
    [
        (7, 0, 1),
        (0, 9, 1),
        (7, 9, 1),
        (7, 555, 1),
        (555, 9, 1),
        (9, 7, 1),
        (555, 556, 0),
        (555, 0, 0),
        (0, 0, -1),
    ],
)
@pytest.mark.parametrize("account", ["ann", "bob", "cat"])
def test_the_log_has_an_order_by_either_id(order: int, client: int, logged: int, account: str) -> None:
    """Ann's log has order 7 under client id 9; bob's has others, cat has none."""
    tape = Tape()
    tape.logged(1, order=7, client=9, account="ann")
    tape.logged(1, order=1007, client=1009, account="bob")
    tape.fill(10, "ETH/USDT", 1, 3000.0, order=order, client=client, account=account)
    theirs = {"ann": logged, "bob": min(logged, 0), "cat": -1}
    assert judge(tape).judged["logged"].tolist() == [theirs[account]]


# --- order of events ----------------------------------------------------------------------------------


def test_rows_come_before_fills_at_equal_times() -> None:
    """A balance and a log row of the fill's own time are known to it; those a microsecond later aren't."""
    tape = Tape()
    tape.balance(0, "USDT", 1000.0)
    tape.logged(0, order=1)
    for at in (10.0, 200.0):
        tape.fill(at, "ETH/USDT", 1, 1.0, 1e-9, order=int(at))
    names = Names()
    late = Tape(list(tape.rows), tape.fills)
    early = Tape(list(tape.rows), tape.fills)
    for told, later in ((early, 0.0), (late, 1e-6)):
        told.balance(200.0 + later, "USDT", 5000.0)
        told.logged(10.0 + later, order=10)
    seen = judge(early, names).judged
    assert seen["equity"] == pytest.approx([1000.0, 5000.0], abs=1e-6)
    assert seen["logged"].tolist() == [1, 0]
    seen = judge(late, names).judged
    assert seen["equity"] == pytest.approx([1000.0, 1000.0], abs=1e-6)
    assert seen["logged"].tolist() == [0, 0]


def test_a_price_of_the_fills_own_time_is_not_what_it_is_judged_by() -> None:
    """The quote after a fill often shows what the fill itself did to the book."""
    tape = calm_tape(60)
    tape.mid(3600, "ETH/USDT", 3015.0, 1.0)
    tape.fill(3600, "ETH/USDT", 1, 3015.0)
    tape.fill(3601, "ETH/USDT", 1, 3015.0)
    fair = judge(tape).judged["fair"][-2:]
    assert fair == pytest.approx([3000.0, 3015.0], rel=3e-4)


# --- stops --------------------------------------------------------------------------------------------


def with_room(engine: Engine, pairs: int, holdings: int, log: int) -> None:
    """Give an engine that has seen nothing yet so much room to begin with."""
    engine._state = engine._state._replace(
        pairs=np.zeros(pairs, PAIR),
        pair_keys=np.zeros(4 * pairs, np.uint64),
        pair_slots=np.zeros(4 * pairs, np.int32),
        holdings=np.zeros(holdings, HOLDING),
        holding_keys=np.zeros(4 * holdings, np.uint64),
        holding_slots=np.zeros(4 * holdings, np.int32),
        log_keys=np.zeros(log, np.uint64),
        log_slots=np.zeros(log, np.int32),
    )


def stops_of(engine: Engine, batch: Batch) -> tuple[list[int], NDArray[np.void], NDArray[np.float64]]:
    """Why the loop stopped, each time, until all was taken; judgements and feature rows."""
    judged, features = np.zeros(len(batch.fills), JUDGED), np.full((len(batch.fills), COUNT), NAN)
    engine._fit_names()
    whys: list[int] = []
    while True:
        why = run(engine._state, tiny_judge(), batch.rows, batch.fills, judged, features)
        if why == DONE:
            return whys, judged, features
        whys.append(why)
        engine._make_room(why)


@given(SEEDS, st.sampled_from([1, 2, 8]), st.sampled_from([8, 16]), st.sampled_from([4, 16, 64]))
@settings(max_examples=30)
def test_stopping_for_room_changes_nothing(seed: int, pairs: int, holdings: int, log: int) -> None:
    """An event that was half taken when an array was full would be taken twice."""
    names = usual_names()
    batch = random_tape(seed).batch(names)
    narrow, wide = new_engine(names), new_engine(names)
    with_room(narrow, pairs, holdings, log)
    with_room(wide, 256, 256, 4096)
    whys, judged, features = stops_of(narrow, batch)
    roomy_whys, roomy, roomy_features = stops_of(wide, batch)
    assert set(roomy_whys) <= {NEW_MARKET}
    assert whys.count(NEW_MARKET) == roomy_whys.count(NEW_MARKET)
    assert differing(judged, roomy) == []
    assert features.tobytes() == roomy_features.tobytes()
    assert narrow._state.counts.tobytes() == wide._state.counts.tobytes()
    for part in ("markets", "accounts", "currencies"):
        assert differing(getattr(narrow._state, part), getattr(wide._state, part)) == [], part
    for part, used in (
        ("pairs", narrow._state.counts[N_PAIRS]),
        ("holdings", narrow._state.counts[N_HOLDINGS]),
    ):
        assert differing(getattr(narrow._state, part)[:used], getattr(wide._state, part)[:used]) == [], part


def test_it_stops_for_each_of_its_reasons() -> None:
    whys: set[int] = set()
    for seed in range(6):
        names = usual_names()
        engine = new_engine(names)
        with_room(engine, 1, 8, 4)
        whys |= set(stops_of(engine, random_tape(seed).batch(names))[0])
    assert whys == {NEW_MARKET, PAIRS_FULL, HOLDINGS_FULL, LOG_FULL}


def _left_at(state: State) -> tuple[int, int]:
    return int(state.counts[AT_ROW]), int(state.counts[AT_FILL])


def test_a_new_market_is_told_once_by_a_fill_and_once_by_its_first_row() -> None:
    """Only rows make a market a witness for others: the two are told apart; nothing is taken meanwhile."""
    tape = Tape()
    tape.fill(10, "B/USDT", 1, 1.0)
    tape.mid(20, "B/USDT", 1.0)
    tape.mid(30, "A/USDT", 1.0)
    tape.fill(40, "A/USDT", 1, 1.0)
    names = Names()
    batch = tape.batch(names)
    engine = new_engine(names)
    judged, features = np.zeros(2, JUDGED), np.full((2, COUNT), NAN)
    told = []
    for _ in range(3):
        for _ in range(2):  # asked again without room made, it says the same and takes nothing
            assert run(engine._state, tiny_judge(), batch.rows, batch.fills, judged, features) == NEW_MARKET
            counts = engine._state.counts
            told.append((names.markets[counts[MET]].symbol, int(counts[MET_ROW]), _left_at(engine._state)))
        engine._make_room(NEW_MARKET)
    first, second, third = ("B/USDT", 0, (0, 0)), ("B/USDT", 1, (0, 1)), ("A/USDT", 1, (1, 1))
    assert told == [first, first, second, second, third, third]
    assert run(engine._state, tiny_judge(), batch.rows, batch.fills, judged, features) == DONE
    assert _left_at(engine._state) == (2, 2)


def test_with_nothing_to_take_it_is_done_and_nothing_has_changed() -> None:
    names = usual_names()
    engine = feed(new_engine(names), [random_tape(3).batch(names)]).engine
    before = engine.snapshot()
    empty = Batch.empty()
    judged, features = np.zeros(0, JUDGED), np.zeros((0, COUNT))
    assert run(engine._state, tiny_judge(), empty.rows, empty.fills, judged, features) == DONE
    assert engine.snapshot() == before


# --- judgement ----------------------------------------------------------------------------------------


@cache
def judged_streams() -> list[tuple[NDArray[np.void], Outcome]]:
    """Fills and outcomes of some random streams, with all there is in them."""
    found = []
    for seed in range(12):
        names = usual_names()
        batch = random_tape(seed).batch(names)
        found.append((batch.fills, feed(new_engine(names), [batch])))
    return found


def naive_share(sigmas: float, *, logged: bool, forced: bool) -> float:
    """How much of the forests' votes counts: all from one sigma on, or where nothing is known; else less."""
    if forced:
        return 0.1
    share = 1.0 if np.isnan(sigmas) else float(np.clip(0.6 + 0.4 * sigmas, 0.3, 1.0))
    return 0.5 * share if logged else share


def test_a_judgement_is_that_of_its_feature_row() -> None:
    """Forests, rules, votes and score made again from the row that is handed out: explanations rest on it."""
    model = tiny_judge()
    room, keys = np.empty(COUNT), np.empty(COUNT, np.int64)
    scores, peers = np.empty(len(FAMILIES)), np.empty(len(VOTES))
    for fills, outcome in judged_streams():
        for fill, out, row in zip(fills, outcome.judged, outcome.features, strict=True):
            forced = bool(fill["flags"] & FORCED)
            level, logged = int(out["level"]), out["logged"] == 1
            forest_scores(model, row, room, keys, scores)
            assert out["rules"] == (0 if forced else tripped(row))
            assert out["share"] == pytest.approx(
                naive_share(out["sigmas"], logged=logged, forced=forced), abs=1e-12
            )
            unlike = row[index("unlike_drift")] * out["share"]
            rules, share = int(out["rules"]), out["share"]
            known = 0.0 if forced else precedent(model.precedent, row)
            total = weigh(model, level, scores, out["evidence"], unlike, rules, share, known, peers)
            assert (out["total"], out["peers"].tolist()) == (total, peers.tolist())
            assert out["score"] == final_score(model, level, total)
            assert out["flagged"] == (out["score"] >= model.threshold)
            assert out["counts"] == (out["flagged"] == 1 or out["sigmas"] >= 1.0)


def test_judgements_are_finite_but_for_what_is_unknown() -> None:
    n_blind = 0
    for _, outcome in judged_streams():
        judged = outcome.judged
        for name in ("score", "total", "peers", "evidence", "share", "quote_value"):
            assert np.isfinite(judged[name]).all(), name
        blind = np.isnan(judged["fair"])
        n_blind += int(blind.sum())
        for name in ("deviation_bps", "sigmas", "loss_quote"):
            assert (np.isnan(judged[name]) == blind).all(), name
        assert (judged["source"][blind] == 0).all()
        assert (judged["source"][~blind] > 0).all()
    assert n_blind > 10


@pytest.mark.parametrize("logged", [False, True])
def test_evidence_counts_as_far_as_the_fill_itself_is_bad(logged: bool) -> None:
    """After a great loss a fill at the market's price has nothing against it, the owner's order little."""
    tape = calm_tape()
    tape.logged(0, order=4711)
    tape.fill(5400, "ETH/USDT", 1, 4500.0, order=1)
    tape.mid(5401, "ETH/USDT", 3000.0, 1.0)
    tape.fill(5402, "ETH/USDT", 1, 2999.0, order=2)
    tape.fill(5403, "ETH/USDT", 1, 3200.0, order=4711 if logged else 3)
    stolen, fair_priced, bad = judge(tape).judged[-3:]
    assert stolen["evidence"] > 3.0
    assert fair_priced["evidence"] == 0.0
    assert bad["sigmas"] > 1.0
    assert bad["logged"] == int(logged)
    if logged:
        assert bad["evidence"] == pytest.approx(LOGGED_SHARE * whole_evidence(tape), rel=0.1)
    else:
        assert bad["evidence"] > 3.0


def whole_evidence(tape: Tape) -> float:
    """Evidence at the last fill, were its order not in the log."""
    unlogged = Tape([row for row in tape.rows if row.values["kind"] != Kind.ORDER], tape.fills)
    return float(judge(unlogged).judged["evidence"][-1])


# --- learning -----------------------------------------------------------------------------------------

ACCOUNT_LEARNS = (
    "learned", "cost", "cost_var", "cost_count", "size", "size_var", "size_count", "largest", "loss_noise",
    "hour", "liquidity", "prefix", "prefix_count", "habit_count", "gap", "unlogged",
)  # fmt: skip
PAIR_LEARNS = ("trusted_ns", "trusted_price", "trusted_sigma")
"""All that says what is usual."""


def changed_by_last(tape: Tape) -> tuple[np.void, set[str]]:
    """The last fill's judgement, and which of the usual values it changed."""
    names = usual_names()
    batch = tape.batch(names)
    last = Batch(batch.rows[:0], batch.fills[-1:], batch.ids[-1:], batch.orders[-1:])
    rest = Batch(batch.rows, batch.fills[:-1], batch.ids[:-1], batch.orders[:-1])
    outcome = feed(new_engine(names), [rest])
    account, pair = outcome.engine._state.accounts[0].copy(), outcome.engine._state.pairs[0].copy()
    judged = feed(outcome.engine, [last]).judged[-1]
    state = outcome.engine._state
    changed = {
        name for name in ACCOUNT_LEARNS if account[name].tobytes() != state.accounts[0][name].tobytes()
    }
    changed |= {name for name in PAIR_LEARNS if pair[name].tobytes() != state.pairs[0][name].tobytes()}
    return judged, changed


@pytest.mark.parametrize("side", [1, -1])
def test_nothing_is_learned_from_a_flagged_fill(side: int) -> None:
    """Weeks of a thief's trading must not become what is usual."""
    tape = calm_tape()
    tape.fill(5400, "ETH/USDT", side, 3000.0 * 1.5**side, 20.0, liquidity=Liquidity.MAKER)
    judged, changed = changed_by_last(tape)
    assert judged["flagged"] == 1
    assert changed == set()


def test_a_usual_fill_teaches_all_that_is_usual() -> None:
    """Of the values that a flagged fill leaves alone none stands still by itself."""
    tape = calm_tape(60)
    tape.logged(3599, order=1)
    tape.fill(3600, "ETH/USDT", 1, 3000.5, 2.0, order=555, client_prefix=3)
    judged, changed = changed_by_last(tape)
    assert judged["flagged"] == 0
    assert changed == {*ACCOUNT_LEARNS, *PAIR_LEARNS}


def test_a_bad_price_teaches_no_cost_though_it_was_not_flagged() -> None:
    """Losing a little more each time must not raise what the next loss is measured by."""
    tape = calm_tape()
    tape.balance(0, "USDT", 1e9)  # it matters to nobody
    tape.fill(5400, "ETH/USDT", 1, 3040.0, 1.0)
    judged, changed = changed_by_last(tape)
    assert judged["sigmas"] >= SIGMAS_LEARNED
    assert judged["flagged"] == 0
    assert changed.isdisjoint({"cost", "cost_var", "cost_count", "loss_noise"})


def test_a_fill_of_an_order_under_way_is_no_new_habit() -> None:
    tape = calm_tape()
    tape.fill(5400, "ETH/USDT", 1, 3000.5, 2.0, order=555)
    tape.fill(5401, "ETH/USDT", 1, 3000.5, 2.0, order=555)
    _, changed = changed_by_last(tape)
    assert changed.isdisjoint({"learned", "habit_count", "hour", "liquidity", "size", "size_count", "gap"})


# --- forced closings ----------------------------------------------------------------------------------


def test_a_forced_closing_is_not_held_against_the_account() -> None:
    """A liquidation costs much and is no thief's order: it is neither flagged nor part of an incident."""
    for flags in (0, FORCED):
        tape = calm_tape()
        tape.balance(0, "USDT", 1e5)
        tape.fill(5400, "ETH/USDT", -1, 2000.0, 20.0, flags=flags)
        outcome = judge(tape)
        out = outcome.judged[-1]
        assert out["deviation_bps"] == pytest.approx(1e4 / 3.0, rel=1e-2)  # said as it is
        assert out["loss_quote"] == pytest.approx(20_000.0, rel=1e-2)
        assert bool(out["flagged"]) is (flags == 0)
        assert bool(outcome.incidents) is (flags == 0)
        if flags == FORCED:
            assert (out["sigmas"], out["evidence"], out["rules"], out["counts"]) == (0.0, 0.0, 0, 0)


def test_forced_closings_count_nothing_in_any_stream() -> None:
    n_forced = 0
    for fills, outcome in judged_streams():
        forced = outcome.judged[(fills["flags"] & FORCED) > 0]
        n_forced += len(forced)
        assert not (forced["sigmas"] > 0.0).any()
        assert (forced["rules"] == 0).all()
        assert (forced["share"] == 0.1).all()
        known = forced[~np.isnan(forced["sigmas"])]
        assert (known["evidence"] == 0.0).all()
    assert n_forced > 20


def test_a_liquidation_teaches_nothing_and_is_not_counted_against_later_fills() -> None:
    """A drain right after one must look as bad as it would have without it."""
    later = []
    for liquidated in (False, True):
        tape = Tape()
        tape.balance(0, "USDT", 1e5)
        for minute in range(120):
            tape.mid(60 * minute, "ETH/USDT", 3000.0)
        for i in range(60):
            side = 1 if i % 2 else -1
            tape.fill(60 * i + 1, "ETH/USDT", side, 3000.0 * (1.0 + 2e-4 * side))
        if liquidated:
            tape.fill(3601, "ETH/USDT", -1, 3000.0 / 1.05, 5.0, flags=FORCED)
        tape.fill(3661, "ETH/USDT", 1, 3030.0, 5.0)
        later.append(judge(tape).judged[-1])
    assert later[1]["sigmas"] == pytest.approx(later[0]["sigmas"], rel=1e-2)
    assert later[1]["evidence"] == pytest.approx(later[0]["evidence"], rel=0.05)


@pytest.mark.parametrize("times", [0.1, 0.5, 1.3, 20.0])
def test_an_orders_loss_is_what_the_account_lost(times: float) -> None:
    """Relative to worth, not to what was paid: else buys at 20 times fair lose 20 times what they can."""
    side = 1 if times > 1.0 else -1
    tape = Tape()
    tape.balance(0, "USDT", 1e6)
    tape.balance(0, "ETH", 100.0)
    for minute in range(120):
        tape.mid(60 * minute, "ETH/USDT", 3000.0)
    tape.fill(3601, "ETH/USDT", side, 3000.0 * times, 1.0)
    outcome = judge(tape)
    equity = 1e6 + 100.0 * 3000.0
    lost = 3000.0 * abs(times - 1.0)
    assert outcome.judged[0]["loss_quote"] == pytest.approx(lost, rel=1e-2)
    assert outcome.feature("order_loss_equity_bps")[0] == pytest.approx(1e4 * lost / equity, rel=1e-2)


def test_a_bleed_does_not_teach_that_bleeding_is_usual() -> None:
    """A market maker takes for the first time, and pays too much: the hundredth is as bad as the first."""
    tape = Tape()
    tape.balance(0, "USDT", 1e6)
    for minute in range(60 * 24):
        tape.mid(60 * minute, "ETH/USDT", 3000.0, 15.0)
    for i in range(200):
        side = 1 if i % 2 else -1
        tape.fill(120 * i + 30, "ETH/USDT", side, 3000.0 * (1.0 - 15e-4 * side), liquidity=Liquidity.MAKER)
    for i in range(100):
        side = 1 if i % 2 else -1
        price = 3000.0 * (1.0 + 40e-4 * side)
        tape.fill(30_000 + 180 * i, "ETH/USDT", side, price, 3.0, liquidity=Liquidity.TAKER)
    sigmas = judge(tape).feature("deviation_sigmas")
    assert sigmas[200:].min() > 1.0
