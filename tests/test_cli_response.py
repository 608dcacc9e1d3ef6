"""`drainwatch response test`: seen beforehand, and with --for-real done."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from drainwatch.cli import ExitCode, app

RUNNER = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "200"})


def run(tmp_path: Path, *words: str, code: str = "pass", **settings: Any) -> Any:
    """Run the verb with a response `page me` that is some Python."""
    lines = {
        "name": "page me",
        "kind": "command",
        "command": [sys.executable, "-c", code, str(tmp_path / "made")],
    } | settings
    config = tmp_path / "drainwatch.toml"
    config.write_text(
        "[[responses]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())
    )
    return RUNNER.invoke(app, ["response", "test", "--config", str(config), *words])


KEEP = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read()); print('paged')"


def test_without_for_real_nothing_is_done(tmp_path: Path) -> None:
    result = run(tmp_path, "page me", code=KEEP)
    assert result.exit_code == ExitCode.OK, result.output
    first, *_, last = result.stdout.splitlines()
    assert first.startswith("page me: dry run, nothing was done: would run /")
    assert last == "To see it happen: drainwatch response test 'page me' --for-real"
    assert not (tmp_path / "made").exists()


def test_for_real_it_is_done_though_the_settings_say_dry_run(tmp_path: Path) -> None:
    result = run(tmp_path, "page me", "--for-real", code=KEEP)
    assert result.exit_code == ExitCode.OK, result.output
    assert result.stdout.splitlines() == [
        "page me: done: the command ended with status 0",
        "",
        "It printed (at most 4,000 bytes are kept):",
        "paged",
    ]
    told = json.loads((tmp_path / "made").read_text())
    assert told["drainwatch_test"] is True
    assert told["severity"] == "critical"


@pytest.mark.parametrize("for_real", [True, False])
def test_what_fails_ends_with_a_code_of_its_own(tmp_path: Path, for_real: bool) -> None:
    command = [sys.executable, "-c", "raise SystemExit(4)"] if for_real else ["no-such-program-anywhere"]
    result = run(tmp_path, "page me", *["--for-real"] * for_real, command=command)
    assert result.exit_code == ExitCode.FAILED
    wanted = (
        "page me: FAILED: the command ended with status 4" if for_real else "page me: dry run, and in earnest"
    )
    assert result.stdout.startswith(wanted)


def test_a_name_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    result = run(tmp_path, "pageme")
    assert result.exit_code == ExitCode.USAGE
    assert "expected the name of one of [[responses]], found 'pageme'; there is `page me`" in result.output


def test_the_incident_has_all_that_the_contract_says(tmp_path: Path) -> None:
    """Who tries a script with it must not find later that a field was missing."""
    from drainwatch.cli.response import sample
    from report_fakes import incident
    from response_fakes import hook

    assert set(incident()) - set(sample(hook())) == set()
