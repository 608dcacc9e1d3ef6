"""Databases of bots: which bot's one is, and the sheet that its importer reads."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from drainwatch.botlogs.database import opened
from drainwatch.botlogs.log import tables_in
from drainwatch.errors import InputError
from drainwatch.imports import freqtrade, hummingbot
from drainwatch.imports.records import sheet_of
from drainwatch.imports.sheet import Sheet


def open_sqlite(path: str) -> list[Sheet]:
    """Open a bot's database, without the bot noticing.

    Raises
    ------
    InputError
        If it can't be read now, or is nobody's that is known.
    """
    place = Path(path)
    with opened(place, "try again later") as connection:
        if freqtrade.is_freqtrade(connection):
            bot, header, rows = freqtrade.PART, freqtrade.HEADER, freqtrade.rows_of
        elif hummingbot.is_hummingbot(connection):
            bot, header, rows = hummingbot.PART, hummingbot.HEADER, hummingbot.rows_of
        else:
            raise InputError(
                f"{path}: expected a database of freqtrade (tables orders and trades) or hummingbot (table "
                f"TradeFill), found tables {tables_in(connection)}; export the fills as CSV instead"
            )
    return [sheet_of(path, bot, header, partial(rows, place))]
