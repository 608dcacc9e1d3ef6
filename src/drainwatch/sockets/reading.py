"""JSON of the contract's tables to rows, with the checks that files get.

A row that is written as most are goes a short way; wherever it could mean anything else, the reader
of the tables decides. Numbers keep their digits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypedDict

import msgspec
import numpy as np

from drainwatch import readers, values
from drainwatch.events import NS_PER_MS, Liquidity, OrderType
from drainwatch.normalise import CLIP, EXTREME, FORCED_PREFIXES, market_spec, parse_table, sources_of
from drainwatch.rows import Balance, BotOrder, Candle, Fill, Market, Quote, Row, Trade
from drainwatch.schema import PARENTS, SCHEMA, Form, column_of

MINUTE_NS: Final = 60_000_000_000
"""Length of a candle that doesn't say it."""

_PLAIN_NUMBER = re.compile(r"-?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,2})?", re.ASCII)
_SIDES: Final = {1: "buy", -1: "sell"}
_TYPES: Final = {int(OrderType.MARKET): "market", int(OrderType.LIMIT): "limit"}
_LIQUIDITIES: Final = {int(Liquidity.TAKER): "taker", int(Liquidity.MAKER): "maker"}
_WORDS: Final[dict[str, dict[str, int]]] = {
    "side": {"buy": 1, "sell": -1},
    "type": {word: code for code, word in _TYPES.items()},
    "taker_or_maker": {word: code for code, word in _LIQUIDITIES.items()},
}


class Number(str):
    """A JSON number with a point or an exponent, exactly as written."""

    __slots__ = ()


class Rejected(TypedDict):
    """A row that was left out. `row` counts from 1; `column` is None where the row as a whole is at fault."""

    row: int
    column: str | None
    found: str
    expected: str


class Read(NamedTuple):
    """What a frame's objects say."""

    rows: list[Row]
    rejected: list[Rejected]


class _Cells(NamedTuple):
    """One good row: values by column, absent ones left out, and its numbers as they were written."""

    values: dict[str, Any]
    texts: dict[str, str]


_DECODER: Final = msgspec.json.Decoder(float_hook=Number)


def decode(frame: str | bytes) -> Any:
    """Decode JSON, also with the NaN and Infinity that Python writes; numbers but integers become `Number`.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        return _DECODER.decode(frame)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        try:
            return json.loads(frame, parse_float=Number)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


def read_rows(objects: Sequence[Any], exchange: str, account: str, first: int = 1) -> Read:
    """Read the objects of a frame.

    Parameters
    ----------
    objects
        What the frame held, decoded by `decode`; each with its `table`.
    exchange, account
        Of rows that don't name their own.
    first
        Number of the first object, for those rejected.

    Returns
    -------
    Read
        The rows in order, and what was left out.
    """
    rows: dict[int, Row] = {}
    rejected: list[Rejected] = []
    unusual: dict[str, list[int]] = {}
    for at, found in enumerate(objects):
        if type(found) is not dict:
            rejected.append(_rejected(first + at, None, found, "a JSON object"))
            continue
        table = found.get("table")
        if type(table) is not str or table not in SCHEMA:
            rejected.append(_rejected(first + at, "table", table, f"one of {', '.join(SCHEMA)}"))
            continue
        cells = _plain(table, found)
        if cells is None:
            unusual.setdefault(table, []).append(at)
        else:
            rows[at] = _MAKE[table](cells, exchange, account)
    for table, places in unusual.items():
        good, bad = _full(table, [_with_account(table, objects[at], account) for at in places])
        rows |= {places[at]: _MAKE[table](cells, exchange, account) for at, cells in good.items()}
        rejected += [{**reject, "row": first + places[reject["row"]]} for reject in bad]
    rejected.sort(key=lambda reject: reject["row"])
    return Read([rows[at] for at in sorted(rows)], rejected)


def _rejected(row: int, column: str | None, found: object, expected: str) -> Rejected:
    text = json.dumps(found) if isinstance(found, (dict, list)) else values.text_of(found)
    return {"row": row, "column": column, "found": text[:CLIP], "expected": expected}


def _with_account(table: str, row: dict[str, Any], account: str) -> dict[str, Any]:
    """Give a balance the connection's account, which the table itself needs in each row."""
    if table != "balances" or not account:
        return row
    own = (value for name, value in row.items() if column_of(table, name) == "account")
    return row if any(value is not None and value != "" for value in own) else row | {"account": account}


