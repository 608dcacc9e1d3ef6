"""What stands in for the shells of the command."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from report_fakes import START_MS


@dataclass
class Summary:
    """What a replay gives back."""

    n_fills: int = 1_204
    incidents: list[dict[str, Any]] = field(default_factory=list)
    blind_reasons: dict[str, int] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=lambda: {"fills": {"rows": 1_211}, "trades": {"rows": 0}})
    rejects: int = 0
    out: Path = Path("out")
    engine_seconds: float = 0.25
    span_ms: tuple[int, int] | None = (START_MS - 31 * 86_400_000, START_MS)
    notes: list[str] = field(default_factory=list)

    @property
    def n_incidents(self) -> int:
        return len(self.incidents)

    @property
    def n_blind(self) -> int:
        return sum(self.blind_reasons.values())


class Replay:
    """Stands in for the replay shell: keeps what it is called with."""

    def __init__(self, outcome: Summary | Exception | KeyboardInterrupt) -> None:
        self.outcome = outcome
        self.calls: list[tuple[dict[str, Any], Path, dict[str, Any]]] = []

    def __call__(self, tables: dict[str, Any], out: Path, **options: Any) -> Summary:
        self.calls.append((tables, out, options))
        if isinstance(self.outcome, Summary):
            return self.outcome
        raise self.outcome
