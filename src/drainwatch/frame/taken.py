"""Frames as they are given: of pandas, or of any library that speaks Arrow, as DataFrames of pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drainwatch.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def taken(table: str, frame: Any) -> pd.DataFrame:
    """Take a frame for a table; it isn't changed, and one of pandas isn't copied either.

    Parameters
    ----------
    table
        What it is for, to say so where it can't be taken.
    frame
        A DataFrame of pandas, or whatever hands out an Arrow stream (`__arrow_c_stream__`): frames of
        polars, tables and record batches of pyarrow, relations of DuckDB. These have no index: rows are
        numbered from 0.

    Raises
    ------
    InputError
        It is something else.

    """
    import pandas as pd

    if isinstance(frame, pd.DataFrame):
        return frame
    if hasattr(frame, "__arrow_c_stream__") and not hasattr(frame, "dtype"):
        return _from_arrow(table, frame)
    what = f"{type(frame).__module__.partition('.')[0]}.{type(frame).__qualname__}"
    hint = "give a DataFrame"
    if isinstance(frame, str) or hasattr(frame, "__fspath__"):
        hint = "for files there are `drainwatch.read_fills` and `drainwatch replay`"
    elif hasattr(frame, "collect"):
        hint = "call its `collect()` first"
    raise InputError(
        f"{table}: expected a DataFrame of pandas or polars, or a table of pyarrow, found {what}; {hint}"
    )


def _from_arrow(table: str, frame: Any) -> pd.DataFrame:
    """Turn Arrow columns into pandas' own without losing a digit: whole numbers with gaps stay whole."""
    import pandas as pd
    import pyarrow as pa

    try:
        given = pa.table(frame)
        plain = pa.table([_plain(column) for column in given.columns], names=given.column_names)
        made: pd.DataFrame = plain.to_pandas(types_mapper=pd.ArrowDtype)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(
            f"{table}: expected columns that pyarrow reads, found others: {error}; give them as texts,"
            " numbers and times"
        ) from error
    return made


def _plain(column: Any) -> Any:
    """Write out categories and text views: not every kernel knows them."""
    import pyarrow as pa

    views = (pa.string_view(), pa.binary_view())
    if pa.types.is_dictionary(column.type):
        values = column.type.value_type
        kind = pa.large_string() if values in views else values
        chunks = [chunk.dictionary.cast(kind).take(chunk.indices) for chunk in column.chunks]
        return pa.chunked_array(chunks, kind)
    return column.cast(pa.large_string()) if column.type in views else column
