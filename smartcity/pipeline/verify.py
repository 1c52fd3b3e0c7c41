"""Is what was produced what is stored? Ledger, brokers, commit objects, files and rows, compared event by event.

    produced (the producers' ledger) = stored + quarantined + duplicates dropped        by event id and by place

Every difference is a sentence; the first one names where to look.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from smartcity import layout
from smartcity.errors import DataLoss
from smartcity.events import TOPICS
from smartcity.spark_job.ids import Ids, Segment, repeated
from smartcity.spark_job.inventory import FileRows, Inventory, place, read_rows
from smartcity.spark_job.lease import Lease

if TYPE_CHECKING:
    import pyarrow as pa

    from smartcity.spark_job.commits import Commit, DataFile
    from smartcity.spark_job.source import Offsets
    from smartcity.spark_job.store import Bucket

#: A hundred differences of one kind are one fault; this many are spelled out.
_SHOWN = 3


@dataclass(frozen=True)
class TopicCheck:
    """What became of a topic's produced events."""

    topic: str
    produced: int = 0
    stored: int = 0
    quarantined: int = 0
    duplicates: int = 0
    waiting: int = 0  #: acknowledged by the brokers, not yet read by the stream
    lost: int = 0
    unledgered: int = 0  #: in the lake, but in no producer's ledger (only where everything was compared)

    @property
    def complete(self) -> bool:
        """Whether every produced event is accounted for."""
        return self.produced == self.stored + self.quarantined + self.duplicates


@dataclass(frozen=True)
class Verification:
    """The outcome: `differences` is empty if all is well."""

    topics: tuple[TopicCheck, ...]
    differences: tuple[str, ...]
    commits: int
    files: int
    rows: int
    seconds: float
    trip_id: str | None = None

    @property
    def ok(self) -> bool:
        """Nothing lost, nothing twice, nothing left half done."""
        return not self.differences

    def require(self) -> None:
        """Raise `DataLoss` with the first difference, if there is one."""
        if self.differences:
            more = len(self.differences) - 1
            raise DataLoss(
                self.differences[0] + (f" ({more} more such differences)" if more else ""),
                "Read on with: smartcity stream --once; clear up after a crash with: smartcity verify --repair",
            )


def repair(bucket: Bucket, register: Callable[[frozenset[tuple[str, str]]], object]) -> Iterator[str]:
    """Finish what a crash left half done, and say what was done.

    Files of batches that never finished are deleted (a stream that resumes such a batch writes them again), and every
    partition with rows is made known to the catalog once more. Raises `ServiceError` while a stream is running.
    """
    leases = [Lease(bucket, name) for name in _streams(bucket)]
    try:
        for lease in leases:
            lease.take()
        inventory = Inventory.read(bucket)
        leftovers = inventory.leftovers()
        bucket.delete(leftovers)
        if leftovers:
            yield f"{len(leftovers)} files of unfinished batches deleted, the first being {leftovers[0]}"
        days = frozenset((file.table, file.dt) for commit in inventory.commits for file in commit.files)
        if days:
            register(days)
            yield f"{len(days)} partitions made known to the catalog"
    finally:
        for lease in leases:
            lease.release()


def _streams(bucket: Bucket) -> list[str]:
    return [entry.key[len(layout.LEASES) :].removesuffix(".json") for entry in bucket.entries(layout.LEASES)]


@dataclass
class _Topic:
    """One topic's share of the ledger, and of the lake as far as it was read."""

    places: list[Any] = field(default_factory=list)
    ids: list[Ids] = field(default_factory=list)
    lake: list[FileRows] = field(default_factory=list)
    quarantine: list[FileRows] = field(default_factory=list)


def verify(
    bucket: Bucket, ledger: Iterable[pa.RecordBatch], *, ends: Offsets | None = None, trip_id: str | None = None
) -> Verification:
    """Compare everything, or what concerns one trip. `ends` is how far the brokers are, if they were asked."""
    began = time.monotonic()
    inventory = Inventory.read(bucket)
    topics = _read_ledger(ledger, trip_id)
    commits = inventory.commits if trip_id is None else _touching(inventory.commits, topics)
    differences = [*_check_broker(topics, ends), *_check_commits(inventory.commits), *_check_files(inventory, trip_id)]
    files = inventory.lake_files(commits)
    quarantine = [file for commit in commits for file in commit.quarantine]
    known = {rows.file.key for rows in _read_lake(bucket, topics, [*files, *quarantine], differences)}
    if trip_id is not None and any(_unfound(topic).any() for topic in topics.values()):
        rest = [file for file in inventory.lake_files(inventory.commits) if file.key not in known]
        known |= {rows.file.key for rows in _read_lake(bucket, topics, rest, differences)}
    done = _committed(inventory.commits)
    checks = tuple(_check_topic(name, topics[name], done, trip_id is None, differences) for name in sorted(topics))
    rows = sum(len(each.places) for topic in topics.values() for each in topic.lake)
    seconds = time.monotonic() - began
    return Verification(checks, tuple(differences), len(commits), len(known), rows, seconds, trip_id)


