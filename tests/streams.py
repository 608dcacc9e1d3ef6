"""Streams of events for tests of the core: by hand or at random; a small model; what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drainwatch.detector import LEVELS, PEERS, SUM, Judge, forest_columns, judge_from
from drainwatch.engine import Engine
from drainwatch.events import FILL, NS_PER_S, ROW, Batch, Kind, Liquidity, MarketSpec, Names, OrderType
from drainwatch.features import COUNT, FAMILIES, NAMES, index
from drainwatch.forest import concatenate, train_forest
from drainwatch.kernel import JUDGED
from drainwatch.precedent import PackedTrees
from drainwatch.rules import RULES

START_S = 1_700_006_400  # a midnight, UTC
DAY_S = 86_400
MINUTE_S = 60
HOUR_S = 3600
NAN = float("nan")


def ns(seconds: float) -> int:
    """Time in ns, of seconds since the streams' start; whole microseconds."""
    return START_S * NS_PER_S + round(seconds * 1e6) * 1000


@dataclass(frozen=True, slots=True)
class Event:
    """One event with names instead of codes."""

    at: int
    """Time, ns."""
    values: dict[str, Any]
    """Fields of `ROW` or `FILL`."""
    exchange: str = "x"
    symbol: str | None = None
    account: str | None = None
    currency: str | None = None
    fill_id: str | None = None
    """The string id; None for what isn't a fill."""
    order: str | None = None


@dataclass(slots=True)
class Tape:
    """Events in the order of the calls; `batch` puts them in that of time. Times are in s since the start."""

    rows: list[Event] = field(default_factory=list)
    fills: list[Event] = field(default_factory=list)

    def quote(self, at: float, symbol: str, bid: float, ask: float, **other: Any) -> None:
        exchange = other.pop("exchange", "x")
        values = {"kind": Kind.QUOTE, "a": bid, "b": ask, "c": NAN, "d": NAN} | other
        self.rows.append(Event(ns(at), values, exchange=exchange, symbol=symbol))

    def mid(self, at: float, symbol: str, price: float, half_spread_bps: float = 2.0, **other: Any) -> None:
        """Quotes around a price."""
        half = 1e-4 * half_spread_bps
        self.quote(at, symbol, price * (1.0 - half), price * (1.0 + half), **other)

    def trade(self, at: float, symbol: str, price: float, amount: float = 1.0, **other: Any) -> None:
        exchange = other.pop("exchange", "x")
        values = {"kind": Kind.TRADE, "a": price, "b": amount} | other
        self.rows.append(Event(ns(at), values, exchange=exchange, symbol=symbol))

    def candle(
        self,
        closes: float,
        symbol: str,
        prices: tuple[float, float, float, float],
        volume: float,
        **other: Any,
    ) -> None:
        """Candle of open, high, low and close that closes at `closes`."""
        length_s = other.pop("length_s", 60)
        values = dict(zip("abcd", prices, strict=True)) | {"e": volume, "duration_ns": length_s * NS_PER_S}
        self.rows.append(Event(ns(closes), {"kind": Kind.CANDLE} | values, symbol=symbol, **other))

    def balance(self, at: float, currency: str, total: float, account: str = "default") -> None:
        self.rows.append(
            Event(ns(at), {"kind": Kind.BALANCE, "a": total}, account=account, currency=currency)
        )

    def logged(self, at: float, order: int = 0, client: int = 0, account: str = "default") -> None:
        """A row of the owner's order log."""
        self.rows.append(Event(ns(at), {"kind": Kind.ORDER, "id": order, "client": client}, account=account))

    def fill(self, at: float, symbol: str, side: int, price: float, amount: float = 1.0, **other: Any) -> int:
        """A fill of the account's own; returns its id."""
        exchange = other.pop("exchange", "x")
        account = other.pop("account", "default")
        currency = other.pop("fee_currency", None)
        number = other.setdefault("id", 1_000_000 + len(self.fills))
        order = other.setdefault("order", 5_000_000 + len(self.fills))
        absent = {"cost": NAN, "fee_cost": NAN, "mark": NAN}
        values = absent | {"side": side, "price": price, "amount": amount} | other
        self.fills.append(
            Event(
                ns(at),
                values,
                exchange=exchange,
                symbol=symbol,
                account=account,
                currency=currency,
                fill_id=str(number),
                order=str(order) if order else None,
            )
        )
        return int(number)

    def batch(self, names: Names) -> Batch:
        """All events, in order; new names get their codes."""
        rows = sorted(self.rows, key=lambda event: event.at)
        fills = sorted(self.fills, key=lambda event: event.at)
        ids = np.array([event.fill_id for event in fills], dtype=object)
        orders = np.array([event.order for event in fills], dtype=object)
        return Batch(_records(rows, ROW, names), _records(fills, FILL, names), ids, orders)


