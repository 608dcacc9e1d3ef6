"""Scenarios: one simulated account on its markets, honest or robbed, as the contract's tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from drainwatch.errors import ConfigError
from drainwatch.lab import farm, owners, people, regimes, tape, theft, thieves, universe
from drainwatch.lab.desk import THIEF, Agent, Desk, Fill, run
from drainwatch.lab.draws import choose, log_uniform
from drainwatch.lab.folder import write_table
from drainwatch.lab.markets import Market
from drainwatch.lab.orderlog import OrderLog, draw_log
from drainwatch.lab.paths import DAY_S, Coin, Episode, Paths
from drainwatch.lab.venue import OTHER_EXCHANGE, Venue, draw_venue

TABLES = ("fills", "trades", "quotes", "candles", "balances", "orders", "markets")
"""The tables of the contract that a scenario has."""


def _first_line(function: object) -> str:
    return (function.__doc__ or "").partition("\n")[0]


OWNERS: dict[str, str] = {name: _first_line(make) for name, make in owners.KINDS.items()} | {
    "farm": f"{farm.FEWEST} to {farm.MOST} accounts that one program trades alike, moments apart."
}
"""Kinds of owner, each with what it does."""

PROGRAMS = tuple(name for name in owners.KINDS if name != "human")
"""Kinds of owner that a farm may have as its strategy."""

THIEVES: dict[str, str] = {name: _first_line(kind.make) for name, kind in thieves.KINDS.items()}
"""Kinds of thief, each with what he does."""

KIND_OF: dict[str, str] = {name: kind.incident for name, kind in thieves.KINDS.items()}
"""The incident kind of the contract that fits each thief best."""

FAMILY_OF: dict[str, str] = {name: kind.family for name, kind in thieves.KINDS.items()}
"""The family of attacks that each thief belongs to."""

REGIMES = regimes.REGIMES
"""What can be made to happen to the market; left alone, chance decides."""

HELD_OUT_REGIMES = ("venue_crash", "outage")
"""Regimes that nothing may be trained on: a market that goes mad in a new way must not alarm either."""

HELD_OUT = tuple(name for name in thieves.KINDS if name in thieves.HELD_OUT)
"""Thieves that nothing may be trained on: what has never been seen has to be found as well."""

TRAINING_THIEVES = tuple(name for name in thieves.KINDS if name not in thieves.HELD_OUT)
"""Thieves that detectors may be trained and calibrated on."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """The month of an account, or of a farm's accounts, with its truth.

    The first seven fields are the contract's tables. `labels` has a row for each row of `fills`, in
    the same order: the key (`account`, `id`, `order`, `symbol`, `side`), `is_drain` (the thief placed
    it), `to_thief` (he was the other side, too), `true_fair` (quote a base, whatever anyone did to the
    market), `family` (the thief's kind, None for the owner's), `own_bad` (an owner's typo, panic or
    careless order), `loss` (USDT beyond fair, positive is worse; with fees for `fee_churn`).

    A farm is as many account-months as it has `accounts`. Its `started_ms` is the thief's first fill in
    any of them, and its equities are sums over the accounts in `robbed`, or over all without a thief.
    """

    fills: pd.DataFrame
    trades: pd.DataFrame
    quotes: pd.DataFrame
    candles: pd.DataFrame
    balances: pd.DataFrame
    orders: pd.DataFrame
    markets: pd.DataFrame
    labels: pd.DataFrame
    seed: int
    owner: str
    family: str | None
    difficulty: float
    started_ms: int | None  # the thief's first fill; None without one (on a short stretch he may miss)
    stolen_quote: float  # USDT: sum of `loss` over the thief's fills
    equity0: float  # USDT at the start
    equity_before: float  # USDT just before the thief's first fill; NaN without a thief
    discloses: str  # what the tape tells of the other side: nothing, orders, accounts
    episodes: tuple[Episode, ...]
    days: float
    accounts: tuple[str, ...]
    robbed: tuple[str, ...]  # accounts whose key the thief has
    log: str  # how the owner's order log was kept: `OrderLog.kind`

    def write(self, folder: Path, formats: str | Mapping[str, str] = "parquet") -> dict[str, Path]:
        """Write the tables (and `labels`) to a folder; returns the paths by table.

        Parameters
        ----------
        folder
            Where to; made if absent.
        formats
            `csv`, `csv.gz`, `jsonl` or `parquet` for all, or one for each table (those without are left
            out). Empty tables are left out.

        Raises
        ------
        ConfigError
            For an unknown format.
        """
        folder.mkdir(parents=True, exist_ok=True)
        wanted = dict.fromkeys((*TABLES, "labels"), formats) if isinstance(formats, str) else dict(formats)
        written = {}
        for table, form in wanted.items():
            frame: pd.DataFrame = getattr(self, table)
            if frame.empty:
                continue
            path = folder / f"{table}.{form}"
            write_table(frame, path, form)
            written[table] = path
        return written


def make(
    seed: int,
    *,
    days: float = 30.0,
    owner: str | None = None,
    thief: str | None = None,
    difficulty: float | None = None,
    regime: str | None = None,
    without: Collection[str] = (),
    accounts: int | None = None,
    own_log: bool = True,
) -> Scenario:
    """Simulate one account, or a farm of them.

    Parameters
    ----------
    seed
        The same seed and arguments give the same tables.
    days
        Length; at least 0.5.
    owner
        One of `OWNERS`; None draws one.
    thief
        One of `THIEVES`; None for an honest account.
    difficulty
        0 a blatant thief, 1 a careful one; None draws it.
    regime
        One of `REGIMES`, which then takes place; None leaves all to chance.
    without
        Regimes that chance may not bring.
    accounts
        How many accounts the owner trades alike, of which a thief robs one to all; None is one, and a
        few for a `farm`.
    own_log
        Whether the owner's program left its order log (which may have holes all the same).

    Raises
    ------
    ConfigError
        For an unknown owner, thief or regime, a difficulty outside [0, 1], too few days, or a number of
        accounts outside [1, 20].
    """
    _check(days, owner, thief, difficulty, regime, accounts)
    rng = np.random.default_rng(seed)
    owner = owner or list(OWNERS)[int(rng.integers(len(OWNERS)))]
    strategy = choose(rng, list(PROGRAMS), 1)[0] if owner == "farm" else owner
    if accounts is None:
        accounts = int(rng.integers(farm.FEWEST, farm.MOST + 1)) if owner == "farm" else 1
    difficulty = float(rng.random()) if difficulty is None else difficulty
    world, coins, books = _world(rng, days, strategy, thief, regime, without)
    venue = draw_venue(rng, by_hand=strategy == "human", fees=thief == "fee_churn")
    desk = Desk(rng, world, coins, books, venue, difficulty)
    desk.forged = bool(rng.random() < difficulty)
    desk.thief_names = [
        f"acct9{int(rng.integers(1000)):03d}" for _ in range(1 + int(6 * difficulty * rng.random()))
    ]
    several = accounts > 1
    desks = farm.open_accounts(desk, accounts) if several else [desk]
    worth = farm.equities(rng, accounts) if several else [log_uniform(rng, 1e3, 1e6)]
    agents = [
        agent for desk, equity in zip(desks, worth, strict=True) for agent in _owner(desk, strategy, equity)
    ]
    if strategy != "human" and rng.random() < 0.35:
        agents.append(people.hands(desks[0], worth[0]))
    robbed: list[Desk] = []
    if thief is not None:
        robbed = farm.robbed(rng, desks) if several else desks
        start, comes = _start(rng, days), _comes(thief)
        agents += farm.raids(rng, robbed, comes, start) if several else [comes(desk, start)]
    run(agents, desk.end - 600.0)
    log = draw_log(rng, desk.end) if own_log else OrderLog("none")
    counted = {desk.venue.account for desk in robbed or desks}
    equity0 = sum(usdt for desk, usdt in zip(desks, worth, strict=True) if desk.venue.account in counted)
    return _tables(desks, robbed, log, seed, owner, thief, difficulty, equity0)


def _comes(thief: str) -> thieves.Thief:
    """Make a thief of a kind, with what he does beforehand."""
    return lambda desk, start: thieves.enter(desk, thief, start)


def _check(
    days: float,
    owner: str | None,
    thief: str | None,
    difficulty: float | None,
    regime: str | None,
    accounts: int | None,
) -> None:
    if days < 0.5:
        raise ConfigError(f"days must be at least 0.5, was {days}")
    if owner is not None and owner not in OWNERS:
        raise ConfigError(f"owner must be one of {', '.join(OWNERS)}, was {owner!r}")
    if thief is not None and thief not in THIEVES:
        raise ConfigError(f"thief must be one of {', '.join(THIEVES)}, was {thief!r}")
    if regime is not None and regime not in REGIMES:
        raise ConfigError(f"regime must be one of {', '.join(REGIMES)}, was {regime!r}")
    if difficulty is not None and not 0.0 <= difficulty <= 1.0:
        raise ConfigError(f"difficulty must be from 0 to 1, was {difficulty}")
    if accounts is not None and not 1 <= accounts <= farm.LIMIT:
        raise ConfigError(f"accounts must be from 1 to {farm.LIMIT}, was {accounts}")


def _world(
    rng: np.random.Generator,
    days: float,
    strategy: str,
    thief: str | None,
    regime: str | None,
    without: Collection[str],
) -> tuple[Paths, dict[str, Coin], dict[str, Market]]:
    """Draw a world in which the strategy and the thief have something to do."""
    needs = "" if thief is None else thieves.KINDS[thief].needs
    if needs == "crash":
        regime = regime if regime in {"crash", "venue_crash"} else "crash"
    wanted = {"stop_holder": ("crash", 0.6), "momentum": ("pump", 0.4)}.get(strategy)
    if wanted is not None and rng.random() < wanted[1]:
        regime = regime or wanted[0]
    perp = (
        "thin"
        if needs == "perp"
        else str(rng.choice(["liquid", "thin"]))
        if strategy == "perp_trader"
        else None
    )
    return universe.build(rng, days, regime=regime, without=without, perp=perp)


def _owner(desk: Desk, strategy: str, equity: float) -> list[Agent]:
    """Make what trades an account, keeps its books, and brings and takes its money."""
    agents: list[Agent] = [owners.KINDS[strategy](desk, equity), people.bookkeeping(desk)]
    if desk.rng.random() < 0.3:
        agents.append(people.banking(desk, equity))
    desk.looks.append((0, ""))
    return agents


def _start(rng: np.random.Generator, days: float) -> float:
    """Draw when the thief comes, in seconds."""
    early = 0.05 if rng.random() < 0.15 else 0.25
    start = float(rng.uniform(early, 0.8 if days > 3 else 0.6)) * days * DAY_S
    if rng.random() < 0.3:  # when the owner sleeps
        start = float(np.floor(start / DAY_S) * DAY_S + rng.uniform(0.0, 6.0 * 3600.0))
    return max(start, 600.0)


def _tables(
    desks: list[Desk], robbed: list[Desk], log: OrderLog, seed: int, owner: str, thief: str | None,
    difficulty: float, equity0: float,
) -> Scenario:  # fmt: skip
    desk = desks[0]
    offset = tape.START_MS + int(desk.rng.integers(365 * 24)) * 3_600_000
    trades: list[pd.DataFrame] = []
    quotes: list[pd.DataFrame] = []
    for symbol, market in desk.markets.items():
        columns = tape.strangers(desk, market)
        for i, row in zip(columns.trades["fill"].tolist(), columns.trades["id"].tolist(), strict=True):
            if i >= 0:
                desk.register.fills[i].id = row
        other = tape.elsewhere(desk, market)
        for exchange, drawn in ((desk.venue.exchange, columns), (OTHER_EXCHANGE, other)):
            for rows, into in ((drawn.quotes, quotes), (drawn.trades, trades)) if drawn else ():
                frame = pd.DataFrame({name: column for name, column in rows.items() if name != "fill"})
                frame.insert(1, "exchange", exchange)
                frame.insert(2, "symbol", symbol)
                into.append(frame)
    tape_frame = _by_time(trades, offset)
    tape_frame["side"] = np.where(tape_frame["side"].to_numpy() > 0, "buy", "sell")
    quote_frame = _by_time(quotes, offset)
    fills = sorted(desk.register.fills, key=lambda fill: (fill.ms, fill.symbol, int(fill.id)))
    labels = _labels(fills, thief)
    drain = labels["is_drain"].to_numpy(dtype=bool)
    first = next((fill.ms for fill in fills if fill.by == THIEF), None)
    return Scenario(
        _fills(fills, desk.venue, offset),
        tape_frame,
        quote_frame,
        tape.candles(tape_frame[tape_frame["exchange"] == desk.venue.exchange]),
        pd.DataFrame(
            sorted(
                (offset + ms, mine.venue.account, name, total)
                for mine in desks
                for ms, name, total in mine.balance_rows()
            ),
            columns=["timestamp", "account", "currency", "total"],
        ),
        _orders(desks, log, offset),
        pd.DataFrame(
            [
                (m.spec.symbol, m.spec.base, m.spec.quote, m.spec.settle, m.spec.contract_size,
                 bool(m.spec.settle) and not m.spec.inverse, m.spec.inverse, m.spec.tick)
                for m in desk.markets.values()
            ],
            columns=["symbol", "base", "quote", "settle", "contract_size", "linear", "inverse", "tick_size"],
        ),
        labels,
        seed,
        owner,
        thief,
        difficulty,
        None if first is None else offset + first,
        float(labels["loss"].to_numpy()[drain].sum()),
        equity0,
        float("nan") if first is None else sum(_equity_at(mine, first) for mine in robbed),
        desk.venue.discloses,
        tuple(desk.world.episodes),
        desk.end / DAY_S,
        tuple(mine.venue.account for mine in desks),
        tuple(mine.venue.account for mine in robbed),
        log.kind,
    )  # fmt: skip


def _equity_at(desk: Desk, ms: int) -> float:
    """Value of the spot holdings less debts in USDT just before a time."""
    held: dict[str, float] = {}
    for at, currency, change in desk.ledger:
        if at < ms:
            held[currency] = held.get(currency, 0.0) + change
    for at, currency, owed in desk.debts:
        if at < ms:
            held[currency] = held.get(currency, 0.0) - owed
    return sum(total * desk.usdt(currency, ms / 1000.0) for currency, total in held.items())


def _by_time(frames: list[pd.DataFrame], offset: int) -> pd.DataFrame:
    out = pd.concat(frames, ignore_index=True)
    out = out.iloc[np.argsort(out["timestamp"].to_numpy(), kind="stable")].reset_index(drop=True)
    out["timestamp"] += offset
    return out


def _side(side: int) -> str:
    return "buy" if side > 0 else "sell"


def _fills(fills: list[Fill], venue: Venue, offset: int) -> pd.DataFrame:
    table = {
        "id": [f.id for f in fills],
        "timestamp": np.array([f.ms for f in fills], dtype=np.int64) + offset,
        "exchange": venue.exchange,
        "account": [f.account for f in fills],
        "symbol": [f.symbol for f in fills],
        "side": [_side(f.side) for f in fills],
        "price": [f.price for f in fills],
        "amount": [f.amount for f in fills],
        "cost": [f.cost for f in fills],
        "order": [f.order for f in fills],
        "client_order_id": [f.client or None for f in fills],
        "type": [f.type for f in fills],
        "taker_or_maker": [f.liquidity for f in fills],
        "fee_cost": [f.fee for f in fills],
        "fee_currency": [f.fee_currency for f in fills],
    }
    if venue.discloses == "accounts":
        table["counterparty"] = [f.counterparty for f in fills]
    if venue.discloses == "orders":
        table["maker_order"] = [f.maker_order for f in fills]
        table["taker_order"] = [f.taker_order for f in fills]
    return pd.DataFrame(table)


def _labels(fills: list[Fill], thief: str | None) -> pd.DataFrame:
    drain = np.array([f.by == THIEF for f in fills], dtype=bool)
    fees = [
        f.fee * f.quote_usdt * (1.0 if f.fee_currency in f.symbol.partition("/")[2] else f.true_fair)
        for f in fills
    ]
    loss = np.array([theft.loss_of(f) for f in fills]) + (
        np.array(fees) * drain if thief == "fee_churn" else 0.0
    )
    return pd.DataFrame(
        {
            "account": [f.account for f in fills],
            "id": [f.id for f in fills],
            "order": [f.order for f in fills],
            "symbol": [f.symbol for f in fills],
            "side": [_side(f.side) for f in fills],
            "is_drain": drain,
            "to_thief": [f.to_thief for f in fills],
            "true_fair": [f.true_fair for f in fills],
            "family": [thief if f.by == THIEF else None for f in fills],
            "own_bad": [f.note == "own_bad_fill" for f in fills],
            "loss": loss,
        }
    )


def _orders(desks: list[Desk], log: OrderLog, offset: int) -> pd.DataFrame:
    rng = desks[0].rng
    rows = [
        (max(ms, 0) + offset, desk.venue.account, order, client or None)
        for desk in desks
        for ms, order, client in log.written(desk.own_orders, rng)
    ]
    rows.sort(key=lambda row: (row[0], row[1], row[2]))
    return pd.DataFrame(rows, columns=["timestamp", "account", "order", "client_order_id"])
