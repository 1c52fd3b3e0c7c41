"""What a service is to the runtime: the one value from which it is started, awaited, shown and stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

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
    #: names of the services that must be ready before `ready` can be true, for messages only
    needs: tuple[str, ...] = ()


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
