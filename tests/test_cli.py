"""The command as a process: how fast it answers, what it loads, how its help reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from drainwatch.model import default_model_path

HEAVY = {"numpy", "pandas", "pyarrow", "sklearn", "scipy", "numba", "rich", "jinja2"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "drainwatch", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "80", "NO_COLOR": "1"},
    )


def test_help_fits_one_screen_and_ends_in_the_exit_codes() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    first = lines.index("Commands:") + 1
    n_verbs = lines.index("", first) - first
    assert len(lines) <= n_verbs + 12  # one line a verb
    assert len(lines) <= 32  # of 80 x 32
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].startswith("Usage: drainwatch ")
    assert "drainwatch demo" in lines[-2]
    assert "Exit codes: 0 " in lines[-2]
    assert not any("..." in line for line in lines[1:])  # no help text is cut off


@pytest.mark.parametrize("arguments", [(), ("-h",)])
def test_no_words_and_short_help_give_the_same_help(arguments: tuple[str, ...]) -> None:
    shown = run(*arguments)
    assert (shown.stdout or shown.stderr).strip() == run("--help").stdout.strip()


def test_help_is_quick() -> None:
    """Help that takes seconds isn't asked for. Of the processor's time, as the machine may be busy."""
    took_s = []
    for _ in range(5):
        before = os.times()
        run("--help")
        after = os.times()
        took_s.append(sum(after[2:4]) - sum(before[2:4]))  # of child processes
        if took_s[-1] < 0.4:
            return
    pytest.fail(f"expected help in under 0.4 s, took {took_s}")


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nsys.argv = ['drainwatch', 'replay', '--help']\nfrom drainwatch.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*{m.partition('.')[0] for m in sys.modules})"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert set(shown.stdout.splitlines()[-1].split()).isdisjoint(HEAVY)


def test_version() -> None:
    from importlib.metadata import version

    assert run("--version").stdout == f"drainwatch {version('drainwatch')}\n"
    assert run("-V").stdout == run("--version").stdout


def test_misspelled_verb_is_helped() -> None:
    shown = run("rplay")
    assert shown.returncode == 2
    assert "Did you mean 'replay'?" in shown.stderr


@pytest.mark.skipif(not (default_model_path() / "card.json").is_file(), reason="no model is shipped yet")
class TestForReal:
    """The whole way, with nothing stood in for."""

    def test_demo_finds_the_drain(self, tmp_path: Path) -> None:
        shown = run("demo", "--out", str(tmp_path))
        assert shown.returncode == 0, shown.stderr
        assert shown.stderr == ""
        assert "CRITICAL: " in shown.stdout
        assert "At the alert it was " in shown.stdout
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert "What to do now" in page
        incidents = [json.loads(line) for line in (tmp_path / "incidents.jsonl").read_text().splitlines()]
        for incident in incidents:
            assert str(incident["id"]) in page
        again = run("explain", str(incidents[0]["alert_fill"]["id"]), "--out", str(tmp_path))
        assert again.returncode == 0, again.stderr
        assert "Verdict: looks like a drain." in again.stdout

    def test_missing_column_is_code_3_without_a_traceback(self, tmp_path: Path) -> None:
        fills = tmp_path / "fills.csv"
        fills.write_text("id,timestamp,symbol,side,price\n1,2,A/B,buy,3\n")
        out = tmp_path / "out"
        shown = run("replay", "--fills", str(fills), "--out", str(out))
        assert shown.returncode == 3
        assert "fills.csv" in shown.stderr
        assert "amount" in shown.stderr
        assert "Traceback" not in shown.stderr
        assert shown.stdout == ""
        assert not out.exists()

    def test_interrupt_is_code_130(self, tmp_path: Path) -> None:
        code = (
            "import sys\nfrom drainwatch.cli import main, shells\n"
            "def stop(*_, **__):\n    raise KeyboardInterrupt\n"
            "shells.replay = stop\n"
            f"sys.argv = ['drainwatch', 'replay', '--fills', 'f', '--out', {str(tmp_path)!r}]\nmain()"
        )
        shown = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
        assert (shown.returncode, shown.stdout, shown.stderr) == (130, "", "drainwatch: interrupted\n")
