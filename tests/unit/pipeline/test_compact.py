from __future__ import annotations

import io
from collections import Counter
from datetime import date
from typing import Any

import pyarrow.parquet as pq
import pytest

from smartcity.errors import ServiceError
from smartcity.pipeline.compact import Plan, collect, compact, compact_all, plan
from smartcity.pipeline.verify import verify
from smartcity.spark_job.commits import read_commit
from smartcity.spark_job.compaction import read_compaction
from smartcity.spark_job.inventory import Inventory
from smartcity.spark_job.parse import parse_records
from smartcity.spark_job.publish import Batch
from tests.unit.spark_job.fakes import Killed, MemoryBucket
from tests.unit.spark_job.records import event, records, value
from tests.unit.spark_job.test_publish import QUERY, T0_MS, publisher

TODAY = date(2026, 11, 24)
DAY = "2026-03-01"
HOME = "s3://memory/lake/vehicle/dt=2026-03-01/"


class EntityNotFound(Exception):
    pass


class FakeGlue:
    """One partition, and what a query reads of it."""

    class exceptions:
        EntityNotFoundException = EntityNotFound

    def __init__(self, bucket: MemoryBucket) -> None:
        self.bucket = bucket
        self.partition: dict[str, Any] = {"Values": [DAY], "StorageDescriptor": {"Location": HOME, "Columns": []}}
        self.die_at_switch = ""
        self.readings: list[Counter[str]] = []

    def get_partition(self, **where: Any) -> dict[str, Any]:
        if where["PartitionValues"] != [DAY]:
            raise EntityNotFound
        return {"Partition": self.partition}

    def update_partition(self, **request: Any) -> None:
        if self.die_at_switch == "before":
            raise Killed
        self.partition = request["PartitionInput"]
        if self.die_at_switch == "after":
            raise Killed

    def query(self) -> Counter[str]:
        """Event ids as Athena would see them: every file below the partition's location."""
        prefix = self.partition["StorageDescriptor"]["Location"].removeprefix("s3://memory/")
        found: Counter[str] = Counter()
        for entry in self.bucket.entries(prefix):
            table = pq.read_table(io.BytesIO(self.bucket.objects[entry.key][0]))
            found.update(table.column("event_id").to_pylist())
        return found


class WatchedBucket(MemoryBucket):
    """Lets a query run after every write."""

    glue: FakeGlue | None = None

    def _write(self) -> bool:
        dying = super()._write()
        if self.glue is not None:
            self.glue.readings.append(self.glue.query())
        return dying


def stored(bucket: MemoryBucket, first: int, count: int, batch: int) -> None:
    mine = publisher(bucket)
    some = [value(sequence=n) for n in range(first, first + count)]
    one = Batch(QUERY, batch, T0_MS + batch, {"vehicle": {0: (first, first + count)}})
    mine.publish(one, parse_records(records(some, offset=first)))


def expected(count: int) -> Counter[str]:
    return Counter(event(sequence=n)["event_id"] for n in range(count))


@pytest.fixture
def bucket() -> WatchedBucket:
    made = WatchedBucket()
    for batch in range(5):
        stored(made, batch * 4, 4, batch)
    return made


@pytest.fixture
def glue(bucket: WatchedBucket) -> FakeGlue:
    made = FakeGlue(bucket)
    bucket.glue = made
    return made


def only_plan(bucket: MemoryBucket) -> Plan:
    plans = plan(Inventory.read(bucket), TODAY)
    assert [(each.table, each.dt) for each in plans] == [("vehicle", DAY)]
    return plans[0]


def test_only_closed_days_with_several_files_are_worth_it(bucket: WatchedBucket) -> None:
    inventory = Inventory.read(bucket)
    assert len(only_plan(bucket).read) == 5
    assert plan(inventory, date(2026, 3, 2)) == []
    assert plan(inventory, date(2026, 3, 3)) != []
    assert plan(inventory, TODAY, min_files=6) == []


def test_small_files_become_one_and_every_query_meanwhile_sees_each_row_once(
    bucket: WatchedBucket, glue: FakeGlue
) -> None:
    done = compact_all(bucket, glue, "smartcity", TODAY)
    assert [(len(each.files), each.rows) for each in done] == [(1, 20)]
    assert glue.partition["StorageDescriptor"]["Location"] == f"s3://memory/{done[0].prefix}"
    assert glue.query() == expected(20)
    assert glue.readings
    assert all(reading == expected(20) for reading in glue.readings)
    assert compact_all(bucket, glue, "smartcity", TODAY) == []


def test_files_keep_to_the_target_size(bucket: WatchedBucket, glue: FakeGlue) -> None:
    day = only_plan(bucket)
    done = compact(bucket, glue, "smartcity", day, target_bytes=2 * day.read[0].bytes + 100)
    assert [file.rows for file in done.files] == [8, 8, 4]


