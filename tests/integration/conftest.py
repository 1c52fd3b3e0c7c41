"""The whole stand-in, once for all tests: local AWS and the Trino behind its Athena, started as `smartcity up` does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from smartcity.clients import Clients
from smartcity.services import Runtime, prepare, runtime_for
from smartcity.settings import Settings, load
from tests.ports import free_port


@dataclass(frozen=True)
class Stack:
    """Running services and how to reach them. Use names of your own for buckets, databases and users."""

    settings: Settings
    runtime: Runtime
    clients: Clients


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Local AWS and Trino on free ports and a folder of their own."""
    aws_port, trino_port = free_port(), free_port()
    folder: Path = tmp_path_factory.mktemp("stack") / "data"
    flags: dict[str, Any] = {"aws": {"port": aws_port}, "trino": {"port": trino_port, "geospatial": True}}
    settings = load(data_dir=folder, **flags)
    prepare(settings, lambda _label, _done, _total: None)
    runtime = runtime_for(settings)
    try:
        for name in ("aws", "trino"):
            runtime.start(name)
        for name in ("aws", "trino"):
            runtime.wait_ready(name, 180)
        yield Stack(settings, runtime, Clients(settings))
    finally:
        runtime.stop()
