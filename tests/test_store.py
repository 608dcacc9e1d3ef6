"""Where a store is opened, from what its URL says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from drainwatch.errors import ConfigError
from drainwatch.store import open_store


def test_a_path_opens_a_file_and_makes_its_folder(tmp_path: Path) -> None:
    store = open_store(tmp_path / "new" / "folder" / "watch.db")
    assert store.append(b"x") == 1
    store.close()
    assert (tmp_path / "new" / "folder" / "watch.db").is_file()


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_a_text_opens_a_file_too(tmp_path: Path, form: str) -> None:
    store = open_store(form.format(tmp_path / "watch.db"))
    store.close()
    assert (tmp_path / "watch.db").is_file()


def test_the_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    open_store("~/watch.db").close()
    assert (tmp_path / "watch.db").is_file()


@pytest.mark.parametrize(
    "url", ["mysql://user:hunter2@host/name", "http://hunter2", "", "sqlite://", "a\0hunter2"]
)
def test_what_is_neither_is_refused_without_repeating_it(url: str) -> None:
    """A URL may hold a password."""
    with pytest.raises(ConfigError, match="store: expected") as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)


def test_a_file_needs_no_client_of_a_server(tmp_path: Path) -> None:
    code = f"from drainwatch.store import open_store; open_store({str(tmp_path / 'w.db')!r}).close()"
    run = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('psycopg' in sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert run.stdout.strip() == "False"
