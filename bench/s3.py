"""Throughput of local AWS's S3 (signatures, policies, durable metadata) against stock ministack (none of these).

    python bench/s3.py [--large-mb 64] [--small 300]

Both run side by side in one go, are asked in turn by the same boto3 client, and each figure is the best of the rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

BUCKET = "bench-bucket"
ROUNDS = 3


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def server(command: list[str], environment: dict[str, str], port: int) -> Iterator[None]:
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def client(port: int, key: str, secret: str) -> Any:
    config = Config(
        s3={"addressing_style": "path"}, retries={"total_max_attempts": 5, "mode": "standard"}, max_pool_connections=16
    )
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-west-2",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=config,
    )


def measures(large_mb: int, small: int) -> dict[str, tuple[str, Callable[[Any], float]]]:
    """Name → (unit, what to run; its answer is the amount done)."""
    large, tiny = os.urandom(large_mb << 20), os.urandom(1024)

    def put_large(s3: Any) -> float:
        s3.put_object(Bucket=BUCKET, Key="large", Body=large)
        return large_mb

    def get_large(s3: Any) -> float:
        body = s3.get_object(Bucket=BUCKET, Key="large")["Body"]
        return sum(len(piece) for piece in body.iter_chunks(1 << 20)) / (1 << 20)

    def get_range(s3: Any) -> float:
        for _ in range(20):
            s3.get_object(Bucket=BUCKET, Key="large", Range="bytes=-65536")["Body"].read()
        return 20

    def put_small(s3: Any) -> float:
        for n in range(small):
            s3.put_object(Bucket=BUCKET, Key=f"small/{n}", Body=tiny)
        return small

    def get_small(s3: Any) -> float:
        for n in range(small):
            s3.get_object(Bucket=BUCKET, Key=f"small/{n}")["Body"].read()
        return small

    def put_side_by_side(s3: Any) -> float:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: s3.put_object(Bucket=BUCKET, Key=f"many/{n}", Body=tiny), range(small)))
        return small

    def list_keys(s3: Any) -> float:
        for _ in range(10):
            s3.list_objects_v2(Bucket=BUCKET, Prefix="small/")
        return 10

    return {
        f"put {large_mb} MB": ("MB/s", put_large),
        f"get {large_mb} MB": ("MB/s", get_large),
        "get last 64 KB of it": ("1/s", get_range),
        "put 1 KB": ("1/s", put_small),
        "get 1 KB": ("1/s", get_small),
        "put 1 KB, 8 at once": ("1/s", put_side_by_side),
        f"list {small} keys": ("1/s", list_keys),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large-mb", type=int, default=64)
    parser.add_argument("--small", type=int, default=300)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        clients = started(Path(folder), stack)
        print(f"{'':24}{'ours':>12}{'ministack':>12}{'ratio':>8}")
        for name, (unit, run) in measures(given.large_mb, given.small).items():
            best = dict.fromkeys(clients, 0.0)
            for _ in range(ROUNDS):
                for who, s3 in clients.items():
                    begun = time.perf_counter()
                    amount = run(s3)
                    best[who] = max(best[who], amount / (time.perf_counter() - begun))
            ours, reference = best["ours"], best["ministack"]
            print(f"{name + ', ' + unit:24}{ours:12.0f}{reference:12.0f}{ours / reference:8.2f}")


def started(folder: Path, stack: contextlib.ExitStack) -> dict[str, Any]:
    ours, reference = free_port(), free_port()
    command = [sys.executable, "-m", "smartcity.localaws", "--data-dir", str(folder / "aws"), "--port", str(ours)]
    stack.enter_context(server(command, {}, ours))
    environment = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(reference),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "ministack"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "TMPDIR": str(folder),
    }
    stack.enter_context(server([sys.executable, "-m", "ministack"], environment, reference))
    key = json.loads((folder / "aws" / "credentials.json").read_text())
    clients = {
        "ours": client(ours, key["access_key_id"], key["secret_access_key"]),
        "ministack": client(reference, "test", "test"),
    }
    for s3 in clients.values():
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    return clients


if __name__ == "__main__":
    main()
