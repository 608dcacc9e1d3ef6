"""What the terminal shows is taken from the watch as it is."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

from rich.console import Console

from drainwatch.cli.view import layout
from drainwatch.config import load_settings
from drainwatch.notices import Notice, NoticeKind
from drainwatch.rows import Balance, Fill, Quote, Row
from drainwatch.venues.clock import VirtualClock
from drainwatch.watch.picture import picture_of
from drainwatch.watch.runner import Watch

MS = 1_000_000


def test_a_picture_of_a_quiet_day_and_of_a_blatant_drain(tmp_path: Path) -> None:
    async def scene() -> None:
        (tmp_path / "s.toml").write_text(
            f'[watch]\nstore = "sqlite:///{tmp_path}/s.db"\n[inlet]\nenabled = true\n'
        )
        clock = VirtualClock()
        watch = Watch(load_settings(tmp_path / "s.toml", env={}), environ={}, clock=clock)
        start = clock.now_ns()
        rows: list[Row] = [
            Balance(exchange="x", account="main", currency="USDT", ts_ns=start, total=10_000.0)
        ]
        for minute in range(300):
            at = start + minute * 60_000 * MS
            rows.append(Quote(exchange="x", symbol="ETH/USDT", ts_ns=at, bid=2999.0, ask=3001.0))
        for number in range(40):
            dear = number >= 30
            rows.append(
                Fill(
                    exchange="x",
                    account="main",
                    symbol="ETH/USDT",
                    id=str(number),
                    ts_ns=start + (200 + 2 * number) * 60_000 * MS + 1,
                    side="buy",
                    price="4500" if dear else "3001",
                    amount="0.2" if dear else "0.01",
                )
            )
        await clock.advance(301 * 60)
        await watch.hub.rows(rows, clock.now_ns())
        watch.hub.notice(
            Notice(kind=NoticeKind.GAP, ts_ns=clock.now_ns(), text="a gap [red]not markup[/red]")
        )
        picture = picture_of(watch)
        assert [fill.price for fill in picture.fills[:3]] == ["4500"] * 3
        assert picture.fills[0].flagged
        assert picture.fills[0].deviation_bps is not None
        assert picture.fills[0].deviation_bps > 4000.0
        (incident,) = picture.incidents
        assert incident.account == "main"
        assert incident.loss is not None
        assert incident.loss > 1000.0
        console = Console(width=100, height=40, record=True, color_system=None, file=io.StringIO())
        console.print(layout(picture, 100, 40))
        shown = console.export_text()
        assert "4,500" in shown
        assert "[red]not markup[/red]" in shown
        watch.close()

    asyncio.run(scene())
