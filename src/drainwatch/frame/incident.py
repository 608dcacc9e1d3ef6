"""One incident of a replay of DataFrames, to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drainwatch.frame.shown import incident_html
from drainwatch.replay import Page
from drainwatch.report import to_text, words

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Incident:
    """One incident of a replay: `drainwatch.replay(...).incident(0)`."""

    told: pd.Series[Any]
    """Its row of `Replay.incidents`."""
    fills: pd.DataFrame
    """Its rows of `Replay.fills`, those from before the alert among them."""
    reasons: pd.DataFrame
    """Its rows of `Replay.reasons`, strongest first."""
    replay: Any
    """The `Replay` that it is of."""
    _page: Page
    _place: int

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.told["id"])

    def to_text(self) -> str:
        """What happened, what to do and why, as plain text."""
        return to_text(self._page.incidents[self._place], self._page.fills)

    def __repr__(self) -> str:
        return f"<Incident {self.id}: {self.told['severity']}, {words.plural(len(self.fills), 'fill')}>"

    def _repr_html_(self) -> str:
        return str(incident_html(self._page.incidents[self._place], self._page.fills))
