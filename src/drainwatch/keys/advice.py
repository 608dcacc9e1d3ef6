"""What is wrong with a key, and what to do about it: facts in, plain findings out. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from drainwatch.events import NS_PER_S
from drainwatch.keys.facts import Facts, Other
from drainwatch.report import words
from drainwatch.venues.keypages import key_page

DAY_NS: Final = 86_400 * NS_PER_S
OLD_DAYS: Final = 90
"""A key older than this should be replaced: stolen ones are used weeks or years later."""
SOON_DAYS: Final = 14
"""Before a key's end, that it is said."""
UNUSED_DAYS: Final = 90
"""A key that nobody has used for so long should be deleted."""


class State(StrEnum):
    """What a finding means."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    UNTOLD = "not told"


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    subject: str
    state: State
    found: str
    advice: str = ""
    """What to do; empty where there is nothing to do."""


class Allowed(Struct, frozen=True):
    """What the owner put up with, in the settings of the account."""

    trading: bool = False
    withdrawal: bool = False


def examine(exchange: str, facts: Facts | None, now_ns: int, allowed: Allowed) -> list[Finding]:
    """Go through what is known of a key.

    Parameters
    ----------
    facts
        None: this exchange can't be asked.
    """
    look = _where(exchange)
    if exchange == "hyperliquid":  # which is watched without a key: whoever may sign is all there is
        return [_others(facts or Facts(), now_ns, look)]
    if facts is None:
        found = "this exchange has nothing to ask by: whether the key can trade or withdraw isn't known"
        return [Finding("key", State.UNTOLD, found, f"Look {look}: reading is all that is needed.")]
    findings = [
        *_working(facts, look),
        _trading(facts, allowed, look),
        _withdrawing(facts, allowed, look),
        _addresses(facts, look),
        _age(facts, now_ns),
        _end(facts, now_ns),
        *_markets(facts, look),
        *_account(facts),
    ]
    if facts.used_ns is not None:
        findings.append(Finding("last use", State.OK, _ago(facts.used_ns, now_ns)))
    if facts.others is not None:
        findings.append(_others(facts, now_ns, look))
    kept = [finding for finding in findings if finding is not None]
    return [*kept, *_untold(facts, look)]


def refusal(account: str, exchange: str, facts: Facts | None, allowed: Allowed) -> str:
    """Say why a watch won't use a key, and what to do; empty if it will. What isn't told doesn't count."""
    if facts is None:
        return ""
    wrong = []
    settings = []
    if facts.acts and not allowed.trading:
        wrong.append(words.listing(_ways(facts), 9))
        settings.append("allow_trading_key = true")
    if facts.takes and not allowed.withdrawal:
        wrong.append(words.listing(_ways_out(facts), 9))
        settings.append("allow_withdrawal_key = true")
    if not wrong:
        return ""
    return (
        f"expected the key of account `{words.clean(account)}` to do nothing but read, found that it can "
        f"{' and '.join(wrong)}: who gets hold of it can do that, too, and drainwatch needs none of it. "
        f"Make a key that only reads, for drainwatch alone, {_where(exchange)}; or say "
        f"{' and '.join(settings)} in its [[accounts]] to watch with this one"
    )


def _working(facts: Facts, look: str) -> list[Finding]:
    if facts.works is False:
        found = "it is switched off, frozen or expired"
        return [Finding("state", State.BAD, found, f"Switch it on, or make a new one, {look}.")]
    if facts.read is False:
        found = "it can't read: nothing would be seen by it"
        return [Finding("reading", State.BAD, found, f"Allow reading {look}.")]
    return [] if facts.read is None else [Finding("reading", State.OK, "yes")]


def _trading(facts: Facts, allowed: Allowed, look: str) -> Finding:
    if facts.acts:
        state, also = (State.WARN, " (which your settings allow)") if allowed.trading else (State.BAD, "")
        advice = (
            "Make a key that only reads, for drainwatch alone: a thief of this one can drain the account by "
            f"trading. Do it {look}."
        )
        return Finding("trading", state, f"it can {words.listing(_ways(facts), 9)}{also}", advice)
    if facts.acts is None:
        found = "this exchange doesn't tell whether it can trade"
        return Finding("trading", State.UNTOLD, found, f"Look {look}: only reading should be ticked.")
    return Finding("trading", State.OK, "no")


def _withdrawing(facts: Facts, allowed: Allowed, look: str) -> Finding:
    if facts.takes:
        state, also = (State.WARN, " (which your settings allow)") if allowed.withdrawal else (State.BAD, "")
        advice = f"Take that away {look}, now: no program that watches or trades needs it."
        return Finding("withdrawal", state, f"it can {words.listing(_ways_out(facts), 9)}{also}", advice)
    if facts.takes is None:
        found = "this exchange doesn't tell whether coins can leave by it"
        return Finding("withdrawal", State.UNTOLD, found, f"Look {look}: withdrawal must not be ticked.")
    return Finding("withdrawal", State.OK, "no")


