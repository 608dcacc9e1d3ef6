"""Every export: a file of made-up rows with the real header, and what has to come of it.

`python tests/test_imports_catalogue.py` writes the golden files anew; look at the difference.
"""

from __future__ import annotations

import csv
import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from drainwatch.errors import InputError
from drainwatch.events import Names
from drainwatch.imports.catalogue import IMPORTERS, STRANGERS
from drainwatch.imports.importer import Stranger, match, plain
from drainwatch.imports.plain import OWN
from drainwatch.imports.reading import Wish, opened
from drainwatch.imports.recognise import recognise
from drainwatch.imports.sheet import sheets
from drainwatch.schema import SCHEMA
from drainwatch.tables import TablePaths, Tables

FILES = Path(__file__).parent / "files" / "imports"
GOLDEN = Path(__file__).parent / "golden" / "imports"
EXPORTS = sorted(path for path in FILES.iterdir() if path.suffix != ".md")
READABLE = [path for path in EXPORTS if (GOLDEN / f"{path.stem}.json").exists()]


def outcome(path: Path) -> dict[str, Any]:
    """Read an export to what the golden file says of it."""
    (found,) = opened([str(path)], Wish()).imports
    rows: list[dict[str, Any]] = []
    bad: list[str] = []
    for _, piece in found.source().pieces:
        names = sorted(piece.columns)
        for at in range(piece.rows.size):
            cells = {name: piece.columns[name][at].as_py() for name in names}
            told = {name: cell for name, cell in cells.items() if cell is not None}
            rows.append(told | {"timestamp": told["timestamp"].isoformat()})
        bad += [f"{row.column}: {row.found}" for row in piece.bad]
    others = {kind: n for kind, n in sorted(found.tally.others.items()) if n}
    return {
        "importer": found.match.importer.name,
        "rows": rows,
        "bad": bad,
        "others": others,
        "markets": sorted(found.tally.markets.values(), key=lambda row: str(row["symbol"])),
    }


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.stem)
def test_an_export_gives_what_it_gave(path: Path) -> None:
    assert outcome(path) == json.loads((GOLDEN / f"{path.stem}.json").read_text(encoding="utf-8"))


def test_every_importer_has_a_file_of_its_own() -> None:
    named = {json.loads(path.read_text(encoding="utf-8"))["importer"] for path in GOLDEN.glob("*.json")}
    assert {importer.name for importer in IMPORTERS} <= named


def test_names_are_unique_and_columns_are_the_contracts() -> None:
    names = Counter(importer.name for importer in (*IMPORTERS, OWN))
    assert max(names.values()) == 1
    for importer in IMPORTERS:
        assert re.fullmatch(r"[a-z0-9-]+", importer.name)
        assert importer.where
        targets = Counter(column.to for column in importer.columns)
        assert max(targets.values()) == 1
        for to in targets:
            assert to.startswith("_") or to in SCHEMA["fills"]


@pytest.mark.parametrize("path", [p for p in READABLE if p.suffix == ".csv"], ids=lambda path: path.stem)
def test_columns_in_any_order_are_the_same_export(path: Path) -> None:
    (sheet,) = sheets(str(path))
    told = json.loads((GOLDEN / f"{path.stem}.json").read_text(encoding="utf-8"))["importer"]
    for seed in range(5):
        random.Random(seed).shuffle(sheet.header)
        found = recognise(sheet, IMPORTERS, STRANGERS)
        assert not isinstance(found, Stranger)
        assert found.importer.name == told


@pytest.mark.parametrize("importer", IMPORTERS, ids=lambda importer: importer.name)
def test_without_a_needed_column_an_export_is_not_taken_for_itself(importer: Any) -> None:
    """Half an export, guessed at, would be judged with a hole in it."""
    header = [column.names[0] for column in importer.columns]
    for column in importer.columns:
        if column.needed:
            gone = {plain(name) for name in column.names}
            cut = [name for name in header if plain(name) not in gone]
            assert match(importer, cut).missing


def test_all_exports_go_through_the_tables_without_a_bad_row() -> None:
    found = opened([str(path) for path in READABLE], Wish())
    given = found.given({})
    paths = TablePaths(fills=found.names, markets="the exports" if "markets" in given else None)
    with Tables.open(paths, Names(), strict=True, given=given) as tables:
        expected = sum(len(outcome(path)["rows"]) for path in READABLE)
        assert tables.counts["fills"].bad == 0
        assert tables.counts["fills"].read == expected
        assert tables.n_fills == expected


def test_a_coin_margined_contract_is_worth_its_dollars() -> None:
    found = opened([str(FILES / "binance-futures.csv")], Wish())
    names = Names()
    with Tables.open(TablePaths(fills="f", markets="m"), names, given=found.given({})):
        sizes = {spec.symbol: spec.contract_size for spec in names.markets if spec.contract_size > 1}
    assert sizes == {"BTC/USD:BTC": 100.0, "ETH/USD:ETH-261225": 10.0}


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda stranger: stranger.title)
def test_an_export_without_fills_is_told_with_the_one_to_take(stranger: Stranger, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([stranger.columns, ["x"] * len(stranger.columns)])
    with pytest.raises(InputError, match=re.escape(f"{stranger.title}, which has no fills; ")):
        opened([str(path)], Wish())


if __name__ == "__main__":
    for export in EXPORTS:
        try:
            made = outcome(export)
        except InputError:
            continue
        text = json.dumps(made, indent=1, ensure_ascii=False)
        (GOLDEN / f"{export.stem}.json").write_text(text + "\n", encoding="utf-8")
