"""SQL to a warehouse through the Redshift Data API: sent with a token, waited for, read page by page."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from smartcity.errors import ServiceError

FINAL = frozenset({"FINISHED", "FAILED", "ABORTED"})
_FIRST_POLL_S, _LAST_POLL_S = 0.02, 1.0


class StatementFailed(ServiceError):
    """Redshift refused a statement: `text` is its error, `number` the statement's place in a batch (from 1)."""

    def __init__(self, text: str, number: int = 0) -> None:
        super().__init__(f"Redshift refused a statement: {text.removeprefix('ERROR: ').rstrip('.')}.", "")
        self.text = text
        self.number = number


@dataclass(frozen=True)
class Warehouse:
    """Where SQL goes: a workgroup of Redshift Serverless, or a provisioned cluster and its database user."""

    client: Any = field(repr=False)
    database: str = "dev"
    workgroup: str | None = None
    cluster: str | None = None
    db_user: str | None = None
    timeout_s: float = 3600.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    @property
    def _target(self) -> dict[str, str]:
        if self.cluster:
            return {"ClusterIdentifier": self.cluster, "Database": self.database} | (
                {"DbUser": self.db_user} if self.db_user else {}
            )
        return {"WorkgroupName": str(self.workgroup), "Database": self.database}

    def run(self, sql: str, parameters: dict[str, str] | None = None) -> int:
        """One statement; returns its rows. Raises `StatementFailed`."""
        return int(self._wait(self._execute(sql, parameters))["ResultRows"])

    def batch(self, statements: Sequence[str]) -> list[int]:
        """All statements in one transaction; returns the rows of each. Raises `StatementFailed`."""
        sent = self.client.batch_execute_statement(**self._target, Sqls=list(statements), ClientToken=str(uuid.uuid4()))
        return [int(sub["ResultRows"]) for sub in self._wait(sent["Id"])["SubStatements"]]

    def query(self, sql: str, parameters: dict[str, str] | None = None) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
        """Column names and rows, fetched as they are read. Raises `StatementFailed`."""
        found = self._wait(self._execute(sql, parameters))
        if not found["HasResultSet"]:
            return ["rows"], iter([(found["ResultRows"],)])
        first = self.client.get_statement_result(Id=found["Id"])
        return [column["name"] for column in first["ColumnMetadata"]], self._rows(found["Id"], first)

    def rows(self, sql: str, parameters: dict[str, str] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a small result."""
        return list(self.query(sql, parameters)[1])

    def _execute(self, sql: str, parameters: dict[str, str] | None) -> str:
        given = [{"name": name, "value": value} for name, value in (parameters or {}).items()]
        extra = {"Parameters": given} if given else {}
        sent = self.client.execute_statement(**self._target, Sql=sql, ClientToken=str(uuid.uuid4()), **extra)
        return str(sent["Id"])

    def _wait(self, statement_id: str) -> dict[str, Any]:
        deadline, pause = time.monotonic() + self.timeout_s, _FIRST_POLL_S
        while True:
            found: dict[str, Any] = self.client.describe_statement(Id=statement_id)
            if found["Status"] in FINAL:
                break
            if time.monotonic() > deadline:
                self.client.cancel_statement(Id=statement_id)
                raise ServiceError(f"Redshift did not finish in {self.timeout_s:.0f} s: {statement_id}.", "")
            self.sleep(pause)
            pause = min(_LAST_POLL_S, pause * 1.5)
        if found["Status"] != "FINISHED":
            number = next((n for n, s in enumerate(found.get("SubStatements", ()), 1) if s["Status"] == "FAILED"), 0)
            raise StatementFailed(found.get("Error", found["Status"]), number)
        return found

    def _rows(self, statement_id: str, page: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
        while True:
            for record in page["Records"]:
                yield tuple(None if cell.get("isNull") else next(iter(cell.values())) for cell in record)
            if "NextToken" not in page:
                return
            page = self.client.get_statement_result(Id=statement_id, NextToken=page["NextToken"])


def quoted(value: str) -> str:
    """A string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
