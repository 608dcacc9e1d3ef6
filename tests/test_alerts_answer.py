"""What services answer, and what is made of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.alerts.answer import MAX_WAIT_S, Outcome, read_answer

NOW_NS = 1_445_412_480 * 10**9  # Wed, 21 Oct 2015 07:28:00 GMT


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.ARRIVED),
        (204, Outcome.ARRIVED),
        (301, Outcome.NEVER),
        (302, Outcome.NEVER),
        (400, Outcome.NEVER),
        (401, Outcome.NEVER),
        (403, Outcome.NEVER),
        (404, Outcome.NEVER),
        (408, Outcome.LATER),
        (410, Outcome.NEVER),
        (413, Outcome.NEVER),
        (425, Outcome.LATER),
        (429, Outcome.LATER),
        (500, Outcome.LATER),
        (503, Outcome.LATER),
        (599, Outcome.LATER),
    ],
)
def test_each_status_means_arrived_later_or_never(status: int, outcome: Outcome) -> None:
    answer = read_answer(status, {}, b"", NOW_NS)
    assert answer.outcome is outcome
    assert answer.wait_s is None
    assert (answer.reason == "") == (outcome is Outcome.ARRIVED)
    assert str(status) in answer.reason or outcome is Outcome.ARRIVED


@pytest.mark.parametrize(
    ("headers", "body", "wait_s"),
    [
        ({"Retry-After": "7"}, b"", 7.0),
        ({"Retry-After": "0.5"}, b"rate_limited", 0.5),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT"}, b"", 30.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:00:00 GMT"}, b"", 0.0),
        ({"Retry-After": "Wed, 21 Oct 2915 07:00:00 GMT"}, b"", MAX_WAIT_S),
        ({}, b'{"ok":false,"error_code":429,"parameters":{"retry_after":31}}', 31.0),
        ({"Retry-After": "1"}, b'{"message":"limited","retry_after":0.65,"global":false}', 0.65),
        ({"Retry-After": "99999"}, b"", MAX_WAIT_S),
        ({"Retry-After": "-1"}, b"", None),
        ({"Retry-After": "nan"}, b"", None),
        ({"Retry-After": "soon"}, b"", None),
        ({"Retry-After": "Wed, 99 Oct 2015 07:28:30 GMT"}, b"", None),
        ({"Retry-After": "3"}, b'{"parameters":[],"retry_after":true}', 3.0),
        ({}, b"{", None),
    ],
)
def test_the_wait_that_is_asked_for_is_read(
    headers: dict[str, str], body: bytes, wait_s: float | None
) -> None:
    assert read_answer(429, headers, body, NOW_NS).wait_s == wait_s
    assert read_answer(503, headers, body, NOW_NS).wait_s == wait_s


def test_a_channel_that_says_it_is_full_is_left_alone() -> None:
    full = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "1.5"}
    assert read_answer(204, full, b"", NOW_NS).wait_s == 1.5
    assert read_answer(204, full | {"X-RateLimit-Remaining": "3"}, b"", NOW_NS).wait_s is None


@given(
    st.integers(100, 999),
    st.dictionaries(
        st.sampled_from(["Retry-After", "X-RateLimit-Remaining", "X-RateLimit-Reset-After"]), st.text()
    ),
    st.binary() | st.sampled_from([b"[" * 10_000, b'{"retry_after":1e999}', b'{"retry_after":"\\ud800"}']),
)
def test_no_answer_is_an_error(status: int, headers: dict[str, str], body: bytes) -> None:
    answer = read_answer(status, headers, body, NOW_NS)
    assert answer.wait_s is None or 0 <= answer.wait_s <= MAX_WAIT_S


@given(st.text())
def test_nothing_of_what_a_service_says_gets_into_the_reason(said: str) -> None:
    """It may repeat the token, and the reason is kept and shown."""
    for status in (200, 302, 400, 401, 404, 429, 500):
        plain = read_answer(status, {}, b"", NOW_NS).reason
        assert (
            read_answer(
                status, {"Location": said, "Retry-After": said}, said.encode("utf-8", "replace"), 0
            ).reason
            == plain
        )


@pytest.mark.parametrize(
    ("body", "outcome", "said"),
    [
        (b'{"ok":true,"ts":"1.2"}', Outcome.ARRIVED, ""),
        (b"ok", Outcome.ARRIVED, ""),
        (b'{"ok":false,"error":"ratelimited"}', Outcome.LATER, "ratelimited"),
        (b'{"ok":false,"error":"internal_error"}', Outcome.LATER, "internal_error"),
        (b'{"ok":false,"error":"invalid_auth"}', Outcome.NEVER, "make a new token"),
        (b'{"ok":false,"error":"not_in_channel"}', Outcome.NEVER, "invite the bot"),
        (b'{"ok":false,"error":"channel_not_found"}', Outcome.NEVER, "channel's id"),
        (b'{"ok":false,"error":"something_new"}', Outcome.NEVER, "something_new"),
        (b'{"ok":false,"error":"https://x/hunter2"}', Outcome.NEVER, "an error without a name"),
        (b'{"ok":false}', Outcome.NEVER, "an error without a name"),
    ],
)
def test_slacks_bots_are_answered_200_whatever_happens(body: bytes, outcome: Outcome, said: str) -> None:
    """Whoever looks at the status alone takes every refused alert for delivered."""
    answer = read_answer(200, {}, body, NOW_NS, "slack")
    assert answer.outcome is outcome
    assert said in answer.reason
    assert "hunter2" not in answer.reason


def test_other_services_may_say_ok_false_in_a_body_of_their_own() -> None:
    assert read_answer(200, {}, b'{"ok":false}', NOW_NS, "webhook").outcome is Outcome.ARRIVED


@pytest.mark.parametrize(
    ("kind", "status", "body", "outcome"),
    [
        ("telegram", 400, b'{"description":"Bad Request: message is not modified: ..."}', Outcome.ARRIVED),
        ("telegram", 400, b'{"description":"Bad Request: message to edit not found"}', Outcome.GONE),
        ("telegram", 400, b'{"description":"Bad Request: MESSAGE_ID_INVALID"}', Outcome.GONE),
        ("telegram", 400, b'{"description":"Bad Request: message can\'t be edited"}', Outcome.GONE),
        ("telegram", 400, b'{"description":"Bad Request: chat not found"}', Outcome.NEVER),
        ("discord", 404, b'{"message":"Unknown Message","code":10008}', Outcome.GONE),
        ("discord", 404, b'{"message":"Unknown Webhook","code":10015}', Outcome.NEVER),
        ("slack", 200, b'{"ok":false,"error":"message_not_found"}', Outcome.GONE),
        ("slack", 200, b'{"ok":false,"error":"edit_window_closed"}', Outcome.GONE),
        ("slack", 200, b'{"ok":false,"error":"cant_update_message"}', Outcome.GONE),
        ("webhook", 404, b"", Outcome.NEVER),
    ],
)
def test_a_message_that_can_not_be_changed_is_not_a_channel_that_is_gone(
    kind: str, status: int, body: bytes, outcome: Outcome
) -> None:
    answer = read_answer(status, {}, body, NOW_NS, kind, edit=True)
    assert answer.outcome is outcome
    new = read_answer(status, {}, body, NOW_NS, kind)
    assert new.outcome is Outcome.NEVER, "a new message has nothing that could be gone"


@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        ("telegram", 401, "bot's token"),
        ("telegram", 404, "bot's token"),
        ("telegram", 403, "may not write there"),
        ("discord", 404, "make a new webhook"),
        ("slack", 403, "make a new one"),
    ],
)
def test_what_to_do_is_said_in_the_services_own_words(kind: str, status: int, said: str) -> None:
    assert said in read_answer(status, {}, b"", NOW_NS, kind).reason
