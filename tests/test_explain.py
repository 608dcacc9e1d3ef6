"""Judgements in words: every kind from a table of cases; reasons beyond the usual, strongest first."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from drainwatch.detector import EVIDENCE, PRECEDENT, RULED, STRANGER, VOTES, Judge
from drainwatch.engine import STABLES
from drainwatch.events import FILL, Liquidity, MarketSpec, spec_from_symbol
from drainwatch.explain import REASONS, STABLE_COINS, Reason, kind_of, reason_of, reasons_of, show
from drainwatch.fair import Source
from drainwatch.features.registry import COUNT, FAMILIES, FEATURES, NAMES, Feature, columns, index
from drainwatch.kernel import JUDGED
from drainwatch.report.words import KINDS
from drainwatch.rules import RULES, Rule
from streams import DAY_S, NAN, Outcome, Tape, judge, random_tape, tiny_judge

SEEDS = st.integers(0, 2**32 - 1)
BITS = {rule.id: 1 << bit for bit, rule in enumerate(RULES)}
SPOT = spec_from_symbol("x", "ETH/USDT")
PERP = spec_from_symbol("x", "ETH/USDT:USDT")
DOLLARS = spec_from_symbol("x", "USDC/USDT")


def row(default: float = NAN, **values: float) -> NDArray[np.float64]:
    """A feature row of which only some things are known."""
    x = np.full(COUNT, default)
    for name, value in values.items():
        x[index(name)] = value
    return x


def verdict(**values: Any) -> np.void:
    """A judgement set exactly; the peers' votes by name: a family, `evidence`, `rule_votes`."""
    record = np.zeros(1, JUDGED)
    record["logged"] = -1
    record["source"] = Source.MID
    record["gap_sigmas"] = NAN
    votes = {family: place for place, family in enumerate(FAMILIES)} | {
        "evidence": EVIDENCE,
        "stranger": STRANGER,
        "rule_votes": RULED,
        "precedent": PRECEDENT,
    }
    tripped = values.pop("tripped", ())
    record["rules"] = sum(BITS[rule] for rule in tripped)
    for name, value in values.items():
        if name in votes:
            record["peers"][0, votes[name]] = value
        else:
            record[name] = value
    one: np.void = record[0]
    return one


def fill(side: int = 1, liquidity: Liquidity = Liquidity.TAKER) -> np.void:
    record = np.zeros(1, FILL)
    record["side"], record["liquidity"] = side, liquidity
    one: np.void = record[0]
    return one


# --- kinds -------------------------------------------------------------------------------------------

Case = tuple[dict[str, Any], dict[str, float]]
MAKER: dict[str, Any] = {"liquidity": Liquidity.MAKER}
SELL: dict[str, Any] = {"side": -1}

