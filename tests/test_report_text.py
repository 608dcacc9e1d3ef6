"""An incident in words: what its owner reads first."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.report import headline, to_text
from drainwatch.report.table import FillTable
from drainwatch.report.text import money_gone, steps, verdict, when
from report_fakes import START_MS, fill, fills, incident, key, nasty

GOLDEN = """\
CRITICAL: 3.36 ETH gone from account main at binance, 41 % of it; about 4.84 ETH left
Now: revoke the API key at binance, cancel all open orders, then look for orders that your bot did not place.
Why:
  1. 88 deviations worse than this account usually trades [deviation_sigmas 88.2, usual 0.4]
  2. The quote that was hit had only just appeared [fresh_level 0.97, usual 0.05]
  3. The owner's bot did not place this order [unlogged 6.1, usual 0]
What: a planted wall was bought out
Where: XRP/ETH: 14 fills (14 sells), at 12 % below what it was worth
When: first fill 7 Mar 2018 14:55:00 UTC; alert 14:55:30, 30 s later by fill f1; still open
Score: 14.2: fewer than 1 of 10^9 harmless account-months has such a fill
Incident: a1"""


def test_text_of_an_incident() -> None:
    assert to_text(incident(), fills()) == GOLDEN


def test_text_without_the_table_of_fills_leaves_out_prices_only() -> None:
    assert to_text(incident()) == GOLDEN.replace(", at 12 % below what it was worth", "")


def test_headline_says_who_what_where_and_how_much() -> None:
    assert headline(incident(), fills()) == (
        "Between 14:55:00 and 15:01:30 UTC on 7 Mar 2018 somebody sold on XRP/ETH at 12 % below what it was "
        "worth: 3.36 ETH gone, 41 % of account main."
    )


def test_headline_without_fills_claims_no_end() -> None:
    assert headline(incident()).startswith("Since 14:55:00 UTC on 7 Mar 2018 somebody sold on XRP/ETH: ")


def test_headline_of_both_sides_averages_by_value() -> None:
    rows = [
        fill(0, side="buy", price=0.003, deviation_bps=5_000.0),
        fill(1, price=0.001, deviation_bps=5_000.0),
    ]
    assert "bought and sold on XRP/ETH at prices 50 % worse than fair value" in headline(incident(rows), rows)


def test_headline_of_several_pairs() -> None:
    rows = [fill(0), fill(1, symbol="ADA/BTC")]
    said = headline(incident(rows, symbols=["XRP/ETH", "ADA/BTC"]), rows)
    assert "sold on XRP/ETH and ADA/BTC at prices 12 % worse than fair value" in said


def test_headline_says_no_price_where_most_fills_have_none_to_compare() -> None:
    """Two fills that are known don't tell how the other twenty were."""
    unknown = {"fair_price": None, "deviation_bps": None, "fair_source": "none"}
    rows = [fill(0), fill(1), *(fill(n, **unknown) for n in range(2, 22))]
    assert "sold on XRP/ETH: 3.36 ETH gone" in headline(incident(rows), rows)


@pytest.mark.parametrize(
    "changes",
    [
        {"severity": "warning"},
        {"kind_now": "own_bad_fill", "severity": "warning"},
        {"kind_now": "own_bad_fill"},
    ],
)
def test_what_may_be_the_owners_own_accuses_nobody(changes: dict[str, Any]) -> None:
    said = headline(incident(**changes), fills())
    assert "somebody" not in said
    assert "account main sold on XRP/ETH" in said
    assert said.endswith("41 % of it. This may have been you.")
    assert "you or your bot" in steps(incident(**changes))[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "3.36 ETH gone from account main at binance, 41 % of it; about 4.84 ETH left"),
        (
            {"equity_share": None},
            "3.36 ETH gone from account main at binance; what is left is unknown (no balances given)",
        ),
        ({"equity_share": 1.2}, "3.36 ETH gone from account main at binance, 120 % of it: all that it held"),
        ({"loss": None, "loss_currency": None}, "an unknown amount gone from account main at binance"),
        ({"loss": -1.0}, "nothing gone yet from account main at binance"),
        (
            {"exchange": "", "account": "default"},
            "3.36 ETH gone from account default, 41 % of it; about 4.84 ETH left",
        ),
    ],
)
def test_what_is_gone_and_what_is_left(changes: dict[str, Any], said: str) -> None:
    assert money_gone(incident(**changes)) == said


def test_unknown_loss_is_said_in_the_headline() -> None:
    assert headline(incident(loss=None)).endswith("how much is gone is unknown.")
    assert headline(incident(kind_now="fee_churn")).endswith("gone in fees and prices, 41 % of account main.")


