"""What a service is to a runtime, and what a runtime is to everybody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Literal, Protocol

State = Literal["running", "starting", "stopped", "failed"]


@dataclass(frozen=True)
class Command:
    """What is executed for a service, without a shell; `environment` comes on top of our own."""

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None


@dataclass(frozen=True)
class ServiceSpec:
    """One row of the table of services, built from settings by a function such as `kafka_service(settings)`.

    Building it is cheap and touches nothing. `command` is called under the start lock, with the service's data folder
    in existence, right before the process is spawned: it writes configuration files and returns what to execute; it
    raises `PrerequisiteError` where Java or jars are missing. `ready` asks the service's own protocol once, gives up
    after about the given seconds, and never raises for "not yet".
    """

    name: str
    title: str
    #: setting → port, each bound on 127.0.0.1 by this service; the first one is the service's address
    ports: Mapping[str, int]
    address: str
    data_dir: Path
    #: None for a service that somebody else runs: it is awaited and shown, never started or stopped
    command: Callable[[], Command] | None
    ready: Callable[[float], bool]
    #: groups of the jar lock that must be in the cache
    jar_groups: tuple[str, ...] = ()
    heap_mb: int = 0
    #: what must be free on the data folder's disk for a start, in MB
    free_disk_mb: int = 200
    #: seconds between SIGTERM and SIGKILL
    stop_s: float = 15.0
    #: runs once in `prepare`, after the jars are there: unpacking, start-up caches; receives the progress callback
    prepare: Callable[[Callable[[str, int, int], None]], None] | None = None
    #: makes later starts faster at a cost of seconds; `prepare` runs it beside the download of other groups, or not at
    #: all, and sets the event when it must end at once
    warm_up: Callable[[Event], None] | None = None
    #: called once the service has been stopped on request; must return at once
    after_stop: Callable[[], None] | None = None


@dataclass(frozen=True)
class ServiceStatus:
    """How a service does now. "starting": alive and not answering yet; "failed": it died, or does not exist any more.

    `rss_mb` counts the process and its children; `uptime_s` is seconds since the process began.
    """

    name: str
    state: State
    pid: int | None
    port: int
    address: str
    rss_mb: float
    uptime_s: float
    data_dir: Path
    log: Path | None


class Runtime(Protocol):
    """Where the services run: child processes here, containers by another adapter."""

    def start(self, name: str) -> bool:
        """Start a service unless it runs, and return at once; False where there was nothing to do.

        Raises `PrerequisiteError` and `ServiceError`.
        """
        ...

    def wait_ready(self, name: str, timeout_s: float) -> float:
        """Wait until the service's protocol answers; returns the seconds waited.

        Raises `ServiceError` with the last lines of its log when it died or the time is over.
        """
        ...

    def alive(self, name: str) -> bool:
        """Whether the service's process runs; True for a service that somebody else runs. Asks no protocol."""
        ...

    def stop(self, names: Sequence[str] | None = None) -> list[str]:
        """Stop services (all, if None) and return those that ran; data stay."""
        ...

    def purge(self) -> None:
        """Delete all data of the project. Raises `ServiceError` while a service runs."""
        ...

    def status(self) -> list[ServiceStatus]:
        """How each service does now."""
        ...

    def logs(self, name: str, follow: bool = False) -> Iterator[str]:
        """The lines of a service's log; with `follow` as they come, for ever."""
        ...
