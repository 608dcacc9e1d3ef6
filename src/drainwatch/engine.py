"""The conveyor: events in, judgements and incidents out; no clock, no network, no files.

The caller feeds batches of events in order (`events.Batch`), however it likes to cut them: one at a
time gives the same as all at once. After `feed` it must take the outputs. `next_deadline` says when
`advance` has something to do though nothing happens.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drainwatch.account import ACCOUNT, HOLDING, PAIR, reset_account
from drainwatch.detector import Judge, judge_from
from drainwatch.errors import StateError
from drainwatch.events import Batch, MarketSpec, Names
from drainwatch.features.registry import COUNT
from drainwatch.incidents import Incident, IncidentBook, Member
from drainwatch.kernel import (
    AT_ROW,
    CURRENCY,
    DONE,
    HOLDINGS_FULL,
    JUDGED,
    LOG_FULL,
    MARKET,
    MET,
    MET_ROW,
    NEW_MARKET,
    PAIRS_FULL,
    STABLE_RANK,
    UNPRICED_RANK,
    State,
    run,
)
from drainwatch.market import ROUTES, reset_market
from drainwatch.windows import refill

SNAPSHOT_VERSION: Final = 1

STABLES: Final = frozenset(
    (
        "USD",
        "USDT",
        "USDC",
        "BUSD",
        "FDUSD",
        "TUSD",
        "USDP",
        "DAI",
        "USDE",
        "PYUSD",
        "GUSD",
        "UST",
        "USDD",
        "USD1",
    )
)
"""Currencies that are a dollar by name: where values start from; routes between them if no market tells."""
THROUGH: Final = ("USDT", "USD", "USDC", "BTC", "ETH", "EUR", "FDUSD", "BUSD", "TUSD", "BNB")
"""Currencies that routes go through first; all others come after, by name."""
ROUTE_VAR: Final = (20e-4) ** 2
STABLE_ROUTE_VAR: Final = (60e-4) ** 2


@dataclass(slots=True)
class Block:
    """What was judged: fills with their judgements and feature rows, in the order judged."""

    fills: NDArray[np.void]
    ids: NDArray[np.object_]
    orders: NDArray[np.object_]
    judged: NDArray[np.void]
    features: NDArray[np.float64]
    incidents: list[str | None]
    """Incident that each fill belonged to when it was judged."""


class Engine:
    """The engine for any number of accounts and markets.

    Parameters
    ----------
    arrays, features
        Of the model: `Model.arrays` and the card's `features`.
    names
        Registry of markets, accounts and currencies that the batches' codes refer to; may grow.
    false_alarms_per_month
        Budget of false incidents for an account and month.
    quiet_hours
        An incident is closed so long after its last flagged fill.

    """

    def __init__(
        self,
        arrays: Mapping[str, NDArray[Any]],
        features: Sequence[str],
        names: Names,
        *,
        false_alarms_per_month: float = 0.1,
        quiet_hours: float = 6.0,
    ) -> None:
        self._judge: Judge = judge_from(arrays, features, false_alarms_per_month)
        self._names = names
        self._book = IncidentBook(names, self._judge, quiet_hours=quiet_hours)
        self._blocks: list[Block] = []
        self._state = _new_state()
        self._fit_names()

    # --- the conveyor ------------------------------------------------------------------------------

    def feed(self, batch: Batch) -> None:
        """Take events that follow all events fed before; then call `take_outputs`."""
        judged = np.zeros(len(batch.fills), JUDGED)
        features = np.empty((len(batch.fills), COUNT))
        features.fill(np.nan)
        self._fit_names()
        counts = self._state.counts
        counts[AT_ROW:] = 0
        while True:
            why = run(self._state, self._judge, batch.rows, batch.fills, judged, features)
            if why == DONE:
                break
            self._make_room(why)
        counts = self._state.counts
        counts[AT_ROW:] = 0  # of this call alone: no part of what is remembered
        if len(batch.fills):
            incidents = self._book.take(batch, judged, features)
            self._blocks.append(Block(batch.fills, batch.ids, batch.orders, judged, features, incidents))

    def advance(self, now_ns: int) -> None:
        """Tell the engine that it is `now_ns`: incidents that have been quiet are closed."""
        self._book.advance(now_ns)

    def next_deadline(self) -> int | None:
        """Time (ns) at which `advance` must be called though nothing happens; None: no need."""
        return self._book.next_deadline()

    def take_outputs(self) -> tuple[list[Block], list[Incident]]:
        """Blocks judged since the last call, and incidents opened or changed since then."""
        blocks, self._blocks = self._blocks, []
        return blocks, self._book.take_changed()

    def take_joined(self) -> list[Member]:
        """Fills that have become part of an incident since the last call, each as it was judged."""
        return self._book.take_joined()

    @property
    def incidents(self) -> list[Incident]:
        """All incidents so far, in order of their alert."""
        return self._book.incidents

    def heard(self) -> set[tuple[str, str]]:
        """Exchange and symbol of the markets of which there were rows."""
        told = np.flatnonzero(self._state.markets["rows"] > 0).tolist()
        return {(self._names.markets[i].exchange, self._names.markets[i].symbol) for i in told}

    # --- arrays that grow --------------------------------------------------------------------------

    def _fit_names(self) -> None:
        """Have a record for every market, account and currency that the names know."""
        state, names = self._state, self._names
        if (
            len(state.markets) == len(names.markets)
            and len(state.accounts) == len(names.accounts)
            and len(state.currencies) == len(names.currencies)
        ):
            return
        fitted = state._replace(
            markets=_grown(state.markets, len(names.markets), reset_market),
            accounts=_grown(state.accounts, len(names.accounts), reset_account),
            currencies=_grown(state.currencies, len(names.currencies), None),
        )
        for code in range(len(state.currencies), len(names.currencies)):
            stable = names.currencies[code] in STABLES
            fitted.currencies[code] = (1.0, STABLE_RANK) if stable else (np.nan, UNPRICED_RANK)
        self._state = fitted

    def _make_room(self, why: int) -> None:
        """Do what the kernel stopped for."""
        state = self._state
        if why == NEW_MARKET:
            self._activate(int(state.counts[MET]), by_row=bool(state.counts[MET_ROW]))
        elif why == PAIRS_FULL:
            keys, slots = _wider(state.pair_keys, state.pair_slots)
            pairs = _longer(state.pairs)
            self._state = state._replace(pairs=pairs, pair_keys=keys, pair_slots=slots)
        elif why == HOLDINGS_FULL:
            keys, slots = _wider(state.holding_keys, state.holding_slots)
            holdings = _longer(state.holdings)
            self._state = state._replace(holdings=holdings, holding_keys=keys, holding_slots=slots)
        elif why == LOG_FULL:
            keys, slots = _wider(state.log_keys, state.log_slots)
            self._state = state._replace(log_keys=keys, log_slots=slots)

    def _activate(self, code: int, *, by_row: bool) -> None:
        """A market has shown itself for the first time: from now on it counts, for others too."""
        names = self._names
        spec = names.markets[code]
        market = self._state.markets[code]
        if by_row:
            _inherit(names, self._state.markets, code)
        if not market["active"]:
            market["stands_for"] = code
        market["base"] = names.currency(spec.base)
        market["quote"] = names.currency(spec.quote)
        market["derivative"] = spec.is_derivative
        market["inverse"] = spec.inverse
        market["contract_size"] = spec.contract_size
        market["active"] = 1
        if by_row:
            market["rows"] = 1
        self._fit_names()
        markets = self._state.markets
        active = np.flatnonzero(markets["active"]).tolist()
        _set_stand_ins(names, markets, active, spec.symbol)
        # only rows make a market a witness for others: accounts must not tell of one another
        told = [i for i in active if markets[i]["rows"] > 0 and markets[i]["stands_for"] == i]
        by_currency = _by_currency(names, told)
        touched = {spec.base, spec.quote} | (STABLES if spec.quote in STABLES else set())
        for other in active:
            near = names.markets[other]
            if other == code or near.base in touched or near.quote in touched:
                _set_routes(self._state.markets, other, _routes(names, other, by_currency))

    # --- snapshots ---------------------------------------------------------------------------------

    def snapshot(self) -> bytes:
        """Everything that the engine remembers. Outputs must have been taken before."""
        names = self._names
        about = {
            "version": SNAPSHOT_VERSION,
            "layout": _layout(),
            "markets": [list(spec) for spec in names.markets],
            "accounts": names.accounts,
            "currencies": names.currencies,
            "book": self._book.snapshot(),
        }
        held = io.BytesIO()
        plain: dict[str, Any] = {name: _plain(array) for name, array in self._state._asdict().items()}
        np.savez(held, **plain)
        text = json.dumps(about, allow_nan=True).encode()
        body = len(text).to_bytes(8, "little") + text + held.getvalue()
        return hashlib.sha256(body).digest() + body

    def restore(self, snapshot: bytes) -> None:
        """Go back to a snapshot, names included. The model and settings must be those it was taken with.

        Raises
        ------
        StateError
            The snapshot is damaged, or of another version.

        """
        digest, body = snapshot[:32], snapshot[32:]
        if len(snapshot) < 40 or hashlib.sha256(body).digest() != digest:
            raise StateError(
                "expected a snapshot with a matching checksum, found a damaged one: replay from the journal"
            )
        size = int.from_bytes(body[:8], "little")
        about = json.loads(body[8 : 8 + size])
        if about["version"] != SNAPSHOT_VERSION or about["layout"] != _layout():
            raise StateError(
                "expected a snapshot of this version, found another's: replay from the journal instead"
            )
        names = self._names
        fresh = Names()
        for currency in about["currencies"]:
            fresh.currency(currency)
        for spec in about["markets"]:
            fresh.add_market(MarketSpec(*spec))
        for account in about["accounts"]:
            fresh.account(account)
        names.replace(fresh)
        with np.load(io.BytesIO(body[8 + size :]), allow_pickle=False) as held:
            empty = _new_state()
            self._state = State(*(_records(held[name], getattr(empty, name).dtype) for name in State._fields))
        self._book.restore(about["book"])
        self._blocks = []


def _new_state() -> State:
    return State(
        markets=np.zeros(0, MARKET),
        accounts=np.zeros(0, ACCOUNT),
        pairs=np.zeros(4, PAIR),
        pair_keys=np.zeros(16, np.uint64),
        pair_slots=np.zeros(16, np.int32),
        holdings=np.zeros(16, HOLDING),
        holding_keys=np.zeros(64, np.uint64),
        holding_slots=np.zeros(64, np.int32),
        log_keys=np.zeros(1024, np.uint64),
        log_slots=np.zeros(1024, np.int32),
        currencies=np.zeros(0, CURRENCY),
        counts=np.zeros(7, np.int64),
    )


def _layout() -> str:
    """Digest of the records' layout: a snapshot fits no other."""
    text = "".join(str(dtype.descr) for dtype in (MARKET, ACCOUNT, PAIR, HOLDING, CURRENCY))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """The array's bytes, whatever its dtype."""
    return np.frombuffer(array.tobytes(), np.uint8)


