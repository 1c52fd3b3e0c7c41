"""Partitions: created and changed one by one or in batches with an error per item, found by filter expressions."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import orjson

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.glue import faults
from smartcity.localaws.glue.expression import PartitionFilter
from smartcity.localaws.glue.paging import key_of, token_for
from smartcity.localaws.glue.scope import Scope
from smartcity.localaws.glue.store import dump, load_flat, values_key
from smartcity.localaws.glue.tables import complete_storage, find_table

#: Partitions in a page when the caller does not say.
DEFAULT_PAGE = 1000

_KEPT = ("LastAccessTime", "LastAnalyzedTime", "Parameters")


class Partitions:
    """Create, read, update and delete partitions."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def operations(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "CreatePartition": self.create,
            "BatchCreatePartition": self.create_many,
            "UpdatePartition": self.update,
            "BatchUpdatePartition": self.update_many,
            "DeletePartition": self.delete,
            "BatchDeletePartition": self.delete_many,
            "GetPartition": self.get,
            "BatchGetPartition": self.get_many,
            "GetPartitions": self.list,
        }

    def create(self, request: Request) -> dict[str, Any]:
        """One new partition."""
        with self._scope.store.write() as db:
            table_id, table = _table_of(db, request)
            self._insert(db, table_id, table, request.params["PartitionInput"])
        return {}

    def create_many(self, request: Request) -> dict[str, Any]:
        """Up to 100 new partitions; those that exist are reported, the others are created."""
        with self._scope.store.write() as db:
            table_id, table = _table_of(db, request)
            errors = _each(
                request.params["PartitionInputList"],
                lambda given: self._insert(db, table_id, table, given),
                lambda given: {"PartitionValues": given.get("Values", [])},
            )
        return {"Errors": errors}

    def insert_all(self, database: str, table: str, given: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Create partitions in one transaction (for the crawler); returns the errors per item."""
        with self._scope.store.write() as db:
            table_id, doc = find_table(db, database, table)
            return _each(given, lambda item: self._insert(db, table_id, doc, item), lambda item: item)

    def replace_all(self, database: str, table: str, given: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Update partitions in one transaction (for the crawler); returns the errors per item."""
        with self._scope.store.write() as db:
            table_id, doc = find_table(db, database, table)
            return _each(given, lambda item: self._replace(db, table_id, doc, item["Values"], item), lambda item: item)

    def delete_all(self, database: str, table: str, values: Iterable[list[str]]) -> None:
        """Delete partitions in one transaction (for the crawler); those already gone are fine."""
        with self._scope.store.write() as db:
            table_id = find_table(db, database, table)[0]
            for item in values:
                if _exists(db, table_id, values_key(item)):
                    _remove(db, table_id, item)

    def all_of(self, database: str, table: str) -> list[dict[str, Any]]:
        """Every partition of a table (for the crawler)."""
        with self._scope.store.read() as db:
            table_id = find_table(db, database, table)[0]
            rows = db.execute("SELECT doc FROM partitions WHERE table_id = ?", (table_id,)).fetchall()
        return [load_flat(row[0]) for row in rows]

    def _insert(self, db: sqlite3.Connection, table_id: int, table: dict[str, Any], given: dict[str, Any]) -> None:
        values = _checked_values(table, given.get("Values", []))
        doc = self._document(table, values, given, datetime.now(UTC))
        try:
            db.execute("INSERT INTO partitions VALUES (?, ?, ?)", (table_id, values_key(values), dump(doc)))
        except sqlite3.IntegrityError:
            raise faults.already_exists("Partition already exists.") from None

    def _document(
        self, table: dict[str, Any], values: list[str], given: dict[str, Any], created: datetime
    ) -> dict[str, Any]:
        storage = complete_storage(given.get("StorageDescriptor"))
        return {
            **{key: given[key] for key in _KEPT if given.get(key) is not None},
            **({"StorageDescriptor": storage} if storage is not None else {}),
            "Values": values,
            "DatabaseName": table["DatabaseName"],
            "TableName": table["Name"],
            "CreationTime": created,
            "CatalogId": self._scope.account_id,
        }

    def update(self, request: Request) -> dict[str, Any]:
        """Replace one partition; new values in the input rename it."""
        with self._scope.store.write() as db:
            table_id, table = _table_of(db, request)
            self._replace(db, table_id, table, request.params["PartitionValueList"], request.params["PartitionInput"])
        return {}

    def update_many(self, request: Request) -> dict[str, Any]:
        """Replace up to 100 partitions; failures are reported per item."""
        with self._scope.store.write() as db:
            table_id, table = _table_of(db, request)
            errors = _each(
                request.params["Entries"],
                lambda item: self._replace(db, table_id, table, item["PartitionValueList"], item["PartitionInput"]),
                lambda item: {"PartitionValueList": item["PartitionValueList"]},
            )
        return {"Errors": errors}

    def _replace(
        self, db: sqlite3.Connection, table_id: int, table: dict[str, Any], old: list[str], given: dict[str, Any]
    ) -> None:
        created = _find(db, table_id, old)["CreationTime"]
        values = _checked_values(table, given.get("Values", old))
        doc = self._document(table, values, given, created)
        key, old_key = values_key(values), values_key(old)
        if key != old_key:
            if _exists(db, table_id, key):
                raise faults.already_exists("Partition already exists.")
            db.execute("UPDATE statistics SET vals = ? WHERE table_id = ? AND vals = ?", (key, table_id, old_key))
        db.execute(
            "UPDATE partitions SET vals = ?, doc = ? WHERE table_id = ? AND vals = ?",
            (key, dump(doc), table_id, old_key),
        )

    def delete(self, request: Request) -> dict[str, Any]:
        """Delete one partition (its data in S3 stays)."""
        with self._scope.store.write() as db:
            _remove(db, _table_of(db, request)[0], request.params["PartitionValues"])
        return {}

    def delete_many(self, request: Request) -> dict[str, Any]:
        """Delete up to 25 partitions; those that do not exist are reported."""
        with self._scope.store.write() as db:
            table_id = _table_of(db, request)[0]
            errors = _each(
                request.params["PartitionsToDelete"],
                lambda item: _remove(db, table_id, item["Values"]),
                lambda item: {"PartitionValues": item["Values"]},
            )
        return {"Errors": errors}

    def get(self, request: Request) -> dict[str, Any]:
        """One partition."""
        with self._scope.store.read() as db:
            return {"Partition": _find(db, _table_of(db, request)[0], request.params["PartitionValues"])}

    def get_many(self, request: Request) -> dict[str, Any]:
        """Up to 1,000 partitions by their values; those that do not exist are left out, as AWS does."""
        with self._scope.store.read() as db:
            table_id = _table_of(db, request)[0]
            keys = [values_key(item["Values"]) for item in request.params["PartitionsToGet"]]
            return {"Partitions": _documents(db, table_id, keys), "UnprocessedKeys": []}

    def list(self, request: Request) -> dict[str, Any]:
        """A page of the partitions for which the expression holds, in the order of their values."""
        params = request.params
        limit = params.get("MaxResults") or DEFAULT_PAGE
        with self._scope.store.read() as db:
            table_id, table = _table_of(db, request)
            keys = _matching(db, table_id, table, params)
            chosen = keys[:limit]
            docs = _documents(db, table_id, chosen)
        if params.get("ExcludeColumnSchema"):
            for doc in docs:
                doc.get("StorageDescriptor", {}).pop("Columns", None)
        return {"Partitions": docs, **({"NextToken": token_for(chosen[-1])} if len(keys) > limit else {})}


def _table_of(db: sqlite3.Connection, request: Request) -> tuple[int, dict[str, Any]]:
    return find_table(db, request.params["DatabaseName"], request.params["TableName"])


def _each(
    items: Iterable[Any], action: Callable[[Any], None], naming: Callable[[Any], dict[str, Any]]
) -> list[dict[str, Any]]:
    errors = []
    for item in items:
        try:
            action(item)
        except AwsError as error:
            errors.append({**naming(item), "ErrorDetail": faults.detail(error)})
    return errors


def _checked_values(table: dict[str, Any], values: list[str]) -> list[str]:
    if len(values) != len(table.get("PartitionKeys", [])):
        raise faults.invalid("The number of partition keys do not match the number of partition values")
    if not all(values):
        raise faults.invalid("Partition values may not be empty")
    return list(values)


def _exists(db: sqlite3.Connection, table_id: int, key: str) -> bool:
    return (
        db.execute("SELECT 1 FROM partitions WHERE table_id = ? AND vals = ?", (table_id, key)).fetchone() is not None
    )


def _find(db: sqlite3.Connection, table_id: int, values: list[str]) -> dict[str, Any]:
    key = values_key(values)
    row = db.execute("SELECT doc FROM partitions WHERE table_id = ? AND vals = ?", (table_id, key)).fetchone()
    if row is None:
        raise faults.not_found("Cannot find partition.")
    return load_flat(row[0])


def _remove(db: sqlite3.Connection, table_id: int, values: list[str]) -> None:
    _find(db, table_id, values)
    key = values_key(values)
    db.execute("DELETE FROM statistics WHERE table_id = ? AND vals = ?", (table_id, key))
    db.execute("DELETE FROM partitions WHERE table_id = ? AND vals = ?", (table_id, key))


def _documents(db: sqlite3.Connection, table_id: int, keys: list[str]) -> list[dict[str, Any]]:
    rows = (
        db.execute("SELECT doc FROM partitions WHERE table_id = ? AND vals = ?", (table_id, key)).fetchone()
        for key in keys
    )
    return [load_flat(row[0]) for row in rows if row]


def _matching(db: sqlite3.Connection, table_id: int, table: dict[str, Any], params: dict[str, Any]) -> list[str]:
    """The stored keys of all partitions that fit segment and expression, after the page token."""
    expression = params.get("Expression")
    wanted = PartitionFilter(expression, table.get("PartitionKeys", [])) if expression else None
    rows = db.execute(
        "SELECT vals FROM partitions WHERE table_id = ? AND vals > ? ORDER BY vals",
        (table_id, key_of(params.get("NextToken"))),
    )
    keys = [row[0] for row in rows]
    if params.get("Segment"):
        keys = _segment(keys, params["Segment"])
    if wanted is None:
        return keys
    found = wanted.matches([orjson.loads(key) for key in keys])
    return [key for key, holds in zip(keys, found, strict=True) if holds]


def _segment(keys: list[str], segment: dict[str, int]) -> list[str]:
    number, total = segment["SegmentNumber"], segment["TotalSegments"]
    if not 0 <= number < total:
        raise faults.invalid("SegmentNumber must be less than TotalSegments")
    return [key for key in keys if zlib.crc32(key.encode()) % total == number]
