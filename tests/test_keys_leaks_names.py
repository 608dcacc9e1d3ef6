"""Which name stands before a string, and what it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.keys.leaks.names import Role, label_before, role_in_words, role_of


@pytest.mark.parametrize(
    ("left", "name"),
    [
        ("API_KEY=", "API_KEY"),
        ('"apiKey": "', "apiKey"),
        ("'secret' => '", "secret"),
        ("apiKey := `", "apiKey"),
        ("api_key: str = '", "api_key"),
        ('const SECRET: &str = "', "SECRET"),
        ("const apiKey: string = '", "apiKey"),
        ('private static final String SECRET_KEY = "', "SECRET_KEY"),
        ('os.environ.get("BYBIT_SECRET", "', "BYBIT_SECRET"),
        ('os.environ.get("BYBIT_SECRET") or "', "BYBIT_SECRET"),
        ('process.env.KRAKEN_KEY || "', "process.env.KRAKEN_KEY"),
        ("- name: KUCOIN_KEY\n  value: ", "KUCOIN_KEY"),
        ('<add key="ApiSecret" value="', "ApiSecret"),
        ("<apiKey>", "apiKey"),
        ('config["secret"] = b"', "secret"),
        ("curl -H 'X-MBX-APIKEY: ", "X-MBX-APIKEY"),
        ("--api-key ", "api-key"),
        ("| apiKey | `", "apiKey"),
        ("api_key = (\n    '", "api_key"),
        ('    \\"api_key\\": \\"', "api_key"),
        ('{"key": "binance-api-secret", "value": "', "binance-api-secret"),
        ("-----BEGIN PRIVATE KEY-----\n", ""),
        ("", ""),
        ("...", ""),
    ],
)
def test_the_name_before(left: str, name: str) -> None:
    assert label_before(left).name == name


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("BINANCE_API_KEY", Role.KEY),
        ("X-MBX-APIKEY", Role.KEY),
        ("accessKey", Role.KEY),
        ("key", Role.KEY),
        ("apiSecret", Role.SECRET),
        ("bybitsecretkey", Role.SECRET),
        ("secret_key", Role.SECRET),
        ("WALLET_PRIVATE_KEY", Role.PRIVATE_KEY),
        ("pk", Role.PRIVATE_KEY),
        ("api_key_sha256", Role.OTHER),
        ("publicKey", Role.OTHER),
        ("listenKey", Role.OTHER),
        ("cache-key", Role.OTHER),
        ("orderId", Role.OTHER),
        ("AWS_SECRET_ACCESS_KEY", Role.OTHER),
        ("jwt_secret_key", Role.OTHER),
        ("Sec-WebSocket-Key", Role.OTHER),
        ("symbol", Role.UNKNOWN),
        ("", Role.UNKNOWN),
    ],
)
def test_what_a_name_says(name: str, role: Role) -> None:
    assert role_of(name) is role


@pytest.mark.parametrize(
    ("left", "role"),
    [
        ("my binance secret is ", Role.SECRET),
        ("the api key of the bot: ", Role.KEY),
        ("the key's hash: ", Role.OTHER),
        ("nothing of the kind ", Role.UNKNOWN),
    ],
)
def test_what_a_sentence_says(left: str, role: Role) -> None:
    assert role_in_words(left) is role


@given(st.text(alphabet="abK_=:>,|( \"'\\\n[{-?", max_size=200))
def test_any_text_before_gets_an_answer(left: str) -> None:
    label = label_before(left)
    assert label.name == "" or label.name in left
    assert role_of(label.name) in set(Role)
