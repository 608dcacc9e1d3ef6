"""The settings as frozen structs: what there is, what holds where nothing is said, what is allowed.

Each field's `Meta` carries what people read: `title` is the unit of a number, or what a text has to look
like; `description` says what it is for; `extra` marks values that no message may show. Documents, the
commented file of `drainwatch init` and error messages are all made from here.

Fields that end in `_env`, `_file`, `_credential` and `_keyring` name a place where a secret is kept
(`secret`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the settings file; its docstring's first line heads it in documents."""


class ChannelKind(StrEnum):
    """How a channel wants its messages."""

    SLACK = "slack"
    DISCORD = "discord"
    TELEGRAM = "telegram"
    WEBHOOK = "webhook"
    APPRISE = "apprise"


class Severity(StrEnum):
    """From how bad an incident on a channel is told."""

    WARNING = "warning"
    CRITICAL = "critical"


class ResponseKind(StrEnum):
    """What a response does."""

    FREQTRADE = "freqtrade"
    HUMMINGBOT = "hummingbot"
    COMMAND = "command"
    WEBHOOK = "webhook"
    CANCEL_ORDERS = "cancel_orders"


class FreqtradeAction(StrEnum):
    """What freqtrade is told."""

    STOP = "stop"
    STOP_ENTRIES = "stop_entries"
    EXIT_AND_STOP = "exit_and_stop"


class OncePer(StrEnum):
    """How often a response may run."""

    INCIDENT = "incident"
    HOUR = "hour"
    DAY = "day"


class BotKind(StrEnum):
    """Whose database it is."""

    FREQTRADE = "freqtrade"
    HUMMINGBOT = "hummingbot"


EnvName = Annotated[
    str,
    Meta(
        pattern=r"\A([A-Z_][A-Z0-9_]{0,99})?\Z",
        title="the name of an environment variable (capitals, digits, _)",
        extra={"hidden": True},  # somebody may have written the key itself here
    ),
]
FileName = Annotated[
    str,
    Meta(
        pattern=r"\A(.*[/\\.~].*)?\Z",
        title="the path of a file, with a / or a . in it",
        extra={"hidden": True},
    ),
]
CredentialName = Annotated[
    str,
    Meta(
        pattern=r"\A([A-Za-z0-9_][A-Za-z0-9_.:-]{0,49})?\Z",
        title="the name of a systemd credential",
        extra={"hidden": True},
    ),
]
KeyringName = Annotated[
    str,
    Meta(
        pattern=r"\A([A-Za-z0-9_][A-Za-z0-9_.:-]{0,49})?\Z",
        title="the name of an entry of the keyring's service `drainwatch`",
        extra={"hidden": True},
    ),
]
Name = Annotated[
    str,
    Meta(pattern=r"\A[A-Za-z0-9_][A-Za-z0-9_. -]{0,39}\Z", title="a name of 1 to 40 letters, digits, _ . -"),
]
NameOrNone = Annotated[
    str,
    Meta(
        pattern=r"\A([A-Za-z0-9_][A-Za-z0-9_. -]{0,39})?\Z", title="a name of up to 40 letters, digits, _ . -"
    ),
]
_ADDRESS = r"(localhost|127\.[0-9.]{5,11}|\[::1\])(:[0-9]+)?"
Url = Annotated[
    str,
    Meta(
        # a signed request over plain HTTP can be read and repeated by anybody on its way
        pattern=rf"\A((https|wss)://[^\s@/]+(/\S*)?|(http|ws)://{_ADDRESS}(/\S*)?)?\Z",
        title="an https or wss URL without a password (http and ws to this machine alone)",
        extra={"hidden": True},
    ),
]
Host = Annotated[
    str, Meta(pattern=r"\A[A-Za-z0-9_.:-]{1,255}\Z", title="the name or number of an address to listen on")
]
Port = Annotated[int, Meta(ge=0, le=65535)]
Symbol = Annotated[
    str,
    Meta(
        pattern=r"\A[^\s/:,]+/[^\s/:,]+(:[^\s/:,]+)?\Z", title="symbols such as `ETH/BTC` or `BTC/USDT:USDT`"
    ),
]
Argument = Annotated[
    str, Meta(pattern=r"\A[^\x00]{1,4000}\Z", title="words of a command", extra={"hidden": True})
]
Variable = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z_][A-Za-z0-9_]{0,99}\Z",
        title="names of environment variables (letters, digits, _)",
        extra={"hidden": True},
    ),
]
Path = Annotated[str, Meta(pattern=r"\A[^\x00-\x1f]*\Z", title="a path")]


