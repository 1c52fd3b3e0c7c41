"""The services as child processes of this machine, which outlive the command that started them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from smartcity.errors import ServiceError, ServiceNotRunning
from smartcity.folders import DataFolder
from smartcity.services import log, ports, process, table
from smartcity.services.disk import exclusive, require_space, writable
from smartcity.services.spec import Command, ServiceSpec, ServiceStatus, State

if TYPE_CHECKING:
    from smartcity.settings import Settings

_POLL_S = 0.03
_LOCK_S = 60.0
_STOP_S = 20.0
_ASK_S = 2.0


class NativeRuntime:
    """Starts, awaits, shows and stops the services of one data folder."""

    def __init__(self, settings: Settings, services: Mapping[str, ServiceSpec] | None = None) -> None:
        self.folder: DataFolder = settings.folder
        self.services = table.services(settings) if services is None else services
        self.pids = process.PidFiles(self.folder.run)

    def start(self, name: str) -> bool:
        """See `Runtime.start`. A process that a crash left is found and kept, a stale pid file is cleared."""
        spec = self._spec(name)
        if spec is None or spec.command is None:
            return False
        with writable(self.folder.root, "data_dir"), self._alone():
            found = self._record(name)
            if found is not None and found.alive:
                return False
            self.pids.remove(name)
            self._check_room(spec)
            spec.data_dir.mkdir(parents=True, exist_ok=True)
            self._spawn(spec, spec.command())
        return True

    def wait_ready(self, name: str, timeout_s: float) -> float:
        """See `Runtime.wait_ready`."""
        spec = self._spec(name)
        begin = time.monotonic()
        while spec is not None:
            left_s = begin + timeout_s - time.monotonic()
            if spec.ready(max(0.05, min(1.0, left_s))):
                break
            self._check_alive(spec)
            if left_s <= 0:
                raise self._too_slow(spec, timeout_s)
            time.sleep(_POLL_S)
        return time.monotonic() - begin

    def alive(self, name: str) -> bool:
        """See `Runtime.alive`."""
        spec = self._spec(name)
        if spec is None or spec.command is None:
            return True
        record = self._record(name)
        return record is not None and record.alive

    def stop(self, names: Sequence[str] | None = None) -> list[str]:
        """See `Runtime.stop`. Without names, also what earlier settings started in this data folder."""
        for name in names or ():
            self._spec(name)
        if not self.folder.run.exists():
            return []
        recorded = {one.stem for one in self.folder.run.glob("*.json")}
        wanted = list(names) if names is not None else sorted(recorded | self.services.keys())
        with self._alone(), ThreadPoolExecutor(max(1, len(wanted))) as pool:
            return [name for name, ran in zip(wanted, pool.map(self._stop_one, wanted), strict=True) if ran]

    def purge(self) -> None:
        """See `Runtime.purge`. Deletes the folders that are ours, never the data folder with what else is in it."""
        running = [one.name for one in self.status() if one.pid is not None and one.state != "failed"]
        if running:
            raise ServiceError(f"{', '.join(running)} still runs.", "Stop it first: smartcity down")
        with writable(self.folder.root, "data_dir"):
            for folder in _own_folders(self.folder):
                shutil.rmtree(folder, ignore_errors=not folder.exists())
            if self.folder.root.exists() and not any(self.folder.root.iterdir()):
                with suppress(OSError):  # a mount point stays
                    self.folder.root.rmdir()

    def status(self) -> list[ServiceStatus]:
        """See `Runtime.status`. Asks all services at the same time."""
        with ThreadPoolExecutor(max(1, len(self.services))) as pool:
            return list(pool.map(self._status_of, self.services.values()))

    def logs(self, name: str, follow: bool = False) -> Iterator[str]:
        """See `Runtime.logs`."""
        if self._spec(name) is None:
            return iter(())
        return log.lines_of(self._log(name), follow)

    def _spec(self, name: str) -> ServiceSpec | None:
        """The service, or None where these settings need no such service."""
        if name not in self.services:
            table.check_name(name)
        return self.services.get(name)

    def _record(self, name: str) -> process.Record | None:
        """What runs as this service: by its pid file, or where that was lost, by port and data folder."""
        record, spec = self.pids.read(name), self.services.get(name)
        if record is not None or spec is None or spec.command is None:
            return record
        port = next(iter(spec.ports.values()))
        pid = None if ports.is_free(port) else ports.listener(port, spec.data_dir)
        if pid is None:
            return None
        found = process.Record(name, pid, process.identity(pid) or "", port)
        self.pids.write(found)
        return found

    def _log(self, name: str) -> Path:
        return self.folder.logs / f"{name}.log"

    def _alone(self) -> AbstractContextManager[None]:
        return exclusive(self.folder.run / ".lock", _LOCK_S, "Another smartcity command that starts or stops services")

    def _check_room(self, spec: ServiceSpec) -> None:
        for setting, port in spec.ports.items():
            ports.require_free(port, setting)
        require_space(spec.data_dir, spec.free_disk_mb, spec.title, "data_dir")

    def _spawn(self, spec: ServiceSpec, command: Command) -> None:
        port = next(iter(spec.ports.values()), 0)

        def record(pid: int) -> None:
            self.pids.write(process.Record(spec.name, pid, process.identity(pid) or "", port))

        process.spawn(command, self._log(spec.name), record)

    def _stop_one(self, name: str) -> bool:
        record = self._record(name)
        ran = record is not None and record.alive
        spec = self.services.get(name)
        if record is not None:
            process.terminate(record, spec.stop_s if spec else _STOP_S)
        self.pids.remove(name)
        if ran and spec is not None and spec.after_stop is not None:
            spec.after_stop()
        return ran

    def _check_alive(self, spec: ServiceSpec) -> None:
        if spec.command is None:
            return
        record = self._record(spec.name)
        if record is None:
            raise ServiceNotRunning(f"{spec.title} is not running.", "Start it with: smartcity up")
        if not record.alive:
            raise ServiceError(f"{spec.title} ended while it was starting.\n{self._why(spec)}", self._where(spec))

    def _too_slow(self, spec: ServiceSpec, timeout_s: float) -> ServiceError:
        if spec.command is None:
            return ServiceError(
                f"{spec.title} at {spec.address} did not answer within {timeout_s:.0f} s.", "Does it run there?"
            )
        hint = f"Give it longer with start_timeout_s. {self._where(spec)}"
        return ServiceError(f"{spec.title} did not answer within {timeout_s:.0f} s.\n{self._why(spec)}", hint)

    def _why(self, spec: ServiceSpec) -> str:
        return "\n".join(f"  {line[:200]}" for line in log.last_lines(self._log(spec.name))) or "  It said nothing."

    def _where(self, spec: ServiceSpec) -> str:
        return f"Its whole log: {self._log(spec.name)}"

    def _status_of(self, spec: ServiceSpec) -> ServiceStatus:
        record = self._record(spec.name)
        pid = record.pid if record is not None and record.alive else None
        return ServiceStatus(
            name=spec.name,
            state=self._state(spec, record),
            pid=pid,
            port=next(iter(spec.ports.values()), 0),
            address=spec.address,
            rss_mb=process.rss_mb(pid) if pid else 0.0,
            uptime_s=process.uptime_s(pid) if pid else 0.0,
            data_dir=spec.data_dir,
            log=self._log(spec.name) if spec.command is not None else None,
        )

    def _state(self, spec: ServiceSpec, record: process.Record | None) -> State:
        if spec.command is None:
            return "running" if spec.ready(_ASK_S) else "failed"
        if record is None:
            return "stopped"
        if not record.alive:
            return "failed"
        return "running" if spec.ready(_ASK_S) else "starting"


def _own_folders(folder: DataFolder) -> list[Path]:
    """Every folder that `DataFolder` names."""
    names = [name for name, value in vars(DataFolder).items() if isinstance(value, property)]
    return [getattr(folder, name) for name in names]
