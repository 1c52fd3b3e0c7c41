"""What a query may be made of: the clauses of SELECT, JOIN and FROM that Redshift has, and no others."""

from __future__ import annotations

from sqlglot import exp

from smartcity.localaws.redshift.faults import no_column, not_supported


def table(node: exp.Table) -> exp.Expr:
    """A table by name, without the clauses that only other engines have."""
    if not isinstance(node.this, exp.Identifier):
        raise not_supported(f"a function in FROM ({node.this.sql()[:40]})")
    extra = [key for key, value in node.args.items() if value and key not in {"this", "db", "catalog", "alias"}]
    if extra:
        raise not_supported(f"{extra[0].upper()} on a table")
    return node


def select(node: exp.Select) -> exp.Expr:
    """SELECT with the clauses that Redshift has."""
    known = {
        "expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset", "distinct", "with_",
        "qualify", "from", "with",
    }  # fmt: skip
    extra = [key for key, value in node.args.items() if value and key not in known]
    if extra:
        raise not_supported(f"{extra[0].upper()} in SELECT")
    distinct = node.args.get("distinct")
    if distinct is not None and distinct.args.get("on") is not None:
        raise not_supported("DISTINCT ON")
    return node


def join(node: exp.Join) -> exp.Expr:
    """INNER, OUTER and CROSS joins."""
    if str(node.args.get("kind") or "").upper() not in {"", "INNER", "OUTER", "CROSS"} or node.args.get("method"):
        raise not_supported(f"{node.args.get('method') or ''} {node.args.get('kind') or ''} JOIN".strip())
    return node


def star(node: exp.Star) -> exp.Expr:
    """`*`, with EXCLUDE at most."""
    if node.args.get("replace") or node.args.get("rename"):
        raise not_supported("* REPLACE")
    return node


def column(node: exp.Column) -> exp.Expr:
    """A column; DuckDB's hidden one does not exist."""
    if node.name == "rowid":
        raise no_column("rowid")
    return node


def timestamp(_: exp.Expr) -> exp.Expr:
    """CURRENT_TIMESTAMP runs on Redshift's leader node only."""
    raise not_supported("CURRENT_TIMESTAMP (leader node only): use GETDATE() or SYSDATE")
