"""User-defined functions: Trino lists them with every schema, and keeps its own SQL routines in them."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any

from smartcity.localaws.api import Operation, Request
from smartcity.localaws.glue import faults
from smartcity.localaws.glue.databases import require_database
from smartcity.localaws.glue.paging import page
from smartcity.localaws.glue.patterns import matching
from smartcity.localaws.glue.scope import Scope
from smartcity.localaws.glue.store import dump, load


class Functions:
    """Create, read, update and delete user-defined functions."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def operations(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "CreateUserDefinedFunction": self.create,
            "GetUserDefinedFunction": self.get,
            "GetUserDefinedFunctions": self.list,
            "UpdateUserDefinedFunction": self.update,
            "DeleteUserDefinedFunction": self.delete,
        }

    def create(self, request: Request) -> dict[str, Any]:
        """A new function in a database."""
        params, given = request.params, request.params["FunctionInput"]
        if not given.get("FunctionName"):
            raise faults.invalid("FunctionName is required.")
        with self._scope.store.write() as db:
            require_database(db, params["DatabaseName"])
            doc = self._document(params["DatabaseName"], given, datetime.now(UTC))
            try:
                row = (params["DatabaseName"].lower(), given["FunctionName"].lower(), dump(doc))
                db.execute("INSERT INTO functions VALUES (?, ?, ?)", row)
            except sqlite3.IntegrityError:
                raise faults.already_exists("Function already exists.") from None
        return {}

    def _document(self, database: str, given: dict[str, Any], created: datetime) -> dict[str, Any]:
        named = {"FunctionName": given["FunctionName"].lower(), "DatabaseName": database.lower()}
        return {**given, **named, "CreateTime": created, "CatalogId": self._scope.account_id}

    def get(self, request: Request) -> dict[str, Any]:
        """One function."""
        with self._scope.store.read() as db:
            return {"UserDefinedFunction": _find(db, request.params)}

    def list(self, request: Request) -> dict[str, Any]:
        """Functions whose names match the pattern, of one database or of all."""
        params = request.params
        with self._scope.store.read() as db:
            if params.get("DatabaseName"):
                require_database(db, params["DatabaseName"])
            rows = db.execute("SELECT db, name, doc FROM functions ORDER BY db, name").fetchall()
        database = params.get("DatabaseName", "").lower()
        rows = [row for row in rows if not database or row[0] == database]
        names = set(matching([row[1] for row in rows], params["Pattern"]))
        chosen, more = page([row for row in rows if row[1] in names], params, lambda row: f"{row[0]}/{row[1]}")
        return {"UserDefinedFunctions": [load(row[2]) for row in chosen], **more}

    def update(self, request: Request) -> dict[str, Any]:
        """Replace a function's definition."""
        params = request.params
        with self._scope.store.write() as db:
            old = _find(db, params)
            given = {**params["FunctionInput"], "FunctionName": params["FunctionName"]}
            doc = self._document(params["DatabaseName"], given, old["CreateTime"])
            key = (params["DatabaseName"].lower(), params["FunctionName"].lower())
            db.execute("UPDATE functions SET doc = ? WHERE db = ? AND name = ?", (dump(doc), *key))
        return {}

    def delete(self, request: Request) -> dict[str, Any]:
        """Delete a function."""
        params = request.params
        with self._scope.store.write() as db:
            _find(db, params)
            key = (params["DatabaseName"].lower(), params["FunctionName"].lower())
            db.execute("DELETE FROM functions WHERE db = ? AND name = ?", key)
        return {}


def _find(db: sqlite3.Connection, params: dict[str, Any]) -> dict[str, Any]:
    key = (params["DatabaseName"].lower(), params["FunctionName"].lower())
    row = db.execute("SELECT doc FROM functions WHERE db = ? AND name = ?", key).fetchone()
    if row is None:
        require_database(db, params["DatabaseName"])
        raise faults.not_found(f"Function {params['FunctionName']} not found.")
    doc: dict[str, Any] = load(row[0])
    return doc
