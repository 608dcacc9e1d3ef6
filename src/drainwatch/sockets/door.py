"""The door of the local sockets: who may come in.

Loopback only unless told otherwise, a token from everybody, no browsers: a web page that the owner
happens to look at could open a socket to his own machine, too.
"""

from __future__ import annotations

import contextlib
import hmac
import ipaddress
import logging
import os
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from drainwatch.errors import ConfigError, StateError
from drainwatch.sockets.reading import decode

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

POLICY: Final = 1008
"""Close code: not let in, or a rule was broken."""
INTERNAL: Final = 1011
TRY_LATER: Final = 1013
LONGEST_HELLO: Final = 10_000
"""Characters of a first message."""
LONGEST_NAME: Final = 200
LOGGER: Final = "drainwatch.sockets"
_LEAST_TOKEN: Final = 16

Handler = Callable[["ServerConnection"], Awaitable[None]]


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """What a client must know. Its `repr` doesn't show it."""

    text: str

    def __repr__(self) -> str:
        """Say only that there is one."""
        return "Token(...)"

    __str__ = __repr__

    def is_(self, said: object) -> bool:
        """Compare in a time that tells nothing of the token."""
        if not isinstance(said, str):
            return False
        return hmac.compare_digest(said.encode("utf-8", "surrogatepass"), self.text.encode())


def read_or_make_token(path: Path) -> Token:
    """Read the token from its file; where there is none, make one that only its owner can read.

    Raises
    ------
    StateError
        If the file can't be read or made, can be read by others, or holds no token.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_token(path)
    except OSError as error:
        raise StateError(f"token file {path}: can't be made: {error.strerror}; check the folder") from error
    with os.fdopen(handle, "w", encoding="ascii") as file:
        token = secrets.token_urlsafe(32)
        file.write(token + "\n")
    return Token(token)


def _read_token(path: Path) -> Token:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as error:
        raise StateError(f"token file {path}: can't be read: {type(error).__name__}") from error
    if mode & 0o077:
        raise StateError(
            f"token file {path}: expected mode 0600, was {mode & 0o777:04o}: others on this machine can read "
            f"it; run chmod 600 {path}, or delete it to get a new token"
        )
    if len(text) < _LEAST_TOKEN or not text.isprintable() or " " in text:
        raise StateError(
            f"token file {path}: expected one word of at least {_LEAST_TOKEN} characters, found "
            f"{len(text)} characters; delete it to get a new token"
        )
    return Token(text)


def check_host(host: str, *, anywhere: bool) -> None:
    """Refuse to listen where other machines can connect, unless that was asked for.

    Raises
    ------
    ConfigError
        If `host` isn't loopback and `anywhere` is false.
    """
    if anywhere or host == "localhost":
        return
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return
    raise ConfigError(
        f"host: expected a loopback address such as 127.0.0.1, was {host!r}: other machines could connect, "
        "and nothing is encrypted; use an SSH tunnel, or allow other hosts explicitly"
    )


@dataclass(slots=True)
class Hello:
    """What a client said when it came."""

    account: str = ""
    exchange: str = ""
    want: str = ""
    said: bool = False
    """Whether it said anything: with a bearer token the first message may be a row already."""
    first: str | bytes | None = field(default=None, repr=False)
    """Its first message, should that be no hello."""


async def admit(
    connection: ServerConnection, token: Token, *, eager: bool, patience_s: float
) -> Hello | None:
    """Let a client in, or close the connection and give None.

    Parameters
    ----------
    connection, token
        Who wants to come in, and what he must know.
    eager
        Whether a client that showed its token already is let in without waiting for a first message.
    patience_s
        How long a client without a token yet may take, s.
    """
    import asyncio

    from websockets.exceptions import ConnectionClosed

    known = _bearer(connection.request) is not None  # `_refuse_strangers` has looked at it
    if known and eager:
        return Hello()
    try:
        async with asyncio.timeout(None if known else patience_s):
            frame = await connection.recv()
    except TimeoutError:
        await connection.close(POLICY, "expected a first message with the token; none came")
        return None
    except ConnectionClosed:
        return None
    said = _hello_in(frame)
    if known and said is None:
        return Hello(first=frame)
    if said is None or not (known or token.is_(said.get("token"))):
        await connection.close(POLICY, 'expected {"token": "..."} with the right token first')
        return None
    texts = {name: said.get(name) or "" for name in ("account", "exchange", "want")}
    for name, text in texts.items():
        if not isinstance(text, str) or len(text) > LONGEST_NAME:
            await connection.close(POLICY, f"{name}: expected a text of at most {LONGEST_NAME} characters")
            return None
    return Hello(**texts, said=True)


def _hello_in(frame: str | bytes) -> dict[str, Any] | None:
    """Read a first message that isn't rows; None for anything else."""
    if len(frame) > LONGEST_HELLO:
        return None
    try:
        said = decode(frame)
    except ValueError:
        return None
    return said if isinstance(said, dict) and "table" not in said else None


def _bearer(request: Request | None) -> str | None:
    """Give what an `Authorization` header holds; None where there is none."""
    if request is None:
        return None
    values = request.headers.get_all("Authorization")
    if not values:
        return None
    value = values[0] if len(values) == 1 else ""
    scheme, _, word = value.partition(" ")
    return word.strip() if scheme.casefold() == "bearer" else ""


def _refuse_strangers(token: Token) -> Callable[[ServerConnection, Request], Response | None]:
    """Make the check of an opening request: a wrong bearer token is told before a socket stands."""

    def check(connection: ServerConnection, request: Request) -> Response | None:
        bearer = _bearer(request)
        if bearer is None or token.is_(bearer):
            return None
        return connection.respond(HTTPStatus.UNAUTHORIZED, "expected Authorization: Bearer with the token\n")

    return check


async def listen(
    handler: Handler, token: Token, *, host: str, port: int, anywhere: bool, max_bytes: int, max_waiting: int
) -> Server:
    """Open a websocket server with this door.

    Parameters
    ----------
    handler
        Takes each connection; calls `admit` first.
    token
        What clients must know.
    host, port
        Where to listen; port 0 takes a free one.
    anywhere
        Whether `host` may be reached from other machines.
    max_bytes, max_waiting
        Longest message, and how many of a client wait to be taken before the network has to hold them.

    Raises
    ------
    ConfigError
        If it can't listen there, or may not.
    """
    from websockets.asyncio.server import serve

    check_host(host, anywhere=anywhere)
    logger = logging.getLogger(LOGGER)
    logger.setLevel(logging.INFO)  # at DEBUG, websockets writes down every frame and header: the token, too
    try:
        return await serve(
            handler,
            host,
            port,
            process_request=_refuse_strangers(token),
            origins=[None],  # browsers always send theirs
            compression=None,  # it is the same machine
            max_size=max_bytes,
            max_queue=max_waiting,
            close_timeout=2,
            logger=logger,
        )
    except OSError as error:
        raise ConfigError(
            f"can't listen on {host}:{port}: {os.strerror(error.errno or 0)}; take another port"
        ) from error


def port_of(server: Server) -> int:
    """Give the port that a server listens on."""
    return int(next(iter(server.sockets)).getsockname()[1])
