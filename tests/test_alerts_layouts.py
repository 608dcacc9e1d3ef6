"""What each service is sent, as files that one can read.

`python tests/test_alerts_layouts.py` writes them anew; look at them, and at the pictures of them that
`python tests/chat_pages.py FILE.html` draws.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alert_fakes import (
    CHATS,
    DISCORD,
    NOW_NS,
    SLACK,
    SLACK_BOT,
    TELEGRAM,
    WEBHOOK,
    digest,
    later,
    notice,
    opened,
    rows,
    sample,
)
from drainwatch.alerts.layouts import Request, id_in, request_of
from drainwatch.alerts.layouts.extra import note_of
from drainwatch.alerts.layouts.fit import units
from drainwatch.alerts.message import Message, message_of, short_of
from report_fakes import START_MS, fills, incident

GOLDEN = Path(__file__).parent / "golden" / "alerts"
ENDED = {"closed_at": START_MS + 8 * 3_600_000}


def shown(request: Request) -> dict[str, Any]:
    """Give a request as one reads it."""
    return {
        "method": request.method,
        "url": request.url,
        "headers": request.headers,
        "body": json.loads(request.body),
    }


def two_fills() -> Message:
    return message_of(incident(rows()[:2]), "opened", fills=rows()[:2])


CASES: dict[str, Callable[[], dict[str, Any]]] = {
    "slack-opened": lambda: shown(request_of(SLACK, opened())),
    "slack-grew": lambda: shown(request_of(SLACK, later("grew"))),
    "slack-digest": lambda: shown(request_of(SLACK, digest())),
    "slack-notice": lambda: shown(request_of(SLACK, notice())),
    "slack-bot-grew": lambda: shown(request_of(SLACK_BOT, later("grew"), earlier="1520434530.000200")),
    "discord-opened": lambda: shown(request_of(DISCORD, opened())),
    "discord-closed": lambda: shown(request_of(DISCORD, later("closed", **ENDED), earlier="1203")),
    "discord-notice": lambda: shown(request_of(DISCORD, notice())),
    "telegram-grew": lambda: shown(request_of(TELEGRAM, later("grew"), earlier="77")),
    "telegram-reminder": lambda: shown(request_of(TELEGRAM, later("reminder"), reply_to="77")),
    "telegram-digest": lambda: shown(request_of(TELEGRAM, digest())),
    "telegram-test": lambda: shown(request_of(TELEGRAM, sample())),
    "webhook-opened": lambda: shown(request_of(WEBHOOK, two_fills(), "a1/opened/1", NOW_NS)),
    "apprise-opened": lambda: note_of(opened())._asdict(),
    "apprise-grew": lambda: note_of(later("grew"))._asdict(),
}


def written(case: str) -> str:
    return json.dumps(CASES[case](), indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("case", CASES)
def test_each_service_is_sent_what_the_file_says(case: str) -> None:
    assert (GOLDEN / f"{case}.json").read_text(encoding="utf-8") == written(case)


def test_no_file_is_left_over() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.json")) == sorted(CASES)


@pytest.mark.parametrize("channel", CHATS, ids=lambda channel: channel.name)
def test_a_message_kept_for_a_chat_looks_the_same(channel: Any) -> None:
    """Chats are sent what was kept without the incident itself."""
    assert request_of(channel, short_of(opened())) == request_of(channel, opened())


@pytest.mark.parametrize("channel", CHATS, ids=lambda channel: channel.name)
def test_five_thousand_fills_and_endless_names_make_a_message_like_any_other(channel: Any) -> None:
    endless = "X" * 100_000
    many = fills(5_000, symbol=endless, id=endless, account=endless)
    told = message_of(incident(many, account=endless, symbols=[endless] * 50), "opened", fills=many)
    body = request_of(channel, told).body.decode()
    assert "and 4,995 more" in body
    assert units(body) < 16_000


def test_ids_are_of_channels_that_can_edit() -> None:
    assert id_in(WEBHOOK, b'{"id":"1","ts":"1.2","result":{"message_id":1}}') is None


if __name__ == "__main__":
    for case in CASES:
        (GOLDEN / f"{case}.json").write_text(written(case), encoding="utf-8")