class Judgement(Section, frozen=True, kw_only=True):
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


class Incidents(Section, frozen=True, kw_only=True):
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


class Watch(Section, frozen=True, kw_only=True):
    """The running watch: what it keeps and how it keeps up."""

    store: Annotated[
        str,
        Meta(
            pattern=r"\A(sqlite:///[^\x00-\x1f]+|postgres(ql)?://(?!\S*password=)[^\s:@/]*(@?[^\s@]*))\Z",
            title="`sqlite:///PATH` or `postgresql://USER@HOST/NAME` without a password",
            description="Where fills, incidents and unsent alerts are kept. `sqlite:///drainwatch.db` is a "
            "file in the folder where the command runs, `sqlite:////var/lib/drainwatch.db` one anywhere.",
            extra={"hidden": True},
        ),
    ] = "sqlite:///drainwatch.db"
    store_password_env: Annotated[
        EnvName, Meta(description="Environment variable with the password of a PostgreSQL store.")
    ] = ""
    store_password_file: Annotated[
        FileName, Meta(description="File with that password, readable by you alone (chmod 600).")
    ] = ""
    store_password_credential: Annotated[
        CredentialName, Meta(description="systemd credential with that password.")
    ] = ""
    store_password_keyring: Annotated[
        KeyringName, Meta(description="Entry of the keyring with that password.")
    ] = ""
    record: Annotated[
        Path,
        Meta(
            description="Folder in which all frames of the exchanges are kept, to replay them. Empty: none."
        ),
    ] = ""
    record_gb: Annotated[
        float, Meta(ge=0.1, le=100_000, title="GB", description="Size of that folder; the oldest go first.")
    ] = 10.0
    hold_back_ms: Annotated[
        int,
        Meta(
            ge=0,
            le=60_000,
            title="ms",
            description="How long prices of the market wait for fills that come late, so that a fill is "
            "judged by what was known before it. Fills never wait.",
        ),
    ] = 2_000
    alive_daily: Annotated[
        bool, Meta(description="Say once a day on the channels that the watch runs and hears its streams.")
    ] = False
    alive_hour_utc: Annotated[int, Meta(ge=0, le=23, title="hours UTC", description="When that is said.")] = 7
    snapshot_minutes: Annotated[
        float,
        Meta(
            ge=0.1,
            le=1_440,
            title="minutes",
            description="Time between saved states. Longer means a longer start after a crash, never a loss.",
        ),
    ] = 10.0
    whole_journal: Annotated[
        bool,
        Meta(
            description="Keep the journal from its beginning, to export and replay it. It grows by some 100 "
            "bytes for each price that the market shows; else what saved states cover is dropped."
        ),
    ] = False
    backfill_minutes: Annotated[
        float,
        Meta(
            ge=0.1,
            le=1_440,
            title="minutes",
            description="Time between looks at the exchange's own list of fills, for those that its stream "
            "never told. It is also looked at after each connect.",
        ),
    ] = 5.0


