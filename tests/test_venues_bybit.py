from __future__ import annotations

import hashlib
import hmac
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from drainwatch.notices import NoticeKind
from drainwatch.rows import Balance, Fill, Market, Quote, Trade
from drainwatch.venues.bybit import IGNORED, NO_FILL, BybitPrivate, BybitPublic
from drainwatch.venues.protocol import Credentials, Reading, Symbols
from mutations import plain, spoilt

NOW = 1_746_270_401_000_000_000
KEY = Credentials("the-key", "the-secret")
FOLDER = "venue-messages/bybit/test_data"


def linear(name: str) -> Market:
    base = name.removesuffix("USDT")
    return Market(
        exchange="bybit",
        symbol=f"{base}/USDT:USDT",
        venue_symbol=name,
        base=base,
        quote="USDT",
        settle="USDT",
    )


def spot(name: str) -> Market:
    base = name.removesuffix("USDT")
    return Market(exchange="bybit", symbol=f"{base}/USDT", venue_symbol=name, base=base, quote="USDT")


INVERSE = Market(
    exchange="bybit",
    symbol="BTC/USD:BTC",
    venue_symbol="BTCUSD",
    base="BTC",
    quote="USD",
    settle="BTC",
    inverse=True,
)


def markets() -> dict[str, Symbols]:
    return {
        "linear": Symbols([linear("BTCUSDT"), linear("ICPUSDT"), linear("ETHUSDT")]),
        "spot": Symbols([spot("BTCUSDT"), spot("ETHUSDT")]),
        "inverse": Symbols([INVERSE]),
    }


def private() -> BybitPrivate:
    """Give a stream whose subscription stands."""
    stream = BybitPrivate(KEY, markets(), account="alice")
    stream.opened(NOW)
    stream.take('{"op":"auth","success":true,"retCode":0,"retMsg":"","connId":"x"}', NOW)
    stream.take('{"success":true,"ret_msg":"","conn_id":"x","req_id":"","op":"subscribe"}', NOW)
    return stream


def public(category: str = "linear") -> BybitPublic:
    stream = BybitPublic(category, markets()[category])
    stream.opened(NOW)
    return stream


def execution(**changes: Any) -> dict[str, Any]:
    """Give an execution of the documents' form."""
    item = {
        "category": "linear",
        "symbol": "BTCUSDT",
        "execFee": "1.5",
        "execId": "e1",
        "execPrice": "95900.1",
        "execQty": "0.5",
        "execType": "Trade",
        "execValue": "47950.05",
        "markPrice": "95901.48",
        "indexPrice": "",
        "orderId": "o1",
        "orderLinkId": "mine-1",
        "orderType": "Market",
        "side": "Sell",
        "execTime": "1746270400353",
        "isMaker": False,
        "seq": 1,
    }
    return item | changes


def frame(*items: dict[str, Any], topic: str = "execution") -> str:
    return json.dumps({"topic": topic, "id": "x", "creationTime": 1746270400355, "data": list(items)})


def fill_of(**changes: Any) -> Fill:
    reading = private().take(frame(execution(**changes)), NOW)
    assert not reading.bad
    (row,) = reading.rows
    assert isinstance(row, Fill)
    return row


# --- login -----------------------------------------------------------------------------------------