# --- the short way ---------------------------------------------------------------------------------


def _plain(table: str, row: Mapping[str, Any]) -> _Cells | None:
    """Read a row that has each column once, in its usual type; None to leave it to `_full`."""
    cells = _Cells({}, {})
    for name, value in row.items():
        if name in PARENTS:
            if type(value) is not dict:
                if value is None:
                    continue
                return None
            for member, part in value.items():
                if not _take(table, f"{name}.{member}", part, cells):
                    return None
        elif not _take(table, name, value, cells):
            return None
    got = cells.values
    if table in ("orders", "markets") or not all(column in got for column in _NEEDED[table]):
        return None  # few, and with rules of their own; or bad, or without its account
    return cells


_NEEDED: Final = {
    table: [column for column, (_, needed) in columns.items() if needed] for table, columns in SCHEMA.items()
}


def _take(table: str, name: str, value: object, cells: _Cells) -> bool:
    """Take a cell; False if it isn't plain."""
    column = column_of(table, name)
    if column is None or value is None:
        return True
    if column in cells.values:
        return False
    form = SCHEMA[table][column][0]
    if form.read is values.ids:
        plain = type(value) is str and value.isascii() and value.isprintable() and value.strip() == value
        if not plain or not value or value.endswith(".0"):  # type: ignore[attr-defined]
            return False
        cells.values[column] = value
        return True
    if form.read is values.numbers:
        return _take_number(form, column, value, cells)
    if form.read is values.times:
        if type(value) is not int or not 0 <= value < values.LAST_NS // NS_PER_MS:
            return False
        cells.values[column] = value * NS_PER_MS
        return True
    code = _WORDS.get(column, {}).get(value) if type(value) is str else None
    if code is None:
        return False
    cells.values[column] = code
    return True


def _take_number(form: Form, column: str, value: object, cells: _Cells) -> bool:
    if type(value) is not int and not isinstance(value, str):
        return False
    text = str(value)
    if len(text) > 90 or not _PLAIN_NUMBER.fullmatch(text):
        return False
    number = float(text) + 0.0
    if not -EXTREME < number < EXTREME or 0.0 < abs(number) < 1.0 / EXTREME:
        return False
    if number <= 0.0 and form.fits is not None and not form.fits(np.array([number]))[0]:
        return False
    cells.values[column] = number
    cells.texts[column] = text
    return True


# --- the long way ----------------------------------------------------------------------------------


def _full(table: str, rows: list[dict[str, Any]]) -> tuple[dict[int, _Cells], list[Rejected]]:
    """Read rows as the tables' reader does; rows are numbered from 0 here."""
    known: dict[str, None] = {}
    cells = readers.columns_of(rows, lambda name: column_of(table, name) is not None, PARENTS, known)
    columns = {
        name: readers.column([_as_in_files(_form(table, name), value) for value in column])
        for name, column in cells.items()
    }
    read = parse_table(table, columns, len(rows))
    sources = sources_of(table, columns)
    good = [_Cells({}, {}) for _ in range(int(read.kept.sum()))]
    for name, column in read.columns.items():
        form = SCHEMA[table][name][0]
        numeric = form.read is values.numbers and name in sources
        texts = values.texts(sources[name]).to_pylist() if numeric else None
        written = [text for text, kept in zip(texts, read.kept, strict=True) if kept] if texts else None
        listed = column.to_pylist() if form.read is values.ids else column.tolist()
        for at, value in enumerate(listed):
            if value is None or value != value or (form.fits is None and value == form.absent):  # noqa: PLR0124 - NaN
                continue
            good[at].values[name] = value
            if written is not None:
                good[at].texts[name] = written[at]
    places = np.flatnonzero(read.kept).tolist()
    bad: list[Rejected] = [
        {"row": one.at, "column": one.column, "found": one.found, "expected": one.expected}
        for one in read.bad
    ]
    return dict(zip(places, good, strict=True)), bad


def _form(table: str, name: str) -> Form:
    return SCHEMA[table][column_of(table, name) or name][0]


def _as_in_files(form: Form, value: Any) -> Any:
    """Give numbers the type that they have in files, but for those whose digits are kept."""
    if type(value) is Number:
        return str(value) if form.read is values.numbers else float(value)
    if isinstance(value, list):
        return [_as_in_files(_TEXT, part) for part in value]
    if isinstance(value, dict):
        return {name: _as_in_files(_TEXT, part) for name, part in value.items()}
    return value


