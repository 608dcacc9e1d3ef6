from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from drainwatch.errors import ConfigError
from drainwatch.rows import Fill, Market, Quote, Row, Trade
from drainwatch.venues.counterparties import HOLD_NS, Counterparties
from drainwatch.venues.hyperliquid import IGNORED, Hyperliquid
from drainwatch.venues.protocol import Reading, Symbols
from mutations import plain, spoilt

NOW = 1_761_584_400_000_000_000
ME = "0x31ca8395cf837de08b24da3f660e77761dfb974b"
OTHER = "0x010461c14e146ac35fe42271bdc1134ee31c703a"
FOLDER = "venue-messages/hyperliquid/test_data"


def market(coin: str) -> Market:
    if coin.startswith("@") or "/" in coin:
        base = coin.partition("/")[0].replace("@", "T")
        return Market(
            exchange="hyperliquid", symbol=f"{base}/USDC", venue_symbol=coin, base=base, quote="USDC"
        )
    base = coin.replace(":", "-")
    return Market(
        exchange="hyperliquid",
        symbol=f"{base}/USDC:USDC",
        venue_symbol=coin,
        base=base,
        quote="USDC",
        settle="USDC",
        contract_size=1.0,
    )


def symbols(*coins: str) -> Symbols:
    return Symbols([market(coin) for coin in coins or ("BTC", "ETH", "@107", "PURR/USDC")])


def text(channel: str, data: Any) -> str:
    return json.dumps({"channel": channel, "data": data})


def stands(kind: str, **more: str) -> str:
    return text("subscriptionResponse", {"method": "subscribe", "subscription": {"type": kind, **more}})


def user_fill(**changes: Any) -> dict[str, Any]:
    """Give a fill of the documents' form."""
    item = {
        "coin": "BTC",
        "px": "66653.0",
        "sz": "0.001",
        "side": "A",
        "time": 1761584399797,
        "startPosition": "-1",
        "dir": "Open Short",
        "closedPnl": "0.0",
        "hash": "0xe2",
        "oid": 55,
        "crossed": True,
        "fee": "0.009997",
        "tid": 745,
        "cloid": "0xe8d5",
        "feeToken": "USDC",
        "twapId": None,
    }
    return item | changes


def fills(*items: dict[str, Any], user: str = ME, **more: Any) -> str:
    return text("userFills", {"user": user, "fills": list(items), **more})


def prints(*items: dict[str, Any]) -> str:
    return text("trades", list(items))


def print_(**changes: Any) -> dict[str, Any]:
    item = {
        "coin": "BTC",
        "side": "A",
        "px": "66653.0",
        "sz": "0.001",
        "hash": "0xe2",
        "time": 1761584399797,
        "tid": 745,
        "users": [OTHER, ME],
    }
    return item | changes


def watching(*coins: str, join: Counterparties | None = None) -> Hyperliquid:
    """Give a stream of the address's fills; with the prints of `coins` if there are any."""
    stream = Hyperliquid(symbols(), address=ME, account="alice", counterparties=join)
    stream.want([market(coin).symbol for coin in coins], NOW)
    stream.opened(NOW)
    for coin in coins:
        stream.take(stands("trades", coin=coin), NOW)
    stream.take(stands("userFills", user=ME), NOW)
    return stream


def fill_of(**changes: Any) -> Fill:
    reading = watching().take(fills(user_fill(**changes)), NOW)
    assert not reading.bad
    (row,) = reading.rows
    assert isinstance(row, Fill)
    return row


# --- subscribing -----------------------------------------------------------------------------------


def test_address_is_asked_for_in_lower_case_and_needs_no_key() -> None:
    stream = Hyperliquid(symbols(), address=ME.upper().replace("0X", "0x"))
    assert [json.loads(sent) for sent in stream.opened(NOW).send] == [
        {"method": "subscribe", "subscription": {"type": "userFills", "user": ME}}
    ]
    assert stream.take(stands("userFills", user=ME), NOW).ready
    assert not stream.take(fills(isSnapshot=True), NOW).ready


@pytest.mark.parametrize("address", ["", "0x12", "me", ME + "0", "0x" + "g" * 40])
def test_what_is_no_address_is_refused_with_what_was_expected(address: str) -> None:
    with pytest.raises(ConfigError, match="40 hexadecimal digits"):
        Hyperliquid(symbols(), address=address)


