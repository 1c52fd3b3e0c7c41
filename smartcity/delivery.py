"""What becomes of events on their way to a broker: batches, delivery reports, and their entry into the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from smartcity.ledger import ID_BYTES, UNKNOWN_OFFSET, LedgerWriter, Run, stretches

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


class Delivery:
    """What became of one batch: its reports arrive in the order of its events, for one key stays in one partition."""

    def __init__(self, batch: Batch, failures: Failures) -> None:
        self.batch = batch
        self.expected = len(batch.values)
        self._offsets: list[int] = []
        self._lost: set[bytes] = set()
        self._partition = -1
        self._failures = failures
        self.report = self._reporter()

    def _reporter(self) -> Report:
        """The callback of each event but the first: as little as possible, for it runs for every event."""
        append = self._offsets.append

        def report(error: Any, message: Any) -> None:
            if error is None:
                append(message.offset())
            else:
                self._fail(error, message)

        return report

    def report_first(self, error: Any, message: Any) -> None:
        """The callback of the first event: also notes the partition, which is that of all."""
        self._partition = _partition_of(message)
        self.report(error, message)

    def _fail(self, error: Any, message: Any) -> None:
        self._partition = _partition_of(message)
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
        batch, ids = self.batch, self.batch.ids[: self.expected * ID_BYTES]
        if self._lost:
            each = list(_split(ids))
            lost = [one for one in each if one in self._lost]
            ids = b"".join(one for one in each if one not in self._lost)
            ledger.unacknowledged(Run(batch.topic, self._partition, UNKNOWN_OFFSET, b"".join(lost), batch.trip_id))
            sent.failed[batch.topic] = sent.failed.get(batch.topic, 0) + len(lost)
        for first, start, stop in stretches(self._offsets):
            part = ids[start * ID_BYTES : stop * ID_BYTES]
            ledger.acknowledged(Run(batch.topic, self._partition, first, part, batch.trip_id))
        sent.acknowledged[batch.topic] = sent.acknowledged.get(batch.topic, 0) + len(self._offsets)

    def record_unknown(self, ledger: LedgerWriter, sent: Sent) -> None:
        """As `record`, for a batch of which reports are still missing: what is missing counts as unacknowledged."""
        known = len(self._offsets) + len(self._lost)
        unlost = [one for one in _split(self.batch.ids) if one not in self._lost]
        self._lost.update(unlost[len(self._offsets) :][: self.expected - known])
        self.record(ledger, sent)


def _partition_of(message: Any) -> int:
    """The partition of a report's event; -1 for one that was dropped before it had any."""
    partition = message.partition()
    return -1 if partition is None else int(partition)


def _split(ids: bytes) -> Iterator[bytes]:
    for start in range(0, len(ids), ID_BYTES):
        yield ids[start : start + ID_BYTES]


def _id_of(value: bytes) -> bytes:
    """The event id of an event's JSON, which begins with it."""
    return bytes.fromhex(value[13:49].replace(b"-", b"").decode())


@dataclass
class Failures:
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
