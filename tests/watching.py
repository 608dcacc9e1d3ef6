"""Loopback exchanges of several venues, a real watch over one, and what it must have heard in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from drainwatch.config import load_settings
from drainwatch.lab.exchange.accounts import Execution
from drainwatch.lab.exchange.binance_futures import BinanceFutures
from drainwatch.lab.exchange.books import Listing
from drainwatch.lab.exchange.bybit import Bybit
from drainwatch.lab.exchange.faults import Faults
from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.hyperliquid import Hyperliquid
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.okx import Okx
from drainwatch.lab.exchange.units import AMOUNT_DIGITS, MONEY_DIGITS, PRICE_DIGITS, amount_of, price_of
from drainwatch.rows import Fill
from drainwatch.watch.runner import Watch

KEY = "a-key-of-the-loopback-exchange"
SECRET = "a-secret-of-the-loopback-exchange"  # noqa: S105 - opens nothing
PASSPHRASE = "a passphrase of it"  # noqa: S105
ADDRESS = "0x31ca8395cf837de08b24da3f660e77761dfb974b"
WORDS = {"KEY": "key_env", "SECRET": "secret_env", "PASSPHRASE": "passphrase_env"}


@dataclass(frozen=True)
class Venue:
    """How a venue is called, made, and watched."""

    name: str
    make: Callable[[Exchange, Faults], Host[Any]]
    quote: str
    contract_size: str
    secrets: Mapping[str, str]
    socket: str = ""
    """Path of the websockets in the settings."""
    public: str | None = None
    """That of the public ones, if it is another."""
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def spot(self) -> str:
        """Its spot market."""
        return f"PURR/{self.quote}"

    @property
    def swap(self) -> str:
        """Its perpetual."""
        return f"BTC/{self.quote}:{self.quote}"

    def exchange(self, **settings: Any) -> Exchange:
        """Give an exchange with a spot market, a perpetual and an account, and the house's quotes."""
        exchange = Exchange(
            [
                Listing("PURR", self.quote, price_of("0.01"), amount_of("0.01")),
                Listing(
                    "BTC", self.quote, price_of("0.1"), amount_of("0.001"),
                    settle=self.quote, contract_size=amount_of(self.contract_size),
                ),
            ],
            **settings,
        )  # fmt: skip
        exchange.open_account("main", {"PURR": 1_000, self.quote: 10_000_000}, maker_fee=-100)
        key = ADDRESS if "KEY" not in self.secrets else KEY
        passphrase = self.secrets.get("PASSPHRASE", "")
        exchange.add_key("main", key, secret=SECRET, passphrase=passphrase, can_trade=False)
        for symbol, bid, ask in ((self.spot, "19.99", "20.01"), (self.swap, "49999.9", "50000.1")):
            exchange.place("house", symbol, "buy", "limit", 900, bid)
            exchange.place("house", symbol, "sell", "limit", 900, ask)
        exchange.open_account("visitor", {"PURR": 1_000, self.quote: 10_000_000})
        for symbol in (self.spot, self.swap):  # there is a last price
            exchange.place("visitor", symbol, "buy", "market", 1)
        return exchange

    def urls(self, host: Host[Any]) -> dict[str, str]:
        """Give the addresses for the settings."""
        private = host.ws_url + self.socket
        public = private if self.public is None else host.ws_url + self.public
        return {"url_rest": host.url, "url_private": private, "url_public": public}


BYBIT = Venue("bybit", Bybit, "USDT", "1", {"KEY": KEY, "SECRET": SECRET})
OKX = Venue("okx", Okx, "USDT", "0.01", {"KEY": KEY, "SECRET": SECRET, "PASSPHRASE": PASSPHRASE})
HYPERLIQUID = Venue("hyperliquid", Hyperliquid, "USDC", "1", {}, "/ws", settings={"address": ADDRESS})
VENUES = (BYBIT, OKX, HYPERLIQUID)
FUTURES = Venue(
    "binanceusdm", BinanceFutures, "USDT", "1", {"KEY": KEY, "SECRET": SECRET},
    "/private/ws?listenKey={key}", "/public/stream",
)  # fmt: skip


