"""`drainwatch incidents` as its owner meets it, beside a watch that holds its store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from drainwatch.cli.app import app
from drainwatch.response.record import Response, State, put
from drainwatch.store import Mark, Store, open_store
from report_fakes import incident

RUNNER = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "200", "DRAINWATCH_CONFIG": ""})
HOSTILE = "<b>X</b>\u202e\x1b[2J/BTC"
IDS = ("aaaaaaaa00000000", "aaaaaaaa11111111", "bbbbbbbb22222222")


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Store]:
    """A watch's store, opened by the watch."""
    with closing(open_store(tmp_path / "watch.db")) as store:
        told = incident()
        at = told["alerted_at"]
        store.save_incident(told | {"id": IDS[0]})
        store.save_incident(
            told
            | {"id": IDS[1], "alerted_at": at + 1, "severity": "warning", "closed_at": at + 9, "loss": None}
            | {"loss_currency": None, "equity_share": None}
        )
        store.save_incident(
            told | {"id": IDS[2], "alerted_at": at + 2, "account": "two", "symbols": [HOSTILE]}
        )
        at_ns = int(at * 1e6)
        for number, name in enumerate(("opened/1", "grew/2", "closed/3")):
            store.post(f"{IDS[0]}/{name}", "phone", 0, b"x", at_ns + number)
        store.post(f"{IDS[1]}/opened/1", "phone", 0, b"x", at_ns)
        first, second, *_ = [p for p in store.due(2**62) if p.key.startswith(IDS[0])]
        store.delivered(first, at_ns + 10**9)
        store.failed(second, None, "the service answers 401", at_ns + 10**9)
        yield store


def run(tmp_path: Path, *words: str) -> Result:
    return RUNNER.invoke(app, ["incidents", *words, "--store", f"sqlite:///{tmp_path / 'watch.db'}"])


def ids_in(listed: Result) -> list[str]:
    assert listed.exit_code == 0, listed.output
    return [str(one["id"]) for one in json.loads(listed.stdout)["incidents"]]


def test_open_ones_come_first_then_the_newest(watch: Store, tmp_path: Path) -> None:
    assert ids_in(run(tmp_path, "list", "--json")) == [IDS[2], IDS[0], IDS[1]]
    watch.add_mark(Mark(incident=IDS[2], what="acknowledged", at_ns=1))
    assert ids_in(run(tmp_path, "list", "--json")) == [IDS[0], IDS[2], IDS[1]]


def test_the_list_says_what_is_gone_and_how_each_stands(watch: Store, tmp_path: Path) -> None:
    result = run(tmp_path, "list")
    lines = result.stdout.splitlines()
    assert lines[0].split() == [
        "id",
        "severity",
        "kind",
        "account",
        "alert",
        "(UTC)",
        "loss",
        "share",
        "state",
    ]
    assert lines[1].startswith("bbbbbb     critical  planted wall  two at binance")
    assert lines[2].startswith("aaaaaaaa0  critical")
    assert lines[2].endswith("3.36 ETH  41 %     open")
    assert lines[3].endswith("unknown   unknown  closed, never acknowledged")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--open"], [IDS[2], IDS[0]]),
        (["--account", "two"], [IDS[2]]),
        (["--account", "nobody"], []),
        (["--since", "2018-03-08"], []),
        (["--since", "2018-03-07"], [IDS[2], IDS[0], IDS[1]]),
        (["--since", "1d"], []),
    ],
)
def test_the_list_is_cut_down(watch: Store, tmp_path: Path, options: list[str], found: list[str]) -> None:
    assert ids_in(run(tmp_path, "list", "--json", *options)) == found
    if not found:
        assert run(tmp_path, "list", *options).stdout == "No such incident, of 3 in all.\n"


def test_an_empty_store_has_none(tmp_path: Path) -> None:
    open_store(tmp_path / "watch.db").close()
    assert run(tmp_path, "list").stdout == "No incident.\n"


def test_one_is_shown_with_who_was_told(watch: Store, tmp_path: Path) -> None:
    watch.add_mark(Mark(incident=IDS[0], what="acknowledged", at_ns=10**18, reason="seen \x1b[2J"))
    result = run(tmp_path, "show", "aaaaaaaa0")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("CRITICAL: 3.36 ETH gone from account main at binance, 41 % of it")
    assert "State: acknowledged\n  acknowledged 9 Sep 2001 01:46:40 UTC: seen \ufffd[2J\n" in result.stdout
    assert "opened, by phone: arrived 7 Mar 2018 14:55:31 UTC\n" in result.stdout
    assert "grew, by phone: given up 7 Mar 2018 14:55:31 UTC (the service answers 401)" in result.stdout
    assert "closed, by phone: waiting since 7 Mar 2018 14:55:30 UTC, 0 failed tries" in result.stdout
    assert f"drainwatch incidents export {IDS[0]} --out DIR" in result.stdout


