"""An account's open orders, seen and cancelled through ccxt by a key that may trade."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from drainwatch.venues.ccxt_errors import named
from drainwatch.venues.rest import Rest

REQUEST_MS = 5_000
"""So long one request may take: there is little time, and another try may get through."""


class OpenOrder(NamedTuple):
    """An order that can still trade."""

    symbol: str
    id: str


class Orders(Rest):
    """The REST interface of a venue, by a key that may place and cancel orders."""

    async def open_orders(self, symbols: Collection[str]) -> set[OpenOrder]:
        """Give all open orders that the venue lists.

        Parameters
        ----------
        symbols
            Markets to ask for by name: where the venue wants that, and where it has several kinds of
            market, as not every list then is whole (ccxt asks for one settlement currency of each).

        Raises
        ------
        VenueError
            A part can't be had.
        """
        await self.prepare()
        options = self.exchange.options
        options["warnOnFetchOpenOrdersWithoutSymbol"] = False  # else ccxt refuses, as it costs much weight
        found: set[OpenOrder] = set()
        scopes = self._scopes()
        by_name = len(scopes) > 1
        for scope in scopes:
            listed = await self._list(None, scope)
            if listed is None:
                by_name = True
                break
            found |= listed
        for symbol in sorted(symbols) if by_name else ():
            if symbol in self.exchange.markets:
                found |= await self._list(symbol, {}) or set()
        return found

    def _scopes(self) -> list[dict[str, str]]:
        """Give ccxt's options for each list that makes up the whole."""
        scopes = []
        for kind in self._kinds():
            given = {"defaultType": kind.type, "defaultSubType": kind.sub}
            scope = {name: value for name, value in given.items() if value}
            settles = {""}
            if self.exchange_id.startswith("bybit") and kind.sub:
                settles = {
                    str(market["settle"])
                    for market in self.exchange.markets.values()
                    if market.get("type") == kind.type
                    and bool(market.get("inverse")) == (kind.sub == "inverse")
                }
            scopes += [scope | ({"defaultSettle": settle} if settle else {}) for settle in sorted(settles)]
        return scopes

    async def prepare(self) -> None:
        """Learn the venue's markets, if they aren't known."""
        self.exchange.timeout = REQUEST_MS
        # ccxt would wait for two seconds after it has listed Binance's open orders. What is asked here is
        # little, and one after the other: the venue itself says when it is too much.
        self.exchange.enableRateLimit = False
        await self._loaded()

    async def _list(self, symbol: str | None, scope: Mapping[str, str]) -> set[OpenOrder] | None:
        """Give the open orders of a market, or within a scope; None: the venue wants a market named."""
        exchange = self.exchange

        async def call() -> Any:
            kept = {name: exchange.options.get(name) for name in scope}
            exchange.options.update(scope)
            try:
                return await exchange.fetch_open_orders(symbol)
            except Exception as error:
                if symbol is None and named(error, "ArgumentsRequired"):
                    return None
                raise
            finally:
                exchange.options.update(kept)

        reply = await self._ask("asking for open orders", call)
        if reply is None:
            return None
        return {
            OpenOrder(str(order["symbol"]), str(order["id"]))
            for order in (reply if isinstance(reply, list) else ())
            if isinstance(order, Mapping) and order.get("id") and order.get("symbol")
            # some venues list what has just ended as well
            if order.get("status") in (None, "open")
        }

    async def cancel(self, order: OpenOrder) -> None:
        """Cancel an order; one that isn't open any more is no error.

        Raises
        ------
        VenueError
            It couldn't be cancelled.
        """
        await self._cancelling(lambda: self.exchange.cancel_order(order.id, order.symbol))

    async def cancel_all(self, symbol: str) -> bool:
        """Cancel all orders of a market at once; False where the venue can't do that.

        Raises
        ------
        VenueError
            They couldn't be cancelled.
        """
        if not self.exchange.has.get("cancelAllOrders"):
            return False
        await self._cancelling(lambda: self.exchange.cancel_all_orders(symbol))
        return True

    async def _cancelling(self, cancel: Any) -> None:
        async def call() -> None:
            try:
                await cancel()
            except Exception as error:
                # it traded or was cancelled in between, or by a try whose answer was lost
                if not named(error, "OrderNotFound"):
                    raise

        await self._ask("cancelling orders", call)
