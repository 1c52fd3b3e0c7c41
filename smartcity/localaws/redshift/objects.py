"""Schemas, views, materialised views and external schemas."""

from __future__ import annotations

import json

from sqlglot import exp

from smartcity.localaws.redshift.catalog import INTERNAL, Catalog, ViewInfo
from smartcity.localaws.redshift.ddl import Table, create_from_query, dependents, drop_view_statements
from smartcity.localaws.redshift.faults import SqlError, no_relation, not_supported
from smartcity.localaws.redshift.grammar import Scanner, parse
from smartcity.localaws.redshift.translate import External, Query, Translator

_LATE = ("with", "no", "schema", "binding")


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def create_view(scanner: Scanner, catalog: Catalog, replace: bool, external: External | None) -> list[str]:
    """After CREATE [OR REPLACE] VIEW; WITH NO SCHEMA BINDING defers every check to the query (r_CREATE_VIEW.html)."""
    parts = scanner.name()
    listed = scanner.names() if scanner.peek() == "(" else []
    scanner.expect("as")
    written = scanner.rest()
    late = [word.lower() for word in written.split()[-4:]] == list(_LATE)
    if late:
        written = _without_last_words(written, 4)
    tree = parse(written)
    existing = catalog.find_view(parts)
    old = drop_view_statements(existing.schema, existing.name, existing.kind) if replace and existing else []
    if old:
        del catalog.views[(existing.schema, existing.name)]  # type: ignore[union-attr]
    schema, name = catalog.new_schema(parts, temporary=False)
    if late:
        _require_schemas(tree)
        return [*old, _keep(ViewInfo(schema, name, "late", _renamed(tree, listed), ()))]
    qualified = _qualified(tree.copy(), catalog)
    query = Translator(catalog, external).query(tree)
    query.columns()
    return [*old, _keep(ViewInfo(schema, name, "view", _renamed(qualified, listed), _refs(query)))]


def _without_last_words(written: str, count: int) -> str:
    for _ in range(count):
        written = written.rstrip()
        written = written[: max(written.rfind(" "), written.rfind("\n"), written.rfind("\t"))]
    return written


def _renamed(tree: exp.Expr, listed: list[str]) -> str:
    text = tree.sql(dialect="redshift", identify=True)
    return f"SELECT * FROM ({text}) AS rs_view({', '.join(listed)})" if listed else text  # noqa: S608


def _require_schemas(tree: exp.Expr) -> None:
    names = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if not table.args.get("db") and table.name not in names:
            raise SqlError(
                "All the relation names inside should be qualified when creating VIEW WITH NO SCHEMA BINDING."
            )


def _qualified(tree: exp.Expr, catalog: Catalog) -> exp.Expr:
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier) or (table.name.lower() in ctes and not table.args.get("db")):
            continue
        parts = tuple(part.name.lower() for part in table.parts)
        found = catalog.find_view(parts) or catalog.find_table(parts)
        if found is not None and found.schema == "temp":
            raise SqlError(f'view cannot refer to the temporary table "{found.name}"')
        if found is not None:
            table.set("db", exp.to_identifier(found.schema))
            table.set("catalog", None)
    return tree


def _refs(query: Query) -> tuple[str, ...]:
    return tuple(sorted(f"{schema}.{name}" for schema, name in query.refs))


def _keep(view: ViewInfo) -> str:
    values = (view.schema, view.name, view.kind, view.sql, json.dumps(view.refs))
    return f"INSERT INTO {INTERNAL}.views VALUES ({', '.join(map(_quoted, values))})"  # noqa: S608  quoted


def create_materialized_view(scanner: Scanner, catalog: Catalog) -> list[str]:
    """After CREATE MATERIALIZED VIEW: a table that REFRESH fills anew (materialized-view-create-sql-command.html)."""
    parts = scanner.name()
    schema, name = catalog.new_schema(parts, temporary=False)
    table = Table(schema, name)
    while not scanner.match("as"):
        if scanner.match("backup") or scanner.match("auto", "refresh"):
            if not (scanner.match("yes") or scanner.match("no")):
                raise scanner.error()
            if scanner.peek(-1) == "yes" and scanner.peek(-2) == "refresh":
                raise not_supported("AUTO REFRESH YES")
        elif scanner.match("diststyle"):
            table.attributes["diststyle"] = scanner.identifier()
        elif scanner.match("distkey"):
            table.attributes["distkeys"] = scanner.names()
        elif scanner.match("sortkey"):
            table.attributes["sortkey"] = scanner.names()
        else:
            raise scanner.error()
    tree = parse(scanner.rest())
    kept = _qualified(tree.copy(), catalog).sql(dialect="redshift", identify=True)
    query = Translator(catalog).query(tree)
    view = ViewInfo(schema, name, "materialized", kept, _refs(query))
    return [*create_from_query(table, query), _keep(view)]


