"""Two accounts on one made-up market, robbed one after the other, as tables of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

START_MS = 1_735_689_600_000  # 2025-01-01 00:00 UTC
STEP_MS = 30_000
ACCOUNTS = {"alice": 0.9, "bob": 0.6}
"""Accounts with when each is robbed, as a share of the tape: the later one sorts first by name."""
N_STOLEN = 8
FEE = 0.001

Tables = dict[str, Any]
"""Frames by the name of their table: keyword arguments, too, beside others of other types."""


def tables(price: float = 100.0, amount: float = 1.0, *, days: float = 3.0, seed: int = 5) -> Tables:
    """Make the tables.

    Each owner takes a real print every twenty minutes or so. The thief makes his account buy 12 %
    above and sell 12 % below what the market is at, four times over within a minute or so.

    Parameters
    ----------
    price, amount
        Of a trade, roughly.
    days
        Length of the tape.
    seed
        Of all chance.
    """
    rng = np.random.default_rng(seed)
    n = int(days * 86_400_000 / STEP_MS)
    ms = START_MS + STEP_MS * np.arange(n)
    level = price * np.exp(np.cumsum(3e-4 * rng.standard_normal(n)))
    buys = rng.random(n) < 0.5
    tape = pd.DataFrame(
        {
            "timestamp": ms,
            "exchange": "here",
            "symbol": "AB/USDT",
            "id": [f"t{i}" for i in range(n)],
            "price": level * np.where(buys, 1.0002, 0.9998),
            "amount": amount * rng.lognormal(0.0, 0.5, n),
            "side": np.where(buys, "buy", "sell"),
        }
    )
    fills = [
        _fills(tape, level, account, at, rng.random(n) < 1 / 20 * (np.arange(n) % 2 == k))
        for k, (account, at) in enumerate(ACCOUNTS.items())
    ]
    stolen = [part[part["client_order_id"].isna()] for part in fills]
    prints = pd.concat([part[list(tape.columns)] for part in stolen])
    quotes = pd.DataFrame(
        {
            "timestamp": ms - 500,
            "exchange": "here",
            "symbol": "AB/USDT",
            "bid": level * 0.9998,
            "ask": level * 1.0002,
            "bid_size": amount,
            "ask_size": amount,
        }
    )
    trades = pd.concat([tape, prints]).sort_values("timestamp", kind="stable", ignore_index=True)
    all_fills = pd.concat(fills).sort_values("timestamp", kind="stable", ignore_index=True)
    own = all_fills[all_fills["client_order_id"].notna()]
    return {
        "fills": all_fills,
        "trades": trades,
        "quotes": quotes,
        "candles": _candles(trades),
        "balances": pd.DataFrame(
            [
                (START_MS, account, currency, total)
                for account in ACCOUNTS
                for currency, total in (("AB", 100.0 * amount), ("USDT", 100.0 * amount * price))
            ],
            columns=["timestamp", "account", "currency", "total"],
        ),
        "orders": pd.DataFrame(
            {"order": own["order"], "account": own["account"], "timestamp": own["timestamp"] - 100}
        ),
        "markets": pd.DataFrame({"symbol": ["AB/USDT"], "base": ["AB"], "quote": ["USDT"]}),
    }


def _fills(
    tape: pd.DataFrame,
    level: np.ndarray[Any, Any],
    account: str,
    robbed_at: float,
    is_owners: np.ndarray[Any, Any],
) -> pd.DataFrame:
    taken = np.flatnonzero(is_owners)
    owner = tape.iloc[taken].assign(
        order=[f"{account}-{i}" for i in taken], client_order_id=[f"bot-{account}-{i}" for i in taken]
    )
    at = int(robbed_at * len(tape))
    side = np.where(np.arange(N_STOLEN) % 2 == 0, 1.0, -1.0)
    thief = pd.DataFrame(
        {
            "timestamp": tape["timestamp"].iloc[at] + 1_000 + 7_000 * np.arange(N_STOLEN),
            "exchange": "here",
            "symbol": "AB/USDT",
            "id": [f"x-{account}-{i}" for i in range(N_STOLEN)],
            "price": level[at] * (1.0 + 0.12 * side),
            "amount": 20.0 * float(tape["amount"].median()),
            "side": np.where(side > 0, "buy", "sell"),
            "order": [f"o-{account}-{i}" for i in range(N_STOLEN)],
            "client_order_id": None,
        }
    )
    both = {name: [*owner[name].tolist(), *thief[name].tolist()] for name in thief.columns}
    fills = pd.DataFrame(both).assign(account=account, type="market", taker_or_maker="taker")
    fills["cost"] = fills["price"] * fills["amount"]
    fills["fee_cost"], fills["fee_currency"] = FEE * fills["cost"], "USDT"
    return fills


def _candles(trades: pd.DataFrame) -> pd.DataFrame:
    minute = trades["timestamp"] // 60_000 * 60_000
    bars = trades.groupby(minute.to_numpy())
    return pd.DataFrame(
        {
            "timestamp": np.unique(minute),
            "symbol": "AB/USDT",
            "open": bars["price"].first().to_numpy(),
            "high": bars["price"].max().to_numpy(),
            "low": bars["price"].min().to_numpy(),
            "close": bars["price"].last().to_numpy(),
            "volume": bars["amount"].sum().to_numpy(),
        }
    )


def stolen_ids(account: str) -> list[str]:
    """Ids of the fills that the thief placed, in their order."""
    return [f"x-{account}-{i}" for i in range(N_STOLEN)]


def write(given: Mapping[str, pd.DataFrame], folder: Path) -> dict[str, str]:
    """Write tables as CSV; returns the paths by table."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.csv" for name in given}
    for name, table in given.items():
        table.to_csv(paths[name], index=False)
    return {name: str(path) for name, path in paths.items()}
