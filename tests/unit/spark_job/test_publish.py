from __future__ import annotations

import io
from collections import Counter
from typing import Any

import pyarrow.parquet as pq
import pytest

from smartcity.errors import ServiceError
from smartcity.events import event_id
from smartcity.spark_job import idlog
from smartcity.spark_job.commits import Commit, Counts, list_batches, read_commit, read_commits
from smartcity.spark_job.idlog import IdLog, recall
from smartcity.spark_job.parse import lake_schema, parse_records
from smartcity.spark_job.publish import Batch, Publisher, new_memory
from tests.unit.spark_job.fakes import Killed, MemoryBucket
from tests.unit.spark_job.records import records, value

QUERY = "0123456789abcdef"
HORIZON_S = 3600.0
T0_MS = 1_795_478_400_000  # the bucket's clock: 2026-11-24

#: Two batches over two topics and two days, with junk, a duplicate within a batch and one across batches.
BATCHES = [
    (
        {"vehicle": {0: (0, 4)}, "gps": {0: (0, 2)}},
        [
            (
                "vehicle",
                0,
                [value(sequence=0), b"junk", value(sequence=1, ts="2026-03-02T00:00:00.000Z"), value(sequence=0)],
            ),
            ("gps", 0, [value("gps", 0), value("gps", 1)]),
        ],
    ),
    (
        {"vehicle": {0: (4, 7)}, "gps": {0: (2, 2)}},
        [("vehicle", 4, [value(sequence=1, ts="2026-03-02T00:00:00.000Z"), value(sequence=2), value(sequence=3)])],
    ),
]
EXPECTED = Counter(
    [*(event_id("trip-1", "vehicle", i) for i in range(4)), *(event_id("trip-1", "gps", i) for i in range(2))]
)


def batch(number: int) -> Batch:
    return Batch(QUERY, number, T0_MS + number * 1000, BATCHES[number][0])


def parsed(number: int) -> list[Any]:
    return [p for topic, offset, some in BATCHES[number][1] for p in parse_records(records(some, topic, 0, offset))]


def publisher(bucket: MemoryBucket, **options: Any) -> Publisher:
    """As a starting stream makes it: everything it knows comes from the bucket."""
    memory, log = new_memory(HORIZON_S), IdLog(bucket, QUERY)
    recall(bucket, HORIZON_S, bucket.now.timestamp(), memory, log)
    last = max(list_batches(bucket, QUERY), default=None)
    commit = None if last is None else read_commit(bucket, QUERY, last)
    return Publisher(bucket, log, memory, last=commit, threads=1, **options)


def run(bucket: MemoryBucket, spark_committed: int = -1, **options: Any) -> list[Commit]:
    """A stream from the batch after the last one that Spark knows as done."""
    mine = publisher(bucket, **options)
    try:
        return [
            mine.already(batch(n)) or mine.publish(batch(n), parsed(n))
            for n in range(spark_committed + 1, len(BATCHES))
        ]
    finally:
        mine.close()


def test_a_batch_becomes_one_file_per_table_and_day_and_one_commit_object() -> None:
    bucket = MemoryBucket()
    first, second = run(bucket)
    assert sorted(file.key for file in first.files) == [
        "lake/gps/dt=2026-03-01/01234567-000000000-000.parquet",
        "lake/vehicle/dt=2026-03-01/01234567-000000000-000.parquet",
        "lake/vehicle/dt=2026-03-02/01234567-000000000-000.parquet",
    ]
    assert [file.dt for file in first.quarantine] == ["2026-09-21"]
    assert first.topics == {"vehicle": Counts(4, 2, 1, 1, 1), "gps": Counts(2, 2, 0, 0, 0)}
    assert second.topics == {"vehicle": Counts(3, 2, 0, 1, 2)}
    assert bucket.lake() == EXPECTED
    assert read_commits(bucket) == [first, second]
    for file in (*first.files, *second.files):
        table = pq.read_table(io.BytesIO(bucket.objects[file.key][0]))
        assert table.schema.equals(lake_schema(file.table))
        assert (table.num_rows, len(bucket.objects[file.key][0])) == (file.rows, file.bytes)


def test_a_replay_writes_the_same_bytes() -> None:
    one, two = MemoryBucket(), MemoryBucket()
    run(one)
    run(two)
    assert {k: v[0] for k, v in one.objects.items()} == {k: v[0] for k, v in two.objects.items()}


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("spark_remembers", [False, True])
def test_killed_at_any_write_and_run_again_nothing_is_lost_or_doubled(after: bool, spark_remembers: bool) -> None:
    undisturbed = MemoryBucket()
    run(undisturbed)
    for at in range(undisturbed.writes):
        bucket = MemoryBucket()
        bucket.die_at, bucket.die_after_write = at, after
        with pytest.raises(Killed):
            run(bucket)
        assert all(times == 1 for times in bucket.lake().values())
        bucket.die_at = None
        committed = max(list_batches(bucket, QUERY), default=-1)
        run(bucket, committed if spark_remembers else max(committed - 1, -1))
        assert bucket.lake() == EXPECTED
        assert {k: v[0] for k, v in bucket.objects.items()} == {k: v[0] for k, v in undisturbed.objects.items()}


