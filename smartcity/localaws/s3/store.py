"""Buckets, objects and uploads.

Bytes lie in files that are never changed once written, below `data/<bucket>/`; the key's last part ends the file's
name, so that people can find things. A row in SQLite makes an object visible: readers see the old one or the new
one, never half of either, and `kill -9` at any moment leaves one of the two. Files without a row (from a kill
between writing and committing) are swept when the store opens.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smartcity.localaws.database import connect
from smartcity.localaws.s3.content import Content, Segment, Upload

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bucket(name TEXT PRIMARY KEY, created REAL NOT NULL, settings TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS object(
  bucket TEXT NOT NULL REFERENCES bucket(name), key TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
  modified REAL NOT NULL, segments TEXT NOT NULL, meta TEXT NOT NULL, PRIMARY KEY(bucket, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS upload(
  id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, initiated REAL NOT NULL, meta TEXT NOT NULL,
  done TEXT);
CREATE TABLE IF NOT EXISTS part(
  upload TEXT NOT NULL REFERENCES upload(id) ON DELETE CASCADE, number INTEGER NOT NULL, size INTEGER NOT NULL,
  etag TEXT NOT NULL, modified REAL NOT NULL, path TEXT NOT NULL, checksums TEXT NOT NULL,
  PRIMARY KEY(upload, number)) WITHOUT ROWID;
"""
_OBJECT = "key, size, etag, modified, segments, meta"
_UPLOAD = "id, bucket, key, initiated, meta, done"
_UNSAFE = re.compile(r"[^A-Za-z0-9._=-]+")


