"""What a policy document must look like before it is stored: a document that would be misread is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from smartcity.localaws.api import AwsError
from smartcity.localaws.identity import conditions

Kind = Literal["identity", "trust", "resource"]

_ELEMENTS = {
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}
_ACTION = re.compile(r"\*|[a-zA-Z0-9-]+:[a-zA-Z0-9*?]+")
#: Longest documents in characters without white space (IAM quotas).
MAXIMUM = {"identity": 6144, "trust": 4096, "resource": 20_480}


def check(text: str, kind: Kind = "identity") -> dict[str, Any]:
    """The document as a dictionary; raises `MalformedPolicyDocument` with the reason."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise _malformed("This policy contains invalid Json") from None
    if not isinstance(document, dict) or "Statement" not in document:
        raise _malformed("Syntax errors in policy.")
    if len(re.sub(r"\s", "", text)) > MAXIMUM[kind]:
        raise AwsError("LimitExceeded", f"Maximum policy size of {MAXIMUM[kind]} bytes exceeded", 409)
    if document.get("Version", "2012-10-17") not in ("2012-10-17", "2008-10-17") or set(document) - {
        "Version",
        "Id",
        "Statement",
    }:
        raise _malformed("Syntax errors in policy.")
    listed = document["Statement"]
    for statement in listed if isinstance(listed, list) else [listed]:
        _check_statement(statement, kind)
    return document


def _malformed(reason: str) -> AwsError:
    return AwsError("MalformedPolicyDocument", reason, 400)


def _check_statement(statement: Any, kind: Kind) -> None:
    if not isinstance(statement, dict) or set(statement) - _ELEMENTS:
        raise _malformed("Syntax errors in policy.")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise _malformed("Syntax errors in policy.")
    _check_pair(statement, "Action", required=True)
    for action in _texts(statement.get("Action", statement.get("NotAction"))):
        if not _ACTION.fullmatch(action):
            raise _malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
    _check_principal(statement, kind)
    if kind == "trust":
        if "Resource" in statement or "NotResource" in statement:
            raise _malformed("Has prohibited field Resource")
    else:
        _check_pair(statement, "Resource", required=True)
        _texts(statement.get("Resource", statement.get("NotResource")))
    _check_conditions(statement.get("Condition", {}))


def _check_pair(statement: Mapping[str, Any], name: str, required: bool) -> None:
    present = [key for key in (name, f"Not{name}") if key in statement]
    if len(present) > 1 or (required and not present):
        raise _malformed(f"Policy statement must contain {name.lower()}s.")


def _check_principal(statement: Mapping[str, Any], kind: Kind) -> None:
    present = [key for key in ("Principal", "NotPrincipal") if key in statement]
    if kind == "identity":
        if present:
            raise _malformed("Policy document should not specify a principal.")
        return
    if len(present) != 1:
        raise _malformed("Missing required field Principal")
    value = statement[present[0]]
    if value == "*":
        return
    if not isinstance(value, dict) or not value or set(value) - {"AWS", "Service", "Federated", "CanonicalUser"}:
        raise _malformed("Invalid principal in policy")
    for names in value.values():
        _texts(names)


def _texts(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(isinstance(item, str) and item for item in listed):
        raise _malformed("Syntax errors in policy.")
    return listed


def _check_conditions(block: Any) -> None:
    if not isinstance(block, dict):
        raise _malformed("Syntax errors in policy.")
    for operator, keys in block.items():
        if not conditions.known(operator):
            raise _malformed(f"Invalid Condition type : {operator}.")
        if not isinstance(keys, dict):
            raise _malformed("Syntax errors in policy.")
        for values in keys.values():
            listed = values if isinstance(values, list) else [values]
            if not all(isinstance(item, str | int | float | bool) for item in listed):
                raise _malformed("Syntax errors in policy.")
