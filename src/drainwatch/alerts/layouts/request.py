"""One HTTP request that carries a message, and its JSON. Pure."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

JSON: Final = {"Content-Type": "application/json; charset=utf-8"}
"""Headers of a request whose body is JSON."""


class Request(NamedTuple):
    """What is sent."""

    url: str
    headers: dict[str, str]
    body: bytes
    method: str = "POST"

    def __repr__(self) -> str:
        """Leave out URL and headers: they are the secret."""
        return f"Request({self.method}, {len(self.body)} bytes)"


def to_bytes(value: Any) -> bytes:
    """Write JSON; a text that isn't Unicode has its bad characters replaced: services refuse them."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_repaired(msgspec.to_builtins(value)))


def _repaired(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_repaired(key): _repaired(part) for key, part in value.items()}
    return [_repaired(part) for part in value] if isinstance(value, list) else value


def fields_of(body: bytes) -> dict[str, Any]:
    """Read a JSON object; empty where it is none."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
