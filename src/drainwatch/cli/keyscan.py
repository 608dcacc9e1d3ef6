"""`drainwatch keys scan`: keys left in files, notebooks, shell histories and git's past."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drainwatch.cli.exit_codes import ExitCode
from drainwatch.cli.screen import Debug, NoColor, Quiet, Screen

if TYPE_CHECKING:
    from drainwatch.keys.leaks.scan import Finding, Scan


class Format(StrEnum):
    """How findings are written."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"


def scan(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="File or folder to look through.")] = Path(),
    form: Annotated[Format, typer.Option("--format", help="How to write what is found.")] = Format.TABLE,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it to a file.  [default: stdout]")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What is known; only what is new is told.")
    ] = None,
    write_baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all that is found as known, and end with 0.")
    ] = None,
    history: Annotated[bool, typer.Option("--history/--no-history", help="Look into git's past.")] = True,
    everything: Annotated[
        bool, typer.Option("--everything", help="Look into folders of installed packages, too.")
    ] = False,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Paths to leave out, such as 'data/*'.")
    ] = None,
    max_size_mb: Annotated[
        float, typer.Option(metavar="MB", min=0.001, help="Skip files and versions larger than this.")
    ] = 16.0,
    max_time_s: Annotated[
        float | None, typer.Option(metavar="S", min=0, help="Stop after so many seconds.")
    ] = None,
    exit_code: Annotated[
        int, typer.Option("--exit-code", metavar="N", min=0, max=255, help="Exit code when a key is found.")
    ] = 1,
    quiet: Quiet = False,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """Look for exchange keys left in files and in git's past.

    Never shows more than four characters of one. A line with `drainwatch:allow` is left out.
    Ends with 1 when there is a key, or when not everything could be looked at.
    """
    with Screen(quiet=quiet, no_color=no_color, debug=debug) as screen:
        from drainwatch.keys.leaks.baseline import new_among, read_baseline
        from drainwatch.keys.leaks.baseline import write_baseline as write_known
        from drainwatch.keys.leaks.scan import Limits
        from drainwatch.keys.leaks.scan import scan as look

        known = read_baseline(baseline) if baseline else frozenset()
        limits = Limits(
            max_bytes=int(max_size_mb * 1_000_000),
            time_s=max_time_s,
            history=history,
            everything=everything,
            exclude=tuple(exclude or ()),
        )
        with screen.progress() as progress:
            outcome = look(path, limits, progress=progress)
        if write_baseline:
            write_known(outcome.findings, write_baseline)
            screen.note(f"{len(outcome.findings)} findings are known now: {write_baseline}")
            raise typer.Exit(ExitCode.OK if outcome.tally.complete else ExitCode.FAILED)
        new = new_among(outcome.findings, known)
        _write(outcome, new, form, out, screen)
        if new:
            raise typer.Exit(exit_code)
        if not outcome.tally.complete:
            raise typer.Exit(ExitCode.FAILED)


def _write(outcome: Scan, new: tuple[Finding, ...], form: Format, out: Path | None, screen: Screen) -> None:
    """Write what is found as asked for; for people also what wasn't looked at."""
    from importlib.metadata import version

    from drainwatch.keys.leaks.baseline import write_whole
    from drainwatch.keys.leaks.formats import as_json, as_sarif

    known = len(outcome.findings) - len(new)
    if form is Format.TABLE and out is None:
        _show(outcome, new, known, screen)
        return
    if form is Format.SARIF:
        text = json.dumps(as_sarif(outcome, new, version=version("drainwatch")), indent=2)
    elif form is Format.JSON:
        text = json.dumps(as_json(outcome, new, known=known), indent=2)
    else:
        text = "\n".join("  ".join(row) for row in _rows(new))
    if out is None:
        screen.out(text)
        return
    write_whole(out, text + "\n")
    _summarise(outcome, new, known, screen)


def _rows(findings: tuple[Finding, ...]) -> list[tuple[str, ...]]:
    """Findings as rows of a table."""
    from drainwatch.report.words import clean

    rows: list[tuple[str, ...]] = []
    for f in findings:
        where = f"{clean(f.path, 200)}:{f.line}" + (f" ({f.place})" if f.place else "")
        if f.only_in_history:
            where += f" in git only, since {f.commit[:10] or 'an unknown commit'}"
        elif f.commit:
            where += f", in git since {f.commit[:10]}"
        rows.append((f.rule, where, clean(f.redacted), "; ".join(clean(why) for why in f.because)))
    return rows


def _show(outcome: Scan, new: tuple[Finding, ...], known: int, screen: Screen) -> None:
    """Show findings as a table, and what to do about them."""
    from drainwatch.keys.leaks.formats import WHAT_TO_DO

    if new:
        screen.table(("what", "where", "begins with", "because"), _rows(new))
        screen.out()
        screen.prose(WHAT_TO_DO)
    _summarise(outcome, new, known, screen)


def _summarise(outcome: Scan, new: tuple[Finding, ...], known: int, screen: Screen) -> None:
    """Say what was found and looked at, and what wasn't."""
    from drainwatch.report.words import clean, plural

    tally = outcome.tally
    looked = f"{plural(tally.files, 'file')}"
    if tally.repositories:
        past = f"{plural(tally.blobs, 'version')} and {plural(tally.messages, 'message')} of git's past"
        looked += f", {past}"
    found = plural(len(new), "new key" if known else "key") if new else "No new key" if known else "No key"
    screen.note(f"{found} found in {looked} ({tally.size / 1e6:.1f} MB in {outcome.seconds:.1f} s).")
    if known:
        screen.note(f"{plural(known, 'finding')} known by the baseline.")
    if tally.allowed:
        screen.note(f"{plural(tally.allowed, 'line')} allowed by a mark.")
    for why, count in sorted(tally.skipped.items()):
        named = ", ".join(clean(name, 100) for name in tally.examples[why])
        more = ", ..." if count > len(tally.examples[why]) else ""
        screen.note(f"Not looked at, {why}: {count:,} ({named}{more})")
    for note in tally.notes:
        screen.note(f"Note: {clean(note, 300)}")
    if tally.stopped:
        screen.note("The time was up before the end: there may be more.")
