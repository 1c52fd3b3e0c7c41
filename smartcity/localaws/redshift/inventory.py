"""Namespaces and workgroups: which warehouse exists, which roles it may assume, and where its file lies."""

from __future__ import annotations

import json
import threading
import uuid
from pathlib import Path
from typing import Any

from smartcity.localaws.api import AwsError, Context
from smartcity.localaws.database import connect
from smartcity.localaws.redshift.catalog import DATABASE


class Inventory:
    """Both kinds of record in one SQLite file; shared by the control and the data API of a process."""

    def __init__(self, context: Context) -> None:
        self.folder = context.root / "redshift"
        self._context = context
        self._lock = threading.RLock()
        self._db = connect(self.folder / "inventory.sqlite")
        self._db.execute("CREATE TABLE IF NOT EXISTS items (kind TEXT, name TEXT, body TEXT, PRIMARY KEY (kind, name))")

    def arn(self, kind: str, name: str) -> str:
        """The ARN ends in an id that is a function of account, region and name, as policies must name it."""
        context = self._context
        number = uuid.uuid5(uuid.NAMESPACE_URL, f"{context.account_id}/{context.region}/{kind}/{name}")
        return f"arn:aws:redshift-serverless:{context.region}:{context.account_id}:{kind}/{number}"

    def put(self, kind: str, name: str, body: dict[str, Any]) -> None:
        """Insert or replace."""
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO items VALUES (?,?,?)", (kind, name, json.dumps(body)))

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        """The record, or None."""
        with self._lock:
            row = self._db.execute("SELECT body FROM items WHERE kind = ? AND name = ?", (kind, name)).fetchone()
        return json.loads(row[0]) if row else None

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """The record; raises `ResourceNotFoundException`."""
        found = self.find(kind, name)
        if found is None:
            raise AwsError("ResourceNotFoundException", f"The {kind} {name} does not exist.")
        return found

    def all(self, kind: str) -> list[dict[str, Any]]:
        """All records of a kind by name."""
        with self._lock:
            rows = self._db.execute("SELECT body FROM items WHERE kind = ? ORDER BY name", (kind,)).fetchall()
        return [json.loads(row[0]) for row in rows]

    def remove(self, kind: str, name: str) -> None:
        """Delete a record."""
        with self._lock:
            self._db.execute("DELETE FROM items WHERE kind = ? AND name = ?", (kind, name))

    def file(self, namespace: str) -> Path:
        """The DuckDB file of a namespace."""
        return self.folder / namespace / f"{DATABASE}.duckdb"

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
