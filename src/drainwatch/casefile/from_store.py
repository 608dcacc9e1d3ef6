"""A case file from the store of a watch, which may run meanwhile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from typing import Any, Final

import msgspec

from drainwatch import __version__
from drainwatch.casefile.case import (
    MEANING,
    Case,
    CaseFill,
    Surrounding,
    counterparties_of,
    iso,
    losses_of,
    sealed,
    timeline_of,
)
from drainwatch.events import NS_PER_MS
from drainwatch.rows import Candle, Fill, Quote, Row, Trade
from drainwatch.store import Judgement, Store, Told, state_of
from drainwatch.store.outbox import DELIVERED, GIVEN_UP, PUT_TOGETHER
from drainwatch.watch.around import AROUND_NS, spans
from drainwatch.watch.entries import number_at, read_entry

MOST_ROWS: Final = 200_000
"""Market rows that a case file takes."""

Short = tuple[str, str, str | None, str]
"""Of a fill, as incidents name it: symbol, id, order, side."""


def case_of(store: Store, incident: dict[str, Any], now_ns: int) -> Case:
    """Gather what is known of an incident.

    Parameters
    ----------
    store
        Opened beside the watch.
    incident
        As `Store.incidents` gives it.
    now_ns
        The time.

    Raises
    ------
    StateError
        The store can't be read.
    """
    missing: list[str] = []
    judgements = {_short(one.key): one for one in store.judgements(incident["id"])}
    fills, times = _fills(store, incident, judgements, missing)
    market = list(_market(store, times, missing))
    messages = messages_of(store, incident["id"])
    marks = store.marks(incident["id"])
    said = [{"what": mark.what, "at": mark.at_ns / 1e6, "reason": mark.reason} for mark in marks]
    judged_by = _judged_by(store, incident, missing)
    if not messages:
        missing.append("No message of this incident was posted: no channel was set, or it was held back.")
    return sealed(
        Case(
            made_at=iso(now_ns // NS_PER_MS * NS_PER_MS),
            origin={"kind": "watch", "drainwatch": __version__},
            judged_by=judged_by,
            incident=incident,
            state=state_of(incident, marks),
            timeline=timeline_of(incident, messages, said),
            losses=losses_of(fills),
            fills=fills,
            counterparties=counterparties_of(fills),
            market=market,
            messages=messages,
            marks=said,
            missing=missing,
            meaning=MEANING,
        )
    )


def _short(key: tuple[str, str, str, str, str | None, str]) -> Short:
    return key[2], key[3], key[4] or None, key[5]


def _fills(
    store: Store, incident: dict[str, Any], judgements: dict[Short, Judgement], missing: list[str]
) -> tuple[list[CaseFill], dict[tuple[str, str], list[int]]]:
    """Give the fills as they came, and the times at which they counted by exchange and symbol."""
    fills: list[CaseFill] = []
    times: dict[tuple[str, str], list[int]] = defaultdict(list)
    lost = unjudged = 0
    for told in incident["fills"]:
        short = (told["symbol"], told["id"], told["order"], told["side"])
        judged = judgements.get(short)
        exchange = judged.key[0] if judged else incident["exchange"]
        row = _find(store, exchange, incident["account"], short)
        lost += row is None
        unjudged += judged is None
        fill = CaseFill(exchange=exchange, account=incident["account"], **told)
        if row is not None:
            for name in set(row.__struct_fields__) & set(fill.__struct_fields__):
                setattr(fill, name, getattr(row, name))
            fill.time, fill.exact = iso(row.ts_ns), True
            fill.account = row.account or incident["account"]
        if judged is not None:
            fill.fair_price, fill.fair_source = judged.fair, judged.source
            fill.deviation_bps, fill.score, fill.flagged = judged.deviation_bps, judged.score, judged.flagged
            fill.loss, fill.fee_in_quote, fill.quote_currency = judged.loss, judged.fee, judged.currency
            fill.counted_at = iso(judged.at_ns)
        if judged is not None or row is not None:
            at_ns = judged.at_ns if judged is not None else row.ts_ns if row is not None else 0
            times[exchange, told["symbol"]].append(at_ns)
        fills.append(fill)
    if lost:
        missing.append(
            f"Of {lost} of {len(fills)} fills the store has the ids, but not the exchange's words."
        )
    if unjudged:
        missing.append(
            f"Of {unjudged} of {len(fills)} fills the fair value wasn't kept: they were judged by a "
            "drainwatch that didn't keep it."
        )
    return fills, times


def _find(store: Store, exchange: str, account: str, short: Short) -> Fill | None:
    """Find a fill; the engine doesn't tell an absent account or order from an empty one."""
    symbol, fill_id, order, side = short
    accounts = (account, "") if account == "default" else (account,)
    orders = (order,) if order else (None, "")
    for one_account, one_order in product(accounts, orders):
        found = store.fill((exchange, one_account, symbol, fill_id, one_order, side))
        if found is not None:
            return found
    return None


