"""Cars and a real broker: nothing lost, order kept, the ledger true, whatever happens to the broker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from smartcity import ledger
from smartcity.clients import Clients
from smartcity.errors import ServiceError
from smartcity.events import TOPICS
from smartcity.ledger import LedgerWriter
from smartcity.pipeline import broker
from smartcity.services import prepare, runtime_for
from smartcity.settings import Settings, load
from smartcity.simulation.fleet import Fleet, Plan
from smartcity.simulation.pacing import Lateness, Pace
from smartcity.simulation.routes import find
from tests.ports import free_port

pytestmark = pytest.mark.integration

START_S = 1_772_434_800
COMMAND = str(Path(sys.executable).with_name("smartcity"))


@dataclass
class Kafka:
    """A broker of our own that can be killed and started again."""

    settings: Settings

    def __post_init__(self) -> None:
        self.runtime = runtime_for(self.settings)
        self.clients = Clients(self.settings)

    def start(self) -> None:
        self.runtime.start("kafka")
        self.runtime.wait_ready("kafka", 90)

    def kill(self) -> None:
        pid = next(status.pid for status in self.runtime.status() if status.name == "kafka")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    def everything(self) -> dict[tuple[str, int], list[tuple[int, bytes, str]]]:
        """Offset, event id and vehicle of all that the five topics hold, by partition."""
        consumer = self.clients.consumer(f"test-{uuid.uuid4()}")
        found: dict[tuple[str, int], list[tuple[int, bytes, str]]] = defaultdict(list)
        parts = [(topic, number) for topic in TOPICS for number in range(self.settings.kafka.partitions)]
        left = 0
        for topic, number in parts:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=20)
            left += high - low
        consumer.assign([TopicPartition(topic, number, 0) for topic, number in parts])
        deadline = time.monotonic() + 60
        while left and time.monotonic() < deadline:
            for message in consumer.consume(5_000, timeout=1.0):
                assert message.error() is None
                where, value = (message.topic(), message.partition()), message.value()
                assert dict(message.headers() or ())["ce_id"] == value[13:49]
                assert message.timestamp()[1] > START_S * 1000  # the broker's own clock, not the event's
                found[where].append((message.offset(), uuid.UUID(value[13:49].decode()).bytes, message.key().decode()))
                left -= 1
        consumer.close()
        assert left == 0
        return dict(found)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    flags: dict[str, Any] = {"kafka": {"port": free_port(2), "delivery_timeout_s": 30.0}}
    settings = load(data_dir=tmp_path_factory.mktemp("cars") / "data", **flags)
    prepare(settings, lambda _label, _done, _total: None)
    found = Kafka(settings)
    try:
        found.start()
        yield found
    finally:
        found.runtime.stop(["kafka"])


@pytest.fixture
def fresh(kafka: Kafka) -> Kafka:
    """The broker with empty topics."""
    admin = kafka.clients.kafka_admin
    known = [name for name in TOPICS if name in admin.list_topics(timeout=20).topics]
    for future in admin.delete_topics(known).values() if known else ():
        future.result()
    deadline = time.monotonic() + 30
    while set(TOPICS) & set(admin.list_topics(timeout=20).topics):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    broker.ensure_topics(admin, kafka.settings.kafka)
    return kafka


def _fleet(seed: int, vehicles: int = 3, duration_s: int = 600) -> Fleet:
    return Fleet(Plan(find("london-birmingham"), seed, START_S, vehicles, 5, duration_s=duration_s), window_s=30)


def _expected(seed: int, **more: int) -> dict[tuple[str, str], list[bytes]]:
    """Event ids by topic and vehicle, in the order of time."""
    found: dict[tuple[str, str], list[bytes]] = defaultdict(list)
    for batch in _fleet(seed, **more).batches():
        found[batch.topic, batch.key].extend(batch.ids[at : at + 16] for at in range(0, len(batch.ids), 16))
    return dict(found)


def _by_vehicle(everything: dict[tuple[str, int], list[tuple[int, bytes, str]]]) -> dict[tuple[str, str], list[bytes]]:
    found: dict[tuple[str, str], list[bytes]] = defaultdict(list)
    for (topic, _), events in everything.items():
        for _, event, vehicle in sorted(events):
            found[topic, vehicle].append(event)
    return dict(found)


def _acknowledged(folder: Path, name: str = ledger.ACKNOWLEDGED) -> set[tuple[str, int, int, bytes]]:
    rows = [row for batch in ledger.read(folder, name) for row in batch.to_pylist()]
    return {(row["topic"], row["partition"], row["offset"], row["event_id"]) for row in rows}


def test_every_event_is_where_the_ledger_says(fresh: Kafka, tmp_path: Path) -> None:
    with LedgerWriter(tmp_path / "run") as writer:
        sent = broker.send(fresh.clients.producer(**broker.PRODUCER), _fleet(1).batches(), writer, timeout_s=30)
    everything = fresh.everything()
    held = {(*where, offset, event) for where, events in everything.items() for offset, event, _ in events}
    assert _acknowledged(tmp_path) == held
    assert sent.events == len(held) > 3_000
    assert _by_vehicle(everything) == _expected(1)


def test_a_broker_that_comes_back_has_everything_once_and_in_order(fresh: Kafka, tmp_path: Path) -> None:
    killed = threading.Event()

    def crash(events: int) -> None:
        if events > 300 and not killed.is_set():
            killed.set()
            fresh.kill()
            threading.Timer(4.0, fresh.start).start()

    producer = fresh.clients.producer(**broker.PRODUCER)
    paced = Pace(speed=60).keep(_fleet(2), Lateness())
    with LedgerWriter(tmp_path / "run") as writer:
        sent = broker.send(producer, paced, writer, timeout_s=30, progress=crash)
    assert killed.is_set()
    everything = fresh.everything()
    assert _by_vehicle(everything) == _expected(2)
    held = {(*where, event) for where, events in everything.items() for _, event, _ in events}
    assert {(topic, part, event) for topic, part, _, event in _acknowledged(tmp_path)} == held
    assert sent.failed == {}


def test_a_broker_that_stays_away_ends_the_drive_and_the_ledger_is_true(fresh: Kafka, tmp_path: Path) -> None:
    killed = threading.Event()

    def crash(events: int) -> None:
        if events > 300 and not killed.is_set():
            killed.set()
            fresh.kill()

    producer = fresh.clients.producer(**broker.PRODUCER, **{"delivery.timeout.ms": 3_000})
    paced = Pace(speed=60).keep(_fleet(3, duration_s=3_600), Lateness())
    began = time.monotonic()
    with pytest.raises(ServiceError) as failed, LedgerWriter(tmp_path / "run") as writer:
        broker.send(producer, paced, writer, timeout_s=3, progress=crash)
    assert killed.is_set() and "did not take" in failed.value.reason
    assert time.monotonic() - began < 40
    fresh.start()
    held = {(*where, offset, event) for where, events in fresh.everything().items() for offset, event, _ in events}
    acknowledged = _acknowledged(tmp_path)
    assert acknowledged <= held and acknowledged
    unclear = {event for _, _, _, event in _acknowledged(tmp_path, ledger.UNACKNOWLEDGED)}
    assert {event for _, _, _, event in held - acknowledged} <= unclear


def test_an_event_too_large_for_the_topic_is_a_sentence(fresh: Kafka, tmp_path: Path) -> None:
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource  # type: ignore[attr-defined]

    small = ConfigEntry("max.message.bytes", "300", incremental_operation=AlterConfigOpType.SET)
    admin = fresh.clients.kafka_admin
    for topic in TOPICS:
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[small])
        for future in admin.incremental_alter_configs([resource]).values():
            future.result()
    with pytest.raises(ServiceError) as failed, LedgerWriter(tmp_path / "run") as writer:
        broker.send(fresh.clients.producer(), _fleet(4, 1, 20).batches(), writer, timeout_s=20)
    assert "refused an event" in failed.value.reason and failed.value.hint


def test_topics_that_differ_are_told_and_left_alone(fresh: Kafka) -> None:
    admin, kafka = fresh.clients.kafka_admin, fresh.settings.kafka
    asked = kafka.model_copy(update={"partitions": 5, "retention_hours": 1.0})
    for topic in broker.ensure_topics(admin, asked):
        assert not topic.created and topic.partitions == 3
        assert topic.differences == ("3 partitions instead of 5", "keeps events 168 h instead of 1 h")
    assert all(topic.differences == () for topic in broker.ensure_topics(admin, kafka))


def test_ctrl_c_ends_the_command_with_everything_acknowledged(fresh: Kafka) -> None:
    settings = fresh.settings
    environment = {
        **os.environ,
        "SMARTCITY_DATA_DIR": str(settings.data_dir),
        "SMARTCITY_KAFKA__PORT": str(settings.kafka.port),
    }
    before = sum(ledger.count(settings.folder.ledger).values())
    command = [COMMAND, "simulate", "--speed", "60", "--seed", "9", "--vehicles", "2"]
    drive = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 40
    while sum(ledger.count(settings.folder.ledger).values()) < before + 200:
        assert time.monotonic() < deadline and drive.poll() is None
        time.sleep(0.1)
    drive.send_signal(signal.SIGINT)
    _, said = drive.communicate(timeout=30)
    assert drive.returncode == 130
    assert "events were acknowledged" in said
    held = sum(map(len, fresh.everything().values()))
    assert sum(ledger.count(settings.folder.ledger).values()) - before == held


def test_the_command_says_what_it_sent_as_json(fresh: Kafka) -> None:
    environment = {
        **os.environ,
        "SMARTCITY_DATA_DIR": str(fresh.settings.data_dir),
        "SMARTCITY_KAFKA__PORT": str(fresh.settings.kafka.port),
    }
    command = [COMMAND, "simulate", "--duration", "10m", "--json"]
    told = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60).stdout)
    assert told["events"] == sum(told["produced"].values()) == sum(map(len, fresh.everything().values()))
