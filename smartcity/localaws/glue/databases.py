"""Databases of the catalog."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any

from smartcity.localaws.api import Operation, Request
from smartcity.localaws.glue import faults
from smartcity.localaws.glue.paging import page
from smartcity.localaws.glue.scope import Scope
from smartcity.localaws.glue.store import dump, load
from smartcity.localaws.glue.tables import drop_table

#: What AWS writes when the caller gives no default permissions: everyone's access is IAM's business.
_IAM_ONLY = [{"Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}, "Permissions": ["ALL"]}]


def require_database(db: sqlite3.Connection, name: str) -> dict[str, Any]:
    """The database's document; raises EntityNotFoundException."""
    row = db.execute("SELECT doc FROM databases WHERE name = ?", (name.lower(),)).fetchone()
    if row is None:
        raise faults.database_not_found(name)
    doc: dict[str, Any] = load(row[0])
    return doc


class Databases:
    """Create, read, update and delete databases."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def operations(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "CreateDatabase": self.create,
            "GetDatabase": self.get,
            "GetDatabases": self.list,
            "UpdateDatabase": self.update,
            "DeleteDatabase": self.delete,
        }

    def create(self, request: Request) -> dict[str, Any]:
        """A new, empty database; its name is stored in lower case, as Hive wants it."""
        given = request.params["DatabaseInput"]
        with self._scope.store.write() as db:
            self._insert(db, given)
            arn = self._scope.arn("database", given["Name"].lower())
            self._scope.set_tags(db, arn, request.params.get("Tags", {}))
        return {}

    def create_named(self, name: str) -> None:
        """A database of that name, for a crawler whose database does not exist yet."""
        with self._scope.store.write() as db:
            self._insert(db, {"Name": name})

    def _insert(self, db: sqlite3.Connection, given: dict[str, Any]) -> None:
        name = given["Name"].lower()
        if db.execute("SELECT 1 FROM databases WHERE name = ?", (name,)).fetchone():
            raise faults.already_exists("Database already exists.")
        doc = {**self._document(given), "CreateTime": datetime.now(UTC)}
        db.execute("INSERT INTO databases VALUES (?, ?)", (name, dump(doc)))

    def _document(self, given: dict[str, Any]) -> dict[str, Any]:
        return {
            "CreateTableDefaultPermissions": _IAM_ONLY,
            **given,
            "Name": given["Name"].lower(),
            "CatalogId": self._scope.account_id,
        }

    def get(self, request: Request) -> dict[str, Any]:
        """One database."""
        with self._scope.store.read() as db:
            return {"Database": require_database(db, request.params["Name"])}

    def list(self, request: Request) -> dict[str, Any]:
        """All databases in the order of their names."""
        with self._scope.store.read() as db:
            rows = db.execute("SELECT name, doc FROM databases ORDER BY name").fetchall()
        chosen, more = page(rows, request.params, lambda row: str(row[0]))
        docs = [load(row[1]) for row in chosen]
        if request.params.get("AttributesToGet"):
            docs = [{"Name": doc["Name"]} for doc in docs]
        return {"DatabaseList": docs, **more}

    def update(self, request: Request) -> dict[str, Any]:
        """Replace a database's description; its name stays, since tables hang on it."""
        given = request.params["DatabaseInput"]
        name = request.params["Name"].lower()
        if given["Name"].lower() != name:
            raise faults.invalid("Database name cannot be changed.")
        with self._scope.store.write() as db:
            created = require_database(db, name)["CreateTime"]
            doc = {**self._document(given), "CreateTime": created}
            db.execute("UPDATE databases SET doc = ? WHERE name = ?", (dump(doc), name))
        return {}

    def delete(self, request: Request) -> dict[str, Any]:
        """Delete a database with everything in it, as AWS does (the data in S3 stays)."""
        name = request.params["Name"].lower()
        with self._scope.store.write() as db:
            require_database(db, name)
            for (table_id,) in db.execute("SELECT id FROM tables WHERE db = ?", (name,)).fetchall():
                drop_table(db, table_id)
            db.execute("DELETE FROM functions WHERE db = ?", (name,))
            db.execute("DELETE FROM databases WHERE name = ?", (name,))
            self._scope.forget_tags(db, self._scope.arn("database", name))
        return {}
