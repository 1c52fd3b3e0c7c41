"""The Glue catalog as Athena's own statements use it: every call is asked of the caller's policies first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smartcity.localaws.athena.failures import QueryFailed, ddl_failed
from smartcity.localaws.athena.locations import Location, parse

if TYPE_CHECKING:
    from smartcity.localaws.athena.permissions import Permissions

_BATCH = 100  #: partitions per BatchCreatePartition
Table = dict[str, Any]


@dataclass(frozen=True)
class Catalog:
    """Glue on behalf of one caller."""

    glue: Any
    may: Permissions

    # Databases

    def databases(self) -> Iterator[dict[str, Any]]:
        """Every database."""
        self.may.glue("GetDatabases")
        for page in self.glue.get_paginator("get_databases").paginate():
            yield from page["DatabaseList"]

    def database(self, name: str) -> dict[str, Any]:
        """One database; raises `QueryFailed` if there is none."""
        self.may.glue("GetDatabase", name)
        try:
            found: dict[str, Any] = self.glue.get_database(Name=name)["Database"]
        except self.glue.exceptions.EntityNotFoundException:
            raise QueryFailed(f"SCHEMA_NOT_FOUND: line 1:1: Schema '{name}' does not exist") from None
        return found

    def create_database(self, database: dict[str, Any], if_not_exists: bool) -> None:
        """Create a database."""
        name = database["Name"]
        self.may.glue("CreateDatabase", name)
        try:
            self.glue.create_database(DatabaseInput=database)
        except self.glue.exceptions.AlreadyExistsException:
            if not if_not_exists:
                raise ddl_failed(
                    "Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
                    f"Database {name} already exists"
                ) from None

    def drop_database(self, name: str, if_exists: bool, cascade: bool) -> None:
        """Drop a database; with tables in it only if `cascade`."""
        self.may.glue("DeleteDatabase", name)
        try:
            if not cascade and next(self.tables(name), None) is not None:
                raise ddl_failed(
                    "Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
                    f"InvalidOperationException(message:Database {name} is not empty. One or more tables exist.)"
                )
            self.glue.delete_database(Name=name)
        except self.glue.exceptions.EntityNotFoundException:
            if not if_exists:
                raise ddl_failed(f"SemanticException [Error 10072]: Database does not exist: {name}") from None

    # Tables

    def tables(self, database: str) -> Iterator[Table]:
        """Every table and view of a database."""
        self.may.glue("GetTables", database, "*")
        for page in self.glue.get_paginator("get_tables").paginate(DatabaseName=database):
            yield from page["TableList"]

    def find_table(self, database: str, name: str) -> Table | None:
        """One table or view, or None."""
        self.may.glue("GetTable", database, name)
        try:
            found: Table = self.glue.get_table(DatabaseName=database, Name=name)["Table"]
        except self.glue.exceptions.EntityNotFoundException:
            return None
        return found

    def table(self, database: str, name: str) -> Table:
        """One table or view; raises `QueryFailed` if there is none."""
        found = self.find_table(database, name)
        if found is None:
            raise QueryFailed(f"TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.{database}.{name}' does not exist")
        return found

    def create_table(self, database: str, table: Table, if_not_exists: bool) -> None:
        """Create a table."""
        name = table["Name"]
        self.may.glue("CreateTable", database, name)
        try:
            self.glue.create_table(DatabaseName=database, TableInput=table)
        except self.glue.exceptions.AlreadyExistsException:
            if not if_not_exists:
                raise ddl_failed(
                    "Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
                    f"AlreadyExistsException(message:Table {name} already exists.)"
                ) from None
        except self.glue.exceptions.EntityNotFoundException:
            raise ddl_failed(f"SemanticException [Error 10072]: Database does not exist: {database}") from None

    def update_table(self, table: Table) -> None:
        """Store a changed table."""
        self.may.glue("UpdateTable", table["DatabaseName"], table["Name"])
        self.glue.update_table(DatabaseName=table["DatabaseName"], TableInput=table_input(table))

    def drop_table(self, database: str, name: str) -> None:
        """Drop a table or view; its files stay."""
        self.may.glue("DeleteTable", database, name)
        self.glue.delete_table(DatabaseName=database, Name=name)

    # Partitions

    def partitions(self, table: Table, columns: bool = True) -> Iterator[dict[str, Any]]:
        """Every partition of a table."""
        database, name = table["DatabaseName"], table["Name"]
        self.may.glue("GetPartitions", database, name)
        pages = self.glue.get_paginator("get_partitions").paginate(
            DatabaseName=database, TableName=name, ExcludeColumnSchema=not columns
        )
        for page in pages:
            yield from page["Partitions"]

    def partition(self, table: Table, values: Sequence[str]) -> dict[str, Any] | None:
        """One partition, or None."""
        database, name = table["DatabaseName"], table["Name"]
        self.may.glue("GetPartition", database, name)
        try:
            found: dict[str, Any] = self.glue.get_partition(
                DatabaseName=database, TableName=name, PartitionValues=list(values)
            )["Partition"]
        except self.glue.exceptions.EntityNotFoundException:
            return None
        return found

    def add_partitions(self, table: Table, partitions: Sequence[tuple[Sequence[str], Location]]) -> list[str]:
        """Add partitions; returns the values of those that were there already, joined by slashes."""
        database, name = table["DatabaseName"], table["Name"]
        self.may.glue("BatchCreatePartition", database, name)
        present: list[str] = []
        inputs = [
            {"Values": list(values), "StorageDescriptor": {**table["StorageDescriptor"], "Location": location.url}}
            for values, location in partitions
        ]
        for first in range(0, len(inputs), _BATCH):
            answer = self.glue.batch_create_partition(
                DatabaseName=database, TableName=name, PartitionInputList=inputs[first : first + _BATCH]
            )
            for error in answer.get("Errors") or ():
                detail = error["ErrorDetail"]
                if detail["ErrorCode"] != "AlreadyExistsException":
                    raise ddl_failed(f"{detail['ErrorCode']}: {detail.get('ErrorMessage', '')}")
                present.append("/".join(error["PartitionValues"]))
        return present

    def drop_partition(self, table: Table, values: Sequence[str]) -> None:
        """Drop one partition; its files stay."""
        self.may.glue("DeletePartition", table["DatabaseName"], table["Name"])
        self.glue.delete_partition(
            DatabaseName=table["DatabaseName"], TableName=table["Name"], PartitionValues=list(values)
        )

    def update_partition(self, table: Table, values: Sequence[str], partition: dict[str, Any]) -> None:
        """Change a partition's values or storage."""
        self.may.glue("UpdatePartition", table["DatabaseName"], table["Name"])
        kept = ("Values", "StorageDescriptor", "Parameters")
        self.glue.update_partition(
            DatabaseName=table["DatabaseName"],
            TableName=table["Name"],
            PartitionValueList=list(values),
            PartitionInput={key: partition[key] for key in kept if key in partition},
        )


_INPUT = (
    *("Name", "Description", "Owner", "Retention", "StorageDescriptor", "PartitionKeys"),
    *("ViewOriginalText", "ViewExpandedText", "TableType", "Parameters", "TargetTable"),
)


def table_input(table: Table) -> Table:
    """What UpdateTable takes of a table that GetTable returned."""
    return {key: table[key] for key in _INPUT if key in table}


def is_view(table: Table) -> bool:
    """Whether this is a view."""
    return table.get("TableType") == "VIRTUAL_VIEW"


def location_of(described: dict[str, Any]) -> Location | None:
    """Where a table's or partition's files are; None if it has none. Raises `QueryFailed` for anything but S3."""
    url = (described.get("StorageDescriptor") or {}).get("Location") or ""
    if not url:
        return None
    try:
        return parse(url)
    except ValueError as error:
        raise QueryFailed(f"NOT_SUPPORTED: Only files in S3 can be queried: {error}") from error
