"""Evidence from what a replay left, with and without the tables that it read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import robbed
from drainwatch.casefile.from_replay import case_of, read_incidents
from drainwatch.cli.app import app
from drainwatch.errors import InputError
from drainwatch.replay import replay_tables
from drainwatch.tables import TablePaths


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A replay's folder, and the tables."""
    folder = tmp_path_factory.mktemp("replayed")
    tables = robbed.tables(days=0.25)
    wanted = ("fills", "trades", "quotes", "balances")
    paths = robbed.write({name: tables[name] for name in wanted}, folder / "tables")
    out = folder / "out"
    replay_tables(TablePaths(**paths), out)
    return out, paths


def test_with_the_tables_the_evidence_is_as_exact_as_they_are(
    replayed: tuple[Path, dict[str, str]],
) -> None:
    out, paths = replayed
    incident = next(one for one in read_incidents(out) if one["account"] == "alice")
    case = case_of(out, incident, 0, paths)
    assert [f.id for f in case.fills] == robbed.stolen_ids("alice")
    lines = Path(paths["fills"]).read_text().splitlines()
    head = lines[0].split(",")
    told = dict(zip(head, next(line for line in lines if "x-alice-0" in line).split(","), strict=True))
    first = case.fills[0]
    assert first.exact
    assert (first.price, first.amount, first.fee_cost) == (told["price"], told["amount"], told["fee_cost"])
    assert first.fair_source == "mid"
    assert sum(max(f.loss or 0.0, 0.0) for f in case.fills) == pytest.approx(incident["loss"])
    assert case.losses[0].loss == pytest.approx(incident["loss"])
    (around,) = case.market
    assert around.start <= (first.time or "") <= around.end
    assert {row[4] for row in around.prints} >= set(robbed.stolen_ids("alice"))
    assert around.quotes == sorted(around.quotes)
    assert set(case.origin["files"]) == {
        "incidents.jsonl", "scores.parquet", "fills: fills.csv", "quotes: quotes.csv", "trades: trades.csv",
    }  # fmt: skip
    assert case.messages == case.marks == []


def test_without_them_it_says_what_is_missing(replayed: tuple[Path, dict[str, str]]) -> None:
    out, _ = replayed
    incident = read_incidents(out)[0]
    case = case_of(out, incident, 0, {})
    assert not any(f.exact for f in case.fills)
    assert all(f.price is not None and f.amount is None for f in case.fills)
    assert [line.split(":")[0] for line in case.missing] == [
        "Messages and marks",
        "Prices and amounts as the exchange wrote them, fees and counterparties",
        "Market data around the fills",
        "By which model it was judged",
    ]


def test_the_command_takes_a_replays_folder(replayed: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    out, paths = replayed
    begin = read_incidents(out)[0]["id"][:5]
    words = ["incidents", "export", begin, "--from", str(out), "--out", str(tmp_path / "case")]
    result = CliRunner().invoke(app, [*words, "--fills", paths["fills"], "--quotes", paths["quotes"]])
    assert result.exit_code == 0, result.output
    case = json.loads((tmp_path / "case" / "evidence.json").read_text())
    assert case["origin"]["kind"] == "replay"
    assert case["market"][0]["quotes"]
    assert case["market"][0]["prints"] == []
    missing = CliRunner().invoke(app, [*words[:2], "zzz", *words[3:]])
    assert missing.exit_code == 2
    assert "incidents.jsonl`" in missing.stderr


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"id": "x"}'])
def test_a_folder_without_a_replay_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "incidents.jsonl").write_text(content)
    with pytest.raises(InputError, match=r"expected the incidents of a replay in .*run `drainwatch replay`"):
        read_incidents(tmp_path)


def test_scores_that_are_none_are_refused(replayed: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    incident = read_incidents(replayed[0])[0]
    (tmp_path / "incidents.jsonl").write_text(json.dumps(incident))
    with pytest.raises(InputError, match=r"scores\.parquet, found none to read"):
        case_of(tmp_path, incident, 0, {})
    (tmp_path / "scores.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"expected the scores of a replay"):
        case_of(tmp_path, incident, 0, {})
