"""Noticing within a second that a service of ours died, where its clients would wait minutes for an answer."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from smartcity.errors import ServiceNotRunning

if TYPE_CHECKING:
    from smartcity.services import Runtime

EVERY_S = 1.0


class Guard:
    """Watches services from `start` to `stop` in a thread of its own; `died` is set as soon as one is gone."""

    def __init__(self, runtime: Runtime, names: Sequence[str], every_s: float = EVERY_S) -> None:
        self.died = threading.Event()
        self._runtime, self._names, self._every_s = runtime, tuple(names), every_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="guard", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End watching; nothing happens if it never began."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def check(self) -> None:
        """Look now. Raises `ServiceNotRunning` naming a service that is gone; never before `start`."""
        dead = self._gone() if self._thread.ident else None
        if dead:
            raise ServiceNotRunning(
                f"The service {dead} died.", f"See why: smartcity logs {dead}. Nothing acknowledged is lost."
            )

    def _gone(self) -> str | None:
        return next((name for name in self._names if not self._runtime.alive(name)), None)

    def _watch(self) -> None:
        while not self._end.wait(self._every_s):
            if self._gone():
                self.died.set()
                return
