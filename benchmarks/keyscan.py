"""How well `drainwatch keys scan` finds exchange keys, beside detect-secrets and gitleaks.

    python benchmarks/keyscan.py [--seeds 12] [--history-seeds 2]
        [--half reporting] [--tree PATH] [--gitleaks PROGRAM]

Makes repositories that leak and files that only look like it (tests/leaky.py), of which the scanner's weights
have seen the tuning half alone, lets each program look through them, and compares lines: a line with a
planted key that is reported counts as found, any other that is reported as a false alarm. Lines with secrets
of other kinds (passphrases, JWT secrets) count for nobody and against nobody. Then each repository is
committed, its keys removed in a second commit, and git's history looked through. `--tree` times the programs
over a folder of your own and counts what they report there. detect-secrets comes with `drainwatch[bench]` and
has no history mode; gitleaks is taken from the path, or named.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import leaky  # noqa: E402
from drainwatch.keys.leaks.scan import Limits, fingerprint_of, scan  # noqa: E402

Lines = set[tuple[str, int]]
Scanner = Callable[[Path], Lines]


def cpu_s() -> float:
    """Return the CPU time of this process and of those it started and saw end, in seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def by_drainwatch(top: Path) -> Lines:
    """Lines that drainwatch reports, as paths from the top and numbers."""
    return {(f.path, f.line) for f in scan(top, Limits(history=False, everything=True)).findings}


def by_detect_secrets(top: Path) -> Lines:
    """Lines that detect-secrets reports with its default plugins."""
    command = [sys.executable, "-m", "detect_secrets", "scan", "--all-files", "--no-verify", "."]
    run = subprocess.run(command, cwd=top, check=True, capture_output=True, text=True)  # noqa: S603
    results = json.loads(run.stdout)["results"]
    return {(path, found["line_number"]) for path, all_found in results.items() for found in all_found}


class Gitleaks:
    """The program gitleaks with its default rules."""

    def __init__(self, program: str) -> None:
        self.program = program
        said = subprocess.run([program, "version"], check=True, capture_output=True, text=True)  # noqa: S603
        self.version = said.stdout.strip()

    def report(self, mode: str, top: Path) -> list[dict[str, object]]:
        """Return what it finds in a folder (`dir`) or in a repository's history (`git`)."""
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder, "report.json")
            command = [
                self.program,
                mode,
                ".",
                "--no-banner",
                "--exit-code",
                "0",
                "-f",
                "json",
                "-r",
                str(report),
            ]
            subprocess.run(command, cwd=top, check=True, capture_output=True)  # noqa: S603
            return list(json.loads(report.read_text()))

    def __call__(self, top: Path) -> Lines:
        """Lines that it reports in files."""
        return {(str(found["File"]), int(str(found["StartLine"]))) for found in self.report("dir", top)}


def scanners(gitleaks: str | None) -> dict[str, Scanner]:
    """Name the programs that are there, with their versions; says which aren't."""
    there: dict[str, Scanner] = {"drainwatch": by_drainwatch}
    if importlib.util.find_spec("detect_secrets"):
        there[f"detect-secrets {importlib.metadata.version('detect-secrets')}"] = by_detect_secrets
    else:
        print("detect-secrets: not available (pip install 'drainwatch[bench]')")
    program = gitleaks or shutil.which("gitleaks")
    if program:
        one = Gitleaks(str(Path(program).resolve()))
        there[f"gitleaks {one.version}"] = one
    else:
        print("gitleaks: not available (not on the path)")
    return there


def compare(repos: Sequence[leaky.Repo], there: dict[str, Scanner], folder: Path) -> None:
    """Print precision and recall of each program over the repositories' files."""
    wanted: Lines = set()
    neutral: Lines = set()
    size = 0
    for repo in repos:
        repo.save(folder)
        keys, others = repo.lines()
        wanted |= {(f"{repo.name}/{path}", line) for path, line in keys}
        neutral |= {(f"{repo.name}/{path}", line) for path, line in others}
        size += sum(len(text) for text in repo.files.values())
    print(f"{len(repos)} repositories, {size / 1e6:.1f} MB, {len(wanted)} lines with keys\n")
    print(f"{'program':24}{'found':>8}{'missed':>8}{'false':>8}{'precision':>11}{'recall':>9}{'CPU s':>8}")
    for name, scanner in there.items():
        began_s = cpu_s()
        told = scanner(folder)
        took = cpu_s() - began_s
        found, false = len(told & wanted), len(told - wanted - neutral)
        precision = found / (found + false) if found + false else float("nan")
        print(
            f"{name:24}{found:8}{len(wanted) - found:8}{false:8}"
            f"{precision:11.3f}{found / len(wanted):9.3f}{took:8.1f}"
        )


def compare_history(repos: Sequence[leaky.Repo], there: dict[str, Scanner], folder: Path) -> None:
    """Print how many keys that were committed and removed each program finds again."""
    planted = 0
    found = dict.fromkeys(["drainwatch", *(name for name in there if name.startswith("gitleaks"))], 0)
    for repo in repos:
        if not repo.planted:
            continue
        top = leaky.commit_and_remove(repo, folder)
        planted += len(repo.planted)
        told = {finding.fingerprint for finding in scan(top).findings}
        found["drainwatch"] += sum(fingerprint_of(path, secret) in told for path, secret in repo.planted)
        for name, scanner in there.items():
            if isinstance(scanner, Gitleaks):
                secrets = [str(leak["Secret"]) for leak in scanner.report("git", top)]
                found[name] += sum(any(key in s or s in key for s in secrets) for _, key in repo.planted)
    print(f"\n{planted} keys that a later commit removed:")
    for name, count in found.items():
        print(f"{name:24}{count:8} found, recall {count / planted:.3f}")
    print(f"{'detect-secrets':24}      no history mode")


def look_through(tree: Path, there: dict[str, Scanner]) -> None:
    """Print how fast each program is over a folder, and how much it reports there."""
    outcome = scan(tree, Limits(history=False, everything=True))
    print(f"\n{tree.name}: {outcome.tally.files} files, {outcome.tally.size / 1e6:.0f} MB of text")
    for name, scanner in there.items():
        began_s = cpu_s()
        told = scanner(tree)
        took = cpu_s() - began_s
        rate = outcome.tally.size / 1e6 / took
        print(f"{name:24}{len(told):8} lines reported{took:10.1f} CPU s{rate:10.1f} MB a CPU s")


def main() -> None:
    """Compare what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=12, help="repositories of each template")
    parser.add_argument("--history-seeds", type=int, default=2, help="... of which so many with git's past")
    parser.add_argument("--half", choices=["reporting", "tuning"], default="reporting")
    parser.add_argument("--tree", type=Path, help="a folder to look through for speed and false alarms")
    parser.add_argument("--gitleaks", help="where gitleaks is, if not on the path")
    asked = parser.parse_args()
    first = 100 if asked.half == "reporting" else 0
    templates = leaky.REPORTING if asked.half == "reporting" else leaky.TUNING
    there = scanners(asked.gitleaks)
    repos = leaky.repositories(templates, range(first, first + asked.seeds))
    with tempfile.TemporaryDirectory() as files, tempfile.TemporaryDirectory() as histories:
        compare(repos, there, Path(files))
        past = leaky.repositories(templates, range(first, first + asked.history_seeds))
        if past:
            compare_history(past, there, Path(histories))
    if asked.tree:
        look_through(asked.tree, there)


if __name__ == "__main__":
    main()