def test_wanted_symbols_are_asked_for_by_the_venues_names_and_once() -> None:
    stream = Hyperliquid(symbols())
    assert stream.stream == "hyperliquid public"
    stream.want(["T107/USDC", "NO/SUCH"], NOW)
    sent = [json.loads(one)["subscription"] for one in stream.opened(NOW).send]
    assert sent == [{"type": "trades", "coin": "@107"}, {"type": "bbo", "coin": "@107"}]
    more = stream.want(["T107/USDC", "BTC/USDC:USDC"], NOW).send
    assert {json.loads(one)["subscription"]["coin"] for one in more} == {"BTC"}
    assert stream.take(stands("trades", coin="@107"), NOW).ready


def test_prints_that_stand_do_not_yet_make_the_fills_stand() -> None:
    stream = Hyperliquid(symbols(), address=ME)
    stream.want(["BTC/USDC:USDC"], NOW)
    stream.opened(NOW)
    assert not stream.take(stands("trades", coin="BTC"), NOW).ready
    assert stream.take(stands("userFills", user=ME), NOW).ready


def test_refused_address_ends_the_connection() -> None:
    for error in ('Invalid subscription {"type":"userFills"}', "Cannot track more than 10 total users."):
        stream = Hyperliquid(symbols(), address=ME)
        stream.opened(NOW)
        assert stream.take(text("error", error), NOW).close


def test_repeated_subscription_is_no_error_and_another_error_is_counted() -> None:
    assert watching().take(text("error", 'Already subscribed: {"type":"trades"}'), NOW) == Reading()
    reading = watching().take(text("error", "Invalid coin"), NOW)
    assert reading.close is None
    assert "Invalid coin" in reading.bad[0].reason


# --- fills -----------------------------------------------------------------------------------------


def test_fill_has_the_exact_strings() -> None:
    assert fill_of() == Fill(
        exchange="hyperliquid",
        account="alice",
        symbol="BTC/USDC:USDC",
        id="745",
        ts_ns=1_761_584_399_797_000_000,
        side="sell",
        price="66653.0",
        amount="0.001",
        order="55",
        client_order_id="0xe8d5",
        taker_or_maker="taker",
        fee_cost="0.009997",
        fee_currency="USDC",
    )


def test_rebate_is_a_negative_cost() -> None:
    fill = fill_of(fee="-0.0003", crossed=False, cloid=None)
    assert (fill.fee_cost, fill.taker_or_maker, fill.client_order_id) == ("-0.0003", "maker", None)


def test_spot_coin_is_named_by_the_list() -> None:
    assert fill_of(coin="@107").symbol == "T107/USDC"
    assert fill_of(coin="PURR/USDC").symbol == "PURR/USDC"


def test_liquidation_is_forced_for_the_liquidated_alone() -> None:
    other = {"liquidatedUser": OTHER, "markPx": "66607.0", "method": "market"}
    mine = other | {"liquidatedUser": ME.upper().replace("0X", "0x")}
    assert not fill_of(liquidation=other).forced
    assert fill_of(liquidation=mine).forced
    assert fill_of(liquidation=mine).mark == "66607.0"


@pytest.mark.parametrize("direction", ["Auto-Deleveraging", "Liquidated Cross Long", "Settlement"])
def test_fills_that_the_venue_makes_are_forced(direction: str) -> None:
    assert fill_of(dir=direction).forced
    assert not fill_of(dir="Close Long").forced


def test_snapshot_is_rows_too() -> None:
    reading = watching().take(fills(user_fill(tid=1), user_fill(tid=2), isSnapshot=True), NOW)
    assert [row.id for row in reading.rows if isinstance(row, Fill)] == ["1", "2"]


def test_fills_of_another_address_are_counted_not_taken() -> None:
    reading = watching().take(fills(user_fill(), user=OTHER), NOW)
    assert (reading.rows, len(reading.bad)) == ([], 1)


def test_bad_fill_does_not_cost_its_neighbours() -> None:
    reading = watching().take(fills(user_fill(tid=1), user_fill(px="abc"), user_fill(tid=2)), NOW)
    assert [row.id for row in reading.rows if isinstance(row, Fill)] == ["1", "2"]
    assert len(reading.bad) == 1
    assert "px" in reading.bad[0].reason


