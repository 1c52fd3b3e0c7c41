from __future__ import annotations

from typing import Any, cast

import pytest

from smartcity.errors import ServiceNotRunning
from smartcity.guard import Guard


class Services:
    """A runtime whose services can die."""

    def __init__(self) -> None:
        self.dead: set[str] = set()

    def alive(self, name: str) -> bool:
        return name not in self.dead


def test_a_service_that_dies_is_named() -> None:
    services = Services()
    guard = Guard(cast(Any, services), ("aws", "kafka"), every_s=0.01)
    guard.start()
    guard.check()
    assert not guard.died.wait(0.1)
    services.dead.add("kafka")
    assert guard.died.wait(5)
    with pytest.raises(ServiceNotRunning, match="The service kafka died"):
        guard.check()
    guard.stop()


def test_the_thread_ends_with_the_work() -> None:
    guard = Guard(cast(Any, Services()), ("aws",), every_s=0.01)
    guard.start()
    guard.stop()
    assert not guard._thread.is_alive()


def test_what_was_never_started_is_not_said_to_have_died() -> None:
    services = Services()
    services.dead.add("kafka")
    guard = Guard(cast(Any, services), ("kafka",))
    guard.check()
    guard.stop()
