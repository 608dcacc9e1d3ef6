"""What came out of a replay, as the command prints it."""

from __future__ import annotations

from typing import Any

from drainwatch.cli.screen import Screen

MAX_PRINTED = 10
"""Incidents printed in full; the others are in the files."""


def show(summary: Any, screen: Screen) -> None:
    """Print what came out of a replay."""
    from drainwatch.report import to_text, words
    from drainwatch.report.table import count_rows

    first, last = summary.span_ms or (None, None)
    over = f" of {words.duration(last - first)}" if first is not None and last > first else ""
    rows = {name: count_rows(count)[0] for name, count in summary.counts.items()}
    read = ", ".join(f"{name} {count:,}" for name, count in rows.items() if count)
    rejects = summary.rejects
    screen.prose(f"Read: {read}" + (f"; {words.plural(rejects, 'bad row')} left out" if rejects else ""))
    judged = f"Judged: {words.plural(summary.n_fills, 'fill')}{over} in {summary.engine_seconds:.2f} s"
    if summary.n_blind:
        reasons = ", ".join(
            f"{words.spoken(name).partition(':')[0]}: {n:,}"
            for name, n in sorted(summary.blind_reasons.items())
        )
        judged += f"; {summary.n_blind:,} could not be judged ({reasons})"
    screen.prose(judged)
    if not summary.n_incidents:
        found = (
            "nothing that looks like a drain" if summary.n_blind < summary.n_fills else "nothing, being blind"
        )
        screen.out(f"Found: {found}", "bold green" if summary.n_blind < summary.n_fills else "bold yellow")
    else:
        screen.out(f"Found: {words.plural(summary.n_incidents, 'incident')}")
    for incident in summary.incidents[:MAX_PRINTED]:
        screen.out()
        screen.incident(to_text(incident))
    if summary.n_incidents > MAX_PRINTED:
        screen.out()
        screen.out(f"and {summary.n_incidents - MAX_PRINTED:,} more in {summary.out / 'incidents.jsonl'}")
    screen.out()
    screen.out(f"Look at it: {summary.out / 'report.html'}")
