"""CREATE, ALTER and DROP: read word by word, because a clause that is skipped would be a clause that lies."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from smartcity.localaws.redshift.assign import stored
from smartcity.localaws.redshift.catalog import Catalog, ColumnInfo
from smartcity.localaws.redshift.faults import SqlError, not_supported
from smartcity.localaws.redshift.grammar import Scanner, parse
from smartcity.localaws.redshift.rewrite import rewrite
from smartcity.localaws.redshift.translate import Query, Translator, to_sql
from smartcity.localaws.redshift.types import RsType, parse_type

#: https://docs.aws.amazon.com/redshift/latest/dg/c_Compression_encodings.html
ENCODINGS = {
    "az64",
    "bytedict",
    "delta",
    "delta32k",
    "lzo",
    "mostly8",
    "mostly16",
    "mostly32",
    "raw",
    "runlength",
    "text255",
    "text32k",
    "zstd",
    "auto",
}
_COLUMN_WORDS = (
    "default",
    "identity",
    "generated",
    "encode",
    "distkey",
    "sortkey",
    "collate",
    "not",
    "null",
    "unique",
    "primary",
    "references",
    "check",
    "constraint",
)


@dataclass
class Column:
    """A column as written: its type and Redshift's attributes."""

    name: str
    type: RsType
    nullable: bool = True
    default: str | None = None
    identity: tuple[int, int] | None = None
    always: bool = True
    attributes: dict[str, Any] = field(default_factory=dict)

    def comment(self) -> str:
        """What the catalog keeps about the column."""
        kept = {"type": str(self.type), **self.attributes}
        if self.identity:
            kept["identity"] = "always" if self.always else "default"
        if self.default is not None:
            kept["default"] = self.default
        return json.dumps(kept)


@dataclass
class Table:
    """As written."""

    schema: str
    name: str
    columns: list[Column] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def quoted(self) -> str:
        return f'"{self.schema}"."{self.name}"'


def create_table(scanner: Scanner, catalog: Catalog, temporary: bool) -> list[str]:
    """After CREATE [TEMP] TABLE: DuckDB's statements; an empty list where IF NOT EXISTS finds the table."""
    if_not_exists = scanner.match("if", "not", "exists")
    parts = scanner.name()
    temporary = temporary or parts[-1].startswith("#")
    if if_not_exists and _present(catalog, parts, temporary):
        return []
    table = Table(*catalog.new_schema(parts, temporary))
    if scanner.peek() == "(" and not _names_only(scanner):
        _elements(scanner, table, catalog)
    _table_attributes(scanner, table)
    if scanner.match("as"):
        return _create_as(scanner, table, catalog)
    scanner.finish()
    if not table.columns:
        raise SqlError("syntax error: a table must have at least one column")
    _check_keys(table)
    return create_statements(table)


def _present(catalog: Catalog, parts: tuple[str, ...], temporary: bool) -> bool:
    if temporary:
        return ("temp", parts[-1]) in catalog.tables
    schema, name = catalog.split(parts)
    key = (schema or catalog.search_path[0], name)
    return key in catalog.tables or key in catalog.views


def _names_only(scanner: Scanner) -> bool:
    if scanner.peek(2) in {",", ")"}:
        raise not_supported("CREATE TABLE AS with column names")
    return False


def _elements(scanner: Scanner, table: Table, catalog: Catalog) -> None:
    scanner.expect("(")
    while True:
        if scanner.match("like"):
            _like(scanner, table, catalog)
        elif scanner.peek() in {"primary", "unique", "foreign", "constraint", "primary key", "foreign key"}:
            read_constraint(scanner, table)
        else:
            read_column(scanner, table, catalog)
        if not scanner.match(","):
            break
    scanner.expect(")")


def _like(scanner: Scanner, table: Table, catalog: Catalog) -> None:
    original = catalog.table(scanner.name())
    defaults = scanner.match("including", "defaults")
    if not defaults:
        scanner.match("excluding", "defaults")
    for column in original.columns:
        kept = {key: value for key, value in column.attributes.items() if key not in {"type", "identity", "default"}}
        default = column.attributes.get("default") if defaults else None
        table.columns.append(Column(column.name, column.type, column.nullable, default, attributes=kept))


def read_constraint(scanner: Scanner, table: Table) -> None:
    """Keys are for the planner only: Redshift does not enforce them (t_Defining_constraints.html)."""
    if scanner.match("constraint"):
        scanner.identifier()
    if scanner.match("primary", "key"):
        table.attributes["primary_key"] = scanner.names()
        for column in table.columns:
            if column.name in table.attributes["primary_key"]:
                column.nullable = False
    elif scanner.match("unique"):
        scanner.names()
    elif scanner.match("foreign", "key"):
        scanner.names()
        scanner.expect("references")
        _reference(scanner)
    else:
        raise scanner.error()


def _reference(scanner: Scanner) -> None:
    scanner.name()
    if scanner.peek() == "(":
        scanner.names()


