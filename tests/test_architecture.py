"""The rooms keep to their doors: what the layout promises is looked at here, file by file."""

from __future__ import annotations

import ast
import importlib
import logging
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from importlinter import cli as import_linter

import drainwatch

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "drainwatch"
MODULES = sorted(SOURCE.rglob("*.py"))

WITHOUT_A_TEST_MODULE = {
    "__init__": "tested here: the public names",
    "__main__": "three lines that call `cli`; test_cli runs `python -m drainwatch`",
    "alerts": "holds no code",
    "bench": "holds no code",
    "botlogs": "holds no code",
    "casefile": "holds no code",
    "imports": "holds no code",
    "imports/binance": "tables: test_imports_catalogue reads a file of each",
    "imports/bybit": "tables: test_imports_catalogue reads a file of each",
    "imports/coinbase": "tables: test_imports_catalogue reads a file of each",
    "imports/kraken": "tables: test_imports_catalogue reads a file of each",
    "imports/kucoin": "tables: test_imports_catalogue reads a file of each",
    "imports/okx": "tables: test_imports_catalogue reads a file of each",
    "features": "hands on what `features/registry` holds",
    "fetch": "holds no code",
    "keys": "holds no code",
    "keys/leaks": "holds no code",
    "plots": "hands on what `plots/pictures` holds",
    "lab": "holds no code",
    "lab/exchange": "holds no code",
    "lab/exchange/bybit_rest": "tested through requests, in its venue's own module",
    "lab/exchange/hyperliquid_rest": "tested through requests, in its venue's own module",
    "lab/exchange/okx_rest": "tested through requests, in its venue's own module",
    "notices": "declares what there is; whoever makes a notice tests it",
    "response": "holds no code",
    "sockets": "holds no code",
    "venues": "holds no code",
    "venues/ports": "declares what streams need; whoever has it tests it",
    "watch": "holds no code",
}
"""Source modules that no test module is named after, each with the reason."""

OTHER_TESTS = {
    "acceptance": "the whole, on real market data",
    "architecture": "the layout",
    "day": "a watch that runs for a day and a night",
    "docs": "what the documents promise",
    "alerts_arrival": "from verdict to chat, through services that fail, floods and kills",
    "kills": "a watch killed at any moment",
    "packaging": "what the project file promises",
    "watch_venues": "a real watch over each venue's loopback exchange",
    "secrets": "that none of them shows anywhere",
    "watch_faults": "the whole watch, when things go wrong on the wire",
}
"""Test modules that are named after no source module, each with its subject."""

HEAVY = ("matplotlib", "numba", "pandas", "plotly", "pyarrow", "pyod", "river", "scipy", "sklearn")


def name_of(module: Path) -> str:
    """Return a source module's name as a path: `market`, `features/price`, `features` for its init."""
    parts = module.relative_to(SOURCE).with_suffix("").parts
    return "/".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def modules_loaded_by(code: str) -> set[str]:
    """Return the top names of what a new interpreter has loaded after running some code."""
    run = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*{{m.partition('.')[0] for m in sys.modules}})"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(run.stdout.splitlines()[-1].split())


