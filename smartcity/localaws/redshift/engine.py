"""The warehouse file: one locked-down DuckDB database, its macros and system views, and table locks.

DuckDB may read and write its own file and nothing else: no other file, no network, no extension, bounded memory, and
no statement can change that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smartcity.localaws.redshift import macros, system
from smartcity.localaws.redshift.catalog import INTERNAL
from smartcity.localaws.redshift.faults import SqlError

MEMORY_LIMIT = "1GB"
LOCK_TIMEOUT_S = 120.0


class Warehouse:
    """An open warehouse; `connect` gives a session's own connection."""

    def __init__(self, path: Path, memory_limit: str = MEMORY_LIMIT) -> None:
        import duckdb

        path.parent.mkdir(parents=True, exist_ok=True)
        spill = path.parent / "spill"
        self._root = duckdb.connect(
            str(path),
            config={
                "memory_limit": memory_limit,
                "threads": "2",
                "temp_directory": str(spill),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "allow_community_extensions": "false",
                "allow_unsigned_extensions": "false",
                "preserve_insertion_order": "true",
            },
        )
        self._guard = threading.Lock()
        self.locks = TableLocks()
        self._prepare()

    def _prepare(self) -> None:
        run = self._root.execute
        run("SET GLOBAL TimeZone = 'UTC'")
        run("SET enable_external_access = false")
        run("SET python_enable_replacements = false")
        run(f"CREATE SCHEMA IF NOT EXISTS {INTERNAL}")
        run("CREATE SCHEMA IF NOT EXISTS public")
        for statement in (*system.TABLES, *macros.statements(), *system.views()):
            run(statement)
        run("SET lock_configuration = true")

    def connect(self) -> Any:
        """A new connection with its own transaction and temporary tables."""
        with self._guard:
            return self._root.cursor()

    def close(self) -> None:
        """Checkpoint and close the file."""
        with self._guard:
            self._root.close()

    def committed(self, statement_id: str) -> bool:
        """Whether the transaction of a statement was committed, however the process ended."""
        found = self.connect().execute(f"SELECT 1 FROM {INTERNAL}.done WHERE id = ?", [statement_id]).fetchall()  # noqa: S608
        return bool(found)

    def forget(self, older_than_s: float) -> None:
        """Remove the marks of statements that ended long ago."""
        self.connect().execute(f"DELETE FROM {INTERNAL}.done WHERE ended < ?", [time.time() - older_than_s])  # noqa: S608

    def log_load_errors(self, query_id: str, rows: list[dict[str, Any]]) -> None:
        """Keep refused rows for STL_LOAD_ERRORS; in a transaction of its own, since the load's is rolled back."""
        connection = self.connect()
        for row in rows[:1000]:
            connection.execute(
                f"INSERT INTO {INTERNAL}.load_errors VALUES (?, now() AT TIME ZONE 'UTC', ?,?,?,?,?,?,?,?,?,?)",  # noqa: S608
                [query_id, *row.values()],
            )


class TableLocks:
    """Writers of one table wait for each other until the transaction ends, as in Redshift."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._owners: dict[str, object] = {}

    def acquire(self, table: str, owner: object, timeout_s: float = LOCK_TIMEOUT_S) -> None:
        """Wait for the lock; raises `SqlError` after `timeout_s`, which is how a deadlock ends."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._owners.get(table, owner) is not owner:
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise SqlError("deadlock detected")
            self._owners[table] = owner

    def release(self, owner: object) -> None:
        """Give back all locks of an owner."""
        with self._changed:
            self._owners = {table: holder for table, holder in self._owners.items() if holder is not owner}
            self._changed.notify_all()


@contextmanager
def registered(connection: Any, name: str, data: Any) -> Iterator[None]:
    """An Arrow table or data set under a name, for one statement."""
    connection.register(name, data)
    try:
        yield
    finally:
        connection.unregister(name)
