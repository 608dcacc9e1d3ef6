"""A world for the doctor: all is well in it, but for what a test changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from drainwatch.alerts.answer import Answer, Outcome
from drainwatch.alerts.channel import Channel as Target
from drainwatch.config import Account, Channel, ChannelKind, Settings
from drainwatch.doctor import Check, Heard, Tools
from drainwatch.response.hook import Hook
from drainwatch.rows import Balance, Fill, Market
from drainwatch.venues.protocol import Credentials

KEY = "PlAnTeDkey0123456789"
SECRET = "PlAnTeDsecret0123456789"  # noqa: S105
URL = "https://hooks.example/PlAnTeDhook"
ENV = {"K": KEY, "S": SECRET, "U": URL}
MAIN = Account(name="main", exchange="binance", key_env="K", secret_env="S", markets=("ETH/BTC",))  # noqa: S106
HOOK = Channel(name="hook", kind=ChannelKind.SLACK, url_env="U")
SETTINGS = Settings(accounts=(MAIN,), channels=(HOOK,))
NOW_NS = 1_750_000_000_000_000_000


def market(symbol: str) -> Market:
    base, _, quote = symbol.partition("/")
    return Market(exchange="binance", symbol=symbol, venue_symbol=base + quote, base=base, quote=quote)


MARKETS = [market(symbol) for symbol in ("ETH/BTC", "ETH/USDT", "VIA/BTC")]


def fill(symbol: str) -> Fill:
    return Fill(
        exchange="binance",
        account="main",
        symbol=symbol,
        id="1",
        ts_ns=NOW_NS,
        side="buy",
        price="1",
        amount="1",
    )


RIGHTS = {
    "enableReading": True,
    "enableSpotAndMarginTrading": False,
    "enableMargin": False,
    "enableFutures": False,
    "enableWithdrawals": False,
    "permitsUniversalTransfer": False,
    "ipRestrict": True,
    "createTime": NOW_NS // 1_000_000 - 86_400_000,
}
"""Binance's reply about a key that only reads, from listed addresses, made yesterday."""


@dataclass
class FakeVenue:
    """An exchange: each answer is a value to give or an error to raise."""

    answers: dict[str, Any] = field(default_factory=dict)
    closed: int = 0

    def _answer(self, name: str, usual: Any) -> Any:
        answer = self.answers.get(name, usual)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def markets(self) -> Sequence[Market]:
        return self._answer("markets", MARKETS)  # type: ignore[no-any-return]

    async def my_trades(self, symbols: Collection[str], since_ns: int) -> Sequence[Fill]:
        assert since_ns < NOW_NS
        return self._answer("my_trades", [fill(symbol) for symbol in symbols])  # type: ignore[no-any-return]

    async def balances(self) -> Sequence[Balance]:
        held = [
            Balance(exchange="binance", account="main", currency=name, ts_ns=NOW_NS, total=total)
            for name, total in (("BTC", 1.0), ("ETH", 0.0))
        ]
        return self._answer("balances", held)  # type: ignore[no-any-return]

    async def clock_skew_ns(self) -> int | None:
        return self._answer("clock_skew_ns", 12_000_000)  # type: ignore[no-any-return]

    async def raw(self, method: str, params: Mapping[str, Any], what: str) -> Any:
        assert method
        assert (params, what) == ({}, "asking what the key may do")
        return self._answer("rights", RIGHTS)

    async def close(self) -> None:
        self.closed += 1


def tools(venue: FakeVenue | None = None, **changes: Any) -> Tools:
    """Everything in order, but for the changes."""
    there = venue or FakeVenue()

    async def hear(_: Account, __: Credentials | None, symbols: Collection[str]) -> Heard:
        return Heard(stands=True, symbols=frozenset(symbols))

    async def send(channel: Target) -> Answer:
        assert channel.url == URL
        return Answer(Outcome.ARRIVED, "")

    async def respond(_hook: Hook) -> str:
        return "would stop"

    seconds = iter(range(1_000))
    made = Tools(
        env=ENV,
        clock_s=lambda: float(next(seconds)),
        now_ns=lambda: NOW_NS,
        load_judge=lambda _: None,
        open_store=lambda _: None,
        free_bytes=lambda _: 50_000_000_000,
        bind=lambda _, __: None,
        rest=lambda _, __: there,
        hear=hear,
        respond=respond,
        send=send,
    )
    return replace(made, **changes)


def by_name(checks: Sequence[Check]) -> dict[str, Check]:
    """The checks by their names, none twice."""
    found = {check.name: check for check in checks}
    assert len(found) == len(checks)
    return found


def failing(error: BaseException) -> Any:
    """A function that raises, whatever it is called with."""

    def fail(*_: object) -> Any:
        raise error

    return fail