CASES: dict[str, list[Case]] = {
    "own_bad_fill": [
        ({"logged": 1}, {"deviation_bps": 700.0, "deviation_sigmas": 9.0}),
        ({"logged": 1, "orders": 2}, {"deviation_bps": 20_000.0}),
        ({"logged": 1} | MAKER, {"deviation_bps": 700.0}),
    ],
    "fee_churn": [
        (
            {"tripped": ["fee_churn"]},
            {"deviation_bps": 10.0, "fees_equity_bps": 300.0, "turnover_equity": 30.0},
        ),
        ({"tripped": ["fee_churn"]}, {"fees_equity_bps": 300.0, "turnover_equity": 30.0}),  # no price known
        ({"tripped": ["fee_churn"], "spec": DOLLARS}, {"deviation_bps": 1.0}),
    ],
    "stable_pair": [
        ({"spec": DOLLARS}, {"deviation_bps": 20.0}),
        ({"spec": spec_from_symbol("x", "USD/DAI")} | SELL, {"deviation_bps": 900.0}),
    ],
    "off_market_maker": [(MAKER, {"deviation_bps": 30.0}), (MAKER | SELL, {"deviation_bps": 20_000.0})],
    "ping_pong": [
        # the round trip lost twice what this leg of it did
        ({}, {"trip_drift": 8.0, "flips": 1.0, "deviation_bps": 100.0, "round_trip_bps": 200.0}),
        # not the first one, and in equal amounts
        ({}, {"trip_drift": 20.0, "flips": 4.0, "equal_amounts": 3.0, "deviation_bps": 500.0}),
        # nobody knows a price: the account's own two legs tell
        ({}, {"trip_drift": 8.0, "flips": 1.0, "round_trip_bps": 90.0}),
        ({"spec": PERP}, {"trip_drift": 8.0, "flips": 1.0, "deviation_bps": 100.0, "round_trip_bps": 200.0}),
        # in the owner's own log, but nobody passes money by a slip of the finger
        (
            {"logged": 1, "tripped": ["money_pass"]},
            {"trip_drift": 8.0, "flips": 1.0, "deviation_bps": 100.0, "round_trip_bps": 200.0},
        ),
    ],
    "liquidate_then_buy": [
        ({}, {"rotation": 0.2, "deviation_bps": 2000.0}),
        ({}, {"symbols_sold": 3.0, "novelty": 0.7, "deviation_bps": 200.0}),
    ],
    "thin_perp": [({"spec": PERP}, {"deviation_bps": 400.0}), ({"spec": PERP}, {})],
    "leverage": [({"spec": PERP}, {"deviation_bps": 20.0, "equity_into_base": 5.0})],
    "boosted_coin": [
        ({"source": Source.HISTORY}, {"deviation_bps": 4000.0}),
        ({"source": Source.HISTORY}, {"deviation_bps": 12_000.0}),
    ],
    "far_quote": [({}, {"deviation_bps": 10_000.0}), (SELL, {"deviation_bps": 6000.0})],
    "price_pressure": [(SELL, {"push_bps": 400.0, "deviation_bps": 300.0}), (SELL, {"push_bps": 100.0})],
    "cross_pair": [
        ({"gap_sigmas": 6.0}, {"witness_gap_sigmas": 6.0, "deviation_bps": 90.0}),
        ({"gap_sigmas": 6.0} | SELL, {"witness_gap_sigmas": 6.0, "deviation_bps": 900.0}),
    ],
    "planted_wall": [
        ({}, {"deviation_bps": 150.0}),
        ({}, {"deviation_bps": 9999.0}),
        (SELL, {"deviation_bps": 5999.0}),
        ({}, {"deviation_bps": 60.0, "deviation_sigmas": 4.0}),  # small for most, huge for this market
    ],
    "coordinated_pump": [
        ({}, {"chase_sigmas": 5.0, "novelty": 1.0}),
        ({}, {"chase_sigmas": 5.0, "novelty": 1.0, "deviation_bps": 80.0, "deviation_sigmas": 9.0}),
    ],
    "slow_bleed": [
        ({}, {"deviation_bps": 8.0, "drift_sigmas": 12.0}),
        (SELL, {"deviation_bps": 59.0, "drift_sigmas": 3.0}),
    ],
    "unknown": [
        ({}, {}),
        ({}, {"deviation_bps": 3.0, "hour_rarity": 9.0}),
        (
            {"gap_sigmas": NAN},
            {"deviation_bps": NAN, "push_bps": 500.0},
        ),  # pushed up while it bought: no harm yet
        (MAKER, {"deviation_bps": 29.0}),
        ({"tripped": ["unlogged_run"], "logged": 0}, {"unlogged_drift": 9.0}),
    ],
}
"""What gives each kind away: fill, market and judgement, then features; all else is unknown."""


def kind(about: dict[str, Any], features: dict[str, float]) -> str:
    about = dict(about)
    spec: MarketSpec = about.pop("spec", SPOT)
    orders = about.pop("orders", 1)
    taken = fill(about.pop("side", 1), about.pop("liquidity", Liquidity.TAKER))
    return kind_of(taken, spec, verdict(**about), row(**features), orders=orders)


