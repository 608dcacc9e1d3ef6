"""Each exchange's reply about a key, read into `Facts`. Pure; no reply is too odd.

Which words an exchange grants, and what they allow, is from its own documents. A word that isn't known
here makes every "no" of that reply a "not told": what it allows nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from drainwatch.keys.facts import Facts, Other, mark_of
from drainwatch.keys.values import (
    LONGEST,
    MOST,
    bound,
    classed,
    end,
    flag,
    flags,
    rows,
    time_ns,
    unwrapped,
    words,
)

_ALL = "trade margin derivatives"
_BYBIT = {
    "SpotTrade": "trade margin", "Order": "derivatives", "Position": "derivatives",
    "DerivativesTrade": "derivatives", "OptionsTrade": "derivatives", "CopyTrading": "derivatives",
    "BlockTrade": _ALL, "AccountTransfer": "transfer", "SubMemberTransfer": "transfer",
    "SubMemberTransferList": "transfer", "Withdraw": "withdraw", "Earn": "transfer",
    "FiatP2POrder": "withdraw", "FaitPayOrder": "withdraw", "FiatPayOrder": "withdraw",
    "FiatConvertBrokerOrder": "trade", "ExchangeHistory": "", "Advertising": "", "NFTQueryProductList": "",
}  # fmt: skip
_OKX = {"read_only": "read", "trade": _ALL, "withdraw": "withdraw"}
_KRAKEN = {
    "query-funds": "read", "query-open-trades": "read", "query-closed-trades": "read", "query-ledger": "read",
    "export-data": "read", "create-ws-token": "", "add-funds": "", "modify-trades": "trade margin",
    "close-trades": "trade margin", "earn-funds": "transfer", "withdraw-funds": "withdraw",
    "add-withdraw-address": "manage", "update-withdraw-address": "manage",
}  # fmt: skip
_KUCOIN = {
    "General": "read", "Spot": "trade", "Trade": "trade", "Margin": "margin", "Futures": "derivatives",
    "Unified": _ALL, "InnerTransfer": "transfer", "FlexTransfers": "transfer", "Earn": "transfer",
    "Transfer": "transfer withdraw", "Withdrawal": "withdraw",
}  # fmt: skip
_HTX = {"readOnly": "read", "trade": _ALL, "withdraw": "withdraw transfer"}
_BINGX = {
    "1": "trade margin", "2": "read", "3": "derivatives", "4": "transfer", "5": "withdraw", "7": "transfer",
}  # fmt: skip
_GATE = {
    "spot": "trade", "margin": "margin", "unified": _ALL, "futures": "derivatives",
    "delivery": "derivatives", "options": "derivatives", "wallet": "transfer", "earn": "transfer",
    "loan": "margin", "withdraw": "withdraw", "sub_accounts": "manage", "account": "", "rebate": "",
}  # fmt: skip
_BITGET = {
    "co": "derivatives", "cp": "derivatives", "tt": "derivatives", "st": "trade", "sm": "margin",
    "wt": "transfer", "ww": "withdraw",
}  # fmt: skip
"""Two letters name the field; two more what may be done there: `or` read, `ow` write as well."""
_DERIBIT = {
    "trade": "trade derivatives", "block_trade": "trade derivatives", "block_rfq": "trade derivatives",
    "wallet": "transfer withdraw", "custody": "withdraw", "account": "manage",
}  # fmt: skip
_BITFINEX = {
    "orders": "trade margin derivatives", "positions": "margin derivatives", "funding": "transfer",
    "wallets": "transfer", "withdraw": "withdraw", "ui_withdraw": "withdraw", "bfxpay": "",
    "settings": "", "account": "", "history": "",
}  # fmt: skip
_BITFLYER = {
    "sendchildorder": _ALL, "sendparentorder": _ALL, "cancelchildorder": _ALL, "cancelparentorder": _ALL,
    "cancelallchildorders": _ALL, "withdraw": "withdraw",
}  # fmt: skip
_TAKING = ("trade", "margin", "derivatives", "transfer", "withdraw")


def read_reply(exchange: str, reply: object, key: str = "") -> Facts:
    """Read a reply.

    Parameters
    ----------
    exchange
        ccxt's id.
    key
        The key asked about, where all keys are listed; it is only compared.
    """
    reader = READERS.get(exchange)
    return Facts() if reader is None else reader(unwrapped(reply), key)


def _one(read: Callable[[Mapping[str, Any]], Facts]) -> Callable[[Any, str], Facts]:
    """Make a reader of replies that are about one key: a mapping, or a list of one."""

    def reader(data: Any, key: str) -> Facts:
        del key
        data = data[0] if isinstance(data, list) and len(data) == 1 else data
        return read(data) if isinstance(data, Mapping) else Facts()

    return reader


def _granted(granted: set[str]) -> tuple[str, ...]:
    return tuple(sorted(granted))


def _binance(data: Mapping[str, Any]) -> Facts:
    return Facts(
        read=flag(data.get("enableReading")),
        trade=flags(data, "enableSpotAndMarginTrading", "enableFixApiTrade", "enablePortfolioMarginTrading"),
        margin=flags(data, "enableMargin", "enablePortfolioMarginTrading"),
        derivatives=flags(data, "enableFutures", "enableVanillaOptions", "enablePortfolioMarginTrading"),
        transfer=flags(data, "permitsUniversalTransfer", "enableInternalTransfer"),
        withdraw=flag(data.get("enableWithdrawals")),
        granted=_granted({name for name in list(data)[:MOST] if name[:1] in "ep" and flag(data[name])}),
        bound=flag(data.get("ipRestrict")),
        created_ns=time_ns(data.get("createTime")),
    )


def _bybit(data: Mapping[str, Any]) -> Facts:
    granted = words(data.get("permissions"))
    only_reads = flag(data.get("readOnly"))
    may: dict[str, Any] = {}
    if only_reads:
        may = dict.fromkeys(_TAKING, False)
    elif only_reads is False and isinstance(data.get("permissions"), Mapping):
        may = classed(granted, _BYBIT, _TAKING)
    return Facts(
        read=None if only_reads is None else True,
        **may,
        granted=_granted(granted | ({"readOnly"} if only_reads else set())),
        **bound(data.get("ips")),
        created_ns=time_ns(data.get("createdAt")),
        **end(data.get("expiredAt")),
        main=flag(data.get("isMaster")),
    )


def _okx(data: Mapping[str, Any]) -> Facts:
    granted = words(data.get("perm"))
    if not granted:
        return Facts()
    may = classed(granted, _OKX, ("read", "trade", "margin", "derivatives", "withdraw"))
    main = None if not data.get("mainUid") else data.get("uid") == data["mainUid"]
    # what trades there may move coins between the owner's own accounts, too
    return Facts(**may, transfer=may["trade"], granted=_granted(granted), **bound(data.get("ip")), main=main)


def _kraken(data: Mapping[str, Any]) -> Facts:
    if not isinstance(data.get("permissions"), list):
        return Facts()
    granted = words(data["permissions"])
    return Facts(
        **classed(granted, _KRAKEN, ("read", "trade", "margin", "transfer", "withdraw", "manage")),
        derivatives=False,  # which are another platform with keys of its own
        granted=_granted(granted),
        **bound(data.get("ipAllowlist")),
        created_ns=time_ns(data.get("createdTime")),
        used_ns=time_ns(data.get("lastUsed")),
        **end(data.get("validUntil"), never=("0", 0)),
    )


def _kucoin(data: Mapping[str, Any]) -> Facts:
    granted = words(data.get("permission"))
    if not granted:
        return Facts()
    return Facts(
        **classed(granted, _KUCOIN, ("read", *_TAKING)),
        granted=_granted(granted),
        **bound(data.get("ipWhitelist", "" if "createdAt" in data else None)),
        created_ns=time_ns(data.get("createdAt")),
        main=flag(data.get("isMaster")),
    )


def _coinbase(data: Mapping[str, Any]) -> Facts:
    trade, transfer = flag(data.get("can_trade")), flag(data.get("can_transfer"))
    told = [name for name in ("can_view", "can_trade", "can_transfer") if flag(data.get(name))]
    return Facts(
        read=flag(data.get("can_view")),
        trade=trade,
        margin=trade,
        derivatives=trade,
        transfer=transfer,
        withdraw=transfer,
        granted=_granted(set(told)),
    )


def _bitget(data: Mapping[str, Any]) -> Facts:
    granted = words(data.get("authorities"))
    if not granted:
        return Facts()
    classes = {"readonly": "read"}
    for word in granted:
        field, may = word[:2], word[2:]
        if may == "or":
            classes[word] = "read"
        elif may == "ow" and field in _BITGET:
            classes[word] = f"read {_BITGET[field]}"
    return Facts(
        **classed(granted, classes, ("read", *_TAKING)),
        granted=_granted(granted),
        **bound(data.get("ips")),
        main=None if not data.get("parentId") else data.get("userId") == data["parentId"],
    )


def _bingx(data: Mapping[str, Any]) -> Facts:
    granted = words(data.get("permissions"))
    if not granted:
        return Facts()
    return Facts(
        **classed(granted, _BINGX, ("read", *_TAKING)),
        granted=_granted(granted),
        **bound(data.get("ipAddresses")),
    )


def _blofin(data: Mapping[str, Any]) -> Facts:
    only_reads = flag(data.get("readOnly"))
    if only_reads is None:
        return Facts()
    # beyond reading it tells that there is more, not what
    may: dict[str, Any] = dict.fromkeys(_TAKING, False) if only_reads else {"trade": True}
    return Facts(
        read=True,
        **may,
        granted=("readOnly",) if only_reads else ("readAndWrite",),
        **bound(data.get("ips")),
        created_ns=time_ns(data.get("createTime")),
        **end(data.get("expireTime"), never=("0", 0)),
    )


def _bitfinex(data: Any, key: str) -> Facts:
    del key
    scopes = [
        (row[0], flag(row[1]), flag(row[2]))
        for row in (data[:MOST] if isinstance(data, list) else ())
        if isinstance(row, list) and len(row) >= 3 and isinstance(row[0], str)
    ]
    if not scopes:
        return Facts()
    writes = {scope for scope, _, write in scopes if write is not False}
    granted = {
        f"{scope} {'write' if write else 'read'}"[:LONGEST] for scope, read, write in scopes if read or write
    }
    return Facts(
        read=any(read for _, read, _ in scopes),
        **classed(writes, _BITFINEX, _TAKING),
        granted=_granted(granted),
    )


def _bitflyer(data: Any, key: str) -> Facts:
    del key
    paths = words(data) if isinstance(data, list) else set()
    names = {path.rpartition("/")[2] for path in paths}
    if not names:
        return Facts()
    # a path that reads is called get..., or is that of one of its streams
    classes = _BITFLYER | {name: "read" for name in names if name.startswith("get")}
    return Facts(
        **classed(names, classes, ("read", "trade", "margin", "derivatives", "withdraw")),
        transfer=False,  # which it has no call for
        granted=_granted(paths),
    )


# --- exchanges that list all keys of the account ------------------------------------------------------


def _others(listed: list[Mapping[str, Any]], id_name: str, name: str = "", **times: str) -> tuple[Other, ...]:
    """Make the set of an account's keys, sorted by their marks."""
    found = [
        Other(
            mark=mark_of(str(row[id_name])),
            name=str(row.get(name) or "")[:LONGEST] if name else "",
            created_ns=time_ns(row.get(times.get("created", ""))),
            used_ns=time_ns(row.get(times.get("used", ""))),
            works=_works(row),
        )
        for row in listed
        if isinstance(row.get(id_name), str) and row[id_name]
    ]
    return tuple(sorted(found, key=lambda other: other.mark))


