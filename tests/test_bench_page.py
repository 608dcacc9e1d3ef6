"""The benchmark's page: one file that stands alone, with every figure of the result in it."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser

from bench_fakes import small
from drainwatch.bench import text
from drainwatch.bench.outcome import US
from drainwatch.bench.page import to_html

NASTY = "</td><script>alert(1)</script>"


class Reader(HTMLParser):
    """Reads a page: its elements, attributes and words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(" ".join(data.split()))


@cache
def small_page() -> str:
    return to_html(small())


def test_the_page_stands_alone() -> None:
    page = small_page()
    read = Reader(page)
    assert "default-src 'none'" in page
    assert not {"script", "link", "img", "iframe", "object", "image", "base"} & set(read.tags)
    for name, value in read.attributes:
        assert not name.startswith("on"), name
        if name in {"href", "src", "action", "xlink:href"}:
            assert str(value).startswith("#"), value
    assert not re.search(r"https?://|@import", page)
    assert set(re.findall(r"url\((.)", page)) <= {"#"}


def test_the_same_result_gives_the_same_page() -> None:
    assert to_html(small()) == small_page()


def test_the_figures_of_the_result_are_on_it() -> None:
    result = small()
    words = Reader(small_page()).words
    assert words.count(text.headline(result)) == 2  # title and heading
    assert text.meaning(result) in words
    for level in result["levels"].values():
        for name, of in level["detectors"].items():
            assert name in words
            for said in (
                text.figure(of["figure"]),
                text.rate(of["false_a_month"]),
                text.percent(of["recall"]),
                text.percent(of["equity_lost"]["p95"]),
                text.rate(of["average_precision"]),
            ):
                assert said in words, (name, said)
    ours = result["levels"]["orders"]["detectors"][US]
    for thief, of in ours["by_thief"].items():
        assert thief in words
        assert text.percent(of["gone"]["mean"]) in words


def test_a_table_holds_each_row_in_its_place() -> None:
    page = small_page()
    result = small()
    of = result["levels"]["fills"]["detectors"]["hst"]
    (table,) = re.findall(r"All detectors: fills \(fills alone\)</summary>(.*?)</details>", page, re.DOTALL)
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr.*?</tr>", table)]
    (row,) = [row for row in rows if row[:1] == ["hst"]]
    assert row[1:4] == [text.figure(of["figure"]), text.rate(of["false_a_month"]), text.percent(of["recall"])]
    assert len(row) == table.count("<th ")


def test_every_drawing_has_its_title_and_caption() -> None:
    page = small_page()
    read = Reader(page)
    assert read.tags.count("figure") == read.tags.count("figcaption") == read.tags.count("svg") == 6
    assert all(re.findall(r"<figcaption><h3>[^<]+</h3>[^<]{20,}</figcaption>", page))
    assert len(re.findall(r"<figcaption><h3>[^<]+</h3>[^<]{20,}</figcaption>", page)) == 6


def test_nothing_from_outside_gets_out_of_its_place() -> None:
    result = small()
    result["version"] = result["model"]["name"] = NASTY
    result["about"][NASTY] = NASTY
    level = result["levels"]["orders"]
    level["about"] = NASTY
    level["detectors"][NASTY] = level["detectors"]["hst"]
    level["detectors"][US]["kinds"]["ping_pong"][NASTY] = 3
    level["detectors"][US]["false_by_owner"][NASTY] = 0.7
    level["detectors"][US]["by_family"][NASTY] = level["detectors"][US]["by_family"]["F1"]
    page = to_html(result)
    assert "<script" not in page
    assert NASTY in Reader(page).words


def test_a_run_of_drainwatch_alone_has_a_page() -> None:
    result = small()
    result["oracles"] = []
    for level in result["levels"].values():
        level["detectors"] = {US: level["detectors"][US]}
    read = Reader(to_html(result))
    assert "best other" not in read.words
    assert read.tags.count("svg") == 6


def test_a_result_of_nothing_has_a_page() -> None:
    result = small() | {"figure": None, "figure_level": None, "levels": {}}
    assert "drainwatch: nothing was judged" in Reader(to_html(result)).words
