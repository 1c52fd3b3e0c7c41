from __future__ import annotations

from typing import Any

import pytest

from smartcity.errors import ServiceError
from smartcity.events import event_id
from smartcity.pipeline.quarantine import Refused, Replay, read, replay, summarise
from tests.unit.spark_job.fakes import MemoryBucket
from tests.unit.spark_job.records import value
from tests.unit.spark_job.test_publish import run


class FakeProducer:
    """Acknowledges the first `limit` records."""

    def __init__(self, limit: int = 100) -> None:
        self.sent: list[dict[str, Any]] = []
        self.limit = limit
        self._reports: list[Any] = []

    def produce(self, topic: str, value: bytes, **more: Any) -> None:
        self.sent.append({"topic": topic, "value": value, **more})
        self._reports.append(more["on_delivery"])

    def poll(self, _timeout: float) -> int:
        return 0

    def flush(self, _timeout: float) -> int:
        for number, report in enumerate(self._reports):
            if number < self.limit:
                report(None, None)
        return 0


@pytest.fixture
def bucket() -> MemoryBucket:
    made = MemoryBucket()
    run(made)
    return made


def mended(record: Refused) -> bytes:
    return value(sequence=90)


def test_refused_records_are_read_and_summarised(bucket: MemoryBucket) -> None:
    records = list(read(bucket))
    assert [(r.place, r.code, r.value) for r in records] == [(("vehicle", 0, 1), "not_json", b"junk")]
    assert [(s.topic, s.dt, s.code, s.records) for s in summarise(records)] == [
        ("vehicle", "2026-09-21", "not_json", 1)
    ]
    assert list(read(bucket, topic="gps")) == []
    assert list(read(bucket, code="empty")) == []


def test_what_is_still_bad_is_not_sent(bucket: MemoryBucket) -> None:
    producer = FakeProducer()
    assert replay(bucket, producer, read(bucket)) == Replay(sent=0, still_bad=1, sent_before=0)  # type: ignore[arg-type]
    assert producer.sent == []


def test_a_mended_record_is_sent_once_with_its_key_and_headers(bucket: MemoryBucket) -> None:
    producer: Any = FakeProducer()
    assert replay(bucket, producer, read(bucket), repair=mended, dry_run=True) == Replay(1, 0, 0)
    assert producer.sent == []
    assert replay(bucket, producer, read(bucket), repair=mended) == Replay(1, 0, 0)
    assert replay(bucket, producer, read(bucket), repair=mended) == Replay(0, 0, 1)
    (sent,) = producer.sent
    assert (sent["topic"], sent["key"]) == ("vehicle", b"car-1")
    assert dict(sent["headers"])["ce_id"] == event_id("trip-1", "vehicle", 90).encode()


def test_what_is_not_acknowledged_is_sent_again_next_time(bucket: MemoryBucket) -> None:
    silent: Any = FakeProducer(limit=0)
    with pytest.raises(ServiceError, match="did not acknowledge 1 of 1"):
        replay(bucket, silent, read(bucket), repair=mended)
    answering: Any = FakeProducer()
    assert replay(bucket, answering, read(bucket), repair=mended).sent == 1
