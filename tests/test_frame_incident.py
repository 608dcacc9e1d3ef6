"""One incident to look at."""

from __future__ import annotations

from drainwatch.report import to_text
from plots_fakes import found


def test_an_incident_has_its_own_fills_and_reasons() -> None:
    bob, alice = found().incident(0), found().incident(1)
    assert bob.told["account"] == "bob"
    assert set(bob.fills["account"]) == {"bob"}
    assert set(bob.fills["incident"]) == {bob.id}
    assert set(alice.reasons["incident"]) == {alice.id}
    assert bob.replay is found()
    assert len(bob.fills) == len(bob.told["fills"])


def test_an_incident_in_words_is_that_of_the_report() -> None:
    bob = found().incident(0)
    page = found()._page
    assert bob.to_text() == to_text(page.incidents[0], page.fills)
    assert repr(bob) == f"<Incident {bob.id}: {bob.told['severity']}, 8 fills>"
