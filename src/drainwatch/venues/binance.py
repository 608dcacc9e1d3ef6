"""Binance spot: an account's fills and balances by the websocket API."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET

from drainwatch.venues import binance_messages as messages
from drainwatch.venues import binance_rows as rows
from drainwatch.venues.binance_stream import SECOND_NS, UNREADABLE, BinancePrivate, as_bytes, plain
from drainwatch.venues.protocol import Credentials, Reading, StreamProtocol, Symbols
from drainwatch.venues.signing import binance_signed, is_ed25519
from drainwatch.venues.skew import Skew

PRIVATE_URL: Final = "wss://ws-api.binance.com:443/ws-api/v3"

KEY_ERRORS: Final = {
    -1002: "unauthorized",
    -1022: "the signature is wrong: the secret doesn't belong to the key",
    -2008: "there is no such key",
    -2014: "the key isn't of the right form",
    -2015: "the key is unknown, revoked, expired, not allowed to read, or not from this address",
}
"""Codes of errors that another attempt doesn't help against."""
TIME_ERROR: Final = -1021
"""The time stamp of a request is outside its window, or ahead of the venue's time."""

RECV_WINDOW_MS: Final = 10_000
ANSWER_NS: Final = 20 * SECOND_NS
"""A subscription that isn't confirmed within this time won't be."""
ASK_EVERY_NS: Final = 60 * SECOND_NS
"""How often the venue's time is asked for: shows that it listens, that the key is still taken, and skew."""


