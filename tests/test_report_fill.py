"""One fill explained."""

from __future__ import annotations

import math

import pytest

from drainwatch.report.fill import Measured, explain, price_of
from report_fakes import fill

NAN = math.nan
MEASURED = [
    Measured("size_sigmas", "sigmas", "order larger than usual", 0.2, 0.1, 1.5),
    Measured("deviation_bps", "bps", "worse than fair", 1_200.0, 3.0, 12.0),
    Measured("unlogged", "nats", "not in the owner's order log", NAN, NAN, NAN),
]
GOLDEN = """\
Fill f3 of order o3: sell XRP/ETH, account main at binance, 7 Mar 2018 14:56:30 UTC
Price 0.00176, worth 0.002 by other pairs of the same coin: 12 % below what it was worth.
Verdict: looks like a drain. Part of incident a1.
Score 12: fewer than 1 of 10^10 harmless account-months has such a fill.

  feature       value unit   usual 1 in 20 above positive means
! deviation_bps 1,200 bps        3            12 worse than fair
  size_sigmas     0.2 sigmas   0.1           1.5 order larger than usual

Not known for this fill, and without a vote: unlogged."""


def test_explanation_of_a_fill() -> None:
    assert explain(fill(3), MEASURED) == GOLDEN


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"flagged": False, "incident": None}, "Verdict: nothing unusual enough."),
        ({"flagged": False}, "Verdict: not flagged by itself. Part of incident a1."),
        (
            {"blind": "no_price", "flagged": False, "incident": None},
            "Verdict: could not be judged fully: no price.",
        ),
    ],
)
def test_verdicts(changes: dict[str, object], said: str) -> None:
    assert said in explain(fill(0, **changes), [])


def test_unknown_worth_is_said() -> None:
    said = explain(fill(0, fair_price=None, fair_source="none"), [])
    assert "Price 0.00176; what it was worth is unknown." in said


def test_price_follows_from_worth_and_deviation() -> None:
    """`scores.parquet` holds no price of its own."""
    sold = {n: v for n, v in fill(0).items() if n != "price"}
    assert price_of(sold) == pytest.approx(0.00176)
    assert price_of(sold | {"side": "buy"}) == pytest.approx(0.00224)


def test_control_characters_are_shown_as_such() -> None:
    said = explain(fill(0, id="\x1b[2J", symbol="A\nB/C"), [])
    assert all(line.isprintable() for line in said.split("\n"))
    assert len(said.split("\n")) == 4
