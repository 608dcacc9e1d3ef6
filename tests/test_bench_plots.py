"""The benchmark's drawings: text that stays text, the same bytes each time, and nothing from elsewhere."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import pytest

from bench_fakes import small
from drainwatch.bench import plots
from drainwatch.bench.outcome import US

ALL: tuple[Callable[[Any], str], ...] = (
    plots.losses,
    plots.recall_by_family,
    plots.gone_by_thief,
    plots.false_by_owner,
    plots.calibration,
    plots.confusion,
)


def words_of(svg: str) -> list[str]:
    """Texts of a drawing; fails where it isn't well-formed."""
    return ["".join(element.itertext()) for element in ET.fromstring(svg).iter("text")]  # noqa: S314 - our own


@pytest.mark.parametrize("draw", ALL)
def test_a_drawing_is_whole_and_needs_nothing_else(draw: Callable[[Any], str]) -> None:
    svg = draw(small())
    assert words_of(svg)
    assert "http" not in svg
    assert "<image" not in svg
    assert "<script" not in svg
    assert set(re.findall(r'href="(.)', svg)) <= {"#"}
    named = set(re.findall(r' id="([^"]*)"', svg))
    assert set(re.findall(r"url\(#([^)]*)\)", svg)) <= named


@pytest.mark.parametrize("draw", ALL)
def test_the_same_result_gives_the_same_bytes(draw: Callable[[Any], str]) -> None:
    assert draw(small()) == draw(small())


@pytest.mark.parametrize("draw", ALL)
def test_a_run_without_thefts_or_months_is_drawn_all_the_same(draw: Callable[[Any], str]) -> None:
    result = small()
    for level in result["levels"].values():
        ours = level["detectors"][US]
        level["detectors"] = {
            US: {
                "false_a_month": float("nan"),
                "false_by_owner": {},
                "by_regime": {},
                "calibration": [],
                "kinds": {},
            }
            | {"own_bad_fills": ours["own_bad_fills"]}
        }
    assert draw(result).startswith("<svg")


def test_every_detector_with_a_curve_is_in_the_legend() -> None:
    result = small()
    said = words_of(plots.losses(result))
    curves = {name for name, of in result["levels"]["orders"]["detectors"].items() if of.get("curve")}
    assert len(curves) == 9
    assert curves < set(said)
    assert f"{US}, as it comes" in said


def test_recall_stands_in_the_cells_and_families_in_order() -> None:
    result = small()
    for level in result["levels"].values():
        for of in level["detectors"][US]["by_family"].values():
            of["recall"] = 1.0
    result["levels"]["quotes"]["detectors"][US]["by_family"]["F4"]["recall"] = 0.42
    said = words_of(plots.recall_by_family(result))
    assert said.count("42") == 1
    assert [word for word in said if re.fullmatch(r"[FA]\d+", word)] == sorted(
        (word for word in said if re.fullmatch(r"[FA]\d+", word)), key=plots.family_order
    )


def test_families_are_sorted_by_number_not_by_letter() -> None:
    assert sorted(["A1", "F10", "F2", "F1"], key=plots.family_order) == ["F1", "F2", "F10", "A1"]


def test_a_name_from_outside_can_not_leave_its_text() -> None:
    result = small()
    ours = result["levels"]["orders"]["detectors"][US]
    nasty = "<script>$x$&amp;\"'</text>"
    ours["false_by_owner"] = {nasty: 0.3}
    svg = plots.false_by_owner(result)
    assert "<script" not in svg
    assert nasty in words_of(svg)
