"""Spark's checkpoint of the stream, as far as the protocol must know it.

Spark writes `offsets/<batch>` before a batch runs: from then on the batch stands for a fixed range of offsets and a
fixed time, however often it is run. `metadata` holds the query's id. The folder may lie on S3 or on any other file
system that Hadoop knows, so it is read through Spark's own file system classes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from smartcity.errors import ServiceError
from smartcity.spark_job.commits import Ranges

#: topic → partition → one past the last offset
Ends = dict[str, dict[int, int]]


@dataclass(frozen=True)
class Planned:
    """One entry of Spark's offset log."""

    timestamp_ms: int
    ends: Ends


def parse_offset_log(text: str) -> Planned:
    """An entry of the offset log: version line, metadata, then one line per source; ours has one source.

    Raises `ServiceError` for a form that we do not know.
    """
    lines = text.strip().splitlines()
    try:
        metadata, source = json.loads(lines[1]), json.loads(lines[2])
        return Planned(int(metadata["batchTimestampMs"]), parse_offsets(source))
    except (IndexError, KeyError, ValueError, TypeError, AttributeError):
        raise ServiceError(
            "The checkpoint's offset log has a form that is not known here.",
            "Was it written by another version of Spark, or by another kind of query?",
        ) from None


def parse_offsets(source: dict[str, dict[str, int]]) -> Ends:
    """Spark's JSON of Kafka offsets: {"topic": {"0": 17}}."""
    return {topic: {int(p): int(end) for p, end in parts.items()} for topic, parts in source.items()}


def ranges_between(before: Ends, after: Ends) -> Ranges:
    """What a batch read: from where the one before ended; a partition unknown before begins at 0."""
    return {
        topic: {p: (before.get(topic, {}).get(p, 0), end) for p, end in sorted(parts.items())}
        for topic, parts in sorted(after.items())
    }


class Checkpoint:
    """Read and write access to the checkpoint folder through Spark's JVM."""

    def __init__(self, spark: Any, uri: str) -> None:
        self.uri = uri.rstrip("/")
        self._jvm = spark._jvm
        self._path = self._jvm.org.apache.hadoop.fs.Path
        self._fs = self._path(self.uri).getFileSystem(spark._jsc.hadoopConfiguration())

    def read(self, name: str) -> str | None:
        """Text of a file below the checkpoint, or None if there is none."""
        path = self._path(f"{self.uri}/{name}")
        if not self._fs.exists(path):
            return None
        stream = self._fs.open(path)
        try:
            return str(self._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
        finally:
            stream.close()

    def write(self, name: str, text: str) -> None:
        """Write a file below the checkpoint."""
        stream = self._fs.create(self._path(f"{self.uri}/{name}"), True)
        try:
            stream.write(bytearray(text.encode()))
        finally:
            stream.close()

    def query_id(self) -> str | None:
        """Id of the query that this checkpoint belongs to, or None for a new one."""
        text = self.read("metadata")
        return None if text is None else str(json.loads(text)["id"])

    def set_query_id(self, query_id: str) -> None:
        """Make this the checkpoint of a query, before its first start."""
        self.write("metadata", json.dumps({"id": query_id}))

    def last_planned(self) -> int:
        """Number of the newest entry of the offset log, or -1."""
        folder = self._path(f"{self.uri}/offsets")
        if not self._fs.exists(folder):
            return -1
        names = [str(status.getPath().getName()) for status in self._fs.listStatus(folder)]
        return max((int(name) for name in names if name.isdigit()), default=-1)

    def planned(self, batch_id: int) -> Planned:
        """What Spark fixed for a batch. Raises `ServiceError` when it is not there or not understood."""
        text = self.read(f"offsets/{batch_id}")
        if text is None:
            raise ServiceError(
                f"The checkpoint {self.uri} has no offsets of batch {batch_id}.", "It was altered while in use."
            )
        return parse_offset_log(text)

    def initial(self) -> Ends:
        """The offsets at which the stream first began."""
        text = self.read("sources/0/0")
        if text is None:
            return {}
        return parse_offsets(json.loads(text[text.index("{") :]))
