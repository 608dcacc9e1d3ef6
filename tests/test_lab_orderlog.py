"""An order log has what the program wrote, and now and then a hole."""

from __future__ import annotations

from collections import Counter

import numpy as np

from drainwatch.lab.orderlog import OrderLog, Row, draw_log
from drainwatch.lab.scenario import Scenario, make

ROWS: list[Row] = [(1000 * second, f"o{second}", f"c{second}") for second in range(100)]


def written(log: OrderLog) -> list[Row]:
    return log.written(ROWS, np.random.default_rng(1))


def test_a_kept_log_has_every_row_as_it_was() -> None:
    assert written(OrderLog("kept")) == ROWS


def test_a_hole_lacks_its_hours_and_nothing_else() -> None:
    assert written(OrderLog("hole", 20.0, 50.0)) == [row for row in ROWS if not 20_000 <= row[0] < 50_000]


def test_a_stopped_log_has_nothing_more() -> None:
    assert written(OrderLog("stopped", 60.0)) == ROWS[:60]


def test_a_late_log_has_all_orders_later() -> None:
    late = written(OrderLog("late", lag_s=2.0))
    assert [row[1:] for row in late] == [row[1:] for row in ROWS]
    lags = np.array([now[0] - then[0] for now, then in zip(late, ROWS, strict=True)])
    assert lags.min() >= 0
    assert 1000.0 < lags.mean() < 4000.0


def test_without_a_log_there_is_nothing() -> None:
    assert written(OrderLog("none")) == []


def test_most_logs_are_kept_well() -> None:
    kinds = Counter(draw_log(np.random.default_rng(seed), 86_400.0).kind for seed in range(400))
    assert set(kinds) == {"kept", "late", "hole", "stopped"}
    assert kinds["kept"] > 280
    assert min(kinds.values()) > 4


def account_with(log: str, owner: str = "market_maker") -> Scenario:
    """Return two days of a program whose log was kept so."""
    for seed in range(200, 300):
        made = make(seed, days=2.0, owner=owner)
        if made.log == log and len(made.orders):
            return made
    raise AssertionError(log)


def test_the_bot_trades_on_when_its_log_has_stopped() -> None:
    made = account_with("stopped")
    assert (made.fills["timestamp"] > made.orders["timestamp"].max() + 60_000).sum() >= 3
    assert made.fills["order"].isin(made.orders["order"]).any()


def test_the_bot_trades_on_while_its_log_has_a_hole() -> None:
    inside = 0
    for seed in range(200, 320):
        made = make(seed, days=2.0, owner="market_maker")
        if made.log != "hole" or not len(made.orders):
            continue
        logged = made.orders["timestamp"].to_numpy()
        longest = int(np.argmax(np.diff(logged)))
        between = made.fills["timestamp"].between(logged[longest], logged[longest + 1], inclusive="neither")
        inside = max(inside, int((between & ~made.fills["order"].isin(made.orders["order"])).sum()))
        if inside >= 3:
            break
    assert inside >= 3


def test_a_late_log_knows_of_market_orders_after_their_fills() -> None:
    for log, least, most in (("late", 0.5, 1.0), ("kept", 0.0, 0.0)):
        made = account_with(log, "momentum")
        logged = made.orders.set_index("order")["timestamp"]
        fills = made.fills[made.fills["order"].isin(logged.index) & (made.fills["type"] == "market")]
        behind = (fills["timestamp"].to_numpy() < logged.loc[fills["order"]].to_numpy()).mean()
        assert least <= behind <= most
