"""Glue behind the gate: boto3 over HTTP, roles that are enforced, a crawl under kill -9, and the AWS CLI."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from smartcity.errors import ServiceError
from smartcity.pipeline import access, catalog
from tests.integration.localaws.local_aws_process import LocalAws

pytestmark = pytest.mark.integration


class Lake:
    """A bucket, a database and a crawler's role of one test's own."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.name = f"glue-{uuid.uuid4().hex[:8]}"
        self.database = self.name.replace("-", "_")
        self.s3, self.glue, self.iam = aws.client("s3"), aws.client("glue"), aws.client("iam")
        self.s3.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": aws.region})
        scope = access.Scope(self.name, aws.account_id, aws.region, self.name, self.database)
        self.role = access.ensure_role(self.iam, access.crawler_role(scope), self.name)
        catalog.ensure_database(self.glue, self.database)
        catalog.ensure_crawler(self.glue, self.name, self.role, self.name, self.database)

    def put(self, key: str, rows: int = 3, **columns: pa.DataType) -> None:
        """A Parquet file below `lake/`."""
        made = {name: pa.nulls(rows, kind) for name, kind in (columns or {"id": pa.int64()}).items()}
        buffer = io.BytesIO()
        pq.write_table(pa.table(made), buffer)
        self.s3.put_object(Bucket=self.name, Key=f"lake/{key}", Body=buffer.getvalue())

    def crawl(self) -> catalog.CrawlReport:
        """Run the crawler."""
        return catalog.run_crawler(self.glue, self.name, 60)


@pytest.fixture
def lake(local_aws: LocalAws) -> Lake:
    """On the shared local AWS."""
    return Lake(local_aws)


def test_a_crawl_under_the_products_own_role(lake: Lake) -> None:
    for day in range(3):
        lake.put(f"gps/dt=2026-03-0{day + 1}/a.parquet", id=pa.int64(), at=pa.timestamp("ms", "UTC"))
    lake.put("trips/odd key +%&é/a.parquet", label=pa.string())
    report = lake.crawl()
    assert (report.tables_added, report.partitions_added) == (2, 4)
    gps = next(table for table in catalog.describe_tables(lake.glue, lake.database) if table.name == "gps")
    assert gps.columns == (("id", "bigint"), ("at", "timestamp"))
    assert (gps.partitions, gps.rows) == (3, 9)
    assert lake.crawl().tables_updated == 0


def test_a_role_that_may_not_read_the_bucket_fails_the_crawl(lake: Lake) -> None:
    lake.put("gps/dt=1/a.parquet")
    lake.iam.delete_role_policy(RoleName=lake.role.rpartition("/")[2], PolicyName=access.POLICY_NAME)
    with pytest.raises(ServiceError, match=r"AccessDenied|glue:GetDatabase"):
        lake.crawl()
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["glue:*", "s3:ListBucket"], "Resource": "*"}],
    }
    name = lake.role.rpartition("/")[2]
    lake.iam.put_role_policy(RoleName=name, PolicyName="list-only", PolicyDocument=json.dumps(document))
    with pytest.raises(ServiceError) as error:
        lake.crawl()
    assert "AccessDenied" in error.value.reason
    assert f"s3:GetObject on resource: arn:aws:s3:::{lake.name}/lake/gps/dt=1/a.parquet" in error.value.reason


