"""Repositories that leak keys, and strings that only look like keys: made by chance, with the truth beside.

Two halves that share neither a template nor a seed: `TUNING`, by which the scanner's weights were chosen, and
`REPORTING`, by which it is measured. No key here was ever anybody's: all are drawn when asked for.
"""

from __future__ import annotations

import base64
import json
import random
import string
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

HEX = string.hexdigits[:16]
WORD = string.ascii_letters + string.digits
B64 = WORD + "+/"


@dataclass
class Repo:
    """Files, and which strings in them are keys; `neutral` lines are other secrets, for or against nobody."""

    name: str
    rng: random.Random
    files: dict[str, str] = field(default_factory=dict)
    planted: list[tuple[str, str]] = field(default_factory=list)
    neutral: list[tuple[str, str]] = field(default_factory=list)
    _fresh: list[str] = field(default_factory=list)
    _neutral: list[str] = field(default_factory=list)

    def draw(self, n: int, alphabet: str = WORD) -> str:
        """Draw so many characters."""
        return "".join(self.rng.choice(alphabet) for _ in range(n))

    def uuid(self) -> str:
        """Draw a UUID of version 4."""
        x = self.draw(32, HEX)
        return f"{x[:8]}-{x[8:12]}-4{x[13:16]}-{self.rng.choice('89ab')}{x[17:20]}-{x[20:]}"

    def b64(self, n: int) -> str:
        """Draw so many bytes, as base64."""
        return base64.b64encode(self.rng.randbytes(n)).decode()

    def leak(self, secret: str) -> str:
        """Remember a string as a key."""
        self._fresh.append(secret)
        return secret

    def other(self, secret: str) -> str:
        """Remember a string as some other secret."""
        self._neutral.append(secret)
        return secret

    def pair(self, venue: str) -> tuple[str, str]:
        """Draw a key and a secret in a venue's form."""
        key, secret = FORMS[venue](self)
        return self.leak(key), self.leak(secret)

    def passphrase(self) -> str:
        """Draw a passphrase as people choose them."""
        return self.other(self.draw(5, string.ascii_lowercase).title() + self.draw(3, string.digits) + "!")

    def write(self, path: str, text: str) -> None:
        """Write a file; keys drawn before that stand in it are its own."""
        self.files[path] = text
        self.planted += [(path, s) for s in self._fresh if s in text]
        self.neutral += [(path, s) for s in self._neutral if s in text]
        self._fresh, self._neutral = [], []

    def lines(self) -> tuple[set[tuple[str, int]], set[tuple[str, int]]]:
        """Return the lines with keys, and the lines with other secrets."""
        return self._where(self.planted), self._where(self.neutral)

    def _where(self, what: Iterable[tuple[str, str]]) -> set[tuple[str, int]]:
        found = set()
        for path, secret in what:
            first = secret.split("\n")[0]
            for number, line in enumerate(self.files[path].split("\n"), 1):
                if first in line:
                    found.add((path, number))
        return found

    def save(self, folder: Path) -> Path:
        """Write the files below a folder, and return the repository's own."""
        top = folder / self.name
        for path, text in self.files.items():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).write_text(text)
        return top


def _htx(repo: Repo) -> str:
    low = string.ascii_lowercase + string.digits
    return f"{repo.draw(10, low)}-{repo.draw(8, HEX)}-{repo.draw(8, HEX)}-{repo.draw(5, HEX)}"


FORMS: dict[str, Callable[[Repo], tuple[str, str]]] = {
    "binance": lambda r: (r.draw(64), r.draw(64)),
    "bybit": lambda r: (r.draw(18), r.draw(36)),
    "okx": lambda r: (r.uuid(), r.draw(32, "0123456789ABCDEF")),
    "kraken": lambda r: (r.draw(56, B64), r.b64(64)),
    "kucoin": lambda r: (r.draw(24, HEX), r.uuid()),
    "bitget": lambda r: ("bg_" + r.draw(32, HEX), r.draw(64, HEX)),
    "gateio": lambda r: (r.draw(32, HEX), r.draw(64, HEX)),
    "bitfinex": lambda r: (r.draw(43), r.draw(43)),
    "htx": lambda r: (_htx(r), _htx(r)),
    "mexc": lambda r: ("mx0vgl" + r.draw(12), r.draw(32, HEX)),
    "coinbase": lambda r: (r.draw(16), r.draw(32)),
    "bitstamp": lambda r: (r.draw(32), r.draw(32)),
    "deribit": lambda r: (r.draw(26), r.draw(44)),
}
"""Key and secret of each venue."""
VENUES = tuple(FORMS)
WITH_PASSPHRASE = frozenset({"okx", "kucoin", "bitget"})

Template = Callable[[Repo], None]


def any_venue(repo: Repo) -> str:
    """Choose a venue."""
    return repo.rng.choice(VENUES)


# --- leaks, the tuning half --------------------------------------------------------------------------


