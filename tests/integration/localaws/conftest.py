"""One local AWS for all tests of this folder; what needs to kill it takes `own_local_aws`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from local_aws_process import LocalAws


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
