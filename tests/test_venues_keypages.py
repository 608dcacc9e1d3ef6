"""Where a key is revoked is a page of the exchange itself."""

from __future__ import annotations

from drainwatch.venues.keypages import _PAGES, key_page


def test_a_page_is_one_of_the_exchange_over_https() -> None:
    for exchange, page in _PAGES.items():
        assert page.startswith("https://")
        assert key_page(exchange) == page
    assert key_page("nowhere") is None
