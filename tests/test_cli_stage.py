"""The stage: what the watch hears of it is what is played, and what is said of the theft is true."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from drainwatch.cli import stage
from drainwatch.cli.stage import Inbox, Stage
from drainwatch.errors import ConfigError
from drainwatch.lab.scenario import Scenario, make

HOUR_MS = 3_600_000


def robbed(seed: int, thief: str, owner: str = "grid") -> Scenario:
    return make(seed, days=7, owner=owner, thief=thief, difficulty=0.3)


class Seen:
    """What came of a stage."""

    def __init__(self) -> None:
        self.messages: list[Mapping[str, Any]] = []
        self.verdicts: list[tuple[Mapping[str, Any], bool]] = []
        self.early = 0
        """Messages before the thief came."""
        self.stage: Stage


def acted(scenario: Scenario, folder: Path, hours: float, seconds: float) -> Seen:
    """Let a watch see some hours of a scenario, then the theft."""
    seen = Seen()
    start_ms = scenario.started_ms
    assert start_ms is not None

    async def scene() -> None:
        seen.stage = Stage(
            scenario,
            folder,
            from_ms=start_ms - round(hours * HOUR_MS),
            on_message=seen.messages.append,
            on_verdict=lambda verdict, stolen: seen.verdicts.append((verdict, stolen)),
        )
        async with seen.stage as at:
            await at.play(start_ms)
            seen.early = len(seen.messages)
            await at.rob(seconds)

    asyncio.run(scene())
    return seen


def test_a_watch_hears_the_bot_then_the_thief_and_the_alert_says_no_more_than_is_true(tmp_path: Path) -> None:
    scenario = robbed(7, "ping_pong")
    seen = acted(scenario, tmp_path, hours=12.0, seconds=4.0)
    at = seen.stage
    assert at.alert is not None
    assert not seen.early
    assert at.untaken == 0
    # each fill that was played was judged, in the scenario's order, and none was blind
    first_ms = scenario.started_ms - 12 * HOUR_MS  # type: ignore[operator]
    played = scenario.fills[scenario.fills["timestamp"] >= first_ms].head(len(seen.verdicts))
    assert [verdict["id"] for verdict, _ in seen.verdicts] == played["id"].tolist()
    drains = scenario.labels["is_drain"].to_numpy()[played.index]
    assert [stolen for _, stolen in seen.verdicts] == drains.tolist()
    assert all(verdict["fair_price"] is not None for verdict, _ in seen.verdicts)
    # the truth is that of the labels
    losses = scenario.labels["loss"].to_numpy()[played.index][drains]
    assert at.alert.lost.fills <= len(losses) < at.all.fills == int(scenario.labels["is_drain"].sum())
    assert at.alert.lost.quote == pytest.approx(float(losses[: at.alert.lost.fills].sum()))
    assert at.all.quote == pytest.approx(scenario.stolen_quote)
    # and the message is the delivery's own
    (message, *_) = seen.messages
    assert message["what"] == "opened"
    assert message["text"] == at.alert.text
    assert {fill["id"] for fill in message["incident"]["fills"]} <= {
        v["id"] for v, stolen in seen.verdicts if stolen
    }
    for name in ("api.key", "api.secret", "channel.url"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        assert (tmp_path / name).read_text() not in (tmp_path / "drainwatch.toml").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "thief"),
    [
        (1, "planted_wall"),
        (1, "ping_pong"),
        (2, "ping_pong"),
        (4, "planted_wall"),
        (4, "ping_pong"),
        (7, "slow_bleed"),
        (7, "off_market_maker"),
        (7, "triangle"),
        (7, "twin_skim"),
        (7, "iceberg"),
        (8, "ping_pong"),
    ],
)
def test_other_thieves_are_found_too_and_nothing_is_lost_on_the_way(
    tmp_path: Path, seed: int, thief: str
) -> None:
    seen = acted(robbed(seed, thief), tmp_path, hours=24.0, seconds=6.0)
    assert seen.stage.alert is not None
    assert seen.stage.alert.lost.quote < seen.stage.all.quote
    assert seen.stage.untaken == 0
    assert [message["text"] for message in seen.messages if message["what"] == "notice"] == []


def test_without_a_thief_there_is_nothing_to_show(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="thief"):
        Stage(make(5, days=1, owner="grid"), tmp_path, from_ms=0)


def test_the_inbox_takes_what_is_sent_to_its_own_address_alone() -> None:
    taken: list[Mapping[str, Any]] = []

    async def scene() -> list[int]:
        async with Inbox(taken.append) as inbox, aiohttp.ClientSession() as session:
            there, elsewhere = inbox.url, inbox.url.rpartition("/")[0] + "/x"
            assert there.startswith(f"http://{stage.HOST}:")
            return [(await session.post(url, json={"text": "told"})).status for url in (there, elsewhere)]

    assert asyncio.run(scene()) == [204, 404]
    assert taken == [{"text": "told"}]
