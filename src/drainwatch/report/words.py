"""Numbers, times and names in the words a person reads: one voice for terminal, chat and page."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MAX_NAME = 80
"""Longest name shown, in characters: symbols and ids come from outside and may be anything."""


class Kind(NamedTuple):
    """A kind of incident, in words."""

    title: str
    meaning: str


KINDS: dict[str, Kind] = {
    "planted_wall": Kind(
        "a planted wall was bought out",
        "Shortly before, somebody placed orders far from the real price in a thin book, and this account "
        "traded straight into them. Whoever placed them has the difference.",
    ),
    "far_quote": Kind(
        "a fill at an absurd price",
        "A single order met a quote so far from any sane price that the loss is nearly the whole amount.",
    ),
    "ping_pong": Kind(
        "ping-pong: bought dear and sold back cheap, over and over",
        "The account buys high and sells back low, again and again, and ends with what it began with, only "
        "less money. This is how money is passed from one account to another through the order book.",
    ),
    "slow_bleed": Kind(
        "a slow bleed: small losses, always on the wrong side",
        "No single fill looks odd, but nearly all of them lose a little against the fair price, more than "
        "chance allows.",
    ),
    "liquidate_then_buy": Kind(
        "everything sold, then one coin bought",
        "Holdings were sold within a short time and the proceeds put into one thin coin at a bad price.",
    ),
    "coordinated_pump": Kind(
        "bought into a pump, together with other accounts",
        "Several accounts bought the same coin within seconds while its price shot up. It points to a common "
        "platform whose keys leaked.",
    ),
    "off_market_maker": Kind(
        "own limit orders far off the market, taken at once",
        "Limit orders of this account were placed at prices that give money away, and somebody took them at "
        "once.",
    ),
    "price_pressure": Kind(
        "traded so hard that the price gave way",
        "This account's own orders pushed the price, and others traded against it at the pushed price.",
    ),
    "boosted_coin": Kind(
        "bought a coin whose price had been driven up first",
        "The price of a coin that hardly trades was driven up shortly before this account bought it.",
    ),
    "leverage": Kind(
        "borrowed or levered up, then lost by trading",
        "The account traded more than it owns, at bad prices.",
    ),
    "cross_pair": Kind(
        "a skim between twin pairs",
        "The same coin could be had for less, or sold for more, on its liquid pair at that very moment. "
        "Somebody bought there and sold here.",
    ),
    "stable_pair": Kind(
        "a skim on a stablecoin pair",
        "Coins worth nearly the same were exchanged at a rate far outside of what this pair usually does.",
    ),
    "fee_churn": Kind(
        "churn: money turned into fees",
        "Many trades without any gain in sight, whose fees eat the account.",
    ),
    "thin_perp": Kind(
        "bad fills in a thin perpetual contract",
        "A position was opened or closed far from the mark price of a contract that hardly trades.",
    ),
    "own_bad_fill": Kind(
        "a bad fill that may be your own",
        "It looks like a typo, a panic or a thin book rather than a thief: no planted order was seen. It "
        "still lost money.",
    ),
    "unknown": Kind(
        "losing trades of no known pattern",
        "The account loses money by trading in a way that resembles none of the known attacks.",
    ),
}
"""Every `kind` of the data contract, in words."""


def kind_of(name: object) -> Kind:
    """Words for a kind; those of `unknown` for a name that isn't in the contract."""
    return KINDS.get(str(name), KINDS["unknown"])


def clean(text: object, limit: int = MAX_NAME) -> str:
    """Make a name from outside safe to print: no control, direction or invisible characters.

    They could rewrite the lines of a terminal or reverse what is read. `None` gives an empty
    string; what is longer than `limit` characters ends in an ellipsis.
    """
    if text is None:
        return ""
    raw = str(text)
    # the loop is over what can be shown at all: a name of megabytes costs nothing
    kept = "".join("\ufffd" if unicodedata.category(c) in UNPRINTABLE else c for c in raw[: limit + 1])
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def as_float(value: Any) -> float:
    """Read a number that may be absent: NaN for None, text and what isn't a number."""
    if value is None or isinstance(value, str):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def as_ms(value: Any) -> int | None:
    """Read a time in ms since the epoch that may be absent."""
    number_ms = as_float(value)
    return int(number_ms) if math.isfinite(number_ms) else None


def number(value: Any, digits: int = 4) -> str:
    """Write a number in about `digits` significant digits: `12,345`, `1.5`, `0.000021`, `5.84e-10`.

    What isn't finite reads `unknown`.
    """
    x = as_float(value)
    if not math.isfinite(x):
        return "unknown"
    if x == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(x)))
    if magnitude >= 15 or magnitude < -8:
        mantissa, exponent = f"{x:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return f"{mantissa}e{int(exponent)}"
    decimals = max(0, digits - 1 - magnitude)
    text = f"{x:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(value: Any, currency: object = None) -> str:
    """Write an amount with its currency: `1,204 USDT`, `312.40 USDT`, `0.0001234 BTC`."""
    x = as_float(value)
    if not math.isfinite(x):
        return "unknown"
    if 1 <= abs(x) < 1_000:
        text = f"{x:,.2f}"
    elif 1_000 <= abs(x) < 1e15:
        text = f"{x:,.0f}"
    else:
        text = number(x)
    name = clean(currency, 20)
    return f"{text} {name}" if name else text


def price(value: Any) -> str:
    """Write a price in six significant digits."""
    return number(value, 6)


