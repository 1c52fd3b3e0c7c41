"""One local AWS for all tests of this folder; what needs to kill it takes `own_local_aws`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.localaws.gate_world import World, allow, document
from tests.integration.localaws.local_aws_process import LocalAws


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Shared: use names of your own for buckets, users and roles."""
    server = LocalAws(tmp_path_factory.mktemp("local-aws") / "aws")
    server.start()
    yield server
    server.close()


@pytest.fixture
def own_local_aws(tmp_path: Path) -> Iterator[LocalAws]:
    """One for this test alone."""
    server = LocalAws(tmp_path / "aws")
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def world(local_aws: LocalAws) -> Iterator[World]:
    yield World(local_aws)


@pytest.fixture(scope="module")
def writer(world: World) -> dict[str, str]:
    """A session that may write raw/, but not raw/secret/, and list only raw."""
    bucket = f"arn:aws:s3:::{world.bucket}"
    policy = document(
        allow(["s3:PutObject", "s3:GetObject"], f"{bucket}/raw/*"),
        allow("s3:ListBucket", bucket, Condition={"StringLike": {"s3:prefix": ["raw/*", "raw"]}}),
        {"Effect": "Deny", "Action": "s3:*", "Resource": f"{bucket}/raw/secret/*"},
    )
    return world.assume(world.role("writer", policy))


@pytest.fixture(scope="module")
def written(world: World, writer: dict[str, str]) -> str:
    """The key of an object that the writer wrote."""
    world.aws.client("s3", **writer).put_object(Bucket=world.bucket, Key="raw/h=1/x", Body=b"1")
    return "raw/h=1/x"
