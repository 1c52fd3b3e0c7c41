"""Crawlers as resources: their definitions, schedules and states, and the threads in which they crawl."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any

from smartcity.localaws.api import AwsError, Context, Operation, Request
from smartcity.localaws.glue import faults
from smartcity.localaws.glue.crawl.run import role_arn
from smartcity.localaws.glue.crawl_runs import CrawlRuns
from smartcity.localaws.glue.crawler_input import checked
from smartcity.localaws.glue.paging import page
from smartcity.localaws.glue.scope import Scope
from smartcity.localaws.glue.store import dump, load

READY, RUNNING, STOPPING = "READY", "RUNNING", "STOPPING"


def find_crawler(db: sqlite3.Connection, name: str) -> tuple[str, dict[str, Any]]:
    """State and document of a crawler. Raises EntityNotFoundException."""
    row = db.execute("SELECT state, doc FROM crawlers WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise faults.not_found(f"Crawler entry with name {name} does not exist")
    return row[0], load(row[1])


class Crawlers:
    """Create, read, update, delete, start and stop crawlers."""

    def __init__(self, context: Context, scope: Scope, runs: CrawlRuns) -> None:
        self._context, self._scope, self._runs = context, scope, runs

    def operations(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "CreateCrawler": self.create,
            "UpdateCrawler": self.update,
            "DeleteCrawler": self.delete,
            "GetCrawler": self.get,
            "GetCrawlers": self.list,
            "ListCrawlers": self.list_names,
            "BatchGetCrawlers": self.get_many,
            "StartCrawler": self.start,
            "StopCrawler": self.stop,
        }

    def create(self, request: Request) -> dict[str, Any]:
        """A new crawler, ready to start."""
        params = dict(request.params)
        tags = params.pop("Tags", {})
        self._check_role(request, params["Role"])
        doc = checked(params)
        now = datetime.now(UTC)
        doc |= {"CreationTime": now, "LastUpdated": now, "Version": 1}
        with self._scope.store.write() as db:
            try:
                db.execute("INSERT INTO crawlers VALUES (?, ?, ?)", (doc["Name"], READY, dump(doc)))
            except sqlite3.IntegrityError:
                raise faults.already_exists(f"Crawler with name {doc['Name']} already exists") from None
            self._scope.set_tags(db, self._scope.arn("crawler", doc["Name"]), tags)
        return {}

    def _check_role(self, request: Request, role: str) -> None:
        """The caller must be allowed to hand the role over, and the role must trust Glue."""
        arn = role_arn(role, self._scope.account_id)
        service = {"iam:PassedToService": "glue.amazonaws.com"}
        self._context.access.check(request.caller.arn, "iam:PassRole", arn, service)
        try:
            self._context.access.role_credentials(arn, "glue.amazonaws.com", "AWS-Crawler")
        except AwsError:
            raise faults.invalid(f"Service is unable to assume role {arn}. Please verify role's TrustPolicy") from None

    def update(self, request: Request) -> dict[str, Any]:
        """Change the given members of a crawler that is not running."""
        params = request.params
        if "Role" in params:
            self._check_role(request, params["Role"])
        with self._scope.store.write() as db:
            state, old = find_crawler(db, params["Name"])
            _require_ready(state, params["Name"])
            doc = checked(params, old)
            doc |= {"LastUpdated": datetime.now(UTC), "Version": old["Version"] + 1}
            db.execute("UPDATE crawlers SET doc = ? WHERE name = ?", (dump(doc), doc["Name"]))
        return {}

    def delete(self, request: Request) -> dict[str, Any]:
        """Delete a crawler that is not running, its history and its memory; the tables stay."""
        name = request.params["Name"]
        with self._scope.store.write() as db:
            _require_ready(find_crawler(db, name)[0], name)
            for owned in ("crawls", "crawled_tables", "facts"):
                db.execute(f"DELETE FROM {owned} WHERE crawler = ?", (name,))  # noqa: S608  names from the line above
            db.execute("DELETE FROM crawlers WHERE name = ?", (name,))
            self._scope.forget_tags(db, self._scope.arn("crawler", name))
        return {}

    def get(self, request: Request) -> dict[str, Any]:
        """One crawler."""
        with self._scope.store.read() as db:
            return {"Crawler": _shown(*find_crawler(db, request.params["Name"]))}

    def _all(self) -> list[dict[str, Any]]:
        with self._scope.store.read() as db:
            rows = db.execute("SELECT state, doc FROM crawlers ORDER BY name").fetchall()
        return [_shown(state, load(doc)) for state, doc in rows]

    def list(self, request: Request) -> dict[str, Any]:
        """All crawlers in the order of their names."""
        chosen, more = page(self._all(), request.params, lambda doc: str(doc["Name"]))
        return {"Crawlers": chosen, **more}

    def list_names(self, request: Request) -> dict[str, Any]:
        """The names of all crawlers, or of those with all the given tags."""
        wanted = request.params.get("Tags", {}).items()
        names = [doc["Name"] for doc in self._all()]
        if wanted:
            with self._scope.store.read() as db:
                names = [name for name in names if wanted <= self._tags(db, name).items()]
        chosen, more = page(names, request.params, str)
        return {"CrawlerNames": chosen, **more}

    def _tags(self, db: sqlite3.Connection, name: str) -> dict[str, str]:
        arn = self._scope.arn("crawler", name)
        return dict(db.execute("SELECT name, value FROM tags WHERE arn = ?", (arn,)).fetchall())

    def get_many(self, request: Request) -> dict[str, Any]:
        """The crawlers of the given names, and the names of which there is none."""
        known = {doc["Name"]: doc for doc in self._all()}
        names = request.params["CrawlerNames"]
        return {
            "Crawlers": [known[name] for name in names if name in known],
            "CrawlersNotFound": [name for name in names if name not in known],
        }

    def start(self, request: Request) -> dict[str, Any]:
        """Start a crawl in the background. Raises CrawlerRunningException unless the crawler is ready."""
        name = request.params["Name"]
        with self._scope.store.write() as db:
            state, doc = find_crawler(db, name)
            _require_ready(state, name)
            begun = self._runs.begin(db, doc)
        self._runs.launch(begun)
        return {}

    def stop(self, request: Request) -> dict[str, Any]:
        """Interrupt the running crawl."""
        name = request.params["Name"]
        with self._scope.store.write() as db:
            state, _ = find_crawler(db, name)
            if state == READY:
                raise AwsError("CrawlerNotRunningException", f"Crawler with name {name} isn't running")
            if state == STOPPING:
                raise AwsError("CrawlerStoppingException", f"Crawler with name {name} is already stopping")
            db.execute("UPDATE crawlers SET state = ? WHERE name = ?", (STOPPING, name))
        self._runs.interrupt(name)
        return {}


def _require_ready(state: str, name: str) -> None:
    if state == RUNNING:
        raise AwsError("CrawlerRunningException", f"Crawler with name {name} has already started")
    if state == STOPPING:
        raise AwsError("CrawlerRunningException", f"Crawler with name {name} is stopping")


def _shown(state: str, doc: dict[str, Any]) -> dict[str, Any]:
    """A crawler as GetCrawler shows it: with its state, and the time since its crawl began while it runs."""
    began = doc.pop("CrawlStarted", None)
    elapsed = int((datetime.now(UTC) - began).total_seconds() * 1000) if began and state != READY else 0
    return {**doc, "State": state, "CrawlElapsedTime": max(elapsed, 0)}
