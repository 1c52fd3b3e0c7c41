"""One query while it runs: what was asked, by whom, and how far it has got."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from smartcity.localaws.athena.engine import Outcome, Session
from smartcity.localaws.athena.locations import Location
from smartcity.localaws.athena.permissions import Permissions
from smartcity.localaws.athena.values import Column

CATALOG = "awsdatacatalog"


@dataclass(frozen=True)
class TextResult:
    """The result of a statement that Athena answers in plain lines: SHOW, DESCRIBE, DDL."""

    columns: Sequence[Column] = ()
    lines: Sequence[str] = ()
    cells: bool = False  #: a line is several cells separated by tabs


@dataclass
class Job:
    """A query of the history that this process works on."""

    doc: dict[str, Any]
    permissions: Permissions
    output: Location  #: folder of results
    bytes_limit: int | None = None
    location_enforced: bool = False
    reuse_minutes: int | None = None
    fingerprint: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)
    outcome: Outcome = field(default_factory=Outcome)
    began: float = field(default_factory=time.time)
    running_since: float | None = None
    over_limit: bool = False
    reused: bool = False
    manifest: Location | None = None

    @property
    def id(self) -> str:
        """The query execution's id."""
        id_: str = self.doc["QueryExecutionId"]
        return id_

    @property
    def sql(self) -> str:
        """The statement as it was typed."""
        sql: str = self.doc["Query"]
        return sql

    @property
    def database(self) -> str:
        """The database of names without one; awswrangler sends it in backticks."""
        context = self.doc.get("QueryExecutionContext") or {}
        database: str = context.get("Database") or "default"
        return database.strip("`").lower()

    @property
    def parameters(self) -> list[str]:
        """Values of the statement's question marks."""
        return list(self.doc.get("ExecutionParameters") or ())

    def session(
        self, prepared: Mapping[str, str] | None = None, properties: Mapping[str, str] | None = None
    ) -> Session:
        """The engine's session of this query."""
        return Session("athena", self.database, CATALOG, prepared=prepared or {}, properties=properties or {})

    def result(self, extension: str) -> Location:
        """Where a result file of this query lies."""
        return self.output.below(self.id + extension)
