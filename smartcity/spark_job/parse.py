"""Records from Kafka become rows of the lake or quarantined records: thousands at once, in Arrow.

The fast path takes only values that are one flat JSON object each, so that Arrow's parser over all of them together
gives one row per value: a value begins with `{`, ends with `}`, holds no other brace or bracket, and the parser
refuses raw line breaks within texts; then neither a row can straddle two values nor a value hold two rows. Whatever
is doubtful goes to `exact.check`, alone. Both must agree: tests/unit/spark_job/test_parse.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
from numpy.typing import NDArray

from smartcity.events import LAKE_COLUMNS, MAX_EVENT_BYTES, TOPICS, Column, ColumnType, Topic
from smartcity.spark_job.exact import TS_MAX_MS, TS_MIN_MS, Fault, check
from smartcity.spark_job.ids import Ids, Mask, char_matrix, decode_uuids

_MS_PER_DAY = 86_400_000
#: Below this many rows a block that does not parse is checked record by record instead of being halved again.
_SMALLEST_BLOCK = 64
_TS_CHARS = len("2026-03-01T07:00:00.000Z")

_ARROW: dict[ColumnType, pa.DataType] = {
    "string": pa.string(),
    "double": pa.float64(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "timestamp": pa.timestamp("ms", "UTC"),
}

#: What Spark hands over: one row per Kafka record.
RECORD_SCHEMA = pa.schema(
    [
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("kafka_timestamp", pa.timestamp("us", "UTC")),
        ("value", pa.binary()),
        ("event_type", pa.string()),
    ]
)

#: A quarantined record: where it stood, when the broker got it, why it is here, and the value as it was.
QUARANTINE_SCHEMA = pa.schema(
    [
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("kafka_timestamp", pa.timestamp("ms", "UTC")),
        ("code", pa.string()),
        ("reason", pa.string()),
        ("event_type", pa.string()),
        ("value", pa.binary()),
    ]
)


@lru_cache
def lake_schema(topic: str) -> pa.Schema:
    """Columns of a table's files: the event's own, then where it stood in Kafka and when it was stored."""
    return pa.schema([(c.name, _ARROW[c.type]) for c in (*TOPICS[topic].columns, *LAKE_COLUMNS)])


@lru_cache
def _json_schema(topic: str) -> pa.Schema:
    """The event's columns as the JSON parser reads them: a time is a text until we have checked its form."""
    kinds: dict[ColumnType, pa.DataType] = {**_ARROW, "timestamp": pa.string()}
    return pa.schema([(c.name, kinds[c.type]) for c in TOPICS[topic].columns])


@dataclass(frozen=True)
class Rows:
    """Good events of one topic: the event's columns plus kafka_partition and kafka_offset, their ids and days."""

    table: pa.Table
    ids: Ids
    day: NDArray[np.int32]  #: days since 1970 of `ts`

    def take(self, which: Any) -> Rows:
        """The rows at these positions (an array of integers) or under this mask."""
        positions = np.flatnonzero(which) if which.dtype == np.bool_ else which
        return Rows(self.table.take(pa.array(positions)), self.ids.take(positions), self.day[positions])

    def __len__(self) -> int:
        return len(self.day)


@dataclass(frozen=True)
class Parsed:
    """One topic's share of a chunk. `rows` is None for a topic outside the contract."""

    topic: str
    rows: Rows | None
    rejects: pa.Table


def day_text(day: int) -> str:
    """The partition value `dt` of a day since 1970."""
    return date.fromordinal(719_163 + int(day)).isoformat()


def parse_records(records: pa.RecordBatch | pa.Table) -> list[Parsed]:
    """Parse records of any mix of topics. Total: no input raises."""
    names = pc.unique(records.column("topic")).to_pylist()
    if len(names) == 1:
        return [_parse_topic(names[0], records)]
    return [_parse_topic(name, records.filter(pc.equal(records.column("topic"), name))) for name in names]