def test_other_news_of_the_address_is_no_news() -> None:
    news: list[dict[str, Any]] = [{"funding": {"coin": "BTC"}}, {"nonUserCancel": []}]
    for data in news:
        assert watching().take(text("user", data), NOW) == Reading()


def test_fill_of_a_new_coin_waits_for_the_list_and_is_then_given() -> None:
    listed = symbols()
    stream = Hyperliquid(listed, address=ME)
    stream.opened(NOW)
    assert stream.take(fills(user_fill(coin="@999")), NOW).unlisted == {"@999"}
    listed.add([market("@999")])
    reading = stream.tick(NOW + 1_000_000_000)
    assert [row.symbol for row in reading.rows if isinstance(row, Fill)] == ["T999/USDC"]
    assert reading.symbols == {"T999/USDC"}


# --- the other side --------------------------------------------------------------------------------


def test_fill_waits_a_moment_for_its_print_and_is_given_with_it() -> None:
    stream = watching("BTC")
    first = stream.take(fills(user_fill()), NOW)
    assert first.rows == []
    assert stream.next_tick_ns == NOW + HOLD_NS
    trade, fill = stream.take(prints(print_()), NOW + 1_000_000).rows
    assert isinstance(trade, Trade)
    assert isinstance(fill, Fill)
    assert fill.counterparty == OTHER
    assert fill.id == trade.id == "745"


def test_fill_without_a_print_is_given_by_the_tick() -> None:
    stream = watching("BTC")
    stream.take(fills(user_fill()), NOW)
    (fill,) = stream.tick(NOW + HOLD_NS).rows
    assert isinstance(fill, Fill)
    assert fill.counterparty is None


def test_new_symbol_is_told_while_its_fill_waits() -> None:
    join = Counterparties()
    join.covered.add("BTC/USDC:USDC")
    assert watching(join=join).take(fills(user_fill()), NOW).symbols == {"BTC/USDC:USDC"}


def test_two_connections_share_what_they_hear() -> None:
    join = Counterparties()
    public = Hyperliquid(symbols(), counterparties=join)
    public.want(["BTC/USDC:USDC"], NOW)
    public.opened(NOW)
    public.take(stands("trades", coin="BTC"), NOW)
    private = watching(join=join)
    assert private.take(fills(user_fill()), NOW).rows == []
    rows = public.take(prints(print_()), NOW + 1).rows
    assert [row.counterparty for row in rows if isinstance(row, Fill)] == [OTHER]
    public.take(prints(print_(tid=746)), NOW + 2)
    rows = private.take(fills(user_fill(tid=746)), NOW + 3).rows
    assert [row.counterparty for row in rows if isinstance(row, Fill)] == [OTHER]


def test_conversion_of_dust_has_no_other_side() -> None:
    stream = watching("BTC")
    stream.take(prints(print_(tid=0)), NOW)
    rows = stream.take(fills(user_fill(tid=0, dir="Spot Dust Conversion")), NOW).rows
    assert [(row.counterparty, row.forced) for row in rows if isinstance(row, Fill)] == [(None, True)]


# --- public ----------------------------------------------------------------------------------------


def test_print_names_both_sides_in_lower_case() -> None:
    (trade,) = Hyperliquid(symbols()).take(prints(print_(users=["0xAB", "0xCD"], side="B")), NOW).rows
    assert trade == Trade(
        exchange="hyperliquid",
        symbol="BTC/USDC:USDC",
        ts_ns=1_761_584_399_797_000_000,
        price=66653.0,
        amount=0.001,
        id="745",
        side="buy",
        buyer="0xab",
        seller="0xcd",
    )


def bbo(bid: dict[str, Any] | None, ask: dict[str, Any] | None) -> str:
    return text("bbo", {"coin": "BTC", "time": 1761584399797, "bbo": [bid, ask]})


def test_best_quote() -> None:
    reading = Hyperliquid(symbols()).take(
        bbo({"px": "1.5", "sz": "2", "n": 1}, {"px": "1.6", "sz": "3", "n": 1}), NOW
    )
    assert reading.rows == [
        Quote(
            exchange="hyperliquid",
            symbol="BTC/USDC:USDC",
            ts_ns=1_761_584_399_797_000_000,
            bid=1.5,
            ask=1.6,
            bid_size=2.0,
            ask_size=3.0,
        )
    ]


