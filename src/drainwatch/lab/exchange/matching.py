"""The exchange itself, without a network: accounts, order books, and trades between them.

Everything is counted in whole units, so that what the accounts hold and the fees paid always add up to
what was brought in. A perpetual contract is paid for in full, as if it were bought, and may be sold by
who has none: there is no margin. What happens is told to listeners at once and in order.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count

from drainwatch.lab.exchange import filters
from drainwatch.lab.exchange.accounts import Account, Execution, Order, RefusedError, is_position
from drainwatch.lab.exchange.books import Book, Listing
from drainwatch.lab.exchange.prints import Print
from drainwatch.lab.exchange.registry import Registry, poor
from drainwatch.lab.exchange.timeline import wall_clock_ms
from drainwatch.lab.exchange.units import Number, price_of

_BURST_ORDER = 50


class Exchange(Registry):
    """Order books and accounts.

    Parameters
    ----------
    listings
        The markets.
    clock
        Time in ms since the epoch.
    self_trades
        Whether an account's order may trade with one of its own; else the resting one expires.
    shows_orders
        Whether prints tell the ids of both orders (Binance once did).
    """

    def __init__(
        self,
        listings: Iterable[Listing],
        *,
        clock: Callable[[], int] = wall_clock_ms,
        self_trades: bool = False,
        shows_orders: bool = False,
    ) -> None:
        super().__init__(listings, clock=clock)
        self.self_trades = self_trades
        self.shows_orders = shows_orders
        self._order_ids = count(1)
        self._quiet: set[str] = set()

    def place(
        self,
        account: Account | str,
        symbol: str,
        side: str,
        type: str,  # noqa: A002 - the field's own word, as in `rows.Fill`
        amount: Number | None = None,
        price: Number | None = None,
        *,
        time_in_force: str = "GTC",
        client_id: str | None = None,
        quote_amount: Number | None = None,
    ) -> Order:
        """Place an order, which trades at once as far as it can.

        Parameters
        ----------
        account
            Whose.
        symbol
            Unified or the exchange's own.
        side
            `buy` or `sell`.
        type
            `limit`, `market` or `limit_maker`.
        amount
            Base units; None for a market order with a `quote_amount`.
        price
            Quote a base; None for a market order.
        time_in_force
            `GTC`, `IOC` or `FOK`.
        client_id
            Name that the account gives it; None for one that the exchange makes up.
        quote_amount
            What a market order may spend or shall bring in.

        Raises
        ------
        RefusedError
            It doesn't fit the market's steps, or the account lacks the money.
        """
        owner, book, buy, type_ = self.account(account), self.book(symbol), _is_buy(side), type.upper()
        counted, limit, budget = filters.sized(
            book, buy=buy, type_=type_, force=time_in_force, amount=amount, price=price,
            quote_amount=quote_amount,
        )  # fmt: skip
        order = self._order(owner, book, buy, type_, time_in_force, counted, limit, client_id, None)
        order.budget = budget
        crosses = next(book.opposing(buy=buy, limit=limit), None) is not None
        if type_ == "LIMIT_MAKER" and crosses:
            raise RefusedError(-2010, "Order would immediately match and take.")
        self._reserve(order)
        before = book.top()
        self._accept(order)
        if crosses and (time_in_force != "FOK" or self._fills_whole(order)):
            self._match(order)
        if order.is_open:
            if type_ == "MARKET" or time_in_force != "GTC":
                self._end(order, "EXPIRED")
            else:
                book.add(order)
        self._settled(book, before, owner)
        self._forget(order)
        return order

    def cancel(self, account: Account | str, symbol: str, order_id: int | str) -> Order:
        """Cancel an open order by its id or its client id.

        Raises
        ------
        RefusedError
            There is no such open order.
        """
        owner, book = self.account(account), self.book(symbol)
        order = owner.orders.get(order_id) if isinstance(order_id, int) else owner.by_client_id.get(order_id)
        if order is None or order.book is not book or not order.is_open:
            raise RefusedError(-2011, "Unknown order sent.")
        before = book.top()
        book.remove(order)
        self._end(order, "CANCELED")
        self._settled(book, before, owner)
        self._forget(order)
        return order

    def new_order(
        self,
        account: Account | str,
        symbol: str,
        side: str,
        type: str,  # noqa: A002
        amount: int,
        price: int,
        *,
        client_id: str | None = None,
        order_id: int | None = None,
    ) -> Order:
        """Make an order for `cross`, in units: it is reported, but doesn't rest in the book."""
        owner, book = self.account(account), self.book(symbol)
        order = self._order(
            owner, book, _is_buy(side), type.upper(), "GTC", amount, price, client_id, order_id
        )
        self._accept(order)
        return order

    def cross(
        self,
        taker: Order,
        maker: Order,
        price: int,
        amount: int,
        *,
        trade_id: int | None = None,
        fee: tuple[int, str] | None = None,
    ) -> None:
        """Let two orders of `new_order` trade with each other, in units, whatever the book shows.

        Parameters
        ----------
        taker, maker
            The orders.
        price, amount
            Of the trade.
        trade_id
            None for the market's next.
        fee
            Money and currency that whoever isn't the house pays; None for what the accounts usually pay.

        Raises
        ------
        RefusedError
            One of them lacks the money.
        """
        for order in (taker, maker):
            self._provide(order.account, *order.pays(amount, price))
        self._execute(taker, maker, price, amount, trade_id, fee)
        others = () if fee is None else (fee[1],)
        for account in (taker.account, maker.account):
            self._tell_balances(account, taker.book, others)
        self._forget(maker)
        self._forget(taker)

    def strangers(
        self, symbol: str, side: str, price: int, amount: int, *, trade_id: int | None = None,
        taker_order: int | None = None, maker_order: int | None = None,
    ) -> None:  # fmt: skip
        """Print a trade between two who have no account here, in units; `side` is the taker's."""
        book, buy = self.book(symbol), _is_buy(side)
        number = book.next_trade_id if trade_id is None else trade_id
        book.next_trade_id = max(book.next_trade_id, number + 1)
        taker = next(self._order_ids) if taker_order is None else taker_order
        maker = next(self._order_ids) if maker_order is None else maker_order
        buyer, seller = (taker, maker) if buy else (maker, taker)
        self._print(book, Print(number, self.clock(), price, amount, not buy, buyer, seller))

    @contextmanager
    def at_once(self, symbol: str) -> Iterator[None]:
        """Let several orders change a market's best prices as if they were one."""
        book = self.book(symbol)
        before = book.top()
        self._quiet.add(book.symbol)
        try:
            yield
        finally:
            self._quiet.discard(book.symbol)
            self._tell_top(book, before)

    async def burst(
        self, account: Account | str, n: int, symbol: str | None = None, *, rate: float | None = None
    ) -> None:
        """Execute `n` fills of an account against the house, at full speed or `rate` a second.

        It buys and sells a lot each in turn, in orders of up to 50 fills, and waits for those who listen.
        """
        owner = self.account(account)
        book = self.book(symbol) if symbol is not None else next(iter(self.books.values()))
        name, lot, last = book.symbol, book.listing.lot, book.prints.last
        price = last[-1].price if last else max(price_of(1) // book.listing.tick, 1) * book.listing.tick
        per_order = _BURST_ORDER if rate is None else 1
        started, done, buy = time.monotonic(), 0, True
        while done < n:
            part = min(per_order, n - done)
            taker = self.new_order(owner, name, "buy" if buy else "sell", "market", lot * part, 0)
            maker = self.new_order(self.house, name, "sell" if buy else "buy", "limit", lot * part, price)
            for order in (taker, maker):
                self._provide(order.account, *order.pays(lot * part, price))
            for _ in range(part):
                self._execute(taker, maker, price, lot, None, None)
            self._tell_balances(owner, book)
            self._forget(maker)
            done, buy = done + part, not buy
            for listener in self.listeners:
                await listener.drained()
            await asyncio.sleep(0 if rate is None else max(started + done / rate - time.monotonic(), 0))

    # --- what happens inside ----------------------------------------------------------------------

    def _order(
        self, owner: Account, book: Book, buy: bool, type_: str, force: str, amount: int, price: int,
        client_id: str | None, order_id: int | None,
    ) -> Order:  # fmt: skip
        number = next(self._order_ids) if order_id is None else order_id
        name = f"lo{number:020x}" if client_id is None else filters.client_id(client_id)
        known = owner.by_client_id.get(name)
        if order_id is None and known is not None and known.is_open:
            raise RefusedError(-2010, "Duplicate order sent.")
        now = self.clock()
        return Order(number, name, owner, book, buy, type_, force, price, amount, now, now)

    def _accept(self, order: Order) -> None:
        order.account.orders[order.id] = order
        if order.client_id:
            order.account.by_client_id[order.client_id] = order
        self._report(order, "NEW")

    def _reserve(self, order: Order) -> None:
        """Lock what a limit order may cost; see that a market order can be paid."""
        account, listing = order.account, order.book.listing
        if order.price:
            held, needed = order.pays(order.left, order.price)
            self._provide(account, held, needed)
            order.locked = needed
            account.free[held] = account.free.get(held, 0) - needed
            account.locked[held] = account.locked.get(held, 0) + needed
        elif order.buy:
            left, cost = order.left, 0
            for other in order.book.opposing(buy=True, limit=0):
                part = min(left, other.left)
                left, cost = left - part, cost + listing.cost(part, other.price)
                if not left:
                    break
            fee = account.worst_fee(cost, in_quote=bool(listing.settle))
            self._provide(account, listing.quote, cost + fee)
        else:
            self._provide(account, *order.pays(order.left, 0))

    def _provide(self, account: Account, currency: str, money: int) -> None:
        """See that an account has some money free."""
        if is_position(currency):
            return
        lacking = money - account.free.get(currency, 0)
        if lacking > 0:
            if not account.unlimited:
                raise poor()
            self.deposit(account, currency, lacking)

    def _fills_whole(self, order: Order) -> bool:
        """Whether the whole order would trade at once."""
        wanted = order.left
        for other in order.book.opposing(buy=order.buy, limit=order.price):
            if other.account is order.account and not self.self_trades:
                continue
            wanted -= other.left
            if wanted <= 0:
                return True
        return False

    def _match(self, order: Order) -> None:
        """Trade with resting orders until the order is done or nothing fits."""
        book, limit = order.book, order.price
        while order.left and (other := book.front(buy=not order.buy)) is not None:
            price = other.price
            if limit and (price > limit if order.buy else price < limit):
                return
            if other.account is order.account and not self.self_trades:
                book.remove(other)
                self._end(other, "EXPIRED_IN_MATCH", "TRADE_PREVENTION")
                continue
            amount = min(order.left, other.left)
            book.reduce(other, amount)
            self._execute(order, other, price, amount, None, None)
            self._tell_balances(other.account, book)
            self._forget(other)

    def _execute(
        self, taker: Order, maker: Order, price: int, amount: int, trade_id: int | None,
        fee: tuple[int, str] | None,
    ) -> None:  # fmt: skip
        """Move money and base between two accounts, and tell everybody."""
        book, now = taker.book, self.clock()
        number = book.next_trade_id if trade_id is None else trade_id
        book.next_trade_id = max(book.next_trade_id, number + 1)
        for order in (taker, maker):
            fixed = None if order.account is self.house else fee
            execution = order.settle(now, number, price, amount, fixed, maker=order is maker)
            self.fees[execution.fee_currency] = self.fees.get(execution.fee_currency, 0) + execution.fee
            self._report(order, "TRADE", execution)
        buyer, seller = (taker, maker) if taker.buy else (maker, taker)
        self._print(book, Print(number, now, price, amount, maker.buy, buyer.id, seller.id))

    def _print(self, book: Book, trade: Print) -> None:
        book.prints.add(trade)
        for listener in self.listeners:
            listener.traded(book, trade)

    def _end(self, order: Order, status: str, what: str | None = None) -> None:
        """End an order that isn't filled and give its money back."""
        order.status = status
        order.release()
        order.updated_ms = self.clock()
        self._report(order, what or status)

    def _report(self, order: Order, what: str, execution: Execution | None = None) -> None:
        for listener in self.listeners:
            listener.reported(order, what, execution)

    def _tell_balances(self, account: Account, book: Book, others: Iterable[str] = ()) -> None:
        if self.listeners:
            currencies = {book.listing.held: None, book.listing.quote: None, **dict.fromkeys(others)}
            for listener in self.listeners:
                listener.balances_changed(account, currencies)

    def _settled(self, book: Book, before: tuple[int, int, int, int], owner: Account) -> None:
        """Tell what came of a request: balances, and the best prices if they are others now."""
        self._tell_balances(owner, book)
        self._tell_top(book, before)

    def _tell_top(self, book: Book, before: tuple[int, int, int, int]) -> None:
        if book.symbol not in self._quiet and book.top() != before:
            for listener in self.listeners:
                listener.quoted(book)

    def _forget(self, order: Order) -> None:
        """Drop a done order of an account that keeps no history."""
        account = order.account
        if not account.remembers and not order.is_open:
            account.orders.pop(order.id, None)
            account.by_client_id.pop(order.client_id, None)


def _is_buy(side: str) -> bool:
    if side.upper() not in {"BUY", "SELL"}:
        raise RefusedError(-1117, "Invalid side.")
    return side.upper() == "BUY"
