"""The recorded queries: Athena's SQL with the answers of a real Trino 476. See athena/README.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.golden.compare import comparable, first_difference

FOLDER = Path(__file__).parent / "athena" / "queries"
#: the database whose tables the queries name, and the one in which they create their own
DATABASE, SCRATCH = "smartcity", "scratch"


@dataclass(frozen=True)
class Query:
    """One recorded query. `error` is Trino's name of it; `oracle` False: no answer was recorded."""

    name: str
    sql: str
    steps: Sequence[str]
    cleanup: Sequence[str]
    ordered: bool
    tolerance: Mapping[str, float]
    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Any]]
    error: str | None
    error_type: str | None
    shape_only: bool
    oracle: bool
    error_message: str | None = None
    update_count: int | None = None

    def difference(self, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> str:
        """What differs first between the recorded answer and this one, or nothing.

        Intervals are typed in capitals where a client does not say that it knows them. The text of SHOW CREATE TABLE
        holds the table's location, so its length is not compared.
        """
        if self.shape_only:
            return "" if rows and len(columns) == len(self.columns) else f"{len(rows)} rows, {len(columns)} columns"
        wanted = [(name, _type(type_)) for name, type_ in self.columns]
        found = [(name, _type(type_)) for name, type_ in columns]
        if wanted != found:
            return f"columns {wanted} expected, {found} found"
        types = [type_ for _, type_ in wanted]
        return first_difference(
            [[comparable(value, type_) for value, type_ in zip(row, types, strict=True)] for row in self.rows],
            [[comparable(value, type_) for value, type_ in zip(row, types, strict=True)] for row in rows],
            ordered=self.ordered,
            tolerance=self.tolerance,
        )


def _type(text: str) -> str:
    return text.lower() if text.lower().startswith("interval") else text


@cache
def all_queries() -> dict[str, Query]:
    """Name → query, in the order of their names."""
    return {query.name: query for query in map(_read, sorted(FOLDER.glob("*.json")))}


def _read(file: Path) -> Query:
    recorded = json.loads(file.read_text())
    return Query(
        name=recorded["name"],
        sql=recorded["sql"],
        steps=recorded.get("steps", ()),
        cleanup=recorded.get("cleanup", ()),
        ordered=recorded.get("ordered", False),
        tolerance=recorded.get("tolerance", {}),
        columns=[(column["name"], column["type"]) for column in recorded.get("columns", ())],
        rows=recorded.get("rows", ()),
        error=recorded.get("error"),
        error_type=recorded.get("error_type"),
        shape_only=recorded.get("compare") == "shape",
        oracle=recorded.get("oracle") != "none",
        error_message=recorded.get("error_message"),
        update_count=recorded.get("update_count"),
    )