def _works(row: Mapping[str, Any]) -> bool | None:
    """Tell whether a listed key works: Gate's `state`, Deribit's `enabled`, HTX's `status`."""
    if str(row.get("state")) in {"1", "2", "3"}:
        return str(row["state"]) == "1"
    if "enabled" in row:
        return flag(row["enabled"])
    status = row.get("status")
    return status == "normal" if isinstance(status, str) else None


def _own(listed: list[Mapping[str, Any]], id_name: str, key: str) -> Mapping[str, Any]:
    """Find our own key, also where the list shows only the beginning of each; empty for none or several."""
    mine = [row for row in listed if _is(str(row.get(id_name, "")), key)]
    if len(listed) == 1 and not mine and not listed[0].get(id_name):
        mine = listed
    return mine[0] if len(mine) == 1 else {}


def _is(shown: str, key: str) -> bool:
    start, star, _ = shown.partition("*")
    return bool(key) and (shown == key or bool(star and len(start) >= 4 and key.startswith(start)))


def _gate(data: Any, key: str) -> Facts:
    listed = rows(data)
    own = _own(listed, "key", key)
    others = _others(listed, "key", "name", created="created_at", used="last_access") or None
    perms = rows(own.get("perms"))
    if not perms:
        return Facts(others=others)
    writes = {str(row.get("name"))[:LONGEST] for row in perms if row.get("read_only") is not True}
    markets = own.get("currency_pairs")
    return Facts(
        read=True,
        **classed(writes, _GATE, (*_TAKING, "manage")),
        granted=_granted(
            {
                f"{row.get('name')} {'read' if row.get('read_only') is True else 'write'}"[:LONGEST]
                for row in perms
            }
        ),
        **bound(own.get("ip_whitelist")),
        markets=_granted(words(markets)) if isinstance(markets, list) else None,
        created_ns=time_ns(own.get("created_at")),
        used_ns=time_ns(own.get("last_access")),
        works=_works(own),
        others=others,
        main=True,
    )


