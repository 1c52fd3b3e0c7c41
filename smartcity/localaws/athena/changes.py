"""Does what the statements of `ddl` say, through Glue and S3, on behalf of the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from smartcity.localaws.athena import ddl
from smartcity.localaws.athena.catalog import Catalog, Table, is_view, location_of
from smartcity.localaws.athena.failures import QueryFailed, ddl_failed
from smartcity.localaws.athena.job import TextResult
from smartcity.localaws.athena.locations import Location, parse

_SAFE = "!#$%&()*+,-.;<>@[]^_`{|}~ "  # Hive escapes / : = ' " \ ? and control characters in partition folders


@dataclass(frozen=True)
class Changes:
    """Carries out one change after the other; each returns its lines of output."""

    catalog: Catalog
    s3: Any
    database: str

    def run(self, change: ddl.Change) -> TextResult:
        """Do it. Raises `QueryFailed`."""
        action: Callable[[Changes, Any], list[str] | None] = _ACTIONS[type(change)]
        return TextResult(lines=action(self, change) or [])

    def create_database(self, change: ddl.CreateDatabase) -> None:
        """CREATE DATABASE."""
        database: dict[str, Any] = {"Name": change.name, "Parameters": change.properties}
        if change.comment is not None:
            database["Description"] = change.comment
        if change.location is not None:
            database["LocationUri"] = _location(change.location).url
        self.catalog.create_database(database, change.if_not_exists)

    def drop_database(self, change: ddl.DropDatabase) -> None:
        """DROP DATABASE."""
        self.catalog.drop_database(change.name, change.if_exists, change.cascade)

    def set_database_properties(self, change: ddl.SetDatabaseProperties) -> None:
        """ALTER DATABASE SET DBPROPERTIES."""
        found = self.catalog.database(change.name)
        self.catalog.may.glue("UpdateDatabase", change.name)
        kept = {key: found[key] for key in ("Name", "Description", "LocationUri", "Parameters") if key in found}
        kept["Parameters"] = {**found.get("Parameters", {}), **change.properties}
        self.catalog.glue.update_database(Name=change.name, DatabaseInput=kept)

    def create_table(self, change: ddl.CreateTable) -> None:
        """CREATE EXTERNAL TABLE."""
        database, name = change.name.within(self.database)
        if change.location is None:
            raise ddl_failed("SemanticException No location was specified for table. An S3 location must be specified")
        location = _location(change.location)
        repeated = {column.name for column in change.columns} & {column.name for column in change.partitions}
        if repeated:
            raise ddl_failed(f"SemanticException [Error 10035]: Column repeated in partitioning columns: {repeated}")
        parameters = {"EXTERNAL": "TRUE", **change.properties}
        if change.comment is not None:
            parameters["comment"] = change.comment
        storage = {**change.storage.descriptor, "Columns": _columns(change.columns), "Location": location.url}
        table: Table = {
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": parameters,
            "StorageDescriptor": {
                **storage,
                "Compressed": False,
                "NumberOfBuckets": -1,
                "StoredAsSubDirectories": False,
            },
            "PartitionKeys": _columns(change.partitions),
        }
        if change.comment is not None:
            table["Description"] = change.comment
        self.catalog.create_table(database, table, change.if_not_exists)

    def drop_table(self, change: ddl.DropTable) -> None:
        """DROP TABLE, DROP VIEW."""
        database, name = change.name.within(self.database)
        found = self.catalog.find_table(database, name)
        if found is None:
            if change.if_exists:
                return
            kind = "View" if change.view else "Table"
            raise QueryFailed(f"TABLE_NOT_FOUND: line 1:1: {kind} 'awsdatacatalog.{database}.{name}' does not exist")
        if change.view != is_view(found):
            what, use = ("view", "DROP VIEW") if is_view(found) else ("table", "DROP TABLE")
            raise QueryFailed(
                f"GENERIC_USER_ERROR: line 1:1: 'awsdatacatalog.{database}.{name}' is a {what}, use {use}"
            )
        self.catalog.drop_table(database, name)

    def add_partitions(self, change: ddl.AddPartitions) -> None:
        """ALTER TABLE ADD PARTITION."""
        table = self._partitioned(change.name)
        wanted = []
        for spec, url in change.partitions:
            values = _values(table, spec)
            wanted.append((values, _location(url) if url else _folder(table, values)))
        present = self.catalog.add_partitions(table, wanted)
        if present and not change.if_not_exists:
            raise ddl_failed(
                "Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
                f"AlreadyExistsException(message:Partition already exists: {present[0]})"
            )

    def drop_partitions(self, change: ddl.DropPartitions) -> None:
        """ALTER TABLE DROP PARTITION; a spec with some of the keys drops all that match."""
        table = self._partitioned(change.name)
        for spec in change.partitions:
            matching = list(self._matching(table, spec))
            if not matching and not change.if_exists:
                raise ddl_failed(f"SemanticException [Error 10006]: Partition not found {spec}")
            for values in matching:
                self.catalog.drop_partition(table, values)

    def rename_partition(self, change: ddl.RenamePartition) -> None:
        """ALTER TABLE PARTITION RENAME TO PARTITION."""
        table = self._partitioned(change.name)
        old, new = _values(table, change.old), _values(table, change.new)
        found = self._existing(table, old, change.old)
        self.catalog.update_partition(table, old, {**found, "Values": new})

    def set_columns(self, change: ddl.SetColumns) -> None:
        """ALTER TABLE ADD COLUMNS, REPLACE COLUMNS."""
        table = self._table(change.name)
        storage = table["StorageDescriptor"]
        old = [] if change.replace else list(storage.get("Columns") or ())
        taken = {column["Name"] for column in (*old, *(table.get("PartitionKeys") or ()))}
        for column in change.columns:
            if column.name in taken:
                raise ddl_failed(
                    "Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
                    f"Duplicate column name: {column.name}"
                )
        columns = [*old, *_columns(change.columns)]
        self.catalog.update_table({**table, "StorageDescriptor": {**storage, "Columns": columns}})

    def set_location(self, change: ddl.SetLocation) -> None:
        """ALTER TABLE SET LOCATION, of the table or of one partition."""
        table = self._table(change.name)
        location = {"Location": _location(change.location).url}
        if change.partition is None:
            self.catalog.update_table({**table, "StorageDescriptor": {**table["StorageDescriptor"], **location}})
            return
        values = _values(table, change.partition)
        found = self._existing(table, values, change.partition)
        changed = {**found, "StorageDescriptor": {**found["StorageDescriptor"], **location}}
        self.catalog.update_partition(table, values, changed)

    def set_properties(self, change: ddl.SetProperties) -> None:
        """ALTER TABLE SET TBLPROPERTIES."""
        table = self._table(change.name)
        self.catalog.update_table({**table, "Parameters": {**table.get("Parameters", {}), **change.properties}})

    def repair(self, change: ddl.Repair) -> list[str]:
        """MSCK REPAIR TABLE: folders named key=value become partitions."""
        table = self._partitioned(change.name)
        location = location_of(table)
        if location is None:
            return []
        self.catalog.may.read(location)
        keys = [key["Name"] for key in table["PartitionKeys"]]
        known = {tuple(partition["Values"]) for partition in self.catalog.partitions(table, columns=False)}
        missing = [found for found in self._folders(location.folder, keys, ()) if found[0] not in known]
        self.catalog.add_partitions(table, missing)
        names = [f"{table['Name']}:{_path(keys, values)}" for values, _ in missing]
        lines = ["Partitions not in metastore:\t" + "\t".join(names)] if names else []
        return lines + [f"Repair: Added partition to metastore {name}" for name in names]

    def _folders(
        self, folder: Location, keys: Sequence[str], values: tuple[str, ...]
    ) -> Iterator[tuple[tuple[str, ...], Location]]:
        """Partition folders below a folder, level by level; other folders are left alone."""
        if not keys:
            yield values, folder
            return
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=folder.bucket, Prefix=folder.key, Delimiter="/"
        )
        for page in pages:
            for entry in page.get("CommonPrefixes") or ():
                name = entry["Prefix"][len(folder.key) :].rstrip("/")
                key, equals, value = name.partition("=")
                if equals and key.lower() == keys[0]:
                    below = Location(folder.bucket, entry["Prefix"])
                    yield from self._folders(below, keys[1:], (*values, unquote(value)))

    def _table(self, name: ddl.Name) -> Table:
        database, table = name.within(self.database)
        found = self.catalog.table(database, table)
        if is_view(found):
            raise ddl_failed(f"SemanticException [Error 10004]: {table} is a view")
        return found

    def _partitioned(self, name: ddl.Name) -> Table:
        table = self._table(name)
        if not table.get("PartitionKeys"):
            raise ddl_failed(f"SemanticException [Error 10241]: Table {table['Name']} is not partitioned")
        return table

    def _existing(self, table: Table, values: Sequence[str], spec: ddl.Spec) -> dict[str, Any]:
        found = self.catalog.partition(table, values)
        if found is None:
            raise ddl_failed(f"SemanticException [Error 10006]: Partition not found {spec}")
        return found

    def _matching(self, table: Table, spec: ddl.Spec) -> Iterator[list[str]]:
        keys = [key["Name"] for key in table["PartitionKeys"]]
        unknown = set(spec) - set(keys)
        if unknown:
            raise ddl_failed(f"SemanticException [Error 10098]: Non-Partition column appears in the spec: {unknown}")
        if set(spec) == set(keys):
            values = [spec[key] for key in keys]
            if self.catalog.partition(table, values) is not None:
                yield values
            return
        for partition in list(self.catalog.partitions(table, columns=False)):
            named = dict(zip(keys, partition["Values"], strict=True))
            if all(named[key] == value for key, value in spec.items()):
                yield list(partition["Values"])


def _location(url: str) -> Location:
    try:
        return parse(url)
    except ValueError as error:
        raise ddl_failed(
            f"Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. Location is {error}"
        ) from error


def _columns(columns: Sequence[ddl.ColumnDef]) -> list[dict[str, str]]:
    return [
        {"Name": column.name, "Type": column.type, **({"Comment": column.comment} if column.comment else {})}
        for column in columns
    ]


def _values(table: Table, spec: ddl.Spec) -> list[str]:
    keys = [key["Name"] for key in table["PartitionKeys"]]
    if set(spec) != set(keys):
        raise ddl_failed(f"SemanticException partition spec {spec} must name exactly the keys {', '.join(keys)}")
    return [spec[key] for key in keys]


def _path(keys: Sequence[str], values: Sequence[str]) -> str:
    return "/".join(f"{key}={quote(value, safe=_SAFE)}" for key, value in zip(keys, values, strict=True))


def partition_path(table: Table, values: Sequence[str]) -> str:
    """`key=value/key=value` as in SHOW PARTITIONS and in folder names."""
    return _path([key["Name"] for key in table.get("PartitionKeys") or ()], values)


def _folder(table: Table, values: Sequence[str]) -> Location:
    location = location_of(table)
    if location is None:
        raise ddl_failed("SemanticException: the table has no location")
    return location.below(partition_path(table, values) + "/")


_ACTIONS: dict[type[Any], Any] = {
    ddl.CreateDatabase: Changes.create_database,
    ddl.DropDatabase: Changes.drop_database,
    ddl.SetDatabaseProperties: Changes.set_database_properties,
    ddl.CreateTable: Changes.create_table,
    ddl.DropTable: Changes.drop_table,
    ddl.AddPartitions: Changes.add_partitions,
    ddl.DropPartitions: Changes.drop_partitions,
    ddl.RenamePartition: Changes.rename_partition,
    ddl.SetColumns: Changes.set_columns,
    ddl.SetLocation: Changes.set_location,
    ddl.SetProperties: Changes.set_properties,
    ddl.Repair: Changes.repair,
}
