"""Identifiers and secrets as AWS makes them: prefixes tell what a thing is (IAM user guide, "IAM identifiers")."""

from __future__ import annotations

import base64
import secrets

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def unique_id(prefix: str) -> str:
    """`AIDA…` a user, `AROA…` a role, `AGPA…` a group, `ANPA…` a policy; `AKIA…`, `ASIA…` keys."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(16))


def secret_key() -> str:
    """A secret access key: 40 characters."""
    return base64.b64encode(secrets.token_bytes(30)).decode().replace("/", "a").replace("+", "b")


def session_token() -> str:
    """An opaque session token, long as AWS's are, so that nobody's field turns out too short."""
    return "IQoJb3JpZ2luX2Vj" + base64.b64encode(secrets.token_bytes(240)).decode()
