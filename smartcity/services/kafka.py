"""Kafka 4 as a child process: one node that is broker and controller (KRaft), on the loopback address only."""

from __future__ import annotations

import base64
import shlex
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from smartcity.errors import SettingsError
from smartcity.services import ports
from smartcity.services.aot import AotCache, aot_cache
from smartcity.services.jars import classpath
from smartcity.services.java import find_java
from smartcity.services.spec import Command, ServiceSpec

if TYPE_CHECKING:
    from threading import Event

    from smartcity.services.java import Java
    from smartcity.settings import Settings

#: A broker that was killed is let in again only when its old session has ended; Kafka's default is 9 s. The price of
#: a short one: a machine that stalls for this long shows its partitions as leaderless for a moment.
SESSION_TIMEOUT_MS = 2_000

_JVM_FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # a quarter faster to start, and disk and network are the limit later
    "-Djava.awt.headless=true",
    "-Dlog4j2.disableJmx=true",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "-XX:+IgnoreUnrecognizedVMOptions",
)

_LOGGING = """\
status = error
appenders = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601}{UTC} %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRefs = console
rootLogger.appenderRef.console.ref = console
logger.server.name = kafka.server
logger.server.level = info
"""


@dataclass(frozen=True)
class Broker:
    """A broker's folder and ports. The same value describes the project's broker and the one of a training run."""

    folder: Path
    port: int
    retention_ms: int
    heap_mb: int

    @property
    def controller_port(self) -> int:
        """The port on which broker and controller talk."""
        return self.port + 1

    @property
    def config(self) -> Path:
        """Kafka's configuration file."""
        return self.folder / "server.properties"

    @property
    def formatted(self) -> bool:
        """Whether the log folder was prepared once."""
        return (self.folder / "log" / "meta.properties").exists()

    @property
    def cluster_id(self) -> str | None:
        """The id that tells this broker from a stranger on its port."""
        try:
            lines = (self.folder / "log" / "meta.properties").read_text().splitlines()
        except OSError:
            return None
        return next((line.partition("=")[2] for line in lines if line.startswith("cluster.id=")), None)

    @property
    def properties(self) -> Mapping[str, object]:
        """server.properties: one node, small internal topics, no waiting for members that never come."""
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{ports.LOOPBACK}:{self.controller_port}",
            "listeners": f"PLAINTEXT://{ports.LOOPBACK}:{self.port},CONTROLLER://{ports.LOOPBACK}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{ports.LOOPBACK}:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": self.folder / "log",
            "broker.session.timeout.ms": SESSION_TIMEOUT_MS,
            "broker.heartbeat.interval.ms": SESSION_TIMEOUT_MS // 5,
            "initial.broker.registration.timeout.ms": 60_000,
            "auto.create.topics.enable": "false",
            "log.retention.ms": self.retention_ms,
            "log.segment.bytes": 128 << 20,
            "log.cleaner.dedupe.buffer.size": 16 << 20,
            "num.network.threads": 2,
            "num.io.threads": 4,
            "num.recovery.threads.per.data.dir": 1,
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 2,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
        }

    def write_config(self) -> None:
        """Write the configuration anew, so that a changed setting counts from the next start on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text("".join(f"{key}={value}\n" for key, value in self.properties.items()))
        (self.folder / "log4j2.properties").write_text(_LOGGING)


@dataclass(frozen=True)
class KafkaProgram:
    """Kafka's jars on a Java, and the start-up cache of the two."""

    java: Java
    jars: Sequence[Path]
    cache: AotCache

    def argv(self, broker: Broker, main: str, extra: Sequence[str] = ()) -> list[str]:
        """The command line of one of Kafka's main classes; `extra` are JVM flags."""
        flags = [f"-Xmx{broker.heap_mb}m", f"-Dlog4j2.configurationFile={broker.folder / 'log4j2.properties'}"]
        return [str(self.java.executable), *_JVM_FLAGS, *flags, *extra, "-cp", ":".join(map(str, self.jars)), main]

    def serve(self, broker: Broker, extra: Sequence[str]) -> list[str]:
        """What runs the broker, preparing its log folder first where that was never done."""
        server = [*self.argv(broker, "kafka.Kafka", extra), str(broker.config)]
        if broker.formatted:
            return server
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = self.argv(broker, "kafka.tools.StorageTool", self.cache.flags)
        format_log = [*tool, "format", "--ignore-formatted", f"--cluster-id={cluster}", "-c", str(broker.config)]
        return ["/bin/sh", "-c", f"{shlex.join(format_log)} && exec {shlex.join(server)}"]


def kafka_program(settings: Settings) -> KafkaProgram:
    """Kafka as this machine can run it. Raises `PrerequisiteError` where Java or jars are missing."""
    java = find_java(settings)
    jars = classpath(settings, "kafka")
    return KafkaProgram(java, jars, aot_cache(settings, "kafka", java, jars, _JVM_FLAGS))


def project_broker(settings: Settings) -> Broker:
    """The broker that the settings describe."""
    kafka = settings.kafka
    return Broker(settings.folder.kafka, kafka.port, int(kafka.retention_hours * 3_600_000), kafka.heap_mb)


def kafka_service(settings: Settings) -> ServiceSpec:
    """The row of the table of services: our own broker, or the ones that `kafka.bootstrap_servers` names."""
    servers = settings.kafka.bootstrap_servers
    broker = project_broker(settings)
    if servers is not None or settings.runtime == "external":
        return ServiceSpec(
            name="kafka",
            title="Kafka",
            ports={},
            address=settings.kafka_bootstrap,
            data_dir=broker.folder,
            command=None,
            ready=lambda within_s: answers(settings.kafka_bootstrap, within_s) is not None,
        )

    def train(stop: Event) -> None:
        from smartcity.services.kafka_training import make_cache

        make_cache(settings, stop)

    def make_caches() -> None:
        from smartcity.services.background import make_caches_in_background

        make_caches_in_background(settings)

    def command() -> Command:
        if settings.kafka.coordination != "kraft":
            raise SettingsError("Kafka with ZooKeeper does not run natively.", "Set kafka.coordination to kraft.")
        program = kafka_program(settings)
        broker.write_config()
        return Command(program.serve(broker, program.cache.flags), directory=broker.folder)

    return ServiceSpec(
        name="kafka",
        title="Kafka 4.3.1",
        ports={"kafka.port": broker.port, "kafka.port + 1": broker.controller_port},
        address=settings.kafka_bootstrap,
        data_dir=broker.folder,
        command=command,
        ready=lambda within_s: is_ready(broker, within_s),
        jar_groups=("kafka",),
        heap_mb=broker.heap_mb,
        free_disk_mb=500,
        warm_up=train,
        after_stop=make_caches,
        stop_s=20.0,
    )


def is_ready(broker: Broker, within_s: float) -> bool:
    """Whether this very broker answers a metadata request with itself as a live broker."""
    if not ports.accepts(broker.port, min(within_s, 0.5)):
        return False
    found = answers(f"{ports.LOOPBACK}:{broker.port}", within_s)
    return found is not None and found == broker.cluster_id


def answers(servers: str, within_s: float) -> str | None:
    """The cluster id that brokers at this address name, or None where no live broker is listed within the time."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    config: dict[str, str | int | float | bool] = {
        "bootstrap.servers": servers,
        "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 100,
        "log_level": 0,
    }
    try:
        metadata = AdminClient(config).list_topics(timeout=within_s)
    except KafkaException:
        return None
    return str(metadata.cluster_id) if metadata.brokers else None
