"""The load's plan and SQL, and the account's warehouses, without any service."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from hypothesis import given
from hypothesis import strategies as st

from smartcity.errors import ServiceError
from smartcity.events import LAKE_COLUMNS, TOPICS
from smartcity.pipeline import warehouse
from smartcity.pipeline.warehouse import control, landing, star, tables


def source(number: int, table: str = "gps", rows: int = 10) -> warehouse.Source:
    key = f"lake/{table}/dt=2026-03-01/q-{number:09d}-000.parquet"
    return warehouse.Source(key, table, "2026-03-01", rows, ((key, 100),))


def client(service: str) -> Any:
    make: Any = boto3.client
    return make(service, region_name="eu-west-2", aws_access_key_id="a", aws_secret_access_key="b")


def test_landed_tables_have_the_contract_in_the_order_of_the_files() -> None:
    for topic in TOPICS:
        ddl = tables.table_ddl("s", topic)
        names = [line.split()[0] for line in ddl.splitlines()[1:-1]]
        assert names == [column.name for column in (*TOPICS[topic].columns, *LAKE_COLUMNS)]
        assert "DISTKEY (vehicle_id) SORTKEY (ts)" in ddl


@given(st.lists(st.tuples(st.sampled_from(sorted(TOPICS)), st.integers(1, 4_000_000)), max_size=600))
def test_chunks_hold_every_file_once_of_one_table_within_the_limits(files: list[tuple[str, int]]) -> None:
    sources = [source(number, table, rows) for number, (table, rows) in enumerate(files)]
    chunks = list(landing.plan_chunks(sources))
    assert sorted(s.key for chunk in chunks for s in chunk) == sorted(s.key for s in sources)
    for chunk in chunks:
        assert len({s.table for s in chunk}) == 1
        assert len(chunk) <= landing.CHUNK_FILES
        assert len(chunk) == 1 or sum(s.rows for s in chunk) <= landing.CHUNK_ROWS


def test_a_full_chunk_fits_into_the_data_api() -> None:
    chunk = [source(number) for number in range(landing.CHUNK_FILES)]
    place = warehouse.Landing(None, warehouse.Warehouse(None), "smartcity-lake", "smartcity", "arn:aws:iam::1:role/r")
    batch = landing.statements(place, chunk, "0" * 36, "warehouse/manifests/x.json")
    assert sum(len(sql.encode()) for sql in batch) < 100_000
    assert batch[0].startswith("LOCK ")
    assert batch[landing._TAKE_OVER].startswith("INSERT INTO smartcity.gps")


def test_the_manifest_names_each_file_once_with_its_length() -> None:
    big = ("compacted/gps/dt=2026-03-01/1/a.parquet", 999)
    moved = [warehouse.Source(f"lake/gps/{n}", "gps", "2026-03-01", 5, (big,)) for n in range(3)]
    entries = json.loads(landing.manifest("b", moved))["entries"]
    assert entries == [{"url": f"s3://b/{big[0]}", "mandatory": True, "meta": {"content_length": 999}}]


def test_quoting_leaves_no_way_out() -> None:
    assert warehouse.quoted("it's \\") == "'it''s \\\\'"


def test_the_star_is_one_transaction_that_empties_its_own_list() -> None:
    batch = star.star_statements("s", ["2026-03-01"])
    assert len(batch) <= 40
    assert batch[0] == "LOCK s.star_day"
    assert batch[-1] == "DELETE FROM s.star_day WHERE dt IN ('2026-03-01')"
    assert sum(sql.startswith("MERGE INTO") for sql in batch) == 5
    assert not any("{" in sql for sql in batch)


def test_what_was_refused_or_differs_is_an_error_that_names_it() -> None:
    report = warehouse.LoadReport(refused=[("lake/gps/x.parquet", "ERROR: Unmatched number of columns")])
    with pytest.raises(ServiceError, match=r"lake/gps/x\.parquet: Unmatched"):
        warehouse.require_complete(report, [])
    with pytest.raises(ServiceError, match="5 rows in the lake and 4 in the warehouse"):
        warehouse.require_complete(warehouse.LoadReport(), [warehouse.Difference("gps", "2026-03-01", 5, 4)])
    warehouse.require_complete(warehouse.LoadReport(), [])


def test_a_failed_statement_keeps_redshifts_words() -> None:
    data = client("redshift-data")
    with Stubber(data) as stub:
        stub.add_response(
            "execute_statement",
            {"Id": "i"},
            {"WorkgroupName": "group", "Database": "dev", "Sql": "SELECT 1", "ClientToken": ANY},
        )
        stub.add_response("describe_statement", {"Id": "i", "Status": "STARTED"}, {"Id": "i"})
        stub.add_response("describe_statement", {"Id": "i", "Status": "FAILED", "Error": "ERROR: no"}, {"Id": "i"})
        place = warehouse.Warehouse(data, "dev", "group", sleep=lambda _: None)
        with pytest.raises(warehouse.StatementFailed, match="no") as caught:
            place.run("SELECT 1")
    assert caught.value.text == "ERROR: no"


def test_a_provisioned_cluster_is_named_with_its_user() -> None:
    data = client("redshift-data")
    expected = {"ClusterIdentifier": "c", "DbUser": "u", "Database": "dev", "Sql": "SELECT 1", "ClientToken": ANY}
    with Stubber(data) as stub:
        stub.add_response("execute_statement", {"Id": "i"}, expected)
        stub.add_response("describe_statement", {"Id": "i", "Status": "FINISHED", "ResultRows": 3}, {"Id": "i"})
        assert warehouse.Warehouse(data, "dev", cluster="c", db_user="u").run("SELECT 1") == 3


def test_prices_are_told_before() -> None:
    assert "8 RPUs: about $3.52 per hour" in control.serverless_price(8, 0.44).sentence()
    assert "2 × ra3.large: about $1.26 per hour" in control.provisioned_price("ra3.large", 2, 0.63).sentence()


def test_a_cluster_is_private_encrypted_tagged_and_deleted_with_a_snapshot() -> None:
    redshift = client("redshift")
    cluster = {"ClusterIdentifier": "c", "ClusterStatus": "creating"}
    tags = [{"Key": control.TAG_KEY, "Value": "c"}]
    with Stubber(redshift) as stub:
        stub.add_response(
            "create_cluster",
            {"Cluster": cluster},
            {
                "ClusterIdentifier": "c",
                "NodeType": "ra3.large",
                "ClusterType": "single-node",
                "MasterUsername": "smartcity",
                "ManageMasterPassword": True,
                "DBName": "dev",
                "IamRoles": ["r"],
                "DefaultIamRoleArn": "r",
                "PubliclyAccessible": False,
                "Encrypted": True,
                "Tags": tags,
            },
        )
        stub.add_response(
            "pause_cluster", {"Cluster": {**cluster, "ClusterStatus": "pausing"}}, {"ClusterIdentifier": "c"}
        )
        stub.add_response(
            "resume_cluster", {"Cluster": {**cluster, "ClusterStatus": "resuming"}}, {"ClusterIdentifier": "c"}
        )
        stub.add_response("describe_clusters", {"Clusters": [{**cluster, "Tags": tags}]}, {"ClusterIdentifier": "c"})
        stub.add_response(
            "delete_cluster",
            {"Cluster": {**cluster, "ClusterStatus": "deleting"}},
            {"ClusterIdentifier": "c", "SkipFinalClusterSnapshot": False, "FinalClusterSnapshotIdentifier": "c-final"},
        )
        assert warehouse.create_cluster(redshift, "c", "r", "ra3.large", 1)["ClusterStatus"] == "creating"
        assert warehouse.pause_cluster(redshift, "c") == "pausing"
        assert warehouse.resume_cluster(redshift, "c") == "resuming"
        assert warehouse.delete_cluster(redshift, "c") == "deleting"
        stub.assert_no_pending_responses()


def test_a_cluster_that_is_not_ours_is_left_alone() -> None:
    redshift = client("redshift")
    with Stubber(redshift) as stub:
        stub.add_response(
            "describe_clusters", {"Clusters": [{"ClusterIdentifier": "c", "Tags": []}]}, {"ClusterIdentifier": "c"}
        )
        with pytest.raises(ServiceError, match="does not carry our tag"):
            warehouse.delete_cluster(redshift, "c")


def test_a_missing_workgroup_is_made_with_its_namespace() -> None:
    serverless = client("redshift-serverless")
    tags = [{"key": control.TAG_KEY, "value": "smartcity"}]
    ready = {"workgroup": {"workgroupName": "smartcity", "status": "AVAILABLE"}}
    with Stubber(serverless) as stub:
        stub.add_client_error("get_namespace", "ResourceNotFoundException")
        stub.add_response(
            "create_namespace",
            {"namespace": {}},
            {"namespaceName": "smartcity", "dbName": "dev", "iamRoles": ["r"], "defaultIamRoleArn": "r", "tags": tags},
        )
        stub.add_client_error("get_workgroup", "ResourceNotFoundException")
        stub.add_response(
            "create_workgroup",
            {"workgroup": {}},
            {"workgroupName": "smartcity", "namespaceName": "smartcity", "baseCapacity": 8, "tags": tags},
        )
        stub.add_response("get_workgroup", ready, {"workgroupName": "smartcity"})
        assert warehouse.ensure_serverless(serverless, "smartcity", "r", 8)["status"] == "AVAILABLE"
