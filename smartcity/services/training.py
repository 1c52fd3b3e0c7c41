"""Training runs: a program in a scratch folder, started, used and stopped, so that the JVM writes a cache."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from smartcity.errors import ServiceError

if TYPE_CHECKING:
    from threading import Event

_POLL_S = 0.1

#: Runs the program until our end of its standard input closes, be it that we say so or that we are killed.
_UNTIL_INPUT_ENDS = 'nice -n 10 "$@" </dev/null & read -r _; kill $!; wait $!'


@contextmanager
def running(argv: Sequence[str], folder: Path, stop: Event, write_s: float = 180.0) -> Iterator[None]:
    """The program, until the block ends; it then has `write_s` seconds to write its cache, or is killed on `stop`."""
    with (folder / "output").open("wb") as output:
        shell = subprocess.Popen(
            ["/bin/sh", "-c", _UNTIL_INPUT_ENDS, "smartcity", *argv],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=folder,
            start_new_session=True,
        )
        try:
            yield
        finally:
            _end(shell, stop, write_s)


def _end(shell: subprocess.Popen[bytes], stop: Event, write_s: float) -> None:
    """Let the program end, which is when it writes the cache; kill it where that takes too long or is not wanted."""
    assert shell.stdin is not None  # noqa: S101  it is a pipe
    shell.stdin.close()
    deadline = time.monotonic() + write_s
    while shell.poll() is None and time.monotonic() < deadline and not stop.is_set():
        time.sleep(_POLL_S)
    with suppress(ProcessLookupError):
        os.killpg(shell.pid, signal.SIGKILL)
    shell.wait()


def wait_until(is_ready: Callable[[], bool], within_s: float, stop: Event) -> None:
    """Raises `ServiceError` when the program does not answer in time, or is not wanted any more."""
    deadline = time.monotonic() + within_s
    while not is_ready():
        if time.monotonic() > deadline or stop.is_set():
            raise ServiceError("The program of a training run did not answer.")
        time.sleep(_POLL_S)
