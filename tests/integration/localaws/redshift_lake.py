"""A small lake with commit objects, as the stream writes it, and a warehouse beside it."""

from __future__ import annotations

import datetime as dt
import io
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from smartcity import layout
from smartcity.events import TOPICS
from smartcity.pipeline import access, warehouse
from smartcity.spark_job.commits import Commit, DataFile
from smartcity.spark_job.parse import lake_schema
from tests.integration.localaws.local_aws_process import ACCOUNT_ID, REGION, LocalAws

FIRST_DAY = dt.date(2026, 3, 1)
Change = Callable[[str, pa.Table], pa.Table]


@dataclass
class City:
    """One bucket, one workgroup, one schema: names made of `name`."""

    aws: LocalAws
    name: str

    def __post_init__(self) -> None:
        self.bucket = f"{self.name}-lake"
        self.query_id = str(uuid.uuid5(uuid.NAMESPACE_URL, self.name))
        self.s3 = self.aws.client("s3")

    @property
    def scope(self) -> access.Scope:
        group = warehouse.describe_workgroup(self.aws.client("redshift-serverless"), self.name)
        arn = group["workgroupArn"] if group else ""
        return access.Scope(self.name, ACCOUNT_ID, REGION, self.bucket, self.name.replace("-", "_"), self.name, arn)

    def build(self) -> City:
        """Bucket, roles and workgroup."""
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        iam = self.aws.client("iam")
        role = access.ensure_role(iam, access.ACTORS["warehouse"](self.scope), self.name)
        warehouse.ensure_serverless(self.aws.client("redshift-serverless"), self.name, role, 8)
        return self

    def landing(self, **credentials: str) -> warehouse.Landing:
        """As the administrator, or as a role."""
        data = self.aws.client("redshift-data", **credentials)
        place = warehouse.Warehouse(data, "dev", self.name, timeout_s=60)
        s3 = self.aws.client("s3", **credentials)
        return warehouse.Landing(s3, place, self.bucket, "city", self.scope.role_arn("warehouse"))

    def batch(self, number: int, rows: int = 50, day: dt.date = FIRST_DAY, change: Change | None = None) -> None:
        """One finished micro-batch: a file per topic and the commit object."""
        files = []
        for topic in TOPICS:
            table = events(topic, rows, number * rows, day)
            table = change(topic, table) if change else table
            sink = io.BytesIO()
            pq.write_table(table, sink)
            key = layout.data_key(topic, day.isoformat(), layout.batch_file(self.query_id, number, 0))
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=sink.getvalue())
            files.append(DataFile(key, topic, day.isoformat(), rows, len(sink.getvalue())))
        commit = Commit(self.query_id, number, 0, {}, tuple(files))
        self.s3.put_object(Bucket=self.bucket, Key=commit.key, Body=commit.to_json())

    def load(self, landing: warehouse.Landing | None = None) -> warehouse.LoadReport:
        """What `smartcity load` does."""
        place = landing or self.landing()
        warehouse.ensure_schema(place.warehouse, place.schema)
        warehouse.ensure_star(place.warehouse, place.schema)
        report = warehouse.land(place, warehouse.list_sources(place.s3, self.bucket))
        warehouse.build_star(place.warehouse, place.schema)
        return report

    def differences(self) -> list[warehouse.Difference]:
        place = self.landing()
        sources = warehouse.list_sources(self.s3, self.bucket)
        return warehouse.differences(place.warehouse, place.schema, sources, list(TOPICS))


def events(topic: str, count: int, start: int, day: dt.date) -> pa.Table:
    """`count` events from number `start` on; the same numbers give the same rows."""
    schema = lake_schema(topic)
    midnight = dt.datetime.combine(day, dt.time(7), dt.UTC)
    return pa.Table.from_pylist(
        [_event(topic, number, midnight, schema) for number in range(start, start + count)], schema
    )


def _event(topic: str, number: int, midnight: dt.datetime, schema: pa.Schema) -> dict[str, Any]:
    dice = random.Random(f"{topic}{number}")  # noqa: S311  test data
    known = {
        "event_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{topic}/{number}")),
        "trip_id": f"trip-{number % 3}",
        "vehicle_id": f"car-{number % 3}",
        "ts": midnight + dt.timedelta(seconds=number),
        "ingested_at": midnight,
        "road": dice.choice(["M40", "A40"]),
        "incident_id": f"incident-{number // 5}",
        "condition": dice.choice(["rain", "clear"]),
        "status": dice.choice(["reported", "cleared"]),
    }
    plain = {
        "double": lambda: dice.uniform(0, 50),
        "string": lambda: "x",
        "int32": lambda: number,
        "int64": lambda: number,
    }
    return {f.name: known[f.name] if f.name in known else plain[str(f.type)]() for f in schema}


def wait(condition: Callable[[], bool], limit_s: float = 30.0) -> None:
    """Until the condition holds; fails at the limit."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)
