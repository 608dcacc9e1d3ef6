"""Judged fills to incidents: one drain is one incident, and what was said at the alert stays said."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainwatch.events import NS_PER_MS, Batch, Names
from drainwatch.fair import Source
from drainwatch.features.registry import COUNT, index
from drainwatch.incidents import (
    LOSSY_NATS,
    MATERIAL,
    PEAK_HALF_LIFE_NS,
    PENDING,
    Incident,
    IncidentBook,
    p_value,
)
from drainwatch.kernel import JUDGED
from drainwatch.rules import RULES
from streams import (
    DAY_S,
    HOUR_S,
    NAN,
    START_S,
    Outcome,
    Tape,
    cut,
    feed,
    judge,
    new_engine,
    ns,
    random_tape,
    tiny_judge,
    usual_names,
)

SEEDS = st.integers(0, 2**32 - 1)
CONTRACT = [
    *("id", "account", "exchange", "symbols", "severity", "escalated_at", "kind", "kind_now"),
    *("opened_at", "alerted_at", "closed_at", "fills", "alert_fill", "loss", "loss_currency", "equity_share"),
    *("score", "p_value", "reasons"),
]
SAID = ("id", "severity", "kind", "opened_at", "alerted_at", "alert_fill", "score", "p_value", "reasons")
"""What is said at the alert."""
QUIET_HOURS = 1.0
SURE = 2.5
"""A score well beyond the budget of the small model."""
BARE = 1.2
"""One just beyond it."""
BITS = {rule.id: 1 << bit for bit, rule in enumerate(RULES)}

# features by which `explain.kind_of` tells a kind
WALL = {"deviation_bps": 200.0}
PING_PONG = {"trip_drift": 8.0, "flips": 1.0, "round_trip_bps": 900.0}
BLEED = {"deviation_bps": 8.0, "drift_sigmas": 9.0}
CHURN: dict[str, float] = {}


@dataclass
class Story:
    """Fills in order of time with judgements set by hand: what the engine would say, exactly."""

    tape: Tape = field(default_factory=Tape)
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    features: list[dict[str, float]] = field(default_factory=list)

    def fill(
        self, at: float, symbol: str = "ETH/USDT", *, features: dict[str, float] | None = None, **said: Any
    ) -> str:
        """Add a fill worse than usual that isn't flagged, unless told otherwise; returns its id."""
        about = {name: said.pop(name) for name in ("account", "id", "order", "exchange") if name in said}
        side = said.pop("side", 1)
        flagged = said.get("flagged", 0)
        usual = {
            "counts": 1,
            "logged": -1,
            "sigmas": 3.0,
            "score": SURE if flagged else 0.0,
            "total": 10.0 * flagged,
        }
        usual |= {"loss_quote": 10.0, "fee_quote": NAN, "quote_value": 1.0, "equity": NAN}
        usual |= {"source": Source.MID, "gap_sigmas": NAN}
        tripped = said.pop("tripped", ())
        self.verdicts.append(usual | {"rules": sum(BITS[rule] for rule in tripped)} | said)
        self.features.append(features or {})
        return str(self.tape.fill(at, symbol, side, 3000.0, **about))

    def bad(self, at: float, symbol: str = "ETH/USDT", **said: Any) -> str:
        """Add a flagged one."""
        about: dict[str, Any] = {"flagged": 1, "features": WALL} | said
        return self.fill(at, symbol, **about)

    def judged(self, names: Names) -> tuple[Batch, Any, Any]:
        """The batch, its judgements and feature rows."""
        batch = self.tape.batch(names)
        judged = np.zeros(len(batch.fills), JUDGED)
        features = np.full((len(judged), COUNT), NAN)
        for i, (verdict, known) in enumerate(zip(self.verdicts, self.features, strict=True)):
            for name, value in verdict.items():
                judged[name][i] = value
            for name, value in known.items():
                features[i, index(name)] = value
        return batch, judged, features


@dataclass
class Told:
    """What a book made of a story."""

    book: IncidentBook
    belongs: list[str | None]

    @property
    def incidents(self) -> list[Incident]:
        return self.book.incidents

    @property
    def only(self) -> Incident:
        (incident,) = self.book.incidents
        return incident

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [incident.to_dict() for incident in self.book.incidents]


def new_book(names: Names) -> IncidentBook:
    return IncidentBook(names, tiny_judge(), quiet_hours=QUIET_HOURS)


def tell(story: Story) -> Told:
    names = Names()
    batch, judged, features = story.judged(names)
    book = new_book(names)
    return Told(book, book.take(batch, judged, features))


def part(batch: Batch, start: int, end: int) -> Batch:
    return Batch(batch.rows, batch.fills[start:end], batch.ids[start:end], batch.orders[start:end])


def ids_of(incident: Incident) -> list[str]:
    return [key.id for key in incident.fills]


# --- real streams through the real engine ------------------------------------------------------------


