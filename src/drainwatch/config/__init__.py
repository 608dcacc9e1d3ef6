"""Settings: a TOML file, overridden by the environment, to frozen structs; unknown keys are refused.

The core never sees these structs: shells hand their values on as plain arguments.
"""

from drainwatch.config.catalogue import ENV_PREFIX, Kind, Setting, every_setting, heading, sections
from drainwatch.config.hooks import hook_of, hooks_of
from drainwatch.config.load import load_settings
from drainwatch.config.secret import SecretError, channel_of, credentials_of, read_secret, store_url
from drainwatch.config.settings import (
    Account,
    Bot,
    BotKind,
    Channel,
    ChannelKind,
    FreqtradeAction,
    Health,
    Incidents,
    Inlet,
    Judgement,
    OncePer,
    Outlet,
    Response,
    ResponseKind,
    Settings,
    Severity,
    Watch,
)

__all__ = [
    "ENV_PREFIX",
    "Account",
    "Bot",
    "BotKind",
    "Channel",
    "ChannelKind",
    "FreqtradeAction",
    "Health",
    "Incidents",
    "Inlet",
    "Judgement",
    "Kind",
    "OncePer",
    "Outlet",
    "Response",
    "ResponseKind",
    "SecretError",
    "Setting",
    "Settings",
    "Severity",
    "Watch",
    "channel_of",
    "credentials_of",
    "every_setting",
    "heading",
    "hook_of",
    "hooks_of",
    "load_settings",
    "read_secret",
    "sections",
    "store_url",
]
