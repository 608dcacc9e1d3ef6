"""Training: the same bytes each time, from honest months alone, calibrated to what really happens."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from drainwatch import train as face
from drainwatch.detector import EVIDENCE, LEVELS, PEERS, read_off
from drainwatch.engine import Engine
from drainwatch.errors import InputError
from drainwatch.events import Names
from drainwatch.features.registry import COUNT, FAMILIES, NAMES
from drainwatch.frame import replay
from drainwatch.lab import scenario, seeds
from drainwatch.model import Model, load_model
from drainwatch.rules import RULES
from drainwatch.tables import TablePaths, tables_from_frames
from drainwatch.train import (
    KNOTS,
    TAIL,
    WINDOW_NS,
    Months,
    _maxima,
    blank_model,
    calibrate,
    collect,
    fit,
    simulated_months,
    train,
    usual,
)
from robbed import stolen_ids, tables, write

MONTHS = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a model trained on two months."""
    out = tmp_path_factory.mktemp("train") / "small"
    train(out, months=MONTHS, seed=5, command="drainwatch train --out models/small")
    return out


@cache
def samples() -> tuple[Months, ...]:
    """Collect the rows that it was trained on."""
    blank = blank_model()
    return tuple(sample for seed in (5, 6) for sample in simulated_months(seeds.TRAINING.first + seed, blank))


# --- the model ---------------------------------------------------------------------------------------


def test_training_again_gives_the_same_bytes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the same seeds in another folder, at another time, with another state of all global chance."""
    np.random.seed(99)  # noqa: NPY002 - what somebody's own code may have done before
    made: dict[int, list[Months]] = {seeds.TRAINING.first + seed: [] for seed in (5, 6)}

    def again(seed: int, blank: dict[str, NDArray[Any]]) -> list[Months]:
        made[seed] = list(simulated_months(seed, blank))
        return made[seed]

    monkeypatch.setattr(face, "simulated_months", again)
    train(
        tmp_path / "elsewhere" / "small", months=MONTHS, seed=5, command="drainwatch train --out models/small"
    )
    for name in ("arrays.npz", "card.json"):
        assert (tmp_path / "elsewhere" / "small" / name).read_bytes() == (folder / name).read_bytes()
    for sample, other in zip([s for part in made.values() for s in part], samples(), strict=True):
        np.testing.assert_array_equal(sample.features, other.features)


def test_another_seed_gives_other_forests() -> None:
    one, other = fit(samples(), seed=5), fit(samples(), seed=4)
    assert not np.array_equal(one["forest_nodes"], other["forest_nodes"])
    np.testing.assert_array_equal(one["knots"][EVIDENCE], other["knots"][EVIDENCE])  # no chance in these


def test_card_says_what_the_model_is(folder: Path) -> None:
    card = load_model(folder).card
    assert card["name"] == "small"
    assert card["features"] == list(NAMES)
    assert card["rules"] == [rule.id for rule in RULES]
    assert card["levels"] == list(LEVELS)
    assert card["forests"]["families"] == list(FAMILIES)
    assert card["forests"]["seed"] == 5
    assert card["command"] == "drainwatch train --out models/small"
    trained_on = card["trained_on"]
    assert (trained_on["first_seed"], trained_on["months"]) == (seeds.TRAINING.first + 5, MONTHS)
    assert trained_on["rows"] == sum(len(sample.ts_ns) for sample in samples())
    assert "simulated" in trained_on["what"]
    assert {"drainwatch", "numpy", "python"} <= set(card["versions"])
    assert str(folder.parent) not in (folder / "card.json").read_text()


def test_arrays_are_fit_and_ascending(folder: Path) -> None:
    arrays = load_model(folder).arrays
    assert arrays["floor"].shape == arrays["scale"].shape == (COUNT,)
    assert (arrays["floor"] >= 0.0).all()
    assert (arrays["scale"] > 0.0).all()
    assert arrays["knots"].shape == arrays["nats"].shape == (len(PEERS), len(LEVELS), KNOTS)
    assert (np.diff(arrays["knots"], axis=-1) >= 0.0).all()
    assert (np.diff(arrays["nats"], axis=-1) >= 0.0).all()
    assert arrays["rule_nats"].shape == (len(LEVELS), len(RULES))
    assert (arrays["rule_nats"] >= 0.0).all()


def test_even_a_small_model_finds_a_blatant_drain(folder: Path) -> None:
    found = replay(**tables(), model=folder).incidents
    assert [fill["id"] for fill in found["alert_fill"]] == [stolen_ids("bob")[0], stolen_ids("alice")[0]]


def test_model_that_collects_rows_never_alarms() -> None:
    names = Names()
    engine = Engine(blank_model(), NAMES, names, false_alarms_per_month=1e-6)
    with tables_from_frames(**tables(), names=names) as given_tables:
        for batch in given_tables.batches():
            engine.feed(batch)
    assert engine.incidents == []


def test_progress_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(face, "simulated_months", lambda seed, _: samples()[seed - 5 :: 2])
    told: list[tuple[str, int, int | None]] = []
    train(tmp_path, months=2, seed=5, progress=lambda *step: told.append(step))
    assert [(done, of) for _, done, of in told[:3]] == [(0, 2), (1, 2), (2, 2)]


# --- what it is trained on -----------------------------------------------------------------------------


def test_nothing_is_trained_on_a_thief(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[int, dict[str, Any]]] = []
    make: Callable[..., scenario.Scenario] = scenario.make

    def short(seed: int, **more: Any) -> scenario.Scenario:
        asked.append((seed, more))
        made = make(seed, **more, days=3.0)
        assert not made.labels["is_drain"].any()
        return made

    monkeypatch.setattr(scenario, "make", short)
    train(tmp_path, months=3, seed=20)
    without = {"without": scenario.HELD_OUT_REGIMES}
    assert asked == [(seeds.TRAINING.first + 20 + i, without) for i in range(3)]


def _own(folder: Path, days: float) -> TablePaths:
    """Write the honest part of the two accounts' tables."""
    given_tables = tables(days=days)
    honest = given_tables["fills"].dropna(subset=["client_order_id"])
    given_tables["trades"] = given_tables["trades"][~given_tables["trades"]["id"].str.startswith("x")]
    paths = write(given_tables | {"fills": honest}, folder)
    return TablePaths(**{name: paths[name] for name in ("fills", "trades", "balances")})


