"""Reading all topics in one streaming query, and the broker's view of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient
    from pyspark.sql import DataFrame, SparkSession

#: topic → partition → offset
Offsets = dict[str, dict[int, int]]

#: Name and Spark SQL of each column of parse.RECORD_SCHEMA. Headers stay Spark's arrays, which its code generator
#: handles; a record whose header is given twice counts by the first.
_COLUMNS = (
    "topic",
    "partition",
    "offset",
    "timestamp AS kafka_timestamp",
    "value",
    "CAST(get(headers.value, CAST(array_position(headers.key, 'ce_type') AS INT) - 1) AS STRING) AS event_type",
)


def read_stream(spark: SparkSession, options: Mapping[str, str], topics: Sequence[str], max_rows: int) -> DataFrame:
    """Records of all topics from the beginning; an offset that has expired fails the query."""
    reader = (
        spark.readStream.format("kafka")
        .options(**options)
        .option("subscribe", ",".join(topics))
        .option("startingOffsets", "earliest")
        .option("includeHeaders", "true")
        .option("failOnDataLoss", "true")
        .option("maxOffsetsPerTrigger", str(max_rows))
    )
    return reader.load().selectExpr(*_COLUMNS)


class Broker(Protocol):
    """What the stream asks the brokers before it starts and while it runs."""

    def topic_ids(self, topics: Sequence[str]) -> dict[str, str]:
        """Id of each topic that exists; a topic deleted and created again has another."""
        ...

    def offsets(self, topics: Sequence[str]) -> tuple[Offsets, Offsets]:
        """First offsets that still exist, and one past the last."""
        ...


class KafkaBroker:
    """`Broker` over confluent-kafka's admin client."""

    def __init__(self, admin: AdminClient, timeout_s: float = 15.0) -> None:
        self._admin = admin
        self._timeout_s = timeout_s
        self._partitions: dict[str, int] = {}

    def topic_ids(self, topics: Sequence[str]) -> dict[str, str]:
        """Raises `KafkaException` when no broker answers."""
        from confluent_kafka import KafkaException, TopicCollection

        found: dict[str, str] = {}
        asked = self._admin.describe_topics(TopicCollection(list(topics)), request_timeout=self._timeout_s)
        for topic, future in asked.items():
            try:
                description = future.result(timeout=self._timeout_s)
            except KafkaException as error:
                if error.args[0].name() != "UNKNOWN_TOPIC_OR_PART":
                    raise
            else:
                found[topic] = str(description.topic_id)
                self._partitions[topic] = len(description.partitions)
        return found

    def offsets(self, topics: Sequence[str]) -> tuple[Offsets, Offsets]:
        """Raises `KafkaException` when no broker answers."""
        self.topic_ids([topic for topic in topics if topic not in self._partitions])
        return self._list(topics, "earliest"), self.ends(topics)

    def ends(self, topics: Sequence[str]) -> Offsets:
        """One past the last offset of every partition."""
        return self._list(topics, "latest")

    def _list(self, topics: Sequence[str], end: str) -> Offsets:
        from confluent_kafka import TopicPartition, admin

        spec: Any = getattr(admin.OffsetSpec, end)()  # type: ignore[attr-defined]
        wanted = {TopicPartition(t, p): spec for t in topics for p in range(self._partitions.get(t, 0))}
        found: Offsets = {topic: {} for topic in topics}
        if not wanted:
            return found
        for place, future in self._admin.list_offsets(wanted, request_timeout=self._timeout_s).items():
            found[place.topic][place.partition] = future.result(timeout=self._timeout_s).offset
        return found
