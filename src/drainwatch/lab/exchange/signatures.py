"""Whether a request comes from who holds the key, and comes in time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from drainwatch.lab.exchange.accounts import Key, RefusedError, Verify
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.timeline import wall_clock_ms

WINDOW_MS = 5_000
_LONGEST_WINDOW_MS = 60_000
_AHEAD_MS = 1_000
_SIGNATURE = re.compile(r"(?:^|&)signature=([^&]*)")


def ed25519(public_key: str) -> Verify:
    """Give what checks an Ed25519 key's signatures.

    Parameters
    ----------
    public_key
        In PEM.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = load_pem_public_key(public_key.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise TypeError(f"an Ed25519 public key was expected, was {type(key).__name__}")

    def verify(signature: bytes, payload: bytes) -> bool:
        try:
            key.verify(base64.b64decode(signature, validate=True), payload)
        except (InvalidSignature, binascii.Error):
            return False
        return True

    return verify


def known_key(exchange: Exchange, text: object) -> Key:
    """Give the key of a request.

    Raises
    ------
    RefusedError
        There is none, or it was revoked, or has expired.
    """
    if not text:
        raise RefusedError(-2014, "API-key format invalid.", 401)
    key = exchange.keys.get(text) if isinstance(text, str) else None
    if key is None or not key.is_valid(exchange.clock()):
        raise RefusedError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    return key


def check_signature(key: Key, signature: str, *payloads: str) -> None:
    """See that one of some ways to write what was signed fits the signature."""
    for payload in payloads:
        if key.verify is not None:
            fits = key.verify(signature.encode(), payload.encode())
        else:
            made = hmac.new(key.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
            fits = hmac.compare_digest(made.encode(), signature.lower().encode())
        if fits:
            return
    raise RefusedError(-1022, "Signature for this request is not valid.")


def check_time(exchange: Exchange, parameters: Mapping[str, Any]) -> None:
    """See that a request was made just now.

    Where the exchange's clock isn't the machine's (a day in a minute), clients that live by the
    machine's are in time, too.
    """
    try:
        at = int(parameters["timestamp"])
        window = float(parameters.get("recvWindow", WINDOW_MS))
    except KeyError:
        raise RefusedError(
            -1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed."
        ) from None
    except (TypeError, ValueError):
        raise RefusedError(-1100, "Illegal characters found in parameter 'timestamp'.") from None
    if not window <= _LONGEST_WINDOW_MS:
        raise RefusedError(-1131, "recvWindow must be less than 60000.")
    if is_in_time(exchange, at, window):
        return
    if max(now - at for now in _clocks(exchange)) <= -_AHEAD_MS:
        raise RefusedError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    raise RefusedError(-1021, "Timestamp for this request is outside of the recvWindow.")


def is_in_time(exchange: Exchange, at_ms: int, window_ms: float) -> bool:
    """Tell whether a time lies less than a second ahead, and no more than a window behind."""
    return any(-_AHEAD_MS < now - at_ms <= window_ms for now in _clocks(exchange))


def _clocks(exchange: Exchange) -> set[int]:
    wall = wall_clock_ms()
    return {wall} if exchange.clock is wall_clock_ms else {wall, exchange.clock()}


def check_query(
    exchange: Exchange, key_text: str | None, query: str, body: str, parameters: Mapping[str, Any]
) -> Key:
    """Check a REST request: the query and the body, one behind the other, are signed.

    Parameters
    ----------
    exchange
        Whose keys count.
    key_text
        From the header.
    query, body
        As they came.
    parameters
        The same, decoded.
    """
    key = known_key(exchange, key_text)
    found = _SIGNATURE.search(body) or _SIGNATURE.search(query)
    if found is None:
        raise RefusedError(
            -1102, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed."
        )
    check_time(exchange, parameters)
    signed = "".join(_SIGNATURE.sub("", part).lstrip("&") for part in (query, body))
    check_signature(key, unquote(found[1]), signed)
    return key


def check_params(exchange: Exchange, params: Mapping[str, Any]) -> Key:
    """Check a request of the websocket API: its parameters in order of their names are signed."""
    key = known_key(exchange, params.get("apiKey"))
    signature = params.get("signature")
    if not isinstance(signature, str):
        raise RefusedError(
            -1102, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed."
        )
    check_time(exchange, params)
    signed = sorted((name, _plain(value)) for name, value in params.items() if name != "signature")
    check_signature(
        key,
        signature,
        "&".join(f"{name}={value}" for name, value in signed),
        "&".join(f"{name}={quote(value, safe='')}" for name, value in signed),
    )
    return key


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
