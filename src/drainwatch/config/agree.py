"""What no single setting shows: whether settings agree with each other."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address

from drainwatch.config.settings import Account, Channel, ChannelKind, Response, ResponseKind, Settings
from drainwatch.errors import ConfigError

WITH_PASSPHRASE = frozenset({"bitget", "kucoin", "kucoinfutures", "okx", "okxus", "myokx"})
"""Exchanges whose keys have a passphrase beside the secret."""

WITHOUT_KEY = frozenset({"hyperliquid"})
"""Exchanges that tell everybody the fills of every address."""


def check_agreement(settings: Settings, place: str) -> None:
    """Refuse settings that contradict each other.

    Raises
    ------
    ConfigError
        Names both paths.
    """
    _check_one_source(settings.watch, "store_password", "$.watch", place)
    _check_unique("accounts", [account.name for account in settings.accounts], place)
    _check_unique("channels", [channel.name for channel in settings.channels], place)
    for number, account in enumerate(settings.accounts):
        _check_account(account, f"$.accounts[{number}]", place)
    for number, channel in enumerate(settings.channels):
        _check_channel(channel, f"$.channels[{number}]", place)
    names = [account.name for account in settings.accounts]
    for number, bot in enumerate(settings.bots):
        if bot.account and bot.account not in names:
            raise ConfigError(
                f"expected the name of an account at $.bots[{number}].account in {place}, found "
                f"`{bot.account}`; there {'is ' + _listed(names) if names else 'is none: add [[accounts]]'}"
            )
        if not bot.account and len(names) != 1:
            raise ConfigError(
                f"expected $.bots[{number}].account in {place} to say whose orders these are, found nothing; "
                f"there {'are ' + _listed(names) if names else 'is no account: add [[accounts]]'}"
            )
    _check_unique("responses", [response.name for response in settings.responses], place)
    for number, response in enumerate(settings.responses):
        _check_response(response, settings, f"$.responses[{number}]", place)
    _check_listeners(settings, place)


def given_sources(table: object, base: str) -> dict[str, str]:
    """Give which of `base_env`, `base_file`, `base_credential` and `base_keyring` are set, and to what."""
    names = places_of(base)
    return {name: value for name in names if (value := getattr(table, name))}


def places_of(base: str) -> tuple[str, ...]:
    """Give the settings that can say where a secret is kept."""
    return tuple(f"{base}_{place}" for place in ("env", "file", "credential", "keyring"))


def in_words(base: str) -> str:
    """Give the same as in prose."""
    *first, last = (f"`{name}`" for name in places_of(base))
    return f"{', '.join(first)} or {last}"


def is_loopback(host: str) -> bool:
    """Tell whether nobody but this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _listed(names: list[str]) -> str:
    """List names as in prose."""
    return ", ".join(f"`{name}`" for name in names)


def _check_one_source(table: object, base: str, path: str, place: str) -> dict[str, str]:
    """Refuse a secret that is said to be in two places; give where it is."""
    sources = given_sources(table, base)
    if len(sources) > 1:
        raise ConfigError(
            f"expected one of {_listed(list(sources))} at {path} in {place}, found {len(sources)} of them: "
            "keep the one that holds"
        )
    return sources


def _check_unique(section: str, names: list[str], place: str) -> None:
    """Refuse a name that stands for two."""
    for name, count in Counter(names).items():
        if count > 1:
            raise ConfigError(
                f"expected each name once in [[{section}]] in {place}, found `{name}` {count} times: "
                "rename all but one"
            )


def _check_account(account: Account, path: str, place: str) -> None:
    """Refuse an account that can't be watched: no key, or half of one."""
    key = _check_one_source(account, "key", path, place)
    secret = _check_one_source(account, "secret", path, place)
    passphrase = _check_one_source(account, "passphrase", path, place)
    if account.exchange in WITHOUT_KEY:
        if not account.address:
            raise ConfigError(
                f"expected {path}.address in {place}, the account's own address, found nothing: fills at "
                f"{account.exchange} are public, no key is needed"
            )
        return
    if account.address:
        raise ConfigError(
            f"expected no {path}.address in {place}, as only Hyperliquid tells the fills of an address; "
            f"found one for `{account.exchange}`: take it out"
        )
    for base, found in (("key", key), ("secret", secret)):
        if not found:
            raise ConfigError(
                f"expected {in_words(base)} at {path} in {place}, found "
                f"none: make a read-only key at {account.exchange} and say where it is kept"
            )
    if account.exchange in WITH_PASSPHRASE and not passphrase:
        raise ConfigError(
            f"expected {in_words('passphrase')} at {path} in {place}, found none: keys of "
            f"{account.exchange} have one"
        )


def _check_channel(channel: Channel, path: str, place: str) -> None:
    """Refuse a channel without an address."""
    if not _check_one_source(channel, "url", path, place):
        raise ConfigError(
            f"expected {in_words('url')} at {path} in {place}, found none: "
            "say where the webhook's URL is kept"
        )
    may = channel.kind in (ChannelKind.TELEGRAM, ChannelKind.SLACK)
    must = channel.kind is ChannelKind.TELEGRAM
    if (must and not channel.chat_id) or (channel.chat_id and not may):
        wanted = "expected the chat's number" if must else "expected nothing"
        raise ConfigError(
            f"{wanted} at {path}.chat_id in {place}, found {'one' if channel.chat_id else 'nothing'}: "
            "Telegram has chats, Slack's bots have channels, the others have none"
        )
    if _check_one_source(channel, "signing", path, place) and channel.kind is not ChannelKind.WEBHOOK:
        raise ConfigError(
            f"expected no signing secret at {path} in {place}, as only `webhook` signs what it sends; found "
            f"one for `{channel.kind}`: take it out"
        )


