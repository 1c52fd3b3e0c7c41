"""Many small files of a closed day become few large ones, by a switch in the catalog.

The large files are written to a prefix that nobody reads, compared with the small ones by rows and event ids, and then
one UpdatePartition points the day to them: a query sees the small files or the large ones, never both, never neither.
The small files stay until `collect` finds that no query can still be reading them. S3 cannot replace several objects
at once, so a reader of the plain listing has `lake/` until then, and `compacted/` afterwards; see docs/stream.md.
"""

from __future__ import annotations

import io
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smartcity import layout
from smartcity.errors import ServiceError
from smartcity.spark_job.commits import DataFile
from smartcity.spark_job.compaction import Compaction, copy_late, is_closed, read_compaction
from smartcity.spark_job.ids import Ids
from smartcity.spark_job.inventory import Inventory
from smartcity.spark_job.parse import lake_schema
from smartcity.spark_job.store import Bucket, Conflict

if TYPE_CHECKING:
    import pyarrow as pa

TARGET_BYTES = 128 << 20
#: A day with fewer files than this is left alone.
MIN_FILES = 2
#: How long after a switch small files are kept: longer than any query runs (Athena's limit is 30 minutes).
GRACE_S = 3600.0


@dataclass(frozen=True)
class Plan:
    """A day that is worth compacting."""

    table: str
    dt: str
    read: tuple[DataFile, ...]  #: files with the day's rows now
    sources: tuple[str, ...]  #: files of the lake that the new ones stand for
    bytes: int


def plan(inventory: Inventory, today: date, min_files: int = MIN_FILES) -> list[Plan]:
    """Closed days with several small files, and those whose compaction was broken off. Pure."""
    records = {(each.table, each.dt): each for each in inventory.compactions}
    days: dict[tuple[str, str], list[DataFile]] = {}
    for commit in inventory.commits:
        for file in commit.files:
            if is_closed(file.dt, today):
                days.setdefault((file.table, file.dt), []).append(file)
    found = (_plan_day(table, dt, files, records.get((table, dt)), min_files) for (table, dt), files in days.items())
    return sorted((day for day in found if day), key=lambda day: (day.table, day.dt))


def _plan_day(table: str, dt: str, files: list[DataFile], record: Compaction | None, min_files: int) -> Plan | None:
    """What to read for the day's next generation: large files where small ones may be gone, and what came since."""
    live = record.live if record else None
    old = set(live.sources) if live else set()
    fresh = [file for file in files if file.key not in old]
    unfinished = record is not None and record.state == "building"
    if len(fresh) < min_files and not unfinished:
        return None
    before = live.files if live and live.gone else [file for file in files if file.key in old]
    read = (*before, *fresh)
    return Plan(table, dt, read, tuple(sorted(old | {file.key for file in files})), sum(file.bytes for file in read))


def compact(
    bucket: Bucket, glue: Any, database: str, day: Plan, *, target_bytes: int = TARGET_BYTES, now: float | None = None
) -> Compaction:
    """Compact one day. Killed anywhere, it is begun anew or finished by the next call.

    Raises `ServiceError` when the catalog does not know the day, when somebody else compacts it, or when the large
    files would not hold the same events.
    """
    found = read_compaction(bucket, day.table, day.dt)
    record, tag = (found[0], found[1].etag) if found else (None, None)
    catalog = _Partition(glue, database, bucket.name, day.table, day.dt)
    if record is not None and record.state == "building" and catalog.points_to(record.prefix):
        return _switched(bucket, record, tag, now)
    live = record.live if record else None
    generation = uuid.uuid4().hex[:12]
    building = Compaction(day.table, day.dt, generation, "building", day.sources, (), base=live)
    tag = _record(bucket, building, tag)
    building = replace(building, files=_build(bucket, building, day, target_bytes))
    tag = _record(bucket, building, tag)
    for entry in bucket.entries(f"{layout.table_prefix(day.table)}dt={day.dt}/"):
        if entry.key not in day.sources:
            copy_late(bucket, entry.key, building)
    catalog.point_to(building.prefix)
    return _switched(bucket, building, tag, now)


def _switched(bucket: Bucket, building: Compaction, tag: str | None, now: float | None) -> Compaction:
    moment = time.time() if now is None else now
    gone = building.base.gone if building.base else ()
    done = replace(building, state="switched", switched_at=moment, gone=gone, base=None)
    _record(bucket, done, tag)
    return done


def _record(bucket: Bucket, compaction: Compaction, tag: str | None) -> str:
    try:
        return bucket.put(compaction.key, compaction.to_json(), absent=tag is None, etag=tag)
    except Conflict:
        raise ServiceError(
            f"Somebody else is compacting {compaction.table} of {compaction.dt}.", "Run only one compaction at a time."
        ) from None


def _build(bucket: Bucket, building: Compaction, day: Plan, target_bytes: int) -> tuple[DataFile, ...]:
    """Write the large files and compare them with the small ones."""
    files = []
    with tempfile.TemporaryDirectory(prefix="smartcity-compact-") as scratch:
        for number, group in enumerate(_groups(day.read, target_bytes)):
            key = f"{building.prefix}part-{number:05d}.parquet"
            files.append(_merge(bucket, group, key, Path(scratch, "part.parquet")))
    rows, wanted = sum(file.rows for file in files), sum(file.rows for file in day.read)
    if rows != wanted or _sum(file.ids for file in files) != _sum(file.ids for file in day.read):
        raise ServiceError(
            f"Compacting {day.table} of {day.dt} would give {rows:,} rows of {wanted:,}, or other events.",
            "Nothing was changed. See what is wrong with: smartcity verify",
        )
    return tuple(files)


