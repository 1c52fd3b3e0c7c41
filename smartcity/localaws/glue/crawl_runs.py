"""Running crawls: one thread each, begun and ended in the store, so that a killed process leaves none behind."""

from __future__ import annotations

import logging
import sqlite3
import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from smartcity.localaws.api import Context
from smartcity.localaws.glue.crawl.publish import Changes
from smartcity.localaws.glue.crawl.reader import OpenReader
from smartcity.localaws.glue.crawl.run import Crawl, CrawlFailed, CrawlStopped
from smartcity.localaws.glue.scope import Scope
from smartcity.localaws.glue.store import dump, load

LOG_GROUP = "/aws-glue/crawlers"

#: How long a stop of the service waits for each crawl to notice.
STOP_TIMEOUT_S = 10.0

_MAX_MESSAGE = 2048
_MAX_SUMMARY = 255
_log = logging.getLogger(__name__)

#: State in the history → status of the last crawl.
_STATUS = {"COMPLETED": "SUCCEEDED", "FAILED": "FAILED", "STOPPED": "CANCELLED"}


@dataclass(frozen=True)
class Outcome:
    """How a crawl ended: its state in the history, and a message or what it changed."""

    state: str
    message: str | None = None
    changes: Changes | None = None


class CrawlRuns:
    """Begins, runs, interrupts and ends crawls."""

    def __init__(self, context: Context, scope: Scope, open_reader: OpenReader) -> None:
        self._context, self._scope, self._open_reader = context, scope, open_reader
        self._threads: dict[str, tuple[threading.Thread, threading.Event]] = {}

    def begin(self, db: sqlite3.Connection, crawler: dict[str, Any]) -> dict[str, Any]:
        """Write down, within the caller's transaction, that a crawl begins; returns its entry in the history."""
        now, name = datetime.now(UTC), crawler["Name"]
        crawl_id = str(uuid.uuid4())
        crawl = {
            "CrawlId": crawl_id,
            "StartTime": now,
            "LogGroup": LOG_GROUP,
            "LogStream": name,
            "MessagePrefix": crawl_id,
            "DPUHour": 0.0,
        }
        db.execute("INSERT INTO crawls VALUES (?, ?, ?, 'RUNNING', ?)", (crawl_id, name, now.timestamp(), dump(crawl)))
        doc = {**crawler, "CrawlStarted": now}
        db.execute("UPDATE crawlers SET state = 'RUNNING', doc = ? WHERE name = ?", (dump(doc), name))
        return {**crawl, "Crawler": doc}

    def launch(self, begun: dict[str, Any]) -> None:
        """Start the thread of a crawl that has begun."""
        name, stop = begun["Crawler"]["Name"], threading.Event()
        thread = threading.Thread(target=self._run, args=(begun, stop), name=f"crawler {name}", daemon=True)
        self._threads[name] = (thread, stop)
        thread.start()

    def _run(self, begun: dict[str, Any], stop: threading.Event) -> None:
        crawler = begun["Crawler"]
        try:
            crawl = Crawl(self._context, self._scope, self._open_reader, crawler, stop)
            outcome = Outcome("COMPLETED", changes=crawl.run())
        except CrawlStopped:
            outcome = Outcome("STOPPED", "The crawl was stopped.")
        except CrawlFailed as error:
            outcome = Outcome("FAILED", str(error))
        except Exception:  # a crawler must never stay RUNNING, whatever went wrong
            _log.exception("crawl %s of %s", begun["CrawlId"], crawler["Name"])
            outcome = Outcome("FAILED", "Internal Service Exception")
        for line in outcome.changes.log if outcome.changes else ():
            _log.info("crawler %s: %s", crawler["Name"], line)
        with self._scope.store.write() as db:
            _end(db, begun["CrawlId"], crawler["Name"], outcome)

    def interrupt(self, name: str) -> None:
        """Tell a running crawl to stop."""
        running = self._threads.get(name)
        if running:
            running[1].set()

    def recover(self) -> None:
        """At start: crawls that a kill interrupted have failed; whatever they had published stays, consistent."""
        with self._scope.store.write() as db:
            for crawl_id, name in db.execute("SELECT id, crawler FROM crawls WHERE state = 'RUNNING'").fetchall():
                reason = "Internal Service Exception: the service was stopped while the crawl was running."
                _end(db, crawl_id, name, Outcome("FAILED", reason))
            db.execute("UPDATE crawlers SET state = 'READY' WHERE state != 'READY'")

    def stop(self) -> None:
        """Interrupt all crawls and wait for them."""
        for _, stop in self._threads.values():
            stop.set()
        for thread, _ in self._threads.values():
            thread.join(STOP_TIMEOUT_S)


def _end(db: sqlite3.Connection, crawl_id: str, name: str, outcome: Outcome) -> None:
    """Write down, within a transaction, how a crawl ended; its crawler is ready again."""
    row = db.execute("SELECT doc FROM crawls WHERE id = ?", (crawl_id,)).fetchone()
    owner = db.execute("SELECT doc FROM crawlers WHERE name = ?", (name,)).fetchone()
    if row is None or owner is None:
        return
    crawl = {**load(row[0]), "EndTime": datetime.now(UTC)}
    if outcome.message:
        crawl["ErrorMessage"] = outcome.message[:_MAX_MESSAGE]
    if outcome.changes is not None:
        crawl |= {"Summary": summary(outcome.changes), "Counts": _counts(outcome.changes)}
    db.execute("UPDATE crawls SET state = ?, doc = ? WHERE id = ?", (outcome.state, dump(crawl), crawl_id))
    doc = {**load(owner[0]), "LastCrawl": _last_crawl(crawl, outcome.state)}
    db.execute("UPDATE crawlers SET state = 'READY', doc = ? WHERE name = ?", (dump(doc), name))


def _last_crawl(crawl: dict[str, Any], state: str) -> dict[str, Any]:
    members = ("ErrorMessage", "LogGroup", "LogStream", "MessagePrefix", "StartTime")
    return {"Status": _STATUS[state], **{key: crawl[key] for key in members if key in crawl}}


def _counts(changes: Changes) -> dict[str, int]:
    return {"added": len(changes.added), "updated": len(changes.updated), "deleted": len(changes.deleted)}


def summary(changes: Changes) -> str:
    """AWS's summary of a crawl: JSON texts within JSON; names are left out where they would not fit."""
    tables = {"ADD": changes.added, "UPDATE": changes.updated, "DELETE": changes.deleted}
    partitions = {
        "ADD": changes.partitions_added,
        "UPDATE": changes.partitions_updated,
        "DELETE": changes.partitions_deleted,
    }
    counts = {verb: {"Count": count} for verb, count in partitions.items() if count}
    named = {verb: {"Count": len(names), "Details": {"names": names}} for verb, names in tables.items() if names}
    text = _summary(named, counts)
    bare = {verb: {"Count": len(names)} for verb, names in tables.items() if names}
    return text if len(text) <= _MAX_SUMMARY else _summary(bare, counts)


def _summary(tables: dict[str, Any], partitions: dict[str, Any]) -> str:
    parts = {"TABLE": tables, "PARTITION": partitions}
    return orjson.dumps({kind: orjson.dumps(counts).decode() for kind, counts in parts.items() if counts}).decode()
