"""Records that were refused: what they are, why, and a second chance once the fault is mended.

A replay parses each record again with today's contract; what is good now is sent to its topic, where the stream reads
it like any other event. What was sent is remembered in the bucket by place, so that it is never sent a second time.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from smartcity import layout
from smartcity.errors import ServiceError
from smartcity.events import TOPICS
from smartcity.spark_job.exact import Fault, check
from smartcity.spark_job.store import Conflict

if TYPE_CHECKING:
    from confluent_kafka import Producer

    from smartcity.spark_job.store import Bucket

#: Name of the object beside a quarantine file that says which of its records were sent again.
_REPLAYED = ".replayed.json"


@dataclass(frozen=True)
class Refused:
    """One quarantined record."""

    topic: str
    partition: int
    offset: int
    kafka_timestamp: datetime | None
    code: str
    reason: str
    event_type: str | None
    value: bytes | None
    key: str  #: of the file that holds it

    @property
    def place(self) -> tuple[str, int, int]:
        """Where it stood in Kafka."""
        return self.topic, self.partition, self.offset


@dataclass(frozen=True)
class Summary:
    """Refused records of one topic, day and kind."""

    topic: str
    dt: str
    code: str
    records: int
    example: str


@dataclass(frozen=True)
class Replay:
    """What a replay did, or would do."""

    sent: int
    still_bad: int
    sent_before: int


def read(bucket: Bucket, *, topic: str | None = None, code: str | None = None) -> Iterator[Refused]:
    """Every quarantined record, file by file."""
    import pyarrow.parquet as pq

    prefix = f"{layout.QUARANTINE}{topic}/" if topic else layout.QUARANTINE
    for entry in bucket.entries(prefix):
        stored = bucket.get(entry.key) if entry.key.endswith(".parquet") else None
        if stored is None:
            continue
        for row in pq.read_table(io.BytesIO(stored.body)).to_pylist():
            if code is None or row["code"] == code:
                yield Refused(**row, key=entry.key)


def summarise(records: Iterable[Refused]) -> list[Summary]:
    """Counts by topic, day of arrival and code, with the reason of the first."""
    counts: Counter[tuple[str, str, str]] = Counter()
    examples: dict[tuple[str, str, str], str] = {}
    for record in records:
        kind = (record.topic, record.key.split("/dt=")[1][:10], record.code)
        counts[kind] += 1
        examples.setdefault(kind, record.reason)
    return [Summary(*kind, number, examples[kind]) for kind, number in sorted(counts.items())]


def replay(
    bucket: Bucket,
    producer: Producer,
    records: Iterable[Refused],
    *,
    repair: Callable[[Refused], bytes | None] = lambda record: record.value,
    dry_run: bool = False,
    timeout_s: float = 60.0,
) -> Replay:
    """Send again what parses now; `repair` may mend a value first.

    Raises `ServiceError` when the brokers do not acknowledge in time; what they did acknowledge is remembered.
    """
    counts: Counter[str] = Counter()
    for key, group in _by_file(records):
        before = _places_sent(bucket, key)
        fresh = [record for record in group if (record.partition, record.offset) not in before]
        counts["before"] += len(group) - len(fresh)
        good = [(record, value) for record in fresh if (value := _good(record, repair)) is not None]
        counts["bad"] += len(fresh) - len(good)
        if dry_run:
            counts["sent"] += len(good)
            continue
        sent = _send(producer, good, timeout_s)
        counts["sent"] += len(sent)
        if sent:
            _remember(bucket, key, before | {(record.partition, record.offset) for record in sent})
        if len(sent) < len(good):
            raise ServiceError(
                f"Kafka did not acknowledge {len(good) - len(sent):,} of {len(good):,} records in {timeout_s:.0f} "
                "seconds.",
                "Run the replay again: what was acknowledged is not sent twice.",
            )
    return Replay(counts["sent"], counts["bad"], counts["before"])


def _by_file(records: Iterable[Refused]) -> Iterator[tuple[str, list[Refused]]]:
    groups: dict[str, list[Refused]] = {}
    for record in records:
        groups.setdefault(record.key, []).append(record)
    yield from groups.items()


def _good(record: Refused, repair: Callable[[Refused], bytes | None]) -> bytes | None:
    """The record's value if it is an event by now."""
    topic = TOPICS.get(record.topic)
    value = repair(record)
    if topic is None or value is None or isinstance(check(topic, value, record.event_type), Fault):
        return None
    return value


def _send(producer: Producer, good: list[tuple[Refused, bytes]], timeout_s: float) -> list[Refused]:
    """Send with the event's own key and headers; those that were acknowledged."""
    acknowledged: list[Refused] = []

    def reporter(record: Refused) -> Callable[[Any, Any], None]:
        return lambda error, _: None if error else acknowledged.append(record)

    for record, value in good:
        event = json.loads(value)
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", event["event_id"].encode()),
            ("ce_type", TOPICS[record.topic].event_type.encode()),
            ("ce_source", f"/vehicles/{event['vehicle_id']}".encode()),
            ("content-type", b"application/json"),
        ]
        producer.produce(
            record.topic, value, key=event["vehicle_id"].encode(), headers=headers, on_delivery=reporter(record)
        )
        producer.poll(0)
    producer.flush(timeout_s)
    return acknowledged


def _places_sent(bucket: Bucket, key: str) -> set[tuple[int, int]]:
    stored = bucket.get(_memory_key(key))
    return set() if stored is None else {(partition, offset) for partition, offset in json.loads(stored.body)}


def _remember(bucket: Bucket, key: str, places: set[tuple[int, int]]) -> None:
    """Add to what is remembered, whoever else replays at the same time."""
    while True:
        stored = bucket.get(_memory_key(key))
        known = set() if stored is None else {(p, o) for p, o in json.loads(stored.body)}
        body = json.dumps(sorted(known | places)).encode()
        try:
            bucket.put(_memory_key(key), body, absent=stored is None, etag=stored.etag if stored else None)
        except Conflict:
            continue
        return


def _memory_key(key: str) -> str:
    """Beside the commit objects, not among the quarantine's files: those are listed and compared."""
    return f"{layout.REPLAYS}{key.removeprefix(layout.QUARANTINE).removesuffix('.parquet')}{_REPLAYED}"