def robbed(*drains: float, symbols: Sequence[str] = ("ETH/USDT",), balance: float | None = 1e6) -> Tape:
    """A day of usual trading in each market, and at each of these times 12 fills a third above fair."""
    tape = Tape()
    if balance is not None:
        tape.balance(0, "USDT", balance)
    fair = {"ETH/USDT": 3000.0, "BTC/USDT": 60_000.0, "ETH/BTC": 0.05}
    end = max(drains) + HOUR_S
    for minute in range(0, int(end / 60), 10):
        for symbol, price in fair.items():
            tape.mid(60 * minute, symbol, price)
    for number in range(72):
        side = 1 if number % 2 else -1
        tape.fill(HOUR_S + 900 * number + 1, "ETH/USDT", side, 3000.0 * (1.0 + 3e-4 * side), 0.1)
    for start in drains:
        for number in range(12):
            symbol = symbols[number % len(symbols)]
            tape.fill(start + 60 * number + 1, symbol, 1, fair[symbol] * 4 / 3, 1.0)
    return tape


def test_one_drain_is_one_incident() -> None:
    """Not one message for each of its fills."""
    outcome = judge(robbed(DAY_S))
    (incident,) = outcome.incidents
    stolen = outcome.ids[72:]
    assert [fill["id"] for fill in incident["fills"]] == stolen
    grave_at = incident["alerted_at"] if incident["severity"] == "critical" else incident["escalated_at"]
    assert grave_at <= (START_S + DAY_S + 121) * 1000  # critical by the third fill
    assert incident["symbols"] == ["ETH/USDT"]
    assert incident["opened_at"] == (START_S + DAY_S + 1) * 1000
    assert incident["opened_at"] <= incident["alerted_at"]
    assert incident["closed_at"] is None
    assert incident["loss"] == pytest.approx(12 * 1000.0, rel=0.01)
    assert incident["loss_currency"] == "USDT"
    assert incident["equity_share"] == pytest.approx(0.012, rel=0.02)


def test_a_drain_over_several_markets_is_one_incident_with_one_loss() -> None:
    outcome = judge(robbed(DAY_S, symbols=("ETH/BTC", "ETH/USDT")))
    (incident,) = outcome.incidents
    assert sorted(incident["symbols"]) == ["ETH/BTC", "ETH/USDT"]
    assert incident["loss_currency"] in ("BTC", "USDT")
    unit = {"BTC": 60_000.0, "USDT": 1.0}[incident["loss_currency"]]
    assert incident["loss"] * unit == pytest.approx(12 * 1000.0, rel=0.02)


def test_two_drains_a_week_apart_are_two_incidents() -> None:
    """The second is an alert of its own though the first was never answered."""
    outcome = judge(robbed(DAY_S, 8 * DAY_S))
    first, second = outcome.incidents
    assert first["id"] != second["id"]
    last_flagged = START_S + DAY_S + 60 * 11 + 1
    assert first["closed_at"] == (last_flagged + 6 * HOUR_S) * 1000
    assert second["opened_at"] >= (START_S + 8 * DAY_S) * 1000
    assert not {fill["id"] for fill in first["fills"]} & {fill["id"] for fill in second["fills"]}


def test_without_balances_no_share_of_the_account_is_told() -> None:
    """It isn't 0: nobody knows what the account holds."""
    (incident,) = judge(robbed(DAY_S, balance=None)).incidents
    assert incident["equity_share"] is None
    assert incident["loss"] == pytest.approx(12 * 1000.0, rel=0.01)


@given(SEEDS)
@settings(max_examples=15)
def test_the_same_input_gives_the_same_ids(seed: int) -> None:
    """In any batches: a receiver tells by the id what he has been told already."""
    names = usual_names()
    batch = random_tape(seed).batch(names)
    whole = feed(new_engine(names, quiet_hours=1.5), [batch])
    pieces = feed(new_engine(names, quiet_hours=1.5), cut(batch, range(0, 700, 50)))
    ids = [incident["id"] for incident in whole.incidents]
    assert ids == [incident["id"] for incident in pieces.incidents]
    assert len(set(ids)) == len(ids)


