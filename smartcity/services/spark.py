"""Spark's driver: a JVM of our own making, configured for our Java, our jars and S3.

pyspark's launcher goes through two shell scripts and a first JVM, and asks for a module that the bundled Java does
not have. We start its gateway ourselves and hand pyspark the port and the secret; that is also half a second faster.
The gateway ends when its standard input does: no JVM outlives this process, however it dies.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from smartcity.errors import ServiceError
from smartcity.services import log, ports
from smartcity.services.aot import AotCache, aot_cache
from smartcity.services.disk import writable
from smartcity.services.ivy import bundled_jars
from smartcity.services.jars import classpath
from smartcity.services.java import find_java
from smartcity.services.process import rotate

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from smartcity.services.java import Java
    from smartcity.settings import Settings

_START_S = 60.0
_STOP_S = 10.0
_POLL_S = 0.01

#: What Spark reaches into; see org.apache.spark.launcher.JavaModuleOptions
_OPENED = (
    "java.base/java.lang",
    "java.base/java.lang.invoke",
    "java.base/java.lang.reflect",
    "java.base/java.io",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.base/sun.nio.cs",
    "java.base/sun.security.action",
    "java.base/sun.util.calendar",
    "java.security.jgss/sun.security.krb5",
)
_JVM_FLAGS = (
    "-XX:+IgnoreUnrecognizedVMOptions",
    *(f"--add-opens={package}=ALL-UNNAMED" for package in _OPENED),
    "-Djdk.reflect.useDirectMethodHandle=false",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # the second compiler costs a third of the processor time up to the first batch
    "-Duser.timezone=UTC",
    "-Djava.awt.headless=true",
    "-Dlog4j2.disableJmx=true",
)
_LOGGING = """\
status = error
appenders = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601}{UTC} %p %c{1}: %m%n%ex
rootLogger.level = warn
rootLogger.appenderRefs = console
rootLogger.appenderRef.console.ref = console
"""

#: Checkpoints on S3 without renames: 0.9–1.4 times the cost of a local one instead of 1.4–2.1. Refuses `file:` paths.
S3_CHECKPOINTS = {
    "spark.sql.streaming.checkpointFileManagerClass": (
        "org.apache.spark.internal.io.cloud.AbortableStreamBasedCheckpointFileManager"
    )
}


@dataclass
class _Gateway:
    """The JVM that serves this Python process; there is at most one, as pyspark's own state is global."""

    process: subprocess.Popen[bytes]
    port: int
    secret: str


_gateway: _Gateway | None = None
_changing = RLock()


def start_spark(settings: Settings, app: str, conf: Mapping[str, str]) -> SparkSession:
    """A Spark session named `app`; `conf` wins over what the settings say.

    Its log is `spark.log` in the data folder's logs. Raises `PrerequisiteError` where Java or jars are missing,
    `ServiceError` when the JVM does not come up.
    """
    start_jvm(settings)
    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")  # we give it none to use
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName(app)
    for key, value in {**spark_conf(settings), **conf}.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("WARN")
    return session


def stop_spark(session: SparkSession) -> None:
    """Stop a session and end its JVM, in seconds whatever state it is in."""
    with suppress(Exception):  # the JVM may be gone: then there is nothing to stop
        session.stop()
    end_gateway()


def end_gateway(within_s: float = _STOP_S) -> None:
    """End the JVM, if there is one, and make pyspark forget it, so that a session can be started again."""
    with _changing:  # a start that is under way in another thread is awaited first
        _end_gateway(within_s)


def _end_gateway(within_s: float) -> None:
    global _gateway
    if _gateway is None:
        return
    from pyspark import SparkContext

    with suppress(Exception):
        SparkContext._gateway.shutdown()  # type: ignore[union-attr]  # None is suppressed as well
    SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
    process, _gateway = _gateway.process, None
    # PYSPARK_GATEWAY_PORT stays: a start under way in another thread shall fail at it, not launch a JVM of its own
    with suppress(OSError):
        process.stdin.close() if process.stdin else None
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def spark_conf(settings: Settings) -> dict[str, str]:
    """Spark's configuration for these settings; holds the secret key, so it never goes onto a command line."""
    spark = settings.spark
    conf = {
        "spark.master": spark.master,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.local.dir": str(settings.folder.spark.absolute()),
        "spark.sql.warehouse.dir": str(settings.folder.spark.absolute() / "warehouse"),
        "spark.hadoop.hadoop.tmp.dir": str(settings.folder.spark.absolute()),
        **_s3a_conf(settings),
    }
    if spark.master.startswith("local"):
        return {**conf, "spark.driver.bindAddress": ports.LOOPBACK, "spark.driver.host": ports.LOOPBACK}
    return {**conf, "spark.jars": ",".join(map(str, classpath(settings, "spark")))}


