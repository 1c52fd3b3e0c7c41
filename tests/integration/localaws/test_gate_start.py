"""The process itself: it starts, keeps its key to itself, and stops when asked."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import time

import psutil
import pytest

from tests.integration.localaws.local_aws_process import LocalAws

pytestmark = pytest.mark.integration


def test_the_administrator_is_an_iam_user_whose_key_only_the_owner_can_read(local_aws: LocalAws) -> None:
    file = local_aws.data_dir / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert set(json.loads(file.read_text())) == {"access_key_id", "secret_access_key"}
    assert local_aws.client("sts").get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:user/admin"


def test_nothing_else_listens(local_aws: LocalAws) -> None:
    process = psutil.Process(local_aws.pid)
    listening = [c.laddr for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert [(address.ip, address.port) for address in listening] == [("127.0.0.1", local_aws.port)]
    assert process.children() == []


def test_it_ends_on_sigterm_with_exit_code_0(own_local_aws: LocalAws) -> None:
    assert own_local_aws.stop() == 0


def test_a_second_process_on_the_same_folder_is_refused(own_local_aws: LocalAws) -> None:
    command = [sys.executable, "-m", "smartcity.localaws", "--data-dir", str(own_local_aws.data_dir), "--port", "0"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 5
    assert "Another local AWS uses" in second.stderr


def test_a_taken_port_is_named(own_local_aws: LocalAws) -> None:
    folder = own_local_aws.data_dir.with_name("other")
    command = [sys.executable, "-m", "smartcity.localaws", "--data-dir", str(folder), "--port", str(own_local_aws.port)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 5
    assert f"Port {own_local_aws.port} cannot be used" in second.stderr


def test_secrets_stay_out_of_the_log(local_aws: LocalAws) -> None:
    secret = local_aws.credentials["aws_secret_access_key"]
    url = local_aws.client("s3").generate_presigned_url("list_buckets")
    signature = url.partition("X-Amz-Signature=")[2].partition("&")[0]
    assert local_aws.client("s3").list_buckets()["ResponseMetadata"]["HTTPStatusCode"] == 200
    deadline = time.monotonic() + 10  # the line is written after the answer has been sent
    while "s3:ListBuckets" not in (log := local_aws.log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "s3:ListBuckets" in log
    assert secret not in log
    assert signature not in log
