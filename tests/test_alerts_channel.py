"""A channel's settings: what can't work is refused at the start, and its secret never shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.alerts.channel import SLACK_API, Channel
from drainwatch.errors import ConfigError

HOOK = "https://hooks.example/services/T00/B00/hunter2"


@pytest.mark.parametrize("kind", ["slack", "discord", "webhook"])
def test_neither_repr_nor_str_show_the_url(kind: str) -> None:
    channel = Channel(name="ops", kind=kind, url=HOOK)
    assert repr(channel) == str(channel) == f"Channel(ops, {kind})"
    assert not channel.can_edit or kind == "discord"


def test_a_bot_of_slacks_can_edit_and_its_token_never_shows() -> None:
    channel = Channel(name="b", kind="slack", url=SLACK_API, token="xoxb-hunter2", chat_id="C1")  # noqa: S106
    assert channel.can_edit
    assert channel.needs_chat_id
    assert "hunter2" not in repr(channel) + str(channel)


def test_what_apprise_reaches_has_a_url_of_any_kind() -> None:
    channel = Channel(name="a", kind="apprise", url="mailtos://me:hunter2@example.com")
    assert repr(channel) == "Channel(a, apprise)"
    with pytest.raises(ConfigError, match="expected a URL as apprise has them"):
        Channel(name="a", kind="apprise", url="hunter2")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": ""}, "channel name: expected"),
        ({"name": "a b"}, "channel name: expected"),
        ({"name": "x" * 41}, "channel name: expected"),
        (
            {"kind": "pager"},
            "channel ops: expected a kind of slack, discord, telegram, webhook, apprise, found 'pager'",
        ),
        ({"kind": "telegram"}, "expected a chat_id for telegram, found none"),
        ({"chat_id": "1"}, "expected no chat_id for slack, found one"),
        ({"token": "xoxb-hunter2"}, "expected a chat_id for slack, found none"),
        ({"url": "http://hooks.example/hunter2"}, "expected an https:// URL"),
        ({"url": "ftp://127.0.0.1/hunter2"}, "expected an https:// URL"),
        ({"url": "https:///hunter2"}, "expected an https:// URL"),
        ({"url": "https://host:99999/hunter2"}, "expected an https:// URL"),
        ({"url": "https://[hunter2"}, "expected an https:// URL"),
        ({"url": "https://host/hunter2\n"}, "expected an https:// URL"),
        ({"url": "hunter2"}, "expected an https:// URL"),
        ({"url": ""}, "expected an https:// URL"),
        ({"url": "http://127.0.0.1.evil.example/hunter2"}, "expected an https:// URL"),
    ],
)
def test_what_can_not_work_is_refused_without_the_url(changes: dict[str, str], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        Channel(**({"name": "ops", "kind": "slack", "url": HOOK} | changes))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:1", "127.8.9.1"])
def test_this_machine_needs_no_encryption(host: str) -> None:
    assert Channel(name="a", kind="webhook", url=f"http://{host}/x").url == f"http://{host}/x"


@given(st.text() | st.sampled_from(["https://", "http://"]).flatmap(lambda s: st.text().map(lambda t: s + t)))
def test_any_url_is_taken_or_refused(url: str) -> None:
    try:
        channel = Channel(name="a", kind="webhook", url=url)
    except ConfigError:
        return
    assert channel.url.startswith(("https://", "http://"))
