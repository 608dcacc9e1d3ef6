"""What an API key may do, as each venue says it, in one shape. Nothing of the key itself is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from drainwatch.events import NS_PER_MS, NS_PER_S
from drainwatch.venues.ccxt_rows import exact

METHODS = {
    "binance": "sapiGetAccountApiRestrictions",
    "binancecoinm": "sapiGetAccountApiRestrictions",
    "binanceusdm": "sapiGetAccountApiRestrictions",
    "bingx": "accountV1PrivateGetAccountApiPermissions",
    "bitget": "privateSpotGetV2SpotAccountInfo",
    "bybit": "privateGetV5UserQueryApi",
    "coinbase": "v3PrivateGetBrokerageKeyPermissions",
    "deribit": "privateGetListApiKeys",
    "gate": "privateAccountGetMainKeys",
    "htx": "v2PrivateGetUserApiKey",
    "kraken": "privatePostGetApiKeyInfo",
    "kucoin": "privateGetUserApiKey",
    "mexc": "spotPrivateGetApiKeyInfo",
    "okx": "privateGetAccountConfig",
}
"""ccxt's method that asks, by ccxt's id of the venue."""

_LAST_NS = 7_258_118_400 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Rights:
    """What a key may do; None where the venue doesn't say, or says it in words not known here."""

    read: bool | None = None
    trade: bool | None = None
    withdraw: bool | None = None
    """Coins can leave the account: withdrawals, or transfers to other accounts."""
    ip_bound: bool | None = None
    """It works from listed addresses only."""
    created_ns: int | None = None
    expires_ns: int | None = None


def rights_of(exchange_id: str, reply: object, key: str = "") -> Rights:
    """Read a venue's reply; never raises.

    Parameters
    ----------
    key
        The key asked about, for venues that list all keys of the account; only compared, never kept.
    """
    data: Any = reply
    for wrap in ("result", "data"):
        if isinstance(data, Mapping) and isinstance(data.get(wrap), Mapping | list):
            data = data[wrap]
    if isinstance(data, list):
        data = _own(data, key)
    if not isinstance(data, Mapping):
        return Rights()
    reader = _READERS.get(exchange_id)
    return Rights() if reader is None else reader(data)


def _own(entries: Iterable[Any], key: str) -> Any:
    """Choose the entry about this key; the only one if there is one; else none."""
    listed = [entry for entry in entries if isinstance(entry, Mapping)]
    for entry in listed:
        if key and key in {
            entry.get("client_id"),
            entry.get("key"),
            entry.get("accessKey"),
            entry.get("apiKey"),
        }:
            return entry
    return listed[0] if len(listed) == 1 else None


def _binance(data: Mapping[str, Any]) -> Rights:
    trading = ("enableSpotAndMarginTrading", "enableFutures", "enableMargin", "enableVanillaOptions")
    leaving = ("enableWithdrawals", "enableInternalTransfer", "permitsUniversalTransfer")
    return Rights(
        read=_flag(data.get("enableReading")),
        trade=_any(data, trading),
        withdraw=_any(data, leaving),
        ip_bound=_flag(data.get("ipRestrict")),
        created_ns=_time(data.get("createTime")),
        expires_ns=_time(data.get("tradingAuthorityExpirationTime")),
    )


def _bybit(data: Mapping[str, Any]) -> Rights:
    granted = data.get("permissions")
    words = _words(granted)
    read_only = data.get("readOnly")
    writes = None if str(read_only) not in {"0", "1"} else str(read_only) == "0"
    return Rights(
        read=True,
        trade=writes if not writes else bool(words - {"AccountTransfer", "Withdraw", "SubMemberTransfer"}),
        withdraw=writes if not writes else bool(words & {"Withdraw", "AccountTransfer", "SubMemberTransfer"}),
        ip_bound=_listed(data.get("ips")),
        expires_ns=None,
    )


def _okx(data: Mapping[str, Any]) -> Rights:
    words = _words(data.get("perm"))
    if not words:
        return Rights()
    return Rights(
        read=True, trade="trade" in words, withdraw="withdraw" in words, ip_bound=_listed(data.get("ip"))
    )


def _kraken(data: Mapping[str, Any]) -> Rights:
    words = {word.lower() for word in _words(data.get("permissions"))}
    if not words:
        return Rights()
    acts = {word for word in words if "query" not in word}
    return Rights(
        read=acts != words,
        trade=any(part in word for word in acts for part in ("trade", "modify", "create")),
        withdraw=any("withdraw" in word for word in acts),
    )


