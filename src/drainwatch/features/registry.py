"""All features in the order of a feature row: what each is, of what, and where it comes from.

`docs/features.md` is generated from this table.
"""

from __future__ import annotations

from typing import NamedTuple


class Feature(NamedTuple):
    """One number that a fill is judged by. It rises with danger."""

    name: str
    unit: str
    family: str
    """price, sequence, flow, counterparty or habit."""
    needs: str
    """Tables beside `fills`; a feature without them is NaN, never 0."""
    sign: str
    """What a positive value means."""
    formula: str
    text: str
    """What it says to a person; `{value}` and `{typical}` are filled in."""
    source: str


_IS = "implementation shortfall: Perold, The Implementation Shortfall, J. Portfolio Management 1988"
_DOMAIN = "documented drains and their families (docs/how-a-drain-works.md)"

FEATURES: tuple[Feature, ...] = (
    Feature(
        "deviation_bps",
        "bps",
        "price",
        "any price",
        "worse than fair",
        "1e4 s (p - F) / F",
        "paid {value} bps beyond what it was worth",
        _IS,
    ),
    Feature(
        "deviation_spreads",
        "half-spreads",
        "price",
        "any price",
        "worse than fair",
        "deviation_bps / usual half-spread in bps",
        "{value} times the usual half-spread away from fair value",
        _IS,
    ),
    Feature(
        "deviation_sigmas",
        "sigmas",
        "price",
        "any price",
        "worse than this account's usual cost",
        "(deviation_bps - allowance) / sqrt(sd of F ^2 + sd of usual cost ^2)",
        "{value} deviations worse than this account usually trades",
        _IS,
    ),
    Feature(
        "order_loss_equity_bps",
        "bps of equity",
        "price",
        "any price",
        "loss of this order beyond the usual",
        "sum over the order's fills of (deviation - allowance) x value / equity",
        "this order alone lost {value} bps of the account",
        _DOMAIN,
    ),
    Feature(
        "sweep_bps",
        "bps",
        "price",
        "",
        "the order walked away from its first fill",
        "1e4 s ln(p / first p of order)",
        "the order walked {value} bps through the book",
        _DOMAIN,
    ),
    Feature(
        "pushed_sigmas",
        "sigmas",
        "price",
        "any price, an hour",
        "market moved against the account, its routes didn't",
        "s (ln m/m[-1h] - ln r/r[-1h]) / sqrt(12) sigma",
        "the market had been moved {value} sigmas from other markets",
        _DOMAIN,
    ),
    Feature(
        "witness_gap_sigmas",
        "sigmas",
        "price",
        "a route of other markets",
        "market worse than its routes",
        "s (ln m - ln r - basis) / sd",
        "this market stood {value} sigmas from the same coin elsewhere",
        _DOMAIN,
    ),
    Feature(
        "day_displacement_sigmas",
        "sigmas",
        "price",
        "any price, a day",
        "market beyond its day",
        "s ln(m / day's median) / sqrt(288) sigma",
        "the price stood {value} daily sigmas from the day's median",
        _DOMAIN,
    ),
    Feature(
        "round_trip_bps",
        "bps",
        "price",
        "",
        "loss against the account's own opposite fills within 2 h",
        "1e4 s ln(p / average opposite p)",
        "bought and sold back at a loss of {value} bps",
        "CFTC v. Li/Kering (money pass)",
    ),
    Feature(
        "markout_bps",
        "bps",
        "price",
        "any price",
        "price came back after earlier fills",
        "decayed mean of 1e4 s (p[i] - F now) / F now, 30 s and more later",
        "after earlier fills the price came back by {value} bps",
        "markout: Glosten and Harris 1988",
    ),
    Feature(
        "drift_sigmas",
        "sigmas",
        "sequence",
        "any price",
        "orders worse than usual, one after another",
        "W = max(0, W + min(z, 8) - 0.5), half-life a day",
        "orders have been worse than usual by {value} sigmas in all",
        "CUSUM: Page 1954; e-detectors: Shin, Ramdas, Rinaldo 2022",
    ),
    Feature(
        "money_noise",
        "usual noise",
        "sequence",
        "any price",
        "loss beyond the usual, one after another",
        "M / usual noise of an order's cost",
        "the loss is {value} times what chance usually costs on an order",
        "Page 1954",
    ),
    Feature(
        "money_equity_bps",
        "bps of equity",
        "sequence",
        "any price",
        "loss beyond the usual, one after another",
        "M = max(0, M + excess - noise / 2), half-life two days",
        "{value} bps of the account lost beyond the usual",
        "Page 1954",
    ),
    Feature(
        "bleed_sigmas",
        "sigmas",
        "sequence",
        "any price",
        "small losses that add up",
        "sum of excess / sqrt(sum of noise^2), both with a half-life of a day",
        "the day's fills have together cost {value} sigmas more than chance",
        "Page 1954; Shin, Ramdas, Rinaldo 2022",
    ),
    Feature(
        "trip_drift",
        "sigmas",
        "sequence",
        "",
        "round trips lose, one after another",
        "max(0, W + min(z, 8) - 0.5), z = (loss of the trip, over one market or two, - usual cost)"
        " / move by chance, half-life 12 h",
        "round trips within two hours have lost {value} sigmas in all",
        "Page 1954; FTX/DMG 2022",
    ),
    Feature(
        "unlogged_drift",
        "nats",
        "sequence",
        "orders",
        "orders that the owner's log doesn't have, one after another",
        "max(0, U + ln likelihood ratio of 70 % to the usual share of unlogged orders,"
        " and of the gap between them), half-life 12 h",
        "orders are coming in that the owner's bot did not place",
        "Wald 1945",
    ),
    Feature(
        "novelty",
        "0-1",
        "flow",
        "",
        "market new to the account",
        "exp(-earlier orders / 3)",
        "the account had hardly ever traded this market",
        _DOMAIN,
    ),
    Feature(
        "size_sigmas",
        "sigmas",
        "flow",
        "",
        "order larger than usual",
        "(ln value - usual) / sd",
        "the order was {value} sigmas larger than usual",
        _DOMAIN,
    ),
    Feature(
        "day_volume_share",
        "share",
        "flow",
        "trades or candles",
        "order large for the market",
        "order amount / market's amount of a day without own",
        "the order was {value} of the market's volume of a day",
        _DOMAIN,
    ),
    Feature(
        "symbols_sold",
        "count",
        "flow",
        "",
        "many markets sold at once",
        "markets sold within 60 s",
        "{value} holdings were sold within a minute",
        "Binance/VIA 2018, OKEX 2017",
    ),
    Feature(
        "equity_into_base",
        "share",
        "flow",
        "",
        "much put into one coin at once",
        "value bought here in 10 min / equity",
        "{value} of the account went into this coin within 10 minutes",
        "Binance/VIA 2018",
    ),
    Feature(
        "rotation",
        "share",
        "flow",
        "",
        "sold elsewhere, bought here",
        "min(sold elsewhere, bought here in 10 min) / equity",
        "{value} of the account was sold elsewhere and put in here",
        "Binance/VIA 2018",
    ),
    Feature(
        "turnover_equity",
        "times",
        "flow",
        "",
        "account turned over",
        "decayed value traded, half-life 1 h / equity",
        "the account was turned over {value} times within the hour",
        "FTX/DMG 2022",
    ),
    Feature(
        "fees_equity_bps",
        "bps of equity",
        "flow",
        "fees",
        "fees burnt",
        "decayed fees, half-life 1 h / equity",
        "fees of {value} bps of the account within the hour",
        _DOMAIN,
    ),
    Feature(
        "rate_ratio",
        "ln ratio",
        "flow",
        "",
        "faster than usual",
        "ln((orders of the minute + 1) / (usual + 1))",
        "orders came e^{value} times as fast as usual",
        _DOMAIN,
    ),
    Feature(
        "flips",
        "count",
        "flow",
        "",
        "side changes back and forth",
        "decayed changes of side in this market, half-life 1 h",
        "the side changed {value} times within the hour",
        "FTX/DMG 2022",
    ),
    Feature(
        "push_bps",
        "bps",
        "flow",
        "any price",
        "own orders moved the price against the account",
        "1e4 s ln(F / F before the run of one side)",
        "the account's own orders moved the price by {value} bps",
        "CyberNews 2021",
    ),
    Feature(
        "chase_sigmas",
        "sigmas",
        "flow",
        "any price, an hour",
        "buying after a rise, selling after a fall",
        "s ln(m / m[-1h]) / sqrt(12) sigma",
        "the market had moved {value} sigmas this way within the hour",
        "AXS 2022",
    ),
    Feature(
        "party_share",
        "share",
        "counterparty",
        "counterparty or order ids",
        "one other side",
        "decayed share of value with this party, half-life 12 h",
        "{value} of the value went to one and the same party",
        "CME Rule 432.G",
    ),
    Feature(
        "party_run",
        "count",
        "counterparty",
        "counterparty or order ids",
        "same other side again",
        "fills in a row with this party",
        "{value} fills in a row with the same party",
        "CME Rule 432.G",
    ),
    Feature(
        "party_both_sides",
        "0-1",
        "counterparty",
        "counterparty ids",
        "bought from and sold to the same party",
        "1 where both within 1 h",
        "bought from and sold back to the same party",
        "CFTC v. Li/Kering (money pass)",
    ),
    Feature(
        "tape_share",
        "share",
        "counterparty",
        "trades",
        "the account is the market",
        "own amount / tape's, this 5-minute bucket and three before",
        "{value} of all that was traded here was this account",
        "CyberNews 2021",
    ),
    Feature(
        "equal_amounts",
        "count",
        "counterparty",
        "",
        "bought and sold in equal amounts",
        "decayed count of fills within 0.5 % of an earlier opposite one",
        "{value} fills mirrored an earlier one in amount",
        "CFTC v. Li/Kering (money pass)",
    ),
    Feature(
        "level_repeats",
        "count",
        "counterparty",
        "",
        "one price taken again and again",
        "decayed count of orders at the last order's exact price",
        "the same price was taken {value} times",
        _DOMAIN,
    ),
    Feature(
        "fresh_level",
        "0-1",
        "counterparty",
        "quotes",
        "hit a quote that had just appeared",
        "1 / (1 + age of the quote hit / 10 s)",
        "the quote that was hit had only just appeared",
        _DOMAIN,
    ),
    Feature(
        "quote_distance_bps",
        "bps",
        "counterparty",
        "quotes",
        "the other side's best quote is far from fair",
        "1e4 s ln(opposite best quote / F)",
        "the best offer stood {value} bps from fair value",
        _DOMAIN,
    ),
    Feature(
        "hour_rarity",
        "nats",
        "habit",
        "",
        "hour unusual",
        "-ln share of orders in this hour of the day (UTC)",
        "orders are rare at this hour",
        _DOMAIN,
    ),
    Feature(
        "prefix_rarity",
        "nats",
        "habit",
        "",
        "client order id unusual",
        "-ln share of this client id prefix",
        "the client order id isn't of the usual form",
        "BitMEX/sample-market-maker issue 131",
    ),
    Feature(
        "unlogged",
        "nats",
        "habit",
        "orders",
        "not in the owner's order log",
        "-ln usual share of unlogged orders",
        "the owner's bot did not place this order",
        _DOMAIN,
    ),
    Feature(
        "liquidity_rarity",
        "nats",
        "habit",
        "",
        "taking instead of making, or the reverse",
        "-ln share of this liquidity class",
        "it took liquidity where the account makes it, or the reverse",
        _DOMAIN,
    ),
    Feature(
        "dormancy",
        "ln ratio",
        "habit",
        "",
        "woke up after a long sleep",
        "ln(gap before the order / usual gap)",
        "the account had slept e^{value} times as long as usual",
        "SEC 2022 (dormant accounts)",
    ),
    Feature(
        "unlike_drift",
        "nats",
        "habit",
        "",
        "orders that aren't as the account places them, one after another",
        "max(0, U + ln likelihood ratio of any kind of order (client id prefix, type, maker or taker; new"
        " market; size) to the account's own, and of the gap between unusual ones), half-life 12 h",
        "orders are coming in that don't look like this account's own",
        "Wald 1945",
    ),
)
"""Every feature, in the order of a feature row."""

COUNT = len(FEATURES)
NAMES = tuple(feature.name for feature in FEATURES)
FAMILIES = ("price", "flow", "counterparty", "habit")
"""Families with a forest of their own; `sequence` features are inputs of each."""


def index(name: str) -> int:
    """Column of a feature; KeyError's cousin ValueError where there is none."""
    return NAMES.index(name)


def columns(family: str) -> tuple[int, ...]:
    """Columns of a family's forest: its own features and the sequential ones."""
    return tuple(i for i, feature in enumerate(FEATURES) if feature.family in (family, "sequence"))


def markdown() -> str:
    """The table of `docs/features.md`."""
    lines = [
        "| feature | unit | family | needs | positive means | formula | source |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{name}` | {unit} | {family} | {needs or 'fills only'} | {sign} | {formula} | {source} |"
        for name, unit, family, needs, sign, formula, _, source in FEATURES
    ]
    return "\n".join(lines) + "\n"
