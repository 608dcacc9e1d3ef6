"""Only who knows the token comes in, from this machine, and not through a browser."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from drainwatch.errors import ConfigError, StateError
from drainwatch.sockets.door import (
    LOGGER,
    POLICY,
    Hello,
    Token,
    admit,
    check_host,
    listen,
    port_of,
    read_or_make_token,
)

TOKEN = Token("correct-horse-battery-staple")
BEARER = {"Authorization": f"Bearer {TOKEN.text}"}


async def knock(
    *frames: str, headers: dict[str, str] | None = None, eager: bool = False, patience_s: float = 5.0
) -> tuple[list[Hello | None], int | None, str]:
    """Connect, say `frames`, wait for the end; gives who was let in, and how the connection was closed."""
    came: list[Hello | None] = []

    async def handler(connection: ServerConnection) -> None:
        came.append(await admit(connection, TOKEN, eager=eager, patience_s=patience_s))

    server = await listen(
        handler, TOKEN, host="127.0.0.1", port=0, anywhere=False, max_bytes=1000, max_waiting=4
    )
    async with server, connect(f"ws://127.0.0.1:{port_of(server)}", additional_headers=headers) as client:
        try:
            for frame in frames:
                await client.send(frame)
            await client.recv()
        except ConnectionClosed:
            pass
        await client.wait_closed()
    return came, client.close_code, client.close_reason or ""


def test_token_in_the_first_message_lets_in() -> None:
    hello = json.dumps({"token": TOKEN.text, "account": "main", "exchange": "x", "want": None})
    came, code, _ = asyncio.run(knock(hello))
    assert came == [Hello("main", "x", "", said=True)]
    assert code == 1000


def test_token_in_the_header_lets_in_and_the_first_message_is_kept() -> None:
    row = '{"table": "fills"}'
    came, _, _ = asyncio.run(knock(row, headers=BEARER))
    assert came == [Hello(first=row)]


def test_token_in_the_header_leaves_room_for_a_hello() -> None:
    came, _, _ = asyncio.run(knock('{"account": "main"}', headers=BEARER))
    assert came == [Hello("main", said=True)]


def test_eager_door_waits_for_no_message() -> None:
    came, _, _ = asyncio.run(knock(headers=BEARER, eager=True))
    assert came == [Hello()]


@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        '{"token": ""}',
        '{"token": "wrong"}',
        '{"token": null}',
        '{"token": ["correct-horse-battery-staple"]}',
        '{"token": "\\ud800"}',
        "[]",
        "correct-horse-battery-staple",
        '{"table": "fills", "token": "correct-horse-battery-staple"}',
        "{",
        json.dumps({"token": TOKEN.text, "account": 7}),
        json.dumps({"token": TOKEN.text, "account": "a" * 300}),
    ],
)
def test_anything_else_is_shown_the_door(frame: str) -> None:
    came, code, reason = asyncio.run(knock(frame))
    assert came == [None]
    assert code == POLICY
    assert reason.split(":")[0] in ("account", 'expected {"token"')
    assert TOKEN.text not in reason


def test_client_that_says_nothing_is_not_waited_for_long() -> None:
    came, code, reason = asyncio.run(knock(patience_s=0.05))
    assert (came, code) == ([None], POLICY)
    assert "none came" in reason


def test_client_that_goes_without_a_word_is_no_error() -> None:
    came: list[Hello | None] = []

    async def run() -> None:
        async def handler(connection: ServerConnection) -> None:
            came.append(await admit(connection, TOKEN, eager=False, patience_s=5))

        server = await listen(
            handler, TOKEN, host="127.0.0.1", port=0, anywhere=False, max_bytes=1000, max_waiting=4
        )
        async with server, connect(f"ws://127.0.0.1:{port_of(server)}"):
            pass

    asyncio.run(run())
    assert came == [None]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic " + TOKEN.text}, 401),
        ({"Origin": "https://example.org"}, 403),
        ({"Origin": "null"} | BEARER, 403),
    ],
)
def test_wrong_header_gets_no_socket(headers: dict[str, str], status: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        asyncio.run(knock(headers=headers))
    assert refused.value.response.status_code == status
    assert TOKEN.text.encode() not in (refused.value.response.body or b"")


def test_token_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, websockets writes down every header and frame."""
    caplog.set_level(logging.DEBUG)
    hello = json.dumps({"token": TOKEN.text})
    asyncio.run(knock(hello, headers=BEARER))
    ours = [record.getMessage() for record in caplog.records if record.name == LOGGER]
    assert any("connection open" in line for line in ours)
    assert not any(TOKEN.text in line for line in ours)


def test_token_shows_itself_nowhere() -> None:
    assert TOKEN.text not in f"{TOKEN} {TOKEN!r} {[TOKEN]}"


def test_token_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "token"
    made = read_or_make_token(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(made.text) >= 40
    assert read_or_make_token(path) == made
    assert read_or_make_token(tmp_path / "other") != made


def test_token_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token = read_or_make_token(path)
    path.chmod(0o640)
    with pytest.raises(StateError, match=r"expected mode 0600, was 0640.*chmod 600") as refused:
        read_or_make_token(path)
    assert token.text not in str(refused.value)


@pytest.mark.parametrize("text", ["", "short", "two words in one token", "ä" * 20, "\x00" * 20])
def test_token_file_without_a_token_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.touch(0o600)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StateError, match="token file"):
        read_or_make_token(path)


def test_token_file_in_no_folder_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="can't be made: No such file"):
        read_or_make_token(tmp_path / "missing" / "token")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_is_listened_on(host: str) -> None:
    check_host(host, anywhere=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "localhost.example.org"])  # noqa: S104
def test_other_hosts_only_if_asked_for(host: str) -> None:
    with pytest.raises(ConfigError, match="expected a loopback address"):
        check_host(host, anywhere=False)
    check_host(host, anywhere=True)


def test_port_in_use_is_told_with_its_number() -> None:
    async def run() -> None:
        async def handler(connection: ServerConnection) -> None:
            await connection.wait_closed()

        options: dict[str, Any] = {"host": "127.0.0.1", "anywhere": False, "max_bytes": 9, "max_waiting": 1}
        first = await listen(handler, TOKEN, port=0, **options)
        async with first:
            with pytest.raises(ConfigError, match=f"127.0.0.1:{port_of(first)}: Address already in use"):
                await listen(handler, TOKEN, port=port_of(first), **options)

    asyncio.run(run())
