"""Where the catalog is kept: one SQLite file, changed only in transactions that are on disk before the answer.

WAL lets readers go on while someone writes. `synchronous=FULL` syncs the log at every commit, so that an answered
change survives not only `kill -9` (for which NORMAL would do) but a power cut as well; a catalog changes rarely
enough that the few milliseconds do not count. Connections are pooled: an operation takes one for its duration.
"""

from __future__ import annotations

import base64
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

#: How long a writer waits for another one before it gives up.
BUSY_TIMEOUT_S = 60.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS databases (name TEXT PRIMARY KEY, doc BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS tables (
    id INTEGER PRIMARY KEY AUTOINCREMENT, db TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
    doc BLOB NOT NULL, UNIQUE (db, name));
CREATE TABLE IF NOT EXISTS table_versions (
    table_id INTEGER NOT NULL, version INTEGER NOT NULL, doc BLOB NOT NULL, PRIMARY KEY (table_id, version));
CREATE TABLE IF NOT EXISTS partitions (
    table_id INTEGER NOT NULL, vals TEXT NOT NULL, doc BLOB NOT NULL, PRIMARY KEY (table_id, vals));
CREATE TABLE IF NOT EXISTS partition_indexes (
    table_id INTEGER NOT NULL, name TEXT NOT NULL, doc BLOB NOT NULL, PRIMARY KEY (table_id, name));
CREATE TABLE IF NOT EXISTS statistics (
    table_id INTEGER NOT NULL, vals TEXT NOT NULL, col TEXT NOT NULL, doc BLOB NOT NULL,
    PRIMARY KEY (table_id, vals, col)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS functions (
    db TEXT NOT NULL, name TEXT NOT NULL, doc BLOB NOT NULL, PRIMARY KEY (db, name));
CREATE TABLE IF NOT EXISTS tags (arn TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (arn, name));
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, doc BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS crawlers (name TEXT PRIMARY KEY, state TEXT NOT NULL, doc BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS crawls (
    id TEXT PRIMARY KEY, crawler TEXT NOT NULL, started REAL NOT NULL, state TEXT NOT NULL, doc BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS crawls_of ON crawls (crawler, started);
CREATE TABLE IF NOT EXISTS crawled_tables (
    crawler TEXT NOT NULL, location TEXT NOT NULL, db TEXT NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (crawler, db, name));
CREATE TABLE IF NOT EXISTS facts (
    crawler TEXT NOT NULL, uri TEXT NOT NULL, etag TEXT NOT NULL, doc BLOB NOT NULL,
    PRIMARY KEY (crawler, uri)) WITHOUT ROWID;
"""

_TIME, _BLOB = "$time", "$blob"


def _mark(value: Any) -> Any:
    if isinstance(value, datetime):
        return {_TIME: value.timestamp()}
    if isinstance(value, (bytes, bytearray)):
        return {_BLOB: base64.b64encode(value).decode()}
    raise TypeError(type(value).__name__)


def dump(doc: Any) -> bytes:
    """A document as JSON; times and blobs are marked so that `load` gives them back."""
    return orjson.dumps(doc, default=_mark, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _unmark(value: Any) -> Any:
    if isinstance(value, dict):
        if _TIME in value:
            return datetime.fromtimestamp(value[_TIME], UTC)
        if _BLOB in value:
            return base64.b64decode(value[_BLOB])
        return {key: _unmark(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unmark(item) for item in value]
    return value


def load(text: bytes) -> Any:
    """A document as it was stored, times and blobs at any depth."""
    return _unmark(orjson.loads(text))


def load_flat(text: bytes) -> dict[str, Any]:
    """A document whose times stand at its top level only (tables, partitions): much faster than `load`."""
    doc: dict[str, Any] = orjson.loads(text)
    for key, value in doc.items():
        if type(value) is dict and _TIME in value:
            doc[key] = datetime.fromtimestamp(value[_TIME], UTC)
    return doc


def values_key(values: list[str]) -> str:
    """The values of a partition as the text under which it is stored."""
    return orjson.dumps(values).decode()


class Store:
    """The SQLite file and its pool of connections. Thread-safe."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._idle: list[sqlite3.Connection] = []
        self._all: list[sqlite3.Connection] = []
        self._pool_lock = threading.Lock()
        self._write_lock = threading.RLock()
        with self.read() as db:
            db.executescript(_SCHEMA)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        self._all.append(db)
        return db

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees everything committed so far."""
        with self._pool_lock:
            db = self._idle.pop() if self._idle else self._connect()
        try:
            yield db
        finally:
            with self._pool_lock:
                self._idle.append(db)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed, durably, when the block ends; undone when it raises."""
        with self._write_lock, self.read() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def close(self) -> None:
        """Close every connection; the store cannot be used afterwards."""
        with self._write_lock, self._pool_lock:
            for db in self._all:
                db.close()
            self._all.clear()
            self._idle.clear()
