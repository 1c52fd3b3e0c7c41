"""Sending: nothing lost, nothing told that is not true, with a producer that misbehaves on demand."""

from __future__ import annotations

import os
import signal
import threading
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from confluent_kafka import KafkaError, KafkaException

from smartcity import ledger
from smartcity.delivery import Delivery, Failures
from smartcity.errors import ServiceError
from smartcity.ledger import LedgerWriter
from smartcity.pipeline import broker


@dataclass(frozen=True)
class Batch:
    topic: str
    key: str
    trip_id: str
    values: list[bytes]
    ids: bytes
    epoch_ms: Any


def _batch(topic: str = "gps", key: str = "car-0001", count: int = 5, salt: str = "") -> Batch:
    made = [uuid.uuid5(uuid.NAMESPACE_URL, f"{topic}{key}{salt}{n}") for n in range(count)]
    values = [b'{"event_id":"%s","n":%d}' % (str(one).encode(), n) for n, one in enumerate(made)]
    return Batch(topic, key, f"trip-{key}", values, b"".join(one.bytes for one in made), np.arange(count) * 1000)


@dataclass(frozen=True)
class Message:
    """What a delivery report shows of a message."""

    sent_topic: str
    sent_value: bytes
    at_partition: int | None
    at_offset: int

    def topic(self) -> str:
        return self.sent_topic

    def value(self) -> bytes:
        return self.sent_value

    def partition(self) -> int | None:
        return self.at_partition

    def offset(self) -> int:
        return self.at_offset


Sent = tuple[str, bytes, bytes, Callable[[Any, Any], None], Any]


@dataclass
class FakeProducer:
    """librdkafka's manners: a bounded queue, reports from poll and flush, one partition per key.

    `fate` decides for the n-th message: an error code, or None for success; `away` makes no progress at all.
    """

    room: int = 1_000
    fate: Callable[[int], int | None] = lambda _: None
    away: bool = False
    partitions: int = 3
    unknown_offset_from: int | None = None
    queue: deque[Sent] = field(default_factory=deque)
    arrived: list[Sent] = field(default_factory=list)
    offsets: Counter[tuple[str, int]] = field(default_factory=Counter)
    reported: int = 0
    refuse: Callable[[bytes], int | None] = lambda _: None

    def produce(  # noqa: PLR0917  as librdkafka's Python client has it
        self,
        topic: str,
        value: bytes,
        key: bytes,
        partition: int = -1,
        callback: Any = None,
        on_delivery: Any = None,
        timestamp: int = 0,
        headers: Any = None,
    ) -> None:
        assert (partition, timestamp, callback) == (-1, 0, on_delivery)
        if code := self.refuse(value):
            raise KafkaException(KafkaError(code))
        if len(self.queue) >= self.room:
            raise BufferError
        self.queue.append((topic, value, key, on_delivery, dict(headers)))

    def poll(self, _timeout: float = 0.0) -> int:
        return self._report(3)

    def flush(self, _timeout: float = 0.0) -> int:
        self._report(10_000)
        return len(self.queue)

    def purge(self) -> None:
        while self.queue:
            topic, value, _, report, _ = self.queue.popleft()
            report(KafkaError(KafkaError._PURGE_QUEUE), Message(topic, value, -1, -1001))

    def _report(self, most: int) -> int:
        done = 0
        while self.queue and done < most and not self.away:
            one = self.queue.popleft()
            topic, value, key, report, _ = one
            partition = sum(key) % self.partitions
            code = self.fate(self.reported)
            self.reported += 1
            done += 1
            if code is not None:
                report(KafkaError(code), Message(topic, value, partition, -1001))
                continue
            self.arrived.append(one)
            offset = self.offsets[topic, partition]
            self.offsets[topic, partition] += 1
            known = self.unknown_offset_from is None or offset < self.unknown_offset_from
            report(None, Message(topic, value, partition, offset if known else -1001))
        return done


def _send(producer: FakeProducer, batches: Any, folder: Path, **more: Any) -> broker.Sent:
    with LedgerWriter(folder / "run") as writer:
        return broker.send(producer, batches, writer, timeout_s=0.5, **more)  # type: ignore[arg-type]


