"""What the owner reads, and that nobody else can write into it."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.alerts import chat
from drainwatch.alerts.channel import Channel
from drainwatch.notices import Notice, NoticeKind
from report_fakes import START_MS, incident, nasty

SLACK = Channel(name="s", kind="slack", url="https://slack.example/hunter2")
DISCORD = Channel(name="d", kind="discord", url="https://discord.example/hunter2")
TELEGRAM = Channel(name="t", kind="telegram", url="https://telegram.example/bothunter2", chat_id="-100")
WEBHOOK = Channel(name="w", kind="webhook", url="https://hook.example/hunter2")
CHATS = (SLACK, DISCORD, TELEGRAM)
TEXT_OF = {"slack": "text", "discord": "content", "telegram": "text"}
S = 1_000_000_000


def text_in(channel: Channel, message: chat.Message) -> str:
    said = json.loads(chat.request_of(channel, message).body)[TEXT_OF[channel.kind]]
    assert isinstance(said, str)
    return said


def message(text: str) -> chat.Message:
    return chat.Message(what="notice", text=text)


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


# --- what to tell --------------------------------------------------------------------------------


def test_the_first_alert_is_told_at_once_and_once() -> None:
    made = incident(loss=None, equity_share=None)
    assert chat.what_to_tell(made, None, 0) == "opened"
    told = chat.after_telling(made, None, 0)
    assert told == chat.Told(count=1)
    assert chat.what_to_tell(made, told, 10**6 * S) is None


def test_growth_is_told_when_the_loss_has_doubled_and_a_while_has_passed() -> None:
    told = chat.after_telling(incident(loss=10.0), None, 0)
    assert chat.what_to_tell(incident(loss=19.9), told, 31 * S) is None
    assert chat.what_to_tell(incident(loss=20.0), told, 29 * S) is None
    assert chat.what_to_tell(incident(loss=20.0), told, 30 * S) == "grew"
    told = chat.after_telling(incident(loss=25.0), told, 30 * S)
    assert (told.count, told.loss) == (2, 25.0)
    assert chat.what_to_tell(incident(loss=49.0), told, 99 * S) is None
    assert chat.what_to_tell(incident(loss=50.0), told, 99 * S) == "grew"


@pytest.mark.parametrize("before", [None, 0.0, -1.0])
def test_a_loss_that_becomes_known_is_growth(before: float | None) -> None:
    told = chat.after_telling(incident(loss=before), None, 0)
    assert chat.what_to_tell(incident(loss=0.5), told, 60 * S) == "grew"
    assert chat.what_to_tell(incident(loss=before), told, 60 * S) is None
    assert chat.what_to_tell(incident(loss=math.nan), told, 60 * S) is None


def test_escalation_and_the_end_are_told_at_once_and_once() -> None:
    told = chat.after_telling(incident(severity="warning"), None, 0)
    worse = incident(severity="warning", escalated_at=START_MS + 60_000)
    assert chat.what_to_tell(worse, told, 1) == "escalated"
    told = chat.after_telling(worse, told, 1)
    assert chat.what_to_tell(worse, told, 2) is None
    ended = worse | {"closed_at": START_MS + 10**7}
    assert chat.what_to_tell(ended, told, 2) == "closed"
    told = chat.after_telling(ended, told, 2)
    assert chat.what_to_tell(ended | {"loss": 10**9}, told, 10**6 * S) is None


def test_what_one_message_says_needs_no_second() -> None:
    """After a pause of the watch an incident may be over when it is first seen."""
    over = incident(severity="warning", escalated_at=START_MS, closed_at=START_MS + 1)
    assert chat.what_to_tell(over, None, 0) == "opened"
    assert chat.what_to_tell(over, chat.after_telling(over, None, 0), 10**6 * S) is None


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=60))
def test_a_growing_loss_is_told_seldom(steps: list[float]) -> None:
    """However many fills a drain has: no more messages than the loss doubles, and one."""
    told, loss, first = None, 1.0, 1.0
    for number, step in enumerate(steps):
        loss += step
        made = incident(loss=loss)
        if number == 0:
            first = loss
        if chat.what_to_tell(made, told, number * 60 * S) is not None:
            told = chat.after_telling(made, told, number * 60 * S)
    assert told is not None
    assert told.count <= 1 + math.log2(loss / first) + 1e-9
    assert loss < 2 * (told.loss or 0.0)


# --- words ---------------------------------------------------------------------------------------


def test_a_message_says_what_is_lost_and_what_to_do_before_anything_else() -> None:
    lines = chat.message_of(incident(), "opened").text.splitlines()
    assert lines[0] == "CRITICAL: 3.36 ETH gone from account main at binance, 41 % of it; about 4.84 ETH left"
    assert lines[1].startswith("Now: revoke the API key at binance")
    assert [line[:5] for line in lines[3:6]] == ["  1. ", "  2. ", "  3. "]


@pytest.mark.parametrize("what", chat.WHATS[1:])
def test_later_messages_begin_with_their_news(what: str) -> None:
    first, rest = chat.message_of(incident(), what).text.split("\n", 1)
    assert rest == chat.message_of(incident(), "opened").text
    assert first.endswith(".")


def test_a_notice_says_what_where_and_when() -> None:
    notice = Notice(
        kind=NoticeKind.KEY_REFUSED,
        ts_ns=START_MS * 10**6,
        text="binance doesn't take the key.\nMake a new one.",
        exchange="binance",
        account="main",
        stream="binance private",
    )
    assert chat.message_of_notice(notice).text.splitlines() == [
        "API key refused (binance private main): binance doesn't take the key.",
        "Make a new one.",
        "At 7 Mar 2018 14:55:00 UTC.",
    ]


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_kind_of_notice_has_its_words(kind: NoticeKind) -> None:
    made = chat.message_of_notice(Notice(kind=kind, ts_ns=0, text=""))
    assert made.text.splitlines()[0]
    assert chat.summary_of(made) == f"notice {kind}"


def test_alarms_go_before_the_rest() -> None:
    ranks = [
        chat.rank_of(chat.message_of(incident(), what)) for what in ("opened", "escalated", "grew", "closed")
    ]
    assert ranks == [0, 0, 2, 3]
    alive, gap = (
        chat.rank_of(chat.message_of_notice(Notice(kind=kind, ts_ns=0, text="x")))
        for kind in (NoticeKind.ALIVE, NoticeKind.GAP)
    )
    assert (gap, alive) == (1, 4)


def test_a_summary_for_a_log_names_no_account() -> None:
    made = chat.message_of(incident(account="hunter2", exchange="hunter2", symbols=["hunter2"]), "opened")
    assert chat.summary_of(made) == "critical incident opened: a planted wall was bought out"


# --- bodies --------------------------------------------------------------------------------------


def test_each_service_gets_what_it_expects() -> None:
    made = chat.message_of(incident(), "opened")
    requests = {channel.kind: chat.request_of(channel, made) for channel in (*CHATS, WEBHOOK)}
    bodies = {kind: json.loads(request.body) for kind, request in requests.items()}
    assert set(bodies["slack"]) == {"text", "mrkdwn", "unfurl_links", "unfurl_media"}
    assert bodies["discord"]["allowed_mentions"] == {"parse": []}
    assert set(bodies["telegram"]) == {"chat_id", "text", "link_preview_options"}
    assert bodies["telegram"]["chat_id"] == "-100"
    assert bodies["webhook"] == {
        "version": 1,
        "what": "opened",
        "text": made.text,
        "incident": incident(),
        "notice": None,
    }
    assert requests["telegram"].url == "https://telegram.example/bothunter2/sendMessage"
    assert {request.headers["Content-Type"] for request in requests.values()} == {
        "application/json; charset=utf-8"
    }


def test_a_request_shows_no_url() -> None:
    assert "hunter2" not in repr(chat.request_of(SLACK, message("x")))


def test_a_webhook_gets_a_notice_as_data_too() -> None:
    notice = Notice(kind=NoticeKind.GAP, ts_ns=5, text="gap", since_ns=1, until_ns=4)
    body = json.loads(chat.request_of(WEBHOOK, chat.message_of_notice(notice)).body)
    assert body["what"] == "notice"
    assert (body["notice"]["kind"], body["notice"]["since_ns"], body["notice"]["until_ns"]) == ("gap", 1, 4)


@pytest.mark.parametrize("channel", CHATS, ids=lambda channel: channel.kind)
@pytest.mark.parametrize(
    "call",
    [
        "@everyone",
        "@here",
        "<!channel>",
        "<!here|x>",
        "<@U123>",
        "<@&1>",
        "<#C1>",
        "@someone",
        "<https://e.example|ok>",
    ],
)
def test_nobody_can_be_called(channel: Channel, call: str) -> None:
    said = text_in(channel, message(f"pair {call} fell"))
    for form in ("@everyone", "@here", "@someone"):
        assert form not in said
    if channel.kind == "slack":
        assert "<" not in said
        assert ">" not in said
    if channel.kind == "discord":
        assert said.count("<") == said.count("\\<")


@pytest.mark.parametrize("channel", CHATS, ids=lambda channel: channel.kind)
@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/x",
        "evil.example",
        "t.me/thief",
        "www.evil.example",
        "tg://resolve",
        "a@evil.example",
    ],
)
def test_nothing_from_outside_becomes_a_link(channel: Channel, link: str) -> None:
    """Somebody who may name a coin could send the owner to a page of his."""
    said = text_in(channel, message(f"claim at {link} now"))
    assert link not in said
    assert said.replace("\u2060", "").replace("\\", "") == f"claim at {link} now"


def test_numbers_stay_as_they_are() -> None:
    assert chat.defused("3.36 ETH, 0.5 %. Now: go") == "3.36 ETH, 0.5 %. Now: go"


def test_discord_reads_no_markup() -> None:
    assert text_in(DISCORD, message("*a* _b_ ~c~ `d` ||e|| [f](x) # g > h \\")) == (
        "\\*a\\* \\_b\\_ \\~c\\~ \\`d\\` \\|\\|e\\|\\| \\[f\\](x) \\# g \\> h \\\\"
    )


@pytest.mark.parametrize(("channel", "limit"), [(DISCORD, 2_000), (TELEGRAM, 4_096), (SLACK, 40_000)])
@pytest.mark.parametrize("character", ["x", "<", "\U0001f4b8", "@a", ".a"])
def test_long_texts_are_cut_to_what_the_service_takes(channel: Channel, limit: int, character: str) -> None:
    said = text_in(channel, message("start" + character * 50_000))
    assert units(said) <= limit
    assert said.startswith("start")
    assert said.endswith("…")
    assert not said.endswith(("\\…", "&l…", "&…", "&lt…"))
    assert units(said) >= min(limit, 35_000) - 6


@pytest.mark.parametrize("channel", CHATS, ids=lambda channel: channel.kind)
def test_the_first_lines_survive_a_cut(channel: Channel) -> None:
    made = chat.message_of(incident(symbols=["[*_" * 20] * 9, account="_" * 80), "grew")
    assert "Now: revoke" in text_in(channel, made)


@given(st.text(st.characters(exclude_categories=()), max_size=300), st.integers(1, 100))
def test_a_cut_text_is_the_beginning_of_the_whole(text: str, limit: int) -> None:
    escape = {"<": "&lt;", "&": "&amp;"}
    whole = "".join(escape.get(c, c) for c in text)
    cut = chat.fitted(text, limit, escape)
    assert cut == whole or (cut.endswith("…") and whole.startswith(cut[:-1]))
    assert len(cut.encode("utf-16-le", "surrogatepass")) // 2 <= limit


@pytest.mark.parametrize("what", chat.WHATS)
def test_a_hostile_incident_is_told_like_any_other(what: str) -> None:
    made = chat.message_of(nasty()[0], what)
    for channel in (*CHATS, WEBHOOK):
        json.loads(chat.request_of(channel, made).body)
    for channel in CHATS:
        said = text_in(channel, made)
        assert "\x1b" not in said
        assert "\u202e" not in said
        assert "evil.example" not in said


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats()
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*incident(), "more"]), ANY), st.sampled_from(chat.WHATS))
def test_texts_and_numbers_of_any_kind_do_no_harm(changes: dict[str, Any], what: str) -> None:
    """What is told of an incident comes from our own engine, but its names come from anywhere."""
    kept = {k: v for k, v in changes.items() if isinstance(incident().get(k), str | float | None)}
    texts: dict[str, Any] = {
        k: v if isinstance(v, str | float | int | None) else str(v) for k, v in kept.items()
    }
    made = chat.message_of(incident(**texts), what)
    for channel in (*CHATS, WEBHOOK):
        body = chat.request_of(channel, made).body
        body.decode()
        msgspec.json.decode(body)
    stored = chat.to_bytes(made)
    assert msgspec.json.decode(stored, type=chat.Message).text == made.text