class Account(Section, frozen=True, kw_only=True):
    """An account that is watched."""

    name: Annotated[Name, Meta(description="Your name for it, as alerts call it. Each once.")]
    exchange: Annotated[
        str,
        Meta(
            pattern=r"\A[a-z][a-z0-9_]{1,39}\Z",
            title="an exchange's id in small letters, such as `binance`",
            description="`binance`, `binanceusdm`, `bybit`, `okx`, `hyperliquid`, or any id of ccxt's.",
        ),
    ]
    key_env: Annotated[
        EnvName, Meta(description="Environment variable with the API key. It should be read-only.")
    ] = ""
    key_file: Annotated[
        FileName, Meta(description="File with the key, readable by you alone (chmod 600).")
    ] = ""
    key_credential: Annotated[
        CredentialName, Meta(description="systemd credential (LoadCredential=) with the key.")
    ] = ""
    key_keyring: Annotated[
        KeyringName,
        Meta(description="Entry of the keyring with the key: `keyring set drainwatch NAME` puts it there."),
    ] = ""
    secret_env: Annotated[
        EnvName,
        Meta(description="Environment variable with the key's secret, or a private key (Ed25519, RSA; PEM)."),
    ] = ""
    secret_file: Annotated[
        FileName, Meta(description="File with the secret, readable by you alone (chmod 600).")
    ] = ""
    secret_credential: Annotated[CredentialName, Meta(description="systemd credential with the secret.")] = ""
    secret_keyring: Annotated[KeyringName, Meta(description="Entry of the keyring with the secret.")] = ""
    passphrase_env: Annotated[
        EnvName, Meta(description="Environment variable with the passphrase, where a key has one (OKX).")
    ] = ""
    passphrase_file: Annotated[
        FileName, Meta(description="File with the passphrase, readable by you alone (chmod 600).")
    ] = ""
    passphrase_credential: Annotated[
        CredentialName, Meta(description="systemd credential with the passphrase.")
    ] = ""
    passphrase_keyring: Annotated[
        KeyringName, Meta(description="Entry of the keyring with the passphrase.")
    ] = ""
    allow_trading_key: Annotated[
        bool,
        Meta(
            description="Watch with this key though it can trade, or move coins between accounts. Else the "
            "watch refuses to start with it: it would be one more key to steal."
        ),
    ] = False
    allow_withdrawal_key: Annotated[
        bool, Meta(description="Likewise with a key by which coins can leave the exchange.")
    ] = False
    address: Annotated[
        str,
        Meta(
            pattern=r"\A(0x[0-9a-fA-F]{40})?\Z",
            title="0x and 40 hexadecimal digits",
            description="Of the account at Hyperliquid, which needs no key. Not that of an API wallet.",
        ),
    ] = ""
    markets: Annotated[
        tuple[Symbol, ...],
        Meta(
            description="Markets to follow from the start. Those that the account trades are found anyway.",
        ),
    ] = ()
    url_rest: Annotated[
        Url, Meta(description="The exchange's REST interface, where it isn't the usual one.")
    ] = ""
    url_private: Annotated[
        Url, Meta(description="Its stream of the account's own fills, where it isn't the usual one.")
    ] = ""
    url_public: Annotated[
        Url, Meta(description="Its stream of the market, where it isn't the usual one.")
    ] = ""


class Channel(Section, frozen=True, kw_only=True):
    """A place where alerts go."""

    name: Annotated[Name, Meta(description="Your name for it. Each once.")]
    kind: Annotated[
        ChannelKind,
        Meta(
            description="`webhook` gets the whole incident as JSON; `apprise` reaches e-mail, ntfy, "
            "PagerDuty, Teams, Matrix and a hundred more, with `pip install 'drainwatch[apprise]'`."
        ),
    ]
    url_env: Annotated[
        EnvName,
        Meta(
            description="Environment variable with the webhook's URL; for a bot of Telegram's or Slack's its "
            "token; for apprise its URL."
        ),
    ] = ""
    url_file: Annotated[FileName, Meta(description="File with it, readable by you alone (chmod 600).")] = ""
    url_credential: Annotated[CredentialName, Meta(description="systemd credential with it.")] = ""
    url_keyring: Annotated[KeyringName, Meta(description="Entry of the keyring with it.")] = ""
    chat_id: Annotated[
        str,
        Meta(
            pattern=r"\A(-?[0-9]{1,20}|@[A-Za-z0-9_]{4,40}|[CDG][A-Z0-9]{5,20})?\Z",
            title="a chat's number, or `@` and its name; for Slack a channel's id, such as `C0123456789`",
            description="Telegram's chat, or the channel that a bot of Slack's writes to.",
        ),
    ] = ""
    signing_env: Annotated[
        EnvName,
        Meta(
            description="Environment variable with the secret that requests to a `webhook` are signed with."
        ),
    ] = ""
    signing_file: Annotated[
        FileName, Meta(description="File with that secret, readable by you alone (chmod 600).")
    ] = ""
    signing_credential: Annotated[
        CredentialName, Meta(description="systemd credential with that secret.")
    ] = ""
    signing_keyring: Annotated[KeyringName, Meta(description="Entry of the keyring with it.")] = ""
    severity: Annotated[
        Severity, Meta(description="`critical` leaves out incidents that are only a warning.")
    ] = Severity.WARNING


