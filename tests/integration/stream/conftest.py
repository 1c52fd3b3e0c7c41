"""One Kafka, one local AWS and one Spark for all tests of the stream; each test takes topics' worth of its own name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.chaos.world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Kafka and local AWS of this module's own."""
    made = World(tmp_path_factory.mktemp("stream"))
    made.up()
    yield made
    made.down()


@pytest.fixture(scope="module")
def spark(world: World) -> Iterator[Any]:
    """A Spark session as the product starts it."""
    from smartcity.pipeline.stream import spark_options
    from smartcity.services.spark import start_spark, stop_spark

    session = start_spark(world.settings, "tests", spark_options())
    yield session
    stop_spark(session)
