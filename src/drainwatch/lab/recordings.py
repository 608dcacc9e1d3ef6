"""Recordings of real markets, read into the contract's tables: what simulated tapes are set beside."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd

from drainwatch.lab.orderbook import Book, Order
from drainwatch.lab.realtape import existing

TRADES = ["timestamp", "id", "price", "amount", "side"]
QUOTES = ["timestamp", "bid", "ask", "bid_size", "ask_size"]


def binance(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trades and best quotes of a file of raw Binance frames, by the time at which they were received.

    Parameters
    ----------
    path
        One of `binance-raw-frames/*/*.gz`: a line is the local time in ns, a space, the frame.

    Raises
    ------
    InputError
        Where the file is absent.
    """
    trades: list[tuple[Any, ...]] = []
    quotes: list[tuple[Any, ...]] = []
    with gzip.open(existing(path), "rt", encoding="utf-8") as lines:
        for line in lines:
            at, _, text = line.partition(" ")
            if "@trade" not in text and "@bookTicker" not in text:
                continue
            body = json.loads(text)["data"]
            ms = int(at) // 1_000_000
            if "@trade" in text:
                if float(body["p"]) > 0.0 and body.get("X", "MARKET") == "MARKET":
                    side = "sell" if body["m"] else "buy"
                    trades.append((ms, str(body["t"]), float(body["p"]), float(body["q"]), side))
            else:
                quotes.append((ms, *(float(body[name]) for name in "baBA")))
    quote_frame = pd.DataFrame(quotes, columns=QUOTES)
    return pd.DataFrame(trades, columns=TRADES), quote_frame


def bitstamp_2026(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trades and best quotes (rebuilt from order events) of 30 minutes of BTC/USD, May 2026.

    Parameters
    ----------
    folder
        Of the real data, holding `bitstamp-l3/`.

    Raises
    ------
    InputError
        Where the files are absent.
    """
    source = folder / "bitstamp-l3"
    raw = pd.read_csv(existing(source / "trades.csv"))
    trades = pd.DataFrame(
        {
            "timestamp": raw["exchange_timestamp"].astype("int64"),
            "id": raw["trade_id"].astype(str),
            "price": raw["price"],
            "amount": raw["amount"],
            "side": raw["side"],
        }
    ).sort_values("timestamp", kind="stable", ignore_index=True)
    events = pd.read_csv(existing(source / "orders.csv.gz"))
    book, quotes = Book(), list[tuple[int, float, float, float, float]]()
    columns = ("exchange_timestamp", "id", "price", "volume", "action", "direction")
    for ms, number, price, volume, action, direction in zip(
        *(events[name].tolist() for name in columns), strict=True
    ):
        if action == "deleted" or volume <= 0.0:
            book.remove(number)
        else:
            book.put(number, Order(price, volume, 1 if direction == "bid" else -1, ms))
        quote = book.quote(ms)
        if quote is not None and (not quotes or quote != quotes[-1][1:]):
            quotes.append((ms, *quote))
    best = pd.DataFrame(quotes, columns=QUOTES).sort_values("timestamp", kind="stable", ignore_index=True)
    # All that rests is put in at the start and taken out at the end: neither is the market's doing.
    inside = best["timestamp"].between(trades["timestamp"].iloc[0], trades["timestamp"].iloc[-1])
    return trades, best[inside].reset_index(drop=True)


def hyperliquid(folder: Path) -> pd.DataFrame:
    """Trades of 187 coins in 81 seconds, each once, with its taker's side; a column `coin` tells of what.

    Parameters
    ----------
    folder
        Of the real data, holding `hyperliquid-fills/`.

    Raises
    ------
    InputError
        Where the file is absent.
    """
    rows: dict[int, tuple[Any, ...]] = {}
    with gzip.open(
        existing(folder / "hyperliquid-fills" / "sample_data.json.gz"), "rt", encoding="utf-8"
    ) as lines:
        for line in lines:
            for _, fill in json.loads(line)["events"]:
                if fill["crossed"]:
                    side = "buy" if fill["side"] == "B" else "sell"
                    price, size = float(fill["px"]), float(fill["sz"])
                    rows[fill["tid"]] = (int(fill["time"]), str(fill["tid"]), price, size, side, fill["coin"])
    return pd.DataFrame(list(rows.values()), columns=[*TRADES, "coin"]).sort_values(
        "timestamp", kind="stable", ignore_index=True
    )
