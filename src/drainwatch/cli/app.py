"""The verbs and their options. Heavy libraries come with the verb that needs them, not with `--help`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from drainwatch.cli import outcome
from drainwatch.cli.alerts import alerts
from drainwatch.cli.demo import demo
from drainwatch.cli.doctor import doctor
from drainwatch.cli.exit_codes import ExitCode
from drainwatch.cli.fetch import fetch
from drainwatch.cli.incidents import incidents
from drainwatch.cli.init import init
from drainwatch.cli.keys import keys
from drainwatch.cli.lab import lab
from drainwatch.cli.rerun import journal, rerun
from drainwatch.cli.response import response
from drainwatch.cli.scan import scan
from drainwatch.cli.screen import Debug, NoColor, Quiet, Screen
from drainwatch.cli.silence import silence
from drainwatch.cli.watch import watch

EPILOG = """\
\b
Begin with: drainwatch demo. Exit codes: 0 it ran, 1 a check failed, 2 wrong
option, setting, model, 3 unusable table, 70 fault in drainwatch, 130 stopped.
"""

app = typer.Typer(
    name="drainwatch",
    add_completion=False,
    rich_markup_mode=None,  # plain help: a third of the lines, and no rich to load
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at a model.")

Fills = Annotated[
    str,
    typer.Option(
        metavar="FILE", help="The account's own fills: CSV, JSON Lines or Parquet, a folder or a glob."
    ),
]
Trades = Annotated[str | None, typer.Option(metavar="FILE", help="Public trades.")]
Quotes = Annotated[str | None, typer.Option(metavar="FILE", help="Best bid and ask at each change.")]
Candles = Annotated[str | None, typer.Option(metavar="FILE", help="Candles, for want of trades and quotes.")]
Balances = Annotated[
    str | None, typer.Option(metavar="FILE", help="What the account held, by currency and time.")
]
Orders = Annotated[
    str | None, typer.Option(metavar="FILE", help="Orders that the owner's bot says it placed.")
]
Markets = Annotated[
    str | None, typer.Option(metavar="FILE", help="Contract sizes and currencies of markets.")
]
ModelPath = Annotated[
    Path | None,
    typer.Option("--model", metavar="FILE", help="Model to judge by.  [default: the one that comes along]"),
]
ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        envvar="DRAINWATCH_CONFIG",
        show_envvar=False,
        help="Settings, TOML; DRAINWATCH__SECTION__KEY go before it.  [env: DRAINWATCH_CONFIG]",
    ),
]
WhenFound = Annotated[
    int,
    typer.Option(
        "--exit-code", metavar="N", min=0, max=255, help="Exit code when there is an incident, 0 to 255."
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse a table with any bad row, not only beyond 1 %.")
]


def _version(asked: bool) -> None:
    """Print the version and leave."""
    if asked:
        from importlib.metadata import version

        typer.echo(f"drainwatch {version('drainwatch')}")
        raise typer.Exit


@app.callback()
def root(
    _: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    """Find out whether somebody drains an exchange account by trading."""


app.command()(demo)


@app.command()
def replay(
    fills: Fills,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the outcome.")],
    trades: Trades = None,
    quotes: Quotes = None,
    candles: Candles = None,
    balances: Balances = None,
    orders: Orders = None,
    markets: Markets = None,
    model: ModelPath = None,
    config: ConfigPath = None,
    exit_code: WhenFound = 0,
    strict: Strict = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """Judge fills from files.

    Writes incidents.jsonl, scores.parquet, report.html and rejected.jsonl to DIR.
    Only the fills are needed; every further table makes the judgement better.
    """
    with Screen(quiet=quiet, no_color=no_color, debug=debug) as screen:
        from drainwatch.cli import shells
        from drainwatch.config import load_settings

        settings = load_settings(config)
        tables = _named(fills, trades, quotes, candles, balances, orders, markets)
        with screen.progress() as progress:
            summary = shells.replay(
                tables, out, model=model, settings=settings, strict=strict, progress=progress
            )
        for note in summary.notes:
            screen.note(f"drainwatch: {note}")
        outcome.show(summary, screen)
        if summary.n_incidents:
            raise typer.Exit(exit_code)


app.command()(scan)


@app.command()
def explain(
    fill: Annotated[str, typer.Argument(metavar="FILL", help="Id of the fill, as the exchange gave it.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of an earlier replay.")] = Path("out"),
    scores: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its scores.  [default: scores.parquet in the folder]")
    ] = None,
    debug: Debug = False,
) -> None:
    """Say why one fill was judged as it was."""
    with Screen(debug=debug) as screen:
        from drainwatch.cli.scores import find
        from drainwatch.report.fill import explain as in_words

        found = find(scores or out / "scores.parquet", fill)
        screen.out("\n\n".join(in_words(row, measured) for row, measured in found))


@app.command()
def train(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the model, as in models/NAME.")],
    from_lab: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="How many simulated account-months without a thief."),
    ] = 200,
    fills: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Fills of an account that nobody drained, beside the simulated."),
    ] = None,
    trades: Trades = None,
    quotes: Quotes = None,
    candles: Candles = None,
    balances: Balances = None,
    orders: Orders = None,
    markets: Markets = None,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Of all chance: the same seed, the same bytes.")
    ] = 0,
    quiet: Quiet = False,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """Train a model from the simulator, and benign fills."""
    with Screen(quiet=quiet, no_color=no_color, debug=debug) as screen:
        from drainwatch.cli import shells

        tables = _named(fills, trades, quotes, candles, balances, orders, markets)
        if fills is None and any(tables.values()):
            raise typer.BadParameter(
                "expected fills beside the other tables, found none", param_hint="--fills"
            )
        with screen.progress() as progress:
            card = shells.train(tables, out, months=from_lab, seed=seed, progress=progress)
        _show_card(card, screen)
        screen.out()
        screen.out(f"Use it: drainwatch replay --model {out} ...")


@app.command()
def features(
    markdown: Annotated[bool, typer.Option("--markdown", help="As the table of docs/features.md.")] = False,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """List what is measured of a fill."""
    with Screen(no_color=no_color, debug=debug) as screen:
        from drainwatch.features import registry

        if markdown:
            screen.out(registry.markdown().rstrip("\n"))
            return
        rows = [(f.name, f.family, f.unit, f.needs or "fills only", f.sign) for f in registry.FEATURES]
        screen.table(("feature", "family", "unit", "needs", "positive means"), rows)


@models.command("show")
def show_model(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="PATH", help="Folder of a model.  [default: the one that comes along]"),
    ] = None,
    no_color: NoColor = False,
    debug: Debug = False,
) -> None:
    """Show a model's card, after checking that its files are whole."""
    with Screen(no_color=no_color, debug=debug) as screen:
        from drainwatch.model import default_model_path, load_model

        where = path or default_model_path()
        card = load_model(where).card
        screen.out(f"Model in {where}; its hash matches.")
        _show_card(card, screen)


