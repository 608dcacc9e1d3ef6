"""Settings: a TOML file, overridden by the environment, to frozen structs; unknown keys are refused.

The core never sees these structs: shells hand their values on as plain arguments.
"""

from __future__ import annotations

import difflib
import math
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct

from drainwatch.errors import ConfigError

ENV_PREFIX = "DRAINWATCH__"
"""Of environment variables that set a key: `DRAINWATCH__INCIDENTS__QUIET_HOURS`."""


class Judgement(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How sure a judgement must be before it is an alert."""

    false_alarms_per_month: Annotated[
        float,
        Meta(
            ge=0.001,
            le=10,
            title="incidents an account-month",
            description="False incidents that you put up with. Fewer means later alerts and more money lost "
            "before them.",
        ),
    ] = 0.1


class Incidents(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How bad fills are put together to incidents."""

    quiet_hours: Annotated[
        float,
        Meta(
            ge=0.1,
            le=168,
            title="hours",
            description="Time without a bad fill after which an incident is closed.",
        ),
    ] = 6.0


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings, by section."""

    judgement: Judgement = Judgement()
    incidents: Incidents = Incidents()


class Setting(NamedTuple):
    """One setting as the documents list it."""

    section: str
    key: str
    default: Any
    lowest: float
    highest: float
    unit: str
    text: str

    @property
    def path(self) -> str:
        """Path as error messages write it: `$.incidents.quiet_hours`."""
        return f"$.{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        """Environment variable that overrides it."""
        return f"{ENV_PREFIX}{self.section}__{self.key}".upper()


def every_setting() -> Iterator[Setting]:
    """Go through all settings in the order of their sections."""
    for section in msgspec.structs.fields(Settings):
        for field in msgspec.structs.fields(section.type):
            (meta,) = field.type.__metadata__
            yield Setting(
                section.name, field.name, field.default, meta.ge, meta.le, meta.title, meta.description
            )


def load_settings(path: str | Path | None = None, env: Mapping[str, str] | None = None) -> Settings:
    """Read settings: the environment before the file before the defaults.

    Parameters
    ----------
    path
        A TOML file; None for none.
    env
        Environment variables, those of the process by default. Of them, `DRAINWATCH__SECTION__KEY`
        sets a key; an empty one counts as absent.

    Raises
    ------
    ConfigError
        The file can't be read or isn't TOML, a key is unknown, or a value isn't a number in its
        range. The message names the key's path and where it came from.
    """
    given = {} if path is None else _read(Path(path))
    places = dict.fromkeys(_paths(given), str(path))
    for name, value in sorted((os.environ if env is None else env).items()):
        if not name.startswith(ENV_PREFIX) or value == "":
            continue
        section, _, key = name.removeprefix(ENV_PREFIX).lower().partition("__")
        place = f"the environment variable {name}"
        _check_known(section, key, place)
        table = given.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = value
            places[f"$.{section}.{key}"] = place
    return _convert(given, places, str(path))


def _read(path: Path) -> dict[str, Any]:
    """Read a TOML file."""
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"expected a settings file at {path}, found none to read ({reason})") from error
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:  # both of what isn't UTF-8 and of what isn't TOML
        raise ConfigError(f"expected TOML in UTF-8 in {path}, found otherwise: {error}") from error


def _paths(given: Mapping[str, Any]) -> Iterator[str]:
    """Go through the paths of all values in a file."""
    for section, table in given.items():
        if isinstance(table, dict):
            yield from (f"$.{section}.{key}" for key in table)


def _check_known(section: str, key: str | None, place: str) -> None:
    """Refuse what isn't a section or a setting; suggest what is nearest."""
    known: dict[str, list[str]] = {}
    for setting in every_setting():
        known.setdefault(setting.section, []).append(setting.key)
    if section not in known:
        raise ConfigError(
            f"expected a section of {_quoted(known)}, found `{section}` at $.{section} in {place}"
            f"{_nearest(section, list(known))}"
        )
    if key is not None and key not in known[section]:
        raise ConfigError(
            f"expected a setting of {_quoted(known[section])}, found `{key}` at $.{section}.{key} in {place}"
            f"{_nearest(key, known[section])}"
        )


def _quoted(names: Mapping[str, Any] | list[str]) -> str:
    """List names as in prose."""
    return ", ".join(f"`{name}`" for name in names)


def _nearest(name: str, known: list[str]) -> str:
    """Suggest the name that was meant, where one is near."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean `{near[0]}`?" if near else ""


def _convert(given: Mapping[str, Any], places: Mapping[str, str], file: str) -> Settings:
    """Check every value against its setting and make the structs.

    Checked by hand rather than by msgspec alone, because a message has to say what was found and
    in which file or variable, and because `ge` and `le` let NaN through.
    """
    for section, table in given.items():
        _check_known(section, None, file)
        if not isinstance(table, dict):
            raise ConfigError(
                f"expected a section `[{section}]`, found `{_shown(table)}` at $.{section} in {file}"
            )
        for key in table:
            _check_known(section, key, places.get(f"$.{section}.{key}", file))
    for setting in every_setting():
        table = given.get(setting.section, {})
        if setting.key in table:
            table[setting.key] = _number(table[setting.key], setting, places[setting.path])
    return msgspec.convert(given, Settings)


def _number(value: Any, setting: Setting, place: str) -> float:
    """Read a number in a setting's range; text as well, which is what environment variables are."""
    try:
        number = math.nan if isinstance(value, bool) else msgspec.convert(value, float, strict=False)
    except msgspec.ValidationError:
        number = math.nan
    if not setting.lowest <= number <= setting.highest:
        raise ConfigError(
            f"expected {setting.unit} from {setting.lowest:g} to {setting.highest:g}, found `{_shown(value)}`"
            f" at {setting.path} in {place}"
        )
    return number


def _shown(value: Any) -> str:
    """Write a value as it was found, shortened."""
    text = value if isinstance(value, str) else repr(value)
    if isinstance(value, bool):
        text = text.lower()  # as TOML writes it
    return ascii(text[:60])[1:-1]