def test_what_an_earlier_attempt_left_beyond_the_plan_is_removed() -> None:
    bucket = MemoryBucket()
    mine = f"lake/vehicle/dt=2020-01-01/{batch(0).file}"
    other = "lake/vehicle/dt=2020-01-01/ffffffff-000000000-000.parquet"
    later = "lake/vehicle/dt=2020-01-01/01234567-000000010-000.parquet"
    for key in (mine, other, later):
        bucket.put(key, b"left")
    publisher(bucket).publish(batch(0), parsed(0))
    assert mine not in bucket.objects
    assert other in bucket.objects
    assert later in bucket.objects


def test_a_commit_of_the_same_batch_with_other_offsets_is_refused() -> None:
    bucket = MemoryBucket()
    run(bucket)
    forged = Batch(QUERY, 1, T0_MS, {"vehicle": {0: (4, 999)}})
    with pytest.raises(ServiceError, match="other offsets"):
        publisher(bucket).already(forged)


def test_two_attempts_of_one_batch_at_the_same_time_agree() -> None:
    bucket = MemoryBucket()
    one, two = publisher(bucket), publisher(bucket)
    assert one.publish(batch(0), parsed(0)) == two.publish(batch(0), parsed(0))
    assert len(read_commits(bucket)) == 1


def test_partitions_are_announced_before_the_commit_and_only_once() -> None:
    bucket = MemoryBucket()
    told: list[set[tuple[str, str]]] = []

    def register(partitions: frozenset[tuple[str, str]]) -> None:
        assert read_commit(bucket, QUERY, len(told)) is None
        told.append(set(partitions))

    run(bucket, register=register)
    assert told == [
        {("vehicle", "2026-03-01"), ("vehicle", "2026-03-02"), ("gps", "2026-03-01")},
    ]


def test_ids_are_remembered_across_starts_roll_ups_and_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idlog, "ROLL", 3)
    bucket = MemoryBucket()
    for n in range(8):
        mine = publisher(bucket)
        one = Batch(QUERY, n, T0_MS, {"vehicle": {0: (n, n + 1)}})
        mine.publish(one, parse_records(records([value(sequence=n)], offset=n)))
    names = [entry.key.rpartition("/")[2] for entry in bucket.entries("commits/")]
    assert [name for name in names if name.endswith(".arrow")] == [
        "000000000-000000002.arrow",
        "000000003-000000005.arrow",
        "000000006-000000006.arrow",
        "000000007-000000007.arrow",
    ]
    memory = new_memory(HORIZON_S)
    assert recall(bucket, HORIZON_S, bucket.now.timestamp(), memory, IdLog(bucket, "another query")) == 8


def test_ids_of_a_batch_that_never_finished_do_not_count() -> None:
    bucket = MemoryBucket()
    run(bucket)
    del bucket.objects[f"commits/{QUERY}/000000001.json"]
    memory = new_memory(HORIZON_S)
    assert recall(bucket, HORIZON_S, bucket.now.timestamp(), memory, IdLog(bucket, QUERY)) == 4


def test_an_id_beyond_the_horizon_is_stored_again() -> None:
    bucket = MemoryBucket()
    mine = publisher(bucket)
    for n, at_ms in enumerate((T0_MS, T0_MS + 1000 * int(HORIZON_S), T0_MS + 2 * 1000 * int(HORIZON_S) + 1000)):
        one = Batch(QUERY, n, at_ms, {"vehicle": {0: (n, n + 1)}})
        commit = mine.publish(one, parse_records(records([value()], offset=n)))
        assert commit.total.stored == (0 if n == 1 else 1)


def test_a_failed_write_raises_and_a_repeat_succeeds() -> None:
    class Shaky(MemoryBucket):
        broken = True

        def put(self, key: str, body: bytes, *, absent: bool = False, etag: str | None = None) -> str:
            if self.broken and key.startswith("lake/gps"):
                raise OSError("no space left")
            return super().put(key, body, absent=absent, etag=etag)

    bucket = Shaky()
    mine = publisher(bucket)
    with pytest.raises(OSError, match="no space"):
        mine.publish(batch(0), parsed(0))
    assert read_commits(bucket) == []
    bucket.broken = False
    mine.publish(batch(0), parsed(0))
    mine.publish(batch(1), parsed(1))
    assert bucket.lake() == EXPECTED


def test_absurd_broker_times_do_not_stop_the_quarantine() -> None:
    bucket = MemoryBucket()
    junk = records([b"junk", b"more"])
    column = junk.schema.get_field_index("kafka_timestamp")
    for at_us in (-(2**62), 2**62):
        stamps = [at_us, at_us]
        odd = junk.set_column(column, junk.schema.field(column), _timestamps(stamps))
        publisher(bucket).publish(Batch(QUERY, 0, T0_MS, {"vehicle": {0: (0, 2)}}), parse_records(odd))
        bucket.objects.pop(f"commits/{QUERY}/000000000.json")


def _timestamps(at_us: list[int]) -> Any:
    import pyarrow as pa

    return pa.array(at_us, pa.int64()).cast(pa.timestamp("us", "UTC"))
