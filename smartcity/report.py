"""What a run of the pipeline came to: the object behind `smartcity run`'s summary and its JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """One step as it went; `seconds` is its own wall-clock time."""

    name: str
    status: str
    seconds: float


@dataclass(frozen=True)
class Answer:
    """One of the three questions and its answer."""

    name: str
    sql: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    seconds: float
    bytes_scanned: int


@dataclass
class Report:
    """The outcome of a run; counts are per topic, of this trip."""

    trip_id: str = ""
    produced: dict[str, int] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)
    duplicates: dict[str, int] = field(default_factory=dict)
    tables: list[dict[str, Any]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The object that `smartcity run --json` prints."""
        return {
            "trip_id": self.trip_id,
            "produced": self.produced,
            "stored": self.stored,
            "quarantined": self.quarantined,
            "duplicates": self.duplicates,
            "tables": self.tables,
            "queries": [
                {
                    "name": answer.name,
                    "sql": answer.sql,
                    "rows": [dict(zip(answer.columns, row, strict=True)) for row in answer.rows],
                    "seconds": round(answer.seconds, 3),
                    "bytes_scanned": answer.bytes_scanned,
                }
                for answer in self.answers
            ],
            "steps": [vars(step) for step in self.steps],
            "seconds": round(self.seconds, 2),
        }
