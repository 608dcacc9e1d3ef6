"""Settings as a TOML file that explains itself: each setting with what it is for, defaults commented out.

Made from the structs, so that the file that `drainwatch init` writes never tells of settings that aren't.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from drainwatch.config.catalogue import Kind, Setting, every_setting, heading, sections
from drainwatch.config.settings import Settings

WIDTH = 100
"""Of the comments, in characters."""

_EXAMPLES: dict[tuple[str, str], Any] = {
    ("accounts", "name"): "main",
    ("accounts", "exchange"): "binance",
    ("channels", "name"): "phone",
    ("channels", "kind"): "telegram",
    ("responses", "name"): "stop-bot",
    ("responses", "kind"): "freqtrade",
    ("bots", "kind"): "freqtrade",
    ("bots", "database"): "tradesv3.sqlite",
}
"""What stands, commented out, where there is no default."""


def to_toml(settings: Settings, head: str = "") -> str:
    """Write settings as TOML that loads to the same again.

    `head` comes first, as a comment. What differs from the default is set; every other setting stands
    there as a comment with its default. A list of tables without any is one example, all commented out.
    """
    out = [*_comment(head), ""] if head else []
    for section, (_, repeated) in sections().items():
        keys = [setting for setting in every_setting() if setting.section == section]
        content = getattr(settings, section)
        out += [*_comment(heading(section))]
        if not repeated:
            out += [f"[{section}]", *_table(content, keys), ""]
        elif content:
            for table in content:
                out += [f"[[{section}]]", *_table(table, keys), ""]
        else:
            out += [f"# [[{section}]]", *_table(None, keys), ""]
    return "\n".join(out)


def toml_value(value: Any) -> str:
    """Write a value as TOML does."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(part) for part in value)}]"
    if isinstance(value, str):  # TOML's strings are JSON's, but that no sign may be written as two halves
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _table(table: Struct | None, keys: list[Setting]) -> Iterator[str]:
    """Write the settings of a table; None for an example."""
    for setting in keys:
        otherwise = setting.default
        if otherwise is None:
            otherwise = _EXAMPLES[setting.section, setting.key]
        value = otherwise if table is None else getattr(table, setting.key)
        limited = setting.kind in {Kind.NUMBER, Kind.WHOLE, Kind.CHOICE}
        allowed = setting.allowed[:1].upper() + setting.allowed[1:] + "." if limited else ""
        yield from _comment(f"{setting.text} {allowed}")
        is_set = table is not None and (setting.default is None or value != setting.default)
        yield f"{'' if is_set else '# '}{setting.key} = {toml_value(value)}"


def _comment(text: str) -> Iterator[str]:
    """Write text as comments: `##`, so that they differ from settings that are commented out."""
    for line in text.split("\n"):
        yield from (f"## {part}".rstrip() for part in textwrap.wrap(line, WIDTH - 3) or [""])