def test_imports_go_one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """A core that reaches up, or out to the network, can no longer be replayed bit for bit."""
    monkeypatch.chdir(ROOT)
    loggers = [one for one in logging.Logger.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    disabled = [one.disabled for one in loggers]
    try:
        assert import_linter.lint_imports(no_cache=True) == import_linter.EXIT_STATUS_SUCCESS
    finally:  # it sets up logging for its process, and disables what there is; here others share it
        for logger, was in zip(loggers, disabled, strict=True):
            logger.disabled = was


def test_core_contract_covers_every_core_room() -> None:
    """A room that the second contract forgets could read a clock unseen."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers, forbidden = contracts
    rooms = [room.strip(" ()") for layer in layers["layers"] for room in layer.replace("|", ":").split(":")]
    core = rooms[rooms.index("report") :]
    assert sorted(forbidden["source_modules"]) == sorted(f"drainwatch.{room}" for room in core)


@pytest.mark.parametrize(
    "code", ["import drainwatch", "import drainwatch; dir(drainwatch)", "import drainwatch.cli"]
)
def test_importing_is_cheap(code: str) -> None:
    """`drainwatch --help` would take seconds if a heavy library came with it."""
    assert modules_loaded_by(code).isdisjoint(HEAVY)


def test_watching_needs_no_scikit_learn() -> None:
    """Scoring from arrays saves the two seconds and 170 MB of scikit-learn's import."""
    assert "sklearn" not in modules_loaded_by("from drainwatch import load_model, Engine")


def test_naming_the_baselines_loads_none_of_their_libraries() -> None:
    """They come with an extra: without it the rest of the benchmark still has to run."""
    loaded = modules_loaded_by("from drainwatch.bench import baselines, oracles")
    assert loaded.isdisjoint({"matplotlib", "pyod", "river", "sklearn"})


def test_public_names_are_locked() -> None:
    """A name that comes or goes here is a change that users see: the changelog has to say so."""
    assert drainwatch.__all__ == [
        "ConfigError",
        "DrainDetector",
        "DrainwatchError",
        "Engine",
        "Incident",
        "InputError",
        "Model",
        "ModelError",
        "Replay",
        "StateError",
        "__version__",
        "features",
        "load_model",
        "read_fills",
        "replay",
    ]
    assert all(getattr(drainwatch, name) is not None for name in drainwatch.__all__)
    assert set(drainwatch.__all__) <= set(dir(drainwatch))


def test_unknown_public_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'replya'; it has .*replay"):
        _ = drainwatch.replya


def test_public_names_survive_the_import_of_every_module() -> None:
    """A submodule takes its package's attribute of the same name: none may be called like a public name."""
    for module in pkgutil.walk_packages(drainwatch.__path__, "drainwatch."):
        if module.name != "drainwatch.__main__":
            importlib.import_module(module.name)
    assert callable(drainwatch.features)
    assert callable(drainwatch.replay)
    assert isinstance(drainwatch.__version__, str)


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_every_module_has_its_test_module(module: Path) -> None:
    name = name_of(module)
    if name in WITHOUT_A_TEST_MODULE:
        return
    tests = ROOT / "tests"
    wanted = {f"test_{name.replace('/', '_')}.py", f"test_{name.rpartition('/')[2]}.py"}
    assert any((tests / file).is_file() for file in wanted), f"expected one of {sorted(wanted)} in tests/"


def test_every_test_module_has_its_module() -> None:
    """A test that outlives what it tested hides that nothing is tested."""
    names = {name_of(module) for module in MODULES}
    known = {name.replace("/", "_") for name in names} | {name.rpartition("/")[2] for name in names}
    homeless = {
        test.stem.removeprefix("test_")
        for test in (ROOT / "tests").rglob("test_*.py")
        if test.stem.removeprefix("test_") not in known | set(OTHER_TESTS)
    }
    assert not homeless


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_modules_stay_short(module: Path) -> None:
    """One module, one noun: what needs 600 lines is two nouns."""
    assert len(module.read_text().splitlines()) <= 600


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_nothing_is_pickled(module: Path) -> None:
    """Unpickling runs code: a watcher must not run what a file tells it to (decision 0001)."""
    tree = ast.parse(module.read_text())
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        (node.module or "").partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and not node.level
    }
    assert imported.isdisjoint({"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve", "skops"})
    allowing = [
        keyword.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "allow_pickle"
    ]
    assert all(isinstance(value, ast.Constant) and value.value is False for value in allowing)


def test_sockets_are_blocked(request: pytest.FixtureRequest) -> None:
    """A test that reaches the network passes or fails with somebody else's server."""
    import socket

    from pytest_socket import SocketConnectBlockedError

    assert "--disable-socket" in request.config.getini("addopts")
    with (
        socket.socket() as probe,
        pytest.warns(UserWarning, match="tried to use socket"),
        pytest.raises(SocketConnectBlockedError),
    ):
        probe.connect(("192.0.2.1", 80))  # reserved for documentation (RFC 5737): nobody is there
