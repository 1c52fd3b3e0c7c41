"""A real broker: started, used, killed, found again; two commands at once; caches that are broken."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from smartcity.errors import ServiceError
from smartcity.services import Runtime, prepare, process, runtime_for
from smartcity.services.kafka import kafka_program
from smartcity.settings import Settings, load

pytestmark = pytest.mark.integration

READY_S = 90.0


def quiet(_label: str, _done: int, _total: int) -> None:
    """Progress that nobody looks at."""


def free_pair() -> int:
    for port in range(31100, 31900, 2):
        with socket.socket() as one, socket.socket() as two:
            try:
                one.bind(("127.0.0.1", port))
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


def wait_for(condition: Callable[[], object], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def settings_in(folder: Path, **flags: object) -> Settings:
    quick = {"start_caches": False}
    return load(data_dir=folder, java=quick, **{"kafka": {"port": free_pair()}, **flags})


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    found = settings_in(tmp_path_factory.mktemp("runtime") / "data")
    prepare(found, quiet)
    return found


@pytest.fixture
def runtime(settings: Settings) -> Iterator[Runtime]:
    """A running broker; what a test did to it is undone by starting it again for the next."""
    one = runtime_for(settings)
    one.start("kafka")
    one.wait_ready("kafka", READY_S)
    yield one
    one.stop()


def pid_of(runtime: Runtime) -> int:
    pid = next(one.pid for one in runtime.status() if one.name == "kafka")
    assert pid is not None
    return pid


def send(settings: Settings, topic: str, count: int) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap, "enable.idempotence": True, "log_level": 0})
    for number in range(count):
        producer.produce(topic, str(number).encode())
    assert producer.flush(60) == 0


def make_topic(settings: Settings) -> str:
    topic = f"t{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap, "log_level": 0})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    return topic


def read(settings: Settings, topic: str, count: int) -> list[int]:
    config = {"group.id": topic, "auto.offset.reset": "earliest", "enable.auto.commit": False, "log_level": 0}
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, **config})
    consumer.subscribe([topic])
    found: list[int] = []
    deadline = time.monotonic() + 60
    while len(found) < count and time.monotonic() < deadline:
        found += [int(one.value() or b"-1") for one in consumer.consume(count, 1.0) if not one.error()]
    consumer.close()
    return found


def test_what_a_killed_broker_acknowledged_is_there_after_the_next_start(runtime: Runtime, settings: Settings) -> None:
    topic = make_topic(settings)
    send(settings, topic, 500)
    killed = pid_of(runtime)
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: next(one.state for one in runtime.status() if one.name == "kafka") == "failed")
    assert runtime.start("kafka") is True
    runtime.wait_ready("kafka", READY_S)
    assert pid_of(runtime) != killed
    assert read(settings, topic, 500) == list(range(500))


def test_a_second_up_is_a_no_op_and_down_keeps_data(runtime: Runtime, settings: Settings) -> None:
    topic = make_topic(settings)
    send(settings, topic, 10)
    pid = pid_of(runtime)
    again = runtime_for(settings)
    assert again.start("kafka") is False
    assert again.wait_ready("kafka", 5) < 5
    assert pid_of(again) == pid
    assert again.stop() == ["kafka"]
    assert process.identity(pid) is None
    again.start("kafka")
    again.wait_ready("kafka", READY_S)
    assert read(settings, topic, 10) == list(range(10))


@pytest.mark.parametrize("damage", ["", "garbage"])
def test_a_service_whose_pid_file_is_lost_is_found_by_its_port_and_folder(
    runtime: Runtime, settings: Settings, damage: str
) -> None:
    pid = pid_of(runtime)
    file = settings.folder.run / "kafka.json"
    file.write_text(damage) if damage else file.unlink()
    assert runtime.start("kafka") is False
    assert pid_of(runtime) == pid
    file.unlink()
    assert runtime.stop() == ["kafka"]
    assert process.identity(pid) is None
    runtime.start("kafka")
    runtime.wait_ready("kafka", READY_S)


def test_a_stranger_on_the_port_is_never_taken_for_our_broker(
    runtime: Runtime, settings: Settings, tmp_path: Path
) -> None:
    other = load(data_dir=tmp_path, kafka={"port": settings.kafka.port}, java={"start_caches": False})
    theirs = runtime_for(other)
    with pytest.raises(ServiceError, match=rf"Port {settings.kafka.port} \(kafka\.port\) is taken by java"):
        theirs.start("kafka")
    assert next(one.state for one in theirs.status() if one.name == "kafka") == "stopped"
    assert next(one.state for one in runtime.status() if one.name == "kafka") == "running"


def test_two_commands_at_once_start_one_broker(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "data")
    script = (
        "import sys; from smartcity.services import runtime_for; from smartcity.settings import load;"
        "runtime = runtime_for(load()); print(runtime.start('kafka'), flush=True); runtime.wait_ready('kafka', 90)"
    )
    known = {"SMARTCITY_DATA_DIR": str(settings.data_dir), "SMARTCITY_KAFKA__PORT": str(settings.kafka.port)}
    command = [sys.executable, "-c", script]
    both = [subprocess.Popen(command, env={**os.environ, **known}, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        said = sorted(one.communicate(timeout=120)[0].strip() for one in both)
        assert [one.returncode for one in both] == [0, 0]
        assert said == ["False", "True"]
    finally:
        runtime_for(settings).stop()


@pytest.mark.parametrize("content", [b"", b"junk" * 1000])
def test_a_broken_start_cache_is_passed_over(tmp_path: Path, settings: Settings, content: bytes) -> None:
    cache = tmp_path / "cache"
    (cache / "aot").mkdir(parents=True)
    (cache / "jars").symlink_to(settings.cache_dir / "jars")
    mine = settings_in(tmp_path / "data", cache_dir=cache)
    kafka_program(mine).cache.file.write_bytes(content)
    runtime = runtime_for(mine)
    try:
        assert runtime.start("kafka")
        runtime.wait_ready("kafka", READY_S)
    finally:
        runtime.stop()


def test_ctrl_c_in_the_terminal_does_not_reach_the_broker(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "data")
    script = (
        "import os, signal; from smartcity.services import runtime_for; from smartcity.settings import load;"
        "runtime_for(load()).start('kafka'); os.killpg(0, signal.SIGINT)"
    )
    known = {"SMARTCITY_DATA_DIR": str(settings.data_dir), "SMARTCITY_KAFKA__PORT": str(settings.kafka.port)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, env={**os.environ, **known}, start_new_session=True, check=False, capture_output=True
    )
    assert done.returncode != 0, "the command itself is interrupted"
    runtime = runtime_for(settings)
    try:
        runtime.wait_ready("kafka", READY_S)
    finally:
        assert runtime.stop() == ["kafka"]


def test_nothing_of_ours_is_left_after_down(runtime: Runtime, settings: Settings) -> None:
    runtime.stop()
    mark = str(settings.data_dir)
    left = [one.pid for one in psutil.process_iter(["cmdline"]) if mark in " ".join(one.info["cmdline"] or [])]
    assert left == []
