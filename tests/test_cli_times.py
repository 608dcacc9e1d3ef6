"""Times as people type them."""

from __future__ import annotations

import pytest

from drainwatch.cli.times import ago_or_moment_ns, length_ns, moment_ns
from drainwatch.errors import ConfigError

S = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1_800), ("30 min", 1_800), ("2h", 7_200), ("1.5D", 129_600), (" 1w ", 604_800)],
)
def test_lengths_are_read(text: str, seconds: int) -> None:
    assert length_ns(text, "--for") == seconds * S


@pytest.mark.parametrize(
    "text", ["", "2", "h", "-1h", "0m", "2y", "1h30m", "1e3s", "٣h", "inf", "9" * 30 + "s"]
)
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a length of time like 30m, 2h or 1d for --for"):
        length_ns(text, "--for")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86_400),
        ("1970-01-01T00:01", 60),
        ("1970-01-01 00:01:00.5Z", 60.5),
        ("1970-01-01T01:00+01:00", 0),
    ],
)
def test_moments_are_utc_where_they_name_no_zone(text: str, seconds: float) -> None:
    assert moment_ns(text, "--until") == seconds * S


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01", "18:30", "1764600000"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="for --until, found"):
        moment_ns(text, "--until")
    with pytest.raises(ConfigError, match="or how long ago, like 2d, for --since, found"):
        ago_or_moment_ns(text, "--since", 0)


def test_how_long_ago_is_a_moment_too() -> None:
    assert ago_or_moment_ns("1h", "--since", 7_200 * S) == 3_600 * S
    assert ago_or_moment_ns("1970-01-01T00:01", "--since", 7_200 * S) == 60 * S
