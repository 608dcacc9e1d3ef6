"""The store of a watch, opened beside it: how the owner's verbs find it, and what they find in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from drainwatch.errors import ConfigError

if TYPE_CHECKING:
    from drainwatch.config import Settings
    from drainwatch.store import Store

T = TypeVar("T")

ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        envvar="DRAINWATCH_CONFIG",
        show_envvar=False,
        help="Settings of the watch.  [env: DRAINWATCH_CONFIG]",
    ),
]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="Its store: sqlite:///FILE or postgresql://...  [default: as the settings say]",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: one JSON object.")]

SHORTEST = 6
"""Characters of an id that are shown where no more are needed."""


@contextmanager
def kept(config: Path | None, store: str | None) -> Iterator[tuple[Store, Settings]]:
    """Open the store that the watch of these settings writes to, whether it runs or not."""
    from drainwatch.config import load_settings, store_url
    from drainwatch.store import open_store

    options = {"watch.store": store} if store is not None else {}
    settings = load_settings(config, options=options)
    opened = open_store(store_url(settings.watch, None), beside=True)
    try:
        yield opened, settings
    finally:
        opened.close()


def find(things: Iterable[T], begin: str, id_of: Callable[[T], str], noun: str, lister: str) -> T:
    """Give the one thing whose id begins so; a whole id counts though others go on from it.

    Raises
    ------
    ConfigError
        There is none, or several.
    """
    found = [thing for thing in things if begin and id_of(thing).startswith(begin)]
    exact = [thing for thing in found if id_of(thing) == begin]
    if len(exact) == 1 or len(found) == 1:
        return (exact or found)[0]
    if not found:
        raise ConfigError(
            f"expected the beginning of an id of {noun}, found {begin[:40]!a}, which none has: see `{lister}`"
        )
    some = ", ".join(ascii(id_of(thing))[1:-1] for thing in found[:5])
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    raise ConfigError(
        f"expected the beginning of one id of {noun}, found {begin[:40]!a}, with which {len(found)} begin "
        f"({some}{more}): give more of it"
    )


def short_ids(ids: Iterable[str]) -> dict[str, str]:
    """Give for each id its shortest beginning that no other has, of `SHORTEST` characters at least."""
    ordered = sorted(set(ids))
    short = {}
    for before, one, after in zip(["", *ordered], ordered, [*ordered[1:], ""], strict=False):
        shared = max(_shared(before, one), _shared(one, after))
        short[one] = one[: max(SHORTEST, shared + 1)]
    return short


def _shared(one: str, other: str) -> int:
    """How many characters both begin with."""
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))
