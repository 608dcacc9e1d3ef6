"""Git's past: every version of every file, and every message, each looked at once.

Only git's plumbing is used, with nothing of a repository's own settings that could run a program or reach
a network: it may be somebody else's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, NamedTuple

from drainwatch.errors import InputError
from drainwatch.keys.leaks.tally import Skipped, Tally

_SAFE = (
    "--no-optional-locks", "--no-replace-objects", "-c", "core.fsmonitor=false",
    "-c", "core.hooksPath=/dev/null", "-c", "core.pager=cat", "-c", "core.quotePath=false",
)  # fmt: skip
_ALL = ("--all", "--reflog", "--indexed-objects")
MESSAGE = "(message)"
"""Stands for a path where a leak is in the words of a commit or tag."""


class Blob(NamedTuple):
    """One version of a file, or a message: its id, a path it had, and its content."""

    id: str
    path: str
    data: bytes


class Commit(NamedTuple):
    """The commit that first brought a version in: its id and time, in seconds since the epoch."""

    id: str
    time_s: int


class History:
    """The past of one repository.

    Parameters
    ----------
    folder
        Its working folder, or a bare repository.

    Raises
    ------
    InputError
        Git isn't installed, or refuses the folder.
    """

    def __init__(self, folder: Path) -> None:
        git = shutil.which("git")
        if git is None:
            raise InputError("expected git to read a repository's history, found none: install git")
        self._git = git
        self._folder = folder
        self.shared = Path(folder, self._said("rev-parse", "--git-common-dir")).resolve()
        """Where its objects are: linked working folders share one place."""
        self.shallow = self._said("rev-parse", "--is-shallow-repository") == "true"

    def blobs(self, tally: Tally, *, max_bytes: int) -> Iterator[Blob]:
        """Go through all that is reachable from branches, tags, stashes, the index and the reflog.

        What is too large, or isn't in this clone, is counted as skipped. Memory holds one version.
        """
        with ExitStack() as stack:
            listing = self._start(stack, "rev-list", "--objects", "--missing=print", *_ALL)
            sizes = self._start(
                stack, "cat-file", "--batch-check=%(objecttype) %(objectname) %(objectsize) %(rest)",
                stdin=listing.stdout,
            )  # fmt: skip
            contents = self._start(stack, "cat-file", "--batch", stdin=subprocess.PIPE)
            if listing.stdout is not None:
                listing.stdout.close()  # git's own now: it ends when its reader does
            for line in _lines(sizes.stdout):
                if tally.out_of_time():
                    return
                kind, _, rest = line.partition(" ")
                oid, _, rest = rest.partition(" ")
                size, _, path = rest.partition(" ")
                if not size.isdigit():
                    tally.skip(Skipped.MISSING, kind)
                elif kind == "tree":
                    continue
                elif int(size) > max_bytes:
                    tally.skip(Skipped.LARGE, path or oid)
                else:
                    data = _content(contents, oid, int(size))
                    yield Blob(oid, path, data) if kind == "blob" else Blob(oid, MESSAGE, _message(data))
            if listing.wait() not in {0, -13}:
                raise InputError(f"expected to read git's history in {self._folder}, but git stopped halfway")

    def first_commits(self, oids: Collection[str], tally: Tally) -> dict[str, Commit]:
        """Find the oldest commit in which each version stands; a commit or tag is its own."""
        wanted = frozenset(oids)
        found: dict[str, Commit] = {}
        with ExitStack() as stack:
            commits = self._start(stack, "rev-list", "--date-order", "--all", "--reflog")
            changes = self._start(
                stack, "diff-tree", "--stdin", "-r", "-m", "--root", "--raw", "--no-abbrev", "--no-renames",
                "--no-ext-diff", "--no-textconv", "--always", "--format=%x01%H %ct", stdin=commits.stdout,
            )  # fmt: skip
            if commits.stdout is not None:
                commits.stdout.close()
            commit = Commit("", 0)
            for line in _lines(changes.stdout):
                if tally.out_of_time():
                    break
                if line.startswith("\x01"):
                    oid, _, at = line[1:].partition(" ")
                    commit = Commit(oid, int(at) if at.isdigit() else 0)
                    if oid in wanted:
                        found[oid] = commit
                elif line.startswith(":") and (new := line.split(" ", 4)[3:4]) and new[0] in wanted:
                    found[new[0]] = commit  # from new to old: the last one stays
        return found

    def _said(self, *arguments: str) -> str:
        """Run a short command and return what it says."""
        run = subprocess.run(  # noqa: S603 - git itself, with arguments of our own
            [self._git, *_SAFE, "-C", str(self._folder), *arguments],
            capture_output=True, text=True, errors="replace", check=False, env=_environment(),
        )  # fmt: skip
        if run.returncode:
            said = run.stderr.strip().splitlines()
            raise InputError(f"git refuses {self._folder}: {said[0] if said else f'code {run.returncode}'}")
        return run.stdout.strip()

    def _start(
        self, stack: ExitStack, *arguments: str, stdin: IO[bytes] | int | None = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Start a command whose output is read bit by bit; it ends with the stack."""
        process = subprocess.Popen(  # noqa: S603
            [self._git, *_SAFE, "-C", str(self._folder), *arguments],
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_environment(),
        )  # fmt: skip
        stack.callback(_end, process)
        return process


def _environment() -> dict[str, str]:
    """Return this process's environment without what points git elsewhere, makes it talk or lets it fetch."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {
        "GIT_ALLOW_PROTOCOL": "none",  # a partial clone would fetch what it lacks
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command that may still be at work, and close its pipes."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # it has gone already, with something in the pipe
                continue
    process.kill()
    process.wait()


def _lines(stream: IO[bytes] | None) -> Iterator[str]:
    """Go through a command's lines."""
    for line in stream or ():
        yield line.rstrip(b"\n").decode(errors="replace")


def _content(contents: subprocess.Popen[bytes], oid: str, size: int) -> bytes:
    """Ask `cat-file --batch` for one object."""
    if contents.stdin is None or contents.stdout is None:  # pragma: no cover - both are pipes
        return b""
    try:
        contents.stdin.write(oid.encode() + b"\n")
        contents.stdin.flush()
        contents.stdout.readline()
        data = contents.stdout.read(size)
        contents.stdout.read(1)
    except OSError as error:
        raise InputError(f"expected to read object {oid[:12]} of git's history, but git stopped") from error
    if len(data) != size:
        raise InputError(f"expected {size} bytes of git object {oid[:12]}, found {len(data)}: run `git fsck`")
    return data


def _message(data: bytes) -> bytes:
    """Take the words out of a commit or a tag: what follows the first empty line."""
    return data.partition(b"\n\n")[2]
