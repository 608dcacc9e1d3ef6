"""The calls of the shells: their arguments, and the simulated tables."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drainwatch.cli import shells
from drainwatch.config import Settings
from drainwatch.errors import ConfigError
from drainwatch.tables import TablePaths


def test_replay_names_the_tables_that_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    # the package's own name `replay` is that of the notebook's function: the module is asked for by name
    monkeypatch.setattr(
        import_module("drainwatch.replay"),
        "replay_tables",
        lambda *args, **options: calls.append((args, options)),
    )
    settings = Settings()
    shells.replay({"fills": "f", "trades": None, "orders": "o"}, Path("out"), settings=settings, strict=True)
    (((paths, out), options),) = calls
    assert paths == TablePaths(fills="f", orders="o")
    assert out == Path("out")
    assert options == {"model": None, "settings": settings, "strict": True, "progress": None}


def test_train_from_the_lab_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    def train(*args: Any, **options: Any) -> SimpleNamespace:
        calls.append((args, options))
        return SimpleNamespace(card={"name": "x"})

    monkeypatch.setattr(import_module("drainwatch.train"), "train", train)
    assert shells.train({"fills": None}, Path("/somewhere/models/x"), months=3, seed=5) == {"name": "x"}
    ((args, options),) = calls
    assert args == (Path("/somewhere/models/x"),)
    assert options["tables"] == ()
    assert options["months"] == 3
    assert options["seed"] == 5
    # the card's bytes must not depend on where somebody keeps his files
    assert options["command"] == "drainwatch train --out models/x --from-lab 3 --seed 5"


def test_train_on_own_history_tells_no_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []

    def train(_: Path, **options: Any) -> SimpleNamespace:
        calls.append(options)
        return SimpleNamespace(card={})

    monkeypatch.setattr(import_module("drainwatch.train"), "train", train)
    shells.train({"fills": "/home/me/f.csv", "trades": "/home/me/t.csv"}, Path("own"), months=1, seed=0)
    assert calls[0]["tables"] == (TablePaths(fills="/home/me/f.csv", trades="/home/me/t.csv"),)
    assert calls[0]["command"].endswith("--fills ... --trades ...")
    assert "/home" not in calls[0]["command"]


def test_simulated_account_is_written_with_its_truth(tmp_path: Path) -> None:
    made = shells.simulate(tmp_path, "ping_pong", 7)
    assert set(made.tables) == {"fills", "trades", "quotes", "balances", "orders", "markets"}
    assert all(Path(str(path)).is_file() for path in made.tables.values())
    assert made.losses == sorted(made.losses, key=lambda pair: pair[0])
    assert 0 < sum(loss for _, loss in made.losses) < 2 * made.equity
    assert made.owner.endswith(".")
    assert made.thief.endswith(".")


def test_unknown_thief_is_a_wrong_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="thief must be one of"):
        shells.simulate(tmp_path, "santa", 7)