def _read_ledger(ledger: Iterable[pa.RecordBatch], trip_id: str | None) -> dict[str, _Topic]:
    """The ledger by topic, 32 bytes per event."""
    import pyarrow.compute as pc

    topics: dict[str, _Topic] = {name: _Topic() for name in TOPICS}
    for batch in ledger:
        mine = batch if trip_id is None else batch.filter(pc.equal(batch.column("trip_id"), trip_id))
        for name in pc.unique(mine.column("topic")).to_pylist():
            some = mine.filter(pc.equal(mine.column("topic"), name))
            topic = topics.setdefault(name, _Topic())
            topic.places.append(place(some.column("partition").to_numpy(), some.column("offset").to_numpy()))
            topic.ids.append(Ids.of_column(some.column("event_id")))
    return topics


def _joined(topic: _Topic) -> tuple[Any, Ids]:
    places = np.concatenate(topic.places) if topic.places else np.empty(0, np.int64)
    return places, Ids.concat(topic.ids)


def _touching(commits: list[Commit], topics: Mapping[str, _Topic]) -> list[Commit]:
    """Commits whose offsets hold any event of the ledger's rows."""
    return [commit for commit in commits if any(_touches(commit, name, topic) for name, topic in topics.items())]


def _touches(commit: Commit, name: str, topic: _Topic) -> bool:
    places, _ = _joined(topic)
    for partition, (start, end) in commit.offsets.get(name, {}).items():
        low, high = place(np.array([partition, partition]), np.array([start, end]))
        if start < end and ((places >= low) & (places < high)).any():
            return True
    return False


def _read_lake(
    bucket: Bucket, topics: dict[str, _Topic], files: Iterable[DataFile], differences: list[str]
) -> Iterator[FileRows]:
    """Read files' rows into their topics, and compare each file with its commit object."""
    for rows in read_rows(bucket, files):
        file, topic = rows.file, topics.setdefault(rows.file.table, _Topic())
        (topic.lake if file.ids else topic.quarantine).append(rows)
        if len(rows.places) != file.rows:
            differences.append(f"File {file.key} has {len(rows.places):,} rows, its commit object says {file.rows:,}.")
        elif file.ids and rows.ids.checksum() != file.ids:
            differences.append(f"File {file.key} holds other event ids than its commit object says.")
        yield rows


def _check_broker(topics: Mapping[str, _Topic], ends: Offsets | None) -> Iterator[str]:
    """Acknowledged events must exist at the brokers."""
    for name, topic in topics.items() if ends is not None else ():
        places, _ = _joined(topic)
        for partition, end in (ends or {}).get(name, {}).items():
            low, high = place(np.array([partition, partition + 1]), np.array([end, 0]))
            gone = int(((places >= low) & (places < high)).sum())
            if gone:
                yield (
                    f"{gone:,} events of {name}, partition {partition}, were acknowledged from offset {end:,} on, "
                    "where the brokers end: they lost them, or the topic was created again."
                )


def _check_commits(commits: list[Commit]) -> Iterator[str]:
    """Batches follow each other without a gap, and read = stored + quarantined + duplicates."""
    before: Commit | None = None
    for commit in sorted(commits, key=lambda each: (each.query_id, each.batch_id)):
        if before is not None and before.query_id == commit.query_id:
            yield from _check_follows(before, commit)
        for name, counts in commit.topics.items():
            if counts.read != counts.stored + counts.quarantined + counts.duplicates:
                yield f"Commit object {commit.key}: the figures of {name} do not add up."
        for name, parts in commit.offsets.items():
            span = sum(end - start for start, end in parts.values())
            read = commit.topics[name].read if name in commit.topics else 0
            if span != read:
                yield f"Batch {commit.batch_id} stands for {span:,} offsets of {name}, but read {read:,} records."
        before = commit


def _check_follows(before: Commit, commit: Commit) -> Iterator[str]:
    if commit.batch_id != before.batch_id + 1:
        yield f"The commit object of batch {before.batch_id + 1} of query {commit.query_id} is missing."
        return
    for name, parts in commit.offsets.items():
        for partition, (start, _) in parts.items():
            end = before.offsets.get(name, {}).get(partition, (0, 0))[1]
            if start != end:
                yield (
                    f"Batch {commit.batch_id} begins at offset {start:,} of {name}, partition {partition}; "
                    f"the one before ended at {end:,}."
                )