@given(SEEDS)
@settings(max_examples=20)
def test_an_incident_in_a_stream_is_the_sum_of_its_fills(seed: int) -> None:
    """Loss and share from what was judged of each fill; rows that JSON can hold, in the contract's fields."""
    names = usual_names()
    tape = random_tape(seed)
    outcome = feed(new_engine(names, quiet_hours=1.5), [tape.batch(names)])
    at = {number: place for place, number in enumerate(outcome.ids)}
    fills = sorted(tape.fills, key=lambda event: event.at)
    alerts = [incident["alerted_at"] for incident in outcome.incidents]
    assert alerts == sorted(alerts)
    for incident in outcome.incidents:
        assert list(json.loads(json.dumps(incident, allow_nan=False))) == CONTRACT
        places = [at[fill["id"]] for fill in incident["fills"]]
        assert places == sorted(set(places)), "in order, each once"
        assert {fills[i].account for i in places} == {incident["account"]}
        assert incident["symbols"] == list(dict.fromkeys(fills[i].symbol for i in places))
        assert incident["opened_at"] * NS_PER_MS == fills[places[0]].at
        alert = at[incident["alert_fill"]["id"]]
        assert outcome.judged["flagged"][alert]
        assert incident["alerted_at"] * NS_PER_MS == fills[alert].at
        assert all(outcome.belongs[i] == incident["id"] for i in places if i >= alert)
        assert all(outcome.belongs[i] is None for i in places if i < alert), "nobody knew at the time"
        assert incident["p_value"] == p_value(incident["score"])
        _check_loss(outcome, names, incident, places, [str(fills[i].symbol) for i in places])


def _check_loss(
    outcome: Outcome, names: Names, incident: dict[str, Any], places: list[int], symbols: list[str]
) -> None:
    quote = {spec.symbol: spec.quote for spec in names.markets}
    losses: dict[str, float] = {}
    units: dict[str, float] = {}
    for i, symbol in zip(places, symbols, strict=True):
        if not math.isnan(outcome.judged["loss_quote"][i]):
            lost = max(float(outcome.judged["loss_quote"][i]), 0.0)
            if incident["kind_now"] == "fee_churn":
                lost += float(np.nan_to_num(outcome.judged["fee_quote"][i]))
            losses[quote[symbol]] = losses.get(quote[symbol], 0.0) + lost
            units[quote[symbol]] = float(outcome.judged["quote_value"][i])
    if not losses:
        assert (incident["loss"], incident["loss_currency"], incident["equity_share"]) == (None, None, None)
        return
    values = {currency: lost * units[currency] for currency, lost in losses.items()}
    assert values[incident["loss_currency"]] == max(values.values())
    total = sum(values.values())
    assert incident["loss"] * units[incident["loss_currency"]] == pytest.approx(total)
    equity = float(outcome.judged["equity"][places[0]])
    expected = pytest.approx(total / equity) if equity > 0.0 else None
    assert incident["equity_share"] == expected


# --- which fills belong ------------------------------------------------------------------------------


def test_fills_before_the_alert_belong_to_it_once_there_is_one() -> None:
    """A slow bleed is over its threshold late: what it took until then is part of the loss."""
    story = Story()
    early = [story.fill(60 * i) for i in range(5)]
    alert = story.bad(400)
    late = story.fill(500)
    told = tell(story)
    assert ids_of(told.only) == [*early, alert, late]
    assert told.belongs == [None] * 5 + [told.only.id] * 2
    assert told.only.opened_ns == ns(0)
    assert told.only.alerted_ns == ns(400)
    assert told.only.alert_fill.id == alert
    assert told.only.loss == 70.0


def test_bad_luck_that_was_made_good_before_does_not_belong() -> None:
    """Another run: the account's test had been back at zero in between."""
    story = Story()
    story.fill(0, run=3)
    ours = [story.fill(60, run=4), story.bad(120, run=4)]
    assert ids_of(tell(story).only) == ours


def test_what_is_long_past_does_not_belong() -> None:
    story = Story()
    story.fill(0)
    ours = [story.fill(1), story.bad(8 * HOUR_S * QUIET_HOURS + 1)]
    assert ids_of(tell(story).only) == ours


def test_a_fill_no_worse_than_usual_belongs_to_nothing() -> None:
    story = Story()
    story.fill(0, counts=0)
    alert = story.bad(60)
    story.fill(120, counts=0)
    told = tell(story)
    assert ids_of(told.only) == [alert]
    assert told.belongs == [None, told.only.id, None]


def test_what_the_owners_log_has_is_no_part_of_a_drain_before_or_after_the_alert() -> None:
    """His bot goes on trading, now and then a little worse than usual, while he is robbed."""
    story = Story()
    story.fill(0, logged=1)
    stolen = [story.fill(10, logged=0), story.bad(60, logged=0)]
    story.fill(70, logged=1)
    story.bad(75, logged=1, sigmas=0.5)  # flagged by its habits, at a fair price
    stolen.append(story.fill(80, logged=0))
    told = tell(story)
    assert ids_of(told.only) == stolen
    assert told.only.loss == 30.0


def test_a_logged_fill_at_an_odd_price_belongs_all_the_same() -> None:
    """Who trades through the owner's own bot is a thief, too."""
    story = Story()
    ours = [story.bad(0, logged=0), story.bad(60, logged=1, sigmas=9.0)]
    assert ids_of(tell(story).only) == ours


def test_where_the_alert_itself_is_logged_what_came_before_belongs_though_it_is() -> None:
    story = Story()
    ours = [story.fill(0, logged=1), story.bad(60, logged=1)]
    assert ids_of(tell(story).only) == ours


