"""What all tests share: where the real files are, and how Hypothesis looks for examples."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"

# The first example pays for compiling the kernels, which says nothing about the others: no deadline.
_COMMON = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("here", _COMMON)
# A build that fails must fail again when it is looked at: the same examples each time.
settings.register_profile("ci", _COMMON, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of files as published by others, which the project doesn't ship."""
    if not SHARED.is_dir():
        pytest.skip("no real files here: they are expected in ../shared/data, seen from the project's root")
    return SHARED


@pytest.fixture(scope="session")
def samples() -> Path:
    """Return the folder of the project's own samples."""
    return ROOT / "data"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Callable[[], str]]:
    """Start a PostgreSQL server of our own; give what empties its database and returns the URL."""
    import postgres

    with postgres.server() as empty_database:
        yield empty_database
