"""A real freqtrade (its own package, its own process) that trades dry on a loopback exchange."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drainwatch.lab.exchange.server import Server
from response_fakes import PASSWORD, USER

VARIABLE = "DRAINWATCH_FREQTRADE"
"""Names the program; without it a virtual environment is made and freqtrade installed there."""

STRATEGY = """
from freqtrade.strategy import IStrategy


class Idle(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "5m"
    startup_candle_count = 1
    minimal_roi = {"0": 1.0}
    stoploss = -0.99

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe
"""


def program(folder: Path) -> Path:
    """Give freqtrade's program; skips the test where there is none to have."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    found = shutil.which("freqtrade")
    if found:
        return Path(found)
    venv = folder / "freqtrade-venv"
    try:
        subprocess.run([sys.executable, "-m", "venv", venv], check=True, capture_output=True, timeout=120)
        subprocess.run(
            [venv / "bin" / "python", "-m", "pip", "install", "--quiet", "freqtrade"],
            check=True,
            capture_output=True,
            timeout=900,
        )
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(
            f"freqtrade can't be installed here ({type(error).__name__}); {VARIABLE} can name its program"
        )
    return venv / "bin" / "freqtrade"


def settings(server: Server, port: int, folder: Path) -> dict[str, object]:
    """Give its settings: dry run, on the loopback exchange, its REST interface on."""
    pricing = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
    return {
        "dry_run": True,
        "dry_run_wallet": 1,
        "stake_currency": "BTC",
        "stake_amount": 0.01,
        "max_open_trades": 1,
        "trading_mode": "spot",
        "entry_pricing": pricing,
        "exit_pricing": pricing,
        "force_entry_enable": True,
        "order_types": {
            "entry": "market", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False
        },
        "exchange": {
            "name": "binance",
            "key": "",
            "secret": "",
            "pair_whitelist": ["ETH/BTC"],
            "enable_ws": False,
            "ccxt_config": {"urls": server.ccxt_urls()},
        },
        "pairlists": [{"method": "StaticPairList"}],
        "api_server": {
            "enabled": True,
            "listen_ip_address": "127.0.0.1",
            "listen_port": port,
            "username": USER,
            "password": PASSWORD,
            "jwt_secret_key": "x" * 40,
            "ws_token": "y" * 30,
        },
        "initial_state": "running",
        "internals": {"process_throttle_secs": 1},
        "db_url": f"sqlite:///{folder}/trades.sqlite",
    }  # fmt: skip


@asynccontextmanager
async def trading(executable: Path, server: Server, folder: Path) -> AsyncIterator[str]:
    """Let it trade; gives the address of its REST interface, once it is there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    strategies = folder / "user_data" / "strategies"
    strategies.mkdir(parents=True)
    (strategies / "idle.py").write_text(STRATEGY)
    (folder / "freqtrade.json").write_text(json.dumps(settings(server, port, folder)))
    log = (folder / "freqtrade.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        executable, "trade", "--config", str(folder / "freqtrade.json"),
        "--userdir", str(folder / "user_data"), "--strategy", "Idle",
        stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        env={"PATH": os.environ.get("PATH", ""), "HOME": str(folder)},
    )  # fmt: skip
    try:
        async with asyncio.timeout(120):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    if process.returncode is not None:
                        end = (folder / "freqtrade.log").read_text(errors="replace")[-3_000:]
                        raise AssertionError(f"freqtrade ended:\n{end}") from None
                    await asyncio.sleep(0.2)
                    continue
                writer.close()
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        log.close()
