"""ListDatabases, ListSchemas, ListTables and DescribeTable."""

from __future__ import annotations

import re
from typing import Any

from smartcity.localaws.api import AwsError
from smartcity.localaws.redshift.catalog import DATABASE, INTERNAL, Catalog
from smartcity.localaws.redshift.engine import Warehouse


def databases(_: Warehouse, params: dict[str, Any]) -> dict[str, Any]:
    """One database per namespace."""
    return _page("Databases", [DATABASE], params)


def schemas(warehouse: Warehouse, params: dict[str, Any]) -> dict[str, Any]:
    """Schemas that match `SchemaPattern` (% and _)."""
    catalog = _catalog(warehouse)
    names = sorted((catalog.schemas - {INTERNAL}) | set(catalog.external))
    return _page("Schemas", [name for name in names if _like(params.get("SchemaPattern"), name)], params)


def tables(warehouse: Warehouse, params: dict[str, Any]) -> dict[str, Any]:
    """Tables and views that match both patterns."""
    catalog = _catalog(warehouse)
    found = [(schema, name, "TABLE") for schema, name in catalog.tables if schema not in {INTERNAL, "temp"}]
    kinds = {"view": "VIEW", "late": "VIEW", "materialized": "VIEW"}
    views = [(view.schema, view.name, kinds[view.kind]) for view in catalog.views.values()]
    named = {(schema, name) for schema, name, _ in views}
    merged = sorted([item for item in found if item[:2] not in named] + views)
    chosen = [
        {"name": name, "schema": schema, "type": kind}
        for schema, name, kind in merged
        if _like(params.get("SchemaPattern"), schema) and _like(params.get("TablePattern"), name)
    ]
    return _page("Tables", chosen, params)


def describe_table(warehouse: Warehouse, params: dict[str, Any]) -> dict[str, Any]:
    """Columns of a table."""
    key = params.get("Schema", "public"), params.get("Table", "")
    table = _catalog(warehouse).tables.get(key)
    if table is None or key[0] == INTERNAL:
        raise AwsError("ValidationException", f"Table {'.'.join(key)} does not exist.")
    columns = []
    for column in table.columns:
        numeric = column.type.name == "numeric"
        shown = {
            "name": column.name,
            "label": column.name,
            "typeName": column.type.api_name,
            "nullable": int(column.nullable),
            "schemaName": table.schema,
            "tableName": table.name,
            "length": column.type.size or 0,
            "precision": (column.type.size or 0) if numeric else 0,
            "scale": column.type.scale or 0,
            "isCaseSensitive": column.type.is_text,
            "isCurrency": False,
            "isSigned": column.type.name in {"smallint", "integer", "bigint", "real", "double precision", "numeric"},
        }
        default = column.attributes.get("default")
        columns.append(shown | ({"columnDefault": default} if default else {}))
    return _page("ColumnList", columns, params) | {"TableName": table.name}


def _catalog(warehouse: Warehouse) -> Catalog:
    connection = warehouse.connect()
    try:
        return Catalog(connection)
    finally:
        connection.close()


def _like(pattern: str | None, name: str) -> bool:
    if pattern is None:
        return True
    regex = "".join(".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    return re.fullmatch(regex, name) is not None


def _page(key: str, items: list[Any], params: dict[str, Any]) -> dict[str, Any]:
    start = int(params.get("NextToken") or 0)
    stop = start + int(params.get("MaxResults") or 1000)
    return {key: items[start:stop]} | ({"NextToken": str(stop)} if stop < len(items) else {})
