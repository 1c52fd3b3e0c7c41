"""Trino, the engine behind local Athena, as a child process on the loopback address that answers only local AWS.

Its jars come one by one from Maven instead of two archives of 450 MB; what of it is not needed here is listed in
docs/decisions/0005-trino-from-single-jars.md. Ready means that `SELECT 1` was answered, with our own token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from smartcity.errors import PrerequisiteError
from smartcity.services import ports, trino_geospatial
from smartcity.services.aot import AotCache, aot_cache
from smartcity.services.jars import classpath
from smartcity.services.java import find_java
from smartcity.services.spec import Command, ServiceSpec
from smartcity.services.trino_classes import MAIN_CLASS, launcher_jar, plugin_jar, write_if_changed
from smartcity.services.trino_config import PRINCIPAL, Engine, Lake, Limits, write_private

if TYPE_CHECKING:
    from smartcity.services.java import Java
    from smartcity.settings import Settings

VERSION = "476"
_OLDEST_JAVA = 24
_SERVER_GROUP = "trino"
_PLUGIN_GROUP = "trino-hive"
_ICEBERG_GROUP = "trino-iceberg"
_ICEBERG_PLUGIN = "io.trino.plugin.iceberg.IcebergPlugin"
_PLUGIN = "io.trino.plugin.hive.HivePlugin"
#: how long a first start waits for local AWS, started beside it, to make its key
_KEY_WAIT_S = 20.0
_POLL_S = 0.05

JVM_FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:MetaspaceSize=256m",  # or three full collections happen while classes load
    "-XX:+ExitOnOutOfMemoryError",
    "-Duser.timezone=UTC",
    "-Djava.awt.headless=true",
    "-Djdk.attach.allowAttachSelf=true",
    "-Djol.skipHotspotSAAttach=true",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "-XX:+IgnoreUnrecognizedVMOptions",
)
#: Without the thorough compiler a start takes half the processor time, and the cache no profiles that would have it
#: compile everything at once in later starts (measured: 14 s of processor time instead of 8).
QUICK_COMPILER = "-XX:TieredStopAtLevel=1"


@dataclass(frozen=True)
class TrinoProgram:
    """Trino's jars on a Java, and the start-up cache of the two."""

    java: Java
    server: Sequence[Path]
    plugin: Sequence[Path]
    plugin_classes: Sequence[str]
    cache: AotCache

    @property
    def start_flags(self) -> list[str]:
        """The start-up cache; without it the quick compiler alone, which starts sooner and computes at a third."""
        return self.cache.flags or [QUICK_COMPILER]

    def argv(self, engine: Engine, extra: Sequence[str]) -> list[str]:
        """The command line; `extra` are JVM flags."""
        flags = [*JVM_FLAGS, f"-Xmx{engine.heap_mb}m", *extra, f"-Dconfig={engine.config}"]
        return [str(self.java.executable), *flags, "-cp", ":".join(map(str, self.server)), MAIN_CLASS]

    def link_plugins(self, engine: Engine) -> None:
        """Fill the plugin folder with links to the jars: Trino gives each such folder a class loader of its own."""
        folder = engine.plugins / "hive"
        folder.mkdir(parents=True, exist_ok=True)
        wanted = {path.name: path for path in self.plugin}
        for link in folder.glob("*.jar"):
            if link.is_symlink() and wanted.get(link.name) == link.readlink():
                del wanted[link.name]
            else:
                link.unlink()
        for name, path in wanted.items():
            (folder / name).symlink_to(path)
        write_if_changed(folder / "smartcity-plugins.jar", plugin_jar(*self.plugin_classes))


def trino_program(settings: Settings) -> TrinoProgram:
    """Trino as this machine can run it. Raises `PrerequisiteError` where Java or jars are missing."""
    java = find_java(settings, at_least=_OLDEST_JAVA)
    launcher = write_if_changed(settings.cache_dir / "trino" / f"launcher-{VERSION}.jar", launcher_jar(VERSION))
    server = [launcher, *classpath(settings, _SERVER_GROUP)]
    cache = aot_cache(settings, "trino", java, server, (*JVM_FLAGS, QUICK_COMPILER))
    plugin, classes = classpath(settings, _PLUGIN_GROUP), [_PLUGIN]
    if settings.trino.iceberg:
        plugin += classpath(settings, _ICEBERG_GROUP)
        classes.append(_ICEBERG_PLUGIN)
    if settings.trino.geospatial:
        plugin += [trino_geospatial.jar(settings), *trino_geospatial.needed(server)]
        classes.append(trino_geospatial.PLUGIN)
    return TrinoProgram(java, server, plugin, classes, cache)


def project_engine(settings: Settings) -> Engine:
    """The engine that the settings describe."""
    trino = settings.trino
    return Engine(settings.folder.trino.absolute(), trino.port, trino.heap_mb, project_limits(settings), trino.iceberg)


def project_limits(settings: Settings) -> Limits:
    """What the settings let a query take."""
    trino = settings.trino
    return Limits(trino.query_memory_mb, trino.max_queries, trino.max_queued, trino.query_timeout_s)


