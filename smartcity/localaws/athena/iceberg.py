"""Iceberg tables: made and changed by the engine's Iceberg connector, whatever catalog the query names them in.

Reading, INSERT, MERGE, UPDATE, DELETE and time travel need nothing of this: the engine sends names of Iceberg tables
on. Only what Athena spells in its own way is put into the engine's words here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smartcity.localaws.athena import ddl
from smartcity.localaws.athena.cursor import Cursor
from smartcity.localaws.athena.failures import QueryFailed, not_allowed
from smartcity.localaws.athena.locations import Location, parse
from smartcity.localaws.athena.statements import Statement
from smartcity.localaws.athena.tokens import literal, quote

CATALOG = "iceberg"  #: the engine's name of it; queries may not use it

_SCALARS = {
    "string": "varchar",
    "int": "integer",
    "float": "real",
    "binary": "varbinary",
    "timestamp": "timestamp(6)",
    "timestamptz": "timestamp(6) with time zone",
}
_SAME = frozenset({"boolean", "bigint", "double", "date", "time", "uuid"})


@dataclass(frozen=True)
class Made:
    """A statement for the engine that makes a table."""

    sql: str
    names: tuple[str, str]
    location: Location


def table(database: str, name: str) -> str:
    """The table in the engine's words."""
    return f"{CATALOG}.{quote(database)}.{quote(name)}"


def is_iceberg(described: Mapping[str, Any] | None) -> bool:
    """Whether a table of Glue is one."""
    return bool(described) and str((described or {}).get("Parameters", {}).get("table_type", "")).upper() == "ICEBERG"


def create(statement: Statement, database: str, default: Location) -> Made | None:
    """CREATE TABLE … TBLPROPERTIES ('table_type' = 'ICEBERG'); None if it is not of that kind."""
    if not any(token.is_word("TBLPROPERTIES") for token in statement.tokens):
        return None
    cursor = Cursor(statement)
    cursor.expect("CREATE", "TABLE")
    exists = cursor.accept("IF", "NOT", "EXISTS")
    owner, name = ddl.table_name(cursor).within(database)
    columns = ddl.columns(cursor)
    comment = cursor.string() if cursor.accept("COMMENT") else None
    partitioning = transforms(cursor) if cursor.accept("PARTITIONED", "BY") else []
    location = _location(cursor.string()) if cursor.accept("LOCATION") else default.folder
    properties = ddl.properties(cursor) if cursor.accept("TBLPROPERTIES") else {}
    cursor.finish()
    if properties.get("table_type", "").upper() != "ICEBERG":
        raise not_allowed("line 1:1: A table that is not EXTERNAL must have 'table_type' = 'ICEBERG'")
    defined = ", ".join(_column(column) for column in columns)
    head = f"CREATE TABLE {'IF NOT EXISTS ' * exists}{table(owner, name)} ({defined})"
    told = f" COMMENT {literal(comment)}" if comment is not None else ""
    block = with_block(location, properties.get("format", "PARQUET"), partitioning)
    return Made(f"{head}{told} {block}", (owner, name), location)


def with_block(location: Location, format_: str, partitioning: Sequence[str]) -> str:
    """The engine's properties of a table."""
    if format_.upper() not in {"PARQUET", "ORC", "AVRO"}:
        raise QueryFailed(f"INVALID_TABLE_PROPERTY: Invalid value for format: {format_}")
    parts = [f"location = {literal(location.url.rstrip('/'))}", f"format = {literal(format_.upper())}"]
    if partitioning:
        parts.append(f"partitioning = ARRAY[{', '.join(literal(item) for item in partitioning)}]")
    return f"WITH ({', '.join(parts)}) "


def transforms(cursor: Cursor) -> list[str]:
    """`(day(ts), bucket(16, id), road)`; Athena names the number of buckets first, the engine last."""
    found: list[str] = []
    cursor.expect_symbol("(")
    while True:
        name = cursor.name()
        arguments: list[str] = []
        if cursor.accept_symbol("("):
            arguments.append(cursor.take().text.lower())
            while cursor.accept_symbol(","):
                arguments.append(cursor.take().text.lower())
            cursor.expect_symbol(")")
        if name in {"bucket", "truncate"}:
            arguments.reverse()
        found.append(f"{name}({', '.join(arguments)})" if arguments else name)
        if not cursor.accept_symbol(","):
            break
    cursor.expect_symbol(")")
    return found


