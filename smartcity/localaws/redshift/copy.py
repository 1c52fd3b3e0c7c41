"""COPY: reading the statement, and loading Parquet, CSV, delimited text and JSON with Redshift's checks.

https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from smartcity.localaws.redshift import textload
from smartcity.localaws.redshift.catalog import Catalog, ColumnInfo, TableInfo
from smartcity.localaws.redshift.faults import SqlError, not_supported
from smartcity.localaws.redshift.files import Files, Object, present
from smartcity.localaws.redshift.grammar import Scanner
from smartcity.localaws.redshift.types import RsType

_FLAGS = (
    "manifest",
    "gzip",
    "blanksasnull",
    "emptyasnull",
    "truncatecolumns",
    "fillrecord",
    "trimblanks",
    "noload",
    "acceptanydate",
    "ignoreblanklines",
)
_IMPLEMENTED = {
    "manifest",
    "gzip",
    "blanksasnull",
    "emptyasnull",
    "truncatecolumns",
    "trimblanks",
    "ignoreblanklines",
    "noload",
}
_SWITCHES = ("compupdate", "statupdate")
#: Options that a columnar COPY accepts (copy-usage_notes-copy-from-columnar.html)
_COLUMNAR = {"manifest", "region", "compupdate", "statupdate", "noload"}


@dataclass
class CopyPlan:
    """A COPY as written; `format` is parquet, csv, text or json."""

    table: TableInfo
    columns: list[ColumnInfo]
    uri: str
    role: str = ""
    format: str = "text"
    options: dict[str, Any] = field(default_factory=dict)


class LoadFailure(SqlError):
    """Rows did not fit: `rows` go to STL_LOAD_ERRORS after the transaction was rolled back."""

    def __init__(self, message: str, rows: list[dict[str, Any]]) -> None:
        super().__init__(message)
        self.rows = rows


def parse_copy(scanner: Scanner, catalog: Catalog) -> CopyPlan:
    """After COPY."""
    table = catalog.table(scanner.name())
    named = scanner.names() if scanner.peek() == "(" else None
    columns = (
        [table.column(name) for name in named]
        if named
        else [c for c in table.columns if not c.attributes.get("identity")]
    )
    scanner.expect("from")
    uri = scanner.string()
    if not uri.startswith("s3://"):
        raise not_supported(f"COPY from {uri.split(':', maxsplit=1)[0]}")
    plan = CopyPlan(table, columns, uri)
    while not scanner.done:
        _option(scanner, plan)
    if not plan.role:
        raise SqlError("COPY requires credentials: IAM_ROLE is missing")
    if plan.format == "parquet" and set(plan.options) - _COLUMNAR:
        wrong = min(set(plan.options) - _COLUMNAR)
        raise SqlError(f"{wrong.upper()} argument is not supported for PARQUET based COPY")
    return plan


def _option(scanner: Scanner, plan: CopyPlan) -> None:
    options = plan.options
    if scanner.match("iam_role"):
        plan.role = _role(scanner)
    elif scanner.match("format") or scanner.match("with") or scanner.match("as"):
        scanner.match("as")
    elif scanner.peek() in {"parquet", "csv", "json"}:
        plan.format = scanner.identifier()
        if plan.format == "json":
            scanner.match("as")
            options["json"] = scanner.string()
            if options["json"] not in {"auto", "auto ignorecase"}:
                raise not_supported(f"JSON '{options['json']}'")
    elif scanner.peek() in {"orc", "avro", "shapefile", "fixedwidth"}:
        raise not_supported(f"COPY from {scanner.peek().upper()}")
    elif scanner.peek() in _FLAGS:
        flag = scanner.identifier()
        if flag not in _IMPLEMENTED:
            raise not_supported(f"COPY option {flag.upper()}")
        options[flag] = True
    elif scanner.peek() in _SWITCHES:
        options[scanner.identifier()] = _on_or_off(scanner)
    else:
        _valued(scanner, options)


def _valued(scanner: Scanner, options: dict[str, Any]) -> None:
    for word in ("delimiter", "quote", "null", "region"):
        if scanner.match(word):
            scanner.match("as")
            options[word] = scanner.string()
            return
    for word in ("ignoreheader", "maxerror"):
        if scanner.match(word):
            scanner.match("as")
            options[word] = scanner.integer()
            return
    for word in ("dateformat", "timeformat"):
        if scanner.match(word):
            scanner.match("as")
            if scanner.string().lower() != "auto":
                raise not_supported(f"{word.upper()} other than 'auto'")
            return
    raise not_supported(f"COPY option {scanner.peek().upper()}")


def _role(scanner: Scanner) -> str:
    if scanner.match("default"):
        return "default"
    return scanner.string()


def _on_or_off(scanner: Scanner) -> str:
    word = scanner.identifier()
    if word == "preset" or word in {"on", "off", "true", "false"}:
        return word
    raise SqlError(f'syntax error at or near "{word}"')


def load(plan: CopyPlan, files: Files, run: Callable[..., Any]) -> int:
    """Load everything; returns the rows. `run(sql, arrow)` executes SQL that reads the Arrow table `rs_input`."""
    objects = _objects(plan, files)
    if plan.format == "parquet":
        return sum(_load_parquet(plan, item, body, run) for item, body in _bodies(files, objects))
    return textload.load(plan, _bodies(files, objects), run)


def _objects(plan: CopyPlan, files: Files) -> list[Object]:
    if plan.options.get("manifest"):
        return list(present(files.manifest(plan.uri, needs_length=plan.format == "parquet")))
    found = files.listed(plan.uri)
    if not found:
        raise SqlError(f"The specified S3 prefix '{plan.uri.split('/', 3)[3]}' does not exist")
    return [item for item in found if item.size]


def _bodies(files: Files, objects: list[Object]) -> Iterator[tuple[Object, bytes]]:
    """The objects' bytes in order, two fetched ahead."""
    from concurrent.futures import ThreadPoolExecutor

    if objects:
        _ = files.client
    with ThreadPoolExecutor(2) as pool:
        waiting = []
        for item in objects:
            waiting.append((item, pool.submit(files.read, item)))
            if len(waiting) > 2:
                first, body = waiting.pop(0)
                yield first, body.result()
        for item, body in waiting:
            yield item, body.result()


