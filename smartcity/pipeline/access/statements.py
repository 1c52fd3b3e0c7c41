"""Policy documents in small: the statements that roles are made of."""

from __future__ import annotations

from typing import Any

VERSION = "2012-10-17"
Statement = dict[str, Any]


def allow(sid: str, actions: list[str], resources: list[str], condition: dict[str, Any] | None = None) -> Statement:
    """One Allow."""
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return statement | ({"Condition": condition} if condition else {})


def document(statements: list[Statement]) -> dict[str, Any]:
    """A policy of these statements."""
    return {"Version": VERSION, "Statement": statements}


def trusted_services(principals: list[str], account_id: str) -> dict[str, Any]:
    """AWS services of our account only, against the confused deputy.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": principals[0] if len(principals) == 1 else principals},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
    }
    return document([statement])


def trusted_account(account_id: str) -> dict[str, Any]:
    """Identities of our own account, as far as their own policies allow them to assume the role."""
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"}, "Action": "sts:AssumeRole"}
    return document([statement])
