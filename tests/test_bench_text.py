"""The benchmark in a terminal: the one figure first, all of it in 100 columns of ASCII."""

from __future__ import annotations

import math

import pytest

from bench_fakes import small
from drainwatch.bench import text
from drainwatch.bench.outcome import US


def test_the_one_figure_stands_first_with_the_best_others() -> None:
    result = small()
    detectors = result["levels"]["orders"]["detectors"]
    for name, of in detectors.items():
        of["figure"] = {
            US: 90.6,
            "five_percent": 35.2,
            "oracle_price": 60.0,
            "oracle_price_and_log": 93.4,
        }.get(name, -5.0)
    result["figure"] = detectors[US]["figure"]
    assert text.to_text(result).splitlines()[0] == (
        "drainwatch: 91 of 100, best other: 35 (five_percent), best that price and log allow: 93"
    )


def test_it_is_plain_and_narrow() -> None:
    said = text.to_text(small())
    assert said.isascii()
    assert max(map(len, said.splitlines())) <= text.WIDTH
    assert said.endswith(".\n")


def test_the_stated_costs_are_in_the_sentence() -> None:
    result = small()
    result["costs"] = {"months_a_drain": 250, "false_alarm_share_of_equity": 0.002}
    assert "one account-month in 250 is robbed and a false alarm costs 0.2 % of equity" in text.meaning(
        result
    )


def test_every_detector_and_level_has_its_line() -> None:
    result = small()
    lines = text.to_text(result).splitlines()
    top = result["levels"]["orders"]["detectors"]
    for name, of in top.items():
        (line,) = [line for line in lines if line.startswith(f"{name}  ")]
        assert line.split()[len(name.split()) :][:2] == [
            text.figure(of["figure"]),
            text.rate(of["false_a_month"]),
        ]
    for level in result["levels"].values():
        assert any(line.startswith(level["about"]) for line in lines)


def test_the_worst_families_are_named_with_their_thieves() -> None:
    result = small()
    families = result["levels"]["orders"]["detectors"][US]["by_family"]
    for of in families.values():
        of["gone"]["mean"] = 0.1
    families["F13"]["gone"]["mean"] = 0.9
    lines = text.to_text(result).splitlines()
    after = next(i for i, line in enumerate(lines) if line.startswith("family"))
    assert lines[after + 1].split()[:3] == ["F13", "twin_skim,", "triangle"]


def test_owners_above_the_budget_are_named_and_others_not() -> None:
    result = small()
    ours = result["levels"]["orders"]["detectors"][US]
    ours["false_by_owner"] = {"grid": 0.1, "human": 0.31, "dca": 0.2, "twap": math.nan}
    ours["by_regime"] = {}
    assert text.to_text(result).rstrip().endswith("account-month: human 0.31, dca 0.20.")


def test_an_honest_run_without_thefts_has_no_figure_and_says_so() -> None:
    result = small()
    for level in result["levels"].values():
        level["drains"], level["stolen_share_of_equity"] = 0, None
        level["detectors"] = {
            name: {key: of[key] for key in ("false_a_month", "false_by_owner", "by_regime") if key in of}
            for name, of in level["detectors"].items()
        }
    result["figure"] = None
    said = text.to_text(result)
    assert said.startswith("drainwatch: - of 100\n")
    assert "0 thefts of - of equity" in said


def test_a_result_of_nothing_is_told() -> None:
    assert text.to_text({"figure_level": None}) == "drainwatch: nothing was judged\n"


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (None, "-"),
        (math.nan, "-"),
        (0.0, "0 %"),
        (0.0004, "0.04 %"),
        (0.001, "0.1 %"),
        (0.0951, "9.5 %"),
        (1.0, "100 %"),
    ],
)
def test_small_shares_are_told_finer(share: float | None, said: str) -> None:
    assert text.percent(share) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "-"), (0.0, "0 s"), (59.0, "59 s"), (90.0, "1.5 min"), (5400.0, "1.5 h"), (2e5, "2.3 d")],
)
def test_times_are_told_in_the_largest_unit_they_fill(seconds: float | None, said: str) -> None:
    assert text.duration(seconds) == said


def test_a_figure_a_little_below_zero_is_zero() -> None:
    assert text.figure(-0.3) == "0"
    assert text.figure(-12.6) == "-13"


def test_the_best_other_is_no_oracle_and_not_us() -> None:
    result = small()
    detectors = result["levels"]["orders"]["detectors"]
    detectors["oracle_price"]["figure"] = 1e3
    detectors["hst"]["figure"] = math.nan
    detectors["five_percent as used"]["figure"] = 77.0
    assert text.best_of(result, oracles=False) == ("five_percent as used", 77.0)
    assert text.best_of(result, oracles=True) == ("oracle_price", 1e3)
