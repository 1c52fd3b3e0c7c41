"""Trino's configuration files: one small node, one catalog over our Glue and S3, answers to one client only.

Everything that a query could use to leave the lake is off: no file systems but S3, no other catalog, no procedures,
and session properties only by name. Files with secrets are readable by the owner alone; no secret is an argument.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from smartcity.services import ports

CATALOG = "awsdatacatalog"
#: the same Glue and S3 through the Iceberg connector; queries that name the first catalog are sent on to it
ICEBERG = "iceberg"
#: the only one who may ask, as named in the token; it may name the user on whose behalf a query runs
PRINCIPAL = "local-aws"

#: what local AWS may set for one query: a workgroup's limit of bytes scanned, and time limits
_SESSION_PROPERTIES = "query_max_scan_physical_bytes|query_max_run_time|query_max_execution_time"

_TABLE_PRIVILEGES = ["SELECT", "INSERT", "DELETE", "UPDATE", "OWNERSHIP", "GRANT_SELECT"]


@dataclass(frozen=True)
class Limits:
    """What a query may take: MB, seconds, and how many may run and wait."""

    query_memory_mb: int
    max_queries: int
    max_queued: int
    query_timeout_s: float


@dataclass(frozen=True)
class Lake:
    """Where Trino finds Glue and S3, and with which key. `secret_access_key` never leaves the catalog's file."""

    endpoint_url: str
    region: str
    warehouse: str
    access_key_id: str
    secret_access_key: str


@dataclass(frozen=True)
class Engine:
    """A Trino's folder, port and limits. The same value describes the project's engine and one in a training run."""

    folder: Path
    port: int
    heap_mb: int
    limits: Limits
    iceberg: bool = True

    @property
    def config(self) -> Path:
        """The file that the JVM is pointed at."""
        return self.folder / "etc" / "config.properties"

    @property
    def plugins(self) -> Path:
        """The folder with one folder of jars for each plugin class loader."""
        return self.folder / "plugin"

    @property
    def key(self) -> Path:
        """The key that signs tokens, base64."""
        return self.folder / "token.key"

    @property
    def token(self) -> Path:
        """The token of local AWS; see `DataFolder.trino_token`."""
        return self.folder / "token"

    @property
    def catalogs(self) -> list[str]:
        """What a query may name."""
        return [CATALOG, ICEBERG] if self.iceberg else [CATALOG]

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{ports.LOOPBACK}:{self.port}"

    def properties(self, internal_secret: str) -> Mapping[str, object]:
        """config.properties.

        TLS on the loopback address would add certificates and no safety, so Trino is told that a proxy ended TLS
        (X-Forwarded-Proto): only then does it look at tokens at all, and it refuses whoever does not say so.
        """
        return {
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "node.environment": "smartcity",
            "node.id": "smartcity",
            "node.bind-ip": ports.LOOPBACK,
            "node.internal-address": ports.LOOPBACK,
            "discovery.uri": self.url,
            "http-server.http.port": self.port,
            "http-server.log.enabled": "false",
            "http-server.process-forwarded": "true",
            "http-server.authentication.type": "JWT",
            "http-server.authentication.jwt.key-file": self.key,
            "internal-communication.shared-secret": internal_secret,
            "web-ui.enabled": "false",
            "plugin.dir": self.plugins,
            # A static catalog is usable only seconds after the server says "started", when its node was announced.
            # This kind reads etc/catalog below the folder where Trino runs, and rules.json forbids to change any.
            "catalog.management": "DYNAMIC",
            "access-control.config-files": self.config.parent / "access-control.properties",
            "log.levels-file": self.config.parent / "log.properties",
            **self._limits(),
        }

    def _limits(self) -> Mapping[str, object]:
        """Memory in MB: Trino demands that a query's share and its own headroom fit the heap."""
        memory = min(self.limits.query_memory_mb, int(self.heap_mb * 0.55))
        return {
            "memory.heap-headroom-per-node": f"{int(self.heap_mb * 0.25)}MB",
            "query.max-memory": f"{memory}MB",
            "query.max-memory-per-node": f"{memory}MB",
            "query.max-total-memory": f"{memory}MB",
            "query.max-concurrent-queries": self.limits.max_queries,
            "query.max-queued-queries": self.limits.max_queued,
            "query.max-run-time": f"{self.limits.query_timeout_s:.0f}s",
            "query.max-history": 50,
            "query.min-expire-age": "1m",
            "query.client.timeout": "2m",
            "exchange.client-threads": 4,
        }

    def catalog(self, lake: Lake) -> Mapping[str, object]:
        """The catalog `awsdatacatalog`: what Athena does, where the connector leaves a choice."""
        sent_on = {"hive.iceberg-catalog-name": ICEBERG} if self.iceberg else {}
        return {"connector.name": "hive", "hive.metastore": "glue", **_connections(lake), **_ATHENA, **sent_on}

    def iceberg_catalog(self, lake: Lake) -> Mapping[str, object]:
        """The catalog of Iceberg tables."""
        return {
            "connector.name": "iceberg",
            "iceberg.catalog.type": "glue",
            **_connections(lake),
            "iceberg.unique-table-location": "false",
            "iceberg.metadata-cache.enabled": "false",
            "iceberg.security": "allow_all",
        }

    def rules(self) -> object:
        """File-based access control: the lake's catalog and nothing else, on whoever's behalf."""
        return {
            "catalogs": [{"catalog": name, "allow": "all"} for name in self.catalogs],
            "tables": [  # the catalog "system" cannot be forbidden, its tables can: they show other callers' queries
                {"catalog": "system", "schema": "(?!information_schema$).*", "privileges": []},
                {"catalog": "|".join([*self.catalogs, "system"]), "privileges": _TABLE_PRIVILEGES},
            ],
            "impersonation": [{"original_user": PRINCIPAL, "new_user": ".*"}],
            "queries": [{"allow": ["execute", "kill", "view"]}],
            "procedures": [],
            "system_information": [],
            "system_session_properties": [{"property": _SESSION_PROPERTIES, "allow": True}],
            "catalog_session_properties": [{"property": "compression_codec", "allow": True}],
        }

    def write(self, lake: Lake, internal_secret: str) -> None:
        """Write every file anew, so that a changed setting counts from the next start on."""
        etc = self.config.parent
        access = {"access-control.name": "file", "security.config-file": etc / "rules.json"}
        write_private(self.config, render(self.properties(internal_secret)))
        write_private(etc / "catalog" / f"{CATALOG}.properties", render(self.catalog(lake)))
        (etc / "catalog" / f"{ICEBERG}.properties").unlink(missing_ok=True)
        if self.iceberg:
            write_private(etc / "catalog" / f"{ICEBERG}.properties", render(self.iceberg_catalog(lake)))
        write_private(etc / "access-control.properties", render(access))
        write_private(etc / "rules.json", json.dumps(self.rules(), indent=1))
        write_private(etc / "log.properties", render(_LOG_LEVELS))


