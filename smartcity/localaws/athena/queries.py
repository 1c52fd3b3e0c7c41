"""Statements that the engine runs: permissions first, then the engine, then the rows to S3."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from smartcity.localaws.athena import analysis, ctas, iceberg, statements
from smartcity.localaws.athena.catalog import Catalog, is_view, location_of
from smartcity.localaws.athena.edits import Edited
from smartcity.localaws.athena.engine import Outcome, Session, Trino
from smartcity.localaws.athena.failures import QueryCancelled, QueryFailed, denied
from smartcity.localaws.athena.job import CATALOG, Job, TextResult
from smartcity.localaws.athena.locations import Location, parse
from smartcity.localaws.athena.output import Output
from smartcity.localaws.athena.statements import Statement
from smartcity.localaws.athena.values import simple_column

_WRITERS = ("INSERT", "MERGE", "UPDATE", "DELETE")
_SYMLINKS = "SymlinkTextInputFormat"
_WAITING = frozenset({"QUEUED", "WAITING_FOR_RESOURCES", "DISPATCHING"})  # the engine's own queue
_MAX_ELSEWHERE = 100
_MAX_MANIFEST = 10_000


@dataclass(frozen=True)
class Ask:
    """What the engine is asked: the statement (perhaps with a replaced part) and its session."""

    edited: Edited
    prepared: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)

    def session(self, job: Job) -> Session:
        """The engine's session."""
        return job.session(self.prepared, self.properties)


