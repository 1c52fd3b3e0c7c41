"""What has to run: Kafka, local AWS and Trino as services, and the Java and jars that they and Spark need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smartcity.services.java import Java, find_java
from smartcity.services.prepare import missing_jars_mb, prepare
from smartcity.services.spec import Runtime, ServiceSpec, ServiceStatus

if TYPE_CHECKING:
    from smartcity.settings import Settings

__all__ = [
    "Java",
    "Runtime",
    "ServiceSpec",
    "ServiceStatus",
    "find_java",
    "missing_jars_mb",
    "prepare",
    "runtime_for",
]


def runtime_for(settings: Settings) -> Runtime:
    """The runtime that the settings name. Raises `SettingsError` for one that is not there."""
    from smartcity.errors import SettingsError
    from smartcity.services.native import NativeRuntime

    if settings.runtime == "docker":
        raise SettingsError("Services in containers are not built yet.", "Set runtime to native or external.")
    return NativeRuntime(settings)