def test_own_history_is_trained_on_beside_the_simulated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(face, "simulated_months", lambda *_: samples())
    own = _own(tmp_path, 5.0)
    simulated = sum(len(sample.ts_ns) for sample in samples())
    plain = train(tmp_path / "plain", months=1)
    model: Model = train(tmp_path / "model", months=1, tables=(own,), name="mine")
    n_fills = len(Path(own.fills).read_text().splitlines()) - 1
    assert model.card["name"] == "mine"
    assert model.card["trained_on"]["rows"] == simulated + n_fills
    assert plain.card["trained_on"]["rows"] == simulated
    assert "1 histories of an owner's own" in model.card["trained_on"]["what"]
    trades = LEVELS.index("trades")
    for level in range(len(LEVELS)):
        same = np.array_equal(model.arrays["knots"][EVIDENCE, level], plain.arrays["knots"][EVIDENCE, level])
        assert same == (level != trades)  # it tells of the level that its tables allow, and of no other


def test_short_history_is_refused(tmp_path: Path) -> None:
    own = _own(tmp_path, 1.0)
    with pytest.raises(InputError, match=r"expected at least 500 fills .* in .*fills.csv, found \d+"):
        train(tmp_path / "model", months=0, tables=(own,))
    assert not (tmp_path / "model").exists()


def test_rows_are_those_of_each_level_of_information() -> None:
    for level in range(len(LEVELS)):
        here = [sample for sample in samples() if sample.given == level]
        assert len(here) == 2 or LEVELS[level] == "orders"
        for sample in here:
            assert sample.level.max() <= level
            assert np.isfinite(sample.evidence).all()
            assert (np.diff(sample.ts_ns) >= 0).all()
            assert sample.months == 1.0


