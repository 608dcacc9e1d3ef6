"""Binance spot's private stream: what it sends, and what it makes of what it is told."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from binance_frames import NOW_NS, SECOND_NS, frame, sent, silent, spot_markets
from drainwatch.errors import KeyRefusedError
from drainwatch.notices import NoticeKind
from drainwatch.rows import Balance, Fill
from drainwatch.venues.binance import BinanceSpotPrivate, BinanceSpotPrivateSource
from drainwatch.venues.binance_messages import SPOT_IGNORED
from drainwatch.venues.protocol import Credentials, StreamProtocol
from drainwatch.venues.signing import binance_payload, hmac_hex

HMAC = Credentials("the-api-key-0123456789", "the-hmac-secret-0123456789")
PRIVATE = Ed25519PrivateKey.generate()
PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
ED25519 = Credentials("the-ed25519-key-0123456789", PEM)

TRADE: dict[str, Any] = {
    "e": "executionReport",
    "E": 1709654401001,
    "s": "ETHBTC",
    "c": "bot-1",
    "S": "BUY",
    "o": "LIMIT",
    "f": "GTC",
    "q": "2.00000000",
    "p": "0.10264410",
    "P": "0.00000000",
    "F": "0.00000000",
    "g": -1,
    "C": "",
    "x": "TRADE",
    "X": "PARTIALLY_FILLED",
    "r": "NONE",
    "i": 4293153,
    "l": "1.50000000",
    "z": "1.50000000",
    "L": "0.10264400",
    "n": "0.00150000",
    "N": "ETH",
    "T": 1709654401000,
    "t": 77,
    "I": 8641984,
    "w": False,
    "m": True,
    "M": False,
    "O": 1709654400657,
    "Z": "0.15396600",
    "Y": "0.15396600",
    "Q": "0.00000000",
    "W": 1709654400657,
    "V": "NONE",
}


def make(credentials: Credentials = HMAC) -> BinanceSpotPrivate:
    source = BinanceSpotPrivateSource(credentials, spot_markets(), account="main")
    protocol = asyncio.run(source.start())
    assert isinstance(protocol, BinanceSpotPrivate)
    return protocol


def standing(credentials: Credentials = HMAC) -> BinanceSpotPrivate:
    protocol = make(credentials)
    protocol.opened(NOW_NS)
    if credentials is ED25519:
        protocol.take(frame({"id": "login", "status": 200, "result": {"apiKey": ED25519.key}}), NOW_NS)
    subscribed = {"id": "subscribe", "status": 200, "result": {"subscriptionId": 0}}
    assert protocol.take(frame(subscribed), NOW_NS).ready
    return protocol


def event(content: dict[str, Any]) -> bytes:
    return frame({"subscriptionId": 0, "event": content})


def refusal(id_: object, code: int, msg: str = "no") -> bytes:
    return frame({"id": id_, "status": 400, "error": {"code": code, "msg": msg}})


def is_protocol(protocol: StreamProtocol) -> StreamProtocol:
    return protocol


# --- logging in ------------------------------------------------------------------------------------


def test_an_hmac_key_signs_the_subscription_itself() -> None:
    protocol = is_protocol(make())
    assert protocol.url == "wss://ws-api.binance.com:443/ws-api/v3"
    subscribe, time = sent(protocol.opened(NOW_NS))
    assert subscribe["method"] == "userDataStream.subscribe.signature"
    params = subscribe["params"]
    assert params.pop("signature") == hmac_hex(HMAC.secret, binance_payload(params))
    assert params == {"apiKey": HMAC.key, "recvWindow": 10000, "timestamp": NOW_NS // 1_000_000}
    assert time == {"id": "time", "method": "time"}


def test_an_ed25519_key_logs_in_to_a_session_and_then_subscribes() -> None:
    protocol = make(ED25519)
    login, _ = sent(protocol.opened(NOW_NS))
    assert login["method"] == "session.logon"
    params = login["params"]
    signature = base64.b64decode(params.pop("signature"))
    PRIVATE.public_key().verify(signature, binance_payload(params).encode())
    reply = {"id": "login", "status": 200, "result": {"apiKey": ED25519.key, "serverTime": NOW_NS // 10**6}}
    reading = protocol.take(frame(reply), NOW_NS)
    assert sent(reading) == [{"id": "subscribe", "method": "userDataStream.subscribe"}]
    assert not reading.ready
    reading = protocol.take(
        frame({"id": "subscribe", "status": 200, "result": {"subscriptionId": 0}}), NOW_NS
    )
    assert reading.ready
    assert silent(reading, {"ready"})


def test_a_second_confirmation_doesnt_make_it_ready_again() -> None:
    reading = standing().take(frame({"id": "subscribe", "status": 200, "result": {}}), NOW_NS)
    assert silent(reading)


def test_a_private_key_that_cant_be_read_is_refused_before_anything_is_sent() -> None:
    source = BinanceSpotPrivateSource(Credentials("k", "-----BEGIN PRIVATE KEY-----\nx"), spot_markets())
    with pytest.raises(KeyRefusedError):
        asyncio.run(source.start())


@pytest.mark.parametrize("code", [-2014, -2015, -1022, -2008, -1002])
@pytest.mark.parametrize("credentials", [HMAC, ED25519], ids=["hmac", "ed25519"])
def test_a_key_that_isnt_taken_ends_it_as_refused(code: int, credentials: Credentials) -> None:
    protocol = make(credentials)
    protocol.opened(NOW_NS)
    asked = "login" if credentials is ED25519 else "subscribe"
    reading = protocol.take(refusal(asked, code), NOW_NS)
    assert reading.refused
    assert str(code) in str(reading.close)


def test_a_session_that_is_revoked_later_is_refused_too() -> None:
    reading = standing(ED25519).take(refusal(None, -2015), NOW_NS)
    assert reading.refused


def test_another_refusal_ends_it_without_blaming_the_key() -> None:
    protocol = make()
    protocol.opened(NOW_NS)
    reading = protocol.take(refusal("subscribe", -1003, "Too many requests\n\u202e"), NOW_NS)
    assert reading.close == "Binance refused the subscription: -1003 Too many requests\\n\\u202e"
    assert not reading.refused


def test_a_wrong_clock_is_told_and_the_login_tried_with_the_venues_time() -> None:
    protocol = make()
    protocol.opened(NOW_NS)
    venue_ms = NOW_NS // 10**6 + 60_000
    reading = protocol.take(refusal("subscribe", -1021), NOW_NS)
    assert [notice.kind for notice in reading.notices] == [NoticeKind.CLOCK_SKEW]
    assert reading.send == []
    reading = protocol.take(frame({"id": "time", "status": 200, "result": {"serverTime": venue_ms}}), NOW_NS)
    (again,) = sent(reading)
    assert again["params"]["timestamp"] == venue_ms
    reading = protocol.take(refusal("subscribe", -1021), NOW_NS)
    assert reading.close is not None
    assert not reading.refused
    assert reading.notices == [], "it was told already"


def test_where_the_time_is_known_already_the_second_login_goes_out_at_once() -> None:
    protocol = make(ED25519)
    protocol.opened(NOW_NS)
    venue_ms = NOW_NS // 10**6 - 90_000
    protocol.take(frame({"id": "time", "status": 200, "result": {"serverTime": venue_ms}}), NOW_NS)
    reading = protocol.take(refusal("login", -1021), NOW_NS + SECOND_NS)
    assert "90.0 s ahead" in reading.notices[0].text
    (again,) = sent(reading)
    assert again["method"] == "session.logon"
    assert again["params"]["timestamp"] == venue_ms + 1000


def test_it_gives_up_if_the_subscription_isnt_confirmed() -> None:
    protocol = make()
    protocol.opened(NOW_NS)
    assert protocol.next_tick_ns == NOW_NS + 20 * SECOND_NS
    assert protocol.tick(NOW_NS + 19 * SECOND_NS).close is None
    assert "confirm" in str(protocol.tick(NOW_NS + 20 * SECOND_NS).close)


def test_it_asks_for_the_time_every_minute_and_gives_up_without_an_answer() -> None:
    protocol = standing()
    answer = frame({"id": "time", "status": 200, "result": {"serverTime": NOW_NS // 10**6}})
    assert silent(protocol.take(answer, NOW_NS))
    assert protocol.next_tick_ns == NOW_NS + 60 * SECOND_NS
    later = NOW_NS + 60 * SECOND_NS
    assert sent(protocol.tick(later)) == [{"id": "time", "method": "time"}]
    assert "60 s" in str(protocol.tick(later + 60 * SECOND_NS).close)


def test_even_a_refused_question_shows_that_the_venue_listens() -> None:
    protocol = standing()
    assert protocol.take(refusal("time", -1003), NOW_NS).close is None
    reading = protocol.tick(NOW_NS + 60 * SECOND_NS)
    assert reading.close is None
    assert len(reading.send) == 1


def test_a_clock_that_is_off_shows_in_the_answers() -> None:
    protocol = standing()
    told = []
    for minute in range(6):
        now = NOW_NS + minute * 60 * SECOND_NS
        answer = {"id": "time", "status": 200, "result": {"serverTime": now // 10**6 + 5000}}
        told += protocol.take(frame(answer), now).notices
        protocol.tick(now + 60 * SECOND_NS)
    (notice,) = told
    assert "5.0 s behind" in notice.text


def test_it_asks_to_be_renewed_before_binance_ends_it() -> None:
    protocol = standing()
    reading = protocol.tick(NOW_NS + 24 * 3600 * SECOND_NS - 1)
    assert str(reading.close).startswith("planned")
    assert reading.notices == []


# --- events ----------------------------------------------------------------------------------------


def test_an_execution_is_a_fill() -> None:
    reading = standing().take(event(TRADE), NOW_NS)
    assert reading.rows == [
        Fill(
            exchange="binance",
            account="main",
            symbol="ETH/BTC",
            id="77",
            ts_ns=1709654401000000000,
            side="buy",
            price="0.10264400",
            amount="1.50000000",
            cost="0.15396600",
            order="4293153",
            client_order_id="bot-1",
            type="limit",
            taker_or_maker="maker",
            fee_cost="0.00150000",
            fee_currency="ETH",
        )
    ]
    assert reading.symbols == {"ETH/BTC"}
    assert silent(reading, {"rows", "symbols"})


def test_a_symbol_turns_up_once() -> None:
    protocol = standing()
    assert protocol.take(event(TRADE), NOW_NS).symbols
    assert not protocol.take(event(TRADE | {"t": 78}), NOW_NS).symbols


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        ({"C": "first", "c": "second"}, "client_order_id", "first"),
        ({"c": ""}, "client_order_id", None),
        ({"S": "SELL"}, "side", "sell"),
        ({"o": "MARKET"}, "type", "market"),
        ({"o": "STOP_LOSS_LIMIT"}, "type", "limit"),
        ({"o": "NEW_KIND"}, "type", None),
        ({"m": False}, "taker_or_maker", "taker"),
        ({"N": None, "n": "0"}, "fee_cost", None),
        ({"n": "-0.1"}, "fee_cost", "-0.1"),
        ({"Y": "0.00000000"}, "cost", None),
        ({"t": 0}, "id", "0"),
    ],
)
def test_a_fill_says_what_the_report_says(change: dict[str, Any], field: str, expected: object) -> None:
    (fill,) = standing().take(event(TRADE | change), NOW_NS).rows
    assert getattr(fill, field) == expected


def test_a_report_without_the_newer_fields_is_a_fill() -> None:
    older = {name: value for name, value in TRADE.items() if name not in {"Y", "Q", "W", "V", "C", "n", "N"}}
    (fill,) = standing().take(event(older), NOW_NS).rows
    assert isinstance(fill, Fill)
    assert (fill.cost, fill.fee_cost, fill.client_order_id) == (None, None, "bot-1")


@pytest.mark.parametrize("kind", ["NEW", "CANCELED", "REPLACED", "REJECTED", "EXPIRED", "TRADE_PREVENTION"])
def test_reports_that_arent_executions_say_nothing(kind: str) -> None:
    zero = {"x": kind, "t": -1, "l": "0.00000000", "L": "0.00000000", "N": None, "n": "0"}
    assert silent(standing().take(event(TRADE | zero), NOW_NS))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"L": "abc"}, "price (L)"),
        ({"L": "0"}, "price (L)"),
        ({"L": "nan"}, "price (L)"),
        ({"L": "1_0"}, "price (L)"),
        ({"l": "-1"}, "amount (l)"),
        ({"l": "1e999"}, "amount (l)"),
        ({"n": "free"}, "fee (n)"),
        ({"Y": ""}, "cost (Y)"),
        ({"t": -1}, "trade id"),
        ({"S": "HOLD"}, "HOLD"),
        ({"x": "SOMETHING"}, "execution type"),
        ({"T": 0}, "int"),
        ({"T": 10**18}, "int"),
        ({"s": ""}, "str"),
    ],
)
def test_a_report_that_cant_be_a_fill_is_bad(change: dict[str, Any], reason: str) -> None:
    reading = standing().take(event(TRADE | change), NOW_NS)
    assert reading.rows == []
    (bad,) = reading.bad
    assert reason in bad.reason
    assert bad.frame.startswith(b'{"subscriptionId":0')


def test_a_fill_in_an_unlisted_market_is_told_under_its_likely_name() -> None:
    reading = standing().take(event(TRADE | {"s": "NEWUSDT"}), NOW_NS)
    (fill,) = reading.rows
    assert isinstance(fill, Fill)
    assert fill.symbol == "NEW/USDT"
    assert reading.unlisted == {"NEWUSDT"}
    assert len(reading.bad) == 1


def test_a_fill_in_a_market_of_no_known_currency_keeps_the_venues_name() -> None:
    (fill,) = standing().take(event(TRADE | {"s": "ABCXYZ"}), NOW_NS).rows
    assert isinstance(fill, Fill)
    assert fill.symbol == "ABCXYZ"


def test_a_position_tells_all_that_is_held_after_the_fills_of_its_time() -> None:
    told = {
        "e": "outboundAccountPosition",
        "E": 1709654401001,
        "u": 1709654401000,
        "B": [{"a": "USDT", "f": "10000.5", "l": "2500.25"}, {"a": "ETH", "f": "0", "l": "0.00000000"}],
    }
    protocol = standing()
    reading = protocol.take(event(told), NOW_NS)
    assert reading.rows == [
        Balance(
            exchange="binance", account="main", currency="USDT", ts_ns=1709654401000000001, total=12500.75
        ),
        Balance(exchange="binance", account="main", currency="ETH", ts_ns=1709654401000000001, total=0),
    ]
    (fill,) = protocol.take(event(TRADE), NOW_NS).rows
    assert isinstance(fill, Fill)
    assert fill.ts_ns < 1709654401000000001


@pytest.mark.parametrize("kind", sorted(SPOT_IGNORED))
@pytest.mark.parametrize("wrap", [event, frame], ids=["wrapped", "bare"])
def test_known_events_of_no_interest_are_ignored_and_counted(kind: str, wrap: Any) -> None:
    protocol = standing()
    assert silent(protocol.take(wrap({"e": kind, "E": 1, "a": "BTC"}), NOW_NS))
    assert protocol.ignored == 1


def test_the_end_of_the_subscription_is_told_and_the_connection_made_anew() -> None:
    reading = standing().take(event({"e": "eventStreamTerminated", "E": 1757896885229}), NOW_NS)
    assert reading.close is not None
    assert not reading.refused
    assert [notice.kind for notice in reading.notices] == [NoticeKind.SESSION_LOST]


def test_a_server_that_is_about_to_stop_is_left_quietly() -> None:
    reading = standing().take(frame({"e": "serverShutdown", "E": 1770123456789}), NOW_NS)
    assert str(reading.close).startswith("planned")
    assert reading.notices == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"event":',
        b'{"event":{"e":"somethingNew"}}',
        b'{"event":{}}',
        b'{"id":"order","status":200,"result":{}}',
        b'{"id":"time","status":200,"result":{}}',
        b"\xff\xfe",
        b"[" * 100_000,
        "\ud800",
    ],
)
def test_anything_else_is_a_bad_message(data: bytes | str) -> None:
    reading = standing().take(data, NOW_NS)
    assert len(reading.bad) == 1
    assert reading.bad[0].stream == "binance private"
    assert silent(reading, {"bad"})


def test_text_is_read_as_bytes_are() -> None:
    assert standing().take(event(TRADE).decode(), NOW_NS).rows == standing().take(event(TRADE), NOW_NS).rows


def test_neither_key_nor_secret_is_ever_shown() -> None:
    for credentials in (HMAC, ED25519):
        protocol = standing(credentials)
        said = [repr(protocol), str(vars(protocol)["_credentials"])]
        for data in (
            frame({"oops": credentials.key}),
            frame({"event": {"e": credentials.key}}),
            refusal("order", -1003, f"{credentials.key} {credentials.secret}"),
            frame({"event": TRADE | {"s": credentials.key}}),
        ):
            reading = protocol.take(data, NOW_NS)
            assert reading.bad
            said += [repr(reading.bad), repr(reading.notices), str(reading.close)]
        fresh = make(credentials)
        fresh.opened(NOW_NS)
        said.append(str(fresh.take(refusal("login", -1, credentials.key), NOW_NS).close))
        for text in said:
            assert credentials.key not in text
            assert credentials.secret not in text


def mutated(data: st.DataObject, message: dict[str, Any]) -> bytes:
    """A message of which a field is of another type or gone, then cut or overwritten somewhere."""
    odd = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
        st.lists(st.integers()),
    )
    changed = dict(message)
    for name in data.draw(st.lists(st.sampled_from(sorted(message)), max_size=3)):
        if data.draw(st.booleans()):
            changed[name] = data.draw(odd)
        else:
            changed.pop(name, None)
    raw = bytearray(json.dumps(data.draw(st.sampled_from([changed, {"event": changed}]))).encode())
    for _ in range(data.draw(st.integers(0, 2))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    return bytes(raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw)


POSITION = {"e": "outboundAccountPosition", "E": 2, "u": 1, "B": [{"a": "ETH", "f": "1", "l": "0"}]}
REPLY = {"id": "time", "status": 200, "result": {"serverTime": 1}, "error": {"code": 1, "msg": ""}}


@given(st.data())
def test_whatever_comes_is_read_counted_or_ignored_and_never_raises(data: st.DataObject) -> None:
    protocol = standing()
    before = protocol.ignored
    raw = mutated(data, data.draw(st.sampled_from([TRADE, POSITION, REPLY])))
    reading = protocol.take(raw, NOW_NS)
    for row in reading.rows:
        if isinstance(row, Fill):
            assert 0 < float(row.price) < float("inf")
            assert 0 < float(row.amount) < float("inf")
            assert row.side in {"buy", "sell"}
            assert 0 < row.ts_ns < 2**63
    quiet = not (reading.rows or reading.bad or reading.close or protocol.ignored > before)
    if quiet:
        # Only reports of other things than executions, positions without a currency and replies say nothing.
        said = json.loads(raw)
        said = said.get("event", said)
        assert said.get("x") != "TRADE"
        assert "id" in said or said.get("e") == "executionReport" or said.get("B") == []


@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_bad_but_never_raise(raw: bytes) -> None:
    reading = standing().take(raw, NOW_NS)
    assert len(reading.bad) == 1


# --- as published ----------------------------------------------------------------------------------


def test_every_published_spot_message_is_read(shared_data: Path) -> None:
    folder = shared_data / "venue-messages" / "binance" / "test_data" / "spot" / "user_data_json"
    files = sorted(folder.glob("*.json"))
    assert len(files) >= 10
    fills = 0
    for file in files:
        plain = json.loads(file.read_text())
        told = plain.get("event", plain)
        protocol = standing()
        reading = protocol.take(file.read_bytes(), NOW_NS)
        assert reading.bad == [], file.name
        if told["e"] == "outboundAccountPosition":
            held = {row.currency: row.total for row in reading.rows if isinstance(row, Balance)}
            assert held == {b["a"]: float(b["f"]) + float(b["l"]) for b in told["B"]}
        elif told["e"] == "executionReport" and told["x"] == "TRADE":
            (fill,) = reading.rows
            assert isinstance(fill, Fill)
            fills += 1
            assert (fill.id, fill.order) == (str(told["t"]), str(told["i"]))
            assert (fill.price, fill.amount) == (told["L"], told["l"])
            assert (fill.fee_cost, fill.fee_currency) == (told["n"], told["N"])
            assert (fill.client_order_id, fill.side) == (told["c"], told["S"].lower())
            assert (fill.ts_ns, fill.taker_or_maker) == (told["T"] * 10**6, "maker" if told["m"] else "taker")
        else:
            assert reading.rows == []
            assert protocol.ignored == (told["e"] in SPOT_IGNORED), file.name
    assert fills == 1


def test_the_recorded_fill_becomes_what_ccxt_makes_of_it(shared_data: Path) -> None:
    fixture = json.loads((shared_data / "ccxt-fixtures" / "ws.binance.watchMyTrades.0.json").read_text())
    text = json.dumps(fixture)
    assert "executionReport" in text
    reports, unified = [], []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("e") == "executionReport":
                reports.append(node)
            elif "takerOrMaker" in node:
                unified.append(node)
            else:
                for value in node.values():
                    walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(fixture)
    protocol = standing()
    rows = [row for report in reports for row in protocol.take(event(report), NOW_NS).rows]
    assert unified
    by_id = {row.id: row for row in rows if isinstance(row, Fill)}
    for trade in unified:
        fill = by_id[trade["id"]]
        assert fill.ts_ns == trade["timestamp"] * 10**6
        assert (float(fill.price), float(fill.amount)) == (trade["price"], trade["amount"])
        assert (fill.order, fill.side) == (trade["order"], trade["side"])
        assert fill.taker_or_maker == trade["takerOrMaker"]
