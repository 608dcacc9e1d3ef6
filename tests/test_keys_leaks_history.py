"""Git's past: every version once, wherever it is kept, and nothing of the repository's own is run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from drainwatch.errors import InputError
from drainwatch.keys.leaks.history import MESSAGE, History
from drainwatch.keys.leaks.tally import Skipped, Tally
from leaky import git

BIG = 1_000_000


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    top = tmp_path / "repository"
    top.mkdir()
    git(top, "init", "-q")
    commit(top, "a.txt", "first\n")
    return top


def commit(top: Path, name: str, text: str, message: str = "a change") -> None:
    (top / name).write_text(text)
    git(top, "add", name)
    git(top, "commit", "-q", "-m", message)


def contents(top: Path, tally: Tally | None = None, max_bytes: int = BIG) -> list[bytes]:
    return [
        blob.data
        for blob in History(top).blobs(tally or Tally(), max_bytes=max_bytes)
        if blob.path != MESSAGE
    ]


def test_every_version_is_seen_once(repository: Path) -> None:
    commit(repository, "a.txt", "second\n")
    commit(repository, "b.txt", "first\n")  # the same content under another name is the same version
    commit(repository, "a.txt", "first\n")
    assert sorted(contents(repository)) == [b"first\n", b"second\n"]


def test_messages_of_commits_and_tags_are_seen(repository: Path) -> None:
    commit(repository, "a.txt", "second\n", "words of a commit")
    git(repository, "tag", "-a", "v1", "-m", "words of a tag")
    said = [blob.data for blob in History(repository).blobs(Tally(), max_bytes=BIG) if blob.path == MESSAGE]
    assert b"words of a commit\n" in said
    assert b"words of a tag\n" in said
    assert not any(b"nobody@example.org" in message for message in said)


def test_what_was_amended_stashed_or_only_staged_is_seen(repository: Path) -> None:
    """Who notices a key at once amends the commit: the old one stays for months."""
    commit(repository, "a.txt", "amended away\n")
    (repository / "a.txt").write_text("clean\n")
    git(repository, "commit", "-q", "-a", "--amend", "-m", "clean")
    (repository / "a.txt").write_text("stashed\n")
    git(repository, "stash", "-q")
    (repository / "a.txt").write_text("staged\n")
    git(repository, "add", "a.txt")
    assert {b"amended away\n", b"stashed\n", b"staged\n", b"clean\n"} <= set(contents(repository))


def test_a_bare_repository_is_read(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repository), "bare.git")
    assert contents(tmp_path / "bare.git") == [b"first\n"]


def test_a_shallow_clone_says_so(repository: Path, tmp_path: Path) -> None:
    commit(repository, "a.txt", "second\n")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", "shallow")
    history = History(tmp_path / "shallow")
    assert history.shallow
    assert contents(tmp_path / "shallow") == [b"second\n"]
    assert not History(repository).shallow


def test_what_a_partial_clone_lacks_is_counted_and_not_fetched(repository: Path, tmp_path: Path) -> None:
    """To look must not reach out: fetching tells the server, and may run a helper."""
    commit(repository, "a.txt", "second\n")
    git(repository, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--filter=blob:none", f"file://{repository}", "partial")
    tally = Tally()
    assert contents(tmp_path / "partial", tally) == [b"second\n"]
    assert tally.skipped == {Skipped.MISSING: 1}
    assert contents(tmp_path / "partial") == [b"second\n"]


def test_large_versions_are_counted(repository: Path) -> None:
    commit(repository, "large.txt", "x" * 2_000)
    tally = Tally()
    assert contents(repository, tally, max_bytes=1_000) == [b"first\n"]
    assert tally.skipped == {Skipped.LARGE: 1}
    assert tally.examples[Skipped.LARGE] == ["large.txt"]


def test_linked_folders_share_their_past(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", str(tmp_path / "linked"))
    assert History(tmp_path / "linked").shared == History(repository).shared


def test_the_first_commit_of_a_version_is_told(repository: Path) -> None:
    first = git(repository, "rev-parse", "HEAD")
    commit(repository, "a.txt", "second\n")
    second = git(repository, "rev-parse", "HEAD")
    commit(repository, "a.txt", "first\n")
    ids = {blob.data: blob.id for blob in History(repository).blobs(Tally(), max_bytes=BIG)}
    found = History(repository).first_commits([ids[b"first\n"], ids[b"second\n"], second], Tally())
    assert found[ids[b"first\n"]].id == first
    assert found[ids[b"second\n"]].id == second
    assert found[second].id == second
    assert found[second].time_s == 1767323045


def test_nothing_of_the_repositorys_own_is_run(repository: Path, tmp_path: Path) -> None:
    """A repository from elsewhere can name programs in its settings: scanning it must start none."""
    trap = tmp_path / "trap"
    touched = tmp_path / "touched"
    trap.write_text(f"#!/bin/sh\ntouch {touched}\ncat\n")
    trap.chmod(0o755)
    for name in ("core.fsmonitor", "diff.external", "core.pager", "gpg.program", "core.sshCommand",
                 "filter.x.smudge", "filter.x.clean", "diff.x.textconv"):  # fmt: skip
        git(repository, "config", name, str(trap))
    git(repository, "config", "log.showSignature", "true")
    (repository / ".gitattributes").write_text("* diff=x filter=x\n")
    (repository / ".git" / "hooks").mkdir(exist_ok=True)
    for hook in ("post-index-change", "reference-transaction", "post-checkout"):
        (repository / ".git" / "hooks" / hook).write_text(trap.read_text())
        (repository / ".git" / "hooks" / hook).chmod(0o755)
    touched.unlink(missing_ok=True)
    (blob,) = (b for b in History(repository).blobs(Tally(), max_bytes=BIG) if b.path == "a.txt")
    assert History(repository).first_commits([blob.id], Tally())
    assert not touched.exists()


def test_variables_of_another_repository_are_not_obeyed(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a hook git sets them: a scan of another folder would read the hook's own repository."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    assert contents(repository) == [b"first\n"]


def test_no_repository_and_no_git_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    with pytest.raises(InputError, match=r"git refuses .*not a git repository"):
        History(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"expected git .* install git"):
        History(tmp_path)


def test_a_broken_object_is_an_error_not_the_end_of_the_list(repository: Path) -> None:
    """A list that silently ends early would call the rest clean."""
    commit(repository, "b.txt", "second\n")
    oid = git(repository, "rev-parse", "HEAD~1")
    loose = repository / ".git" / "objects" / oid[:2] / oid[2:]
    loose.chmod(0o644)
    loose.write_bytes(b"broken")
    with pytest.raises(InputError, match="git"):
        contents(repository)


def test_it_stops_when_the_time_is_up_and_leaves_no_process(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(repository)
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[call-overload]
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    assert list(history.blobs(Tally(0.0, lambda: 1.0), max_bytes=BIG)) == []
    assert len(started) == 3
    assert all(process.returncode is not None for process in started)