def percent(share: Any) -> str:
    """Write a share in percent: 0.413 is `41 %`, 0.0123 `1.2 %`, 0.00004 `0.004 %`."""
    x = as_float(share) * 100
    if not math.isfinite(x):
        return "unknown"
    if abs(x) >= 9.95:
        return f"{x:,.0f} %" if abs(x) < 1e15 else f"{x:.1e} %"
    return f"{number(x, 2 if abs(x) >= 0.1 else 1)} %"


def off_price(side: object, paid: Any, fair: Any) -> str:
    """Say how far a price was from fair value, from the account's side.

    `12 % below what it was worth`, `8 times what it was worth`; empty where either is unknown.
    """
    p, f = as_float(paid), as_float(fair)
    if not (math.isfinite(p) and math.isfinite(f) and p > 0 and f > 0):
        return ""
    ratio = p / f
    if ratio >= 3:
        return f"{number(ratio, 2)} times what it was worth"
    if ratio <= 1 / 50:
        return f"1/{number(1 / ratio, 2)} of what it was worth"
    if abs(ratio - 1) < 5e-5:
        return "what it was worth"
    much = percent(abs(ratio - 1))
    where = "above" if ratio > 1 else "below"
    good = (ratio > 1) == (str(side) == "sell")
    return f"{much} {where} what it was worth" + (", to the account's advantage" if good else "")


def upper_first(said: str) -> str:
    """Begin a sentence with a capital."""
    return said[:1].upper() + said[1:]


def plural(count: int, noun: str, many: str | None = None) -> str:
    """Count things: `1 fill`, `1,204 fills`."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def listing(names: Iterable[object], most: int = 3, noun: str = "") -> str:
    """Join names: `A`, `A and B`, `A, B, C and 4 more`, with a noun `A, B, C and 4 more pairs`."""
    shown = [clean(name) for name in names]
    if not shown:
        return "unknown"
    if len(shown) > most:
        rest = len(shown) - most
        shown = [*shown[:most], plural(rest, f"more {noun}") if noun else f"{rest:,} more"]
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1]


def _moment(ms: int) -> datetime | None:
    """Read ms since the epoch; None where no calendar reaches."""
    try:
        return EPOCH + timedelta(milliseconds=ms)
    except OverflowError:
        return None


def clock(ms: Any) -> str:
    """Write the time of day, UTC: `14:02:11`."""
    at = as_ms(ms)
    when = None if at is None else _moment(at)
    return "unknown" if when is None else f"{when:%H:%M:%S}"


def day(ms: Any) -> str:
    """Write the day, UTC: `7 Mar 2018`."""
    at = as_ms(ms)
    when = None if at is None else _moment(at)
    return "an unknown day" if when is None else f"{when.day} {MONTHS[when.month - 1]} {when.year}"


def moment(ms: Any) -> str:
    """Write day and time: `7 Mar 2018 14:02:11 UTC`."""
    at = as_ms(ms)
    if at is None or _moment(at) is None:
        return "unknown"
    return f"{day(at)} {clock(at)} UTC"


def between(first_ms: Any, last_ms: Any) -> str:
    """Say when something went on: `between 14:02:11 and 14:09:40 UTC on 7 Mar 2018`.

    `at ...` where both are one second, `on an unknown day` where the first is absent.
    """
    first, last = as_ms(first_ms), as_ms(last_ms)
    if first is None or _moment(first) is None:
        return "at an unknown time"
    if last is None or _moment(last) is None or clock(first) + day(first) == clock(last) + day(last):
        return f"at {clock(first)} UTC on {day(first)}"
    if day(first) == day(last):
        return f"between {clock(first)} and {clock(last)} UTC on {day(first)}"
    return f"between {day(first)} {clock(first)} and {day(last)} {clock(last)} UTC"


def duration(ms: Any) -> str:
    """Write a length of time in its two largest units: `7 min 29 s`, `2 h`, `31 days`."""
    x = as_float(ms)
    if not math.isfinite(x):
        return "unknown"
    seconds = max(0.0, x / 1_000)
    if seconds < 60:
        return f"{number(seconds, 2) if seconds < 10 else f'{seconds:.0f}'} s"
    whole = int(seconds)
    for size, unit, inner, inner_unit in (
        (86_400, "day", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole < size:
            continue
        count, rest = divmod(whole, size)
        name = plural(count, "day") if unit == "day" else f"{count} {unit}"
        part = rest // inner
        # beyond a week nobody asks for hours
        return f"{name} {part} {inner_unit}" if part and not (unit == "day" and count >= 7) else name
    return "0 s"


def rarity(p_value: Any) -> str:
    """Say how often harmless trading looks as bad: `1 of 28 harmless account-months has such a fill`.

    Of the chance that a harmless account-month holds a fill scored at least so high; empty where
    unknown.
    """
    p = as_float(p_value)
    if not 0 <= p <= 1:
        return ""
    if p > 0.5:
        return "harmless account-months have such fills, too"
    magnitude = math.floor(-math.log10(p)) if p > 0 else 300
    if magnitude >= 9:  # a row of zeros nobody counts
        return f"fewer than 1 of 10^{magnitude} harmless account-months has such a fill"
    return f"1 of {round(1 / p, min(0, 1 - magnitude)):,.0f} harmless account-months has such a fill"


FAIR_SOURCES: dict[str, str] = {
    "mark": "the venue's own mark or index price",
    "cross": "other pairs of the same coin",
    "mid": "this pair's bid and ask",
    "trades": "this pair's public trades",
    "history": "this pair's price history",
    "candles": "candles",
    "own_fills": "the account's own earlier fills",
    "none": "nothing",
}
"""What a fill was judged against (`fair_source`), in words."""


def spoken(name: object) -> str:
    """Read a machine's name as words: `too_old` is `too old`; what is absent reads `none`."""
    return clean(name).replace("_", " ") or "none"
