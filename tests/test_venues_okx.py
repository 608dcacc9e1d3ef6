from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from drainwatch.notices import NoticeKind
from drainwatch.rows import Balance, Fill, Market, Quote, Trade
from drainwatch.venues.okx import IGNORED, OkxPrivate, OkxPublic
from drainwatch.venues.protocol import Credentials, Reading, Symbols
from mutations import plain, spoilt

NOW = 1_746_947_318_000_000_000
KEY = Credentials("the-key", "the-secret", 'the-"pass"')
FOLDER = "venue-messages/okx/test_data"

SPOT = Market(exchange="okx", symbol="BTC/USDT", venue_symbol="BTC-USDT", base="BTC", quote="USDT")
SWAP = Market(
    exchange="okx",
    symbol="BTC/USDT:USDT",
    venue_symbol="BTC-USDT-SWAP",
    base="BTC",
    quote="USDT",
    settle="USDT",
    contract_size=0.01,
)
ETH = Market(
    exchange="okx",
    symbol="ETH/USDT:USDT",
    venue_symbol="ETH-USDT-SWAP",
    base="ETH",
    quote="USDT",
    settle="USDT",
)
USD = Market(exchange="okx", symbol="BTC/USD", venue_symbol="BTC-USD", base="BTC", quote="USD")
OPTION = Market(
    exchange="okx",
    symbol="BTC/USD:BTC-250328-50000-C",
    venue_symbol="BTC-USD-250328-50000-C",
    base="BTC",
    quote="USD",
    settle="BTC",
)
MARKETS = (SPOT, SWAP, ETH, USD, OPTION)


def private(symbols: Symbols | None = None) -> OkxPrivate:
    """Give a stream whose subscription stands."""
    stream = OkxPrivate(KEY, Symbols(MARKETS) if symbols is None else symbols, account="alice")
    stream.opened(NOW)
    stream.take('{"event":"login","code":"0","msg":"","connId":"x"}', NOW)
    stream.take('{"event":"subscribe","arg":{"channel":"orders","instType":"ANY"},"connId":"x"}', NOW)
    return stream


def public() -> OkxPublic:
    stream = OkxPublic(Symbols(MARKETS))
    stream.opened(NOW)
    return stream


def order(**changes: Any) -> dict[str, Any]:
    """Give an update of the documents' form, of a fill."""
    item = {
        "instId": "BTC-USDT-SWAP",
        "instType": "SWAP",
        "ordId": "o1",
        "clOrdId": "mine1",
        "ordType": "limit",
        "side": "buy",
        "fillSz": "5",
        "fillPx": "103698.9",
        "fillTime": "1746947317402",
        "tradeId": "t1",
        "execType": "T",
        "category": "normal",
        "fee": "-9",
        "feeCcy": "USDT",
        "fillFee": "-0.16",
        "fillFeeCcy": "USDT",
        "fillMarkPx": "103700",
        "fillNotionalUsd": "5184.9",
        "state": "filled",
    }
    return item | changes


def frame(*items: dict[str, Any]) -> str:
    return json.dumps({"arg": {"channel": "orders", "instType": "ANY", "uid": "7"}, "data": list(items)})


def fill_of(**changes: Any) -> Fill:
    reading = private().take(frame(order(**changes)), NOW)
    assert not reading.bad
    (row,) = reading.rows
    assert isinstance(row, Fill)
    return row


def event(**fields: Any) -> str:
    return json.dumps(fields)


# --- login -----------------------------------------------------------------------------------------


