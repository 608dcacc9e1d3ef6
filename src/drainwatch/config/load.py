"""From a TOML file, the environment and options to settings: whatever isn't known or allowed is refused."""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from drainwatch.config.agree import check_agreement, in_words
from drainwatch.config.catalogue import ENV_PREFIX, Kind, Setting, every_setting, sections
from drainwatch.config.settings import Settings
from drainwatch.errors import ConfigError

_SECRETS = {
    "accounts": {
        "key": "key", "apikey": "key", "api_key": "key",
        "secret": "secret", "api_secret": "secret", "apisecret": "secret", "secret_key": "secret",
        "private_key": "secret", "privatekey": "secret",
        "passphrase": "passphrase", "password": "passphrase",
    },
    "channels": {"url": "url", "webhook": "url", "webhook_url": "url", "token": "url", "bot_token": "url"},
    "responses": {
        "password": "password", "token": "password",
        "url": "url", "webhook": "url", "webhook_url": "url",
        "signing": "signing", "signing_secret": "signing",
        "key": "key", "apikey": "key", "api_key": "key",
        "secret": "secret", "api_secret": "secret", "apisecret": "secret", "secret_key": "secret",
        "passphrase": "passphrase",
    },
    "watch": {"password": "store_password", "store_password": "store_password"},
}  # fmt: skip
"""Names under which people write a secret itself, by section, and what its settings begin with."""

_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
MOST_TABLES = 1_000
"""Of one list that environment variables may make: a number too many is a mistake, not an account."""


