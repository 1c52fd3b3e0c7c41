"""Partition indexes: stored and answered, since clients ask; every lookup here is fast without them."""

from __future__ import annotations

import sqlite3
from typing import Any

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.glue import faults
from smartcity.localaws.glue.paging import page
from smartcity.localaws.glue.scope import Scope
from smartcity.localaws.glue.store import dump, load
from smartcity.localaws.glue.tables import find_table

#: AWS's limit of indexes on one table.
MAX_INDEXES = 3


def add_index(db: sqlite3.Connection, table_id: int, table: dict[str, Any], index: dict[str, Any]) -> None:
    """Store an index within a transaction.

    Raises InvalidInputException for a key that is no partition key, AlreadyExistsException for a name in use.
    """
    types = {key["Name"].lower(): key.get("Type", "string") for key in table.get("PartitionKeys", [])}
    unknown = [key for key in index["Keys"] if key.lower() not in types]
    if unknown:
        raise faults.invalid(f"Keys {unknown} do not exist in the partition keys of the table.")
    names = [row[0] for row in db.execute("SELECT name FROM partition_indexes WHERE table_id = ?", (table_id,))]
    if index["IndexName"] in names:
        raise faults.already_exists(f"Index with the given indexName : {index['IndexName']} already exists")
    if len(names) >= MAX_INDEXES:
        raise AwsError(
            "ResourceNumberLimitExceededException", f"A table can have at most {MAX_INDEXES} partition indexes."
        )
    keys = [{"Name": key.lower(), "Type": types[key.lower()]} for key in index["Keys"]]
    doc = {"IndexName": index["IndexName"], "Keys": keys, "IndexStatus": "ACTIVE"}
    db.execute("INSERT INTO partition_indexes VALUES (?, ?, ?)", (table_id, index["IndexName"], dump(doc)))


class PartitionIndexes:
    """Create, list and delete partition indexes."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def operations(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "CreatePartitionIndex": self.create,
            "GetPartitionIndexes": self.list,
            "DeletePartitionIndex": self.delete,
        }

    def create(self, request: Request) -> dict[str, Any]:
        """A new index, active at once."""
        params = request.params
        with self._scope.store.write() as db:
            table_id, table = find_table(db, params["DatabaseName"], params["TableName"])
            add_index(db, table_id, table, params["PartitionIndex"])
        return {}

    def list(self, request: Request) -> dict[str, Any]:
        """The indexes of a table."""
        params = request.params
        with self._scope.store.read() as db:
            table_id = find_table(db, params["DatabaseName"], params["TableName"])[0]
            rows = db.execute("SELECT doc FROM partition_indexes WHERE table_id = ? ORDER BY name", (table_id,))
            docs = [load(row[0]) for row in rows]
        chosen, more = page(docs, params, lambda doc: str(doc["IndexName"]))
        return {"PartitionIndexDescriptorList": chosen, **more}

    def delete(self, request: Request) -> dict[str, Any]:
        """Delete an index."""
        params = request.params
        with self._scope.store.write() as db:
            table_id = find_table(db, params["DatabaseName"], params["TableName"])[0]
            gone = db.execute(
                "DELETE FROM partition_indexes WHERE table_id = ? AND name = ?", (table_id, params["IndexName"])
            )
            if gone.rowcount == 0:
                raise faults.not_found(f"Index with the given indexName : {params['IndexName']} does not exist")
        return {}
