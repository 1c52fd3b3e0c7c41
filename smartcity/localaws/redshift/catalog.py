"""What exists: schemas, tables, views and their columns, as the session's transaction sees them.

Redshift's own attributes (declared type, distribution, sort key, encoding, identity) are kept as JSON in DuckDB's
column and table comments, so that they live and die with the table and roll back with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from smartcity.localaws.redshift.faults import SqlError, no_relation, not_supported
from smartcity.localaws.redshift.types import RsType, of_duckdb, parse_type

PUBLIC = "public"
INTERNAL = "rs_internal"
TEMP = "temp"
DATABASE = "dev"


@dataclass(frozen=True)
class ColumnInfo:
    """One column; `attributes` are Redshift's: distkey, sortkey, encode, identity, default."""

    name: str
    type: RsType
    nullable: bool = True
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TableInfo:
    """A table as DuckDB has it; `schema` is `temp` for temporary ones."""

    schema: str
    name: str
    columns: tuple[ColumnInfo, ...]

    @property
    def quoted(self) -> str:
        """The name for DuckDB."""
        return f'"{self.schema}"."{self.name}"'

    def column(self, name: str) -> ColumnInfo:
        """The column of this name; raises `SqlError`."""
        for column in self.columns:
            if column.name == name:
                return column
        raise SqlError(f'column "{name}" of relation "{self.name}" does not exist')


@dataclass(frozen=True)
class ViewInfo:
    """A view kept as Redshift SQL with qualified names; `kind` is view, late or materialized."""

    schema: str
    name: str
    kind: str
    sql: str
    refs: tuple[str, ...]


class Catalog:
    """One reading of the catalog, by a DuckDB connection inside its transaction."""

    def __init__(self, connection: Any, search_path: tuple[str, ...] = (PUBLIC,)) -> None:
        self.search_path = search_path
        self.tables = _read_tables(connection)
        self.views = _read_views(connection)
        self.schemas = {row[0] for row in connection.execute(_SCHEMAS).fetchall()}
        self.external = _read_external(connection)

    def split(self, parts: tuple[str, ...]) -> tuple[str | None, str]:
        """Schema (or None) and name of a dotted name; the database part must be ours."""
        if len(parts) == 3 and parts[0] != DATABASE:
            raise not_supported(f'cross-database reference to "{parts[0]}"')
        if len(parts) > 3:
            raise SqlError(f"improper qualified name (too many dotted names): {'.'.join(parts)}")
        return (parts[-2] if len(parts) > 1 else None), parts[-1]

    def candidates(self, schema: str | None, name: str) -> list[tuple[str, str]]:
        """Where a name may be found, in order."""
        if schema is not None:
            return [(INTERNAL if schema in {"pg_catalog", "information_schema"} else schema, name)]
        paths = [TEMP, *self.search_path]
        return [(path, name) for path in paths] + ([(INTERNAL, name)] if _is_system(name) else [])

    def find_table(self, parts: tuple[str, ...]) -> TableInfo | None:
        """The table of this name, or None."""
        schema, name = self.split(parts)
        if schema == INTERNAL:
            return None
        for key in self.candidates(schema, name):
            if key in self.tables:
                return self.tables[key]
        return None

    def find_view(self, parts: tuple[str, ...]) -> ViewInfo | None:
        """The view of this name, or None."""
        schema, name = self.split(parts)
        for key in self.candidates(schema, name):
            if key in self.views:
                return self.views[key]
        return None

    def table(self, parts: tuple[str, ...]) -> TableInfo:
        """The table of this name; raises `SqlError`."""
        found = self.find_table(parts)
        if found is None:
            if self.find_view(parts):
                raise SqlError(f'"{parts[-1]}" is not a table')
            schema = parts[-2] if len(parts) > 1 else None
            if schema and schema not in self.schemas and schema not in self.external:
                raise SqlError(f'schema "{schema}" does not exist')
            raise no_relation(".".join(parts))
        return found

    def new_schema(self, parts: tuple[str, ...], temporary: bool) -> tuple[str, str]:
        """Schema and name in which a new table or view of this name will be; raises `SqlError`."""
        schema, name = self.split(parts)
        if temporary:
            if schema:
                raise SqlError("cannot create temporary relation in a non-temporary schema")
            return TEMP, name
        schema = schema or self.search_path[0]
        if schema in self.external:
            raise not_supported(f'creating a table in external schema "{schema}"')
        if schema not in self.schemas or schema == INTERNAL:
            raise SqlError(f'schema "{schema}" does not exist')
        if (schema, name) in self.tables or (schema, name) in self.views:
            raise SqlError(f'Relation "{name}" already exists')
        return schema, name


def _is_system(name: str) -> bool:
    return name.startswith(("svv_", "stl_", "sys_", "pg_", "stv_", "svl_"))


_SCHEMAS = """
SELECT schema_name FROM duckdb_schemas()
WHERE NOT internal AND database_name NOT IN ('system', 'temp') AND schema_name NOT IN ('main')
"""
_COLUMNS = """
SELECT CASE WHEN database_name = 'temp' THEN 'temp' ELSE schema_name END, table_name, column_name, data_type,
       is_nullable, comment
FROM duckdb_columns() WHERE NOT internal AND database_name <> 'system'
ORDER BY database_name, schema_name, table_name, column_index
"""


def _read_tables(connection: Any) -> dict[tuple[str, str], TableInfo]:
    columns: dict[tuple[str, str], list[ColumnInfo]] = {}
    for schema, table, column, type_, nullable, comment in connection.execute(_COLUMNS).fetchall():
        attributes = json.loads(comment) if comment else {}
        declared = parse_type(attributes["type"]) if "type" in attributes else of_duckdb(type_)
        columns.setdefault((schema, table), []).append(ColumnInfo(column, declared, bool(nullable), attributes))
    return {key: TableInfo(*key, tuple(found)) for key, found in columns.items()}


def _read_views(connection: Any) -> dict[tuple[str, str], ViewInfo]:
    rows = connection.execute(f"SELECT schema_name, view_name, kind, sql, refs FROM {INTERNAL}.views").fetchall()  # noqa: S608
    return {
        (schema, name): ViewInfo(schema, name, kind, sql, tuple(json.loads(refs)))
        for schema, name, kind, sql, refs in rows
    }


def _read_external(connection: Any) -> dict[str, dict[str, str]]:
    rows = connection.execute(f"SELECT schema_name, database_name, role FROM {INTERNAL}.external_schemas").fetchall()  # noqa: S608
    return {name: {"database": database, "role": role} for name, database, role in rows}


def sqlglot_type(type_: RsType) -> str:
    """The type as sqlglot's Redshift dialect writes it."""
    return {
        "character varying": f"VARCHAR({type_.size})" if type_.size else "VARCHAR",
        "character": f"CHAR({type_.size})" if type_.size else "CHAR",
        "numeric": f"DECIMAL({type_.size},{type_.scale})",
        "timestamp without time zone": "TIMESTAMP",
        "timestamp with time zone": "TIMESTAMPTZ",
        "time without time zone": "TIME",
        "binary varying": "VARBYTE",
    }.get(type_.name, type_.name.upper())
