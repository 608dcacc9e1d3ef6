"""Habit features: what is rare for this account, once its habits are known, and only then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.account import ACCOUNT, KINDS, reset_account
from drainwatch.events import FILL, FORCED, Liquidity, OrderType
from drainwatch.features.habit import (
    KIND_PRIOR,
    LEARNING,
    SIZE,
    UNLIKE_CAP,
    kind_share,
    learn_kind,
    unlike_nats,
)
from drainwatch.features.registry import COUNT
from streams import DAY_S, HOUR_S, Outcome, Tape, judge


def habitual(
    n: int = 60, *, last: dict[str, Any] | None = None, at: float | None = None, **usual: Any
) -> Outcome:
    """An account that trades once a day at ten, and then a last fill as told."""
    tape = Tape()
    for day in range(n):
        tape.fill(day * DAY_S + 10 * HOUR_S, "ETH/USDT", 1 if day % 2 else -1, 3000.0, **usual)
    tape.fill(at or n * DAY_S + 10 * HOUR_S, "ETH/USDT", 1, 3000.0, **(usual | (last or {})))
    return judge(tape)


def test_nothing_is_rare_for_an_account_that_is_not_known_yet() -> None:
    outcome = habitual(11, liquidity=Liquidity.TAKER)
    for name in ("hour_rarity", "prefix_rarity", "liquidity_rarity", "dormancy"):
        assert np.isnan(outcome.feature(name)[:-1]).all(), name
    known = habitual(40, liquidity=Liquidity.TAKER)
    for name in ("hour_rarity", "prefix_rarity", "liquidity_rarity", "dormancy"):
        assert np.isfinite(known.feature(name)[-1]), name


@pytest.mark.parametrize("hour", range(24))
def test_an_hour_is_rare_if_orders_are(hour: int) -> None:
    """At ten it always trades, at nine or eleven it could; in any other hour, midnight too, it never did."""
    rarity = habitual(at=(61 * 24 + hour) * HOUR_S).feature("hour_rarity")[-1]
    if hour == 10:
        assert rarity < 1.0
    elif abs(hour - 10) == 1:
        assert rarity < 2.0
    else:
        assert rarity > 3.5


def test_rarity_is_minus_the_logarithm_of_the_share() -> None:
    """Of 300 orders two thirds taken, one third made, a tenth under another prefix."""
    tape = Tape()
    for i in range(300):
        liquidity = Liquidity.MAKER if i % 3 == 0 else Liquidity.TAKER
        tape.fill(
            600 * i,
            "ETH/USDT",
            1 if i % 2 else -1,
            3000.0,
            liquidity=liquidity,
            client_prefix=2 if i % 10 == 0 else 1,
        )
    for i, (liquidity, prefix) in enumerate(
        [(Liquidity.MAKER, 2), (Liquidity.TAKER, 1), (Liquidity.TAKER, 3)]
    ):
        tape.fill(180_000 + 600 * i, "ETH/USDT", 1, 3000.0, liquidity=liquidity, client_prefix=prefix)
    outcome = judge(tape)
    np.testing.assert_allclose(
        outcome.feature("liquidity_rarity")[300:302], -np.log([1 / 3, 2 / 3]), atol=0.05
    )
    np.testing.assert_allclose(outcome.feature("prefix_rarity")[300:302], -np.log([0.1, 0.9]), atol=0.05)
    assert outcome.feature("prefix_rarity")[302] > 5.0


def test_an_absent_prefix_is_a_habit_as_well() -> None:
    assert habitual(client_prefix=0, last={"client_prefix": 7}).feature("prefix_rarity")[-1] > 3.5
    assert habitual(client_prefix=7, last={"client_prefix": 0}).feature("prefix_rarity")[-1] > 3.5
    assert habitual(client_prefix=0).feature("prefix_rarity")[-1] < 0.1


def test_an_unknown_class_of_liquidity_is_not_rare() -> None:
    assert np.isnan(
        habitual(liquidity=Liquidity.TAKER, last={"liquidity": Liquidity.UNKNOWN}).feature(
            "liquidity_rarity"
        )[-1]
    )


def test_waking_up_after_a_long_sleep() -> None:
    usual = habitual().feature("dormancy")
    assert usual[-1] < 0.5
    assert (usual[~np.isnan(usual)] >= 0.0).all()
    assert habitual(at=150 * DAY_S).feature("dormancy")[-1] == pytest.approx(np.log(90.0), abs=0.4)


def test_a_flagged_fill_teaches_no_habit() -> None:
    """A thief that comes at three in the morning, again and again, doesn't make that hour usual."""
    tape = Tape()
    for day in range(60):
        at = day * DAY_S + 10 * HOUR_S
        tape.mid(at - 60, "ETH/USDT", 3000.0)
        tape.fill(at, "ETH/USDT", 1 if day % 2 else -1, 3000.0)
    for night in range(60, 90):
        at = night * DAY_S + 3 * HOUR_S
        tape.mid(at - 60, "ETH/USDT", 3000.0)
        tape.fill(at, "ETH/USDT", 1, 4500.0)
    outcome = judge(tape)
    assert outcome.judged["flagged"][60:].all()
    assert not outcome.judged["flagged"][:60].any()
    rarity = outcome.feature("hour_rarity")[60:]
    np.testing.assert_array_equal(rarity, np.full(30, rarity[0]))


