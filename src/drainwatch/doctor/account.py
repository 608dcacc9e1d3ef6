"""Checks of an account: the exchange, its clock, the key and its rights, the streams, the prices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import TypeVar

from drainwatch.config import Account, SecretError, credentials_of
from drainwatch.doctor.tools import ANSWER_S, Check, Heard, Status, Tools, Venue
from drainwatch.errors import DrainwatchError, KeyRefusedError
from drainwatch.keys.advice import Allowed, State
from drainwatch.keys.inspection import inspect
from drainwatch.rows import Market
from drainwatch.venues.protocol import Credentials

SKEW_WARN_NS = 250_000_000
SKEW_FAIL_NS = 1_000_000_000
"""Binance refuses requests from a clock that is a second ahead."""
LOOK_BACK_NS = 7 * 86_400_000_000_000
"""How far back the account's own fills are looked at, for what it trades."""
TWIN_QUOTES = ("USDT", "USDC", "USD", "BTC", "ETH", "EUR")
"""What a coin's other markets are quoted in that can tell its worth."""

_Answer = TypeVar("_Answer")


async def check_account(account: Account, tools: Tools) -> AsyncIterator[Check]:
    """Look whether an account's fills would be heard and could be judged."""
    at = f"{account.name} at {account.exchange}"
    try:
        credentials = credentials_of(account, tools.env)
    except SecretError as error:
        yield Check(f"{at}: key", Status.FAIL, str(error))
        yield Check(f"{at}: the rest", Status.SKIPPED, "there is no key to ask with")
        return
    if credentials is not None:
        yield Check(f"{at}: key", Status.OK, "there, and nobody else can read it")
    venue = tools.rest(account, credentials)
    try:
        markets, check = await _asked(f"{at}: exchange", venue.markets())
        if markets is None:
            yield check
            yield Check(f"{at}: the rest", Status.SKIPPED, "the exchange wasn't reached")
            return
        yield Check(f"{at}: exchange", Status.OK, f"answers; {len(markets):,} markets")
        yield await _check_clock(f"{at}: clock", venue)
        accepted = True
        if credentials is not None:
            balances, check = await _asked(f"{at}: key accepted", venue.balances())
            accepted = balances is not None
            if balances is not None:
                held = sum(balance.total != 0 for balance in balances)
                check = Check(check.name, Status.OK, f"yes; the account holds {held} currencies")
            yield check
            if accepted:
                for of_key in await _check_key(at, account, venue, credentials, tools):
                    yield of_key
        if not accepted:
            yield Check(f"{at}: the rest", Status.SKIPPED, "the key isn't accepted")
            return
        async for check in _check_hearing(account, at, credentials, venue, markets, tools):
            yield check
    finally:
        await venue.close()


async def _asked(name: str, asking: Awaitable[_Answer]) -> tuple[_Answer | None, Check]:
    """Ask an exchange; None and why, where it doesn't answer."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return await asking, Check(name, Status.OK, "answered")
    except TimeoutError:
        return None, Check(
            name,
            Status.FAIL,
            f"no answer in {ANSWER_S:g} s",
            "Look at the network, then at the exchange's status page.",
        )
    except KeyRefusedError as error:
        return None, Check(
            name,
            Status.FAIL,
            str(error),
            "Look at the exchange's page of API keys: is it there, not expired, allowed from this address?",
        )
    except DrainwatchError as error:
        return None, Check(
            name, Status.FAIL, str(error), "Look at the network, then at the exchange's status page."
        )


async def _check_clock(name: str, venue: Venue) -> Check:
    """Look how far this machine's clock is off."""
    try:
        async with asyncio.timeout(ANSWER_S):
            skew_ns = await venue.clock_skew_ns()
    except (TimeoutError, DrainwatchError) as error:
        return Check(name, Status.WARN, f"not compared: {str(error) or 'no answer'}")
    if skew_ns is None:
        return Check(name, Status.SKIPPED, "this exchange doesn't tell the time")
    found = f"{abs(skew_ns) / 1e6:.0f} ms {'behind' if skew_ns > 0 else 'ahead of'} the exchange's"
    if abs(skew_ns) > SKEW_FAIL_NS:
        return Check(
            name,
            Status.FAIL,
            found,
            "Set the clock by NTP (`timedatectl set-ntp true`): requests are refused.",
        )
    if abs(skew_ns) > SKEW_WARN_NS:
        return Check(name, Status.WARN, found, "Set the clock by NTP (`timedatectl set-ntp true`).")
    return Check(name, Status.OK, found)


