from __future__ import annotations

import io
import uuid
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from smartcity.errors import DataLoss, ServiceError
from smartcity.events import event_id
from smartcity.pipeline.verify import Verification, repair, verify
from smartcity.spark_job.lease import Holder, Lease
from tests.unit.spark_job.fakes import MemoryBucket
from tests.unit.spark_job.test_publish import BATCHES, QUERY, batch, parsed, publisher, run

LEDGER_SCHEMA = pa.schema(
    [
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("event_id", pa.binary(16)),
        ("trip_id", pa.string()),
    ]
)
#: (topic, offset, sequence) of everything that spark_job.test_publish.BATCHES holds
PRODUCED = [
    *(("vehicle", offset, sequence) for offset, sequence in enumerate([0, 90, 1, 0, 1, 2, 3])),
    ("gps", 0, 0),
    ("gps", 1, 1),
]


def ledger(rows: list[tuple[str, int, int]] = PRODUCED, trip: str = "trip-1") -> list[pa.RecordBatch]:
    columns = [
        pa.array([topic for topic, _, _ in rows]),
        pa.array([0] * len(rows), pa.int32()),
        pa.array([offset for _, offset, _ in rows], pa.int64()),
        pa.array([uuid.UUID(event_id("trip-1", topic, n)).bytes for topic, _, n in rows], pa.binary(16)),
        pa.array([trip] * len(rows)),
    ]
    return [pa.record_batch(columns, schema=LEDGER_SCHEMA)]


def streamed() -> MemoryBucket:
    bucket = MemoryBucket()
    run(bucket)
    return bucket


def figures(found: Verification, topic: str = "vehicle") -> tuple[int, ...]:
    check = next(check for check in found.topics if check.topic == topic)
    return check.produced, check.stored, check.quarantined, check.duplicates, check.waiting, check.lost


@pytest.mark.parametrize("trip", [None, "trip-1"])
def test_produced_is_stored_quarantined_and_duplicates(trip: str | None) -> None:
    ends = {"vehicle": {0: 7}, "gps": {0: 2}}
    found = verify(streamed(), ledger(), ends=ends, trip_id=trip)
    assert found.differences == ()
    assert figures(found) == (7, 4, 1, 2, 0, 0)
    assert figures(found, "gps") == (2, 2, 0, 0, 0, 0)
    assert (found.rows, found.commits) == (6, 2)
    assert all(check.complete for check in found.topics)
    found.require()


def test_events_that_the_stream_has_not_read_are_waiting() -> None:
    found = verify(streamed(), ledger([*PRODUCED, ("gps", 2, 2)]))
    assert figures(found, "gps") == (3, 2, 0, 0, 1, 0)
    assert found.differences == ("1 events of gps wait at the brokers; the stream has not read them.",)
    with pytest.raises(DataLoss, match="wait at the brokers"):
        found.require()


def test_a_row_that_vanished_is_named() -> None:
    bucket = streamed()
    key = next(key for key in bucket.objects if key.startswith("lake/gps"))
    table = pq.read_table(io.BytesIO(bucket.objects[key][0]))
    rewrite(bucket, key, table.slice(0, 1))
    found = verify(bucket, ledger())
    assert figures(found, "gps") == (2, 1, 0, 0, 0, 1)
    assert "bytes, its commit object says" in found.differences[0]
    assert "has 1 rows, its commit object says 2" in found.differences[1]
    missing = event_id("trip-1", "gps", 1)
    assert f"Event {missing} of gps (partition 0, offset 1) is neither stored nor quarantined." in found.differences


def test_a_row_that_is_there_twice_is_named() -> None:
    bucket = streamed()
    key = next(key for key in bucket.objects if key.startswith("lake/gps"))
    table = pq.read_table(io.BytesIO(bucket.objects[key][0]))
    rewrite(bucket, key, pa.concat_tables([table.slice(0, 1), table.slice(0, 1)]))
    found = verify(bucket, ledger())
    doubled = event_id("trip-1", "gps", 0)
    assert f"Event {doubled} of gps is in the lake twice." in found.differences
    assert any("other event ids" in difference for difference in found.differences)


def rewrite(bucket: MemoryBucket, key: str, table: pa.Table) -> None:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    bucket.put(key, sink.getvalue())