def test_small_files_go_when_no_query_can_read_them_and_verify_knows(bucket: WatchedBucket, glue: FakeGlue) -> None:
    compact(bucket, glue, "smartcity", only_plan(bucket), now=1000.0)
    assert collect(bucket, glue, "smartcity", grace_s=600, now=1500.0) == 0
    assert collect(bucket, glue, "smartcity", grace_s=600, now=1700.0) == 5
    assert bucket.lake() == Counter()
    assert glue.query() == expected(20)
    assert verify(bucket, []).differences == ()
    assert verify(bucket, []).rows == 20


def test_a_day_that_somebody_pointed_back_keeps_its_small_files(bucket: WatchedBucket, glue: FakeGlue) -> None:
    compact(bucket, glue, "smartcity", only_plan(bucket), now=1000.0)
    glue.partition["StorageDescriptor"]["Location"] = HOME
    assert collect(bucket, glue, "smartcity", now=1e6) == 0
    assert glue.query() == expected(20)


def test_late_rows_are_seen_at_once_and_go_into_the_next_generation(bucket: WatchedBucket, glue: FakeGlue) -> None:
    compact(bucket, glue, "smartcity", only_plan(bucket), now=1000.0)
    stored(bucket, 20, 4, 5)
    assert glue.query() == expected(24)
    collect(bucket, glue, "smartcity", now=1e6)
    stored(bucket, 24, 4, 6)
    assert glue.query() == expected(28)
    assert verify(bucket, []).ok
    again = compact_all(bucket, glue, "smartcity", TODAY)
    assert [each.rows for each in again] == [28]
    assert glue.query() == expected(28)
    collect(bucket, glue, "smartcity", now=1e12)
    assert glue.query() == expected(28)
    assert bucket.lake() == Counter()
    assert (verify(bucket, []).ok, verify(bucket, []).rows) == (True, 28)


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
def test_killed_at_any_write_it_is_finished_by_the_next_run(after: bool) -> None:
    for at in range(40):
        bucket = WatchedBucket()
        for batch in range(3):
            stored(bucket, batch * 4, 4, batch)
        glue = bucket.glue = FakeGlue(bucket)
        start = bucket.writes
        bucket.die_at, bucket.die_after_write = start + at, after
        try:
            _whole_life(bucket, glue)
        except Killed:
            bucket.die_at = None
            _whole_life(bucket, glue)
        else:
            assert at > 8
            break
        assert all(reading in (expected(12), expected(16)) for reading in glue.readings)
        assert glue.query() == expected(16)
        assert verify(bucket, []).differences == ()


def _whole_life(bucket: MemoryBucket, glue: FakeGlue) -> None:
    """Compact, store something late, compact again, collect."""
    compact_all(bucket, glue, "smartcity", TODAY)
    if read_commit(bucket, QUERY, 3) is None:
        stored(bucket, 12, 4, 3)
    compact_all(bucket, glue, "smartcity", TODAY, min_files=1)
    collect(bucket, glue, "smartcity", now=1e12)


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_the_switch_itself(bucket: WatchedBucket, glue: FakeGlue, when: str) -> None:
    glue.die_at_switch = when
    with pytest.raises(Killed):
        compact_all(bucket, glue, "smartcity", TODAY)
    assert glue.query() == expected(20)
    glue.die_at_switch = ""
    stored(bucket, 20, 4, 5)
    assert glue.query() == expected(24)
    compact_all(bucket, glue, "smartcity", TODAY, min_files=1)
    assert glue.query() == expected(24)
    found = read_compaction(bucket, "vehicle", DAY)
    assert found is not None
    assert found[0].state == "switched"


def test_files_that_disagree_with_their_commit_objects_are_not_compacted(bucket: WatchedBucket, glue: FakeGlue) -> None:
    day = only_plan(bucket)
    bucket.objects[day.sources[0]] = bucket.objects[day.sources[1]]
    with pytest.raises(ServiceError, match="or other events"):
        compact(bucket, glue, "smartcity", day)
    assert glue.partition["StorageDescriptor"]["Location"] == HOME


def test_a_day_that_the_catalog_does_not_know_is_refused(bucket: WatchedBucket, glue: FakeGlue) -> None:
    day = only_plan(bucket)
    with pytest.raises(ServiceError, match="does not know vehicle of 2020-01-01"):
        compact(bucket, glue, "smartcity", Plan("vehicle", "2020-01-01", day.read, day.sources, 0))


def test_two_compactions_of_one_day_do_not_meet(bucket: WatchedBucket, glue: FakeGlue) -> None:
    day = only_plan(bucket)

    real_upload = bucket.upload

    def upload(key: str, path: Any) -> None:
        bucket.upload = real_upload  # type: ignore[method-assign]
        compact(bucket, glue, "smartcity", day)
        real_upload(key, path)

    bucket.upload = upload  # type: ignore[method-assign]
    with pytest.raises(ServiceError, match="Somebody else"):
        compact(bucket, glue, "smartcity", day)
    assert glue.query() == expected(20)
