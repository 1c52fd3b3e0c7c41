"""What Athena remembers: one SQLite file, every change committed before the call is answered.

Executions are kept as documents in the shape of the API, with the few fields by which they are looked up beside them.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smartcity.localaws.database import connect

_SCHEMA = """
CREATE TABLE IF NOT EXISTS executions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, workgroup TEXT NOT NULL, token TEXT,
    state TEXT NOT NULL, submitted REAL NOT NULL, fingerprint TEXT NOT NULL, doc TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS executions_token ON executions (token) WHERE token IS NOT NULL;
CREATE INDEX IF NOT EXISTS executions_workgroup ON executions (workgroup, seq);
CREATE INDEX IF NOT EXISTS executions_fingerprint ON executions (fingerprint, seq);
CREATE TABLE IF NOT EXISTS results (id TEXT PRIMARY KEY, doc TEXT NOT NULL, offsets BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, scope TEXT NOT NULL, name TEXT NOT NULL, doc TEXT NOT NULL, PRIMARY KEY (kind, scope, name));
CREATE TABLE IF NOT EXISTS tags (arn TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (arn, key));
"""

Document = dict[str, Any]


class Store:
    """The state of one local Athena."""

    def __init__(self, path: Path) -> None:
        self._db = connect(path)
        self._lock = threading.RLock()
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    # Executions

    def add_execution(self, doc: Document, token: str | None, submitted: float, fingerprint: str) -> Document:
        """Store a new execution, or return the one that already carries this token."""
        with self._transaction() as db:
            if token is not None:
                found = db.execute("SELECT doc FROM executions WHERE token = ?", (token,)).fetchone()
                if found:
                    earlier: Document = json.loads(found[0])
                    return earlier
            row = (doc["QueryExecutionId"], doc["WorkGroup"], token, doc["Status"]["State"], submitted, fingerprint)
            db.execute(
                "INSERT INTO executions (id, workgroup, token, state, submitted, fingerprint, doc)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*row, json.dumps(doc)),
            )
        return doc

    def save_execution(self, doc: Document) -> None:
        """Store the new state of an execution."""
        with self._transaction() as db:
            values = (doc["Status"]["State"], json.dumps(doc), doc["QueryExecutionId"])
            db.execute("UPDATE executions SET state = ?, doc = ? WHERE id = ?", values)

    def execution(self, id_: str) -> Document | None:
        """One execution."""
        rows = self._rows("SELECT doc FROM executions WHERE id = ?", id_)
        return json.loads(rows[0][0]) if rows else None

    def unfinished(self) -> list[Document]:
        """Executions that were queued or running when the process ended."""
        rows = self._rows("SELECT doc FROM executions WHERE state IN ('QUEUED', 'RUNNING') ORDER BY seq")
        return [json.loads(row[0]) for row in rows]

    def execution_ids(self, workgroup: str, before: int | None, limit: int) -> list[tuple[int, str]]:
        """Sequence numbers and ids of a workgroup's executions, newest first, older than `before`."""
        sql = "SELECT seq, id FROM executions WHERE workgroup = ? AND seq < ? ORDER BY seq DESC LIMIT ?"
        return [(row[0], row[1]) for row in self._rows(sql, workgroup, before or 2**62, limit)]

    def reusable(self, fingerprint: str, since: float) -> Document | None:
        """The newest successful execution of the same query not older than `since` (seconds since 1970)."""
        sql = (
            "SELECT doc FROM executions WHERE fingerprint = ? AND state = 'SUCCEEDED' AND submitted >= ?"
            " ORDER BY seq DESC LIMIT 1"
        )
        rows = self._rows(sql, fingerprint, since)
        return json.loads(rows[0][0]) if rows else None

    def forget_executions(self, workgroup: str) -> None:
        """Delete the history of a workgroup."""
        with self._transaction() as db:
            db.execute("DELETE FROM results WHERE id IN (SELECT id FROM executions WHERE workgroup = ?)", (workgroup,))
            db.execute("DELETE FROM executions WHERE workgroup = ?", (workgroup,))

    # Results

    def save_result(self, id_: str, doc: Document, offsets: bytes) -> None:
        """Store where a result lies and how to find its pages."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?)", (id_, json.dumps(doc), offsets))

    def result(self, id_: str) -> tuple[Document, bytes] | None:
        """The description and the page offsets of a result."""
        rows = self._rows("SELECT doc, offsets FROM results WHERE id = ?", id_)
        return (json.loads(rows[0][0]), rows[0][1]) if rows else None

    # Workgroups, named queries, prepared statements

    def put(self, kind: str, scope: str, name: str, doc: Document, replace: bool = True) -> bool:
        """Store a document; without `replace`, False says that there already was one."""
        with self._transaction() as db:
            verb = "INSERT OR REPLACE" if replace else "INSERT OR IGNORE"
            done = db.execute(f"{verb} INTO documents VALUES (?, ?, ?, ?)", (kind, scope, name, json.dumps(doc)))
            return done.rowcount > 0

    def get(self, kind: str, scope: str, name: str) -> Document | None:
        """One document."""
        rows = self._rows("SELECT doc FROM documents WHERE kind = ? AND scope = ? AND name = ?", kind, scope, name)
        return json.loads(rows[0][0]) if rows else None

    def find(self, kind: str, name: str) -> Document | None:
        """One document whose scope is not known."""
        rows = self._rows("SELECT doc FROM documents WHERE kind = ? AND name = ?", kind, name)
        return json.loads(rows[0][0]) if rows else None

    def all(self, kind: str, scope: str) -> list[Document]:
        """Every document of a kind in a scope, by name."""
        rows = self._rows("SELECT doc FROM documents WHERE kind = ? AND scope = ? ORDER BY name", kind, scope)
        return [json.loads(row[0]) for row in rows]

    def delete(self, kind: str, scope: str, name: str) -> bool:
        """Delete a document; False if there was none."""
        with self._transaction() as db:
            values = (kind, scope, name)
            return db.execute("DELETE FROM documents WHERE kind = ? AND scope = ? AND name = ?", values).rowcount > 0

    # Tags

    def tag(self, arn: str, tags: Iterable[tuple[str, str]]) -> None:
        """Add or change tags of a resource."""
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO tags VALUES (?, ?, ?)", [(arn, key, value) for key, value in tags])

    def untag(self, arn: str, keys: Iterable[str] | None = None) -> None:
        """Remove tags of a resource; all of them without `keys`."""
        with self._transaction() as db:
            if keys is None:
                db.execute("DELETE FROM tags WHERE arn = ?", (arn,))
            else:
                db.executemany("DELETE FROM tags WHERE arn = ? AND key = ?", [(arn, key) for key in keys])

    def tags(self, arn: str) -> list[tuple[str, str]]:
        """Tags of a resource, by key."""
        return [(row[0], row[1]) for row in self._rows("SELECT key, value FROM tags WHERE arn = ? ORDER BY key", arn)]
