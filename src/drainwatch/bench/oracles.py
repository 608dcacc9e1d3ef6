"""Oracles: detectors that are told each fill's true fair value, to show how far price alone can go."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drainwatch.bench.common_features import (
    Ints,
    costs,
    logged,
    past_medians,
    quote_currencies,
    sides,
    takers,
    times,
)
from drainwatch.bench.detectors import Detector, Floats, Seen
from drainwatch.errors import ConfigError

DOLLARS: Final = ("USDT", "USDC", "USD")

# The figures below lost least money at 0.1 false incidents an account-month, on 160 honest months and 6 of
# each thief, seeds from 1,000,000 on: 0.27 of the theft on average, 0.15 with the log. None is sharp: of the
# halvings and doublings that were tried, none moved that by more than 0.03.
HALF_LIFE_MS: Final = 6 * 3_600_000
"""After which half of a loss is forgotten: a bleed takes hours, and what owners lose in days isn't one."""
USUAL_SHARE: Final = 0.5
"""Of the account's usual cost that is taken off: all of it would let a bleed hide in what it taught."""
PRIOR_LOSS: Final = 1.5e-4
"""Share of equity that a fill usually loses beyond the usual cost, before the account has shown its own."""
PRIOR_FILLS: Final = 40.0
"""Fills that the prior counts for."""
OWN_SCALE: Final = 0.85
"""Exponent with which the account's own usual loss replaces the prior as the unit."""
MOST_LEARNED: Final = 20.0
"""Usual losses that one fill can teach at most."""
FILLS_OF_EQUITY: Final = 100.0
"""Median fills that an account is taken to be worth where its balances aren't known."""
LOGGED: Final = 0.05
"""Weight of a loss whose order the owner's log has."""
UNLOGGED: Final = 10.0
"""Weight of a loss whose order a living log lacks."""
ALIVE_MS: Final = 3 * 86_400_000
"""A log whose last row is older is dead: what it lacks says nothing."""


class OraclePrice:
    """Losses beyond fair value, added up, in units of what this account's fills usually lose.

    Of each fill it takes what it cost beyond half of the running median cost of makers or takers, as a
    share of equity (from balances, rolled forward by fills; without them, of a hundred median fills). A
    sum that forgets half in six hours and never falls below 0 is kept of it, each loss divided by the
    account's mean such loss so far. A test of single fills beside the sum was tried: it found nothing more.
    """

    name: str = "oracle_price"
    about: str = "told the true fair value: sum of losses beyond the usual, in the account's own usual losses"
    needs_truth: bool = True
    fills_alone: bool = False
    fixed_threshold: float | None = None

    def fit(self, honest: Sequence[Seen]) -> Self:
        """Nothing is learned but from the account itself."""
        del honest
        return self

    def scores(self, seen: Seen) -> Floats:
        """Sum of losses after each fill, in usual losses; 0 for a fill that lost nothing itself."""
        truth = _truth(seen)
        cost = sides(seen.fills) * (
            seen.fills["price"].to_numpy(dtype=np.float64) / truth["true_fair"].to_numpy(dtype=np.float64)
            - 1.0
        )
        usual = np.nan_to_num(past_medians(cost, np.nan_to_num(takers(seen.fills), nan=-1.0).tolist()))
        beyond = cost - USUAL_SHARE * np.maximum(usual, 0.0)
        return _sums(times(seen.fills), beyond * equity_shares(seen), self.weights(seen))

    def weights(self, seen: Seen) -> Floats:
        """Weight of each fill's loss: 1."""
        return np.ones(len(seen.fills))


class OraclePriceAndLog(OraclePrice):
    """The same, and it looks into the owner's order log.

    A loss counts little where the log has the order, and tenfold where it doesn't though it had a row
    within the last three days. Where there is no log, or it is dead, it is `oracle_price`.
    """

    name: str = "oracle_price_and_log"
    about: str = "the same, less for orders that the owner's log has, more for those that a living log lacks"

    def weights(self, seen: Seen) -> Floats:
        """Weight of each fill's loss: `LOGGED`, `UNLOGGED`, or 1 where the log says nothing."""
        known = logged(seen)
        weights = np.ones(len(known))
        weights[known == 1.0] = LOGGED
        weights[(known == 0.0) & _alive(seen)] = UNLOGGED
        return weights


ORACLES: tuple[Detector, ...] = (OraclePrice(), OraclePriceAndLog())
"""All of them."""


def _truth(seen: Seen) -> pd.DataFrame:
    if seen.truth is None:
        raise ConfigError("an oracle needs the truth of each fill: `Seen.truth` must be a table, was None")
    return seen.truth


def _alive(seen: Seen) -> NDArray[np.bool_]:
    """Whether the log had a row within `ALIVE_MS` before each fill."""
    log = np.sort(times(seen.tables["orders"])) if "orders" in seen.tables else np.empty(0, dtype=np.int64)
    at = times(seen.fills)
    last = np.concatenate([[-ALIVE_MS], log])[np.searchsorted(log, at, side="right")]
    return np.asarray(at - last < ALIVE_MS)


