"""A case file as one page to print: no network, no script; every word from outside is escaped.

Nothing is rounded away: prices and amounts stand as the exchange wrote them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from drainwatch.report import text, words

MOST_FILLS: Final = 1_000
"""Fills that the page lists; `evidence.json` has all."""
MOST_STRETCHES: Final = 40
MOST_MARKET_ROWS: Final = 12
"""Rows of quotes and prints that a stretch shows on either side of its fills."""
MOST_ID: Final = 200
"""Longest id shown, in characters: an id that is cut is no evidence, but a page isn't for megabytes."""

LONG: Final = 28
"""Characters from which on a number is broken over lines."""

Case = Mapping[str, Any]
"""`casefile.Case` as plain data."""


def to_html(case: Case, digest: str) -> str:
    """Write the page.

    Parameters
    ----------
    case
        As in `evidence.json`.
    digest
        SHA-256 of that file.
    """
    incident = case["incident"]
    return _template().render(
        title=f"Evidence, incident {words.clean(incident['id'])}",
        headline=text.headline(incident),
        severity=text.severity_of(incident),
        kind=text.kind_of(incident),
        facts=_facts(case),
        timeline=[(_time(m["time"]), words.clean(m["what"], 400), m["clock"]) for m in case["timeline"]],
        reasons=[words.upper_first(words.clean(r.get("text"), 300)) for r in incident.get("reasons") or ()],
        losses=[_loss(row) for row in case["losses"]],
        fills=[_fill(place, fill) for place, fill in enumerate(case["fills"][:MOST_FILLS], 1)],
        unlisted=max(0, len(case["fills"]) - MOST_FILLS),
        counterparties=[_counterparty(row) for row in case["counterparties"]],
        market=[_stretch(around, case["fills"]) for around in case["market"][:MOST_STRETCHES]],
        unlisted_market=max(0, len(case["market"]) - MOST_STRETCHES),
        missing=[words.clean(line, 400) for line in case["missing"]],
        meaning=case["meaning"],
        judged_by=[(words.spoken(name), words.clean(value)) for name, value in case["judged_by"].items()],
        hashes=_hashes(case, digest),
        style=_style(),
        LONG=LONG,
    )


def _facts(case: Case) -> list[tuple[str, str]]:
    """List what an officer asks first: name and value."""
    incident = case["incident"]
    venue = words.clean(incident.get("exchange"))
    share = words.as_float(incident.get("equity_share"))
    facts = [
        ("Account", words.clean(incident.get("account")) + (f" at {venue}" if venue else "")),
        ("Lost", words.money(incident.get("loss"), incident.get("loss_currency"))),
    ]
    if share == share:  # noqa: PLR0124 - NaN: unknown
        facts.append(("Share of the account", words.percent(share)))
    facts += [
        ("Markets", words.listing(incident.get("symbols") or (), 8)),
        ("Fills", f"{len(case['fills']):,}"),
        ("Incident", words.clean(incident["id"])),
        ("State", words.clean(case["state"])),
        ("From", "a running watch" if case["origin"]["kind"] == "watch" else "a replay of tables"),
        ("Made", _time(case["made_at"])),
        ("Version", f"drainwatch {words.clean(case['origin']['drainwatch'])}"),
    ]
    return facts


def _time(iso: str | None) -> str:
    """Write a time so that it can be read and is still exact: `2026-12-01 14:02:11.123 UTC`."""
    if iso is None:
        return "unknown"
    return words.clean(iso).replace("T", " ").removesuffix("Z") + " UTC" if iso.endswith("Z") else iso


def _id(value: Any) -> str:
    return words.clean(value, MOST_ID)


def _fill(place: int, fill: Mapping[str, Any]) -> dict[str, Any]:
    """Give a fill as the cells of its row."""
    off_bps = words.as_float(fill["deviation_bps"])
    fee = f"{_id(fill['fee_cost'])} {words.clean(fill['fee_currency'], 20)}" if fill["fee_cost"] else ""
    ids = [
        ("trade", _id(fill["id"])), ("order", _id(fill["order"])),
        ("client order", _id(fill["client_order_id"])),
        ("counterparty", _id(fill["counterparty"])), ("maker order", _id(fill["maker_order"])),
        ("taker order", _id(fill["taker_order"])),
    ]  # fmt: skip
    price = _id(fill["price"]) or "unknown"
    return {
        "place": place,
        "time": _time(fill["time"]).removesuffix(" UTC"),
        "market": words.clean(fill["symbol"])
        + (f" {words.clean(fill['exchange'])}" if fill["exchange"] else ""),
        "side": "buy" if fill["side"] == "buy" else "sell",
        "how": " ".join(words.clean(fill[name], 20) for name in ("type", "taker_or_maker") if fill[name]),
        "price": price
        if fill["exact"] or fill["price"] is None
        else f"about {words.price(float(fill['price']))}",
        "amount": _id(fill["amount"]) or "unknown",
        "cost": _id(fill["cost"]),
        "fee": fee,
        "fair": words.price(fill["fair_price"]) if fill["fair_price"] is not None else "unknown",
        "source": words.FAIR_SOURCES.get(fill["fair_source"], words.spoken(fill["fair_source"])),
        "off": f"{words.percent(off_bps / 1e4)}" if off_bps == off_bps else "unknown",  # noqa: PLR0124 NaN
        "loss": words.number(fill["loss"], 6) if fill["loss"] is not None else "unknown",
        "ids": [(name, value) for name, value in ids if value],
        "flagged": fill["flagged"],
    }


