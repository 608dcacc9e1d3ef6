"""The files of a case: private, checkable with common tools, never overwritten."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from cases import INCIDENT, T0, fill_store
from drainwatch.casefile.case import Case
from drainwatch.casefile.from_store import case_of
from drainwatch.casefile.write import FILES, write_case
from drainwatch.errors import InputError
from drainwatch.store import open_store


@pytest.fixture
def case(tmp_path: Path) -> Case:
    with closing(open_store(tmp_path / "watch.db")) as store:
        fill_store(store)
        return case_of(store, INCIDENT, T0)


def test_the_files_can_be_checked_by_anybody(case: Case, tmp_path: Path) -> None:
    out = tmp_path / "new" / "case"
    digests = write_case(case, out)
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in out.iterdir())
    sums = [line.split("  ") for line in (out / "SHA256SUMS").read_text().splitlines()]
    told = {name: digest for digest, name in sums}
    assert told == {name: digests[name] for name in ("evidence.json", "evidence.html")}
    assert digests["evidence.json"] in (out / "evidence.html").read_text()
    checker = shutil.which("sha256sum")
    if checker is not None:
        subprocess.run([checker, "-c", "SHA256SUMS"], cwd=out, check=True, capture_output=True)
    plain = json.loads((out / "evidence.json").read_bytes())
    assert plain["fills"][0]["price"] == "2.00000000000000000100"


@pytest.mark.parametrize("name", FILES)
def test_what_is_there_is_not_overwritten(case: Case, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("handed out")
    with pytest.raises(InputError, match=f"found {name}: .*choose another --out"):
        write_case(case, tmp_path)
    assert (tmp_path / name).read_text() == "handed out"
    assert [n for n in FILES if (tmp_path / n).exists()] == [name]


def test_a_folder_that_can_not_be_made_is_said_to_be_one(case: Case, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"can't write to .*choose another --out"):
        write_case(case, tmp_path / "file" / "case")
