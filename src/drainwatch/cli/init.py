"""`drainwatch init`: asks what a watch needs, and writes it to a settings file that explains itself."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from drainwatch.cli.screen import Debug, Screen
from drainwatch.errors import ConfigError

if TYPE_CHECKING:
    from drainwatch.config import Settings

HEAD = """\
Settings of drainwatch. What begins with one # is a default: take the # away to change it.
Keys, secrets and webhooks' URLs never stand here, only the names of places where they are kept.
Look whether all is well: drainwatch doctor --config {path}
"""

PLACE = "NAME of an environment variable, a file's path, credential:NAME of systemd, or keyring:NAME"

Where = Annotated[
    Path,
    typer.Option(
        "--config", metavar="FILE", help="File to write.", envvar="DRAINWATCH_CONFIG", show_envvar=False
    ),
]


def init(
    config: Where = Path("drainwatch.toml"),
    exchange: Annotated[
        str | None, typer.Option(metavar="ID", help="Exchange: binance, bybit, okx, hyperliquid, ...")
    ] = None,
    account: Annotated[str | None, typer.Option(metavar="NAME", help="Your name for the account.")] = None,
    key: Annotated[str | None, typer.Option(metavar="PLACE", help=f"Of the API key: {PLACE}.")] = None,
    secret: Annotated[str | None, typer.Option(metavar="PLACE", help="Of its secret, likewise.")] = None,
    passphrase: Annotated[
        str | None, typer.Option(metavar="PLACE", help="Of its passphrase, where it has one.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Account at Hyperliquid, 0x...")
    ] = None,
    channel: Annotated[
        str | None, typer.Option(metavar="KIND", help="slack, discord, telegram, webhook, apprise or none.")
    ] = None,
    url: Annotated[str | None, typer.Option(metavar="PLACE", help="Of the webhook's URL.")] = None,
    chat: Annotated[str | None, typer.Option(metavar="ID", help="Telegram's chat.")] = None,
    store: Annotated[
        str | None, typer.Option(metavar="URL", help="sqlite:///PATH or postgresql://USER@HOST/NAME.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: what isn't given is the default.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    debug: Debug = False,
) -> None:
    """Ask what a watch needs, and write a settings file."""
    with Screen(debug=debug) as screen:
        from drainwatch.config import load_settings

        if config.exists() and not force:
            raise ConfigError(f"expected no file at {config}, found one: name another, or say --force")
        given = {
            "exchange": exchange, "account": account, "key": key, "secret": secret, "passphrase": passphrase,
            "address": address, "channel": channel, "url": url, "chat": chat, "store": store,
        }  # fmt: skip
        settings = answered(Questions(given, yes=yes), config)
        write(config, settings)
        loaded = load_settings(config, {})
        if loaded != settings:
            raise RuntimeError(f"{config} doesn't load to what was written")
        screen.out(f"Written: {config}, for your eyes only.")
        screen.out("Now:")
        screen.out(f"  drainwatch doctor --send --config {config}")
        screen.out(f"  drainwatch watch --config {config}")


class Questions:
    """Asks on the terminal for what isn't given as an option.

    Parameters
    ----------
    given
        Answers by the name of their question; None for those that are to be asked.
    yes
        Ask nothing: the default is the answer.
    """

    def __init__(self, given: dict[str, str | None], *, yes: bool) -> None:
        self._given = given
        self._yes = yes

    def ask(self, name: str, why: str, default: str) -> str:
        """Give the answer to a question; `why` is a line that says what it is for."""
        answer = self._given.get(name)
        if answer is not None:
            return answer.strip()
        if self._yes:
            return default
        typer.echo(f"\n{why}", err=True)
        typer.echo(f"{name}{f' [{default}]' if default else ''}: ", err=True, nl=False)
        line = sys.stdin.readline()
        if not line:
            raise ConfigError(
                f"expected an answer to `{name}`, found the end of the input: answer with the option "
                f"--{name}, or say --yes"
            )
        return line.strip() or default


def answered(questions: Questions, config: Path) -> Settings:
    """Make settings of the answers.

    Raises
    ------
    ConfigError
        An answer isn't allowed. What could be a secret isn't shown.
    """
    from drainwatch.config import load_settings
    from drainwatch.config.agree import WITH_PASSPHRASE, WITHOUT_KEY

    exchange = questions.ask(
        "exchange",
        "The exchange whose account is watched: binance, binanceusdm, bybit, okx, hyperliquid, or any other "
        "id of ccxt's.",
        "binance",
    ).lower()
    options: dict[str, Any] = {"accounts.0.exchange": exchange}
    options["accounts.0.name"] = questions.ask(
        "account", "Your name for the account; alerts call it so.", "main"
    )
    prefix = re.sub(r"[^A-Z0-9]", "_", exchange.upper())
    if exchange in WITHOUT_KEY:
        options["accounts.0.address"] = questions.ask(
            "address", f"The account's address (0x...): fills at {exchange} are public, no key is needed.", ""
        )
    else:
        why = (
            "Where the API key is kept. Make one that only reads, for drainwatch alone: it must not be the "
            f"next one to be stolen.\n{PLACE}"
        )
        options |= place("accounts.0.key", questions.ask("key", why, f"{prefix}_KEY"), "key")
        why = f"Where the key's secret (or its private key) is kept, likewise.\n{PLACE}"
        options |= place("accounts.0.secret", questions.ask("secret", why, f"{prefix}_SECRET"), "secret")
        if exchange in WITH_PASSPHRASE:
            why = f"Keys of {exchange} have a passphrase: where it is kept.\n{PLACE}"
            default = f"{prefix}_PASSPHRASE"
            options |= place("accounts.0.passphrase", questions.ask("passphrase", why, default), "passphrase")
    kind = questions.ask(
        "channel",
        "Where alerts go, as nobody looks at a screen at night: slack, discord, telegram, webhook, apprise "
        "(e-mail, ntfy and a hundred more) or none.",
        "none",
    ).lower()
    if kind != "none":
        options |= {"channels.0.name": kind, "channels.0.kind": kind}
        what = {"telegram": "bot's token", "apprise": "URL, as apprise has them,"}.get(kind, "webhook's URL")
        why = f"Where the {what} is kept: who knows it can write there.\n{PLACE}"
        options |= place("channels.0.url", questions.ask("url", why, f"{prefix_of(kind)}_URL"), "url")
        if kind == "telegram":
            options["channels.0.chat_id"] = questions.ask("chat", "The number of Telegram's chat.", "")
    options["watch.store"] = questions.ask(
        "store",
        "Where fills, incidents and unsent alerts are kept, so that a crash loses and repeats nothing.",
        f"sqlite:///{config.absolute().parent / 'drainwatch.db'}",
    )
    try:
        return load_settings(None, {}, options)
    except ConfigError as error:
        said = (
            str(error).replace("the command line", "your answers").replace("the environment", "your answers")
        )
        raise ConfigError(said) from None


def prefix_of(word: str) -> str:
    """Make a word the beginning of an environment variable's name."""
    return re.sub(r"[^A-Z0-9]", "_", word.upper())


def place(setting: str, answer: str, name: str) -> dict[str, str]:
    """Tell which of the places an answer names.

    Raises
    ------
    ConfigError
        None: it may be the secret itself, so it isn't shown.
    """
    if answer.startswith("credential:"):
        return {f"{setting}_credential": answer.removeprefix("credential:")}
    if answer.startswith("keyring:"):
        return {f"{setting}_keyring": answer.removeprefix("keyring:")}
    if re.fullmatch(r"[A-Z_][A-Z0-9_]*", answer):
        return {f"{setting}_env": answer}
    if re.match(r"[~./]|[A-Za-z]:[/\\]", answer) and Path(answer).expanduser().name:
        return {f"{setting}_file": answer}
    raise ConfigError(
        f"expected the place where the {name} is kept, found something else (not shown, it could be the "
        f"{name} itself): an environment variable's name in capitals, a path that begins with /, ./ or ~/, "
        "credential:NAME or keyring:NAME"
    )


def write(path: Path, settings: Settings) -> None:
    """Write a settings file that its owner alone can read, whole or not at all."""
    from drainwatch.config.template import to_toml

    text = to_toml(settings, HEAD.format(path=path).rstrip())
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    with open(beside, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    beside.replace(path)
