"""Tables: documents with versions and an optimistic lock."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.glue import faults
from smartcity.localaws.glue.paging import page
from smartcity.localaws.glue.patterns import matching
from smartcity.localaws.glue.scope import Scope
from smartcity.localaws.glue.store import dump, load_flat

#: Members of `TableInput` that a table keeps; the others of the request belong to the call.
_KEPT = (
    "Description",
    "Owner",
    "LastAccessTime",
    "LastAnalyzedTime",
    "Retention",
    "PartitionKeys",
    "ViewOriginalText",
    "ViewExpandedText",
    "TableType",
    "Parameters",
    "TargetTable",
    "FederatedTable",
    "ViewDefinition",
)

#: What AWS fills in where a storage descriptor leaves it open.
_STORAGE_DEFAULTS: dict[str, Any] = {
    "Columns": [],
    "Compressed": False,
    "NumberOfBuckets": 0,
    "SortColumns": [],
    "StoredAsSubDirectories": False,
}

#: `AttributesToGet` to members of a table.
_ATTRIBUTES = {"NAME": "Name", "TABLE_TYPE": "TableType"}


def complete_storage(storage: dict[str, Any] | None) -> dict[str, Any] | None:
    """A storage descriptor with AWS's defaults."""
    return None if storage is None else {**_STORAGE_DEFAULTS, **storage}


def find_table(db: sqlite3.Connection, database: str, name: str) -> tuple[int, dict[str, Any]]:
    """Id and document of a table.

    Raises EntityNotFoundException for the database or the table, whichever is missing.
    """
    row = db.execute(
        "SELECT id, doc FROM tables WHERE db = ? AND name = ?", (database.lower(), name.lower())
    ).fetchone()
    if row is None:
        if db.execute("SELECT 1 FROM databases WHERE name = ?", (database.lower(),)).fetchone() is None:
            raise faults.database_not_found(database)
        raise faults.table_not_found(name)
    return row[0], load_flat(row[1])


def drop_table(db: sqlite3.Connection, table_id: int) -> None:
    """Delete a table with its versions, partitions, indexes and statistics."""
    for owner in ("table_versions", "partitions", "partition_indexes", "statistics"):
        db.execute(f"DELETE FROM {owner} WHERE table_id = ?", (table_id,))  # noqa: S608  names from the line above
    db.execute("DELETE FROM tables WHERE id = ?", (table_id,))


