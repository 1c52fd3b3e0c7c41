"""SQLite as local AWS uses it: one file per service, every change committed before the answer."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def connect(path: Path) -> sqlite3.Connection:
    """Open (or create) a database for use from several threads under the caller's own lock.

    WAL with `synchronous=NORMAL`: a commit survives `kill -9` of this process; after a power failure the last
    commits may be missing, but the file is whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10.0)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
    return connection
