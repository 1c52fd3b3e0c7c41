"""awswrangler as installed from PyPI: data frames in, data frames out, without noticing where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from smartcity.pipeline import query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Stack

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore")]  # the warnings of others

BUCKET, DATABASE = "athena-frames", "frames"


@pytest.fixture(scope="module")
def frames(stack: Stack) -> Iterator[dict[str, Any]]:
    """A bucket and a database, and how awswrangler is told of them."""
    clients = stack.clients
    clients.aws("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    clients.aws("glue").create_database(DatabaseInput={"Name": DATABASE})
    yield {"database": DATABASE, "s3_output": f"s3://{BUCKET}/out/", "boto3_session": clients.session}
    query.ensure_workgroup(clients.aws("athena"), "frames", f"s3://{BUCKET}/out/")
    query.run_query(clients.aws("athena"), f"DROP DATABASE {DATABASE} CASCADE", workgroup="frames")


def test_frames_go_in_and_come_out(stack: Stack, frames: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", str(stack.settings.aws_endpoint_url))
    import awswrangler as wr
    import pandas as pd

    session = frames["boto3_session"]
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", 'y"', None], "p": ["1", "2", "2"]})
    wr.s3.to_parquet(
        frame,
        path=f"s3://{BUCKET}/t/",
        dataset=True,
        database=DATABASE,
        table="t",
        partition_cols=["p"],
        boto3_session=session,
    )
    sql = "SELECT a, b, p FROM t ORDER BY a"
    for how in ({"ctas_approach": True}, {"ctas_approach": False}, {"ctas_approach": False, "unload_approach": True}):
        place = {"s3_output": f"s3://{BUCKET}/unload/"} if "unload_approach" in how else {}
        found = wr.athena.read_sql_query(sql, **{**frames, **place}, **how)
        assert found.sort_values("a")["a"].tolist() == [1, 2, 3], how
        assert found.sort_values("a")["b"].tolist()[:2] == ["x", 'y"'], how
    filtered = wr.athena.read_sql_query("SELECT a FROM t WHERE a > :n", params={"n": 2}, ctas_approach=False, **frames)
    assert filtered["a"].tolist() == [3]
    marked = wr.athena.read_sql_query(
        "SELECT a FROM t WHERE b = ?", params=["'x'"], paramstyle="qmark", ctas_approach=False, **frames
    )
    assert marked["a"].tolist() == [1]
    described = wr.athena.describe_table(table="t", **frames)
    assert described["Column Name"].tolist() == ["a", "b", "p"]
    assert described["Partition"].tolist() == [False, False, True]
    assert wr.athena.show_create_table(table="t", **frames).startswith("CREATE EXTERNAL TABLE `frames.t`(")
    pieces = wr.athena.read_sql_query(sql, ctas_approach=False, chunksize=2, **frames)
    assert [len(piece) for piece in pieces] == [2, 1]
    with pytest.raises(wr.exceptions.QueryFailed, match="COLUMN_NOT_FOUND"):
        wr.athena.read_sql_query("SELECT nosuch FROM t", ctas_approach=False, **frames)
