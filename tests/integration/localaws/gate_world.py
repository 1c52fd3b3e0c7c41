"""A bucket, users and roles for the tests of who gets in, and what a refusal looks like."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.integration.localaws.local_aws_process import LocalAws

ACCOUNT = "000000000000"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(principal: dict[str, Any], **more: Any) -> str:
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more})


def refused(call: Callable[[], Any]) -> tuple[int, str, str]:
    """Status, code and message of the refusal; fails when there is none."""
    with pytest.raises(ClientError) as caught:
        call()
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"].get("Message", "")


def fetch(
    url: str, method: str = "GET", data: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    answer = httpx.request(method, url, content=data, headers=headers, timeout=10)
    return answer.status_code, answer.content


class World:
    """A bucket, a user and roles of one test module, under names of its own."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        mark = uuid.uuid4().hex[:8]
        self.bucket, self.user, self.mark = f"lake-{mark}", f"gen-{mark}", mark
        self.s3, self.iam = aws.client("s3"), aws.client("iam")
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
        self.s3.put_object(Bucket=self.bucket, Key="a/x", Body=b"hello")
        self.iam.create_user(UserName=self.user)
        self.user_key = self.key_of(self.user)
        self.user_arn = f"arn:aws:iam::{ACCOUNT}:user/{self.user}"

    def key_of(self, user: str) -> dict[str, str]:
        key = self.iam.create_access_key(UserName=user)["AccessKey"]
        return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}

    def role(self, name: str, policy: str, trusts: str | None = None) -> str:
        name = f"{name}-{self.mark}"
        trusts = trusts or trust({"AWS": self.user_arn})
        arn: str = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusts)["Role"]["Arn"]
        self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
        return arn

    def assume(self, role_arn: str, key: dict[str, str] | None = None, **more: Any) -> dict[str, str]:
        sts = self.aws.client("sts", **(key or self.user_key))
        answer = sts.assume_role(RoleArn=role_arn, RoleSessionName="s1", **more)["Credentials"]
        return {
            "aws_access_key_id": answer["AccessKeyId"],
            "aws_secret_access_key": answer["SecretAccessKey"],
            "aws_session_token": answer["SessionToken"],
        }

    def url(self, path: str = "") -> str:
        return f"{self.aws.endpoint_url}/{path}"
