"""The files below a folder, each once: no link followed, none too large, and git's own folders apart."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from drainwatch.keys.leaks.tally import Skipped, Tally
from drainwatch.keys.leaks.texts import HEAD, is_binary

FOREIGN = frozenset(
    {"node_modules", "site-packages", "__pycache__", ".tox", ".nox", ".mypy_cache", ".ruff_cache"}
)
"""Folders of what others wrote and a package manager brings again."""


class File(NamedTuple):
    """A file's content, and its path from the folder that is looked through, with `/`."""

    path: str
    data: bytes


class Repository(NamedTuple):
    """A folder that is, or has, a git repository."""

    path: str
    folder: Path


def walk(
    top: Path, tally: Tally, *, max_bytes: int, everything: bool = False, exclude: Sequence[str] = ()
) -> Iterator[File | Repository]:
    """Go through a file or a folder, in order of names.

    Parameters
    ----------
    top
        Where to begin.
    tally
        Counts what is looked at and what is skipped; its time is obeyed.
    max_bytes
        Larger files are skipped.
    everything
        Look into folders of installed packages, too.
    exclude
        Patterns of paths to leave out, as in a shell.
    """
    if not top.is_dir():
        name = top.name
        content = _content(top, name, tally, max_bytes)
        if content is not None:
            yield File(name, content)
        return
    waiting = [(top, "")]
    while waiting:
        folder, prefix = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            tally.skip(Skipped.UNREADABLE, prefix or str(top))
            continue
        if _is_repository(entries):
            yield Repository(prefix.rstrip("/"), folder)
            if not any(entry.name == ".git" for entry in entries):
                continue  # a bare one: all of it is git's own
        deeper = []
        for entry in entries:
            if tally.out_of_time():
                return
            path = prefix + _printable(entry.name)
            if entry.name == ".git":
                continue
            if any(fnmatch(path, pattern) or fnmatch(entry.name, pattern) for pattern in exclude):
                tally.skip(Skipped.EXCLUDED, path)
            elif entry.is_symlink():
                tally.skip(Skipped.LINK, path)
            elif entry.is_dir(follow_symlinks=False):
                if not everything and _is_foreign(entry):
                    tally.skip(Skipped.FOREIGN, path)
                else:
                    deeper.append((Path(entry.path), path + "/"))
            elif not entry.is_file(follow_symlinks=False):
                tally.skip(Skipped.SPECIAL, path)
            elif (content := _content(Path(entry.path), path, tally, max_bytes)) is not None:
                yield File(path, content)
        waiting.extend(reversed(deeper))


def _is_foreign(folder: os.DirEntry[str]) -> bool:
    """Tell whether a folder holds what a package manager brought."""
    return folder.name in FOREIGN or os.path.exists(os.path.join(folder.path, "pyvenv.cfg"))  # noqa: PTH110, PTH118


def _is_repository(entries: Sequence[os.DirEntry[str]]) -> bool:
    """Tell by the names in a folder whether it has a git repository, or is a bare one."""
    names = {entry.name for entry in entries}
    return ".git" in names or {"HEAD", "objects", "refs", "config"} <= names


def _content(file: Path, path: str, tally: Tally, max_bytes: int) -> bytes | None:
    """Read a file, unless it is too large or can't be read; a pipe is never waited for."""
    try:
        # a name may have become a link or a pipe since it was listed
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        tally.skip(Skipped.UNREADABLE, path)
        return None
    try:
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                tally.skip(Skipped.SPECIAL, path)
                return None
            data = stream.read(min(HEAD, max_bytes + 1))
            if is_binary(data):
                tally.skip(Skipped.BINARY, path)
                return None
            data += stream.read(max_bytes + 1 - len(data))
    except OSError:
        tally.skip(Skipped.UNREADABLE, path)
        return None
    if len(data) > max_bytes:
        tally.skip(Skipped.LARGE, path)
        return None
    return data


def _printable(name: str) -> str:
    """Make a file's name one that can be written: bytes that aren't UTF-8 become a sign."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
