"""The landed tables: one per topic, made from the data contract, and the books that loads keep.

Distribution by `vehicle_id`: most joins and groups go by vehicle, and vehicles are many and even. Sort by `ts`: nearly
every question names a time, and loads append in that order, so that little has to be sorted again.
"""

from __future__ import annotations

from smartcity.events import LAKE_COLUMNS, TOPICS, Column

_TYPES = {"double": "DOUBLE PRECISION", "int": "INTEGER", "bigint": "BIGINT", "timestamp": "TIMESTAMP"}
_SIZES = {"event_id": "CHAR(36)", "description": "VARCHAR(16384)"}
_TEXT = "VARCHAR(1024)"
_ENCODINGS = {"double": "ZSTD", "int": "AZ64", "bigint": "AZ64", "timestamp": "AZ64", "string": "ZSTD"}


def column_type(column: Column) -> str:
    """The Redshift type of a column of the contract."""
    return _SIZES.get(column.name, _TEXT) if column.type == "string" else _TYPES[column.type]


def columns(topic: str) -> tuple[Column, ...]:
    """A landed table's columns, in the order of the Parquet files: COPY goes by position."""
    return (*TOPICS[topic].columns, *LAKE_COLUMNS)


def table_ddl(schema: str, topic: str) -> str:
    """CREATE TABLE IF NOT EXISTS of a topic."""
    lines = []
    for column in columns(topic):
        encoding = "RAW" if column.name == "ts" else _ENCODINGS[column.type]
        required = "" if column.nullable else " NOT NULL"
        lines.append(f"  {column.name} {column_type(column)}{required} ENCODE {encoding}")
    body = ",\n".join(lines)
    return f"CREATE TABLE IF NOT EXISTS {schema}.{topic} (\n{body}\n) DISTSTYLE KEY DISTKEY (vehicle_id) SORTKEY (ts)"


def books_ddl(schema: str) -> list[str]:
    """The log of loaded files, and the days whose star is not built yet."""
    return [
        f"CREATE TABLE IF NOT EXISTS {schema}.load_file (s3_key VARCHAR(1024) NOT NULL, "
        "table_name VARCHAR(64) NOT NULL, dt DATE NOT NULL, file_rows BIGINT NOT NULL, load_id CHAR(36) NOT NULL, "
        "loaded_at TIMESTAMP DEFAULT GETDATE()) DISTSTYLE ALL SORTKEY (table_name, dt)",
        f"CREATE TABLE IF NOT EXISTS {schema}.star_day (dt DATE NOT NULL, load_id CHAR(36) NOT NULL) DISTSTYLE ALL",
    ]


def schema_ddl(schema: str) -> list[str]:
    """Everything that the landing needs."""
    return [
        f"CREATE SCHEMA IF NOT EXISTS {schema}",
        *(table_ddl(schema, topic) for topic in TOPICS),
        *books_ddl(schema),
    ]
