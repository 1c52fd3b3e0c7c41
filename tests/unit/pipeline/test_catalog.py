"""The catalog stop against botocore's stubbed Glue: what it asks for, and what it makes of the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from smartcity.errors import ServiceError
from smartcity.events import TOPICS
from smartcity.pipeline import catalog

ROLE = "arn:aws:iam::123456789012:role/smartcity-crawler"


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    """Keeps botocore's model of Glue for all tests."""
    return boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="eu-west-2")


@pytest.fixture
def stub(session: boto3.Session) -> Iterator[Stubber]:
    """A Glue that answers what a test prepared, and nothing may be left over."""
    client: Any = session.client("glue")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def add_end(stub: Stubber, last: dict[str, Any]) -> None:
    """A crawler that is ready again."""
    stub.add_response("get_crawler", {"Crawler": {"State": "READY", "LastCrawl": last}}, {"Name": "c"})


def test_the_definitions_pass_botocores_validation_for_every_topic(stub: Stubber) -> None:
    for topic in TOPICS:
        stub.add_response("create_table", {})
        assert catalog.ensure_table(stub.client, "d", "bkt", topic)
        stub.add_response("batch_create_partition", {"Errors": []})
        assert catalog.register_partitions(stub.client, "d", "bkt", [(topic, "2026-03-01")]) == 1


def test_missing_tables_and_databases_are_made_on_the_way(stub: Stubber) -> None:
    stub.add_client_error("batch_create_partition", "EntityNotFoundException")
    stub.add_response("create_database", {})
    stub.add_client_error("create_table", "AlreadyExistsException")  # somebody else was faster
    there = {"PartitionValues": ["2026-03-01"], "ErrorDetail": {"ErrorCode": "AlreadyExistsException"}}
    stub.add_response("batch_create_partition", {"Errors": [there]})
    assert catalog.register_partitions(stub.client, "d", "bkt", [("gps", "2026-03-01")]) == 0


def test_another_error_of_a_partition_is_told(stub: Stubber) -> None:
    detail = {"ErrorCode": "InvalidInputException", "ErrorMessage": "the keys do not match"}
    stub.add_response(
        "batch_create_partition", {"Errors": [{"PartitionValues": ["2026-03-01"], "ErrorDetail": detail}]}
    )
    with pytest.raises(ServiceError, match="the keys do not match"):
        catalog.register_partitions(stub.client, "d", "bkt", [("gps", "2026-03-01")])


def test_batches_keep_to_awss_limit(stub: Stubber) -> None:
    days = [("gps", f"2026-{month:02d}-{day:02d}") for month in (1, 3, 5, 7) for day in range(1, 32)]
    for _ in range(2):
        stub.add_response("batch_create_partition", {"Errors": []})
    assert catalog.register_partitions(stub.client, "d", "bkt", days) == 124


def test_the_registrar_asks_once(stub: Stubber) -> None:
    register = catalog.Registrar(stub.client, "d", "bkt")
    stub.add_response("batch_create_partition", {"Errors": []})
    register({("gps", "2026-03-01")})
    register({("gps", "2026-03-01")})
    stub.add_response("batch_create_partition", {"Errors": []})
    register({("gps", "2026-03-01"), ("gps", "2026-03-02")})


def test_a_failed_registration_is_tried_again(stub: Stubber) -> None:
    register = catalog.Registrar(stub.client, "d", "bkt")
    stub.add_client_error("batch_create_partition", "InternalServiceException")
    with pytest.raises(ClientError):
        register({("gps", "2026-03-01")})
    stub.add_response("batch_create_partition", {"Errors": []})
    register({("gps", "2026-03-01")})


def test_a_crawl_reports_what_changed(stub: Stubber) -> None:
    stub.add_response("start_crawler", {}, {"Name": "c"})
    stub.add_response("get_crawler", {"Crawler": {"State": "RUNNING"}})
    stub.add_response("get_crawler", {"Crawler": {"State": "STOPPING"}})
    add_end(stub, {"Status": "SUCCEEDED"})
    tables = json.dumps({"ADD": {"Count": 5, "Details": {"names": []}}})
    summary = json.dumps({"TABLE": tables, "PARTITION": json.dumps({"ADD": {"Count": 7}, "UPDATE": {"Count": 2}})})
    stub.add_response("list_crawls", {"Crawls": [{"Summary": summary}]})
    states: list[str] = []
    report = catalog.run_crawler(stub.client, "c", 10, states.append, sleep=lambda _: None)
    assert (report.tables_added, report.partitions_added, report.partitions_updated) == (5, 7, 2)
    assert states == ["running", "stopping"]


def test_a_crawl_of_someone_else_is_waited_for(stub: Stubber) -> None:
    stub.add_client_error("start_crawler", "CrawlerRunningException")
    stub.add_response("start_crawler", {})
    add_end(stub, {"Status": "SUCCEEDED"})
    stub.add_response("list_crawls", {"Crawls": []})
    waited: list[float] = []
    assert catalog.run_crawler(stub.client, "c", 10, sleep=waited.append).tables_added == 0
    assert len(waited) == 1


def test_a_failed_crawl_tells_its_reason(stub: Stubber) -> None:
    stub.add_response("start_crawler", {})
    add_end(stub, {"Status": "FAILED", "ErrorMessage": "AccessDenied: s3:ListBucket"})
    with pytest.raises(ServiceError, match="FAILED: AccessDenied: s3:ListBucket") as error:
        catalog.run_crawler(stub.client, "c", 10)
    assert "role" in error.value.hint


def test_a_crawl_that_takes_too_long_is_given_up(stub: Stubber) -> None:
    stub.add_response("start_crawler", {})
    stub.add_response("get_crawler", {"Crawler": {"State": "RUNNING"}})
    with pytest.raises(ServiceError, match="not finished in time"):
        catalog.run_crawler(stub.client, "c", 0.0, sleep=lambda _: None)


def test_a_role_that_iam_has_not_spread_yet_is_waited_for(stub: Stubber) -> None:
    stub.add_client_error("get_crawler", "EntityNotFoundException")
    stub.add_client_error("create_crawler", "InvalidInputException", "Service is unable to assume provided role.")
    stub.add_response("create_crawler", {})
    waited: list[float] = []
    assert catalog.ensure_crawler(stub.client, "c", ROLE, "bkt", "d", sleep=waited.append)
    assert waited == [2.0]


def test_no_database_has_no_tables(stub: Stubber) -> None:
    stub.add_client_error("get_tables", "EntityNotFoundException")
    assert catalog.describe_tables(stub.client, "d") == []
