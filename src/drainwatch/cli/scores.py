"""A fill looked up in the `scores.parquet` of an earlier replay, with what is usual beside it."""

from __future__ import annotations

import difflib
import math
from pathlib import Path
from typing import Any

from drainwatch.errors import InputError
from drainwatch.report.fill import Measured

NEEDED = ("id", "account", "symbol", "side", "timestamp", "fair_price", "deviation_bps", "flagged")
FEWEST = 20
"""Fills that an account needs before something is called usual."""


def find(path: Path, fill_id: str) -> list[tuple[dict[str, Any], list[Measured]]]:
    """Find the fills of an id, each with its features in the registry's order.

    Raises
    ------
    InputError
        The file can't be read or isn't a replay's, or no fill in it has this id.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        missing = [name for name in NEEDED if name not in names]
        if missing:
            raise InputError(
                f"expected the scores of a replay with a column {missing[0]}, found none in {path}"
            )
        ids = file.read(columns=["id"]).column("id").cast(pa.string())
        rows = pc.indices_nonzero(pc.fill_null(pc.equal(ids, fill_id), fill_value=False)).to_pylist()
        if not rows:
            raise InputError(f"expected a fill with id {fill_id}, found none in {path}{_near(fill_id, ids)}")
        table = file.read()
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"expected the scores of a replay in {path}, found none to read ({error}):"
            " run `drainwatch replay` first"
        ) from error
    return [(fill := table.slice(row, 1).to_pylist()[0], _measured(table, fill, row)) for row in rows]


def _near(fill_id: str, ids: Any) -> str:
    """Suggest an id that is spelled much alike; only the first thousand are looked at."""
    near = difflib.get_close_matches(fill_id, [str(i) for i in ids.slice(0, 1_000).to_pylist()], n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _measured(table: Any, fill: dict[str, Any], row: int) -> list[Measured]:
    """Put each feature of a fill beside the account's unflagged fills before it, or all where few."""
    import numpy as np
    import pyarrow.compute as pc

    from drainwatch.features import FEATURES

    same = pc.and_(pc.equal(table.column("account"), fill["account"]), pc.invert(table.column("flagged")))
    mask = np.asarray(pc.fill_null(same, fill_value=False))
    if np.count_nonzero(mask[:row]) >= FEWEST:
        mask[row:] = False
    found = []
    for feature in FEATURES:
        if feature.name not in table.column_names:
            continue
        column = table.column(feature.name).to_numpy(zero_copy_only=False).astype(np.float64)[mask]
        known = column[np.isfinite(column)]
        usual = high = math.nan
        if len(known) >= FEWEST:
            usual, high = float(np.quantile(known, 0.5)), float(np.quantile(known, 0.95))
        value = fill[feature.name]
        measured = math.nan if value is None else float(value)
        found.append(Measured(feature.name, feature.unit, feature.sign, measured, usual, high))
    return found