def read_column(scanner: Scanner, table: Table, catalog: Catalog) -> None:
    name = scanner.identifier()
    if any(column.name == name for column in table.columns):
        raise SqlError(f'column "{name}" specified more than once')
    written = scanner.until(*_COLUMN_WORDS, "primary key")
    if not written:
        raise scanner.error()
    column = Column(name, parse_type(written))
    while scanner.peek() not in {",", ")", ""}:
        _column_attribute(scanner, column, table, catalog)
    table.columns.append(column)


def _column_attribute(scanner: Scanner, column: Column, table: Table, catalog: Catalog) -> None:
    if scanner.match("not", "null"):
        column.nullable = False
    elif scanner.match("null") or scanner.match("unique"):
        pass
    elif scanner.match("primary", "key"):
        column.nullable = False
        table.attributes["primary_key"] = [column.name]
    elif scanner.match("default"):
        column.default = default_sql(scanner.until(*_COLUMN_WORDS, "primary key"), column, catalog)
    elif scanner.match("identity"):
        column.identity = _identity(scanner, column)
    elif scanner.match("generated", "by", "default", "as", "identity"):
        column.identity, column.always = _identity(scanner, column), False
    elif scanner.match("encode"):
        encoding = scanner.identifier()
        if encoding not in ENCODINGS:
            raise SqlError(f'Compression encoding "{encoding}" is not recognized')
        column.attributes["encode"] = encoding
    elif scanner.match("distkey"):
        table.attributes.setdefault("distkeys", []).append(column.name)
    elif scanner.match("sortkey"):
        table.attributes["sortkey"] = [column.name]
    elif scanner.match("references"):
        _reference(scanner)
    else:
        raise scanner.error()


def _identity(scanner: Scanner, column: Column) -> tuple[int, int]:
    if column.type.name not in {"integer", "bigint"}:
        raise SqlError(f'identity column "{column.name}" must be INT or BIGINT')
    scanner.expect("(")
    seed = scanner.integer()
    scanner.expect(",")
    step = scanner.integer()
    scanner.expect(")")
    column.nullable = False
    return seed, step


def default_sql(written: str, column: Column, catalog: Catalog) -> str:
    """A default in DuckDB's SQL; it must not refer to columns (r_CREATE_TABLE_NEW.html)."""
    tree = parse(f"SELECT {written}")
    if tree.find(exp.Column, exp.Subquery, exp.Table):
        raise SqlError("cannot use column references in default expression")
    written_value = tree.expressions[0]
    if column.type.is_text and isinstance(written_value, exp.Literal):
        return _default_text(written_value.name, column)
    done = rewrite(Translator(catalog).typed(tree))
    value = done.expressions[0]
    value = value.this if isinstance(value, exp.Alias) else value
    sql = to_sql(stored(value, ColumnInfo(column.name, column.type), isinstance(written_value, exp.Literal)))
    for macro, inline in _INLINE.items():
        sql = re.sub(rf"rs_internal\.{macro}\(\)", inline, sql, flags=re.IGNORECASE)
    if "rs_internal." in sql.lower():  # a table must not depend on a macro: it is defined anew on every start
        raise not_supported(f"DEFAULT {written}")
    return sql


_INLINE = {
    "rs_getdate": "date_trunc('second', timezone('UTC', now()))",
    "rs_sysdate": "timezone('UTC', now())",
}


def _default_text(text: str, column: Column) -> str:
    if len(text.rstrip(" ").encode()) > (column.type.size or 0):
        raise SqlError(f"value too long for type {column.type}")
    return quoted(text)


def _table_attributes(scanner: Scanner, table: Table) -> None:
    while not scanner.done and scanner.peek() != "as":
        if scanner.match("backup"):
            if not (scanner.match("yes") or scanner.match("no")):
                raise scanner.error()
        elif scanner.match("diststyle"):
            table.attributes["diststyle"] = _one_of(scanner, "auto", "even", "key", "all")
        elif scanner.match("distkey"):
            table.attributes.setdefault("distkeys", []).extend(scanner.names())
        elif scanner.peek() in {"compound", "interleaved", "sortkey"}:
            table.attributes["sortstyle"] = scanner.identifier() if scanner.peek() != "sortkey" else "compound"
            scanner.expect("sortkey")
            table.attributes["sortkey"] = [] if scanner.match("auto") else scanner.names()
        elif scanner.match("encode", "auto"):
            pass
        else:
            raise scanner.error()


def _one_of(scanner: Scanner, *words: str) -> str:
    word = scanner.identifier()
    if word not in words:
        raise SqlError(f'syntax error at or near "{word}"')
    return word


def _check_keys(table: Table) -> None:
    _check_keys_of(table, [column.name for column in table.columns])