def test_every_kind_of_the_contract_has_a_case() -> None:
    assert set(CASES) == set(KINDS)


@pytest.mark.parametrize(
    ("expected", "about", "features"),
    [
        pytest.param(expected, *case, id=f"{expected}-{number}")
        for expected, cases in CASES.items()
        for number, case in enumerate(cases)
    ],
)
def test_a_kind_is_told_by_what_gives_it_away(
    expected: str, about: dict[str, Any], features: dict[str, float]
) -> None:
    assert kind(about, features) == expected


@pytest.mark.parametrize(
    ("about", "features", "instead"),
    [
        ({"logged": 1, "orders": 3}, {"deviation_bps": 700.0}, "planted_wall"),  # once or twice is a slip
        ({"logged": 0}, {"deviation_bps": 700.0}, "planted_wall"),
        (
            {"tripped": ["fee_churn"]},
            {"deviation_bps": 200.0},
            "planted_wall",
        ),  # the prices lose more than fees
        ({"spec": spec_from_symbol("x", "USDC/EUR")}, {"deviation_bps": 200.0}, "planted_wall"),
        (
            {},
            {"trip_drift": 8.0, "flips": 1.0, "deviation_bps": 200.0, "round_trip_bps": 200.0},
            "planted_wall",
        ),
        (
            {},
            {"trip_drift": 3.0, "flips": 9.0, "round_trip_bps": 900.0, "deviation_bps": 200.0},
            "planted_wall",
        ),
        (
            {},
            {"trip_drift": 11.0, "flips": 4.0, "equal_amounts": 3.0, "deviation_bps": 500.0},
            "planted_wall",
        ),
        ({}, {"symbols_sold": 3.0, "novelty": 0.1, "deviation_bps": 200.0}, "planted_wall"),
        (SELL, {"push_bps": 300.0, "deviation_bps": 400.0}, "planted_wall"),  # worse than it pushed
        ({"gap_sigmas": -6.0}, {"witness_gap_sigmas": 6.0, "deviation_bps": 200.0}, "planted_wall"),
        ({}, {"chase_sigmas": 9.0, "novelty": 0.1, "deviation_bps": 20.0, "drift_sigmas": 9.0}, "slow_bleed"),
        ({}, {"deviation_bps": 4.0, "drift_sigmas": 12.0}, "unknown"),
    ],
)
def test_a_sign_short_of_a_kind_is_told_as_what_else_it_shows(
    about: dict[str, Any], features: dict[str, float], instead: str
) -> None:
    assert kind(about, features) == instead


@given(
    x=arrays(np.float64, COUNT, elements=st.one_of(st.just(NAN), st.floats(-1e6, 1e6))),
    rules=st.integers(0, (1 << len(RULES)) - 1),
    side=st.sampled_from((-1, 1)),
    liquidity=st.sampled_from(Liquidity),
    source=st.sampled_from(Source),
    logged=st.sampled_from((-1, 0, 1)),
    spec=st.sampled_from((SPOT, PERP, DOLLARS)),
    orders=st.integers(1, 5),
)
def test_whatever_was_measured_has_a_kind_of_the_contract(
    x: NDArray[np.float64],
    rules: int,
    side: int,
    liquidity: Liquidity,
    source: Source,
    logged: int,
    spec: MarketSpec,
    orders: int,
) -> None:
    judged = verdict(rules=rules, source=source, logged=logged)
    found = kind_of(fill(side, liquidity), spec, judged, x, orders=orders)
    assert found in set(CASES)
    if logged != 1:
        assert found != "own_bad_fill", "only a log can say that the owner placed it"


def test_dollars_are_the_same_here_and_where_values_start_from() -> None:
    """Two lists of stablecoins: the layers keep this module from reading the engine's."""
    assert STABLE_COINS == STABLES


