"""What the owner reads: what is gone and what to do before anything else."""

from __future__ import annotations

import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_fakes import TOLD, digest, later, messages, notice, opened, rows, sample
from drainwatch.alerts.layouts.request import to_bytes
from drainwatch.alerts.message import (
    WHATS,
    WORST,
    Message,
    Step,
    message_of,
    message_of_notice,
    short_of,
    summary_of,
)
from drainwatch.notices import Notice, NoticeKind
from drainwatch.report.words import UNPRINTABLE
from report_fakes import START_MS, fill, fills, incident

GONE = "3.36 ETH gone from account main at binance, 41 % of it; about 4.84 ETH left"
PAGE = "https://www.binance.com/en/my/settings/api-management"


@pytest.mark.parametrize("what", WHATS)
def test_the_first_line_says_what_is_gone_and_the_second_what_to_do(what: str) -> None:
    made = later(what)
    lines = made.text.splitlines()
    assert lines[0] == f"{made.title}: {GONE}"
    assert lines[0].startswith("CRITICAL")
    assert lines[1] == f"Now: {made.action} API keys at binance: {PAGE}"
    assert made.action.startswith("revoke the API key at binance, cancel all open orders")


def test_each_news_has_a_title_of_its_own() -> None:
    titles = [later(what).title for what in WHATS]
    assert len(set(titles)) == len(WHATS)
    assert titles[0] == "CRITICAL"
    assert all(later(what).news.endswith(".") for what in WHATS[1:])


def test_the_three_strongest_reasons_follow() -> None:
    made = opened()
    assert len(made.reasons) == 3
    assert made.reasons[0].startswith("88 deviations worse than this account usually trades")


def test_the_worst_fills_are_shown_in_order_of_time_and_the_rest_counted() -> None:
    made = opened()
    assert [shown.id for shown in made.fills] == ["f0", "f1", "f2", "f3", "f9"]
    assert made.fills_more == 14 - WORST
    assert made.fills[3].text == "14:56:30 sell 1,000 XRP/ETH at 0.0014, 30 % below its worth of 0.002"
    assert made.fills[3].loss == pytest.approx(0.6)
    assert "  and 9 more" in made.text.splitlines()


def test_a_loss_that_was_reckoned_goes_before_one_that_is_guessed() -> None:
    """Of a derivative the amount is in contracts: only the engine knows what they are worth."""
    made = message_of(
        incident(fills(6)), "opened", fills=[fill(n, loss=9.0 if n == 5 else 0.1) for n in range(6)]
    )
    assert made.fills[-1].loss == 9.0
    assert made.fills_more == 1


def test_what_holds_for_a_few_fills_is_not_said_of_all() -> None:
    """A running watch remembers the worst alone: their mean is not the incident's."""
    some = dict(message_of(incident(), "opened", fills=rows()[:5]).facts)
    assert some["Where"] == "XRP/ETH: 14 fills (14 sells)"
    assert dict(opened().facts)["Where"].startswith("XRP/ETH: 14 fills (14 sells), at 16 % below")


def test_fair_value_has_its_source() -> None:
    assert dict(opened().facts)["Fair value"] == "by other pairs of the same coin"
    mixed = [fill(n, fair_source="mid" if n else "mark") for n in range(3)]
    facts = dict(message_of(incident(mixed), "opened", fills=mixed).facts)
    assert facts["Fair value"] == "by this pair's bid and ask and the venue's own mark or index price"
    assert "Fair value" not in dict(message_of(incident(), "opened").facts)


def test_without_prices_the_fills_are_counted() -> None:
    made = message_of(incident(), "opened")
    assert made.fills == ()
    assert "Fills" not in made.text
    assert "14 fills" in made.text


def test_blind_fills_are_shown_without_a_worth() -> None:
    blind = [fill(n, fair_price=None, fair_source="none") for n in range(2)]
    made = message_of(incident(blind, loss=None, equity_share=None), "opened", fills=blind)
    assert made.headline == "an unknown amount gone from account main at binance"
    assert made.fills[0].text == "14:55:00 sell 1,000 XRP/ETH at 0.00176"
    assert made.fills[0].loss is None


def test_history_is_told_in_lines() -> None:
    assert later("closed").history == ("14:55:30 alert: 0.48 ETH gone", "14:56:10 grown: 1.20 ETH gone")
    many = [Step(what="grew", at_ms=START_MS + n, loss=float(n), currency="ETH") for n in range(99)]
    told = message_of(incident(), "grew", history=many).history
    assert len(told) == 6
    assert told[-1].endswith("98.00 ETH gone")
    unknown = message_of(incident(), "grew", history=[Step(what="opened", at_ms=START_MS)]).history
    assert unknown == ("14:55:00 alert",)


