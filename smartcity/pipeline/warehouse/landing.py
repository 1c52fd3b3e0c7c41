# ruff: noqa: S608  names come from settings that are checked, values are quoted
"""From the lake's commit objects into the landed tables: each file once, whatever dies in between.

One transaction per chunk of files: lock the log, COPY the chunk's manifest into a temporary table, take over the rows
whose event ids are not there yet, write the log. It is all there or nothing is; a repetition finds the files in the
log; two loads at once wait for each other at the lock, and the second takes over nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from smartcity.errors import ServiceError
from smartcity.events import TOPICS
from smartcity.pipeline.warehouse.sending import StatementFailed, Warehouse, quoted
from smartcity.pipeline.warehouse.tables import columns, schema_ddl

MANIFESTS = "warehouse/manifests/"
CHUNK_FILES = 250  #: keeps a batch's text below the Data API's 100 kB
CHUNK_ROWS = 5_000_000


@dataclass(frozen=True)
class Source:
    """A file of the lake: its identity in the log, and where its rows lie now (compaction may have moved them)."""

    key: str
    table: str
    dt: str
    rows: int
    parts: tuple[tuple[str, int], ...]  #: (key, bytes) of what to read


@dataclass
class LoadReport:
    """What a load did; `refused` has the files that Redshift would not take, with its words."""

    files: int = 0
    rows: int = 0
    chunks: int = 0
    skipped: int = 0
    days: set[str] = field(default_factory=set)
    refused: list[tuple[str, str]] = field(default_factory=list)


def list_sources(s3: Any, bucket: str) -> list[Source]:
    """Every file that a finished batch names."""
    from smartcity.spark_job.commits import read_commits
    from smartcity.spark_job.compaction import read_compactions
    from smartcity.spark_job.store import Bucket

    store = Bucket(s3, bucket)
    retired = {
        key: tuple((file.key, file.bytes) for file in each.files)
        for each in read_compactions(store)
        if each.state == "retired"
        for key in each.sources
    }
    return [
        Source(file.key, file.table, file.dt, file.rows, retired.get(file.key, ((file.key, file.bytes),)))
        for commit in read_commits(store)
        for file in commit.files
    ]


def ensure_schema(warehouse: Warehouse, schema: str) -> None:
    """Create what is missing."""
    warehouse.batch(schema_ddl(schema))


def loaded_keys(warehouse: Warehouse, schema: str) -> set[str]:
    """Keys of the files that the log holds."""
    return {str(key) for (key,) in warehouse.query(f"SELECT s3_key FROM {schema}.load_file")[1]}


def plan_chunks(sources: Iterable[Source]) -> Iterator[list[Source]]:
    """Files of one table at a time, few enough for one transaction."""
    chunk: list[Source] = []
    for source in sorted(sources, key=lambda item: (item.table, item.dt, item.key)):
        full = len(chunk) >= CHUNK_FILES or sum(item.rows for item in chunk) + source.rows > CHUNK_ROWS
        if chunk and (full or chunk[0].table != source.table):
            yield chunk
            chunk = []
        chunk.append(source)
    if chunk:
        yield chunk


@dataclass(frozen=True)
class Landing:
    """Where a load reads and writes."""

    s3: Any
    warehouse: Warehouse
    bucket: str
    schema: str
    role_arn: str


def land(
    landing: Landing, sources: Sequence[Source], told: Callable[[LoadReport], None] = lambda _: None
) -> LoadReport:
    """Load the files that the log does not hold yet.

    A file that does not fit is left out, and told in the report; its neighbours are loaded.
    """
    known = loaded_keys(landing.warehouse, landing.schema)
    wanted = [source for source in sources if source.key not in known and source.table in TOPICS]
    report = LoadReport(skipped=len(sources) - len(wanted))
    for chunk in plan_chunks(wanted):
        _land_chunk(landing, chunk, report)
        told(report)
    return report


def _land_chunk(landing: Landing, chunk: list[Source], report: LoadReport) -> None:
    rest = chunk
    while rest:
        try:
            rows = _transaction(landing, rest)
        except StatementFailed as error:
            bad = [source for source in rest if any(f"/{key}" in error.text for key, _ in source.parts)]
            if not bad:
                raise
            report.refused += [(source.key, error.text) for source in bad]
            rest = [source for source in rest if source not in bad]
            continue
        report.rows += rows
        report.files += len(rest)
        report.chunks += 1
        report.days |= {source.dt for source in rest}
        return


def _transaction(landing: Landing, chunk: list[Source]) -> int:
    load_id = str(uuid.uuid4())
    key = f"{MANIFESTS}{load_id}.json"
    landing.s3.put_object(Bucket=landing.bucket, Key=key, Body=manifest(landing.bucket, chunk))
    try:
        rows = landing.warehouse.batch(statements(landing, chunk, load_id, key))
    finally:
        landing.s3.delete_object(Bucket=landing.bucket, Key=key)
    return rows[_TAKE_OVER]


def manifest(bucket: str, chunk: Iterable[Source]) -> bytes:
    """What COPY is to read, with lengths, so that a file that changed meanwhile is refused."""
    parts = {key: size for source in chunk for key, size in source.parts}
    entries = [
        {"url": f"s3://{bucket}/{key}", "mandatory": True, "meta": {"content_length": size}}
        for key, size in sorted(parts.items())
    ]
    return json.dumps({"entries": entries}).encode()


_TAKE_OVER = 3  #: place of the INSERT in the batch


def statements(landing: Landing, chunk: list[Source], load_id: str, manifest_key: str) -> list[str]:
    """The transaction of a chunk."""
    schema, table = landing.schema, chunk[0].table
    days = sorted({source.dt for source in chunk})
    listed = ", ".join(column.name for column in columns(table))
    staged = ", ".join(f"s.{column.name}" for column in columns(table))
    log = ", ".join(f"({quoted(s.key)}, {quoted(s.table)}, {quoted(s.dt)}, {s.rows}, {quoted(load_id)})" for s in chunk)
    dates = ", ".join(f"({quoted(day)}, {quoted(load_id)})" for day in days)
    moved = any(source.parts[0][0] != source.key for source in chunk)
    once = " QUALIFY ROW_NUMBER() OVER (PARTITION BY s.event_id ORDER BY s.kafka_offset) = 1" if moved else ""
    in_days = f"d.ts >= {quoted(days[0])} AND d.ts < DATEADD(day, 1, {quoted(days[-1])}::date)"
    return [
        f"LOCK {schema}.load_file",
        f"CREATE TEMP TABLE stage (LIKE {schema}.{table})",
        f"COPY stage FROM {quoted(f's3://{landing.bucket}/{manifest_key}')} IAM_ROLE {quoted(landing.role_arn)} "
        "FORMAT AS PARQUET MANIFEST",
        f"INSERT INTO {schema}.{table} ({listed}) SELECT {staged} FROM stage s "
        f"LEFT JOIN {schema}.{table} d ON d.event_id = s.event_id AND {in_days} WHERE d.event_id IS NULL{once}",
        "CREATE TEMP TABLE files (s3_key VARCHAR(1024), table_name VARCHAR(64), dt DATE, file_rows BIGINT, "
        "load_id CHAR(36))",
        f"INSERT INTO files VALUES {log}",
        f"INSERT INTO {schema}.load_file (s3_key, table_name, dt, file_rows, load_id) "
        "SELECT f.s3_key, f.table_name, f.dt, f.file_rows, f.load_id FROM files f "
        f"LEFT JOIN {schema}.load_file l ON l.s3_key = f.s3_key WHERE l.s3_key IS NULL",
        f"INSERT INTO {schema}.star_day (dt, load_id) VALUES {dates}",
    ]


def forget(warehouse: Warehouse, schema: str, table: str, since: str | None) -> None:
    """Before a full load: rows and log entries of a table go in one transaction; DELETE, since TRUNCATE commits."""
    after = f" AND dt >= {quoted(since)}" if since else ""
    rows = f" WHERE ts >= {quoted(since)}" if since else ""
    warehouse.batch(
        [
            f"LOCK {schema}.load_file",
            f"DELETE FROM {schema}.{table}{rows}",
            f"DELETE FROM {schema}.load_file WHERE table_name = {quoted(table)}{after}",
        ]
    )


@dataclass(frozen=True)
class Difference:
    """A table and day whose rows differ between lake and warehouse."""

    table: str
    dt: str
    lake: int
    warehouse: int


def differences(
    warehouse: Warehouse, schema: str, sources: Iterable[Source], tables: Iterable[str]
) -> list[Difference]:
    """Compare counts per table and day with what the commit objects say."""
    wanted: dict[tuple[str, str], int] = {}
    for source in sources:
        wanted[source.table, source.dt] = wanted.get((source.table, source.dt), 0) + source.rows
    counts = " UNION ALL ".join(
        f"SELECT {quoted(table)} AS name, TRUNC(ts) AS dt, COUNT(*) AS events FROM {schema}.{table} GROUP BY 2"
        for table in tables
    )
    rows = warehouse.query(counts)[1] if counts else iter(())
    found = {(str(table), str(dt)): int(events) for table, dt, events in rows}
    keys = sorted({key for key in wanted.keys() | found.keys() if key[0] in set(tables)})
    return [
        Difference(*key, wanted.get(key, 0), found.get(key, 0))
        for key in keys
        if wanted.get(key, 0) != found.get(key, 0)
    ]


def require_complete(report: LoadReport, left: Sequence[Difference]) -> None:
    """Raises `ServiceError` that names the first file refused or day that differs."""
    if report.refused:
        key, text = report.refused[0]
        raise ServiceError(
            f"{len(report.refused)} files were not loaded; the first is {key}: {text.removeprefix('ERROR: ')}.",
            "All others are loaded. Mend or remove the file, then run: smartcity load",
        )
    if left:
        first = left[0]
        raise ServiceError(
            f"{first.table} of {first.dt} has {first.lake} rows in the lake and {first.warehouse} in the warehouse "
            f"({len(left)} such days).",
            f"Load that table anew with: smartcity load --table {first.table} --since {first.dt} --full",
        )
