"""A scan: files and git's past to findings, each said once, without its secret."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from drainwatch.errors import InputError
from drainwatch.keys.leaks.files import Repository, walk
from drainwatch.keys.leaks.history import MESSAGE, Commit, History
from drainwatch.keys.leaks.search import Leak, leaks_in, redacted
from drainwatch.keys.leaks.tally import Skipped, Tally
from drainwatch.keys.leaks.texts import Notebook, decoded

MAX_BYTES = 16 * 1024 * 1024
"""Larger files are skipped, and counted, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One key in one place, fit to be shown: the secret is redacted."""

    rule: str
    venue: str
    part: str
    path: str
    line: int
    place: str
    """Cell of a notebook, or empty."""
    redacted: str
    because: tuple[str, ...]
    sure: bool
    fingerprint: str
    """The same for the same secret at the same path, wherever in it; opens nothing."""
    commit: str = ""
    """First commit with it; empty where git doesn't have it, or wasn't asked."""
    commit_time_s: int = 0
    only_in_history: bool = False
    """Whether the file doesn't hold it any more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a scan goes.

    `time_s` None is no limit. `exclude` are patterns of paths, as in a shell.
    """

    max_bytes: int = MAX_BYTES
    time_s: float | None = None
    history: bool = True
    everything: bool = False
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scan:
    """What came of a scan."""

    top: str
    findings: tuple[Finding, ...]
    tally: Tally
    seconds: float


@dataclass(slots=True)
class _Past:
    """Findings of one repository's history, until their commits are known."""

    prefix: str
    found: dict[str, tuple[str, Finding]] = field(default_factory=dict)
    """Fingerprint to the version that has it, and the finding."""


def scan(
    top: Path,
    limits: Limits | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> Scan:
    """Look for keys of exchanges in a file or below a folder.

    Parameters
    ----------
    top
        A file or a folder; a repository's past is looked at, too.
    limits
        How far to go.
    clock
        Seconds, rising: for the time limit and the time taken.
    progress
        Told how many files and versions are done.

    Raises
    ------
    InputError
        There is no such file or folder.
    """
    if not top.exists():
        raise InputError(f"expected a file or folder to look through, found none at {top}")
    limits = limits or Limits()
    began_s = clock()
    tally = Tally(None if limits.time_s is None else began_s + limits.time_s, clock)
    present: dict[str, Finding] = {}
    repositories: list[Repository] = []
    for item in walk(
        top, tally, max_bytes=limits.max_bytes, everything=limits.everything, exclude=limits.exclude
    ):
        if isinstance(item, Repository):
            repositories.append(item)
        else:
            tally.files += 1
            for finding in _of(item.path, item.data, tally):
                present.setdefault(finding.fingerprint, finding)
            if progress is not None and tally.files % 50 == 0:
                progress("files", tally.files, None)
    if limits.history:
        _add_history(repositories, present, tally, limits, progress)
    elif repositories:
        tally.notes.append("git history was not looked at (--no-history)")
    _note_outer_repository(top, repositories, tally)
    ordered = sorted(present.values(), key=lambda f: (f.only_in_history, f.path, f.line, f.rule))
    return Scan(str(top), tuple(ordered), tally, clock() - began_s)


def _of(path: str, data: bytes, tally: Tally) -> Iterator[Finding]:
    """Find what leaks in a file's bytes."""
    text = decoded(data)
    if text is None:
        tally.skip(Skipped.BINARY, path)
        return
    tally.size += len(data)
    leaks = leaks_in(text, path)
    if not leaks:
        return
    notebook = Notebook(text) if path.endswith(".ipynb") else None
    for leak in leaks:
        if leak.allowed:
            tally.allowed += 1
        else:
            yield _finding(leak, path, notebook.place_of(leak.line) if notebook else "")


def _finding(leak: Leak, path: str, place: str) -> Finding:
    """Make a finding of a leak: here the secret is left behind."""
    return Finding(
        rule=leak.rule,
        venue=leak.venue,
        part=leak.part.value,
        path=path,
        line=leak.line,
        place=place,
        redacted=redacted(leak.secret),
        because=leak.because,
        sure=leak.sure,
        fingerprint=fingerprint_of(path, leak.secret),
    )


def fingerprint_of(path: str, secret: str) -> str:
    """Name a secret at a path: 16 digits of a SHA-256, from which a secret of 90 bits can't be guessed.

    Examples
    --------
    >>> fingerprint_of("a/.env", "not a key")
    '6180b602417c745e'
    """
    return hashlib.sha256(f"drainwatch leak 1\0{path}\0{secret}".encode()).hexdigest()[:16]


def _add_history(
    repositories: Sequence[Repository],
    present: dict[str, Finding],
    tally: Tally,
    limits: Limits,
    progress: Callable[[str, int, int | None], None] | None,
) -> None:
    """Look through the past of each repository, and add what only it has; commits are told for both."""
    seen: set[Path] = set()
    for repository in repositories:
        name = repository.path or str(repository.folder)
        try:
            history = History(repository.folder)
            if history.shared in seen:
                continue
            seen.add(history.shared)
            if history.shallow:
                tally.notes.append(f"{name} is a shallow clone: what was before isn't here to look at")
            tally.repositories += 1
            past = _past_of(history, repository.path, tally, limits, progress)
            commits = (
                history.first_commits({oid for oid, _ in past.found.values()}, tally) if past.found else {}
            )
        except InputError as error:
            tally.skip(Skipped.REPOSITORY, name)
            tally.notes.append(str(error))
            continue
        for fingerprint, (oid, finding) in past.found.items():
            commit = commits.get(oid, Commit("", 0))
            known = present.get(fingerprint)
            present[fingerprint] = replace(
                known or finding,
                commit=commit.id,
                commit_time_s=commit.time_s,
                only_in_history=known is None,
            )


def _past_of(
    history: History,
    prefix: str,
    tally: Tally,
    limits: Limits,
    progress: Callable[[str, int, int | None], None] | None,
) -> _Past:
    """Look through every version of every file, and every message."""
    past = _Past(prefix)
    for blob in history.blobs(tally, max_bytes=limits.max_bytes):
        if blob.path == MESSAGE:
            tally.messages += 1
        else:
            tally.blobs += 1
            if progress is not None and tally.blobs % 50 == 0:
                progress("history", tally.blobs, None)
        path = f"{prefix}/{blob.path}" if prefix else blob.path
        for finding in _of(path, blob.data, tally):
            past.found[finding.fingerprint] = blob.id, finding  # from new to old: the first version stays
    return past


def _note_outer_repository(top: Path, repositories: Sequence[Repository], tally: Tally) -> None:
    """Say so where what is looked through is only a part of a repository: its past is elsewhere."""
    folder = top.resolve() if top.is_dir() else top.resolve().parent
    if any(repository.path == "" for repository in repositories):
        return
    for outer in (folder, *folder.parents):
        if (outer / ".git").exists():
            tally.notes.append(
                f"this is a part of the repository in {outer}: its history is looked at from there"
            )
            return
