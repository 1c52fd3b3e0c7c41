"""What the Data API remembers: statements, their states and tokens, in SQLite, before any answer is given."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from smartcity.localaws.database import connect

FINAL = frozenset({"FINISHED", "FAILED", "ABORTED"})
#: The Data API keeps results for 24 hours and idempotency tokens for 8.
KEEP_S = 24 * 3600.0
TOKEN_S = 8 * 3600.0


@dataclass
class Statement:
    """One statement or batch; `subs` are the batch's statements, each with its own state and result."""

    id: str
    created: float
    principal: str
    workgroup: str
    database: str
    sqls: list[str]
    batch: bool = False
    parameters: list[dict[str, str]] = field(default_factory=list)
    name: str = ""
    token: str = ""
    digest: str = ""
    format: str = "JSON"
    session_id: str = ""
    status: str = "SUBMITTED"
    error: str = ""
    updated: float = 0.0
    started: float = 0.0
    rows: int = -1
    size: int = -1
    has_result: bool = False
    names: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    subs: list[dict[str, Any]] = field(default_factory=list)
    number: int = 0

    @property
    def final(self) -> bool:
        """Whether the state will not change any more."""
        return self.status in FINAL


_NAMES = {item.name for item in fields(Statement)}


class Records:
    """Statements by id; every change is on disk before the method returns."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._db = connect(path)
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS statements (id TEXT PRIMARY KEY, created REAL, principal TEXT, token TEXT, "
            "status TEXT, body TEXT)"
        )
        self._db.execute("CREATE INDEX IF NOT EXISTS by_token ON statements (principal, token)")

    def put(self, statement: Statement) -> None:
        """Insert or replace."""
        statement.updated = time.time()
        row = (statement.id, statement.created, statement.principal, statement.token, statement.status)
        with self._lock:
            self._db.execute(
                "INSERT OR REPLACE INTO statements VALUES (?,?,?,?,?,?)", (*row, json.dumps(asdict(statement)))
            )

    def get(self, statement_id: str) -> Statement | None:
        """The statement of this id."""
        with self._lock:
            row = self._db.execute("SELECT body FROM statements WHERE id = ?", (statement_id,)).fetchone()
        return _loaded(row[0]) if row else None

    def by_token(self, principal: str, token: str) -> Statement | None:
        """The statement that was sent with this token, if that is not too long ago."""
        with self._lock:
            row = self._db.execute(
                "SELECT body FROM statements WHERE principal = ? AND token = ? AND created > ? ORDER BY created DESC",
                (principal, token, time.time() - TOKEN_S),
            ).fetchone()
        return _loaded(row[0]) if row else None

    def listed(self, principal: str) -> list[Statement]:
        """A principal's statements, newest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT body FROM statements WHERE principal = ? ORDER BY created DESC, rowid DESC", (principal,)
            ).fetchall()
        return [_loaded(row[0]) for row in rows]

    def unfinished(self) -> list[Statement]:
        """What a kill interrupted."""
        with self._lock:
            rows = self._db.execute(
                "SELECT body FROM statements WHERE status NOT IN ('FINISHED','FAILED','ABORTED')"
            ).fetchall()
        return [_loaded(row[0]) for row in rows]

    def expire(self) -> list[str]:
        """Forget statements older than a day; returns their ids."""
        with self._lock:
            rows = self._db.execute(
                "DELETE FROM statements WHERE created < ? RETURNING id", (time.time() - KEEP_S,)
            ).fetchall()
        return [row[0] for row in rows]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _loaded(body: str) -> Statement:
    return Statement(**{key: value for key, value in json.loads(body).items() if key in _NAMES})
