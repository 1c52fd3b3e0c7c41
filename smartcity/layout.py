"""Where things lie in the bucket: every key of the lake is made here, and nowhere else.

    lake/<table>/dt=YYYY-MM-DD/<file>.parquet     what the crawler catalogs and SQL reads
    quarantine/<topic>/dt=YYYY-MM-DD/<file>.parquet
    replays/<topic>/dt=…                          which quarantined records were sent again
    commits/<query id>/<batch id>.json            one object per finished micro-batch: offsets, files, row counts
    commits/<query id>/stream.json                which stream this query is: topics, their ids, checkpoint
    commits/<query id>/ids/<first>-<last>.arrow   event ids that these batches stored, for finding duplicates
    leases/<stream>.json                          who runs the stream
    compacted/<table>/dt=YYYY-MM-DD/<generation>/ merged files of a closed day
    frames/<vehicle or camera>/…                  pictures, written before the event that names them
    compactions/<table>/<dt>.json                 which small files they replace
    checkpoints/<stream>/                         Spark's own
    athena-results/                               result CSVs

A data file's name is a pure function of the streaming query's id, the batch id and the part, so that a replayed
batch overwrites its own files. Standard library only: this file travels with the Spark job.
"""

from __future__ import annotations

LAKE = "lake/"
QUARANTINE = "quarantine/"
COMMITS = "commits/"
LEASES = "leases/"
COMPACTED = "compacted/"
COMPACTIONS = "compactions/"
REPLAYS = "replays/"
FRAMES = "frames/"
CHECKPOINTS = "checkpoints/"
ATHENA_RESULTS = "athena-results/"


def table_prefix(table: str) -> str:
    """Key prefix of a table's files, ending in a slash."""
    return f"{LAKE}{table}/"


def batch_file(query_id: str, batch_id: int, part: int) -> str:
    """File name of part `part` of a micro-batch of the query with this id (a UUID, of which 8 digits suffice)."""
    return f"{batch_stem(query_id, batch_id)}{part:03d}.parquet"


def batch_stem(query_id: str, batch_id: int) -> str:
    """What the names of all files of a micro-batch begin with."""
    return f"{query_id[:8]}-{batch_id:09d}-"


def data_key(table: str, dt: str, file: str) -> str:
    """Key of a data file; `dt` is the event's UTC day as YYYY-MM-DD."""
    return f"{table_prefix(table)}dt={dt}/{file}"


def quarantine_key(topic: str, dt: str, file: str) -> str:
    """Key of a file of quarantined records; `dt` is the UTC day on which the broker stamped them."""
    return f"{QUARANTINE}{topic}/dt={dt}/{file}"


def commit_key(query_id: str, batch_id: int) -> str:
    """Key of the commit object of a micro-batch."""
    return f"{COMMITS}{query_id}/{batch_id:09d}.json"


def commit_prefix(query_id: str) -> str:
    """Key prefix of everything that a streaming query recorded about itself."""
    return f"{COMMITS}{query_id}/"


def stream_key(query_id: str) -> str:
    """Key of the object that says which stream a query belongs to."""
    return f"{commit_prefix(query_id)}stream.json"


def ids_prefix(query_id: str) -> str:
    """Key prefix of the event ids that a query stored."""
    return f"{commit_prefix(query_id)}ids/"


def ids_key(query_id: str, first_batch: int, last_batch: int) -> str:
    """Key of the event ids stored by a range of batches (both inclusive)."""
    return f"{ids_prefix(query_id)}{first_batch:09d}-{last_batch:09d}.arrow"


def lease_key(stream: str) -> str:
    """Key of the object that says which process runs a stream."""
    return f"{LEASES}{stream}.json"


def checkpoint_prefix(stream: str) -> str:
    """Key prefix of Spark's checkpoint of a stream."""
    return f"{CHECKPOINTS}{stream}/"


def compacted_prefix(table: str, dt: str, generation: str) -> str:
    """Key prefix of one generation of a closed day's merged files; the catalog's partition points here."""
    return f"{COMPACTED}{table}/dt={dt}/{generation}/"


def compaction_key(table: str, dt: str) -> str:
    """Key of the object that says how far the compaction of a day has come."""
    return f"{COMPACTIONS}{table}/{dt}.json"
