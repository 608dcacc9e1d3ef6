"""`jit`: numba's compiler with an on-disk cache that can't go stale.

numba notices that a function's own file changed, but not that a function it calls in another
file did: it would go on with the old answer. So compiled code is kept in a folder named after
the hash of every source file that holds a kernel: any edit of one, any upgrade starts a new one.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])


@cache
def _folder() -> str:
    """Folder for this version's compiled kernels, below the user's cache folder."""
    digest = hashlib.blake2b(digest_size=8)
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        source = path.read_bytes()
        if b"kernel_cache import jit" in source or path.name == "events.py":
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(source)
    digest.update(f"{sys.version_info[:3]} {numba.__version__}".encode())
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return str(Path(base) / "drainwatch" / "kernels" / digest.hexdigest())


def jit(function: F) -> F:
    """Compile `function` when it is first called; IEEE arithmetic as written, so results repeat.

    Where the cache folder can't be written the function is compiled in memory, each time anew.
    """
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = _folder()  # read by numba at decoration only; put back for others
    try:
        compiled = numba.njit(cache=True, error_model="numpy")(function)
    except (OSError, RuntimeError):
        compiled = numba.njit(error_model="numpy")(function)
    finally:
        numba.config.CACHE_DIR = before
    return compiled  # type: ignore[no-any-return]