def test_the_pending_fills_are_bounded() -> None:
    """An account may trade badly for years without an alert: memory must not grow with it."""
    story = Story()
    early = [story.fill(i) for i in range(2 * PENDING)]
    names = Names()
    batch, judged, features = story.judged(names)
    book = new_book(names)
    book.take(batch, judged, features)
    assert len(book.snapshot()["desks"][0]["pending"]) == PENDING
    alert = story.bad(2 * PENDING)
    assert ids_of(tell(story).only) == [*early[-PENDING:], alert]


def test_accounts_have_incidents_of_their_own() -> None:
    story = Story()
    story.fill(0, account="ann")
    story.fill(1, account="bob")
    story.bad(2, account="ann")
    story.bad(3, account="bob")
    story.bad(4, account="ann")
    ann, bob = tell(story).incidents
    assert (ann.account, len(ann.fills), bob.account, len(bob.fills)) == ("ann", 3, "bob", 2)


# --- loss --------------------------------------------------------------------------------------------


def test_losses_in_several_currencies_are_told_in_that_of_the_largest_part() -> None:
    story = Story()
    story.bad(0, "ETH/USDT", loss_quote=50.0, quote_value=1.0)
    story.bad(1, "ETH/BTC", loss_quote=0.002, quote_value=60_000.0)
    incident = tell(story).only
    assert incident.loss_currency == "BTC"
    assert incident.loss == pytest.approx(0.002 + 50.0 / 60_000.0)
    assert incident.symbols == ["ETH/USDT", "ETH/BTC"]


def test_a_gain_makes_no_loss_smaller() -> None:
    """What a thief lets through at a good price doesn't pay for what he took."""
    story = Story()
    story.bad(0, loss_quote=50.0)
    story.bad(1, loss_quote=-500.0)
    assert tell(story).only.loss == 50.0


def test_a_loss_that_nobody_can_price_is_not_known() -> None:
    story = Story()
    story.bad(0, loss_quote=NAN, equity=1000.0)
    row = tell(story).rows[0]
    assert (row["loss"], row["loss_currency"], row["equity_share"]) == (None, None, None)
    story.bad(1, loss_quote=20.0, equity=900.0)
    row = tell(story).rows[0]
    assert (row["loss"], row["loss_currency"], row["equity_share"]) == (20.0, "USDT", 0.02)


@pytest.mark.parametrize("equity", [NAN, 0.0, -5.0])
def test_without_equity_there_is_no_share(equity: float) -> None:
    story = Story()
    story.bad(0, equity=equity)
    assert tell(story).only.equity_share is None


def test_the_share_is_of_what_there_was_before_the_first_fill() -> None:
    """Of the account as the thief found it: of what is left it would rise past all bounds."""
    story = Story()
    story.fill(0, loss_quote=30.0, equity=1000.0)
    story.bad(1, loss_quote=20.0, equity=970.0)
    story.bad(2, "ETH/BTC", loss_quote=0.001, quote_value=50_000.0, equity=950.0)
    assert tell(story).only.equity_share == pytest.approx(0.1)


def test_fees_are_a_loss_of_churn_alone() -> None:
    """Everybody pays fees; only where they are the drain are they what it took."""
    story = Story()
    story.fill(0, loss_quote=1.0, fee_quote=7.0)
    story.bad(1, loss_quote=-2.0, fee_quote=9.0, tripped=["fee_churn"], features=CHURN, equity=1000.0)
    story.fill(2, loss_quote=0.5, fee_quote=NAN)
    churn = tell(story).only
    assert churn.kind == "fee_churn"
    assert churn.loss == 1.0 + 7.0 + 9.0 + 0.5

    story = Story()
    story.fill(0, loss_quote=1.0, fee_quote=7.0)
    story.bad(1, loss_quote=100.0, fee_quote=9.0, tripped=["fee_churn"], features=WALL)
    wall = tell(story).only
    assert wall.kind == "planted_wall", "the prices took more than the fees"
    assert wall.loss == 101.0


# --- kind and severity -------------------------------------------------------------------------------


def test_the_kind_at_the_alert_stays_while_what_it_is_now_follows() -> None:
    story = Story()
    story.bad(0, features=BLEED)
    assert (tell(story).only.kind, tell(story).only.kind_now) == ("slow_bleed", "slow_bleed")
    for at in (1, 2):
        story.bad(at, features=WALL)
    told = tell(story).only
    assert (told.kind, told.kind_now) == ("slow_bleed", "planted_wall")


def test_fills_of_no_known_kind_do_not_outvote_one_that_is_known() -> None:
    story = Story()
    for at in range(4):
        story.bad(at, features={})
    assert tell(story).only.kind_now == "unknown"
    story.bad(5, features=BLEED)
    told = tell(story).only
    assert (told.kind, told.kind_now) == ("unknown", "slow_bleed")


