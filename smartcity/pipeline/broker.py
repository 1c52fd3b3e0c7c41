"""The first stop: events into Kafka, without losing one or telling a lie about it.

A producer of librdkafka sends in the background; what became of each event comes back in a delivery report. Only what
a report confirms goes into the ledger as acknowledged. A broker that is away for a while is waited for; one that stays
away ends the drive after `kafka.delivery_timeout_s`, with the ledger telling what arrived.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from smartcity.errors import Interrupted, ServiceError, ServiceNotRunning
from smartcity.events import TOPICS
from smartcity.ledger import ID_BYTES, UNKNOWN_OFFSET, LedgerWriter, Run

if TYPE_CHECKING:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient
    from numpy.typing import NDArray

    from smartcity.settings import KafkaSettings

#: How long a stop waits for what is under way, in seconds, when the user is waiting.
PATIENCE_S = 10.0
#: What a drive asks of its producer beyond the usual: a queue that bounds memory, whatever the number of events.
PRODUCER: dict[str, Any] = {"queue.buffering.max.messages": 100_000, "queue.buffering.max.kbytes": 65_536}
#: How often `progress` hears of it, in seconds.
PROGRESS_S = 0.1
ADMIN_TIMEOUT_S = 15.0
#: How long a broker may take to answer at all, in seconds.
ANSWER_S = 5.0

Report = Callable[[Any, Any], None]


class Batch(Protocol):
    """Consecutive events of a trip in a topic, as the simulation makes them."""

    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def trip_id(self) -> str: ...
    @property
    def values(self) -> list[bytes]: ...
    @property
    def ids(self) -> bytes: ...
    @property
    def epoch_ms(self) -> NDArray[Any]: ...


@dataclass(frozen=True)
class TopicState:
    """A topic as the broker has it; `differences` say where that is not what the settings ask for."""

    name: str
    created: bool
    partitions: int
    differences: tuple[str, ...] = ()


@dataclass
class Sent:
    """What a drive sent. `acknowledged` is per topic; times are of the events, in epoch milliseconds."""

    acknowledged: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    trips: set[str] = field(default_factory=set)
    first_ms: int | None = None
    last_ms: int | None = None
    seconds: float = 0.0

    @property
    def events(self) -> int:
        """Acknowledged events of all topics."""
        return sum(self.acknowledged.values())

    def note(self, batch: Batch) -> None:
        """Widen the times and trips by a batch."""
        first, last = int(batch.epoch_ms.min()), int(batch.epoch_ms.max())
        self.first_ms = first if self.first_ms is None else min(self.first_ms, first)
        self.last_ms = last if self.last_ms is None else max(self.last_ms, last)
        self.trips.add(batch.trip_id)


class SendInterrupted(Interrupted):
    """Ctrl-C while sending; `sent` tells what was acknowledged."""

    def __init__(self, sent: Sent) -> None:
        super().__init__(
            f"Interrupted: {sent.events:,} events were acknowledged.", "They stay in Kafka and in the ledger."
        )
        self.sent = sent


def ensure_topics(admin: AdminClient, kafka: KafkaSettings, names: Sequence[str] = tuple(TOPICS)) -> list[TopicState]:
    """Create the topics that are missing; report, and never change, one that differs from the settings.

    Raises `ServiceNotRunning` when no broker answers, `ServiceError` when one refuses.
    """
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

    try:
        known = admin.list_topics(timeout=ANSWER_S).topics
        missing = [name for name in names if name not in known]
        settings = {"retention.ms": str(_retention_ms(kafka))}
        new = [NewTopic(name, kafka.partitions, kafka.replication, config=settings) for name in missing]
        for future in admin.create_topics(new, operation_timeout=ADMIN_TIMEOUT_S).values() if new else ():
            _created(future)
        partitions = {name: len(known[name].partitions) if name in known else kafka.partitions for name in names}
        return [
            TopicState(name, name in missing, partitions[name], d) for name, d in _differences(admin, kafka, partitions)
        ]
    except KafkaException as error:
        raise _admin_error(error) from None


def _retention_ms(kafka: KafkaSettings) -> int:
    return int(kafka.retention_hours * 3_600_000)


def _created(future: Any) -> None:
    from confluent_kafka import KafkaError, KafkaException

    try:
        future.result()
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise


def _differences(
    admin: AdminClient, kafka: KafkaSettings, partitions: dict[str, int]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined]

    asked = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, name) for name in partitions])
    retention = {resource.name: future.result()["retention.ms"].value for resource, future in asked.items()}
    for name, count in partitions.items():
        found = []
        if count != kafka.partitions:
            found.append(f"{count} partitions instead of {kafka.partitions}")
        if str(retention[name]) != str(_retention_ms(kafka)):
            hours = float(retention[name] or 0) / 3_600_000
            found.append(f"keeps events {hours:g} h instead of {kafka.retention_hours:g} h")
        yield name, tuple(found)


def _admin_error(error: Any) -> ServiceError:
    from confluent_kafka import KafkaError

    code = error.args[0].code()
    if code in {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE}:
        return ServiceNotRunning("Kafka does not answer.", "Start it with: smartcity up")
    return ServiceError(f"Kafka refused to prepare the topics: {error.args[0].str()}.", "See: smartcity logs kafka")


def headers_of(topic: str, key: str) -> list[tuple[str, bytes]]:
    """The CloudEvents headers (binary mode) that a vehicle's events in a topic share; `ce_id` comes in addition."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_type", TOPICS[topic].event_type.encode()),
        ("ce_source", f"/vehicles/{key}".encode()),
        ("content-type", b"application/json"),
    ]


