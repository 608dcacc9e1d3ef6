"""The page: one file that stands alone, that nothing from outside gets out of, and that stays small."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainwatch.report import headline, page, to_html
from drainwatch.report.diary import Diary
from drainwatch.report.table import FillTable
from report_fakes import NASTY, START_MS, fill, fills, incident, nasty

SUMMARY: dict[str, Any] = {
    "n_fills": 1_204,
    "counts": {
        "fills": {"rows": 1_211, "rejected": 2, "duplicates": 5},
        "trades": {"rows": 90_000, "rejected": 0, "duplicates": 0},
    },
    "rejects": 2,
    "blind_reasons": {"no price: no market data": 30, "too_old": 5},
    "span_ms": (START_MS - 31 * 86_400_000, START_MS),
    "false_alarms_per_month": 0.1,
    "model": "default",
    "version": "0.1.0",
}
VOID = {"meta", "link", "img", "br", "hr", "input"}
ALLOWED = set(
    re.findall(
        r"\w+",
        "html head meta title style body header nav main footer section article div p h1 h2 h3 "
        "dl dt dd ol ul li table thead tbody tr th td span small b i code a details summary "
        "figure figcaption svg g path use line text defs",
    )
)


class Reader(HTMLParser):
    """Reads a page as a browser does: its elements, their attributes, its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        """All words in one line."""
        return re.sub(r"\s+", " ", " ".join(self.words))


def check_stands_alone(text: str) -> Reader:
    """Check that a page is whole, runs nothing, and loads nothing."""
    read = Reader(text)
    assert read.open == []
    # `title` in a drawing is a tool tip
    assert set(read.tags) <= ALLOWED, set(read.tags) - ALLOWED
    for name, value in read.attributes:
        assert not name.startswith("on"), name
        if name in {"href", "src", "action", "xlink:href"}:
            assert str(value).startswith("#"), value
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text
    return read


def test_page_of_one_incident() -> None:
    read = check_stands_alone(to_html([incident()], fills(), SUMMARY))
    for said in (
        headline(incident(), fills()).replace(" %", "\u00a0%").replace("\u00a0", " "),
        "A planted wall was bought out",
        "Revoke the API key on binance's API keys page",
        "The quote that was hit had only just appeared",
        "14 fills of this incident",
        "other pairs of the same coin",
        "No price: no market data",
        "model default · budget 0.1 false incidents an account and month · drainwatch 0.1.0",
    ):
        assert said in read.text, said


def test_nothing_from_outside_gets_out_of_its_place() -> None:
    """A thief who lists a coin can name it as he likes: its name must not run in the owner's browser."""
    made, rows = nasty()
    summary = SUMMARY | {
        "blind_reasons": {"<script>": 1},
        "model": "</footer><script>",
        "version": "<b>",
        "counts": {"<script>": 3},
        "bad_rows": [dict.fromkeys(("table", "file", "row", "column", "found", "expected"), "<script>")],
        "fair_sources": {"<script>": 3},
        "equity_currency": "<script>",
    }
    equity = {made["account"]: [(START_MS, 5.0)]}
    for known, market in (({}, {}), (equity, {NASTY: [(START_MS, 1.0)]})):
        text = to_html([made, made], rows, summary, equity=known, market=market)
        read = check_stands_alone(text)
        assert "<script" not in text
        assert NASTY in read.text
        assert "\x1b" not in text
        assert "\u202e" not in text


@given(name=st.text(max_size=30), odd=st.floats() | st.none() | st.integers())
def test_any_name_and_number_gives_a_whole_page(name: str, odd: float | None) -> None:
    rows = [
        fill(n, symbol=name, id=name, order=name, price=odd, fair_price=odd, deviation_bps=odd)
        for n in range(3)
    ]
    made = incident(rows, symbols=[name], account=name, exchange=name, loss=odd, equity_share=odd, score=odd)
    check_stands_alone(to_html([made], rows, {}))


