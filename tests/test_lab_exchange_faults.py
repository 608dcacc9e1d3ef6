from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.lab.exchange.faults import (
    DAMAGE,
    ON_CONNECTIONS,
    ON_MESSAGES,
    ON_REQUESTS,
    Fault,
    Faults,
)

REPORT = b'{"subscriptionId":0,"event":{"e":"executionReport","L":"1.50","l":"2","t":7,"N":null}}'


def test_every_fault_has_its_place() -> None:
    assert Counter((*ON_CONNECTIONS, *ON_MESSAGES, *ON_REQUESTS)) == Counter(Fault)


def test_without_rates_nothing_goes_wrong() -> None:
    faults = Faults()
    assert {faults.on_message() for _ in range(100)} == {None}
    assert {faults.on_request() for _ in range(100)} == {None}
    assert not faults.happened


def test_the_same_seed_gives_the_same_faults() -> None:
    rates = dict.fromkeys(Fault, 0.02)

    def drawn(seed: int) -> list[Fault | None]:
        faults = Faults(seed, rates)
        return [draw() for _ in range(500) for draw in (faults.on_message, faults.on_request)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@pytest.mark.parametrize("fault", [*ON_CONNECTIONS, *ON_MESSAGES])
def test_a_fault_happens_as_often_as_its_rate_says(fault: Fault) -> None:
    faults = Faults(3, {fault: 0.2})
    drawn = Counter(faults.on_message() for _ in range(2_000))
    assert drawn.keys() == {fault, None}
    assert 300 < drawn[fault] < 500
    assert faults.happened[fault] == drawn[fault]


def test_what_is_ordered_by_hand_happens_next_and_no_longer() -> None:
    faults = Faults()
    faults.once(Fault.CUT)
    faults.once(Fault.RATE_LIMIT, 2)
    assert [faults.on_message() for _ in range(2)] == [Fault.CUT, None]
    assert [faults.on_request() for _ in range(3)] == [Fault.RATE_LIMIT, Fault.RATE_LIMIT, None]
    faults.once(Fault.DELAY)
    faults.set({Fault.DELAY: 1.0})
    faults.off()
    assert faults.on_message() is None


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_is_a_probability(rate: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        Faults(rates={Fault.CUT: rate})


@given(st.sampled_from(DAMAGE), st.integers(0, 10_000))
def test_a_damaged_message_is_another_one(fault: Fault, seed: int) -> None:
    damaged, binary = Faults(seed).damaged(fault, REPORT)
    assert damaged != REPORT
    assert binary is (fault is Fault.BINARY)
    match fault:
        case Fault.TRUNCATED:
            assert REPORT.startswith(damaged)
        case Fault.EMPTY_LIST:
            assert damaged == b"[]"
        case Fault.BAD_PRICE:
            assert json.loads(damaged)["event"]["L"] == "abc"
        case Fault.MISSING_FIELDS:
            assert len(json.loads(damaged)["event"]) == 2
        case Fault.HUGE:
            assert len(damaged) > 1 << 20
        case Fault.BINARY:
            with pytest.raises(UnicodeDecodeError):
                damaged.decode()
        case _:
            assert json.loads(damaged)["event"].keys() == json.loads(REPORT)["event"].keys()


@given(st.integers(0, 1_000))
def test_pages_and_bodies_get_shorter_and_waits_stay_short(seed: int) -> None:
    faults = Faults(seed, delay_s=0.3)
    assert 1 <= len(faults.shortened([1, 2, 3])) < 3
    assert faults.shortened([1]) == [1]
    assert len(faults.cut(b"abc")) < 3
    assert faults.cut(b"") == b""
    assert 0.0 <= faults.delay() <= 0.3
    assert 1 <= faults.behind() <= 3
    assert faults.status() >= 500