def _check_keys_of(table: Table, names: list[str]) -> None:
    distkeys = table.attributes.get("distkeys", [])
    if len(set(distkeys)) > 1:
        raise SqlError("Cannot specify more than one column for DISTKEY")
    for key in [*distkeys, *table.attributes.get("sortkey", []), *table.attributes.get("primary_key", [])]:
        if key not in names:
            raise SqlError(f'column "{key}" named in key does not exist')
    if distkeys and table.attributes.get("diststyle", "key") != "key":
        raise SqlError("Cannot specify DISTKEY for a table with a DISTSTYLE other than KEY")
    if table.attributes.get("diststyle") == "key" and not distkeys:
        raise SqlError("must specify a DISTKEY with DISTSTYLE KEY")


def create_statements(table: Table) -> list[str]:
    """CREATE in DuckDB, with Redshift's attributes as comments."""
    statements = []
    written = []
    for column in table.columns:
        text = f'"{column.name}" {column.type.duckdb}'
        if column.identity:
            sequence = f'"rs_internal"."{table.schema}.{table.name}.{column.name}"'
            seed, step = column.identity
            statements.append(
                f"CREATE OR REPLACE SEQUENCE {sequence} START {seed} INCREMENT {step} MINVALUE -9223372036854775808"
            )
            text += f" DEFAULT nextval('{sequence}')"
        elif column.default is not None:
            text += f" DEFAULT {column.default}"
        written.append(text if column.nullable else text + " NOT NULL")
    statements.append(f"CREATE {'TEMP ' if table.schema == 'temp' else ''}TABLE {_bare(table)} ({', '.join(written)})")
    statements.append(f"COMMENT ON TABLE {table.quoted} IS {quoted(json.dumps(table.attributes))}")
    return statements + [
        f'COMMENT ON COLUMN {table.quoted}."{column.name}" IS {quoted(column.comment())}' for column in table.columns
    ]


def _bare(table: Table) -> str:
    return f'"{table.name}"' if table.schema == "temp" else table.quoted


def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _create_as(scanner: Scanner, table: Table, catalog: Catalog) -> list[str]:
    query = Translator(catalog).query(parse(scanner.rest()))
    return create_from_query(table, query)


def create_from_query(table: Table, query: Query) -> list[str]:
    """CREATE TABLE AS; declared lengths, which DuckDB does not keep, are written as comments."""
    names = query.columns()
    if table.columns:
        raise not_supported("CREATE TABLE AS with column definitions")
    _check_keys_of(table, names)
    renamed = ", ".join(f'"{name}"' for name in names)
    temp = "TEMP " if table.schema == "temp" else ""
    statements = [
        f"CREATE {temp}TABLE {_bare(table)} AS SELECT * FROM ({query.sql}) AS rs_source({renamed})",  # noqa: S608
        f"COMMENT ON TABLE {table.quoted} IS {quoted(json.dumps(table.attributes))}",
    ]
    for name, type_ in zip(names, query.types, strict=False):
        if type_ is not None and type_.is_text and type_.size:
            comment = quoted(json.dumps({"type": str(type_)}))
            statements.append(f'COMMENT ON COLUMN {table.quoted}."{name}" IS {comment}')
    return statements


def drop_table(scanner: Scanner, catalog: Catalog) -> list[str]:
    """After DROP TABLE: several names, IF EXISTS, CASCADE; a view that depends on a table protects it."""
    if_exists = scanner.match("if", "exists")
    names = [scanner.name()]
    while scanner.match(","):
        names.append(scanner.name())
    cascade = scanner.match("cascade")
    if not cascade:
        scanner.match("restrict")
    scanner.finish()
    statements: list[str] = []
    for parts in names:
        found = catalog.find_table(parts)
        if found is None and if_exists:
            continue
        if found is None:
            view = catalog.find_view(parts)
            raise SqlError(f'"{parts[-1]}" is not a table' if view else f"Table {parts[-1]} does not exist")
        if catalog.find_view(parts) is not None:
            raise SqlError(f'"{parts[-1]}" is not a table')
        statements += [*dependents(catalog, found.schema, found.name, cascade, "table"), f"DROP TABLE {found.quoted}"]
    return statements


def dependents(catalog: Catalog, schema: str, name: str, cascade: bool, kind: str) -> list[str]:
    """Statements that drop the views on a relation; raises `SqlError` without CASCADE."""
    statements: list[str] = []
    for view in catalog.views.values():
        if view.kind == "late" or f"{schema}.{name}" not in view.refs:
            continue
        if not cascade:
            raise SqlError(
                f"cannot drop {kind} {name} because other objects depend on it\n"
                "  Hint: Use DROP ... CASCADE to drop the dependent objects too."
            )
        statements += dependents(catalog, view.schema, view.name, cascade, "view")
        statements += drop_view_statements(view.schema, view.name, view.kind)
    return statements


def drop_view_statements(schema: str, name: str, kind: str) -> list[str]:
    """What removes a view of ours."""
    where = f"schema_name = {quoted(schema)} AND view_name = {quoted(name)}"
    statements = [f"DELETE FROM rs_internal.views WHERE {where}"]  # noqa: S608  names are quoted
    return statements + ([f'DROP TABLE "{schema}"."{name}"'] if kind == "materialized" else [])
