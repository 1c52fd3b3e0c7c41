"""One crawl: under the role's credentials, list the targets, look into what is new, and publish what was found."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from smartcity.localaws.api import AwsError, Context
from smartcity.localaws.glue.crawl.facts import Facts, read_facts
from smartcity.localaws.glue.crawl.folders import Found, Grouping, find_tables
from smartcity.localaws.glue.crawl.listing import S3Object, Target, list_target
from smartcity.localaws.glue.crawl.memory import Memory
from smartcity.localaws.glue.crawl.publish import Changes, Policy, Publisher
from smartcity.localaws.glue.crawl.reader import READERS, OpenReader, Reader
from smartcity.localaws.glue.scope import Scope

_NEEDS = {
    "ListObjectsV2": ("s3:ListBucket", "arn:aws:s3:::{bucket}"),
    "GetObject": ("s3:GetObject", "arn:aws:s3:::{bucket}/{key}"),
}


class CrawlFailed(Exception):
    """A crawl ended with a reason that its owner can do something about."""


class CrawlStopped(Exception):
    """Someone called StopCrawler."""


def role_arn(role: str, account_id: str) -> str:
    """The ARN of a role given by name, path and name, or ARN."""
    return role if role.startswith("arn:") else f"arn:aws:iam::{account_id}:role/{role}"


class Crawl:
    """One run of a crawler (its stored document). `stop` is set to interrupt it."""

    def __init__(
        self, context: Context, scope: Scope, open_reader: OpenReader, crawler: dict[str, Any], stop: threading.Event
    ) -> None:
        self._context, self._scope, self._open_reader = context, scope, open_reader
        self._crawler, self._stop = crawler, stop
        self._role = role_arn(crawler["Role"], scope.account_id)
        self._memory = Memory(scope.store, crawler["Name"])
        self._configuration = configuration_of(crawler)
        self._new_folders_only = (
            crawler.get("RecrawlPolicy", {}).get("RecrawlBehavior") == "CRAWL_NEW_FOLDERS_ONLY" and self._memory.seen
        )

    def run(self) -> Changes:
        """Crawl. Raises `CrawlFailed` with the reason, or `CrawlStopped`."""
        try:
            return self._run()
        except ClientError as error:
            raise CrawlFailed(self._explain(error)) from error
        except BotoCoreError as error:
            raise CrawlFailed(f"ERROR : {error}") from error
        except AwsError as error:
            raise CrawlFailed(f"ERROR : {error.code}: {error.message}") from error

    def _run(self) -> Changes:
        targets = [Target.of(given) for given in self._crawler["Targets"].get("S3Targets", ())]
        publisher = Publisher(self._scope, self._crawler, self._policy(), self._creator(), self._allow)
        self._ensure_database()
        found = self._find(targets)
        names = set()
        for table in found:
            self._check_stop()
            names.add(publisher.publish(table))
        if not self._new_folders_only:
            publisher.retire(names, [target.uri for target in targets])
        return publisher.changes

    def _creator(self) -> str:
        name = self._role.rpartition("/")[2]
        return f"arn:aws:sts::{self._scope.account_id}:assumed-role/{name}/AWS-Crawler"

    def _policy(self) -> Policy:
        given = self._crawler.get("SchemaChangePolicy", {})
        output = self._configuration.get("CrawlerOutput", {})
        behaviour = {kind: output.get(kind, {}).get("AddOrUpdateBehavior") for kind in ("Partitions", "Tables")}
        return Policy(
            update=given.get("UpdateBehavior", "UPDATE_IN_DATABASE") != "LOG",
            delete=given.get("DeleteBehavior", "DEPRECATE_IN_DATABASE"),
            inherit=behaviour["Partitions"] == "InheritFromTable",
            merge_columns=behaviour["Tables"] == "MergeNewColumns",
        )

    def _allow(self, action: str, database: str, table: str = "") -> None:
        resource = self._scope.arn("table", database, table) if table else self._scope.arn("database", database)
        self._context.access.check(self._role, action, resource)

    def _ensure_database(self) -> None:
        """AWS's crawler creates its database if nobody has."""
        from smartcity.localaws.glue.databases import Databases

        name = self._crawler["DatabaseName"].lower()
        self._allow("glue:GetDatabase", name)
        with self._scope.store.read() as db:
            if db.execute("SELECT 1 FROM databases WHERE name = ?", (name,)).fetchone():
                return
        self._allow("glue:CreateDatabase", name)
        Databases(self._scope).create_named(name)

    def _find(self, targets: Sequence[Target]) -> list[Found]:
        credentials = self._context.access.role_credentials(self._role, "glue.amazonaws.com", "AWS-Crawler")
        s3 = self._context.client("s3", **credentials)
        listed = [(target, self._chosen(list_target(s3, target))) for target in targets]
        reader = self._open_reader(self._context, credentials)
        facts = self._facts(reader, [(target, item) for target, items in listed for item in items])
        found: dict[str, Found] = {}
        for target, items in listed:
            grouping = self._grouping()
            pairs = [(item, facts[item.uri]) for item in items]
            for table in find_tables(target.bucket, target.prefix, pairs, grouping):
                found.setdefault(table.location, table)
        return list(found.values())

    def _grouping(self) -> Grouping:
        given = self._configuration.get("Grouping", {})
        level = given.get("TableLevelConfiguration")
        return Grouping(
            table_level=level if isinstance(level, int) else None,
            combine=given.get("TableGroupingPolicy") == "CombineCompatibleSchemas",
        )

    def _chosen(self, objects: Iterable[S3Object]) -> list[S3Object]:
        """All objects, or only those known before and those in folders never seen, as the recrawl policy says."""
        items = []
        for item in objects:
            self._check_stop()
            items.append(item)
        if not self._new_folders_only:
            return items
        folders = self._memory.folders()
        return [
            item
            for item in items
            if item.uri in self._memory.seen or f"s3://{item.bucket}/{item.folder}" not in folders
        ]

    def _facts(self, reader: Reader, wanted: Sequence[tuple[Target, S3Object]]) -> dict[str, Facts]:
        """Facts of all objects: remembered, read, or (beyond the sample size of a folder) inferred from neighbours."""
        items = [item for _, item in wanted]
        known = {item.uri: facts for item in items if (facts := self._recall(item)) is not None}
        unread = [(target, item) for target, item in wanted if item.uri not in known]
        chosen = _sampled(unread)
        with ThreadPoolExecutor(READERS, thread_name_prefix="crawl") as pool:
            read = dict(pool.map(lambda item: (item.uri, self._read(reader, item)), chosen))
        self._memory.learn([(item, read[item.uri]) for item in chosen], {item.uri for item in items})
        known.update(read)
        for item in items:
            if item.uri not in known:
                known[item.uri] = _inferred(item, chosen, read)
        return known

    def _recall(self, item: S3Object) -> Facts | None:
        if self._new_folders_only and item.uri in self._memory.seen:
            return self._memory.recall(item, whatever_etag=True)
        return self._memory.recall(item)

    def _read(self, reader: Reader, item: S3Object) -> Facts:
        self._check_stop()
        try:
            return read_facts(reader, item)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404", "InvalidRange"):
                return Facts("unknown")  # deleted or replaced since it was listed: the next crawl sees it
            raise CrawlFailed(self._explain(error, item)) from error

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise CrawlStopped

    def _explain(self, error: ClientError, item: S3Object | None = None) -> str:
        """AWS's kind of sentence: the code, who was refused which action on what, and the server's own words."""
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        text = f"ERROR : {message} (Service: Amazon S3; Status Code: {status}; Error Code: {code})"
        need = _NEEDS.get(error.operation_name)
        if code not in ("AccessDenied", "403") or need is None:
            return text
        first = item or S3Object(*self._first_target(), 0, "")
        resource = need[1].format(bucket=first.bucket, key=first.key)
        return f"{text}: {self._role} is not authorized to perform: {need[0]} on resource: {resource}"

    def _first_target(self) -> tuple[str, str]:
        target = Target.of(self._crawler["Targets"]["S3Targets"][0])
        return target.bucket, target.prefix


