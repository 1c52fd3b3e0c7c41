"""From a statement to whoever runs it: the engine, Glue, or Athena's own memory of prepared statements."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from smartcity.localaws.athena import ddl, iceberg, statements
from smartcity.localaws.athena.catalog import Catalog
from smartcity.localaws.athena.changes import Changes
from smartcity.localaws.athena.cursor import Cursor
from smartcity.localaws.athena.edits import Edited
from smartcity.localaws.athena.failures import QueryFailed
from smartcity.localaws.athena.job import CATALOG, Job, TextResult
from smartcity.localaws.athena.queries import Ask, Queries
from smartcity.localaws.athena.show import Shows
from smartcity.localaws.athena.statements import DDL, Statement
from smartcity.localaws.athena.store import Store
from smartcity.localaws.athena.values import simple_column

_PARAMETERS = "athena_execution_parameters"
PREPARED = "prepared"


@dataclass(frozen=True)
class Work:
    """Does one job from its statement to its result files."""

    queries: Queries
    store: Store

    def __call__(self, job: Job) -> None:
        """Raises `QueryFailed`, `QueryCancelled` or `EngineUnreachable`."""
        statement = statements.classify(job.sql)
        job.permissions.write_output(job.result(".csv"))
        if self._reused(job, statement):
            return
        if statement.what == "EXECUTE":
            self._execute(job, statement)
        else:
            self._run(job, statement, self._ask(job, statement))

    def _ask(self, job: Job, statement: Statement) -> Ask:
        """The statement as it is, or with the call's parameters for its question marks."""
        if not job.parameters:
            return Ask(Edited(statement.sql))
        using = statements.parameters(job.parameters)
        return Ask(Edited(f"EXECUTE {_PARAMETERS} {using}"), {_PARAMETERS: statement.sql})

    def _execute(self, job: Job, statement: Statement) -> None:
        cursor = Cursor(statement, at=1)
        name = cursor.name()
        prepared = self.store.get(PREPARED, job.doc["WorkGroup"], name)
        if prepared is None:
            raise QueryFailed(f"NOT_FOUND: Prepared statement not found: {name}")
        inner = statements.classify(prepared["QueryStatement"])
        text = statement.sql if not job.parameters else f"EXECUTE {name} {statements.parameters(job.parameters)}"
        self._run(job, inner, Ask(Edited(text), {name: inner.sql}))

    def _run(self, job: Job, statement: Statement, ask: Ask) -> None:
        what = statement.what
        if what in _ENGINE:
            _ENGINE[what](self, job, statement, ask)
        elif what == "CREATE_TABLE" and not statement.tokens[1].is_word("EXTERNAL"):
            self.queries.write_table(job, statement, Ask(Edited(statement.sql)))
        elif not self._iceberg(job, statement):
            self.queries.running(job)
            self.queries.output.save_text(job, self._own(job, statement))

    def _iceberg(self, job: Job, statement: Statement) -> bool:
        """Dropping or altering an Iceberg table is the engine's work."""
        if statement.what not in {"DROP_TABLE", "ALTER_TABLE"}:
            return False
        change = ddl.parse(statement)
        names = change.name.within(job.database)  # type: ignore[union-attr]  # both statements name a table
        found = Catalog(self.queries.glue, job.permissions).find_table(*names)
        if not iceberg.is_iceberg(found):
            return False
        action = "DeleteTable" if statement.what == "DROP_TABLE" else "UpdateTable"
        self.queries.iceberg_change(job, names, iceberg.changes(change, *names), action)
        return True

    def _maintenance(self, job: Job, statement: Statement, ask: Ask) -> None:
        if ask.prepared:
            raise QueryFailed(f"NOT_SUPPORTED: {statement.what} takes no parameters")
        names, sql = iceberg.maintenance(statement, job.database)
        self.queries.iceberg_change(job, names, sql, "UpdateTable")

    def _own(self, job: Job, statement: Statement) -> TextResult:
        catalog = Catalog(self.queries.glue, job.permissions)
        if statement.what in _OWN:
            result: TextResult = _OWN[statement.what](self, job, statement)
            return result
        if statement.type == DDL:
            return Changes(catalog, self.queries.s3, job.database).run(ddl.parse(statement))
        return Shows(catalog, job.database).run(statement)

    def _rows(self, job: Job, statement: Statement, ask: Ask) -> None:
        self.queries.rows(job, ask, statement)

    def _write_table(self, job: Job, statement: Statement, ask: Ask) -> None:
        if ask.prepared:
            raise QueryFailed("NOT_SUPPORTED: CREATE TABLE AS cannot be run with parameters")
        self.queries.write_table(job, statement, ask)

    def _unload(self, job: Job, statement: Statement, ask: Ask) -> None:
        if ask.prepared:
            raise QueryFailed("NOT_SUPPORTED: UNLOAD cannot be run with parameters here")
        self.queries.unload(job, statement, ask)

    def _create_view(self, job: Job, statement: Statement, _ask: Ask) -> None:
        self.queries.output.save_text(job, self.queries.create_view(job, statement))

    def _explain(self, job: Job, statement: Statement, ask: Ask) -> None:
        inner = statements.explained(statement)
        if inner.what == "EXECUTE" or ask.prepared:
            raise QueryFailed("NOT_SUPPORTED: EXPLAIN takes a query without parameters")
        if inner.what not in {"SELECT", "INSERT"}:
            raise QueryFailed(f"NOT_SUPPORTED: EXPLAIN {inner.what.replace('_', ' ')} is not supported here")
        at = len(statement.sql) - len(inner.sql)
        self.queries.permit(job, Ask(Edited(statement.sql, 0, at, "")), statement.tokens)
        self.queries.output.save_text(job, self.queries.text(job, ask))

    def _engine_text(self, job: Job, _statement: Statement, ask: Ask) -> None:
        self.queries.output.save_text(job, self.queries.text(job, ask))

    def _show_columns(self, job: Job, statement: Statement, ask: Ask) -> None:
        """`SHOW COLUMNS FROM` is the engine's table of four columns, `SHOW COLUMNS IN` Athena's list of names."""
        if statement.tokens[2].is_word("IN"):
            self.queries.running(job)
            self.queries.output.save_text(job, self._own(job, statement))
            return
        name = ddl.table_name(Cursor(statement, at=3))
        Catalog(self.queries.glue, job.permissions).table(*name.within(job.database))
        self._engine_text(job, statement, ask)

    def _show_create_view(self, job: Job, statement: Statement, ask: Ask) -> None:
        name = ddl.table_name(Cursor(statement, at=3))
        Catalog(self.queries.glue, job.permissions).table(*name.within(job.database))
        self._engine_text(job, statement, ask)

    def _show_catalogs(self, _job: Job, statement: Statement) -> TextResult:
        del statement
        return TextResult([simple_column("Catalog")], [CATALOG])

    def _prepare(self, job: Job, statement: Statement) -> TextResult:
        cursor = Cursor(statement, at=1)
        name = cursor.name()
        cursor.expect("FROM")
        inner = statements.classify(statement.sql[cursor.token.start :])
        if inner.what not in {"SELECT", "INSERT", "CREATE_TABLE_AS_SELECT", "UNLOAD"}:
            raise QueryFailed(f"NOT_SUPPORTED: {inner.what.replace('_', ' ')} cannot be prepared")
        self.require_workgroup(job, "CreatePreparedStatement")
        doc = {
            "StatementName": name,
            "WorkGroupName": job.doc["WorkGroup"],
            "QueryStatement": inner.sql,
            "LastModifiedTime": time.time(),
        }
        self.store.put(PREPARED, job.doc["WorkGroup"], name, doc)
        return TextResult()

    def _deallocate(self, job: Job, statement: Statement) -> TextResult:
        cursor = Cursor(statement, at=1)
        cursor.expect("PREPARE")
        name = cursor.name()
        cursor.finish()
        self.require_workgroup(job, "DeletePreparedStatement")
        if not self.store.delete(PREPARED, job.doc["WorkGroup"], name):
            raise QueryFailed(f"NOT_FOUND: Prepared statement not found: {name}")
        return TextResult()

    def require_workgroup(self, job: Job, action: str) -> None:
        """An action on the query's workgroup that the gate has not asked for."""
        may = job.permissions
        arn = f"arn:aws:athena:{may.region}:{may.account_id}:workgroup/{job.doc['WorkGroup']}"
        may.require(f"athena:{action}", arn)

    def _reused(self, job: Job, statement: Statement) -> bool:
        """Take the result of an earlier run of the same query, if the call allows it and the files are still there."""
        if job.reuse_minutes is None or statement.what != "SELECT":
            return False
        earlier = self.store.reusable(job.fingerprint, time.time() - job.reuse_minutes * 60)
        found = self.store.result(earlier["QueryExecutionId"]) if earlier else None
        if earlier is None or found is None:
            return False
        self.queries.permit(job, self._ask(job, statement), statement.tokens)
        self.queries.running(job)
        doc, offsets = found
        self.store.save_result(job.id, doc, offsets)
        job.doc["ResultConfiguration"] = {**job.doc["ResultConfiguration"], "OutputLocation": doc["url"]}
        job.reused = True
        return True


_ENGINE: dict[str, Any] = {
    "SELECT": Work._rows,
    "INSERT": Work._rows,
    "MERGE": Work._rows,
    "UPDATE": Work._rows,
    "DELETE": Work._rows,
    "CREATE_TABLE_AS_SELECT": Work._write_table,
    "UNLOAD": Work._unload,
    "OPTIMIZE": Work._maintenance,
    "VACUUM": Work._maintenance,
    "CREATE_VIEW": Work._create_view,
    "EXPLAIN": Work._explain,
    "SHOW_FUNCTIONS": Work._engine_text,
    "SHOW_COLUMNS": Work._show_columns,
    "SHOW_CREATE_VIEW": Work._show_create_view,
}
_OWN: dict[str, Any] = {
    "SHOW_CATALOGS": Work._show_catalogs,
    "PREPARE": Work._prepare,
    "DEALLOCATE": Work._deallocate,
}