def trino_service(settings: Settings) -> ServiceSpec:
    """The row of the table of services."""
    engine = project_engine(settings)
    unpack = settings.trino.geospatial and not trino_geospatial.is_there(settings)

    def command() -> Command:
        program = trino_program(settings)
        lake = _lake(settings)
        program.link_plugins(engine)
        ensure_token(engine)
        engine.write(lake, secrets.token_hex(32))
        return Command(program.argv(engine, program.start_flags), directory=engine.folder)

    return ServiceSpec(
        name="trino",
        title=f"Trino {VERSION}",
        ports={"trino.port": engine.port},
        address=engine.url,
        data_dir=settings.folder.trino,
        command=command,
        ready=lambda within_s: is_ready(engine, within_s),
        jar_groups=_groups(settings, unpack=unpack),
        prepare=(lambda _progress: trino_geospatial.unpack(settings)) if unpack else None,
        heap_mb=engine.heap_mb,
        after_stop=lambda: _train(settings),
    )


def _groups(settings: Settings, *, unpack: bool) -> tuple[str, ...]:
    """What must be in the cache; the archive of the geospatial functions only until it was unpacked."""
    extra = ((_ICEBERG_GROUP, settings.trino.iceberg), (trino_geospatial.GROUP, unpack))
    return (_SERVER_GROUP, _PLUGIN_GROUP, *(group for group, wanted in extra if wanted))


def _train(settings: Settings) -> None:
    from smartcity.services.trino_training import start_in_background

    start_in_background(settings)


def _lake(settings: Settings) -> Lake:
    """Local AWS as Trino sees it; waits for its key where it was started a moment ago for the first time."""
    aws = settings.aws
    deadline = time.monotonic() + _KEY_WAIT_S
    while True:
        try:
            key = json.loads(settings.folder.credentials.read_text())
            break
        except (FileNotFoundError, ValueError):
            if time.monotonic() > deadline:
                raise PrerequisiteError(
                    "Trino needs the key of local AWS, which has not made one yet.", "Start both: smartcity up"
                ) from None
            time.sleep(_POLL_S)
    url = f"http://{ports.LOOPBACK}:{aws.port}"
    warehouse = f"s3://{aws.bucket}/warehouse"
    return Lake(url, aws.region, warehouse, key["access_key_id"], key["secret_access_key"])


def ensure_token(engine: Engine) -> None:
    """Make the signing key and local AWS's token once; both survive restarts, so that clients need not notice one."""
    try:
        key = engine.key.read_text()
    except FileNotFoundError:
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        write_private(engine.key, key)
    write_private(engine.token, signed_token(base64.b64decode(key), PRINCIPAL))


def signed_token(key: bytes, subject: str) -> str:
    """A JSON web token (RFC 7519) signed with HMAC-SHA256."""
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in ({"alg": "HS256"}, {"sub": subject})]
    signed = b".".join(map(_base64url, parts))
    return (signed + b"." + _base64url(hmac.digest(key, signed, hashlib.sha256))).decode()


def _base64url(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def client_headers(token: Path) -> dict[str, str]:
    """What every request to Trino must carry, beside the user on whose behalf it asks. Raises `OSError`."""
    return {"Authorization": f"Bearer {token.read_text()}", "X-Forwarded-Proto": "https"}


def is_ready(engine: Engine, within_s: float) -> bool:
    """Whether this very engine answers `SELECT 1`; a stranger on its port does not know our token."""
    if not ports.accepts(engine.port, min(within_s, 0.5)):
        return False
    try:
        return not _starting(engine, within_s) and select(engine, "SELECT 1", within_s) == [[1]]
    except (OSError, HTTPException, ValueError, KeyError):
        return False


def _starting(engine: Engine, within_s: float) -> bool:
    return bool(_ask(engine, "GET", "/v1/info", {}, within_s)["starting"])


def select(engine: Engine, sql: str, within_s: float) -> list[Any]:
    """The rows of a small query, or what came of them in time; a failed one has none. Raises `OSError` and others."""
    deadline = time.monotonic() + within_s
    headers = {**client_headers(engine.token), "X-Trino-User": PRINCIPAL, "X-Trino-Source": "smartcity"}
    page = _ask(engine, "POST", "/v1/statement", headers, within_s, body=sql)
    rows: list[Any] = page.get("data", [])
    while "nextUri" in page and time.monotonic() < deadline:
        page = _ask(engine, "GET", urlsplit(page["nextUri"]).path, headers, within_s)
        rows += page.get("data", [])
    if "nextUri" in page:  # too late: the next question must not wait for this one
        _ask(engine, "DELETE", urlsplit(page["nextUri"]).path, headers, within_s)
    return rows


def _ask(
    engine: Engine, method: str, path: str, headers: Mapping[str, str], within_s: float, *, body: str = ""
) -> dict[str, Any]:
    connection = HTTPConnection(ports.LOOPBACK, engine.port, timeout=within_s)
    try:
        connection.request(method, path, body or None, dict(headers))
        answer = connection.getresponse()
        content: dict[str, Any] = json.loads(answer.read() or b"{}")
        return content
    finally:
        connection.close()
