"""Which resources a call touches: the ARNs that a policy must allow, as AWS's service authorisation page lists them.

A call on a table needs the catalog and the database as well; a call on a database needs the catalog.
"""

from __future__ import annotations

from typing import Any

from smartcity.localaws.glue.scope import Scope

_DATABASE_CALLS = {"GetDatabase", "UpdateDatabase", "DeleteDatabase"}


def resource_arns(scope: Scope, operation: str, params: dict[str, Any]) -> list[str]:
    """The ARNs of one call; empty where only `*` can be allowed."""
    if "Crawl" in operation:
        return _crawlers(scope, params)
    if operation in ("TagResource", "UntagResource", "GetTags"):
        return [_text(params, "ResourceArn")]
    catalog = scope.arn("catalog")
    database = _database_of(operation, params)
    if not database:
        return [catalog]
    named = [catalog, scope.arn("database", database)]
    if operation == "DeleteDatabase":
        return [*named, scope.arn("table", database, "*"), scope.arn("userDefinedFunction", database, "*")]
    if "UserDefinedFunction" in operation:
        return [*named, scope.arn("userDefinedFunction", database, _function_of(params))]
    return [*named, *(scope.arn("table", database, table) for table in _tables_of(operation, params))]


def _text(params: dict[str, Any], name: str) -> str:
    value = params.get(name)
    return value if isinstance(value, str) else ""


def _inside(params: dict[str, Any], *path: str) -> str:
    value: Any = params
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def _crawlers(scope: Scope, params: dict[str, Any]) -> list[str]:
    names = [_text(params, "Name") or _text(params, "CrawlerName")]
    many = params.get("CrawlerNames")
    names += [name for name in many if isinstance(name, str)] if isinstance(many, list) else []
    return [scope.arn("crawler", name) for name in names if name]


def _database_of(operation: str, params: dict[str, Any]) -> str:
    name = _text(params, "DatabaseName")
    if operation == "CreateDatabase":
        name = _inside(params, "DatabaseInput", "Name")
    elif operation in _DATABASE_CALLS:
        name = _text(params, "Name")
    return name.lower()


def _function_of(params: dict[str, Any]) -> str:
    return (_text(params, "FunctionName") or _inside(params, "FunctionInput", "FunctionName") or "*").lower()


def _tables_of(operation: str, params: dict[str, Any]) -> list[str]:
    if operation == "BatchDeleteTable":
        names = params.get("TablesToDelete")
        return [name.lower() for name in names if isinstance(name, str)] if isinstance(names, list) else ["*"]
    if operation == "GetTables":
        return ["*"]
    name = _inside(params, "TableInput", "Name") or _text(params, "TableName") or _text(params, "Name")
    return [name.lower() or "*"]
