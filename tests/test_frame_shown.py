"""What a notebook shows: said in words, in its own colours, with nothing from outside getting out."""

from __future__ import annotations

import re
from dataclasses import replace

from drainwatch.frame.shown import MOST_INCIDENTS, replay_html
from plots_fakes import found, nasty


def test_a_replay_lists_its_incidents() -> None:
    shown = found()._repr_html_()
    assert "2 incidents in 474 fills" in shown
    for told in found().incidents.to_dict("records"):
        assert told["id"] in shown
        assert (
            '<td style="text-align:left;vertical-align:top;padding:.25em .9em .25em 0">'
            + told["account"]
            + "</td>"
            in shown
        )


def test_an_incident_says_what_happened_what_to_do_and_why() -> None:
    bob = found().incident(0)
    shown = bob._repr_html_()
    assert "9.7 % of account bob" in shown
    assert "revoke the API key" in shown
    assert bob.reasons["text"].iloc[0].partition("'")[0][1:] in shown
    assert bob.id in shown


def test_names_from_outside_are_escaped() -> None:
    for shown in (nasty()._repr_html_(), nasty().incident(0)._repr_html_()):
        assert "<b>&" not in shown
        assert "&lt;b&gt;&amp;amp;" in shown
        assert type(shown) is str  # markup would escape what is put beside it


def test_no_colour_is_set_so_that_dark_notebooks_stay_dark() -> None:
    for shown in (found()._repr_html_(), found().incident(0)._repr_html_()):
        assert not re.search(r"[^-]color:|background|#[0-9a-f]{3}", shown)


def test_of_many_incidents_the_rest_is_counted() -> None:
    page = found()._page
    many = replace(page, incidents=page.incidents * MOST_INCIDENTS)
    assert f"{MOST_INCIDENTS} more." in replay_html(many)
