"""Which stream a checkpoint belongs to, and whether it may go on: refused with a sentence, never with silent loss."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from smartcity import layout
from smartcity.errors import ServiceError
from smartcity.spark_job.checkpoint import Checkpoint, Ends
from smartcity.spark_job.commits import Commit
from smartcity.spark_job.source import Broker, Offsets
from smartcity.spark_job.store import Bucket

_NEW_NAME = "Start a stream with a new --name: it reads what the brokers still have, and drops duplicates by event id."


@dataclass(frozen=True)
class Identity:
    """A stream's own record of what it is; written once, before Spark knows of it."""

    query_id: str
    stream: str
    checkpoint: str
    topics: Mapping[str, str]  #: topic → its id at the brokers


def establish(bucket: Bucket, checkpoint: Checkpoint, stream: str, topic_ids: Mapping[str, str]) -> Identity:
    """The identity of this checkpoint's query: a new one, or the one it always had.

    Raises `ServiceError` for a checkpoint of another bucket, of other topics, or of topics that were created anew.
    """
    query_id = checkpoint.query_id()
    if query_id is None:
        identity = Identity(str(uuid.uuid4()), stream, checkpoint.uri, dict(topic_ids))
        bucket.put(layout.stream_key(identity.query_id), json.dumps(asdict(identity)).encode())
        checkpoint.set_query_id(identity.query_id)
        return identity
    stored = bucket.get(layout.stream_key(query_id))
    if stored is None:
        raise ServiceError(
            f"The checkpoint {checkpoint.uri} belongs to a query that never wrote to bucket {bucket.name}.", _NEW_NAME
        )
    identity = Identity(**json.loads(stored.body))
    _same_topics(identity, topic_ids)
    return identity


def _same_topics(identity: Identity, topic_ids: Mapping[str, str]) -> None:
    if set(identity.topics) != set(topic_ids):
        raise ServiceError(
            f"The checkpoint {identity.checkpoint} is of the topics {_names(identity.topics)}, "
            f"not of {_names(topic_ids)}.",
            _NEW_NAME,
        )
    again = sorted(topic for topic, topic_id in topic_ids.items() if identity.topics[topic] != topic_id)
    if again:
        raise ServiceError(
            f"{_topics(again)} deleted and created again since this stream began: "
            "its offsets no longer mean the same events.",
            _NEW_NAME,
        )


def _names(topics: Mapping[str, str]) -> str:
    return ", ".join(sorted(topics)) or "no topic"


def _topics(names: list[str]) -> str:
    return f"Topic {names[0]} was" if len(names) == 1 else f"Topics {', '.join(names)} were"


def check_offsets(committed: Ends, begins: Offsets, ends: Offsets) -> None:
    """Raise `ServiceError` if events after `committed` have expired, or the brokers have fewer than were committed."""
    for topic, partitions in sorted(committed.items()):
        for partition, done in sorted(partitions.items()):
            begin, end = begins.get(topic, {}).get(partition), ends.get(topic, {}).get(partition)
            if begin is None or end is None:
                raise ServiceError(f"Topic {topic} no longer has partition {partition}.", _NEW_NAME)
            if begin > done:
                raise ServiceError(
                    f"Events {done:,} to {begin - 1:,} of {topic}, partition {partition}, expired at the brokers "
                    "before the stream read them.",
                    f"They are lost here. {_NEW_NAME} Then raise kafka.retention_hours.",
                )
            if end < done:
                raise ServiceError(
                    f"The stream has read {topic}, partition {partition}, up to {done:,}, "
                    f"but the brokers have events up to {end:,} only: they lost some, or the topic is another.",
                    _NEW_NAME,
                )


def ends_of(commit: Commit | None) -> Ends:
    """How far a commit has come in each partition."""
    if commit is None:
        return {}
    return {topic: {p: end for p, (_, end) in parts.items()} for topic, parts in commit.offsets.items()}


def missing_topics(broker: Broker, topics: tuple[str, ...]) -> dict[str, str]:
    """Ids of the topics. Raises `ServiceError` naming those that do not exist."""
    found = broker.topic_ids(topics)
    absent = [topic for topic in topics if topic not in found]
    if absent:
        raise ServiceError(
            f"The brokers have no topic {', '.join(absent)}.", "Create the topics with: smartcity up, then simulate."
        )
    return found
