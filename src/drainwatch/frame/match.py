"""Which row of the given fills each judged fill is: judged ones come in order of time, without duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from drainwatch.normalise import parse_table
from drainwatch.tables import frame_pieces

if TYPE_CHECKING:
    import pandas as pd

_TEXTS = ("exchange", "account", "symbol", "id", "order")
_ABSENT = {"exchange": "", "account": "default", "order": ""}


def rows_of(
    given: pd.DataFrame, judged: dict[str, NDArray[Any]]
) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    """Find the row of each judged fill, by all that makes it one.

    Parameters
    ----------
    given
        Fills as they were given.
    judged
        Of each judged fill: `exchange`, `account`, `symbol`, `id`, `order` (None where absent), `side` (a
        word), `ts_ns`, `price` and `amount`.

    Returns
    -------
    rows
        Positions in `given`; of rows that are the same in all of this the first.
    counterparties
        Who was on the other side, None where the row doesn't tell.

    """
    places, hashes, others = [], [], []
    for _, piece in frame_pieces("fills", given):
        if not piece.rows.size:
            continue
        parsed = parse_table("fills", piece.columns, piece.rows.size)
        columns = {name: np.array(parsed.columns[name].to_pylist(), dtype=object) for name in _TEXTS}
        columns["ts_ns"] = parsed.columns["timestamp"]
        columns |= {name: parsed.columns[name] for name in ("side", "price", "amount")}
        places.append(piece.rows[parsed.kept] - 1)
        hashes.append(_hashes(columns))
        others.append(np.array(parsed.columns["counterparty"].to_pylist(), dtype=object))
    wanted = _hashes(judged | {"side": np.where(judged["side"] == "buy", 1, -1)})
    known, first = np.unique(np.concatenate(hashes), return_index=True)
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    if not np.array_equal(known[at], wanted):
        raise AssertionError("expected every judged fill among those given, found others")
    row = first[at]
    return np.concatenate(places)[row], np.concatenate(others)[row]


def _hashes(columns: dict[str, NDArray[Any]]) -> NDArray[np.uint64]:
    """Hash rows; a text that is absent is one like any other."""
    import pandas as pd

    table = pd.DataFrame(
        {"side": columns["side"].astype(np.int64), "ts_ns": columns["ts_ns"].astype(np.int64)}
    )
    for name in ("price", "amount"):
        table[name] = columns[name].astype(np.float64)
    for name in _TEXTS:
        absent = _ABSENT.get(name, "")
        texts = [absent if text is None else text for text in columns[name].tolist()]
        table[name] = pd.Series(texts, dtype=object)
    hashes: NDArray[np.uint64] = np.asarray(pd.util.hash_pandas_object(table, index=False), np.uint64)
    return hashes