def test_what_responses_came_to_is_shown_with_it(watch: Store, tmp_path: Path) -> None:
    done = Response(
        name="stop-bot",
        kind="freqtrade",
        dry_run=False,
        state=State.DONE,
        text="freqtrade has stopped",
        due_ns=1,
    )
    put(watch, IDS[0], done)
    assert "Response: stop-bot: done: freqtrade has stopped\n" in run(tmp_path, "show", IDS[0]).stdout
    told = json.loads(run(tmp_path, "show", IDS[0], "--json").stdout)
    assert [one["state"] for one in told["drainwatch_responses"]] == ["done"]
    assert "Response" not in run(tmp_path, "show", IDS[1]).stdout


def test_who_was_told_in_a_digest_is_said_to_have_been(watch: Store, tmp_path: Path) -> None:
    opened = [p for p in watch.due(2**62) if p.key.startswith(IDS[1])]
    watch.put_together(opened, "digest/1", 3, b"x", 5)
    assert (
        "opened, by phone, together with others: waiting since" in run(tmp_path, "show", "aaaaaaaa1").stdout
    )
    (digest,) = [p for p in watch.due(2**62) if p.key == "digest/1"]
    watch.delivered(digest, 10**18)
    plain = json.loads(run(tmp_path, "show", "aaaaaaaa1", "--json").stdout)
    (message,) = plain["messages"]
    assert (message["state"], message["digest"], message["settled_at"]) == ("arrived", "digest/1", 1e12)


def test_nothing_from_outside_steers_the_terminal(watch: Store, tmp_path: Path) -> None:
    for result in (run(tmp_path, "show", "bbbb"), run(tmp_path, "list")):
        assert result.exit_code == 0, result.output
        assert "\x1b" not in result.stdout
        assert "\u202e" not in result.stdout


@pytest.mark.parametrize(
    ("verb", "what", "said", "state"),
    [
        ("ack", "acknowledged", "Acknowledged {}. Reminders end", "acknowledged"),
        ("close", "closed", "Closed {}. Reminders end", "closed"),
        ("false-alarm", "false_alarm", "Marked {} as a false alarm.", "false alarm"),
    ],
)
def test_a_mark_is_kept_once_and_the_watch_sees_it(
    watch: Store, tmp_path: Path, verb: str, what: str, said: str, state: str
) -> None:
    named = f"{IDS[2]} (planted wall, two)"
    result = run(tmp_path, verb, "bb", "--reason", " mine ")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(said.format(named))
    (mark,) = watch.marks(IDS[2])
    assert (mark.what, mark.reason) == (what, "mine")
    again = run(tmp_path, verb, IDS[2])
    assert again.stdout == f"Nothing to do: {named} is {what.replace('_', ' ')} already.\n"
    assert len(watch.marks()) == 1
    plain = json.loads(run(tmp_path, "show", "bb", "--json").stdout)
    assert plain["state"] == state
    assert [(m["what"], m["reason"]) for m in plain["marks"]] == [(what, "mine")]


def test_what_is_over_can_still_be_closed_by_its_owner(watch: Store, tmp_path: Path) -> None:
    """It is over by itself after some quiet hours; that its owner has dealt with it is another thing."""
    assert run(tmp_path, "close", "aaaaaaaa1").stdout.startswith("Closed aaaaaaaa11111111")
    assert [mark.what for mark in watch.marks(IDS[1])] == ["closed"]


@pytest.mark.parametrize("verb", ["show", "ack", "close", "false-alarm"])
def test_an_id_that_is_none_or_several_is_refused(watch: Store, tmp_path: Path, verb: str) -> None:
    for begin, said in (
        ("zz", "which none has: see `drainwatch incidents list`"),
        ("aaaa", "give more of it"),
    ):
        result = run(tmp_path, verb, begin)
        assert result.exit_code == 2
        assert said in result.stderr
    assert watch.marks() == []


def test_no_store_is_said_in_words(tmp_path: Path) -> None:
    result = run(tmp_path, "list")
    assert result.exit_code == 1
    assert "expected the store of a watch, found none" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_evidence_is_written_and_never_over_other(watch: Store, tmp_path: Path) -> None:
    out = tmp_path / "case"
    result = run(tmp_path, "export", "aaaaaaaa0", "--out", str(out))
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"Evidence of incident {IDS[0]}: 14 fills.\n")
    assert "Not in it: " in result.stdout  # these fills never were in the store
    assert sorted(p.name for p in out.iterdir()) == ["SHA256SUMS", "evidence.html", "evidence.json"]
    again = run(tmp_path, "export", "aaaaaaaa0", "--out", str(out))
    assert again.exit_code == 3
    assert "isn't overwritten" in again.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--fills", "f.csv"], "expected tables only beside --from"),
        (["--from", "out"], "expected either --from or --store"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    watch: Store, tmp_path: Path, options: list[str], said: str
) -> None:
    result = run(tmp_path, "export", "aa", "--out", str(tmp_path / "case"), *options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_json_is_the_contracts_incident_and_more(watch: Store, tmp_path: Path) -> None:
    (plain,) = json.loads(run(tmp_path, "list", "--json", "--account", "two").stdout)["incidents"]
    known: dict[str, Any] = next(one for one in watch.incidents() if one["id"] == IDS[2])
    assert plain == known | {"state": "open", "marks": []}