def test_empty_side_is_no_quote() -> None:
    reading = Hyperliquid(symbols()).take(bbo(None, {"px": "1.6", "sz": "3", "n": 1}), NOW)
    assert (reading.rows, reading.bad) == ([], [])


# --- conformance -----------------------------------------------------------------------------------


def recorded(folder: Path, name: str) -> Any:
    return json.loads((folder / FOLDER / name).read_bytes())


def test_recorded_messages_mean_what_plain_json_says(shared_data: Path) -> None:
    old = recorded(shared_data, "http_user_fills_dust_conversion.json")
    live = recorded(shared_data, "ws_user_fill_liquidation.json")
    listed = symbols("BTC", *{item["coin"] for item in old})
    stream = Hyperliquid(listed, address=ME)
    for frame, items in (
        (json.dumps(live), live["data"]["fills"]),
        (text("userFills", {"isSnapshot": True, "user": ME, "fills": old}), old),
    ):
        reading = stream.take(frame, NOW)
        assert not reading.bad
        got = [
            (r.symbol, r.price, r.amount, r.side, r.ts_ns, r.id, r.order, r.fee_cost, r.fee_currency)
            for r in reading.rows
            if isinstance(r, Fill)
        ]
        assert got == [
            (
                market(i["coin"]).symbol,
                i["px"],
                i["sz"],
                {"B": "buy", "A": "sell"}[i["side"]],
                i["time"] * 1000000,
                str(i["tid"]),
                str(i["oid"]),
                i["fee"],
                i["feeToken"],
            )
            for i in items
        ]
        forced = {i["tid"] for i in items if i["dir"] in {"Spot Dust Conversion", "Net Child Vaults"}}
        assert {int(r.id) for r in reading.rows if isinstance(r, Fill) and r.forced} == forced
    public = Hyperliquid(listed)
    items = recorded(shared_data, "http_recent_trades_btc.json")
    reading = public.take(prints(*items), NOW)
    assert [
        (r.price, r.amount, r.id, r.buyer, r.seller, r.side) for r in reading.rows if isinstance(r, Trade)
    ] == [
        (float(i["px"]), float(i["sz"]), str(i["tid"]), *i["users"], {"B": "buy", "A": "sell"}[i["side"]])
        for i in items
    ]
    for frame in (
        json.dumps(recorded(shared_data, "ws_allmids.json")),
        text("l2Book", recorded(shared_data, "ws_book_data.json")),
        text("allDexsAssetCtxs", recorded(shared_data, "ws_all_dexs_asset_ctxs.json")),
    ):
        assert public.take(frame, NOW) == Reading()


