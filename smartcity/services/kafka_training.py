"""The training run behind Kafka's start-up cache: a broker of its own in a scratch folder, started, used, stopped.

It costs some eight seconds of processor time and saves one on every start.
"""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from smartcity.errors import ServiceError
from smartcity.services import ports
from smartcity.services.disk import exclusive
from smartcity.services.kafka import Broker, is_ready, kafka_program
from smartcity.services.training import running, wait_until

if TYPE_CHECKING:
    from threading import Event

    from smartcity.settings import Settings

_READY_S = 60.0


def make_cache(settings: Settings, stop: Event) -> bool:
    """Make the cache unless it is there or cannot be; False where none was made: `stop` was set, or it failed."""
    program = kafka_program(settings)
    cache = program.cache
    if cache.exists or not cache.possible:
        return False
    cache.file.parent.mkdir(parents=True, exist_ok=True)
    from confluent_kafka import KafkaException

    with (
        suppress(ServiceError, KafkaException),
        exclusive(cache.file.parent / ".lock", 0.0, "Another training run"),
        TemporaryDirectory(dir=cache.file.parent, prefix="training-", ignore_cleanup_errors=True) as scratch,
    ):
        broker = Broker(Path(scratch), free_ports(), 3_600_000, settings.kafka.heap_mb)
        broker.write_config()
        with running(program.serve(broker, cache.training_flags), broker.folder, stop):
            _use(broker, stop)
        return not stop.is_set() and cache.publish()
    return False


def _use(broker: Broker, stop: Event) -> None:
    """Wait for the broker and send it some events, so that the classes of that path are in the cache as well."""
    wait_until(lambda: is_ready(broker, 1.0), _READY_S, stop)
    send_events(f"{ports.LOOPBACK}:{broker.port}", "training")


def send_events(bootstrap: str, topic: str) -> None:
    """Make a topic and put a thousand records there."""
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic

    servers: dict[str, str | int | float | bool] = {"bootstrap.servers": bootstrap, "log_level": 0}
    admin = AdminClient(servers)
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(_READY_S)
    producer = Producer({**servers, "enable.idempotence": True, "compression.type": "lz4"})
    for _ in range(1_000):
        producer.produce(topic, b"x" * 300, headers={"ce_type": b"training"})
    producer.flush(_READY_S)


def free_ports() -> int:
    """A port that is free together with the next one, below the range from which outgoing connections take theirs."""
    for port in random.sample(range(20_000, 32_000, 2), 100):
        if ports.is_free(port) and ports.is_free(port + 1):
            return port
    raise ServiceError("No two neighbouring ports are free.")
