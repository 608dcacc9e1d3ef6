"""Which export a file is, and why; what to do where nobody can tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from drainwatch.errors import InputError
from drainwatch.imports.importer import Column, Importer, Match, Stranger, match, plain
from drainwatch.imports.sheet import Sheet

MOST_UNKNOWN = 1 / 3
"""The share of a file's columns that an importer may not know: with more it is another export."""
_MOST_SHOWN = 30


def recognise(
    sheet: Sheet,
    importers: Sequence[Importer],
    strangers: Sequence[Stranger] = (),
    *,
    only: str | None = None,
) -> Match | Stranger:
    """Tell which export a file is, by its columns alone, in any order.

    Parameters
    ----------
    only
        The name of the importer that it has to be.

    Returns
    -------
    A stranger is an export that is known to hold no fills.

    Raises
    ------
    InputError
        If it is none, or could be several; the message says what is missing and how to go on.
    """
    matches = [match(importer, sheet.header) for importer in importers if importer.part == sheet.part]
    if only is not None:
        return _forced(sheet, only, importers, matches)
    heads = {plain(name) for name in sheet.header}
    for stranger in strangers:
        if all(plain(name) in heads for name in stranger.columns):
            return stranger
    fit = [m for m in matches if not m.missing and len(m.unknown) <= MOST_UNKNOWN * len(sheet.header)]
    if not fit:
        raise InputError(f"{sheet.name}: {_unknown(sheet, matches)}")
    fit.sort(key=lambda m: len(m.unknown))
    best = [m for m in fit if len(m.unknown) == len(fit[0].unknown)]
    most = max(len(m.found) for m in best)
    best = [m for m in best if len(m.found) == most]
    if len(best) > 1:
        titles = " or ".join(f"{m.importer.title} (--format {m.importer.name})" for m in best)
        raise InputError(f"{sheet.name}: the columns fit {titles}; say which one it is")
    return best[0]


def why(found: Match) -> str:
    """Say in words by what a file was recognised."""
    shown = [
        name for to, name in found.found.items() if to in {c.to for c in found.importer.columns if c.needed}
    ]
    return f"columns {listed(shown)}"


def _forced(sheet: Sheet, only: str, importers: Sequence[Importer], matches: Sequence[Match]) -> Match:
    found = next((m for m in matches if m.importer.name == only), None)
    if found is None:
        known = ", ".join(importer.name for importer in importers)
        raise InputError(f"--format {only}: expected one of {known}")
    if found.missing:
        raise InputError(
            f"{sheet.name}: no {found.importer.title}: {_lacks(found)}; found columns {listed(sheet.header)}"
        )
    return found


def _unknown(sheet: Sheet, matches: Sequence[Match]) -> str:
    """Say what an unknown file has, what it lacks of the nearest export, and how to map it."""
    said = f"no export that is known has its columns: {listed(sheet.header)}."
    near = max(matches, key=lambda m: (_nearness(m), -len(m.missing)), default=None)
    if near is not None and _nearness(near) >= 0.5:
        if near.missing:
            said += f" Nearest is {near.importer.title}, but {_lacks(near)}."
        else:
            said += (
                f" Nearest is {near.importer.title}, which doesn't know {listed(near.unknown)} "
                f"(--format {near.importer.name} takes it for that)."
            )
    return (
        f"{said} Say which columns are time, symbol, side, price and amount: --map timestamp=COLUMN "
        "--map symbol=COLUMN --map side=COLUMN --map price=COLUMN --map amount=COLUMN; "
        "symbol==BTC/USDT is one value for all rows"
    )


def _nearness(found: Match) -> float:
    """Give the share of needed columns that are there."""
    needed = sum(c.needed for c in found.importer.columns)
    n_missing = sum(c.to != "_mark" for c in found.missing)
    return 1 - n_missing / max(needed, 1)


def _lacks(found: Match) -> str:
    """Say what of an importer's columns a file lacks."""
    names = [f"{c.names[0]} ({c.to})" if not c.to.startswith("_") else c.names[0] for c in found.missing]
    return f"there is no column {listed(names, 'or')}"


def listed(names: Iterable[str], last: str = "and") -> str:
    """List names in words; texts from outside, so without what can't be printed, and not without end."""
    clean = ["".join(c if c.isprintable() else "\ufffd" for c in name)[:60] or "''" for name in names]
    if len(clean) > _MOST_SHOWN:
        clean = [*clean[:_MOST_SHOWN], f"{len(clean) - _MOST_SHOWN} more"]
    if len(clean) < 2:
        return "".join(clean) or "none"
    return f"{', '.join(clean[:-1])} {last} {clean[-1]}"


# --- the owner's own word ----------------------------------------------------------------------------


def parse_maps(maps: Iterable[str], columns: Iterable[str]) -> dict[str, str]:
    """Read `price=Px` and `symbol==BTC/USDT` (one value for all rows, kept with its `=`).

    Raises
    ------
    InputError
        If one is of another form or names no column of the contract.
    """
    told: dict[str, str] = {}
    known = list(columns)
    for text in maps:
        to, equals, name = text.partition("=")
        to = to.strip()
        if not equals or not name.strip("= "):
            raise InputError(f"--map {text}: expected OURS=THEIRS, such as price=Px")
        if to not in known:
            raise InputError(f"--map {text}: expected {listed(known, 'or')} before the =, found {to!r}")
        if to in told:
            raise InputError(f"--map {text}: {to} is mapped twice; say it once")
        told[to] = name
    return told


def mapped(found: Match, told: Mapping[str, str], sheet: Sheet, columns: Mapping[str, Column]) -> Match:
    """Put the owner's word in place of what was found.

    Parameters
    ----------
    columns
        How each of the contract's columns is read where the importer doesn't read it already.

    Raises
    ------
    InputError
        If the file has no such column.
    """
    heads = {plain(name): name for name in reversed(sheet.header)}
    importer, where, constants = found.importer, dict(found.found), dict(found.constants)
    for to, name in told.items():
        if name.startswith("="):
            constants[to] = name[1:].strip()
        else:
            head = name if name in sheet.header else heads.get(plain(name))
            if head is None:
                raise InputError(
                    f"{sheet.name}: --map {to}={name}: no such column; found {listed(sheet.header)}"
                )
            where[to] = head
        if to not in {c.to for c in importer.columns}:
            importer = replace(importer, columns=(*importer.columns, columns[to]))
    missing = tuple(c for c in found.missing if c.to not in where and c.to not in constants)
    unknown = tuple(name for name in found.unknown if name not in where.values())
    return Match(importer, where, missing, unknown, constants)