async def _check_key(
    at: str, account: Account, venue: Venue, credentials: Credentials, tools: Tools
) -> list[Check]:
    """Look at what a thief of this very key could do, and whether the watch takes it."""
    allowed = Allowed(account.allow_trading_key, account.allow_withdrawal_key)
    _, findings = await inspect(account.exchange, venue, credentials.key, tools.now_ns(), allowed)
    statuses = {
        State.OK: Status.OK,
        State.WARN: Status.WARN,
        State.BAD: Status.FAIL,
        State.UNTOLD: Status.SKIPPED,
    }
    checks = []
    for finding in findings:
        status = statuses[finding.state]
        if finding.subject in {"key", "addresses"} and status is Status.FAIL:
            status = Status.WARN  # the watch goes on with that
        checks.append(Check(f"{at}: key's {finding.subject}", status, finding.found, finding.advice))
    return checks


async def _check_hearing(
    account: Account,
    at: str,
    credentials: Credentials | None,
    venue: Venue,
    markets: Sequence[Market],
    tools: Tools,
) -> AsyncIterator[Check]:
    """Look whether fills would come, and prices to judge them by."""
    by_symbol = {market.symbol: market for market in markets}
    strange = [symbol for symbol in account.markets if symbol not in by_symbol]
    if strange:
        yield Check(
            f"{at}: markets",
            Status.FAIL,
            f"not listed by the exchange: {', '.join(strange)}",
            "Correct their names in the settings: `ETH/BTC`, `BTC/USDT:USDT`.",
        )
    known = [symbol for symbol in account.markets if symbol in by_symbol]
    fills, check = await _asked(f"{at}: own fills", venue.my_trades(known, tools.now_ns() - LOOK_BACK_NS))
    if fills is None:
        yield Check(check.name, Status.WARN, check.found, "Gaps in the stream couldn't be filled in.")
    else:
        yield Check(check.name, Status.OK, f"{len(fills):,} of the last 7 days can be asked for")
    traded = sorted({*known, *(fill.symbol for fill in fills or ())})
    if tools.hear is None:
        unheard = "not listened to here; `drainwatch watch` says at once whether they stand"
        yield Check(f"{at}: streams", Status.SKIPPED, unheard)
        return
    heard, check = await _asked(f"{at}: stream of fills", tools.hear(account, credentials, traded))
    if heard is None:
        yield check
    elif heard.stands:
        yield Check(check.name, Status.OK, "stands; that a fill comes through only the next fill can show")
    else:
        advice = "Look whether the key may read orders and trades."
        yield Check(check.name, Status.FAIL, "the exchange didn't confirm the subscription", advice)
    yield _check_prices(f"{at}: prices", traded, heard, markets)


def _check_prices(name: str, traded: Sequence[str], heard: Heard | None, markets: Sequence[Market]) -> Check:
    """Look whether there is something to judge fills by."""
    if not traded:
        advice = (
            "Name some in `markets`, or wait: what the account trades is followed from its first fill on."
        )
        return Check(name, Status.SKIPPED, "it isn't known yet what this account trades", advice)
    mute = [symbol for symbol in traded if heard is None or symbol not in heard.symbols]
    if mute:
        advice = "Quiet markets are normal now and then; for the others look at the network."
        return Check(name, Status.WARN, f"none came for {_listed(mute)}", advice)
    lone = [symbol for symbol in traded if not _has_twin(symbol, markets)]
    if lone:
        found = f"come; {_listed(lone)} can be compared with nothing but its own past"
        return Check(name, Status.OK, found)
    return Check(name, Status.OK, f"come for {_listed(traded)}, each comparable with another market")


def _has_twin(symbol: str, markets: Sequence[Market]) -> bool:
    """Tell whether the same coin is traded against something else, too."""
    mine = next((market for market in markets if market.symbol == symbol), None)
    return mine is not None and any(
        market.base == mine.base and market.symbol != symbol and market.quote in TWIN_QUOTES
        for market in markets
    )


def _listed(names: Sequence[str], most: int = 4) -> str:
    """List a few names."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