def _s3a_conf(settings: Settings) -> dict[str, str]:
    """S3A as an S3 client: local AWS by endpoint and path, an account by the SDK's own search for credentials."""
    s3a = {
        "endpoint.region": settings.aws.region,
        "audit.enabled": "false",
        "fast.upload.buffer": "bytebuffer",
        "connection.maximum": "32",
        "aws.credentials.provider": "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider",
    }
    if settings.aws_endpoint_url is not None:
        s3a |= {
            "endpoint": settings.aws_endpoint_url,
            "path.style.access": "true",
            "connection.ssl.enabled": "false",
        }
    key = _access_key(settings)
    if key is not None:
        s3a |= {
            "aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
            "access.key": key[0],
            "secret.key": key[1],
        }
    return {f"spark.hadoop.fs.s3a.{name}": value for name, value in s3a.items()}


def _access_key(settings: Settings) -> tuple[str, str] | None:
    """The key of the settings, else local AWS's own; None where the SDK has to search, or local AWS never ran."""
    aws = settings.aws
    if aws.access_key_id and aws.secret_access_key:
        return aws.access_key_id, aws.secret_access_key.get_secret_value()
    if aws.target != "local":
        return None
    try:
        stored = json.loads(settings.folder.credentials.read_text())
    except FileNotFoundError:
        return None
    return stored["access_key_id"], stored["secret_access_key"]


def spark_cache(settings: Settings, java: Java, jars: Sequence[Path]) -> AotCache:
    """The start-up cache of Spark's JVM."""
    return aot_cache(settings, "spark", java, [*jars, *sorted(bundled_jars().glob("*.jar"))], _JVM_FLAGS)


def start_jvm(settings: Settings, training_flags: Sequence[str] = ()) -> None:
    """Start the JVM unless it runs: it needs no service, so it may come up beside them. Raises as `start_spark`."""
    global _gateway  # noqa: PLW0603
    with _changing:
        if _gateway is not None and _gateway.process.poll() is not None:
            end_gateway()
        if _gateway is None:
            with writable(settings.data_dir, "data_dir"):
                settings.folder.spark.mkdir(parents=True, exist_ok=True)
                _gateway = _launch(settings, training_flags)
        os.environ["PYSPARK_GATEWAY_PORT"] = str(_gateway.port)
        os.environ["PYSPARK_GATEWAY_SECRET"] = _gateway.secret


def _launch(settings: Settings, training_flags: Sequence[str]) -> _Gateway:
    java = find_java(settings)
    jars = classpath(settings, "spark")
    cache_flags = training_flags or spark_cache(settings, java, jars).flags
    logging = settings.folder.spark / "log4j2.properties"
    logging.write_text(_LOGGING)
    memory = [f"-Xmx{settings.spark.driver_memory_mb}m", f"-Dlog4j2.configurationFile={logging.absolute()}"]
    path = ":".join([*map(str, jars), f"{bundled_jars()}/*"])
    main = ["-cp", path, "org.apache.spark.deploy.SparkSubmit"]
    master = ["--master", settings.spark.master, "pyspark-shell"]
    return _connect(settings, [str(java.executable), *_JVM_FLAGS, *memory, *cache_flags, *main, *master])


def _connect(settings: Settings, argv: Sequence[str]) -> _Gateway:
    output = settings.folder.logs / "spark.log"
    rotate(output)
    with tempfile.TemporaryDirectory(prefix="smartcity-spark-") as scratch, output.open("ab") as sink:
        answer = Path(scratch, "gateway")
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=sink,
            stderr=sink,
            env={**os.environ, **_environment(settings), "_PYSPARK_DRIVER_CONN_INFO_PATH": str(answer)},
            start_new_session=True,  # Ctrl-C is ours to handle: the JVM must live until the batch is done
        )
        try:
            return _Gateway(process, *_read_answer(answer, process, output))
        except BaseException:
            process.kill()
            process.communicate()
            raise


def _environment(settings: Settings) -> dict[str, str]:
    own = {"SPARK_HOME": str(bundled_jars().parent), "SPARK_CONNECT_MODE": "0", "PYSPARK_PYTHON": sys.executable}
    return {**own, "AWS_PROFILE": settings.aws.profile} if settings.aws.profile else own


def _read_answer(answer: Path, process: subprocess.Popen[bytes], output: Path) -> tuple[int, str]:
    """Port and secret, which the gateway writes as two big-endian integers, port and length, and the secret."""
    deadline = time.monotonic() + _START_S
    while not answer.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            said = "\n".join(f"  {line[:200]}" for line in log.last_lines(output))
            raise ServiceError(f"Spark's JVM did not start.\n{said}", f"Its whole log: {output}")
        time.sleep(_POLL_S)
    content = answer.read_bytes()
    port, length = struct.unpack(">ii", content[:8])
    return port, content[8 : 8 + length].decode()


def jvm_pid() -> int | None:
    """The process id of Spark's JVM, for `status` and for tests."""
    return _gateway.process.pid if _gateway is not None else None
