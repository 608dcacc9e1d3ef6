"""Channels and messages that tests of alerts share, and what hostile names look like."""

from __future__ import annotations

from itertools import cycle
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from drainwatch.alerts.channel import Channel
from drainwatch.alerts.message import (
    STEPS,
    WHATS,
    WORST,
    Message,
    Step,
    digest_of,
    message_of,
    message_of_notice,
)
from drainwatch.alerts.sample import sample_message
from drainwatch.notices import Notice, NoticeKind
from report_fakes import START_MS, fill, fills, incident

SLACK = Channel(name="s", kind="slack", url="https://hooks.slack.example/hunter2")
SLACK_BOT = Channel(
    name="b",
    kind="slack",
    url="https://slack.example/api",
    token="xoxb-hunter2",  # noqa: S106
    chat_id="C0123456789",
)
DISCORD = Channel(name="d", kind="discord", url="https://discord.example/api/webhooks/1/hunter2")
TELEGRAM = Channel(name="t", kind="telegram", url="https://telegram.example/bothunter2", chat_id="-100")
WEBHOOK = Channel(name="w", kind="webhook", url="https://hook.example/hunter2", signing="whsec_hunter2")
CHATS = (SLACK, SLACK_BOT, DISCORD, TELEGRAM)
NOW_NS = START_MS * 1_000_000 + 90 * 10**9

TOLD = (
    Step(what="opened", at_ms=START_MS + 30_000, loss=0.48, currency="ETH"),
    Step(what="grew", at_ms=START_MS + 70_000, loss=1.2, currency="ETH"),
)


def rows() -> list[dict[str, Any]]:
    """Fourteen fills, of which two were worse than the others."""
    worse = {3: 0.0014, 9: 0.0011}
    return [fill(number, price=worse.get(number, 0.00176)) for number in range(14)]


def opened(**changes: Any) -> Message:
    """The first alert."""
    return message_of(incident(**changes), "opened", fills=rows())


def later(what: str, **changes: Any) -> Message:
    """What is told of it afterwards."""
    return message_of(incident(**changes), what, fills=rows(), history=TOLD)


def warning(number: int) -> Message:
    """A small one, perhaps the owner's own."""
    made = fills(2, incident=f"w{number}", account=f"farm-{number}")
    return message_of(
        incident(
            made,
            id=f"w{number}",
            account=f"farm-{number}",
            severity="warning",
            kind="own_bad_fill",
            kind_now="own_bad_fill",
            loss=0.02 * (number + 1),
            equity_share=0.004,
        ),
        "opened",
        fills=made,
    )


def digest(count: int = 3) -> Message:
    """Several warnings in one."""
    return digest_of([warning(number) for number in range(count)])


def notice() -> Message:
    """What the watch says of itself."""
    return message_of_notice(
        Notice(
            kind=NoticeKind.KEY_REFUSED,
            ts_ns=START_MS * 10**6,
            text="binance doesn't take the key (it is wrong, revoked or expired).\nUntil there is a new one, "
            "no fill of this account is seen: make one, and start the watch again.",
            exchange="binance",
            account="main",
            stream="binance private",
        )
    )


def sample() -> Message:
    """What `drainwatch alerts test` sends."""
    return sample_message(NOW_NS, "binance")


def largest(character: str) -> list[Message]:
    """Messages with as much of everything as there can be."""
    endless = character * 9_999
    shown = replace(opened().fills[0], text=endless)
    whole = replace(
        later("grew"),
        title=endless,
        headline=endless,
        action=endless,
        news=endless,
        test=True,
        reasons=(endless,) * 3,
        fills=(shown,) * WORST,
        facts=((endless, endless),) * 7,
        history=(endless,) * STEPS,
    )
    said = replace(notice(), title=endless, headline=endless, news=endless)
    return [whole, replace(digest(), reasons=(endless,) * 9, headline=endless, action=endless), said]


NASTY = (
    "@everyone @here <!channel> <!here|x> <@U123> <@&1> <#C1> @someone",
    "<https://evil.example|ok> [ok](https://evil.example) evil.example t.me/thief tg://resolve?domain=x",
    "*a* _b_ ~c~ `d` ||e|| ```f``` # g\n> h - i \\ &amp; &lt;b&gt;",
    "</b></code><a href='https://evil.example'>x</a><script>alert(1)</script>",
    "\u202egnp.exe\u202c \u200b\u2066 \x00\x1b[31m\x07",
    "/start #tag $BTC +1 555 123 4567 a@evil.example :skull:",
    '"' * 300,
    "\\" * 300,
    "\U0001f4b8" * 300,
    "\ud83d" * 300,
    "]" * 300,
    "&" * 300,
)

NAMES = (
    st.sampled_from(NASTY)
    | st.text(st.characters(exclude_categories=()), max_size=400)
    | st.builds(lambda part, times: part * times, st.sampled_from([*NASTY, "x", "."]), st.integers(1, 400))
)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """Any message about anything, with every name from outside chosen by a thief."""
    kind = draw(st.sampled_from(["incident", "incident", "digest", "notice", "text"]))
    pool = draw(st.lists(NAMES, min_size=3, max_size=5))
    turn = cycle(pool)
    if kind == "text":
        return Message(what="notice", text=pool[0])
    if kind == "notice":
        return message_of_notice(
            Notice(
                kind=draw(st.sampled_from(NoticeKind)),
                ts_ns=START_MS * 10**6,
                text="\n".join(pool),
                exchange=next(turn),
                account=next(turn),
                stream=next(turn),
            )
        )
    figures = cycle(draw(st.lists(st.floats(), min_size=3, max_size=3)))
    made = [
        fill(
            number,
            incident=pool[0],
            symbol=next(turn),
            id=next(turn),
            side=draw(st.sampled_from(["buy", "sell", "<b>"])),
            price=next(figures),
            fair_source=next(turn),
        )
        for number in range(draw(st.sampled_from([1, 2, 8])))
    ]
    history = [Step(what=next(turn), at_ms=START_MS, loss=next(figures), currency=next(turn))] * 8
    reason = {"feature": next(turn), "value": next(figures), "typical": 0.1, "text": next(turn)}
    told = message_of(
        incident(
            made,
            id=pool[0],
            account=next(turn),
            exchange=draw(st.sampled_from([pool[1], "binance"])),
            symbols=[next(turn) for _ in range(4)],
            loss=draw(st.floats() | st.none()),
            loss_currency=next(turn),
            equity_share=draw(st.floats() | st.none()),
            kind=next(turn),
            escalated_at=draw(st.none() | st.just(START_MS)),
            closed_at=draw(st.none() | st.just(START_MS)),
            reasons=[reason] * 5,
        ),
        draw(st.sampled_from(WHATS)),
        fills=made,
        history=history if draw(st.booleans()) else (),
        test=draw(st.booleans()),
    )
    return told if kind == "incident" else digest_of([told] * draw(st.integers(1, 30)))
