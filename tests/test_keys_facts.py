"""Facts of a key: what is told together, and that nothing of the key is kept."""

from __future__ import annotations

import pytest

from drainwatch.keys.facts import Facts, any_of, mark_of


@pytest.mark.parametrize(
    ("flags", "any_"),
    [((True, None), True), ((False, None), None), ((False, False), False), ((), False), ((None,), None)],
)
def test_what_isnt_told_is_never_no(flags: tuple[bool | None, ...], any_: bool | None) -> None:
    assert any_of(*flags) is any_


def test_nothing_told_is_nothing_known() -> None:
    facts = Facts()
    assert (facts.trades, facts.acts, facts.takes) == (None, None, None)


def test_a_key_acts_by_any_trade_or_transfer_and_takes_by_withdrawal_or_what_it_can_make() -> None:
    reads = Facts(trade=False, margin=False, derivatives=False, transfer=False, withdraw=False)
    assert (reads.acts, reads.takes) == (False, False)
    assert Facts(derivatives=True).trades
    assert Facts(transfer=True).acts
    assert not Facts(transfer=True, trade=False, margin=False, derivatives=False).trades
    assert Facts(withdraw=False, manage=True).takes


def test_marks_tell_keys_apart_and_hold_nothing_of_them() -> None:
    key = "AbCdEfGhIjKlMnOp"
    assert mark_of(key) == mark_of(key) != mark_of(key + "x")
    assert len(mark_of(key)) == 16
    assert mark_of("\ud800")  # what isn't text gets one, too
