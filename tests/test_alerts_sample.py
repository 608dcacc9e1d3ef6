"""The sample is an incident as it would be told, and can't be taken for one."""

from __future__ import annotations

from alert_fakes import NOW_NS
from drainwatch.alerts.sample import sample_message


def test_it_has_all_parts_of_an_alert() -> None:
    made = sample_message(NOW_NS, "okx")
    assert made.reasons
    assert len(made.fills) == 3
    assert made.link is not None
    assert made.link.url == "https://www.okx.com/account/my-api"
    assert "0.187 BTC gone" in made.headline


def test_it_says_first_that_it_is_a_test() -> None:
    made = sample_message(NOW_NS)
    assert made.text.startswith("TEST: CRITICAL: ")
    assert any("This is a test" in remark for remark in made.remarks)