# --- spared hours ---------------------------------------------------------------------------------------


def test_fills_at_which_an_alarm_is_right_are_spared() -> None:
    names = Names()
    given_tables = tables()
    engine = Engine(blank_model(), NAMES, names, false_alarms_per_month=1e-6)
    with tables_from_frames(given_tables["fills"], given_tables["trades"], names=names) as read:
        for batch in read.batches():
            engine.feed(batch)
    blocks = engine.take_outputs()[0]
    right = np.arange(sum(len(block.fills) for block in blocks)) % 7 == 0
    sample = collect(blocks, LEVELS.index("trades"), right)
    np.testing.assert_array_equal(sample.spared, right)
    assert not collect(blocks, LEVELS.index("trades")).spared.any()


def test_a_quiet_account_counts_for_the_time_that_it_was_watched() -> None:
    """Counted from its first fill to its last, few fills would look like many a month."""
    (sample, *_) = samples()
    assert sample.months == 1.0


def months_of(ts_ns: NDArray[np.int64], spared: NDArray[np.bool_] | None = None) -> Months:
    """Return an otherwise empty sample with fills at these times."""
    n = len(ts_ns)
    none = np.zeros(n)
    return Months(
        np.zeros((n, COUNT)), ts_ns, np.zeros(n, np.int32), none.astype(np.int8), none.astype(np.int64),
        none, none, np.zeros(n, bool), np.zeros(n, bool) if spared is None else spared, 1.0, 0,
    )  # fmt: skip


def test_maxima_are_one_for_each_window_without_spared_and_unknown_values() -> None:
    ts_ns = np.array([0, 1, WINDOW_NS - 1, WINDOW_NS, 3 * WINDOW_NS, 3 * WINDOW_NS + 5, 9 * WINDOW_NS])
    values = np.array([1.0, 5.0, 2.0, 3.0, 7.0, 4.0, np.nan])
    spared = np.array([False, False, False, False, True, False, False])
    maxima = _maxima([(months_of(ts_ns, spared), values), (months_of(ts_ns[:2]), np.array([8.0, 9.0]))])
    assert maxima.tolist() == [5.0, 3.0, 4.0, 9.0]
    assert _maxima([(months_of(ts_ns[:1], np.array([True])), np.array([1.0]))]).size == 0
    assert _maxima([]).size == 0


def test_accounts_of_a_farm_have_windows_of_their_own() -> None:
    ts_ns = np.array([0, 1, 2, WINDOW_NS + 1])
    farm = months_of(ts_ns)
    farm.account[:] = [4, 2, 4, 2]
    assert sorted(_maxima([(farm, np.array([1.0, 5.0, 3.0, 2.0]))])) == [2.0, 3.0, 5.0]


# --- calibration -----------------------------------------------------------------------------------------


@given(st.lists(st.floats(-1e3, 1e3), min_size=2 * TAIL, max_size=200), st.floats(0.1, 1e4, exclude_min=True))
def test_calibration_rises_and_is_finite(values: list[float], months: float) -> None:
    knots, nats = calibrate(np.array(values), months)
    assert knots.shape == nats.shape == (KNOTS,)
    assert np.isfinite(knots).all()
    assert np.isfinite(nats).all()
    assert (np.diff(knots) >= 0.0).all()
    assert (np.diff(nats) >= 0.0).all()


@given(st.lists(st.floats(-1e3, 1e3), min_size=2 * TAIL, max_size=200), st.randoms())
def test_calibration_does_not_depend_on_order(values: list[float], random: Any) -> None:
    knots, nats = calibrate(np.array(values), 3.0)
    random.shuffle(values)
    again = calibrate(np.array(values), 3.0)
    np.testing.assert_array_equal(knots, again[0])
    np.testing.assert_array_equal(nats, again[1])