def _addresses(facts: Facts, look: str) -> Finding:
    if facts.bound:
        found = f"only {words.listing(facts.addresses)}" if facts.addresses else "only listed ones"
        return Finding("addresses", State.OK, found)
    if facts.bound is False:
        # what a thief can do with it decides how bad that is
        state = State.BAD if facts.acts or facts.takes else State.WARN
        advice = f"Bind it to the address of the machine that uses it, {look}."
        return Finding("addresses", state, "it works from everywhere", advice)
    found = "this exchange doesn't tell from where it works"
    return Finding("addresses", State.UNTOLD, found, f"Look {look} whether it is bound to an address.")


def _age(facts: Facts, now_ns: int) -> Finding | None:
    if facts.created_ns is None:
        return None
    days = max(now_ns - facts.created_ns, 0) // DAY_NS
    if days > OLD_DAYS:
        advice = f"Replace it every {OLD_DAYS} days, and delete it: one that leaked long ago still works."
        return Finding("age", State.WARN, words.plural(days, "day"), advice)
    return Finding("age", State.OK, words.plural(days, "day"))


def _end(facts: Facts, now_ns: int) -> Finding | None:
    if facts.ends_ns is not None:
        if facts.ends_ns <= now_ns:
            advice = "Make a new one: nothing is seen any more by this one."
            return Finding("end", State.BAD, f"it ended {_ago(facts.ends_ns, now_ns)}", advice)
        days = (facts.ends_ns - now_ns) // DAY_NS
        if days < SOON_DAYS:
            advice = "Make a new one before: the watch is deaf from then on."
            return Finding("end", State.WARN, f"in {words.plural(days, 'day')}", advice)
        return Finding("end", State.OK, f"in {words.plural(days, 'day')}")
    if facts.ends is False:
        advice = "Replace it by the calendar, or make one that ends, if the exchange can."
        state = State.WARN if facts.acts or facts.takes else State.OK
        return Finding("end", state, "never by itself", advice if state is State.WARN else "")
    return None


def _markets(facts: Facts, look: str) -> list[Finding]:
    if facts.markets is None or not facts.trades:
        return []
    if facts.markets:
        return [Finding("markets", State.OK, f"only {words.plural(len(facts.markets), 'market')}")]
    advice = f"Name the markets that your bot trades {look}: a thief needs a thin one that it doesn't."
    return [Finding("markets", State.WARN, "it may trade all", advice)]


def _account(facts: Facts) -> list[Finding]:
    if facts.main is None or not facts.acts:
        return []
    if not facts.main:
        return [Finding("account", State.OK, "of a sub-account")]
    advice = "Let bots trade a sub-account with what they need in it: then a key can't reach the rest."
    return [Finding("account", State.WARN, "of the main account, with all that it holds", advice)]


def _others(facts: Facts, now_ns: int, look: str) -> Finding:
    if facts.others is None:
        return Finding("all keys", State.UNTOLD, "they couldn't be listed", f"Look {look} which there are.")
    unused = [other for other in facts.others if _is_unused(other, now_ns)]
    found = "none"
    if facts.others:
        found = f"{len(facts.others)}: {words.listing(map(_name, facts.others), 5)}"
    if unused:
        advice = f"Delete {words.listing(map(_name, unused), 5)} {look}: unused for {UNUSED_DAYS} days."
        return Finding("all keys", State.WARN, found, advice)
    return Finding("all keys", State.OK, found)


def _is_unused(other: Other, now_ns: int) -> bool:
    return (
        other.works is not False
        and other.used_ns is not None
        and now_ns - other.used_ns > UNUSED_DAYS * DAY_NS
    )


def _untold(facts: Facts, look: str) -> list[Finding]:
    """Say in one line what else isn't told; what matters most has a line of its own."""
    missing = [
        name
        for name, known in (
            ("age", facts.created_ns is not None),
            ("end", facts.ends is not None),
            ("last use", facts.used_ns is not None),
            ("which markets", facts.markets is not None or facts.trades is False),
            ("which other keys there are", facts.others is not None),
        )
        if not known
    ]
    return (
        [Finding("other facts", State.UNTOLD, words.listing(missing, 9), f"Look {look}.")] if missing else []
    )


def _ways(facts: Facts) -> list[str]:
    """Say how it can act."""
    ways = (
        ("trade", facts.trade),
        ("trade on margin", facts.margin),
        ("trade derivatives", facts.derivatives),
        ("move coins to other accounts there", facts.transfer),
    )
    return [way for way, may in ways if may]


def _ways_out(facts: Facts) -> list[str]:
    """Say how coins can leave by it."""
    return [
        way for way, may in (("withdraw", facts.withdraw), ("change keys or addresses", facts.manage)) if may
    ]


def _name(other: Other) -> str:
    """Call a key by its name, else by its mark."""
    return f"`{words.clean(other.name, 40)}`" if other.name.strip() else f"#{other.mark[:6]}"


def _where(exchange: str) -> str:
    """Say where an exchange's keys are looked after."""
    page = key_page(exchange)
    return f"at {page}" if page else "on the exchange's page of API keys"


def _ago(ns: int, now_ns: int) -> str:
    """Say how long ago something was."""
    return f"{words.duration(max(now_ns - ns, 0) / 1e6)} ago"
