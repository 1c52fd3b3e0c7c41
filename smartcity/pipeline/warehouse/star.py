# ruff: noqa: S608  names come from settings that are checked, values are quoted
"""The star: two facts and four dimensions, built by MERGE from the landed tables, one set of days at a time.

The SQL stands in `sql/`, one file per table; `{schema}` and `{days}` are filled in. What is to be built is in
`star_day`; it is emptied in the same transaction, so that a load that died before it is finished by the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from smartcity.errors import ServiceError
from smartcity.pipeline.warehouse.sending import Warehouse, quoted

#: In the order of building: dimensions first.
TABLES = ("dim_time", "dim_vehicle", "dim_road", "dim_weather", "fact_drive_minute", "fact_incident")
DAYS_AT_ONCE = 31
FRESH_HOURS = 24.0


@dataclass(frozen=True)
class Check:
    """A test of the star: its name and how many rows break it (0: fine)."""

    name: str
    broken: int


def _sql(name: str) -> list[str]:
    text = resources.files("smartcity.pipeline.warehouse").joinpath("sql", f"{name}.sql").read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return [part.strip() for part in "\n".join(lines).split(";") if part.strip()]


def ensure_star(warehouse: Warehouse, schema: str) -> None:
    """Create the tables that are missing."""
    warehouse.batch([part.format(schema=schema) for part in _sql("create")])


def pending_days(warehouse: Warehouse, schema: str) -> list[str]:
    """Days that were loaded since the star was last built."""
    return [str(dt) for (dt,) in warehouse.rows(f"SELECT DISTINCT dt FROM {schema}.star_day ORDER BY dt")]


def build_star(warehouse: Warehouse, schema: str) -> list[str]:
    """Bring the star up to date; returns the days that were built."""
    days = pending_days(warehouse, schema)
    for start in range(0, len(days), DAYS_AT_ONCE):
        warehouse.batch(star_statements(schema, days[start : start + DAYS_AT_ONCE]))
    return days


def star_statements(schema: str, days: Sequence[str]) -> list[str]:
    """One transaction: all tables of the star for these days."""
    listed = ", ".join(quoted(day) for day in days)
    statements = [f"LOCK {schema}.star_day"]
    for table in TABLES:
        statements += [part.format(schema=schema, days=listed) for part in _sql(table)]
    return [*statements, f"DELETE FROM {schema}.star_day WHERE dt IN ({listed})"]


def check_star(warehouse: Warehouse, schema: str) -> list[Check]:
    """Uniqueness and references; every test counts the rows that break it."""
    found = warehouse.rows(" UNION ALL ".join(_sql("checks")).format(schema=schema))
    return [Check(str(name), int(broken)) for name, broken in found]


def freshness(warehouse: Warehouse, schema: str) -> dict[str, Any]:
    """The newest event landed and in the star, and when the last load was."""
    rows = warehouse.rows(
        f"SELECT (SELECT MAX(ts) FROM {schema}.vehicle), (SELECT MAX(minute) FROM {schema}.fact_drive_minute), "
        f"(SELECT MAX(loaded_at) FROM {schema}.load_file)"
    )
    return dict(zip(("newest_event", "newest_minute", "last_load"), rows[0], strict=True))


def require_sound(checks: Sequence[Check]) -> None:
    """Raises `ServiceError` naming the first test that fails."""
    broken = [check for check in checks if check.broken]
    if broken:
        raise ServiceError(
            f"The star fails {len(broken)} of {len(checks)} checks; the first: {broken[0].name} "
            f"({broken[0].broken} rows break it).",
            "Build it anew with: smartcity load --full",
        )


def ensure_external_schema(warehouse: Warehouse, name: str, database: str, role_arn: str) -> None:
    """Show a database of the Glue catalog as a schema (Spectrum)."""
    warehouse.run(
        f"CREATE EXTERNAL SCHEMA IF NOT EXISTS {name} FROM DATA CATALOG DATABASE {quoted(database)} "
        f"IAM_ROLE {quoted(role_arn)}"
    )
