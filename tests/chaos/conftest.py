"""One world for the chaos tests of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Kafka and local AWS of this module's own."""
    made = World(tmp_path_factory.mktemp("world"))
    made.up()
    yield made
    made.down()