def load_settings(
    path: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Settings:
    """Read settings: options before the environment before the file before the defaults.

    Parameters
    ----------
    path
        A TOML file; None for none.
    env
        Environment variables, those of the process by default. Of them, `DRAINWATCH__SECTION__KEY`
        sets a key, `DRAINWATCH__ACCOUNTS__0__KEY` one of the first account; an empty one counts as absent.
    options
        Values given on the command line, by `section.key`; None counts as absent.

    Raises
    ------
    ConfigError
        The file can't be read or isn't TOML, a key is unknown or a secret itself, a value isn't
        allowed, or values contradict each other. The message names the key's path and where it came from.
    """
    given = {} if path is None else _read(Path(path))
    file = "the environment" if path is None else str(path)
    places = dict.fromkeys(_paths(given), file)
    for name, value in sorted((os.environ if env is None else env).items()):
        if name.startswith(ENV_PREFIX) and value != "":
            words = name.removeprefix(ENV_PREFIX).lower().split("__")
            _put(given, places, words, value, f"the environment variable {ascii(name)[1:-1]}")
    for name, value in (options or {}).items():
        if value is not None:
            _put(given, places, name.split("."), value, "the command line")
    settings = _convert(given, places, file)
    check_agreement(settings, file)
    return settings


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
        raise ConfigError(f"expected TOML in UTF-8 in {path}, found otherwise: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """Say why a file isn't TOML without showing its bytes, among which may be a secret."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} isn't UTF-8"
    where = re.search(r"\((at .*)\)", str(error))
    what = re.sub(r"'.*'|\".*\"|\(.*\)", "", str(error), flags=re.DOTALL).strip()
    return ascii(f"{what} ({where[1]})" if where else what)[1:-1]


def _paths(given: Mapping[str, Any]) -> Iterator[str]:
    """Go through the paths of all values in a file."""
    for section, table in given.items():
        if isinstance(table, dict):
            yield from (f"$.{section}.{key}" for key in table)
        elif isinstance(table, list):
            for number, row in enumerate(table):
                if isinstance(row, dict):
                    yield from (f"$.{section}[{number}].{key}" for key in row)


def _put(given: dict[str, Any], places: dict[str, str], words: Sequence[str], value: Any, place: str) -> None:
    """Set a value that a variable or an option gives, after looking whether there is such a setting."""
    section, key = words[0], "__".join(words[1:])
    known = sections()
    if section not in known or not known[section][1]:
        _check_known(section, f"$.{section}", key, place)
        table = given.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = value
            places[f"$.{section}.{key}"] = place
        return
    number, key = (words[1], "__".join(words[2:])) if len(words) > 2 else ("", "")
    rows = given.setdefault(section, [])
    if not number.isascii() or not number.isdigit() or len(number) > 4 or int(number) >= MOST_TABLES:
        raise ConfigError(
            f"expected a number and a key, as in {ENV_PREFIX}{section.upper()}__0__NAME, found otherwise "
            f"in {place}"
        )
    _check_known(section, f"$.{section}[{int(number)}]", key, place)
    if isinstance(rows, list):
        if int(number) > len(rows):
            raise ConfigError(
                f"expected numbers without a hole, found $.{section}[{int(number)}] in {place}, but no "
                f"$.{section}[{len(rows)}]: count on from there"
            )
        if int(number) == len(rows):
            rows.append({})
        if isinstance(rows[int(number)], dict):
            rows[int(number)][key] = value
            places[f"$.{section}[{int(number)}].{key}"] = place


def _check_known(section: str, path: str, key: str | None, place: str) -> None:
    """Refuse what isn't a section or a setting; suggest what is nearest."""
    known: dict[str, list[str]] = {}
    for setting in every_setting():
        known.setdefault(setting.section, []).append(setting.key)
    if section not in known:
        raise ConfigError(
            f"expected a section of {_quoted(known)}, found `{_shown(section)}` at {_shown(path)} in {place}"
            f"{_nearest(section, list(known))}"
        )
    if key is None or key in known[section]:
        return
    base = _SECRETS.get(section, {}).get(key.lower().replace("-", "_"))
    if base is not None:
        raise ConfigError(
            f"expected {in_words(base)} at {path}, which say where it is "
            f"kept, found `{_shown(key)}` itself in {place} (not shown here). Settings are copied and shown "
            f"to others too easily: put it in a file of its own, `chmod 600` that, and write "
            f'{base}_file = "PATH"; or {base}_env = "NAME" for an environment variable'
        )
    raise ConfigError(
        f"expected a setting of {_quoted(known[section])}, found `{_shown(key)}` at {path}.{_shown(key)} "
        f"in {place}{_nearest(key, known[section])}"
    )


def _quoted(names: Mapping[str, Any] | list[str]) -> str:
    """List names as in prose."""
    return ", ".join(f"`{name}`" for name in names)


def _nearest(name: str, known: Sequence[str]) -> str:
    """Suggest the name that was meant, where one is near."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean `{near[0]}`?" if near else ""


def _convert(given: dict[str, Any], places: Mapping[str, str], file: str) -> Settings:
    """Check every value against its setting and make the structs.

    Checked by hand rather than by msgspec alone, because a message has to say what was found and
    in which file or variable, and because `ge` and `le` let NaN through.
    """
    by_section: dict[str, list[Setting]] = {}
    for setting in every_setting():
        by_section.setdefault(setting.section, []).append(setting)
    for section, content in given.items():
        _check_known(section, f"$.{section}", None, file)
        repeated = sections()[section][1]
        header = f"[[{section}]]" if repeated else f"[{section}]"
        rows = content if repeated else [content]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            # what was found could be a secret where a list of tables was meant
            found = f"`{_shown(content)}`" if not isinstance(content, list | dict | str) else "another value"
            raise ConfigError(f"expected a section `{header}`, found {found} at $.{section} in {file}")
        for number, row in enumerate(rows):
            path = f"$.{section}[{number}]" if repeated else f"$.{section}"
            for key in row:
                _check_known(section, path, key, places.get(f"{path}.{key}", file))
            for setting in by_section[section]:
                at = f"{path}.{setting.key}"
                if setting.key in row:
                    row[setting.key] = _value(row[setting.key], setting, at, places.get(at, file))
                elif setting.default is None:
                    raise ConfigError(f"expected {setting.allowed} at {at} in {file}, found nothing there")
    return msgspec.convert(given, Settings)


def _value(value: Any, setting: Setting, path: str, place: str) -> Any:
    """Read a value as its setting wants it; text as well, which is what environment variables are."""
    read = {
        Kind.NUMBER: _number, Kind.WHOLE: _whole, Kind.SWITCH: _switch,
        Kind.TEXT: _text, Kind.CHOICE: _choice, Kind.LIST: _list,
    }[setting.kind](value, setting)  # fmt: skip
    if read is None:
        found = "something else (not shown, it could be a secret)" if setting.hidden else f"`{_shown(value)}`"
        meant = _nearest(value, setting.choices) if isinstance(value, str) else ""
        raise ConfigError(f"expected {setting.allowed}, found {found} at {path} in {place}{meant}")
    return read


def _number(value: Any, setting: Setting) -> float | None:
    """Read a number in a setting's range."""
    try:
        number = math.nan if isinstance(value, bool) else msgspec.convert(value, float, strict=False)
    except msgspec.ValidationError:
        return None
    return number if setting.lowest <= number <= setting.highest else None


def _whole(value: Any, setting: Setting) -> int | None:
    """Read a whole number in a setting's range."""
    number = _number(value, setting)
    return int(number) if number is not None and number == int(number) else None


def _switch(value: Any, _: Setting) -> bool | None:
    """Read a yes or no."""
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    return True if word in _TRUE else False if word in _FALSE else None


def _text(value: Any, setting: Setting) -> str | None:
    """Read a text; a whole number counts, as a chat's number needs no quotation marks."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    fits = isinstance(value, str) and (not setting.pattern or re.search(setting.pattern, value))
    return value if fits else None


def _choice(value: Any, setting: Setting) -> str | None:
    """Read one of a few words."""
    return value if isinstance(value, str) and value in setting.choices else None


def _list(value: Any, setting: Setting) -> list[str] | None:
    """Read a list of texts."""
    parts = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return None
    read = [_text(part, setting) for part in parts]
    return [part for part in read if part is not None] if None not in read else None


def _shown(value: Any) -> str:
    """Write a value as it was found, shortened."""
    text = value if isinstance(value, str) else repr(value)
    if isinstance(value, bool):
        text = text.lower()  # as TOML writes it
    return ascii(text[:60])[1:-1]
