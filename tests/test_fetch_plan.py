"""What is asked for: the markets traded, their twins and rates, around the fills."""

from __future__ import annotations

from pathlib import Path

import pytest

from drainwatch.fetch.plan import Plan, What, plan_of
from drainwatch.fetch.spans import Span
from drainwatch.rows import Market
from fetch_lab import HOUR_MS, START_MS, a_fill, read_times, written

LISTED = ("QTUM/BTC", "QTUM/USDT", "BTC/USDT", "ETH/USDT", "DOGE/USDT")
NOW_MS = START_MS + 1000 * HOUR_MS


def market(symbol: str) -> Market:
    base, _, quote = symbol.partition("/")
    return Market(exchange="binance", symbol=symbol, venue_symbol=symbol, base=base, quote=quote)


def planned(
    path: Path,
    fills: list[dict[str, object]],
    what: What = What.AUTO,
    *,
    past: bool = True,
    now_ms: int = NOW_MS,
) -> Plan:
    times = read_times(written(path / "fills.jsonl", fills))
    return plan_of(times, "binance", list(map(market, LISTED)), what, has_past_trades=past, now_ms=now_ms)


def chosen(plan: Plan) -> list[tuple[str, str]]:
    return [(need.table, need.symbol) for need in plan.needs]


@pytest.mark.parametrize(
    ("what", "past", "tables"),
    [
        (What.AUTO, True, ("trades", "candles", "candles")),
        (What.AUTO, False, ("candles", "candles", "candles")),
        (What.CANDLES, True, ("candles", "candles", "candles")),
        (What.TRADES, True, ("trades", "trades", "trades")),
        (What.TRADES, False, ("trades", "trades", "trades")),
    ],
)
def test_twins_and_rates_come_along(what: What, past: bool, tables: tuple[str, ...], tmp_path: Path) -> None:
    plan = planned(tmp_path, [a_fill(HOUR_MS)], what, past=past)
    assert sorted(chosen(plan)) == sorted(zip(tables, ("QTUM/BTC", "QTUM/USDT", "BTC/USDT"), strict=True))


def test_a_market_that_is_traded_and_a_twin_is_had_both_ways(tmp_path: Path) -> None:
    plan = planned(tmp_path, [a_fill(HOUR_MS), a_fill(9 * HOUR_MS, "QTUM/USDT")])
    assert ("trades", "QTUM/USDT") in chosen(plan)
    candles = {need.symbol: need.spans for need in plan.needs if need.table == "candles"}
    assert candles["QTUM/USDT"] == (Span(START_MS, START_MS + 2 * HOUR_MS),)
    assert len(candles["BTC/USDT"]) == 2


def test_nothing_is_asked_for_that_lies_ahead(tmp_path: Path) -> None:
    now_ms = START_MS + HOUR_MS + 60_000
    plan = planned(tmp_path, [a_fill(HOUR_MS), a_fill(5 * HOUR_MS)], now_ms=now_ms)
    assert {need.spans for need in plan.needs} == {(Span(START_MS, now_ms),)}


def test_what_was_traded_comes_first(tmp_path: Path) -> None:
    assert chosen(planned(tmp_path, [a_fill(HOUR_MS)]))[0] == ("trades", "QTUM/BTC")


def test_times_are_counted_by_market_and_exchange(tmp_path: Path) -> None:
    fills = [a_fill(0), a_fill(1), a_fill(0, exchange="x"), a_fill(100 * HOUR_MS)]
    times = read_times(written(tmp_path / "fills.jsonl", fills))
    assert times.n_fills == {("", "QTUM/BTC"): 3, ("x", "QTUM/BTC"): 1}
    assert len(times.spans["", "QTUM/BTC"]) == 2
