"""The store on a server: what happens when the connection is lost, and what its errors give away."""

from __future__ import annotations

import sys
from collections.abc import Callable

import psycopg
import pytest

from drainwatch.errors import ConfigError, StateError
from drainwatch.rows import Fill
from drainwatch.store import Store, open_store
from drainwatch.store.postgres import PostgresStore

EmptyDatabase = Callable[[], str]


def fill(number: int) -> Fill:
    return Fill(
        exchange="binance",
        account="main",
        symbol="ETH/BTC",
        id=str(number),
        ts_ns=number,
        side="buy",
        price="1",
        amount="1",
    )


def cut(store: Store, url: str) -> None:
    """Let the server end the store's session, as a restart or a firewall would."""
    assert isinstance(store, PostgresStore)
    assert store._session is not None
    with psycopg.connect(url) as admin:
        ended = admin.execute("SELECT pg_terminate_backend(%s, 5000)", (store._session[0],)).fetchone()
    assert ended == (True,)


def test_a_lost_connection_is_made_anew_for_a_transaction(postgres_server: EmptyDatabase) -> None:
    url = postgres_server()
    store = open_store(url)
    store.append(b"before")
    cut(store, url)
    with store.transaction():
        assert store.add_fills([fill(1)], 0) == [True]
        assert store.append(b"after") == 2
    assert list(store.entries(0)) == [(1, b"before"), (2, b"after")]
    store.close()


def test_a_lost_connection_is_made_anew_for_a_query(postgres_server: EmptyDatabase) -> None:
    url = postgres_server()
    store = open_store(url)
    store.append(b"before")
    cut(store, url)
    assert list(store.entries(0)) == [(1, b"before")]
    store.close()


def test_the_lock_is_held_again_after_a_loss(
    postgres_server: EmptyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drainwatch.store.postgres.LOCK_WAIT_S", 0.1)
    url = postgres_server()
    store = open_store(url)
    cut(store, url)
    store.append(b"x")
    with pytest.raises(StateError, match="another drainwatch"):
        open_store(url)
    store.close()


def test_who_took_the_store_meanwhile_keeps_it(
    postgres_server: EmptyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drainwatch.store.postgres.LOCK_WAIT_S", 0.1)
    url = postgres_server()
    store = open_store(url)
    cut(store, url)
    other = open_store(url)
    with pytest.raises(StateError, match="another drainwatch"):
        store.append(b"x")
    assert other.append(b"y") == 1
    store.close()
    other.close()


def test_a_connection_lost_inside_a_transaction_keeps_nothing_of_it(postgres_server: EmptyDatabase) -> None:
    url = postgres_server()
    store = open_store(url)
    with pytest.raises(StateError, match="can't be used"), store.transaction():  # noqa: PT012 undone whole
        store.append(b"x")
        cut(store, url)
        store.append(b"y")
    assert list(store.entries(0)) == []
    assert store.append(b"z") == 1
    store.close()


def test_a_server_that_was_set_back_is_noticed(postgres_server: EmptyDatabase) -> None:
    """A copy that lags behind would silently take numbers twice."""
    url = postgres_server()
    store = open_store(url)
    store.append(b"x")
    store.append(b"y")
    with psycopg.connect(url) as admin:
        admin.execute("DELETE FROM drainwatch.journal WHERE number = 2")
    cut(store, url)
    with pytest.raises(StateError, match=r"expected 2 entries .* found 1 after the connection was lost"):
        store.append(b"z")
    store.close()


def test_a_server_that_is_not_there_is_said_without_the_password(tmp_path: object) -> None:
    with pytest.raises(
        StateError, match=r"postgresql://.*/name can't be reached: .* can be reached"
    ) as caught:
        open_store(f"postgresql://me:hunter2@/name?host={tmp_path}")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url", ["postgresql://u:hunter2@host:x/y?a", "postgres://u:hunter2@h/n?nonsense=hunter2"]
)
def test_a_url_that_can_not_be_read_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigError, match="expected postgresql://") as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)


def test_a_missing_database_is_named_with_what_makes_it(postgres_server: EmptyDatabase) -> None:
    url = postgres_server().replace("/test?", "/missing?")
    with pytest.raises(StateError, match="does not exist; create it with"):
        open_store(url)


def test_somebody_elses_schema_is_left_alone(postgres_server: EmptyDatabase) -> None:
    url = postgres_server()
    with psycopg.connect(url) as admin:
        admin.execute("CREATE SCHEMA drainwatch")
        admin.execute("CREATE TABLE drainwatch.coins (name TEXT)")
    with pytest.raises(StateError, match=r"expected drainwatch's own tables .* found others"):
        open_store(url)


def test_a_schema_made_beforehand_serves_a_user_who_may_make_none(postgres_server: EmptyDatabase) -> None:
    url = postgres_server()
    with psycopg.connect(url) as admin:
        admin.execute("DROP ROLE IF EXISTS humble")
        admin.execute("CREATE ROLE humble LOGIN")
        admin.execute("CREATE SCHEMA drainwatch AUTHORIZATION humble")
    store = open_store(url.replace("tester", "humble"))
    assert store.append(b"x") == 1
    store.close()


def test_a_user_who_may_not_write_is_told(postgres_server: EmptyDatabase) -> None:
    url = postgres_server()
    open_store(url).close()
    with psycopg.connect(url) as admin:
        admin.execute("ALTER DATABASE test SET default_transaction_read_only = on")
    store = open_store(url)
    with pytest.raises(StateError, match="expected a user who may write"):
        store.append(b"x")
    store.close()


def test_a_database_in_another_encoding_is_refused(postgres_server: EmptyDatabase) -> None:
    url = postgres_server()
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(StateError, match="expected a database in UTF8, found 'LATIN1'"):
        open_store(url.replace("/test?", "/latin?"))


def test_other_tables_beside_it_are_not_touched(postgres_server: EmptyDatabase) -> None:
    url = postgres_server()
    with psycopg.connect(url) as admin:
        admin.execute("CREATE TABLE fills (mine TEXT)")
    store = open_store(url)
    store.add_fills([fill(1)], 0)
    store.close()
    with psycopg.connect(url) as admin:
        assert admin.execute("SELECT COUNT(*) FROM public.fills").fetchone() == (0,)


def test_without_the_client_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "drainwatch.store.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r"pip install 'drainwatch\[postgres\]'"):
        open_store("postgresql://host/name")
