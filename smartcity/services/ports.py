"""Whether a port is free, and if not, whose it is."""

from __future__ import annotations

import errno
import os
import socket
import time
from contextlib import closing, suppress
from pathlib import Path

from smartcity.errors import ServiceError

LOOPBACK = "127.0.0.1"
#: A killed JVM is gone from the list of processes before the last of its threads has let its ports go.
_LINGER_S = 5.0


def require_free(port: int, setting: str) -> None:
    """Raise `ServiceError` that names the owner of `port` and the `setting` that moves us away from it.

    `setting` may be an expression that begins with the setting's name: "kafka.port + 1".
    """
    deadline = time.monotonic() + _LINGER_S
    while not is_free(port):
        who = owner(port)
        if who is None and time.monotonic() < deadline:
            time.sleep(0.05)
            continue
        variable = f"SMARTCITY_{setting.split(maxsplit=1)[0].upper().replace('.', '__')}"
        raise ServiceError(
            f"Port {port} ({setting}) is taken by {who or 'a process of another user'}.",
            f"End that process, or choose another port: {variable}={port + 100}",
        )


def is_free(port: int) -> bool:
    """Whether a server could bind the port on the loopback address now."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Java does: connections of a dead server linger
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise ServiceError(f"Port {port} cannot be used: {error.strerror}.", "Choose a port above 1023.") from error
    return True


def accepts(port: int, within_s: float) -> bool:
    """Whether somebody accepts connections there: the cheap question before a protocol is asked."""
    try:
        socket.create_connection((LOOPBACK, port), within_s).close()
    except OSError:
        return False
    return True


def listener(port: int, folder: Path) -> int | None:
    """The process that listens on a port and was started on files below `folder`, by its arguments; None if none."""
    import psutil

    home = str(folder.absolute())
    with suppress(psutil.Error, OSError):
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port and one.pid:
                arguments = psutil.Process(one.pid).cmdline()
                if any(argument == home or f"{home}{os.sep}" in argument for argument in arguments):
                    return one.pid
    return None


def owner(port: int) -> str | None:
    """The process that listens on a port, as words: its name and pid; None where we may not see it."""
    import psutil

    try:
        listeners = [one.pid for one in psutil.net_connections("tcp") if one.laddr and one.laddr.port == port]
        pid = next(pid for pid in listeners if pid)
        process = psutil.Process(pid)
        return f"{process.name()} (process {pid}: {' '.join(process.cmdline())[:80]})"
    except (psutil.Error, OSError, StopIteration):
        return None
