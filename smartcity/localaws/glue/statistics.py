"""Column statistics of tables and partitions, which Trino's planner reads and its writes update."""

from __future__ import annotations

import sqlite3
from typing import Any

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.glue import faults
from smartcity.localaws.glue.scope import Scope
from smartcity.localaws.glue.store import dump, load, values_key
from smartcity.localaws.glue.tables import find_table

#: Stands for "the table itself" where the values of a partition would stand.
_WHOLE_TABLE = ""


class ColumnStatistics:
    """Read, write and delete the statistics of columns."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def operations(self) -> dict[str, Operation]:
        """Operations by name; those for tables and partitions differ only in what they hang on."""
        return {
            f"{verb}ColumnStatisticsFor{owner}": action
            for verb, action in (("Get", self.get), ("Update", self.update), ("Delete", self.delete))
            for owner in ("Table", "Partition")
        }

    def get(self, request: Request) -> dict[str, Any]:
        """The statistics of the named columns; columns without any are reported."""
        found, errors = [], []
        with self._scope.store.read() as db:
            table_id, vals, _ = _owner(db, request)
            for name in request.params["ColumnNames"]:
                row = db.execute(
                    "SELECT doc FROM statistics WHERE table_id = ? AND vals = ? AND col = ?",
                    (table_id, vals, name.lower()),
                ).fetchone()
                if row:
                    found.append(load(row[0]))
                else:
                    missing = faults.not_found(f"Statistics for column {name} not found.")
                    errors.append({"ColumnName": name, "Error": faults.detail(missing)})
        return {"ColumnStatisticsList": found, "Errors": errors}

    def update(self, request: Request) -> dict[str, Any]:
        """Store statistics; those of columns that the table does not have are reported."""
        errors = []
        with self._scope.store.write() as db:
            table_id, vals, columns = _owner(db, request)
            for given in request.params["ColumnStatisticsList"]:
                try:
                    _check(given, columns)
                except AwsError as error:
                    errors.append({"ColumnStatistics": given, "Error": faults.detail(error)})
                    continue
                db.execute(
                    "INSERT OR REPLACE INTO statistics VALUES (?, ?, ?, ?)",
                    (table_id, vals, given["ColumnName"].lower(), dump(given)),
                )
        return {"Errors": errors}

    def delete(self, request: Request) -> dict[str, Any]:
        """Forget the statistics of one column; Trino does so for every column of a new table that has none yet."""
        name = request.params["ColumnName"]
        with self._scope.store.write() as db:
            table_id, vals, columns = _owner(db, request)
            gone = db.execute(
                "DELETE FROM statistics WHERE table_id = ? AND vals = ? AND col = ?", (table_id, vals, name.lower())
            )
            if gone.rowcount == 0 and name.lower() not in columns:
                raise faults.not_found(f"Statistics for column {name} not found.")
        return {}


def _owner(db: sqlite3.Connection, request: Request) -> tuple[int, str, set[str]]:
    """Table id, the key of the partition (or the table's), and the names of the columns."""
    params = request.params
    table_id, table = find_table(db, params["DatabaseName"], params["TableName"])
    columns = {column["Name"].lower() for column in table.get("StorageDescriptor", {}).get("Columns", [])}
    columns |= {column["Name"].lower() for column in table.get("PartitionKeys", [])}
    if "Partition" not in request.operation:
        return table_id, _WHOLE_TABLE, columns
    vals = values_key(params["PartitionValues"])
    if not db.execute("SELECT 1 FROM partitions WHERE table_id = ? AND vals = ?", (table_id, vals)).fetchone():
        raise faults.not_found("Cannot find partition.")
    return table_id, vals, columns


def _check(given: dict[str, Any], columns: set[str]) -> None:
    if given["ColumnName"].lower() not in columns:
        raise faults.invalid(f"Column {given['ColumnName']} does not exist in the table.")
    data = given["StatisticsData"]
    member = f"{data['Type'].title()}ColumnStatisticsData"
    if member not in data:
        raise faults.invalid(f"Statistics of type {data['Type']} need {member}.")
