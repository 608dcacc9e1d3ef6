"""A false-alarm mark spares the owner, and gives a thief who imitates it next to nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drainwatch.alerts import harmless
from drainwatch.alerts.harmless import (
    MOST_SHARE,
    WINDOW_NS,
    Pattern,
    Withheld,
    is_like,
    with_this,
    withheld_of,
)
from report_fakes import incident

DAY_NS = WINDOW_NS // 30
MARKED = Pattern(
    account="main",
    exchange="binance",
    kinds=("planted_wall",),
    symbols=("XRP/ETH", "ADA/ETH"),
    loss=1.0,
    currency="ETH",
)


def warning(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"severity": "warning", "loss": 0.4, "equity_share": 0.001}
    return incident(**given | changes)


def test_what_is_like_it_is_kept_back() -> None:
    assert is_like(warning(), [MARKED], [], 0)
    assert is_like(warning(loss=1.0), [MARKED], [], 0)
    assert is_like(warning(loss=-0.1 + 0.1), [MARKED], [], 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"severity": "critical"},
        {"escalated_at": 5},
        {"account": "other"},
        {"exchange": "okx"},
        {"symbols": ["XRP/ETH", "BNB/ETH"]},
        {"kind": "ping_pong"},
        {"kind_now": "ping_pong"},
        {"loss": 1.01},
        {"loss": None},
        {"loss": -1.0},
        {"loss_currency": "BTC"},
        {"loss_currency": None},
        {"equity_share": None},
        {"equity_share": MOST_SHARE},
    ],
)
def test_what_is_not_like_it_is_told(changes: dict[str, Any]) -> None:
    """Unknown is never harmless: without balances, or without a price, everything is told."""
    assert not is_like(warning(**changes), [MARKED], [], 0)
    assert not is_like(warning(), [], [], 0), "nothing was ever called harmless"


def test_what_was_kept_back_counts_for_a_month_whatever_it_was() -> None:
    other = Withheld(incident="b", loss=0.7, currency="ETH", share=0.002, at_ns=0)
    assert not is_like(warning(), [MARKED], [other], WINDOW_NS - 1)
    assert is_like(warning(), [MARKED], [other], WINDOW_NS)
    assert is_like(
        warning(), [MARKED], [Withheld(incident="a1", loss=0.7, currency="ETH", share=0.0, at_ns=0)], 1
    )
    large = Withheld(incident="b", loss=9.0, currency="BTC", share=0.0045, at_ns=0)
    assert not is_like(warning(), [MARKED], [large], 1), "in shares of equity all currencies add up"


def test_what_is_kept_back_is_remembered_once_an_incident() -> None:
    made = withheld_of(warning(loss=0.1), 5)
    assert made is not None
    kept = with_this([], made)
    again = withheld_of(warning(loss=0.2), 6)
    assert again is not None
    assert with_this(kept, again) == [again]


KINDS = ("planted_wall", "ping_pong")
CURRENCIES = ("ETH", "BTC")
PATTERNS = st.lists(
    st.builds(
        Pattern,
        account=st.just("main"),
        exchange=st.just("binance"),
        kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=2, unique=True).map(tuple),
        symbols=st.just(("XRP/ETH", "ADA/ETH")),
        loss=st.floats(0.0, 3.0),
        currency=st.sampled_from(CURRENCIES),
    ),
    max_size=3,
)
STEPS = st.lists(
    st.tuples(
        st.integers(0, 12 * DAY_NS),  # how long after the step before
        st.integers(0, 5),  # which incident
        st.floats(0.0, 2.0),  # loss that comes to it
        st.sampled_from(KINDS),
        st.sampled_from(CURRENCIES),
    ),
    max_size=40,
)


@given(PATTERNS, STEPS)
@example([MARKED], [(0, n % 6, 0.4, "planted_wall", "ETH") for n in range(30)])
@example([MARKED], [(2 * DAY_NS, n % 6, 0.15, "planted_wall", "ETH") for n in range(40)])
def test_the_best_that_a_thief_can_do_is_what_was_called_harmless_once_a_month(
    patterns: list[Pattern], steps: list[tuple[int, int, float, str, str]]
) -> None:
    """He knows all marks, and deals out his thefts over incidents, times, patterns and currencies.

    What he took unheard within any 30 days is no more than the largest loss that its owner saw and
    called harmless, in each currency, and less than half a percent of all, in all of them together.
    """
    equity = {"ETH": 400.0, "BTC": 150.0}
    open_: dict[int, dict[str, Any]] = {}
    withheld: list[Withheld] = []
    taken: list[tuple[int, int, str, float, float]] = []  # time, incident, currency, loss and share unheard
    told: set[int] = set()
    now_ns = 0
    for pause_ns, number, loss, kind, currency in steps:
        now_ns += pause_ns
        made = open_.setdefault(
            number,
            warning(
                id=f"i{number}", loss=0.0, equity_share=0.0, kind=kind, kind_now=kind, loss_currency=currency
            ),
        )
        grown = made["loss"] + loss
        share = grown / equity[made["loss_currency"]]
        open_[number] = made | {"loss": grown, "equity_share": share}
        if number in told:
            continue
        if is_like(open_[number], patterns, withheld, now_ns):
            this = withheld_of(open_[number], now_ns)
            assert this is not None
            withheld = with_this(withheld, this)
            taken.append((now_ns, number, made["loss_currency"], loss, loss / equity[made["loss_currency"]]))
        else:
            told.add(number)
    for end_ns, *_ in taken:
        window = [one for one in taken if end_ns - WINDOW_NS < one[0] <= end_ns]
        assert sum(share for *_, share in window) < MOST_SHARE
        for currency in CURRENCIES:
            lost = sum(loss for _, _, where, loss, _ in window if where == currency)
            most = max((pattern.loss for pattern in patterns if pattern.currency == currency), default=0.0)
            assert lost <= most + 1e-9


def test_the_limits_are_what_the_decision_says() -> None:
    assert harmless.MOST_SHARE == 0.005
    assert harmless.WINDOW_NS == 30 * 24 * 3_600 * 10**9
