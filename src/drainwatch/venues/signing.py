"""Signatures that exchanges ask for at a login.

Secrets come in as text and only signatures go out: no function here puts a secret into an error.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

from drainwatch.errors import KeyRefusedError
from drainwatch.venues.protocol import Credentials

PEM_MARK = "PRIVATE KEY"
"""In the first line of every PEM private key, and in no HMAC secret."""


def hmac_hex(secret: str, text: str) -> str:
    """HMAC-SHA256 of `text`, as 64 lower-case hexadecimal digits."""
    return _hmac(secret, text).hex()


def hmac_base64(secret: str, text: str) -> str:
    """HMAC-SHA256 of `text`, in base64 with padding (44 characters)."""
    return base64.b64encode(_hmac(secret, text)).decode("ascii")


def _hmac(secret: str, text: str) -> bytes:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()


def ed25519_base64(pem: str, text: str) -> str:
    """Ed25519 signature of `text`, in base64 with padding (88 characters).

    Parameters
    ----------
    pem
        The private key as PEM (PKCS #8), without a password.

    Raises
    ------
    KeyRefusedError
        It isn't an Ed25519 private key in PEM, or has a password.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = _private_key(pem)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyRefusedError(
            "the private key must be an Ed25519 key, was one of another kind: make a new one"
        )
    return base64.b64encode(key.sign(text.encode())).decode("ascii")


def pem_base64(pem: str, text: str) -> str:
    """Sign `text` with a PEM private key of either kind that exchanges take, in base64 with padding.

    Ed25519, or RSA as PKCS #1 v1.5 with SHA-256. Raises as `ed25519_base64` does.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256

    key = _private_key(pem)
    if isinstance(key, Ed25519PrivateKey):
        signature = key.sign(text.encode())
    elif isinstance(key, RSAPrivateKey):
        signature = key.sign(text.encode(), PKCS1v15(), SHA256())
    else:
        raise KeyRefusedError(
            "the private key must be an Ed25519 or RSA key, was one of another kind: make a new one"
        )
    return base64.b64encode(signature).decode("ascii")


def is_ed25519(secret: str) -> bool:
    """Whether a secret is an Ed25519 private key in PEM; raises as `ed25519_base64` does if it is damaged."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return PEM_MARK in secret and isinstance(_private_key(secret), Ed25519PrivateKey)


def _private_key(pem: str) -> object:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Not chained: the library's own words may quote what it was given.
        raise KeyRefusedError(
            "the private key can't be read: expected PEM (-----BEGIN PRIVATE KEY-----) without a password"
        ) from None


def binance_payload(params: Mapping[str, str | int]) -> str:
    """Text that Binance's websocket API wants signed: `name=value` by name, joined by `&`."""
    return "&".join(f"{name}={value}" for name, value in sorted(params.items()))


def binance_signed(credentials: Credentials, params: Mapping[str, str | int]) -> dict[str, str | int]:
    """Complete a request's parameters with `apiKey` and `signature`, whatever kind of key it is.

    Raises
    ------
    KeyRefusedError
        The secret is a PEM key that can't be read.
    """
    signed: dict[str, str | int] = {**params, "apiKey": credentials.key}
    payload = binance_payload(signed)
    sign = pem_base64 if PEM_MARK in credentials.secret else hmac_hex
    signed["signature"] = sign(credentials.secret, payload)
    return signed


def bybit_login(secret: str, expires_ms: int) -> str:
    """Signature of Bybit's `auth` request, valid until `expires_ms`: of `GET/realtime` and that time."""
    return hmac_hex(secret, f"GET/realtime{expires_ms}")


def okx_login(secret: str, timestamp_s: str) -> str:
    """Signature of OKX's `login` request at `timestamp_s`, the seconds since the epoch as it is sent."""
    return hmac_base64(secret, f"{timestamp_s}GET/users/self/verify")