@given(name=st.text(max_size=30), at=st.floats() | st.none())
def test_any_name_and_time_on_the_timeline_gives_a_whole_page(name: str, at: float | None) -> None:
    rows = [
        fill(n, timestamp=at if n else START_MS, symbol=name, exchange=name, account=name, incident=None)
        | {"fair_source": name, "blind": name, "p_value": at, "score": at}
        for n in range(3)
    ]
    bad = [{"table": name, "file": name, "row": at, "column": name, "found": name, "expected": name}]
    summary = {"bad_rows": bad, "blind_reasons": {name: 3}, "counts": {name: 3}, "equity_currency": name}
    check_stands_alone(to_html([incident(rows, opened_at=at, closed_at=at)], rows, summary))


def test_same_input_gives_the_same_page() -> None:
    assert to_html([incident()], fills(), SUMMARY) == to_html([incident()], fills(), SUMMARY)


def test_columns_and_rows_give_the_same_page() -> None:
    rows = fills()
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    assert to_html([incident()], columns, SUMMARY) == to_html([incident()], rows, SUMMARY)


def test_page_without_incidents() -> None:
    text = to_html([], fills(3, incident=None), SUMMARY)
    read = check_stands_alone(text)
    assert (
        "Nothing that looks like a drain in 1,169 fills of 31 days; 35 more could not be judged." in read.text
    )
    assert 'class="top quiet"' in text
    assert "What to do now" not in read.text


def test_page_of_nothing_at_all() -> None:
    check_stands_alone(to_html([], {}, None))
    check_stands_alone(to_html([incident()], {}, None))


def test_mostly_blind_isnt_quiet() -> None:
    """Unknown is never innocent, on the page's face least of all."""
    text = to_html([], [], {"n_fills": 10, "blind_reasons": {"no price": 9}})
    assert 'class="top warning"' in text


def test_critical_incidents_come_first() -> None:
    first = incident(id="w", severity="warning", account="careless")
    text = to_html([first, incident()], fills(), SUMMARY)
    assert text.index('id="title-1"') < text.index('id="title-2"')
    assert text.index("critical", text.index('id="incident-1"') - 60) < text.index('id="incident-2"')
    assert 'class="top critical"' in text


def test_page_stays_small() -> None:
    """Ten thousand fills in sixty incidents must still open on a phone."""
    rows = [fill(n, id=f"f{n}", incident=f"i{n % 60}") for n in range(12_000)]
    made = [
        incident([row for row in rows if row["incident"] == f"i{i}"][:3], id=f"i{i}") for i in range(600)[:60]
    ]
    made += [incident(id=f"j{i}") for i in range(600)]
    text = to_html(made, rows, SUMMARY)
    read = check_stands_alone(text)
    assert read.tags.count("article") == page.MAX_INCIDENTS
    assert "and 160 more in incidents.jsonl" in read.text
    assert len(text) < 4_000_000


def test_overview_says_what_was_looked_at() -> None:
    rows = [fill(n, symbol=f"C{n}/ETH", exchange="okx" if n else "gate") for n in range(5)]
    diary = Diary()
    diary.take(FillTable(rows), np.array([100.0, 90.0, 80.0, 70.0, 60.0]))
    made = [
        incident(rows),
        incident(rows, id="b", loss=1.0),
        incident(rows, id="c", loss=5, loss_currency="X"),
    ]
    read = check_stands_alone(to_html(made, rows, SUMMARY | {"diary": diary, "equity_currency": "USDT"}))
    for said in (
        "Account main",
        "2 exchanges okx and gate",
        "5 markets C0/ETH, C1/ETH, C2/ETH and 2 more",
        "Worth at first and last 100.00 and 60.00 USDT",
        "Gone in incidents 4.36 ETH and 5.00 X",
    ):
        assert said in read.text.replace("\u00a0", " "), said


def test_a_part_of_the_fills_isnt_passed_off_as_all() -> None:
    assert "Days are known of 14 of 1,204 fills." in Reader(to_html([], fills(), SUMMARY)).text
    assert "Days are known" not in to_html([], fills(), {"n_fills": 14})