@dataclass(frozen=True)
class Queries:
    """Runs statements in the engine on behalf of their callers. `running` is told when work begins."""

    trino: Trino
    output: Output
    glue: Any
    s3: Any
    running: Callable[[Job], None]
    analysts: ThreadPoolExecutor

    def rows(self, job: Job, ask: Ask, statement: Statement) -> None:
        """A statement whose rows are the result; one without rows (INSERT) reports their number.

        A query only reads, so it starts while its permissions are still being looked at: neither a row nor an error
        of it is seen before they are.
        """
        permitted = self._permitted(job, ask, statement)
        began = time.time()
        writer = None
        try:
            for rows in self._pages(job, ask):
                columns = job.outcome.columns
                if columns is None or job.outcome.update_type:
                    continue
                if writer is None:
                    permitted()
                    writer = self.output.writer(job, columns)
                writer.write(rows)
            if writer is not None:
                self.output.save_rows(job, writer)
            else:
                permitted()
                self.output.save_count(job, job.outcome.update_count or 0, self._written(job, began))
        except BaseException as error:
            if writer is not None:
                writer.abort()
            elif isinstance(error, QueryFailed):
                permitted()
            raise

    def _permitted(self, job: Job, ask: Ask, statement: Statement) -> Callable[[], None]:
        """Begin to look at the permissions; the function returned waits for the verdict and raises it."""
        if statement.touches_nothing and not ask.prepared:
            return lambda: None
        if not statement.only_reads:
            self.permit(job, ask, statement.tokens)
            return lambda: None
        verdict = self.analysts.submit(self.permit, job, ask, statement.tokens)

        def wait() -> None:
            try:
                verdict.result()
            except QueryFailed:
                job.outcome = Outcome()  # nothing of what the engine did meanwhile is told
                raise

        return wait

    def text(self, job: Job, ask: Ask) -> TextResult:
        """A statement whose rows are lines: EXPLAIN, SHOW FUNCTIONS."""
        rows = [row for page in self._pages(job, ask) for row in page]
        columns = job.outcome.columns or [simple_column("result")]
        lines = ["\t".join(_cell(value) for value in row) for row in rows]
        return TextResult(columns, lines, cells=len(columns) > 1)

    def write_table(self, job: Job, statement: Statement, ask: Ask) -> None:
        """CREATE TABLE (AS): the files go below the output location unless the user named a place."""
        default = job.output.below(f"tables/{job.id}")
        made = iceberg.create(statement, job.database, default) if statement.what == "CREATE_TABLE" else None
        if made is not None:
            job.permissions.glue("CreateTable", *made.names)
            job.permissions.write(made.location)
            self._drain(job, Ask(Edited(made.sql)))
            self.output.save_text(job, TextResult())
            return
        write = ctas.create_table(statement, default, job.location_enforced, job.database)
        ask = Ask(write.edited, ask.prepared, dict(write.session))
        catalog = Catalog(self.glue, job.permissions)
        database, table = ([job.database, *write.names])[-2:]
        if write.chosen:
            self._require_empty(job, write, f"{database}.{table}")
        job.permissions.glue("CreateTable", database, table)
        job.permissions.write(write.location)
        if statement.what == "CREATE_TABLE_AS_SELECT":
            self.permit(job, ask, statement.tokens)
        existed = write.if_not_exists and catalog.find_table(database, table) is not None
        self._drain(job, ask)
        objects = [] if existed else self._objects(write.location)
        self.output.save_count(job, job.outcome.update_count or 0, objects)

    def iceberg_change(self, job: Job, names: tuple[str, str], sql: Sequence[str], action: str) -> None:
        """Statements of the engine that change an Iceberg table; its files are written and deleted with it."""
        described = Catalog(self.glue, job.permissions).table(*names)
        if not iceberg.is_iceberg(described):
            raise QueryFailed(f"NOT_SUPPORTED: line 1:1: {'.'.join(names)} is not an Iceberg table")
        job.permissions.glue(action, *names)
        location = location_of(described)
        if location is not None:
            job.permissions.write(location.folder)
            job.permissions.require("s3:DeleteObject", location.folder.arn)
        for text in sql:
            self._drain(job, Ask(Edited(text)))
        self.output.save_text(job, TextResult())

    def unload(self, job: Job, statement: Statement, ask: Ask) -> None:
        """UNLOAD: a table in a database of its own for as long as the query runs; its files stay."""
        database = unload_database(job.id)
        write = ctas.unload(statement, (CATALOG, database, "unloaded"))
        self._require_empty(job, write, "unload")
        job.permissions.write(write.location)
        self.permit(job, Ask(Edited(write.edited.original, 0, write.edited.stop, ""), ask.prepared), statement.tokens)
        self.glue.create_database(DatabaseInput={"Name": database})
        try:
            self._drain(job, Ask(write.edited, ask.prepared, dict(write.session)))
        finally:
            self.glue.delete_database(Name=database)
        self.output.save_count(job, job.outcome.update_count or 0, self._objects(write.location))

    def create_view(self, job: Job, statement: Statement) -> TextResult:
        """CREATE VIEW: the engine stores it in Glue; what it reads must be readable for its maker."""
        names, at = _view_name(statement)
        database, view = [job.database, *names][-2:]
        catalog = Catalog(self.glue, job.permissions)
        job.permissions.glue("CreateTable", database, view)
        if catalog.find_table(database, view) is not None:
            job.permissions.glue("UpdateTable", database, view)
        query = Edited(statement.sql, 0, statement.tokens[at].start, "")
        self.permit(job, Ask(query), statement.tokens)
        self._drain(job, Ask(Edited(statement.sql)))
        return TextResult()

    def permit(self, job: Job, ask: Ask, tokens: tuple[Any, ...]) -> None:
        """Raises `QueryFailed` unless the caller may touch every table of the statement.

        The account itself may do everything in its own catalog; then only other catalogs have to be kept out.
        """
        if analysis.names_catalog(tokens, iceberg.CATALOG):
            raise QueryFailed(f"CATALOG_NOT_FOUND: line 1:1: Catalog '{iceberg.CATALOG}' not found")
        texts = " ".join(ask.prepared.values())
        foreign = analysis.mentions_foreign(tokens) or any(name in texts.lower() for name in analysis.FOREIGN)
        if job.permissions.is_root and not foreign:
            return
        plan = analysis.plan_from(self._explained(job, ask))
        catalog = Catalog(self.glue, job.permissions)
        for touched in (*plan.reads, *([plan.writes] if plan.writes else ())):
            if touched.catalog not in {CATALOG, iceberg.CATALOG}:
                raise QueryFailed(f"CATALOG_NOT_FOUND: line 1:1: Catalog '{touched.catalog}' not found")
        if job.permissions.is_root:
            return
        if plan.writes is None and tokens[0].is_word(*_WRITERS):
            raise denied("The engine does not tell which table the statement writes to.")
        names = [(touched.database, touched.base) for touched in plan.reads]
        for text in (ask.edited.text, *ask.prepared.values()):
            names += analysis.named_tables(text, job.database)
        target = (plan.writes.database, plan.writes.base) if plan.writes else None
        for database, table in dict.fromkeys(names):
            if (database, table) != target and iceberg.is_iceberg(_permit_read(catalog, database, table)):
                self._permit_files(job, database, table)
        if target is not None:
            _permit_write(catalog, *target)

    def _permit_files(self, job: Job, database: str, table: str) -> None:
        """The metadata of an Iceberg table can name any file: those elsewhere are asked for one by one."""
        location = location_of(self.glue.get_table(DatabaseName=database, Name=table)["Table"])
        within = location.folder.url if location else "nowhere:"
        sql = iceberg.files_elsewhere(database, table, within, _MAX_ELSEWHERE)
        paths = [row[0] for row in self.trino.collect(sql, job.session(), job.cancelled, Outcome())]
        if len(paths) >= _MAX_ELSEWHERE:
            raise denied(f"Table {database}.{table} consists of too many files outside its location.")
        for path in paths:
            try:
                job.permissions.require("s3:GetObject", parse(path).arn)
            except ValueError as error:
                raise denied(f"Table {database}.{table} names a file that is not in S3.") from error

    def _explained(self, job: Job, ask: Ask) -> dict[str, Any]:
        explain = Edited(ask.edited.text, 0, 0, analysis.PREFIX)
        try:
            rows = self.trino.collect(explain.text, ask.session(job), job.cancelled, Outcome())
        except QueryFailed as failure:
            raise ask.edited.back(explain.back(failure)) from None
        try:
            plan: dict[str, Any] = json.loads(rows[0][0])
        except (ValueError, IndexError):
            raise denied("The engine does not tell which tables the statement touches.") from None
        return plan

    def _pages(self, job: Job, ask: Ask) -> Any:
        """Rows from the engine; states, limits and places of errors are looked after."""
        job.outcome = outcome = Outcome()
        try:
            for rows in self.trino.run(ask.edited.text, ask.session(job), job.cancelled, outcome):
                if outcome.stats.get("state") not in _WAITING:
                    self.running(job)
                if job.bytes_limit is not None and outcome.bytes_scanned > job.bytes_limit:
                    job.over_limit = True
                    raise QueryCancelled
                yield rows
        except QueryFailed as failure:
            raise ask.edited.back(failure) from None

    def _drain(self, job: Job, ask: Ask) -> None:
        for _ in self._pages(job, ask):
            pass

    def _require_empty(self, job: Job, write: ctas.Write, name: str) -> None:
        folder = write.location
        job.permissions.require("s3:ListBucket", folder.bucket_arn, {"s3:prefix": folder.key})
        if self.s3.list_objects_v2(Bucket=folder.bucket, Prefix=folder.key, MaxKeys=1).get("KeyCount"):
            raise QueryFailed(
                f"HIVE_PATH_ALREADY_EXISTS: Target directory for table '{name}' already exists: {folder.url}"
            )

    def _objects(self, folder: Location, since: float = 0.0) -> list[str]:
        urls: list[str] = []
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix=folder.key):
            for entry in page.get("Contents") or ():
                if entry["LastModified"].timestamp() >= since - 1 and len(urls) < _MAX_MANIFEST:
                    urls.append(Location(folder.bucket, entry["Key"]).url)
        return urls

    def _written(self, job: Job, since: float) -> list[str]:
        """Objects that an INSERT has just made."""
        words = statements.classify(job.sql)
        if words.what != "INSERT":
            return []
        names = _names(words, 2)
        database, table = [job.database, *names][-2:]
        try:
            described = self.glue.get_table(DatabaseName=database, Name=table)["Table"]
        except self.glue.exceptions.EntityNotFoundException:
            return []
        location = location_of(described)
        return self._objects(location.folder, since) if location else []


