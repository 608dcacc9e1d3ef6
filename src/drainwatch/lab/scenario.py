"""Scenarios: one simulated account on its markets, honest or robbed, as the contract's tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from drainwatch.errors import ConfigError
from drainwatch.lab import owners, people, tape, theft, thieves, universe
from drainwatch.lab.desk import THIEF, Agent, Desk, Fill, run
from drainwatch.lab.draws import log_uniform
from drainwatch.lab.paths import DAY_S, Episode
from drainwatch.lab.venue import OTHER_EXCHANGE, Venue, draw_venue

TABLES = ("fills", "trades", "quotes", "candles", "balances", "orders", "markets")
"""The tables of the contract that a scenario has."""


def _first_line(function: object) -> str:
    return (function.__doc__ or "").partition("\n")[0]


OWNERS: dict[str, str] = {name: _first_line(make) for name, make in owners.KINDS.items()}
"""Kinds of owner, each with what it does."""

THIEVES: dict[str, str] = {name: _first_line(make) for name, (_, make) in thieves.KINDS.items()}
"""Kinds of thief, each with what he does."""

KIND_OF: dict[str, str] = {name: kind for name, (kind, _) in thieves.KINDS.items()}
"""The incident kind of the contract that fits each thief best."""

HELD_OUT = tuple(name for name in thieves.KINDS if name in thieves.HELD_OUT)
"""Thieves that nothing may be trained on: what has never been seen has to be found as well."""

TRAINING_THIEVES = tuple(name for name in thieves.KINDS if name not in thieves.HELD_OUT)
"""Thieves that detectors may be trained and calibrated on."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One account's month with its truth.

    The first seven fields are the contract's tables. `labels` has a row for each row of `fills`, in
    the same order: the key (`id`, `order`, `symbol`, `side`), `is_drain` (the thief placed it),
    `to_thief` (he was the other side, too), `true_fair` (quote a base, whatever anyone did to the
    market), `family` (the thief's kind, None for the owner's), `own_bad` (an owner's typo, panic or
    careless order), `loss` (USDT beyond fair, positive is worse; with fees for `fee_churn`).
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
            if form == "csv":
                frame.to_csv(path, index=False, lineterminator="\n")
            elif form == "csv.gz":
                packing = {"method": "gzip", "mtime": 0}
                frame.to_csv(path, index=False, lineterminator="\n", compression=packing)
            elif form == "jsonl":
                frame.to_json(path, orient="records", lines=True, double_precision=15)
            elif form == "parquet":
                frame.to_parquet(path, index=False)
            else:
                raise ConfigError(f"format must be csv, csv.gz, jsonl or parquet, was {form!r} for {table}")
            written[table] = path
        return written


