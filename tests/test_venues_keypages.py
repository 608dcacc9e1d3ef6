"""Pages of API keys: an owner in a hurry follows them, so each has to be the exchange's own."""

from __future__ import annotations

from urllib.parse import urlsplit

import ccxt  # type: ignore[import-untyped]
import pytest

from drainwatch.venues.catalogue import NATIVE
from drainwatch.venues.keypages import _PAGES, key_page

OTHER_DOMAINS = {"gate": "www.gate.io", "hyperliquid": "app.hyperliquid.xyz"}
"""Where the page's domain isn't the one that ccxt names."""


@pytest.mark.parametrize("exchange", sorted(_PAGES))
def test_each_page_is_at_a_domain_that_ccxt_knows_for_the_exchange(exchange: str) -> None:
    page = urlsplit(_PAGES[exchange])
    assert page.scheme == "https"
    assert page.path.strip("/"), "not the start page"
    assert not page.username
    host = page.hostname or ""
    if exchange in OTHER_DOMAINS:
        assert host == OTHER_DOMAINS[exchange]
        return
    made = getattr(ccxt, exchange)()
    known = str(made.urls)
    domain = ".".join(host.split(".")[-2:])
    assert domain in known


def test_native_venues_have_one_and_strangers_none() -> None:
    assert all(key_page(exchange) for exchange in NATIVE)
    assert key_page("nowhere") is None
    assert key_page("https://evil.example") is None
