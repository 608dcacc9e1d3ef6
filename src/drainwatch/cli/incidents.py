"""`drainwatch incidents`: what the watch has found, and what the owner says of it."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drainwatch.cli.kept import AsJson, ConfigPath, StoreUrl, find, kept, short_ids
from drainwatch.cli.screen import Debug, NoColor, Screen

if TYPE_CHECKING:
    from drainwatch.store import Mark, Store, What

incidents = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="See incidents; say what you know of them.",
    name="incidents",
)

LISTER = "drainwatch incidents list"
ORDER = ("open", "acknowledged", "closed", "false alarm")

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the incident, or its beginning.")]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why, in your words; kept with the incident.")
]


@incidents.callback()
def about_incidents() -> None:
    """See what the watch has found, and say what you know of it.

    Beside a running watch, which takes it up at its next decision.
    """


@incidents.command("list")
def list_(
    only_open: Annotated[
        bool, typer.Option("--open", help="Only those that are neither closed nor false alarms.")
    ] = False,
    account: Annotated[str | None, typer.Option(metavar="NAME", help="Only those of this account.")] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only alerts since then: 2026-12-01T18:30 (UTC), or 2d ago."),
    ] = None,
    store: StoreUrl = None,
    config: ConfigPath = None,
    as_json: AsJson = False,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """List incidents, open ones first."""
    with Screen(no_color=no_color, debug=debug) as screen:
        from drainwatch.cli.times import ago_or_moment_ns
        from drainwatch.store import state_of

        since_ns = None if since is None else ago_or_moment_ns(since, "--since", time.time_ns())
        with kept(config, store) as (opened, _):
            every = opened.incidents()
            marks = _by_incident(opened.marks())
        standing = [(state_of(one, marks[one["id"]]), one) for one in every]
        wanted = [
            (state, one)
            for state, one in standing
            if (not only_open or state in ("open", "acknowledged"))
            and account in (None, one["account"])
            and (since_ns is None or one["alerted_at"] * 1e6 >= since_ns)
        ]
        wanted.sort(key=lambda row: (ORDER.index(row[0]), -row[1]["alerted_at"]))
        if as_json:
            rows = [_plain(one, state, marks[one["id"]]) for state, one in wanted]
            screen.out(json.dumps({"incidents": rows}, indent=2))
            return
        if not wanted:
            screen.out("No incident." if not every else f"No such incident, of {len(every):,} in all.")
            return
        short = short_ids(one["id"] for one in every)
        screen.table(
            ("id", "severity", "kind", "account", "alert (UTC)", "loss", "share", "state"),
            [_row(one, state, marks[one["id"]], short[one["id"]]) for state, one in wanted],
        )


def _row(incident: dict[str, Any], state: str, marks: list[Mark], short: str) -> tuple[str, ...]:
    """Give an incident as the cells of the list."""
    from drainwatch.report import words
    from drainwatch.report.text import severity_of

    seen = bool(marks)
    return (
        words.clean(short),
        severity_of(incident),
        words.spoken(incident["kind_now"]),
        words.clean(incident["account"], 30)
        + (f" at {v}" if (v := words.clean(incident["exchange"])) else ""),
        f"{words.day(incident['alerted_at'])} {words.clock(incident['alerted_at'])[:5]}",
        words.money(incident["loss"], incident["loss_currency"]),
        words.percent(incident["equity_share"]),
        state if seen or state == "open" else f"{state}, never acknowledged",
    )


@incidents.command()
def show(
    incident_id: Id,
    store: StoreUrl = None,
    config: ConfigPath = None,
    as_json: AsJson = False,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """Show one: what happened, and who was told."""
    with Screen(no_color=no_color, debug=debug) as screen:
        from drainwatch.casefile.from_store import messages_of
        from drainwatch.report import to_text
        from drainwatch.response.record import responses_of
        from drainwatch.store import state_of

        with kept(config, store) as (opened, _):
            incident = _found(opened, incident_id)
            marks = opened.marks(incident["id"])
            told = messages_of(opened, incident["id"])
            responses = [one.plain() for one in responses_of(opened, incident["id"])]
        incident |= {"drainwatch_responses": responses} if responses else {}
        state = state_of(incident, marks)
        if as_json:
            plain = _plain(incident, state, marks) | {"messages": told}
            screen.out(json.dumps(plain, indent=2))
            return
        screen.incident(to_text(incident))
        screen.prose(f"State: {state}")
        for mark in marks:
            screen.prose(f"  {_said(mark)}")
        _show_told(told, screen)
        screen.out()
        screen.prose(_next(incident["id"], state))


def _next(incident_id: str, state: str) -> str:
    """Say which verb comes next."""
    export = f"drainwatch incidents export {incident_id} --out DIR"
    if state == "open":
        return (
            f"Seen it? `drainwatch incidents ack {incident_id}`. For the exchange and the police: `{export}`."
        )
    return f"For the exchange and the police: `{export}`."


def _said(mark: Mark) -> str:
    """Say when the owner said what."""
    from drainwatch.report import words

    why = f": {words.clean(mark.reason, 300)}" if mark.reason else ""
    return f"{mark.what.replace('_', ' ')} {words.moment(mark.at_ns / 1e6)}{why}"


def _show_told(told: list[dict[str, Any]], screen: Screen) -> None:
    """Say who was told, message by message."""
    from drainwatch.report import words

    if not told:
        screen.prose("Told: nobody (no channel is set for it, or it was held back)")
        return
    screen.prose("Told:")
    for one in told:
        at = words.moment(one["settled_at"] or one["posted_at"])
        failed = words.plural(one["failed_tries"], "failed try", "failed tries")
        became = {"arrived": f"arrived {at}", "given_up": f"given up {at}"}.get(
            one["state"], f"waiting since {at}, {failed}"
        )
        together = ", together with others" if one["digest"] else ""
        why = f" ({words.clean(one['reason'], 200)})" if one["reason"] else ""
        screen.prose(
            f"  {words.clean(one['what'])}, by {words.clean(one['channel'])}{together}: {became}{why}"
        )


@incidents.command()
def ack(
    incident_id: Id,
    reason: Reason = "",
    store: StoreUrl = None,
    config: ConfigPath = None,
    debug: Debug = False,
) -> None:
    """Acknowledge one: you have seen it; reminders end.

    It stays open, and you hear of it when it gets worse.
    """
    said = "Acknowledged {}. Reminders end; you still hear when its loss doubles or it becomes critical."
    _mark(incident_id, "acknowledged", reason, said, store, config, debug=debug)


@incidents.command()
def close(
    incident_id: Id,
    reason: Reason = "",
    store: StoreUrl = None,
    config: ConfigPath = None,
    debug: Debug = False,
) -> None:
    """Close one: it was real, and it is dealt with."""
    said = "Closed {}. Reminders end; should it go on, you hear when its loss doubles or it becomes critical."
    _mark(incident_id, "closed", reason, said, store, config, debug=debug)


@incidents.command("false-alarm")
def false_alarm(
    incident_id: Id,
    reason: Reason = "",
    store: StoreUrl = None,
    config: ConfigPath = None,
    debug: Debug = False,
) -> None:
    """Say that it was no drain.

    Warnings like it, of the same account and pattern and not larger, are then kept but not told, within
    limits. A critical is always told.
    """
    said = (
        "Marked {} as a false alarm. Warnings like it, on the same account and not larger, are kept "
        "but not told from now on, within limits; criticals are always told."
    )
    _mark(incident_id, "false_alarm", reason, said, store, config, debug=debug)


@incidents.command()
def export(
    incident_id: Id,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the evidence.")],
    replayed: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="What a replay or rerun wrote, instead of a store."),
    ] = None,
    fills: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="With --from: the replayed fills, for the exchange's own words."),
    ] = None,
    trades: Annotated[
        str | None, typer.Option(metavar="FILE", help="With --from: the replayed public trades.")
    ] = None,
    quotes: Annotated[
        str | None, typer.Option(metavar="FILE", help="With --from: the replayed quotes.")
    ] = None,
    store: StoreUrl = None,
    config: ConfigPath = None,
    debug: Debug = False,
) -> None:
    """Write the evidence, for the exchange and the police.

    evidence.html to read and print, evidence.json with all of it, SHA256SUMS. Nothing secret is in it, but
    the account's fills are.
    """
    with Screen(debug=debug) as screen:
        from drainwatch.casefile.write import write_case
        from drainwatch.report import words

        tables = {"fills": fills, "trades": trades, "quotes": quotes}
        if replayed is not None:
            if store is not None:
                raise typer.BadParameter("expected either --from or --store, found both", param_hint="--from")
            from drainwatch.casefile import from_replay

            every = from_replay.read_incidents(replayed)
            where = str(replayed / "incidents.jsonl")
            incident = find(every, incident_id, lambda one: str(one["id"]), "an incident", where)
            case = from_replay.case_of(replayed, incident, time.time_ns(), tables)
        else:
            if any(tables.values()):
                raise typer.BadParameter(
                    "expected tables only beside --from, found them without: a store has its own",
                    param_hint="--fills",
                )
            from drainwatch.casefile import from_store

            with kept(config, store) as (opened, _):
                case = from_store.case_of(opened, _found(opened, incident_id), time.time_ns())
        digests = write_case(case, out)
        count = words.plural(len(case.fills), "fill")
        screen.out(f"Evidence of incident {words.clean(case.incident['id'])}: {count}.")
        for name, digest in digests.items():
            screen.out(f"{digest}  {out / name}")
        for line in case.missing:
            screen.prose(f"Not in it: {line}")
        screen.prose("Keep these hashes elsewhere, too: with them you show later that nothing was changed.")


def _mark(
    begin: str, what: What, reason: str, said: str, store: str | None, config: Path | None, *, debug: bool
) -> None:
    """Keep a mark, and say what it means; one that is there already isn't made twice."""
    with Screen(debug=debug) as screen:
        from drainwatch.report import words
        from drainwatch.store import Mark, state_of

        with kept(config, store) as (opened, _):
            incident = _found(opened, begin)
            marks = opened.marks(incident["id"])
            name = (
                f"{incident['id']} ({words.spoken(incident['kind_now'])}, {words.clean(incident['account'])})"
            )
            done = what.replace("_", " ")
            if state_of(incident, marks) == done and any(mark.what == what for mark in marks):
                screen.out(f"Nothing to do: {name} is {done} already.")
                return
            mark = Mark(incident=incident["id"], what=what, at_ns=time.time_ns(), reason=reason.strip())
            opened.add_mark(mark)
        screen.prose(said.format(name))


def _found(opened: Store, begin: str) -> dict[str, Any]:
    return find(opened.incidents(), begin, lambda one: str(one["id"]), "an incident", LISTER)


def _by_incident(marks: list[Mark]) -> dict[str, list[Mark]]:
    by_incident: dict[str, list[Mark]] = defaultdict(list)
    for mark in marks:
        by_incident[mark.incident].append(mark)
    return by_incident


def _plain(incident: dict[str, Any], state: str, marks: list[Mark]) -> dict[str, Any]:
    """Give an incident for programs: the contract's fields, how it stands, what was said."""
    said = [{"what": m.what, "at": m.at_ns / 1e6, "reason": m.reason} for m in marks]
    return incident | {"state": state, "marks": said}