def make(
    seed: int,
    *,
    days: float = 30.0,
    owner: str | None = None,
    thief: str | None = None,
    difficulty: float | None = None,
    own_log: bool = True,
    regime: str | None = None,
) -> Scenario:
    """Simulate one account.

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
    own_log
        Whether the owner's program left its order log.
    regime
        An episode that has to take place, as of `universe.build`; None leaves it to chance and the owner.

    Raises
    ------
    ConfigError
        For an unknown owner, thief or regime, a difficulty outside [0, 1], or too few days.
    """
    if days < 0.5:
        raise ConfigError(f"days must be at least 0.5, was {days}")
    if owner is not None and owner not in OWNERS:
        raise ConfigError(f"owner must be one of {', '.join(OWNERS)}, was {owner!r}")
    if thief is not None and thief not in THIEVES:
        raise ConfigError(f"thief must be one of {', '.join(THIEVES)}, was {thief!r}")
    if difficulty is not None and not 0.0 <= difficulty <= 1.0:
        raise ConfigError(f"difficulty must be from 0 to 1, was {difficulty}")
    rng = np.random.default_rng(seed)
    owner = owner or list(OWNERS)[int(rng.integers(len(OWNERS)))]
    difficulty = float(rng.random()) if difficulty is None else difficulty
    wanted = {"stop_holder": ("crash", 0.6), "momentum": ("pump", 0.4)}.get(owner)
    if wanted is not None and rng.random() < wanted[1]:
        regime = regime or wanted[0]
    perp = (
        "thin"
        if thief == "thin_perp"
        else str(rng.choice(["liquid", "thin"]))
        if owner == "perp_trader"
        else None
    )
    world, coins, books = universe.build(rng, days, regime=regime, perp=perp)
    venue = draw_venue(rng, by_hand=owner == "human", fees=thief == "fee_churn")
    desk = Desk(rng, world, coins, books, venue, difficulty)
    desk.forged = bool(rng.random() < difficulty)
    desk.thief_names = [
        f"acct9{int(rng.integers(1000)):03d}" for _ in range(1 + int(6 * difficulty * rng.random()))
    ]
    equity0 = log_uniform(rng, 1e3, 1e6)
    agents: list[Agent] = [owners.KINDS[owner](desk, equity0), people.bookkeeping(desk)]
    if owner != "human" and rng.random() < 0.35:
        agents.append(people.hands(desk, equity0))
    if rng.random() < 0.3:
        agents.append(people.banking(desk, equity0))
    desk.looks.append((0, ""))
    if thief is not None:
        early = 0.05 if rng.random() < 0.15 else 0.25
        start = float(rng.uniform(early, 0.8 if days > 3 else 0.6)) * days * DAY_S
        if rng.random() < 0.3:  # when the owner sleeps
            start = float(np.floor(start / DAY_S) * DAY_S + rng.uniform(0.0, 6.0 * 3600.0))
        agents.append(thieves.KINDS[thief][1](desk, max(start, 600.0)))
    run(agents, desk.end - 600.0)
    return _tables(desk, seed, owner, thief, difficulty, equity0, own_log=own_log)


def _tables(
    desk: Desk, seed: int, owner: str, thief: str | None, difficulty: float, equity0: float, *, own_log: bool
) -> Scenario:
    offset = tape.START_MS + int(desk.rng.integers(365 * 24)) * 3_600_000
    trades: list[pd.DataFrame] = []
    quotes: list[pd.DataFrame] = []
    for symbol, market in desk.markets.items():
        columns = tape.strangers(desk, market)
        for i, row in zip(columns.trades["fill"].tolist(), columns.trades["id"].tolist(), strict=True):
            if i >= 0:
                desk.fills[i].id = row
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
    fills = sorted(desk.fills, key=lambda fill: (fill.ms, fill.symbol, int(fill.id)))
    labels = _labels(fills, thief)
    drain = labels["is_drain"].to_numpy(dtype=bool)
    first = next((fill.ms for fill in fills if fill.by == THIEF), None)
    return Scenario(
        _fills(fills, desk.venue, offset),
        tape_frame,
        quote_frame,
        tape.candles(tape_frame[tape_frame["exchange"] == desk.venue.exchange]),
        pd.DataFrame(
            [(offset + ms, desk.venue.account, name, total) for ms, name, total in desk.balance_rows()],
            columns=["timestamp", "account", "currency", "total"],
        ),
        _orders(desk, offset) if own_log else _orders(desk, offset).iloc[:0],
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
        float("nan") if first is None else _equity_at(desk, first),
        desk.venue.discloses,
        tuple(desk.world.episodes),
    )  # fmt: skip


def _equity_at(desk: Desk, ms: int) -> float:
    """Value of the spot holdings in USDT just before a time."""
    held: dict[str, float] = {}
    for at, currency, change in desk.ledger:
        if at < ms:
            held[currency] = held.get(currency, 0.0) + change
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
        "account": venue.account,
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


def _orders(desk: Desk, offset: int) -> pd.DataFrame:
    rows = sorted((max(ms, 0) + offset, order, client or None) for ms, order, client in desk.own_orders)
    out = pd.DataFrame(rows, columns=["timestamp", "order", "client_order_id"])
    out.insert(1, "account", desk.venue.account)
    return out