_USED = {
    ResponseKind.FREQTRADE: ("address", "user", "password", "action"),
    ResponseKind.HUMMINGBOT: ("address", "user", "password", "bot"),
    ResponseKind.COMMAND: ("command", "pass_env"),
    ResponseKind.WEBHOOK: ("url", "signing"),
    ResponseKind.CANCEL_ORDERS: ("key", "secret", "passphrase"),
}
"""What each kind of response uses of what not all do."""
_OPTIONAL = frozenset({"action", "pass_env", "passphrase", "signing"})
_SECRET = frozenset({"key", "passphrase", "password", "secret", "signing", "url"})


def _check_response(response: Response, settings: Settings, path: str, place: str) -> None:
    """Refuse a response that couldn't do anything, or says what its kind has no use for."""
    names = [account.name for account in settings.accounts]
    if response.account and names and response.account not in names and not settings.inlet.enabled:
        raise ConfigError(
            f"expected the name of an account at {path}.account in {place}, found `{response.account}`; "
            f"there is {_listed(names)}"
        )
    for setting in sorted({setting for used in _USED.values() for setting in used}):
        if setting in _SECRET:
            given: object = _check_one_source(response, setting, path, place)
            wanted = f"{in_words(setting)} at {path}"
        else:
            given = getattr(response, setting)
            wanted = f"{path}.{setting}"
        used = setting in _USED[response.kind]
        if used and not given and setting not in _OPTIONAL:
            raise ConfigError(
                f"expected {wanted} in {place}, found nothing: a response of kind {response.kind.value} "
                "needs it"
            )
        if not used and given and setting != "action":
            raise ConfigError(
                f"expected no `{setting}` at {path} in {place}, found one: a response of kind "
                f"{response.kind.value} has no use for it; take it out"
            )
    if response.kind is ResponseKind.CANCEL_ORDERS:
        _check_cancelling(response, settings, path, place)
    if response.kind is ResponseKind.COMMAND:
        taken = {
            value
            for table in (settings.watch, *settings.accounts, *settings.channels, *settings.responses)
            for name in table.__struct_fields__
            if name.endswith("_env") and name != "pass_env" and (value := getattr(table, name))
        }
        for name in response.pass_env:
            if name in taken:
                raise ConfigError(
                    f"expected no variable with a secret of drainwatch's in {path}.pass_env in {place}, "
                    f"found `{name}`: give the command a secret of its own"
                )


def _check_cancelling(response: Response, settings: Settings, path: str, place: str) -> None:
    """Refuse to cancel orders of nobody knows whom, or by the key that watches."""
    accounts = [account for account in settings.accounts if account.name == response.account]
    if not response.account and len(settings.accounts) == 1:
        accounts = list(settings.accounts)
    if not accounts:
        found = f"`{response.account}`" if response.account else "nothing"
        raise ConfigError(
            f"expected {path}.account in {place} to name the account whose orders are to be cancelled, one "
            f"of [[accounts]], found {found}"
        )
    (account,) = accounts
    if account.exchange in WITHOUT_KEY:
        raise ConfigError(
            f"expected an exchange with API keys for the account of {path} in {place}, found "
            f"`{account.exchange}`: orders there are cancelled by a wallet's own key, of which "
            "drainwatch takes none; use a `command` of your own"
        )
    if account.exchange in WITH_PASSPHRASE and not given_sources(response, "passphrase"):
        raise ConfigError(
            f"expected {in_words('passphrase')} at {path} in {place}, found none: keys of {account.exchange} "
            "have one"
        )
    for base in ("key", "secret"):
        if given_sources(response, base) == given_sources(account, base):
            raise ConfigError(
                f"expected a key of its own at {path}.{base}_... in {place}, found the place of account "
                f"`{account.name}`'s: the key that watches must not be able to trade; make a second one"
            )


def _check_listeners(settings: Settings, place: str) -> None:
    """Refuse to listen where others reach it without having been told so, and twice on one port."""
    taken: dict[int, str] = {}
    for name, listener in (
        ("inlet", settings.inlet),
        ("outlet", settings.outlet),
        ("health", settings.health),
    ):
        if not listener.enabled:
            continue
        if not is_loopback(listener.host) and not listener.expose:
            raise ConfigError(
                f"expected an address of this machine alone, such as 127.0.0.1, at $.{name}.host in {place}, "
                f"found `{listener.host}`: other machines reach that; if they shall, say "
                "expose = true beside it"
            )
        if listener.port and listener.port in taken:
            raise ConfigError(
                f"expected a port of its own at $.{name}.port in {place}, found {listener.port}, which "
                f"$.{taken[listener.port]}.port has: take another"
            )
        taken[listener.port] = name
