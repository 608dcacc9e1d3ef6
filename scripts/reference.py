"""Write what comes from code in the documents.

In `docs/`: features, command line, exit codes, settings, rules, rooms, and the figures of what can't be seen.
In the README: the demo's words and the shipped model's figures.

    python scripts/reference.py

`tests/test_docs.py` fails while a page differs from what this writes.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "drainwatch"
GENERATED = "<!-- made by `make docs` from the source: edit there -->\n\n"


TOLD = {
    "fills": "fills alone",
    "candles": "with candles and balances",
    "trades": "with the tape and balances",
    "quotes": "with quotes as well",
    "orders": "with quotes and the bot's order log",
}
"""Levels of information (`trial.ROWS_AT`) in words."""

LARGE_SHARE = 0.25
"""Of a loss: a thief who gets so much of it before the alert is named among the limits."""

FEATURES_INTRODUCTION = """\
What each fill is measured by, before anything learns from it. Every feature rises with danger. One that needs
a table which is absent, or more past than there is, is null: it then has no vote, and never counts as 0.

`s` is the side (+1 buy, -1 sell), `p` the fill's price, `F` the fair price, `m` the market's own mid, `r` the
price by a route over other markets.
"""


RULES_INTRODUCTION = """\
Named tripwires beside the forests and the sequential test. How much a tripped rule counts is measured in
training, by how often it trips on harmless histories.

"""

FORMATS_INTRODUCTION = """\
`drainwatch scan` tells by a file's columns what it is. It reads CSV with any usual separator, JSON Lines,
lists in JSON and Parquet, packed with gzip or not, whatever the file is called; the databases of freqtrade
and hummingbot, also while the bot runs; and results of freqtrade's backtests. A folder stands for the files
in it.

```sh
drainwatch scan export.csv
drainwatch scan exports/ --trades tape/ --out result
drainwatch scan mine.csv --map timestamp=When --map price=Px --map symbol==BTC/USDT --timezone Europe/Berlin
```