# --- the owner's order log ---------------------------------------------------------------------------


def logged_tape(n: int, missing: set[int], **other: Any) -> Tape:
    """Orders once an hour, logged a second before but for those that are missing."""
    tape = Tape()
    for i in range(n):
        at = HOUR_S * (i + 1)
        if i not in missing:
            tape.logged(at - 1, order=1000 + i)
        tape.fill(at, "ETH/USDT", 1 if i % 2 else -1, 3000.0, order=1000 + i, **other)
    return tape


def test_without_a_log_nothing_is_said_of_it() -> None:
    tape = logged_tape(10, set(range(10)))
    outcome = judge(tape)
    assert np.isnan(outcome.feature("unlogged")).all()
    assert np.isnan(outcome.feature("unlogged_drift")).all()
    assert (outcome.judged["logged"] == -1).all()


def test_an_order_that_the_log_has_is_no_news_and_one_that_it_lacks_is() -> None:
    outcome = judge(logged_tape(50, {48}))
    unlogged = outcome.feature("unlogged")
    assert (unlogged[:48] == 0.0).all()
    assert unlogged[48] > 2.0
    assert unlogged[49] == 0.0
    assert outcome.judged["logged"].tolist() == [1] * 48 + [0, 1]


def test_who_often_trades_by_hand_surprises_less() -> None:
    often = judge(logged_tape(80, {*range(0, 79, 2), 79}))
    seldom = judge(logged_tape(80, {79}))
    assert often.feature("unlogged")[79] == pytest.approx(np.log(2.0), abs=0.3)
    assert seldom.feature("unlogged")[79] > often.feature("unlogged")[79] + 1.0


def test_the_client_id_finds_the_order_too() -> None:
    tape = Tape()
    tape.logged(0, client=55)
    tape.fill(10, "ETH/USDT", 1, 3000.0, order=9, client=55)
    tape.fill(20, "ETH/USDT", 1, 3000.0, order=9, client=56)
    assert judge(tape).judged["logged"].tolist() == [1, 0]


def test_the_log_is_known_from_its_time_on_and_each_accounts_own() -> None:
    tape = Tape()
    tape.logged(0, order=1, account="ann")
    tape.logged(15, order=2, account="ann")
    for account in ("ann", "bob"):
        tape.fill(10, "ETH/USDT", 1, 3000.0, order=2, account=account)
        tape.fill(20, "ETH/USDT", 1, 3000.0, order=2, account=account)
    assert judge(tape).judged["logged"].tolist() == [0, -1, 1, -1]