# --- reasons -----------------------------------------------------------------------------------------


def features_of(reasons: list[Reason]) -> list[str]:
    return [reason.feature for reason in reasons]


def test_a_rule_gives_the_features_that_it_looks_at() -> None:
    judged = verdict(rule_votes=5.0, tripped=["far_from_fair"])
    x = row(0.0, deviation_bps=5000.0, deviation_sigmas=50.0, order_loss_equity_bps=300.0, sweep_bps=70.0)
    assert features_of(reasons_of(tiny_judge(), judged, x)) == ["deviation_bps", "deviation_sigmas"]


def test_every_rule_gives_a_reason() -> None:
    """A rule whose features nobody named would raise an alert without a word about why."""
    x = np.full(COUNT, 1e5)
    x[index("deviation_bps")] = NAN  # which is told where there is nothing else to tell
    for rule in RULES:
        assert reasons_of(tiny_judge(), verdict(rule_votes=5.0, tripped=[rule.id]), x), rule.id


def test_what_two_rules_look_at_comes_first() -> None:
    judged = verdict(rule_votes=5.0, tripped=["far_from_fair", "beyond_noise"])
    x = row(0.0, deviation_bps=5000.0, deviation_sigmas=50.0, order_loss_equity_bps=300.0)
    reasons = features_of(reasons_of(tiny_judge(), judged, x))
    assert reasons == ["deviation_sigmas", "deviation_bps", "order_loss_equity_bps"]


def test_who_says_more_is_heard_first() -> None:
    x = row(0.0, money_equity_bps=40.0, money_noise=9.0, drift_sigmas=20.0, unlogged_drift=9.0)
    money = ["money_noise", "money_equity_bps", "drift_sigmas"]
    loud = verdict(evidence=9.0, rule_votes=1.0, tripped=["unlogged_run"])
    quiet = verdict(evidence=1.0, rule_votes=9.0, tripped=["unlogged_run"])
    assert sorted(features_of(reasons_of(tiny_judge(), loud, x))[:3]) == sorted(money)
    assert features_of(reasons_of(tiny_judge(), quiet, x))[0] == "unlogged_drift"
    assert sorted(features_of(reasons_of(tiny_judge(), quiet, x))[1:]) == sorted(money)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_forest_speaks_of_its_own_columns_and_the_odd_one_first(family: str) -> None:
    own = [i for i in columns(family) if FEATURES[i].family == family]
    for odd in own:
        x = np.zeros(COUNT)
        x[odd] = 1e6
        reasons = features_of(reasons_of(tiny_judge(), verdict(**{family: 3.0}), x))
        assert reasons == [NAMES[odd]], "all else is as usual"
    x = np.full(COUNT, 1e6)
    assert set(features_of(reasons_of(tiny_judge(), verdict(**{family: 3.0}), x))) <= {
        NAMES[i] for i in columns(family)
    }


def test_only_what_is_beyond_the_usual_is_a_reason() -> None:
    """The usual of a feature is the model's: fees that all accounts pay speaks against none."""
    floor = tiny_judge().floor.copy()
    floor[index("fees_equity_bps")] = 150.0
    model: Judge = tiny_judge()._replace(floor=floor)
    judged = verdict(rule_votes=5.0, tripped=["fee_churn"])
    at_usual = reasons_of(model, judged, row(0.0, fees_equity_bps=150.0, flips=20.0))
    beyond = reasons_of(model, judged, row(0.0, fees_equity_bps=151.0, flips=20.0))
    assert features_of(at_usual) == ["flips"]
    assert features_of(beyond) == ["fees_equity_bps", "flips"]
    assert beyond[0].typical == 150.0
    assert beyond[0].text == "fees of 1.51 % of the account within the hour (usual: 1.5 %)"


def test_where_nothing_stands_out_the_deviation_is_told() -> None:
    judged = verdict(rule_votes=5.0, tripped=["unlogged_run"])
    assert features_of(reasons_of(tiny_judge(), judged, row(0.0))) == ["deviation_bps"]


