"""The first start: an IAM user `admin` with AdministratorAccess, its key in a file that only the owner can read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smartcity.localaws.identity.minting import secret_key, unique_id
from smartcity.localaws.identity.store import IdentityStore

NAME = "admin"
_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"


def ensure_administrator(store: IdentityStore, file: Path, clock: Callable[[], float]) -> None:
    """Make user, key and file where they are missing; an existing file whose key is unknown is replaced."""
    key_id = _stored_key_id(file)
    known = store.find("key", key_id) if key_id else None
    if known is not None and store.find("user", known["UserName"]) is not None:
        return
    key: dict[str, Any] = {
        "AccessKeyId": unique_id("AKIA"),
        "Secret": secret_key(),
        "UserName": NAME,
        "Status": "Active",
        "CreateDate": clock(),
    }
    with store.change():
        if store.find("user", NAME) is None:
            store.put("user", NAME, _user(store.account_id, clock()))
        for old in store.all("key"):
            if old["UserName"] == NAME:
                store.delete("key", old["AccessKeyId"])
        store.put("key", key["AccessKeyId"], key)
    _write(file, {"access_key_id": key["AccessKeyId"], "secret_access_key": key["Secret"]})


def _user(account_id: str, now: float) -> dict[str, Any]:
    return {
        "UserName": NAME,
        "Path": "/",
        "UserId": unique_id("AIDA"),
        "Arn": f"arn:aws:iam::{account_id}:user/{NAME}",
        "CreateDate": now,
        "Tags": [],
        "Inline": {},
        "Attached": [_POLICY],
        "Groups": [],
        "Boundary": None,
    }


def _stored_key_id(file: Path) -> str | None:
    try:
        return str(json.loads(file.read_text())["access_key_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(file: Path, content: dict[str, str]) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(content, stream)
    new.replace(file)
