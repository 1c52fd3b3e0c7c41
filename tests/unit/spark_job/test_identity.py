from __future__ import annotations

import json

import pytest

from smartcity.errors import ServiceError
from smartcity.spark_job.checkpoint import Planned, parse_offset_log, ranges_between
from smartcity.spark_job.commits import Commit
from smartcity.spark_job.identity import check_offsets, ends_of, establish, missing_topics
from smartcity.spark_job.query import explain
from tests.unit.spark_job.fakes import MemoryBucket

TOPICS = {"gps": "id-1", "vehicle": "id-2"}


class MemoryCheckpoint:
    """A checkpoint folder in memory, with the calls that `establish` makes."""

    uri = "s3a://memory/checkpoints/main"

    def __init__(self, query_id: str | None = None) -> None:
        self.id = query_id

    def query_id(self) -> str | None:
        return self.id

    def set_query_id(self, query_id: str) -> None:
        self.id = query_id


def test_a_new_checkpoint_gets_an_identity_that_it_keeps() -> None:
    bucket, checkpoint = MemoryBucket(), MemoryCheckpoint()
    first = establish(bucket, checkpoint, "main", TOPICS)  # type: ignore[arg-type]
    assert checkpoint.id == first.query_id
    assert establish(bucket, checkpoint, "main", TOPICS) == first  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("topics", "sentence"),
    [
        ({"gps": "id-1"}, "is of the topics gps, vehicle, not of gps"),
        ({"gps": "id-9", "vehicle": "id-2"}, "Topic gps was deleted and created again"),
        ({"gps": "id-9", "vehicle": "id-9"}, "Topics gps, vehicle were deleted and created again"),
    ],
)
def test_a_checkpoint_of_other_topics_is_refused(topics: dict[str, str], sentence: str) -> None:
    bucket, checkpoint = MemoryBucket(), MemoryCheckpoint()
    establish(bucket, checkpoint, "main", TOPICS)  # type: ignore[arg-type]
    with pytest.raises(ServiceError, match=sentence):
        establish(bucket, checkpoint, "main", topics)  # type: ignore[arg-type]


def test_a_checkpoint_of_another_bucket_is_refused() -> None:
    with pytest.raises(ServiceError, match="never wrote to bucket memory"):
        establish(MemoryBucket(), MemoryCheckpoint("elsewhere"), "main", TOPICS)  # type: ignore[arg-type]


def commit(end: int) -> Commit:
    return Commit("q", 1, 0, {"gps": {0: (5, end)}})


@pytest.mark.parametrize(
    ("begin", "end", "sentence"),
    [
        (12, 20, "Events 10 to 11 of gps, partition 0, expired"),
        (0, 7, "has read gps, partition 0, up to 10, but the brokers have events up to 7 only"),
    ],
)
def test_expired_or_vanished_events_are_refused(begin: int, end: int, sentence: str) -> None:
    with pytest.raises(ServiceError, match=sentence):
        check_offsets(ends_of(commit(10)), {"gps": {0: begin}}, {"gps": {0: end}})


def test_going_on_where_it_was_is_fine() -> None:
    check_offsets(ends_of(commit(10)), {"gps": {0: 10}}, {"gps": {0: 10, 1: 3}})
    check_offsets(ends_of(None), {"gps": {0: 10}}, {"gps": {0: 10}})
    with pytest.raises(ServiceError, match="no longer has partition 0"):
        check_offsets(ends_of(commit(10)), {"gps": {}}, {"gps": {}})


def test_topics_that_do_not_exist_are_named() -> None:
    class Broker:
        def topic_ids(self, _topics: tuple[str, ...]) -> dict[str, str]:
            return {"gps": "id-1"}

    with pytest.raises(ServiceError, match="no topic vehicle"):
        missing_topics(Broker(), ("gps", "vehicle"))  # type: ignore[arg-type]


def test_the_offset_log_gives_time_and_ends() -> None:
    text = 'v1\n{"batchWatermarkMs":0,"batchTimestampMs":1795478400123,"conf":{}}\n{"gps":{"1":7,"0":3}}'
    assert parse_offset_log(text) == Planned(1795478400123, {"gps": {0: 3, 1: 7}})


@pytest.mark.parametrize("text", ["", "v1", "v1\n{}\n{}", 'v1\n{"batchTimestampMs":1}\n-', "v1\nx\ny"])
def test_an_offset_log_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ServiceError, match="form that is not known"):
        parse_offset_log(text)


def test_a_batch_reads_from_where_the_one_before_ended() -> None:
    assert ranges_between({"gps": {0: 3}}, {"gps": {0: 5, 1: 2}}) == {"gps": {0: (3, 5), 1: (0, 2)}}


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (RuntimeError("… Some data may have been lost because …"), "expired at the brokers"),
        (RuntimeError("UnknownTopicOrPartitionException: …"), "A topic was deleted"),
        (OSError("[Errno 28] No space left on device"), "The disk is full."),
        (ValueError("\nsomething\nelse"), "The stream stopped: something"),
        (ServiceError("As it is."), "As it is."),
    ],
)
def test_failures_are_explained(failure: Exception, sentence: str) -> None:
    assert sentence in explain(failure).reason


def test_commit_objects_round_trip() -> None:
    one = commit(9)
    assert Commit.from_json(one.to_json()) == one
    with pytest.raises(ValueError, match="version"):
        Commit.from_json(json.dumps({"format": 2}).encode())
