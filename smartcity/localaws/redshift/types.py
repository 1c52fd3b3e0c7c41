"""Redshift's data types: how they are written, stored in DuckDB and named in results.

https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from smartcity.localaws.redshift.faults import SqlError, not_supported


@dataclass(frozen=True)
class RsType:
    """One type: `name` is the catalog's ("integer", "character varying"); `size` bytes, or precision with `scale`."""

    name: str
    size: int | None = None
    scale: int | None = None

    def __str__(self) -> str:
        if self.scale is not None:
            return f"{self.name}({self.size},{self.scale})"
        return f"{self.name}({self.size})" if self.size is not None else self.name

    @property
    def is_text(self) -> bool:
        """Whether lengths and trailing blanks matter."""
        return self.name in {"character varying", "character"}

    @property
    def duckdb(self) -> str:
        """The column type in DuckDB."""
        if self.name == "numeric":
            return f"DECIMAL({self.size},{self.scale})"
        return _DUCKDB[self.name]

    @property
    def api_name(self) -> str:
        """`ColumnMetadata.typeName`: PostgreSQL's internal name."""
        return _API[self.name]


_DUCKDB = {
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "real": "REAL",
    "double precision": "DOUBLE",
    "boolean": "BOOLEAN",
    "character varying": "VARCHAR",
    "character": "VARCHAR",
    "date": "DATE",
    "timestamp without time zone": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMPTZ",
    "time without time zone": "TIME",
    "super": "JSON",
    "binary varying": "BLOB",
}
_API = {
    "smallint": "int2",
    "integer": "int4",
    "bigint": "int8",
    "real": "float4",
    "double precision": "float8",
    "numeric": "numeric",
    "boolean": "bool",
    "character varying": "varchar",
    "character": "bpchar",
    "date": "date",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "time without time zone": "time",
    "super": "super",
    "binary varying": "varbyte",
}
_ALIASES = {
    "int2": "smallint",
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
    "decimal": "numeric",
    "float4": "real",
    "float": "double precision",
    "float8": "double precision",
    "bool": "boolean",
    "varchar": "character varying",
    "nvarchar": "character varying",
    "text": "character varying",
    "char": "character",
    "nchar": "character",
    "bpchar": "character",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
    "varbyte": "binary varying",
    "varbinary": "binary varying",
}
#: Types that Redshift has and this warehouse has not.
UNSUPPORTED = ("geometry", "geography", "hllsketch", "timetz", "interval", "time with time zone")
MAX_VARCHAR = 65_535
_WRITTEN = re.compile(r"^([a-z][a-z0-9 ]*?)\s*(?:\(\s*(\w+)\s*(?:,\s*(\d+)\s*)?\)(.*))?$")


def parse_type(text: str) -> RsType:
    """The type written as `text`; raises `SqlError` for one that does not exist or is not supported here."""
    written = _WRITTEN.match(" ".join(text.lower().split()))
    if written is None:
        raise SqlError(f'type "{text}" does not exist')
    base = (written[1] + (written[4] or "")).strip()
    name = _ALIASES.get(base, base)
    if name in UNSUPPORTED:
        raise not_supported(f"data type {name}")
    if name == "numeric":
        return _numeric(written[2], written[3])
    if name not in _DUCKDB:
        raise SqlError(f'type "{base}" does not exist')
    if name in {"character varying", "character", "binary varying"}:
        return _sized(name, base, written[2])
    if written[2] is not None:
        raise SqlError(f'type modifier is not allowed for type "{base}"')
    return RsType(name)


def _numeric(precision: str | None, scale: str | None) -> RsType:
    size, places = int(precision or 18), int(scale or 0)
    if not 1 <= size <= 38:
        raise SqlError(f"DECIMAL precision {size} must be between 1 and 38")
    if places > min(size, 37):
        raise SqlError(f"DECIMAL scale {places} must be between 0 and precision {size}")
    return RsType("numeric", size, places)


def _sized(name: str, base: str, size: str | None) -> RsType:
    limit = 4096 if name == "character" else MAX_VARCHAR if name == "character varying" else 1_024_000
    if size == "max":
        return RsType(name, limit)
    default = 1 if base in {"char", "nchar", "character"} else 256
    length = int(size) if size else (64_000 if name == "binary varying" else default)
    if length < 1:
        raise SqlError(f"length for type {base} must be at least 1")
    if length > limit:
        raise SqlError(f"length for type {base} cannot exceed {limit}")
    return RsType(name, length)


def of_duckdb(text: str) -> RsType:
    """The Redshift type that a DuckDB result column of type `text` is shown as."""
    upper = text.upper()
    if upper.startswith("DECIMAL"):
        precision, scale = re.findall(r"\d+", upper)
        return RsType("numeric", int(precision), int(scale))
    for name, stored in _DUCKDB.items():
        if stored == upper:
            return RsType(name)
    known = {
        "HUGEINT": RsType("numeric", 38, 0),
        "FLOAT": RsType("real"),
        "TINYINT": RsType("smallint"),
        "UBIGINT": RsType("numeric", 20, 0),
        "UINTEGER": RsType("bigint"),
        "TIMESTAMP WITH TIME ZONE": RsType("timestamp with time zone"),
        '"NULL"': RsType("character varying"),
        "INT32": RsType("integer"),
    }
    if upper not in known:
        raise not_supported(f"a result column of type {text.lower()}")
    return known[upper]
