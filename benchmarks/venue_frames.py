"""Time from a frame of Binance to its rows, beside what `json.loads` alone takes for the same bytes.

    python benchmarks/venue_frames.py

Prints microseconds a frame, the best of many short runs, and the ratio of the two, which other work on
the machine changes less.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable

from drainwatch.rows import Market
from drainwatch.venues.binance import BinanceSpotPrivateSource
from drainwatch.venues.binance_futures import BinanceFuturesPrivateSource
from drainwatch.venues.binance_public import BinancePublicSource
from drainwatch.venues.protocol import Credentials, StreamProtocol, Symbols

NOW_NS = 1_709_654_401_050_000_000
RUNS, FRAMES = 300, 300

REPORT = (
    b'{"subscriptionId":0,"event":{"e":"executionReport","E":1709654401001,"s":"ETHBTC","c":"bot-1","S":"BUY",'
    b'"o":"LIMIT","f":"GTC","q":"2.00000000","p":"0.10264410","P":"0.00000000","F":"0.00000000","g":-1,"C":"",'
    b'"x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE","i":4293153,"l":"1.50000000","z":"1.50000000",'
    b'"L":"0.10264400","n":"0.00150000","N":"ETH","T":1709654401000,"t":77,"I":8641984,"w":false,"m":true,'
    b'"M":false,"O":1709654400657,"Z":"0.15396600","Y":"0.15396600","Q":"0.00000000","W":1709654400657,'
    b'"V":"NONE"}}'
)
UPDATE = (
    b'{"e":"ORDER_TRADE_UPDATE","T":1709654401000,"E":1709654401001,"o":{"s":"ETHBTC","c":"bot-1","S":"SELL",'
    b'"o":"LIMIT","f":"GTC","q":"0.002","p":"42000.00","ap":"42000.10","sp":"0","x":"TRADE",'
    b'"X":"PARTIALLY_FILLED","i":8886774,"l":"0.001","z":"0.001","L":"42000.10","N":"USDT","n":"0.01680004",'
    b'"T":1709654401000,"t":12345678,"b":"0","a":"0","m":true,"R":false,"wt":"CONTRACT_PRICE","ot":"LIMIT",'
    b'"ps":"LONG","cp":false,"AP":"0","cr":"0","pP":false,"si":0,"ss":0,"rp":"12.34","V":"NONE"}}'
)
PRINT = (
    b'{"stream":"ethbtc@trade","data":{"e":"trade","E":1709654401001,"s":"ETHBTC","t":12345,"p":"0.05100000",'
    b'"q":"1.50000000","T":1709654401000,"m":true,"M":true}}'
)
QUOTE = (
    b'{"stream":"ethbtc@bookTicker","data":{"u":400900217,"s":"ETHBTC","b":"0.05099000","B":"31.21000000",'
    b'"a":"0.05101000","A":"40.66000000"}}'
)


async def _listen_key(_method: str) -> str:
    return "no-such-key"


async def protocols() -> dict[str, tuple[StreamProtocol, bytes]]:
    """Give a protocol and a frame of its own for each kind."""
    symbols = Symbols(
        [Market(exchange="binance", symbol="ETH/BTC", venue_symbol="ETHBTC", base="ETH", quote="BTC")]
    )
    private = await BinanceSpotPrivateSource(Credentials("no key", "no secret"), symbols).start()
    futures = await BinanceFuturesPrivateSource(_listen_key, symbols).start()
    public = await BinancePublicSource(symbols).start()
    return {
        "executionReport": (private, REPORT),
        "ORDER_TRADE_UPDATE": (futures, UPDATE),
        "trade": (public, PRINT),
        "bookTicker": (public, QUOTE),
    }


def best_us(call: Callable[[], object]) -> float:
    """Microseconds a call in the quietest of many short runs."""
    runs = []
    for _ in range(RUNS):
        start = time.perf_counter()
        for _ in range(FRAMES):
            call()
        runs.append(time.perf_counter() - start)
    return min(runs) / FRAMES * 1e6


def main() -> None:
    """Print the table."""
    print(f"{'frame':20} {'to rows':>9} {'json.loads':>11} {'ratio':>6}")
    for name, (protocol, frame) in asyncio.run(protocols()).items():
        if len(protocol.take(frame, NOW_NS).rows) != 1:
            raise SystemExit(f"{name} must give one row")
        ours = best_us(lambda protocol=protocol, frame=frame: protocol.take(frame, NOW_NS))  # type: ignore[misc]
        plain = best_us(lambda frame=frame: json.loads(frame))  # type: ignore[misc]
        print(f"{name:20} {ours:6.2f} us {plain:8.2f} us {ours / plain:6.2f}")


if __name__ == "__main__":
    main()
