"""The process: one port on 127.0.0.1, one data folder, a graceful end."""

from __future__ import annotations

import argparse
import fcntl
import logging
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from smartcity.errors import PrerequisiteError, ServiceError, SmartCityError
from smartcity.localaws.services import Options, build

_HOST = "127.0.0.1"
_log = logging.getLogger("smartcity.localaws")


def parse_options(arguments: list[str] | None = None) -> Options:
    """The command line of `python -m smartcity.localaws`."""
    parser = argparse.ArgumentParser(prog="python -m smartcity.localaws", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of all state")
    parser.add_argument("--port", type=int, default=24566, help="port on 127.0.0.1")
    parser.add_argument("--region", default="eu-west-2", help="the one region that exists here")
    parser.add_argument("--account-id", default="000000000000", help="twelve digits")
    parser.add_argument("--trino-url", default="http://127.0.0.1:28080", help="the engine behind Athena")
    parser.add_argument("--max-queries", type=int, default=8, help="Athena queries that run at the same time")
    given = parser.parse_args(arguments)
    return Options(
        given.data_dir.resolve(), given.port, given.region, given.account_id, given.trino_url, given.max_queries
    )


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    _log_to_stderr()
    options = parse_options(arguments)
    try:
        _serve(options)
    except SmartCityError as error:
        _log.error("%s %s", error.reason, error.hint)
        return int(error.exit_code)
    return 0


def _log_to_stderr() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    _log.setLevel(logging.INFO)


def _serve(options: Options) -> None:
    import uvicorn

    listener = _listen(options.port)
    with _lock(options.data_dir):
        application: Any = build(options)  # an ASGI application as an object
        config = uvicorn.Config(
            application,
            loop="asyncio",
            lifespan="on",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=5,
            h11_max_incomplete_event_size=1 << 17,
        )
        _log.info("local AWS answers on %s", options.endpoint_url)
        for number in (signal.SIGTERM, signal.SIGINT):
            # uvicorn raises the signal that ended it once more when it is done; the exit code shall be ours
            signal.signal(number, lambda *_: None)
        uvicorn.Server(config).run(sockets=[listener])


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # or asyncio leaves Nagle on
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, port))
    except OSError as error:
        raise ServiceError(f"Port {port} cannot be used: {error.strerror}.", "Set another port: aws.port.") from None
    listener.listen(1024)
    return listener


class _lock:
    """Keeps a second process away from the folder; the kernel lets go of it even after `kill -9`."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "lock"

    def __enter__(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("w")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServiceError(
                f"Another local AWS uses {self._path.parent}.", "Stop it, or choose another data folder."
            ) from None
        except OSError as error:
            raise PrerequisiteError(
                f"{self._path.parent} cannot be written: {error.strerror}.", "Choose another data folder."
            ) from None

    def __exit__(self, *_: object) -> None:
        self._file.close()
