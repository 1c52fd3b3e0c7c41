"""awswrangler, as installed from PyPI, on the catalog: it must not notice that this is not AWS.

It runs in a process of its own, as a user's script would: it imports pandas and warns of what it likes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from tests.integration.localaws.local_aws_process import LocalAws

pytestmark = pytest.mark.integration

SCRIPT = textwrap.dedent("""
    import json, sys
    import awswrangler as wr
    import boto3
    import pandas as pd

    bucket, db, said = "wrangler-bucket", "wrangler", {}
    boto3.client("s3").create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": boto3.Session().region_name}
    )
    wr.catalog.create_database(db)
    days = ["2026-03-01", "2026-03-01", "2026-03-02"]
    frame = pd.DataFrame({"id": [1, 2, 3], "name": ["a", None, "c"], "dt": days})
    where = {"path": f"s3://{bucket}/t/", "dataset": True, "partition_cols": ["dt"], "database": db, "table": "t"}
    settings = {"description": "hello", "parameters": {"p": "1"}, "columns_comments": {"id": "the id"}}
    wr.s3.to_parquet(frame, **where, glue_table_settings=settings)
    said["types"] = wr.catalog.get_table_types(db, "t")
    said["comments"] = wr.catalog.get_columns_comments(db, "t")
    said["description"] = wr.catalog.get_table_description(db, "t")
    said["filtered"] = list(wr.catalog.get_partitions(db, "t", expression="dt = '2026-03-01'").values())
    said["prefix"] = [t["Name"] for t in wr.catalog.get_tables(database=db, name_prefix="t")]
    said["contains"] = [t["Name"] for t in wr.catalog.get_tables(database=db, name_contains="zz")]
    wr.catalog.upsert_table_parameters({"x": "y"}, db, "t")
    said["parameters"] = wr.catalog.get_table_parameters(db, "t")
    wr.s3.to_parquet(frame.assign(new=1.5), **where, mode="overwrite_partitions", schema_evolution=True)
    said["evolved"] = wr.catalog.get_table_types(db, "t")
    said["rows"] = len(wr.s3.read_parquet_table(table="t", database=db))
    wr.catalog.create_csv_table(db, "c", f"s3://{bucket}/c/", {"a": "int"}, partitions_types={"p": "string"})
    wr.catalog.add_csv_partitions(db, "c", {f"s3://{bucket}/c/p=1/": ["1"]})
    said["csv"] = wr.catalog.get_csv_partitions(db, "c")
    wr.catalog.delete_all_partitions(database=db, table="t")
    said["left"] = wr.catalog.get_partitions(db, "t")
    said["deleted"] = [wr.catalog.delete_table_if_exists(db, "t") for _ in range(2)]
    wr.catalog.delete_database(db)
    said["databases"] = [d["Name"] for d in wr.catalog.get_databases() if d["Name"] == db]
    json.dump(said, sys.stdout)
""")


def test_awswrangler_writes_reads_and_changes_the_catalog(local_aws: LocalAws) -> None:
    key = local_aws.credentials
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(local_aws.data_dir),
        "AWS_ENDPOINT_URL": local_aws.endpoint_url,
        "AWS_DEFAULT_REGION": local_aws.region,
        "AWS_ACCESS_KEY_ID": key["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": key["aws_secret_access_key"],
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout)
    assert said["types"] == {"id": "bigint", "name": "string", "dt": "string"}
    assert said["comments"]["id"] == "the id"
    assert said["description"] == "hello"
    assert said["filtered"] == [["2026-03-01"]]
    assert (said["prefix"], said["contains"]) == (["t"], [])
    assert said["parameters"].items() >= {"p": "1", "x": "y", "classification": "parquet"}.items()
    assert said["evolved"]["new"] == "double"
    assert said["rows"] == 3
    assert said["csv"] == {"s3://wrangler-bucket/c/p=1/": ["1"]}
    assert said["left"] == {}
    assert said["deleted"] == [True, False]
    assert said["databases"] == []
