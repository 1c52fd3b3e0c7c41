"""A real local AWS process for tests: started, killed and started again on a folder of its own."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.ports import free_port

START_LIMIT_S = 60.0
REGION = "eu-west-2"
ACCOUNT_ID = "000000000000"


class LocalAws:
    """One process; `client` makes clients of it, as the administrator unless told otherwise."""

    def __init__(self, data_dir: Path, trino_url: str = "http://127.0.0.1:9") -> None:
        self.data_dir = data_dir
        self.trino_url = trino_url
        self.region = REGION
        self.account_id = ACCOUNT_ID
        self.port = free_port()
        self.log = data_dir.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def credentials(self) -> dict[str, str]:
        """The administrator's key, as boto3 takes it."""
        stored = json.loads((self.data_dir / "credentials.json").read_text())
        return {
            "aws_access_key_id": stored["access_key_id"],
            "aws_secret_access_key": stored["secret_access_key"],
        }

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def client(self, service: str, **credentials: str) -> Any:
        """A client that does not retry: tests see the first answer."""
        make: Any = boto3.Session(region_name=self.region).client
        config = Config(
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=32,
        )
        return make(service, endpoint_url=self.endpoint_url, config=config, **(credentials or self.credentials))

    def start(self) -> None:
        """Start and wait until a signed request is answered."""
        command = [
            sys.executable,
            "-m",
            "smartcity.localaws",
            "--data-dir",
            str(self.data_dir),
            "--port",
            str(self.port),
        ]
        command += ["--region", self.region, "--account-id", self.account_id, "--trino-url", self.trino_url]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.data_dir.parent)
        deadline = time.monotonic() + START_LIMIT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"local AWS did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        with contextlib.suppress(BotoCoreError, ClientError, OSError, ValueError, KeyError):
            self.client("sts").get_caller_identity()
            return True
        return False

    def kill(self) -> None:
        """`kill -9`."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        return self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill without warning, then start on the same folder and port."""
        self.kill()
        self.start()

    def _end(self, number: signal.Signals) -> int:
        process = self._process
        assert process is not None
        process.send_signal(number)
        code = process.wait(timeout=30)
        self._process = None
        return code

    def close(self) -> None:
        """End it if it still runs."""
        if self._process is not None:
            self.kill()
