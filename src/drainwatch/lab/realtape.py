"""Real tapes with a made-up account on them: what was really traded, and what a thief would have added.

The market data are others' files, as published: 59 hours of XRP/ETH trades with one-minute candles,
and five hours of order events of BTC/USD from 2015, from which trades with their two orders and the
best quotes are rebuilt. `draw_owner` makes real prints the account's own; the `insert_` functions
put a drain among them and leave every other print as it was.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drainwatch.errors import InputError
from drainwatch.lab.orderbook import Book, Order


@dataclass(frozen=True, slots=True)
class RealTape:
    """A market's real tables and an account's made-up ones, all in the contract's columns.

    A table that the source doesn't have is empty. `labels` goes with `fills` row by row: `id`, `order`,
    `symbol`, `side`, `is_drain`, `true_fair`, `family`, `loss` (quote units, positive is worse).
    """

    trades: pd.DataFrame
    quotes: pd.DataFrame
    candles: pd.DataFrame
    fills: pd.DataFrame
    balances: pd.DataFrame
    orders: pd.DataFrame
    labels: pd.DataFrame

    @property
    def symbol(self) -> str:
        """The one symbol on the tape."""
        return str(self.trades["symbol"].iloc[0])


def _tape(
    trades: pd.DataFrame, quotes: pd.DataFrame | None = None, candles: pd.DataFrame | None = None
) -> RealTape:
    none = pd.DataFrame()
    return RealTape(
        trades,
        none if quotes is None else quotes,
        none if candles is None else candles,
        none,
        none,
        none,
        none,
    )


def existing(path: Path) -> Path:
    """Return the path of a file of the real data; an `InputError` says where it was looked for."""
    if not path.is_file():
        raise InputError(f"expected a file at {path}, found none; see the README of the real data")
    return path


def xrp_eth(folder: Path) -> RealTape:
    """Return 12,477 trades of XRP/ETH on Binance, October 2019, with their candles.

    Parameters
    ----------
    folder
        Of the real data, holding `freqtrade-xrp-eth/`.

    Raises
    ------
    InputError
        Where the files are absent.
    """
    source = folder / "freqtrade-xrp-eth"
    raw = pd.read_parquet(existing(source / "XRP_ETH-trades.parquet"))
    trades = pd.DataFrame(
        {
            "timestamp": raw["timestamp"].astype("int64"),
            "exchange": "binance",
            "symbol": "XRP/ETH",
            "id": raw["id"].astype(str),
            "price": raw["price"],
            "amount": raw["amount"],
            "side": raw["side"].astype(str),
        }
    )
    bars = pd.read_feather(existing(source / "XRP_ETH-1m.feather"))
    candles = pd.DataFrame(
        {
            "timestamp": bars["date"].dt.as_unit("ms").astype("int64"),
            "symbol": "XRP/ETH",
            **{name: bars[name] for name in ("open", "high", "low", "close", "volume")},
            "timeframe": "1m",
        }
    )
    return _tape(trades, candles=candles)


def _events(path: Path) -> Iterator[tuple[int, str, dict[str, Any]]]:
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            ms, kind, body = line.split(" ", 2)
            if kind != "order_book":
                yield int(ms), kind, json.loads(body)


def bitstamp_2015(folder: Path) -> RealTape:
    """Return trades (with both orders where they can be told) and best quotes of BTC/USD, 1 May 2015.

    Parameters
    ----------
    folder
        Of the real data, holding `bitstamp-l3/`.

    Raises
    ------
    InputError
        Where the file is absent.

    Notes
    -----
    A trade's message names no side and no orders. They are the two orders from which its very amount
    was taken within the last two seconds; the younger one took. Where they can't be told the side is
    that of the nearer best price. While the book is crossed there is no quote; if it stays crossed the
    older of the two orders was gone long since.
    """
    book = Book()
    quotes: list[tuple[int, float, float, float, float]] = []
    trades: list[tuple[int, str, float, float, str, str | None, str | None]] = []
    taken: list[tuple[int, int, int, float]] = []  # (ms, order, its side, amount taken from it)
    for ms, kind, body in _events(existing(folder / "bitstamp-l3" / "2015-05-01.log.xz")):
        price, amount = float(body["price"]), float(body["amount"])
        if kind == "trade":
            taken = [take for take in taken if take[0] >= ms - 2_000]
            both = [take for take in taken if abs(take[3] - amount) < 1.5e-8]
            buys, sells = ([take for take in both if take[2] == side] for side in (1, -1))
            taker = maker = None
            if buys and sells:
                bought, sold = buys[-1], sells[-1]
                side = "buy" if bought[1] > sold[1] else "sell"
                taker, maker = (bought[1], sold[1]) if side == "buy" else (sold[1], bought[1])
                taken = [take for take in taken if take not in {bought, sold}]
            else:
                near = quotes[-1][1:3] if quotes else (price, price)
                side = "buy" if price - near[0] > near[1] - price else "sell"
            names = (None, None) if taker is None else (str(taker), str(maker))
            trades.append((ms, str(body["id"]), price, amount, side, *names))
            continue
        number, order_side = int(body["id"]), 1 if body["order_type"] == 0 else -1
        before = book.orders.get(number)
        left = 0.0 if kind == "order_deleted" else amount
        if before is not None and kind != "order_created" and (kind == "order_changed" or amount == 0.0):
            taken.append((ms, number, order_side, before.amount - left))
        if kind == "order_deleted":
            book.remove(number)
        else:
            book.put(number, Order(price, amount, order_side, ms))
        quote = book.quote(ms)
        if quote is not None and (not quotes or quote != quotes[-1][1:]):
            quotes.append((ms, *quote))
    frame = pd.DataFrame(
        trades, columns=["timestamp", "id", "price", "amount", "side", "taker_order", "maker_order"]
    )
    best = pd.DataFrame(quotes, columns=["timestamp", "bid", "ask", "bid_size", "ask_size"])
    for table in (frame, best):
        table.insert(1, "exchange", "bitstamp")
        table.insert(2, "symbol", "BTC/USD")
    return _tape(frame, quotes=best)


FEE = 0.001
"""Fee rate of the made-up account, taken in the quote currency."""


def draw_owner(
    tape: RealTape,
    rng: np.random.Generator,
    *,
    per_hour: float = 2.0,
    equity: float | None = None,
    log: bool = True,
    disclosed: bool = True,
) -> RealTape:
    """Make real takers' prints the account's own, as if its program had sent those orders.

    Parameters
    ----------
    tape
        A tape without an account.
    rng
        Source of all chance.
    per_hour
        Mean number of orders an hour.
    equity
        What the account owns at the start, in quote units, half of it as base; None for 100 times the
        tape's median trade.
    log
        Whether the program's order log is kept.
    disclosed
        Whether the fills tell their two orders, if the tape does.

    Returns
    -------
    RealTape
        With `fills`, `balances`, `orders` and `labels`. A fill has its print's id, time, price, amount
        and side; prints of the same order (same instant and side) are taken together.
    """
    trades = tape.trades
    ms = trades["timestamp"].to_numpy()
    price, amount = trades["price"].to_numpy(), trades["amount"].to_numpy()
    sign = np.where(trades["side"].to_numpy() == "buy", 1, -1)
    cost = price * amount
    equity = 100.0 * float(np.median(cost)) if equity is None else equity
    base, quote = 0.5 * equity / float(price[0]), 0.5 * equity
    base, quote = float(f"{base:.8g}"), float(f"{quote:.8g}")
    start = int(ms[0])
    holdings = [
        (start, "default", name, total)
        for name, total in zip(tape.symbol.split("/"), (base, quote), strict=True)
    ]
    rows, orders = [], []
    t, number = start + 60_000.0, 1
    while (t := t + float(rng.exponential(3_600_000.0 / per_hour))) < ms[-1]:
        i = int(np.searchsorted(ms, t))
        same = np.flatnonzero((ms[i : i + 40] == ms[i]) & (sign[i : i + 40] == sign[i])) + i
        spent, size, side = float(cost[same].sum()), float(amount[same].sum()), int(sign[i])
        if spent > 0.2 * equity or (spent * (1 + FEE) > quote if side > 0 else size > base):
            continue
        base, quote = base + side * size, quote - side * spent - FEE * spent
        order, client = f"own{number}", f"bot-{number:05d}"
        number += 1
        orders.append((int(ms[i]) - 40, "default", order, client))
        rows += [(j, order, client) for j in same.tolist()]
    picked = trades.iloc[[j for j, _, _ in rows]].reset_index(drop=True)
    fills = pd.DataFrame(
        {
            **{
                name: picked[name]
                for name in ("id", "timestamp", "exchange", "symbol", "side", "price", "amount")
            },
            "account": "default",
            "cost": picked["price"] * picked["amount"],
            "order": [order for _, order, _ in rows],
            "client_order_id": [client for _, _, client in rows],
            "type": "market",
            "taker_or_maker": "taker",
            "fee_cost": picked["price"] * picked["amount"] * FEE,
            "fee_currency": tape.symbol.split("/")[1],
        }
    )
    if disclosed and "taker_order" in picked:
        known = picked["taker_order"].notna()
        fills["order"] = fills["order"].where(~known, picked["taker_order"])
        fills["maker_order"], fills["taker_order"] = picked["maker_order"], picked["taker_order"]
        # An order filled in several prints has one id on the tape, so the log's name for it is known.
        by_client = dict(zip(fills["client_order_id"], fills["order"], strict=True))
        orders = [(at, account, by_client[client], client) for at, account, _, client in orders]
    labels = fills[["id", "order", "symbol", "side"]].assign(
        is_drain=False, true_fair=fills["price"], family=None, loss=0.0
    )
    log_rows = pd.DataFrame(
        orders if log else [], columns=["timestamp", "account", "order", "client_order_id"]
    )
    balances = pd.DataFrame(holdings, columns=["timestamp", "account", "currency", "total"])
    return replace(tape, fills=fills, balances=balances, orders=log_rows, labels=labels)


def _fair(tape: RealTape, at_ms: int) -> float:
    """Return the mid before a time where there are quotes, else the median of the last prints."""
    if len(tape.quotes):
        i = int(np.searchsorted(tape.quotes["timestamp"].to_numpy(), at_ms)) - 1
        return float(tape.quotes["bid"].iloc[max(i, 0)] + tape.quotes["ask"].iloc[max(i, 0)]) / 2.0
    i = int(np.searchsorted(tape.trades["timestamp"].to_numpy(), at_ms))
    own = set(tape.labels["id"][tape.labels["is_drain"]]) if len(tape.labels) else set()
    last = tape.trades.iloc[max(i - 40, 0) : max(i, 1)]
    return float(last[~last["id"].isin(own)]["price"].iloc[-5:].median())


def _significant(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _insert(
    tape: RealTape, family: str, rows: list[tuple[int, int, float, float, float]], *, market: bool
) -> RealTape:
    """Put own fills (ms, side, price, amount, fair) and their prints, quotes and candles on the tape."""
    last = int(tape.trades["id"].astype("int64").max())
    ids = [str(last + 1 + k) for k in range(len(rows))]
    ms = np.array([row[0] for row in rows], dtype=np.int64)
    side = np.array([row[1] for row in rows])
    price, amount, fair = (np.array([row[k] for row in rows]) for k in (2, 3, 4))
    names = np.where(side > 0, "buy", "sell")
    exchange, symbol = str(tape.trades["exchange"].iloc[0]), tape.symbol
    prints = pd.DataFrame(
        {
            "timestamp": ms,
            "exchange": exchange,
            "symbol": symbol,
            "id": ids,
            "price": price,
            "amount": amount,
            "side": names,
        }
    )
    orders = [f"x{family[:4]}{k}" for k in range(len(rows))]
    if "taker_order" in tape.trades:
        prints["taker_order"], prints["maker_order"] = orders, [f"{order}m" for order in orders]
    fills = prints.drop(columns=["taker_order", "maker_order"], errors="ignore").assign(
        account="default",
        cost=price * amount,
        order=orders,
        client_order_id=None,
        type="market" if market else "limit",
        taker_or_maker="taker",
        fee_cost=price * amount * FEE,
        fee_currency=symbol.split("/")[1],
    )
    for name in ("taker_order", "maker_order"):
        if name in tape.fills:
            fills[name] = prints[name]
    labels = fills[["id", "order", "symbol", "side"]].assign(
        is_drain=True, true_fair=fair, family=family, loss=side * (price - fair) * amount
    )
    order = np.argsort(np.concatenate([tape.fills["timestamp"].to_numpy(), ms]), kind="stable")

    def joined(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
        if first.empty:
            return second.reset_index(drop=True)
        both = {name: [*first[name].tolist(), *second[name].tolist()] for name in first.columns}
        return pd.DataFrame(both)

    trades = joined(tape.trades, prints)
    return replace(
        tape,
        trades=trades.iloc[np.argsort(trades["timestamp"].to_numpy(), kind="stable")].reset_index(drop=True),
        quotes=_with_quotes(tape.quotes, rows, symbol, exchange) if len(tape.quotes) else tape.quotes,
        candles=_with_prints(tape.candles, trades, ms) if len(tape.candles) else tape.candles,
        fills=joined(tape.fills, fills).iloc[order].reset_index(drop=True),
        labels=joined(tape.labels, labels).iloc[order].reset_index(drop=True),
    )


def _with_quotes(
    quotes: pd.DataFrame, rows: list[tuple[int, int, float, float, float]], symbol: str, exchange: str
) -> pd.DataFrame:
    """Show the thief's order as the best one just before each fill, and the real book again after it."""
    times = quotes["timestamp"].to_numpy()
    real = quotes[["bid", "ask", "bid_size", "ask_size"]].to_numpy()
    added = []
    for ms, side, price, amount, _ in rows:
        bid, ask, bid_size, ask_size = real[max(int(np.searchsorted(times, ms)) - 1, 0)].tolist()
        thief = (
            (min(bid, price * 0.9999), price, bid_size, amount)
            if side > 0
            else (price, max(ask, price * 1.0001), amount, ask_size)
        )
        added += [(ms - 25, *thief), (ms + 30, bid, ask, bid_size, ask_size)]
    new = pd.DataFrame(added, columns=["timestamp", "bid", "ask", "bid_size", "ask_size"])
    new.insert(1, "exchange", exchange)
    new.insert(2, "symbol", symbol)
    out = pd.concat([quotes, new], ignore_index=True)
    return out.iloc[np.argsort(out["timestamp"].to_numpy(), kind="stable")].reset_index(drop=True)


