"""Which questions are asked, and that the real doors of five exchanges answer them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from drainwatch.errors import KeyRefusedError, VenueError
from drainwatch.keys.asking import ASKED, ask
from drainwatch.keys.facts import Facts, mark_of
from drainwatch.keys.readers import READERS
from drainwatch.lab.exchange.faults import Fault
from drainwatch.lab.exchange.hyperliquid import Hyperliquid
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.venues.ccxt_table import library
from drainwatch.venues.clock import SystemClock
from drainwatch.venues.protocol import Credentials
from drainwatch.venues.rest import Rest
from keys_lab import HOSTS, KEY, PASSPHRASE, SECRET, Place, place
from watch_lab import HastyClock

DOCS = Path(__file__).resolve().parents[1] / "docs"
ADDRESS = "0x" + "1" * 40


def asked(one: Place, *, secret: str = SECRET, clock: Any = None, times: int = 1) -> Facts:
    """Ask the real door, through ccxt."""

    async def body() -> Facts:
        async with HOSTS[one.venue](one.exchange, one.faults) as host:
            keys = Credentials(KEY, secret, PASSPHRASE)
            rest = Rest(one.venue, keys, clock or HastyClock(100.0), account="main", base_url=host.url)
            rest.exchange.enableRateLimit = False  # which waits on its own clock
            try:
                for _ in range(times - 1):
                    await ask(one.venue, rest, KEY)
                facts = await ask(one.venue, rest, KEY)
                assert facts is not None
                return facts
            finally:
                await rest.close()

    return asyncio.run(body())


@pytest.mark.parametrize("venue", HOSTS)
def test_a_key_that_only_reads_is_told_as_one(venue: str) -> None:
    facts = asked(place(venue), times=2)
    assert (facts.read, facts.acts, facts.takes, facts.bound) == (True, False, False, True)
    assert facts.mark == mark_of(KEY)
    assert KEY not in repr(facts)


@pytest.mark.parametrize("venue", HOSTS)
def test_a_key_that_can_do_all_is_told_as_one(venue: str) -> None:
    facts = asked(place(venue, can_trade=True, can_withdraw=True, can_transfer=True, ip_restricted=False))
    assert (facts.trades, facts.transfer, facts.withdraw, facts.bound) == (True, True, True, False)


@pytest.mark.parametrize("venue", [venue for venue in HOSTS if venue != "okx"])
def test_the_age_is_told_to_the_second(venue: str) -> None:
    one = place(venue)
    facts = asked(one)
    assert facts.created_ns is not None
    assert abs(facts.created_ns - one.key.created_ms * 10**6) < 10**9


@pytest.mark.parametrize("venue", HOSTS)
def test_a_key_that_was_revoked_has_expired_or_is_signed_wrongly_is_refused(venue: str) -> None:
    for one, secret in (
        (place(venue, revoked=True), SECRET),
        (place(venue, expires_ms=1), SECRET),
        (place(venue), SECRET[::-1]),
    ):
        with pytest.raises(KeyRefusedError) as caught:
            asked(one, secret=secret)
        assert KEY not in str(caught.value)


@pytest.mark.parametrize("venue", HOSTS)
@pytest.mark.parametrize("fault", [Fault.RATE_LIMIT, Fault.SERVER_ERROR])
def test_what_passes_is_waited_for(venue: str, fault: Fault) -> None:
    one = place(venue)
    one.faults.once(fault)
    assert asked(one).read is True
    assert one.faults.happened[fault] == 1


@pytest.mark.parametrize("venue", HOSTS)
def test_half_an_answer_is_no_answer(venue: str) -> None:
    one = place(venue)
    one.faults.set({Fault.CUT_BODY: 1.0})
    with contextlib.suppress(VenueError):
        facts = asked(one)
        assert (facts.acts, facts.takes) == (None, None)
    assert one.faults.happened[Fault.CUT_BODY] > 0


@pytest.mark.parametrize("venue", HOSTS)
@pytest.mark.parametrize("fault", [Fault.RATE_LIMIT, Fault.SERVER_ERROR])
def test_what_doesnt_pass_is_said(venue: str, fault: Fault) -> None:
    one = place(venue)
    one.faults.set({fault: 1.0})
    with pytest.raises(VenueError):
        asked(one)


class Skewed(SystemClock):
    """A clock with patience for nothing."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 100)


