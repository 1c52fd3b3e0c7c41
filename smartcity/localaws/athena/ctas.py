"""CREATE TABLE AS, UNLOAD and plain CREATE TABLE: Athena's properties in the engine's words.

Only the property block is replaced; names, columns and the query reach the engine as they were typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from smartcity.localaws.athena import iceberg
from smartcity.localaws.athena.edits import Edited
from smartcity.localaws.athena.failures import QueryFailed
from smartcity.localaws.athena.locations import Location, parse
from smartcity.localaws.athena.statements import Statement
from smartcity.localaws.athena.tokens import Token, literal, position, quote

_FORMATS = frozenset({"PARQUET", "ORC", "AVRO", "JSON", "TEXTFILE"})
_CODECS = {
    "GZIP": "GZIP",
    "ZLIB": "GZIP",
    "SNAPPY": "SNAPPY",
    "ZSTD": "ZSTD",
    "LZ4": "LZ4",
    "NONE": "NONE",
    "UNCOMPRESSED": "NONE",
}
_COMPRESSION = ("write_compression", "parquet_compression", "orc_compression", "compression")
_IGNORED = frozenset({"table_type", "is_external", "compression_level", *_COMPRESSION})

Value = str | list[str]


@dataclass(frozen=True)
class Write:
    """A statement that makes files: what the engine gets, where the files go, and session properties."""

    edited: Edited
    location: Location
    names: tuple[str, ...] = ()  #: the table's name as typed, one or two parts
    if_not_exists: bool = False
    chosen: bool = False  #: the user named the location: it must be empty
    session: Mapping[str, str] = field(default_factory=dict)


def create_table(statement: Statement, default: Location, enforced: bool, database: str) -> Write:
    """CREATE TABLE with or without AS. Raises `QueryFailed` for a property that Athena does not have."""
    tokens = statement.tokens
    names, at, if_not_exists = _table_name(tokens)
    begin, stop, properties = _property_block(statement, at)
    if str(properties.get("table_type", "")).upper() == "ICEBERG":
        name_at = tokens[at - 1 if len(names) == 1 else 2 + 3 * if_not_exists].start
        return _iceberg_table(statement, (names, name_at, stop, if_not_exists), properties, default, database)
    given = properties.get("external_location")
    if given is not None and enforced:
        raise QueryFailed(
            "The Create Table As Select query failed because it was submitted with an 'external_location' property to "
            "an Athena Workgroup that enforces a centralized output location for all queries. Please remove the "
            "'external_location' property and resubmit the query."
        )
    location = _location(given) if given is not None else default.folder
    block = _block(properties, location)
    edited = Edited(statement.sql, begin, stop, block)
    return Write(edited, location, names, if_not_exists, given is not None, _codec(properties))


def unload(statement: Statement, table: Sequence[str]) -> Write:
    """UNLOAD (query) TO 's3://…' WITH (…) as a CREATE TABLE AS of a table that is forgotten afterwards."""
    tokens = statement.tokens
    close = _closing(tokens, 1)
    to, address = tokens[close + 1], tokens[close + 2]
    if not tokens[1].is_symbol("(") or not to.is_word("TO") or address.kind != "string":
        raise _syntax(statement, to, "UNLOAD (query) TO 's3://…' WITH (format = '…')")
    _, _, properties = _property_block(statement, close + 3)
    if "format" not in properties:
        raise _syntax(statement, tokens[close + 3], "WITH (format = '…')")
    location = _location(address.text)
    name = ".".join(quote(part) for part in table)
    head = f"CREATE TABLE {name} {_block(properties, location)} AS "
    query_end = tokens[close].start
    edited = Edited(statement.sql[:query_end], 0, tokens[1].stop, head)
    return Write(edited, location, tuple(table), False, True, _codec(properties))


def _iceberg_table(
    statement: Statement,
    found: tuple[tuple[str, ...], int, int, bool],
    properties: Mapping[str, Value],
    default: Location,
    database: str,
) -> Write:
    """CREATE TABLE AS of an Iceberg table: its name is moved to the engine's catalog of such tables."""
    names, begin, stop, if_not_exists = found
    unknown = set(properties) - {"table_type", "location", "is_external", "format", "partitioning", *_COMPRESSION}
    if unknown:
        raise QueryFailed(f"INVALID_TABLE_PROPERTY: line 1:1: Table property '{min(unknown)}' does not exist")
    location = _location(properties["location"]) if "location" in properties else default.folder
    partitioning = properties.get("partitioning", [])
    items = [partitioning] if isinstance(partitioning, str) else partitioning
    block = iceberg.with_block(location, str(properties.get("format", "PARQUET")), items)
    owner, name = [database, *names][-2:]
    edited = Edited(statement.sql, begin, stop, f"{iceberg.table(owner, name)} {block}")
    codec = next((str(properties[key]).upper() for key in _COMPRESSION if key in properties), "")
    session = {f"{iceberg.CATALOG}.compression_codec": _CODECS[codec]} if codec in _CODECS else {}
    return Write(edited, location, names, if_not_exists, "location" in properties, session)


