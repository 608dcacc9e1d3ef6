"""Replays to draw: the robbed accounts, with who was on the other side, in names that try to get out."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import drainwatch
from robbed import Tables, tables

NASTY = "x$\\frac{1}{0}$<b>&amp;%{x}"
"""A name that is a formula to matplotlib, markup to plotly and a template to its hovering."""


@cache
def given() -> Tables:
    """Return the tables: the thief is on the other side of six of eight stolen fills, `NASTY` of two."""
    made = tables()
    fills = made["fills"]
    stolen = fills["client_order_id"].isna().to_numpy()
    others = np.array([f"p{i}" for i in range(len(fills))], dtype=object)
    others[stolen] = ["thief", "thief", NASTY, "thief"] * (stolen.sum() // 4)
    fills["counterparty"] = others
    return made


@cache
def found() -> drainwatch.Replay:
    """Replay them; drawn, never changed."""
    return drainwatch.replay(**given())


@cache
def nasty() -> drainwatch.Replay:
    """Replay them with a nasty account on a nasty market, and no balances."""
    fills = given()["fills"].assign(account=NASTY, symbol=f"{NASTY}/US$T$", exchange="")
    return drainwatch.replay(fills)


def reliable() -> list[dict[str, Any]]:
    """Return measured rates of false incidents."""
    return [
        {"budget": 0.3, "measured": 0.4, "low": 0.3, "high": 0.6},
        {"budget": 0.03, "measured": 0.0, "low": 0.0, "high": 0.06},
    ]
