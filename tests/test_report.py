"""The public face of reports."""

from __future__ import annotations

import subprocess
import sys

from drainwatch import report


def test_three_names_are_public() -> None:
    assert report.__all__ == ["headline", "to_html", "to_text"]
    assert all(callable(getattr(report, name)) for name in report.__all__)


def test_reports_need_no_heavy_library() -> None:
    """An alert that waits for pandas to load comes seconds late."""
    code = "import drainwatch.report, sys; print(*{m.partition('.')[0] for m in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert set(run.stdout.split()).isdisjoint({"pandas", "pyarrow", "sklearn", "scipy", "numba", "rich"})
