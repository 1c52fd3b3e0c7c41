"""What survives when the engine or Athena itself is killed."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from smartcity.pipeline import query

if TYPE_CHECKING:
    from tests.integration.conftest import Stack

pytestmark = [pytest.mark.integration, pytest.mark.chaos]

WORKGROUP, BUCKET = "kill", "athena-kill"
HEAVY = "SELECT count(*) FROM UNNEST(sequence(1, 10000)) a(x), UNNEST(sequence(1, 10000)) b(y) WHERE (x * y) % 7 = 1"


@pytest.fixture
def athena(stack: Stack) -> Any:
    """A workgroup of its own."""
    s3 = stack.clients.aws("s3")
    if BUCKET not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    client = stack.clients.aws("athena")
    query.ensure_workgroup(client, WORKGROUP, f"s3://{BUCKET}/results/")
    return client


def _kill(stack: Stack, name: str) -> None:
    pid = next(status.pid for status in stack.runtime.status() if status.name == name)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while next(status.state for status in stack.runtime.status() if status.name == name) == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _until(athena: Any, id_: str, *states: str) -> Any:
    deadline = time.monotonic() + 120
    while True:
        status = athena.get_query_execution(QueryExecutionId=id_)["QueryExecution"]["Status"]
        if status["State"] in states:
            return status
        assert time.monotonic() < deadline, status
        time.sleep(0.05)


def test_a_killed_engine_fails_what_ran_and_what_comes_next_waits(stack: Stack, athena: Any) -> None:
    running = query.start_query(athena, HEAVY, workgroup=WORKGROUP)
    _until(athena, running, "RUNNING")
    _kill(stack, "trino")
    status = _until(athena, running, "FAILED", "SUCCEEDED")
    assert status["State"] == "FAILED"
    assert "stopped answering" in status["StateChangeReason"]
    assert (status["AthenaError"]["ErrorCategory"], status["AthenaError"]["Retryable"]) == (1, True)
    waiting = query.start_query(athena, "SELECT 42", workgroup=WORKGROUP)
    assert _until(athena, waiting, "QUEUED", "FAILED")["State"] == "QUEUED"
    stack.runtime.start("trino")
    assert _until(athena, waiting, "SUCCEEDED", "FAILED")["State"] == "SUCCEEDED"
    stack.runtime.wait_ready("trino", 120)


def test_a_killed_athena_remembers(stack: Stack, athena: Any) -> None:
    done = query.run_query(athena, "SELECT n FROM UNNEST(sequence(1, 2500)) t(n)", workgroup=WORKGROUP)
    running = query.start_query(athena, HEAVY, workgroup=WORKGROUP)
    _until(athena, running, "RUNNING")
    named = athena.create_named_query(Name="n", Database="d", QueryString="SELECT 1", WorkGroup=WORKGROUP)
    _kill(stack, "aws")
    stack.runtime.start("aws")
    stack.runtime.wait_ready("aws", 60)
    status = _until(athena, running, "FAILED")
    assert "restarted while the query ran" in status["StateChangeReason"]
    assert [row for (row,) in query.fetch(athena, done.id)[2]] == list(range(1, 2501))
    listed = athena.list_query_executions(WorkGroup=WORKGROUP)["QueryExecutionIds"]
    assert listed[:2] == [running, done.id]
    assert athena.get_named_query(NamedQueryId=named["NamedQueryId"])["NamedQuery"]["QueryString"] == "SELECT 1"
