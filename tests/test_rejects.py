"""Bad rows are kept, all of them, without filling the memory."""

from __future__ import annotations

import tracemalloc

import pytest

from drainwatch.rejects import Reject, Rejects


def reject(row: int, table: str = "fills") -> Reject:
    return {"table": table, "file": "f.csv", "row": row, "column": None, "found": "x" * 200, "expected": "ü"}


def test_they_come_back_as_they_went_in() -> None:
    with Rejects() as rejects:
        assert list(rejects) == []
        for row in (3, 1):
            rejects.add(reject(row))
        rejects.add(reject(7, "trades"))
        assert list(rejects) == [reject(3), reject(1), reject(7, "trades")]
        assert list(rejects) == list(rejects)
        rejects.add(reject(9))
        assert len(rejects) == len(list(rejects)) == 4
        assert rejects.counts == {"fills": 3, "trades": 1}
        assert rejects.first == {"fills": reject(3), "trades": reject(7, "trades")}


def test_many_take_no_memory() -> None:
    with Rejects() as rejects:
        tracemalloc.start()
        for row in range(20_000):
            rejects.add(reject(row))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 << 20
        assert [row["row"] for row in rejects] == list(range(20_000))


def test_closed_the_file_is_gone() -> None:
    rejects = Rejects()
    for row in range(5000):
        rejects.add(reject(row))
    rejects.close()
    with pytest.raises(ValueError, match="closed"):
        list(rejects)