class _Delivery:
    """What became of one batch: its reports arrive in the order of its events, for one key stays in one partition."""

    def __init__(self, batch: Batch, failures: _Failures) -> None:
        self.batch = batch
        self.expected = len(batch.values)
        self._offsets: list[int] = []
        self._lost: set[bytes] = set()
        self._partition = -1
        self._failures = failures
        self.report = self._reporter()

    def _reporter(self) -> Report:
        """The callback of each event but the last: as little as possible, for it runs for every event."""
        append = self._offsets.append

        def report(error: Any, message: Any) -> None:
            if error is None:
                append(message.offset())
            else:
                self._fail(error, message)

        return report

    def report_last(self, error: Any, message: Any) -> None:
        """The callback of the last event: also notes the partition, which is that of all."""
        self._partition = message.partition()
        self.report(error, message)

    def _fail(self, error: Any, message: Any) -> None:
        self._partition = message.partition()
        self._lost.add(_id_of(message.value()))
        self._failures.add(error, message.topic())

    def give_up_from(self, index: int) -> None:
        """The events from this one on were never handed to the producer."""
        self.expected = index

    @property
    def done(self) -> bool:
        """Whether every event was reported."""
        return len(self._offsets) + len(self._lost) >= self.expected

    def record(self, ledger: LedgerWriter, sent: Sent) -> None:
        """Write what is known into the ledger and the summary."""
        batch = self.batch
        ids = [batch.ids[start : start + ID_BYTES] for start in range(0, self.expected * ID_BYTES, ID_BYTES)]
        if self._lost:
            lost = [one for one in ids if one in self._lost]
            ids = [one for one in ids if one not in self._lost]
            ledger.unacknowledged(Run(batch.topic, self._partition, UNKNOWN_OFFSET, b"".join(lost), batch.trip_id))
            sent.failed[batch.topic] = sent.failed.get(batch.topic, 0) + len(lost)
        for first, start, stop in _stretches(self._offsets):
            ledger.acknowledged(Run(batch.topic, self._partition, first, b"".join(ids[start:stop]), batch.trip_id))
        sent.acknowledged[batch.topic] = sent.acknowledged.get(batch.topic, 0) + len(self._offsets)

    def record_unknown(self, ledger: LedgerWriter, sent: Sent) -> None:
        """As `record`, for a batch of which reports are still missing: what is missing counts as unacknowledged."""
        known = len(self._offsets) + len(self._lost)
        ids = [self.batch.ids[start : start + ID_BYTES] for start in range(0, self.expected * ID_BYTES, ID_BYTES)]
        self._lost.update([one for one in ids if one not in self._lost][len(self._offsets) :][: self.expected - known])
        self.record(ledger, sent)


def _id_of(value: bytes) -> bytes:
    """The event id of an event's JSON, which begins with it."""
    return bytes.fromhex(value[13:49].replace(b"-", b"").decode())