_TEXT: Final = SCHEMA["fills"]["symbol"][0]


# --- rows ------------------------------------------------------------------------------------------


def _fill(cells: _Cells, exchange: str, account: str) -> Row:
    got, texts = cells
    client = got.get("client_order_id")
    return Fill(
        exchange=got.get("exchange", exchange),
        account=got.get("account", account or "default"),
        symbol=got["symbol"],
        id=got["id"],
        ts_ns=got["timestamp"],
        side=_SIDES[got["side"]],
        price=texts["price"],
        amount=texts["amount"],
        cost=texts.get("cost"),
        order=got.get("order"),
        client_order_id=client,
        type=_TYPES.get(got.get("type", 0)),
        taker_or_maker=_LIQUIDITIES.get(got.get("taker_or_maker", 0)),
        fee_cost=texts.get("fee_cost"),
        fee_currency=got.get("fee_currency"),
        counterparty=got.get("counterparty"),
        maker_order=got.get("maker_order"),
        taker_order=got.get("taker_order"),
        mark=texts.get("drainwatch_mark"),
        forced=got.get("drainwatch_forced") == 1
        or (":" in got["symbol"] and (client or "").startswith(FORCED_PREFIXES)),
    )


def _trade(cells: _Cells, exchange: str, account: str) -> Row:
    del account
    got = cells.values
    return Trade(
        exchange=got.get("exchange", exchange),
        symbol=got["symbol"],
        ts_ns=got["timestamp"],
        price=got["price"],
        amount=got["amount"],
        id=got.get("id"),
        side=_SIDES.get(got.get("side", 0)),
        buyer=got.get("buyer"),
        seller=got.get("seller"),
        maker_order=got.get("maker_order"),
        taker_order=got.get("taker_order"),
    )


def _quote(cells: _Cells, exchange: str, account: str) -> Row:
    del account
    got = cells.values
    return Quote(
        exchange=got.get("exchange", exchange),
        symbol=got["symbol"],
        ts_ns=got["timestamp"],
        bid=got["bid"],
        ask=got["ask"],
        bid_size=got.get("bid_size"),
        ask_size=got.get("ask_size"),
    )


def _candle(cells: _Cells, exchange: str, account: str) -> Row:
    del account
    got = cells.values
    return Candle(
        exchange=got.get("exchange", exchange),
        symbol=got["symbol"],
        ts_ns=got["timestamp"],
        open=got["open"],
        high=got["high"],
        low=got["low"],
        close=got["close"],
        volume=got["volume"],
        length_ns=got.get("timeframe", MINUTE_NS),
    )


def _balance(cells: _Cells, exchange: str, account: str) -> Row:
    del account  # each has its own by now
    got = cells.values
    return Balance(
        exchange=exchange,
        account=got["account"],
        currency=got["currency"],
        ts_ns=got["timestamp"],
        total=got["total"],
    )


def _order(cells: _Cells, exchange: str, account: str) -> Row:
    del exchange
    got = cells.values
    return BotOrder(
        account=got.get("account", account or "default"),
        order=got.get("order"),
        client_order_id=got.get("client_order_id"),
        ts_ns=got.get("timestamp", 0),
    )


def _market(cells: _Cells, exchange: str, account: str) -> Row:
    del account
    got = cells.values
    exchange, symbol = got.get("exchange", exchange), got["symbol"]
    told = dict.fromkeys(("base", "quote", "settle")) | {
        "contract_size": np.nan,
        "tick_size": np.nan,
        "linear": -1,
        "inverse": -1,
    }
    spec = market_spec(exchange, symbol, [told | got])
    return Market(
        exchange=exchange,
        symbol=symbol,
        venue_symbol=symbol,
        base=spec.base,
        quote=spec.quote,
        settle=spec.settle,
        contract_size=None if np.isnan(spec.contract_size) else spec.contract_size,
        inverse=spec.inverse,
        tick_size=None if np.isnan(spec.tick_size) else spec.tick_size,
    )


_MAKE: Final[dict[str, Callable[[_Cells, str, str], Row]]] = {
    "fills": _fill,
    "trades": _trade,
    "quotes": _quote,
    "candles": _candle,
    "balances": _balance,
    "orders": _order,
    "markets": _market,
}
