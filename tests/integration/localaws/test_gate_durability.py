"""`kill -9` right after an answer: everything that was answered is still there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.integration.localaws.local_aws_process import LocalAws

pytestmark = pytest.mark.integration

EVERYTHING = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
)


def trusting(user_arn: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": user_arn}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def bucket_in(aws: LocalAws, name: str) -> Any:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": aws.region})
    return s3


def test_identities_survive(own_local_aws: LocalAws) -> None:
    aws = own_local_aws
    before, iam = aws.credentials, aws.client("iam")
    user = iam.create_user(UserName="anna")["User"]
    key = iam.create_access_key(UserName="anna")["AccessKey"]
    policy = iam.create_policy(PolicyName="all", PolicyDocument=EVERYTHING)["Policy"]
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusting(user["Arn"]))["Role"]
    iam.attach_role_policy(RoleName="r", PolicyArn=policy["Arn"])
    as_anna = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    session = aws.client("sts", **as_anna).assume_role(RoleArn=role["Arn"], RoleSessionName="s1")["Credentials"]
    aws.restart()
    assert aws.credentials == before
    assert aws.client("sts", **as_anna).get_caller_identity()["Arn"] == user["Arn"]
    as_role = {
        "aws_access_key_id": session["AccessKeyId"],
        "aws_secret_access_key": session["SecretAccessKey"],
        "aws_session_token": session["SessionToken"],
    }
    assert aws.client("s3", **as_role).list_buckets()["Buckets"] == []
    assert aws.client("iam").get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"] == json.loads(
        trusting(user["Arn"])
    )


def test_uploads_go_on_after_a_kill(own_local_aws: LocalAws) -> None:
    aws, part = own_local_aws, b"p" * (5 << 20)
    s3 = bucket_in(aws, "lake")
    upload = s3.create_multipart_upload(Bucket="lake", Key="big", Metadata={"m": "1"})["UploadId"]
    here = {"Bucket": "lake", "Key": "big", "UploadId": upload}
    first = s3.upload_part(**here, PartNumber=1, Body=part)["ETag"]
    aws.restart()
    s3 = aws.client("s3")
    second = s3.upload_part(**here, PartNumber=2, Body=b"tail")["ETag"]
    aws.restart()
    s3 = aws.client("s3")
    parts = [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": second}]
    s3.complete_multipart_upload(**here, MultipartUpload={"Parts": parts})
    aws.restart()
    got = aws.client("s3").get_object(Bucket="lake", Key="big")
    assert (got["Body"].read(), got["Metadata"]) == (part + b"tail", {"m": "1"})


def test_a_kill_under_load_loses_no_acknowledged_object(own_local_aws: LocalAws) -> None:
    aws = own_local_aws
    bucket_in(aws, "lake")
    acknowledged: dict[str, str] = {}
    gone = threading.Event()

    def write(worker: int) -> None:
        s3, number = aws.client("s3"), 0
        with contextlib.suppress(BotoCoreError, ClientError, OSError):
            while not gone.is_set():
                body = f"{worker}-{number}-".encode() * (1 << (number % 18))
                key = f"w{worker}/n{number % 40}"  # keys are overwritten again and again
                s3.put_object(Bucket="lake", Key=key, Body=body)
                acknowledged[key] = hashlib.sha256(body).hexdigest()
                number += 1

    workers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for worker in workers:
        worker.start()
    deadline = time.monotonic() + 30
    while len(acknowledged) < 120 and time.monotonic() < deadline:
        time.sleep(0.01)
    aws.kill()
    gone.set()
    for worker in workers:
        worker.join(timeout=60)
    assert len(acknowledged) >= 120
    aws.start()
    s3 = aws.client("s3")
    listed = {
        o["Key"]: o["Size"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket="lake")
        for o in page["Contents"]
    }
    for key, digest in acknowledged.items():
        answer = s3.get_object(Bucket="lake", Key=key)
        body = answer["Body"].read()
        assert len(body) == listed[key]
        assert answer["ETag"] == f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"', "whole"
        # a write that was under way when the process died may be there as well, but never an older one
        if hashlib.sha256(body).hexdigest() != digest:
            worker, number = body.decode().split("-")[:2]
            assert key.startswith(f"w{worker}/")
            assert int(number) >= 40


def test_what_a_kill_left_behind_is_swept(own_local_aws: LocalAws) -> None:
    aws = own_local_aws
    bucket_in(aws, "lake").put_object(Bucket="lake", Key="k", Body=b"kept")
    aws.kill()
    folder = aws.data_dir / "s3" / "data" / "lake" / "00"
    folder.mkdir(exist_ok=True)
    orphan, scratch = folder / "orphan-k", aws.data_dir / "s3" / "scratch" / "half"
    orphan.write_bytes(b"lost")
    scratch.write_bytes(b"half")
    time.sleep(1.1)  # the sweep leaves alone whatever could belong to the process that sweeps
    aws.start()
    deadline = time.monotonic() + 10
    while orphan.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not orphan.exists()
    assert not scratch.exists()
    assert aws.client("s3").get_object(Bucket="lake", Key="k")["Body"].read() == b"kept"
