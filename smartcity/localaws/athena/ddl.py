"""The grammar of Athena's own statements: from tokens to values that say what is to be done.

This is the Hive side of Athena as its user guide defines it; names may be quoted with backticks or double quotes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from smartcity.localaws.athena.cursor import Cursor
from smartcity.localaws.athena.formats import Storage, storage_of
from smartcity.localaws.athena.statements import Statement

Properties = dict[str, str]
Spec = dict[str, str]


@dataclass(frozen=True)
class Name:
    """A table's name; without a database the query's own is meant."""

    table: str
    database: str | None = None

    def within(self, database: str) -> tuple[str, str]:
        """Database and table."""
        return self.database or database, self.table


@dataclass(frozen=True)
class ColumnDef:
    """One column of a definition, its type in Hive's spelling."""

    name: str
    type: str
    comment: str | None = None


@dataclass(frozen=True)
class CreateDatabase:
    """CREATE DATABASE."""

    name: str
    if_not_exists: bool
    comment: str | None
    location: str | None
    properties: Properties


@dataclass(frozen=True)
class DropDatabase:
    """DROP DATABASE."""

    name: str
    if_exists: bool
    cascade: bool


@dataclass(frozen=True)
class SetDatabaseProperties:
    """ALTER DATABASE … SET DBPROPERTIES."""

    name: str
    properties: Properties


@dataclass(frozen=True)
class CreateTable:
    """CREATE EXTERNAL TABLE."""

    name: Name
    if_not_exists: bool
    columns: tuple[ColumnDef, ...]
    partitions: tuple[ColumnDef, ...]
    comment: str | None
    storage: Storage
    location: str | None
    properties: Properties = field(default_factory=dict)


@dataclass(frozen=True)
class DropTable:
    """DROP TABLE or DROP VIEW."""

    name: Name
    if_exists: bool
    view: bool


@dataclass(frozen=True)
class AddPartitions:
    """ALTER TABLE … ADD PARTITION."""

    name: Name
    if_not_exists: bool
    partitions: tuple[tuple[Spec, str | None], ...]


@dataclass(frozen=True)
class DropPartitions:
    """ALTER TABLE … DROP PARTITION."""

    name: Name
    if_exists: bool
    partitions: tuple[Spec, ...]


@dataclass(frozen=True)
class RenamePartition:
    """ALTER TABLE … PARTITION … RENAME TO PARTITION …"""

    name: Name
    old: Spec
    new: Spec


@dataclass(frozen=True)
class SetColumns:
    """ALTER TABLE … ADD COLUMNS or REPLACE COLUMNS."""

    name: Name
    columns: tuple[ColumnDef, ...]
    replace: bool


@dataclass(frozen=True)
class SetLocation:
    """ALTER TABLE … [PARTITION …] SET LOCATION."""

    name: Name
    partition: Spec | None
    location: str


@dataclass(frozen=True)
class SetProperties:
    """ALTER TABLE … SET TBLPROPERTIES."""

    name: Name
    properties: Properties


@dataclass(frozen=True)
class Repair:
    """MSCK REPAIR TABLE."""

    name: Name


Change = (
    CreateDatabase
    | DropDatabase
    | SetDatabaseProperties
    | CreateTable
    | DropTable
    | AddPartitions
    | DropPartitions
    | RenamePartition
    | SetColumns
    | SetLocation
    | SetProperties
    | Repair
)


def parse(statement: Statement) -> Change:
    """Read a statement that changes the catalog. Raises `QueryFailed` with the place of a fault."""
    cursor = Cursor(statement)
    change = _PARSERS[statement.what](cursor)
    cursor.finish()
    return change


def table_name(cursor: Cursor) -> Name:
    """A table's name of one to three parts; the first of three must be Athena's catalog."""
    whole = cursor.token.kind == "backtick" and "." in cursor.token.text
    names = cursor.take().text.lower().split(".") if whole else cursor.names()  # SHOW CREATE TABLE writes `db.table`
    if len(names) > 3 or (len(names) == 3 and names[0] != "awsdatacatalog"):
        cursor.at -= 1
        raise cursor.mismatch("a table of catalog awsdatacatalog")
    return Name(names[-1], names[-2] if len(names) > 1 else None)


def properties(cursor: Cursor) -> Properties:
    """`('name' = 'value', …)`."""
    found: Properties = {}
    cursor.expect_symbol("(")
    while True:
        name = cursor.string()
        cursor.expect_symbol("=")
        found[name] = cursor.string() if cursor.token.kind in {"string", "quoted"} else cursor.take().text
        if not cursor.accept_symbol(","):
            break
    cursor.expect_symbol(")")
    return found


def spec(cursor: Cursor) -> Spec:
    """`(dt = '2026-03-01', hour = 7)`."""
    found: Spec = {}
    cursor.expect_symbol("(")
    while True:
        name = cursor.name()
        cursor.expect_symbol("=")
        sign = "-" if cursor.accept_symbol("-") else ""
        if cursor.accept("DATE") or cursor.accept("TIMESTAMP"):
            sign = ""
        found[name] = cursor.string() if cursor.token.kind in {"string", "quoted"} else sign + cursor.take().text
        if not cursor.accept_symbol(","):
            break
    cursor.expect_symbol(")")
    return found


def columns(cursor: Cursor) -> tuple[ColumnDef, ...]:
    """`(name type [COMMENT 'text'], …)`."""
    found: list[ColumnDef] = []
    cursor.expect_symbol("(")
    while not cursor.token.is_symbol(")"):
        name = cursor.name()
        type_ = hive_type(cursor)
        found.append(ColumnDef(name, type_, cursor.string() if cursor.accept("COMMENT") else None))
        if not cursor.accept_symbol(","):
            break
    cursor.expect_symbol(")")
    return tuple(found)