def _recorded(folder: Path, name: str = ledger.ACKNOWLEDGED) -> set[bytes]:
    return {row["event_id"] for batch in ledger.read(folder, name) for row in batch.to_pylist()}


def _arrived(producer: FakeProducer) -> set[bytes]:
    return {uuid.UUID(value[13:49].decode()).bytes for _, value, _, _, _ in producer.arrived}


def test_every_event_arrives_once_and_is_in_the_ledger_at_its_place(tmp_path: Path) -> None:
    producer = FakeProducer(room=4)
    batches = [_batch(topic, f"car-{n:04d}", 7, str(n)) for n in range(6) for topic in ("gps", "vehicle")]
    sent = _send(producer, batches, tmp_path)
    assert sent.acknowledged == {"gps": 42, "vehicle": 42}
    assert (sent.first_ms, sent.last_ms, len(sent.trips)) == (0, 6_000, 6)
    rows = [row for batch in ledger.read(tmp_path) for row in batch.to_pylist()]
    placed = {(row["topic"], row["partition"], row["offset"]): row["event_id"] for row in rows}
    assert len(placed) == 84
    counters: Counter[tuple[str, int]] = Counter()
    for topic, value, key, _, _ in producer.arrived:
        partition = sum(key) % 3
        where = topic, partition, counters[topic, partition]
        counters[topic, partition] += 1
        assert placed[where] == uuid.UUID(value[13:49].decode()).bytes


def test_the_order_of_each_vehicle_is_kept(tmp_path: Path) -> None:
    producer = FakeProducer(room=5)
    _send(producer, [_batch(count=20, salt=str(part)) for part in range(4)], tmp_path)
    expected = [value for part in range(4) for value in _batch(count=20, salt=str(part)).values]
    assert [value for _, value, _, _, _ in producer.arrived] == expected


def test_events_carry_cloud_events_headers(tmp_path: Path) -> None:
    producer = FakeProducer()
    batch = _batch(count=2)
    _send(producer, [batch], tmp_path)
    for (_, value, key, _, headers), expected in zip(producer.arrived, batch.values, strict=True):
        assert value == expected and key == b"car-0001"
        assert dict(headers) == {
            "ce_specversion": b"1.0",
            "ce_type": b"smartcity.gps.v1",
            "ce_source": b"/vehicles/car-0001",
            "ce_id": expected[13:49],
            "content-type": b"application/json",
        }


def test_a_broker_that_stays_away_ends_the_drive_and_the_ledger_is_true(tmp_path: Path) -> None:
    producer = FakeProducer(room=30, fate=lambda n: KafkaError._MSG_TIMED_OUT if n >= 12 else None)
    endless = (_batch(count=10, salt=str(part)) for part in range(1_000_000))
    with pytest.raises(ServiceError) as failed:
        _send(producer, endless, tmp_path)
    assert "12 were acknowledged" in failed.value.reason and failed.value.hint
    assert _recorded(tmp_path) == _arrived(producer)
    assert _recorded(tmp_path, ledger.UNACKNOWLEDGED).isdisjoint(_arrived(producer))
    assert _recorded(tmp_path, ledger.UNACKNOWLEDGED)


def test_reports_that_never_come_are_not_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Mute(FakeProducer):
        def purge(self) -> None:
            """Loses the reports as well."""

    monkeypatch.setattr(broker, "PATIENCE_S", 0.1)
    producer = Mute(away=True)
    with pytest.raises(ServiceError) as failed:
        _send(producer, [_batch(count=3)], tmp_path)
    assert "did not take 3 events" in failed.value.reason
    assert _recorded(tmp_path) == set()
    assert len(_recorded(tmp_path, ledger.UNACKNOWLEDGED)) == 3


def test_single_failures_in_the_middle_are_told_apart(tmp_path: Path) -> None:
    producer = FakeProducer(fate=lambda n: KafkaError.MSG_SIZE_TOO_LARGE if n == 3 else None)
    with pytest.raises(ServiceError) as failed:
        _send(producer, [_batch(count=8)], tmp_path)
    assert "refused an event of topic gps" in failed.value.reason
    assert _recorded(tmp_path) == _arrived(producer)
    batch = _batch(count=8)
    assert _recorded(tmp_path, ledger.UNACKNOWLEDGED) == {batch.ids[48:64]}
    rows = [row for found in ledger.read(tmp_path) for row in found.to_pylist()]
    assert [row["offset"] for row in rows] == list(range(7))