def _parse_topic(name: str, records: pa.RecordBatch | pa.Table) -> Parsed:
    topic = TOPICS.get(name)
    if topic is None:
        fault = Fault("unknown_topic", f"no event type is called {name!r}")
        return Parsed(name, None, _rejects(records, [fault] * records.num_rows))
    values = _flat(records.column("value"))
    fast = _Fast(topic, values, _flat(records.column("event_type")))
    fast.run()
    slow = np.flatnonzero(~fast.done)
    good, bad, faults = _check_each(topic, records, slow)
    rows = _rows_of(topic, records, fast, good)
    return Parsed(name, rows, _rejects(records.take(pa.array(bad, pa.int64())), faults))


def _flat(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], column.type)])


@dataclass(frozen=True)
class _Piece:
    """Rows parsed together: as the JSON parser gave them, ids, times, and where they stood among the records."""

    table: pa.Table
    ids: Ids
    ts_ms: NDArray[np.int64]
    where: NDArray[np.int64]

    def in_schema(self, schema: pa.Schema) -> pa.Table:
        """The table with its times as timestamps."""
        ts = pa.array(self.ts_ms, pa.int64()).cast(schema.field("ts").type)
        return self.table.set_column(self.table.schema.get_field_index("ts"), "ts", ts).cast(schema)


class _Fast:
    """The fast path over one topic's values: fills `pieces` with parsed rows and `done` with where they stood."""

    def __init__(self, topic: Topic, values: pa.BinaryArray, event_types: pa.StringArray) -> None:
        self.topic = topic
        self.values = values
        self.done: Mask = np.zeros(len(values), np.bool_)
        self.pieces: list[_Piece] = []
        self._plausible = _plausible(values, event_types, topic)

    def run(self) -> None:
        """Parse everything plausible."""
        self._block(np.flatnonzero(self._plausible))

    def _block(self, where: NDArray[np.int64]) -> None:
        """Parse the values at these positions together; on any error, each half by itself."""
        if not len(where):
            return
        values = self.values if len(where) == len(self.values) else self.values.take(pa.array(where))
        table = _parse_flat_objects(values, _json_schema(self.topic.name))
        if table is not None:
            self._accept(table, where)
        elif len(where) > _SMALLEST_BLOCK:
            middle = len(where) // 2
            self._block(where[:middle])
            self._block(where[middle:])

    def _accept(self, table: pa.Table, where: NDArray[np.int64]) -> None:
        """Keep the rows that hold to the contract; the others are left for the exact path to name their fault."""
        ids, good = decode_uuids(_flat(table.column("event_id")))
        ts_ms, good_ts = _decode_ts(_flat(table.column("ts")))
        good = good & good_ts
        for column in self.topic.columns:
            good &= _within(column, _flat(table.column(column.name)))
        if not good.all():
            table, ids = table.filter(pa.array(good)), ids.take(good)
            ts_ms, where = ts_ms[good], where[good]
        self.pieces.append(_Piece(table, ids, ts_ms, where))
        self.done[where] = True


def _plausible(values: pa.BinaryArray, event_types: pa.StringArray, topic: Topic) -> Mask:
    """Which values may take the fast path: one pair of braces around, none within, the right version, UTF-8."""
    size = pc.fill_null(pc.binary_length(values), 0).to_numpy(zero_copy_only=False)
    good: Mask = (size >= 2) & (size <= MAX_EVENT_BYTES)
    version = pc.fill_null(pc.equal(event_types, topic.event_type), True)
    good &= version.to_numpy(zero_copy_only=False)
    if not good.any():
        return good
    offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
    raw = values.buffers()[2]
    data = np.frombuffer(raw, np.uint8)
    first, last = offsets[:-1][good], offsets[1:][good] - 1
    good[good] = (data[first] == ord("{")) & (data[last] == ord("}"))
    return _without_nesting(values, bytes(raw[int(offsets[0]) : int(offsets[-1])]), good)


