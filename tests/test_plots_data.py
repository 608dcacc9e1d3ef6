"""What is drawn: figures that a naive count gives, too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import drainwatch
from drainwatch.errors import InputError
from drainwatch.plots import data
from drainwatch.plots.style import shown
from plots_fakes import NASTY, found, given, nasty, reliable
from robbed import FEE, N_STOLEN


def test_price_of_an_incident_shows_the_hours_around_it() -> None:
    it = data.price(found().incident(0))
    fills = given()["fills"]
    stolen = fills[fills["id"].str.startswith("x-bob")]
    first, last = stolen["timestamp"].min(), stolen["timestamp"].max()
    hour = 3_600_000
    near = fills[(fills["account"] == "bob") & fills["timestamp"].between(first - hour, last + hour)]
    assert it.times.astype("datetime64[ms]").astype(np.int64).tolist() == near["timestamp"].tolist()
    assert it.prices.tolist() == near["price"].tolist()
    assert it.mine.sum() == N_STOLEN
    assert it.buys[it.mine].tolist() == [True, False] * (N_STOLEN // 2)
    assert (it.deviation_bps[it.mine] > 1_000).all()
    assert (np.abs(it.deviation_bps[~it.mine]) < 100).all()
    assert (it.title, it.unit) == ("AB/USDT", "USDT")
    (span,) = it.spans
    assert span.first.astype("datetime64[ms]").astype(int) == first
    assert span.last.astype("datetime64[ms]").astype(int) == last
    assert len(it.market) == len(it.market_times) > 0


def test_price_of_a_replay_shows_everything() -> None:
    it = data.price(found())
    assert len(it.prices) == len(given()["fills"])
    assert it.mine.sum() == 2 * N_STOLEN
    assert len(it.spans) == 2
    assert data.price(found(), account="bob").mine.sum() == N_STOLEN


def test_money_falls_by_what_was_stolen() -> None:
    it = data.money(found().incident(0))
    told = found().incident(0).told
    stolen = given()["fills"].set_index("id").loc["x-bob-0":"x-bob-7"]
    fees = FEE * (stolen["price"] * stolen["amount"]).sum()
    assert not it.gone
    assert it.unit == "USDT"
    assert it.values[0] - it.values[-1] == pytest.approx(told["loss"] + fees, rel=0.1)
    assert (np.diff(it.times.astype(np.int64)) >= 0).all()
    whole = data.money(found(), account="bob")
    assert len(whole.values) == (given()["fills"]["account"] == "bob").sum()


def test_money_without_balances_is_what_is_gone() -> None:
    alone = drainwatch.replay(given()["fills"], given()["trades"], given()["quotes"])
    it = data.money(alone.incident(0))
    assert it.gone
    assert len(it.values) == len(alone.incident(0).fills)
    assert it.values[-1] == pytest.approx(alone.incident(0).told["loss"])


def test_losses_in_several_currencies_are_added_up_in_dollars_or_not_at_all() -> None:
    fills = found().incident(0).fills
    half = np.arange(len(fills)) % 2 == 0
    mixed = fills.assign(
        symbol=np.where(half, "AB/USDT", "AB/BTC"), quote_value=np.where(half, 1.0, 50_000.0), loss_quote=2.0
    )
    each, unit = data._worth("money", mixed, "USDT")
    assert unit == "USDT"
    assert each.tolist() == [1.0, 50_000.0] * (len(fills) // 2)
    unknown = mixed.assign(quote_value=np.where(half, 1.0, np.nan))
    for table, currency in ((unknown, "USDT"), (mixed, None)):
        with pytest.raises(InputError, match=r"money: expected fills in one currency.* found BTC, USDT"):
            data._worth("money", table, currency)
    assert data._worth("money", unknown[half], None)[1] == "USDT"


def test_reasons_are_those_of_the_incident() -> None:
    incident = found().incident(0)
    it = data.reasons(incident)
    assert list(it.names) == incident.reasons["feature"].tolist()
    assert it.nats.tolist() == incident.reasons["nats"].tolist()
    assert data.reasons(found()).names == it.names


def test_markouts_are_those_of_a_naive_count() -> None:
    quotes = given()["quotes"]
    horizons_s = (1.0, 60.0, 900.0)
    mine, others = data.markouts(found().incident(0), quotes, horizons_s)
    fills = found().incident(0).fills
    mid = (quotes["bid"] + quotes["ask"]) / 2
    for column, horizon_s in enumerate(horizons_s):
        expected = []
        fill: Any
        for fill in fills.itertuples():
            at_ms = fill.timestamp.timestamp() * 1e3
            until = quotes["timestamp"] <= at_ms + 1e3 * horizon_s
            if quotes["timestamp"][until].iloc[-1] > at_ms:  # told after the fill
                later = mid[until].iloc[-1]
                side = 1 if fill.side == "buy" else -1
                expected.append(1e4 * side * (later - fill.price) / fill.price)
        assert mine.count[column] == len(expected)
        if expected:
            assert mine.median_bps[column] == pytest.approx(np.median(expected))
    assert mine.incident
    assert not others.incident
    assert mine.median_bps[-1] < -900 < -50 < others.median_bps[-1]


def test_markouts_beyond_the_end_are_unknown() -> None:
    quotes = given()["quotes"]
    _, others = data.markouts(found(), quotes, (86_400.0 * 10,))
    assert others.count.tolist() == [0]
    assert np.isnan(others.median_bps).all()


@pytest.mark.parametrize("table", ["trades", "candles"])
def test_markouts_take_trades_and_candles_and_times_of_any_kind(table: str) -> None:
    market = given()[table]
    utc = market.assign(timestamp=pd.to_datetime(market["timestamp"], unit="ms", utc=True))
    one, same = (data.markouts(found(), each, (900.0,))[0] for each in (market, utc))
    assert one.median_bps.tolist() == same.median_bps.tolist()
    assert one.median_bps[0] < -900


def test_a_market_without_prices_is_told() -> None:
    with pytest.raises(InputError, match="expected columns bid and ask, price, or close, found timestamp"):
        data.markouts(found(), given()["quotes"].drop(columns=["bid"]))
    with pytest.raises(InputError, match="column symbol is missing"):
        data.markouts(found(), given()["quotes"].drop(columns=["symbol"]))


def test_network_adds_up_each_counterparty() -> None:
    incident = found().incident(0)
    it = data.network(incident)
    assert [party.name for party in it.parties] == ["thief", shown(NASTY, 20)]
    assert [party.fills for party in it.parties] == [6, 2]
    assert sum(party.loss for party in it.parties) == pytest.approx(incident.told["loss"])
    assert (it.parties[0].x, it.parties[0].y) == (0.0, 1.0)  # on top
    assert it.account == "bob"


def test_network_puts_small_ones_together() -> None:
    fills = given()["fills"].copy()
    stolen = fills["id"].str.startswith("x-bob")
    many = pd.concat([fills, *[fills[stolen].assign(id=fills["id"] + f"-{i}", order="o") for i in range(3)]])
    many["counterparty"] = many["id"]
    it = data.network(drainwatch.replay(many, *(given()[name] for name in ("trades", "quotes"))).incident(0))
    assert len(it.parties) == data.MOST_PARTIES
    assert it.parties[-1].name.endswith(" others")
    rest = int(it.parties[-1].name.split()[0])
    assert it.parties[-1].fills == rest > 1


def test_network_without_counterparties_is_told() -> None:
    fills = given()["fills"].drop(columns="counterparty")
    alone = drainwatch.replay(fills, given()["trades"])
    with pytest.raises(InputError, match="expected fills with a column `counterparty`"):
        data.network(alone)


def test_scores_count_climbs() -> None:
    values = np.array([0.0, 1.0, 3.0, np.nan, 2.0, 0.5, 2.0])
    levels = np.array([0.0, 0.5, 1.0, 2.0, 3.0, 4.0])
    naive = [
        sum(b < level <= a for b, a in zip([-np.inf, 0, 1, 3, 2, 0.5], [0, 1, 3, 2, 0.5, 2], strict=True))
        for level in levels
    ]
    assert data._climbs(values, levels).tolist() == naive == [1, 1, 2, 2, 1, 0]


def test_scores_stand_beside_their_calibration() -> None:
    it = data.scores(found().incident(0))
    assert it.threshold == pytest.approx(1.0)  # a tenth of a false incident a month
    assert it.calibrated[np.flatnonzero(it.levels == 1.0)] == pytest.approx(0.1)
    fills = found().fills
    span = fills.groupby("account")["timestamp"].agg(
        lambda times: (times.max() - times.min()).total_seconds()
    )
    assert it.months == pytest.approx(span.sum() / data.MONTH_S)
    above = it.levels >= it.threshold
    assert (it.reached[above] * it.months).max() >= 2
    assert (it.others[above] == 0.0).all()  # what was flagged belongs to incidents
    assert it.levels[-1] >= fills["score"].max()


def test_reliability_takes_rows_in_any_order() -> None:
    it = data.reliability(reliable())
    assert it.stated.tolist() == [0.03, 0.3]
    assert it.high.tolist() == [0.06, 0.6]
    assert data.reliability(pd.DataFrame(reliable())).low.tolist() == it.low.tolist()
    assert data.reliability([]).stated.size == 0
    with pytest.raises(InputError, match="column high is missing"):
        data.reliability([{"budget": 1.0, "measured": 1.0, "low": 1.0}])


def test_a_replay_without_incidents_or_dollars_has_its_prices() -> None:
    it = data.price(nasty())
    assert len(it.prices) == len(given()["fills"])
    assert it.market.size == 0