def _with_prints(candles: pd.DataFrame, trades: pd.DataFrame, ms: np.ndarray[Any, Any]) -> pd.DataFrame:
    """Make the candles of the minutes touched anew from their prints, leave the others."""
    touched = np.unique(ms // 60_000)
    mine = trades[np.isin(trades["timestamp"].to_numpy() // 60_000, touched)]
    mine = mine.iloc[np.argsort(mine["timestamp"].to_numpy(), kind="stable")]
    bars = mine.groupby(mine["timestamp"].to_numpy() // 60_000)
    new = pd.DataFrame(
        {
            "timestamp": touched * 60_000,
            "symbol": str(candles["symbol"].iloc[0]),
            **{name: getattr(bars["price"], how)().to_numpy() for name, how in
               (("open", "first"), ("high", "max"), ("low", "min"), ("close", "last"))},
            "volume": bars["amount"].sum().to_numpy(),
            "timeframe": "1m",
        }
    )  # fmt: skip
    rest = candles[~candles["timestamp"].isin(new["timestamp"])]
    return pd.concat([rest, new], ignore_index=True).sort_values(
        "timestamp", kind="stable", ignore_index=True
    )


def _equity(tape: RealTape, fair: float) -> float:
    """Value of the first balances in quote units."""
    base, quote = tape.balances["total"].iloc[:2].tolist()
    return float(base * fair + quote)


def insert_ping_pong(
    tape: RealTape,
    rng: np.random.Generator,
    at_ms: int,
    *,
    round_trips: int = 30,
    cost: float = 0.02,
    share: float = 0.25,
    gap_s: float = 12.0,
) -> RealTape:
    """Put round trips with a thief on the tape: each buys high and sells low, `cost` a round trip.

    Parameters
    ----------
    tape
        With an owner on it.
    rng
        Source of all chance.
    at_ms
        Time of the first fill.
    round_trips
        How many.
    cost
        Share of a round trip's value that is lost.
    share
        Size of an order as a share of the account's equity.
    gap_s
        Mean seconds between two fills.
    """
    size = share * _equity(tape, _fair(tape, at_ms))
    rows, ms = [], at_ms
    for _ in range(round_trips):
        amount = _significant(size * rng.uniform(0.8, 1.1) / _fair(tape, ms), 4)
        for side in (1, -1):
            fair = _fair(tape, ms)
            price = _significant(fair * exp(side * 0.5 * cost * rng.uniform(0.8, 1.2)), 6)
            rows.append((ms, side, price, amount, fair))
            ms += int(1000.0 * rng.exponential(gap_s)) + 200
    return _insert(tape, "ping_pong", rows, market=False)


def insert_planted_wall(
    tape: RealTape,
    rng: np.random.Generator,
    at_ms: int,
    *,
    markup: float = 0.12,
    fills: int = 6,
    share: float = 0.4,
    seconds: float = 20.0,
) -> RealTape:
    """Put market buys into asks planted at `markup` beyond fair on the tape.

    Parameters
    ----------
    tape
        With an owner on it.
    rng
        Source of all chance.
    at_ms
        Time of the first fill.
    markup
        How far beyond fair the wall is, as a share.
    fills
        In how many.
    share
        Of the account's equity, in all.
    seconds
        From the first fill to the last.
    """
    fair = _fair(tape, at_ms)
    amount = share * _equity(tape, fair) / (fills * fair * (1.0 + markup))
    price = _significant(fair * (1.0 + markup), 6)
    times = at_ms + np.concatenate([[0.0], np.sort(rng.uniform(200.0, 1000.0 * seconds, fills - 1))])
    rows = [(int(ms), 1, price, _significant(amount * rng.uniform(0.8, 1.2), 4), fair) for ms in times]
    return _insert(tape, "planted_wall", rows, market=True)
