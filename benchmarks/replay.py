"""How fast the engine replays: 1 M fills and 10 M tape rows in one process, beside scikit-learn.

    python benchmarks/replay.py [--fills 1000000] [--rows 10000000]

Prints fills a second of engine time, the process's peak memory, and the ratio to scikit-learn's
`score_samples` of forests of the same size over the same rows, in turns within the same run. Time
is CPU time of this process; machines are noisy, the ratio is what holds.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator

import numpy as np
from sklearn.ensemble import IsolationForest

from drainwatch.detector import forest_columns
from drainwatch.engine import Engine
from drainwatch.events import FILL, ROW, Batch, Kind, Names
from drainwatch.model import default_model_path, load_model
from drainwatch.train import SAMPLES, TREES

START_NS = 1_750_000_000_000_000_000
DAYS = 30
SYMBOLS = ("BTC/USDT", "ETH/USDT", "ETH/BTC", "SOL/USDT", "XRP/USDT", "XRP/BTC", "ADA/USDT", "ADA/BTC")
PRICES = np.array([60_000.0, 3_000.0, 0.05, 150.0, 0.5, 0.5 / 60_000, 0.4, 0.4 / 60_000])
ACCOUNTS = 20
PIECES = 50


def pieces(n_fills: int, n_rows: int) -> Iterator[Batch]:
    """Batches in order: quotes and prints of eight markets, fills of twenty accounts near the mid."""
    rng = np.random.default_rng(7)
    span_ns = DAYS * 86_400 * 1_000_000_000 // PIECES
    drift = np.zeros(len(SYMBOLS))
    for piece in range(PIECES):
        rows = np.zeros(n_rows // PIECES, ROW)
        rows["ts_ns"] = START_NS + piece * span_ns + np.sort(rng.integers(0, span_ns, len(rows)))
        market = rng.integers(0, len(SYMBOLS), len(rows))
        rows["market"] = market
        rows["account"] = rows["currency"] = -1
        steps = rng.normal(0.0, 2e-6, len(rows))
        walk = drift[market] + np.cumsum(steps)
        drift += steps.sum()
        mid = PRICES[market] * np.exp(walk)
        quoted = rng.random(len(rows)) < 0.5
        rows["kind"] = np.where(quoted, Kind.QUOTE, Kind.TRADE)
        side = rng.choice([-1, 1], len(rows))
        rows["a"] = np.where(quoted, mid * (1 - 2e-4), mid * (1 + 2e-4 * side))
        rows["b"] = np.where(quoted, mid * (1 + 2e-4), 1.0)
        rows["c"] = rows["d"] = 1.0
        rows["side"] = np.where(quoted, 0, side)
        rows["id"] = np.where(quoted, 0, np.arange(len(rows)) + piece * len(rows) + 1)
        fills = np.zeros(n_fills // PIECES, FILL)
        taken = np.sort(rng.choice(np.flatnonzero(~quoted), len(fills), replace=False))
        for name in ("ts_ns", "market", "side", "id"):
            fills[name] = rows[name][taken]
        fills["price"] = rows["a"][taken]
        fills["amount"] = rows["b"][taken]
        fills["account"] = rng.integers(0, ACCOUNTS, len(fills))
        fills["order"] = fills["id"] + 10**12
        fills["liquidity"] = 1
        fills["fee_currency"] = -1
        for name in ("cost", "fee_cost", "mark"):
            fills[name] = np.nan
        ids = fills["id"].astype(str).astype(object)
        yield Batch(rows, fills, ids, np.full(len(fills), None, dtype=object))


def main() -> None:
    """Run both in turns and print what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fills", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=10_000_000)
    given = parser.parse_args()
    model = load_model(default_model_path())
    names = Names()
    for symbol in SYMBOLS:
        names.market("bench", symbol)
    for account in range(ACCOUNTS):
        names.account(str(account))
    engine = Engine(model.arrays, model.card["features"], names)
    engine.feed(Batch.empty())  # compiled before the clock starts
    rng = np.random.default_rng(1)
    columns = [list(family) for family in forest_columns()]
    forests = [
        IsolationForest(n_estimators=TREES, max_samples=SAMPLES, random_state=0).fit(
            rng.random((2000, len(family)))
        )
        for family in columns
    ]
    engine_s = sklearn_s = 0.0
    done = scored = flagged = 0
    for batch in pieces(given.fills, given.rows):
        started = time.process_time()
        engine.feed(batch)
        blocks, _ = engine.take_outputs()
        engine_s += time.process_time() - started
        rows = np.nan_to_num(blocks[0].features[:4000])
        started = time.process_time()
        for forest, family in zip(forests, columns, strict=True):
            forest.score_samples(rows[:, family])
        sklearn_s += time.process_time() - started
        scored += len(rows)
        done += len(batch.fills)
        flagged += int(blocks[0].judged["flagged"].sum())
    per_fill, per_row = engine_s / done, sklearn_s / scored
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"fills {done:,}, tape rows {given.rows:,}, flagged {flagged:,}, incidents {len(engine.incidents):,}"
    )
    print(f"engine: {engine_s:.2f} s CPU, {1 / per_fill:,.0f} fills a second, tape included")
    print(f"scikit-learn, {len(forests)} such forests, scoring only: {1 / per_row:,.0f} rows a second")
    print(f"ratio, whole engine to scikit-learn's scoring alone: {per_row / per_fill:.2f}")
    print(f"peak memory of the process: {peak_mb:,.0f} MB")


if __name__ == "__main__":
    main()