#: What a flat object never holds outside its texts, and rarely inside; NaN and Infinity because Arrow takes them.
_DOUBTFUL = (b"[", b"NaN", b"Inf")


def _without_nesting(values: pa.BinaryArray, data: bytes, good: Mask) -> Mask:
    """Look for inner braces and doubtful words: over all bytes at once first, by value only if something is there."""
    n = len(values)
    if data.count(b"{") != n or data.count(b"}") != n:
        for brace in ("{", "}"):
            good &= pc.fill_null(pc.equal(pc.count_substring(values, brace), 1), False).to_numpy(zero_copy_only=False)
    for word in _DOUBTFUL:
        if word in data:
            found = pc.fill_null(pc.match_substring(values, word.decode()), True)
            good &= ~found.to_numpy(zero_copy_only=False)
    return good


def _parse_flat_objects(values: pa.BinaryArray, schema: pa.Schema) -> pa.Table | None:
    """One row per value, or None if the parser or the UTF-8 check refuses any of them."""
    try:
        lines = pc.binary_join_element_wise(values, b"", b"\n")
        lines.cast(pa.string())  # checks UTF-8, also where the JSON parser does not look
        offsets = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset : lines.offset + len(lines) + 1]
        data = lines.buffers()[2].slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
        table = pj.read_json(
            pa.BufferReader(data),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except (pa.ArrowException, UnicodeDecodeError):
        return None
    return table.combine_chunks() if table.num_rows == len(values) else None


def _within(column: Column, values: pa.Array) -> Mask:
    """Which values are there (unless the column is nullable) and within the contract's bounds."""
    good = np.ones(len(values), np.bool_)
    if not column.nullable and values.null_count:
        good &= values.is_valid().to_numpy(zero_copy_only=False)
    if column.type in ("double", "int", "bigint"):
        numbers = values.fill_null(column.minimum or 0) if values.null_count else values
        array = numbers.to_numpy(zero_copy_only=False)
        low = -np.inf if column.minimum is None else column.minimum
        high = np.inf if column.maximum is None else column.maximum
        good &= (array >= low) & (array <= high) & np.isfinite(array)
    return good


_DIGITS = np.array([0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, 20, 21, 22])
_MARKS = np.array([4, 7, 10, 13, 16, 19, 23])
_MARK_CHARS = np.frombuffer(b"--T::.Z", np.uint8)
_DAYS_IN_MONTH = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def _decode_ts(column: pa.StringArray) -> tuple[NDArray[np.int64], Mask]:
    """Milliseconds since 1970 of `YYYY-MM-DDTHH:MM:SS.mmmZ`, and which texts are such times within the bounds."""
    chars = char_matrix(column, _TS_CHARS)
    if chars is None:
        return _decode_ragged_ts(column)
    digit = (chars[:, _DIGITS] - ord("0")).astype(np.int64)  # below "0" wraps round to something large
    good: Mask = (digit <= 9).all(axis=1) & (chars[:, _MARKS] == _MARK_CHARS).all(axis=1)

    def number(first: int, count: int) -> NDArray[np.int64]:
        total = digit[:, first].copy()
        for place in range(first + 1, first + count):
            total = total * 10 + digit[:, place]
        return total

    year, month, day = number(0, 4), number(4, 2), number(6, 2)
    hour, minute, second, ms = number(8, 2), number(10, 2), number(12, 2), number(14, 3)
    good &= (month >= 1) & (month <= 12) & (hour < 24) & (minute < 60) & (second < 60)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    length = _DAYS_IN_MONTH[np.clip(month, 0, 12)] + (leap & (month == 2))
    good &= (day >= 1) & (day <= length)
    total = _days(year, month, day) * _MS_PER_DAY + hour * 3_600_000 + minute * 60_000 + second * 1000 + ms
    return total, good & (total >= TS_MIN_MS) & (total <= TS_MAX_MS)


def _days(year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Days since 1970 in the proleptic Gregorian calendar; the year begins in March so that February 29 is its last."""
    y = year - (month <= 2)
    shifted = (month + 9) % 12
    return y * 365 + y // 4 - y // 100 + y // 400 + (153 * shifted + 2) // 5 + day - 1 - 719_468


def _decode_ragged_ts(column: pa.StringArray) -> tuple[NDArray[np.int64], Mask]:
    sized = pc.fill_null(pc.equal(pc.binary_length(column), _TS_CHARS), False)
    blank = "2000-01-01T00:00:00.000Z"
    total, good = _decode_ts(_flat(pc.if_else(sized, column, blank)))
    return total, good & sized.to_numpy(zero_copy_only=False)


def _check_each(
    topic: Topic, records: pa.RecordBatch | pa.Table, where: NDArray[np.int64]
) -> tuple[dict[int, dict[str, Any]], list[int], list[Fault]]:
    """The exact path over some records: events by position, positions of the bad ones and their faults."""
    good: dict[int, dict[str, Any]] = {}
    bad: list[int] = []
    faults: list[Fault] = []
    if not len(where):
        return good, bad, faults
    some = records.take(pa.array(where))
    values, types = some.column("value").to_pylist(), some.column("event_type").to_pylist()
    for position, value, event_type in zip(where.tolist(), values, types, strict=True):
        outcome = check(topic, value, event_type)
        if isinstance(outcome, Fault):
            bad.append(position)
            faults.append(outcome)
        else:
            good[position] = outcome
    return good, bad, faults


def _rows_of(topic: Topic, records: pa.RecordBatch | pa.Table, fast: _Fast, good: dict[int, dict[str, Any]]) -> Rows:
    """Both paths' rows together, in the order of the records."""
    schema = pa.schema([(c.name, _ARROW[c.type]) for c in topic.columns])
    pieces = fast.pieces + ([_exact_piece(schema, good)] if good else [])
    table = pa.concat_tables([piece.in_schema(schema) for piece in pieces]) if pieces else schema.empty_table()
    where = np.concatenate([piece.where for piece in pieces]) if pieces else np.empty(0, np.int64)
    ts_ms = np.concatenate([piece.ts_ms for piece in pieces]) if pieces else np.empty(0, np.int64)
    everything = len(pieces) == 1 and len(where) == records.num_rows
    for name in ("partition", "offset"):
        column = records.column(name)
        table = table.append_column(f"kafka_{name}", column if everything else column.take(pa.array(where)))
    rows = Rows(table, Ids.concat([piece.ids for piece in pieces]), (ts_ms // _MS_PER_DAY).astype(np.int32))
    return rows if (np.diff(where) > 0).all() else rows.take(np.argsort(where, kind="stable"))


def _exact_piece(schema: pa.Schema, good: dict[int, dict[str, Any]]) -> _Piece:
    events = list(good.values())
    columns = [pa.array([event[field.name] for event in events], field.type) for field in schema]
    ts_ms = np.array([event["ts"] for event in events], np.int64)
    where = np.array(list(good), np.int64)
    return _Piece(pa.Table.from_arrays(columns, schema=schema), Ids.of_column(columns[0]), ts_ms, where)


def _rejects(records: pa.RecordBatch | pa.Table, faults: list[Fault]) -> pa.Table:
    if not faults:
        return QUARANTINE_SCHEMA.empty_table()
    columns = {
        "topic": records.column("topic"),
        "partition": records.column("partition"),
        "offset": records.column("offset"),
        "kafka_timestamp": pc.cast(records.column("kafka_timestamp"), pa.timestamp("ms", "UTC"), safe=False),
        "code": pa.array([fault.code for fault in faults], pa.string()),
        "reason": pa.array([str(fault) for fault in faults], pa.string()),
        "event_type": records.column("event_type"),
        "value": records.column("value"),
    }
    return pa.table(columns, schema=QUARANTINE_SCHEMA)