def _coinbase(data: Mapping[str, Any]) -> Rights:
    return Rights(
        read=_flag(data.get("can_view")),
        trade=_flag(data.get("can_trade")),
        withdraw=_flag(data.get("can_transfer")),
    )


def _kucoin(data: Mapping[str, Any]) -> Rights:
    words = _words(data.get("permission"))
    if not words:
        return Rights()
    return Rights(
        read="General" in words,
        trade=bool(words & {"Spot", "Margin", "Futures"}),
        withdraw=bool(words & {"Transfer", "Withdrawal", "FlexTransfers"}),
        ip_bound=_listed(data.get("ipWhitelist")),
        created_ns=_time(data.get("createdAt")),
    )


def _bitget(data: Mapping[str, Any]) -> Rights:
    words = _words(data.get("authorities"))
    if not words:
        return Rights()
    # Two letters name the field (st spot trade, ww withdrawal), two what may be done (ow: write).
    return Rights(
        read=True,
        trade=any(word.endswith("ow") and word not in {"wwow", "wtow"} for word in words),
        withdraw=bool(words & {"wwow", "wtow"}),
        ip_bound=_listed(data.get("ips")),
    )


def _gate(data: Mapping[str, Any]) -> Rights:
    granted = data.get("perms")
    if not isinstance(granted, list):
        return Rights()
    writes = {
        str(entry.get("name")): entry.get("read_only") is not True
        for entry in granted
        if isinstance(entry, Mapping)
    }
    return Rights(
        read=bool(writes),
        trade=any(
            writes.get(name, False)
            for name in ("spot", "margin", "futures", "delivery", "unified", "options")
        ),
        withdraw=any(writes.get(name, False) for name in ("withdraw", "wallet")),
        ip_bound=_listed(data.get("ip_whitelist")),
        created_ns=_time(data.get("created_at")),
    )


def _bingx(data: Mapping[str, Any]) -> Rights:
    words = _words(data.get("permissions"))
    if not words:
        return Rights()
    return Rights(
        read="2" in words,
        trade=bool(words & {"1", "3"}),
        withdraw=bool(words & {"4", "5", "7"}),
        ip_bound=_listed(data.get("ipAddresses")),
    )


def _deribit(data: Mapping[str, Any]) -> Rights:
    scope = data.get("max_scope")
    if not isinstance(scope, str):
        return Rights()
    return Rights(
        read=":read" in scope,
        trade="trade:read_write" in scope,
        withdraw="wallet:read_write" in scope,
        ip_bound=_listed(data.get("ip_whitelist")),
        created_ns=_time(data.get("timestamp")),
    )


def _htx(data: Mapping[str, Any]) -> Rights:
    words = _words(data.get("permission"))
    if not words:
        return Rights()
    return Rights(
        read="readOnly" in words or "trade" in words,
        trade="trade" in words,
        withdraw="withdraw" in words,
        ip_bound=_listed(data.get("ipAddresses")),
        created_ns=_time(data.get("createTime")),
    )


_READERS = {
    "binance": _binance,
    "binancecoinm": _binance,
    "binanceusdm": _binance,
    "bingx": _bingx,
    "bitget": _bitget,
    "bybit": _bybit,
    "coinbase": _coinbase,
    "deribit": _deribit,
    "gate": _gate,
    "htx": _htx,
    "kraken": _kraken,
    "kucoin": _kucoin,
    "okx": _okx,
}


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _any(data: Mapping[str, Any], keys: Iterable[str]) -> bool | None:
    flags = [flag for key in keys if (flag := _flag(data.get(key))) is not None]
    return any(flags) if flags else None


def _words(value: object) -> set[str]:
    """Collect the words of a list, of comma-separated text, or of a mapping of lists."""
    if isinstance(value, str):
        return {word.strip() for word in value.split(",") if word.strip()}
    if isinstance(value, Mapping):
        return set().union(*(_words(part) for part in value.values()))
    if isinstance(value, list):
        return {str(word) for word in value if isinstance(word, str | int) and not isinstance(word, bool)}
    return set()


def _listed(value: object) -> bool | None:
    """Tell whether addresses are listed that restrict; None if the venue doesn't say."""
    if value is None:
        return None
    words = _words(value)
    return bool(words - {"*", "0.0.0.0", "0.0.0.0/0"})  # noqa: S104 - compared, nothing listens there


def _time(value: object) -> int | None:
    text = exact(value)
    if text is None or len(text) > 20:
        return None
    number = int(float(text))
    ns = number * (NS_PER_MS if number > 10**11 else NS_PER_S)
    return ns if 0 < ns < _LAST_NS else None
