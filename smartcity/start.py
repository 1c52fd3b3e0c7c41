"""Starting services side by side, with a sentence as each becomes ready."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smartcity.services import Runtime
    from smartcity.settings import Settings


def prepare(settings: Settings, progress: Callable[[str, int, int], None]) -> None:
    """Java and every jar present, fetched if need be. Raises `PrerequisiteError`."""
    from smartcity.services import prepare as prepare_services

    prepare_services(settings, progress)


def start(runtime: Runtime, names: Sequence[str], wait_s: float | None) -> Iterator[str]:
    """Start the named services and yield a line for each as it is ready (or started, if `wait_s` is None).

    Raises `ServiceError` of the first that fails, after all the others were given their chance.
    """
    started = {name: runtime.start(name) for name in names}
    if wait_s is None:
        yield from (f"{name} {'started' if new else 'runs already'}" for name, new in started.items())
        return
    with ThreadPoolExecutor(len(names)) as pool:
        waiting = {pool.submit(runtime.wait_ready, name, wait_s): name for name in names}
        for done in as_completed(waiting):
            name = waiting[done]
            yield f"{name} ready [{done.result():.1f}s]" if started[name] else f"{name} runs already"
