"""What must exist before data can flow: bucket, topics, crawler role, database, crawler and workgroup.

Every call creates or accepts, so that each command can ask for what it needs and `smartcity run` for all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smartcity import layout
from smartcity.pipeline import access, broker, catalog, lake, query

if TYPE_CHECKING:
    from smartcity.clients import Clients


def ensure_topics(clients: Clients) -> list[str]:
    """The five topics; returns a sentence for each that differs from the settings."""
    topics = broker.ensure_topics(clients.kafka_admin, clients.settings.kafka)
    return [f"topic {topic.name}: {text}" for topic in topics for text in topic.differences]


def ensure_bucket(clients: Clients) -> None:
    """The bucket of the lake."""
    aws = clients.settings.aws
    lake.ensure_bucket(clients.aws("s3"), aws.bucket, aws.region)


def ensure_catalog(clients: Clients) -> None:
    """The database, the crawler's role and the crawler over the lake."""
    settings = clients.settings
    glue, aws = clients.aws("glue"), settings.aws
    scope = access.Scope(settings.project, clients.account_id, aws.region, aws.bucket, aws.database)
    role_arn = access.ensure_role(clients.aws("iam"), access.crawler_role(scope), settings.project)
    catalog.ensure_database(glue, aws.database)
    catalog.ensure_crawler(glue, aws.crawler, role_arn, aws.bucket, aws.database)


def ensure_workgroup(clients: Clients) -> None:
    """The Athena workgroup, with its results in our bucket."""
    aws = clients.settings.aws
    query.ensure_workgroup(clients.aws("athena"), aws.workgroup, f"s3://{aws.bucket}/{layout.ATHENA_RESULTS}")


def ensure_all(clients: Clients) -> list[str]:
    """Everything; returns what differs from the settings, in sentences."""
    ensure_bucket(clients)
    differences = ensure_topics(clients)
    ensure_catalog(clients)
    ensure_workgroup(clients)
    return differences