def refresh(scanner: Scanner, catalog: Catalog) -> list[str]:
    """After REFRESH MATERIALIZED VIEW."""
    parts = scanner.name()
    scanner.match("restrict")
    scanner.finish()
    view = catalog.find_view(parts)
    if view is None or view.kind != "materialized":
        raise SqlError(f'materialized view "{parts[-1]}" does not exist')
    query = Translator(catalog).query(parse(view.sql))
    name = f'"{view.schema}"."{view.name}"'
    return [f"DELETE FROM {name}", f"INSERT INTO {name} {query.sql}"]  # noqa: S608  a name from the catalog


def drop_view(scanner: Scanner, catalog: Catalog, materialized: bool) -> list[str]:
    """After DROP [MATERIALIZED] VIEW."""
    if_exists = scanner.match("if", "exists")
    names = [scanner.name()]
    while scanner.match(","):
        names.append(scanner.name())
    cascade = scanner.match("cascade")
    if not cascade:
        scanner.match("restrict")
    scanner.finish()
    statements: list[str] = []
    for parts in names:
        view = catalog.find_view(parts)
        if view is None:
            if catalog.find_table(parts) is not None:
                raise SqlError(f'"{parts[-1]}" is not a view')
            if if_exists:
                continue
            raise SqlError(f"View {parts[-1]} does not exist")
        if (view.kind == "materialized") is not materialized:
            raise SqlError(f'"{parts[-1]}" is not a {"materialized " if materialized else ""}view')
        statements += dependents(catalog, view.schema, view.name, cascade, "view")
        statements += drop_view_statements(view.schema, view.name, view.kind)
    return statements


def create_schema(scanner: Scanner, catalog: Catalog) -> list[str]:
    """After CREATE SCHEMA."""
    if_not_exists = scanner.match("if", "not", "exists")
    name = scanner.identifier()
    if scanner.match("authorization"):
        scanner.identifier()
    if scanner.peek() == "quota":
        raise not_supported("QUOTA")
    scanner.finish()
    if name.startswith(("pg_", "rs_")) or name in {"main", "temp", "information_schema"}:
        raise SqlError(f'unacceptable schema name "{name}"')
    if name in catalog.schemas or name in catalog.external:
        if if_not_exists:
            return []
        raise SqlError(f'Schema "{name}" already exists')
    return [f'CREATE SCHEMA "{name}"']


def create_external_schema(scanner: Scanner, catalog: Catalog) -> list[str]:
    """After CREATE EXTERNAL SCHEMA: FROM DATA CATALOG only (r_CREATE_EXTERNAL_SCHEMA.html)."""
    if_not_exists = scanner.match("if", "not", "exists")
    name = scanner.identifier()
    scanner.expect("from")
    if not scanner.match("data", "catalog"):
        raise not_supported(f"an external schema from {scanner.peek().upper()}")
    found: dict[str, str] = {}
    while not scanner.done:
        word = scanner.identifier()
        if word not in {"database", "iam_role", "region"} or word in found:
            raise not_supported(f"{word.upper()} in CREATE EXTERNAL SCHEMA")
        found[word] = scanner.string()
    if "database" not in found or "iam_role" not in found:
        raise SqlError("syntax error: CREATE EXTERNAL SCHEMA needs DATABASE and IAM_ROLE")
    if name in catalog.schemas or name in catalog.external:
        if if_not_exists:
            return []
        raise SqlError(f'Schema "{name}" already exists')
    values = ", ".join(map(_quoted, (name, found["database"], found["iam_role"])))
    return [f"INSERT INTO {INTERNAL}.external_schemas VALUES ({values})"]  # noqa: S608  quoted


def drop_schema(scanner: Scanner, catalog: Catalog) -> list[str]:
    """After DROP SCHEMA."""
    if_exists = scanner.match("if", "exists")
    name = scanner.identifier()
    cascade = scanner.match("cascade")
    if not cascade:
        scanner.match("restrict")
    scanner.finish()
    if name in catalog.external:
        return [f"DELETE FROM {INTERNAL}.external_schemas WHERE schema_name = {_quoted(name)}"]  # noqa: S608
    if name not in catalog.schemas or name == INTERNAL:
        if if_exists:
            return []
        raise SqlError(f'schema "{name}" does not exist')
    if name == "public":
        raise not_supported("dropping schema public")
    inside = [view for view in catalog.views.values() if view.schema == name]
    if not cascade and (inside or any(schema == name for schema, _ in catalog.tables)):
        raise SqlError(
            f"cannot drop schema {name} because other objects depend on it\n"
            "  Hint: Use DROP ... CASCADE to drop the dependent objects too."
        )
    kept = f"DELETE FROM {INTERNAL}.views WHERE schema_name = {_quoted(name)}"  # noqa: S608  quoted
    return [kept, f'DROP SCHEMA "{name}" CASCADE']


def require(catalog: Catalog, parts: tuple[str, ...]) -> None:
    """Raises `SqlError` unless a table or view of this name exists."""
    if catalog.find_table(parts) is None and catalog.find_view(parts) is None:
        raise no_relation(".".join(parts))
