from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from drainwatch.lab.exchange.accounts import Account, Execution
from drainwatch.lab.exchange.connections import Connection
from drainwatch.lab.exchange.matching import Exchange
from drainwatch.lab.exchange.switchboard import Switchboard
from loopback import KEY, an_exchange


class Board(Switchboard):
    """Remembers what it would tell."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self.groups: list[list[Execution]] = []

    def executed(self, account: Account, executions: list[Execution]) -> None:
        """Remember."""
        assert {one.order.account for one in executions} == {account}
        self.groups.append(executions)


class Line:
    """Does as a connection."""

    def __init__(self) -> None:
        self.streams: dict[str, None] = {}
        self.heard: list[bytes] = []
        self.session: Any = None
        self.is_cut = False

    def push(self, payload: bytes) -> None:
        """Take a message."""
        self.heard.append(payload)

    def cut(self) -> None:
        """Note it."""
        self.is_cut = True


def line() -> Any:
    return cast("Connection", Line())


@pytest.fixture
def board() -> Board:
    return Board(an_exchange())


def test_a_topic_reaches_those_who_follow_it_until_they_drop_it(board: Board) -> None:
    one, other = line(), line()
    for connection in (one, other):
        board.add(connection)
    board.follow(one, ["a", "b"])
    board.follow(other, ["b"])
    assert board.heard("a")
    board.publish("a", b"1")
    board.publish("b", b"2")
    board.drop(one, ["b"])
    board.publish("b", b"3")
    board.publish("c", b"4")
    assert (one.heard, other.heard) == ([b"1", b"2"], [b"2", b"3"])


def test_who_is_gone_hears_nothing(board: Board) -> None:
    one = line()
    board.add(one)
    board.follow(one, ["a"])
    board.remove(one)
    board.publish("a", b"1")
    assert one.heard == []
    assert not board.heard("a")
    assert board.connections == {}


def test_executions_of_an_order_are_told_together_but_not_too_many(board: Board) -> None:
    exchange = board.exchange
    for number in range(45):
        exchange.place("house", "ETH/BTC", "sell", "limit", "0.01", f"0.03{100 + number}")
    exchange.place("main", "ETH/BTC", "buy", "limit", "5.45", "0.032")
    assert [len(group) for group in board.groups] == [20, 20, 6]
    told = [one.id for group in board.groups for one in group]
    assert told == [one.id for one in exchange.executed("main")]


def test_a_revoked_keys_connections_are_cut(board: Board) -> None:
    mine, others = line(), line()
    mine.session = board.exchange.keys[KEY]
    others.session = SimpleNamespace()
    board.add(mine)
    board.add(others)
    board.exchange.revoke(KEY)
    assert (mine.is_cut, others.is_cut) == (True, False)
