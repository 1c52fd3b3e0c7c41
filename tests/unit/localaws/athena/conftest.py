"""A local Athena on fakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from smartcity.localaws.api import Context
from smartcity.localaws.athena import AthenaService
from smartcity.localaws.athena.engine import Trino

from .rig import ACCOUNT, FakeAccess, FakeGlue, FakeS3, FakeTrino, Rig


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[Callable[[], Rig]]:
    """Makes rigs on the same data folder, one after the other."""
    rigs: list[Rig] = []
    trino, s3, glue, access = FakeTrino(), FakeS3(), FakeGlue(), FakeAccess()

    def make(**options: Any) -> Rig:
        clients = {"s3": s3, "glue": glue}
        context = Context(
            tmp_path, "eu-west-2", ACCOUNT, "http://aws", "http://trino", access, lambda name, **_: clients[name]
        )
        engine = Trino("http://trino", client=httpx.Client(transport=httpx.MockTransport(trino.handle)))
        rig = Rig(AthenaService(context, engine, **options), trino, s3, glue, access, tmp_path)
        rig.service.start()
        rigs.append(rig)
        return rig

    yield make
    for rig in rigs:
        rig.service.stop()


@pytest.fixture
def rig(make_rig: Callable[[], Rig]) -> Rig:
    """A running service on fakes."""
    return make_rig()


@pytest.fixture
def vehicle(rig: Rig) -> dict[str, Any]:
    """The table smartcity.vehicle, partitioned by dt."""
    rig.run(
        "CREATE EXTERNAL TABLE vehicle (event_id string, speed_kmh double COMMENT 'km/h') "
        "PARTITIONED BY (dt string) STORED AS PARQUET LOCATION 's3://lake/vehicle'"
    )
    return rig.glue.tables["smartcity", "vehicle"]