def test_a_log_that_has_fallen_silent_says_nothing() -> None:
    """The logger died a week ago: every order since is missing, which tells nothing of thieves."""
    tape = logged_tape(48, set())
    for day in range(3, 12):
        tape.fill(day * DAY_S, "ETH/USDT", 1, 3000.0, order=5)
    logged = judge(tape).judged["logged"]
    assert logged[48] == 0
    assert logged[-1] == -1


@given(st.integers(0, 30))
def test_forced_closings_are_in_nobodys_log(at: int) -> None:
    """The venue closed the position: no log of the owner's could have it."""
    tape = logged_tape(40, {at}, flags=0)
    tape.fill(41 * HOUR_S, "ETH/USDT", -1, 3000.0, order=77, flags=FORCED)
    assert judge(tape).feature("unlogged")[-1] == 0.0


def test_orders_that_nobody_logged_add_up() -> None:
    drift = judge(logged_tape(60, set(range(50, 60)))).feature("unlogged_drift")
    assert (drift[:50] == 0.0).all()
    assert (np.diff(drift[49:]) > 0.0).all()
    assert drift[59] > 7.0


# --- orders that aren't the account's own kind ---------------------------------------------------------

KIND = st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 2))


def new_account() -> Any:
    account = np.zeros(1, ACCOUNT)[0]
    reset_account(account)
    return account


def order(prefix: int, kind: int, liquidity: int) -> Any:
    fill = np.zeros(1, FILL)[0]
    fill["client_prefix"], fill["type"], fill["liquidity"] = prefix, kind, liquidity
    return fill


def sized(deviations: float) -> Any:
    x = np.full(COUNT, np.nan)
    x[SIZE] = deviations
    return x


@given(st.lists(KIND, max_size=60), KIND)
def test_the_share_of_a_kind_is_the_one_counted(
    placed: list[tuple[int, int, int]], asked: tuple[int, int, int]
) -> None:
    """Joint counts, smoothed by the product of prefix and form; as long as there is room for all kinds."""
    account = new_account()
    kinds: list[tuple[int, int, int]] = []
    for kind in placed:
        if kind not in kinds and len(set(kinds)) == KINDS:
            continue
        learn_kind(account, order(*kind), new_market=False)
        kinds.append(kind)
    total = len(kinds)
    prefix = sum(kind[0] == asked[0] for kind in kinds) / (total + 0.5)
    if prefix == 0.0:
        prefix = (len({kind[0] for kind in kinds}) + 0.5) / (total + 1.0)
    form = (sum(kind[1:] == asked[1:] for kind in kinds) + 0.25) / (total + 1.0)
    share = (kinds.count(asked) + KIND_PRIOR * prefix * form) / (total + KIND_PRIOR)
    assert kind_share(account, order(*asked)) == pytest.approx(share, rel=1e-9)


@given(
    st.lists(st.tuples(KIND, st.booleans()), min_size=12, max_size=900),
    KIND,
    st.booleans(),
    st.one_of(st.just(np.nan), st.floats(-50.0, 50.0)),
    st.sampled_from((0.0, 1.0, np.nan)),
)
def test_what_one_order_says_is_bounded(
    placed: list[tuple[tuple[int, int, int], bool]],
    asked: tuple[int, int, int],
    new_market: bool,
    size: float,
    logged: float,
) -> None:
    account = new_account()
    for kind, new in placed:
        learn_kind(account, order(*kind), new_market=new)
    nats = unlike_nats(sized(size), account, order(*asked), new_market, logged)
    assert -4.0 < nats <= UNLIKE_CAP
    if logged == 1.0:
        assert nats <= 0.0, "the owner's log has it"


def test_a_young_account_has_no_kinds_of_its_own() -> None:
    account = new_account()
    for _ in range(int(LEARNING)):
        assert np.isnan(unlike_nats(sized(0.0), account, order(1, 2, 1), new_market=False, logged=np.nan))
        learn_kind(account, order(1, 2, 1), new_market=False)
    assert unlike_nats(sized(0.0), account, order(1, 2, 1), new_market=False, logged=np.nan) < 0.0


