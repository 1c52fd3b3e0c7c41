# ruff: noqa: S608  statements are made from parsed trees and names of the catalog
"""INSERT, UPDATE, DELETE and MERGE: each is typed as the SELECT that it contains, then written for DuckDB."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from smartcity.localaws.redshift.assign import stored
from smartcity.localaws.redshift.catalog import Catalog, ColumnInfo, TableInfo
from smartcity.localaws.redshift.faults import SqlError, not_supported
from smartcity.localaws.redshift.rewrite import rewrite
from smartcity.localaws.redshift.translate import External, Translator, to_sql


@dataclass(frozen=True)
class Change:
    """A statement for DuckDB that changes `table`; `check` must return no row, or `refusal` is the error."""

    table: TableInfo
    sql: str
    check: str | None = None
    refusal: str = ""


def change(tree: exp.Expr, catalog: Catalog, external: External | None) -> Change:
    """The change that a statement asks for; raises `SqlError`."""
    for kind, plan in _PLANS.items():
        if isinstance(tree, kind):
            return plan(tree, catalog, external)
    raise not_supported(type(tree).__name__.upper())


def _parts(table: exp.Table) -> tuple[str, ...]:
    return tuple(part.name.lower() for part in table.parts)


def _only(node: exp.Expr, *allowed: str) -> None:
    extra = [key for key, value in node.args.items() if value and key not in allowed]
    if extra:
        raise not_supported(f"{extra[0].strip('_').upper()} in {type(node).__name__.upper()}")


def insert(tree: exp.Insert, catalog: Catalog, external: External | None) -> Change:
    """INSERT INTO … SELECT, VALUES (with DEFAULT) or DEFAULT VALUES."""
    _only(tree, "this", "expression", "default", "with_")
    target = tree.this
    columns: list[str] | None = None
    if isinstance(target, exp.Schema):
        columns = [column.name.lower() for column in target.expressions]
        target = target.this
    table = catalog.table(_parts(target))
    if tree.args.get("default") or tree.expression is None:
        return Change(table, f"INSERT INTO {table.quoted} DEFAULT VALUES")
    chosen = [table.column(name) for name in columns] if columns else list(table.columns)
    if columns and len(set(columns)) < len(columns):
        raise SqlError(f'column "{_repeated(columns)}" specified more than once')
    source = tree.expression
    if isinstance(source, exp.Values) and _only_defaults(source):
        return Change(table, f"INSERT INTO {table.quoted} DEFAULT VALUES")
    if isinstance(source, exp.Values):
        rows, chosen = _rows(source, chosen, bool(columns))
        literals = [all(isinstance(row[at], (exp.Literal, exp.Null)) for row in rows) for at in range(len(rows[0]))]
        return _insert_query(table, chosen, _select_of(rows), literals, named=bool(columns), at=(catalog, external))
    if tree.args.get("with_"):
        source.set("with_", tree.args["with_"])
    return _insert_query(table, chosen, source, None, named=bool(columns), at=(catalog, external))


def _repeated(names: list[str]) -> str:
    return next(name for name in names if names.count(name) > 1)


def _rows(source: exp.Values, chosen: list[ColumnInfo], named: bool) -> tuple[list[list[exp.Expr]], list[ColumnInfo]]:
    rows = [list(row.expressions) if isinstance(row, exp.Tuple) else [row] for row in source.expressions]
    width = len(rows[0])
    if any(len(row) != width for row in rows):
        raise SqlError("VALUES lists must all be the same length")
    if width > len(chosen):
        raise SqlError("INSERT has more expressions than target columns")
    if named and width < len(chosen):
        raise SqlError("INSERT has more target columns than expressions")
    chosen = chosen[:width]
    defaults = [_is_default(value) for value in rows[0]]
    for row in rows:
        for at, value in enumerate(row):
            if _is_default(value) != defaults[at]:
                raise not_supported("DEFAULT in only some rows of VALUES")
    kept = [at for at in range(width) if not defaults[at]]
    if not kept:
        raise not_supported("VALUES of DEFAULT only: use DEFAULT VALUES")
    return [[row[at] for at in kept] for row in rows], [chosen[at] for at in kept]


def _only_defaults(source: exp.Values) -> bool:
    row = source.expressions[0]
    values = row.expressions if isinstance(row, exp.Tuple) else [row]
    return len(source.expressions) == 1 and all(_is_default(value) for value in values)


def _is_default(value: exp.Expr) -> bool:
    return isinstance(value, (exp.Column, exp.Var)) and value.name.lower() == "default" and not value.args.get("table")


def _select_of(rows: list[list[exp.Expr]]) -> exp.Expr:
    if len(rows) == 1:
        return exp.select(*[exp.alias_(value, f"c{at}") for at, value in enumerate(rows[0])], copy=False)
    alias = exp.TableAlias(
        this=exp.to_identifier("rs_rows"), columns=[exp.to_identifier(f"c{at}") for at in range(len(rows[0]))]
    )
    values = exp.Values(expressions=[exp.Tuple(expressions=row) for row in rows], alias=alias)
    return exp.select(*[exp.column(f"c{at}", table="rs_rows") for at in range(len(rows[0]))]).from_(values)


def _insert_query(
    table: TableInfo,
    chosen: list[ColumnInfo],
    source: exp.Expr,
    literals: list[bool] | None,
    *,
    named: bool,
    at: tuple[Catalog, External | None],
) -> Change:
    for column in chosen:
        if column.attributes.get("identity") == "always":
            raise SqlError("cannot set an identity column to a value")
    translator = Translator(*at)
    if literals is None:
        literals = [_is_literal(value) for value in source.expressions] if isinstance(source, exp.Select) else []
    typed = translator.typed(source)
    outputs = typed.selects if isinstance(typed, exp.Query) else []
    if len(outputs) > len(chosen):
        raise SqlError("INSERT has more expressions than target columns")
    if len(outputs) < len(chosen):
        if named:
            raise SqlError("INSERT has more target columns than expressions")
        chosen = chosen[: len(outputs)]
    types = [output.type for output in outputs]
    inner = rewrite(typed)
    names = [f"c{at}" for at in range(len(chosen))]
    values = []
    for number, column in enumerate(chosen):
        value = exp.column(names[number], table="rs_source")
        value.type = types[number]
        values.append(to_sql(stored(value, column, literal=number < len(literals) and literals[number])))
    listed = ", ".join(f'"{column.name}"' for column in chosen)
    renamed = ", ".join(names)
    return Change(
        table,
        f"INSERT INTO {table.quoted} ({listed}) SELECT {', '.join(values)} "
        f"FROM ({to_sql(inner)}) AS rs_source({renamed})",
    )


def _is_literal(value: exp.Expr) -> bool:
    inner = value.this if isinstance(value, exp.Alias) else value
    return isinstance(inner, exp.Literal)


def _select(values: list[exp.Expr], target: exp.Table, others: list[exp.Expr], where: exp.Expr | None) -> exp.Select:
    made = exp.select(*[exp.alias_(value, f"c{at}") for at, value in enumerate(values)], copy=False).from_(
        target, copy=False
    )
    for other in others:
        made.append("joins", other if isinstance(other, exp.Join) else exp.Join(this=other))
    if where is not None:
        made.set("where", exp.Where(this=where))
    return made


def _sources(clause: exp.Expr | list[exp.Expr] | None) -> list[exp.Expr]:
    found: list[exp.Expr] = []
    items = clause if isinstance(clause, list) else [clause.this] if isinstance(clause, exp.From) else []
    for item in items:
        joins = item.args.get("joins") or []
        item.set("joins", None)
        found += [item, *joins]
    return found


def _alias(table: exp.Table) -> str:
    return table.alias_or_name.lower()


def _from_others(done: exp.Select) -> str:
    joins = done.args.get("joins") or []
    if not joins:
        return ""
    return to_sql(joins[0].this) + "".join(
        " " + to_sql(join) if join.args.get("on") else ", " + to_sql(join.this) for join in joins[1:]
    )


def _where(done: exp.Select) -> str:
    where = done.args.get("where")
    return f" {to_sql(where)}" if where is not None else ""


def update(tree: exp.Update, catalog: Catalog, external: External | None) -> Change:
    """UPDATE … SET … [FROM …] [WHERE …]."""
    _only(tree, "this", "expressions", "from_", "where")
    table = catalog.table(_parts(tree.this))
    alias = _alias(tree.this)
    columns = [table.column(item.this.name.lower()) for item in tree.expressions]
    values = [item.expression for item in tree.expressions]
    for column, value in zip(columns, values, strict=True):
        if column.attributes.get("identity"):
            raise SqlError("cannot set an identity column to a value")
        if _is_default(value):
            raise not_supported("SET … = DEFAULT")
    literals = [isinstance(value, exp.Literal) for value in values]
    where = tree.args.get("where")
    select = _select(values, tree.this, _sources(tree.args.get("from_")), where.this if where else None)
    done = rewrite(Translator(catalog, external).typed(select))
    assigned = _assigned(done, columns, literals)
    others = _from_others(done)  # type: ignore[arg-type]
    sql = f'UPDATE {table.quoted} AS "{alias}" SET {assigned}{" FROM " + others if others else ""}{_where(done)}'  # type: ignore[arg-type]
    return Change(table, sql)


def _assigned(done: exp.Expr, columns: list[ColumnInfo], literals: list[bool]) -> str:
    values = [output.this if isinstance(output, exp.Alias) else output for output in done.expressions]
    return ", ".join(
        f'"{column.name}" = {to_sql(stored(value, column, literal))}'
        for column, value, literal in zip(columns, values, literals, strict=True)
    )


def delete(tree: exp.Delete, catalog: Catalog, external: External | None) -> Change:
    """DELETE FROM … [USING …] [WHERE …]."""
    _only(tree, "this", "using", "where")
    table = catalog.table(_parts(tree.this))
    alias = _alias(tree.this)
    where = tree.args.get("where")
    select = _select(
        [exp.Literal.number(1)], tree.this, _sources(tree.args.get("using")), where.this if where else None
    )
    done = rewrite(Translator(catalog, external).typed(select))
    others = _from_others(done)  # type: ignore[arg-type]
    using = f" USING {others}" if others else ""
    return Change(table, f'DELETE FROM {table.quoted} AS "{alias}"{using}{_where(done)}')  # type: ignore[arg-type]


def merge(tree: exp.Merge, catalog: Catalog, external: External | None) -> Change:
    """MERGE as Redshift has it: a table as source, one WHEN MATCHED and one WHEN NOT MATCHED (r_MERGE.html)."""
    _only(tree, "this", "using", "on", "whens")
    table, source = catalog.table(_parts(tree.this)), tree.args["using"]
    if not isinstance(source, exp.Table):
        raise not_supported("a subquery as MERGE source: use a table")
    if catalog.find_view(_parts(source)) is not None:
        raise SqlError("MERGE source must be a table")
    matched, missing = _whens(tree)
    target_alias = _alias(tree.this)
    updated = [] if isinstance(matched, exp.Var) else list(matched.expressions)
    columns = [table.column(item.this.name.lower()) for item in updated]
    inserted = _inserted(missing, table)
    values = [item.expression for item in updated] + [value for _, value in inserted]
    all_columns = columns + [column for column, _ in inserted]
    literals = [isinstance(value, exp.Literal) for value in values]
    select = _select(values or [exp.Literal.number(1)], tree.this, [source], tree.args["on"])
    done = rewrite(Translator(catalog, external).typed(select))
    outputs = [output.this if isinstance(output, exp.Alias) else output for output in done.expressions]
    stored_values = [
        to_sql(stored(value, column, literal))
        for value, column, literal in zip(outputs, all_columns, literals, strict=False)
    ]
    return _merge_change(table, target_alias, done, columns, inserted, stored_values)  # type: ignore[arg-type]


def _whens(tree: exp.Merge) -> tuple[exp.Expr, exp.Insert]:
    whens = tree.args["whens"].expressions
    if len(whens) != 2 or any(when.args.get("condition") or when.args.get("source") for when in whens):
        raise SqlError("syntax error: MERGE takes one WHEN MATCHED and one WHEN NOT MATCHED clause")
    matched = [when.args["then"] for when in whens if when.args.get("matched")]
    missing = [when.args["then"] for when in whens if not when.args.get("matched")]
    if len(matched) != 1 or not isinstance(missing[0], exp.Insert):
        raise SqlError("syntax error: MERGE takes one WHEN MATCHED and one WHEN NOT MATCHED clause")
    return matched[0], missing[0]


def _inserted(missing: exp.Insert, table: TableInfo) -> list[tuple[ColumnInfo, exp.Expr]]:
    names = missing.this.expressions if missing.this is not None else []
    columns = [table.column(name.name.lower()) for name in names] or list(table.columns)
    values = missing.expression.expressions if missing.expression is not None else []
    if values and isinstance(values[0], exp.Tuple):
        values = values[0].expressions
    if len(values) != len(columns):
        raise SqlError(
            "INSERT has more target columns than expressions"
            if len(values) < len(columns)
            else "INSERT has more expressions than target columns"
        )
    return list(zip(columns, values, strict=True))


def _merge_change(  # noqa: PLR0917  the parts of one statement
    table: TableInfo,
    alias: str,
    done: exp.Select,
    columns: list[ColumnInfo],
    inserted: list[tuple[ColumnInfo, exp.Expr]],
    values: list[str],
) -> Change:
    source = to_sql(done.args["joins"][0].this)
    condition = to_sql(done.args["where"].this)
    sets = ", ".join(f'"{column.name}" = {value}' for column, value in zip(columns, values, strict=False))
    action = f"UPDATE SET {sets}" if columns else "DELETE"
    listed = ", ".join(f'"{column.name}"' for column, _ in inserted)
    given = ", ".join(values[len(columns) :])
    target = f'{table.quoted} AS "{alias}"'
    sql = (
        f"MERGE INTO {target} USING {source} ON {condition} "
        f"WHEN MATCHED THEN {action} WHEN NOT MATCHED THEN INSERT ({listed}) VALUES ({given})"
    )
    check = f'SELECT 1 FROM {target} JOIN {source} ON {condition} GROUP BY "{alias}".rowid HAVING count(*) > 1 LIMIT 1'
    return Change(table, sql, check, "Found multiple matches to update the same tuple.")


_PLANS: dict[type[exp.Expr], Callable[[Any, Catalog, External | None], Change]] = {
    exp.Insert: insert,
    exp.Update: update,
    exp.Delete: delete,
    exp.Merge: merge,
}