@dataclass(frozen=True)
class ObjectRecord:
    """An object without its bytes. `meta` holds what the client said: headers, user metadata, tags, checksums."""

    key: str
    size: int
    etag: str
    modified: float
    segments: tuple[Segment, ...]
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A part of an upload that has been received."""

    number: int
    size: int
    etag: str
    modified: float
    path: str
    checksums: dict[str, str]


@dataclass(frozen=True)
class UploadRecord:
    """A multipart upload in progress, or just completed (then `done` is the answer to repeat)."""

    id: str
    bucket: str
    key: str
    initiated: float
    meta: dict[str, Any]
    done: dict[str, Any] | None


class ObjectStore:
    """Everything below one folder. Threads may share it: one connection, one lock, short transactions."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.scratch = root / "scratch"
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        (root / "data").mkdir(exist_ok=True)
        self._opened = time.time()
        self._lock = threading.RLock()
        self._db = connect(root / "s3.sqlite")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
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

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    # Buckets

    def create_bucket(self, name: str, now: float, settings: dict[str, Any]) -> bool:
        """False when it exists."""
        with self._transaction() as db:
            made = db.execute("INSERT OR IGNORE INTO bucket VALUES(?, ?, ?)", (name, now, json.dumps(settings)))
            return made.rowcount == 1

    def buckets(self) -> list[tuple[str, float]]:
        """Names and times of creation, by name."""
        return [(name, created) for name, created in self._rows("SELECT name, created FROM bucket ORDER BY name")]

    def bucket_settings(self, name: str) -> dict[str, Any] | None:
        """Policy, tags and the like; None when there is no such bucket."""
        rows = self._rows("SELECT settings FROM bucket WHERE name = ?", name)
        return dict(json.loads(rows[0][0])) if rows else None

    def set_bucket_settings(self, name: str, changes: dict[str, Any]) -> None:
        """Merge `changes`; a value of None removes."""
        with self._transaction() as db:
            settings = {**(self.bucket_settings(name) or {}), **changes}
            kept = {key: value for key, value in settings.items() if value is not None}
            db.execute("UPDATE bucket SET settings = ? WHERE name = ?", (json.dumps(kept), name))

    def delete_bucket(self, name: str) -> bool:
        """False when it still holds objects. Uploads in progress are dropped with it."""
        with self._transaction() as db:
            if db.execute("SELECT 1 FROM object WHERE bucket = ? LIMIT 1", (name,)).fetchone():
                return False
            db.execute("DELETE FROM upload WHERE bucket = ?", (name,))
            db.execute("DELETE FROM bucket WHERE name = ?", (name,))
        shutil.rmtree(self.root / "data" / name, ignore_errors=True)
        return True

    # Objects

    def find(self, bucket: str, key: str) -> ObjectRecord | None:
        """The object, or None."""
        rows = self._rows(f"SELECT {_OBJECT} FROM object WHERE bucket = ? AND key = ?", bucket, key)  # noqa: S608
        return _record(rows[0]) if rows else None

    def content(self, record: ObjectRecord, start: int, length: int) -> Content:
        """A range of the bytes, opened; raises FileNotFoundError when the object was replaced since."""
        return Content(self.root, record.segments, start, length)

    def scan(self, bucket: str, after: str, inclusive: bool, limit: int) -> list[ObjectRecord]:
        """Up to `limit` objects in the order of their keys' UTF-8 bytes, from `after` on."""
        compare = ">=" if inclusive else ">"
        sql = f"SELECT {_OBJECT} FROM object WHERE bucket = ? AND key {compare} ? ORDER BY key LIMIT ?"  # noqa: S608
        return [_record(row) for row in self._rows(sql, bucket, after, limit)]

    def put(
        self,
        bucket: str,
        record: ObjectRecord,
        allowed: Callable[[ObjectRecord | None], None] = lambda _: None,
        finish: tuple[str, dict[str, Any]] | None = None,
    ) -> None:
        """Make an object visible, replacing what was there.

        `allowed` sees the present object inside the transaction and may raise: conditional writes are atomic.
        `finish` marks an upload as completed with the answer to repeat, in the same transaction.
        """
        segments = json.dumps([[s.path, s.size] for s in record.segments])
        with self._transaction() as db:
            old = self.find(bucket, record.key)
            allowed(old)
            values = (bucket, record.key, record.size, record.etag, record.modified, segments, json.dumps(record.meta))
            db.execute("INSERT OR REPLACE INTO object VALUES(?, ?, ?, ?, ?, ?, ?)", values)
            unused: list[str] = [] if finish is None else self._finish(db, finish, record)
        self._unlink([*unused, *(segment.path for segment in (old.segments if old else ()))])

    @staticmethod
    def _finish(db: sqlite3.Connection, finish: tuple[str, dict[str, Any]], record: ObjectRecord) -> list[str]:
        upload_id, answer = finish
        used = {segment.path for segment in record.segments}
        paths = [path for (path,) in db.execute("SELECT path FROM part WHERE upload = ?", (upload_id,))]
        db.execute("DELETE FROM part WHERE upload = ?", (upload_id,))
        db.execute("UPDATE upload SET done = ? WHERE id = ?", (json.dumps(answer), upload_id))
        return [path for path in paths if path not in used]

    def update_meta(self, bucket: str, key: str, changes: dict[str, Any]) -> None:
        """Merge into an object's metadata (tags)."""
        with self._transaction() as db:
            found = self.find(bucket, key)
            if found is not None:
                meta = json.dumps({**found.meta, **changes})
                db.execute("UPDATE object SET meta = ? WHERE bucket = ? AND key = ?", (meta, bucket, key))

    def delete(
        self, bucket: str, keys: Iterable[str], allowed: Callable[[ObjectRecord | None], None] = lambda _: None
    ) -> None:
        """Remove objects in one transaction; what does not exist is no error."""
        gone: list[str] = []
        with self._transaction() as db:
            for key in keys:
                found = self.find(bucket, key)
                allowed(found)
                db.execute("DELETE FROM object WHERE bucket = ? AND key = ?", (bucket, key))
                gone.extend(segment.path for segment in (found.segments if found else ()))
        self._unlink(gone)

    # Uploads

    def create_upload(self, bucket: str, key: str, now: float, meta: dict[str, Any]) -> str:
        """A new upload's id. Ids begin with the time, so that they sort by age."""
        upload_id = f"{int(now * 1000):012x}{uuid.uuid4().hex}"
        with self._transaction() as db:
            values = (upload_id, bucket, key, now, json.dumps(meta), None)
            db.execute("INSERT INTO upload VALUES(?, ?, ?, ?, ?, ?)", values)
        return upload_id

    def find_upload(self, bucket: str, key: str, upload_id: str) -> UploadRecord | None:
        """The upload, if it belongs to this key."""
        sql = f"SELECT {_UPLOAD} FROM upload WHERE id = ? AND bucket = ? AND key = ?"  # noqa: S608
        rows = self._rows(sql, upload_id, bucket, key)
        return _upload(rows[0]) if rows else None

    def uploads(self, bucket: str) -> list[UploadRecord]:
        """Uploads in progress, by key and age."""
        sql = f"SELECT {_UPLOAD} FROM upload WHERE bucket = ? AND done IS NULL ORDER BY key, id"  # noqa: S608
        return [_upload(row) for row in self._rows(sql, bucket)]

    def put_part(self, upload_id: str, part: Part) -> bool:
        """Add or replace a part; False when the upload is gone by now."""
        with self._transaction() as db:
            open_ = db.execute("SELECT 1 FROM upload WHERE id = ? AND done IS NULL", (upload_id,)).fetchone()
            old = db.execute(
                "SELECT path FROM part WHERE upload = ? AND number = ?", (upload_id, part.number)
            ).fetchone()
            if open_:
                values = (part.number, part.size, part.etag, part.modified, part.path, json.dumps(part.checksums))
                db.execute("INSERT OR REPLACE INTO part VALUES(?, ?, ?, ?, ?, ?, ?)", (upload_id, *values))
        self._unlink([old[0]] if open_ and old else [] if open_ else [part.path])
        return open_ is not None

    def parts(self, upload_id: str) -> list[Part]:
        """The parts received so far, by number."""
        sql = "SELECT number, size, etag, modified, path, checksums FROM part WHERE upload = ? ORDER BY number"
        return [
            Part(number, size, etag, modified, path, json.loads(checksums))
            for number, size, etag, modified, path, checksums in self._rows(sql, upload_id)
        ]

    def abort_upload(self, upload_id: str) -> None:
        """Forget an upload and its parts."""
        paths = [part.path for part in self.parts(upload_id)]
        with self._transaction() as db:
            db.execute("DELETE FROM upload WHERE id = ?", (upload_id,))
        self._unlink(paths)

    # Files

    def new_path(self, bucket: str, key: str) -> str:
        """A path, relative to the root, at which nothing is."""
        unique = uuid.uuid4().hex
        tail = _UNSAFE.sub("_", key.rstrip("/").rpartition("/")[2])[-80:]
        folder = Path("data") / bucket / unique[:2]
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        return str(folder / f"{unique}-{tail}")

    def keep(self, upload: Upload, bucket: str, key: str) -> tuple[Segment, ...]:
        """The bytes of an upload as a file of the store."""
        if upload.size == 0:
            return ()
        path = self.new_path(bucket, key)
        upload.settle(self.root / path)
        return (Segment(path, upload.size),)

    def copy(self, record: ObjectRecord, bucket: str, key: str) -> tuple[Segment, ...]:
        """The same bytes under new names: files never change, so a hard link does."""
        copies = []
        for segment in record.segments:
            path = self.new_path(bucket, key)
            try:
                os.link(self.root / segment.path, self.root / path)
            except FileNotFoundError:
                raise
            except OSError:
                shutil.copyfile(self.root / segment.path, self.root / path)
            copies.append(Segment(path, segment.size))
        return tuple(copies)

    def discard(self, segments: Iterable[Segment]) -> None:
        """Remove files that did not become an object."""
        self._unlink(segment.path for segment in segments)

    def _unlink(self, paths: Iterable[str]) -> None:
        for path in filter(None, paths):
            (self.root / path).unlink(missing_ok=True)

    def sweep(self) -> int:
        """Remove files that no row names, left by a kill; returns how many.

        Safe while requests run: only files whose inode has not changed since the store was opened are looked at.
        """
        known = {path for (segments,) in self._rows("SELECT segments FROM object") for path, _ in json.loads(segments)}
        known.update(path for (path,) in self._rows("SELECT path FROM part"))
        swept = 0
        for path in (self.root / "data").glob("*/*/*"):
            if path.relative_to(self.root).as_posix() not in known and path.stat().st_ctime < self._opened - 1:
                path.unlink(missing_ok=True)
                swept += 1
        return swept


def _record(row: Any) -> ObjectRecord:
    key, size, etag, modified, segments, meta = row
    return ObjectRecord(
        key,
        size,
        etag,
        modified,
        tuple(Segment(path, length) for path, length in json.loads(segments)),
        json.loads(meta),
    )


def _upload(row: Any) -> UploadRecord:
    upload_id, bucket, key, initiated, meta, done = row
    return UploadRecord(upload_id, bucket, key, initiated, json.loads(meta), json.loads(done) if done else None)