def test_the_command_ends_the_reminders() -> None:
    assert opened().command == "drainwatch incidents ack a1"
    assert "Seen to it? drainwatch incidents ack a1" in opened().text
    assert later("acknowledged").command == ""
    assert sample().command == ""


@pytest.mark.parametrize("name", ["a b", "$(rm -rf ~)", "-f", "", "`x`", "a\nb", "x" * 41, "ä"])
def test_an_id_that_a_shell_reads_otherwise_is_in_no_command(name: str) -> None:
    assert opened(id=name).command == ""


def test_a_venue_without_a_page_gets_plain_words() -> None:
    made = message_of(incident(exchange="nowhere"), "opened")
    assert made.link is None
    assert made.text.splitlines()[1].startswith("Now: revoke the API key at nowhere")
    assert "http" not in made.text


def test_a_warning_asks_first() -> None:
    made = opened(severity="warning")
    assert (made.title, made.severity) == ("WARNING", "warning")
    assert made.action.startswith("check whether you or your bot placed these orders")


def test_a_sample_says_that_it_is_none() -> None:
    made = sample()
    assert made.test
    assert made.title == "TEST: CRITICAL"
    assert "This is a test: nothing happened, and there is nothing to do." in made.text
    assert made.link is not None
    assert made.link.url == PAGE


def test_a_digest_names_each_and_counts_the_rest() -> None:
    made = digest(12)
    assert made.severity == "warning"
    assert len(made.reasons) == 9
    assert made.reasons[0] == (
        "WARNING: 0.02 ETH gone from account farm-0 at binance, 0.4 % of it; about 4.98 ETH left"
    )
    assert made.reasons[-1] == "and 4 more"
    assert made.incident_id == ""


def test_a_notice_says_what_where_and_when() -> None:
    title = "API key refused (binance private main)"
    assert notice().text.splitlines() == [
        f"{title}: binance doesn't take the key (it is wrong, revoked or expired).",
        "Until there is a new one, no fill of this account is seen: make one, and start the watch again.",
        "At: 7 Mar 2018 14:55:00 UTC",
    ]


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_kind_of_notice_has_its_words(kind: NoticeKind) -> None:
    made = message_of_notice(Notice(kind=kind, ts_ns=0, text=""))
    assert made.title
    assert made.first_line == made.title
    assert summary_of(made) == f"notice {kind}"


def test_a_summary_for_a_log_names_no_account() -> None:
    made = opened(account="hunter2", exchange="hunter2", symbols=["hunter2"], id="hunter2")
    assert summary_of(made) == "critical incident opened"
    assert summary_of(digest()) == "warning digest"


def test_what_is_kept_for_chats_is_short() -> None:
    many = fills(5_000)
    told = message_of(incident(many), "opened", fills=many[:9])
    assert len(to_bytes(short_of(told))) < 6_000 < len(to_bytes(told))
    assert short_of(told).text == told.text


def test_a_message_of_an_older_version_is_read() -> None:
    """The outbox outlives an update: what waits in it must still be sent."""
    old = b'{"what":"opened","text":"CRITICAL: x\\nNow: y","version":1,"incident":null,"notice":null}'
    read = msgspec.json.decode(old, type=Message)
    assert read.first_line == "CRITICAL: x"
    assert read.remarks == ["Now: y"]


@given(messages())
def test_any_message_is_lines_of_print_and_comes_back_from_the_outbox(message: Message) -> None:
    assert message.first_line or not message.text
    if message.title:
        assert UNPRINTABLE.isdisjoint(map(unicodedata.category, message.text.replace("\n", "")))
        assert message.text.startswith(message.first_line)
    again = msgspec.json.decode(to_bytes(short_of(message)), type=Message)
    if message.title:
        assert (again.text, again.fills, again.facts) == (message.text, message.fills, message.facts)


@given(
    st.dictionaries(st.sampled_from(["loss", "equity_share", "score", "opened_at", "closed_at"]), st.floats())
)
def test_numbers_of_any_kind_do_no_harm(changes: dict[str, Any]) -> None:
    made = message_of(incident(**changes), "grew", fills=rows(), history=TOLD)
    assert msgspec.json.decode(to_bytes(made), type=Message).headline == made.headline
