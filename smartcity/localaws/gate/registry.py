"""The services behind the gate, and the threads that each works in."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from smartcity.localaws.api import Service

_T = TypeVar("_T")
_THREADS = 16


class Registry:
    """Services by name. Each has threads of its own: one that calls another over HTTP cannot starve it."""

    def __init__(self, services: Iterable[Service]) -> None:
        self._services = {service.name: service for service in services}
        self._pools = {name: ThreadPoolExecutor(_THREADS, thread_name_prefix=f"aws-{name}") for name in self._services}

    def __iter__(self) -> Any:
        return iter(self._services.values())

    def find(self, name: str) -> Service | None:
        """The service, or None where it is not there."""
        return self._services.get(name)

    async def run(self, service: str, call: Callable[..., _T], *args: Any) -> _T:
        """Run `call` in one of the service's threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pools[service], contextvars.copy_context().run, call, *args)

    def start(self) -> None:
        """Let every service resume what a kill interrupted, one after the other, beside the work."""
        threading.Thread(target=self._start, name="aws-start", daemon=True).start()

    def _start(self) -> None:
        for service in self._services.values():
            service.start()

    def stop(self) -> None:
        """End background work, the services that stand on others first; then the threads."""
        for service in reversed(self._services.values()):
            service.stop()
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
