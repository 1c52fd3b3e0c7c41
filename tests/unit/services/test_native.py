"""The native runtime over services that are small scripts: every state, every refusal."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from smartcity.errors import PrerequisiteError, ServiceError, ServiceNotRunning, UsageError
from smartcity.services import disk, ports, process
from smartcity.services.native import NativeRuntime
from smartcity.services.process import Record
from smartcity.services.spec import Command, ServiceSpec
from smartcity.settings import Settings, load

SERVER = (
    "import socket, sys, time; time.sleep(float(sys.argv[2]));"
    "s = socket.create_server(('127.0.0.1', int(sys.argv[1])));"
    "print('listening', flush=True)\nwhile True: s.accept()[0].close()"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ports.LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def server(settings: Settings, delay_s: float = 0.0) -> ServiceSpec:
    port = free_port()
    return ServiceSpec(
        name="kafka",
        title="A server",
        ports={"kafka.port": port},
        address=f"127.0.0.1:{port}",
        data_dir=settings.folder.kafka,
        command=lambda: Command([sys.executable, "-c", SERVER, str(port), str(delay_s)]),
        ready=lambda within_s: ports.accepts(port, within_s),
        free_disk_mb=1,
        stop_s=5,
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


@pytest.fixture
def runtime(settings: Settings) -> Iterator[NativeRuntime]:
    one = NativeRuntime(settings, {"kafka": server(settings)})
    yield one
    one.stop()


def with_service(settings: Settings, spec: ServiceSpec) -> NativeRuntime:
    return NativeRuntime(settings, {spec.name: spec})


def test_from_stopped_to_running_and_back(runtime: NativeRuntime) -> None:
    assert runtime.status()[0].state == "stopped"
    assert runtime.start("kafka") is True
    assert runtime.wait_ready("kafka", 10) < 10
    assert runtime.start("kafka") is False
    status = runtime.status()[0]
    assert status.state == "running"
    assert status.pid is not None
    assert status.rss_mb > 3
    assert runtime.stop() == ["kafka"]
    assert runtime.stop() == []
    assert runtime.status()[0].state == "stopped"


def test_alive_and_silent_is_starting(settings: Settings) -> None:
    runtime = with_service(settings, server(settings, delay_s=60))
    try:
        runtime.start("kafka")
        assert runtime.status()[0].state == "starting"
        with pytest.raises(ServiceError, match=r"did not answer within 0 s") as error:
            runtime.wait_ready("kafka", 0.3)
        assert str(settings.folder.logs / "kafka.log") in error.value.hint
    finally:
        runtime.stop()


def test_who_dies_at_the_start_is_failed_and_says_why(settings: Settings) -> None:
    script = "import sys; print('the port is cursed'); sys.exit(3)"
    spec = replace(server(settings), command=lambda: Command([sys.executable, "-c", script]))
    runtime = with_service(settings, spec)
    runtime.start("kafka")
    with pytest.raises(ServiceError, match="the port is cursed"):
        runtime.wait_ready("kafka", 10)
    assert runtime.status()[0].state == "failed"
    assert runtime.stop() == []
    assert runtime.status()[0].state == "stopped"


def test_a_killed_service_is_failed_and_starts_again(runtime: NativeRuntime) -> None:
    runtime.start("kafka")
    runtime.wait_ready("kafka", 10)
    pid = runtime.status()[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while runtime.status()[0].state != "failed":
        assert time.monotonic() < deadline
    assert runtime.start("kafka") is True
    runtime.wait_ready("kafka", 10)
    assert runtime.status()[0].pid != pid


def test_a_stale_pid_file_that_names_a_living_stranger_is_cleared(runtime: NativeRuntime) -> None:
    runtime.pids.write(Record("kafka", os.getpid(), "yesterday", 0))
    assert runtime.stop() == []
    runtime.pids.write(Record("kafka", os.getpid(), "yesterday", 0))
    assert runtime.start("kafka") is True
    runtime.wait_ready("kafka", 10)


def test_a_new_runtime_finds_what_an_old_one_started(runtime: NativeRuntime, settings: Settings) -> None:
    runtime.start("kafka")
    runtime.wait_ready("kafka", 10)
    later = NativeRuntime(settings, runtime.services)
    assert later.start("kafka") is False
    assert later.status()[0].pid == runtime.status()[0].pid


def test_many_starts_at_once_start_one(runtime: NativeRuntime, settings: Settings) -> None:
    runtimes = [NativeRuntime(settings, runtime.services) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(lambda one: one.start("kafka"), runtimes)) == [False] * 5 + [True]


def test_a_taken_port_is_refused_before_anything_is_spawned(runtime: NativeRuntime) -> None:
    port = runtime.services["kafka"].ports["kafka.port"]
    with socket.create_server((ports.LOOPBACK, port)), pytest.raises(ServiceError, match=r"\(kafka\.port\) is taken"):
        runtime.start("kafka")
    assert runtime.pids.read("kafka") is None


def test_no_room_is_a_sentence(settings: Settings) -> None:
    runtime = with_service(settings, replace(server(settings), free_disk_mb=10**12))
    with pytest.raises(PrerequisiteError, match=r"A server needs .* MB are free"):
        runtime.start("kafka")


def test_a_file_in_the_way_of_the_data_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("I was here first")
    settings = load(data_dir=tmp_path / "data")
    with pytest.raises(PrerequisiteError, match="a file is in the way"):
        with_service(settings, server(settings)).start("kafka")


@pytest.mark.parametrize(
    ("number", "sentence"), [(28, "is full"), (13, "cannot be written"), (30, "cannot be written")]
)
def test_faults_of_the_disk_become_sentences(tmp_path: Path, number: int, sentence: str) -> None:
    with pytest.raises(PrerequisiteError, match=sentence), disk.writable(tmp_path, "data_dir"):
        raise OSError(number, os.strerror(number))


def test_waiting_for_what_was_never_started_says_so(runtime: NativeRuntime) -> None:
    with pytest.raises(ServiceNotRunning, match="is not running"):
        runtime.wait_ready("kafka", 5)


def test_names_that_no_service_has_are_refused_and_unneeded_ones_are_not(runtime: NativeRuntime) -> None:
    for call in (runtime.start, lambda name: runtime.wait_ready(name, 1), lambda name: runtime.stop([name])):
        with pytest.raises(UsageError, match="no service nonsense"):
            call("nonsense")
    assert runtime.start("trino") is False
    assert runtime.wait_ready("trino", 1) < 1


def test_somebody_elses_service_is_awaited_but_never_started(settings: Settings) -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as theirs:
        port = theirs.getsockname()[1]
        spec = replace(server(settings), command=None, ready=lambda within_s: ports.accepts(port, within_s))
        runtime = with_service(settings, spec)
        assert runtime.start("kafka") is False
        runtime.wait_ready("kafka", 5)
        assert (runtime.status()[0].state, runtime.status()[0].pid) == ("running", None)
    assert runtime.status()[0].state == "failed"


def test_purge_deletes_what_is_ours_and_only_when_nothing_runs(runtime: NativeRuntime, settings: Settings) -> None:
    runtime.start("kafka")
    runtime.wait_ready("kafka", 10)
    with pytest.raises(ServiceError, match="kafka still runs"):
        runtime.purge()
    runtime.stop()
    mine = settings.data_dir / "my thesis.txt"
    mine.write_text("years of work")
    runtime.purge()
    assert list(settings.data_dir.iterdir()) == [mine]
    mine.unlink()
    runtime.purge()
    assert not settings.data_dir.exists()


def test_logs_from_the_beginning_and_as_they_come(runtime: NativeRuntime) -> None:
    assert list(runtime.logs("kafka")) == []
    runtime.start("kafka")
    runtime.wait_ready("kafka", 10)
    lines = runtime.logs("kafka", follow=True)
    assert next(lines).startswith(process.START_MARK)
    assert next(lines) == "listening"
    log = runtime.folder.logs / "kafka.log"
    with log.open("a") as file:
        file.write("more\n")
    assert next(lines) == "more"
    log.replace(log.with_name("kafka.log.1"))
    log.write_text("after the rotation\n")
    assert next(lines) == "after the rotation"


def test_the_lock_is_released_by_death_and_says_who_holds_it(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with (
        disk.exclusive(file, 0, "A first"),
        pytest.raises(ServiceError, match="A second has been"),
        disk.exclusive(file, 0.1, "A second"),
    ):
        pass
    with disk.exclusive(file, 0, "A third"):
        pass