class BinanceSpotPrivate(BinancePrivate):
    """The account's fills and balances.

    An Ed25519 key logs in to a session, which the venue ends when the key is revoked. Other keys only
    sign the subscription; that they are revoked shows at the next reconnection, or in REST.
    """

    def __init__(
        self,
        credentials: Credentials,
        symbols: Symbols,
        skew: Skew,
        *,
        exchange: str = "binance",
        account: str = "default",
        url: str = PRIVATE_URL,
    ) -> None:
        super().__init__(
            url,
            (credentials.key, credentials.secret, credentials.passphrase),
            symbols,
            skew,
            exchange=exchange,
            account=account,
            settled=False,
        )
        self._credentials = credentials
        self._session = is_ed25519(credentials.secret)
        self._stands = False
        self._answer_by_ns: int | None = None
        self._asked_ns: int | None = None
        self._ask_ns = 0
        self._ahead_ns: int | None = None
        """The venue's time minus ours, once it has told."""
        self._second_login = False
        self._login_waits = False

    def opened(self, now_ns: int) -> Reading:
        """Log in, and ask for the venue's time in case ours isn't good enough for that."""
        self._begin(now_ns)
        reading = Reading()
        self._answer_by_ns = now_ns + ANSWER_NS
        self._log_in(reading, now_ns)
        self._ask_time(reading, now_ns)
        self._plan()
        return reading

    def tick(self, now_ns: int) -> Reading:
        """Ask for the venue's time; end what doesn't answer or has lived long enough."""
        ended = self._ended(now_ns)
        if ended is not None:
            return ended
        reading = Reading()
        if self._answer_by_ns is not None and now_ns >= self._answer_by_ns:
            reading.close = f"Binance didn't confirm the subscription within {ANSWER_NS // SECOND_NS} s"
        elif now_ns >= self._ask_ns:
            if self._asked_ns is not None:
                seconds = (now_ns - self._asked_ns) // SECOND_NS
                reading.close = f"Binance hasn't answered a question for {seconds} s"
            else:
                self._ask_time(reading, now_ns)
        self._plan()
        return reading

    def _plan(self) -> None:
        due = [self._end_ns, self._ask_ns]
        if self._answer_by_ns is not None:
            due.append(self._answer_by_ns)
        self.next_tick_ns = min(due)

    # --- requests ----------------------------------------------------------------------------------

    def _log_in(self, reading: Reading, now_ns: int) -> None:
        stamp_ms = (now_ns + (self._ahead_ns or 0)) // rows.MS
        signed = binance_signed(self._credentials, {"timestamp": stamp_ms, "recvWindow": RECV_WINDOW_MS})
        self._secrets.append(str(signed["signature"]))  # errors may repeat the request
        if self._session:
            self._request(reading, "login", "session.logon", signed)
        else:
            self._request(reading, "subscribe", "userDataStream.subscribe.signature", signed)

    def _ask_time(self, reading: Reading, now_ns: int) -> None:
        self._asked_ns = now_ns
        self._ask_ns = now_ns + ASK_EVERY_NS
        self._request(reading, "time", "time", {})

    def _request(self, reading: Reading, id_: str, method: str, params: dict[str, str | int]) -> None:
        request: dict[str, object] = {"id": id_, "method": method}
        if params:
            request["params"] = params
        reading.send.append(msgspec.json.encode(request).decode())

    # --- what comes --------------------------------------------------------------------------------

    def take(self, frame: bytes | str, now_ns: int) -> Reading:
        """Read an event or a reply."""
        data = as_bytes(frame)
        reading = Reading()
        try:
            message = messages.spot_frame.decode(data)
            if message.event is not UNSET:
                self._event(reading, message.event, data, now_ns)
            elif message.bare is not UNSET:
                self._event(reading, messages.spot_event.decode(data), data, now_ns)
            else:
                self._reply(reading, message, data, now_ns)
        except UNREADABLE as error:
            self._unread(reading, error, data, messages.SPOT_IGNORED)
        return reading

    def _event(self, reading: Reading, event: messages.SpotEvent, data: bytes, now_ns: int) -> None:
        if isinstance(event, messages.ExecutionReport):
            if event.execution == "TRADE":
                symbol = self._symbol(reading, event.venue_symbol, data)
                reading.rows.append(
                    rows.fill(event, rows.SPOT_TYPES, self.exchange, self.account, symbol, forced=False)
                )
            elif event.execution not in messages.SPOT_NO_FILLS:
                self._bad(reading, f"expected a known execution type (x), found {event.execution}", data)
            self._stamped(reading, event.event_ms, now_ns)
        elif isinstance(event, messages.AccountPosition):
            for held in event.holdings:
                total = held.free + held.locked
                reading.rows.append(
                    rows.balance(self.exchange, self.account, held.currency, event.updated_ms, total)
                )
            self._stamped(reading, event.event_ms, now_ns)
        elif isinstance(event, messages.StreamTerminated):
            reading.close = "Binance ended the subscription to the account's events"
            text = (
                "Binance ended the subscription to this account's events (eventStreamTerminated). A new one "
                "is made at once and what was missed is filled in; if this comes again, look whether the API "
                "key still exists and may read."
            )
            self._session_lost(reading, text, now_ns)
        else:
            self._shutdown(reading)

    def _reply(self, reading: Reading, message: messages.SpotFrame, data: bytes, now_ns: int) -> None:
        result = message.result
        if message.error is not None:
            self._refused(reading, message.id, message.error, data, now_ns)
        elif message.status != 200 or message.id not in {"login", "subscribe", "time"}:
            self._bad(reading, "expected an event or a reply to a request of ours", data)
        elif message.id == "login":
            self._request(reading, "subscribe", "userDataStream.subscribe", {})
        elif message.id == "subscribe":
            self._answer_by_ns = None
            if not self._stands:
                self._stands = reading.ready = True
        elif result is None or result.server_ms is UNSET or self._asked_ns is None:
            self._bad(reading, "expected the venue's time (serverTime)", data)
        else:
            # Half-way between question and answer the venue looked at its clock.
            middle_ns = (self._asked_ns + now_ns) // 2
            self._asked_ns = None
            self._ahead_ns = result.server_ms * rows.MS - middle_ns
            self._stamped(reading, result.server_ms, middle_ns)
            if self._login_waits:
                self._log_in_again(reading, now_ns)
        self._plan()

    def _refused(
        self,
        reading: Reading,
        id_: str | int | None,
        problem: messages.Problem,
        data: bytes,
        now_ns: int,
    ) -> None:
        if id_ == "time":
            # An answer nevertheless.
            self._asked_ns = None
        if problem.code in KEY_ERRORS:
            reading.close = f"{KEY_ERRORS[problem.code]} ({problem.code})"
            reading.refused = True
        elif problem.code == TIME_ERROR and id_ in {"login", "subscribe"}:
            self._out_of_time(reading, now_ns)
        elif self._stands or id_ == "time":
            self._bad(reading, f"Binance refused a request: {problem.code} {problem.msg}", data)
        else:
            reading.close = f"Binance refused the subscription: {problem.code} {self._shown(problem.msg)}"

    def _out_of_time(self, reading: Reading, now_ns: int) -> None:
        """Log in once more with the venue's own time, which was asked for beside the login."""
        offset_ns = None if self._ahead_ns is None else -self._ahead_ns
        notice = self._skew.tell(offset_ns, now_ns)
        if notice is not None:
            reading.notices.append(notice)
        if self._second_login:
            reading.close = f"Binance refused the login twice because of its time ({TIME_ERROR})"
        elif self._ahead_ns is None:
            self._login_waits = True
        else:
            self._log_in_again(reading, now_ns)

    def _log_in_again(self, reading: Reading, now_ns: int) -> None:
        self._login_waits = False
        self._second_login = True
        self._log_in(reading, now_ns)

    # --- words -------------------------------------------------------------------------------------

    def _shown(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return plain(text)


class BinanceSpotPrivateSource:
    """Makes the connections of an account's private stream.

    Parameters
    ----------
    credentials
        Key and secret: HMAC, or a private key in PEM (Ed25519, RSA).
    symbols
        Spot markets.
    account
        In rows and notices.
    url
        Of the websocket API.
    """

    def __init__(
        self,
        credentials: Credentials,
        symbols: Symbols,
        *,
        exchange: str = "binance",
        account: str = "default",
        url: str = PRIVATE_URL,
    ) -> None:
        self.stream = f"{exchange} private"
        self._credentials = credentials
        self._symbols = symbols
        self._exchange = exchange
        self._account = account
        self._url = url
        self._skew = Skew(exchange, self.stream, account)

    async def start(self) -> StreamProtocol:
        """Give a fresh protocol. Raises `KeyRefusedError` for a private key that can't be read."""
        return BinanceSpotPrivate(
            self._credentials,
            self._symbols,
            self._skew,
            exchange=self._exchange,
            account=self._account,
            url=self._url,
        )

    async def renew(self) -> None:
        """Do nothing: the session lives as long as the connection."""
