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
from drainwatch.model import default_model_path, load_model
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
    assert case.judged_by["model"] == load_model(default_model_path()).card["arrays_sha256"]
    assert case.judged_by["quiet_hours"] == 6.0


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


def test_scores_of_before_do_not_say_by_what_was_judged(
    replayed: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    incident = read_incidents(replayed[0])[0]
    table = pq.read_table(replayed[0] / "scores.parquet")
    pq.write_table(table.replace_schema_metadata({}), tmp_path / "scores.parquet")
    (tmp_path / "incidents.jsonl").write_text(json.dumps(incident))
    case = case_of(tmp_path, incident, 0, {})
    assert case.judged_by == {}
    assert any(line.startswith("By which version and model") for line in case.missing)


def test_of_contracts_the_loss_is_not_guessed(replayed: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """A contract may stand for a thousandth of a coin, or for a hundred dollars."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    incident = read_incidents(replayed[0])[0]
    table = pq.read_table(replayed[0] / "scores.parquet")
    place = table.column_names.index("symbol")
    pq.write_table(
        table.set_column(place, "symbol", pa.array(["AB/USDT:USDT"] * len(table))),
        tmp_path / "scores.parquet",
    )
    incident["fills"] = [told | {"symbol": "AB/USDT:USDT"} for told in incident["fills"]]
    (tmp_path / "incidents.jsonl").write_text(json.dumps(incident))
    case = case_of(tmp_path, incident, 0, {})
    assert all(fill.fair_price is not None and fill.loss is None for fill in case.fills)
    assert any(line.startswith(f"Of {len(case.fills)} fills of contracts") for line in case.missing)
