"""SHOW and DESCRIBE, answered from Glue in the lines that Athena prints."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from smartcity.localaws.athena import ddl
from smartcity.localaws.athena.catalog import Catalog, Table, is_view
from smartcity.localaws.athena.changes import partition_path
from smartcity.localaws.athena.cursor import Cursor
from smartcity.localaws.athena.failures import QueryFailed, ddl_failed
from smartcity.localaws.athena.job import TextResult
from smartcity.localaws.athena.statements import Statement
from smartcity.localaws.athena.values import simple_column

_BLANK = "\t \t "


@dataclass(frozen=True)
class Shows:
    """Answers one statement after the other."""

    catalog: Catalog
    database: str

    def run(self, statement: Statement) -> TextResult:
        """The lines of a statement. Raises `QueryFailed`."""
        columns, action = _ACTIONS[statement.what]
        cursor = Cursor(statement, at=1)
        lines = list(action(self, cursor))
        cursor.finish()
        return TextResult([simple_column(name) for name in columns], lines)

    def databases(self, cursor: Cursor) -> list[str]:
        """SHOW DATABASES."""
        cursor.at += 1
        matches = _pattern(cursor)
        return sorted(database["Name"] for database in self.catalog.databases() if matches(database["Name"]))

    def tables(self, cursor: Cursor) -> list[str]:
        """SHOW TABLES."""
        cursor.at += 1
        return sorted(table["Name"] for table in self._tables(cursor))

    def views(self, cursor: Cursor) -> list[str]:
        """SHOW VIEWS."""
        cursor.at += 1
        return sorted(table["Name"] for table in self._tables(cursor) if is_view(table))

    def _tables(self, cursor: Cursor) -> list[Table]:
        database = self.database
        if cursor.accept("IN") or cursor.accept("FROM"):
            names = cursor.names()
            if len(names) > 2 or (len(names) == 2 and names[0] != "awsdatacatalog"):
                raise QueryFailed(f"CATALOG_NOT_FOUND: line 1:1: Catalog '{names[0]}' not found")
            database = names[-1]
        matches = _pattern(cursor)
        self.catalog.database(database)
        return [table for table in self.catalog.tables(database) if matches(table["Name"])]

    def columns(self, cursor: Cursor) -> list[str]:
        """SHOW COLUMNS IN."""
        cursor.at += 1
        if not cursor.accept("IN"):
            cursor.expect("FROM")
        name = ddl.table_name(cursor)
        database, table = name.within(self.database)
        if cursor.accept("IN") or cursor.accept("FROM"):
            database = cursor.name()
        found = self.catalog.table(database, table)
        return [f"{column['Name']:<20}" for column in (*_columns(found), *_keys(found))]

    def partitions(self, cursor: Cursor) -> Iterator[str]:
        """SHOW PARTITIONS."""
        cursor.at += 1
        table = self._table(cursor)
        if not _keys(table):
            raise ddl_failed(
                "Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
                f"Table {table['Name']} is not a partitioned table"
            )
        chosen = ddl.spec(cursor) if cursor.accept("PARTITION") else {}
        keys = [key["Name"] for key in _keys(table)]
        for partition in self.catalog.partitions(table, columns=False):
            named = dict(zip(keys, partition["Values"], strict=True))
            if all(named.get(key) == value for key, value in chosen.items()):
                yield partition_path(table, partition["Values"])

    def properties(self, cursor: Cursor) -> Iterator[str]:
        """SHOW TBLPROPERTIES."""
        cursor.at += 1
        table = self._table(cursor)
        found = table.get("Parameters") or {}
        if cursor.accept_symbol("("):
            name = cursor.string()
            cursor.expect_symbol(")")
            if name not in found:
                yield f"Table {table['DatabaseName']}.{table['Name']} does not have property: {name}"
                return
            yield found[name]
            return
        yield from (f"{name}\t{value}" for name, value in sorted(found.items()))

    def create_table(self, cursor: Cursor) -> list[str]:
        """SHOW CREATE TABLE."""
        cursor.at += 2
        table = self._table(cursor)
        if is_view(table):
            raise ddl_failed(f"SemanticException {table['Name']} is a view; use SHOW CREATE VIEW")
        return create_statement(table).split("\n")

    def describe(self, cursor: Cursor) -> Iterator[str]:
        """DESCRIBE [EXTENDED | FORMATTED] table [PARTITION …] [column]."""
        formatted = cursor.accept("FORMATTED") or cursor.accept("EXTENDED")
        cursor.accept("TABLE")
        table = self._table(cursor)
        if cursor.accept("PARTITION"):
            ddl.spec(cursor)
        column = None if cursor.ended else cursor.name()
        chosen = [entry for entry in (*_columns(table), *_keys(table)) if column in {None, entry["Name"]}]
        if column is not None and not chosen:
            raise ddl_failed(f"SemanticException [Error 10002]: Invalid column reference {column}")
        if formatted:
            yield _heading()
            yield _BLANK
        yield from (_column_line(entry) for entry in chosen)
        if column is None and _keys(table):
            yield from (_BLANK, "# Partition Information\t \t ", _heading(), _BLANK)
            yield from (_column_line(entry) for entry in _keys(table))
        if formatted and column is None:
            yield from _details(table)

    def _table(self, cursor: Cursor) -> Table:
        database, name = ddl.table_name(cursor).within(self.database)
        return self.catalog.table(database, name)


def _pattern(cursor: Cursor) -> Callable[[str], bool]:
    """`LIKE 'v%'`, `'v*'` or `'a*|b*'`, or nothing."""
    like = cursor.accept("LIKE")
    if not like and cursor.token.kind != "string":
        return lambda _name: True
    text = cursor.string().lower()
    if like and ("%" in text or ("_" in text and "*" not in text and "." not in text)):
        expression = "".join({"%": ".*", "_": "."}.get(sign, re.escape(sign)) for sign in text)
    else:
        parts = (part.replace(".*", "*").split("*") for part in text.split("|"))
        expression = "|".join(".*".join(re.escape(piece) for piece in pieces) for pieces in parts)
    compiled = re.compile(expression)
    return lambda name: compiled.fullmatch(name) is not None


def _columns(table: Table) -> list[dict[str, Any]]:
    return list((table.get("StorageDescriptor") or {}).get("Columns") or ())


def _keys(table: Table) -> list[dict[str, Any]]:
    return list(table.get("PartitionKeys") or ())


def _heading() -> str:
    return f"{'# col_name':<20}\t{'data_type':<20}\t{'comment':<20}"


def _column_line(column: dict[str, Any]) -> str:
    return f"{column['Name']:<20}\t{column.get('Type', ''):<20}\t{column.get('Comment', ''):<20}"


def _details(table: Table) -> Iterator[str]:
    storage = table.get("StorageDescriptor") or {}
    serde = storage.get("SerdeInfo") or {}
    yield from (_BLANK, "# Detailed Table Information\t \t ")
    for name, value in (
        ("Database:", table["DatabaseName"]),
        ("Owner:", table.get("Owner", "")),
        ("CreateTime:", str(table.get("CreateTime", ""))),
        ("Location:", storage.get("Location", "")),
        ("Table Type:", table.get("TableType", "")),
    ):
        yield f"{name:<20}\t{value:<20}\t "
    yield "Table Parameters:\t \t "
    yield from (f"\t{key:<20}\t{value:<20}" for key, value in sorted((table.get("Parameters") or {}).items()))
    yield from (_BLANK, "# Storage Information\t \t ")
    for name, value in (
        ("SerDe Library:", serde.get("SerializationLibrary", "")),
        ("InputFormat:", storage.get("InputFormat", "")),
        ("OutputFormat:", storage.get("OutputFormat", "")),
    ):
        yield f"{name:<20}\t{value:<20}\t "
    yield "Storage Desc Params:\t \t "
    yield from (f"\t{key:<20}\t{value:<20}" for key, value in sorted((serde.get("Parameters") or {}).items()))


def create_statement(table: Table) -> str:
    """The statement that would create this table."""
    storage = table.get("StorageDescriptor") or {}
    serde = storage.get("SerdeInfo") or {}
    parts = [f"CREATE EXTERNAL TABLE `{table['DatabaseName']}.{table['Name']}`({_definition(_columns(table))})"]
    if _keys(table):
        parts.append(f"PARTITIONED BY ( {_definition(_keys(table))})")
    if serde.get("SerializationLibrary"):
        parts.append(f"ROW FORMAT SERDE \n  {_text(serde['SerializationLibrary'])} ")
    if serde.get("Parameters"):
        parts.append(f"WITH SERDEPROPERTIES ( {_pairs(serde['Parameters'])}) ")
    if storage.get("InputFormat"):
        formats = f"INPUTFORMAT \n  {_text(storage['InputFormat'])} \nOUTPUTFORMAT \n  "
        parts.append(f"STORED AS {formats}{_text(storage.get('OutputFormat', ''))}")
    parts.append(f"LOCATION\n  {_text(storage.get('Location', ''))}")
    if table.get("Parameters"):
        parts.append(f"TBLPROPERTIES ({_pairs(table['Parameters'])})")
    return "\n".join(parts)


def _definition(columns: Iterable[dict[str, Any]]) -> str:
    lines = (
        f"\n  `{column['Name']}` {column.get('Type', 'string')}"
        + (f" COMMENT {_text(column['Comment'])}" if column.get("Comment") else "")
        for column in columns
    )
    return ", ".join(lines)


def _pairs(values: dict[str, str]) -> str:
    return ", ".join(f"\n  {_text(name)}={_text(value)}" for name, value in sorted(values.items()))


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\t", "\\t").replace("\n", "\\n")
    return f"'{escaped}'"


_ACTIONS: dict[str, tuple[tuple[str, ...], Callable[[Shows, Cursor], Iterable[str]]]] = {
    "SHOW_DATABASES": (("database_name",), Shows.databases),
    "SHOW_TABLES": (("tab_name",), Shows.tables),
    "SHOW_VIEWS": (("views",), Shows.views),
    "SHOW_COLUMNS": (("field",), Shows.columns),
    "SHOW_PARTITIONS": (("partition",), Shows.partitions),
    "SHOW_TBLPROPERTIES": (("prpt_name", "prpt_value"), Shows.properties),
    "SHOW_CREATE_TABLE": (("createtab_stmt",), Shows.create_table),
    "DESCRIBE_TABLE": (("col_name", "data_type", "comment"), Shows.describe),
}
