"""The samples are small, say what they are, and come out the same each time."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest

from drainwatch.lab.samples import SAMPLES, main, write


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        assert main([str(tmp_path / folder), "--only", "planted-wall"]) == 0
    first, second = (sorted((tmp_path / name / "planted-wall").iterdir()) for name in ("first", "second"))
    assert [path.name for path in first] == [path.name for path in second]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize("name", list(SAMPLES))
def test_a_sample_is_small_and_told_truly(tmp_path: Path, name: str) -> None:
    metadata = write(name, tmp_path)
    files = sorted((tmp_path / name).iterdir())
    assert sum(path.stat().st_size for path in files) < 1_200_000
    told = json.loads((tmp_path / name / "metadata.json").read_text())
    assert told == json.loads(json.dumps(metadata))
    assert told["synthetic"] is True
    assert {"seed", "command", "sha256"} <= set(told)
    assert {path.name for path in files} == {*told["sha256"], "metadata.json"}
    for file, digest in told["sha256"].items():
        assert hashlib.sha256((tmp_path / name / file).read_bytes()).hexdigest() == digest
    labels = pd.read_csv(tmp_path / name / "labels.csv")
    assert int(labels["is_drain"].sum()) == told["fills_of_the_thief"]
    assert (told["thief"] is None) == (told["fills_of_the_thief"] == 0)
    assert told["thief"] is None or told["stolen_share"] > 0.01


def test_what_is_shipped_is_what_the_command_makes(tmp_path: Path, samples: Path) -> None:
    """The bytes of `data/` follow from the code; other versions of numpy may round otherwise."""
    shipped = samples / "planted-wall" / "metadata.json"
    if not shipped.is_file():
        pytest.skip("the samples aren't there: make them with `python -m drainwatch.lab.samples`")
    told = json.loads(shipped.read_text())
    now = write("planted-wall", tmp_path)
    assert {key: told[key] for key in ("seed", "fills", "thief")} == {
        key: now[key] for key in ("seed", "fills", "thief")
    }
