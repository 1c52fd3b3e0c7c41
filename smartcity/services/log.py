"""Reading a service's log: the lines that explain a failure, and following it while it grows."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from smartcity.services.process import START_MARK

_POLL_S = 0.2
_TAIL_BYTES = 64_000


def last_lines(log: Path, count: int = 8) -> list[str]:
    """The last lines that the latest run of a service wrote, without the frames of stack traces."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    starts = [number for number, line in enumerate(lines) if line.startswith(START_MARK)]
    latest = lines[starts[-1] + 1 :] if starts else lines
    return [line for line in latest if line.strip() and not line.lstrip().startswith(("at ", "... "))][-count:]


def lines_of(log: Path, follow: bool) -> Iterator[str]:
    """The lines of a log from its beginning; with `follow` for ever, also across a rotation."""
    while follow and not log.exists():
        time.sleep(_POLL_S)
    if not log.exists():
        return
    while True:
        with log.open(errors="replace") as file:
            yield from _grow(file, log, follow)
        if not follow:
            return


def _grow(file: TextIO, log: Path, follow: bool) -> Iterator[str]:
    """Lines until the file ends, or, following, until another file has taken its name."""
    rest = ""
    while True:
        line = rest + file.readline()
        if line.endswith("\n") or (line and not follow):
            rest = ""
            yield line.rstrip("\n")
        elif not follow or not log.exists() or log.stat().st_ino != _inode(file):
            return
        else:
            rest = line
            time.sleep(_POLL_S)


def _inode(file: TextIO) -> int:
    return os.fstat(file.fileno()).st_ino
