"""The one table of services: what has to run for these settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smartcity.errors import UsageError
from smartcity.services.kafka import kafka_service
from smartcity.services.local_aws import aws_service
from smartcity.services.trino import trino_service

if TYPE_CHECKING:
    from smartcity.services.spec import ServiceSpec
    from smartcity.settings import Settings

#: every name that a service can have, whether these settings need it or not
NAMES = ("aws", "kafka", "trino")


def services(settings: Settings) -> dict[str, ServiceSpec]:
    """Name → service. With an AWS account neither local AWS nor Trino has to run; a named Trino is somebody else's."""
    rows = [kafka_service(settings)]
    if settings.aws.target == "local":
        rows.append(aws_service(settings))
        if settings.trino.url is None:
            rows.append(trino_service(settings))
    return {row.name: row for row in sorted(rows, key=lambda row: NAMES.index(row.name))}


def check_name(name: str) -> None:
    """Raise `UsageError` for a name that no service has."""
    if name not in NAMES:
        raise UsageError(f"There is no service {name}.", f"The services are: {', '.join(NAMES)}.")