def _market(
    store: Store, times: dict[tuple[str, str], list[int]], missing: list[str]
) -> Iterator[Surrounding]:
    """Give what is kept of the markets around the fills."""
    newest = store.newest_entry()
    left, gone, under_way = MOST_ROWS, 0, False
    held = {first for first, _ in store.held_entries()}
    for (exchange, symbol), moments in times.items():
        for first_ns, last_ns in spans((at - AROUND_NS, at + AROUND_NS) for at in moments):
            around = Surrounding(
                exchange=exchange, symbol=symbol, start=iso(first_ns), end=iso(last_ns), kept="none"
            )
            first = number_at(store, first_ns, newest)
            begun = first == 1 or first in held or _has(store, first - 1)
            number, known_ns, taken = _read(store, around, first, (first_ns, last_ns), left)
            left -= taken
            ended = known_ns is not None and known_ns > last_ns
            if known_ns is not None:
                whole = begun and left > 0 and (ended or number >= newest)
                around.kept = "whole" if whole else "part"
                if not ended and number >= newest:
                    under_way, around.end = True, iso(max(known_ns, first_ns))
            gone += around.kept != "whole"
            yield around
    if under_way:
        missing.append(
            "What the market does next: the minute after the last fill wasn't over. Export again then."
        )
    if left <= 0:
        missing.append(
            f"More than {MOST_ROWS:,} rows of market data around the fills: the rest was left out."
        )
    elif gone:
        missing.append(
            f"Of {gone} stretches of market data around fills the journal has no more, or not all: an older "
            "drainwatch dropped them with saved states, or there were more fills than it keeps them for."
        )


def _read(
    store: Store, around: Surrounding, first: int, span: tuple[int, int], most: int
) -> tuple[int, int | None, int]:
    """Take the rows of a stretch, from entry `first` on, as far as no entry is missing.

    Returns
    -------
    The number of the last entry read, its time (None: none was there), and how many rows were taken.
    """
    number, known_ns, taken = first - 1, None, 0
    for entry_number, content in store.entries(first - 1):
        if entry_number != number + 1:
            break
        entry = read_entry(content)
        rows = [] if isinstance(entry, int) else entry
        taken += _take(around, rows, *span)
        number = entry_number
        known_ns = max([known_ns or 0, entry if isinstance(entry, int) else 0, *(at for at, _ in rows)])
        if known_ns > span[1] or taken >= most:
            break
    return number, known_ns, taken


def _has(store: Store, number: int) -> bool:
    found = store.entry_after(number - 1)
    return found is not None and found[0] == number


def _take(around: Surrounding, rows: list[tuple[int, Row]], first_ns: int, last_ns: int) -> int:
    """Take rows of this market and time; gives how many."""
    count = 0
    for at, row in rows:
        if not first_ns <= at <= last_ns or not isinstance(row, (Quote, Trade, Candle)):
            continue
        if (row.exchange, row.symbol) != (around.exchange, around.symbol):
            continue
        count += 1
        if isinstance(row, Quote):
            around.quotes.append([iso(at), row.bid, row.ask, row.bid_size, row.ask_size])
        elif isinstance(row, Trade):
            around.prints.append([iso(at), row.price, row.amount, row.side, row.id])
        else:
            numbers = [row.open, row.high, row.low, row.close, row.volume]
            around.candles.append([iso(row.ts_ns), *numbers])
    return count


def messages_of(store: Store, incident_id: str) -> list[dict[str, Any]]:
    """Give what became of the messages of an incident, in the order in which they were posted."""
    return [_message(store, one) for one in store.told(f"{incident_id}/")]


def _message(store: Store, told: Told) -> dict[str, Any]:
    fate, digest = told, None
    if told.state == PUT_TOGETHER:  # it arrived with others, or didn't
        digest = told.reason
        fate = next((d for d in store.told(digest) if d.channel == told.channel and d.key == digest), told)
    states = {DELIVERED: "arrived", GIVEN_UP: "given_up"}
    state = states.get(fate.state, "waiting")
    return {
        "what": told.key.split("/")[1] if "/" in told.key else told.key,
        "channel": told.channel,
        "digest": digest,
        "posted_at": told.posted_ns / 1e6,
        "state": state,
        "settled_at": None if state == "waiting" or fate.settled_ns is None else fate.settled_ns / 1e6,
        "failed_tries": fate.attempts,
        "reason": fate.reason if fate.state != PUT_TOGETHER else "",
    }


def _judged_by(store: Store, incident: dict[str, Any], missing: list[str]) -> dict[str, Any]:
    """Give the version, model and settings that the incident was judged by."""
    then = [one for one in store.judges() if one.from_ns <= incident["alerted_at"] * 1e6]
    if not then:
        missing.append("By which version and model it was judged wasn't kept.")
        return {}
    return {**msgspec.to_builtins(then[-1]), "from_ns": iso(then[-1].from_ns)}
