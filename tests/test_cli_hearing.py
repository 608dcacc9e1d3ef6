"""A short listening: on the loopback exchange it hears prices and the account; a wrong key is said."""

from __future__ import annotations

import asyncio

import pytest

from drainwatch.cli.hearing import hear
from drainwatch.config import Account
from drainwatch.errors import KeyRefusedError
from drainwatch.lab.exchange.server import Server
from drainwatch.venues.protocol import Credentials
from loopback import KEY, SECRET, an_exchange


def account_at(server: Server) -> Account:
    return Account(
        name="main",
        exchange="binance",
        url_rest=server.url,
        url_private=server.ws_api_url,
        url_public=f"{server.ws_url}/stream",
    )


def test_the_account_and_its_prices_are_heard() -> None:
    async def scene() -> None:
        async with Server(an_exchange()) as server:
            trading = asyncio.create_task(server.exchange.burst("main", 200, rate=20.0))
            heard = await hear(account_at(server), Credentials(KEY, SECRET), ["ETH/BTC"], patience_s=30.0)
            trading.cancel()
            await asyncio.gather(trading, return_exceptions=True)
        assert heard.stands
        assert heard.symbols == {"ETH/BTC"}

    asyncio.run(scene())


def test_a_market_without_prices_is_missed_when_patience_ends() -> None:
    async def scene() -> None:
        async with Server(an_exchange()) as server:
            heard = await hear(account_at(server), Credentials(KEY, SECRET), ["NO/SUCH"], patience_s=6.0)
        assert heard.stands
        assert heard.symbols == frozenset()

    asyncio.run(scene())


def test_a_key_that_is_not_taken_is_said_without_the_key() -> None:
    async def scene() -> None:
        async with Server(an_exchange()) as server:
            with pytest.raises(KeyRefusedError) as told:
                await hear(account_at(server), Credentials("not-a-key", SECRET), ["ETH/BTC"], patience_s=30.0)
        assert "not-a-key" not in str(told.value)

    asyncio.run(scene())