@pytest.mark.parametrize("venue", ["binance", "bybit", "okx", "kucoin"])
def test_a_clock_that_is_wrong_is_corrected(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are signed with the machine's clock: a minute ahead is refused, and then compared."""
    exchange = getattr(library()[0], venue)
    milliseconds = exchange.milliseconds
    monkeypatch.setattr(exchange, "milliseconds", staticmethod(lambda: milliseconds() + 60_000))
    assert asked(place(venue), clock=Skewed()).read is True


def test_agents_of_a_wallet_are_listed() -> None:
    async def body() -> Facts | None:
        exchange = Exchange([])
        exchange.open_account("main")
        exchange.add_key("main", ADDRESS)
        exchange.add_key("main", "0x" + "2" * 40)
        async with Hyperliquid(exchange) as host:
            rest = Rest("hyperliquid", Credentials(ADDRESS), SystemClock(), account="main", base_url=host.url)
            try:
                return await ask("hyperliquid", rest, ADDRESS)
            finally:
                await rest.close()

    facts = asyncio.run(body())
    assert facts is not None
    assert facts.others is not None
    assert [other.mark for other in facts.others] == [mark_of("0x" + "2" * 40)]


class Said:
    """An exchange that says what it is told to."""

    def __init__(self, replies: Mapping[str, Any]) -> None:
        self._replies = replies
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    async def raw(self, method: str, params: Mapping[str, Any], what: str) -> Any:
        assert what
        self.asked.append((method, params))
        reply = self._replies[method]
        if isinstance(reply, Exception):
            raise reply
        return reply


def test_htx_is_asked_by_the_number_of_the_user() -> None:
    row = {"accessKey": "mine", "permission": "readOnly", "ipAddresses": ""}
    venue = Said(
        {"v2PrivateGetUserUid": {"code": 200, "data": 63628520}, "v2PrivateGetUserApiKey": {"data": [row]}}
    )
    facts = asyncio.run(ask("htx", venue, "mine"))
    assert facts is not None
    assert facts.acts is False
    assert venue.asked[-1] == ("v2PrivateGetUserApiKey", {"uid": 63628520})


@pytest.mark.parametrize("reply", [{"data": {}}, {"data": None}, None, [], {"data": [1]}])
def test_htx_that_tells_no_number_is_asked_all_the_same(reply: Any) -> None:
    venue = Said({"v2PrivateGetUserUid": reply, "v2PrivateGetUserApiKey": {"data": []}})
    facts = asyncio.run(ask("htx", venue, "mine"))
    assert facts is not None
    assert facts.acts is None


def test_gate_tells_of_a_sub_accounts_key_elsewhere() -> None:
    detail = {"user_id": 1, "ip_whitelist": ["1.1.1.1"], "currency_pairs": []}
    venue = Said({"privateAccountGetMainKeys": [], "privateAccountGetDetail": detail})
    facts = asyncio.run(ask("gate", venue, "mine"))
    assert facts is not None
    assert (facts.acts, facts.bound, facts.markets) == (None, True, ())
    mute = Said({"privateAccountGetMainKeys": [], "privateAccountGetDetail": VenueError("gate: no")})
    assert asyncio.run(ask("gate", mute, "mine")) == Facts(mark=mark_of("mine"))


def test_an_exchange_with_nothing_to_ask_by_isnt_asked() -> None:
    assert asyncio.run(ask("bitstamp", Said({}), "mine")) is None


def test_every_question_is_one_that_ccxt_knows_and_every_answer_can_be_read() -> None:
    from drainwatch.keys import asking

    assert set(READERS) == ASKED
    rest, _ = library()
    for exchange, method in asking._METHODS.items():
        assert hasattr(getattr(rest, exchange)(), method), (exchange, method)


def test_the_documents_name_every_exchange_that_is_asked() -> None:
    page = (DOCS / "howto-keys.md").read_text()
    missing = [exchange for exchange in sorted(ASKED) if f"`{exchange}`" not in page]
    assert not missing