@pytest.mark.parametrize("first", [PING_PONG, {"deviation_bps": 20_000.0}])
def test_of_two_legs_the_one_that_shows_a_round_trip_counts(first: dict[str, float]) -> None:
    """Wherever the alert came: on the way there an absurd price, on the way back a losing round trip."""
    story = Story()
    second = PING_PONG if first is not PING_PONG else {"deviation_bps": 20_000.0}
    for at in range(3):
        story.bad(2 * at, features=first)
        story.bad(2 * at + 1, features=second)
        assert tell(story).only.kind_now == "ping_pong"


SEVERITIES: list[tuple[str, list[dict[str, Any]], str]] = [
    ("a material loss", [{"score": BARE, "equity": 1000.0, "loss_quote": 1000.0 * MATERIAL}], "critical"),
    ("a small one", [{"score": BARE, "equity": 1000.0, "loss_quote": 999.0 * MATERIAL}], "warning"),
    ("sure, and chance can't explain the loss", [{"score": SURE, "evidence": LOSSY_NATS}], "critical"),
    ("sure, but it may be chance", [{"score": SURE, "evidence": 0.9 * LOSSY_NATS}], "warning"),
    ("not so sure", [{"score": BARE, "evidence": LOSSY_NATS}], "warning"),
    ("a grave rule", [{"score": SURE, "tripped": ["far_from_fair"]}], "critical"),
    ("orders that aren't in the log", [{"score": 9.0, "logged": 0, "tripped": ["unlogged_run"]}], "warning"),
    ("what can't be priced", [{"score": 9.0, "loss_quote": NAN, "tripped": ["blind_all_in"]}], "warning"),
    (
        "a likely slip of the owner's own",
        [{"score": 9.0, "logged": 1, "evidence": 9.0, "equity": 100.0, "loss_quote": 99.0}],
        "warning",
    ),
]


@pytest.mark.parametrize(
    ("fills", "severity"), [case[1:] for case in SEVERITIES], ids=[case[0] for case in SEVERITIES]
)
def test_severity_at_the_alert(fills: list[dict[str, Any]], severity: str) -> None:
    story = Story()
    for at, said in enumerate(fills):
        story.bad(at, **said)
    row = tell(story).rows[0]
    assert row["severity"] == severity
    assert row["escalated_at"] is None


def test_a_warning_becomes_critical_once_and_says_when() -> None:
    """Two orders at a loss that is no chance are enough; the alert's own word stays."""
    story = Story()
    story.bad(0, score=BARE, evidence=LOSSY_NATS, order=1)
    story.bad(60, score=BARE, evidence=LOSSY_NATS, order=1)
    assert tell(story).only.escalated_ns is None, "one order in parts is one order"
    story.bad(120, score=BARE, evidence=LOSSY_NATS, order=2)
    story.bad(180, score=SURE, evidence=9.0, order=3)
    row = tell(story).rows[0]
    assert row["severity"] == "warning"
    assert row["escalated_at"] == (START_S + 120) * 1000


def test_a_slip_that_goes_on_is_none() -> None:
    """The owner's log has them all, but nobody errs three times in a row."""
    story = Story()
    for at in range(2):
        story.bad(60 * at, logged=1, evidence=9.0, equity=1000.0, loss_quote=100.0)
    assert (tell(story).only.kind_now, tell(story).only.escalated_ns) == ("own_bad_fill", None)
    for at in range(2, 6):
        story.bad(60 * at, logged=1, evidence=9.0, equity=1000.0, loss_quote=100.0)
    told = tell(story).only
    assert told.kind == "own_bad_fill"
    assert told.kind_now == "planted_wall"
    assert told.severity == "warning"
    assert told.escalated_ns is not None


def test_what_is_critical_from_the_start_does_not_escalate() -> None:
    story = Story()
    for at in range(5):
        story.bad(at, evidence=9.0)
    row = tell(story).rows[0]
    assert (row["severity"], row["escalated_at"]) == ("critical", None)


# --- its end, and the next ---------------------------------------------------------------------------


def test_quiet_is_counted_from_the_last_flagged_fill() -> None:
    story = Story()
    story.bad(0)
    story.fill(HOUR_S - 1)  # worse than usual, but not flagged: that happens
    told = tell(story)
    assert told.book.next_deadline() == ns(HOUR_S)
    ends = []
    for now in (ns(HOUR_S) - 1, ns(HOUR_S), ns(DAY_S)):
        told.book.advance(now)
        ends.append(told.only.closed_ns)
    assert ends == [None, ns(HOUR_S), ns(HOUR_S)]
    assert told.book.next_deadline() is None


def test_the_next_deadline_is_that_of_the_first_to_close() -> None:
    story = Story()
    story.bad(0, account="ann")
    story.bad(60, account="bob")
    book = tell(story).book
    assert book.next_deadline() == ns(HOUR_S)
    book.advance(ns(HOUR_S))
    assert [incident.closed_ns for incident in book.incidents] == [ns(HOUR_S), None]
    assert book.next_deadline() == ns(HOUR_S + 60)


