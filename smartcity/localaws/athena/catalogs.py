"""Data catalogs and what is in them, as Athena's metadata calls show Glue."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.athena.catalog import Catalog
from smartcity.localaws.athena.failures import QueryFailed
from smartcity.localaws.athena.faults import invalid, listing, page
from smartcity.localaws.athena.permissions import Permissions

NAME = "AwsDataCatalog"


@dataclass(frozen=True)
class Catalogs:
    """The metadata calls. There is one catalog: Glue's."""

    glue: Any
    access: Any
    region: str
    account_id: str

    def operations(self) -> dict[str, Operation]:
        """The calls by name."""
        return {
            "ListDataCatalogs": self.list_catalogs,
            "GetDataCatalog": self.get_catalog,
            "ListDatabases": self.list_databases,
            "GetDatabase": self.get_database,
            "ListTableMetadata": self.list_tables,
            "GetTableMetadata": self.get_table,
        }

    def list_catalogs(self, request: Request) -> dict[str, Any]:
        """ListDataCatalogs."""
        found, token = page([{"CatalogName": NAME, "Type": "GLUE", "Status": "CREATE_COMPLETE"}], request.params)
        return listing("DataCatalogsSummary", found, token)

    def get_catalog(self, request: Request) -> dict[str, Any]:
        """GetDataCatalog."""
        _check_catalog(request.params["Name"])
        parameters = {"catalog-id": self.account_id}
        return {"DataCatalog": {"Name": NAME, "Type": "GLUE", "Parameters": parameters, "Status": "CREATE_COMPLETE"}}

    def list_databases(self, request: Request) -> dict[str, Any]:
        """ListDatabases."""
        catalog = self._catalog(request)
        found, token = page([_database(entry) for entry in _guarded(lambda: list(catalog.databases()))], request.params)
        return listing("DatabaseList", found, token)

    def get_database(self, request: Request) -> dict[str, Any]:
        """GetDatabase."""
        catalog, name = self._catalog(request), request.params["DatabaseName"].lower()
        return {"Database": _database(_guarded(lambda: catalog.database(name)))}

    def list_tables(self, request: Request) -> dict[str, Any]:
        """ListTableMetadata; `Expression` is a regular expression on names."""
        catalog, name = self._catalog(request), request.params["DatabaseName"].lower()
        try:
            matching = re.compile(request.params.get("Expression") or ".*")
        except re.error as error:
            raise invalid(f"Expression is not a valid pattern: {error}") from None
        _guarded(lambda: catalog.database(name))
        tables = _guarded(lambda: list(catalog.tables(name)))
        chosen = [_table(table) for table in tables if matching.fullmatch(table["Name"])]
        found, token = page(chosen, request.params)
        return listing("TableMetadataList", found, token)

    def get_table(self, request: Request) -> dict[str, Any]:
        """GetTableMetadata."""
        catalog, params = self._catalog(request), request.params
        database, name = params["DatabaseName"].lower(), params["TableName"].lower()
        table = _guarded(lambda: catalog.find_table(database, name))
        if table is None:
            raise AwsError("MetadataException", f"EntityNotFoundException: Entity Not Found: Table {name} not found.")
        return {"TableMetadata": _table(table)}

    def _catalog(self, request: Request) -> Catalog:
        _check_catalog(request.params["CatalogName"])
        return Catalog(self.glue, Permissions(self.access, request.caller.arn, self.region, self.account_id))


def _check_catalog(name: str) -> None:
    if name.lower() != NAME.lower():
        raise invalid(f"DataCatalog {name} was not found")


def _guarded(read: Any) -> Any:
    try:
        return read()
    except QueryFailed as failure:
        raise AwsError("MetadataException", failure.reason) from failure


def _database(entry: dict[str, Any]) -> dict[str, Any]:
    kept = {"Name": entry["Name"], "Parameters": entry.get("Parameters") or {}}
    return {**kept, **({"Description": entry["Description"]} if entry.get("Description") else {})}


def _columns(columns: Any) -> list[dict[str, Any]]:
    return [{key: column[key] for key in ("Name", "Type", "Comment") if key in column} for column in columns or ()]


def _table(table: dict[str, Any]) -> dict[str, Any]:
    storage = table.get("StorageDescriptor") or {}
    serde = storage.get("SerdeInfo") or {}
    parameters = dict(table.get("Parameters") or {})
    known = {
        "inputformat": storage.get("InputFormat"),
        "outputformat": storage.get("OutputFormat"),
        "location": storage.get("Location"),
        "serde.serialization.lib": serde.get("SerializationLibrary"),
    }
    parameters |= {key: value for key, value in known.items() if value}
    parameters |= {f"serde.param.{key}": value for key, value in (serde.get("Parameters") or {}).items()}
    shown = {
        "Name": table["Name"],
        "TableType": table.get("TableType", "EXTERNAL_TABLE"),
        "Columns": _columns(storage.get("Columns")),
        "PartitionKeys": _columns(table.get("PartitionKeys")),
        "Parameters": parameters,
    }
    times = {"CreateTime": table.get("CreateTime"), "LastAccessTime": table.get("LastAccessTime")}
    return {**shown, **{key: value for key, value in times.items() if value is not None}}
