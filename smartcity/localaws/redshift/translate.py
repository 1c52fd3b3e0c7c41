"""One Redshift query → one DuckDB query: names are resolved, types found, differences rewritten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from smartcity.localaws.redshift.catalog import INTERNAL, Catalog, ViewInfo, sqlglot_type
from smartcity.localaws.redshift.faults import SqlError, no_relation, not_supported
from smartcity.localaws.redshift.grammar import WarehouseDialect, parse
from smartcity.localaws.redshift.inference import annotate
from smartcity.localaws.redshift.rewrite import rewrite
from smartcity.localaws.redshift.types import RsType, parse_type

#: Registers an external table for a query: (schema, table) → (name in DuckDB, columns with Redshift types)
External = Callable[[str, str], tuple[str, dict[str, RsType]]]


@dataclass
class Query:
    """A translated query: DuckDB's SQL, and what the result's columns are called and typed."""

    sql: str
    names: list[str]
    types: list[RsType | None]
    refs: set[tuple[str, str]] = field(default_factory=set)
    outputs: list[str] = field(default_factory=list)

    def columns(self) -> list[str]:
        """Names for a table or view of this query; raises `SqlError` where two are the same."""
        shown = self.names or self.outputs
        names = [name if name != "?column?" else f"?column{at}?" for at, name in enumerate(shown)]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise SqlError(f'column "{twice[0]}" specified more than once')
        return names


class Translator:
    """Translates against one reading of the catalog."""

    def __init__(self, catalog: Catalog, external: External | None = None) -> None:
        self.catalog = catalog
        self._external = external
        self._schema: dict[str, Any] = {}
        self._refs: set[tuple[str, str]] = set()
        self._supers: set[str] = set()
        self._depth = 0

    def query(self, tree: exp.Expr) -> Query:
        """Translate a SELECT, set operation or VALUES."""
        if not isinstance(tree, (exp.Select, exp.SetOperation, exp.Subquery)):
            raise not_supported(f"{type(tree).__name__.upper()} as a query")
        names = _output_names(tree)
        typed = self.typed(tree)
        types = [_known_type(column) for column in _projections(typed)]
        outputs = [column.alias_or_name for column in _projections(typed)]
        done = rewrite(typed)
        return Query(to_sql(done), names, types, self._refs, outputs)

    def typed(self, tree: exp.Expr) -> exp.Expr:
        """The tree with tables resolved, columns qualified and types annotated."""
        self._bind_tables(tree)
        self._super_paths(tree)
        schema = MappingSchema(self._schema, dialect=WarehouseDialect)
        try:
            qualified = qualify(
                tree,
                schema=schema,
                dialect=WarehouseDialect,
                validate_qualify_columns=False,
                quote_identifiers=False,
                identify=False,
            )
        except (OptimizeError, ParseError) as error:
            raise SqlError(str(error).split("\n", maxsplit=1)[0]) from None
        self._check_columns(qualified)
        return annotate(qualified, schema)

    def _check_columns(self, tree: exp.Expr) -> None:
        for star in tree.find_all(exp.Star):
            if not isinstance(star.parent, (exp.Anonymous, exp.Column)) and not isinstance(star.parent, exp.Select):
                raise not_supported("* in this place")

    def _bind_tables(self, tree: exp.Expr) -> None:
        for table in list(tree.find_all(exp.Table)):
            if not isinstance(table.this, exp.Identifier):
                raise not_supported(f"function in FROM ({table.this.sql()[:40]})")
            parts = tuple(part.name.lower() for part in table.parts)
            if len(parts) == 1 and _is_cte(table, parts[0]):
                continue
            self._bind(table, parts)

    def _bind(self, table: exp.Table, parts: tuple[str, ...]) -> None:
        view = self.catalog.find_view(parts)
        if view is not None and view.kind != "materialized":
            self._inline(table, view)
            return
        schema, name = self.catalog.split(parts)
        if schema in self.catalog.external:
            if self._external is None:
                raise not_supported("an external table here")
            name, columns = self._external(str(schema), name)
            self._know("temp", name, columns)
            self._place(table, "temp", name, parts[-1])
            return
        found = self.catalog.find_table(parts)
        if found is None:
            self.catalog.table(parts)
            raise no_relation(".".join(parts))
        self._refs.add((found.schema, found.name))
        self._know(found.schema, found.name, {column.name: column.type for column in found.columns})
        self._place(table, found.schema, found.name, parts[-1])

    def _know(self, schema: str, name: str, columns: dict[str, RsType]) -> None:
        self._schema.setdefault(schema, {})[name] = {column: sqlglot_type(type_) for column, type_ in columns.items()}
        self._supers |= {column for column, type_ in columns.items() if type_.name == "super"}

    def _place(self, table: exp.Table, schema: str, name: str, shown: str) -> None:
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(shown)))
        table.set("this", exp.to_identifier(name))
        table.set("db", exp.to_identifier(schema))
        table.set("catalog", None)

    def _inline(self, table: exp.Table, view: ViewInfo) -> None:
        self._depth += 1
        if self._depth > 200:
            raise SqlError("infinite recursion detected in rules for relation")
        self._refs.add((view.schema, view.name))
        inner = parse(view.sql)
        alias = exp.TableAlias(
            this=exp.to_identifier(table.alias or view.name),
            columns=table.args.get("alias") and table.args["alias"].columns,
        )
        self._bind_tables(inner)
        table.replace(exp.Subquery(this=inner, alias=alias))

    def _super_paths(self, tree: exp.Expr) -> None:
        if not self._supers:
            return
        sources = {table.alias_or_name for table in tree.find_all(exp.Table, exp.Subquery)}
        for node in list(tree.find_all(exp.Column, exp.Bracket, exp.Dot)):
            if isinstance(node.parent, (exp.Bracket, exp.Dot)) and node.parent.this is node:
                continue
            path = _path(node)
            if path is None:
                continue
            split = 1 if path[0] in self._supers and path[0] not in sources else 2
            if len(path) > split and path[split - 1] in self._supers:
                column = exp.column(str(path[split - 1]), table=str(path[0]) if split == 2 else None)
                node.replace(_navigation(column, path[split:]))


def _navigation(column: exp.Column, path: Sequence[str | int]) -> exp.Expr:
    pointer = "$" + "".join(f"[{part}]" if isinstance(part, int) else f'."{part}"' for part in path)
    made = exp.Anonymous(this=f"{INTERNAL}.json_path", expressions=[column, exp.Literal.string(pointer)])
    return exp.Cast(this=made, to=exp.DataType.build("SUPER", dialect="redshift"))


def _path(node: exp.Expr) -> list[str | int] | None:
    if isinstance(node, exp.Column):
        return [part.name.lower() for part in node.parts]
    inner = _path(node.this)
    if inner is None:
        return None
    if isinstance(node, exp.Dot):
        return [*inner, node.expression.name.lower()]
    index = node.expressions[0] if len(node.expressions) == 1 else None
    if isinstance(index, exp.Literal) and index.is_int:
        return [*inner, int(index.name) - int(node.args.get("offset") or 0)]
    if isinstance(index, exp.Literal) and index.is_string:
        return [*inner, index.name]
    raise not_supported("a SUPER path with a computed index")


def _is_cte(table: exp.Table, name: str) -> bool:
    node: exp.Expr | None = table
    while node is not None:
        with_ = node.args.get("with_") or node.args.get("with")
        if with_ is not None and any(cte.alias.lower() == name for cte in with_.expressions):
            return True
        node = node.parent
    return False


def to_sql(tree: exp.Expr) -> str:
    """DuckDB's text of a rewritten tree."""
    return tree.sql(dialect="duckdb", identify=True)