def test_a_fill_after_the_quiet_finds_it_closed() -> None:
    """Even if nobody told the time in between: the end is that of the quiet, not of the next fill."""
    story = Story()
    story.bad(0)
    story.fill(5 * HOUR_S)
    told = tell(story)
    assert told.only.closed_ns == ns(HOUR_S)
    assert len(told.only.fills) == 1
    assert told.belongs == [told.only.id, None]


def test_flagged_fills_within_the_quiet_keep_it_open() -> None:
    story = Story()
    for hour in range(10):
        story.bad(0.9 * HOUR_S * hour)
    assert len(tell(story).only.fills) == 10


def test_after_a_quiet_one_the_next_needs_more_than_the_old_peak_that_faded() -> None:
    """What is left of the old evidence would raise the same alert again and again, all night."""
    closed = HOUR_S + 60
    half_life = PEAK_HALF_LIFE_NS / 1e9
    for age, total, opens in (
        (1.0, 19.0, False),
        (1.0, 20.1, True),
        (half_life, 9.9, False),
        (half_life, 10.1, True),
        (3 * half_life, 2.4, False),
        (3 * half_life, 2.6, True),
    ):
        story = Story()
        story.bad(0, total=10.0)
        story.bad(60, total=20.0)  # the peak
        story.bad(closed + age, total=total)
        told = tell(story)
        assert len(told.incidents) == 1 + opens, (age, total)
        assert (told.belongs[-1] is not None) == opens
        assert (told.incidents[0].closed_ns or 0) == ns(closed)


def test_what_was_held_back_by_the_old_peak_belongs_to_the_next_incident() -> None:
    story = Story()
    first = story.bad(0, total=20.0)
    held = story.bad(2 * HOUR_S, total=15.0)
    alert = story.bad(2 * HOUR_S + 60, total=25.0)
    told = tell(story)
    assert [ids_of(incident) for incident in told.incidents] == [[first], [held, alert]]
    assert told.incidents[1].opened_ns == ns(2 * HOUR_S)


def test_no_peak_holds_back_another_account() -> None:
    story = Story()
    story.bad(0, account="ann", total=50.0)
    story.bad(2 * HOUR_S, account="bob", total=5.0)
    assert [incident.account for incident in tell(story).incidents] == ["ann", "bob"]


def test_what_changed_is_told_once() -> None:
    story = Story()
    story.bad(0)
    story.bad(60)
    book = tell(story).book
    assert book.take_changed() == book.incidents
    assert book.take_changed() == []
    book.advance(ns(DAY_S))
    assert book.take_changed() == book.incidents
    book.advance(ns(2 * DAY_S))
    assert book.take_changed() == []


def test_each_fill_that_joins_is_told_once_with_its_judgement() -> None:
    """Those before the alert join with it: evidence must have how they were judged then."""
    story = Story()
    before = story.fill(0, fair=2_900.0, deviation_bps=345.0)
    alert = story.bad(60, fair=2_800.0, deviation_bps=714.0, fee_quote=0.5)
    later = story.fill(120, "BTC/USDT", fair=NAN, loss_quote=NAN, exchange="y")
    book = tell(story).book
    joined = book.take_joined()
    assert [member.key.id for member in joined] == [before, alert, later]
    assert {member.incident for member in joined} == {book.incidents[0].id}
    assert [member.at_ns for member in joined] == [ns(0), ns(60), ns(120)]
    first, second, third = joined
    assert first.judgement is not None
    assert (first.judgement.fair, first.judgement.source, first.judgement.flagged) == (2_900.0, "mid", False)
    assert second.judgement is not None
    assert (second.judgement.deviation_bps, second.judgement.score) == (714.0, SURE)
    assert second.judgement.flagged
    assert second.loss is not None
    assert (second.loss.quote, second.loss.fee, second.loss.currency) == (10.0, 0.5, "USDT")
    assert third.loss is None
    assert third.exchange == "y"
    assert book.take_joined() == []


def test_a_fill_that_waited_through_a_restart_joins_with_its_judgement() -> None:
    story = Story()
    story.fill(0, fair=2_900.0)
    told = tell(story)
    held = json.loads(json.dumps(told.book.snapshot()))
    (pending,) = held["desks"][0]["pending"]
    assert pending["judgement"]["fair"] == 2_900.0
    told.book.restore(held)
    assert json.loads(json.dumps(told.book.snapshot())) == held
    del pending["judgement"], pending["exchange"]  # as an older version wrote it
    told.book.restore(held)
    assert told.book.snapshot()["desks"][0]["pending"][0]["judgement"] is None


# --- ids, times, chances -----------------------------------------------------------------------------