def test_login_is_signed_and_then_fills_and_balances_are_asked_for() -> None:
    stream = OkxPrivate(KEY, Symbols())
    assert stream.url == "wss://ws.okx.com:8443/ws/v5/private"
    (login,) = stream.opened(NOW).send
    (args,) = json.loads(login)["args"]
    text = args["timestamp"] + "GET/users/self/verify"
    assert args["timestamp"] == str(NOW // 1_000_000_000)
    assert args["apiKey"] == "the-key"
    assert args["passphrase"] == KEY.passphrase
    sign = hmac.new(b"the-secret", text.encode(), hashlib.sha256).digest()
    assert args["sign"] == base64.b64encode(sign).decode()
    (asked,) = stream.take(event(event="login", code="0", msg=""), NOW).send
    assert json.loads(asked)["args"] == [{"channel": "orders", "instType": "ANY"}, {"channel": "account"}]
    assert not stream.take(event(event="subscribe", arg={"channel": "account"}), NOW).ready
    assert stream.take(event(event="subscribe", arg={"channel": "orders", "instType": "ANY"}), NOW).ready


@pytest.mark.parametrize("code", ["60005", "60007", "60009", "60024", "60032"])
def test_key_that_is_not_taken_ends_the_connection_as_refused(code: str) -> None:
    stream = OkxPrivate(KEY, Symbols())
    stream.opened(NOW)
    reading = stream.take(event(event="error", code=code, msg="no"), NOW)
    assert reading.refused
    assert code in (reading.close or "")
    assert not reading.notices


@pytest.mark.parametrize("code", ["60004", "60006"])
def test_login_out_of_time_is_told_as_a_clock_not_as_a_refused_key(code: str) -> None:
    stream = OkxPrivate(KEY, Symbols(), account="alice")
    stream.opened(NOW)
    reading = stream.take(event(event="error", code=code, msg="Timestamp request expired"), NOW)
    assert reading.close is not None
    assert not reading.refused
    assert [(notice.kind, notice.account) for notice in reading.notices] == [(NoticeKind.CLOCK_SKEW, "alice")]


def test_clock_is_told_once_though_every_login_fails() -> None:
    first = OkxPrivate(KEY, Symbols())
    second = OkxPrivate(KEY, Symbols(), skew=first._skew)
    late = event(event="error", code="60006", msg="")
    assert [len(stream.take(late, NOW).notices) for stream in (first, second)] == [1, 0]


@pytest.mark.parametrize("code", ["60014", "63999", "50001"])
def test_other_failures_of_a_login_are_worth_another_try(code: str) -> None:
    stream = OkxPrivate(KEY, Symbols())
    stream.opened(NOW)
    reading = stream.take(event(event="error", code=code, msg=""), NOW)
    assert reading.close is not None
    assert not reading.refused


def test_error_that_repeats_the_login_shows_none_of_it() -> None:
    stream = OkxPrivate(KEY, Symbols())
    (login,) = stream.opened(NOW).send
    sign = json.loads(login)["args"][0]["sign"]
    readings = [
        stream.take(event(event="error", code="60012", msg=f"Illegal request: {login}"), NOW),
        stream.take(event(event="what", code="60012", msg=f"Illegal request: {login}"), NOW),
        stream.take(event(event="notice", code="1", msg=f"Illegal request: {login}"), NOW),
        stream.take(login[:-1], NOW),
    ]
    assert readings[0].close
    assert all(reading.bad for reading in readings[1:])
    for secret in ("the-key", "the-secret", "pass", sign):
        assert secret not in repr(readings)


# --- events ----------------------------------------------------------------------------------------


def test_connection_that_the_venue_is_about_to_end_is_made_anew_without_a_notice() -> None:
    for stream in (private(), public()):
        reading = stream.take(event(event="notice", code="64008", msg="soon", connId="x"), NOW)
        assert reading.close is not None
        assert not reading.refused
        assert not reading.notices
        assert not reading.bad


@pytest.mark.parametrize("kind", ["channel-conn-count-error", "unsubscribe"])
def test_fills_taken_away_by_too_many_connections_are_a_lost_session(kind: str) -> None:
    told = {"channel": "orders"} if kind.startswith("channel") else {"arg": {"channel": "orders"}}
    reading = private().take(event(event=kind, connCount="30", connId="x", **told), NOW)
    assert reading.close is not None
    assert [notice.kind for notice in reading.notices] == [NoticeKind.SESSION_LOST]


def test_balances_taken_away_are_counted_and_fills_go_on() -> None:
    reading = private().take(event(event="channel-conn-count-error", channel="account", connCount="30"), NOW)
    assert reading.close is None
    assert len(reading.bad) == 1


def test_count_of_connections_is_no_news() -> None:
    reading = private().take(event(event="channel-conn-count", channel="orders", connCount="2"), NOW)
    assert reading == Reading()


def test_pong_is_no_news() -> None:
    assert private().take(b"pong", NOW) == Reading()
    assert private().take("pong", NOW) == Reading()


# --- fills -----------------------------------------------------------------------------------------


def test_update_of_an_order_becomes_a_fill_with_the_exact_strings() -> None:
    assert fill_of() == Fill(
        exchange="okx",
        account="alice",
        symbol="BTC/USDT:USDT",
        id="t1",
        ts_ns=1_746_947_317_402_000_000,
        side="buy",
        price="103698.9",
        amount="5",
        order="o1",
        client_order_id="mine1",
        type="limit",
        taker_or_maker="taker",
        fee_cost="0.16",
        fee_currency="USDT",
        mark="103700",
    )


@pytest.mark.parametrize(
    ("told", "cost"), [("-0.16", "0.16"), ("0.02", "-0.02"), ("0", "0"), ("-0", "0"), ("", None), ("x", None)]
)
def test_charge_is_a_positive_cost_and_a_rebate_a_negative_one(told: str, cost: str | None) -> None:
    assert fill_of(fillFee=told).fee_cost == cost


def test_fee_of_the_whole_order_is_not_taken_for_that_of_the_fill() -> None:
    item = order()
    del item["fillFee"]
    (row,) = private().take(frame(item), NOW).rows
    assert isinstance(row, Fill)
    assert (row.fee_cost, row.fee_currency) == (None, None)


@pytest.mark.parametrize(
    "changes", [{"tradeId": ""}, {"fillSz": "0"}, {"fillSz": "", "fillPx": "", "tradeId": "", "fillTime": ""}]
)
def test_updates_without_a_fill_are_no_news(changes: dict[str, str]) -> None:
    reading = private().take(frame(order(**changes)), NOW)
    assert (reading.rows, reading.bad) == ([], [])


@pytest.mark.parametrize("category", ["adl", "full_liquidation", "partial_liquidation", "delivery"])
def test_fills_that_the_venue_makes_are_forced(category: str) -> None:
    assert fill_of(category=category).forced
    assert not fill_of(category="twap").forced


@pytest.mark.parametrize(
    ("told", "kind"),
    [("market", "market"), ("optimal_limit_ioc", "market"), ("fok", "limit"), ("trigger", None)],
)
def test_kinds_of_orders(told: str, kind: str | None) -> None:
    assert fill_of(ordType=told).type == kind


def test_maker_and_index_price() -> None:
    fill = fill_of(execType="M", fillMarkPx="", fillIdxPx="103701")
    assert (fill.taker_or_maker, fill.mark) == ("maker", "103701")


@pytest.mark.parametrize("missing", ["tradeId", "fillSz"])
def test_update_that_may_be_a_fill_is_not_passed_over_in_silence(missing: str) -> None:
    item = order()
    del item[missing]
    reading = private().take(frame(item), NOW)
    assert (reading.rows, len(reading.bad)) == ([], 1)
    assert missing in reading.bad[0].reason


def test_bad_update_does_not_cost_its_neighbours() -> None:
    reading = private().take(frame(order(tradeId="a"), order(fillPx="abc"), order(tradeId="b")), NOW)
    assert [row.id for row in reading.rows if isinstance(row, Fill)] == ["a", "b"]
    assert len(reading.bad) == 1
    assert "fillPx" in reading.bad[0].reason


def test_fill_of_a_new_listing_waits_for_the_list_and_is_then_given() -> None:
    symbols = Symbols()
    stream = private(symbols)
    reading = stream.take(frame(order()), NOW)
    assert (reading.rows, reading.bad, reading.unlisted) == ([], [], {"BTC-USDT-SWAP"})
    symbols.add([SWAP])
    later = stream.take("pong", NOW + 1)
    assert [row.symbol for row in later.rows if isinstance(row, Fill)] == ["BTC/USDT:USDT"]
    assert later.symbols == {"BTC/USDT:USDT"}


# --- balances --------------------------------------------------------------------------------------


def account(*details: tuple[str, str]) -> str:
    listed = [{"ccy": name, "cashBal": total, "eq": "9", "uTime": "1"} for name, total in details]
    return json.dumps(
        {"arg": {"channel": "account"}, "data": [{"uTime": "1746947317500", "details": listed}]}
    )


def test_account_gives_what_changed() -> None:
    stream = private()
    assert stream.take(account(("BTC", "0.5"), ("USDT", "-3")), NOW).rows == [
        Balance(exchange="okx", account="alice", currency=c, ts_ns=1_746_947_317_500_000_000, total=t)
        for c, t in (("BTC", 0.5), ("USDT", -3.0))
    ]
    again = stream.take(account(("BTC", "0.5"), ("USDT", "7")), NOW).rows
    assert [(row.currency, row.total) for row in again if isinstance(row, Balance)] == [("USDT", 7.0)]


def test_bad_currency_does_not_cost_the_others() -> None:
    reading = private().take(account(("BTC", ""), ("USDT", "7")), NOW)
    assert [row.currency for row in reading.rows if isinstance(row, Balance)] == ["USDT"]
    assert len(reading.bad) == 1


# --- public ----------------------------------------------------------------------------------------


def test_wanted_symbols_are_asked_for_once() -> None:
    stream = OkxPublic(Symbols(MARKETS))
    assert not stream.want(["BTC/USDT", "NO/SUCH"], NOW).send
    (asked,) = stream.opened(NOW).send
    assert json.loads(asked) == {
        "op": "subscribe",
        "args": [{"channel": "trades", "instId": "BTC-USDT"}, {"channel": "bbo-tbt", "instId": "BTC-USDT"}],
    }
    (more,) = stream.want(["BTC/USDT", "BTC/USDT:USDT"], NOW).send
    assert {arg["instId"] for arg in json.loads(more)["args"]} == {"BTC-USDT-SWAP"}
    ready = [stream.take(event(event="subscribe", arg={"channel": "trades"}), NOW).ready for _ in range(2)]
    assert ready == [True, False]


def test_many_symbols_go_in_several_messages() -> None:
    listed = [
        Market(exchange="okx", symbol=f"C{i}/USDT", venue_symbol=f"C{i}-USDT", base=f"C{i}", quote="USDT")
        for i in range(50)
    ]
    stream = OkxPublic(Symbols(listed))
    stream.opened(NOW)
    sent = [json.loads(text)["args"] for text in stream.want([m.symbol for m in listed], NOW).send]
    assert [len(args) for args in sent] == [40, 40, 20]
    assert len({json.dumps(arg) for args in sent for arg in args}) == 100


def test_channels_can_be_those_of_the_business_path() -> None:
    stream = OkxPublic(
        Symbols(MARKETS), url="ws://127.0.0.1:1", channels=("trades-all",), path="/ws/v5/business"
    )
    assert stream.url == "ws://127.0.0.1:1/ws/v5/business"
    stream.want(["BTC/USDT"], NOW)
    assert json.loads(stream.opened(NOW).send[0])["args"] == [{"channel": "trades-all", "instId": "BTC-USDT"}]
    assert stream.take(prints("BTC-USDT", channel="trades-all"), NOW).rows


def test_refused_symbol_does_not_end_the_others() -> None:
    stream = public()
    stream.want(["BTC/USDT"], NOW)
    reading = stream.take(event(event="error", code="60018", msg="instId:X doesn't exist", connId="x"), NOW)
    assert reading.close is None
    assert "60018" in reading.bad[0].reason
    assert "instId:X" in reading.bad[0].reason


def prints(name: str, *, channel: str = "trades", **changes: Any) -> str:
    item = {
        "instId": name,
        "tradeId": "7",
        "px": "42219.9",
        "sz": "0.12",
        "side": "sell",
        "ts": "1746947317402",
    }
    return json.dumps({"arg": {"channel": channel, "instId": name}, "data": [item | changes]})


def test_public_trade() -> None:
    assert public().take(prints("BTC-USDT-SWAP"), NOW).rows == [
        Trade(
            exchange="okx",
            symbol="BTC/USDT:USDT",
            ts_ns=1_746_947_317_402_000_000,
            price=42219.9,
            amount=0.12,
            id="7",
            side="sell",
        )
    ]


def bbo(bids: list[list[str]], asks: list[list[str]]) -> str:
    item = {"bids": bids, "asks": asks, "ts": "1746947317402", "seqId": 1}
    return json.dumps({"arg": {"channel": "bbo-tbt", "instId": "BTC-USDT"}, "data": [item]})


def test_best_quote() -> None:
    assert public().take(bbo([["100", "2", "0", "1"]], [["101", "3", "0", "1"]]), NOW).rows == [
        Quote(
            exchange="okx",
            symbol="BTC/USDT",
            ts_ns=1_746_947_317_402_000_000,
            bid=100.0,
            ask=101.0,
            bid_size=2.0,
            ask_size=3.0,
        )
    ]


def test_empty_side_is_no_quote() -> None:
    reading = public().take(bbo([["100", "2", "0", "1"]], []), NOW)
    assert (reading.rows, reading.bad) == ([], [])


# --- conformance -----------------------------------------------------------------------------------


def recorded(folder: Path) -> dict[str, Any]:
    """All websocket messages of the collection by file name."""
    return {path.name: json.loads(path.read_bytes()) for path in sorted((folder / FOLDER).glob("ws_*.json"))}


def test_every_recorded_message_means_what_plain_json_says(shared_data: Path) -> None:
    fills = 0
    for name, message in recorded(shared_data).items():
        if isinstance(message, list):  # bare items of this channel
            message = {"arg": {"channel": "opt-summary"}, "data": message}  # noqa: PLW2901
        channel = message["arg"]["channel"]
        stream: OkxPrivate | OkxPublic = public() if channel in {"trades", "bbo-tbt"} else private()
        reading = stream.take(json.dumps(message), NOW)
        assert not reading.bad, name
        assert not reading.close, name
        rows = reading.rows
        items = message["data"]
        wanted: list[tuple[Any, ...]]
        if channel == "orders":
            wanted = [
                (
                    i["tradeId"],
                    i["ordId"],
                    i["clOrdId"] or None,
                    i["side"],
                    i["fillPx"],
                    i["fillSz"],
                    int(i["fillTime"]) * 1000000,
                    i["category"] != "normal",
                    i.get("fillMarkPx"),
                    {"T": "taker", "M": "maker"}[i["execType"]],
                )
                for i in items
                if i["tradeId"] and float(i["fillSz"] or 0) > 0
            ]
            assert [
                (
                    r.id,
                    r.order,
                    r.client_order_id,
                    r.side,
                    r.price,
                    r.amount,
                    r.ts_ns,
                    r.forced,
                    r.mark,
                    r.taker_or_maker,
                )
                for r in rows
                if isinstance(r, Fill)
            ] == wanted, name
            fills += len(wanted)
        elif channel == "account":
            wanted = [(d["ccy"], float(d["cashBal"])) for i in items for d in i["details"]]
            assert [(r.currency, r.total) for r in rows if isinstance(r, Balance)] == wanted, name
        elif channel == "trades":
            wanted = [(i["tradeId"], float(i["px"]), float(i["sz"]), i["side"]) for i in items]
            assert [(r.id, r.price, r.amount, r.side) for r in rows if isinstance(r, Trade)] == wanted, name
        elif channel == "bbo-tbt":
            wanted = [tuple(float(x) for side in ("bids", "asks") for x in i[side][0][:2]) for i in items]
            assert [(r.bid, r.bid_size, r.ask, r.ask_size) for r in rows if isinstance(r, Quote)] == wanted, (
                name
            )
        else:
            assert not rows, name
            assert channel in IGNORED or channel.startswith("candle"), name
    assert fills == 8


# --- nonsense --------------------------------------------------------------------------------------

PRIVATE_FRAMES = [
    json.loads(frame(order(), order(tradeId="t2", instId="BTC-USDT"))),
    json.loads(account(("BTC", "1"), ("USDT", "2"))),
    {"event": "login", "code": "0", "msg": ""},
    {"event": "error", "code": "60018", "msg": "no"},
    {"event": "notice", "code": "64008", "msg": "soon"},
]
PUBLIC_FRAMES = [
    json.loads(prints("BTC-USDT")),
    json.loads(bbo([["1", "1", "0", "1"]], [["2", "1", "0", "1"]])),
    *PRIVATE_FRAMES[3:],
]


def says_something(reading: Reading) -> bool:
    return bool(
        reading.rows or reading.bad or reading.close or reading.ready or reading.send or reading.unlisted
    )


def may_be_silent(raw: bytes) -> bool:
    """Whether a frame is of a kind that is ignored on purpose, or has no items, by plain reading of it."""
    value = plain(raw)
    if not isinstance(value, dict) or value.get("event"):
        return False
    data = value.get("data")
    channel = value.get("arg", {}).get("channel") if isinstance(value.get("arg"), dict) else None
    if channel in IGNORED or channel == "account" or not data:
        return True
    if channel == "orders":
        return any(
            "" in (item.get("tradeId"), item.get("fillSz")) or item.get("fillSz") == "0" for item in data
        )
    # Public data of a market that isn't ours, or with an empty side.
    return isinstance(data, list)


@given(raw=spoilt(PRIVATE_FRAMES))
def test_spoilt_private_frames_are_rows_or_counted(raw: bytes) -> None:
    reading = private().take(raw, NOW)
    assert says_something(reading) or may_be_silent(raw)
    for row in reading.rows:
        if isinstance(row, Fill):
            assert float(row.price) > 0
            assert float(row.amount) > 0


@given(raw=spoilt(PUBLIC_FRAMES))
def test_spoilt_public_frames_are_rows_or_counted(raw: bytes) -> None:
    reading = public().take(raw, NOW)
    assert says_something(reading) or may_be_silent(raw)
