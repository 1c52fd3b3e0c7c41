"""What CreateCrawler and UpdateCrawler accept, and how AWS says no."""

from __future__ import annotations

import re
from typing import Any

import orjson

from smartcity.localaws.glue.faults import invalid, not_found

_DEFAULTS: dict[str, Any] = {
    "Classifiers": [],
    "RecrawlPolicy": {"RecrawlBehavior": "CRAWL_EVERYTHING"},
    "SchemaChangePolicy": {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "DEPRECATE_IN_DATABASE"},
    "LineageConfiguration": {"CrawlerLineageSettings": "DISABLE"},
    "LakeFormationConfiguration": {"UseLakeFormationCredentials": False, "AccountId": ""},
}

#: Targets that need something other than S3 behind them.
_ELSEWHERE = (
    "JdbcTargets",
    "MongoDBTargets",
    "DynamoDBTargets",
    "CatalogTargets",
    "DeltaTargets",
    "IcebergTargets",
    "HudiTargets",
)

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_CRON = re.compile(r"cron\(\S+ \S+ \S+ \S+ \S+ \S+\)")


def checked(params: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, Any]:
    """The crawler's document from a request, over the old one if it exists. Raises InvalidInputException."""
    given = {key: value for key, value in params.items() if key != "CatalogId"}
    schedule = given.pop("Schedule", None)
    doc: dict[str, Any] = {**(_DEFAULTS if old is None else old), **given}
    policy = given.get("SchemaChangePolicy", {})
    doc["SchemaChangePolicy"] = {**(old or _DEFAULTS)["SchemaChangePolicy"], **policy}
    if schedule:
        doc["Schedule"] = schedule_of(schedule)
    _check_targets(doc.get("Targets", {}))
    _check_configuration(doc.get("Configuration"))
    _check_recrawl(doc)
    if doc.get("Classifiers"):
        raise not_found(f"Classifier {doc['Classifiers'][0]} not found.")
    if not doc.get("DatabaseName"):
        raise invalid("DatabaseName is required for crawlers of S3 targets.")
    return doc


def schedule_of(expression: str) -> dict[str, str]:
    """A schedule that was just set. Raises InvalidInputException for what is no cron expression of AWS."""
    if not _CRON.fullmatch(expression):
        raise invalid(f"Invalid schedule expression: {expression}. It must be like cron(15 12 * * ? *).")
    return {"ScheduleExpression": expression, "State": "SCHEDULED"}


def _check_targets(targets: dict[str, Any]) -> None:
    elsewhere = [name for name in _ELSEWHERE if targets.get(name)]
    if elsewhere:
        raise invalid(f"{elsewhere[0]} cannot be crawled by local AWS, only S3Targets.")
    if not targets.get("S3Targets"):
        raise invalid("Crawler must have at least one target.")
    for target in targets["S3Targets"]:
        path = target.get("Path", "")
        if not _BUCKET.fullmatch(path.removeprefix("s3://").partition("/")[0]):
            raise invalid(f"Invalid S3 path: {path}")
        if target.get("SampleSize") is not None and not 1 <= target["SampleSize"] <= 249:
            raise invalid("SampleSize must be between 1 and 249.")


def _check_configuration(text: str | None) -> None:
    if not text:
        return
    try:
        loaded = orjson.loads(text)
    except orjson.JSONDecodeError:
        loaded = None
    if not isinstance(loaded, dict) or loaded.get("Version") != 1.0:
        raise invalid("Crawler configuration must be a JSON object with Version 1.0.")
    level = (loaded.get("Grouping") or {}).get("TableLevelConfiguration")
    if level is not None and (not isinstance(level, int) or level < 1):
        raise invalid("TableLevelConfiguration must be a positive integer.")


def _check_recrawl(doc: dict[str, Any]) -> None:
    behaviour = doc.get("RecrawlPolicy", {}).get("RecrawlBehavior")
    if behaviour == "CRAWL_EVENT_MODE":
        raise invalid("CRAWL_EVENT_MODE needs a queue of SQS, which local AWS does not have.")
    if behaviour == "CRAWL_NEW_FOLDERS_ONLY" and set(doc["SchemaChangePolicy"].values()) != {"LOG"}:
        raise invalid(
            'The SchemaChangePolicy for "Crawl new folders only" Amazon S3 target can have only LOG DeleteBehavior '
            "value and LOG UpdateBehavior value."
        )
