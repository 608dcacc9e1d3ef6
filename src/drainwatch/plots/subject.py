"""What is drawn: a replay, or one incident of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from drainwatch.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


class ReplayLike(Protocol):
    """What drawings need of `drainwatch.Replay`."""

    @property
    def incidents(self) -> pd.DataFrame: ...  # noqa: D102 - as there

    @property
    def scores(self) -> pd.DataFrame: ...  # noqa: D102

    @property
    def fills(self) -> pd.DataFrame: ...  # noqa: D102

    @property
    def reasons(self) -> pd.DataFrame: ...  # noqa: D102

    @property
    def market(self) -> pd.DataFrame: ...  # noqa: D102

    @property
    def equity(self) -> pd.DataFrame: ...  # noqa: D102

    @property
    def currency(self) -> str | None: ...  # noqa: D102

    @property
    def false_alarms_per_month(self) -> float: ...  # noqa: D102


class IncidentLike(Protocol):
    """What drawings need of `drainwatch.Incident`."""

    @property
    def told(self) -> pd.Series[Any]: ...  # noqa: D102

    @property
    def fills(self) -> pd.DataFrame: ...  # noqa: D102

    @property
    def reasons(self) -> pd.DataFrame: ...  # noqa: D102

    @property
    def replay(self) -> Any: ...  # noqa: D102


Subject = ReplayLike | IncidentLike


class Subjects(NamedTuple):
    """A replay, and the incident of it that is meant: None for all of them."""

    replay: ReplayLike
    told: pd.Series[Any] | None

    @property
    def incidents(self) -> pd.DataFrame:
        """The incidents that are meant."""
        every = self.replay.incidents
        return every if self.told is None else every[(every["id"] == self.told["id"]).to_numpy()]

    def account(self, account: str | None) -> str:
        """The account that is meant: the one named, the incident's, or the only one.

        Raises
        ------
        InputError
            It has no fills, or there are several.

        """
        names = sorted(set(self.replay.fills["account"]))
        if account is None and self.told is not None:
            account = str(self.told["account"])
        return _one("account", account, names)

    def symbol(self, symbol: str | None) -> str:
        """The market that is meant: the one named, the incident's first, or the only one.

        Raises
        ------
        InputError
            It has no fills, or there are several.

        """
        if symbol is None and self.told is not None:
            symbol = str(self.told["symbols"][0])
        return _one("symbol", symbol, sorted(set(self.replay.fills["symbol"])))


def subjects(of: Subject) -> Subjects:
    """Take apart what is to be drawn."""
    it: Any = of
    return Subjects(it.replay, it.told) if hasattr(of, "told") else Subjects(it, None)


def one_incident(of: Subject) -> IncidentLike:
    """Take an incident; of a replay its first.

    Raises
    ------
    InputError
        The replay has none.

    """
    it: Any = of
    if not hasattr(of, "told"):
        if not len(it.incidents):
            raise InputError("expected an incident to draw, found a replay without any")
        it = it.incident(0)
    incident: IncidentLike = it
    return incident


def _one(what: str, name: str | None, names: list[str]) -> str:
    few = ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
    if name is None and len(names) != 1:
        raise InputError(f"expected {what}= to say which to draw, found {len(names)}: {few}")
    if name is not None and name not in names:
        raise InputError(f"{what}: expected one that has fills ({few}), found {name!r}")
    return names[0] if name is None else name
