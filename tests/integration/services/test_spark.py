"""Spark's driver against local AWS: S3A, a second session in one process, and no JVM without its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from smartcity.services import process

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


def environment(settings: Any, folder: Path) -> dict[str, str]:
    aws = {"SMARTCITY_AWS__PORT": str(settings.aws.port)}
    return {**os.environ, **aws, "SMARTCITY_DATA_DIR": str(folder)}


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM])
def test_no_jvm_outlives_its_parent(tmp_path: Path, death: signal.Signals) -> None:
    script = (
        "import time; from smartcity.settings import load; from smartcity.services import spark;"
        "spark.start_jvm(load()); print(spark.jvm_pid(), flush=True); time.sleep(300)"
    )
    known = {**os.environ, "SMARTCITY_DATA_DIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", script], env=known, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        jvm = int(parent.stdout.readline())
        assert process.identity(jvm) is not None
        parent.send_signal(death)
    deadline = time.monotonic() + 20
    while process.identity(jvm) is not None:
        assert time.monotonic() < deadline, "the JVM lives on"
        time.sleep(0.05)


SCRIPT = """
import os, sys
from smartcity.settings import load
from smartcity.services import spark

settings, bucket = load(), sys.argv[1]
session = spark.start_spark(settings, "one", spark.S3_CHECKPOINTS)
place = f"s3a://{bucket}/rows"
session.range(1000).selectExpr("id", "id % 7 AS dt").write.partitionBy("dt").parquet(place)
stream = session.readStream.schema("id long").parquet(place).writeStream.format("memory").queryName("seen")
stream.option("checkpointLocation", f"s3a://{bucket}/checkpoint").trigger(availableNow=True).start().awaitTermination()
print("streamed", session.table("seen").count(), flush=True)
print("zone", session.sql("SELECT current_timezone()").first()[0], flush=True)
first = spark.jvm_pid()
os.kill(first, 9)
spark.stop_spark(session)
again = spark.start_spark(settings, "two", {})
print("read", again.read.parquet(place).count(), "other JVM", spark.jvm_pid() != first, flush=True)
spark.stop_spark(again)
print("left", spark.jvm_pid(), flush=True)
"""


def test_s3a_checkpoints_and_a_second_session_after_the_jvm_was_killed(stack: Any) -> None:
    bucket = "spark-driver-test"
    stack.clients.aws("s3").create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": stack.settings.aws.region}
    )
    known = environment(stack.settings, stack.settings.data_dir)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, bucket], env=known, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = done.stdout.splitlines()
    assert said == ["streamed 1000", "zone UTC", "read 1000 other JVM True", "left None"]
