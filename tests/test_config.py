"""The public face of the settings."""

from __future__ import annotations

import drainwatch.config
from drainwatch.config import Settings, load_settings


def test_every_public_name_is_there() -> None:
    assert sorted(drainwatch.config.__all__, key=str.lower) == sorted(
        set(drainwatch.config.__all__), key=str.lower
    )
    assert all(getattr(drainwatch.config, name) is not None for name in drainwatch.config.__all__)


def test_nothing_given_is_the_defaults() -> None:
    assert load_settings(None, {}) == Settings()