def _records(events: Sequence[Event], dtype: np.dtype[Any], names: Names) -> NDArray[np.void]:
    records = np.zeros(len(events), dtype)
    currency = "currency" if dtype == ROW else "fee_currency"
    records["market"] = records["account"] = records[currency] = -1
    for record, event in zip(records, events, strict=True):
        record["ts_ns"] = event.at
        if event.symbol is not None:
            record["market"] = names.market(event.exchange, event.symbol)
        if event.account is not None:
            record["account"] = names.account(event.account)
        if event.currency is not None:
            record[currency] = names.currency(event.currency)
        for name, value in event.values.items():
            record[name] = value
    return records


# --- at random -------------------------------------------------------------------------------------

ACCOUNTS = ("ann", "bob", "cat")
INVERSE = MarketSpec("x", "BTC/USD:BTC", "BTC", "USD", "BTC", 100.0, True, NAN)
SPREADS_BPS = {
    "ETH/USDT": 1.0,
    "BTC/USDT": 0.5,
    "ETH/BTC": 2.0,
    "THIN/BTC": 40.0,
    "THIN/USDT": 15.0,
    "ETH/USDT:USDT": 1.0,
    "BTC/USD:BTC": 1.0,
}


def random_tape(seed: int, *, n_rows: int = 500, n_fills: int = 80, hours: float = 8.0) -> Tape:
    """Seven markets that hang together, three accounts, all kinds of rows; some fills absurdly priced.

    Times lie on a coarse grid, so that many events share one.
    """
    rng = np.random.default_rng(seed)
    tape = Tape()
    steps = 64
    seconds = hours * HOUR_S
    walks = {coin: np.cumsum(rng.normal(0.0, 20e-4, steps)) for coin in ("BTC", "ETH", "THIN")}
    start = {"BTC": 60_000.0, "ETH": 3000.0, "THIN": 10.0 ** rng.uniform(-6.0, 0.0)}

    def price(symbol: str, at: float) -> float:
        step = min(int(at / seconds * steps), steps - 1)
        base, _, quote = symbol.partition(":")[0].partition("/")
        worth: dict[str, float] = {
            coin: start[coin] * float(np.exp(walk[step])) for coin, walk in walks.items()
        }
        return worth[base] / worth.get(quote, 1.0)

    def time() -> float:
        return float(np.round(rng.uniform(0.0, seconds), rng.integers(-1, 3)))

    symbols = list(SPREADS_BPS)
    tapes_only = set(rng.choice(symbols, 2, replace=False))  # never quoted
    given = rng.choice(
        (1.0, 0.85, 0.35, 0.0), p=(0.6, 0.2, 0.1, 0.1)
    )  # everything, or no quotes, no prints, nothing
    for _ in range(n_rows):
        at = time()
        symbol = symbols[rng.integers(len(symbols))]
        fair = price(symbol, at)
        half = 1e-4 * SPREADS_BPS[symbol] * rng.uniform(0.5, 2.0)
        kind = rng.random()
        if given == 0.0:
            break
        if kind < 0.5 and symbol not in tapes_only and given == 1.0:
            near = fair * float(np.exp(rng.normal(0.0, half)))
            tape.quote(
                at, symbol, near * (1.0 - half), near * (1.0 + half), c=rng.uniform(1, 9), d=rng.uniform(1, 9)
            )
        elif kind < 0.85 and given > 0.5:
            side = int(rng.integers(-1, 2))
            tape.trade(
                at,
                symbol,
                fair * (1.0 + side * half),
                float(rng.uniform(0.1, 5.0)),
                side=side,
                id=int(rng.integers(1, 2**63)) if rng.random() < 0.7 else 0,
                taker_order=int(rng.integers(1, 2**63)) if rng.random() < 0.3 else 0,
                maker_order=int(rng.integers(1, 2**63)) if rng.random() < 0.3 else 0,
            )
        elif kind < 0.92:
            ends = (fair * (1.0 - half), fair * (1.0 + 3.0 * half), fair * (1.0 - 3.0 * half), fair)
            tape.candle(at, symbol, ends, float(rng.uniform(0.0, 50.0)))
        elif kind < 0.97:
            currency = ("USDT", "BTC", "ETH", "THIN", "VOID")[rng.integers(5)]
            worth = start.get(currency, 1.0)
            tape.balance(at, currency, float(rng.uniform(1e4, 5e4)) / worth, ACCOUNTS[rng.integers(2)])
        else:
            order, client = (int(n) for n in rng.integers(1, 40, 2))
            tape.logged(
                at, 77_000 + order, 99_000 + client if rng.random() < 0.5 else 0, ACCOUNTS[rng.integers(2)]
            )
    while len(tape.fills) < n_fills:
        _random_order(rng, tape, time(), price, prints=given > 0.5)
    del tape.fills[n_fills:]
    return tape