class Inlet(Section, frozen=True, kw_only=True):
    """The socket in: a bot or another process pushes rows."""

    enabled: Annotated[bool, Meta(description="Listen.")] = False
    host: Annotated[Host, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="To listen on; 0 for any that is free.")] = 8765
    expose: Annotated[
        bool, Meta(description="Allow an address that other machines reach. The token is then all there is.")
    ] = False
    token_file: Annotated[
        Path, Meta(description="File with the token that clients must know; made where there is none.")
    ] = "drainwatch-inlet.token"  # noqa: S105 - a file's name
    account: Annotated[NameOrNone, Meta(description="Of rows that don't say it. Empty: they must.")] = ""
    exchange: Annotated[NameOrNone, Meta(description="Of rows that don't say it. Empty: they must.")] = ""


class Outlet(Section, frozen=True, kw_only=True):
    """The socket out: verdicts and incidents for bots that want to stop themselves."""

    enabled: Annotated[bool, Meta(description="Listen.")] = False
    host: Annotated[Host, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="To listen on; 0 for any that is free.")] = 8766
    expose: Annotated[
        bool, Meta(description="Allow an address that other machines reach. The token is then all there is.")
    ] = False
    token_file: Annotated[
        Path, Meta(description="File with the token that clients must know; made where there is none.")
    ] = "drainwatch-outlet.token"  # noqa: S105 - a file's name


class Health(Section, frozen=True, kw_only=True):
    """Health and Prometheus metrics over HTTP."""

    enabled: Annotated[bool, Meta(description="Serve `/health` and `/metrics`.")] = False
    host: Annotated[Host, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="To listen on; 0 for any that is free.")] = 8767
    expose: Annotated[
        bool, Meta(description="Allow an address that other machines reach: they see how the account fares.")
    ] = False


class Bot(Section, frozen=True, kw_only=True):
    """A bot whose own order log is read, so that orders of others stand out."""

    kind: Annotated[BotKind, Meta(description="Which bot.")]
    database: Annotated[Path, Meta(description="Its SQLite file. It is only read.")]
    account: Annotated[NameOrNone, Meta(description="Name of the account. Empty: the only one.")] = ""


