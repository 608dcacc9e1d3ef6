"""Time passes by hand, in order, also beside real sockets."""

from __future__ import annotations

import asyncio
import time

import pytest

from drainwatch.venues.clock import SystemClock, VirtualClock

START = 1_000_000_000


def test_the_system_clock_tells_the_time_and_waits() -> None:
    async def scene() -> None:
        clock = SystemClock()
        before = clock.now_ns()
        await clock.sleep(0.01)
        await clock.sleep(-1.0)
        assert before + 9_000_000 <= clock.now_ns() <= time.time_ns()

    asyncio.run(scene())


def test_sleepers_wake_in_the_order_of_their_time() -> None:
    async def scene() -> list[tuple[str, int]]:
        clock = VirtualClock(START)
        woken: list[tuple[str, int]] = []

        async def sleeper(name: str, *naps: float) -> None:
            for nap in naps:
                await clock.sleep(nap)
                woken.append((name, clock.now_ns() - START))

        async with asyncio.TaskGroup() as group:
            for name, naps in {"a": (3, 3), "b": (1, 2), "c": (1, 1), "d": (0, 50)}.items():
                group.create_task(sleeper(name, *naps))
            await clock.advance(2.5)
            assert clock.now_ns() == START + 2_500_000_000
            assert clock.sleeping == 3
            await clock.advance(100)
            assert clock.sleeping == 0
        return woken

    s = 1_000_000_000
    assert asyncio.run(scene()) == [
        ("d", 0), ("b", s), ("c", s), ("c", 2 * s), ("a", 3 * s), ("b", 3 * s), ("a", 6 * s), ("d", 50 * s),
    ]  # fmt: skip


def test_who_is_cancelled_in_his_sleep_holds_nobody_up() -> None:
    async def scene() -> None:
        clock = VirtualClock(START)
        naps = [asyncio.create_task(clock.sleep(1)) for _ in range(2)]
        await asyncio.sleep(0)
        naps[0].cancel()
        await clock.advance(1)
        assert naps[0].cancelled()
        assert naps[1].done()
        assert clock.sleeping == 0

    asyncio.run(scene())


def test_time_never_goes_back() -> None:
    with pytest.raises(ValueError, match="forward only"):
        asyncio.run(VirtualClock().advance(-1))


def test_a_day_passes_beside_a_real_socket() -> None:
    async def scene() -> None:
        clock = VirtualClock()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                writer.write(line)
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            heard: list[int] = []

            async def ask() -> None:
                while True:
                    await clock.sleep(60)
                    asked = clock.now_ns()
                    writer.write(b"what time is it?\n")
                    await reader.readline()
                    heard.append(clock.now_ns() - asked)

            asking = asyncio.create_task(ask())
            await clock.advance(86_400)
            asking.cancel()
            writer.close()
            await writer.wait_closed()
            # Each answer came before the time went on.
            assert heard == [0] * 1440

    asyncio.run(scene())
