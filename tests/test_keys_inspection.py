"""Whatever comes of asking is a finding: nothing is lost, and nothing unanswered passes for good."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from doctor_fakes import NOW_NS, RIGHTS
from drainwatch.errors import KeyRefusedError, VenueError
from drainwatch.keys import inspection
from drainwatch.keys.advice import Allowed, Finding, State
from drainwatch.keys.inspection import compare_clocks, inspect


class Venue:
    """An exchange with one answer."""

    def __init__(self, answer: Any, skew: Any = 0) -> None:
        self._answer, self._skew = answer, skew

    async def raw(self, method: str, params: Mapping[str, Any], what: str) -> Any:
        assert method
        assert what
        if isinstance(self._answer, Exception):
            raise self._answer
        if self._answer == "never":
            await asyncio.Event().wait()
        return self._answer

    async def clock_skew_ns(self) -> int | None:
        if isinstance(self._skew, Exception):
            raise self._skew
        return self._skew  # type: ignore[no-any-return]


def looked(answer: Any, exchange: str = "binance") -> list[Finding]:
    return asyncio.run(inspect(exchange, Venue(answer), "key", NOW_NS, Allowed()))[1]


def test_an_answer_is_judged() -> None:
    assert {finding.state for finding in looked(RIGHTS)} == {State.OK, State.UNTOLD}
    assert State.BAD in {finding.state for finding in looked(RIGHTS | {"enableFutures": True})}


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (KeyRefusedError("binance: not taken"), "has it expired"),
        (VenueError("binance: can't be reached"), "Nothing is known of this key"),
    ],
)
def test_no_answer_is_bad_and_says_what_to_do(error: VenueError, advice: str) -> None:
    (finding,) = looked(error)
    assert (finding.state, finding.found) == (State.BAD, str(error))
    assert advice in finding.advice


def test_an_exchange_that_never_answers_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "ANSWER_S", 0.02)
    (finding,) = looked("never", "kraken")
    assert finding.state is State.BAD
    assert "no answer in 0.02 s" in finding.found


@pytest.mark.parametrize(
    ("skew", "said"),
    [
        (None, ""), (0, ""), (1_900_000_000, ""), (VenueError("no"), ""),
        (3_000_000_000, "3.0 s behind"), (-2_500_000_000, "2.5 s ahead"),
    ],
)  # fmt: skip
def test_a_clock_that_is_wrong_is_said(skew: Any, said: str) -> None:
    findings = asyncio.run(compare_clocks(Venue(None, skew)))
    assert bool(findings) is bool(said)
    for finding in findings:
        assert finding.state is State.WARN
        assert said in finding.found
