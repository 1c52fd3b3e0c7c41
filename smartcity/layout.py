"""Where things lie in the bucket: every key of the lake is made here, and nowhere else.

    lake/<table>/dt=YYYY-MM-DD/<file>.parquet     what the crawler catalogs and SQL reads
    quarantine/<topic>/dt=YYYY-MM-DD/<file>.parquet
    commits/<query id>/<batch id>.json            one object per finished micro-batch: offsets, files, row counts
    frames/<vehicle or camera>/…                  pictures, written before the event that names them
    checkpoints/<stream>/                         Spark's own
    athena-results/                               result CSVs

A data file's name is a pure function of the streaming query's id, the batch id and the part, so that a replayed
batch overwrites its own files. Standard library only: this file travels with the Spark job.
"""

from __future__ import annotations

LAKE = "lake/"
QUARANTINE = "quarantine/"
COMMITS = "commits/"
FRAMES = "frames/"
CHECKPOINTS = "checkpoints/"
ATHENA_RESULTS = "athena-results/"


def table_prefix(table: str) -> str:
    """Key prefix of a table's files, ending in a slash."""
    return f"{LAKE}{table}/"


def batch_file(query_id: str, batch_id: int, part: int) -> str:
    """File name of part `part` of a micro-batch of the query with this id (a UUID, of which 8 digits suffice)."""
    return f"{query_id[:8]}-{batch_id:09d}-{part:03d}.parquet"


def data_key(table: str, dt: str, file: str) -> str:
    """Key of a data file; `dt` is the event's UTC day as YYYY-MM-DD."""
    return f"{table_prefix(table)}dt={dt}/{file}"


def quarantine_key(topic: str, dt: str, file: str) -> str:
    """Key of a file of quarantined records; `dt` is the UTC day on which the broker stamped them."""
    return f"{QUARANTINE}{topic}/dt={dt}/{file}"


def commit_key(query_id: str, batch_id: int) -> str:
    """Key of the commit object of a micro-batch."""
    return f"{COMMITS}{query_id}/{batch_id:09d}.json"
