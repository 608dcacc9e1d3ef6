"""What a bot pushes is stored before it is confirmed, whatever else it sends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from drainwatch.errors import ConfigError, StateError
from drainwatch.notices import NoticeKind
from drainwatch.rows import Fill
from drainwatch.sockets import inlet
from drainwatch.sockets.door import INTERNAL, TRY_LATER, Token
from drainwatch.sockets.inlet import MAX_ROWS, SLICE_ROWS, STREAM, Inlet
from socket_fakes import GOOD, VALUES, Clock, Sink, fill, settle, until

TOKEN = Token("correct-horse-battery-staple")


class Bench:
    """An inlet with its sink and clock."""

    def __init__(self, **options: Any) -> None:
        self.sink, self.clock = Sink(), Clock()
        self.inlet = Inlet(self.sink, self.clock, TOKEN, **options)

    async def __aenter__(self) -> Self:
        await self.inlet.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.inlet.close()

    @asynccontextmanager
    async def bot(self, account: str = "main", exchange: str = "x") -> AsyncIterator[ClientConnection]:
        async with connect(f"ws://127.0.0.1:{self.inlet.port}") as client:
            await client.send(json.dumps({"token": TOKEN.text, "account": account, "exchange": exchange}))
            answer = json.loads(await client.recv())
            assert answer["ok"] == 0
            assert "fills" in answer["tables"]
            yield client


async def push(client: ClientConnection, frame: Any) -> Any:
    await client.send(json.dumps(frame))
    return json.loads(await client.recv())


def test_fills_are_stored_and_confirmed() -> None:
    async def run() -> None:
        async with Bench() as bench, bench.bot() as bot:
            assert await push(bot, fill(1)) == {"ok": 1}
            assert await push(bot, [fill(2), fill(3)]) == {"ok": 2}
            assert [row.id for row in bench.sink.got if isinstance(row, Fill)] == ["1", "2", "3"]
            assert {(row.exchange, row.account) for row in bench.sink.got if isinstance(row, Fill)} == {
                ("x", "main")
            }
            assert bench.sink.bads == []

    asyncio.run(run())


def test_rows_are_confirmed_only_once_they_are_stored() -> None:
    async def run() -> None:
        async with Bench() as bench, bench.bot() as bot:
            bench.sink.open.clear()
            await bot.send(json.dumps(fill(1)))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await bot.recv()
            bench.sink.open.set()
            assert json.loads(await bot.recv()) == {"ok": 1}

    asyncio.run(run())


def test_rows_that_cannot_be_stored_are_never_confirmed() -> None:
    async def run() -> None:
        async with Bench() as bench:
            async with bench.bot() as bot:
                bench.sink.fails = StateError("disk full at a path that is nobody's business")
                await bot.send(json.dumps(fill(1)))
                with pytest.raises(ConnectionClosed):
                    await bot.recv()
                assert bot.close_code == INTERNAL
                assert bot.close_reason == "not stored; send again what wasn't answered"
            bench.sink.fails = None
            async with bench.bot() as bot:
                assert await push(bot, fill(1)) == {"ok": 1}

    asyncio.run(run())


def test_bad_rows_are_told_and_counted_and_the_others_stored() -> None:
    async def run() -> None:
        async with Bench() as bench, bench.bot() as bot:
            answer = await push(bot, [fill(1), fill(2, price="-1"), fill(3)])
            assert answer == {
                "ok": 2,
                "n_rejected": 1,
                "rejected": [{"row": 2, "column": "price", "found": "-1", "expected": "a finite number > 0"}],
            }
            (bad,) = bench.sink.bads
            assert bad.stream == STREAM
            assert bad.reason == "row 2, column price, expected a finite number > 0, found '-1'"
            assert len(bad.frame) == 500

    asyncio.run(run())


@pytest.mark.parametrize("frame", ["{", "", "nope", b"\xff\x00", "[" * 2000])
def test_what_is_no_json_is_told_and_counted(frame: str | bytes) -> None:
    async def run() -> None:
        async with Bench() as bench, bench.bot() as bot:
            await bot.send(frame)
            answer = json.loads(await bot.recv())
            assert answer["ok"] == 0
            assert answer["rejected"][0]["expected"] == "a JSON object or an array of them"
            assert len(bench.sink.bads) == 1
            assert await push(bot, fill(1)) == {"ok": 1}

    asyncio.run(run())


def test_long_frames_are_taken_in_slices_with_their_own_row_numbers() -> None:
    async def run() -> None:
        async with Bench() as bench, bench.bot() as bot:
            rows = [fill(number) for number in range(3 * SLICE_ROWS)]
            rows[2 * SLICE_ROWS + 4]["side"] = "hold"
            answer = await push(bot, rows)
            assert answer["ok"] == len(rows) - 1
            assert answer["rejected"][0]["row"] == 2 * SLICE_ROWS + 5
            ids = [row.id for row in bench.sink.got if isinstance(row, Fill)]
            assert ids == [str(n) for n in range(3 * SLICE_ROWS) if n != 2 * SLICE_ROWS + 4]

    asyncio.run(run())


def test_too_many_rows_or_bytes_are_refused() -> None:
    async def run() -> None:
        async with Bench() as bench, bench.bot() as bot:
            answer = await push(bot, [1] * (MAX_ROWS + 1))
            assert (answer["ok"], answer["n_rejected"]) == (0, 1)
            await bot.send("[" + " " * (1 << 20) + "]")
            with pytest.raises(ConnectionClosed):
                await bot.recv()
            assert bot.close_code == 1009
            assert bench.sink.got == []

    asyncio.run(run())


def test_one_long_frame_does_not_keep_the_others_waiting() -> None:
    async def run() -> list[str]:
        ended: list[str] = []
        async with Bench() as bench, bench.bot("long") as long, bench.bot("short") as short:

            async def send(bot: ClientConnection, rows: list[dict[str, Any]], name: str) -> None:
                await push(bot, rows)
                ended.append(name)

            # slow rows, as text with blanks goes the long way
            rows = [fill(n, price=" 0.02 ") for n in range(2000)]
            task = asyncio.create_task(send(long, rows, "long"))
            await until(lambda: bench.sink.got)
            await send(short, [fill(1)], "short")
            await task
        return ended

    assert asyncio.run(run()) == ["short", "long"]


def test_hundreds_of_bots_at_once_lose_nothing() -> None:
    async def run() -> None:
        async with Bench() as bench:

            async def one(number: int) -> None:
                async with bench.bot(f"a{number}") as bot:
                    for at in range(3):
                        assert await push(bot, fill(at)) == {"ok": 1}

            await asyncio.gather(*(one(number) for number in range(200)))
            keys = {row.key for row in bench.sink.got if isinstance(row, Fill)}
            assert len(keys) == len(bench.sink.got) == 600

    asyncio.run(run())


def test_more_clients_than_wanted_are_sent_away() -> None:
    async def run() -> None:
        async with Bench(max_clients=1) as bench:
            async with bench.bot(), connect(f"ws://127.0.0.1:{bench.inlet.port}") as second:
                with pytest.raises(ConnectionClosed):
                    await second.recv()
                assert second.close_code == TRY_LATER
            async with bench.bot() as again:
                assert await push(again, fill(1)) == {"ok": 1}

    asyncio.run(run())


def test_bearer_needs_no_hello_and_rows_name_their_account() -> None:
    async def run() -> None:
        headers = {"Authorization": f"Bearer {TOKEN.text}"}
        async with Bench() as bench:
            async with connect(f"ws://127.0.0.1:{bench.inlet.port}", additional_headers=headers) as bot:
                assert await push(bot, fill(1, account="bob", exchange="y")) == {"ok": 1}
                assert await push(bot, fill(2)) == {"ok": 1}
            got = [row for row in bench.sink.got if isinstance(row, Fill)]
            assert [(row.exchange, row.account) for row in got] == [("y", "bob"), ("", "default")]

    asyncio.run(run())


def test_symbols_of_fills_are_wanted_once() -> None:
    async def run() -> None:
        async with Bench() as bench, bench.bot() as bot:
            await push(bot, [fill(1), fill(2), fill(3, symbol="A/B"), GOOD["trades"] | {"symbol": "C/D"}])
            await push(bot, [fill(4), fill(5, exchange="")])
            assert bench.sink.symbols == [("x", {"ETH/BTC"}), ("x", {"A/B"})]

    asyncio.run(run())


def test_token_sent_as_a_row_is_not_kept() -> None:
    async def run() -> None:
        async with Bench() as bench, bench.bot() as bot:
            for frame in ({"token": TOKEN.text}, TOKEN.text, {"table": TOKEN.text}):
                await push(bot, frame)
            assert len(bench.sink.bads) == 3
            assert not any(TOKEN.text in repr(bad) for bad in bench.sink.bads)

    asyncio.run(run())


def test_bot_that_stays_away_is_told_and_so_is_its_return() -> None:
    async def run() -> None:
        async with Bench() as bench:
            async with bench.bot() as bot:
                await push(bot, fill(1))
            await until(lambda: bench.inlet._waits)
            await bench.clock.let_pass(59)
            assert bench.sink.notices == []
            await bench.clock.let_pass(2)
            (gone,) = bench.sink.notices
            assert (gone.kind, gone.account, gone.exchange) == (NoticeKind.STREAM_CLOSED, "main", "x")
            assert gone.since_ns is not None
            assert gone.ts_ns - gone.since_ns == 61_000_000_000
            async with bench.bot() as bot:
                await push(bot, fill(2))
                assert bench.sink.notices[-1].kind == NoticeKind.STREAM_BACK

    asyncio.run(run())


def test_bot_that_comes_back_soon_is_not_missed() -> None:
    async def run() -> None:
        async with Bench() as bench:
            async with bench.bot() as bot:
                await push(bot, fill(1))
            await until(lambda: bench.inlet._waits)
            async with bench.bot() as bot:
                await push(bot, fill(2))
                await bench.clock.let_pass(100)
            assert bench.sink.notices == []

    asyncio.run(run())


def test_bot_that_pushed_no_fills_is_not_missed() -> None:
    async def run() -> None:
        async with Bench() as bench:
            async with bench.bot() as bot:
                await push(bot, GOOD["trades"])
            await settle()
            await bench.clock.let_pass(1000)
            assert bench.sink.notices == []

    asyncio.run(run())


def test_closing_the_inlet_says_nothing_of_bots_gone() -> None:
    async def run() -> None:
        bench = Bench()
        async with bench, bench.bot() as bot:
            await push(bot, fill(1))
            await bench.inlet.close()
            await bench.clock.let_pass(1000)
        assert bench.sink.notices == []

    asyncio.run(run())


def test_closing_does_not_wait_for_a_store_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inlet, "CLOSE_S", 0.1)

    async def run() -> None:
        bench = Bench()
        async with bench, bench.bot() as bot:
            bench.sink.open.clear()
            await bot.send(json.dumps(fill(1)))
            await settle()
            async with asyncio.timeout(5):
                await bench.inlet.close()
            with pytest.raises(ConnectionClosed):
                await bot.recv()
        assert bench.sink.got == []

    asyncio.run(run())


def test_other_hosts_are_refused_unless_asked_for() -> None:
    with pytest.raises(ConfigError, match="loopback"):
        asyncio.run(Inlet(Sink(), Clock(), TOKEN, host="0.0.0.0").start())  # noqa: S104


def test_whatever_is_sent_is_answered() -> None:
    @settings(max_examples=60)
    @given(
        st.lists(
            st.lists(
                VALUES | st.just(fill()) | st.dictionaries(st.sampled_from(["table", "id", "fee"]), VALUES)
            ).map(json.dumps)
            | st.text(max_size=30)
            | st.binary(max_size=30),
            min_size=1,
            max_size=4,
        )
    )
    def answered(frames: list[str | bytes]) -> None:
        async def run() -> None:
            async with Bench() as bench, bench.bot() as bot:
                for frame in frames:
                    await bot.send(frame)
                    answer = json.loads(await bot.recv())
                    assert answer["ok"] + answer.get("n_rejected", 0) >= (frame != "[]")
                    if "rejected" in answer:
                        assert bench.sink.bads

        asyncio.run(run())

    answered()
