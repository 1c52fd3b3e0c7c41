"""History, metrics and schedules of crawlers."""

from __future__ import annotations

import operator
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.glue import faults
from smartcity.localaws.glue.crawler_input import schedule_of
from smartcity.localaws.glue.crawlers import RUNNING, find_crawler
from smartcity.localaws.glue.paging import page
from smartcity.localaws.glue.scope import Scope
from smartcity.localaws.glue.store import dump, load

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "GT": operator.gt,
    "GE": operator.ge,
    "LT": operator.lt,
    "LE": operator.le,
    "EQ": operator.eq,
    "NE": operator.ne,
}

_FIELDS = {
    "CRAWL_ID": "CrawlId",
    "STATE": "State",
    "START_TIME": "StartTime",
    "END_TIME": "EndTime",
    "DPU_HOUR": "DPUHour",
}


class CrawlHistory:
    """What crawlers did, and when they would do it again."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def operations(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "ListCrawls": self.list,
            "GetCrawlerMetrics": self.metrics,
            "UpdateCrawlerSchedule": self.update_schedule,
            "StartCrawlerSchedule": self.start_schedule,
            "StopCrawlerSchedule": self.stop_schedule,
        }

    def _crawls(self, crawler: str) -> list[dict[str, Any]]:
        """The crawls of a crawler, the latest first."""
        with self._scope.store.read() as db:
            find_crawler(db, crawler)
            rows = db.execute(
                "SELECT state, doc FROM crawls WHERE crawler = ? ORDER BY started DESC", (crawler,)
            ).fetchall()
        return [{**load(doc), "State": state} for state, doc in rows]

    def list(self, request: Request) -> dict[str, Any]:
        """The crawls that fit all filters, the latest first."""
        crawls = self._crawls(request.params["CrawlerName"])
        for wanted in request.params.get("Filters", ()):
            crawls = [crawl for crawl in crawls if _fits(crawl, wanted)]
        chosen, more = page(crawls, request.params, _latest_first, default=20)
        return {"Crawls": [{key: value for key, value in crawl.items() if key != "Counts"} for crawl in chosen], **more}

    def metrics(self, request: Request) -> dict[str, Any]:
        """Durations in seconds and, of the last crawl, the numbers of tables."""
        names = request.params.get("CrawlerNameList")
        with self._scope.store.read() as db:
            known = [row[0] for row in db.execute("SELECT name FROM crawlers ORDER BY name")]
        chosen, more = page([name for name in known if not names or name in names], request.params, str)
        return {"CrawlerMetricsList": [self._metrics_of(name) for name in chosen], **more}

    def _metrics_of(self, name: str) -> dict[str, Any]:
        crawls = self._crawls(name)
        ended = [crawl for crawl in crawls if "EndTime" in crawl]
        seconds = [(crawl["EndTime"] - crawl["StartTime"]).total_seconds() for crawl in ended]
        counts: dict[str, int] = next((crawl["Counts"] for crawl in ended if "Counts" in crawl), {})
        return {
            "CrawlerName": name,
            "TimeLeftSeconds": 0.0,
            "StillEstimating": any(crawl["State"] == RUNNING for crawl in crawls),
            "LastRuntimeSeconds": seconds[0] if seconds else 0.0,
            "MedianRuntimeSeconds": statistics.median(seconds) if seconds else 0.0,
            "TablesCreated": counts.get("added", 0),
            "TablesUpdated": counts.get("updated", 0),
            "TablesDeleted": counts.get("deleted", 0),
        }

    def update_schedule(self, request: Request) -> dict[str, Any]:
        """Set or remove a schedule. Schedules are kept and shown; nothing starts by itself here."""
        expression = request.params.get("Schedule")
        self._change(request.params["CrawlerName"], lambda _: schedule_of(expression) if expression else None)
        return {}

    def start_schedule(self, request: Request) -> dict[str, Any]:
        """Switch a schedule on."""

        def switched(old: dict[str, Any] | None) -> dict[str, Any]:
            if old is None:
                raise AwsError("NoScheduleException", "There is no applicable schedule.")
            if old["State"] == "SCHEDULED":
                raise AwsError("SchedulerRunningException", "The schedule is already running.")
            return {**old, "State": "SCHEDULED"}

        self._change(request.params["CrawlerName"], switched)
        return {}

    def stop_schedule(self, request: Request) -> dict[str, Any]:
        """Switch a schedule off; it is kept."""

        def switched(old: dict[str, Any] | None) -> dict[str, Any]:
            if old is None or old["State"] != "SCHEDULED":
                raise AwsError("SchedulerNotRunningException", "The schedule is not running.")
            return {**old, "State": "NOT_SCHEDULED"}

        self._change(request.params["CrawlerName"], switched)
        return {}

    def _change(self, name: str, change: Callable[[dict[str, Any] | None], dict[str, Any] | None]) -> None:
        with self._scope.store.write() as db:
            _, doc = find_crawler(db, name)
            schedule = change(doc.pop("Schedule", None))
            if schedule is not None:
                doc["Schedule"] = schedule
            db.execute("UPDATE crawlers SET doc = ? WHERE name = ?", (dump(doc), name))


def _latest_first(crawl: dict[str, Any]) -> str:
    return f"{10**16 - int(crawl['StartTime'].timestamp() * 1000):017d}{crawl['CrawlId']}"


def _fits(crawl: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """One filter of ListCrawls; times are epoch milliseconds, as AWS takes them."""
    value = crawl.get(_FIELDS[wanted.get("FieldName", "CRAWL_ID")])
    text = wanted.get("FieldValue", "")
    if value is None:
        return False
    try:
        given = datetime.fromtimestamp(int(text) / 1000, UTC) if isinstance(value, datetime) else type(value)(text)
    except (ValueError, OverflowError, OSError):
        raise faults.invalid(f"Invalid filter value: {text}") from None
    return _OPERATORS[wanted.get("FilterOperator", "EQ")](value, given)
