"""What messages of several venues have in common: numbers as text, times, lists of which a part is bad."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

SHOWN = 500
"""How many bytes of a frame are kept to be looked at."""

DECIMAL = r"^(?=[0.]*[1-9])[0-9]{1,30}(\.[0-9]{0,40})?([eE][-+]?[0-9]{1,2})?\Z"

Above0 = Annotated[str, Meta(pattern=DECIMAL)]
"""A number above 0 as the venue wrote it."""

Number = Annotated[float, Meta(gt=0, lt=1e40)]
"""A number above 0 of which the value alone matters; a lax decoder reads it from text, too."""

Size = Annotated[float, Meta(ge=0, lt=1e40)]

Ms = Annotated[int, Meta(gt=0, lt=4_102_444_800_000)]
"""Time in ms since the epoch, before the year 2100; a lax decoder reads it from text, too."""

Name = Annotated[str, Meta(min_length=1, max_length=200)]
"""An id, a market, a currency."""

ANY = msgspec.json.Decoder(list[msgspec.Raw])

_T = TypeVar("_T")


def as_bytes(frame: bytes | str) -> bytes:
    """Frame as it came over the wire."""
    return frame.encode(errors="replace") if isinstance(frame, str) else frame


def each(
    raw: msgspec.Raw | bytes, whole: msgspec.json.Decoder[list[_T]], one: msgspec.json.Decoder[_T]
) -> Iterator[_T | msgspec.DecodeError]:
    """Give the items of a list, and for those that aren't what they should be the error instead.

    Raises
    ------
    msgspec.DecodeError
        It isn't a list.
    """
    try:
        yield from whole.decode(raw)
    except msgspec.DecodeError:
        # One bad item must not cost its neighbours, which may be fills.
        for item in ANY.decode(raw):
            try:
                yield one.decode(item)
            except msgspec.DecodeError as error:
                yield error


def signed_cost(text: str, *, charged_negative: bool = False) -> str | None:
    """Fee as a cost (positive: paid), the digits untouched; None where it isn't a number.

    Parameters
    ----------
    text
        As the venue wrote it.
    charged_negative
        The venue writes what it charges with a minus.
    """
    digits = text.removeprefix("-")
    try:
        value = float(digits)
    except ValueError:
        return None
    if not 0 <= value < 1e40 or not (digits[0].isdigit() or digits[0] == "."):
        return None
    is_cost = (text != digits) is charged_negative or not digits.strip("0.")  # 0 has no sign
    return digits if is_cost else f"-{digits}"


def price_or_none(text: str | None) -> str | None:
    """Price as written; None where there is none: venues write "" or "0" for it."""
    cost = signed_cost(text) if text else None
    return cost if cost is not None and float(cost) > 0 else None
