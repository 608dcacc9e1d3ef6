"""Each exchange's documented reply about a key is read, and whatever else it may send is survived."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.keys.facts import Facts, mark_of
from drainwatch.keys.readers import READERS, read_reply

MS = 10**6
READS = {"trade": False, "margin": False, "derivatives": False, "transfer": False, "withdraw": False}
ALL = {"trade": True, "margin": True, "derivatives": True}
BINANCE = {
    "ipRestrict": False, "createTime": 1698645219000, "enableReading": True, "enableWithdrawals": False,
    "enableInternalTransfer": False, "enableMargin": False, "enableFutures": False,
    "permitsUniversalTransfer": False, "enableVanillaOptions": False, "enableFixApiTrade": False,
    "enableFixReadOnly": True, "enableSpotAndMarginTrading": False, "enablePortfolioMarginTrading": False,
}  # fmt: skip
KRAKEN = {
    "apiKeyName": "my-api-key", "apiKey": "mine", "nonce": "1772627060997", "nonceWindow": 0,
    "permissions": ["query-funds", "withdraw-funds", "query-open-trades", "modify-trades"],
    "iban": "AA88 N84G WOAK NMOI", "validUntil": "0", "queryFrom": "0", "queryTo": "0",
    "createdTime": "1772542900", "modifiedTime": "1772543095", "ipAllowlist": [], "lastUsed": "1772627061",
}  # fmt: skip
GATE = [
    {
        "state": 1, "mode": 1, "name": "test1", "user_id": 1,
        "perms": [{"name": "account", "read_only": False}, {"name": "spot", "read_only": False}],
        "ip_whitelist": [], "currency_pairs": ["BTC_USD", "ETH_USD"], "key": "c5dcfbf1f3a7*****",
        "created_at": 1753030929, "update_at": 1756300567, "last_access": 1753030929,
    },
    {"state": 2, "name": "test2", "perms": [], "key": "52fd0035f665*****", "created_at": 1753030929},
]  # fmt: skip
OTHER = "c5dcfbf1f3a7d4e8b2"


def facts_of(exchange: str, reply: Any, key: str = "mine") -> dict[str, Any]:
    """Read a reply, and give what it tells."""
    found = read_reply(exchange, reply, key)
    assert "planted" not in repr(found)
    plain = Facts()
    return {
        name: value
        for name in Facts.__struct_fields__
        if (value := getattr(found, name)) != getattr(plain, name) and name != "others"
    }


@pytest.mark.parametrize(
    ("exchange", "reply", "expected"),
    [
        (
            "binance",
            BINANCE,
            {
                "read": True, **READS, "granted": ("enableFixReadOnly", "enableReading"), "bound": False,
                "created_ns": 1698645219000 * MS,
            },
        ),
        (
            "binanceusdm",
            BINANCE | {"enableFutures": True, "enableWithdrawals": True, "ipRestrict": True},
            {
                "read": True, **READS, "derivatives": True, "withdraw": True, "bound": True,
                "granted": ("enableFixReadOnly", "enableFutures", "enableReading", "enableWithdrawals"),
                "created_ns": 1698645219000 * MS,
            },
        ),
        (
            "binance", {"enableReading": True, "enableFutures": "?"},
            {"read": True, "granted": ("enableReading",)},
        ),
        (
            "bybit",
            {
                "retCode": 0,
                "result": {
                    "readOnly": 1, "secret": "planted", "permissions": {"Spot": ["SpotTrade"], "Wallet": []},
                    "ips": ["*"], "isMaster": True, "createdAt": "2025-10-13T03:20:45Z",
                    "expiredAt": "2026-01-11T03:20:45Z",
                },
            },
            {
                "read": True, **READS, "granted": ("SpotTrade", "readOnly"), "bound": False, "main": True,
                "created_ns": 1760325645 * 10**9, "ends": True, "ends_ns": 1768101645 * 10**9,
            },
        ),
        (
            "bybit",
            {"result": {"readOnly": 0, "permissions": {"Wallet": ["Withdraw"]}, "ips": ["1.2.3.4"]}},
            {
                "read": True, **READS, "withdraw": True, "granted": ("Withdraw",), "bound": True,
                "addresses": ("1.2.3.4",),
            },
        ),
        (
            "okx",
            {"data": [{"perm": "read_only,trade", "ip": "", "uid": "2", "mainUid": "1"}]},
            {
                "read": True, **ALL, "transfer": True, "withdraw": False, "granted": ("read_only", "trade"),
                "bound": False, "main": False,
            },
        ),
        (
            "kraken",
            {"error": [], "result": KRAKEN},
            {
                "read": True, "trade": True, "margin": True, "derivatives": False, "transfer": False,
                "withdraw": True, "manage": False,
                "granted": ("modify-trades", "query-funds", "query-open-trades", "withdraw-funds"),
                "bound": False, "created_ns": 1772542900 * 10**9, "used_ns": 1772627061 * 10**9,
                "ends": False,
            },
        ),
        (
            "kucoin",
            {
                "code": "200000",
                "data": {
                    "permission": "General,Futures,Spot,Earn,InnerTransfer,Transfer,Margin",
                    "ipWhitelist": "203.**.154,103.**.34", "createdAt": 1729655796000, "isMaster": True,
                },
            },
            {
                "read": True, **ALL, "transfer": True, "withdraw": True, "main": True, "bound": True,
                "granted": ("Earn", "Futures", "General", "InnerTransfer", "Margin", "Spot", "Transfer"),
                "addresses": ("103.**.34", "203.**.154"), "created_ns": 1729655796000 * MS,
            },
        ),
        (
            "coinbase",
            {"can_view": True, "can_trade": False, "can_transfer": True, "portfolio_uuid": "x"},
            {
                "read": True, "trade": False, "margin": False, "derivatives": False, "transfer": True,
                "withdraw": True, "granted": ("can_transfer", "can_view"),
            },
        ),
        (
            "bitget",
            {"data": {"authorities": ["stor", "wwow"], "ips": "1.2.3.4", "userId": "1", "parentId": "1"}},
            {
                "read": True, **READS, "withdraw": True, "granted": ("stor", "wwow"), "bound": True,
                "addresses": ("1.2.3.4",), "main": True,
            },
        ),
        (
            "bingx",
            {"apiKey": "x", "permissions": [2, 3], "ipAddresses": []},
            {"read": True, **READS, "derivatives": True, "granted": ("2", "3"), "bound": False},
        ),
        (
            "blofin",
            {"data": {"readOnly": 1, "ips": ["1.1.1.1"], "createTime": "1700000000000"}},
            {
                "read": True, **READS, "granted": ("readOnly",), "bound": True, "addresses": ("1.1.1.1",),
                "created_ns": 1_700_000_000 * 10**9,
            },
        ),
        ("blofin", {"data": {"readOnly": 0}}, {"read": True, "trade": True, "granted": ("readAndWrite",)}),
        (
            "bitfinex",
            [["account", 1, 0], ["orders", 1, 1], ["withdraw", 0, 0], ["wallets", 1, 0]],
            {
                "read": True, **ALL, "transfer": False, "withdraw": False,
                "granted": ("account read", "orders write", "wallets read"),
            },
        ),
        (
            "bitflyer",
            ["/v1/me/getpermissions", "/v1/me/getbalance", "/v1/me/sendchildorder"],
            {
                "read": True, **ALL, "transfer": False, "withdraw": False,
                "granted": ("/v1/me/getbalance", "/v1/me/getpermissions", "/v1/me/sendchildorder"),
            },
        ),
        (
            "deribit",
            {
                "result": [
                    {
                        "client_id": "mine", "client_secret": "planted", "timestamp": 1560236001108,
                        "max_scope": "account:read block_trade:read trade:read_write wallet:read",
                        "enabled": True, "ip_whitelist": ["1.1.1.1"],
                    },
                    {"client_id": "other", "client_secret": "planted", "max_scope": "wallet:read_write"},
                ]
            },
            {
                "read": True, "trade": True, "margin": False, "derivatives": True, "transfer": False,
                "withdraw": False, "manage": False, "bound": True, "addresses": ("1.1.1.1",), "works": True,
                "granted": ("account:read", "block_trade:read", "trade:read_write", "wallet:read"),
                "created_ns": 1560236001108 * MS,
            },
        ),
        (
            "htx",
            {
                "code": 200,
                "data": [
                    {
                        "accessKey": "mine", "status": "normal", "permission": "readOnly", "validDays": -1,
                        "ipAddresses": "1.1.1.1,2.2.2.2", "createTime": 1700000000000,
                    }
                ],
            },
            {
                "read": True, **READS, "granted": ("readOnly",), "bound": True, "ends": False, "works": True,
                "addresses": ("1.1.1.1", "2.2.2.2"), "created_ns": 1_700_000_000 * 10**9,
            },
        ),
        (
            "upbit",
            [{"access_key": "mine", "expire_at": "2024-11-14T22:13:20+00:00"}],
            {"ends": True, "ends_ns": 1731622400 * 10**9},
        ),
    ],
)  # fmt: skip
def test_documented_replies_are_read(exchange: str, reply: Any, expected: dict[str, Any]) -> None:
    assert facts_of(exchange, reply) == expected


def test_gates_list_shows_the_beginning_of_each_key_and_when_it_was_used() -> None:
    facts = read_reply("gate", GATE, OTHER)
    assert (facts.read, facts.trade, facts.withdraw, facts.works) == (True, True, False, True)
    assert facts.markets == ("BTC_USD", "ETH_USD")
    assert facts.used_ns == 1753030929 * 10**9
    assert facts.others is not None
    assert {other.name: other.works for other in facts.others} == {"test1": True, "test2": False}
    unknown = read_reply("gate", GATE, "another-key")
    assert unknown == Facts(others=facts.others)  # and nothing of any other's rights


def test_agents_of_a_wallet_are_its_keys() -> None:
    facts = read_reply("hyperliquid", [{"name": "bot", "address": "0xAb", "validUntil": 1}], "0x1")
    assert facts.others is not None
    assert [(other.name, other.mark) for other in facts.others] == [("bot", mark_of("0xAb"))]
    assert read_reply("hyperliquid", [], "0x1").others == ()
    assert read_reply("hyperliquid", None, "0x1").others is None


@pytest.mark.parametrize(
    ("exchange", "reply"),
    [
        ("kraken", {"result": KRAKEN | {"permissions": ["query-funds", "new-power"]}}),
        ("okx", {"data": [{"perm": "read_only,new_power", "ip": ""}]}),
        ("kucoin", {"data": {"permission": "General,NewPower", "createdAt": 1}}),
        ("bybit", {"result": {"readOnly": 0, "permissions": {"New": ["NewPower"]}}}),
        ("bitget", {"data": {"authorities": ["stor", "xxow"]}}),
        ("bingx", {"permissions": [2, 99]}),
        ("bitfinex", [["account", 1, 0], ["new_power", 1, 1]]),
        ("htx", {"data": [{"accessKey": "mine", "permission": "readOnly,newPower"}]}),
        ("deribit", {"result": [{"client_id": "mine", "max_scope": "trade:read new_power:read_write"}]}),
        ("gate", [{"key": "mine", "perms": [{"name": "new_power", "read_only": False}]}]),
    ],
)
def test_a_power_that_isnt_known_here_is_never_taken_for_harmless(exchange: str, reply: Any) -> None:
    """An exchange that adds a permission must not make a dangerous key look like one that only reads."""
    facts = read_reply(exchange, reply, "mine")
    assert facts.acts is None
    assert facts.takes is None


@pytest.mark.parametrize("exchange", sorted(READERS))
@pytest.mark.parametrize("reply", [None, [], {}, "", {"data": None}, {"result": []}, {"data": [[]]}, 7])
def test_an_empty_reply_tells_nothing_bad_and_nothing_good(exchange: str, reply: Any) -> None:
    facts = read_reply(exchange, reply, "mine")
    assert facts.acts is None
    assert facts.takes is None
    assert facts.bound is None


NAMES = [
    "result", "data", "perms", "permissions", "permission", "perm", "readOnly", "read_only", "ips", "ip",
    "createdAt", "name", "key", "authorities", "max_scope", "client_id", "accessKey", "access_key", "state",
    "enabled", "status", "address", "currency_pairs", "expiredAt", "validUntil", "uid", "mainUid",
]  # fmt: skip


@given(
    st.sampled_from([*READERS, "bitstamp"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("mine"),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
        ),
        max_leaves=15,
    ),
)
def test_no_reply_is_too_odd(exchange: str, reply: Any) -> None:
    assert isinstance(read_reply(exchange, reply, "mine"), Facts)