def test_a_message_that_is_too_large_ends_the_drive_after_what_came_before(tmp_path: Path) -> None:
    batch = _batch(count=6)
    producer = FakeProducer(refuse=lambda value: KafkaError.MSG_SIZE_TOO_LARGE if value == batch.values[4] else None)
    with pytest.raises(ServiceError) as failed:
        _send(producer, [_batch(key="car-0002"), batch, _batch(key="car-0003")], tmp_path)
    assert "refused an event" in failed.value.reason
    assert len(producer.arrived) == 9
    assert _recorded(tmp_path) == _arrived(producer)


def test_offsets_that_a_retry_lost_are_recorded_as_unknown(tmp_path: Path) -> None:
    producer = FakeProducer(unknown_offset_from=3)
    sent = _send(producer, [_batch(count=6)], tmp_path)
    assert sent.events == 6
    rows = [row for batch in ledger.read(tmp_path) for row in batch.to_pylist()]
    assert [row["offset"] for row in rows] == [0, 1, 2, -1, -1, -1]


def test_ctrl_c_waits_for_what_is_under_way(tmp_path: Path) -> None:
    producer = FakeProducer()

    def batches() -> Iterator[Batch]:
        yield _batch(salt="1")
        os.kill(os.getpid(), signal.SIGINT)
        yield _batch(salt="2")
        raise AssertionError("the drive went on")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(broker.SendInterrupted) as interrupted:
        _send(producer, batches(), tmp_path)
    assert interrupted.value.sent.events == len(producer.arrived) == len(_recorded(tmp_path))
    assert interrupted.value.exit_code == 130
    assert signal.getsignal(signal.SIGINT) is before


def test_a_batch_that_was_cut_short_is_recorded_as_far_as_it_went(tmp_path: Path) -> None:
    stop = threading.Event()

    class Full(FakeProducer):
        def poll(self, _timeout: float = 0.0) -> int:
            stop.set()
            return 0

    producer = Full(room=4)
    with pytest.raises(broker.SendInterrupted):
        _send(producer, [_batch(count=9)], tmp_path, stop=stop)
    rows = [row for batch in ledger.read(tmp_path) for row in batch.to_pylist()]
    assert [(row["partition"], row["offset"]) for row in rows] == [(sum(b"car-0001") % 3, n) for n in range(4)]


def test_a_thread_is_stopped_by_its_event(tmp_path: Path) -> None:
    stop = threading.Event()
    caught: list[BaseException] = []

    def work() -> None:
        try:
            _send(FakeProducer(), iter(lambda: _batch(salt=str(stop.set())), None), tmp_path, stop=stop)
        except broker.SendInterrupted as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert caught and not thread.is_alive()


def test_progress_is_told_and_ends_with_the_total(tmp_path: Path) -> None:
    told: list[int] = []
    sent = _send(FakeProducer(), [_batch(salt=str(n)) for n in range(50)], tmp_path, progress=told.append)
    assert told[-1] == sent.events == 250
    assert told == sorted(told)


def test_an_empty_drive_sends_nothing(tmp_path: Path) -> None:
    assert _send(FakeProducer(), [], tmp_path).events == 0
    assert list(ledger.read(tmp_path)) == []


def test_an_event_dropped_before_it_had_a_partition_is_recorded_as_unacknowledged(tmp_path: Path) -> None:
    batch = _batch(count=1)
    delivery = Delivery(batch, Failures())
    delivery.report_first(KafkaError(KafkaError._PURGE_QUEUE), Message("gps", batch.values[0], None, -1))
    with LedgerWriter(tmp_path / "run") as writer:
        delivery.record_unknown(writer, broker.Sent())
    assert [len(run) for run in ledger.runs(tmp_path / "run" / ledger.UNACKNOWLEDGED)] == [1]
