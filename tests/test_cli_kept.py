"""How the owner's verbs find the store, and what they find in it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.cli.kept import SHORTEST, find, kept, short_ids
from drainwatch.errors import ConfigError, StateError
from drainwatch.store import open_store


def test_the_store_is_the_one_that_the_watch_writes_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the watch: it holds the store's lock meanwhile."""
    monkeypatch.chdir(tmp_path)
    named = tmp_path / "named.db"
    config = tmp_path / "watch.toml"
    config.write_text(f'[watch]\nstore = "sqlite:///{named}"\n')
    with closing(open_store(named)) as watch, kept(config, None) as (store, settings):
        assert store.where == watch.where == str(named)
        assert settings.watch.store == f"sqlite:///{named}"
    with closing(open_store(tmp_path / "other.db")), kept(config, f"sqlite:///{tmp_path}/other.db") as found:
        assert found[0].where.endswith("other.db")
    with pytest.raises(StateError, match="expected the store of a watch, found none"), kept(None, None):
        pass
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".db") == ["named.db", "other.db"]


@pytest.mark.parametrize(("begin", "found"), [("a", "ab"), ("ab", "ab"), ("ccc", "ccc"), ("cc", "cc")])
def test_the_beginning_of_an_id_is_enough_where_it_is_one_things(begin: str, found: str) -> None:
    assert find(["ab", "cc", "ccc", "cccd"], begin, str, "a thing", "list") == found


@pytest.mark.parametrize(
    ("begin", "said"),
    [
        ("x", "expected the beginning of an id of a thing, found 'x', which none has: see `list`"),
        ("", "found '', which none has"),
        ("c", r"with which 7 begin \(c0, c1, c2, c3, c4 and 2 more\): give more of it"),
        ("\x1b[2J", r"found '\\x1b\[2J', which none has"),
    ],
)
def test_else_it_is_said_what_was_found(begin: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        find(["ab", *(f"c{n}" for n in range(7))], begin, str, "a thing", "list")


@given(st.lists(st.text("abc", min_size=1, max_size=12), max_size=20))
def test_a_short_id_finds_its_own(ids: list[str]) -> None:
    """What the list shows must be understood by the other verbs."""
    for one, short in short_ids(ids).items():
        assert one.startswith(short)
        assert len(short) >= min(SHORTEST, len(one))
        assert find(sorted(set(ids)), short, str, "a thing", "list") == one