def _projections(tree: exp.Expr) -> list[exp.Expr]:
    while isinstance(tree, (exp.SetOperation, exp.Subquery)):
        tree = tree.this
    return list(tree.expressions)


def _known_type(column: exp.Expr) -> RsType | None:
    type_ = column.type
    if type_ is None or type_.this.name in {"UNKNOWN", "NULL", "INTERVAL"}:
        return None
    try:
        known = parse_type(type_.sql(dialect="redshift"))
    except SqlError:
        return None
    return known if type_.expressions else RsType(known.name) if known.is_text else known


def _output_names(tree: exp.Expr) -> list[str]:
    names = []
    for column in _projections(tree):
        if isinstance(column, exp.Star) or (isinstance(column, exp.Column) and isinstance(column.this, exp.Star)):
            return []
        names.append(_name(column))
    return names


def _name(column: exp.Expr) -> str:
    if isinstance(column, (exp.Alias, exp.Column, exp.Dot)):
        return str((column.expression.name if isinstance(column, exp.Dot) else column.alias_or_name).lower())
    if isinstance(column, (exp.Cast, exp.Paren)):
        inner = _name(column.this)
        return inner if inner != "?column?" or isinstance(column, exp.Paren) else _cast_name(column)
    if isinstance(column, (exp.Window, exp.WithinGroup)):
        return _name(column.this)
    if isinstance(column, exp.Anonymous):
        return column.name.lower().removeprefix("approximate_")
    fixed: dict[type[exp.Expr], str] = {
        exp.Case: "case",
        exp.Extract: "date_part",
        exp.Trim: "btrim",
        exp.Exists: "?column?",
    }
    return fixed.get(type(column), "?column?")


def _cast_name(column: exp.Expr) -> str:
    return parse_type(column.args["to"].sql(dialect="redshift")).api_name
