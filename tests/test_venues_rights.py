"""What a key may do is read alike from every venue, and nothing of the key is kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.venues.rights import METHODS, Rights, rights_of


@pytest.mark.parametrize(
    ("exchange", "reply", "expected"),
    [
        (
            "binance",
            {"enableReading": True, "enableWithdrawals": True, "enableFutures": False, "ipRestrict": False},
            Rights(read=True, trade=False, withdraw=True, ip_bound=False),
        ),
        (
            "bybit",
            {"result": {"readOnly": 1, "permissions": {"Spot": ["SpotTrade"]}, "ips": ["*"]}},
            Rights(read=True, trade=False, withdraw=False, ip_bound=False),
        ),
        (
            "bybit",
            {"result": {"readOnly": 0, "permissions": {"Wallet": ["Withdraw"]}, "ips": ["1.2.3.4"]}},
            Rights(read=True, trade=False, withdraw=True, ip_bound=True),
        ),
        (
            "okx",
            {"data": [{"perm": "read_only,trade", "ip": ""}]},
            Rights(read=True, trade=True, withdraw=False, ip_bound=False),
        ),
        (
            "kraken",
            {"result": {"permissions": ["query-closed-trades", "withdraw-funds"]}},
            Rights(read=True, trade=False, withdraw=True),
        ),
        (
            "coinbase",
            {"can_view": True, "can_trade": False, "can_transfer": False},
            Rights(read=True, trade=False, withdraw=False),
        ),
        (
            "kucoin",
            {"data": {"permission": "General,Spot", "ipWhitelist": "1.2.3.4", "createdAt": 1700000000000}},
            Rights(
                read=True, trade=True, withdraw=False, ip_bound=True, created_ns=1_700_000_000_000_000_000
            ),
        ),
        (
            "bitget",
            {"data": {"authorities": ["stor", "wwow"], "ips": "1.2.3.4"}},
            Rights(read=True, trade=False, withdraw=True, ip_bound=True),
        ),
        (
            "gate",
            [
                {
                    "perms": [{"name": "spot", "read_only": True}],
                    "ip_whitelist": [],
                    "created_at": "1700000000",
                }
            ],
            Rights(
                read=True, trade=False, withdraw=False, ip_bound=False, created_ns=1_700_000_000_000_000_000
            ),
        ),
        (
            "deribit",
            {
                "result": [
                    {"client_id": "mine", "client_secret": "planted", "max_scope": "trade:read wallet:read"}
                ]
            },
            Rights(read=True, trade=False, withdraw=False),
        ),
        ("htx", {"data": [{"accessKey": "mine", "permission": "readOnly"}]}, Rights(True, False, False)),
        ("bingx", {"permissions": [2]}, Rights(read=True, trade=False, withdraw=False)),
    ],
)
def test_replies_are_read(exchange: str, reply: Any, expected: Rights) -> None:
    found = rights_of(exchange, reply, "mine")
    assert found == expected
    assert "planted" not in repr(found)


def test_among_several_keys_only_the_own_one_counts() -> None:
    keys = [
        {"client_id": "other", "max_scope": "trade:read_write"},
        {"client_id": "mine", "max_scope": "trade:read"},
    ]
    assert rights_of("deribit", {"result": keys}, "mine").trade is False
    assert rights_of("deribit", {"result": keys}, "gone") == Rights()


@given(
    st.sampled_from([*METHODS, "upbit"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["result", "data", "perms", "permissions", "perm", "readOnly", "ips", "createdAt"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ),
)
def test_no_reply_is_too_odd(exchange: str, reply: Any) -> None:
    assert isinstance(rights_of(exchange, reply, "k"), Rights)
