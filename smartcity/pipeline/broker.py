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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smartcity.delivery import Batch, Delivery, Failures, Report, Sent
from smartcity.errors import Interrupted, ServiceError, ServiceNotRunning
from smartcity.events import TOPICS
from smartcity.ledger import LedgerWriter

if TYPE_CHECKING:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient

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


@dataclass(frozen=True)
class TopicState:
    """A topic as the broker has it; `differences` say where that is not what the settings ask for."""

    name: str
    created: bool
    partitions: int
    differences: tuple[str, ...] = ()


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
        settings = {"retention.ms": str(_retention_ms(kafka))}
        missing = [name for name in names if name not in known]
        new = [NewTopic(name, kafka.partitions, kafka.replication, config=settings) for name in missing]
        asked = admin.create_topics(new, operation_timeout=ADMIN_TIMEOUT_S) if new else {}
        created = {name for name, future in asked.items() if _created(future)}
        counts = _partitions(admin, names)
        differences = _differences(admin, kafka, {name: counts[name] for name in names if name not in created})
        return [TopicState(name, name in created, counts[name], differences.get(name, ())) for name in names]
    except KafkaException as error:
        raise _admin_error(error) from None


def _partitions(admin: AdminClient, names: Sequence[str]) -> dict[str, int]:
    """Partitions of each topic, once every broker's metadata shows all of them."""
    deadline = time.monotonic() + ADMIN_TIMEOUT_S
    while True:
        known = admin.list_topics(timeout=ANSWER_S).topics
        counts = {name: len(known[name].partitions) for name in names if name in known}
        if len(counts) == len(names) and all(counts.values()):
            return counts
        if time.monotonic() > deadline:
            raise ServiceError("Kafka does not show the topics that it has made.", "See: smartcity logs kafka")
        time.sleep(0.05)


def _retention_ms(kafka: KafkaSettings) -> int:
    return int(kafka.retention_hours * 3_600_000)


def _created(future: Any) -> bool:
    """Whether a topic was made; False if somebody else was faster."""
    from confluent_kafka import KafkaError, KafkaException

    try:
        future.result()
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
        return False
    return True


def _differences(admin: AdminClient, kafka: KafkaSettings, partitions: dict[str, int]) -> dict[str, tuple[str, ...]]:
    """Per topic that was there before, where it is not what the settings ask for."""
    from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined]

    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in partitions]
    asked = admin.describe_configs(resources) if resources else {}
    found: dict[str, tuple[str, ...]] = {}
    for resource, future in asked.items():
        count, retention = partitions[resource.name], str(future.result()["retention.ms"].value)
        told = [f"{count} partitions instead of {kafka.partitions}"] if count != kafka.partitions else []
        if retention != str(_retention_ms(kafka)):
            told.append(f"keeps events {float(retention) / 3_600_000:g} h instead of {kafka.retention_hours:g} h")
        found[resource.name] = tuple(told)
    return found


def _admin_error(error: Any) -> ServiceError:
    from confluent_kafka import KafkaError

    code = error.args[0].code()
    if code in {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE}:
        return ServiceNotRunning("Kafka does not answer.", "Start it with: smartcity up")
    return ServiceError(f"Kafka refused to prepare the topics: {error.args[0].str()}.", "See: smartcity logs kafka")


def headers_of(topic: str, key: str) -> dict[str, bytes]:
    """The CloudEvents headers (binary mode) that a vehicle's events in a topic share; `ce_id` comes in addition."""
    return {
        "ce_specversion": b"1.0",
        "ce_type": TOPICS[topic].event_type.encode(),
        "ce_source": f"/vehicles/{key}".encode(),
        "content-type": b"application/json",
    }


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
        self._open: deque[Delivery] = deque()
        self._failures = Failures()
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

        delivery = Delivery(batch, self._failures)
        self._open.append(delivery)
        self._sent.note(batch)
        produce, topic, key = self._producer.produce, batch.topic, batch.key.encode()
        report: Report = delivery.report_first
        headers: dict[str, Any] | None = dict(headers_of(topic, batch.key)) if self._headers else None
        for index, value in enumerate(batch.values):
            if headers is not None:
                headers["ce_id"] = value[13:49]
            while True:
                try:
                    # Positional, in the order of the C function (partition, callback, its alias, timestamp, headers):
                    # names cost 1.3 of 4 microseconds, see docs/decisions/0003.
                    produce(topic, value, key, -1, report, report, 0, headers)
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
            report = delivery.report

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
            f"Kafka did not take {failed:,} events within {self._timeout_s:g} s "
            f"({self._failures.first or 'no answer'}); "
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