def _sums(at: Ints, losses: Floats, weights: Floats) -> Floats:
    out = np.zeros(len(losses))
    total, count, level = PRIOR_FILLS * PRIOR_LOSS, PRIOR_FILLS, 0.0
    kept = 0.5 ** (np.diff(at, prepend=at[:1]) / HALF_LIFE_MS)
    for i, (loss, weight, keep) in enumerate(
        zip(losses.tolist(), weights.tolist(), kept.tolist(), strict=True)
    ):
        mean = total / count
        unit = mean**OWN_SCALE * PRIOR_LOSS ** (1.0 - OWN_SCALE)
        level = max(0.0, level * keep + weight * loss / unit)
        if loss > 0.0:
            out[i] = level
        total += min(max(loss, 0.0), MOST_LEARNED * mean)
        count += 1.0
    return out


def equity_shares(seen: Seen) -> Floats:
    """Fair value of each fill as a share of the account's equity just before it; at most 1.

    Without balances, or where nothing tells what the currencies are worth, of `FILLS_OF_EQUITY` times
    the median fill so far in that quote currency.
    """
    cost = costs(seen)
    quotes = quote_currencies(seen.fills)
    median = past_medians(cost, quotes.tolist())
    shares = np.minimum(np.where(np.isfinite(median), cost / median, 1.0) / FILLS_OF_EQUITY, 1.0)
    if "balances" not in seen.tables:
        return shares
    truth = _truth(seen)
    fair = truth["true_fair"].to_numpy(dtype=np.float64)
    price = seen.fills["price"].to_numpy(dtype=np.float64)
    amount = cost / price
    with np.errstate(divide="ignore", invalid="ignore"):
        implied = truth["loss"].to_numpy(dtype=np.float64) / (sides(seen.fills) * (price - fair) * amount)
    purse, largest = _Purse(seen.tables["balances"]), 0.0
    columns = (
        times(seen.fills), seen.fills["symbol"].str.split("/").str[0], quotes,
        seen.fills["symbol"].str.contains(":"), sides(seen.fills) * amount, cost, fair, implied,
    )  # fmt: skip
    for i, row in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        ms, base, quote, is_derivative, bought, paid, worth, rate = row
        purse.go_on(ms)
        if not is_derivative:
            purse.learn_fair(base, quote, worth)
        value = abs(bought) * worth * purse.dollars(quote)
        equity = purse.equity()
        largest = max(largest, value if np.isfinite(value) else 0.0)
        if np.isfinite(value) and equity > 0.0:
            shares[i] = value / max(equity, largest)
        purse.learn_implied(quote, rate)
        if not is_derivative:
            purse.trade(base, quote, bought, paid)
    return shares


@dataclass(slots=True)
class _Purse:
    """What the account holds, and what that is worth in dollars as far as its own fills' fair values tell."""

    balances: pd.DataFrame
    held: dict[str, float] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=lambda: dict.fromkeys(DOLLARS, 1.0))
    implied: dict[str, list[float]] = field(default_factory=dict)
    _rows: list[tuple[int, str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        rows = self.balances.sort_values("timestamp", kind="stable", ascending=False)
        self._rows = list(
            zip(rows["timestamp"].tolist(), rows["currency"].tolist(), rows["total"].tolist(), strict=True)
        )

    def go_on(self, ms: int) -> None:
        """Take up the balance rows up to a time."""
        while self._rows and self._rows[-1][0] <= ms:
            _, currency, total = self._rows.pop()
            self.held[currency] = total

    def learn_fair(self, base: str, quote: str, fair: float) -> None:
        """Learn what a coin is worth."""
        rate = self.dollars(quote)
        if rate == rate and base not in DOLLARS:  # noqa: PLR0124 - NaN
            self.rates[base] = fair * rate

    def learn_implied(self, quote: str, rate: float) -> None:
        """Learn what the labels' loss in dollars says of a quote currency."""
        if np.isfinite(rate):
            insort(self.implied.setdefault(quote, []), rate)

    def dollars(self, currency: str) -> float:
        """Dollars of a unit; NaN where nothing has told it."""
        if currency in self.rates:
            return self.rates[currency]
        told = self.implied.get(currency)
        return told[len(told) // 2] if told else float("nan")

    def equity(self) -> float:
        """Dollars of all holdings whose worth is known."""
        worth = ((total, self.dollars(currency)) for currency, total in self.held.items() if total > 0.0)
        return sum(total * rate for total, rate in worth if np.isfinite(rate))

    def trade(self, base: str, quote: str, bought: float, paid: float) -> None:
        """Move holdings by a fill; `bought` is negative for a sale."""
        self.held[base] = self.held.get(base, 0.0) + bought
        self.held[quote] = self.held.get(quote, 0.0) - (paid if bought > 0.0 else -paid)