def _stretches(offsets: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Consecutive offsets as (first offset, start, stop); known and unknown ones apart."""
    start = 0
    size = len(offsets)
    if size and offsets[0] >= 0 and offsets[-1] - offsets[0] == size - 1 and min(offsets) == offsets[0]:
        yield offsets[0], 0, size
        return
    for index in range(1, size + 1):
        here = offsets[index] if index < size else None
        before = offsets[index - 1]
        if here is not None and (here == before + 1 if before >= 0 else here < 0):
            continue
        yield max(offsets[start], UNKNOWN_OFFSET), start, index
        start = index


@dataclass
class _Failures:
    """Delivery errors so far."""

    first: str | None = None
    topic: str = ""
    too_large: bool = False

    @property
    def hopeless(self) -> bool:
        """Whether waiting for other events is no use either: the broker is away, not a single event refused."""
        return self.first is not None and not self.too_large

    def add(self, error: Any, topic: str) -> None:
        from confluent_kafka import KafkaError

        if error.code() == KafkaError._PURGE_QUEUE or error.code() == KafkaError._PURGE_INFLIGHT:
            return
        if self.first is None:
            self.first, self.topic = error.str(), topic
            self.too_large = error.code() in {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError._BAD_MSG}


def send(
    producer: Producer,
    batches: Iterable[Batch],
    ledger: LedgerWriter,
    *,
    timeout_s: float,
    progress: Callable[[int], None] = lambda _: None,
    headers: bool = True,
    stop: threading.Event | None = None,
) -> Sent:
    """Send all batches and wait until each event is acknowledged and in the ledger.

    `timeout_s` is the producer's delivery timeout; `progress` hears how many events are acknowledged; `stop` ends the
    drive early, as Ctrl-C does (which sets it).
    Raises `ServiceError` when events could not be delivered in that time, `SendInterrupted` on Ctrl-C (after waiting
    for what is under way). The ledger is true in every case.
    """
    return _Sending(producer, ledger, timeout_s, progress, headers=headers).run(batches, stop or threading.Event())


class _Sending:
    """One call of `send`."""

    def __init__(
        self,
        producer: Producer,
        ledger: LedgerWriter,
        timeout_s: float,
        progress: Callable[[int], None],
        *,
        headers: bool,
    ) -> None:
        self._producer, self._ledger, self._progress = producer, ledger, progress
        self._timeout_s, self._headers = timeout_s, headers
        self._open: deque[_Delivery] = deque()
        self._failures = _Failures()
        self._sent = Sent()
        self._told = 0.0

    def run(self, batches: Iterable[Batch], stop: threading.Event) -> Sent:
        started = time.monotonic()
        with _stop_on_ctrl_c(stop):
            try:
                for batch in batches:
                    if stop.is_set() or self._failures.first:
                        break
                    self._produce(batch, stop)
                    self._settle()
                self._finish(PATIENCE_S if stop.is_set() else self._timeout_s + PATIENCE_S, stop)
            finally:
                self._close()
                self._sent.seconds = time.monotonic() - started
        if self._failures.first or (self._sent.failed and not stop.is_set()):
            raise self._error()
        if stop.is_set():
            raise SendInterrupted(self._sent)
        return self._sent

    def _produce(self, batch: Batch, stop: threading.Event) -> None:
        from confluent_kafka import KafkaException

        delivery = _Delivery(batch, self._failures)
        self._open.append(delivery)
        self._sent.note(batch)
        produce, topic, key, report = self._producer.produce, batch.topic, batch.key.encode(), delivery.report
        fixed = headers_of(topic, batch.key) if self._headers else []
        last = len(batch.values) - 1
        for index, value in enumerate(batch.values):
            arguments: dict[str, Any] = {"on_delivery": report if index < last else delivery.report_last}
            if fixed:
                arguments["headers"] = [*fixed, ("ce_id", value[13:49])]
            while True:
                try:
                    produce(topic, value, key, **arguments)
                    break
                except BufferError:
                    self._producer.poll(0.1)
                    if stop.is_set() or self._failures.first:
                        delivery.give_up_from(index)
                        return
                except KafkaException as refused:
                    self._failures.add(refused.args[0], topic)
                    delivery.give_up_from(index)
                    return

    def _settle(self) -> None:
        """Serve delivery reports and write finished batches into the ledger."""
        self._producer.poll(0)
        while self._open and self._open[0].done:
            self._open.popleft().record(self._ledger, self._sent)
        now = time.monotonic()
        if now - self._told >= PROGRESS_S:
            self._told = now
            self._ledger.flush()
            self._progress(self._sent.events)

    def _finish(self, patience_s: float, stop: threading.Event) -> None:
        """Wait for the reports still missing; after a failure or a deadline, drop what waits."""
        deadline = time.monotonic() + patience_s
        while self._open and time.monotonic() < deadline and not self._failures.hopeless:
            self._producer.flush(PROGRESS_S)
            self._settle()
            if stop.is_set():
                deadline = min(deadline, time.monotonic() + PATIENCE_S)
        if self._open:
            self._producer.purge()
            self._producer.flush(1.0)
            self._settle()

    def _close(self) -> None:
        for delivery in self._open:
            delivery.record_unknown(self._ledger, self._sent)
        self._open.clear()
        self._ledger.flush()
        self._progress(self._sent.events)

    def _error(self) -> ServiceError:
        failed = sum(self._sent.failed.values())
        if self._failures.too_large:
            return ServiceError(
                f"Kafka refused an event of topic {self._failures.topic}: {self._failures.first}.",
                "Raise max.message.bytes of the topic, or send smaller events.",
            )
        return ServiceError(
            f"Kafka did not take {failed:,} events within {self._timeout_s:g} s ({self._failures.first or 'no answer'}); "
            f"{self._sent.events:,} were acknowledged.",
            "See whether the broker runs: smartcity status. The same command sends the same events again.",
        )


@contextmanager
def _stop_on_ctrl_c(stop: threading.Event) -> Iterator[None]:
    """While sending, Ctrl-C asks for an end instead of breaking off inside a callback; a second one breaks off."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(_number: int, _frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
