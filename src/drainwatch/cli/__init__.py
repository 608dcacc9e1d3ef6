"""The command: words in, exit code out. Results go to stdout, everything else to stderr."""

from drainwatch.cli.app import app, main
from drainwatch.cli.exit_codes import ExitCode

__all__ = ["ExitCode", "app", "main"]