def _connections(lake: Lake) -> Mapping[str, object]:
    """Glue and S3, for whichever connector."""
    key, secret = lake.access_key_id, lake.secret_access_key
    return {
        "hive.metastore.glue.region": lake.region,
        "hive.metastore.glue.endpoint-url": lake.endpoint_url,
        "hive.metastore.glue.aws-access-key": key,
        "hive.metastore.glue.aws-secret-key": secret,
        "hive.metastore.glue.default-warehouse-dir": lake.warehouse,
        "fs.native-s3.enabled": "true",
        "s3.endpoint": lake.endpoint_url,
        "s3.region": lake.region,
        "s3.path-style-access": "true",
        "s3.aws-access-key": key,
        "s3.aws-secret-key": secret,
        "s3.streaming.part-size": "8MB",
    }


_ATHENA: Mapping[str, object] = {
    # times: milliseconds, and no zone shifts
    "hive.timestamp-precision": "MILLISECONDS",
    "hive.parquet.time-zone": "UTC",
    "hive.orc.time-zone": "UTC",
    "hive.rcfile.time-zone": "UTC",
    # tables: external ones are written too, subfolders are read, a partition whose folder is gone is empty
    "hive.non-managed-table-writes-enabled": "true",
    "hive.non-managed-table-creates-enabled": "true",
    "hive.recursive-directories": "true",
    "hive.ignore-absent-partitions": "true",
    "hive.partition-projection-enabled": "true",
    "hive.storage-format": "PARQUET",
    "hive.compression-codec": "GZIP",
    "hive.max-partitions-per-writers": 100,
    "hive.insert-existing-partitions-behavior": "APPEND",
    # an S3 key appears whole or not at all: nothing is written elsewhere first
    "hive.temporary-staging-directory-enabled": "false",
    # nothing is remembered: the next query sees a partition that was added a moment ago
    "hive.metastore-cache-ttl": "0s",
    "hive.metastore-stats-cache-ttl": "0s",
    # statistics would cost a Glue call per partition and change no answer
    "hive.table-statistics-enabled": "false",
    "hive.collect-column-statistics-on-write": "false",
    "hive.security": "allow-all",
}

_LOG_LEVELS: Mapping[str, object] = {
    "Bootstrap": "WARN",
    "io.airlift.log.Logging": "WARN",
    "io.airlift.stats.JmxGcMonitor": "WARN",
    "io.trino.event.QueryMonitor": "WARN",
    "org.eclipse.jetty": "WARN",
    "org.hibernate": "WARN",
}


def render(properties: Mapping[str, object]) -> str:
    """A Java properties file: backslashes doubled, anything beyond ASCII as its escape."""
    return "".join(f"{key}={_escaped(str(value))}\n" for key, value in properties.items())


def _escaped(text: str) -> str:
    units = text.replace("\\", "\\\\").encode("utf-16-be")
    codes = [int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2)]
    return "".join(chr(code) if 0x20 <= code < 0x7F else f"\\u{code:04x}" for code in codes)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_text(text)
    partial.replace(path)