def test_a_role_that_does_not_trust_glue_is_refused(lake: Lake) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    role = lake.iam.create_role(RoleName=f"{lake.name}-ec2", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    with pytest.raises(ClientError) as error:
        lake.glue.update_crawler(Name=lake.name, Role=role)
    assert error.value.response["Error"]["Code"] == "InvalidInputException"
    assert "TrustPolicy" in error.value.response["Error"]["Message"]


def test_a_user_may_do_only_what_the_policy_says(lake: Lake) -> None:
    user = f"{lake.name}-reader"
    lake.iam.create_user(UserName=user)
    arn = f"arn:aws:glue:{lake.aws.region}:{lake.aws.account_id}"
    statement = {
        "Effect": "Allow",
        "Action": ["glue:GetTable", "glue:GetTables"],
        "Resource": [f"{arn}:catalog", f"{arn}:database/{lake.database}", f"{arn}:table/{lake.database}/*"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    lake.iam.put_user_policy(UserName=user, PolicyName="read", PolicyDocument=policy)
    key = lake.iam.create_access_key(UserName=user)["AccessKey"]
    glue = lake.aws.client("glue", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    assert glue.get_tables(DatabaseName=lake.database)["TableList"] == []
    for call in (
        lambda: glue.delete_database(Name=lake.database),
        lambda: glue.get_tables(DatabaseName="other"),
        lambda: glue.start_crawler(Name=lake.name),
    ):
        with pytest.raises(ClientError) as error:
            call()
        assert error.value.response["Error"]["Code"] == "AccessDeniedException"


def test_paging_and_filters_over_http(lake: Lake) -> None:
    catalog.ensure_table(lake.glue, lake.database, lake.name, "gps")
    days = [("gps", f"2026-{month:02d}-{day:02d}") for month in range(1, 13) for day in range(1, 29)]
    assert catalog.register_partitions(lake.glue, lake.database, lake.name, days) == 336
    at = {"DatabaseName": lake.database, "TableName": "gps"}
    pages = lake.glue.get_paginator("get_partitions").paginate(**at, PaginationConfig={"PageSize": 100})
    assert sum(len(page["Partitions"]) for page in pages) == 336
    wanted = "dt BETWEEN '2026-03-01' AND '2026-03-31' AND NOT dt LIKE '%-01'"
    assert len(lake.glue.get_partitions(**at, Expression=wanted)["Partitions"]) == 27


def test_kill_9_in_the_middle_of_crawls_and_writes(own_local_aws: LocalAws) -> None:
    lake = Lake(own_local_aws)
    for number in range(60):
        lake.put(f"gps/dt={number}/a.parquet")
    lake.glue.start_crawler(Name=lake.name)
    created = [f"db{number}" for number in range(20)]
    for name in created:
        lake.glue.create_database(DatabaseInput={"Name": name})
    own_local_aws.restart()
    names = {
        item["Name"] for page in lake.glue.get_paginator("get_databases").paginate() for item in page["DatabaseList"]
    }
    assert names >= set(created)
    assert lake.glue.get_crawler(Name=lake.name)["Crawler"]["State"] == "READY"
    lake.crawl()
    (table,) = catalog.describe_tables(lake.glue, lake.database)
    assert (table.partitions, table.rows) == (60, 180)
    assert lake.glue.list_crawls(CrawlerName=lake.name)["Crawls"][0]["State"] == "COMPLETED"


def cli(lake: Lake, *arguments: str) -> Any:
    """`aws glue …` against local AWS, as a user would type it; returns its JSON."""
    key = lake.aws.credentials
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(lake.aws.data_dir),
        "AWS_ENDPOINT_URL": lake.aws.endpoint_url,
        "AWS_DEFAULT_REGION": lake.aws.region,
        "AWS_ACCESS_KEY_ID": key["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": key["aws_secret_access_key"],
    }
    command = [str(Path(sys.executable).with_name("aws")), "glue", *arguments, "--output", "json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout) if done.stdout.strip() else None


def test_the_aws_cli(lake: Lake) -> None:
    lake.put("gps/dt=2026-03-01/a.parquet")
    cli(lake, "start-crawler", "--name", lake.name)
    deadline = time.monotonic() + 60
    while lake.glue.get_crawler(Name=lake.name)["Crawler"]["State"] != "READY":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    listed = cli(lake, "get-tables", "--database-name", lake.database)["TableList"]
    assert [table["Name"] for table in listed] == ["gps"]
    at = ("--database-name", lake.database, "--table-name", "gps")
    assert cli(lake, "get-partitions", *at, "--expression", "dt = '2026-03-01'")["Partitions"][0]["Values"] == [
        "2026-03-01"
    ]
    with pytest.raises(AssertionError, match=r"EntityNotFoundException.*Database nope not found"):
        cli(lake, "get-tables", "--database-name", "nope")