@pytest.mark.parametrize("n", [0, 1, 2 * TAIL - 1])
def test_few_windows_say_nothing(n: int) -> None:
    knots, nats = calibrate(np.arange(float(n)), 1.0)
    assert (nats == -9.0).all()
    assert read_off(knots, nats, 1e6) < 0.0


@pytest.mark.parametrize("scale", [0.05, 2.0, 300.0])
def test_calibration_recovers_a_known_rate(scale: float) -> None:
    """Of exponential maxima the rate is known at every value, seen or never seen yet."""
    n, months = 12_000, 100.0
    at = scale * np.array([0.5, 1.0, 3.0, 5.0, 6.5, 9.0, 12.0])
    expected = at / scale - np.log(n / months)
    errors = []
    for seed in range(40):
        knots, nats = calibrate(np.random.default_rng(seed).exponential(scale, n), months)
        errors.append([read_off(knots, nats, value) - want for value, want in zip(at, expected, strict=True)])
    bias, spread = np.mean(errors, axis=0), np.std(errors, axis=0)
    assert (np.abs(bias[:5]) < 0.1).all()  # counted
    assert (spread[:5] < 0.4).all()
    # told by the tail: 2 and 5 scales beyond the 12th largest of 12,000
    assert (np.abs(bias[5:]) < 0.2 * np.array([2.1, 5.1])).all()


def test_calibrated_rate_is_kept_to_on_fresh_windows() -> None:
    """A threshold for one false alarm in ten months gives about that many."""
    rng = np.random.default_rng(7)
    knots, nats = calibrate(rng.gumbel(size=120 * 200), 200.0)
    fresh = rng.gumbel(size=120 * 2000)
    alarms = sum(read_off(knots, nats, value) >= -np.log(0.1) for value in fresh)
    assert 0.02 < alarms / 2000.0 < 0.25


def test_ties_count_together() -> None:
    """Windows of one value: none is rarer than all of them."""
    knots, nats = calibrate(np.full(100, 2.0), 10.0)
    assert read_off(knots, nats, 1.0) == pytest.approx(-np.log(10.0))
    assert read_off(knots, nats, 2.0) == pytest.approx(-np.log(10.0))
    assert read_off(knots, nats, 3.0) > 1.0


# --- what is usual -----------------------------------------------------------------------------------------


def test_usual_is_the_median_and_the_way_to_the_95th_percentile() -> None:
    rng = np.random.default_rng(0)
    rows = np.full((4001, COUNT), np.nan)
    rows[:, 0] = rng.normal(10.0, 2.0, 4001)
    rows[:, 1] = rng.normal(-10.0, 2.0, 4001)  # less is no danger: the floor is 0
    rows[:, 2] = 3.0
    rows[:, 3] = 0.0
    rows[:100, 3] = 8.0  # mostly absent: the usual size of what there is
    rows[:, 5] = np.where(rng.random(4001) < 0.5, np.nan, rng.normal(5.0, 1.0, 4001))
    floor, scale = usual(rows)
    assert floor[0] == pytest.approx(np.median(rows[:, 0]))
    assert floor[0] + scale[0] == pytest.approx(np.quantile(rows[:, 0], 0.95))
    assert floor[1] == 0.0
    assert (floor[2], scale[2]) == (3.0, 1.0)
    assert (floor[3], scale[3]) == (0.0, 8.0)
    assert (floor[4], scale[4]) == (0.0, 1.0)  # never seen
    assert floor[5] == pytest.approx(5.0, abs=0.1)
    assert scale[5] == pytest.approx(1.645, abs=0.15)
    assert (scale > 0.0).all()


@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=40))
def test_usual_is_fit_for_any_rows(values: list[float]) -> None:
    rows = np.full((len(values), COUNT), np.nan)
    rows[:, 0] = values
    floor, scale = usual(rows)
    assert np.isfinite(floor).all()
    assert np.isfinite(scale).all()
    assert (floor >= 0.0).all()
    assert (scale > 0.0).all()