app.command()(fetch)
app.command()(watch)
app.command()(rerun)
app.command()(init)
app.command()(doctor)
app.add_typer(incidents, name="incidents")
app.add_typer(silence, name="silence")
app.add_typer(alerts, name="alerts")
app.add_typer(keys, name="keys")
app.add_typer(journal, name="journal")
app.add_typer(models, name="model")
app.add_typer(response, name="response")
app.add_typer(lab, name="lab")


def _named(*paths: str | None) -> dict[str, str | None]:
    """Name the paths of tables, given in the order of the options."""
    names = ("fills", "trades", "quotes", "candles", "balances", "orders", "markets")
    return dict(zip(names, paths, strict=True))


def _show_card(card: Mapping[str, Any], screen: Screen) -> None:
    """Print a model's card: one line a value, arrays only counted, the figures of each thief as a table."""
    metrics = card.get("metrics", {})
    order = card.get("levels", [])
    levels = [name for name, value in metrics.items() if isinstance(value, dict) and "thieves" in value]
    levels.sort(key=lambda name: order.index(name) if name in order else len(order))
    plain = {name: value for name, value in card.items() if name != "arrays"}
    if levels:
        plain["metrics"] = metrics | {
            level: {name: value for name, value in metrics[level].items() if name != "thieves"}
            for level in levels
        }
    rows = list(_flat(plain))
    if isinstance(card.get("arrays"), dict):
        rows.append(("arrays", str(len(card["arrays"]))))
    screen.table(("card", ""), rows)
    if levels:
        screen.out()
        screen.prose("How many drains were found / how much was gone at the alert, by what is given:")
        screen.table(("thief", *levels), _by_thief(metrics, levels))


def _by_thief(metrics: Mapping[str, Any], levels: Sequence[str]) -> list[tuple[str, ...]]:
    """Figures of a model as rows: a thief, then at each level the shares found and gone at the alert."""
    rows = []
    for thief in metrics[levels[0]]["thieves"]:
        cells = [metrics[level]["thieves"].get(thief) for level in levels]
        told = ["" if c is None else f"{c['found']:.0%} / {c['gone_at_alert']:.0%}" for c in cells]
        rows.append((thief, *told))
    return rows


def _flat(card: Mapping[str, Any], path: str = "") -> list[tuple[str, str]]:
    """Put nested values on one level, named by their path."""
    rows: list[tuple[str, str]] = []
    for name, value in card.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{path}{name}.")
        elif isinstance(value, list):
            shown = ", ".join(map(str, value[:6]))
            rows.append((f"{path}{name}", shown + (f", ... ({len(value)})" if value[6:] else "")))
        else:
            rows.append((f"{path}{name}", str(value)))
    return rows


def main() -> None:
    """Run the command; ends the process with an exit code."""
    app(prog_name="drainwatch")


__all__ = ["ExitCode", "app", "main"]
