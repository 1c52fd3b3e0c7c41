"""Earlier versions of tables."""

from __future__ import annotations

import sqlite3
from typing import Any

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.glue import faults
from smartcity.localaws.glue.paging import page
from smartcity.localaws.glue.scope import Scope
from smartcity.localaws.glue.store import load_flat
from smartcity.localaws.glue.tables import find_table


class TableVersions:
    """Read and delete versions; the current one is always among them."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def operations(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "GetTableVersion": self.get,
            "GetTableVersions": self.list,
            "DeleteTableVersion": self.delete,
            "BatchDeleteTableVersion": self.delete_many,
        }

    def get(self, request: Request) -> dict[str, Any]:
        """One version, by default the current one."""
        params = request.params
        with self._scope.store.read() as db:
            table_id, current = find_table(db, params["DatabaseName"], params["TableName"])
            wanted = params.get("VersionId", current["VersionId"])
            doc = current if wanted == current["VersionId"] else _archived(db, table_id, wanted)
        return {"TableVersion": {"Table": doc, "VersionId": doc["VersionId"]}}

    def list(self, request: Request) -> dict[str, Any]:
        """All versions, the newest first."""
        params = request.params
        with self._scope.store.read() as db:
            table_id, current = find_table(db, params["DatabaseName"], params["TableName"])
            rows = db.execute("SELECT doc FROM table_versions WHERE table_id = ? ORDER BY version DESC", (table_id,))
            docs = [current, *(load_flat(row[0]) for row in rows)]
        chosen, more = page(docs, params, _descending)
        return {"TableVersions": [{"Table": doc, "VersionId": doc["VersionId"]} for doc in chosen], **more}

    def delete(self, request: Request) -> dict[str, Any]:
        """Delete one archived version."""
        params = request.params
        with self._scope.store.write() as db:
            table_id, current = find_table(db, params["DatabaseName"], params["TableName"])
            _delete(db, table_id, current, params["VersionId"])
        return {}

    def delete_many(self, request: Request) -> dict[str, Any]:
        """Delete up to 100 archived versions; those that do not exist are reported."""
        params, errors = request.params, []
        with self._scope.store.write() as db:
            table_id, current = find_table(db, params["DatabaseName"], params["TableName"])
            for version in params["VersionIds"]:
                try:
                    _delete(db, table_id, current, version)
                except AwsError as error:
                    failure = {"TableName": params["TableName"], "VersionId": version}
                    errors.append({**failure, "ErrorDetail": faults.detail(error)})
        return {"Errors": errors}


def _descending(doc: dict[str, Any]) -> str:
    return f"{10**12 - int(doc['VersionId']):013d}"


def _archived(db: sqlite3.Connection, table_id: int, version: str) -> dict[str, Any]:
    row = db.execute(
        "SELECT doc FROM table_versions WHERE table_id = ? AND version = ?", (table_id, _number(version))
    ).fetchone()
    if row is None:
        raise faults.not_found("Version not found.")
    return load_flat(row[0])


def _number(version: str) -> int:
    if not (version.isascii() and version.isdigit() and len(version) < 19):
        raise faults.invalid(f"{version} is not a valid version id")
    return int(version)


def _delete(db: sqlite3.Connection, table_id: int, current: dict[str, Any], version: str) -> None:
    if version == current["VersionId"]:
        raise faults.invalid("Cannot delete the current version of a table.")
    _archived(db, table_id, version)
    db.execute("DELETE FROM table_versions WHERE table_id = ? AND version = ?", (table_id, _number(version)))
