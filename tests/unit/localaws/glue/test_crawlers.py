"""Crawlers as resources: life cycle, states, history, schedules."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from glue.conftest import World
from glue.lakes import ROLE, A, crawl, create, parquet
from glue.test_catalog_core import code


def test_a_crawler_lives_and_dies(glue: Any) -> None:
    create(glue, "s3://bkt/x/", Tags={"team": "roads"})
    found = glue.get_crawler(Name="c")["Crawler"]
    assert (found["State"], found["Version"], found["RecrawlPolicy"]) == (
        "READY",
        1,
        {"RecrawlBehavior": "CRAWL_EVERYTHING"},
    )
    glue.update_crawler(Name="c", TablePrefix="p_", SchemaChangePolicy={"DeleteBehavior": "LOG"})
    found = glue.get_crawler(Name="c")["Crawler"]
    assert (found["Version"], found["TablePrefix"], found["Role"]) == (2, "p_", ROLE)
    assert found["SchemaChangePolicy"] == {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "LOG"}
    create(glue, "s3://bkt/y/", name="other")
    assert glue.list_crawlers()["CrawlerNames"] == ["c", "other"]
    assert glue.list_crawlers(Tags={"team": "roads"})["CrawlerNames"] == ["c"]
    many = glue.batch_get_crawlers(CrawlerNames=["other", "none"])
    assert ([item["Name"] for item in many["Crawlers"]], many["CrawlersNotFound"]) == (["other"], ["none"])
    glue.delete_crawler(Name="c")
    with pytest.raises(ClientError) as error:
        glue.get_crawler(Name="c")
    assert code(error) == ("EntityNotFoundException", "Crawler entry with name c does not exist")


@pytest.mark.parametrize(
    "bad",
    [
        {"Targets": {}},
        {"Targets": {"S3Targets": []}},
        {"Targets": {"S3Targets": [{"Path": "s3://"}]}},
        {"Targets": {"JdbcTargets": [{"ConnectionName": "x"}]}},
        {"Configuration": "{"},
        {"Configuration": "[]"},
        {"Schedule": "every day"},
        {"RecrawlPolicy": {"RecrawlBehavior": "CRAWL_NEW_FOLDERS_ONLY"}},
        {"RecrawlPolicy": {"RecrawlBehavior": "CRAWL_EVENT_MODE"}},
        {"DatabaseName": ""},
        {"Classifiers": ["mine"]},
    ],
)
def test_bad_definitions_are_refused(glue: Any, bad: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as error:
        create(glue, "s3://bkt/x/", **bad)
    assert code(error)[0] in ("InvalidInputException", "ValidationException", "EntityNotFoundException")


def test_the_role_must_be_passable_and_trust_glue(world: World) -> None:
    world.access.unassumable.add(ROLE)
    with pytest.raises(ClientError) as error:
        create(world.glue, "s3://bkt/x/")
    assert code(error)[0] == "InvalidInputException"
    world.access.unassumable.clear()
    world.access.denied.append(("iam:PassRole", ROLE))
    with pytest.raises(ClientError) as error:
        create(world.glue, "s3://bkt/x/")
    assert "iam:PassRole" in code(error)[1]


class Gate:
    """S3 that answers a read only when it is opened."""

    def __init__(self, world: World) -> None:
        self.reached, self.open = threading.Event(), threading.Event()
        self._read = world.s3.read
        world.s3.read = self  # type: ignore[method-assign,assignment]

    def __call__(self, item: Any, wanted: str) -> bytes:
        self.reached.set()
        assert self.open.wait(20)
        return self._read(item, wanted)


def wait_ready(glue: Any) -> None:
    """Wait until crawler `c` is ready."""
    deadline = time.monotonic() + 20
    while glue.get_crawler(Name="c")["Crawler"]["State"] != "READY":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_states_while_a_crawl_runs_and_is_stopped(world: World) -> None:
    glue = world.glue
    for number in range(30):
        world.s3.put(f"s3://bkt/x/{number}.parquet", parquet(A))
    create(glue, "s3://bkt/x/")
    with pytest.raises(ClientError) as error:
        glue.stop_crawler(Name="c")
    assert code(error)[0] == "CrawlerNotRunningException"
    gate = Gate(world)
    glue.start_crawler(Name="c")
    assert gate.reached.wait(20)
    assert glue.get_crawler(Name="c")["Crawler"]["State"] == "RUNNING"
    for call in (glue.start_crawler, glue.delete_crawler, glue.update_crawler):
        with pytest.raises(ClientError) as error:
            call(Name="c")
        assert code(error)[0] == "CrawlerRunningException"
    glue.stop_crawler(Name="c")
    with pytest.raises(ClientError) as error:
        glue.stop_crawler(Name="c")
    assert code(error)[0] == "CrawlerStoppingException"
    gate.open.set()
    wait_ready(glue)
    assert glue.get_crawler(Name="c")["Crawler"]["LastCrawl"]["Status"] == "CANCELLED"
    assert [item["State"] for item in glue.list_crawls(CrawlerName="c")["Crawls"]] == ["STOPPED"]


def test_a_crawl_that_a_kill_interrupted_has_failed_and_can_be_started_again(world: World) -> None:
    world.s3.put("s3://bkt/x/1.parquet", parquet(A))
    create(world.glue, "s3://bkt/x/")
    gate, crashed = Gate(world), world.service
    world.glue.start_crawler(Name="c")
    assert gate.reached.wait(20)
    world.open()  # the same files, as after kill -9
    found = world.glue.get_crawler(Name="c")["Crawler"]
    assert (found["State"], found["LastCrawl"]["Status"]) == ("READY", "FAILED")
    gate.open.set()
    crashed.stop()
    assert crawl(world.glue)["State"] == "COMPLETED"


def test_history_is_filtered_and_paged(world: World) -> None:
    world.s3.put("s3://bkt/x/1.parquet", parquet(A))
    create(world.glue, "s3://bkt/x/")
    for _ in range(3):
        crawl(world.glue)
    world.s3.denied.add("ListObjectsV2")
    failed = crawl(world.glue)
    state = {"FieldName": "STATE", "FilterOperator": "EQ", "FieldValue": "FAILED"}
    found = world.glue.list_crawls(CrawlerName="c", Filters=[state])["Crawls"]
    assert [item["CrawlId"] for item in found] == [failed["CrawlId"]]
    now = str(int(time.time() * 1000) + 1000)
    early = {"FieldName": "START_TIME", "FilterOperator": "LT", "FieldValue": now}
    assert len(world.glue.list_crawls(CrawlerName="c", Filters=[early])["Crawls"]) == 4
    first = world.glue.list_crawls(CrawlerName="c", MaxResults=3)
    rest = world.glue.list_crawls(CrawlerName="c", MaxResults=3, NextToken=first["NextToken"])
    assert (len(first["Crawls"]), len(rest["Crawls"]), "NextToken" in rest) == (3, 1, False)


def test_schedules_are_kept(glue: Any) -> None:
    create(glue, "s3://bkt/x/", Schedule="cron(15 12 * * ? *)")
    assert glue.get_crawler(Name="c")["Crawler"]["Schedule"] == {
        "ScheduleExpression": "cron(15 12 * * ? *)",
        "State": "SCHEDULED",
    }
    with pytest.raises(ClientError) as error:
        glue.start_crawler_schedule(CrawlerName="c")
    assert code(error)[0] == "SchedulerRunningException"
    glue.stop_crawler_schedule(CrawlerName="c")
    assert glue.get_crawler(Name="c")["Crawler"]["Schedule"]["State"] == "NOT_SCHEDULED"
    glue.start_crawler_schedule(CrawlerName="c")
    glue.update_crawler_schedule(CrawlerName="c", Schedule="")
    assert "Schedule" not in glue.get_crawler(Name="c")["Crawler"]
    with pytest.raises(ClientError) as error:
        glue.start_crawler_schedule(CrawlerName="c")
    assert code(error)[0] == "NoScheduleException"