def _table_name(tokens: Sequence[Token]) -> tuple[tuple[str, ...], int, bool]:
    """Name, index of the token after it, and whether IF NOT EXISTS was said."""
    at = 2
    exists = tokens[at].is_word("IF")
    at += 3 * exists
    names = [tokens[at].text.lower()]
    at += 1
    while tokens[at].is_symbol(".") and tokens[at + 1].kind != "end":
        names.append(tokens[at + 1].text.lower())
        at += 2
    return tuple(names[-2:]), at, exists


def _property_block(statement: Statement, at: int) -> tuple[int, int, dict[str, Value]]:
    """Where the WITH block stands (or would stand), and its content with names in small letters."""
    tokens = statement.tokens
    depth, index = 0, at
    while tokens[index].kind != "end" and not (depth == 0 and tokens[index].is_word("AS", "WITH")):
        depth += tokens[index].is_symbol("(") - tokens[index].is_symbol(")")
        index += 1
    if not (tokens[index].is_word("WITH") and tokens[index + 1].is_symbol("(")):
        place = tokens[index].start if tokens[index].kind != "end" else len(statement.sql)
        return place, place, {}
    close = _closing(tokens, index + 1)
    return tokens[index].start, tokens[close].stop, _properties(statement, index + 2, close)


def _closing(tokens: Sequence[Token], opening: int) -> int:
    """Index of the parenthesis that closes the one at `opening`; of the end if there is none."""
    depth = 0
    for index in range(opening, len(tokens)):
        depth += tokens[index].is_symbol("(") - tokens[index].is_symbol(")")
        if depth == 0 or tokens[index].kind == "end":
            return index
    return len(tokens) - 1


def _properties(statement: Statement, begin: int, close: int) -> dict[str, Value]:
    tokens = statement.tokens
    found: dict[str, Value] = {}
    at = begin
    while at < close:
        if not tokens[at + 1].is_symbol("="):
            raise _syntax(statement, tokens[at + 1], "name = value")
        name = tokens[at].text.lower()
        at, found[name] = _value(statement, at + 2, close)
        if at < close and not tokens[at].is_symbol(","):
            raise _syntax(statement, tokens[at], "',' or ')'")
        at += 1
    return found


def _value(statement: Statement, at: int, close: int) -> tuple[int, Value]:
    tokens = statement.tokens
    if tokens[at].is_word("ARRAY") and tokens[at + 1].is_symbol("["):
        items: list[str] = []
        at += 2
        while at < close and not tokens[at].is_symbol("]"):
            if tokens[at].kind == "string":
                items.append(tokens[at].text)
            at += 1
        return at + 1, items
    if tokens[at].kind not in {"string", "number", "word"}:
        raise _syntax(statement, tokens[at], "a value")
    return at + 1, tokens[at].text


def _block(properties: Mapping[str, Value], location: Location) -> str:
    """The engine's WITH block."""
    format_ = str(properties.get("format", "PARQUET")).upper()
    if format_ not in _FORMATS:
        raise QueryFailed(
            f"NOT_SUPPORTED: Athena cannot write format {format_}; it writes {', '.join(sorted(_FORMATS))}"
        )
    parts = [f"format = {literal(format_)}", f"external_location = {literal(location.url)}"]
    for name, value in properties.items():
        if name in {"format", "external_location"} or name in _IGNORED:
            _hive_only(name, value)
        elif name in {"partitioned_by", "bucketed_by"}:
            items = [value] if isinstance(value, str) else value
            parts.append(f"{name} = ARRAY[{', '.join(literal(item) for item in items)}]")
        elif name == "bucket_count":
            parts.append(f"bucket_count = {int(str(value)) if str(value).isdigit() else literal(str(value))}")
        elif name == "field_delimiter":
            parts += [f"textfile_field_separator = {literal(str(value))}"] if format_ == "TEXTFILE" else []
        else:
            raise QueryFailed(f"INVALID_TABLE_PROPERTY: line 1:1: Table property '{name}' does not exist")
    return f"WITH ({', '.join(parts)}) "


def _hive_only(name: str, value: Value) -> None:
    if name == "table_type" and str(value).upper() != "HIVE":
        raise QueryFailed(f"NOT_SUPPORTED: Table type {value} is not supported by local Athena; it has HIVE tables")


def _codec(properties: Mapping[str, Value]) -> dict[str, str]:
    """Athena compresses with gzip unless told otherwise."""
    given = next((str(properties[name]).upper() for name in _COMPRESSION if name in properties), "GZIP")
    if given not in _CODECS:
        raise QueryFailed(f"INVALID_TABLE_PROPERTY: Invalid value for compression: {given}")
    avro = str(properties.get("format", "")).upper() == "AVRO" and given == "GZIP"
    return {"awsdatacatalog.compression_codec": "SNAPPY" if avro else _CODECS[given]}


def _location(value: Value) -> Location:
    try:
        return parse(str(value)).folder
    except ValueError as error:
        raise QueryFailed(f"INVALID_TABLE_PROPERTY: Location must be an S3 address: {error}") from error


def _syntax(statement: Statement, token: Token, expected: str) -> QueryFailed:
    line, column = position(statement.sql, token.start)
    found = "<EOF>" if token.kind == "end" else token.text
    return QueryFailed(f"SYNTAX_ERROR: line {line}:{column}: mismatched input '{found}'. Expecting: {expected}")