_SPELLING = {"integer": "int", "varbinary": "binary"}


def hive_type(cursor: Cursor) -> str:
    """A type up to the end of its column, as Glue stores it: small letters, no blanks."""
    parts: list[str] = []
    depth = 0
    while not cursor.ended:
        token = cursor.token
        if depth == 0 and parts and (token.is_symbol(",", ")") or token.is_word("COMMENT")):
            break
        depth += token.is_symbol("<", "(") - token.is_symbol(">", ")")
        if depth < 0 or (not parts and token.kind != "word"):
            break
        text = token.text.lower()
        parts.append(_SPELLING.get(text, text) if token.kind == "word" else text)
        cursor.at += 1
    if not parts or depth:
        raise cursor.mismatch("<type>")
    return "".join(parts)


def _if_not_exists(cursor: Cursor) -> bool:
    return cursor.accept("IF", "NOT", "EXISTS")


def _create_database(cursor: Cursor) -> CreateDatabase:
    cursor.at += 2
    exists = _if_not_exists(cursor)
    name = cursor.name()
    comment = cursor.string() if cursor.accept("COMMENT") else None
    location = cursor.string() if cursor.accept("LOCATION") else None
    more = properties(cursor) if cursor.accept("WITH", "DBPROPERTIES") else {}
    return CreateDatabase(name, exists, comment, location, more)


def _drop_database(cursor: Cursor) -> DropDatabase:
    cursor.at += 2
    exists = cursor.accept("IF", "EXISTS")
    name = cursor.name()
    cascade = cursor.accept("CASCADE")
    if not cascade:
        cursor.accept("RESTRICT")
    return DropDatabase(name, exists, cascade)


def _alter_database(cursor: Cursor) -> SetDatabaseProperties:
    cursor.at += 2
    name = cursor.name()
    cursor.expect("SET", "DBPROPERTIES")
    return SetDatabaseProperties(name, properties(cursor))


def _create_table(cursor: Cursor) -> CreateTable:
    cursor.expect("CREATE", "EXTERNAL", "TABLE")
    exists = _if_not_exists(cursor)
    name = table_name(cursor)
    defined = columns(cursor) if cursor.token.is_symbol("(") else ()
    comment = cursor.string() if cursor.accept("COMMENT") else None
    partitions = columns(cursor) if cursor.accept("PARTITIONED", "BY") else ()
    storage = storage_of(cursor, properties)
    location = cursor.string() if cursor.accept("LOCATION") else None
    more = properties(cursor) if cursor.accept("TBLPROPERTIES") else {}
    return CreateTable(name, exists, defined, partitions, comment, storage, location, more)


def _drop_table(cursor: Cursor) -> DropTable:
    cursor.at += 1
    view = cursor.take().is_word("VIEW")
    exists = cursor.accept("IF", "EXISTS")
    return DropTable(table_name(cursor), exists, view)


def _alter_table(cursor: Cursor) -> Change:
    cursor.at += 2
    name = table_name(cursor)
    for words, parser in _ALTERATIONS:
        if cursor.accept(*words):
            return parser(cursor, name)
    raise cursor.mismatch("ADD, REPLACE, DROP, SET or PARTITION")


def _alter_partition(cursor: Cursor, name: Name) -> Change:
    old = spec(cursor)
    if cursor.accept("SET", "LOCATION"):
        return SetLocation(name, old, cursor.string())
    cursor.expect("RENAME", "TO", "PARTITION")
    return RenamePartition(name, old, spec(cursor))


def _add_partitions(cursor: Cursor, name: Name) -> AddPartitions:
    exists = _if_not_exists(cursor)
    found: list[tuple[Spec, str | None]] = []
    while cursor.accept("PARTITION"):
        found.append((spec(cursor), cursor.string() if cursor.accept("LOCATION") else None))
        cursor.accept_symbol(",")
    if not found:
        raise cursor.mismatch("PARTITION")
    return AddPartitions(name, exists, tuple(found))


def _drop_partitions(cursor: Cursor, name: Name) -> DropPartitions:
    exists = cursor.accept("IF", "EXISTS")
    found: list[Spec] = []
    while cursor.accept("PARTITION"):
        found.append(spec(cursor))
        cursor.accept_symbol(",")
    if not found:
        raise cursor.mismatch("PARTITION")
    return DropPartitions(name, exists, tuple(found))


_ALTERATIONS: tuple[tuple[tuple[str, ...], Callable[[Cursor, Name], Change]], ...] = (
    (("ADD", "COLUMNS"), lambda cursor, name: SetColumns(name, columns(cursor), replace=False)),
    (("REPLACE", "COLUMNS"), lambda cursor, name: SetColumns(name, columns(cursor), replace=True)),
    (("ADD",), _add_partitions),
    (("DROP",), _drop_partitions),
    (("SET", "TBLPROPERTIES"), lambda cursor, name: SetProperties(name, properties(cursor))),
    (("SET", "LOCATION"), lambda cursor, name: SetLocation(name, None, cursor.string())),
    (("PARTITION",), _alter_partition),
)


def _repair(cursor: Cursor) -> Repair:
    cursor.expect("MSCK", "REPAIR", "TABLE")
    return Repair(table_name(cursor))


_PARSERS: dict[str, Callable[[Cursor], Change]] = {
    "CREATE_DATABASE": _create_database,
    "DROP_DATABASE": _drop_database,
    "ALTER_DATABASE": _alter_database,
    "CREATE_TABLE": _create_table,
    "DROP_TABLE": _drop_table,
    "DROP_VIEW": _drop_table,
    "ALTER_TABLE": _alter_table,
    "MSCK_REPAIR_TABLE": _repair,
}
