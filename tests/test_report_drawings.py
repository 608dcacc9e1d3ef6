"""What is drawn of an incident."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from drainwatch.report.drawings import drawings, losses
from drainwatch.report.table import FillTable
from report_fakes import START_MS, fill, fills, incident


def draw(rows: list[dict[str, Any]], **series: Any) -> list[dict[str, Any]]:
    table = FillTable(rows)
    made = incident([row for row in rows if row["incident"]])
    return drawings(
        made, table, table.of_incident("a1"), {}, series.get("equity", {}), series.get("market", {})
    )


def test_losses_sum_up_to_the_incidents_loss() -> None:
    """Contract sizes and fees are in the incident's loss, not in price times amount."""
    rows = [fill(0), fill(1, amount=3_000.0)]
    table = FillTable(rows)
    lost = losses(incident(rows, loss=8.0), table, table.of_incident("a1"))
    assert lost is not None
    assert lost.tolist() == pytest.approx([2.0, 6.0])


def test_losses_of_their_own_column() -> None:
    rows = [fill(0, loss=1.0), fill(1, loss=3.0), fill(2, loss=None)]
    table = FillTable(rows)
    lost = losses(incident(rows, loss=4.0), table, table.of_incident("a1"))
    assert lost is not None
    assert lost.tolist() == pytest.approx([1.0, 3.0, 0.0])


@pytest.mark.parametrize("changes", [{"loss": None}, {"loss": 0.0}])
def test_unknown_losses_arent_made_up(changes: dict[str, Any]) -> None:
    table = FillTable(fills())
    assert losses(incident(**changes), table, table.of_incident("a1")) is None


def test_losses_in_several_currencies_arent_added() -> None:
    table = FillTable([fill(0), fill(1, symbol="XRP/BTC")])
    assert losses(incident(), table, table.of_incident("a1")) is None


def test_without_equity_the_loss_is_drawn() -> None:
    price, money = draw(fills())
    assert price["title"] == "XRP/ETH: paid or got, against what it was worth"
    assert money["title"] == "Money gone so far, ETH"
    assert money["note"] == "3.36 ETH in the end."


def test_equity_is_drawn_where_known() -> None:
    series = np.array([[START_MS - 10, 8.2], [START_MS + 100_000, 4.9], [START_MS + 10**9, 1.0]])
    _, money = draw(fills(), equity={"main": series})
    assert money["title"] == "Money left, ETH"
    assert money["note"] == "From 8.20 to 4.90 ETH."  # what comes long after isn't the incident's


def test_loss_of_a_single_fill_is_seen_in_the_money_left() -> None:
    """What an account holds is known before each fill: drawn as it comes, the robbery would not show."""
    rows = fills(1)
    next_ms = START_MS + 3_600_000
    series = np.array([[START_MS - 1_000, 8.2], [START_MS, 8.2], [next_ms, 4.9]])
    _, money = draw(rows, equity={"main": series})
    assert money["title"] == "Money left, ETH"
    assert money["note"] == ("From 8.20 to 4.90 ETH. The last is of the next fill, 7 Mar 2018 15:55:00 UTC.")
    assert draw(rows, equity={"main": series[:2]})[1]["title"] == "Money gone so far, ETH"
    long_after = np.array([[START_MS, 8.2], [START_MS + 30 * 86_400_000, 4.9]])
    assert draw(rows, equity={"main": long_after})[1]["title"] == "Money gone so far, ETH"


def test_legend_and_note_say_where_no_worth_is_known() -> None:
    assert draw(fills())[0]["worth"]
    blind = draw(fills(fair_price=None, deviation_bps=None))[0]
    assert not blind["worth"]
    assert blind["note"].endswith("What they were worth is unknown.")


def test_market_is_drawn_where_known() -> None:
    line = [(START_MS + 1_000 * n, 0.002) for n in range(100)]
    assert draw(fills(), market={"XRP/ETH": line})[0]["market"]
    assert draw(fills(), market={("binance", "XRP/ETH"): line})[0]["market"]
    assert not draw(fills(), market={"XRP/BTC": line})[0]["market"]


def test_fills_around_it_are_drawn_as_others() -> None:
    around = fill(-1, incident=None, flagged=False, id="before")
    elsewhere = fill(1, incident=None, symbol="A/B", id="elsewhere")
    price = draw([around, elsewhere, *fills()])[0]
    assert price["others"]
    assert str(price["svg"]).count('class="mark sell mine"') == 14
    assert str(price["svg"]).count('class="mark sell"') == 1


def test_three_pairs_at_most() -> None:
    rows = [fill(n, symbol=f"C{n}/ETH") for n in range(5)]
    assert len(draw(rows)) == 4  # three of prices, one of money
    assert "2 more pairs not drawn" in str(draw(rows)[2]["note"])


def test_incident_without_fills_in_the_table_has_no_drawings() -> None:
    table = FillTable([])
    assert drawings(incident(), table, table.of_incident("a1"), {}, {}, {}) == []


def test_stragglers_neither_widen_a_drawing_nor_get_one() -> None:
    """One late fill on another pair would squeeze the drain into a line."""
    late = fill(1_000, symbol="A/ETH", id="late")
    price, money = draw([*fills(40), late])
    assert price["note"] == "Between 14:49:09 and 15:16:27 UTC on 7 Mar 2018. 1 more pair not drawn."
    assert money["title"] == "Money gone so far, ETH"