def _load_parquet(plan: CopyPlan, item: Object, body: bytes, run: Callable[..., Any]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        data = pq.read_table(pa.BufferReader(body))
    except pa.ArrowInvalid:
        raise SqlError(f"Spectrum Scan Error: File '{item.uri}' is not a Parquet file or is cut off") from None
    if data.num_columns != len(plan.columns):
        raise SqlError(
            "Spectrum Scan Error: Unmatched number of columns between table and file. "
            f"Table columns: {len(plan.columns)}, Data columns: {data.num_columns}, File name: {item.uri}"
        )
    for at, column in enumerate(plan.columns):
        _check_type(column, data.schema.field(at), item)
    data = data.rename_columns([f"c{at}" for at in range(data.num_columns)])
    if plan.options.get("noload"):
        return 0
    _check_lengths(plan, data, item)
    listed = ", ".join(f'"{column.name}"' for column in plan.columns)
    values = ", ".join(_from_arrow(column.type, f"c{at}", data.column(at)) for at, column in enumerate(plan.columns))
    run(f"INSERT INTO {plan.table.quoted} ({listed}) SELECT {values} FROM rs_input", data)  # noqa: S608
    return int(data.num_rows)


def _from_arrow(type_: RsType, name: str, values: Any) -> str:
    import pyarrow.compute as pc

    if type_.is_text:
        blanks = type_.name == "character" and pc.any(pc.ends_with(values, " ")).as_py()
        return f"rtrim({name}, ' ')" if blanks else name
    if type_.name == "super":
        return f"CASE WHEN json_valid({name}) THEN CAST({name} AS JSON) ELSE to_json({name}) END"
    return f"CAST({name} AS {type_.duckdb})"


def _check_type(column: ColumnInfo, field_: Any, item: Object) -> None:
    import pyarrow.types as pt

    kind = field_.type.value_type if pt.is_dictionary(field_.type) else field_.type
    fits = {
        "smallint": pt.is_int8(kind) or pt.is_int16(kind) or pt.is_int32(kind),
        "integer": pt.is_int8(kind) or pt.is_int16(kind) or pt.is_int32(kind),
        "bigint": pt.is_signed_integer(kind),
        "real": pt.is_float32(kind),
        "double precision": pt.is_float64(kind) or pt.is_float32(kind),
        "boolean": pt.is_boolean(kind),
        "date": pt.is_date32(kind),
        "timestamp without time zone": pt.is_timestamp(kind),
        "timestamp with time zone": pt.is_timestamp(kind),
        "numeric": pt.is_decimal(kind) and kind.scale == column.type.scale,
        "binary varying": pt.is_binary(kind),
        "super": pt.is_string(kind) or pt.is_large_string(kind),
    }
    text = pt.is_string(kind) or pt.is_large_string(kind)
    if not (text if column.type.is_text else fits.get(column.type.name, False)):
        raise SqlError(
            f"Spectrum Scan Error: File '{item.uri}' has an incompatible Parquet schema for column '{field_.name}'. "
            f"Column type: {str(column.type).upper()}, Parquet schema: optional {kind} {field_.name}"
        )


def _check_lengths(plan: CopyPlan, data: Any, item: Object) -> None:
    import pyarrow.compute as pc

    for at, column in enumerate(plan.columns):
        if not column.type.is_text or not column.type.size:
            continue
        length = pc.max(pc.binary_length(data.column(at))).as_py()
        if length is not None and length > column.type.size:
            raise SqlError(
                f"Spectrum Scan Error: The length of the data column {column.name} is longer than the length "
                f"defined in the table. Table: {column.type.size}, Data: {length}, File name: {item.uri}"
            )
    for at, column in enumerate(plan.columns):
        if not column.nullable and data.column(at).null_count:
            raise SqlError(f"Cannot insert a NULL value into column {column.name}")


def gunzipped(body: bytes, compressed: bool) -> str:
    """Text of an object; raises `SqlError` for what is not gzip or not UTF-8."""
    import gzip

    try:
        data = gzip.GzipFile(fileobj=io.BytesIO(body)).read() if compressed else body
        return data.decode("utf-8-sig")
    except (OSError, EOFError):
        raise SqlError("Invalid gzip data in the source file") from None
    except UnicodeDecodeError:
        raise SqlError("String contains invalid or unsupported UTF8 codepoints") from None
