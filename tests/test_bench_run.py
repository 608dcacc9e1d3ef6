"""The benchmark from end to end, and that it refuses a model which could have seen its accounts."""

from __future__ import annotations

from typing import Any

import pytest

from drainwatch.bench import cases, run
from drainwatch.bench.baselines import BASELINES
from drainwatch.bench.outcome import US
from drainwatch.bench.page import to_html
from drainwatch.bench.run import check_seeds_unused, run_benchmark
from drainwatch.bench.text import headline, to_text
from drainwatch.errors import ModelError
from drainwatch.lab import scenario
from drainwatch.lab.seeds import BENCHMARK, CARD, TUNING
from drainwatch.model import Model, default_model_path, load_model


def model_of(card: dict[str, Any]) -> Model:
    return Model({}, card)


@pytest.mark.parametrize(
    "card",
    [
        {},
        {"trained_on": {}},
        {"trained_on": {"first_seed": 0}},
        {"trained_on": {"first_seed": None, "months": 100}},
    ],
)
def test_a_card_that_does_not_say_its_seeds_is_refused(card: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="expected the seeds that the model was trained on"):
        check_seeds_unused(model_of(card))


@pytest.mark.parametrize(
    ("first", "months"),
    [
        (BENCHMARK.first, 10),
        (BENCHMARK.first - 5, 10),
        (BENCHMARK.beyond - 1, 10),
        (BENCHMARK.first - 1, 2),
    ],
)
def test_a_model_that_trained_on_the_benchmarks_seeds_is_refused(first: int, months: int) -> None:
    with pytest.raises(ModelError, match="train it on others"):
        check_seeds_unused(model_of({"trained_on": {"first_seed": first, "months": months}}))


def test_a_model_whose_card_reports_on_the_benchmarks_seeds_is_refused() -> None:
    card = {"trained_on": {"first_seed": 0, "months": 9}, "metrics": {"first_seed": BENCHMARK.first}}
    with pytest.raises(ModelError, match=f"found seeds {BENCHMARK.first} "):
        check_seeds_unused(model_of(card))


def test_a_model_of_other_seeds_is_taken() -> None:
    trained = {"first_seed": 0, "months": 9}
    check_seeds_unused(model_of({"trained_on": trained, "metrics": {"first_seed": CARD.first}}))
    check_seeds_unused(model_of({"trained_on": {"first_seed": BENCHMARK.first - 10, "months": 10}}))


def test_a_model_that_was_shown_thefts_of_the_benchmarks_seeds_is_refused() -> None:
    trained = {"first_seed": 0, "months": 9, "first_theft_seed": BENCHMARK.first - 5}
    with pytest.raises(ModelError, match="expected a model that never saw seeds"):
        check_seeds_unused(model_of({"trained_on": trained}))


def test_nothing_is_run_with_a_model_that_is_refused() -> None:
    with pytest.raises(ModelError):
        run_benchmark(model_of({}), months=1, drains=1, stress=0)


def test_the_benchmarks_own_seeds_alone_are_guarded() -> None:
    """Trying things out on tuning seeds needs no card, and says that it was no benchmark."""
    out = run_benchmark(model_of({}), months=0, drains=0, stress=0, others=False, seeds=TUNING)
    assert out["seeds"]["apart"] is False
    assert out["figure"] is None


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_tiny_benchmark_runs_to_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "DAYS", 4.0)
    monkeypatch.setattr(scenario, "OWNERS", {"grid": "", "dca": ""})
    monkeypatch.setattr(scenario, "THIEVES", {"planted_wall": "", "ping_pong": ""})
    monkeypatch.setattr(cases, "STRESS", ("crash",))
    monkeypatch.setattr(
        run, "BASELINES", tuple(d for d in BASELINES if d.name in {"five_percent", "iforest_features"})
    )
    said: list[str] = []
    out = run_benchmark(
        load_model(default_model_path()),
        months=2, drains=1, stress=1, levels=("fills", "orders"), seeds=TUNING,
        fitting=2, threshold_months=2, progress=lambda doing, _done, _of: said.append(doing),
    )  # fmt: skip
    assert list(dict.fromkeys(said)) == [
        "making months for the others to learn from",
        "fitting the others",
        "finding the others' thresholds",
        "judging accounts",
    ]
    assert said.count("judging accounts") == 2 + 1 + 2
    top = out["levels"][out["figure_level"]]["detectors"]
    assert set(top) == {
        US, "five_percent", "five_percent as used", "iforest_features", "iforest_features as used",
        "oracle_price", "oracle_price_and_log",
    }  # fmt: skip
    assert out["levels"]["fills"]["drains"] == 2
    assert out["figure"] == top[US]["figure"] <= 100.0
    assert to_text(out).startswith(f"{US}: ")
    assert headline(out) in to_html(out)
