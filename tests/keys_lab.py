"""Loopback exchanges that run beside a command, and settings that name an account's key at each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drainwatch.lab.exchange.accounts import Key
from drainwatch.lab.exchange.books import Listing
from drainwatch.lab.exchange.bybit import Bybit
from drainwatch.lab.exchange.faults import Faults
from drainwatch.lab.exchange.host import Host
from drainwatch.lab.exchange.kraken import Kraken
from drainwatch.lab.exchange.kucoin import Kucoin
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.okx import Okx
from drainwatch.lab.exchange.server import Server
from drainwatch.lab.exchange.units import amount_of, price_of

KEY = "plantedKeyOfTheLab7mZ4vT9xW2cN8bL5pR1sK6"
SECRET = "cGxhbnRlZCBzZWNyZXQgb2YgdGhlIGxhYiBhbmQgb2Ygbm90aGluZyBlbHNl"  # noqa: S105 - in base64, opens nothing
PASSPHRASE = "planted passphrase"  # noqa: S105
ENV = {"LAB_KEY": KEY, "LAB_SECRET": SECRET, "LAB_PASSPHRASE": PASSPHRASE}
DAY_MS = 86_400_000

HOSTS: dict[str, Callable[[Exchange, Faults], Host[Any]]] = {
    "binance": Server,
    "bybit": Bybit,
    "okx": Okx,
    "kraken": Kraken,
    "kucoin": Kucoin,
}
"""By ccxt's id."""


@dataclass
class Place:
    """An exchange, the key of its account, and what goes wrong there."""

    venue: str
    exchange: Exchange
    key: Key
    faults: Faults = field(default_factory=Faults)
    url: str = ""

    def settings(self, more: str = "") -> str:
        """Give the account's section of a settings file; it has the venue's name."""
        passphrase = 'passphrase_env = "LAB_PASSPHRASE"\n' if self.venue in {"okx", "kucoin"} else ""
        return (
            f'[[accounts]]\nname = "{self.venue}"\nexchange = "{self.venue}"\nkey_env = "LAB_KEY"\n'
            f'secret_env = "LAB_SECRET"\n{passphrase}url_rest = "{self.url}"\n{more}\n'
        )


def place(venue: str, **key: Any) -> Place:
    """Make an exchange with a key that only reads, from one address, made a week ago; `key` changes it."""
    exchange = Exchange([Listing("ETH", "BTC", price_of("0.00001"), amount_of("0.0001"))])
    exchange.open_account("main", {"ETH": 10})
    made = exchange.add_key("main", KEY, secret=SECRET, passphrase=PASSPHRASE, can_trade=False)
    made.ip_restricted = True
    made.created_ms -= 7 * DAY_MS
    for name, value in key.items():
        setattr(made, name, value)
    return Place(venue, exchange, made)


@contextmanager
def serving(*places: Place) -> Iterator[None]:
    """Let exchanges be there, in a thread of their own, until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    hosts = [HOSTS[one.venue](one.exchange, one.faults) for one in places]

    def run(work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(60)

    try:
        for one, host in zip(places, hosts, strict=True):
            run(host.start())
            one.url = host.url
        yield
    finally:
        for host in hosts:
            run(host.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


def write(folder: Path, *places: Place, more: str = "") -> Path:
    """Write settings with all those accounts."""
    path = folder / "keys.toml"
    path.write_text("\n".join(one.settings(more) for one in places))
    path.chmod(0o600)
    return path