def _loss(row: Mapping[str, Any]) -> dict[str, Any]:
    fees = ", ".join(f"{fee} {words.clean(currency, 20)}" for currency, fee in row["fees"].items())
    known = row["fills"] > row["blind"]
    currency = words.clean(row["currency"], 20)
    return {
        "market": words.clean(row["symbol"])
        + (f" {words.clean(row['exchange'])}" if row["exchange"] else ""),
        "fills": f"{row['fills']:,}",
        "blind": f"{row['blind']:,}",
        "loss": f"{words.number(row['loss'], 8)} {currency}" if known else "unknown",
        "gain": f"{words.number(row['gain'], 8)} {currency}" if known else "unknown",
        "fees": fees or "not told",
    }


def _counterparty(row: Mapping[str, Any]) -> dict[str, Any]:
    lost = [words.money(amount, currency) for currency, amount in row["loss"].items()]
    return {"name": _id(row["counterparty"]), "fills": f"{row['fills']:,}", "loss": ", ".join(lost)}


KEPT: Final = {
    "whole": "kept whole",
    "part": "kept in part",
    "none": "not kept any more",
}


def _stretch(around: Mapping[str, Any], fills: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give a stretch of a market: counts, and the rows nearest to the fills in it."""
    times = sorted(
        fill["counted_at"] or fill["time"]
        for fill in fills
        if (fill["exchange"], fill["symbol"]) == (around["exchange"], around["symbol"])
        and (fill["counted_at"] or fill["time"] or "")
        and around["start"] <= (fill["counted_at"] or fill["time"]) <= around["end"]
    )
    rows = [("quote", row) for row in around["quotes"]] + [("print", row) for row in around["prints"]]
    rows += [("candle", row) for row in around["candles"]]
    rows.sort(key=lambda row: row[1][0])
    first, last = (times[0], times[-1]) if times else (around["start"], around["end"])
    before = [row for row in rows if row[1][0] <= first][-MOST_MARKET_ROWS:]
    after = [row for row in rows if row[1][0] > last][:MOST_MARKET_ROWS]
    return {
        "market": words.clean(around["symbol"])
        + (f" {words.clean(around['exchange'])}" if around["exchange"] else ""),
        "span": f"{_time(around['start']).removesuffix(' UTC')} to {_time(around['end'])}",
        "kept": KEPT[around["kept"]],
        "counts": ", ".join(
            words.plural(len(around[name]), noun)
            for name, noun in (("quotes", "quote"), ("prints", "print"), ("candles", "candle"))
            if around[name]
        )
        or "no rows",
        "fills": words.plural(len(times), "fill"),
        "before": [_market_row(*row) for row in before],
        "between": len(rows) - len(before) - len(after) if times else 0,
        "after": [_market_row(*row) for row in after],
    }


def _market_row(kind: str, row: Sequence[Any]) -> tuple[str, str, str]:
    """Give time, kind and words of a row."""
    if kind == "quote":
        said = f"bid {_number(row[1])} ({_number(row[3])}), ask {_number(row[2])} ({_number(row[4])})"
    elif kind == "print":
        by = f", taker {words.clean(row[3], 10)}s" if row[3] else ""
        said = f"{_number(row[2])} at {_number(row[1])}{by}" + (f", id {_id(row[4])}" if row[4] else "")
    else:
        names = ("open", "high", "low", "close", "volume")
        said = ", ".join(f"{name} {_number(value)}" for name, value in zip(names, row[1:], strict=True))
    return _time(row[0]).removesuffix(" UTC"), kind, said.replace(" (unknown)", "")


def _number(value: Any) -> str:
    """Write a number with all its digits."""
    if value is None:
        return "unknown"
    return words.clean(value) if isinstance(value, str) else f"{value!r}"


def _hashes(case: Case, digest: str) -> list[tuple[str, str]]:
    rows = [("evidence.json", digest)]
    rows += [(f"{name} in it", value) for name, value in case["hashes"].items()]
    rows += list((case["origin"].get("files") or {}).items())
    return [(words.clean(name), words.clean(value)) for name, value in rows]


@cache
def _template() -> Template:
    """Read the template that lies beside this file."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(files("drainwatch.report").joinpath("case.html.j2").read_text("utf-8"))


@cache
def _style() -> Markup:
    """Read the style sheets that lie beside this file."""
    room = files("drainwatch.report")
    sheets = (room.joinpath(name).read_text("utf-8") for name in ("page.css", "case.css"))
    return Markup("\n".join(sheets))  # noqa: S704 - our own files