def _random_order(rng: np.random.Generator, tape: Tape, at: float, price: Any, *, prints: bool) -> None:
    """One order of an account's: one to four fills, most of them on the tape, too where there is one."""
    symbol = list(SPREADS_BPS)[rng.integers(len(SPREADS_BPS))]
    account = ACCOUNTS[rng.integers(len(ACCOUNTS))]
    side = int(rng.choice((-1, 1)))
    order = 77_000 + int(rng.integers(1, 40)) if rng.random() < 0.9 else 0
    client = 99_000 + int(rng.integers(1, 40)) if rng.random() < 0.5 else 0
    liquidity = Liquidity(int(rng.integers(3)))
    worse = float(rng.uniform(0.02, 0.6)) if rng.random() < 0.15 else 0.0
    amount = 10.0 ** rng.uniform(1.0, 3.5) / price(symbol, at)
    if symbol == INVERSE.symbol:
        amount = float(rng.integers(1, 50))
    forced = rng.random() < 0.05
    for part in range(rng.integers(1, 5)):
        half = 1e-4 * SPREADS_BPS[symbol]
        paid = price(symbol, at) * (1.0 + side * (half + 0.002 * part)) * (1.0 + worse) ** side
        other: dict[str, Any] = {"account": account, "order": order, "client": client, "liquidity": liquidity}
        other |= {
            "client_prefix": int(rng.integers(3)),
            "type": OrderType(int(rng.integers(3))),
            "flags": int(forced),
        }
        if rng.random() < 0.5:
            fee = ("USDT", "BTC", "BNB")[rng.integers(3)]
            other |= {"fee_cost": float(rng.uniform(-1e-4, 1e-3)), "fee_currency": fee}
        if rng.random() < 0.1:
            other["mark"] = price(symbol, at)
        if rng.random() < 0.3:
            other["counterparty"] = int(rng.integers(1, 6))
        if rng.random() < 0.3 and not symbol.endswith(":BTC"):
            other["cost"] = paid * amount
        number = tape.fill(at, symbol, side, paid, amount, **other)
        if rng.random() < 0.7 and prints:
            told = rng.random() < 0.8
            own = {"taker_order": order} if rng.random() < 0.5 else {}
            tape.trade(at, symbol, paid, amount, side=side, id=number if told else 0, **own)
        at += float(rng.choice((0.0, 0.1, 30.0)))


