"""ALTER TABLE: columns, names, a longer VARCHAR, keys that nothing enforces.

https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html
"""

from __future__ import annotations

import json

from smartcity.localaws.redshift.catalog import Catalog, TableInfo
from smartcity.localaws.redshift.ddl import Table, dependents, quoted, read_column, read_constraint
from smartcity.localaws.redshift.faults import SqlError, not_supported
from smartcity.localaws.redshift.grammar import Scanner
from smartcity.localaws.redshift.types import parse_type


def alter_table(scanner: Scanner, catalog: Catalog) -> list[str]:
    """After ALTER TABLE: ADD and DROP COLUMN, RENAME, a longer VARCHAR, keys (which nothing enforces)."""
    table = catalog.table(scanner.name())
    if scanner.match("add"):
        return _add(scanner, table, catalog)
    if scanner.match("drop"):
        scanner.match("column")
        column = table.column(scanner.identifier())
        scanner.match("restrict")
        scanner.finish()
        if column.name in _keys(table):
            raise SqlError(f"cannot drop column {column.name} because it is a distribution or sort key")
        return [f'ALTER TABLE {table.quoted} DROP COLUMN "{column.name}"']
    if scanner.match("rename", "to"):
        name = scanner.identifier()
        scanner.finish()
        catalog.new_schema((table.schema, name) if table.schema != "temp" else (name,), table.schema == "temp")
        return [
            *dependents(catalog, table.schema, table.name, False, "table"),
            f'ALTER TABLE {table.quoted} RENAME TO "{name}"',
        ]
    if scanner.match("rename"):
        return _rename(scanner, table)
    if scanner.match("alter"):
        return _retype(scanner, table)
    raise not_supported(f"ALTER TABLE {scanner.peek().upper()}")


def _keys(table: TableInfo) -> set[str]:
    return {column.name for column in table.columns if column.attributes.get("key")}


def _add(scanner: Scanner, table: TableInfo, catalog: Catalog) -> list[str]:
    if scanner.peek() in {"constraint", "primary", "primary key", "unique", "foreign", "foreign key"}:
        read_constraint(scanner, Table(table.schema, table.name))
        scanner.finish()
        return []
    scanner.match("column")
    made = Table(table.schema, table.name)
    read_column(scanner, made, catalog)
    scanner.finish()
    column = made.columns[0]
    if any(existing.name == column.name for existing in table.columns):
        raise SqlError(f'column "{column.name}" of relation "{table.name}" already exists')
    if column.identity:
        raise SqlError("cannot add an identity column")
    if not column.nullable and column.default is None:
        raise SqlError("ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default expression")
    default = f" DEFAULT {column.default}" if column.default is not None else ""
    statements = [f'ALTER TABLE {table.quoted} ADD COLUMN "{column.name}" {column.type.duckdb}{default}']
    if not column.nullable:
        statements.append(f'ALTER TABLE {table.quoted} ALTER COLUMN "{column.name}" SET NOT NULL')
    return [*statements, f'COMMENT ON COLUMN {table.quoted}."{column.name}" IS {quoted(column.comment())}']


def _rename(scanner: Scanner, table: TableInfo) -> list[str]:
    scanner.match("column")
    old = table.column(scanner.identifier())
    scanner.expect("to")
    new = scanner.identifier()
    scanner.finish()
    if any(column.name == new for column in table.columns):
        raise SqlError(f'column "{new}" of relation "{table.name}" already exists')
    return [f'ALTER TABLE {table.quoted} RENAME COLUMN "{old.name}" TO "{new}"']


def _retype(scanner: Scanner, table: TableInfo) -> list[str]:
    scanner.match("column")
    column = table.column(scanner.identifier())
    if not scanner.match("type"):
        raise not_supported("ALTER COLUMN other than TYPE")
    wanted = parse_type(scanner.rest())
    if not (column.type.name == wanted.name == "character varying"):
        raise SqlError("target data type is not supported: only the size of a VARCHAR column can be altered")
    if (wanted.size or 0) < (column.type.size or 0):
        raise SqlError("cannot alter column type: the new size is smaller")
    comment = json.dumps({**column.attributes, "type": str(wanted)})
    return [f'COMMENT ON COLUMN {table.quoted}."{column.name}" IS {quoted(comment)}']
