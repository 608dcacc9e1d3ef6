"""A baseline: findings that are known, so that only new ones count."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from drainwatch.errors import InputError
from drainwatch.keys.leaks.scan import Finding

VERSION = 1


def read_baseline(file: Path) -> frozenset[str]:
    """Read the fingerprints of a baseline.

    Raises
    ------
    InputError
        It can't be read, or isn't one that `write_baseline` wrote.
    """
    how = "write it anew with --write-baseline"
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"expected a baseline in {file}: {error.strerror or error}; {how}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"expected JSON in the baseline {file}: {error}; {how}") from error
    if (
        not isinstance(told, dict)
        or told.get("version") != VERSION
        or not isinstance(told.get("known"), list)
    ):
        raise InputError(f"expected a baseline of version {VERSION} in {file}, found something else; {how}")
    prints = [row.get("fingerprint") if isinstance(row, dict) else None for row in told["known"]]
    for number, fingerprint in enumerate(prints):
        if not isinstance(fingerprint, str) or not re.fullmatch(r"[0-9a-f]{16}", fingerprint):
            raise InputError(
                f"expected 16 digits at $.known[{number}].fingerprint of the baseline {file}; {how}"
            )
    return frozenset(str(fingerprint) for fingerprint in prints)


def write_baseline(findings: Sequence[Finding], file: Path) -> None:
    """Write findings as known, sorted, whole or not at all; no secret is in it."""
    rows = [{"fingerprint": f.fingerprint, "rule": f.rule, "path": f.path, "line": f.line} for f in findings]
    rows.sort(key=lambda row: (str(row["path"]), str(row["fingerprint"])))
    write_whole(file, json.dumps({"version": VERSION, "known": rows}, indent=2) + "\n")


def write_whole(file: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises
    ------
    OSError
        It can't be written; names the file.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def new_among(findings: Sequence[Finding], known: Collection[str]) -> tuple[Finding, ...]:
    """Leave out what a baseline knows."""
    return tuple(finding for finding in findings if finding.fingerprint not in known)
