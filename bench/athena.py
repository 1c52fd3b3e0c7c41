"""Athena against the Trino behind it: what the stand-in costs, and how fast results are fetched.

    python bench/athena.py [--data-dir DIR] [--rows 1000000] [--queries 30]

Uses the running services of the settings (smartcity up aws trino). Ratios are between numbers of the same run.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any

from smartcity.clients import Clients
from smartcity.localaws.athena.engine import Session, Trino
from smartcity.localaws.athena.service import token_headers
from smartcity.pipeline import query
from smartcity.settings import load

WORKGROUP, BUCKET, DATABASE = "bench", "bench-athena", "bench_athena"
SMALL = {
    "SELECT 1": "SELECT 1",
    "count with filter": "SELECT count(*) FROM t WHERE n % 7 = 3",
    "group by": "SELECT n % 10 AS g, count(*), avg(d) FROM t GROUP BY 1 ORDER BY 1",
}
MANY_ROWS = Template(
    "SELECT a * 1000 + b AS n, concat('road-', cast(b AS varchar)) AS road, a * 1.5e0 AS speed "
    "FROM UNNEST(sequence(1, $many)) x(a), UNNEST(sequence(1, 1000)) y(b) LIMIT $rows"
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=30)
    given = parser.parse_args()
    flags: dict[str, Any] = {"data_dir": given.data_dir.absolute()} if given.data_dir else {}
    for name, _, value in (pair.partition("=") for pair in given.set):
        group, _, field = name.partition(".")
        flags.setdefault(group, {})[field] = value
    settings = load(**flags)
    clients = Clients(settings)
    athena = clients.aws("athena")
    prepare(clients, athena)
    trino = Trino(settings.trino_url, token_headers(settings.folder.trino_token))
    overhead(athena, trino, given.queries)
    fetching(athena, trino, given.rows)


def prepare(clients: Clients, athena: Any) -> None:
    """A bucket, a workgroup, and a table of 100,000 rows."""
    s3 = clients.aws("s3")
    if BUCKET not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    query.ensure_workgroup(athena, WORKGROUP, f"s3://{BUCKET}/results/")
    ask(athena, f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
    ask(
        athena,
        "CREATE TABLE IF NOT EXISTS t AS SELECT a * 1000 + b AS n, cast(a * b AS double) AS d "
        "FROM UNNEST(sequence(1, 100)) x(a), UNNEST(sequence(1, 1000)) y(b)",
    )


def ask(athena: Any, sql: str) -> query.QueryResult:
    """One query, until its result is ready."""
    return query.run_query(athena, sql, workgroup=WORKGROUP, database=DATABASE)


def seconds(work: Callable[[], object], times: int) -> list[float]:
    """How long a piece of work took, each time."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return taken


def overhead(athena: Any, trino: Trino, times: int) -> None:
    """Small queries: through Athena to the last row, and asked of Trino directly. The two take turns."""
    session = Session("bench", schema=DATABASE)
    print(f"{'small query':<20}{'Trino ms':>10}{'Athena ms':>11}{'ratio':>8}{'goal ms':>10}")
    for name, sql in SMALL.items():
        direct: list[float] = []
        through: list[float] = []
        for _ in range(times):
            direct += seconds(lambda sql=sql: trino.collect(sql, session, threading.Event()), 1)
            through += seconds(lambda sql=sql: list(ask(athena, sql).rows), 1)
        one, other = statistics.median(direct) * 1000, statistics.median(through) * 1000
        print(f"{name:<20}{one:>10.1f}{other:>11.1f}{other / one:>8.2f}{one * 1.5 + 50:>10.1f}")


def fetching(athena: Any, trino: Trino, rows: int) -> None:
    """Many rows of three columns: written to S3 by a query, then fetched through GetQueryResults."""
    many = min(-(-rows // 1000), 10_000)  # the longest sequence that the engine makes
    sql = MANY_ROWS.substitute(many=many, rows=rows)
    session = Session("bench", schema=DATABASE)
    began = time.perf_counter()
    count = sum(len(page) for page in trino.run(sql, session, threading.Event()))
    direct = time.perf_counter() - began
    result = ask(athena, sql)
    began = time.perf_counter()
    token: dict[str, str] = {}
    fetched = -1  # the header
    while True:
        page = athena.get_query_results(QueryExecutionId=result.id, **token)
        fetched += len(page["ResultSet"]["Rows"])
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    plain = time.perf_counter() - began
    began = time.perf_counter()
    typed = sum(1 for _ in query.fetch(athena, result.id)[2])
    ours = time.perf_counter() - began
    assert count == fetched == typed == rows, (count, fetched, typed, rows)
    print(f"\n{rows:,} rows of 3 columns{'s':>12}{'rows/s':>12}")
    for name, taken in (
        ("Trino's protocol", direct),
        ("query, CSV to S3", result.seconds),
        ("GetQueryResults (boto3)", plain),
        ("the same, typed values", ours),
    ):
        print(f"{name:<28}{taken:>7.2f}{rows / taken:>12,.0f}")


if __name__ == "__main__":
    main()
