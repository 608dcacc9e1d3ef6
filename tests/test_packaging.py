"""The project file, the lock files and the version say the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import drainwatch

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = tomllib.loads((ROOT / "uv.lock").read_text())
LOCKED = {package["name"]: package for package in LOCK["package"]}
PUBLIC_HOSTS = {"pypi.org", "files.pythonhosted.org"}


def pins(name: str) -> dict[str, str]:
    """Return package to version of one of the lists that pip installs from."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    requirements = [Requirement(line) for line in lines if line]
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in requirements}


def asked_for(lines: list[Any]) -> set[tuple[str, str]]:
    """Return (package, versions) of the requirements in a project file's list, in one spelling."""
    requirements = [Requirement(line) for line in lines if isinstance(line, str)]
    return {(canonicalize_name(r.name), str(r.specifier)) for r in requirements}


def test_lock_is_of_these_dependencies() -> None:
    """`make lock` was forgotten: what is installed isn't what was asked for."""
    metadata = LOCKED["drainwatch"]["metadata"]
    locked = {(r["name"], r.get("specifier", "")) for r in metadata["requires-dist"]}
    extras = [line for lines in PROJECT["project"]["optional-dependencies"].values() for line in lines]
    assert locked == asked_for(PROJECT["project"]["dependencies"] + extras)
    groups = PROJECT["dependency-groups"]
    for group, requirements in metadata["requires-dev"].items():
        wanted = asked_for(groups[group])
        for entry in groups[group]:
            if isinstance(entry, dict):
                wanted |= asked_for(groups[entry["include-group"]])
        assert {(r["name"], r.get("specifier", "")) for r in requirements} == wanted


@pytest.mark.parametrize("name", ["run", "dev"])
def test_pins_are_those_of_the_lock(name: str) -> None:
    """`make demo` and `make test` install what developers with uv have."""
    for package, version in pins(name).items():
        assert LOCKED[package]["version"] == version


def test_everything_needed_is_pinned() -> None:
    needed = {name for name, _ in asked_for(PROJECT["project"]["dependencies"])}
    assert needed <= set(pins("run"))
    assert set(pins("run")) <= set(pins("dev"))


def test_lock_names_the_public_index_only() -> None:
    """A private mirror's name in the lock would make it useless elsewhere."""
    text = (ROOT / "uv.lock").read_text()
    assert set(re.findall(r"https?://([^/\"]+)", text)) <= PUBLIC_HOSTS
    assert "file://" not in text


def test_version_is_the_projects_and_in_the_changelog() -> None:
    version = PROJECT["project"]["version"]
    assert drainwatch.__version__ == version
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()


def test_types_are_shipped() -> None:
    assert (Path(drainwatch.__file__).parent / "py.typed").is_file()
