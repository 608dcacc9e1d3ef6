"""The cache of compiled kernels: never stale, and never needed."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from drainwatch import kernel_cache

INNER = "from drainwatch.kernel_cache import jit\n@jit\ndef inner(x):\n    return x + {}\n"
OUTER = (
    "from drainwatch.kernel_cache import jit\nfrom drainwatch.inner import inner\n"
    "@jit\ndef outer(x):\n    return inner(x)\n"
)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of the same name with two kernels in two files, one calling the other."""
    folder = tmp_path / "src" / "drainwatch"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    shutil.copy(kernel_cache.__file__, folder / "kernel_cache.py")
    (folder / "inner.py").write_text(INNER.format(1))
    (folder / "outer.py").write_text(OUTER)
    return folder


def run(package: Path, cache: Path) -> tuple[int, int]:
    """In a new interpreter: the outer kernel of 1, and how often it came from the cache."""
    code = "from drainwatch.outer import outer; print(outer(1), sum(outer.stats.cache_hits.values()))"
    environment = os.environ | {"PYTHONPATH": str(package.parent), "XDG_CACHE_HOME": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        cwd=package.parent,
    )
    value, hits = done.stdout.split()
    return int(value), int(hits)


def test_an_edit_of_a_called_kernel_is_noticed(package: Path, tmp_path: Path) -> None:
    """Numba alone would go on with what it compiled: the caller's own file is as it was."""
    cache = tmp_path / "cache"
    assert run(package, cache) == (2, 0)
    assert run(package, cache) == (2, 1)
    (package / "inner.py").write_text(INNER.format(10))
    assert run(package, cache)[0] == 11
    assert not list(package.rglob("*.nbi")), "compiled code belongs into the user's cache folder"


def test_without_a_folder_for_it_kernels_are_compiled_all_the_same(package: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "a file"
    nowhere.touch()
    assert run(package, nowhere)[0] == 2


def test_others_caches_stay_where_they_were() -> None:
    before = numba.config.CACHE_DIR

    @kernel_cache.jit
    def twice(x: int) -> int:
        return 2 * x

    assert twice(2) == 4
    assert before == numba.config.CACHE_DIR


def test_division_by_zero_is_ieee() -> None:
    """A kernel that raises in the middle of a stream would leave half a state."""

    @kernel_cache.jit
    def ratio(x: float, y: float) -> float:
        return x / y

    assert ratio(1.0, 0.0) == float("inf")
    assert math.isnan(ratio(0.0, 0.0))
