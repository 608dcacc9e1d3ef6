from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from drainwatch.lab.exchange import signatures
from drainwatch.lab.exchange.accounts import Account, Key, RefusedError
from drainwatch.lab.exchange.signatures import check_params, check_query, check_signature, check_time
from loopback import KEY, SECRET, an_exchange, now_ms, params, query, signature


def refusal(call: Any, *arguments: Any) -> int:
    """Give the code with which something is refused."""
    with pytest.raises(RefusedError) as refused:
        call(*arguments)
    return refused.value.code


def test_the_example_of_binances_documents_fits() -> None:
    secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"  # noqa: S105 - published
    signed = (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
        "&timestamp=1499827319559"
    )
    key = Key("k", Account("a"), secret)
    check_signature(key, "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71", signed)
    assert refusal(check_signature, key, "c8" * 32, signed) == -1022


def test_query_and_body_are_signed_one_behind_the_other() -> None:
    exchange = an_exchange()
    first, second, at = "symbol=LTCBTC&side=BUY", "quantity=1&price=0.1", {"timestamp": now_ms()}
    second += f"&timestamp={at['timestamp']}"
    signed = f"{second}&signature={signature(first + second)}"
    assert check_query(exchange, KEY, first, signed, at).text == KEY
    assert refusal(check_query, exchange, KEY, f"{first}&x=1", signed, at) == -1022


@pytest.mark.parametrize(
    ("key", "late_ms", "secret", "code"),
    [
        (None, 0, SECRET, -2014),
        ("unknown", 0, SECRET, -2015),
        (KEY, 3_600_000, SECRET, -1021),
        (KEY, 0, "another", -1022),
    ],
)
def test_what_is_wrong_with_a_request_is_told(key: str | None, late_ms: int, secret: str, code: int) -> None:
    text = query({"timestamp": now_ms() - late_ms}, secret)
    parameters = dict(part.split("=") for part in text.split("&"))
    assert refusal(check_query, an_exchange(), key, text, "", parameters) == code


def test_a_request_without_a_signature_is_refused() -> None:
    at = now_ms()
    assert refusal(check_query, an_exchange(), KEY, f"timestamp={at}", "", {"timestamp": at}) == -1102


def test_a_revoked_key_is_refused() -> None:
    exchange = an_exchange()
    check_params(exchange, params())
    exchange.revoke(KEY)
    assert refusal(check_params, exchange, params()) == -2015


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({}, -1102),
        ({"timestamp": "soon"}, -1100),
        ({"timestamp": 1_000_000, "recvWindow": 70_000}, -1131),
        ({"timestamp": 1_000_000, "recvWindow": "nan"}, -1131),
        ({"timestamp": 994_999}, -1021),
        ({"timestamp": 1_001_000}, -1021),
    ],
)
def test_a_request_from_another_time_is_refused(parameters: dict[str, Any], code: int) -> None:
    exchange = an_exchange(clock=lambda: 1_000_000)
    assert refusal(check_time, exchange, parameters) == code


@pytest.mark.parametrize("at", [995_000, 1_000_999])
def test_a_request_in_the_window_is_fine(at: int) -> None:
    check_time(an_exchange(clock=lambda: 1_000_000), {"timestamp": at})


def test_where_days_pass_in_minutes_the_machines_time_is_fine_too() -> None:
    check_time(an_exchange(clock=lambda: 1_000_000), {"timestamp": now_ms()})


def test_ed25519_signatures_are_checked() -> None:
    exchange = an_exchange()
    private = Ed25519PrivateKey.generate()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    exchange.add_key("main", "ed", verify=signatures.ed25519(pem))
    asked: dict[str, Any] = {"apiKey": "ed", "timestamp": now_ms(), "flag": True}
    signed = "&".join(f"{k}={v}" for k, v in sorted({**asked, "flag": "true"}.items()))
    asked["signature"] = base64.b64encode(private.sign(signed.encode())).decode()
    assert check_params(exchange, asked).text == "ed"
    assert refusal(check_params, exchange, {**asked, "flag": False}) == -1022
    assert refusal(check_params, exchange, {**asked, "signature": "no base64!"}) == -1022
    assert refusal(check_params, exchange, {**asked, "signature": 1}) == -1102


def test_another_kind_of_key_is_refused() -> None:
    public = X25519PrivateKey.generate().public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(TypeError, match="Ed25519"):
        signatures.ed25519(pem)
