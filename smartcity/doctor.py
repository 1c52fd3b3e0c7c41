"""What this machine must offer before the pipeline can run, checked one by one; nothing is changed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from smartcity.errors import SmartCityError

if TYPE_CHECKING:
    from smartcity.services import Runtime, ServiceStatus
    from smartcity.settings import Settings

NEEDED_DISK_GB = 3.0
NEEDED_MEMORY_GB = 4.0


@dataclass(frozen=True)
class Check:
    """One line of the examination. "later": not there yet, but it comes by itself or is optional now."""

    name: str
    state: Literal["ok", "later", "missing"]
    found: str
    remedy: str = ""


def examine(settings: Settings, runtime: Runtime) -> Iterator[Check]:
    """Every check, in the order in which a first run needs them."""
    yield _python()
    yield _guarded("java", lambda: _java(settings))
    yield _guarded("jars", lambda: _jars(settings))
    yield _memory()
    yield _disk("data folder", settings.data_dir)
    yield _disk("cache folder", settings.cache_dir)
    for service in runtime.status():
        yield _guarded(f"service {service.name}", partial(_service, service))


def _service(service: ServiceStatus) -> Check:
    from smartcity.services.ports import require_free

    running = service.state == "running"
    if service.state in {"stopped", "failed"} and service.log is not None:
        require_free(service.port, f"{service.name}.port")
    return Check(
        f"service {service.name}",
        "ok" if running else "later" if service.state in {"stopped", "starting"} else "missing",
        f"{service.state}, {service.address}",
        "" if running else f"smartcity up {service.name}",
    )


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except SmartCityError as error:
        return Check(name, "missing", error.reason, error.hint)


def _python() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Check("python", "ok" if sys.version_info >= (3, 11) else "missing", version, "")


def _java(settings: Settings) -> Check:
    from smartcity.services import find_java

    java = find_java(settings)
    return Check("java", "ok", f"{java.version} from {java.source}")


def _jars(settings: Settings) -> Check:
    from smartcity.services import missing_jars_mb

    missing_mb = missing_jars_mb(settings)
    if missing_mb:
        return Check("jars", "later", f"{missing_mb:.0f} MB to fetch", "smartcity up fetches them once")
    return Check("jars", "ok", "all present")


def _memory() -> Check:
    import psutil

    total_gb = psutil.virtual_memory().total / 2**30
    return Check(
        "memory",
        "ok" if total_gb >= NEEDED_MEMORY_GB else "missing",
        f"{total_gb:.1f} GB",
        "" if total_gb >= NEEDED_MEMORY_GB else "Lower spark.driver_memory_mb and trino.heap_mb.",
    )


def _disk(name: str, folder: Path) -> Check:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free_gb = shutil.disk_usage(existing).free / 2**30
    writable = os.access(existing, os.W_OK)
    state: Literal["ok", "missing"] = "ok" if writable and free_gb >= NEEDED_DISK_GB else "missing"
    found = f"{folder}, {free_gb:.1f} GB free" + ("" if writable else ", not writable")
    return Check(name, state, found, "" if state == "ok" else "Choose another with --data-dir, or free some space.")
