"""A session: one connection, its transaction, and what each kind of statement does."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from smartcity.localaws.redshift import alter, copy, ddl, dml, objects, unload
from smartcity.localaws.redshift.catalog import PUBLIC, Catalog
from smartcity.localaws.redshift.engine import Warehouse, registered
from smartcity.localaws.redshift.external import open_table
from smartcity.localaws.redshift.faults import SqlError, from_duckdb, not_supported
from smartcity.localaws.redshift.files import Opener
from smartcity.localaws.redshift.grammar import Scanner, parse, split
from smartcity.localaws.redshift.parameters import bound
from smartcity.localaws.redshift.results import result_types
from smartcity.localaws.redshift.translate import Translator
from smartcity.localaws.redshift.types import RsType


@dataclass
class Outcome:
    """What a statement gave: an Arrow table for a query, or a number of rows (−1: neither)."""

    rows: int = -1
    data: Any = None
    names: list[str] = field(default_factory=list)
    types: list[RsType] = field(default_factory=list)


class Session:
    """Statements of one session run one after the other."""

    def __init__(self, warehouse: Warehouse, files: Opener) -> None:
        self.warehouse = warehouse
        self._files = files
        self._connection = warehouse.connect()
        self._begun = False
        self._explicit = False
        self._in_batch = False
        self._wrote = False
        self.search_path: tuple[str, ...] = (PUBLIC,)
        self._statement_id = ""

    def close(self) -> None:
        """Roll back what is open and drop the temporary tables."""
        self._end("ROLLBACK")
        self._connection.close()

    def interrupt(self) -> None:
        """Cancel the running statement."""
        self._connection.interrupt()

    def execute(self, sql: str, parameters: list[dict[str, str]] | None = None, statement_id: str = "") -> Outcome:
        """One statement in its own transaction, or in the one that BEGIN opened; raises `SqlError`."""
        self._statement_id = statement_id
        try:
            outcome = self._run(bound(sql, parameters or []))
            if not self._explicit:
                self._commit()
        except Exception as error:
            raise self._failed(error) from None
        return outcome

    def batch(
        self,
        statements: list[str],
        parameters: list[dict[str, str]],
        statement_id: str,
        each: Callable[[int, Outcome | SqlError], None],
    ) -> None:
        """All statements in one transaction; `each` is told how every one went; raises the first `SqlError`."""
        self._statement_id = statement_id
        self._in_batch = True
        try:
            for number, sql in enumerate(statements, 1):
                try:
                    each(number, self._run(bound(sql, parameters, allow_unused=True)))
                except Exception as error:
                    failure = self._failed(error)
                    each(number, failure)
                    raise failure from None
            try:
                self._commit()
            except Exception as error:
                raise self._failed(error) from None
        finally:
            self._in_batch = False

    def _failed(self, error: Exception) -> SqlError:
        self._end("ROLLBACK")
        if isinstance(error, copy.LoadFailure):
            self.warehouse.log_load_errors(self._statement_id, error.rows)
        return from_duckdb(error)

    def _begin(self) -> Any:
        """The connection inside a transaction; its snapshot is taken now and not earlier, so that LOCK waits first."""
        if not self._begun:
            self._connection.execute("BEGIN TRANSACTION")
            self._begun = True
        return self._connection

    def _commit(self) -> None:
        if self._begun and self._wrote and self._statement_id:
            self._connection.execute("INSERT INTO rs_internal.done VALUES (?, ?)", [self._statement_id, time.time()])
        self._end("COMMIT")

    def _end(self, how: str) -> None:
        try:
            if self._begun:
                self._connection.execute(how)
        except Exception:
            with contextlib.suppress(Exception):
                self._connection.execute("ROLLBACK")
            if how == "COMMIT":
                raise
        finally:
            self._begun = self._explicit = self._wrote = False
            self.warehouse.locks.release(self)

    def _run(self, sql: str) -> Outcome:
        parts = split(sql)
        if len(parts) != 1:
            raise SqlError(
                "syntax error: exactly one statement is expected" if parts else "syntax error: the statement is empty"
            )
        sql = parts[0]
        scanner = Scanner(sql)
        first = scanner.peek()
        if first in {"select", "with", "("}:
            return self._query(sql)
        if first in {"insert", "update", "delete", "merge"}:
            return self._change(sql)
        handler = _STATEMENTS.get(first)
        if handler is None:
            known = first in _KNOWN
            raise not_supported(first.upper()) if known else SqlError(f'syntax error at or near "{first.upper()}"')
        scanner.at += 1
        return handler(self, scanner)

    def _catalog(self) -> Catalog:
        return Catalog(self._begin(), self.search_path)

    def _query(self, sql: str) -> Outcome:
        tree = parse(sql)
        into = tree.args.get("into") if isinstance(tree, exp.Select) else None
        if into is not None:
            raise not_supported("SELECT INTO: use CREATE TABLE AS")
        with contextlib.ExitStack() as stack:
            translated = Translator(self._catalog(), self._external(stack)).query(tree)
            relation = self._connection.sql(translated.sql)
            names = translated.names or translated.outputs or relation.columns
            types = result_types([str(type_) for type_ in relation.types], translated.types)
            data = relation.to_arrow_table()
        return Outcome(data.num_rows, data.rename_columns([f"c{at}" for at in range(data.num_columns)]), names, types)

    def _external(self, stack: contextlib.ExitStack) -> Callable[[str, str], tuple[str, dict[str, RsType]]]:
        def register(schema: str, table: str) -> tuple[str, dict[str, RsType]]:
            known = self._catalog().external[schema]
            data, columns = open_table(self._files(known["role"]), known["database"], table)
            name = f"rs_external.{schema}.{table}"
            stack.enter_context(registered(self._connection, name, data))
            return name, columns

        return register

    def _change(self, sql: str) -> Outcome:
        tree = parse(sql)
        target = tree.find(exp.Table)
        if isinstance(tree, exp.Insert) and target is not None:
            target = tree.this.find(exp.Table) or target
        if target is None:
            raise SqlError("syntax error: the statement names no table")
        with contextlib.ExitStack() as stack:
            change = dml.change(tree, self._catalog(), self._external(stack))
            self._lock(change.table.schema, change.table.name)
            if change.check and self._connection.execute(change.check).fetchall():
                raise SqlError(change.refusal)
            return Outcome(self._write(change.sql))

    def _write(self, sql: str) -> int:
        self._wrote = True
        found = self._begin().execute(sql).fetchall()
        return int(found[0][0]) if found and isinstance(found[0][0], int) else -1

    def _write_all(self, statements: list[str]) -> Outcome:
        for statement in statements:
            self._write(statement)
        return Outcome(0)

    def _lock(self, schema: str, name: str) -> None:
        if schema != "temp":
            self.warehouse.locks.acquire(f"{schema}.{name}", self)

    def _no_transaction(self, what: str) -> None:
        if self._in_batch or self._explicit:
            raise SqlError(f"{what} cannot run inside a transaction block")

    def create(self, scanner: Scanner) -> Outcome:
        """CREATE …"""
        replace = scanner.match("or", "replace")
        temporary = scanner.match("temp") or scanner.match("temporary") or scanner.match("local", "temporary")
        if scanner.match("table"):
            return self._write_all(ddl.create_table(scanner, self._catalog(), temporary))
        if scanner.match("view"):
            with contextlib.ExitStack() as stack:
                return self._write_all(objects.create_view(scanner, self._catalog(), replace, self._external(stack)))
        if scanner.match("materialized", "view"):
            return self._write_all(objects.create_materialized_view(scanner, self._catalog()))
        if scanner.match("schema"):
            return self._write_all(objects.create_schema(scanner, self._catalog()))
        if scanner.match("external", "schema"):
            return self._write_all(objects.create_external_schema(scanner, self._catalog()))
        raise not_supported(f"CREATE {scanner.peek().upper()}")

    def drop(self, scanner: Scanner) -> Outcome:
        """DROP …"""
        if scanner.match("table"):
            return self._write_all(ddl.drop_table(scanner, self._catalog()))
        if scanner.match("view"):
            return self._write_all(objects.drop_view(scanner, self._catalog(), materialized=False))
        if scanner.match("materialized", "view"):
            return self._write_all(objects.drop_view(scanner, self._catalog(), materialized=True))
        if scanner.match("schema"):
            return self._write_all(objects.drop_schema(scanner, self._catalog()))
        raise not_supported(f"DROP {scanner.peek().upper()}")

    def alter(self, scanner: Scanner) -> Outcome:
        """ALTER TABLE …"""
        if not scanner.match("table"):
            raise not_supported(f"ALTER {scanner.peek().upper()}")
        return self._write_all(alter.alter_table(scanner, self._catalog()))

    def refresh(self, scanner: Scanner) -> Outcome:
        """REFRESH MATERIALIZED VIEW …"""
        scanner.expect("materialized", "view")
        return self._write_all(objects.refresh(scanner, self._catalog()))

    def truncate(self, scanner: Scanner) -> Outcome:
        """TRUNCATE commits the transaction in which it is run (r_TRUNCATE.html)."""
        scanner.match("table")
        parts = scanner.name()
        scanner.finish()
        table = self._catalog().table(parts)
        self._lock(table.schema, table.name)
        self._write(f"DELETE FROM {table.quoted}")  # noqa: S608  a name from the catalog
        self._commit()
        return Outcome(0)

    def lock(self, scanner: Scanner) -> Outcome:
        """LOCK [TABLE] waits before the transaction's snapshot is taken, so that it then sees what others committed."""
        scanner.match("table")
        names = [scanner.name()]
        while scanner.match(","):
            names.append(scanner.name())
        scanner.finish()
        if not (self._in_batch or self._explicit):
            raise SqlError("LOCK TABLE may only be used in transaction blocks")
        for parts in names:
            self._lock(parts[-2] if len(parts) > 1 else self.search_path[0], parts[-1])
        for parts in names:
            self._catalog().table(parts)
        return Outcome(0)

    def begin(self, scanner: Scanner) -> Outcome:
        """BEGIN; inside a batch there is a transaction already."""
        scanner.match("transaction") or scanner.match("work")
        scanner.finish()
        if self._in_batch:
            raise not_supported("BEGIN in a batch: it is one transaction already")
        self._explicit = True
        return Outcome(0)

    def commit(self, scanner: Scanner) -> Outcome:
        """COMMIT, END."""
        self._end_words(scanner)
        self._commit()
        return Outcome(0)

    def rollback(self, scanner: Scanner) -> Outcome:
        """ROLLBACK, ABORT."""
        self._end_words(scanner)
        self._end("ROLLBACK")
        return Outcome(0)

    def _end_words(self, scanner: Scanner) -> None:
        scanner.match("transaction") or scanner.match("work")
        scanner.finish()
        if self._in_batch:
            raise not_supported("ending the transaction of a batch")

    def set(self, scanner: Scanner) -> Outcome:
        """SET search_path; query_group and application_name have no effect here."""
        scanner.match("session")
        name = scanner.identifier()
        if not scanner.match("to"):
            scanner.expect("=")
        if name in {"query_group", "application_name"}:
            scanner.rest()
            return Outcome(0)
        if name != "search_path":
            raise not_supported(f"SET {name}")
        paths = []
        while not scanner.done:
            quoted = scanner.peek() == "'"
            paths.append(scanner.string().lower() if quoted else scanner.identifier())
            scanner.match(",")
        self.search_path = tuple(path for path in paths if path not in {"$user", "$", "user"}) or (PUBLIC,)
        return Outcome(0)

    def maintain(self, scanner: Scanner) -> Outcome:
        """ANALYZE and VACUUM: DuckDB needs neither; the table must exist."""
        if scanner.sql.strip().lower().startswith("vacuum"):
            self._no_transaction("VACUUM")
            scanner.match("full") or scanner.match("sort", "only") or scanner.match("delete", "only") or scanner.match(
                "reindex"
            )
        if not scanner.done:
            objects.require(self._catalog(), scanner.name())
        return Outcome(0)

    def copy(self, scanner: Scanner) -> Outcome:
        """COPY."""
        plan = copy.parse_copy(scanner, self._catalog())
        self._lock(plan.table.schema, plan.table.name)

        def run(sql: str, data: Any) -> Any:
            with registered(self._connection, "rs_input", data):
                self._wrote = True
                return self._connection.execute(sql).fetchall()

        rows = copy.load(plan, self._files(plan.role), run)
        if plan.options.get("refused"):
            self.warehouse.log_load_errors(self._statement_id, plan.options["refused"])
        return Outcome(rows)

    def unload(self, scanner: Scanner) -> Outcome:
        """UNLOAD."""
        plan = unload.parse_unload(scanner)
        found = self._query(plan.query)
        data = found.data.rename_columns(found.names)
        return Outcome(unload.unload(plan, data, self._files(plan.role)))


_STATEMENTS: dict[str, Callable[[Session, Scanner], Outcome]] = {
    "create": Session.create,
    "drop": Session.drop,
    "alter": Session.alter,
    "refresh": Session.refresh,
    "truncate": Session.truncate,
    "lock": Session.lock,
    "begin": Session.begin,
    "start": Session.begin,
    "commit": Session.commit,
    "end": Session.commit,
    "rollback": Session.rollback,
    "abort": Session.rollback,
    "set": Session.set,
    "analyze": Session.maintain,
    "vacuum": Session.maintain,
    "copy": Session.copy,
    "unload": Session.unload,
}
#: Statements that Redshift knows and that are refused here by name.
_KNOWN = {
    "grant", "revoke", "call", "cancel", "close", "comment", "deallocate", "declare", "execute", "explain", "fetch",
    "prepare", "reset", "show", "use", "attach", "detach", "describe", "values",
}  # fmt: skip
