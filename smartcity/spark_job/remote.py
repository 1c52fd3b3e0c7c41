"""Parsing on the executors of a cluster: the same `parse_records`, its results sent to the driver as Arrow streams."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from smartcity.spark_job.ids import Ids
from smartcity.spark_job.parse import Parsed, Rows, parse_records

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_OUT = "topic string, rows binary, rejects binary"
_OUT_SCHEMA = pa.schema([("topic", pa.string()), ("rows", pa.binary()), ("rejects", pa.binary())])


def parse_on_executors(frame: DataFrame) -> list[Parsed]:
    """Parse a batch where its rows are read, and bring the results here."""
    table = _map_in_arrow(frame).toArrow()
    return [unpack(*row.values()) for row in table.to_pylist()]


def _map_in_arrow(frame: DataFrame) -> DataFrame:
    """`frame.mapInArrow(_task, _OUT)`, which would demand pandas though it uses none (Spark 4.2)."""
    from pyspark.sql import DataFrame
    from pyspark.sql.udf import UserDefinedFunction
    from pyspark.util import PythonEvalType

    task: Any = UserDefinedFunction(_task, returnType=_OUT, evalType=PythonEvalType.SQL_MAP_ARROW_ITER_UDF)
    classic: Any = frame
    if (
        "PYSPARK_PYTHON" not in os.environ
    ):  # else "python3", whatever that is; a cluster of other machines names its own
        classic.sparkSession.sparkContext.pythonExec = sys.executable
    column = task(*[classic[name] for name in classic.columns])
    return DataFrame(classic._jdf.mapInArrow(column._jc, False, None), classic.sparkSession)


def _task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Runs in an executor's Python."""
    for batch in batches:
        if batch.num_rows:
            packed = [pack(parsed) for parsed in parse_records(batch)]
            columns = [pa.array([row[at] for row in packed], field.type) for at, field in enumerate(_OUT_SCHEMA)]
            yield pa.record_batch(columns, schema=_OUT_SCHEMA)


def pack(parsed: Parsed) -> tuple[str, bytes | None, bytes]:
    """As topic and two Arrow streams; ids and days travel as three more columns."""
    return parsed.topic, None if parsed.rows is None else _stream(_with_ids(parsed.rows)), _stream(parsed.rejects)


def unpack(topic: str, rows: bytes | None, rejects: bytes) -> Parsed:
    """The reverse."""
    quarantined = pa.ipc.open_stream(rejects).read_all()
    if rows is None:
        return Parsed(topic, None, quarantined)
    table = pa.ipc.open_stream(rows).read_all()
    hi, lo, day = (table.column(name).to_numpy() for name in ("_hi", "_lo", "_day"))
    ids = Ids(hi.astype(np.uint64, copy=False), lo.astype(np.uint64, copy=False))
    return Parsed(topic, Rows(table.drop_columns(["_hi", "_lo", "_day"]), ids, day), quarantined)


def _with_ids(rows: Rows) -> pa.Table:
    extra: Iterable[tuple[str, pa.Array]] = (
        ("_hi", pa.array(rows.ids.hi)),
        ("_lo", pa.array(rows.ids.lo)),
        ("_day", pa.array(rows.day)),
    )
    table = rows.table
    for name, column in extra:
        table = table.append_column(name, column)
    return table


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
