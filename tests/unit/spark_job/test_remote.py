from __future__ import annotations

from smartcity.spark_job.parse import parse_records
from smartcity.spark_job.remote import _task, pack, unpack
from tests.unit.spark_job.records import records, value


def test_what_executors_parse_arrives_whole() -> None:
    for parsed in parse_records(records([value(sequence=0), b"junk", value(sequence=1)])):
        again = unpack(*pack(parsed))
        assert parsed.rows is not None
        assert again.rows is not None
        assert again.rows.table.equals(parsed.rows.table)
        assert again.rows.ids.checksum() == parsed.rows.ids.checksum()
        assert (again.rows.day == parsed.rows.day).all()
        assert again.rejects.equals(parsed.rejects)


def test_a_topic_without_a_contract_has_no_rows() -> None:
    parsed = parse_records(records([b"x"], "parking"))[0]
    assert unpack(*pack(parsed)).rows is None


def test_a_task_takes_batches_as_spark_gives_them() -> None:
    batches = [records([]), records([value()]), records([value("gps")], "gps")]
    found = [row for batch in _task(iter(batches)) for row in batch.to_pylist()]
    assert [row["topic"] for row in found] == ["vehicle", "gps"]