def _deribit(data: Any, key: str) -> Facts:
    listed = rows(data)
    own = _own(listed, "client_id", key)
    others = _others(listed, "client_id", "name", created="timestamp") or None
    scope = own.get("max_scope")
    if not isinstance(scope, str):
        return Facts(others=others)
    granted = {word[:LONGEST] for word in scope.split()[:MOST]}
    classes = {}
    for word in granted:
        field, _, may = word.partition(":")
        if may == "read":
            classes[word] = "read"
        elif may == "none" or field in {"mainaccount", "expires", "session", "ip", "name"}:
            classes[word] = ""
        elif may == "read_write" and field in _DERIBIT:
            classes[word] = f"read {_DERIBIT[field]}"
    return Facts(
        **classed(granted, classes, ("read", "trade", "derivatives", "transfer", "withdraw", "manage")),
        margin=False,
        granted=_granted(granted),
        **bound(own.get("ip_whitelist")),
        created_ns=time_ns(own.get("timestamp")),
        works=_works(own),
        others=others,
    )


def _htx(data: Any, key: str) -> Facts:
    listed = rows(data)
    own = _own(listed, "accessKey", key)
    others = _others(listed, "accessKey", "note", created="createTime") or None
    granted = words(own.get("permission"))
    if not granted:
        return Facts(others=others)
    return Facts(
        **classed(granted, _HTX, ("read", *_TAKING)),
        granted=_granted(granted),
        **bound(own.get("ipAddresses")),
        created_ns=time_ns(own.get("createTime")),
        ends=False if str(own.get("validDays")) == "-1" else None,
        works=_works(own),
        others=others,
    )