def _sum(checksums: Iterator[str]) -> tuple[int, int]:
    """Checksums of several files as one: they add up, as each is a sum itself."""
    texts = list(checksums)
    return sum(int(t[:16], 16) for t in texts) % 2**64, sum(int(t[16:], 16) for t in texts) % 2**64


def _groups(files: tuple[DataFile, ...], target_bytes: int) -> Iterator[list[DataFile]]:
    group: list[DataFile] = []
    size = 0
    for file in files:
        if group and size + file.bytes > target_bytes:
            yield group
            group, size = [], 0
        group.append(file)
        size += file.bytes
    if group:
        yield group


def _merge(bucket: Bucket, group: list[DataFile], key: str, path: Path) -> DataFile:
    """One large file out of a group, with the memory of one small file and a row group."""
    import pyarrow.parquet as pq

    table, dt = group[0].table, group[0].dt
    schema = lake_schema(table)
    rows, parts = 0, []
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=_repeating(schema)) as writer:
        for waiting in _row_groups(bucket, group, schema):
            writer.write_table(waiting)
            rows += waiting.num_rows
            parts.append(_checksum(waiting))
    bucket.upload(key, path)
    hi, lo = _sum(iter(parts))
    return DataFile(key, table, dt, rows, path.stat().st_size, f"{hi:016x}{lo:016x}")


_ROW_GROUP = 250_000


def _row_groups(bucket: Bucket, group: list[DataFile], schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of some files in tables of a row group's size. Raises `ServiceError` if one is gone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    waiting: list[pa.Table] = []
    rows = 0
    for file in group:
        stored = bucket.get(file.key)
        if stored is None:
            raise ServiceError(f"File {file.key} is missing.", "See what is wrong with: smartcity verify")
        waiting.append(pq.read_table(io.BytesIO(stored.body), columns=schema.names).cast(schema))
        rows += waiting[-1].num_rows
        if rows >= _ROW_GROUP:
            yield pa.concat_tables(waiting)
            waiting, rows = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


def _checksum(table: pa.Table) -> str:
    return Ids.of_column(table.column("event_id")).checksum()


def _repeating(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if str(field.type) == "string" and field.name != "event_id"]


def collect(bucket: Bucket, glue: Any, database: str, grace_s: float = GRACE_S, now: float | None = None) -> int:
    """Delete small files whose day was switched long enough ago, and generations that nobody points to.

    Returns how many objects went. A day whose partition somebody pointed back to the lake is left alone.
    """
    moment = time.time() if now is None else now
    gone = 0
    live: set[str] = set()
    for entry in bucket.entries(layout.COMPACTIONS):
        table, dt = entry.key[len(layout.COMPACTIONS) :].removesuffix(".json").split("/")
        found = read_compaction(bucket, table, dt)
        if found is None:
            continue
        day, stored = found
        live.update(day.homes)
        if day.state == "building" or moment - day.switched_at < grace_s:
            continue
        if not _Partition(glue, database, bucket.name, table, dt).points_to(day.prefix):
            continue
        if day.state == "switched":
            _record(bucket, replace(day, state="retired", gone=day.sources), stored.etag)
        left = {each.key for each in bucket.entries(f"{layout.table_prefix(table)}dt={dt}/")}
        gone += bucket.delete(sorted(left & set(day.sources)))
    return gone + _collect_abandoned(bucket, live, moment - grace_s)


def _collect_abandoned(bucket: Bucket, live: set[str], before: float) -> int:
    """Delete what compactions that were given up, or replaced, have left."""
    dead = [
        entry.key
        for entry in bucket.entries(layout.COMPACTED)
        if entry.key.rpartition("/")[0] + "/" not in live and entry.modified.timestamp() < before
    ]
    return bucket.delete(dead)


class _Partition:
    """A day in Glue's catalog."""

    def __init__(self, glue: Any, database: str, bucket: str, table: str, dt: str) -> None:
        self._glue = glue
        self._where = {"DatabaseName": database, "TableName": table}
        self._bucket, self._table, self._dt = bucket, table, dt

    def _get(self) -> dict[str, Any]:
        try:
            answer = self._glue.get_partition(**self._where, PartitionValues=[self._dt])
        except self._glue.exceptions.EntityNotFoundException:
            raise ServiceError(
                f"The catalog does not know {self._table} of {self._dt}.", "Make it known with: smartcity crawl"
            ) from None
        partition: dict[str, Any] = answer["Partition"]
        return partition

    def points_to(self, prefix: str) -> bool:
        """Whether the day's rows are read from this prefix."""
        location: str = self._get()["StorageDescriptor"]["Location"]
        return location.rstrip("/") == f"s3://{self._bucket}/{prefix}".rstrip("/")

    def point_to(self, prefix: str) -> None:
        """Read the day's rows from this prefix: one call, one moment."""
        partition = self._get()
        descriptor = {**partition["StorageDescriptor"], "Location": f"s3://{self._bucket}/{prefix}"}
        kept: dict[str, Any] = {name: partition[name] for name in ("Values", "Parameters") if name in partition}
        wanted = {**kept, "StorageDescriptor": descriptor}
        self._glue.update_partition(**self._where, PartitionValueList=[self._dt], PartitionInput=wanted)


def compact_all(
    bucket: Bucket,
    glue: Any,
    database: str,
    today: date,
    *,
    min_files: int = MIN_FILES,
    target_bytes: int = TARGET_BYTES,
    on_day: Callable[[Plan, Compaction], None] = lambda _plan, _done: None,
) -> list[Compaction]:
    """Compact every closed day that is worth it."""
    done = []
    for day in plan(Inventory.read(bucket), today, min_files):
        done.append(compact(bucket, glue, database, day, target_bytes=target_bytes))
        on_day(day, done[-1])
    return done
