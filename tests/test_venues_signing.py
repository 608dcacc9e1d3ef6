"""Signatures, against what exchanges and RFCs publish."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from drainwatch.errors import KeyRefusedError
from drainwatch.venues.protocol import Credentials
from drainwatch.venues.signing import (
    binance_payload,
    binance_signed,
    bybit_login,
    ed25519_base64,
    hmac_base64,
    hmac_hex,
    is_ed25519,
    okx_login,
    pem_base64,
)

# The example key of Binance's own documents (SIGNED request example, HMAC).
BINANCE = Credentials(
    "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
    "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
)
ORDER: dict[str, str | int] = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01000000",
    "price": "52000.00",
    "newOrderRespType": "ACK",
    "recvWindow": 100,
    "timestamp": 1645423376532,
}


def pem(key: object, encryption: KeySerializationEncryption | None = None) -> str:
    assert isinstance(key, Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()


def test_binances_published_request_gets_its_published_signature() -> None:
    signed = binance_signed(BINANCE, ORDER)
    assert signed["signature"] == "cc15477742bd704c29492d96c7ead9414dfd8e0ec4a00f947bb5bb454ddbd08a"
    assert signed["apiKey"] == BINANCE.key
    assert {name: signed[name] for name in ORDER} == ORDER


def test_the_payload_is_sorted_by_name() -> None:
    assert binance_payload({"b": 2, "a": "x", "C": 3}) == "C=3&a=x&b=2"


def test_hmac_is_that_of_rfc_4231_case_2() -> None:
    digest = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert hmac_hex("Jefe", "what do ya want for nothing?") == digest
    assert base64.b64decode(hmac_base64("Jefe", "what do ya want for nothing?")).hex() == digest


def test_ed25519_is_that_of_rfc_8032_test_2() -> None:
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    signature = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    key = pem(Ed25519PrivateKey.from_private_bytes(seed))
    assert base64.b64decode(ed25519_base64(key, "\x72")).hex() == signature
    assert pem_base64(key, "\x72") == ed25519_base64(key, "\x72")
    assert is_ed25519(key)
    assert not is_ed25519(BINANCE.secret)


def test_a_binance_request_can_be_checked_with_the_ed25519_public_key() -> None:
    key = Ed25519PrivateKey.generate()
    signed = binance_signed(Credentials("k", pem(key)), {"timestamp": 1})
    key.public_key().verify(base64.b64decode(str(signed["signature"])), b"apiKey=k&timestamp=1")


def test_an_rsa_key_signs_as_pkcs1_with_sha256() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    signature = base64.b64decode(pem_base64(pem(key), "text"))
    key.public_key().verify(signature, b"text", padding.PKCS1v15(), SHA256())
    assert not is_ed25519(pem(key))


def test_a_login_signs_what_bybit_and_okx_document() -> None:
    assert bybit_login("secret", 1662350400000) == hmac_hex("secret", "GET/realtime1662350400000")
    # Worked out with `openssl dgst -sha256 -hmac` and `openssl base64`.
    assert (
        okx_login("22582BD0CFF14C41EDBF1AB98506286D", "1704876947")
        == "5/36BgGV6m/6pmdc20zdqk0mzF5ZalmzzPD2fo3wavU="
    )


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----",
        "PRIVATE KEY hunter2",
        pem(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"hunter2")),
        pem(ec.generate_private_key(ec.SECP256R1())),
    ],
    ids=["damaged", "no pem", "with a password", "of another kind"],
)
def test_a_key_that_cant_be_used_is_refused_without_showing_it(secret: str) -> None:
    for sign in (ed25519_base64, pem_base64):
        with pytest.raises(KeyRefusedError) as told:
            sign(secret, "text")
        assert told.value.__cause__ is None
        assert not any(line in str(told.value) for line in secret.splitlines() if "BEGIN" not in line)


def test_an_rsa_key_is_no_ed25519_key() -> None:
    with pytest.raises(KeyRefusedError, match="Ed25519"):
        ed25519_base64(pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)), "text")
