"""A PostgreSQL server for tests: private, in a folder of its own, reached by a unix socket."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")


def binary(name: str) -> str:
    """Find a program of the server; skip the test where there is none."""
    known = [str(path) for folder in FOLDERS for path in sorted(Path("/").glob(f"{folder[1:]}/{name}"))]
    found = shutil.which(name) or (known[-1] if known else None)
    if found is None:
        pytest.skip(f"no PostgreSQL server here: expected `{name}` on PATH or in {', '.join(FOLDERS)}")
    return found


def user() -> dict[str, Any]:
    """Say as whom to run it: the server refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    pytest.skip("PostgreSQL refuses to run as root, and there is no other user here")


@contextmanager
def server() -> Iterator[Callable[[], str]]:
    """Run a server; give what empties its database, whoever uses it, and returns the URL."""
    initdb, postgres, owner = binary("initdb"), binary("postgres"), user()
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        if owner:
            os.chown(folder, owner["user"], owner["group"])
        data = folder / "data"
        common: dict[str, Any] = {"cwd": folder, "stdin": subprocess.DEVNULL, **owner}
        made = [
            initdb,
            "-D",
            str(data),
            "-U",
            "tester",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]
        subprocess.run(made, check=True, capture_output=True, **common)
        log = (folder / "log").open("wb")
        settings = ("listen_addresses=", "fsync=off", "shared_buffers=16MB", "max_connections=20")
        command = [
            postgres,
            "-D",
            str(data),
            "-k",
            str(folder),
            *(part for s in settings for part in ("-c", s)),
        ]
        with log, subprocess.Popen[bytes](command, stdout=log, stderr=log, **common) as process:
            try:
                yield _database(folder, process)
            finally:
                process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
                process.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _database(folder: Path, process: subprocess.Popen[bytes]) -> Callable[[], str]:
    def url(name: str) -> str:
        return f"postgresql://tester@/{name}?host={folder}"

    for _ in range(300):
        try:
            psycopg.connect(url("postgres")).close()
            break
        except psycopg.OperationalError:
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
    with psycopg.connect(url("postgres"), autocommit=True) as admin:
        admin.execute("CREATE DATABASE test")

    def empty_database() -> str:
        # one for all: making a database costs more than emptying it
        with psycopg.connect(url("postgres"), autocommit=True) as admin:
            admin.execute("ALTER DATABASE test RESET ALL")
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'test'"
            )
        with psycopg.connect(url("test"), autocommit=True) as admin:
            admin.execute("DROP SCHEMA IF EXISTS drainwatch CASCADE")
            admin.execute("DROP SCHEMA public CASCADE")
            admin.execute("CREATE SCHEMA public")
        return url("test")

    return empty_database
