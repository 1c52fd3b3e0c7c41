"""Child processes: recorded before they begin, found by pid and start time, ended with their descendants."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from smartcity.services import process
from smartcity.services.process import PidFiles, Record
from smartcity.services.spec import Command


def wait_for(condition: Callable[[], object], within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@pytest.fixture
def pids(tmp_path: Path) -> Iterator[PidFiles]:
    files = PidFiles(tmp_path / "run")
    yield files
    for file in files.folder.glob("*.json") if files.folder.exists() else ():
        record = files.read(file.stem)
        if record is not None and record.alive and record.pid != os.getpid():
            process.terminate(record, 0.5)


def spawn(pids: PidFiles, tmp_path: Path, *argv: str, name: str = "demo") -> Record:
    def record(pid: int) -> None:
        pids.write(Record(name, pid, process.identity(pid) or "", 0))

    process.spawn(Command(argv), tmp_path / "logs" / f"{name}.log", record)
    found = pids.read(name)
    assert found is not None
    return found


def test_a_child_is_found_again_by_pid_and_start_time(pids: PidFiles, tmp_path: Path) -> None:
    record = spawn(pids, tmp_path, "sleep", "60")
    assert record.alive
    assert not replace(record, begun="another").alive
    assert os.getsid(record.pid) == record.pid, "a session of its own: Ctrl-C does not reach it"
    process.terminate(record, 5)
    assert not record.alive


def test_the_program_never_runs_when_it_could_not_be_recorded(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    seen: list[int] = []

    def fail(pid: int) -> None:
        seen.append(pid)
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        process.spawn(Command(["touch", str(mark)]), tmp_path / "demo.log", fail)
    wait_for(lambda: process.identity(seen[0]) is None)
    assert not mark.exists()


def test_a_record_of_another_process_with_that_pid_is_left_alone() -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        process.terminate(Record("demo", stranger.pid, "long ago", 0), 1)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_zombie_is_not_alive() -> None:
    child = subprocess.Popen(["true"])
    before = process.identity(child.pid)
    wait_for(lambda: process.identity(child.pid) is None)
    assert before is None or not Record("demo", child.pid, before, 0).alive
    with suppress(ChildProcessError):
        child.wait()


def test_who_ignores_the_polite_signal_is_killed_with_its_children(pids: PidFiles, tmp_path: Path) -> None:
    script = "import signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    script += "subprocess.Popen(['sleep', '60']); print('up', flush=True); time.sleep(60)"
    record = spawn(pids, tmp_path, sys.executable, "-c", script)
    log = tmp_path / "logs" / "demo.log"
    wait_for(lambda: "up\n" in log.read_text())
    family = process.family(record.pid)
    assert len(family) == 2
    process.terminate(record, 0.3)
    wait_for(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family))


def test_memory_counts_the_children(pids: PidFiles, tmp_path: Path) -> None:
    script = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'x = bytearray(80_000_000);"
    script += " import time; time.sleep(60)']); time.sleep(60)"
    record = spawn(pids, tmp_path, sys.executable, "-c", script)
    wait_for(lambda: process.rss_mb(record.pid) > 85)


def test_an_illegible_pid_file_counts_as_none(pids: PidFiles) -> None:
    pids.folder.mkdir()
    for text in ("", "{", "[]", '{"name": "demo"}'):
        pids.path("demo").write_text(text)
        assert pids.read("demo") is None


def test_a_large_log_is_set_aside_once(tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    with log.open("wb") as file:
        file.truncate(process.LOG_LIMIT_BYTES + 1)
    process.rotate(log)
    assert not log.exists()
    assert (tmp_path / "demo.log.1").exists()
    log.write_text("small")
    process.rotate(log)
    assert log.read_text() == "small"


def test_no_child_outlives_a_parent_that_dies_before_it_could_record(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    script = (
        "import os, sys; from pathlib import Path; from smartcity.services import process;"
        "from smartcity.services.spec import Command;"
        f"process.spawn(Command(['touch', {str(mark)!r}]), Path({str(tmp_path / 'log')!r}),"
        " lambda pid: (print(pid, flush=True), os.kill(os.getpid(), 9)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    wait_for(lambda: process.identity(int(done.stdout)) is None)
    assert not mark.exists()