def test_each_odd_trait_speaks_for_a_stranger() -> None:
    account = new_account()
    for i in range(100):
        learn_kind(account, order(1 if i % 4 else 2, 2, 1 if i % 4 else 2), new_market=False)

    def nats(*kind: int, size: float = 0.0, new: bool = False) -> float:
        return float(unlike_nats(sized(size), account, order(*kind), new, np.nan))

    usual = nats(1, 2, 1)
    assert usual < -0.5
    assert nats(3, 2, 1) > 1.0  # a prefix never seen
    assert nats(1, 1, 1) > 1.0  # another order type
    assert nats(1, 2, 2) > 1.0  # each known, never together
    assert nats(1, 2, 1, new=True) > usual + 1.0
    assert nats(1, 2, 1, size=4.0) > usual + 1.0
    assert nats(1, 2, 1, size=-4.0) == usual  # small ones are nobody's in particular


BOT = {"client_prefix": 1, "type": OrderType.LIMIT, "liquidity": Liquidity.MAKER}
THIEF = {"client_prefix": 9, "type": OrderType.MARKET, "liquidity": Liquidity.TAKER}


def bot(days: int, every_s: float = 3.0 * HOUR_S) -> Tape:
    tape = Tape()
    for i in range(int(days * DAY_S / every_s)):
        tape.fill(every_s * i, "ETH/USDT", 1 if i % 2 else -1, 3000.0, **BOT)
    return tape


def test_orders_of_another_kind_add_up_without_a_log_or_a_price() -> None:
    tape = bot(10)
    for i in range(5):
        tape.fill(10 * DAY_S + 4 * i, "NEW/USDT", 1, 2.0, **THIEF)
    drift = judge(tape).feature("unlike_drift")
    assert np.isnan(drift[: int(LEARNING)]).all()
    assert (drift[int(LEARNING) : 80] == 0.0).all()
    assert (np.diff(drift[79:]) > 0.0).all()
    assert drift[-1] > 10.0


def test_the_fills_of_an_order_count_once() -> None:
    many = bot(10)
    for i in range(20):
        many.fill(10 * DAY_S + i, "NEW/USDT", 1, 2.0, order=77, **THIEF)
    drift = judge(many).feature("unlike_drift")[80:]
    assert drift[0] > 2.0
    np.testing.assert_allclose(drift, drift[0], rtol=1e-3)


def test_the_accounts_own_orders_between_are_not_blamed() -> None:
    tape = bot(10)
    for i in range(4):
        tape.fill(10 * DAY_S + 10 * i, "NEW/USDT", 1, 2.0, **THIEF)
        tape.fill(10 * DAY_S + 10 * i + 5, "ETH/USDT", 1, 3000.0, **BOT)
    drift = judge(tape).feature("unlike_drift")[80:]
    assert (drift[1::2] == 0.0).all()
    assert drift[-2] > drift[0] > 0.0


def test_who_also_trades_by_hand_is_not_suspected_for_it() -> None:
    """Once a day an order by hand: the first few are news, then it is how this account trades."""
    tape = bot(30)
    for day in range(30):
        tape.fill(day * DAY_S + 0.4 * DAY_S, "ETH/USDT", 1, 3000.0, **THIEF)
    drift = judge(tape).feature("unlike_drift")
    assert np.nanmax(drift[len(drift) // 3 :]) < 4.0


def test_a_new_program_becomes_usual_in_days() -> None:
    tape = bot(20)
    for i in range(20 * 24):
        tape.fill((20 * 24 + i) * HOUR_S, "ETH/USDT", 1 if i % 2 else -1, 3000.0, **THIEF)
    drift = judge(tape).feature("unlike_drift")[160:]
    assert drift[:24].max() > 10.0
    assert drift[8 * 24 :].max() == 0.0


def test_a_liquidation_is_no_strangers_order() -> None:
    tape = bot(10)
    for i in range(5):
        tape.fill(10 * DAY_S + 4 * i, "ETH/USDT", -1, 3000.0, flags=FORCED, **THIEF)
    assert np.isnan(judge(tape).feature("unlike_drift")[80:]).all()