def real_fills(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """All fills of 81 s, as (wallet, fill) in order of time."""
    with gzip.open(folder / "hyperliquid-fills/sample_data.json.gz", "rt") as lines:
        return [(wallet, fill) for line in lines for wallet, fill in json.loads(line)["events"]]


def as_print(pair: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Public print of a trade, of which both sides' fills are given."""
    sides = {fill["side"]: wallet for wallet, fill in pair}
    taker = next(fill for _, fill in pair if fill["crossed"])
    kept = {name: taker[name] for name in ("coin", "side", "px", "sz", "time", "hash", "tid")}
    return kept | {"users": [sides["B"], sides["A"]]}


@pytest.mark.parametrize(
    "order", ["fills first", "prints first", "shuffled", "shuffled again", "a frame each"]
)
def test_every_real_trades_other_side_comes_out_right_in_any_order(shared_data: Path, order: str) -> None:
    everything = real_fills(shared_data)
    pairs: dict[int, list[tuple[str, dict[str, Any]]]] = {}
    for wallet, fill in everything:
        pairs.setdefault(fill["tid"], []).append((wallet, fill))
    assert len(pairs) == 3641
    assert {len(pair) for pair in pairs.values()} == {2}
    coins = sorted({fill["coin"] for _, fill in everything})
    listed = symbols(*coins)
    busiest = [wallet for wallet, _ in Counter(wallet for wallet, _ in everything).most_common(3)]
    rng = random.Random(order)
    for me in [*busiest, rng.choice(everything)[0]]:
        mine = [fill for wallet, fill in everything if wallet == me]
        fill_frames = [fills(*mine[at : at + 7], user=me) for at in range(0, len(mine), 7)]
        tape = [as_print(pair) for pair in pairs.values()]
        print_frames = [prints(*tape[at : at + 20]) for at in range(0, len(tape), 20)]
        if order == "a frame each":
            frames = [
                frame
                for fill in mine
                for frame in (fills(fill, user=me), prints(as_print(pairs[fill["tid"]])))
            ]
        elif order == "fills first":
            frames = fill_frames + print_frames
        else:
            frames = print_frames + fill_frames
            if order.startswith("shuffled"):
                rng.shuffle(frames)
        rows = feed(listed, coins, me, frames)
        got = {(row.id, row.side): row.counterparty for row in rows if isinstance(row, Fill)}
        wanted = {
            (str(fill["tid"]), {"B": "buy", "A": "sell"}[fill["side"]]): next(
                wallet for wallet, other in pairs[fill["tid"]] if other is not fill
            )
            for fill in mine
        }
        assert got == wanted
        assert len([row for row in rows if isinstance(row, Fill)]) == len(mine)


def feed(listed: Symbols, coins: Sequence[str], me: str, frames: Sequence[str]) -> list[Row]:
    """Feed frames within a moment; give all rows."""
    stream = Hyperliquid(listed, address=me)
    stream.want([market(coin).symbol for coin in coins], NOW)
    stream.opened(NOW)
    for coin in coins:
        stream.take(stands("trades", coin=coin), NOW)
    rows: list[Row] = []
    for frame in frames:
        reading = stream.take(frame, NOW)
        assert not reading.bad
        rows += reading.rows
    return rows


def test_all_3641_trades_seen_from_both_sides_agree(shared_data: Path) -> None:
    """Every wallet of the sample in turn is the one that is watched."""
    everything = real_fills(shared_data)
    coins = sorted({fill["coin"] for _, fill in everything})
    pairs: dict[int, list[tuple[str, dict[str, Any]]]] = {}
    by_wallet: dict[str, list[dict[str, Any]]] = {}
    for wallet, fill in everything:
        pairs.setdefault(fill["tid"], []).append((wallet, fill))
        by_wallet.setdefault(wallet, []).append(fill)
    join = Counterparties()
    listed = symbols(*coins)
    public = Hyperliquid(listed, counterparties=join)
    for pair in pairs.values():
        public.take(prints(as_print(pair)), NOW)
    met: Counter[frozenset[str]] = Counter()
    for wallet, own in by_wallet.items():
        reading = Hyperliquid(listed, address=wallet, counterparties=join).take(fills(*own, user=wallet), NOW)
        for row in reading.rows:
            assert isinstance(row, Fill)
            assert row.counterparty is not None
            met[frozenset({wallet, row.counterparty})] += 1
    assert met.total() == 7282
    assert max(met.values()) == 2 * 49  # the pair that met most often in these 81 s


# --- nonsense --------------------------------------------------------------------------------------

FRAMES = [
    json.loads(fills(user_fill(), user_fill(tid=2, coin="@107", liquidation={"liquidatedUser": ME}))),
    json.loads(prints(print_(), print_(tid=2))),
    json.loads(bbo({"px": "1.5", "sz": "2", "n": 1}, {"px": "1.6", "sz": "3", "n": 1})),
    json.loads(stands("userFills", user=ME)),
    json.loads(text("error", "no")),
    json.loads(text("allMids", {"mids": {}})),
]


def may_be_silent(raw: bytes) -> bool:
    """Whether a frame is ignored on purpose, or has no items, by plain reading of it."""
    value = plain(raw)
    channel, data = value.get("channel"), value.get("data")
    if channel in IGNORED | {"subscriptionResponse"}:
        return True
    if channel == "bbo":
        return None in data["bbo"] or data["coin"] != "BTC"
    if channel == "trades":
        return all(item["coin"] not in {"BTC", "@107"} for item in data)
    return channel in {"userFills", "user"} and data["fills"] == []


@given(raw=spoilt(FRAMES))
def test_spoilt_frames_are_rows_or_counted(raw: bytes) -> None:
    reading = watching().take(raw, NOW)
    said = reading.rows or reading.bad or reading.close or reading.ready or reading.unlisted
    assert said or may_be_silent(raw)
    for row in reading.rows:
        if isinstance(row, Fill):
            assert float(row.price) > 0
            assert float(row.amount) > 0
