"""Errors are one tree, so that a caller can catch all of them or one kind."""

from __future__ import annotations

import inspect

import pytest

from drainwatch import errors

KINDS = [
    thing
    for _, thing in inspect.getmembers(errors, inspect.isclass)
    if thing.__module__ == "drainwatch.errors" and thing is not errors.DrainwatchError
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_caught_by_the_root(kind: type[Exception]) -> None:
    with pytest.raises(errors.DrainwatchError, match="expected this, found that"):
        raise kind("expected this, found that")


def test_no_kind_is_mistaken_for_another() -> None:
    assert len(KINDS) == 6
    for kind in KINDS:
        above = errors.VenueError if kind is errors.KeyRefusedError else errors.DrainwatchError
        assert kind.__bases__ == (above,)


def test_the_tree_is_drawn_as_it_is() -> None:
    assert [kind.__name__ for kind in KINDS if kind.__name__ not in (errors.__doc__ or "")] == []
