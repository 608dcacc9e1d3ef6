"""The scan as a whole: files and past, each finding once, nothing secret in it."""

from __future__ import annotations

import random
from dataclasses import asdict
from pathlib import Path

import pytest

import leaky
from drainwatch.errors import InputError
from drainwatch.keys.leaks.scan import Limits, fingerprint_of, scan
from drainwatch.keys.leaks.tally import Skipped
from leaky import commit_and_remove, git


def repo(*templates: leaky.Template, seed: int = 1) -> leaky.Repo:
    made = leaky.Repo("bot", random.Random(seed))
    for template in templates:
        template(made)
    return made


def prints(made: leaky.Repo, prefix: str = "") -> set[str]:
    return {fingerprint_of(prefix + path, secret) for path, secret in made.planted}


def test_files_and_past_are_told_apart(tmp_path: Path) -> None:
    """Who only deletes the line believes to be safe: the past says otherwise."""
    made = repo(leaky.freqtrade, leaky.dotenv)
    top = commit_and_remove(made, tmp_path)
    (top / ".env").write_text(made.files[".env"])
    found = {finding.fingerprint: finding for finding in scan(top).findings}
    assert set(found) == prints(made)
    assert {f.path for f in found.values() if f.only_in_history} == {"user_data/config.json"}
    assert {f.path for f in found.values() if not f.only_in_history} == {".env"}
    first = git(top, "rev-list", "--max-parents=0", "HEAD")
    assert {f.commit for f in found.values()} == {first}


def test_a_moved_line_has_the_same_fingerprint(tmp_path: Path) -> None:
    made = repo(leaky.ccxt_script)
    top = made.save(tmp_path)
    before = scan(top).findings
    (top / "bot.py").write_text("\n\n# moved\n" + made.files["bot.py"])
    after = scan(top).findings
    assert [f.fingerprint for f in after] == [f.fingerprint for f in before]
    assert [f.line for f in after] == [f.line + 3 for f in before]


def test_no_finding_holds_its_secret(tmp_path: Path) -> None:
    made = repo(*leaky.TUNING[:16])
    outcome = scan(commit_and_remove(made, tmp_path))
    told = repr([asdict(finding) for finding in outcome.findings]) + repr(outcome.tally)
    assert len(outcome.findings) > 20
    assert not [secret for _, secret in made.planted if secret[:8] in told and not secret.startswith("https")]


def test_a_key_in_a_message_is_found(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    key = leaky.Repo("x", random.Random(1)).draw(64)
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", f"Rotate BINANCE_API_SECRET={key}")
    (finding,) = scan(tmp_path).findings
    assert (finding.path, finding.only_in_history) == ("(message)", True)
    assert finding.commit == git(tmp_path, "rev-parse", "HEAD")


def test_a_repository_below_is_looked_through_with_its_path(tmp_path: Path) -> None:
    made = repo(leaky.dotenv)
    commit_and_remove(made, tmp_path / "code")
    outcome = scan(tmp_path)
    assert {finding.fingerprint for finding in outcome.findings} == prints(made, "code/bot/")
    assert outcome.tally.repositories == 1


def test_linked_folders_are_looked_through_once(tmp_path: Path) -> None:
    top = commit_and_remove(repo(leaky.dotenv), tmp_path)
    git(top, "worktree", "add", "-q", str(tmp_path / "linked"))
    outcome = scan(tmp_path)
    assert outcome.tally.repositories == 1
    assert len(outcome.findings) == 2


def test_a_repository_that_cant_be_read_leaves_a_doubt(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    outcome = scan(tmp_path)
    assert outcome.tally.skipped == {Skipped.REPOSITORY: 1}
    assert not outcome.tally.complete
    assert "git refuses" in outcome.tally.notes[0]


def test_without_history_it_is_said(tmp_path: Path) -> None:
    top = commit_and_remove(repo(leaky.dotenv), tmp_path)
    outcome = scan(top, Limits(history=False))
    assert outcome.findings == ()
    assert outcome.tally.notes == ["git history was not looked at (--no-history)"]


def test_a_part_of_a_repository_says_where_its_past_is(tmp_path: Path) -> None:
    top = commit_and_remove(repo(leaky.dotenv), tmp_path)
    (top / "src").mkdir()
    outcome = scan(top / "src")
    assert str(top) in outcome.tally.notes[0]
    assert scan(top).tally.notes == []


def test_a_shallow_clone_is_said(tmp_path: Path) -> None:
    top = commit_and_remove(repo(leaky.dotenv), tmp_path)
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{top}", "shallow")
    outcome = scan(tmp_path / "shallow")
    assert outcome.findings == ()
    assert "shallow clone" in outcome.tally.notes[0]


def test_the_cell_of_a_notebook_is_named(tmp_path: Path) -> None:
    top = repo(leaky.notebook_output).save(tmp_path)
    assert {finding.place for finding in scan(top).findings} == {"cell 1, output"}


def test_allowed_lines_are_counted(tmp_path: Path) -> None:
    key = leaky.Repo("x", random.Random(1)).draw(64)
    (tmp_path / "a.py").write_text(f"BINANCE_KEY = '{key}'  # drainwatch:allow\n")
    outcome = scan(tmp_path)
    assert outcome.findings == ()
    assert outcome.tally.allowed == 1


def test_the_time_limit_ends_it_and_is_said(tmp_path: Path) -> None:
    ticks = iter(range(1_000))
    for n in range(50):
        (tmp_path / f"{n}.txt").write_text("x")
    outcome = scan(tmp_path, Limits(time_s=10), clock=lambda: float(next(ticks)))
    assert 0 < outcome.tally.files < 50
    assert outcome.tally.stopped
    assert not outcome.tally.complete


def test_utf16_and_a_picture_beside_it(tmp_path: Path) -> None:
    key = leaky.Repo("x", random.Random(1)).draw(64)
    (tmp_path / "keys.txt").write_bytes(f"BINANCE_SECRET={key}\r\n".encode("utf-16"))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\0" + key.encode())
    outcome = scan(tmp_path)
    assert [finding.path for finding in outcome.findings] == ["keys.txt"]
    assert outcome.tally.skipped == {Skipped.BINARY: 1}


def test_no_such_place_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a file or folder .*nowhere"):
        scan(tmp_path / "nowhere")
