"""The registry says of every feature what a reader, a model and the documents need."""

from __future__ import annotations

import string
from importlib import import_module

import pytest

from drainwatch.features.registry import COUNT, FAMILIES, FEATURES, NAMES, Feature, columns, index, markdown


def test_names_are_unique_and_in_order() -> None:
    assert len(set(NAMES)) == len(NAMES) == len(FEATURES) == COUNT
    assert [index(name) for name in NAMES] == list(range(COUNT))
    assert 30 <= COUNT <= 45


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="x"):
        index("no_such_feature")


@pytest.mark.parametrize("feature", FEATURES, ids=NAMES)
def test_every_feature_is_fully_described(feature: Feature) -> None:
    assert feature.name == feature.name.lower()
    assert feature.family in (*FAMILIES, "sequence")
    for text in (feature.unit, feature.sign, feature.formula, feature.text, feature.source):
        assert text.strip() == text != ""
        assert "|" not in text, "it would end a cell of the table"
    fields = {name for _, name, _, _ in string.Formatter().parse(feature.text) if name is not None}
    assert fields <= {"value", "typical"}
    if feature.name.endswith("_bps"):
        assert feature.unit.startswith("bps")
    if feature.name.endswith("_sigmas"):
        assert feature.unit == "sigmas"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_reads_its_own_features_and_the_sequences(family: str) -> None:
    wanted = [i for i, feature in enumerate(FEATURES) if feature.family in (family, "sequence")]
    assert list(columns(family)) == wanted
    assert any(FEATURES[i].family == family for i in wanted)


def test_the_table_has_a_row_for_each() -> None:
    head, rule, *rows = markdown().splitlines()
    assert head.count("|") == rule.count("|")
    assert [row.split("`")[1] for row in rows] == list(NAMES)
    assert {row.count("|") for row in rows} == {head.count("|")}


def test_the_package_shows_the_registry() -> None:
    features = import_module("drainwatch.features")  # `drainwatch.features` itself is the public function
    assert features.FEATURES is FEATURES
    assert all(hasattr(features, name) for name in features.__all__)
