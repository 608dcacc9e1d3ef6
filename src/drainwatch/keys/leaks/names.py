"""What the words beside a string say it is: a key, a secret, of which venue, or something else."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import NamedTuple


class Role(Enum):
    """What a name says of its value."""

    KEY = "key"
    SECRET = "secret"  # noqa: S105 - names the role
    PRIVATE_KEY = "private key"
    OTHER = "other"
    """A hash, an id, an address, another service's token: surely no exchange's key."""
    UNKNOWN = "unknown"


class Label(NamedTuple):
    """The name that a string is given, and the sign that gives it."""

    name: str
    sign: str


OTHER = frozenset({
    "hash", "hashes", "sha", "sha1", "sha256", "sha384", "sha512", "md5", "digest", "checksum", "commit",
    "rev", "revision", "integrity", "etag", "txid", "tx", "txhash", "transaction", "block", "address",
    "addr", "contract", "signature", "signatures", "sign", "sig", "nonce", "fingerprint", "guid", "order",
    "session", "trace", "request", "span", "merkle", "root", "salt", "hmac", "topic", "translation", "i18n",
    "cursor", "thumbprint", "serial", "asset", "chain", "pubkey", "public", "listen", "cache", "cached",
    "idempotency", "foreign", "primary", "partition", "sort", "index", "object", "bucket", "storage",
    "registry", "license", "licence", "map", "hotkey", "shortcut", "keyboard", "i18nkey", "placeholder",
    "expected", "encrypted", "cipher", "ciphertext", "site", "sitekey", "measurement", "analytics", "maps",
    "csrf", "xsrf", "cookie", "jwt", "django", "flask", "aws", "azure", "gcp", "google", "github", "gitlab",
    "openai", "anthropic", "stripe", "sendgrid", "mailgun", "twilio", "db", "database", "postgres", "mysql",
    "redis", "mongo", "smtp", "mail", "email", "sentry", "infura", "alchemy", "etherscan", "bscscan",
    "coingecko", "coinmarketcap", "cmc", "newsapi", "algolia", "firebase", "s3", "docker", "npm", "pypi",
    "ssh", "ssl", "tls", "cert", "certificate", "certificates", "recaptcha", "hcaptcha", "encryption",
    "rpc", "kms", "vapid", "accept", "version", "uuid", "build", "image", "layer", "cid", "nft", "token0",
    "token1", "pool", "webhook",
})  # fmt: skip
"""Words in a name that say: no key of an exchange."""

SECRETS = frozenset({"secret", "secretkey", "apisecret", "secrets", "seckey", "sk"})
PRIVATE = frozenset({"private", "privatekey", "privkey", "priv", "pk", "pem"})
KEYS = frozenset({"key", "apikey", "accesskey", "apikeys", "keys", "api", "apikeyid", "access"})
PASSPHRASES = frozenset({"passphrase", "password", "passwd", "pass", "memo"})

TRADING = (
    "ccxt", "freqtrade", "hummingbot", "jesse", "octobot", "exchange", "trading", "trader", "trade_",
    "_trade", "usdt", "withdraw", "orderbook", "order_book", "btc",
)  # fmt: skip
"""Words of trading programs."""

_TYPES = frozenset({
    "str", "string", "String", "char", "const", "let", "var", "Any", "any", "bytes", "Optional", "Final",
    "text", "bstr", "static", "SecretStr", "Str",
})  # fmt: skip
_HOLDERS = frozenset({"or", "value", "val", "default", "content", "data", "str", "string", "text", "v"})
_OPENING = " \t\r\n\"'`\\([{*&$"
_CLOSING = " \t\"'`\\])}*|"
_SIGNS = "=:>,|?"
_IDENTIFIER = re.compile(r"[A-Za-z_@][\w.$-]*$")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_PIECES = re.compile(r"[^\W\d_]+\d*|\d+")
REACH = 160
"""So many characters before a string are searched for its name."""


def label_before(left: str, *, depth: int = 3) -> Label:
    """Find the name that stands before a string, and the sign between: `=`, `:`, `,`, `(`, a space, none.

    Examples
    --------
    >>> label_before('exchange = Client(api_key="')
    Label(name='api_key', sign='=')
    >>> label_before("const apiSecret: string = '")
    Label(name='apiSecret', sign='=')
    >>> label_before('os.getenv("BYBIT_KEY", "')
    Label(name='BYBIT_KEY', sign=',')
    """
    rest = left[-REACH:]
    bare = re.sub(r"(?<![\w.])[rbufRBUF]{1,2}(?=[\"'`]+$)", "", rest)
    bare = bare.rstrip(_OPENING)
    sign = "(" if "(" in rest[len(bare) :] else " "
    without = bare.rstrip(_SIGNS + " \t")
    if without != bare:
        sign = bare[len(without) :].strip()[:1] or " "
    body = without.rstrip(_CLOSING)
    found = _IDENTIFIER.search(body)
    if found is None:
        return Label("", sign)
    name, before = found.group(), body[: found.start()]
    if name.endswith("--"):  # the rule of a PEM block
        return Label("", sign)
    if depth and name in _TYPES and (typed := re.search(r"([:*&\[<]|\w)\s*&?$", before)):
        return label_before(before[: typed.end()].rstrip(":*&[< \t"), depth=depth - 1)._replace(sign=sign)
    if depth and name in _HOLDERS and before.strip():
        deeper = label_before(before, depth=depth - 1)
        if role_of(deeper.name) is not Role.UNKNOWN:
            return deeper._replace(sign=sign)
    return Label(name, sign)


def words_of(name: str) -> list[str]:
    """Split a name into its words, small: `apiKey`, `API_KEY` and `api-key` are `api`, `key`.

    Examples
    --------
    >>> words_of("BINANCE_apiSecret-v2")
    ['binance', 'api', 'secret', 'v', '2']
    """
    return [word.lower() for word in _WORDS.findall(name)]


@lru_cache(maxsize=1_024)  # a file has few names, again and again
def role_of(name: str) -> Role:
    """Tell what a name says of its value.

    Examples
    --------
    >>> role_of("BINANCE_API_KEY"), role_of("apiSecret"), role_of("api_key_sha256")
    (<Role.KEY: 'key'>, <Role.SECRET: 'secret'>, <Role.OTHER: 'other'>)
    """
    words = words_of(name)
    if not words:
        return Role.UNKNOWN
    said = {*words, *(piece.lower() for piece in _PIECES.findall(name))}
    if not said.isdisjoint(OTHER):
        return Role.OTHER
    if ("id" in words and "key" not in words) or {"sec", "socket"} <= set(words):
        return Role.OTHER
    if not said.isdisjoint(SECRETS) or name.lower().endswith(("secretkey", "apisecret", "_sec")):
        return Role.SECRET
    if not said.isdisjoint(PRIVATE):
        return Role.PRIVATE_KEY
    if not said.isdisjoint(KEYS) or name.lower().endswith("apikey"):
        return Role.KEY
    return Role.UNKNOWN


def role_in_words(left: str) -> Role:
    """Tell what the words of a line say of what follows them: `my binance secret is ...`.

    Weaker than a name: the last word that says anything decides.
    """
    for word in reversed(words_of(left[-80:])):
        if word in SECRETS:
            return Role.SECRET
        if word in PRIVATE:
            return Role.PRIVATE_KEY
        if word in KEYS:
            return Role.KEY
        if word in OTHER:
            return Role.OTHER
    return Role.UNKNOWN
