"""The stream on real parts: what it stores, what it refuses, how it stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka.admin import NewTopic

from smartcity import ledger
from smartcity.errors import ServiceError
from smartcity.events import TOPICS
from smartcity.pipeline import stream
from smartcity.pipeline.verify import verify
from smartcity.spark_job.query import Stream
from tests.chaos.world import World, wait_until

pytestmark = pytest.mark.integration

Open = Callable[..., Stream]


@pytest.fixture
def opened(world: World, spark: Any) -> Open:
    def open_(name: str = "main", once: bool = True, **more: Any) -> Stream:
        config = stream.stream_config(world.settings, name=name, once=once)
        changes = {key: more.pop(key) for key in list(more) if key in {"parse_on", "topics", "max_rows_per_batch"}}
        admin, bucket = world.clients.kafka_admin, world.settings.aws.bucket
        return stream.start(spark, world.clients.aws("s3"), admin, bucket, replace(config, **changes), **more)

    return open_


def finished(live: Stream) -> None:
    try:
        live.wait(120)
    finally:
        live.stop()


def test_everything_produced_is_stored_in_few_files(world: World, opened: Open) -> None:
    world.produce("trip-1", 0, 400, bad_every=50)
    reports: list[stream.BatchReport] = []
    told: list[Any] = []
    finished(opened(on_batch=reports.append, register=told.append))
    assert sum(report.rows for report in reports) == 2000
    assert (reports[-1].lag, reports[-1].quarantined) == (dict.fromkeys(TOPICS, 0), 40)
    assert sum(report.files for report in reports) <= 10 * len(reports)
    assert {table for partitions in told for table, _ in partitions} == set(TOPICS)
    assert world.stored() == world.expected(bad_every=50)
    found = verify(world.bucket, ledger.read(world.settings.folder.ledger), trip_id="trip-1")
    assert found.ok
    assert all((check.produced, check.quarantined) == (400, 8) for check in found.topics)


def test_executors_parse_the_same(world: World, opened: Open) -> None:
    world.produce("trip-2", 0, 300, bad_every=50)
    finished(opened(parse_on="executors"))
    assert world.stored() == world.expected(bad_every=50)


def test_a_second_stream_of_the_same_name_is_refused_while_the_first_runs(opened: Open) -> None:
    first = opened(once=False)
    try:
        with pytest.raises(ServiceError, match="already running"):
            opened(once=False)
    finally:
        first.stop()
    finished(opened())


def test_a_running_stream_commits_what_comes_and_stops_at_once(world: World, opened: Open) -> None:
    live = opened(once=False)
    try:
        world.produce("trip-3", 0, 100)
        from smartcity.spark_job.source import KafkaBroker

        broker = KafkaBroker(world.clients.kafka_admin)
        broker.topic_ids(tuple(TOPICS))
        assert live.wait_committed(broker.ends(tuple(TOPICS)), 60)
    finally:
        live.stop()
    assert not live.running
    assert world.expected(bad_every=50) <= world.stored()


def test_another_set_of_topics_is_refused(opened: Open) -> None:
    with pytest.raises(ServiceError, match="is of the topics"):
        opened(topics=("gps", "weather"))
    with pytest.raises(ServiceError, match="no topic parking"):
        opened(topics=("gps", "parking"))


def test_a_topic_created_again_is_refused_and_a_new_stream_doubles_nothing(world: World, opened: Open) -> None:
    admin: Any = world.clients.kafka_admin
    before = world.stored()
    admin.delete_topics(["weather"])["weather"].result()
    wait_until(lambda: "weather" not in admin.list_topics(timeout=5).topics, 20, "deletion")
    admin.create_topics([NewTopic("weather", 2, 1)])["weather"].result()
    wait_until(lambda: "weather" in admin.list_topics(timeout=5).topics, 20, "creation")
    with pytest.raises(ServiceError, match="Topic weather was deleted and created again"):
        opened()
    finished(opened("anew"))
    assert world.stored() == before
