"""A fill found again in the scores of an earlier replay."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from drainwatch.cli.scores import FEWEST, find
from drainwatch.errors import InputError
from drainwatch.features import NAMES
from report_fakes import fill


def scores(tmp_path: Path, rows: list[dict[str, Any]]) -> Path:
    path = tmp_path / "scores.parquet"
    parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


def quiet(count: int, **changes: Any) -> list[dict[str, Any]]:
    """Ordinary fills whose `size_sigmas` are 0, 1, 2, ..."""
    plain = {"flagged": False, "incident": None} | changes
    return [fill(n, id=f"q{n}", size_sigmas=float(n), **plain) for n in range(count)]


def test_fill_is_put_beside_what_is_usual(tmp_path: Path) -> None:
    rows = [*quiet(101), fill(200, size_sigmas=500.0), fill(201, size_sigmas=1e9)]
    ((row, measured),) = find(scores(tmp_path, rows), "f200")
    assert (row["id"], row["symbol"], row["deviation_bps"]) == ("f200", "XRP/ETH", 1_200.0)
    by_name = {m.name: m for m in measured}
    size = by_name["size_sigmas"]
    assert (size.value, size.usual, size.high) == (500.0, 50.0, 95.0)  # flagged fills are no measure
    assert [m.name for m in measured] == [name for name in NAMES if name in ("deviation_bps", "size_sigmas")]


def test_what_comes_after_is_no_measure(tmp_path: Path) -> None:
    """After a drain has begun nothing is usual any more."""
    rows = [*quiet(FEWEST), fill(200, size_sigmas=5.0), *quiet(500)]
    ((_, measured),) = find(scores(tmp_path, rows), "f200")
    assert measured[-1].usual == (FEWEST - 1) / 2


def test_other_accounts_are_no_measure(tmp_path: Path) -> None:
    rows = [*quiet(50, account="other"), fill(200, size_sigmas=5.0)]
    ((_, measured),) = find(scores(tmp_path, rows), "f200")
    assert all(math.isnan(m.usual) for m in measured)


def test_too_few_are_no_measure(tmp_path: Path) -> None:
    few = find(scores(tmp_path, [*quiet(FEWEST - 1), fill(200, size_sigmas=5.0)]), "f200")
    enough = find(scores(tmp_path, [*quiet(FEWEST), fill(200, size_sigmas=5.0)]), "f200")
    assert math.isnan(few[0][1][-1].usual)
    assert math.isfinite(enough[0][1][-1].usual)


def test_unknown_feature_stays_unknown(tmp_path: Path) -> None:
    rows = [*quiet(30), fill(200, size_sigmas=None)]
    ((_, measured),) = find(scores(tmp_path, rows), "f200")
    assert math.isnan(measured[-1].value)


def test_one_id_in_two_markets_gives_both(tmp_path: Path) -> None:
    rows = [fill(1), fill(1, symbol="A/B")]
    assert [row["symbol"] for row, _ in find(scores(tmp_path, rows), "f1")] == ["XRP/ETH", "A/B"]


def test_absent_fill_is_refused_with_the_nearest(tmp_path: Path) -> None:
    path = scores(tmp_path, quiet(30))
    with pytest.raises(InputError, match=r"with id q290, found none in .*; did you mean q29\?"):
        find(path, "q290")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"id,price\n1,2\n"])
def test_damaged_scores_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "scores.parquet"
    path.write_bytes(content)
    with pytest.raises(InputError, match="run `drainwatch replay` first"):
        find(path, "f1")


def test_another_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    parquet.write_table(pa.table({"id": ["1"]}), path)
    with pytest.raises(InputError, match="with a column account, found none"):
        find(path, "1")