def test_ids_tell_incidents_apart() -> None:
    """By account, venue, fill and time; a venue may count its fills from one in every market."""
    ids = set()
    for said in ({}, {"account": "bob"}, {"exchange": "y"}, {"order": 7}, {"side": -1}):
        for symbol in ("ETH/USDT", "BTC/USDT"):
            for at in (0, 1):
                story = Story()
                story.bad(at, symbol, **said)
                ids.add(tell(story).only.id)
    assert len(ids) == 5 * 2 * 2


def test_an_id_does_not_depend_on_what_else_there_is() -> None:
    """Nor on how markets and accounts are numbered: a platform may split its accounts over processes."""
    alone, crowded = Story(), Story()
    alone.bad(10, account="ann", id=77, order=2)
    crowded.bad(0, "BTC/USDT", account="bob")
    crowded.fill(5, account="ann")
    crowded.bad(10, account="ann", id=77, order=2)
    assert tell(alone).only.id == tell(crowded).incidents[1].id


def test_times_are_milliseconds_and_keep_a_fraction() -> None:
    story = Story()
    story.bad(0.5)
    story.bad(1.0)
    row = tell(story).rows[0]
    assert row["alerted_at"] == START_S * 1000 + 500
    assert isinstance(row["alerted_at"], int)
    story = Story()
    story.bad(0.0005)
    assert tell(story).rows[0]["alerted_at"] == START_S * 1000 + 0.5


@pytest.mark.parametrize(
    ("score", "chance"), [(1.0, 0.0952), (0.0, 0.632), (3.0, 1e-3), (12.0, 1e-12), (-4.0, 1.0)]
)
def test_a_p_value_is_the_chance_of_such_a_score_in_a_month(score: float, chance: float) -> None:
    assert p_value(score) == pytest.approx(chance, rel=1e-3)


# --- whatever happens --------------------------------------------------------------------------------

FILLS = st.lists(
    st.fixed_dictionaries(
        {
            "after": st.sampled_from((0, 1, 60, 1800, HOUR_S - 1, HOUR_S, 5 * HOUR_S, 3 * DAY_S)),
            "account": st.sampled_from(("ann", "bob")),
            "symbol": st.sampled_from(("ETH/USDT", "ETH/BTC", "ETH/USDT:USDT")),
            "flagged": st.sampled_from((0, 1)),
            "logged": st.sampled_from((-1, 0, 1)),
            "sigmas": st.sampled_from((NAN, 0.0, 2.0, 30.0)),
            "run": st.integers(0, 1),
            "total": st.floats(0.0, 30.0),
            "evidence": st.floats(0.0, 5.0),
            "score": st.sampled_from((BARE, SURE, 9.0)),
            "loss_quote": st.one_of(st.just(NAN), st.floats(-1e3, 1e3)),
            "fee_quote": st.sampled_from((NAN, 1.0)),
            "quote_value": st.sampled_from((1.0, 60_000.0)),
            "equity": st.sampled_from((NAN, 1e4, 1e6)),
            "tripped": st.sampled_from(((), ("fee_churn",), ("far_from_fair",))),
            "features": st.sampled_from((WALL, PING_PONG, BLEED, CHURN)),
            "order": st.integers(0, 3),
        }
    ),
    max_size=40,
)


def story_of(fills: list[dict[str, Any]]) -> Story:
    story = Story()
    at = 0
    for drawn in fills:
        said = dict(drawn)
        at += said.pop("after")
        flagged = said["flagged"]
        story.fill(at, said.pop("symbol"), **(said | {"score": said["score"] if flagged else 0.0}))
    return story


@given(FILLS)
def test_incidents_of_any_story_are_apart_and_quiet_in_between(fills: list[dict[str, Any]]) -> None:
    story = story_of(fills)
    told = tell(story)
    verdict = {event.fill_id: said for event, said in zip(story.tape.fills, story.verdicts, strict=True)}
    time = {event.fill_id: event.at for event in story.tape.fills}
    members = [number for incident in told.incidents for number in ids_of(incident)]
    assert len(set(members)) == len(members), "a fill belongs to one at most"
    quiet = int(QUIET_HOURS * HOUR_S * 1e9)
    ended: dict[str, int] = {}
    for incident in told.incidents:
        flagged = [
            time[n] for n in ids_of(incident) if verdict[n]["flagged"] and time[n] >= incident.alerted_ns
        ]
        assert all(later - earlier < quiet for earlier, later in pairwise(flagged))
        assert verdict[incident.alert_fill.id]["flagged"]
        assert incident.closed_ns in (None, flagged[-1] + quiet)
        assert incident.alerted_ns >= ended.get(incident.account, 0)
        assert incident.opened_ns >= ended.get(incident.account, 0)
        ended[incident.account] = incident.closed_ns or 1 << 62
        early = [n for n in ids_of(incident) if time[n] < incident.alerted_ns]
        run = verdict[incident.alert_fill.id]["run"]
        assert all(verdict[n]["run"] == run and incident.alerted_ns - time[n] <= 8 * quiet for n in early)
        assert incident.kind_now != "unknown" or set(incident.kinds) == {"unknown"}
    for event, incident_id in zip(story.tape.fills, told.belongs, strict=True):
        assert incident_id is None or event.fill_id in members