def configuration_of(crawler: dict[str, Any]) -> dict[str, Any]:
    """The crawler's Configuration, a JSON text, as a dictionary; empty if there is none."""
    text = crawler.get("Configuration")
    loaded = orjson.loads(text) if text else {}
    return loaded if isinstance(loaded, dict) else {}


def _sampled(unread: Sequence[tuple[Target, S3Object]]) -> list[S3Object]:
    """All objects, or per folder as many as the target's sample size: the last ones, where new columns appear."""
    by_folder: dict[tuple[Target, str], list[S3Object]] = {}
    for target, item in unread:
        by_folder.setdefault((target, item.folder), []).append(item)
    return [item for (target, _), items in by_folder.items() for item in items[-(target.sample_size or len(items)) :]]


def _inferred(item: S3Object, chosen: Sequence[S3Object], read: dict[str, Facts]) -> Facts:
    """What an object outside the sample probably is: like those read from its folder, rows by its size."""
    near = [other for other in chosen if (other.bucket, other.folder) == (item.bucket, item.folder)]
    if not near:
        return Facts("unknown")
    size = sum(other.size for other in near)
    rows = sum(read[other.uri].rows for other in near)
    like = read[near[-1].uri]
    return Facts(like.format, like.columns, round(rows * item.size / size), like.compression, like.options)