def test_headings_go_down_a_step_at_a_time_and_every_table_has_headers() -> None:
    text = to_html([incident(), incident(id="b")], fills(), SUMMARY)
    read = check_stands_alone(text)
    levels = [int(tag[1]) for tag in read.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    tables = re.findall(r"<table.*?</table>", text, re.DOTALL)
    assert len(tables) > 5
    assert all("<thead>" in table for table in tables)
    assert not re.findall(r"<th(?! scope)[ >]", text)


def test_places_that_are_pointed_to_are_there_and_what_scrolls_takes_the_focus() -> None:
    text = to_html([incident(), incident(id="b")], fills(), SUMMARY)
    read = Reader(text)
    ids = [value for name, value in read.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    pointed = {str(v).removeprefix("#") for n, v in read.attributes if n in {"href", "aria-labelledby"}}
    assert {"timeline", "all", "quiet", "quality", "incident-2"} <= pointed <= set(ids)
    # as it stands on the page is the order in which the keyboard gets there
    assert {value for name, value in read.attributes if name == "tabindex"} == {"0"}
    assert text.count('class="scroll"') == text.count('class="scroll" tabindex="0" role="region" aria-label')
    drawings = re.findall(r'<svg class="chart"[^>]*>', text)
    assert drawings
    assert all(re.search(r'role="img".* aria-label="[^"]{20,}', drawing) for drawing in drawings)


def _colours(block: str) -> dict[str, str]:
    found = dict(re.findall(r"--([\w-]+): #([0-9a-f]{3,6})\b", block))
    return {name: c if len(c) == 6 else "".join(2 * x for x in c) for name, c in found.items()}


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, as WCAG 2 reckons it."""
    dark, bright = sorted((_luminance(one), _luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_words_stand_out_from_what_is_behind_them(theme: str) -> None:
    style = files("drainwatch.report").joinpath("page.css").read_text("utf-8")
    place = {"light": 0, "dark": 1, "print": 2}[theme]
    colours = _colours(re.findall(r":root \{(.*?)\}", style, re.DOTALL)[place])
    assert contrast("000000", "ffffff") == pytest.approx(21)
    pairs = [("ink", "critical-wash"), ("ink", "warning-wash")]
    pairs += [(word, behind) for word in ("ink", "soft", "link") for behind in ("page", "card", "wash")]
    pairs += [(word, behind) for word in ("buy", "sell", "alert") for behind in ("card", "wash")]
    for mood in ("critical", "warning"):
        pairs += [(mood, behind) for behind in ("card", "page", f"{mood}-wash")]
    for word, behind in pairs:
        assert contrast(colours[word], colours[behind]) >= 4.5, (word, behind)
    for line in ("fair", "market", "quiet"):  # graphics need 3
        assert contrast(colours[line], colours["card"]) >= 3, line


def test_long_incident_sums_up_what_it_doesnt_list() -> None:
    rows = [fill(n, side="buy" if n % 2 else "sell") for n in range(1_000)]
    read = check_stands_alone(to_html([incident(rows, loss=100.0)], rows, SUMMARY))
    assert "and 800 more: 400 buys, 400 sells" in read.text
    assert re.search(r"\b2[0-4]\d of 1,000 fills drawn\.", read.text)


def test_alert_fill_is_marked() -> None:
    text = to_html([incident()], fills(), SUMMARY)
    assert text.count('<tr class="alerted">') == 1
    assert "f1<" in text[text.index('<tr class="alerted">') :][:900]


def test_hints_name_the_tables_that_would_help() -> None:
    read = Reader(to_html([], fills(), {"counts": {"fills": 14}}))
    assert "No market data was given" in read.text
    assert "No order log of the bot was given" in read.text
    assert "No balances were given" in read.text
    given = dict.fromkeys(("fills", "candles", "orders", "balances"), 3)
    assert "was given" not in Reader(to_html([], fills(), {"counts": given})).text


def test_summary_counts_sources_of_fills_that_arent_in_the_table() -> None:
    read = Reader(to_html([], fills(), {"fair_sources": {"cross": 750, "own_fills": 250}}))
    assert "other pairs of the same coin 750 75\u00a0%".replace("\u00a0", " ") in read.text
    assert "the account's own earlier fills 250 25 %" in read.text