def _check_files(inventory: Inventory, trip_id: str | None) -> Iterator[str]:
    """Every committed file is there in its size, and there is no other."""
    gone = inventory.gone
    for commit in inventory.commits:
        for file in (*commit.files, *commit.quarantine):
            size = inventory.sizes.get(file.key)
            if size is None and file.key not in gone:
                yield f"File {file.key} of batch {commit.batch_id} is missing."
            elif size is not None and size != file.bytes:
                yield f"File {file.key} has {size:,} bytes, its commit object says {file.bytes:,}."
    if trip_id is None:
        leftovers = inventory.leftovers()
        if leftovers:
            yield (
                f"File {leftovers[0]} belongs to no finished batch"
                + (f", nor do {len(leftovers) - 1} others." if len(leftovers) > 1 else ".")
            )


def _committed(commits: list[Commit]) -> dict[str, dict[int, int]]:
    """How far any stream has come."""
    done: dict[str, dict[int, int]] = {}
    for commit in commits:
        for name, parts in commit.offsets.items():
            for partition, (_, end) in parts.items():
                ends = done.setdefault(name, {})
                ends[partition] = max(end, ends.get(partition, 0))
    return done


def _found(topic: _Topic) -> tuple[Any, Any, Any]:
    """Per ledger row: the lake row with its id (or -1), whether that is its own place, whether it is quarantined.

    An event that was acknowledged without its offset takes any place as its own.
    """
    places, ids = _joined(topic)
    lake_places = np.concatenate([rows.places for rows in topic.lake]) if topic.lake else np.empty(0, np.int64)
    lake = Segment.of(Ids.concat([rows.ids for rows in topic.lake]), np.arange(len(lake_places), dtype=np.uint32))
    at = lake.stored_at(ids)
    in_lake = at >= 0
    own = np.zeros(len(places), np.bool_)
    own[in_lake] = (lake_places[at[in_lake]] == places[in_lake]) | (places[in_lake] < 0)
    refused = np.concatenate([rows.places for rows in topic.quarantine]) if topic.quarantine else np.empty(0, np.int64)
    return at, own, ~own & np.isin(places, refused)  # also where a replay has brought its id into the lake since


def _unfound(topic: _Topic) -> Any:
    at, _, quarantined = _found(topic)
    return ~((at >= 0) | quarantined)


def _check_topic(
    name: str, topic: _Topic, done: Mapping[str, Mapping[int, int]], everything: bool, differences: list[str]
) -> TopicCheck:
    """Account for each event of the ledger; add what does not fit to `differences`."""
    places, ids = _joined(topic)
    at, own, quarantined = _found(topic)
    rest = ~((at >= 0) | quarantined)
    waiting = rest & _beyond(places, done.get(name, {}))
    lost = rest & ~waiting
    lake_ids = Ids.concat([rows.ids for rows in topic.lake])
    twice = repeated(lake_ids)
    stored = len(np.unique(at[own]))  # one lake row accounts for one produced event
    duplicates = int(((at >= 0) & ~quarantined).sum()) - stored
    unledgered = 0
    if everything and len(lake_ids):
        unledgered = int((Segment.of(ids, 0).stored_at(lake_ids) < 0).sum())
    differences.extend(_sentences(name, "is neither stored nor quarantined", places[lost], ids.take(lost)))
    doubled = lake_ids.take(twice)
    differences.extend(_sentences(name, "is in the lake twice", None, doubled))
    if waiting.any():
        differences.append(
            f"{int(waiting.sum()):,} events of {name} wait at the brokers; the stream has not read them."
        )
    return TopicCheck(
        topic=name,
        produced=len(places),
        stored=stored,
        quarantined=int(quarantined.sum()),
        duplicates=duplicates,
        waiting=int(waiting.sum()),
        lost=int(lost.sum()),
        unledgered=unledgered,
    )


def _beyond(places: Any, done: Mapping[int, int]) -> Any:
    """Which places lie beyond what was committed of their partition; a place unknown does not."""
    places = np.maximum(places, 0)
    partition, offset = places >> 48, places & ((1 << 48) - 1)
    limit = np.array([done.get(int(p), 0) for p in range(int(partition.max(initial=-1)) + 1)], np.int64)
    return offset >= limit[partition] if len(places) else np.zeros(0, np.bool_)


def _sentences(name: str, fault: str, places: Any, ids: Ids) -> Iterator[str]:
    for row in range(min(len(ids), _SHOWN)):
        event = uuid.UUID(int=(int(ids.hi[row]) << 64) | int(ids.lo[row]))
        where = "" if places is None else f" (partition {places[row] >> 48}, offset {places[row] & ((1 << 48) - 1)})"
        yield f"Event {event} of {name}{where} {fault}."
    if len(ids) > _SHOWN:
        yield f"Another {len(ids) - _SHOWN:,} events of {name}: the same."
