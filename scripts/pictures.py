"""Write the pictures of `docs/howto-plots.md` into `docs/plots/`.

    python scripts/pictures.py

Takes half a minute. The accounts are simulated; the same code gives the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import drainwatch
from drainwatch import plots
from drainwatch.lab.scenario import make
from drainwatch.plots.style import rc

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "plots"
SEED = 90_000
"""A month on a simulated venue that tells who was on the other side."""


def _sample() -> dict[str, Any]:
    folder = ROOT / "data" / "ping-pong"
    names = ("fills", "trades", "quotes", "balances", "orders", "markets")
    return {name: pd.read_csv(next(folder.glob(f"{name}.csv*"))) for name in names}


def _drawings() -> Iterator[tuple[str, tuple[float, float], Callable[..., Axes]]]:
    tables = _sample()
    found = drainwatch.replay(**tables)
    incident = found.incident(0)
    yield "price-light", (7.0, 3.4), lambda **on: plots.price(incident, **on)
    yield "money-light", (7.0, 2.8), lambda **on: plots.money(incident, **on)
    yield "reasons-light", (7.0, 3.4), lambda **on: plots.reasons(incident, **on)
    yield "markouts-light", (7.0, 3.0), lambda **on: plots.markouts(incident, tables["quotes"], **on)
    yield "scores-light", (7.0, 3.2), lambda **on: plots.scores(found, **on)
    told = make(SEED, days=3.0, thief="ping_pong")
    robbed = drainwatch.replay(
        told.fills, told.trades, told.quotes, balances=told.balances, markets=told.markets
    )
    yield "network-dark", (5.6, 4.6), lambda **on: plots.network(robbed, **on)
    result = json.loads((ROOT / "docs" / "benchmark.json").read_text(encoding="utf-8"))
    rows = result["levels"][result["figure_level"]]["detectors"]["drainwatch"]["calibration"]
    yield "reliability-light", (4.2, 3.9), lambda **on: plots.reliability(rows, **on)


def main() -> None:
    """Draw everything."""
    FOLDER.mkdir(exist_ok=True)
    for name, size, draw in _drawings():
        theme = name.rpartition("-")[2]
        with mpl.rc_context(rc(theme)):
            figure = Figure(figsize=size)
            draw(ax=figure.add_subplot(), theme=theme)
            path = FOLDER / f"{name}.svg"
            figure.savefig(path, metadata={"Date": None, "Creator": None})
        text = re.sub(r"[ \t]+$", "", path.read_text("utf-8"), flags=re.MULTILINE)
        path.write_text(text, "utf-8", newline="\n")


if __name__ == "__main__":
    main()
