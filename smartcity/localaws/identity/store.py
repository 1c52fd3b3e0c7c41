"""Users, groups, roles, policies, keys and sessions: kept in memory, written to SQLite before a call answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

from smartcity.localaws.api import AwsError
from smartcity.localaws.database import connect

Kind = Literal["user", "group", "role", "policy", "key", "session"]
Entity = dict[str, Any]


class IdentityStore:
    """A small document store: entities by kind and name.

    Readers get copies or must not change what they get; writers work inside `change()`, which is one transaction:
    it is on disk when the block ends, or it never was.
    """

    def __init__(self, path: Path, account_id: str) -> None:
        self.account_id = account_id
        self.generation = 0  #: grows with every change: whoever caches what it derived compares it
        self._lock = threading.RLock()
        self._db = connect(path)
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS entity(kind TEXT, name TEXT, body TEXT NOT NULL, PRIMARY KEY(kind, name))"
        )
        self._entities: dict[str, dict[str, Entity]] = {}
        for kind, name, body in self._db.execute("SELECT kind, name, body FROM entity"):
            self._entities.setdefault(kind, {})[name] = json.loads(body)
        path.chmod(0o600)

    @contextmanager
    def change(self) -> Iterator[None]:
        """One transaction; memory is put back when the block raises."""
        with self._lock:
            before = {kind: dict(named) for kind, named in self._entities.items()}
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                self._entities = before
                raise
            self._db.execute("COMMIT")
            self.generation += 1

    def find(self, kind: Kind, name: str) -> Entity | None:
        """The entity, not to be changed by the caller, or None."""
        return self._entities.get(kind, {}).get(name)

    def get(self, kind: Kind, name: str) -> Entity:
        """A copy of the entity that may be changed and given to `put`; raises `NoSuchEntity`."""
        found = self.find(kind, name)
        if found is None:
            raise AwsError("NoSuchEntity", f"The {kind} with name {name} cannot be found.", 404)
        return deepcopy(found)

    def all(self, kind: Kind) -> list[Entity]:
        """Every entity of a kind, by name."""
        with self._lock:
            named = self._entities.get(kind, {})
            return [named[name] for name in sorted(named)]

    def put(self, kind: Kind, name: str, entity: Entity) -> None:
        """Write inside `change()`."""
        self._db.execute("INSERT OR REPLACE INTO entity VALUES(?, ?, ?)", (kind, name, json.dumps(entity)))
        self._entities.setdefault(kind, {})[name] = entity

    def create(self, kind: Kind, name: str, entity: Entity) -> None:
        """Write something new inside `change()`; raises `EntityAlreadyExists` (names differ by more than case)."""
        taken = self._entities.get(kind, {})
        if name in taken or any(name.lower() == other.lower() for other in taken):
            raise AwsError("EntityAlreadyExists", f"{kind.capitalize()} with name {name} already exists.", 409)
        self.put(kind, name, entity)

    def delete(self, kind: Kind, name: str) -> None:
        """Remove inside `change()`; what does not exist is no error."""
        self._db.execute("DELETE FROM entity WHERE kind = ? AND name = ?", (kind, name))
        self._entities.get(kind, {}).pop(name, None)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
