"""The list of all settings, as documents, error messages and the commented file need it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, NamedTuple, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct

from drainwatch.config.settings import Settings

ENV_PREFIX = "DRAINWATCH__"
"""Of environment variables that set a key: `DRAINWATCH__INCIDENTS__QUIET_HOURS`."""


class Kind(StrEnum):
    """What a setting's value is."""

    NUMBER = "number"
    WHOLE = "whole number"
    SWITCH = "switch"
    TEXT = "text"
    CHOICE = "choice"
    LIST = "list"
    """Of texts; in an environment variable with commas between them."""


class Setting(NamedTuple):
    """One setting as the documents list it."""

    section: str
    key: str
    kind: Kind
    default: Any
    """What holds where nothing is said; None where it must be given."""
    lowest: float
    """Of a number, as is `highest`; 0 and 0 for others."""
    highest: float
    unit: str
    """Of a number; of a text what it has to look like."""
    text: str
    """What it is for."""
    pattern: str
    """Regular expression that a text, or each of a list, matches; empty for none."""
    choices: tuple[str, ...]
    repeated: bool
    """Its section is a list of tables, `[[accounts]]`."""
    hidden: bool
    """No message may show what was found: it could be a secret in the wrong place."""

    @property
    def path(self) -> str:
        """Path as error messages write it: `$.incidents.quiet_hours`, `$.accounts[].name`."""
        return f"$.{self.section}{'[]' if self.repeated else ''}.{self.key}"

    @property
    def variable(self) -> str:
        """Environment variable that overrides it; `N` stands for 0, 1, ... of a list of tables."""
        number = "N__" if self.repeated else ""
        return f"{ENV_PREFIX}{self.section}__".upper() + number + self.key.upper()

    @property
    def allowed(self) -> str:
        """What may stand there, in words."""
        if self.kind is Kind.NUMBER:
            return f"{self.unit} from {self.lowest:g} to {self.highest:g}"
        if self.kind is Kind.WHOLE:
            unit = f" ({self.unit})" if self.unit else ""
            return f"a whole number from {self.lowest:g} to {self.highest:g}{unit}"
        if self.kind is Kind.SWITCH:
            return "true or false"
        if self.kind is Kind.CHOICE:
            return "one of " + ", ".join(f"`{choice}`" for choice in self.choices)
        if self.kind is Kind.LIST:
            return f"a list of {self.unit}"
        return self.unit


def sections() -> dict[str, tuple[type[Struct], bool]]:
    """Give the struct of each section, and whether it is a list of tables, by the section's name."""
    found = {}
    for field in msgspec.structs.fields(Settings):
        repeated = get_origin(field.type) is tuple
        found[field.name] = (get_args(field.type)[0] if repeated else field.type, repeated)
    return found


def heading(section: str) -> str:
    """Say what a section is about, in a line."""
    return (inspect.getdoc(sections()[section][0]) or "").partition("\n")[0]


def every_setting() -> Iterator[Setting]:
    """Go through all settings in the order of their sections."""
    for name, (struct, repeated) in sections().items():
        for field in msgspec.structs.fields(struct):
            yield _setting(name, field, repeated=repeated)


def _setting(section: str, field: msgspec.structs.FieldInfo, *, repeated: bool) -> Setting:
    """Read what a field's annotations say."""
    plain, said = _bare(field.type)
    if get_origin(plain) is tuple:
        said = _bare(get_args(plain)[0])[1] + said

    def last(name: str, otherwise: Any = "") -> Any:
        """Give what the last of several `Meta` says: a shared form first, then the field's own words."""
        return next(
            (value for meta in reversed(said) if (value := getattr(meta, name)) is not None), otherwise
        )

    kind = _kind(plain)
    return Setting(
        section=section,
        key=field.name,
        kind=kind,
        default=None if field.default is NODEFAULT else field.default,
        lowest=last("ge", 0),
        highest=last("le", 0),
        unit=last("title"),
        text=last("description"),
        pattern=last("pattern"),
        choices=tuple(member.value for member in plain) if kind is Kind.CHOICE else (),
        repeated=repeated,
        hidden=any((meta.extra or {}).get("hidden", False) for meta in said),
    )


def _bare(annotated: Any) -> tuple[Any, tuple[msgspec.Meta, ...]]:
    """Take a type and what is said of it apart."""
    if hasattr(annotated, "__metadata__"):
        return annotated.__origin__, annotated.__metadata__
    return annotated, ()


def _kind(plain: Any) -> Kind:
    """Tell what a field's bare type means."""
    if get_origin(plain) is tuple:
        return Kind.LIST
    if issubclass(plain, StrEnum):
        return Kind.CHOICE
    return {bool: Kind.SWITCH, int: Kind.WHOLE, float: Kind.NUMBER, str: Kind.TEXT}[plain]
