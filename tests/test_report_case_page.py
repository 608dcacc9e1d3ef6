"""The evidence as a page: exact, self-contained, and whatever is written in a symbol or an id stays text."""

from __future__ import annotations

import re
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cases import HOSTILE, INCIDENT, T0, fill_store
from drainwatch.casefile.from_store import case_of
from drainwatch.report import case_page
from drainwatch.report.case_page import to_html
from drainwatch.store import open_store

DIGEST = "d" * 64


@pytest.fixture
def case(tmp_path: Path) -> dict[str, Any]:
    with closing(open_store(tmp_path / "watch.db")) as store:
        fill_store(store)
        plain: dict[str, Any] = msgspec.to_builtins(case_of(store, INCIDENT, T0))
        return plain


class Tags(HTMLParser):
    """Collects what a page is made of, and checks that it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    return tags


def test_nothing_from_outside_becomes_markup(case: dict[str, Any]) -> None:
    """A thief can choose a client order id; the page is opened by the police."""
    for name in ("account", "exchange", "symbols", "id", "kind_now"):
        case["incident"][name] = [HOSTILE] if name == "symbols" else HOSTILE
    case["counterparties"][0]["counterparty"] = HOSTILE
    case["market"][0]["symbol"] = case["losses"][0]["symbol"] = HOSTILE
    case["judged_by"] = {HOSTILE: HOSTILE}
    case["origin"]["files"] = {HOSTILE: HOSTILE}
    names = (
        "symbol",
        "exchange",
        "id",
        "order",
        "price",
        "amount",
        "fee_cost",
        "fee_currency",
        "cost",
        "type",
    )
    for fill in case["fills"]:
        fill.update(dict.fromkeys((*names, "taker_or_maker", "fair_source"), HOSTILE))
    tags = read(to_html(case, DIGEST))
    assert not tags.seen & {"script", "img", "iframe", "object", "link", "base", "form", "a"}
    assert not any(name.startswith("on") for name in tags.attributes)
    assert not tags.attributes & {"src", "href", "action"}
    assert "\u202e" not in tags.text
    assert "{{ 7 * 7 }}" in tags.text
    assert "49" not in re.sub(r"\d{2,}:|:\d{2}|\d{3,}", "", tags.text)


def test_the_page_needs_and_may_load_nothing(case: dict[str, Any]) -> None:
    page = to_html(case, DIGEST)
    assert "default-src 'none'" in page
    assert "url(" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert "@page { size: A4" in page


def test_exact_figures_times_and_hashes_stand_on_it(case: dict[str, Any]) -> None:
    text = read(to_html(case, DIGEST)).text
    for said in (
        "2.00000000000000000100", "1.50", "0.0010 F", "2025-10-09 08:53:25.000", "100 %", DIGEST,
        case["hashes"]["fills"], "1.5 B", "-0.00010 F", "kept whole", "The owner: acknowledged",
        "bid 0.99 (7.0), ask 1.01", "this pair's bid and ask", "Nothing that was to be here is missing.",
    ):  # fmt: skip
        assert said in text, said


def test_what_is_unknown_is_said_to_be(case: dict[str, Any]) -> None:
    case["missing"] = ["Of 1 fill something."]
    case["fills"][1] |= {"price": None, "amount": None, "time": None, "counted_at": None, "exact": False}
    case["market"][0] |= {"kept": "none", "quotes": [], "prints": [], "candles": []}
    case["incident"] |= {"loss": None, "equity_share": None}
    text = read(to_html(case, DIGEST)).text
    for said in ("Of 1 fill something.", "not kept any more", "no rows", "how much is gone is unknown"):
        assert said in text, said
    assert text.count("unknown") >= 6


def test_a_price_that_was_reckoned_says_about(case: dict[str, Any]) -> None:
    case["fills"][0] |= {"exact": False, "price": "2.0000000001"}
    assert "about 2" in read(to_html(case, DIGEST)).text


def test_thousands_of_fills_make_no_endless_page(
    case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_page, "MOST_FILLS", 10)
    monkeypatch.setattr(case_page, "MOST_STRETCHES", 2)
    case["fills"] = case["fills"] * 10
    case["market"] = case["market"] * 5
    page = to_html(case, DIGEST)
    assert page.count('<tbody class="fill">') == 10
    assert "and 10 more in evidence.json" in page
    assert "and 3 more stretches in evidence.json" in page