def changes(change: ddl.Change, owner: str, name: str) -> list[str]:
    """A change of an Iceberg table as statements of the engine. Raises `QueryFailed` for what Athena refuses."""
    target = table(owner, name)
    if isinstance(change, ddl.DropTable):
        return [f"DROP TABLE {target}"]
    if isinstance(change, ddl.SetColumns) and not change.replace:
        return [f"ALTER TABLE {target} ADD COLUMN {_column(column)}" for column in change.columns]
    raise not_allowed("line 1:1: This statement is not supported for Iceberg tables")


def files_elsewhere(owner: str, name: str, within: str, limit: int) -> str:
    """A query for the data files, of any snapshot, that do not lie below an address."""
    entries = f"{CATALOG}.{quote(owner)}.{quote(name + '$all_entries')}"
    path = "data_file.file_path"
    return f"SELECT DISTINCT {path} FROM {entries} WHERE NOT starts_with({path}, {literal(within)}) LIMIT {limit}"  # noqa: S608


def maintenance(statement: Statement, database: str) -> tuple[tuple[str, str], list[str]]:
    """OPTIMIZE … REWRITE DATA USING BIN_PACK [WHERE …] and VACUUM: the table, and the engine's statements."""
    cursor = Cursor(statement, at=1)
    owner, name = ddl.table_name(cursor).within(database)
    target = table(owner, name)
    if statement.what == "VACUUM":
        cursor.finish()
        old = "(retention_threshold => '7d')"
        procedures = [f"expire_snapshots{old}", f"remove_orphan_files{old}"]
        return (owner, name), [f"ALTER TABLE {target} EXECUTE {procedure}" for procedure in procedures]
    cursor.expect("REWRITE", "DATA", "USING", "BIN_PACK")
    where = ""
    if cursor.sees("WHERE"):
        where = " " + statement.sql[cursor.token.start :]
    else:
        cursor.finish()
    return (owner, name), [f"ALTER TABLE {target} EXECUTE optimize{where}"]


def _column(column: ddl.ColumnDef) -> str:
    comment = f" COMMENT {literal(column.comment)}" if column.comment else ""
    return f"{quote(column.name)} {engine_type(column.type)}{comment}"


def engine_type(hive: str) -> str:
    """`array<struct<a:int>>` as `array(row("a" integer))`. Raises `QueryFailed` for a type that Iceberg lacks."""
    text, rest = _type(hive)
    if rest:
        raise QueryFailed(f"SYNTAX_ERROR: line 1:1: Not a type: {hive}")
    return text


def _type(text: str) -> tuple[str, str]:
    """The first type of a text, and the rest."""
    match = re.match(r"decimal\(\d+(,\d+)?\)|[a-z_]+", text)
    if match is None:
        raise QueryFailed(f"SYNTAX_ERROR: line 1:1: Not a type: {text}")
    name, rest = match[0], text[match.end() :]
    if name in _SCALARS or name in _SAME or name.startswith("decimal"):
        return _SCALARS.get(name, name), rest
    if name not in {"array", "map", "struct"} or not rest.startswith("<"):
        raise QueryFailed(f"NOT_SUPPORTED: Type {name} is not a type of Iceberg tables")
    parts: list[str] = []
    while rest[:1] in {"<", ","}:
        field, rest = "", rest[1:]
        if name == "struct":
            field, _, rest = rest.partition(":")
            field = quote(field) + " "
        inner, rest = _type(rest)
        parts.append(field + inner)
    if not rest.startswith(">"):
        raise QueryFailed(f"SYNTAX_ERROR: line 1:1: Not a type: {text}")
    return f"{'row' if name == 'struct' else name}({', '.join(parts)})", rest[1:]


def _location(url: str) -> Location:
    try:
        return parse(url).folder
    except ValueError as error:
        raise QueryFailed(f"INVALID_TABLE_PROPERTY: Location must be an S3 address: {error}") from error
