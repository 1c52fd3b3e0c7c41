"""The same job on a Spark standalone cluster of real processes: a master and two workers."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from smartcity.services import find_java
from smartcity.services.ivy import bundled_jars
from tests.chaos.world import ROOT, World, free_port, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

#: Spark adds a module to its executors' command line that our small Java does not have; a cluster's own Java has it.
WRAPPER = """#!/bin/sh
for argument in "$@"; do
  shift
  case "$argument" in --add-modules=jdk.incubator.vector) ;; *) set -- "$@" "$argument" ;; esac
done
exec "{java}" "$@"
"""


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[str]:
    """Address of a master with two workers of one core each."""
    folder = tmp_path_factory.mktemp("cluster")
    java = folder / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(WRAPPER.format(java=find_java(world.settings).executable))
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    home = bundled_jars().parent
    environment = {
        **os.environ,
        "JAVA_HOME": str(folder / "java"),
        "SPARK_HOME": str(home),
        "SPARK_SCALA_VERSION": "2.13",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
    }
    address = f"spark://127.0.0.1:{free_port()}"
    log = folder / "log"

    def start(stack: ExitStack, name: str, *arguments: str) -> None:
        command = [str(java), "-Xmx256m", "-cp", f"{home}/jars/*", f"org.apache.spark.deploy.{name}"]
        host = ["--host", "127.0.0.1", "--webui-port", str(free_port())]
        with log.open("ab") as sink:
            process = subprocess.Popen(
                [*command, *host, *arguments], env=environment, cwd=folder, stdout=sink, stderr=sink
            )
        stack.callback(process.wait, 20)
        stack.callback(process.terminate)

    with ExitStack() as stack:
        start(stack, "master.Master", "--port", address.rpartition(":")[2])
        for number in range(2):
            work = ["--work-dir", str(folder / f"work{number}"), "--cores", "1", "--memory", "1200m"]
            start(stack, "worker.Worker", *work, address)
        wait_until(lambda: log.read_text().count("Successfully registered with master") == 2, 60, "two workers")
        yield address


def test_the_cluster_stores_the_same(world: World, master: str) -> None:
    world.produce("trip-c", 0, 300, bad_every=50)
    environment = {
        **os.environ,
        **world.environment,
        "SMARTCITY_CACHE_DIR": str(world.settings.cache_dir),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SMARTCITY_SPARK__MASTER": master,
        "PYSPARK_PYTHON": sys.executable,
    }
    done = subprocess.run(
        [sys.executable, "-c", "from smartcity.cli.app import main; main()", "stream", "--once", "--name", "cluster"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "1,500 rows" in done.stdout
    assert "30 quarantined" in done.stdout
    assert world.stored() == world.expected(bad_every=50)
