"""The structs: safe where nothing is said, and never changed."""

from __future__ import annotations

import re

import msgspec
import pytest

from drainwatch.config import Account, Inlet, Settings, every_setting
from drainwatch.config.agree import check_agreement, is_loopback


def test_defaults_agree_and_open_nothing() -> None:
    settings = Settings()
    check_agreement(settings, "here")
    for listener in (settings.inlet, settings.outlet, settings.health):
        assert not listener.enabled
        assert not listener.expose
        assert is_loopback(listener.host)
    assert len({settings.inlet.port, settings.outlet.port, settings.health.port}) == 3


def test_unknown_fields_are_refused_by_the_structs_themselves() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"name": "a", "exchange": "okx", "key": "c"}, Account)
    with pytest.raises(AttributeError):
        Inlet().enabled = True  # type: ignore[misc]


PATTERNS = {(s.section, s.key): s.pattern for s in every_setting()}


@pytest.mark.parametrize(
    ("section", "key", "good", "bad"),
    [
        (
            "accounts",
            "url_rest",
            ["", "https://a.b", "https://a.b:1/c?d", "wss://x", "http://127.0.0.1:80", "ws://localhost:1/ws",
             "http://[::1]:9/x"],
            ["http://a.b", "ws://1.2.3.4", "http://127.0.0.1.evil.example", "http://localhost.evil.example",
             "https://u:p@h", "ftp://x", "https://a b", "https://", "http://127.0.0.1@evil.example/"],
        ),
        (
            "watch",
            "store",
            ["sqlite:///a.db", "sqlite:////var/a b.db", "postgresql://u@h/d", "postgresql://h:5432/d",
             "postgres://u@/d?host=/run/postgresql"],
            ["", "a.db", "sqlite://a.db", "postgresql://u:p@h/d", "postgresql://u@h/d?password=x", "mysql://h/d",
             "sqlite:///"],
        ),
        ("accounts", "key_env", ["", "KEY", "A_1"], ["a", "KEY VALUE", "1A", "A\n", "A-B"]),
        ("accounts", "key_file", ["", "a/b", "~/k", "k.txt", "C:\\k"], ["abc", "k\n"]),
        ("accounts", "key_credential", ["", "binance.key"], ["../k", "a/b", "a\n"]),
        ("accounts", "address", ["", "0x" + "0" * 40], ["0x12", "0" * 40, "0x" + "0" * 41]),
        ("accounts", "name", ["main", "my bot 2"], ["", " a", "a\n", "[red]", "a" * 41]),
        ("responses", "user", ["", "freqtrader"], ["a b", "a:b", "a\n"]),
        ("responses", "command", ["/bin/a", "a b", "-x"], ["", "a\0b"]),
        ("channels", "chat_id", ["", "-100123", "@my_channel"], ["12a", "@ab", "1 2"]),
    ],
)  # fmt: skip
def test_patterns_take_what_is_right_and_nothing_else(
    section: str, key: str, good: list[str], bad: list[str]
) -> None:
    pattern = PATTERNS[section, key]
    assert [text for text in good if not re.search(pattern, text)] == []
    assert [text for text in bad if re.search(pattern, text)] == []
