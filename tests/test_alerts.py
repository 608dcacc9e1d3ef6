"""The alerts' public names, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

from drainwatch import alerts


def test_public_names_are_there() -> None:
    assert alerts.__all__ == ["Channel", "Delivery", "Teller", "post_notice"]
    assert all(getattr(alerts, name) is not None for name in alerts.__all__)


def test_importing_them_loads_no_client() -> None:
    """A command that sends nothing shouldn't wait for aiohttp."""
    code = "import drainwatch.alerts, sys; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