def shuffled_names(rng: np.random.Generator, tape: Tape) -> Names:
    """Names of everything on a tape, their codes drawn by lot."""
    names = Names()
    events = [*tape.rows, *tape.fills]
    markets = sorted({(event.exchange, event.symbol) for event in events if event.symbol})
    accounts = sorted({event.account for event in events if event.account})
    currencies = sorted({event.currency for event in events if event.currency} | {"BTC", "USDT", "ETH"})
    for name in rng.permutation(currencies):
        names.currency(str(name))
    for i in rng.permutation(len(markets)):
        exchange, symbol = markets[i]
        if symbol == INVERSE.symbol:
            names.add_market(INVERSE)
        else:
            names.market(exchange, str(symbol))
    for name in rng.permutation(accounts):
        names.account(str(name))
    return names


def usual_names() -> Names:
    """Names that know the one market whose symbol doesn't tell all."""
    names = Names()
    names.add_market(INVERSE)
    return names


# --- a model and an engine -------------------------------------------------------------------------


def tiny_trees() -> PackedTrees:
    """Three stumps that look at what a thief can't hide; unknown is left out by two of them."""
    looks = [index(name) for name in ("deviation_sigmas", "drift_sigmas", "unlike_drift")]
    nodes = np.arange(9)
    root = nodes % 3 == 0
    return PackedTrees(
        column=np.where(root, np.repeat(looks, 3), 0),
        threshold=np.where(root, np.repeat([1.0, 4.0, 2.0], 3), 0.0),
        left=np.where(root, nodes + 1, 0),
        right=np.where(root, nodes + 2, 0),
        missing_left=np.where(root, np.repeat([1, 0, 1], 3), 0),
        value=np.tile([0.0, -0.4, 0.7], 3),
        roots=nodes[root],
        baseline=np.array([0.1]),
    )


@cache
def tiny_model() -> dict[str, NDArray[Any]]:
    """Arrays of a model that flags fills without having learned anything worth knowing."""
    rng = np.random.default_rng(0)
    parts = [
        train_forest(
            rng.exponential(1.0, (256, len(columns))),
            n_estimators=24,
            max_samples=64,
            random_state=1,
            columns=columns,
        )
        for columns in forest_columns()
    ]
    forests = concatenate(parts)
    knots = np.tile(np.linspace(0.35, 0.9, 8), (len(PEERS), len(LEVELS), 1))
    nats = np.tile(np.linspace(-4.0, 10.0, 8), (len(PEERS), len(LEVELS), 1))
    knots[len(FAMILIES) :] = np.linspace(0.0, 20.0, 8)
    nats[SUM] = np.linspace(-5.0, 15.0, 8)
    scale = np.ones(COUNT)
    for name in (
        "deviation_bps",
        "money_equity_bps",
        "sweep_bps",
        "quote_distance_bps",
        "money_noise",
        "markout_bps",
    ):
        scale[index(name)] = 30.0
    packed = {f"forest_{name}": array for name, array in forests._asdict().items()}
    packed |= {f"precedent_{name}": array for name, array in tiny_trees()._asdict().items()}
    return packed | {
        "floor": np.zeros(COUNT),
        "scale": scale,
        "knots": knots,
        "nats": nats,
        "rule_nats": np.full((len(LEVELS), len(RULES)), 4.0),
    }


@cache
def tiny_judge(false_alarms_per_month: float = 0.1) -> Judge:
    """The model as kernels take it."""
    return judge_from(tiny_model(), NAMES, false_alarms_per_month)


def new_engine(names: Names, **settings: Any) -> Engine:
    """An engine with the small model."""
    return Engine(tiny_model(), NAMES, names, **settings)


# --- what comes out --------------------------------------------------------------------------------