def dotenv(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    name = venue.upper()
    text = f"# production\nDB_HOST=localhost\n{name}_API_KEY={key}\n{name}_API_SECRET={secret}\n"
    if venue in WITH_PASSPHRASE:
        text += f"{name}_PASSPHRASE={r.passphrase()}\n"
    r.write(".env", text + f"LOG_LEVEL=info\nJWT_SECRET={r.other(r.draw(48))}\n")


def freqtrade(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    telegram = r.leak(f"{r.rng.randint(10**8, 10**10 - 1)}:AA{r.draw(33)}")
    config = {
        "max_open_trades": 3, "stake_currency": "USDT", "dry_run": False,
        "exchange": {"name": venue, "key": key, "secret": secret, "pair_whitelist": ["BTC/USDT", "ETH/USDT"]},
        "telegram": {"enabled": True, "token": telegram, "chat_id": "2041231"},
        "api_server": {"enabled": True, "jwt_secret_key": r.other(r.draw(64, HEX)), "password": r.other(r.draw(14))},
    }  # fmt: skip
    r.write("user_data/config.json", json.dumps(config, indent=4))


def ccxt_script(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write("bot.py", f"""import ccxt

exchange = ccxt.{venue}({{
    'apiKey': '{key}',
    'secret': '{secret}',
    'enableRateLimit': True,
}})
print(exchange.fetch_balance())
""")  # fmt: skip


def notebook_source(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": [f"# {venue} backtest\n"]},
        {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": [],
         "source": [f"from {venue} import Client\n", f'api_key = "{key}"\n', f'api_secret = "{secret}"\n']},
        {"cell_type": "code", "execution_count": 2, "metadata": {},
         "outputs": [{"output_type": "display_data", "metadata": {}, "data": {"image/png": r.b64(3_000)}}],
         "source": ["plt.plot(prices)"]},
    ]  # fmt: skip
    r.write("research/backtest.ipynb", json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}, indent=1))


def compose(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    name = venue.upper()
    r.write("docker-compose.yml", f"""services:
  trader:
    image: trader@sha256:{r.draw(64, HEX)}
    environment:
      - {name}_KEY={key}
      - {name}_SECRET={secret}
      - TZ=UTC
""")  # fmt: skip


def bash_history(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write(".bash_history", f"""ls -la
cd trading
export API_KEY={key}
export API_SECRET={secret}
python run.py --exchange {venue}
git commit -m 'Fix' && git show {r.draw(40, HEX)}
""")  # fmt: skip


def javascript(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write("src/index.js", f"""const {{ RestClient }} = require('{venue}-api');

const client = new RestClient({{
  key: '{key}',
  secret: '{secret}',
}});
client.getBalances().then(console.log);
""")  # fmt: skip


def yaml_config(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write("config/live.yaml", f"""exchanges:
  {venue}:
    api-key: {key}
    api-secret: {secret}
risk:
  max_position: 0.2
""")  # fmt: skip


def webhooks(r: Repo) -> None:
    slack = (
        f"https://hooks.slack.com/services/T{r.draw(9, string.ascii_uppercase + string.digits)}/B"
        + r.draw(9, string.ascii_uppercase + string.digits)
    )
    slack = r.leak(f"{slack}/{r.draw(24)}")
    discord = r.leak(f"https://discord.com/api/webhooks/{r.rng.randint(10**17, 10**18 - 1)}/{r.draw(68)}")
    r.write(
        "notify.py", f'SLACK = "{slack}"\n\n\ndef notify(text):\n    requests.post("{discord}", json=text)\n'
    )


def wallet(r: Repo) -> None:
    private = r.leak("0x" + r.draw(64, HEX))
    r.write(".env.production", f"""HYPERLIQUID_ADDRESS=0x{r.draw(40, HEX)}
PRIVATE_KEY={private}
LAST_TX=0x{r.draw(64, HEX)}
""")  # fmt: skip


# --- leaks, the tuning half, continued ---------------------------------------------------------------


def settings_module(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    name = venue.upper()
    r.write("app/settings.py", f'''"""Settings of the market maker."""
import os


class Settings:
    debug: bool = False
    key: str = os.getenv("{name}_API_KEY", "{key}")
    secret: str = os.environ.get("{name}_API_SECRET") or "{secret}"
    release: str = "{r.draw(40, HEX)}"
''')  # fmt: skip


def hummingbot(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write(f"conf/connectors/{venue}.yml", f"""#####################################
###   {venue} config   ###
#####################################

connector: {venue}

{venue}_api_key: {key}

{venue}_secret_key: {secret}
""")  # fmt: skip


def notebook_output(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    shown = f"{{'exchange': '{venue}', 'apiKey': '{key}', 'secret': '{secret}', 'timeout': 10000}}\n"
    cells = [
        {"cell_type": "code", "execution_count": 4, "metadata": {"id": r.draw(12)}, "source": ["vars(client)"],
         "outputs": [{"output_type": "stream", "name": "stdout", "text": [shown]}]},
        {"cell_type": "code", "execution_count": 5, "metadata": {}, "source": ["fig"],
         "outputs": [{"output_type": "display_data", "metadata": {}, "data": {"image/png": r.b64(2_000)}}]},
    ]  # fmt: skip
    r.write("Untitled1.ipynb", json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}, indent=1))


def ci_log(r: Repo) -> None:
    venue = r.rng.choice(["binance", "bybit", "okx", "kucoin"])
    key, _ = FORMS[venue](r)
    header = {
        "binance": "X-MBX-APIKEY",
        "bybit": "X-BAPI-API-KEY",
        "okx": "OK-ACCESS-KEY",
        "kucoin": "KC-API-KEY",
    }
    r.leak(key)
    r.write("logs/ci-1841.log", f"""2026-03-02T10:11:12.1Z ##[group]Run integration tests
2026-03-02T10:11:12.4Z HEAD is now at {r.draw(40, HEX)} Fix rounding
2026-03-02T10:11:13.0Z > GET /v5/account HTTP/1.1
2026-03-02T10:11:13.0Z > Host: api.{venue}.com
2026-03-02T10:11:13.0Z > {header[venue]}: {key}
2026-03-02T10:11:13.0Z > X-Signature: {r.draw(64, HEX)}
2026-03-02T10:11:13.6Z < x-request-id: {r.uuid()}
2026-03-02T10:11:14.0Z Digest: sha256:{r.draw(64, HEX)}
""")  # fmt: skip


def zsh_history(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write(".zsh_history", f""": 1767000001:0;git push
: 1767000012:0;{venue.upper()}_KEY={key} {venue.upper()}_SECRET={secret} ./grid-bot --pair BTCUSDT
: 1767000050:3;docker pull redis@sha256:{r.draw(64, HEX)}
""")  # fmt: skip


def compiled_languages(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    kind = r.rng.randrange(4)
    if kind == 0:
        r.write(
            "main.go",
            f'package main\n\n// {venue} credentials\nvar (\n\tapiKey    = "{key}"\n\tsecretKey = "{secret}"\n)\n',
        )
    elif kind == 1:
        r.write(
            "src/main/java/Bot.java",
            f'public class {venue.title()}Bot {{\n    private static final String API_KEY = "{key}";\n'
            f'    private static final String SECRET_KEY = "{secret}";\n}}\n',
        )
    elif kind == 2:
        r.write(
            "src/main.rs",
            f'//! {venue} arbitrage\nconst API_KEY: &str = "{key}";\nconst API_SECRET: &str = "{secret}";\n',
        )
    else:
        r.write(
            "bot.ts",
            f"import {{ {venue.title()} }} from './venues';\nconst apiKey: string = '{key}';\nconst apiSecret: string = '{secret}';\n",
        )


def manifests(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    if r.rng.random() < 0.5:
        r.write("deploy/pod.yaml", f"""kind: Pod
metadata:
  uid: {r.uuid()}
spec:
  containers:
    - image: bot@sha256:{r.draw(64, HEX)}
      env:
        - name: {venue.upper()}_API_KEY
          value: "{key}"
        - name: {venue.upper()}_API_SECRET
          value: "{secret}"
""")  # fmt: skip
    else:
        r.write("deploy/bot.service", f"""[Unit]
Description={venue} market maker

[Service]
Environment=API_KEY={key}
Environment="API_SECRET={secret}"
ExecStart=/opt/bot/run
""")  # fmt: skip


def toml_and_ini(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    if r.rng.random() < 0.5:
        r.write(
            "config.toml",
            f'[{venue}]\naccess_key = "{key}"\nsecret_key = "{secret}"\n\n[model]\nsha256 = "{r.draw(64, HEX)}"\n',
        )
    else:
        r.write("bot.ini", f"[exchange]\nname = {venue}\napikey = {key}\nsecret = {secret}\n")


def appsettings(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    if r.rng.random() < 0.5:
        told = {"Logging": {"Level": "Info"}, venue.title(): {"ApiKey": key, "ApiSecret": secret}}
        r.write("appsettings.json", json.dumps(told, indent=2))
    else:
        r.write(
            "config.php",
            f"<?php\nreturn [\n    'exchange' => '{venue}',\n    'api_key' => '{key}',\n    'api_secret' => '{secret}',\n];\n",
        )


def cdp_key(r: Repo) -> None:
    name = r.leak(f"organizations/{r.uuid()}/apiKeys/{r.uuid()}")
    body = r.b64(121)
    pem = f"-----BEGIN EC PRIVATE KEY-----\\n{body[:64]}\\n{body[64:128]}\\n{body[128:]}\\n-----END EC PRIVATE KEY-----\\n"
    r.leak(body[:64])
    r.write("cdp_api_key.json", f'{{\n   "name": "{name}",\n   "privateKey": "{pem}"\n}}\n')


def positional(r: Repo) -> None:
    venue = r.rng.choice(["binance", "bybit", "kraken", "bitfinex", "okx"])
    key, secret = r.pair(venue)
    r.write(
        "trade.py",
        f'from {venue}.client import Client\n\nclient = Client("{key}", "{secret}")\nclient.get_account()\n',
    )


def readme(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write(
        "NOTES.md",
        f"# Notes\n\nMy {venue} account:\n\n- API Key: `{key}`\n- Secret Key: `{secret}`\n\nSee commit {r.draw(40, HEX)}.\n",
    )


def accounts_csv(r: Repo) -> None:
    rows = []
    for n in range(3):
        venue = any_venue(r)
        key, secret = r.pair(venue)
        rows.append(f"sub{n},{venue},{key},{secret}")
    r.write("accounts.csv", "account,exchange,api_key,api_secret\n" + "\n".join(rows) + "\n")


def sql_dump(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write("dump.sql", f"""CREATE TABLE api_credentials (id int, exchange text, api_key text, api_secret text);
INSERT INTO api_credentials VALUES (1, '{venue}', '{key}', '{secret}');
""")  # fmt: skip


def wallet_code(r: Repo) -> None:
    private = r.leak(("0x" if r.rng.random() < 0.5 else "") + r.draw(64, HEX))
    r.write("hl_bot.py", f"""import eth_account
from hyperliquid.exchange import Exchange

secret_key = "{private}"
account = eth_account.Account.from_key(secret_key)
vault = "0x{r.draw(40, HEX)}"
last_order_hash = "0x{r.draw(64, HEX)}"
""")  # fmt: skip


def bot_tokens(r: Repo) -> None:
    token = r.leak(f"{r.rng.randint(10**9, 10**10 - 1)}:AA{r.draw(33, WORD + '_-')}")
    r.write(
        "alert.sh",
        f'curl -s "https://api.telegram.org/bot{token}/sendMessage" -d chat_id=-100123 -d text="$1"\n',
    )


# --- what only looks like keys, the tuning half ------------------------------------------------------


def package_lock(r: Repo) -> None:
    packages = {
        f"node_modules/lib{n}": {"version": f"1.{n}.0", "integrity": f"sha512-{r.b64(64)}"} for n in range(30)
    }
    r.write("package-lock.json", json.dumps({"name": "trading-bot", "packages": packages}, indent=2))


def poetry_lock(r: Repo) -> None:
    text = "".join(
        f'[[package]]\nname = "ccxt"\nfiles = [{{hash = "sha256:{r.draw(64, HEX)}"}}]\n\n' for _ in range(20)
    )
    r.write("poetry.lock", text + f'[metadata]\ncontent-hash = "{r.draw(64, HEX)}"\n')


def placeholders(r: Repo) -> None:
    r.write(".env.example", """BINANCE_API_KEY=your_binance_api_key_here
BINANCE_API_SECRET=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
BYBIT_API_KEY=<insert key>
OKX_API_KEY=00000000-0000-0000-0000-000000000000
KRAKEN_SECRET=abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789==
PRIVATE_KEY=0x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
""")  # fmt: skip


def published(r: Repo) -> None:
    r.write("docs/signing.md", "".join(  # in pieces, so that no scanner trips over this file
        f"    {name} = {''.join(parts)}\n" for name, parts in {
            "binance apiKey": ("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zv", "sw0MuIgwCIPy6utIco14y7Ju91duEh8A"),
            "binance secretKey": ("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP", "1e3UZjInClVN65XAbvqqM6A7H5fATj0j"),
            "hardhat PRIVATE_KEY": ("0xac0974bec39a17e36ba4a6b4d238ff94", "4bacb478cbed5efcae784d7bf4f2ff80"),
        }.items()
    ))  # fmt: skip


def json_web_token(r: Repo) -> None:
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(b'{"sub":"1234567890","exchange":"binance"}').decode().rstrip("=")
    signature = r.draw(43, WORD + "-_")
    r.write(
        "docs/login.md",
        f"The exchange answers\n\n    access token: {r.other(f'{head}.{body}.{signature}')}\n",
    )


def minified(r: Repo) -> None:
    names = [r.draw(2, string.ascii_letters) for _ in range(400)]
    code = "".join(f"function {n}(e,t){{return e.{n}(t,{r.rng.randint(0, 99)})}}" for n in names)
    r.write("static/bundle.min.js", f"{code}var h='{r.draw(32, HEX)}',key='exchange.{r.draw(3)}';{code}\n")


def picture(r: Repo) -> None:
    r.write("docs/chart.md", f"![api key page](data:image/png;base64,{r.b64(6_000)})\n")


def chain(r: Repo) -> None:
    rows = [
        {"hash": "0x" + r.draw(64, HEX), "to": "0x" + r.draw(40, HEX), "blockHash": "0x" + r.draw(64, HEX)}
        for _ in range(20)
    ]
    r.write("data/transactions.json", json.dumps(rows, indent=2))


def test_doubles(r: Repo) -> None:
    r.write("tests/test_client.py", """import pytest

@pytest.fixture
def client():
    return BinanceClient(api_key="test-api-key", api_secret="test-api-secret-0001")


def test_exchange_key_is_sent(client):
    assert client.headers["X-MBX-APIKEY"] == "test-api-key"
""")  # fmt: skip


def translations(r: Repo) -> None:
    told = {
        f"exchange.settings.apiKey.{n}": "Geben Sie Ihren API-Schlüssel und das Geheimnis ein"
        for n in range(20)
    }
    r.write(
        "locales/de.json",
        json.dumps({"key": "settings.exchange.binance.apiKeyPlaceholder", **told}, indent=1),
    )


# --- what only looks like keys, the tuning half, continued -------------------------------------------


def yarn_lock(r: Repo) -> None:
    r.write("yarn.lock", "".join(
        f'"binance-api-node@^0.{n}.0":\n  version "0.{n}.1"\n  resolved "https://r.example.org/x-{n}.tgz#{r.draw(40, HEX)}"\n'
        f"  integrity sha512-{r.b64(64)}\n\n" for n in range(20)
    ))  # fmt: skip


def go_sum(r: Repo) -> None:
    r.write(
        "go.sum", "".join(f"github.com/adshao/go-binance/v2 v2.{n}.0 h1:{r.b64(32)}\n" for n in range(30))
    )


def cargo_lock(r: Repo) -> None:
    r.write(
        "Cargo.lock",
        "".join(f'[[package]]\nname = "binance-{n}"\nchecksum = "{r.draw(64, HEX)}"\n\n' for n in range(25)),
    )


def own_orders(r: Repo) -> None:
    rows = [
        {
            "symbol": "BTCUSDT",
            "orderId": r.uuid(),
            "execId": r.uuid(),
            "orderLinkId": r.draw(36),
            "side": "Buy",
        }
        for _ in range(25)
    ]
    r.write("exports/bybit_trades.json", json.dumps({"exchange": "bybit", "list": rows}, indent=1))
    head = "time,exchange,symbol,trade_id,order_id,client_order_id\n"
    body = "".join(
        f"176700{n:04},okx,BTC-USDT,{r.rng.randint(10**8, 10**9)},{r.uuid()},{r.draw(32)}\n"
        for n in range(25)
    )
    r.write("exports/okx_fills.csv", head + body)


def signed_requests(r: Repo) -> None:
    lines = [
        f"GET https://api.binance.com/api/v3/order?symbol=BTCUSDT&timestamp=17670000{n:05}&signature={r.draw(64, HEX)} 200 key=***"
        for n in range(20)
    ]
    lines.append(f'binance user stream: {{"listenKey": "{r.other(r.draw(64))}"}}')
    r.write("logs/bot.log", "\n".join(lines) + "\n")


def public_keys(r: Repo) -> None:
    body = r.b64(294)
    pem = "\n".join(body[i : i + 64] for i in range(0, len(body), 64))
    r.write("keys/binance_ed25519.pub", f"-----BEGIN PUBLIC KEY-----\n{pem}\n-----END PUBLIC KEY-----\n")
    r.write(
        "deploy/authorized_keys", f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{r.draw(43, B64)} bot@exchange\n"
    )


def workflows(r: Repo) -> None:
    r.write(".github/workflows/ci.yml", f"""name: trading-bot
jobs:
  test:
    steps:
      - uses: actions/checkout@{r.draw(40, HEX)}
      - uses: actions/cache@{r.draw(40, HEX)}
        with:
          key: pip-{r.draw(64, HEX)}
      - run: pytest
        env:
          BINANCE_API_KEY: ${{{{ secrets.BINANCE_API_KEY }}}}
          BINANCE_API_SECRET: ${{{{ secrets.BINANCE_API_SECRET }}}}
""")  # fmt: skip


def change_log(r: Repo) -> None:
    r.write(
        "CHANGELOG.md",
        "".join(f"- {r.draw(40, HEX)} rotate the exchange api key ({r.draw(7, HEX)})\n" for _ in range(15)),
    )


def terraform(r: Repo) -> None:
    resources = [
        {
            "type": "aws_instance",
            "id": f"i-{r.draw(17, HEX)}",
            "etag": r.draw(32, HEX),
            "lineage": r.uuid(),
            "key": f"prod/exchange/{r.draw(24, HEX)}.tfstate",
        }
        for _ in range(10)
    ]
    r.write("infra/terraform.tfstate", json.dumps({"resources": resources}, indent=2))


def models(r: Repo) -> None:
    r.write(
        "models/manifest.json",
        json.dumps(
            [
                {
                    "file": f"weights-{n}.bin",
                    "sha256": r.draw(64, HEX),
                    "md5": r.draw(32, HEX),
                    "key": f"models/{r.uuid()}",
                }
                for n in range(15)
            ],
            indent=1,
        ),
    )


def analytics(r: Repo) -> None:
    r.write("public/index.html", f"""<html><head><title>Exchange rates</title>
<script data-site="{r.uuid()}" src="/a.js" integrity="sha384-{r.b64(48)}"></script>
<meta name="google-site-verification" content="{r.draw(43, WORD + '-_')}">
</head><body data-reactid="{r.draw(32, HEX)}"><div id="trading-view" key="{r.uuid()}"></div></body></html>
""")  # fmt: skip


def empty_settings(r: Repo) -> None:
    r.write("config.sample.toml", """[exchange.kucoin]
api_key = "YOUR-KUCOIN-API-KEY"          # 24 hexadecimal digits
api_secret = "12345678-1234-1234-1234-123456789012"
passphrase = "changeme"
[exchange.gateio]
api_key = "deadbeefdeadbeefdeadbeefdeadbeef"
api_secret = "${GATEIO_API_SECRET}"
""")  # fmt: skip


def contracts(r: Repo) -> None:
    r.write("scripts/addresses.ts", "".join(
        f"export const {name}: string = '0x{r.draw(40, HEX)}';\nexport const {name}_TX = '0x{r.draw(64, HEX)}';\n"
        for name in ("EXCHANGE_PROXY", "ROUTER", "USDT", "HYPERLIQUID_BRIDGE")
    ) + f"export const POOL_KEY = '0x{r.draw(64, HEX)}';\nexport const INIT_CODE_HASH = '0x{r.draw(64, HEX)}';\n")  # fmt: skip


def identifiers(r: Repo) -> None:
    r.write("bot/strategy.py", '''"""A bot for binance and kraken."""

SECRET_SAUCE = "meanReversionWithVolatilityBreakoutAndTrailingStopLoss"
api_key_setting_name = "exchange.binance.futures.credentials.apiKeyName"
KEYBOARD_SHORTCUT_KEY = "ctrl+shift+alt+F12"
key = "BTC/USDT:USDT-240329-70000-C"
secret_manager_path = "projects/trading-bot/secrets/kraken-api-secret/versions/3"
''')  # fmt: skip


def made_up_fixtures(r: Repo) -> None:
    """The hard one: a test's own random key. Nothing in it says that it opens nothing."""
    r.write(
        "tests/test_sign.py",
        f'from bot import sign\n\nKEY = "{r.draw(20)}"\nSECRET = "{r.draw(40)}"\n\n\ndef test_exchange_signature():\n    assert sign(SECRET, "a=1") == "{r.draw(64, HEX)}"\n',
    )


# --- leaks, the reporting half: written last, never tuned on -------------------------------------------


def nested_exchanges(r: Repo) -> None:
    rows = []
    for venue in r.rng.sample(VENUES, 3):
        key, secret = r.pair(venue)
        rows.append(
            f"    '{venue}': {{\n        'API_KEY': '{key}',\n        'API_SECRET': '{secret}',\n        'fee': 0.001,\n    }},"
        )
    r.write("jesse/config.py", "EXCHANGES = {\n" + "\n".join(rows) + "\n}\n")


def octobot(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    told = {
        "crypto-currencies": {"Bitcoin": {"pairs": ["BTC/USDT"]}},
        "exchanges": {venue: {"api-key": key, "api-secret": secret}},
        "trading": {"risk": 0.5},
    }
    r.write("user/config.json", json.dumps(told, indent=4))


def dockerfile(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write("Dockerfile", f"""FROM python:3.12@sha256:{r.draw(64, HEX)}
ENV {venue.upper()}_APIKEY="{key}" \\
    {venue.upper()}_SECRETKEY="{secret}"
CMD ["python", "-m", "grid"]
""")  # fmt: skip


def plain_workflow(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write(".github/workflows/nightly.yml", f"""jobs:
  trade:
    steps:
      - uses: actions/checkout@{r.draw(40, HEX)}
      - run: python rebalance.py {venue}
        env:
          API_KEY: {key}
          API_SECRET: {secret}
""")  # fmt: skip


def tfvars(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write(
        "infra/prod.tfvars",
        f'region = "ap-northeast-1"\n{venue}_api_key    = "{key}"\n{venue}_api_secret = "{secret}"\n',
    )


def postman(r: Repo) -> None:
    key, secret = r.pair("binance")
    told = {
        "info": {"_postman_id": r.uuid(), "name": "Binance spot"},
        "variable": [
            {"key": "binance-api-key", "value": key},
            {"key": "binance-api-secret", "value": secret},
            {"key": "signature", "value": ""},
        ],
    }
    r.write("binance.postman_collection.json", json.dumps(told, indent=2))


def curl_example(r: Repo) -> None:
    venue, header = r.rng.choice(
        [("bybit", "X-BAPI-API-KEY"), ("okx", "OK-ACCESS-KEY"), ("binance", "X-MBX-APIKEY")]
    )
    key = r.leak(FORMS[venue](r)[0])
    r.write(
        "docs/usage.md",
        f"# Usage\n\n```sh\ncurl -s 'https://api.{venue}.com/account' \\\n  -H '{header}: {key}' \\\n  -H 'X-SIGN: {r.draw(64, HEX)}'\n```\n",
    )


def front_end(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write(
        "web/.env.local",
        f"VITE_APP_TITLE=Desk\nVITE_{venue.upper()}_KEY={key}\nVITE_{venue.upper()}_SECRET={secret}\nVITE_BUILD={r.draw(40, HEX)}\n",
    )


def notebook_traceback(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    lines = [
        "\x1b[0;31m---------------------------------\x1b[0m\n",
        f"\x1b[0;32m----> 1\x1b[0;31m client = connect('{venue}', api_key='{key}', api_secret='{secret}')\x1b[0m\n",
        "AuthenticationError: invalid signature\n",
    ]
    cell = {
        "cell_type": "code",
        "execution_count": 9,
        "metadata": {},
        "source": ["client = connect(*args)"],
        "outputs": [
            {"output_type": "error", "ename": "AuthenticationError", "evalue": "", "traceback": lines}
        ],
    }
    r.write("explore.ipynb", json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}, indent=1))


def environment_dump(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write(
        "debug/printenv.txt",
        f"HOME=/home/bot\nINVOCATION_ID={r.draw(32, HEX)}\n{venue.upper()}_API_KEY={key}\nJOURNAL_STREAM=8:23\n{venue.upper()}_API_SECRET={secret}\nPWD=/srv\n",
    )


def other_languages(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    kind = r.rng.randrange(4)
    if kind == 0:
        r.write("fetch.R", f'# {venue}\nkey <- "{key}"\nsecret <- "{secret}"\n')
    elif kind == 1:
        r.write(
            "src/feed.cpp",
            f'// {venue} gateway\nstatic const std::string kApiKey{{"{key}"}};\nstatic const std::string kApiSecret{{"{secret}"}};\n',
        )
    elif kind == 2:
        r.write(
            "config/runtime.exs",
            f'config :trader, :{venue},\n  api_key: "{key}",\n  secret_key: "{secret}"\n',
        )
    else:
        r.write(
            "lib/bot.rb",
            f"{venue.title()}.configure do |c|\n  c.api_key = '{key}'\n  c.api_secret = '{secret}'\nend\n",
        )


def ansible(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write(
        "group_vars/all.yml", f"users: [bot]\nvenues:\n  - {{name: {venue}, key: {key}, secret: {secret}}}\n"
    )


def signing_script(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write("balance.sh", f"""#!/bin/sh
# what is on {venue}?
KEY={key}
SECRET={secret}
SIGN=$(printf %s "$1" | openssl dgst -sha256 -hmac "$SECRET" | cut -d' ' -f2)
""")  # fmt: skip


def xml_config(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write(
        "App.config",
        f'<configuration>\n  <exchange name="{venue}">\n    <apiKey>{key}</apiKey>\n    <add key="ApiSecret" value="{secret}" />\n  </exchange>\n</configuration>\n',
    )


def commented_out(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write(
        "run_live.py",
        f'import os\n\n# old {venue} account, remove!\n# API_KEY = "{key}"\n# API_SECRET = "{secret}"\nAPI_KEY = os.environ["API_KEY"]\n',
    )


def broken_lines(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write(
        "keys.py",
        f'{venue.upper()}_API_KEY = (\n    "{key}"\n)\n{venue.upper()}_API_SECRET = (\n    "{secret}"\n)\n',
    )


def properties(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write(
        "src/main/resources/application.properties",
        f"server.port=8080\nexchange.{venue}.apikey={key}\nexchange.{venue}.secret={secret}\nspring.application.instance_id={r.uuid()}\n",
    )


def chat_export(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    said = [
        {"id": r.uuid(), "from": "a", "text": f"here is the {venue} api key: {key}"},
        {"id": r.uuid(), "from": "a", "text": f"and the secret: {secret}"},
        {"id": r.uuid(), "from": "b", "text": "thanks, rotating it"},
    ]
    r.write("chat/result.json", json.dumps(said, indent=1))


def agent_wallet(r: Repo) -> None:
    private = r.leak("0x" + r.draw(64, HEX))
    r.write(
        "config/hyperliquid.toml",
        f'account_address = "0x{r.draw(40, HEX)}"\nagent_private_key = "{private}"\n',
    )


def supervisor(r: Repo) -> None:
    venue = any_venue(r)
    key, secret = r.pair(venue)
    r.write(
        "supervisord.conf",
        f'[program:{venue}_bot]\ncommand=python bot.py\nenvironment=API_KEY="{key}",API_SECRET="{secret}",TZ="UTC"\n',
    )


def chat_hooks(r: Repo) -> None:
    upper = string.ascii_uppercase + string.digits
    slack = r.leak(f"https://hooks.slack.com/services/T{r.draw(8, upper)}/B{r.draw(10, upper)}/{r.draw(24)}")
    token = r.leak(f"{r.rng.randint(10**9, 10**10 - 1)}:AA{r.draw(33, WORD + '_-')}")
    r.write(
        "alertmanager.yml",
        f"receivers:\n  - slack_configs:\n      - api_url: {slack}\n  - telegram_configs:\n      - bot_token: '{token}'\n        chat_id: -1001\n",
    )


# --- what only looks like keys, the reporting half -----------------------------------------------------


def requirements(r: Repo) -> None:
    r.write(
        "requirements.txt",
        "".join(
            f"python-binance==1.0.{n} \\\n    --hash=sha256:{r.draw(64, HEX)} \\\n    --hash=sha256:{r.draw(64, HEX)}\n"
            for n in range(15)
        ),
    )


def other_locks(r: Repo) -> None:
    r.write(
        "pnpm-lock.yaml",
        "".join(f"  /ccxt@4.{n}.0:\n    resolution: {{integrity: sha512-{r.b64(64)}}}\n" for n in range(15)),
    )
    r.write(
        "Pipfile.lock",
        json.dumps(
            {
                "_meta": {"hash": {"sha256": r.draw(64, HEX)}},
                "default": {"ccxt": {"hashes": [f"sha256:{r.draw(64, HEX)}" for _ in range(10)]}},
            },
            indent=4,
        ),
    )


def deposits(r: Repo) -> None:
    base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    r.write("treasury.py", f"""KRAKEN_DEPOSIT = "bc1q{r.draw(38, '023456789acdefghjklmnpqrstuvwxyz')}"
BINANCE_TRON = "T{r.draw(33, base58)}"
bybit_solana = "{r.draw(44, base58)}"
OKX_ETH = "0x{r.draw(40, HEX)}"
HYPERLIQUID_VAULT = "0x{r.draw(40, HEX)}"
""")  # fmt: skip


def migrations(r: Repo) -> None:
    r.write(
        "alembic/versions/add_exchange_keys.py",
        f'"""Add api keys of exchanges.\n\nRevision ID: {r.draw(12, HEX)}\n"""\n\nrevision = "{r.draw(32, HEX)}"\ndown_revision = "{r.draw(32, HEX)}"\n\n\ndef upgrade():\n    op.add_column("accounts", sa.Column("api_secret", sa.String(64)))\n',
    )


def frames(r: Repo) -> None:
    rows = []
    for n in range(15):
        rows.append(
            json.dumps(
                {
                    "op": "auth",
                    "connId": r.draw(20),
                    "reqId": r.uuid(),
                    "args": ["***", 1767000000000 + n, r.draw(64, HEX)],
                }
            )
        )
        rows.append(
            json.dumps(
                {
                    "topic": "execution",
                    "id": r.draw(36),
                    "data": [
                        {
                            "exchange": "bybit",
                            "execId": r.uuid(),
                            "orderId": r.uuid(),
                            "blockTradeId": r.draw(32, HEX),
                        }
                    ],
                }
            )
        )
    r.write("tape/bybit-private.jsonl", "\n".join(rows) + "\n")


def encrypted(r: Repo) -> None:
    r.write(
        "conf/connectors/bybit.yml",
        f"connector: bybit\n\nbybit_api_key: 7b2263727970746f{r.draw(900, HEX)}\n\nbybit_secret_key: 7b2263727970746f{r.draw(900, HEX)}\n",
    )
    r.write(
        "secrets.enc.yaml",
        f"binance:\n    api_key: ENC[AES256_GCM,data:{r.b64(48)},iv:{r.b64(32)},tag:{r.b64(16)},type:str]\nsops:\n    mac: ENC[AES256_GCM,data:{r.b64(66)}]\n",
    )


def vault(r: Repo) -> None:
    lines = "\n".join("          " + r.draw(80, string.digits) for _ in range(5))
    r.write(
        "group_vars/vault.yml", f"kraken_api_secret: !vault |\n          $ANSIBLE_VAULT;1.1;AES256\n{lines}\n"
    )


def bundles(r: Repo) -> None:
    chunks = {f"static/js/{n}.{r.draw(20, HEX)}.chunk.js": f"sha384-{r.b64(48)}" for n in range(20)}
    r.write(
        "dist/asset-manifest.json",
        json.dumps({"exchange": chunks, "buildId": r.draw(21), "key": r.draw(32, HEX)}, indent=1),
    )


def patches(r: Repo) -> None:
    r.write(
        "patches/fix-kraken.patch",
        f"From {r.draw(40, HEX)} Mon Sep 17 00:00:00 2001\nSubject: kraken: read the api secret from a file\n\ndiff --git a/kraken.py b/kraken.py\nindex {r.draw(40, HEX)}..{r.draw(40, HEX)} 100644\n-secret = input()\n+secret = read_secret(path)\n",
    )


def hosts_and_signatures(r: Repo) -> None:
    r.write(
        ".ssh/known_hosts",
        f"bot.exchange.example.org ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ{r.draw(340, B64)}==\n|1|{r.b64(20)}|{r.b64(20)} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{r.draw(43, B64)}\n",
    )
    r.write(
        "release.asc",
        "-----BEGIN PGP SIGNATURE-----\n\n"
        + "\n".join(r.b64(48) for _ in range(7))
        + "\n-----END PGP SIGNATURE-----\n",
    )


def templates_of_settings(r: Repo) -> None:
    r.write(
        "config/template.json",
        json.dumps(
            {
                "exchange": {
                    "name": "binance",
                    "key": "replace-me-with-your-key",
                    "secret": "CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE_ME",
                },
                "okx": {
                    "apiKey": "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
                    "secret": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                    "passphrase": "...",
                },
            },
            indent=2,
        ),
    )
    r.write(
        "env.template",
        "BYBIT_API_KEY=${BYBIT_API_KEY:?set it}\nBYBIT_API_SECRET={{ vault_bybit_secret }}\nKUCOIN_KEY=op://Trading/KuCoin/credential\nMEXC_KEY=mx0vglXXXXXXXXXXXX\n",
    )


def documented(r: Repo) -> None:
    r.write(
        "docs/api.md",
        '# Exchange accounts\n\n`POST /accounts`\n\n```json\n{"exchange": "bitget", "apiKey": "bg_0123456789abcdef0123456789abcdef", "secret": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}\n```\n\nKeys are stored as `sha256(apiKey)`.\n',
    )


def bytecode(r: Repo) -> None:
    r.write(
        "artifacts/Exchange.json",
        json.dumps(
            {
                "contractName": "Exchange",
                "bytecode": "0x6080604052" + r.draw(3_000, HEX),
                "storageLayout": {"keys": ["0x" + r.draw(64, HEX) for _ in range(10)]},
                "methodIdentifiers": {"withdraw(uint256)": r.draw(8, HEX)},
            },
            indent=1,
        ),
    )


def careful_code(r: Repo) -> None:
    r.write("bot/credentials.py", """# keys of binance, bybit and kraken, from the keyring and from nowhere else
import hashlib
import secrets

BINANCE_API_KEY_ENVIRONMENT_VARIABLE = "TRADER_BINANCE_SPOT_API_KEY_V2"
KRAKEN_SECRET_FILE = "/run/credentials/trader.service/kraken_secret_2026"
BYBIT_SECRET_REF = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:bybit/api-AbCdEf"


def fingerprint(api_secret: str) -> str:
    return hashlib.sha256(api_secret.encode()).hexdigest()[:16]


def same(api_secret: str, other_secret: str) -> bool:
    return secrets.compare_digest(api_secret, other_secret)
""")  # fmt: skip


def drawings(r: Repo) -> None:
    r.write(
        "docs/exchange.svg",
        f'<svg><title>key and secret</title><style>@font-face{{src:url(data:font/woff2;base64,{r.b64(4_000)})}}</style><path id="{r.draw(32)}" d="M0 0L10 10"/></svg>\n',
    )


def ledgers(r: Repo) -> None:
    upper = string.ascii_uppercase + string.digits
    r.write(
        "exports/kraken-ledgers.csv",
        "txid,refid,time,type,asset,amount\n"
        + "".join(
            f"L{r.draw(5, upper)}-{r.draw(5, upper)}-{r.draw(6, upper)},O{r.draw(5, upper)}-{r.draw(5, upper)}-{r.draw(6, upper)},2026-01-01,trade,XXBT,0.1\n"
            for _ in range(20)
        ),
    )
    r.write(
        "exports/coinbase.json",
        json.dumps(
            [
                {
                    "trade_id": n,
                    "order_id": r.uuid(),
                    "user_id": r.draw(24, HEX),
                    "profile_id": r.uuid(),
                    "account": "coinbase",
                }
                for n in range(20)
            ],
            indent=1,
        ),
    )


def token_list(r: Repo) -> None:
    r.write(
        "tokens.json",
        json.dumps(
            {
                "hyperliquid": {
                    "spot": [
                        {
                            "name": f"HYPE{n}",
                            "tokenId": "0x" + r.draw(32, HEX),
                            "evmContract": "0x" + r.draw(40, HEX),
                            "deployTxHash": "0x" + r.draw(64, HEX),
                        }
                        for n in range(15)
                    ]
                }
            },
            indent=1,
        ),
    )


def cached_answers(r: Repo) -> None:
    told = [
        {
            "request": {
                "method": "GET",
                "uri": "https://api.kucoin.com/api/v1/accounts",
                "headers": {"KC-API-KEY": ["DUMMY"], "KC-API-SIGN": [r.b64(32)]},
            },
            "response": {
                "headers": {
                    "x-request-id": [r.uuid()],
                    "cf-ray": [r.draw(16, HEX)],
                    "set-cookie": [f"__cf_bm={r.draw(60)}"],
                },
                "body": json.dumps([{"id": r.draw(24, HEX), "currency": "BTC"}]),
            },
        }
        for _ in range(6)
    ]
    r.write("tests/cassettes/kucoin_accounts.json", json.dumps(told, indent=1))


def metrics(r: Repo) -> None:
    r.write(
        "grafana/exchange.json",
        json.dumps(
            {
                "uid": r.draw(14),
                "title": "binance latency",
                "panels": [
                    {
                        "id": n,
                        "datasource": {"uid": r.draw(16)},
                        "libraryPanel": {"uid": r.uuid()},
                        "key": f"Q-{r.uuid()}-{n}",
                    }
                    for n in range(10)
                ],
            },
            indent=1,
        ),
    )


TUNING: tuple[Template, ...] = (
    dotenv, freqtrade, ccxt_script, notebook_source, compose, bash_history, javascript, yaml_config, webhooks, wallet,
    settings_module, hummingbot, notebook_output, ci_log, zsh_history, compiled_languages, manifests, toml_and_ini,
    appsettings, cdp_key, positional, readme, accounts_csv, sql_dump, wallet_code, bot_tokens,
    package_lock, poetry_lock, placeholders, published, json_web_token, minified, picture, chain, test_doubles,
    translations, yarn_lock, go_sum, cargo_lock, own_orders, signed_requests, public_keys, workflows, change_log,
    terraform, models, analytics, empty_settings, contracts, identifiers, made_up_fixtures,
)  # fmt: skip
REPORTING: tuple[Template, ...] = (
    nested_exchanges, octobot, dockerfile, plain_workflow, tfvars, postman, curl_example, front_end,
    notebook_traceback, environment_dump, other_languages, ansible, signing_script, xml_config, commented_out,
    broken_lines, properties, chat_export, agent_wallet, supervisor, chat_hooks,
    requirements, other_locks, deposits, migrations, frames, encrypted, vault, bundles, patches,
    hosts_and_signatures, templates_of_settings, documented, bytecode, careful_code, drawings, ledgers, token_list,
    cached_answers, metrics,
)  # fmt: skip


def repositories(templates: Iterable[Template], seeds: Iterable[int]) -> list[Repo]:
    """Make one repository for each template and seed."""
    made = []
    seeds = list(seeds)
    for template in templates:
        for seed in seeds:
            name = f"{template.__name__}-{seed}"
            repo = Repo(name, random.Random(f"{name}"))
            template(repo)
            made.append(repo)
    return made


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, as nobody in particular and at a time of its own."""
    who = {f"GIT_{role}_{what}": said for role in ("AUTHOR", "COMMITTER") for what, said in
           (("NAME", "Nobody"), ("EMAIL", "nobody@example.org"), ("DATE", "2026-01-02T03:04:05Z"))}  # fmt: skip
    run = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", "-c", "commit.gpgSign=false", *arguments],
        cwd=folder, check=True, capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", **who},
    )  # fmt: skip
    return run.stdout.strip()


def commit_and_remove(repo: Repo, folder: Path) -> Path:
    """Save a repository, commit it, then take every file with a key out again and commit that."""
    top = repo.save(folder)
    git(top, "init", "-q")
    git(top, "add", "-A", "-f")
    git(top, "commit", "-q", "-m", "First version")
    for path in sorted({path for path, _ in repo.planted}):
        git(top, "rm", "-q", "-f", path)
    top.mkdir(exist_ok=True)
    (top / "README.md").write_text("Moved the settings to the environment.\n")
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "Take the settings out")
    return top