def test_what_is_not_known_is_no_reason() -> None:
    judged = verdict(rule_votes=5.0, tripped=["blind_all_in"], evidence=5.0, price=5.0)
    assert reasons_of(tiny_judge(), judged, row()) == []
    x = row(equity_into_base=0.9)
    assert features_of(reasons_of(tiny_judge(), judged, x)) == ["equity_into_base"]


ROWS = arrays(np.float64, COUNT, elements=st.one_of(st.just(NAN), st.floats(-1e6, 1e6), st.floats(0.0, 30.0)))
GIVEN = st.lists(st.floats(0.0, 20.0), min_size=len(VOTES), max_size=len(VOTES))


@given(x=ROWS, votes=GIVEN, rules=st.integers(0, (1 << len(RULES)) - 1))
def test_reasons_are_few_known_beyond_the_usual_and_each_told_once(
    x: NDArray[np.float64], votes: list[float], rules: int
) -> None:
    model = tiny_judge()
    record = verdict(rules=rules)
    record["peers"] = votes
    reasons = reasons_of(model, record, x)
    names = features_of(reasons)
    assert len(reasons) <= REASONS
    assert len(set(names)) == len(names)
    for reason in reasons:
        column = index(reason.feature)
        assert reason.value == x[column]
        assert reason.typical == model.floor[column]
        assert reason.value > reason.typical or names == ["deviation_bps"]
        assert not set("{}") & set(reason.text)
    louder = verdict(rules=rules)
    louder["peers"] = 4.0 * np.array(votes)  # a power of two: no rounding may swap equal ones
    assert reasons_of(model, louder, x) == reasons, "the order is one of shares"


@given(x=ROWS, votes=GIVEN, rule=st.sampled_from(RULES))
def test_a_rule_that_outweighs_all_others_has_its_features_first(
    x: NDArray[np.float64], votes: list[float], rule: Rule
) -> None:
    record = verdict(tripped=[rule.id])
    record["peers"] = votes
    record["peers"][RULED] = 1e4
    found = features_of(reasons_of(tiny_judge(), record, x))
    alone = verdict(tripped=[rule.id], rule_votes=1.0)
    looks_at = features_of(reasons_of(tiny_judge(), alone, np.full(COUNT, 1e5)))
    beyond = {name for name in looks_at if x[index(name)] > 0.0}
    assert set(found[: len(beyond)]) == beyond


@given(SEEDS)
@settings(max_examples=10)
def test_reasons_in_streams_are_what_was_measured_at_the_alert(seed: int) -> None:
    """And they can be written: JSON has no NaN and no infinity."""
    outcome = judge(random_tape(seed), quiet_hours=1.5)
    for incident in outcome.incidents:
        at = outcome.belongs.index(incident["id"])
        assert outcome.ids[at] == incident["alert_fill"]["id"]
        assert incident["reasons"], "every alert says why"
        for reason in incident["reasons"]:
            assert reason["value"] == outcome.feature(reason["feature"])[at]
        json.dumps(incident["reasons"], allow_nan=False)


def test_a_sweep_far_above_fair_says_so() -> None:
    outcome = _swept()
    texts = [reason["text"] for reason in outcome.incidents[0]["reasons"]]
    assert any(text.startswith("paid 33.3 % beyond what it was worth (usual: ") for text in texts), texts