- **Another table**: `--map OURS=THEIRS` names a column of [the fills table](tables.md#fills), and
  `--map OURS==VALUE` gives all rows one value; what is called as one would expect needs no word. It also goes
  before what an importer knows. `--format NAME` takes a file for what you say it is.
- **Times**: a zone in the time itself counts, then one in the column's name, then `--timezone`, then one in
  the lines before the header or in the file's name, then UTC. Of an hour that a clock shows twice the first
  counts.
- **Dates** such as 03/04/2024 are read only if others in the file tell which part is the day.
- **Numbers** may have thousands separators or a decimal comma; which of them, the file's beginning shows. One
  that could be two is a bad row.
- **Ids**: a row without one is named by what it says, and counted among its equals: two equal rows of a file
  are two fills, a row that two overlapping files hold is one.
- **Rows that are no fills**, such as deposits and funding, are counted and named; bad rows go to
  `rejected.jsonl`, as with `replay`.
- **Excel workbooks** are not read: save the sheet as CSV UTF-8.

"""

SETTINGS_INTRODUCTION = """\
In a TOML file, named by `--config` or by the environment variable `DRAINWATCH_CONFIG`, a table a section. An
option of the command goes before a variable of the environment, that before the file, the file before the
default. Unknown keys are refused. `drainwatch init` writes a file in which every setting is explained.

```toml
[judgement]
false_alarms_per_month = 0.1

[[accounts]]
name = "main"
exchange = "binance"
key_file = "/home/me/keys/binance.key"
secret_file = "/home/me/keys/binance.secret"
```

A key, a secret, a password or a webhook's URL never stands in this file: settings name the place where it is
kept. `..._env` names an environment variable; `..._file` a file that nobody but its owner may read
(`chmod 600`); `..._credential` one of systemd's credentials (`LoadCredential=`); `..._keyring` an entry of
the desktop's keyring (`pip install 'drainwatch[keyring]'`, then `keyring set drainwatch NAME`). One of them
is enough.

Sections in double brackets may stand there several times. In the environment their tables are counted from 0:
`DRAINWATCH__ACCOUNTS__0__NAME`. Lists are written there with commas; an empty variable counts as absent.

"""


def pages(*, demo: bool = False) -> dict[Path, str]:
    """Return each page with the text that it should have; what the demo prints (20 s) only on request."""
    architecture = ROOT / "docs" / "architecture.md"
    readme = ROOT / "README.md"
    readme_text = readme.read_text(encoding="utf-8")
    if demo:
        readme_text = with_demo(readme_text)
    return {
        readme: with_figures(readme_text),
        ROOT / "docs" / "benchmark.md": with_result(
            (ROOT / "docs" / "benchmark.md").read_text(encoding="utf-8")
        ),
        ROOT / "docs" / "what-it-cannot-see.md": with_limits(
            (ROOT / "docs" / "what-it-cannot-see.md").read_text(encoding="utf-8")
        ),
        ROOT / "docs" / "features.md": features(),
        ROOT / "docs" / "command-line.md": command_line(),
        ROOT / "docs" / "formats.md": formats(),
        ROOT / "docs" / "exit-codes.md": exit_codes(),
        ROOT / "docs" / "rules.md": rules(),
        ROOT / "docs" / "settings.md": settings(),
        architecture: with_rooms(architecture.read_text(encoding="utf-8")),
    }


def features() -> str:
    """Return the page of all features."""
    from drainwatch.features import markdown

    return f"# Features\n\n{GENERATED}{FEATURES_INTRODUCTION}\n{markdown()}"


def formats() -> str:
    """Return the page of the exports that can be read."""
    from drainwatch.imports.catalogue import IMPORTERS, STRANGERS
    from drainwatch.imports.plain import MAPPED, OWN

    rows = [
        f"| {one.title[0].upper()}{one.title[1:]} | `{one.name}` | {one.where} |"
        for one in (*IMPORTERS, OWN, MAPPED)
    ]
    columns = []
    for one in IMPORTERS:
        names = dict.fromkeys(
            f"`{c.names[0]}`" + ("" if c.needed else "?") for c in one.columns if c.names[0][0] != "_"
        )
        notes = f" {one.note}" if one.note else ""
        columns.append(f"- **{one.title}** (`{one.name}`): {', '.join(names)}.{notes}")
    strange = [f"| {one.title} | {one.instead} |" for one in STRANGERS]
    return "\n".join(
        [
            f"# Formats\n\n{GENERATED}{FORMATS_INTRODUCTION}",
            *("| file | `--format` | how to get it |", "|---|---|---|", *rows, ""),
            "## By which columns\n",
            "In any order and case; a zone in a name such as `Date(UTC+8)` counts for the times. A question",
            "mark is at what an export may lack. Other spellings, such as Chinese ones, are known as well.\n",
            *columns,
            "\n## Known to hold no fills\n",
            *("| file | what to do |", "|---|---|", *strange, ""),
        ]
    )


def command_line() -> str:
    """Return the page of all commands and their options."""
    import typer

    from drainwatch.cli import app

    root = typer.main.get_command(app)
    out = ["# Command line\n", GENERATED.rstrip("\n") + "\n", f"{sentence(root.help)}\n"]
    for words, command in commands(root, ("drainwatch",)):
        out += [f"## {' '.join(words)}\n", f"{sentence(command.help)}\n", *options(command)]
    return "\n".join([*out, "How it ended is told by its [exit code](exit-codes.md).", ""])


def exit_codes() -> str:
    """Return the page of the exit codes."""
    from drainwatch.cli import ExitCode

    rows = [f"| {int(code)} | {code.meaning} |" for code in ExitCode]
    return "\n".join(
        ["# Exit codes", "", GENERATED.rstrip(), "", "| code | meaning |", "|---|---|", *rows, ""]
    )


def settings() -> str:
    """Return the page of all settings."""
    from drainwatch.config import every_setting, heading, sections

    out = []
    for section, (_, repeated) in sections().items():
        name = f"[[{section}]]" if repeated else f"[{section}]"
        head = ["| key | default | allowed | in the environment | meaning |", "|---|---|---|---|---|"]
        rows = [
            f"| `{s.key}` | {shown_default(s.default)} | {s.allowed} | `{s.variable}` | {s.text} |"
            for s in every_setting()
            if s.section == section
        ]
        out += [f"## `{name}`", "", heading(section), "", *head, *rows, ""]
    return f"# Settings\n\n{GENERATED}{SETTINGS_INTRODUCTION}" + "\n".join(out)


def shown_default(value: Any) -> str:
    """Return a setting's default as the file would have it; nothing for an empty text."""
    from drainwatch.config.template import toml_value

    if value is None:
        return "needed"
    return "" if value in {"", ()} else f"`{toml_value(value)}`"


def rules() -> str:
    """Return the page of all rules."""
    from drainwatch.rules import RULES

    rows = [f"| `{r.id}` | {sentence(r.why)} | {r.severity} | {r.maturity} | {r.remedy} |" for r in RULES]
    head = ["| rule | trips when | severity | maturity | what to do |", "|---|---|---|---|---|"]
    return f"# Rules\n\n{GENERATED}{RULES_INTRODUCTION}" + "\n".join([*head, *rows, ""])


def commands(command: Any, words: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    """Return the commands that do something, with the words that call them, in their own order."""
    inner = getattr(command, "commands", None)
    if not inner:
        return [(words, command)]
    return [found for name, sub in inner.items() for found in commands(sub, (*words, name))]


def options(command: Any) -> list[str]:
    """Return a table of a command's arguments and options."""
    rows = [
        f"| `{spelling(parameter)}` | {sentence(getattr(parameter, 'help', None))} | {default(parameter)} |"
        for parameter in command.params
        if parameter.name != "help"
    ]
    return ["| option | meaning | if not given |", "|---|---|---|", *rows, ""] if rows else []


def spelling(parameter: Any) -> str:
    """Return how a parameter is written on the command line."""
    if parameter.param_type_name == "argument":
        return str(parameter.name).upper()
    return ", ".join([*parameter.opts, *parameter.secondary_opts])


def default(parameter: Any) -> str:
    """Return what holds where a parameter isn't given."""
    if parameter.required:
        return "needed"
    if parameter.default is None or parameter.default is False or callable(parameter.default):
        return ""
    return f"`{parameter.default}`"


def sentence(text: str | None) -> str:
    """Return help text on one line, without terminal markup."""
    plain = re.sub(r"\[/?(?:bold|dim|cyan|green|red|yellow)\]", "", text or "")
    return re.sub(r"\s+", " ", plain.replace("\b", "")).replace("|", "\\|").strip()


def with_rooms(page: str) -> str:
    """Return the architecture page with its table of rooms made anew."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    rows = ["| room | what it is |", "|---|---|"]
    for layer in layers:
        rooms = [room.strip(" ()") for room in re.split(r"[|:]", layer)]
        rows += [f"| `{room}` | {purpose(room)} |" for room in rooms]
    return between(page, "rooms", rows)


def between(page: str, mark: str, lines: list[str]) -> str:
    """Return a page with what stands between `<!-- mark -->` and `<!-- /mark -->` made anew."""
    head, begin, rest = page.partition(f"<!-- {mark} -->")
    _, end, tail = rest.partition(f"<!-- /{mark} -->")
    if not (begin and end):
        message = f"expected <!-- {mark} --> and <!-- /{mark} --> in a page, found none"
        raise ValueError(message)
    return head + "\n".join([begin, "", *lines, "", end]) + tail


def with_demo(page: str) -> str:
    """Return the README with what `make demo` prints."""
    run = subprocess.run(
        [sys.executable, "-m", "drainwatch", "demo", "--live"],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"NO_COLOR": "1", "PYTHONPATH": str(ROOT / "src")},
    )
    return between(page, "demo", ["```text", *run.stdout.strip().splitlines(), "```"])


def with_figures(page: str) -> str:
    """Return the README with the figures of the shipped model's card."""
    card = json.loads((ROOT / "models" / "default" / "card.json").read_text(encoding="utf-8"))
    if "metrics" not in card:
        return between(page, "figures", ["The shipped model's card has no figures."])
    metrics, drains = card["metrics"], card["metrics"]["drains_of_each_kind"]
    levels = [level for level in TOLD if level in metrics]
    rule = "|---|" + "---|" * len(levels)
    names = " | ".join(TOLD[level] for level in levels)
    false = " | ".join(f"{metrics[level]['false_incidents_a_month']:.2g}" for level in levels)
    rows = [f"| | {names} |", rule, f"| **false incidents an account-month** | {false} |"]
    for thief in metrics[levels[0]]["thieves"]:
        cells = [metrics[level]["thieves"][thief] for level in levels]
        told = " | ".join(f"{c['found'] * drains:.0f} of {drains}, {c['gone_at_alert']:.0%}" for c in cells)
        rows.append(f"| {thief.replace('_', ' ')} | {told} |")
    gone = [[cell["gone_at_alert"] for cell in metrics[level]["thieves"].values()] for level in levels]
    rows.append(
        "| **gone, mean of all kinds** | " + " | ".join(f"{sum(g) / len(g):.0%}" for g in gone) + " |"
    )
    said = (
        f"Measured by `{card['command']}` on {metrics['benign_months']} simulated account-months without "
        f"a thief and {drains} drains of each kind, on seeds that nothing was trained or tuned on, at the "
        "default budget. A cell has how many of the drains were found, and the mean share of their loss that "
        "was gone at the alert (100 % where none was raised)."
    )
    return between(page, "figures", [said, "", *rows])


def with_result(page: str) -> str:
    """Return the benchmark's page with what the result beside it says."""
    from drainwatch.bench.text import to_text

    kept = ROOT / "docs" / "benchmark.json"
    if not kept.is_file():
        return between(page, "result", ["No result is kept here: run it."])
    result = json.loads(kept.read_text(encoding="utf-8"))
    return between(page, "result", ["```text", to_text(result).rstrip(), "```"])


def with_limits(page: str) -> str:
    """Return the page of limits with what the kept benchmark says of them."""
    kept = ROOT / "docs" / "benchmark.json"
    if not kept.is_file():
        return between(page, "limits", ["No result of the benchmark is kept here."])
    result = json.loads(kept.read_text(encoding="utf-8"))
    levels = result["levels"]
    ours = levels[result["figure_level"]]["detectors"]["drainwatch"]
    basis = (
        "From the result that is kept in [benchmark.json](benchmark.json), of simulated accounts; how it is "
        "measured is told with [the benchmark](benchmark.md)."
    )
    lines = [
        basis,
        "",
        "| given | thefts never found | gone at the alert, mean | false incidents an account-month |",
        "|---|---|---|---|",
    ]
    for level in levels.values():
        of = level["detectors"]["drainwatch"]
        missed = f"{level['drains'] * (1 - of['recall']):.0f} of {level['drains']}"
        lines.append(
            f"| {level['about']} | {missed} | {of['gone']['mean']:.0%} | {of['false_a_month']:.2f} |"
        )
    worst = (
        "With the bot's order log, these thieves had a quarter of the loss or more before the alert, "
        "or were not always found:"
    )
    lines += ["", worst, "", "| thief | never found | gone at the alert, mean |", "|---|---|---|"]
    thieves = sorted(ours["by_thief"].items(), key=lambda item: -item[1]["gone"]["mean"])
    for thief, of in thieves:
        if of["gone"]["mean"] >= LARGE_SHARE or of["recall"] < 1:
            missed = f"{of['drains'] * (1 - of['recall']):.0f} of {of['drains']}"
            lines.append(f"| {thief.replace('_', ' ')} | {missed} | {of['gone']['mean']:.0%} |")
    over = [owner for owner, rate in ours["false_by_owner"].items() if rate > result["budget"]]
    named = ", ".join(owner.replace("_", " ") for owner in over) or "none"
    lines += [
        "",
        f"Owners above the budget of {result['budget']:g} false incidents an account-month: {named}.",
    ]
    return between(page, "limits", lines)


def purpose(room: str) -> str:
    """Return the first sentence of a module's or package's docstring."""
    file = SOURCE / f"{room}.py"
    if not file.is_file():
        file = SOURCE / room / "__init__.py"
    first = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").partition("\n\n")[0]
    return sentence(first)


def main() -> None:
    """Write the pages that differ."""
    for path, text in pages(demo=True).items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