def _records(plain: NDArray[np.uint8], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The array back from its bytes."""
    array = np.zeros(len(plain) // dtype.itemsize, dtype)
    array.view(np.uint8)[:] = plain
    return array


def _grown(records: NDArray[np.void], size: int, reset: Any) -> NDArray[np.void]:
    if size <= len(records):
        return records
    grown = np.zeros(size, records.dtype)
    grown.view(np.uint8)[: records.nbytes] = _plain(records)  # padding too: snapshots repeat to the byte
    if reset is not None:
        for i in range(len(records), size):
            reset(grown[i])
    return grown


def _longer(records: NDArray[np.void]) -> NDArray[np.void]:
    return _grown(records, 2 * len(records), None)


def _wider(
    keys: NDArray[np.uint64], slots: NDArray[np.int32]
) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    wider = np.zeros(2 * len(keys), np.uint64)
    into = np.zeros(2 * len(keys), np.int32)
    refill(keys, slots, wider, into)
    return wider, into


# --- exchanges that some tables don't name ---------------------------------------------------------


def _inherit(names: Names, markets: NDArray[np.void], code: int) -> None:
    """Give the first market of a symbol that is named the past of the rows that name no exchange."""
    spec = names.markets[code]
    told = [
        i for i, other in enumerate(names.markets) if other.symbol == spec.symbol and markets[i]["rows"] > 0
    ]
    if spec.exchange and len(told) == 1 and not names.markets[told[0]].exchange:
        markets[code] = markets[told[0]]


def _set_stand_ins(names: Names, markets: NDArray[np.void], active: Sequence[int], symbol: str) -> None:
    """Let a symbol's rows that name no exchange be those of the market that is named, and the reverse.

    Tables may name the exchange in fills alone, or in some market tables alone (candles never do):
    then they mean the same one. Among several named it is the first of which there were rows.
    """
    same = [i for i in active if names.markets[i].symbol == symbol]
    told = sorted((i for i in same if markets[i]["rows"] > 0), key=lambda i: names.markets[i].exchange)
    nameless = next((i for i in same if not names.markets[i].exchange), -1)
    if nameless >= 0 and markets[nameless]["stands_for"] == nameless:
        markets[nameless]["stands_for"] = next((i for i in told if i != nameless), nameless)
    free = nameless in told and markets[nameless]["stands_for"] == nameless
    for code in same:
        if code != nameless:
            markets[code]["stands_for"] = nameless if free and code not in told else code


# --- routes: pricing a market through others -------------------------------------------------------

Route = tuple[int, int, int, int, float]
"""First leg, its sign, second leg (-1: none), its sign, variance of the basis before any is learned."""


def _by_currency(names: Names, active: Sequence[int]) -> dict[tuple[str, str], list[int]]:
    """Active spot markets by (base, quote)."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for code in active:
        spec = names.markets[code]
        if not spec.is_derivative:
            found[spec.base, spec.quote].append(code)
    return found


def _routes(names: Names, code: int, spot: Mapping[tuple[str, str], list[int]]) -> list[Route]:
    """Ways from a market's base to its quote through other markets, the likeliest good ones first."""
    spec = names.markets[code]

    def leg(base: str, quote: str) -> tuple[int, int] | None:
        """Market and sign that price `base` in `quote`: on the same exchange if there is one."""
        for pair, sign in (((base, quote), 1), ((quote, base), -1)):
            near = [i for i in spot.get(pair, ()) if i != code]
            if near:
                near.sort(
                    key=lambda i: (names.markets[i].exchange != spec.exchange, names.markets[i].exchange)
                )
                return near[0], sign
        return None

    routes: list[Route] = []
    for pair, sign in (((spec.base, spec.quote), 1), ((spec.quote, spec.base), -1)):
        twins = sorted((i for i in spot.get(pair, ()) if i != code), key=lambda i: names.markets[i].exchange)
        routes += [(i, sign, -1, 0, ROUTE_VAR) for i in twins[:4]]
    currencies = {currency for pair in spot for currency in pair} - {spec.base, spec.quote}
    ranked = sorted(currencies, key=lambda c: (THROUGH.index(c) if c in THROUGH else len(THROUGH), c))
    for through in ranked:
        first = leg(spec.base, through)
        if first is None:
            continue
        second = leg(through, spec.quote)
        if second is not None:
            routes.append((*first, *second, ROUTE_VAR))
        elif through in STABLES and spec.quote in STABLES:
            routes.append((*first, -1, 0, STABLE_ROUTE_VAR))
    return routes[:ROUTES]


def _set_routes(markets: NDArray[np.void], code: int, routes: Sequence[Route]) -> None:
    """Write a market's routes, keeping what was learned of those that it had."""
    market = markets[code]
    learned = {
        (int(market["route_first"][i]), int(market["route_second"][i])): (
            float(market["route_basis"][i]),
            float(market["route_var"][i]),
            int(market["route_count"][i]),
        )
        for i in range(int(market["routes"]))
    }
    market["routes"] = len(routes)
    for i, (first, first_sign, second, second_sign, var) in enumerate(routes):
        basis, known_var, count = learned.get((first, second), (0.0, var, 0))
        market["route_first"][i] = first
        market["route_second"][i] = second
        market["route_first_sign"][i] = first_sign
        market["route_second_sign"][i] = second_sign
        market["route_basis"][i] = basis
        market["route_var"][i] = known_var
        market["route_count"][i] = count