def test_missing_files_and_leftovers_are_named() -> None:
    bucket = streamed()
    key = next(key for key in bucket.objects if key.startswith("quarantine/"))
    del bucket.objects[key]
    left = "lake/gps/dt=2020-01-01/01234567-000000009-000.parquet"
    bucket.put(left, b"half")
    found = verify(bucket, ledger())
    assert f"File {key} of batch 0 is missing." in found.differences
    assert f"File {left} belongs to no finished batch." in found.differences


def test_a_missing_commit_object_between_others_is_named() -> None:
    bucket = MemoryBucket()
    mine = publisher(bucket)
    mine.publish(batch(0), parsed(0))
    from dataclasses import replace

    mine.publish(replace(batch(1), batch_id=2), parsed(1))
    found = verify(bucket, ledger())
    assert found.differences == (f"The commit object of batch 1 of query {QUERY} is missing.",)


def test_a_batch_that_begins_after_the_last_ended_is_named() -> None:
    from dataclasses import replace

    bucket = MemoryBucket()
    mine = publisher(bucket)
    mine.publish(batch(0), parsed(0))
    mine.publish(replace(batch(1), offsets={"vehicle": {0: (5, 8)}}), parsed(1))
    found = verify(bucket, ledger())
    assert "begins at offset 5 of vehicle, partition 0; the one before ended at 4" in found.differences[0]


def test_acknowledged_events_beyond_the_brokers_end_are_named() -> None:
    found = verify(streamed(), ledger(), ends={"vehicle": {0: 5}, "gps": {0: 2}})
    assert "2 events of vehicle, partition 0, were acknowledged from offset 5 on" in found.differences[0]


def test_a_trip_sent_again_is_found_as_duplicates_though_its_rows_lie_in_other_batches() -> None:
    bucket = streamed()
    again = publisher(bucket)
    from smartcity.spark_job.parse import parse_records
    from smartcity.spark_job.publish import Batch
    from tests.unit.spark_job.records import records, value

    repeat = Batch(QUERY, 2, batch(1).timestamp_ms + 1, {"vehicle": {0: (7, 9)}, "gps": {0: (2, 2)}})
    again.publish(repeat, parse_records(records([value(sequence=2), value(sequence=3)], offset=7)))
    sent_again: Any = ledger([("vehicle", 7, 2), ("vehicle", 8, 3)], trip="trip-2")
    found = verify(bucket, [*ledger(), *sent_again], trip_id="trip-2")
    assert figures(found) == (2, 0, 0, 2, 0, 0)
    assert found.ok


def test_rows_of_unknown_producers_are_counted_only() -> None:
    found = verify(streamed(), ledger(PRODUCED[:-1]))
    assert found.ok
    assert [check.unledgered for check in found.topics if check.topic == "gps"] == [1]


def test_an_empty_bucket_and_an_empty_ledger_agree() -> None:
    found = verify(MemoryBucket(), [])
    assert found.ok
    assert found.rows == 0


def test_batches_in_the_test_data_are_what_the_ledger_says() -> None:
    assert sum(len(some) for _, parts in BATCHES for _, _, some in parts) == len(PRODUCED)


def test_an_event_acknowledged_without_its_offset_is_found_by_its_id() -> None:
    rows = [(topic, -1 if at == 5 else at, n) for topic, at, n in PRODUCED]
    for trip in (None, "trip-1"):
        found = verify(streamed(), ledger(rows), trip_id=trip)
        assert found.ok
        assert figures(found) == (7, 4, 1, 2, 0, 0)


def test_repair_deletes_what_was_given_up_and_announces_every_partition() -> None:
    bucket = streamed()
    left = "lake/gps/dt=2020-01-01/01234567-000000009-000.parquet"
    bucket.put(left, b"half")
    told: list[frozenset[tuple[str, str]]] = []
    said = list(repair(bucket, told.append))
    assert left not in bucket.objects
    assert told == [frozenset({("gps", "2026-03-01"), ("vehicle", "2026-03-01"), ("vehicle", "2026-03-02")})]
    assert said[0].startswith("1 files of unfinished batches deleted")
    assert verify(bucket, ledger()).ok


def test_repair_is_refused_while_a_stream_runs() -> None:
    bucket = streamed()
    Lease(bucket, "main", Holder("t", "another-machine", 1, "1")).take()
    with pytest.raises(ServiceError, match="already running"):
        list(repair(bucket, lambda _: None))