class Response(Section, frozen=True, kw_only=True):
    """What is done about an incident by itself, once. Only said, not done, until `dry_run = false`."""

    name: Annotated[Name, Meta(description="Your name for it. Each once.")]
    kind: Annotated[
        ResponseKind,
        Meta(
            description="`freqtrade` and `hummingbot` stop that bot, `command` runs one with the incident on "
            "its standard input, `webhook` posts it, `cancel_orders` cancels an account's open orders."
        ),
    ]
    severity: Annotated[
        Severity, Meta(description="From how bad an incident on. `critical` leaves out mere warnings.")
    ] = Severity.CRITICAL
    account: Annotated[
        NameOrNone,
        Meta(description="Name of the account whose incidents it answers. Empty: those of all."),
    ] = ""
    dry_run: Annotated[
        bool, Meta(description="Only say what would be done, and look whether it could be.")
    ] = True
    timeout_s: Annotated[
        float,
        Meta(ge=1, le=600, title="s", description="So long it may take; then it is cut off."),
    ] = 20.0
    once_per: Annotated[
        OncePer,
        Meta(
            description="It runs once for an incident; with `hour` or `day` also not again within one for "
            "others."
        ),
    ] = OncePer.INCIDENT
    address: Annotated[
        Url,
        Meta(
            description="Of freqtrade's REST API (http://127.0.0.1:8080) or of hummingbot-api "
            "(http://127.0.0.1:8000)."
        ),
    ] = ""
    user: Annotated[
        str,
        Meta(
            pattern=r"\A[^\x00-\x20:]{0,100}\Z",
            title="a name without blanks or colons",
            description="Whom to log in there as.",
        ),
    ] = ""
    password_env: Annotated[EnvName, Meta(description="Environment variable with the password for that.")] = (
        ""
    )
    password_file: Annotated[
        FileName, Meta(description="File with it, readable by you alone (chmod 600).")
    ] = ""
    password_credential: Annotated[CredentialName, Meta(description="systemd credential with it.")] = ""
    password_keyring: Annotated[KeyringName, Meta(description="Entry of the keyring with it.")] = ""
    action: Annotated[
        FreqtradeAction,
        Meta(
            description="What freqtrade is told. `stop` leaves open trades to nobody, `stop_entries` only "
            "takes no new ones, `exit_and_stop` sells them at the market first."
        ),
    ] = FreqtradeAction.STOP
    bot: Annotated[NameOrNone, Meta(description="Hummingbot's own name for the bot.")] = ""
    command: Annotated[
        tuple[Argument, ...],
        Meta(description="The program and its arguments, as a list. No shell reads them."),
    ] = ()
    pass_env: Annotated[
        tuple[Variable, ...],
        Meta(
            description="Environment variables that the command gets beside PATH, HOME, USER, LANG and TZ. "
            "None with a secret of drainwatch."
        ),
    ] = ()
    url_env: Annotated[EnvName, Meta(description="Environment variable with the webhook's URL.")] = ""
    url_file: Annotated[FileName, Meta(description="File with it, readable by you alone (chmod 600).")] = ""
    url_credential: Annotated[CredentialName, Meta(description="systemd credential with it.")] = ""
    url_keyring: Annotated[KeyringName, Meta(description="Entry of the keyring with it.")] = ""
    signing_env: Annotated[
        EnvName,
        Meta(description="Environment variable with the secret that its body is signed with."),
    ] = ""
    signing_file: Annotated[
        FileName, Meta(description="File with it, readable by you alone (chmod 600).")
    ] = ""
    signing_credential: Annotated[CredentialName, Meta(description="systemd credential with it.")] = ""
    signing_keyring: Annotated[KeyringName, Meta(description="Entry of the keyring with it.")] = ""
    key_env: Annotated[
        EnvName,
        Meta(
            description="Environment variable with the API key that cancels orders: one that may trade, made "
            "for this alone. Never the key that watches."
        ),
    ] = ""
    key_file: Annotated[FileName, Meta(description="File with it, readable by you alone (chmod 600).")] = ""
    key_credential: Annotated[CredentialName, Meta(description="systemd credential with it.")] = ""
    key_keyring: Annotated[KeyringName, Meta(description="Entry of the keyring with it.")] = ""
    secret_env: Annotated[EnvName, Meta(description="Environment variable with that key's secret.")] = ""
    secret_file: Annotated[FileName, Meta(description="File with it, readable by you alone (chmod 600).")] = (
        ""
    )
    secret_credential: Annotated[CredentialName, Meta(description="systemd credential with it.")] = ""
    secret_keyring: Annotated[KeyringName, Meta(description="Entry of the keyring with it.")] = ""
    passphrase_env: Annotated[
        EnvName, Meta(description="Environment variable with its passphrase, where a key has one.")
    ] = ""
    passphrase_file: Annotated[
        FileName, Meta(description="File with it, readable by you alone (chmod 600).")
    ] = ""
    passphrase_credential: Annotated[CredentialName, Meta(description="systemd credential with it.")] = ""
    passphrase_keyring: Annotated[KeyringName, Meta(description="Entry of the keyring with it.")] = ""


class Settings(Section, frozen=True, kw_only=True):
    """All settings, by section."""

    judgement: Judgement = Judgement()
    incidents: Incidents = Incidents()
    watch: Watch = Watch()
    accounts: tuple[Account, ...] = ()
    channels: tuple[Channel, ...] = ()
    inlet: Inlet = Inlet()
    outlet: Outlet = Outlet()
    health: Health = Health()
    bots: tuple[Bot, ...] = ()
    responses: tuple[Response, ...] = ()