@asynccontextmanager
async def watching(
    folder: Path, venue: Venue, host: Host[Any], secrets: Mapping[str, str] | None = None
) -> AsyncIterator[Watch]:
    """Watch the account until the block ends; `secrets` where they aren't the account's own."""
    secrets = venue.secrets if secrets is None else secrets
    lines = {"name": "main", "exchange": venue.name, **venue.urls(host), **venue.settings}
    lines |= {WORDS[name]: name for name in secrets}
    text = "\n".join(f'{name} = "{value}"' for name, value in lines.items())
    file = folder / "drainwatch.toml"
    file.write_text(
        f'[watch]\nstore = "sqlite:///{folder}/watch.db"\nbackfill_minutes = 0.1\n[[accounts]]\n{text}\n'
    )
    watch = Watch(load_settings(file, env=secrets), environ=secrets)
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


async def stands(watch: Watch) -> None:
    """Wait until all streams stand and the account's past is known."""
    followed = watch.followed[0]
    await eventually(
        lambda: (
            followed.connections
            and all(connection.counts.connected for connection in followed.connections)
            and watch.store.value("known until/main") is not None
        ),
        60.0,
    )


async def eventually(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.02)


async def all_judged(watch: Watch, exchange: Exchange, before: int = 0, seconds: float = 60.0) -> None:
    """Wait until the watch has judged as many fills as the account has executed since `before`."""
    await eventually(lambda: watch.hub.core.judged >= len(exchange.executed("main")) - before, seconds)


def journal(watch: Watch) -> dict[tuple[str, str, str, str], Fill]:
    """Give what is in the journal by market, id, order and side; nothing is there twice."""
    fills = list(watch.store.fills())
    assert len({fill.key for fill in fills}) == len(fills)
    found = {(fill.symbol, fill.id, fill.order or "", fill.side): fill for fill in fills}
    assert len(found) == len(fills)
    return found


def written(count: int, digits: int) -> str:
    """Write a count of a unit without needless zeros."""
    return f"{Decimal(count).scaleb(-digits).normalize():f}"


@dataclass(frozen=True)
class Truth:
    """An execution as a fill must tell it, in the exact figures."""

    side: str
    price: str
    amount: str
    ts_ns: int
    fee_cost: str
    fee_currency: str
    role: str
    client: str

    @classmethod
    def of(cls, execution: Execution, venue: Venue) -> Truth:
        """Tell what an execution was."""
        order = execution.order
        price, amount, fee = (
            written(execution.price, PRICE_DIGITS),
            written(execution.amount, AMOUNT_DIGITS),
            written(execution.fee, MONEY_DIGITS),
        )
        if (
            venue is HYPERLIQUID
        ):  # which writes a decimal always, and tells of its own kind of client ids only
            price, amount, fee = (text if "." in text else f"{text}.0" for text in (price, amount, fee))
        client = order.client_id if venue is not HYPERLIQUID or order.client_id.startswith("0x") else ""
        return cls(
            side="buy" if order.buy else "sell",
            price=price,
            amount=amount,
            ts_ns=execution.ms * 1_000_000,
            fee_cost=fee,
            fee_currency=execution.fee_currency,
            role="maker" if execution.maker else "taker",
            client=client,
        )

    @classmethod
    def told(cls, fill: Fill) -> Truth:
        """Tell what a fill says."""
        return cls(
            side=fill.side,
            price=fill.price,
            amount=fill.amount,
            ts_ns=fill.ts_ns,
            fee_cost=fill.fee_cost or "",
            fee_currency=fill.fee_currency or "",
            role=fill.taker_or_maker or "",
            client=fill.client_order_id or "",
        )


def truths(exchange: Exchange, venue: Venue, before: int = 0) -> list[tuple[str, Truth]]:
    """Give market and figures of all that the account executed since `before`, sorted."""
    made = exchange.executed("main")[before:]
    return sorted(((one.order.book.symbol, Truth.of(one, venue)) for one in made), key=repr)


def told(watch: Watch) -> list[tuple[str, Truth]]:
    """Give market and figures of all in the journal, sorted."""
    return sorted(((fill.symbol, Truth.told(fill)) for fill in journal(watch).values()), key=repr)