class Tables:
    """Create, read, update and delete tables."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def operations(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "CreateTable": self.create,
            "GetTable": self.get,
            "GetTables": self.list,
            "UpdateTable": self.update,
            "DeleteTable": self.delete,
            "BatchDeleteTable": self.delete_many,
            "SearchTables": self.search,
        }

    def create(self, request: Request) -> dict[str, Any]:
        """A new table, version 0."""
        params = request.params
        with self._scope.store.write() as db:
            self.create_in(db, params["DatabaseName"], _table_input(params), request.caller.arn)
            self._create_indexes(db, params)
        return {}

    def create_in(self, db: sqlite3.Connection, database: str, given: dict[str, Any], creator: str) -> int:
        """Create a table within a transaction; returns its id."""
        database, name = database.lower(), given["Name"].lower()
        if db.execute("SELECT 1 FROM databases WHERE name = ?", (database,)).fetchone() is None:
            raise faults.database_not_found(database)
        if db.execute("SELECT 1 FROM tables WHERE db = ? AND name = ?", (database, name)).fetchone():
            raise faults.already_exists("Table already exists.")
        now = datetime.now(UTC)
        doc = self._document(database, given, 0, {"CreateTime": now, "UpdateTime": now, "CreatedBy": creator})
        cursor = db.execute(
            "INSERT INTO tables (db, name, version, doc) VALUES (?, ?, 0, ?)", (database, name, dump(doc))
        )
        return int(cursor.lastrowid or 0)

    def _document(self, database: str, given: dict[str, Any], version: int, history: dict[str, Any]) -> dict[str, Any]:
        _check_columns(given)
        storage = complete_storage(given.get("StorageDescriptor"))
        return {
            "Retention": 0,
            **{key: given[key] for key in _KEPT if given.get(key) is not None},
            **({"StorageDescriptor": storage} if storage is not None else {}),
            **history,
            "Name": given["Name"].lower(),
            "DatabaseName": database,
            "IsRegisteredWithLakeFormation": False,
            "IsMultiDialectView": False,
            "CatalogId": self._scope.account_id,
            "VersionId": str(version),
        }

    def _create_indexes(self, db: sqlite3.Connection, params: dict[str, Any]) -> None:
        from smartcity.localaws.glue.partition_indexes import add_index

        for index in params.get("PartitionIndexes", ()):
            table_id, doc = find_table(db, params["DatabaseName"], _table_input(params)["Name"])
            add_index(db, table_id, doc, index)

    def get(self, request: Request) -> dict[str, Any]:
        """One table."""
        with self._scope.store.read() as db:
            doc = find_table(db, request.params["DatabaseName"], request.params["Name"])[1]
        return {"Table": _only(doc, request.params)}

    def list(self, request: Request) -> dict[str, Any]:
        """The tables of a database whose names match the pattern, in the order of their names."""
        params = request.params
        with self._scope.store.read() as db:
            database = params["DatabaseName"].lower()
            if db.execute("SELECT 1 FROM databases WHERE name = ?", (database,)).fetchone() is None:
                raise faults.database_not_found(params["DatabaseName"])
            names = [row[0] for row in db.execute("SELECT name FROM tables WHERE db = ? ORDER BY name", (database,))]
            if params.get("Expression"):
                names = matching(names, params["Expression"])
            chosen, more = page(names, params, str)
            docs = [_find_quietly(db, database, name) for name in chosen]
        return {"TableList": [_only(doc, params) for doc in docs if doc], **more}

    def update(self, request: Request) -> dict[str, Any]:
        """Replace a table's definition; the old one becomes a version unless `SkipArchive` says otherwise."""
        params = request.params
        with self._scope.store.write() as db:
            self.update_in(
                db,
                params["DatabaseName"],
                _table_input(params),
                archive=not params.get("SkipArchive", False),
                expected=params.get("VersionId"),
            )
        return {}

    def update_in(
        self,
        db: sqlite3.Connection,
        database: str,
        given: dict[str, Any],
        archive: bool = True,
        expected: str | None = None,
    ) -> None:
        """Update a table within a transaction.

        Raises ConcurrentModificationException when its version is not the `expected` one any more.
        """
        table_id, old = find_table(db, database, given["Name"])
        version = int(old["VersionId"])
        if expected is not None and expected != old["VersionId"]:
            raise faults.changed_meanwhile("Update table failed due to concurrent modifications.")
        if archive:
            db.execute("INSERT OR REPLACE INTO table_versions VALUES (?, ?, ?)", (table_id, version, dump(old)))
        history = {"CreateTime": old["CreateTime"], "UpdateTime": datetime.now(UTC), "CreatedBy": old["CreatedBy"]}
        doc = self._document(old["DatabaseName"], given, version + 1, history)
        db.execute("UPDATE tables SET version = ?, doc = ? WHERE id = ?", (version + 1, dump(doc), table_id))

    def delete(self, request: Request) -> dict[str, Any]:
        """Delete one table with all that belongs to it (the data in S3 stays)."""
        with self._scope.store.write() as db:
            drop_table(db, find_table(db, request.params["DatabaseName"], request.params["Name"])[0])
        return {}

    def delete_many(self, request: Request) -> dict[str, Any]:
        """Delete up to 100 tables; those that do not exist are reported, the others are gone."""
        errors = []
        with self._scope.store.write() as db:
            for name in request.params["TablesToDelete"]:
                try:
                    drop_table(db, find_table(db, request.params["DatabaseName"], name)[0])
                except AwsError as error:
                    if error.message.startswith("Database"):
                        raise
                    errors.append({"TableName": name, "ErrorDetail": faults.detail(error)})
        return {"Errors": errors}

    def search(self, request: Request) -> dict[str, Any]:
        """Tables of all databases whose name, description or column names hold the text."""
        params = request.params
        text = params.get("SearchText", "").strip('"').lower()
        with self._scope.store.read() as db:
            rows = db.execute("SELECT db || '/' || name, doc FROM tables ORDER BY db, name").fetchall()
        docs = [(key, load_flat(doc)) for key, doc in rows]
        found = [(key, doc) for key, doc in docs if text in _searchable(doc) and _fits(doc, params.get("Filters", ()))]
        chosen, more = page(sorted(found, key=lambda item: item[0]), params, lambda item: item[0])
        return {"TableList": [doc for _, doc in chosen], **more}


def _find_quietly(db: sqlite3.Connection, database: str, name: str) -> dict[str, Any] | None:
    row = db.execute("SELECT doc FROM tables WHERE db = ? AND name = ?", (database, name)).fetchone()
    return load_flat(row[0]) if row else None


def _only(doc: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    wanted = [_ATTRIBUTES[name] for name in params.get("AttributesToGet", ()) if name in _ATTRIBUTES]
    return {key: doc[key] for key in {"Name", *wanted} if key in doc} if wanted else doc


def _table_input(params: dict[str, Any]) -> dict[str, Any]:
    given = params.get("TableInput")
    if given is None:
        raise faults.invalid("TableInput is required: only tables of Hive's kind are supported here.")
    return dict(given)


def _check_columns(given: dict[str, Any]) -> None:
    storage = given.get("StorageDescriptor") or {}
    for columns in (storage.get("Columns") or [], given.get("PartitionKeys") or []):
        names = [column["Name"].lower() for column in columns]
        twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
        if twice:
            raise faults.invalid(f"Duplicate column name: {', '.join(sorted(twice))}")


def _searchable(doc: dict[str, Any]) -> str:
    columns = [column["Name"] for column in doc.get("StorageDescriptor", {}).get("Columns", ())]
    return "\n".join([doc["Name"], doc.get("Description", ""), *columns]).lower()


def _fits(doc: dict[str, Any], filters: Any) -> bool:
    members = {"databasename": "DatabaseName", "name": "Name", "owner": "Owner", "tabletype": "TableType"}
    for condition in filters:
        key = condition.get("Key", "")
        actual = doc.get(members.get(key.lower(), ""), doc.get("Parameters", {}).get(key, ""))
        if str(actual).lower() != str(condition.get("Value", "")).lower():
            return False
    return True
