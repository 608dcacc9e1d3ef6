"""A hook holds secrets, and shows none."""

from __future__ import annotations

from drainwatch.response.hook import Hook, HookError, PassingError
from drainwatch.venues.protocol import Credentials


def test_nothing_of_a_hook_is_shown_but_name_and_kind() -> None:
    hook = Hook(
        name="stop-bot",
        kind="freqtrade",
        password="PlAnTeD1",  # noqa: S106 - opens nothing
        url="https://a.example/PlAnTeD2",
        signing="PlAnTeD3",
        environment={"A": "PlAnTeD4"},
        credentials=Credentials("PlAnTeD5", "PlAnTeD6"),
    )
    assert repr(hook) == str(hook) == f"{hook}" == "Hook(stop-bot, freqtrade)"


def test_it_is_a_dry_run_unless_said_otherwise() -> None:
    assert Hook(name="a", kind="command").dry_run


def test_an_error_has_what_a_command_printed_beside_its_words() -> None:
    error = PassingError("no answer", "printed")
    assert isinstance(error, HookError)
    assert (str(error), error.output) == ("no answer", "printed")
    assert HookError("x").output == ""