def test_login_is_signed_for_the_private_stream_and_then_fills_are_asked_for() -> None:
    stream = BybitPrivate(KEY, markets())
    assert stream.url == "wss://stream.bybit.com/v5/private"
    (login,) = stream.opened(NOW).send
    sent = json.loads(login)
    key, expires, sign = sent["args"]
    assert sent["op"] == "auth"
    assert key == "the-key"
    assert NOW // 1_000_000 < expires <= NOW // 1_000_000 + 60_000
    assert sign == hmac.new(b"the-secret", f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest()
    (asked,) = stream.take('{"op":"auth","success":true,"retCode":0}', NOW).send
    assert json.loads(asked) == {"op": "subscribe", "args": ["execution", "wallet"]}
    assert stream.take('{"success":true,"op":"subscribe","ret_msg":""}', NOW).ready


@pytest.mark.parametrize("code", [10003, 10004, 10005, 10010, 33004])
def test_key_that_is_not_taken_ends_the_connection_as_refused(code: int) -> None:
    stream = BybitPrivate(KEY, markets())
    stream.opened(NOW)
    reading = stream.take(json.dumps({"op": "auth", "success": False, "retCode": code, "retMsg": "no"}), NOW)
    assert reading.refused
    assert reading.close is not None
    assert str(code) in reading.close
    assert not reading.notices


@pytest.mark.parametrize(
    "answer",
    [
        {"op": "auth", "success": False, "retCode": 10002, "retMsg": "request expired"},
        {"op": "auth", "success": False, "ret_msg": "Params Error: expires is in the past, expired"},
        {"op": "auth", "success": False, "ret_msg": "invalid timestamp"},
    ],
)
def test_login_out_of_time_is_told_as_a_clock_not_as_a_refused_key(answer: dict[str, Any]) -> None:
    stream = BybitPrivate(KEY, markets(), account="alice")
    stream.opened(NOW)
    reading = stream.take(json.dumps(answer), NOW)
    assert reading.close is not None
    assert not reading.refused
    assert [(notice.kind, notice.account) for notice in reading.notices] == [(NoticeKind.CLOCK_SKEW, "alice")]


def test_server_error_at_login_is_worth_another_try() -> None:
    stream = BybitPrivate(KEY, markets())
    stream.opened(NOW)
    reading = stream.take('{"op":"auth","success":false,"retCode":10016,"retMsg":"server error"}', NOW)
    assert reading.close is not None
    assert not reading.refused


def test_answer_that_repeats_the_login_shows_none_of_it() -> None:
    stream = BybitPrivate(KEY, markets())
    (login,) = stream.opened(NOW).send
    answer = {"success": False, "ret_msg": f"bad args {login}", "op": "auth", "request": json.loads(login)}
    reading = stream.take(json.dumps(answer), NOW)
    odd = stream.take(json.dumps(answer | {"op": "what"}), NOW)
    assert reading.refused
    assert odd.bad
    for secret in ("the-key", "the-secret", json.loads(login)["args"][2]):
        assert secret not in repr(reading)
        assert secret not in repr(odd)


def test_refused_subscription_to_fills_ends_the_connection() -> None:
    stream = BybitPrivate(KEY, markets())
    stream.opened(NOW)
    stream.take('{"op":"auth","success":true}', NOW)
    reading = stream.take('{"success":false,"ret_msg":"Request not authorized","op":"subscribe"}', NOW)
    assert reading.close == "the venue refused the subscription to fills: 'Request not authorized'"


# --- fills -----------------------------------------------------------------------------------------


def test_execution_becomes_a_fill_with_the_exact_strings() -> None:
    assert fill_of() == Fill(
        exchange="bybit",
        account="alice",
        symbol="BTC/USDT:USDT",
        id="e1",
        ts_ns=1_746_270_400_353_000_000,
        side="sell",
        price="95900.1",
        amount="0.5",
        cost="47950.05",
        order="o1",
        client_order_id="mine-1",
        type="market",
        taker_or_maker="taker",
        fee_cost="1.5",
        fee_currency="USDT",
        mark="95901.48",
    )


def test_same_name_is_another_market_in_another_category() -> None:
    assert fill_of(category="spot").symbol == "BTC/USDT"
    assert fill_of(category="linear").symbol == "BTC/USDT:USDT"


@pytest.mark.parametrize("kind", ["BlockTrade", "MovePosition", "FutureSpread", "UNKNOWN", "Trade", ""])
def test_whatever_moves_a_position_is_a_fill(kind: str) -> None:
    assert not fill_of(execType=kind).forced


@pytest.mark.parametrize("kind", ["AdlTrade", "BustTrade", "Settle", "Delivery"])
def test_fills_that_the_venue_makes_are_forced(kind: str) -> None:
    assert fill_of(execType=kind, orderLinkId="").forced
    assert fill_of(execType=kind, orderLinkId="").client_order_id is None


def test_order_created_by_the_venue_is_forced() -> None:
    assert fill_of(createType="CreateByLiq").forced
    assert not fill_of(createType="CreateByUser").forced


@pytest.mark.parametrize("kind", sorted(NO_FILL))
def test_payments_are_no_fills_even_without_a_quantity(kind: str) -> None:
    reading = private().take(frame(execution(execType=kind, execQty="0", side="None"), execution()), NOW)
    assert not reading.bad
    assert len(reading.rows) == 1


def test_inverse_value_is_not_taken_for_quote() -> None:
    fill = fill_of(category="inverse", symbol="BTCUSD", execValue="0.0005")
    assert fill.cost is None
    assert fill.fee_currency == "BTC"


@pytest.mark.parametrize(
    ("side", "fee", "currency"),
    [("Buy", "0.001", "BTC"), ("Sell", "0.1", "USDT"), ("Buy", "-0.1", "USDT"), ("Sell", "-0.001", "BTC")],
)
def test_spot_fee_is_in_what_was_got_and_a_rebate_in_what_was_given(
    side: str, fee: str, currency: str
) -> None:
    fill = fill_of(category="spot", side=side, execFee=fee)
    assert (fill.fee_cost, fill.fee_currency) == (fee, currency)


def test_fee_currency_that_is_told_goes_before_the_rule() -> None:
    assert fill_of(category="spot", feeCurrency="BIT").fee_currency == "BIT"


def test_bad_execution_does_not_cost_its_neighbours() -> None:
    reading = private().take(
        frame(execution(execId="a"), execution(execPrice="abc"), execution(execId="b")), NOW
    )
    assert [row.id for row in reading.rows if isinstance(row, Fill)] == ["a", "b"]
    assert len(reading.bad) == 1
    assert "execPrice" in reading.bad[0].reason
    assert b"abc" in reading.bad[0].frame


def test_symbol_is_told_once() -> None:
    stream = private()
    assert stream.take(frame(execution()), NOW).symbols == {"BTC/USDT:USDT"}
    assert stream.take(frame(execution(execId="e2")), NOW).symbols == set()


def test_fill_of_a_new_listing_waits_for_the_list_and_is_then_given() -> None:
    tables = markets()
    stream = BybitPrivate(KEY, tables)
    stream.opened(NOW)
    reading = stream.take(frame(execution(symbol="NEWUSDT")), NOW)
    assert (reading.rows, reading.bad, reading.unlisted) == ([], [], {"NEWUSDT"})
    assert stream.next_tick_ns == NOW + 1_000_000_000
    tables["linear"].add([linear("NEWUSDT")])
    (fill,) = stream.tick(NOW + 1_000_000_000).rows
    assert isinstance(fill, Fill)
    assert fill.symbol == "NEW/USDT:USDT"


def test_fill_whose_market_never_turns_up_is_given_under_the_venues_name() -> None:
    stream = private()
    stream.take(frame(execution(symbol="NEWUSDT")), NOW)
    assert not stream.tick(NOW + 29_000_000_000).rows
    reading = stream.tick(NOW + 30_000_000_000)
    assert [row.symbol for row in reading.rows if isinstance(row, Fill)] == ["NEWUSDT"]
    assert len(reading.bad) == 1


# --- wallet ----------------------------------------------------------------------------------------


def wallet(*coins: tuple[str, str], **changes: Any) -> str:
    listed = [{"coin": name, "walletBalance": total, "equity": "1"} for name, total in coins]
    return frame({"accountType": "UNIFIED", "coin": listed} | changes, topic="wallet")


def test_wallet_gives_what_changed() -> None:
    stream = private()
    first = stream.take(wallet(("BTC", "0.5"), ("USDT", "-3")), NOW).rows
    assert first == [
        Balance(exchange="bybit", account="alice", currency=c, ts_ns=1_746_270_400_355_000_000, total=t)
        for c, t in (("BTC", 0.5), ("USDT", -3.0))
    ]
    assert [row.total for row in stream.take(wallet(("BTC", "0.5"), ("USDT", "7")), NOW).rows] == [7.0]  # type: ignore[union-attr]


def test_one_of_several_classic_wallets_is_not_the_total() -> None:
    assert not private().take(wallet(("BTC", "0.5"), accountType="CONTRACT"), NOW).rows


def test_bad_currency_does_not_cost_the_others() -> None:
    reading = private().take(wallet(("BTC", ""), ("USDT", "7")), NOW)
    assert [row.currency for row in reading.rows if isinstance(row, Balance)] == ["USDT"]
    assert len(reading.bad) == 1


# --- public ----------------------------------------------------------------------------------------


def test_wanted_symbols_are_asked_for_ten_topics_a_message_and_only_once() -> None:
    names = [f"C{i}USDT" for i in range(12)]
    stream = BybitPublic("spot", Symbols([spot(name) for name in names]))
    wanted = [f"C{i}/USDT" for i in range(12)]
    assert not stream.want([*wanted[:2], "BTC/USDT:USDT"], NOW).send
    sent = [json.loads(text) for text in stream.opened(NOW).send]
    assert [message["args"] for message in sent] == [
        ["publicTrade.C0USDT", "orderbook.1.C0USDT", "publicTrade.C1USDT", "orderbook.1.C1USDT"]
    ]
    more = [json.loads(text) for text in stream.want(wanted, NOW).send]
    assert [len(message["args"]) for message in more] == [10, 10]
    assert not stream.want(wanted, NOW).send
    assert stream.take(json.dumps({"success": True, "op": "subscribe", "req_id": "1"}), NOW).ready
    assert not stream.take(json.dumps({"success": True, "op": "subscribe", "req_id": "2"}), NOW).ready


def test_one_wrong_topic_is_found_and_does_not_cost_the_others() -> None:
    stream = public()
    (asked,) = stream.want(["BTC/USDT:USDT"], NOW).send
    refusal = {
        "success": False,
        "op": "subscribe",
        "ret_msg": "handler not found",
        "req_id": json.loads(asked)["req_id"],
    }
    again = [json.loads(text) for text in stream.take(json.dumps(refusal), NOW).send]
    assert [message["args"] for message in again] == [["publicTrade.BTCUSDT"], ["orderbook.1.BTCUSDT"]]
    reading = stream.take(json.dumps(refusal | {"req_id": again[1]["req_id"]}), NOW)
    assert "orderbook.1.BTCUSDT" in reading.bad[0].reason
    assert stream.take(
        json.dumps({"success": True, "op": "subscribe", "req_id": again[0]["req_id"]}), NOW
    ).ready


def print_frame(**changes: Any) -> str:
    item = {
        "T": 1746270400000,
        "s": "BTCUSDT",
        "S": "Buy",
        "v": "0.01",
        "p": "27451.5",
        "i": "t1",
        "BT": False,
    }
    return json.dumps({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 1, "data": [item | changes]})


def test_public_trade() -> None:
    assert public().take(print_frame(), NOW).rows == [
        Trade(
            exchange="bybit",
            symbol="BTC/USDT:USDT",
            ts_ns=1_746_270_400_000_000_000,
            price=27451.5,
            amount=0.01,
            id="t1",
            side="buy",
        )
    ]


def test_negotiated_trade_says_nothing_of_the_market() -> None:
    reading = public().take(print_frame(BT=True), NOW)
    assert (reading.rows, reading.bad) == ([], [])


def book(kind: str, bids: list[list[str]], asks: list[list[str]], **more: int) -> str:
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": 1, "seq": 1}
    return json.dumps(
        {"topic": "orderbook.1.BTCUSDT", "type": kind, "ts": 1746270400001, "data": data} | more
    )


def test_best_quotes_follow_snapshot_and_changes() -> None:
    stream = public()
    quotes = []
    for text in (
        book("snapshot", [["100", "1"]], [["101", "2"]], cts=1746270400000),
        book("delta", [["100.5", "3"], ["100", "0"]], []),
        book("delta", [], [["101", "0"]]),
        book("delta", [], [["100.9", "4"]]),
        book("snapshot", [["90", "1"]], [["91", "1"]]),
    ):
        reading = stream.take(text, NOW)
        assert not reading.bad
        quotes.append([(q.bid, q.ask, q.bid_size, q.ask_size) for q in reading.rows if isinstance(q, Quote)])
    assert quotes == [
        [(100.0, 101.0, 1.0, 2.0)],
        [(100.5, 101.0, 3.0, 2.0)],
        [],
        [(100.5, 100.9, 3.0, 4.0)],
        [(90.0, 91.0, 1.0, 1.0)],
    ]


def test_quote_has_the_matching_engines_time() -> None:
    (quote,) = public().take(book("snapshot", [["1", "1"]], [["2", "1"]], cts=1746270400000), NOW).rows
    assert isinstance(quote, Quote)
    assert quote.ts_ns == 1_746_270_400_000_000_000


def test_change_without_a_snapshot_is_no_quote() -> None:
    reading = public().take(book("delta", [["1", "1"]], [["2", "1"]]), NOW)
    assert (reading.rows, len(reading.bad)) == ([], 1)


def test_book_that_only_grows_is_given_up_until_the_next_snapshot() -> None:
    stream = public()
    stream.take(book("snapshot", [["1", "1"]], [["900", "1"]]), NOW)
    bad = [bool(stream.take(book("delta", [[f"{price}", "1"]], []), NOW).bad) for price in range(2, 300)]
    assert any(bad)
    assert not stream._books
    assert stream.take(book("snapshot", [["1", "1"]], [["2", "1"]]), NOW).rows


# --- conformance -----------------------------------------------------------------------------------


def recorded(folder: Path) -> dict[str, Any]:
    """All websocket messages of the collection by file name."""
    return {path.name: json.loads(path.read_bytes()) for path in sorted((folder / FOLDER).glob("ws_*.json"))}


def test_every_recorded_message_means_what_plain_json_says(shared_data: Path) -> None:
    for name, message in recorded(shared_data).items():
        text = json.dumps(message)
        topic = message.get("topic", "")
        if topic.startswith(("trade", "orderbook")):
            continue  # below
        if "topic" not in message and "op" not in message:  # a bare item of the `position` topic
            text = json.dumps({"topic": "position", "data": [message]})
        reading = private().take(text, NOW)
        assert not reading.bad, name
        wanted: list[tuple[Any, ...]] = []
        if topic.startswith("execution"):
            wanted = [
                (
                    item["execId"],
                    item["orderId"],
                    item["side"].lower(),
                    item["execPrice"],
                    item["execQty"],
                    int(item["execTime"]) * 1_000_000,
                    item.get("execFee"),
                    item.get("orderLinkId") or None,
                )
                for item in message["data"]
            ]
            got = [
                (r.id, r.order, r.side, r.price, r.amount, r.ts_ns, r.fee_cost, r.client_order_id)
                for r in reading.rows
                if isinstance(r, Fill)
            ]
            assert got == wanted, name
            for row in reading.rows:
                assert isinstance(row, Fill)
                assert row.forced is (name == "ws_account_execution_adl.json")
                if row.cost is not None:
                    assert Decimal(row.cost) == Decimal(row.price) * Decimal(row.amount), name
        elif topic == "wallet":
            wanted = [(c["coin"], float(c["walletBalance"])) for w in message["data"] for c in w["coin"]]
            assert [(r.currency, r.total) for r in reading.rows if isinstance(r, Balance)] == wanted, name
        else:
            assert not reading.rows, name
            assert topic in IGNORED or topic.split(".")[0] in IGNORED or "op" in message or not topic, name
        assert reading.refused is (name == "ws_auth_failure.json"), name


def test_every_recorded_public_message_means_what_plain_json_says(shared_data: Path) -> None:
    messages = recorded(shared_data)
    stream = public()
    (trade,) = stream.take(json.dumps(messages["ws_public_trade.json"]), NOW).rows
    (item,) = messages["ws_public_trade.json"]["data"]
    assert isinstance(trade, Trade)
    assert (trade.price, trade.amount, trade.id, trade.side) == (
        float(item["p"]),
        float(item["v"]),
        item["i"],
        item["S"].lower(),
    )
    (quote,) = stream.take(json.dumps(messages["ws_orderbook_snapshot.json"]), NOW).rows
    data = messages["ws_orderbook_snapshot.json"]["data"]
    assert isinstance(quote, Quote)
    assert [str(quote.bid), str(quote.ask)] == [str(float(data["b"][0][0])), str(float(data["a"][0][0]))]
    # The recorded change takes the best ask away: the next level is the best one then.
    (quote,) = stream.take(json.dumps(messages["ws_orderbook_delta.json"]), NOW).rows
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (27450.0, 0.4, 27451.5, 0.9)


# --- nonsense --------------------------------------------------------------------------------------

PRIVATE_FRAMES = [
    json.loads(frame(execution(), execution(execId="e2", category="spot"))),
    json.loads(wallet(("BTC", "1"), ("USDT", "2"))),
    {"topic": "order", "data": [{"x": "1"}]},
    {"op": "auth", "success": True, "retCode": 0, "retMsg": ""},
    {"op": "subscribe", "success": True, "ret_msg": "", "req_id": "1"},
    {"op": "pong", "args": ["1"], "conn_id": "x"},
]
PUBLIC_FRAMES = [
    json.loads(print_frame()),
    json.loads(book("snapshot", [["1", "1"]], [["2", "1"]])),
    json.loads(book("delta", [["1", "2"]], [["2", "0"]])),
    *PRIVATE_FRAMES[3:],
]


def says_something(reading: Reading) -> bool:
    return bool(
        reading.rows or reading.bad or reading.close or reading.ready or reading.send or reading.unlisted
    )


def may_be_silent(raw: bytes) -> bool:
    """Whether a frame is of a kind that is ignored on purpose, or has no items, by plain reading of it."""
    value = plain(raw)
    if not isinstance(value, dict):
        return False
    topic, op = str(value.get("topic", "")).split(".")[0], value.get("op")
    if topic in IGNORED or op in {"pong", "subscribe"}:
        return True
    data = value.get("data")
    if isinstance(data, dict):
        return topic == "orderbook"
    items = data if isinstance(data, list) else [data]
    return topic == "wallet" or all(
        isinstance(item, dict)
        and (item.get("execType") in NO_FILL or item.get("BT") or topic == "publicTrade")
        for item in items
    )


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
    stream = public()
    stream.take(book("snapshot", [["1", "1"]], [["2", "1"]]), NOW)
    reading = stream.take(raw, NOW)
    assert says_something(reading) or may_be_silent(raw)
    for row in reading.rows:
        if isinstance(row, Quote):
            assert row.bid > 0
            assert row.ask > 0
