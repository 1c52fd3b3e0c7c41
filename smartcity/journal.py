"""What `smartcity run` remembers: the trip under way, so that a broken run goes on with the same events."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from smartcity.errors import PrerequisiteError, ServiceError


@dataclass(frozen=True)
class Journey:
    """One trip: what decides its events, and how far it came. `driven`: every event was acknowledged by Kafka."""

    route: str
    seed: int
    start: datetime
    driven: bool = False
    finished: bool = False


class Journal:
    """The journey of one data folder, in `current.json`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "current.json"

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the folder for one run. Raises `ServiceError` naming the process that holds it already."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PrerequisiteError(
                f"The folder {self.folder} cannot be made: {error.strerror}.", "Set data_dir to another folder."
            ) from None
        with (self.folder / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                owner = lock.read().strip() or "unknown"
                raise ServiceError(
                    f"Another smartcity run is at work in this data folder (process {owner}).",
                    "Wait until it ends, or give this one a folder of its own: smartcity --data-dir DIR run",
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def unfinished(self) -> Journey | None:
        """The journey that a broken run left, or None. A file that cannot be read counts as none."""
        try:
            stored = json.loads(self._file.read_text())
            journey = Journey(**{**stored, "start": datetime.fromisoformat(stored["start"])})
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return None if journey.finished else journey

    def save(self, journey: Journey) -> Journey:
        """Write the journey down, in one step, and return it."""
        partial = self._file.with_suffix(".partial")
        partial.write_text(json.dumps({**asdict(journey), "start": journey.start.isoformat()}))
        partial.replace(self._file)
        return journey

    def mark(self, journey: Journey, *, driven: bool = True, finished: bool = False) -> Journey:
        """The journey has come further."""
        return self.save(replace(journey, driven=driven, finished=finished))