def unload_database(query_id: str) -> str:
    """The database that exists while an UNLOAD runs."""
    return f"athena_unload_{query_id.replace('-', '_')}"


def _names(statement: Statement, at: int) -> list[str]:
    tokens = statement.tokens
    names = [tokens[at].text.lower()]
    while tokens[at + 1].is_symbol(".") and tokens[at + 2].kind != "end":
        at += 2
        names.append(tokens[at].text.lower())
    return names[-2:]


def _view_name(statement: Statement) -> tuple[list[str], int]:
    """Name of the view and index of the first token of its query."""
    tokens = statement.tokens
    at = next(index for index, token in enumerate(tokens) if token.is_word("VIEW")) + 1
    names = _names(statement, at)
    for index in range(at, len(tokens)):
        if tokens[index].is_word("AS") or tokens[index].kind == "end":
            return names, index + 1 if tokens[index].kind != "end" else index
    return names, at


def _permit_read(catalog: Catalog, database: str, table: str) -> dict[str, Any] | None:
    """Ask for all that reading a table takes; returns the table as Glue describes it."""
    may = catalog.may
    if database == "information_schema":
        may.glue("GetDatabases")
        may.glue("GetTables", "*", "*")
        return None
    may.glue("GetDatabase", database)
    described = catalog.find_table(database, table)
    if described is None or is_view(described):
        return described
    if _SYMLINKS in ((described.get("StorageDescriptor") or {}).get("InputFormat") or ""):
        raise denied(f"Table {database}.{table} is a list of links: only the account itself may follow them.")
    location = location_of(described)
    if location is not None:
        may.read(location)
    if described.get("PartitionKeys"):
        for partition in catalog.partitions(described, columns=False):
            elsewhere = location_of(partition)
            if elsewhere is not None and (location is None or not location.contains(elsewhere)):
                may.read(elsewhere)
    return described


def _permit_write(catalog: Catalog, database: str, table: str) -> None:
    may = catalog.may
    may.glue("GetDatabase", database)
    described = catalog.find_table(database, table)
    if described is None:
        may.glue("CreateTable", database, table)
        return
    may.glue("UpdateTable", database, table)
    location = location_of(described)
    if location is not None:
        may.write(location.folder)
    if described.get("PartitionKeys"):
        may.glue("BatchCreatePartition", database, table)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