def _swept() -> Outcome:
    tape = Tape()
    tape.balance(0, "USDT", 1e5)
    for minute in range(DAY_S // 60):
        tape.mid(60 * minute, "ETH/USDT", 3000.0)
    for minute in range(60, 600, 15):
        tape.fill(60 * minute + 1, "ETH/USDT", 1, 3000.6, 0.1)
    for minute in range(700, 704):
        tape.fill(60 * minute + 1, "ETH/USDT", 1, 4000.0, 1.0)
    return judge(tape)


# --- sentences ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("feature", FEATURES, ids=NAMES)
def test_every_feature_is_told_in_a_sentence(feature: Feature) -> None:
    column = index(feature.name)
    reason = reason_of(column, 12.345, 2.0)
    assert reason[:3] == (feature.name, 12.345, 2.0)
    assert not set("{}") & set(reason.text)
    shown = show(12.345, feature.unit)
    assert (shown in reason.text) == ("{value}" in feature.text)
    assert reason.text.endswith(f"(usual: {show(2.0, feature.unit)})")


def test_what_has_no_number_is_usually_none() -> None:
    assert reason_of(index("unlogged_drift"), 9.0, 0.0).text.endswith("(usual: none)")
    assert reason_of(index("deviation_bps"), 9.0, 0.0).text.endswith("(usual: 0 %)")


# --- numbers as an owner reads them -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.0, "sigmas", "0"),
        (-1e-9, "sigmas", "0"),
        (0.0299, "nats", "0.0299"),
        (33.72, "times", "33.7"),
        (999.7, "times", "1,000"),
        (56_270.0, "usual noise", "56,300"),
        (999_999.0, "usual noise", "1 million"),
        (107_561_356.0, "usual noise", "108 million"),
        (2.5e9, "usual noise", "2.5 billion"),
        (4.2e15, "usual noise", "4.20e+15"),
        (-56_270.0, "sigmas", "-56,300"),
        (math.nan, "sigmas", "unknown"),
        (0.182, "share", "18.2 %"),
        (math.nan, "share", "unknown"),
        (33.7, "bps", "0.337 %"),
        (0.114, "bps", "0.00114 %"),
        (0.02, "bps", "0.0002 %"),
        (4_616.0, "bps of equity", "46.2 %"),
        (13_805.0, "bps", "138 %"),
        (0.0, "bps", "0 %"),
        (2.05, "ln ratio", "7.77"),
        (0.0, "ln ratio", "1"),
        (1e6, "ln ratio", "1.01e+304"),
        (math.nan, "ln ratio", "unknown"),
    ],
)
def test_numbers_are_short_and_in_known_units(value: float, unit: str, said: str) -> None:
    assert show(value, unit) == said


@given(st.floats(1e-3, 1e12, exclude_max=True))
def test_shown_numbers_are_off_by_half_a_percent_at_most(value: float) -> None:
    number, _, scale = show(value, "times").replace(",", "").partition(" ")
    times = {"": 1.0, "million": 1e6, "billion": 1e9}[scale] if "e" not in number else 1.0
    assert float(number) * times == pytest.approx(value, rel=0.0051)


def test_reasons_read_as_sentences() -> None:
    assert reason_of(index("money_equity_bps"), 4_616.0, 0.0).text == (
        "46.2 % of the account lost beyond the usual (usual: 0 %)"
    )
    assert reason_of(index("deviation_bps"), 33.7, 0.114).text == (
        "paid 0.337 % beyond what it was worth (usual: 0.00114 %)"
    )
    assert reason_of(index("rate_ratio"), 2.05, 0.69).text == (
        "orders came 7.77 times as fast as usual (usual: 1.99)"
    )
    assert reason_of(index("unlogged_drift"), 3.4, 0.0).text.endswith("did not place (usual: none)")


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_no_reason_needs_a_table_of_units(feature: object) -> None:
    """Basis points and powers of e are for the scores file."""
    column = FEATURES.index(feature)
    said = reason_of(column, 3.25, 1.5)
    assert (said.value, said.typical) == (3.25, 1.5)
    assert not re.search(r"\bbps\b|e\^|[{}]", said.text)


def test_a_strangers_orders_are_told_as_such() -> None:
    x = row(0.0, unlike_drift=12.0)
    (reason,) = reasons_of(tiny_judge(), verdict(stranger=5.0), x)
    assert reason.feature == "unlike_drift"
    assert "don't look like this account's own" in reason.text
