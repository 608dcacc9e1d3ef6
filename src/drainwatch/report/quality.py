"""What a report rests on: against what fills were judged, what was blind and why, what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from drainwatch.report import words
from drainwatch.report.diary import DAY_MS, Diary, Stretch
from drainwatch.report.table import FillTable, count_rows

MAX_LISTED: Final = 20
MAX_PAIRS: Final = 10
MAX_STRETCHES: Final = 10
PRICES: Final = frozenset({"trades", "quotes", "candles"})
"""Tables that tell prices."""


def quality(table: FillTable, diary: Diary, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Say what was judged against what, what could not be judged, and what was left out."""
    # the table may hold only what lies near incidents: the summary counts all
    seen = summary.get("fair_sources") or dict(table.counts("fair_source"))
    total = max(1, sum(seen.values()))
    sources = [
        {"name": words.FAIR_SOURCES.get(name, words.clean(name)), "count": f"{n:,}"}
        | {"share": _share(n, total), "width": f"{100 * n / total:.1f}"}
        for name, n in sorted(seen.items(), key=lambda pair: (-pair[1], str(pair[0])))[:MAX_LISTED]
    ]
    reasons = summary.get("blind_reasons") or {}
    blind = sorted(reasons.items(), key=lambda pair: (-pair[1], str(pair[0])))
    counts: Mapping[str, Any] = summary.get("counts") or {}
    tables = [(words.clean(name), *(f"{n:,}" for n in count_rows(count))) for name, count in counts.items()]
    dark, gaps = diary.dark(), diary.gaps()
    return {
        "sources": sources,
        "blind": [
            (words.upper_first(words.clean(name, 200).replace("_", " ") or "none"), f"{int(n):,}")
            for name, n in blind[:MAX_LISTED]
        ],
        "pairs": _pairs(diary),
        "dark": [_dark(stretch) for stretch in dark[:MAX_STRETCHES]],
        "more_dark": max(0, len(dark) - MAX_STRETCHES),
        "gaps": [_gap(gap) for gap in gaps[:MAX_STRETCHES]],
        "more_gaps": max(0, len(gaps) - MAX_STRETCHES),
        "tables": tables,
        "rejects": int(summary.get("rejects") or 0),
        "bad_rows": [_bad_row(row) for row in (summary.get("bad_rows") or ())[:MAX_LISTED]],
        "hints": hints(diary, counts),
    }


def hints(diary: Diary, counts: Mapping[str, Any]) -> list[str]:
    """Say which further table would help, the one that would help most first."""
    if not counts:
        return []
    given = {name for name, count in counts.items() if count_rows(count)[0]}
    found = []
    if not given & PRICES:
        found.append(
            "No market data was given (trades, quotes or candles): prices could only be compared with this "
            "account's own fills. A thief who trades one coin only may look normal."
        )
    elif diary.blind_pairs:
        pairs = [symbol for (_, symbol), _ in _ranked(diary)]
        found.append(
            f"{words.plural(diary.blind_pairs.total(), 'fill')} could not be judged. Trades, quotes or "
            f"candles of {words.listing(pairs, noun='pair')}, from some hours before the first of them on, "
            "would change that."
        )
    if "orders" not in given:
        found.append(
            "No order log of the bot was given: what the bot did not place is the strongest single sign."
        )
    if "balances" not in given:
        found.append("No balances were given: losses can't be compared with what the account holds.")
    if given & PRICES == {"candles"}:
        found.append(
            "Of the market only candles were given: they tell a price a minute late or more. Trades or "
            "quotes tell what could be had at the very moment."
        )
    return found


def _share(part: int, total: int) -> str:
    """Write a share whose percent sign stays on its line."""
    return words.percent(part / total).replace(" %", "\u00a0%")


def _ranked(diary: Diary) -> list[tuple[tuple[str, str], int]]:
    """Pairs with blind fills, those with most first."""
    return sorted(diary.blind_pairs.items(), key=lambda pair: (-pair[1], pair[0]))


def _pairs(diary: Diary) -> list[tuple[str, str, str, str]]:
    """Pairs that were blind most: pair, exchange, blind fills, and their share."""
    return [
        (
            words.clean(symbol) or "unknown",
            words.clean(exchange),
            f"{n:,}",
            _share(n, diary.pairs[exchange, symbol]),
        )
        for (exchange, symbol), n in _ranked(diary)[:MAX_PAIRS]
    ]


def _dark(stretch: Stretch) -> tuple[str, str, str]:
    """Days that were blind: when, fills, and how many of them blind."""
    first, last = words.day(stretch.first_ms), words.day(stretch.last_ms)
    when = first if stretch.last_ms - stretch.first_ms < DAY_MS else f"{first} to {last}"
    return when, f"{stretch.fills:,}", f"{stretch.blind:,}"


def _gap(gap: Stretch) -> tuple[str, str, str]:
    """Stretch without market data: since when, how long, and fills in it."""
    return words.moment(gap.first_ms), words.duration(gap.last_ms - gap.first_ms), f"{gap.fills:,}"


def _bad_row(row: Mapping[str, Any]) -> Sequence[str]:
    """First rejected row of a table: where, what was found, what was expected."""
    name = words.clean(str(row.get("file") or "").replace("\\", "/").rpartition("/")[2])
    column = words.clean(row.get("column"))
    where = f"{name}, row {words.number(row.get('row'), 15)}" + (f", {column}" if column else "")
    return where, words.clean(row.get("found")), words.clean(row.get("expected"), 200)