def _upbit(data: Any, key: str) -> Facts:
    listed = rows(data)
    own = _own(listed, "access_key", key)
    return Facts(
        **end(own.get("expire_at")),
        others=_others(listed, "access_key") or None,
    )


def _hyperliquid(data: Any, key: str) -> Facts:
    """Read who else may sign for an address: its agents. Nobody needs a key to watch it."""
    del key
    if not isinstance(data, list):
        return Facts()
    return Facts(others=_others(rows(data), "address", "name"))


READERS: dict[str, Callable[[Any, str], Facts]] = {
    **dict.fromkeys(("binance", "binancecoinm", "binanceus", "binanceusdm"), _one(_binance)),
    "bingx": _one(_bingx),
    "bitfinex": _bitfinex,
    "bitflyer": _bitflyer,
    "bitget": _one(_bitget),
    "blofin": _one(_blofin),
    **dict.fromkeys(("bybit", "bybiteu", "bybitid"), _one(_bybit)),
    "coinbase": _one(_coinbase),
    "deribit": _deribit,
    **dict.fromkeys(("gate", "gateeu"), _gate),
    "htx": _htx,
    "hyperliquid": _hyperliquid,
    "kraken": _one(_kraken),
    **dict.fromkeys(("kucoin", "kucoinfutures"), _one(_kucoin)),
    **dict.fromkeys(("okx", "okxus", "myokx"), _one(_okx)),
    **dict.fromkeys(("upbit", "bithumb"), _upbit),
}
"""By ccxt's id of the exchange."""
