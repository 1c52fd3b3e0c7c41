"""The only place where an SDK client is made from settings; the stops of the pipeline receive them as arguments.

Endpoints and credentials are all that differs between local AWS and an account.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from smartcity.errors import ServiceNotRunning, SettingsError

if TYPE_CHECKING:
    import boto3
    from confluent_kafka import Consumer, Producer
    from confluent_kafka.admin import AdminClient

    from smartcity.settings import Settings


class Clients:
    """Makes each SDK client on first use, so that `smartcity --help` imports none of them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def credentials(self) -> dict[str, str]:
        """`aws_access_key_id` and `aws_secret_access_key`, or empty where boto3 must search by itself.

        Raises `SettingsError` when only half of a key is set and `ServiceNotRunning` when local AWS was never started.
        """
        aws = self.settings.aws
        if aws.access_key_id and aws.secret_access_key:
            return {
                "aws_access_key_id": aws.access_key_id,
                "aws_secret_access_key": aws.secret_access_key.get_secret_value(),
            }
        if aws.access_key_id or aws.secret_access_key:
            raise SettingsError(
                "Only one of aws.access_key_id and aws.secret_access_key is set.", "Set both, or neither."
            )
        return self._local_credentials() if aws.target == "local" else {}

    def _local_credentials(self) -> dict[str, str]:
        try:
            stored = json.loads(self.settings.folder.credentials.read_text())
        except FileNotFoundError:
            raise ServiceNotRunning(
                f"Local AWS has never been started in {self.settings.data_dir}.", "Start it with: smartcity up"
            ) from None
        return {
            "aws_access_key_id": stored["access_key_id"],
            "aws_secret_access_key": stored["secret_access_key"],
        }

    @cached_property
    def session(self) -> boto3.Session:
        """A boto3 session with our region and credentials."""
        import boto3

        aws = self.settings.aws
        key: dict[str, Any] = self.credentials
        return boto3.Session(region_name=aws.region, profile_name=aws.profile, **key)

    def aws(self, service: str, **credentials: str) -> Any:
        """A boto3 client of an AWS service, such as "s3" or "athena"; with a role's credentials if they are given."""
        from botocore.config import Config

        config = Config(
            retries={"mode": "standard", "max_attempts": 4},
            s3={"addressing_style": "path"} if self.settings.aws.target == "local" else None,
            connect_timeout=5,
        )
        session: Any = self.session  # the stubs know services only by literal names
        return session.client(service, endpoint_url=self.settings.aws_endpoint_url, config=config, **credentials)

    def kafka_config(self, **overrides: Any) -> dict[str, Any]:
        """The librdkafka configuration that every client of the brokers starts from."""
        return {
            "bootstrap.servers": self.settings.kafka_bootstrap,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 1000,
            "log_level": 0,
            **overrides,
        }

    @cached_property
    def account_id(self) -> str:
        """The account that the credentials belong to."""
        account: str = self.aws("sts").get_caller_identity()["Account"]
        return account

    @cached_property
    def kafka_admin(self) -> AdminClient:
        """Client that creates and describes topics."""
        from confluent_kafka.admin import AdminClient

        return AdminClient(self.kafka_config())

    def producer(self, **overrides: Any) -> Producer:
        """An idempotent producer: lz4, 50 ms of linger, acknowledged by all replicas in sync."""
        from confluent_kafka import Producer

        kafka = self.settings.kafka
        defaults = {
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": "lz4",
            "linger.ms": 50,
            "batch.size": 1 << 20,
            "queue.buffering.max.messages": 500_000,
            "queue.buffering.max.kbytes": 262_144,
            "delivery.timeout.ms": int(kafka.delivery_timeout_s * 1000),
        }
        return Producer(self.kafka_config(**{**defaults, **overrides}))

    def consumer(self, group_id: str, **overrides: Any) -> Consumer:
        """A consumer that commits nothing by itself and starts at the earliest event."""
        from confluent_kafka import Consumer

        defaults = {"group.id": group_id, "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        return Consumer(self.kafka_config(**{**defaults, **overrides}))
