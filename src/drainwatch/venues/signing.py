"""Signatures of logins, as each venue asks for them."""

from __future__ import annotations

import base64
import hashlib
import hmac


def hmac_hex(secret: str, text: str) -> str:
    """HMAC-SHA256 of `text`, in lower-case hexadecimal."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def hmac_base64(secret: str, text: str) -> str:
    """HMAC-SHA256 of `text`, in base64."""
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()
