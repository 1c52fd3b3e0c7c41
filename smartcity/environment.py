"""The environment that makes other people's tools work against our services unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smartcity.clients import Clients


def exports(clients: Clients) -> dict[str, str]:
    """Variables that the AWS CLI, boto3, pyarrow, DuckDB and Kafka's tools read.

    Keys are given only for local AWS: an account's credentials stay where they are.
    Raises `ServiceNotRunning` when local AWS was never started.
    """
    settings = clients.settings
    found = {
        "AWS_REGION": settings.aws.region,
        "AWS_DEFAULT_REGION": settings.aws.region,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap,
        "SMARTCITY_DATA_DIR": str(settings.data_dir),
        "SMARTCITY_BUCKET": settings.aws.bucket,
    }
    if settings.aws_endpoint_url:
        key = clients.credentials
        found |= {
            "AWS_ENDPOINT_URL": settings.aws_endpoint_url,
            "AWS_ACCESS_KEY_ID": key["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": key["aws_secret_access_key"],
        }
    elif settings.aws.profile:
        found["AWS_PROFILE"] = settings.aws.profile
    return found