@given(FILLS)
def test_what_was_said_at_the_alert_never_changes_and_the_rest_only_grows(
    fills: list[dict[str, Any]],
) -> None:
    names = Names()
    batch, judged, features = story_of(fills).judged(names)
    book = new_book(names)
    seen: dict[str, dict[str, Any]] = {}
    for i in range(len(judged)):
        book.take(part(batch, i, i + 1), judged[i : i + 1], features[i : i + 1])
        for incident in book.incidents:
            now = incident.to_dict()
            was = seen.setdefault(incident.id, json.loads(json.dumps(now)))
            shown = json.loads(json.dumps(now))
            assert {name: shown[name] for name in SAID} == {name: was[name] for name in SAID}
            assert shown["fills"][: len(was["fills"])] == was["fills"]
            assert shown["symbols"][: len(was["symbols"])] == was["symbols"]
            for name in ("escalated_at", "closed_at"):
                assert was[name] is None or shown[name] == was[name]
            if was["closed_at"] is not None:
                assert shown == was, "what is closed is closed"
            assert shown["escalated_at"] is None or shown["severity"] == "warning"
            assert (shown["loss"] is None) == (shown["loss_currency"] is None)
            seen[incident.id] = shown


@given(FILLS, st.floats(0.0, 1.0))
def test_snapshot_restore_and_go_on_is_no_stop(fills: list[dict[str, Any]], share: float) -> None:
    names = Names()
    batch, judged, features = story_of(fills).judged(names)
    place = int(share * len(judged))
    whole = new_book(names)
    belongs = whole.take(batch, judged, features)
    first = new_book(names)
    start = first.take(part(batch, 0, place), judged[:place], features[:place])
    held = first.snapshot()
    text = json.dumps(held)
    for plain in (held, json.loads(text)):
        resumed = new_book(names)
        resumed.restore(plain)
        assert json.dumps(resumed.snapshot()) == text
        rest = resumed.take(part(batch, place, len(judged)), judged[place:], features[place:])
        assert start + rest == belongs
        assert [i.to_dict() for i in resumed.incidents] == [i.to_dict() for i in whole.incidents]
        assert json.dumps(resumed.snapshot()) == json.dumps(whole.snapshot())
        assert resumed.next_deadline() == whole.next_deadline()
    assert json.dumps(held) == text


@pytest.mark.parametrize(("total", "opens"), [(15.0, False), (25.0, True)])
def test_a_restored_book_remembers_the_old_peak(total: float, opens: bool) -> None:
    """A restart in the night would bring the evening's alert again."""
    story = Story()
    story.bad(0, total=20.0)
    story.bad(2 * HOUR_S, total=total)
    names = Names()
    batch, judged, features = story.judged(names)
    first = new_book(names)
    first.take(part(batch, 0, 1), judged[:1], features[:1])
    first.advance(ns(HOUR_S))
    resumed = new_book(names)
    resumed.restore(first.snapshot())
    resumed.take(part(batch, 1, 2), judged[1:], features[1:])
    assert len(resumed.incidents) == 1 + opens


def test_a_snapshot_stays_as_it_was_taken() -> None:
    """What is restored from it goes on; the snapshot can be restored again."""
    story = Story()
    for at, symbol in enumerate(("ETH/USDT", "ETH/USDT", "ETH/BTC")):
        story.bad(at, symbol)
    names = Names()
    batch, judged, features = story.judged(names)
    first = new_book(names)
    first.take(part(batch, 0, 1), judged[:1], features[:1])
    held = first.snapshot()
    text = json.dumps(held)
    for _ in range(2):
        resumed = new_book(names)
        resumed.restore(held)
        resumed.take(part(batch, 1, 3), judged[1:], features[1:])
        assert resumed.incidents[0].symbols == ["ETH/USDT", "ETH/BTC"]
        assert resumed.incidents[0].lost == {"USDT": 20.0, "BTC": 10.0}
        assert json.dumps(held) == text


@given(FILLS, st.sampled_from(("ann", "bob")))
def test_an_account_alone_has_the_incidents_that_it_has_among_others(
    fills: list[dict[str, Any]], account: str
) -> None:
    names = Names()
    batch, judged, features = story_of(fills).judged(names)
    together = new_book(names)
    together.take(batch, judged, features)
    ours = np.flatnonzero(batch.fills["account"] == names.account(account))
    alone = new_book(names)
    alone.take(
        Batch(batch.rows, batch.fills[ours], batch.ids[ours], batch.orders[ours]),
        judged[ours],
        features[ours],
    )
    together.advance(1 << 62)
    alone.advance(1 << 62)
    assert [i.to_dict() for i in together.incidents if i.account == account] == [
        i.to_dict() for i in alone.incidents
    ]
