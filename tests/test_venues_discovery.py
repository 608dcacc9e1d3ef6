"""Markets that nobody knew of are named by the currencies that moved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drainwatch.rows import Fill, Market
from drainwatch.venues.discovery import candidates, changed, explained


def market(base: str, quote: str, settle: str = "") -> Market:
    symbol = f"{base}/{quote}" + (f":{settle}" if settle else "")
    return Market(
        exchange="binance", symbol=symbol, venue_symbol=base + quote, base=base, quote=quote, settle=settle
    )


MARKETS = [
    market("ETH", "BTC"),
    market("ETH", "USDT"),
    market("QTUM", "BTC"),
    market("QTUM", "USDT"),
    market("QTUM", "TRY"),
    market("QTUM", "USDT", "USDT"),
    market("BTC", "USDT"),
]


def test_two_currencies_that_moved_name_their_market() -> None:
    assert candidates({"QTUM", "BTC"}, set(), MARKETS) == {"QTUM/BTC"}
    assert candidates({"QTUM", "BTC", "USDT"}, set(), MARKETS) == {"QTUM/BTC", "QTUM/USDT", "BTC/USDT"}


def test_one_that_moved_alone_is_asked_for_against_the_usual_quotes() -> None:
    assert candidates({"QTUM"}, set(), MARKETS) == {"QTUM/USDT", "QTUM/BTC", "QTUM/TRY"}


def test_known_symbols_are_not_asked_for_again() -> None:
    assert candidates({"QTUM", "BTC"}, {"QTUM/BTC"}, MARKETS) == set()


def test_a_bound_holds_and_prefers_what_both_sides_name() -> None:
    assert candidates({"QTUM", "BTC", "ETH"}, set(), MARKETS, most=2) == {"QTUM/BTC", "ETH/BTC"}


def test_what_known_fills_moved_is_explained() -> None:
    fill = Fill(
        exchange="binance",
        account="main",
        symbol="QTUM/BTC",
        id="1",
        ts_ns=1,
        side="buy",
        price="1",
        amount="1",
        fee_currency="BNB",
    )
    assert explained([fill], {m.symbol: m for m in MARKETS}) == {"QTUM", "BTC", "BNB"}
    assert explained([fill], {}) == {"BNB"}


def test_rounding_is_no_change() -> None:
    assert changed({"BTC": 0.1 + 0.2, "A": 1.0}, {"BTC": 0.3, "B": 2.0}) == {"A", "B"}


@given(
    st.dictionaries(st.sampled_from(["BTC", "ETH", "QTUM", "USDT"]), st.floats(0, 1e9)),
    st.dictionaries(st.sampled_from(["BTC", "ETH", "QTUM", "USDT"]), st.floats(0, 1e9)),
    st.sets(st.sampled_from([m.symbol for m in MARKETS])),
)
def test_every_candidate_has_a_currency_that_moved(
    before: dict[str, float], after: dict[str, float], known: set[str]
) -> None:
    moved = changed(before, after)
    by_symbol = {m.symbol: m for m in MARKETS}
    found = candidates(moved, known, MARKETS)
    assert not found & known
    assert all({by_symbol[s].base, by_symbol[s].quote} & moved for s in found)
    assert changed(before, before) == set()


def test_a_swap_of_two_coins_that_the_bot_traded_for_a_third_is_a_candidate() -> None:
    pairs = [("ETH", "BTC"), ("BTC", "USDT"), ("ETH", "USDT"), ("QTUM", "ETH")]
    markets = [
        Market(
            exchange="binance", symbol=f"{base}/{quote}", venue_symbol=base + quote, base=base, quote=quote
        )
        for base, quote in pairs
    ]
    moved = {"ETH", "BTC", "USDT"}
    known = {"ETH/BTC", "BTC/USDT"}
    assert candidates(moved, known, markets, explained=moved) == {"ETH/USDT"}
    assert candidates({"ETH"}, known, markets, explained={"ETH"}) == set(), "known fills moved it"


def test_what_nothing_explains_is_asked_for_first() -> None:
    markets = [
        Market(exchange="binance", symbol=f"{base}/BTC", venue_symbol=f"{base}BTC", base=base, quote="BTC")
        for base in ("A", "B", "C")
    ]
    assert candidates({"A", "B", "C", "BTC"}, (), markets, 1, explained={"A", "B", "BTC"}) == {"C/BTC"}
