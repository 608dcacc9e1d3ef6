"""A scenario's owner and thief on the loopback exchange: who watches it sees what its tables say.

Strangers' quotes and trades are the house's. An account's fill meets a counter-order of the house at
its own price and amount, and keeps its trade id, order id, client id and fee.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from drainwatch.lab.exchange.accounts import Order
from drainwatch.lab.exchange.books import Listing
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.timeline import Timeline
from drainwatch.lab.exchange.units import AMOUNT_DIGITS, MONEY_DIGITS, PRICE_DIGITS, amount_text, price_text
from drainwatch.lab.stream import Row, timed_rows

if TYPE_CHECKING:
    from drainwatch.lab.scenario import Scenario

_TABLES = ("trades", "quotes", "balances", "fills")
_NOISE = 1e-9
_AT_ONCE = 100


def _rounded(number: float, digits: int) -> int:
    """Give units of a lab's number: sums of floats have more decimals than anybody means."""
    return round(Decimal(repr(number)).scaleb(digits))


def _money(number: float) -> int:
    return _rounded(number, MONEY_DIGITS)


def _amount(number: float) -> int:
    return _rounded(number, AMOUNT_DIGITS)


def _price(number: float) -> int:
    return _rounded(number, PRICE_DIGITS)


class Population:
    """Plays a scenario on an exchange of its own.

    Parameters
    ----------
    scenario
        What happens. Derivatives are left out: the exchange trades spot.
    shift_ms
        What is added to all its times.
    """

    def __init__(self, scenario: Scenario, *, shift_ms: int = 0) -> None:
        self.scenario = scenario
        self.shift_ms = shift_ms
        self.counts: Counter[str] = Counter()
        """Rows played, by table, and why others were left out."""
        self._rows: Iterator[tuple[int, Row]] = timed_rows(scenario, _TABLES)
        self._next: tuple[int, Row] | None = next(self._rows, None)
        self.clock = Timeline(self.shift_ms + (self._next[0] if self._next else 0))
        self.exchange = Exchange(
            _listings(scenario), clock=self.clock.now_ms, shows_orders=scenario.discloses == "orders"
        )
        for name in scenario.accounts:
            self.exchange.open_account(name)
        fills = scenario.fills
        self._venue = str(fills["exchange"].iloc[0]) if len(fills) else ""
        self._hex = any(not str(order).isdigit() for order in fills["order"].tolist())
        self._own = set(zip(fills["symbol"].tolist(), fills["id"].tolist(), strict=True))
        self._wanted: dict[tuple[str, str], tuple[int, int]] = _wanted(scenario)
        self._orders: dict[tuple[str, str], Order] = {}
        self._quotes: dict[tuple[str, str], Order] = {}
        self._late: dict[str, Row] | None = None

    @property
    def done(self) -> bool:
        """Whether all has been played."""
        return self._next is None

    @property
    def upcoming(self) -> tuple[int, Row] | None:
        """The row that is played next, with its time (ms, of the scenario); None when all has been."""
        return self._next

    def history(self, until_ms: int | None = None) -> None:
        """Let everything before a time (of the scenario; None for all) happen at once.

        Of the quotes only the last of each market are made: nobody sees the others.
        """
        self._late = {}
        while self._next is not None and (until_ms is None or self._next[0] < until_ms):
            self.step()
        late, self._late = self._late, None
        for row in late.values():
            self._quote(row)

    async def play(self, speed: float = 1.0, until_ms: int | None = None) -> None:
        """Let everything before a time happen in its time, `speed` times as fast.

        While it plays, the exchange's clock runs as fast; then it stands still.
        """
        if self._next is not None:
            self.clock.run(self._next[0] + self.shift_ms, speed)
        steps = 0
        while (upcoming := self._next) is not None and (until_ms is None or upcoming[0] < until_ms):
            wait = self.clock.due_in(upcoming[0] + self.shift_ms)
            steps += 1
            if wait > 0.0 or steps % _AT_ONCE == 0:
                await asyncio.sleep(max(wait, 0.0))
                for listener in self.exchange.listeners:
                    await listener.drained()
            self.step()
            self.clock.go_on()
        self.clock.stand(self.clock.now_ms())

    def step(self) -> None:
        """Play one row, at its own time; the exchange's clock then stands there."""
        if self._next is None:
            return
        ms, row = self._next
        self._next = next(self._rows, None)
        self.clock.stand(ms + self.shift_ms)
        table = row["table"]
        if ":" in str(row.get("symbol", "")):
            self.counts["no spot market"] += 1
        elif table == "balances":
            self._balance(row)
        elif row["exchange"] != self._venue:
            self.counts["another exchange"] += 1
        elif table == "fills":
            self._fill(row)
        elif table == "quotes":
            self.counts["quotes"] += 1
            if self._late is None:
                self._quote(row)
            else:
                self._late[row["symbol"]] = row
        elif (row["symbol"], row["id"]) not in self._own:
            self._trade(row)

    def _balance(self, row: Row) -> None:
        """Bring money in or take it away until the account holds what the row says."""
        account, currency = self.exchange.account(row["account"]), row["currency"]
        total = _money(row["total"])
        change = total - account.total(currency)
        if abs(change) > _NOISE * total or (change and not total):
            self.exchange.deposit(account, currency, max(change, -account.free.get(currency, 0)))
        self.counts["balances"] += 1

    def _quote(self, row: Row) -> None:
        """Let the house's best bid and ask be those of the row."""
        symbol = row["symbol"]
        with self.exchange.at_once(symbol):
            for side in ("buy", "sell"):
                old = self._quotes.pop((symbol, side), None)
                if old is not None and old.is_open:
                    self.exchange.cancel("house", symbol, old.id)
            for side, name in (("buy", "bid"), ("sell", "ask")):
                size = row.get(f"{name}_size")
                if size:
                    self._quotes[symbol, side] = self.exchange.place(
                        "house",
                        symbol,
                        side,
                        "limit",
                        amount_text(_amount(size)),
                        price_text(_price(row[name])),
                    )

    def _trade(self, row: Row) -> None:
        """Let two strangers trade."""
        self.exchange.strangers(
            row["symbol"],
            row["side"],
            _price(row["price"]),
            _amount(row["amount"]),
            trade_id=_number(row.get("id"), hexed=False),
            taker_order=_number(row.get("taker_order"), hexed=self._hex),
            maker_order=_number(row.get("maker_order"), hexed=self._hex),
        )
        self.counts["trades"] += 1

    def _fill(self, row: Row) -> None:
        """Let an account trade with the house, as the row says."""
        price, amount = _price(row["price"]), _amount(row["amount"])
        order = self._order(row)
        maker = row.get("taker_or_maker") == "maker"
        counter = self._counter(
            row, "taker_order" if maker else "maker_order", _other(row["side"]), amount, 0 if maker else price
        )
        fee = _money(row.get("fee_cost", 0.0)), row.get("fee_currency") or order.book.listing.quote
        currency, paid = order.pays(amount, price)
        self._lend(order, currency, paid)
        self._lend(order, fee[1], fee[0] + (paid if fee[1] == currency else 0))
        self.exchange.cross(
            counter if maker else order,
            order if maker else counter,
            price,
            amount,
            trade_id=_number(row["id"], hexed=False),
            fee=fee,
        )
        self.counts["fills"] += 1

    def _order(self, row: Row) -> Order:
        """Give the account's order, placed when its first fill comes, for all that it will ever fill."""
        key = row["account"], row["order"]
        if key not in self._orders:
            amount, limit = self._wanted[key]
            type_ = row.get("type") or "limit"
            self._orders[key] = self.exchange.new_order(
                row["account"],
                row["symbol"],
                row["side"],
                type_,
                amount,
                0 if type_ == "market" else limit,
                client_id=row.get("client_order_id") or "",
                order_id=_number(row["order"], hexed=self._hex),
            )
        return self._orders[key]

    def _counter(self, row: Row, column: str, side: str, amount: int, price: int) -> Order:
        """Make an order of the house, with the id that the row gives it."""
        known = _number(row.get(column), hexed=self._hex)
        kind = "limit" if price else "market"
        return self.exchange.new_order("house", row["symbol"], side, kind, amount, price, order_id=known)

    def _lend(self, order: Order, currency: str, needed: int) -> None:
        """Bring in what the account lacks: the lab lets some owners borrow."""
        lacking = needed - order.account.free.get(currency, 0)
        if lacking > 0:
            self.exchange.deposit(order.account, currency, lacking)
            self.counts["lent"] += 1


def _listings(scenario: Scenario) -> Iterator[Listing]:
    for market in scenario.markets.to_dict("records"):
        if ":" not in market["symbol"]:
            yield Listing(market["base"], market["quote"], _price(float(market["tick_size"])))


def _wanted(scenario: Scenario) -> dict[tuple[str, str], tuple[int, int]]:
    """Give each order's whole amount and its worst price, in units."""
    wanted: dict[tuple[str, str], tuple[int, int]] = {}
    fills: dict[str, list[Any]] = {
        name: scenario.fills[name].tolist()
        for name in ("account", "order", "symbol", "side", "price", "amount")
    }
    for account, order, symbol, side, price, amount in zip(*fills.values(), strict=True):
        if ":" not in symbol:
            sum_, worst = wanted.get((account, order), (0, _price(price)))
            worst = max(worst, _price(price)) if side == "buy" else min(worst, _price(price))
            wanted[account, order] = sum_ + _amount(amount), worst
    return wanted


def _other(side: str) -> str:
    return "sell" if side == "buy" else "buy"


def _number(text: str | None, *, hexed: bool) -> int | None:
    """Give an id as the number that Binance's messages need; None where there is none."""
    return None if text is None else int(text, 16 if hexed else 10)