@dataclass(slots=True)
class Outcome:
    """All that an engine said."""

    judged: NDArray[np.void]
    features: NDArray[np.float64]
    ids: list[str]
    belongs: list[str | None]
    incidents: list[dict[str, Any]]
    engine: Engine

    def feature(self, name: str) -> NDArray[np.float64]:
        """Column of a feature, one value a fill."""
        column: NDArray[np.float64] = self.features[:, index(name)]
        return column


def feed(engine: Engine, batches: Sequence[Batch]) -> Outcome:
    """Feed batches one after the other; says what came of these."""
    blocks = []
    for batch in batches:
        engine.feed(batch)
        blocks += engine.take_outputs()[0]
    judged = [block.judged for block in blocks]
    return Outcome(
        np.concatenate(judged) if judged else np.zeros(0, JUDGED),
        np.concatenate([block.features for block in blocks]) if blocks else np.zeros((0, COUNT)),
        [str(number) for block in blocks for number in block.ids],
        [incident for block in blocks for incident in block.incidents],
        [incident.to_dict() for incident in engine.incidents],
        engine,
    )


def judge(tape: Tape, names: Names | None = None, **settings: Any) -> Outcome:
    """What an engine that has seen nothing yet says of a tape as a whole."""
    names = usual_names() if names is None else names
    return feed(new_engine(names, **settings), [tape.batch(names)])


def cut(batch: Batch, places: Sequence[int]) -> list[Batch]:
    """The batch in pieces; a place is a number of events, rows and fills counted as they are taken."""
    times = np.concatenate([batch.rows["ts_ns"], batch.fills["ts_ns"]])
    is_fill = np.r_[np.zeros(len(batch.rows), bool), np.ones(len(batch.fills), bool)]
    taken = is_fill[np.lexsort((is_fill, times))]
    fills = np.r_[0, np.cumsum(taken)]
    ends = sorted({min(max(place, 0), len(taken)) for place in places} | {0, len(taken)})
    pieces = []
    for start, end in pairwise(ends):
        row = slice(start - fills[start], end - fills[end])
        fill = slice(fills[start], fills[end])
        pieces.append(Batch(batch.rows[row], batch.fills[fill], batch.ids[fill], batch.orders[fill]))
    return pieces


def differing(first: NDArray[np.void], second: NDArray[np.void]) -> list[str]:
    """Fields whose bytes differ: NaN equals itself, 0.0 doesn't equal -0.0. `[]`: none."""
    if len(first) != len(second):
        return [f"{len(first)} records against {len(second)}"]
    return [name for name in first.dtype.names or () if first[name].tobytes() != second[name].tobytes()]


# --- what naive recomputations need ----------------------------------------------------------------


def begins_order(fills: NDArray[np.void]) -> NDArray[np.bool_]:
    """Whether each fill is the first of its order: of a run of fills of one order in its account and market.

    Where no order is named, fills of one side within a second of one another are one order.
    """
    begins = np.ones(len(fills), bool)
    last: dict[tuple[int, int], Any] = {}
    for i, fill in enumerate(fills):
        key = (int(fill["account"]), int(fill["market"]))
        before = last.get(key)
        if before is not None:
            if fill["order"]:
                begins[i] = fill["order"] != before["order"]
            else:
                near = fill["ts_ns"] - before["ts_ns"] <= NS_PER_S
                begins[i] = fill["side"] != before["side"] or not near
        last[key] = fill
    return begins


def values_of(names: Names, fills: NDArray[np.void], judged: NDArray[np.void]) -> NDArray[np.float64]:
    """Worth of each fill: quote units times what one is worth."""
    notional = np.empty(len(fills))
    for i, fill in enumerate(fills):
        spec = names.markets[fill["market"]]
        size = spec.contract_size if spec.contract_size > 0.0 else 1.0
        notional[i] = size * fill["amount"] * (1.0 if spec.inverse else fill["price"])
    values: NDArray[np.float64] = notional * judged["quote_value"]
    return values


def halved(age_ns: Any, half_life_s: float) -> Any:
    """Weight left after a time."""
    return 0.5 ** (np.asarray(age_ns, float) / (half_life_s * 1e9))
