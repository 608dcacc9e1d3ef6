"""The results of freqtrade's backtests: pretended fills, one for each order of each trade.

Newer results are an archive with the results, the configuration and more; of the configuration only the
exchange's name is looked at. Results from before orders were kept have an entry and an exit for each trade.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from drainwatch.errors import InputError
from drainwatch.events import spec_from_symbol
from drainwatch.imports.convert import NUMBER, SIDE, TIME
from drainwatch.imports.importer import Column, Importer, Stranger
from drainwatch.imports.records import KIND, Row, leave_kinds

PART: Final = "backtest"

_RESULT: Final = re.compile(r"(?:.*/)?(?P<name>[^/]*backtest[^/]*?)\.json", re.IGNORECASE)
_BESIDE: Final = ("_config", ".meta", "_market_change")
"""How names end of what lies beside the results."""


class Order(msgspec.Struct):
    """An order of a backtest, as far as it matters here."""

    amount: float
    safe_price: float
    ft_order_side: str
    order_filled_timestamp: float | None = None
    ft_is_entry: bool | None = None


class Trade(msgspec.Struct):
    """A trade of a backtest: entered, and left again."""

    pair: str
    amount: float
    open_rate: float
    open_date: str | None = None
    open_timestamp: float | None = None
    close_rate: float | None = None
    close_date: str | None = None
    close_timestamp: float | None = None
    fee_open: float | None = None
    fee_close: float | None = None
    is_short: bool = False
    is_open: bool = False
    orders: list[Order] | None = None


class Strategy(msgspec.Struct):
    """What a strategy would have done."""

    trades: list[Trade]


class Results(msgspec.Struct):
    """The results of a backtest, by strategy."""

    strategy: dict[str, Strategy]


IMPORTERS = (
    Importer(
        name="freqtrade-backtest",
        title="results of a freqtrade backtest",
        where="user_data/backtest_results, the .zip or .json",
        columns=(
            Column("id", ("id",)),
            Column("account", ("strategy",)),
            Column("exchange", ("exchange",)),
            Column("timestamp", ("time",), TIME),
            Column("symbol", ("pair",)),
            Column("side", ("side",), SIDE),
            Column("price", ("price",), NUMBER),
            Column("amount", ("amount",), NUMBER),
            Column("fee_cost", ("fee",), NUMBER),
            Column("fee_currency", ("fee_currency",)),
            Column(KIND, (KIND,), needed=False),
        ),
        quirks=(leave_kinds,),
        part=PART,
        note="A backtest is no account: its fills are pretended, at prices that the bot assumed, so nothing "
        "found here is a theft; each strategy is shown as an account of its own.",
    ),
)
STRANGERS: tuple[Stranger, ...] = ()

HEADER: Final = tuple(column.names[0] for column in IMPORTERS[0].columns)


def member_of(names: Sequence[str]) -> str | None:
    """Find the results among an archive's names; None where it has none."""
    found = [name for name in names if (m := _RESULT.fullmatch(name)) and not m["name"].endswith(_BESIDE)]
    # what lies beside has the results' name and more: `..._config.json`, `..._MyStrategy.json`
    return min(found, key=len, default=None)


def config_of(names: Sequence[str], result: str) -> str | None:
    """Find the configuration that belongs to results; None where there is none."""
    name = result.removesuffix(".json") + "_config.json"
    return name if name in names else None


def exchange_of(config: bytes) -> str | None:
    """Read the exchange's name, and nothing else, from a configuration."""
    try:
        name = json.loads(config)["exchange"]["name"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return name if isinstance(name, str) else None


def results_of(path: str, data: Any) -> Results:
    """Read results.

    Raises
    ------
    InputError
        If they are none.
    """
    try:
        return msgspec.json.decode(data, type=Results)
    except (msgspec.MsgspecError, ValueError, RecursionError) as first:
        try:  # Python writes NaN and Infinity, which JSON hasn't
            return msgspec.convert(json.loads(bytes(data)), Results)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise InputError(
                f"{path}: expected a list of objects, or the results of a freqtrade backtest (strategy, and "
                f"in it trades), found another JSON document ({first})"
            ) from first


def rows_of(results: Results, exchange: str | None) -> Iterator[Row]:
    """Give the pretended fills of all strategies."""
    number = 0
    for name, strategy in results.strategy.items():
        for at, trade in enumerate(strategy.trades, 1):
            for part, fill in enumerate(_fills(trade), 1):
                number += 1
                yield number, {"id": f"{at}.{part}", "strategy": name, "exchange": exchange} | fill


def _fills(trade: Trade) -> Iterator[dict[str, Any]]:
    entry, leave = ("sell", "buy") if trade.is_short else ("buy", "sell")
    if trade.orders:
        for order in trade.orders:
            if order.order_filled_timestamp is None:
                yield {KIND: "order that wasn't filled"}
                continue
            side = order.ft_order_side if order.ft_order_side in {"buy", "sell"} else leave
            rate = trade.fee_open if side == entry else trade.fee_close
            yield _fill(trade, side, order.order_filled_timestamp, order.safe_price, order.amount, rate)
        return
    yield _fill(
        trade, entry, trade.open_timestamp or trade.open_date, trade.open_rate, trade.amount, trade.fee_open
    )
    if trade.is_open or trade.close_rate is None:
        yield {KIND: "trade that was still open"}
    else:
        done = trade.close_timestamp or trade.close_date
        yield _fill(trade, leave, done, trade.close_rate, trade.amount, trade.fee_close)


def _fill(
    trade: Trade, side: str, when: float | str | None, price: float, amount: float, rate: float | None
) -> dict[str, Any]:
    return {
        "time": f"{when:.0f}" if isinstance(when, float) else when,
        "pair": trade.pair,
        "side": side,
        "price": price,
        "amount": amount,
        "fee": None if rate is None else rate * price * amount,
        "fee_currency": None if rate is None else spec_from_symbol("", trade.pair).quote,
    }
