"""Loading one million rows: COPY through the Data API's session, row-wise INSERTs, and DuckDB reading the same Parquet.

Run: python bench/warehouse.py. Ratios of one run on one machine; seconds are told beside them.
"""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from smartcity.localaws.redshift.engine import Warehouse
from smartcity.localaws.redshift.files import Object
from smartcity.localaws.redshift.session import Session

ROWS, FILES, INSERTS = 1_000_000, 10, 300
DDL = "(id CHAR(36) NOT NULL, vehicle VARCHAR(64), ts TIMESTAMP, a DOUBLE PRECISION, b DOUBLE PRECISION, n INTEGER)"


class Folder:
    """Files of a folder where S3 would be: the engine is measured, not the gate."""

    client = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def listed(self, _: str) -> list[Object]:
        return [Object("b", path.name, path.stat().st_size) for path in sorted(self.folder.glob("*.parquet"))]

    def read(self, item: Object) -> bytes:
        return (self.folder / item.key).read_bytes()


def write(folder: Path) -> None:
    """One million rows in ten files."""
    random = np.random.default_rng(1)
    for number in range(FILES):
        count = ROWS // FILES
        table = pa.table(
            {
                "id": [f"{number:04d}-{at:031d}" for at in range(count)],
                "vehicle": [f"car-{at % 97}" for at in range(count)],
                "ts": pa.array(np.arange(count) * 1000, pa.timestamp("ms", "UTC")),
                "a": random.random(count),
                "b": random.random(count),
                "n": pa.array(np.arange(count), pa.int32()),
            }
        )
        pq.write_table(table, folder / f"{number}.parquet")


def seconds(work: Any) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        session = Session(Warehouse(folder / "w" / "dev.duckdb"), lambda _: Folder(folder))  # type: ignore[arg-type,return-value]
        session.execute(f"CREATE TABLE copied {DDL}")
        session.execute(f"CREATE TABLE inserted {DDL}")
        role = "arn:aws:iam::000000000000:role/bench"
        copied = seconds(lambda: session.execute(f"COPY copied FROM 's3://b/' IAM_ROLE '{role}' FORMAT AS PARQUET"))
        row = "INSERT INTO inserted VALUES ('{0}', 'car', '2026-03-01 07:00:00', 1.5, 2.5, {0})"
        inserted = seconds(lambda: [session.execute(row.format(at)) for at in range(INSERTS)]) / INSERTS * ROWS
        plain = duckdb.connect(str(folder / "plain.duckdb"))
        direct = seconds(lambda: plain.execute(f"CREATE TABLE t AS SELECT * FROM '{folder}/*.parquet'"))  # noqa: S608
        out = io.StringIO()
        out.write(f"{'way':34}{'s per million rows':>20}{'ratio to COPY':>16}\n")
        for way, taken in (
            ("COPY", copied),
            ("row-wise INSERT (from 300)", inserted),
            ("DuckDB reads the same files", direct),
        ):
            out.write(f"{way:34}{taken:20.2f}{taken / copied:16.2f}\n")
        print(out.getvalue())


if __name__ == "__main__":
    main()
