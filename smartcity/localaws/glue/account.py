"""What belongs to the account's catalog as a whole: encryption settings, resource policy, import status, tags."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import UTC, datetime
from typing import Any

import orjson

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.glue import faults
from smartcity.localaws.glue.scope import Scope
from smartcity.localaws.glue.store import dump, load

_ENCRYPTION, _POLICY = "encryption", "policy:"

#: No encryption by keys of KMS, which local AWS does not have: what a fresh account answers.
_NO_ENCRYPTION = {
    "EncryptionAtRest": {"CatalogEncryptionMode": "DISABLED"},
    "ConnectionPasswordEncryption": {"ReturnConnectionPasswordEncrypted": False},
}


class Account:
    """Settings of the catalog and tags of its resources."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def operations(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "GetCatalogImportStatus": self.import_status,
            "GetDataCatalogEncryptionSettings": self.get_encryption,
            "PutDataCatalogEncryptionSettings": self.put_encryption,
            "GetResourcePolicy": self.get_policy,
            "GetResourcePolicies": self.list_policies,
            "PutResourcePolicy": self.put_policy,
            "DeleteResourcePolicy": self.delete_policy,
            "TagResource": self.tag,
            "UntagResource": self.untag,
            "GetTags": self.tags,
            "GetConnection": self.no_connection,
            "GetConnections": self.no_connections,
            "GetClassifier": self.no_classifier,
            "GetClassifiers": self.no_classifiers,
        }

    def import_status(self, _: Request) -> dict[str, Any]:
        """The catalog was never Athena's internal one: there is nothing left to import."""
        return {"ImportStatus": {"ImportCompleted": True, "ImportedBy": "root"}}

    def no_connection(self, request: Request) -> dict[str, Any]:
        """Connections lead to databases elsewhere; there are none."""
        raise faults.not_found(f"Connection with name {request.params['Name']} not found.")

    def no_connections(self, _: Request) -> dict[str, Any]:
        """None."""
        return {"ConnectionList": []}

    def no_classifier(self, request: Request) -> dict[str, Any]:
        """Crawlers use the built-in classifiers only."""
        raise faults.not_found(f"Classifier {request.params['Name']} not found.")

    def no_classifiers(self, _: Request) -> dict[str, Any]:
        """None."""
        return {"Classifiers": []}

    def _setting(self, name: str) -> Any:
        with self._scope.store.read() as db:
            row = db.execute("SELECT doc FROM settings WHERE name = ?", (name,)).fetchone()
        return load(row[0]) if row else None

    def get_encryption(self, _: Request) -> dict[str, Any]:
        """The encryption settings as stored."""
        return {"DataCatalogEncryptionSettings": self._setting(_ENCRYPTION) or _NO_ENCRYPTION}

    def put_encryption(self, request: Request) -> dict[str, Any]:
        """Store settings that switch nothing on. Raises InvalidInputException for a key of KMS."""
        given = request.params["DataCatalogEncryptionSettings"]
        mode = given.get("EncryptionAtRest", {}).get("CatalogEncryptionMode", "DISABLED")
        passwords = given.get("ConnectionPasswordEncryption", {}).get("ReturnConnectionPasswordEncrypted", False)
        if mode != "DISABLED" or passwords:
            raise faults.invalid("Encryption with keys of KMS is not available in local AWS.")
        with self._scope.store.write() as db:
            db.execute(
                "INSERT OR REPLACE INTO settings VALUES (?, ?)", (_ENCRYPTION, dump({**_NO_ENCRYPTION, **given}))
            )
        return {}

    def _policy_name(self, request: Request) -> str:
        return f"{_POLICY}{request.params.get('ResourceArn', self._scope.arn('catalog'))}"

    def get_policy(self, request: Request) -> dict[str, Any]:
        """The resource policy of the catalog."""
        policy = self._setting(self._policy_name(request))
        if policy is None:
            raise faults.not_found("Policy not found")
        return dict(policy)

    def list_policies(self, _: Request) -> dict[str, Any]:
        """All resource policies."""
        with self._scope.store.read() as db:
            rows = db.execute("SELECT doc FROM settings WHERE name LIKE 'policy:%' ORDER BY name").fetchall()
        return {"GetResourcePoliciesResponseList": [load(row[0]) for row in rows]}

    def put_policy(self, request: Request) -> dict[str, Any]:
        """Store a resource policy, if the caller's conditions hold."""
        params, name = request.params, self._policy_name(request)
        text = params["PolicyInJson"]
        try:
            orjson.loads(text)
        except orjson.JSONDecodeError:
            raise faults.invalid("The policy is not valid JSON.") from None
        digest = hashlib.sha256(text.encode()).hexdigest()
        now = datetime.now(UTC)
        with self._scope.store.write() as db:
            row = db.execute("SELECT doc FROM settings WHERE name = ?", (name,)).fetchone()
            old = load(row[0]) if row else None
            _check_conditions(params, old)
            times = {"CreateTime": old["CreateTime"] if old else now, "UpdateTime": now}
            doc = {"PolicyInJson": text, "PolicyHash": digest, **times}
            db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, dump(doc)))
        return {"PolicyHash": digest}

    def delete_policy(self, request: Request) -> dict[str, Any]:
        """Remove the resource policy."""
        with self._scope.store.write() as db:
            name = self._policy_name(request)
            row = db.execute("SELECT doc FROM settings WHERE name = ?", (name,)).fetchone()
            if row is None:
                raise faults.not_found("Policy not found")
            _check_conditions(request.params, load(row[0]))
            db.execute("DELETE FROM settings WHERE name = ?", (name,))
        return {}

    def tag(self, request: Request) -> dict[str, Any]:
        """Add tags to a database or crawler."""
        arn = request.params["ResourceArn"]
        with self._scope.store.write() as db:
            self._require(db, arn)
            self._scope.set_tags(db, arn, request.params["TagsToAdd"])
        return {}

    def untag(self, request: Request) -> dict[str, Any]:
        """Remove tags; those that are not there are fine."""
        arn = request.params["ResourceArn"]
        with self._scope.store.write() as db:
            self._require(db, arn)
            rows = [(arn, name) for name in request.params["TagsToRemove"]]
            db.executemany("DELETE FROM tags WHERE arn = ? AND name = ?", rows)
        return {}

    def tags(self, request: Request) -> dict[str, Any]:
        """The tags of a resource."""
        arn = request.params["ResourceArn"]
        with self._scope.store.read() as db:
            self._require(db, arn)
            return {"Tags": dict(db.execute("SELECT name, value FROM tags WHERE arn = ? ORDER BY name", (arn,)))}

    def _require(self, db: sqlite3.Connection, arn: str) -> None:
        prefix = self._scope.arn("")
        kind, _, name = arn.removeprefix(prefix.removesuffix("/")).partition("/")
        owner = {"database": "databases", "crawler": "crawlers"}.get(kind)
        if not arn.startswith(prefix.removesuffix("/")) or owner is None or not name:
            raise faults.invalid(f"Unsupported resource ARN: {arn}")
        query = f"SELECT 1 FROM {owner} WHERE name = ?"  # noqa: S608  one of two names above
        if db.execute(query, (name,)).fetchone() is None:
            raise faults.not_found(f"{kind.title()} {name} not found.")


def _check_conditions(params: dict[str, Any], old: dict[str, Any] | None) -> None:
    expected, exists = params.get("PolicyHashCondition"), params.get("PolicyExistsCondition")
    failed = (
        (expected is not None and (old is None or old["PolicyHash"] != expected))
        or (exists == "MUST_EXIST" and old is None)
        or (exists == "NOT_EXIST" and old is not None)
    )
    if failed:
        raise AwsError("ConditionCheckFailureException", "The condition on the resource policy does not hold.")
