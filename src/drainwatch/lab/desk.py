"""The account's desk: holdings, orders, executions, fees, and who placed what.

Owners and thieves are generators that act through one `Desk` and yield the time (seconds after the
start) at which they want to act again; `run` wakes them in order of time.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import exp, inf

import numpy as np
from numpy.typing import NDArray

from drainwatch.lab.markets import Market, Print, Push, Spec, Wall
from drainwatch.lab.paths import Coin, Floats, Paths
from drainwatch.lab.venue import Venue

Agent = Iterator[float]

OWNER, MANUAL, THIEF = "owner", "manual", "thief"


@dataclass(slots=True)
class Fill:
    """One own execution, as it will stand in the tables, and what is true about it."""

    ms: int
    symbol: str
    side: int
    price: float
    amount: float
    order: str
    client: str
    type: str
    liquidity: str
    fee: float
    fee_currency: str
    counterparty: str
    maker_order: str
    taker_order: str
    by: str
    to_thief: bool
    true_fair: float
    quote_usdt: float
    contract_size: float
    note: str
    inverse: bool = False
    id: str = ""
    account: str = ""

    @property
    def cost(self) -> float:
        """Quote units that changed hands, or that the contracts stand for."""
        return self.amount * self.contract_size * (1.0 if self.inverse else self.price)

    @property
    def lost(self) -> float:
        """Quote units that it cost beyond fair value; positive is worse for the account.

        An inverse contract pays in its base coin, size x (1/entry - 1/exit), counted at fair value here.
        """
        off = self.side * (self.price - self.true_fair) * self.amount * self.contract_size
        return off / self.price if self.inverse else off


@dataclass(slots=True)
class Register:
    """What all accounts on a venue share: the last number of an order, and every own execution."""

    orders: int = 0
    fills: list[Fill] = field(default_factory=list)


@dataclass(slots=True)
class Raid:
    """What a thief who robs several accounts at once has chosen and moved already.

    The accounts he comes to next trade the same coin; the price is pushed once.
    """

    chosen: list[str] = field(default_factory=list)
    pushed_until: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deal:
    """One trade of the thief: `side` is his own; `other` is `victim` or `stranger`."""

    ms: int
    symbol: str
    side: int
    price: float
    amount: float
    true_fair: float
    quote_usdt: float
    contract_size: float
    other: str
    inverse: bool = False

    @property
    def gain(self) -> float:
        """USDT that he made beyond fair value, before his own fees; negative where he paid."""
        better = self.side * (self.true_fair - self.price) / (self.price if self.inverse else 1.0)
        return better * self.amount * self.contract_size * self.quote_usdt


@dataclass(slots=True)
class Desk:
    """One account on a venue.

    Accounts that one program trades share world, markets and `register`; their `mind`s are alike.
    """

    rng: np.random.Generator
    world: Paths
    coins: dict[str, Coin]
    markets: dict[str, Market]
    venue: Venue
    difficulty: float = 0.5
    holdings: dict[str, float] = field(default_factory=dict)
    positions: dict[str, tuple[float, float]] = field(default_factory=dict)  # contracts, entry price
    fills: list[Fill] = field(default_factory=list)
    own_orders: list[tuple[int, str, str]] = field(default_factory=list)
    ledger: list[tuple[int, str, float]] = field(default_factory=list)  # every change of a holding
    looks: list[tuple[int, str]] = field(default_factory=list)  # balance rows wanted, "" for all currencies
    thief_names: list[str] = field(default_factory=list)
    thief_ledger: list[Deal] = field(default_factory=list)  # the thief's side of all that he traded
    debts: list[tuple[int, str, float]] = field(default_factory=list)  # borrowed: ms, currency, amount
    nets_debts: bool = False  # whether balance rows are less what is owed of the currency
    silences: list[tuple[float, float]] = field(default_factory=list)  # the owner's program has no orders
    stolen_keys: bool = False
    forged: bool = False
    register: Register = field(default_factory=Register)
    lag_s: float = 0.0  # the owner's orders arrive so much later than in the first account of his farm
    raid: Raid | None = None  # while a thief acts who robs several accounts
    mind: np.random.Generator = field(init=False)  # of the owner's choices; `rng` where nothing is said
    names: np.random.Generator = field(init=False)  # of strangers' names; `rng` where nothing is said
    now: float = 0.0  # when last an order was placed
    _client_number: int = 0
    _related: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mind = self.names = self.rng

    # --- looking -------------------------------------------------------------------------------

    @property
    def end(self) -> float:
        """Length of the world in seconds."""
        return self.world.seconds

    def usdt(self, currency: str, t: float) -> float:
        """Latent value of one unit of a currency in USDT."""
        return self.world.price(currency, t)

    def held(self, currency: str) -> float:
        """Units held."""
        return self.holdings.get(currency, 0.0)

    def value(self, currency: str, t: float) -> float:
        """Value in USDT of what is held of a currency."""
        return self.held(currency) * self.usdt(currency, t)

    def equity(self, t: float) -> float:
        """Value of all holdings and open positions in USDT, less what is owed."""
        total = sum(self.value(currency, t) for currency in self.holdings)
        total -= sum(owed * self.usdt(currency, t) for _, currency, owed in self.debts)
        for symbol, (contracts, entry) in self.positions.items():
            spec = self.markets[symbol].spec
            gain = _gain(spec, contracts, entry, self.markets[symbol].fair_price(t)) if contracts else 0.0
            total += gain * self.usdt(spec.settle, t)
        return total

    def exposure(self, symbol: str, t: float) -> float:
        """Value in USDT of the contracts held in a market, without a sign."""
        spec = self.markets[symbol].spec
        contracts, _ = self.positions.get(symbol, (0.0, 0.0))
        return abs(contracts) * spec.worth(self.mid(symbol, t)) * self.usdt(spec.quote, t)

    def of_kind(self, *kinds: str, quote: str | None = None) -> list[str]:
        """Symbols of spot markets of these kinds, without those not listed yet when last anyone acted."""
        return [
            symbol
            for symbol, market in self.markets.items()
            if market.spec.kind in kinds
            and not market.spec.settle
            and not any(start <= 0.0 and self.now < end for start, end in market.shut)
            and (quote is None or market.spec.quote == quote)
        ]

    def pick(self, names: list[str]) -> str:
        """Draw one; in a raid the market that the thief has chosen before, where it is among them."""
        raid = self.raid
        before = next((name for name in raid.chosen if name in names), None) if raid is not None else None
        drawn = names[int(self.rng.integers(len(names)))]
        if before is None and raid is not None and drawn in self.markets:
            raid.chosen.append(drawn)
        return before or drawn

    def mid(self, symbol: str, t: float) -> float:
        """Mid of a market, displaced as it may be."""
        return exp(self.markets[symbol].log_mid(t))

    # --- money ---------------------------------------------------------------------------------

    def _change(self, ms: int, currency: str, change: float) -> None:
        self.holdings[currency] = self.held(currency) + change
        self.ledger.append((ms, currency, change))

    def fund(self, currency: str, usdt: float, t: float = 0.0) -> None:
        """Put a value of some currency on the account, from outside; the balance table shows it."""
        amount = float(f"{usdt / self.usdt(currency, t):.10g}")
        ms = self._ms(t)
        self._change(ms - 1, currency, max(amount, -self.held(currency)))
        if ms > 0:
            self.looks.append((ms, currency))

    def borrow(self, currency: str, usdt: float, t: float) -> None:
        """Take a loan worth `usdt`: the holding grows, and so does what is owed; the balance table shows it.

        Some venues list what is there, and the loan arrives like a deposit; others (`nets_debts`) what
        is left after the debt: the loan shows only once it is spent, as a total below zero.
        """
        self.fund(currency, usdt, t)
        ms, _, amount = self.ledger[-1]
        self.debts.append((ms, currency, amount))

    def snapshot(self, t: float) -> None:
        """Write a balance row for every currency held or once held."""
        self.looks.append((self._ms(t), ""))

    def balance_rows(self) -> list[tuple[int, str, float]]:
        """Return rows (ms, currency, total): what all fills before that ms left, by the fills' own times."""
        rows = []
        for currency in dict.fromkeys(currency for _, currency, _ in self.ledger):
            mine = sorted((ms, change) for ms, name, change in self.ledger if name == currency)
            times = np.array([ms for ms, _ in mine])
            totals = np.cumsum([change for _, change in mine])
            owed = [(ms, debt) for ms, name, debt in self.debts if name == currency and self.nets_debts]
            for ms, wanted in self.looks:
                before = int(np.searchsorted(times, ms))
                if wanted in {"", currency} and before:
                    less = sum(debt for at, debt in owed if at < ms)
                    rows.append((ms, currency, float(totals[before - 1]) - less))
        return sorted(rows)

    # --- orders --------------------------------------------------------------------------------

    def _ms(self, t: float) -> int:
        return round(t * 1000.0)

    def new_order(self) -> str:
        """Next order id of the venue."""
        self.register.orders += int(self.rng.integers(1, 5000))
        if self.venue.order_style == "hex":
            return f"{self.register.orders * 2654435761 % 2**48:012x}"
        return str(4_000_000_000 + self.register.orders)

    def client_id(self, by: str, ms: int) -> str:
        """Client order id as the placing program makes it, empty where it makes none."""
        habit = self.venue.client
        if by == MANUAL or (by == THIEF and not self.forged):
            text = f"{int(self.names.integers(2**40)):010x}"
            kind = self.names.random()
            return "" if kind < 0.5 else f"web_{text}" if kind < 0.8 else f"x-{text}"
        if habit == "none":
            return ""
        if habit == "counter":
            self._client_number += 1
            return f"{self.venue.prefix}{self._client_number}"
        if habit == "uuid":
            text = f"{int(self.names.integers(2**62)):016x}"
            return f"{self.venue.prefix}-{text[:8]}-{text[8:12]}-{text[12:]}"
        return f"{self.venue.prefix}_{ms}"

    def _place(self, t: float, by: str, client: str | None, age_s: float) -> tuple[str, str, int]:
        order, ms = self.new_order(), self._ms(t)
        self.now = max(self.now, t)
        client = self.client_id(by, ms) if client is None else client
        if by == OWNER:
            self.own_orders.append((self._ms(max(t - age_s, 0.0)) - 5, order, client))
        return order, client, ms

    def silent(self, t: float, by: str) -> bool:
        """Whether these orders can't be placed now: the owner's program is down or its orders cancelled."""
        return by == OWNER and any(start <= t < end for start, end in self.silences)

    def _stranger(self) -> tuple[str, str]:
        """Order id and account id of nobody in particular, empty where the venue is silent."""
        order = str(4_000_000_000 + int(self.names.integers(2**34)) + 2**35)
        return order, f"acct{int(60 * self.names.random() ** 2.5):03d}"

    def _look(self, symbol: str, t: float) -> None:
        """Have quotes of the markets that price this one on the tape just before `t`."""
        if not self.venue.mixed_feeds:
            return
        related = self._related.get(symbol)
        if related is None:
            spec = self.markets[symbol].spec
            near = {spec.base, spec.quote}
            related = [
                other
                for other, market in self.markets.items()
                if other != symbol
                and (
                    market.spec.base == spec.base
                    or (market.spec.quote == "USDT" and market.spec.base in near)
                )
            ]
            self._related[symbol] = related
        for other in related:
            self.markets[other].looks.append(t - float(self.rng.uniform(0.02, 0.9)))

    def _show(self, symbol: str, t: float, ms: int) -> None:
        """Put the best quotes as they are at `t` on the tape at `ms`."""
        market = self.markets[symbol]
        bid, ask = market.best(t)
        unit = self.usdt(market.spec.quote, t) * market.spec.worth(bid)
        sizes = market.spec.depth * np.exp(0.8 * self.rng.standard_normal(2)) / unit
        lot = market.spec.lot
        market.quotes.append(
            (ms, bid, ask, max(market.round_amount(sizes[0]), lot), max(market.round_amount(sizes[1]), lot))
        )

    def taker(
        self,
        t: float,
        symbol: str,
        side: int,
        usdt: float,
        *,
        by: str = OWNER,
        limit: float | None = None,
        client: str | None = None,
        note: str = "",
        share_cap: float = 1.0,
        only_thief: bool = False,
    ) -> list[Fill]:
        """Buy (+1) or sell (-1) for about `usdt` at once, at what the book offers.

        Clipped to the holdings (`share_cap` of them at most); nothing happens below 1 USDT. With
        `limit` it is a limit order that crosses, without it a market order. `only_thief` leaves out
        strangers' levels, as when a thief has emptied the book just before.
        """
        market = self.markets[symbol]
        spec = market.spec
        t += self.lag_s if by == OWNER else 0.0
        if market.closed(t) or self.silent(t, by):
            return []
        unit = self.usdt(spec.quote, t)
        price = self.mid(symbol, t)
        if spec.settle:
            budget, amount = inf, usdt / (spec.worth(price) * unit)
        elif side > 0:
            budget = min(usdt / unit, self.held(spec.quote) * share_cap / (1.0 + self.venue.taker_fee))
            amount = inf
        else:
            budget, amount = inf, min(usdt / (price * unit), self.held(spec.base) * share_cap / (1.0 + 1e-12))
            amount = market.round_amount(amount)
        if min(budget * unit, amount * spec.worth(price) * unit) < 1.0:
            return []
        order, client, ms = self._place(t, by, client, 0.0)
        before = ms - int(self.rng.integers(2, 600))
        if not market.quotes or market.quotes[-1][0] < before:
            self._show(symbol, t, before)
        self._look(symbol, t)
        if only_thief:
            done = market.take_walls(side, amount, t, limit=limit, budget=budget)
        else:
            done = market.take(t, side, amount, self.rng, usdt=unit, limit=limit, budget=budget)
        kind = "market" if limit is None else "limit"
        out = []
        for level, size, wall in done:
            maker_order, maker = (wall.order, wall.owner) if wall is not None else self._stranger()
            out.append(
                self._book(
                    ms, t, market, side, level, size, order, client, kind, "taker", by, wall is not None,
                    maker_order, maker, note,
                )
            )  # fmt: skip
        if done:
            self._show(symbol, t + 0.002, ms + int(self.rng.integers(1, 6)))
        return out

    def maker(
        self,
        t: float,
        symbol: str,
        side: int,
        price: float,
        usdt: float,
        *,
        by: str = OWNER,
        parts: int = 1,
        age_s: float = 60.0,
        client: str | None = None,
        note: str = "",
        thief: bool = False,
    ) -> list[Fill]:
        """Have an own resting order at `price` executed for about `usdt`, in up to `parts` fills.

        Nothing happens in a market that is closed.
        """
        market = self.markets[symbol]
        spec = market.spec
        t += self.lag_s if by == OWNER else 0.0
        if market.closed(t) or self.silent(t, by):
            return []
        unit = self.usdt(spec.quote, t)
        price = market.round_price(price, side)
        amount = usdt / (spec.worth(price) * unit)
        if not spec.settle:
            if side > 0:
                amount = min(
                    amount,
                    self.held(spec.quote) / (price * (1.0 + max(self.venue.maker_fee, 0.0)) * (1 + 1e-12)),
                )
            else:
                amount = min(amount, self.held(spec.base) / (1.0 + 1e-12))
        amount = market.round_amount(amount)
        if amount * spec.worth(price) * unit < 1.0:
            return []
        order, client, ms = self._place(t, by, client, age_s)
        bid, ask = market.best(t)
        bid, ask = (price, max(ask, price + spec.tick)) if side > 0 else (min(bid, price - spec.tick), price)
        before = ms - int(self.rng.integers(2, 300))
        if bid > 0.0 and (not market.quotes or market.quotes[-1][0] < before):
            ours, other = amount, max(market.round_amount(spec.depth / (spec.worth(price) * unit)), spec.lot)
            market.quotes.append((before, bid, ask, *((ours, other) if side > 0 else (other, ours))))
        self._look(symbol, t)
        cuts = np.sort(self.rng.random(parts - 1)) if parts > 1 else np.empty(0)
        done, out = 0.0, []
        for share in [*cuts.tolist(), 1.0]:
            part = (
                market.round_amount(amount * share - done)
                if share < 1.0
                else market.round_amount(amount - done)
            )
            if part < spec.lot * 0.999:
                continue
            done += part
            taker_order, taker = self._stranger()
            if thief:
                taker_order, taker = self.new_order(), self.pick(self.thief_names)
            out.append(
                self._book(
                    ms, t, market, side, price, part, order, client, "limit", "maker", by, thief,
                    taker_order, taker, note,
                )
            )  # fmt: skip
            if self.rng.random() < 0.5:
                ms += int(self.rng.integers(1, 900))
        self._show(symbol, t + 0.002, ms + int(self.rng.integers(1, 6)))
        return out

    def _book(
        self, ms: int, t: float, market: Market, side: int, price: float, amount: float, order: str,
        client: str, kind: str, liquidity: str, by: str, to_thief: bool, other_order: str, other: str,
        note: str,
    ) -> Fill:  # fmt: skip
        spec, venue = market.spec, self.venue
        cost = amount * spec.worth(price)
        rate = venue.taker_fee if liquidity == "taker" else venue.maker_fee
        fee, fee_currency = cost * rate, spec.settle or spec.quote
        if spec.settle:
            fee /= price if spec.inverse else 1.0
            self._settle(ms, spec, side * amount, price)
        else:
            if venue.fee_in == "received" and side > 0:
                fee, fee_currency = amount * rate, spec.base
            self._change(ms, spec.base, side * amount)
            self._change(ms, spec.quote, -side * cost)
        self._change(ms, fee_currency, -fee)
        is_taker = liquidity == "taker"
        own = f"acct_own_{venue.account}"
        fill = Fill(
            ms, spec.symbol, side, price, amount, order, client, kind, liquidity, fee, fee_currency,
            other if venue.discloses == "accounts" else "",
            (other_order if is_taker else order) if venue.discloses == "orders" else "",
            (order if is_taker else other_order) if venue.discloses == "orders" else "",
            by, to_thief, market.fair_price(t), self.usdt(spec.quote, t), spec.contract_size, note,
            inverse=spec.inverse, account=venue.account,
        )  # fmt: skip
        sides = (order, other_order, own, other) if is_taker else (other_order, order, other, own)
        market.prints.append(
            Print(ms, price, amount, side if is_taker else -side, *sides, len(self.register.fills))
        )
        self.register.fills.append(fill)
        self.fills.append(fill)
        if to_thief:
            self._deal(ms, t, market, -side, price, amount, "victim")
        return fill

    def _deal(
        self, ms: int, t: float, market: Market, side: int, price: float, amount: float, other: str
    ) -> None:
        spec = market.spec
        fair, unit = market.fair_price(t), self.usdt(spec.quote, t)
        self.thief_ledger.append(
            Deal(ms, spec.symbol, side, price, amount, fair, unit, spec.contract_size, other, spec.inverse)
        )

    def _settle(self, ms: int, spec: Spec, contracts: float, price: float) -> None:
        """Change a position; what closing it made goes to the holding of what the contract settles in."""
        held, entry = self.positions.get(spec.symbol, (0.0, 0.0))
        if held * contracts >= 0.0:
            old, new = abs(held), abs(contracts)
            if not spec.inverse:
                entry = (entry * old + price * new) / (old + new)
            else:  # so that 1/entry is the mean, as its profit needs
                entry = (old + new) / ((old / entry if old else 0.0) + new / price)
        else:
            closed = min(abs(held), abs(contracts)) * (1.0 if held > 0 else -1.0)
            self._change(ms, spec.settle, _gain(spec, closed, entry, price))
            if abs(contracts) > abs(held):
                entry = price
        self.positions[spec.symbol] = (held + contracts, entry)

    # --- the thief's side ------------------------------------------------------------------------

    def wall(self, t: float, symbol: str, side: int, price: float, usdt: float, *, until: float) -> Wall:
        """Rest an order of the thief: +1 bids, -1 asks."""
        market = self.markets[symbol]
        price = market.round_price(price, side)
        unit = self.usdt(market.spec.quote, t) * market.spec.worth(price)
        amount = max(market.round_amount(usdt / unit), market.spec.lot)
        wall = Wall(side, price, amount, t, until, self.new_order(), self.pick(self.thief_names))
        market.walls.append(wall)
        return wall

    def clear(self, t: float, symbol: str, side: int, price: float) -> None:
        """Let the thief take strangers' levels up to `price` himself, as a taker of `side`."""
        market = self.markets[symbol]
        if market.closed(t):
            return
        ms, order, who = self._ms(t), self.new_order(), self.pick(self.thief_names)
        unit = self.usdt(market.spec.quote, t)
        walls, market.walls = market.walls, []
        done = market.take(t, side, inf, self.rng, usdt=unit, limit=price)
        market.walls = walls
        for level, size, _ in done:
            maker_order, maker = self._stranger()
            market.prints.append(Print(ms, level, size, side, order, maker_order, who, maker, -1))
            self._deal(ms, t, market, side, level, size, "stranger")
        market.empty_to(t, side, price)
        self._show(symbol, t + 0.002, ms + int(self.rng.integers(1, 6)))

    def push(
        self,
        symbol: str,
        times_s: list[float],
        heights: list[float],
        interval_s: float,
        *,
        crowd: bool = False,
    ) -> None:
        """Let the thief move a market's mid with prints and quotes of his own, or a `crowd` that he robs."""
        if self.raid is not None:
            if times_s[0] < self.raid.pushed_until.get(symbol, -inf):
                return
            self.raid.pushed_until[symbol] = times_s[-1]
        owner = "" if crowd else self.pick(self.thief_names)
        self.markets[symbol].pushes.append(Push(tuple(times_s), tuple(heights), interval_s, owner))

    def pushed(
        self, market: Market, times: Floats, sides: NDArray[np.int64], prices: Floats, amounts: Floats
    ) -> None:
        """Book what the thief traded with strangers in pushing a market, once its tape is drawn."""
        rows = (times.tolist(), sides.tolist(), prices.tolist(), amounts.tolist())
        for t, side, price, amount in zip(*rows, strict=True):
            self._deal(self._ms(t), t, market, side, price, amount, "stranger")


def _gain(spec: Spec, contracts: float, entry: float, price: float) -> float:
    """Profit of a position from `entry` to `price`, in units of what the contract settles in."""
    size = contracts * spec.contract_size
    return size * (1.0 / entry - 1.0 / price) if spec.inverse else size * (price - entry)


def run(agents: list[Agent], end: float) -> None:
    """Wake the agents in order of the times they ask for until all have ended or time is up."""
    queue: list[tuple[float, int]] = []
    for i, agent in enumerate(agents):
        first = next(agent, inf)
        if first < end:
            heapq.heappush(queue, (max(first, 1.0), i))
    while queue:
        now, i = heapq.heappop(queue)
        then = next(agents[i], inf)
        if then < end:
            heapq.heappush(queue, (max(then, now + 0.001), i))
