"""The terminal view: fits, says everything in words, and is steered by nothing from outside.

The golden files are what people see: `python tests/test_cli_view.py` writes them anew; look at them.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len
from rich.console import Console

from drainwatch.cli.view import Viewer, layout
from drainwatch.notices import Notice, NoticeKind
from drainwatch.watch.view import (
    AccountView,
    FillView,
    IncidentView,
    StreamState,
    StreamView,
    ViewState,
)

GOLDEN = Path(__file__).parent / "golden"
S = 1_000_000_000
NOW = 1_740_237_700 * S  # 22 Feb 2025 15:21:40 UTC


def fill(number: int, **changes: object) -> FillView:
    made = FillView(
        ts_ns=NOW - (number * 7 + 3) * S,
        account="main",
        symbol="ETH/USDT",
        side="buy" if number % 2 else "sell",
        amount="0.8130",
        price=f"{2_801.55 + number}",
        fair=2_801.9,
        fair_source="mid",
        deviation_bps=-1.2 + number,
        score=0.4 + number / 10,
    )
    return replace(made, **changes)


QUIET = ViewState(
    now_ns=NOW,
    since_ns=NOW - 200_000 * S,
    accounts=(
        AccountView(name="main", exchange="binance", equity=12_408.2, loss_today=3.1, fills_today=269),
    ),
    streams=(
        StreamView(name="binance private", state=StreamState.LIVE, last_ns=NOW - 3 * S, per_second=0.05),
        StreamView(name="binance public", state=StreamState.LIVE, last_ns=NOW - S // 5, per_second=41.7),
    ),
    fills=tuple(fill(number) for number in range(6)),
)
ROBBED = replace(
    QUIET,
    accounts=(
        *QUIET.accounts,
        AccountView(
            name="second", exchange="okx", equity=5_000.0, loss_today=1_204.0, fills_today=31, blind_today=2
        ),
    ),
    streams=(
        *QUIET.streams,
        StreamView(name="okx private", state=StreamState.SILENT, last_ns=NOW - 1_900 * S, bad=3),
        StreamView(name="okx public", state=StreamState.CONNECTING),
    ),
    fills=(
        fill(0, account="second", symbol="GAR/USDT", amount="5200000", price="0.000198781", fair=0.000127,
             fair_source="pair's history", deviation_bps=5_652.0, score=14.2, flagged=True),
        fill(1, symbol="NEW/BTC", fair=None, deviation_bps=None, score=None, blind="no price: none yet"),
        *(fill(number) for number in range(2, 15)),
    ),
    incidents=(
        IncidentView(
            id="a1", severity="critical", account="second", exchange="okx", symbols=("GAR/USDT",),
            opened_ns=NOW - 40 * S, fills=12, loss=1_204.0, currency="USDT", equity_share=0.24,
            headline="a planted wall",
        ),
        IncidentView(
            id="b2", severity="warning", account="main", exchange="binance", symbols=("ETH/USDT", "BTC/USDT"),
            opened_ns=NOW - 7_200 * S, fills=3,
        ),
    ),
    notices=(
        Notice(kind=NoticeKind.SILENCE, ts_ns=NOW - 60 * S,
               text="Nothing was heard from okx private for 31 minutes; 4 are usual. Is the bot running?"),
        Notice(kind=NoticeKind.STREAM_BACK, ts_ns=NOW - 4_000 * S,
               text="okx private stands again; 2 fills of the gap were filled in."),
    ),
    backlog=1_250,
    unsent=2,
)  # fmt: skip


def rendered(state: ViewState, width: int, height: int, *, colour: bool = False) -> str:
    console = Console(
        file=io.StringIO(),
        width=width,
        height=height,
        force_terminal=colour,
        color_system="standard" if colour else None,
        legacy_windows=False,
        _environ={},
    )
    console.print(layout(state, width, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


CASES = {
    "view-quiet-80": (QUIET, 80, 24, False),
    "view-robbed-80": (ROBBED, 80, 24, False),
    "view-robbed-140": (ROBBED, 140, 40, False),
    "view-robbed-80-colour": (ROBBED, 80, 24, True),
    "view-robbed-140-colour": (ROBBED, 140, 40, True),
}


@pytest.mark.parametrize("name", CASES)
def test_it_looks_as_it_was_looked_at(name: str) -> None:
    state, width, height, colour = CASES[name]
    assert rendered(state, width, height, colour=colour) == (GOLDEN / f"{name}.txt").read_text(
        encoding="utf-8"
    )


def test_colour_adds_nothing_but_colour() -> None:
    coloured = rendered(ROBBED, 80, 24, colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == rendered(ROBBED, 80, 24)


def test_what_matters_is_there_at_80_by_24() -> None:
    text = rendered(ROBBED, 80, 24)
    for said in ("2 OPEN INCIDENTS", "NOT HEARING 2 streams", "CRITICAL", "GAR/USDT",
                 "+5,652.0", "14.2", "blind", "silent", "1,204", "24 %", "Nothing was heard"):  # fmt: skip
        assert said in text
    assert "hearing all, nothing found" in rendered(QUIET, 80, 24)


def test_what_is_wrong_is_not_what_is_cut_off() -> None:
    well = tuple(StreamView(name=f"s{n}", state=StreamState.LIVE, last_ns=NOW) for n in range(30))
    deaf = StreamView(name="deaf one", state=StreamState.CLOSED)
    text = rendered(replace(ROBBED, streams=(*well, deaf)), 80, 24)
    assert "deaf one" in text
    assert re.search(r"streams: \d+ of 31", text)


@pytest.mark.parametrize("width", [40, 60, 80, 119, 120, 140, 250])
@pytest.mark.parametrize("height", [5, 10, 15, 24, 40, 80])
def test_it_fits(width: int, height: int) -> None:
    for state in (QUIET, ROBBED, ViewState(now_ns=NOW, since_ns=NOW)):
        lines = rendered(state, width, height).splitlines()
        assert len(lines) <= height
        assert all(cell_len(line) <= width for line in lines)


NASTY = "[bold red]x[/] :smile: \x1b[2J\u202e\u200b\n\r\t[/] [link=file:///etc/passwd]"


def test_text_from_outside_is_only_text() -> None:
    state = replace(
        ROBBED,
        fills=(fill(0, symbol="[red]A/B", side=NASTY, amount=NASTY, price="\x1b[0m1"),),
        streams=(StreamView(name=NASTY, state=StreamState.LIVE),),
        notices=(Notice(kind=NoticeKind.GAP, ts_ns=NOW, text=NASTY),),
        accounts=(AccountView(name=NASTY, exchange="x", currency="[b]"),),
    )
    text = rendered(state, 200, 40)
    assert "[red]A/B" in text
    assert "[bold red]x[/] :smile:" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u200b]", text)
    assert text.count("[2J") == text.count("\ufffd[2J")


TEXT = st.text(max_size=30)
NUMBER = st.none() | st.floats()


@settings(max_examples=40)
@given(
    st.lists(st.builds(FillView, ts_ns=st.integers(-(2**62), 2**62), account=TEXT, symbol=TEXT, side=TEXT,
             amount=TEXT, price=TEXT, fair=NUMBER, fair_source=TEXT, deviation_bps=NUMBER, score=NUMBER,
             flagged=st.booleans(), blind=TEXT), max_size=4),
    st.lists(st.builds(AccountView, name=TEXT, exchange=TEXT, equity=NUMBER, loss_today=NUMBER,
             currency=TEXT), max_size=3),
    st.lists(st.builds(StreamView, name=TEXT, last_ns=st.none() | st.integers(-(2**62), 2**62),
             per_second=st.floats()), max_size=3),
    st.lists(st.builds(IncidentView, severity=TEXT, symbols=st.lists(TEXT, max_size=2).map(tuple),
             loss=NUMBER, equity_share=NUMBER, headline=TEXT,
             opened_ns=st.integers(-(2**62), 2**62)), max_size=3),
    st.integers(1, 160), st.integers(1, 60),
)  # fmt: skip
def test_anything_is_drawn_within_its_bounds(
    fills: list[FillView],
    accounts: list[AccountView],
    streams: list[StreamView],
    incidents: list[IncidentView],
    width: int,
    height: int,
) -> None:
    state = ViewState(
        now_ns=NOW,
        since_ns=NOW,
        fills=tuple(fills),
        accounts=tuple(accounts),
        streams=tuple(streams),
        incidents=tuple(incidents),
    )
    lines = rendered(state, width, height).splitlines()
    assert len(lines) <= height


def test_a_viewer_draws_and_leaves_the_terminal_as_it_was() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=24, legacy_windows=False, _environ={})
    with Viewer(console) as viewer:
        viewer.show(QUIET)
        viewer.show(ROBBED)
    drawn = out.getvalue()
    assert "hearing all" in drawn
    assert "2 OPEN INCIDENTS" in drawn
    assert drawn.count("\x1b[?1049h") == drawn.count("\x1b[?1049l") == 1


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for case, (shown, columns, lines, in_colour) in CASES.items():
        text = rendered(shown, columns, lines, colour=in_colour)
        (GOLDEN / f"{case}.txt").write_text(text, encoding="utf-8")
        sys.stdout.write(f"{case}\n{text}\n")
