"""What is right to alarm at though no thief did it: an owner's own bad fills."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drainwatch.lab.scenario import Scenario

SPARED_MS: Final = 24 * 3_600_000
"""So long after an owner's own bad fill an alarm is right, and is counted apart."""
OWN_BAD_DEVIATION: Final = 0.015
OWN_BAD_SHARE: Final = 5e-4
"""An owner's order is his own bad fill from this deviation and this share of his equity on."""


def own_bad_fills(made: Scenario) -> NDArray[np.bool_]:
    """Fills by which an owner lost as to a thief, shape (n_fills,): labelled so, or far off and dear."""
    labels, fills = made.labels, made.fills
    equity = made.equity0 / len(made.robbed or made.accounts)
    side = np.where(labels["side"] == "buy", 1.0, -1.0)
    deviation = side * (fills["price"].to_numpy() / labels["true_fair"].to_numpy() - 1.0)
    # an order that is filled in pieces is one bad order
    order = fills["symbol"].astype(str) + "\0" + fills["order"].astype(str)
    off = np.where(deviation >= OWN_BAD_DEVIATION, labels["loss"].to_numpy(), 0.0)
    dear = pd.Series(off).groupby(order.to_numpy()).transform("sum").to_numpy() >= OWN_BAD_SHARE * equity
    bad = labels["own_bad"].to_numpy(dtype=bool) | ((deviation >= OWN_BAD_DEVIATION) & dear)
    return np.asarray(bad & ~labels["is_drain"].to_numpy(dtype=bool))


def spared(made: Scenario) -> NDArray[np.bool_]:
    """Fills at or within a day after their account's own bad fill, shape (n_fills,)."""
    at = made.fills["timestamp"].to_numpy(dtype=np.int64)
    account = pd.factorize(made.fills["account"])[0]
    out = np.zeros(len(at), dtype=bool)
    for i in np.flatnonzero(own_bad_fills(made)):
        out |= (account == account[i]) & (at >= at[i]) & (at <= at[i] + SPARED_MS)
    return out