def test_first_step_is_to_revoke_the_key() -> None:
    listed = steps(incident())
    assert listed[0].startswith("Revoke the API key on binance's API keys page")
    assert listed[1].startswith("Cancel all open orders of account main")
    assert "the exchange's API keys page" in steps(incident(exchange=""))[0]


def test_when_tells_of_escalation_and_end() -> None:
    said = when(incident(escalated_at=START_MS + 60_000, closed_at=START_MS + 7_200_000))
    assert "; critical since 7 Mar 2018 14:56:00 UTC" in said
    assert said.endswith("; closed 7 Mar 2018 16:55:00 UTC")
    assert "alert at once by fill f0" in when(incident(fills(1)))


def test_alert_on_another_day_tells_the_day() -> None:
    """The time alone would be read as of the first fill's day."""
    said = when(incident(alerted_at=START_MS + 88_200_000))
    assert "; alert 8 Mar 2018 15:25:00 UTC, 1 day later by fill f1" in said


def test_changed_kind_is_told() -> None:
    said = to_text(incident(kind_now="ping_pong"))
    assert (
        "What: ping-pong: bought dear and sold back cheap, over and over; at the alert: a planted wall"
        in said
    )


def test_warning_that_became_critical_is_critical() -> None:
    """The first word decides whether its owner gets up at night."""
    grown = incident(severity="warning", escalated_at=START_MS + 90_000, kind="own_bad_fill")
    assert to_text(grown).startswith("CRITICAL: ")
    assert "somebody sold" in headline(grown)
    assert steps(grown)[0].startswith("Revoke")


def test_figures_in_the_text_of_a_reason_arent_told_twice() -> None:
    reason = {
        "feature": "deviation_bps",
        "value": 51.7,
        "typical": 1.6,
        "text": "paid 51.7 bps more (usual: 1.6)",
    }
    assert "  1. Paid 51.7 bps more (usual: 1.6)\n" in to_text(incident(reasons=[reason]))


def test_three_reasons_at_most() -> None:
    assert "the order was large" not in to_text(incident()).lower()
    assert "Why:" not in to_text(incident(reasons=[]))


def test_no_line_holds_control_characters() -> None:
    """An escape sequence in a symbol could hide the alert from a terminal."""
    made, rows = nasty()
    for line in to_text(made, rows).split("\n"):
        assert line.isprintable()


@given(
    st.dictionaries(
        st.sampled_from(sorted(incident())),
        st.none() | st.floats() | st.text(max_size=20) | st.integers(),
    ).filter(lambda d: not d.keys() & {"fills", "symbols", "reasons", "alert_fill"})
)
def test_odd_values_never_stop_an_alert(changes: dict[str, Any]) -> None:
    """An alert that fails because one of its fields is odd is no alert."""
    made = incident(**changes)
    assert to_text(made, fills()).count("\n") >= 6
    assert headline(made, fills())


class TestVerdict:
    """One sentence for a whole replay."""

    def test_nothing_found(self) -> None:
        span = (START_MS - 31 * 86_400_000, START_MS)
        said = verdict([], FillTable(None), {"n_fills": 1_204, "span_ms": span})
        assert said == "Nothing that looks like a drain in 1,204 fills of 31 days."

    def test_blind_fills_arent_innocent(self) -> None:
        said = verdict([], FillTable(None), {"n_fills": 100, "blind_reasons": {"no price": 30}})
        assert said == "Nothing that looks like a drain in 70 fills; 30 more could not be judged."

    def test_blind_altogether(self) -> None:
        said = verdict([], FillTable(None), {"n_fills": 100, "blind_reasons": {"no price": 100}})
        assert said == "None of 100 fills could be judged: that is not the same as safe."

    def test_one_incident_is_its_headline(self) -> None:
        assert verdict([incident()], FillTable(fills()), {}) == headline(incident(), fills())

    def test_worst_of_several(self) -> None:
        small = incident(id="small", equity_share=0.9, severity="warning")
        said = verdict([small, incident()], FillTable(fills()), {"n_fills": 50})
        assert said.startswith(
            "2 incidents in 50 fills of 6 min 30 s. The worst: between 14:55:00 and 15:01:30"
        )

    def test_losses_in_several_currencies_arent_ranked_by_their_numbers(self) -> None:
        """63 USDT is less than 0.1 BTC, whatever the figures say."""
        few = incident(fills(2), id="b2", equity_share=None, loss=63.0, loss_currency="USDT")
        many = incident(equity_share=None, loss=0.1, loss_currency="BTC")
        assert "The worst: " in (said := verdict([few, many], FillTable(fills()), {}))
        assert "0.1 BTC gone" in said


def test_keys_of_fakes_are_those_of_the_contract() -> None:
    assert set(key(fill(0))) == {"symbol", "id", "order", "side"}
