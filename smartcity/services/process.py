"""Child processes that outlive us, and are found again by pid and start time, never by name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from smartcity.services.spec import Command

LOG_LIMIT_BYTES = 20_000_000
START_MARK = "--- start"
_POLL_S = 0.02
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

#: Waits for a line that says the pid file is written, then becomes the program. If we die before that, the read
#: fails and nothing runs: no process exists that no pid file knows. Pid and start time survive `exec`.
_HELD_UNTIL_RECORDED = 'read -r _ && exec "$@" </dev/null'


@dataclass(frozen=True)
class Record:
    """What a pid file holds: enough to tell the process from a later one that got the same pid."""

    name: str
    pid: int
    begun: str
    port: int

    @property
    def alive(self) -> bool:
        """Whether that very process still runs (a zombie does not)."""
        return self.pid > 0 and identity(self.pid) == self.begun


class PidFiles:
    """The pid files of a project, one JSON per service."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """The pid file of a service."""
        return self.folder / f"{name}.json"

    def read(self, name: str) -> Record | None:
        """What was recorded of a service; None where there is nothing, or nothing legible."""
        try:
            return Record(**json.loads(self.path(name).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, record: Record) -> None:
        """Record a process, in one step and down to the disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.path(record.name).with_suffix(f".{os.getpid()}")
        with partial.open("w") as file:
            json.dump(asdict(record), file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path(record.name))

    def remove(self, name: str) -> None:
        """Forget a service."""
        self.path(name).unlink(missing_ok=True)


def identity(pid: int) -> str | None:
    """When process `pid` began, as a text that no other process ever gives; None for a zombie or no process.

    On Linux in clock ticks since a named boot, because a time of day shifts when the clock is set (proc(5), field 22).
    """
    _reap(pid)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else f"{_BOOT_ID.read_text().strip()}:{fields[19]}"
    except OSError:
        pass
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return None


def _reap(pid: int) -> None:
    with suppress(OSError):  # it is nobody's child here, the usual case
        os.waitpid(pid, os.WNOHANG)


def spawn(command: Command, log: Path, on_pid: Callable[[int], None]) -> int:
    """Start `command` in a session of its own, so that Ctrl-C in the terminal does not reach it, and return its pid.

    `on_pid` must record the pid durably; the program begins only then. Output is appended to `log`.
    """
    rotate(log)
    with log.open("ab") as output:
        output.write(f"{START_MARK} {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n".encode())
        output.flush()
        child = subprocess.Popen(
            ["/bin/sh", "-c", _HELD_UNTIL_RECORDED, "smartcity", *command.argv],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=command.directory,
            env={**os.environ, **command.environment},
            start_new_session=True,
        )
    child.returncode = 0  # disowned: it may outlive us, and Popen must not warn about that
    gate = child.stdin
    assert gate is not None  # noqa: S101  stdin is a pipe
    with suppress(BrokenPipeError), gate:
        on_pid(child.pid)
        gate.write(b"go\n")
        gate.flush()
    return child.pid


def rotate(log: Path) -> None:
    """Make the folder of a log, and set a log of more than 20 MB aside as `<name>.log.1`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))


def family(pid: int) -> list[psutil.Process]:
    """A process and all its descendants that still exist."""
    with suppress(psutil.Error):
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    return []


def rss_mb(pid: int) -> float:
    """Resident memory of a process and its descendants, in MB."""
    total = 0
    for process in family(pid):
        with suppress(psutil.Error):
            total += process.memory_info().rss
    return total / 1e6


def uptime_s(pid: int) -> float:
    """Seconds since a process began; 0 where it is gone."""
    with suppress(psutil.Error):
        return max(0.0, time.time() - psutil.Process(pid).create_time())
    return 0.0


def terminate(record: Record, grace_s: float) -> None:
    """End a process and its descendants: SIGTERM to the first, SIGKILL to whoever is left after `grace_s` seconds.

    A record of a process that is gone touches nothing, whoever has its pid now.
    """
    if not record.alive:
        return
    children = family(record.pid)[1:]
    with suppress(ProcessLookupError):
        os.kill(record.pid, signal.SIGTERM)
    if not _gone(record, grace_s):
        with suppress(ProcessLookupError):
            os.kill(record.pid, signal.SIGKILL)
        _gone(record, grace_s)
    _kill(children)


def _gone(record: Record, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while record.alive:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.kill()  # psutil compares the start time first
