"""Baselines: what is known stays quiet, and nothing secret is in them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import leaky
from drainwatch.errors import InputError
from drainwatch.keys.leaks.baseline import new_among, read_baseline, write_baseline, write_whole
from drainwatch.keys.leaks.scan import scan


def test_what_is_written_is_known_and_the_rest_is_new(tmp_path: Path) -> None:
    made = leaky.Repo("bot", random.Random(1))
    leaky.dotenv(made)
    top = made.save(tmp_path)
    write_baseline(scan(top).findings, tmp_path / "known.json")
    known = read_baseline(tmp_path / "known.json")
    assert len(known) == 2
    assert new_among(scan(top).findings, known) == ()
    leaky.ccxt_script(made)
    made.save(tmp_path)
    assert {finding.path for finding in new_among(scan(top).findings, known)} == {"bot.py"}
    text = (tmp_path / "known.json").read_text()
    assert not any(secret[:6] in text for _, secret in made.planted)


def test_the_same_findings_give_the_same_bytes(tmp_path: Path) -> None:
    made = leaky.Repo("bot", random.Random(1))
    leaky.dotenv(made)
    leaky.freqtrade(made)
    findings = scan(made.save(tmp_path)).findings
    write_baseline(findings, tmp_path / "a.json")
    write_baseline(findings[::-1], tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected JSON"),
        ("[]", "expected a baseline of version 1"),
        ('{"version": 2, "known": []}', "expected a baseline of version 1"),
        ('{"version": 1}', "expected a baseline of version 1"),
        ('{"version": 1, "known": [{}]}', r"\$\.known\[0\]\.fingerprint"),
        ('{"version": 1, "known": ["x"]}', r"\$\.known\[0\]\.fingerprint"),
        ("[" * 100_000, "expected JSON"),
        ("\udcff", "expected JSON"),
    ],
)
def test_what_is_no_baseline_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """One that is read as empty would be noise; one read as everything would hide a key."""
    (tmp_path / "known.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=told):
        read_baseline(tmp_path / "known.json")


def test_an_absent_baseline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a baseline in .*known\.json"):
        read_baseline(tmp_path / "known.json")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "a.json", "new \udcff")
    assert (tmp_path / "a.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    with pytest.raises(OSError, match=r"nowhere/a\.json"):
        write_whole(tmp_path / "nowhere" / "a.json", "new")
    write_baseline((), tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == {"version": 1, "known": []}
