"""Cancels an account's open orders, by a key that the owner gave for that and nothing else.

In a thread with a loop of its own: reading a venue's list of markets takes a second of computing, and
the watch must not wait for it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection
from typing import Any, Final

from drainwatch.errors import DrainwatchError, KeyRefusedError
from drainwatch.keys.asking import ask
from drainwatch.response.hook import Done, Hook, HookError
from drainwatch.venues.clock import SystemClock
from drainwatch.venues.orders import OpenOrder, Orders

ROUNDS: Final = 10
"""So often is looked again: answers get lost, and somebody may place new orders meanwhile."""
PATIENCE: Final = 0.9
"""Share of the time limit after which it is said how far it came."""


async def check(hook: Hook) -> str:
    """List the open orders by that key; says what would be done.

    Raises
    ------
    HookError
        They can't be had, or the key may not trade.
    """
    return await asyncio.to_thread(asyncio.run, _check(hook))


async def run(hook: Hook, incident: dict[str, Any]) -> Done:
    """Cancel until none is left.

    Raises
    ------
    HookError
        Some are left, or it isn't known.
    """
    symbols = {*hook.symbols, *map(str, incident["symbols"])}
    return Done(await asyncio.to_thread(asyncio.run, _cancel(hook, symbols)))


async def _check(hook: Hook) -> str:
    orders = _orders(hook)
    try:
        async with asyncio.timeout(PATIENCE * hook.timeout_s):
            found = await orders.open_orders(hook.symbols)
            key = hook.credentials.key if hook.credentials is not None else ""
            facts = await ask(hook.exchange, orders, key)
    except TimeoutError:
        raise HookError(f"{hook.exchange} didn't answer in time") from None
    except DrainwatchError as error:
        raise HookError(str(error)) from None
    finally:
        await orders.close()
    if facts is not None and facts.trades is False:
        raise HookError(
            f"the key of this response may not trade at {hook.exchange}, and so not cancel: make one that may"
        )
    if facts is not None and facts.takes:
        raise HookError(
            f"the key of this response may withdraw from {hook.exchange}: make one that may not. It needs "
            "to trade, nothing else; bind it to this machine's address"
        )
    return f"would cancel all open orders at {hook.exchange}, {len(found)} now; the key is taken"


async def _cancel(hook: Hook, symbols: Collection[str]) -> str:
    orders = _orders(hook)
    seen: set[OpenOrder] = set()
    left: set[OpenOrder] | None = None
    why = ""
    try:
        async with asyncio.timeout(PATIENCE * hook.timeout_s):
            for _ in range(ROUNDS):
                left = await orders.open_orders(symbols)
                seen |= left
                if not left:
                    break
                why = await _round(orders, left) or why
            else:
                left = await orders.open_orders(symbols)
                seen |= left
    except TimeoutError:
        why = "time ran out"
    except DrainwatchError as error:
        why = str(error)
    finally:
        await orders.close()
    if left is None:
        raise HookError(f"no open order was seen or cancelled: {why}")
    if left or why == "time ran out":
        raise HookError(
            f"of {len(seen)} open orders {len(left)} or fewer are still open"
            f"{': ' + why if why else ''}. Cancel them by hand; if new "
            "ones come, revoke the key that places them"
        )
    markets = len({order.symbol for order in seen})
    return (
        f"no order is open any more; {len(seen)} were, in {markets} markets" if seen else "no order was open"
    )


async def _round(orders: Orders, found: set[OpenOrder]) -> str:
    """Cancel what was found; says what went wrong last, empty for nothing."""
    why = ""
    for symbol, count in sorted(Counter(order.symbol for order in found).items()):
        try:
            if count > 1 and await orders.cancel_all(symbol):
                continue
        except KeyRefusedError:
            raise
        except DrainwatchError as error:
            why = str(error)
        for order in sorted(one for one in found if one.symbol == symbol):
            try:
                await orders.cancel(order)
            except KeyRefusedError:
                raise
            except DrainwatchError as error:
                why = str(error)
    return why


def _orders(hook: Hook) -> Orders:
    return Orders(
        hook.exchange, hook.credentials, SystemClock(), account=hook.account, base_url=hook.url_rest
    )
