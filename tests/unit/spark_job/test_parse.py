from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcity.events import MAX_EVENT_BYTES, TOPICS
from smartcity.spark_job.exact import Fault, check
from smartcity.spark_job.parse import Parsed, day_text, lake_schema, parse_records
from tests.unit.spark_job.records import event, records, value

VEHICLE = TOPICS["vehicle"]


def only(parsed: list[Parsed]) -> Parsed:
    assert len(parsed) == 1
    return parsed[0]


def one(payload: bytes | None, event_type: str | None = None) -> str:
    """The code of the fault of a single record among good ones, or "stored"."""
    batch = records([value(sequence=1), payload, value(sequence=2)], event_types=[None, event_type, None])
    parsed = only(parse_records(batch))
    assert parsed.rows is not None
    assert len(parsed.rows) + parsed.rejects.num_rows == 3
    return "stored" if len(parsed.rows) == 3 else parsed.rejects.column("code")[0].as_py()


@pytest.mark.parametrize("topic", TOPICS)
def test_good_events_become_rows_in_order(topic: str) -> None:
    parsed = only(parse_records(records([value(topic, i) for i in range(5)], topic, partition=2, offset=70)))
    assert parsed.rows is not None
    assert parsed.rejects.num_rows == 0
    assert parsed.rows.table.column("kafka_offset").to_pylist() == [70, 71, 72, 73, 74]
    assert parsed.rows.table.column("kafka_partition").to_pylist() == [2] * 5
    assert parsed.rows.table.column("event_id").to_pylist() == [event(topic, i)["event_id"] for i in range(5)]
    assert {day_text(day) for day in parsed.rows.day} == {"2026-03-01"}
    assert parsed.rows.table.schema.names == lake_schema(topic).names[:-1]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (None, "tombstone"),
        (b"", "empty"),
        (b" " * 10, "not_json"),
        (b"{}", "missing_field"),
        (b"[]", "not_an_object"),
        (b"17", "not_an_object"),
        (b"hello", "not_json"),
        (value()[:-1], "not_json"),
        (value() + value(), "not_json"),
        (value() + b"\n" + value(), "not_json"),
        (b"\xef\xbb\xbf" + value(), "not_json"),
        (value(road="x").replace(b'"x"', b'"\xff"'), "not_utf8"),
        (value(road="x").replace(b'"x"', b'"\\ud800"'), "not_json"),
        (value(road="x").replace(b'"x"', b'"a\nb"'), "not_json"),
        (value(latitude=123.0), "out_of_range"),
        (value(latitude=None), "missing_field"),
        (value(latitude="51.5"), "wrong_type"),
        (value(latitude=True), "wrong_type"),
        (value(latitude={"degrees": 51}), "wrong_type"),
        (value(road=["M40"]), "wrong_type"),
        (value(latitude=0.5).replace(b"0.5", b"NaN"), "not_json"),
        (value(extra=0.25).replace(b"0.25", b"NaN"), "not_json"),
        (value(extra=0.25).replace(b"0.25", b"-Infinity"), "not_json"),
        (value(latitude=0.25).replace(b"0.25", b"1e400"), "out_of_range"),
        (value(latitude=0.25).replace(b"0.25", b"9" * 5000), "out_of_range"),
        (value(engine_rpm=1.5), "wrong_type"),
        (value(engine_rpm=1.0), "wrong_type"),
        (value(engine_rpm=2**40), "out_of_range"),
        (value(ts="3000-01-01T00:00:00.000Z"), "out_of_range"),
        (value(ts="2026-02-30T00:00:00.000Z"), "bad_time"),
        (value(ts="2026-03-01T07:00:00Z"), "bad_time"),
        (value(ts="2026-03-01T07:00:00.000+00:00"), "bad_time"),
        (value(ts="2026-03-01T07:00:60.000Z"), "bad_time"),
        (value(ts="２026-03-01T07:00:00.000Z"), "bad_time"),
        (value(ts=1_772_348_400_000), "wrong_type"),
        (value(event_id="1"), "bad_event_id"),
        (value(event_id=event()["event_id"].upper()), "bad_event_id"),
        (value(road="x").replace(b'"road"', b'"latitude": 1, "road"'), "duplicate_field"),
        (value(extra={"a": {"b": [1, 2]}}), "stored"),
        (value(extra="[{"), "stored"),
        (value(road="a } b"), "stored"),
        (value(road="NaN"), "stored"),
        (value(road="é😀"), "stored"),
        (b"  " + value() + b"\r\n", "stored"),
        (json.dumps(event(), indent=1).encode(), "stored"),
        (value(road="x" * (MAX_EVENT_BYTES - 10)), "too_long"),
        (b"x" * 5_000_000, "too_long"),
        (value(extra=1).replace(b"1}", b"[" * 100_000 + b"]" * 100_000 + b"}"), "not_json"),
    ],
)
def test_each_kind_of_bad_record_has_its_code(payload: bytes | None, code: str) -> None:
    assert one(payload) == code


def test_an_unknown_version_is_quarantined_and_no_header_means_the_known_one() -> None:
    assert one(value(), "smartcity.vehicle.v2") == "unknown_version"
    assert one(value(), "smartcity.gps.v1") == "unknown_version"
    assert one(value(), "smartcity.vehicle.v1") == "stored"


def test_a_nullable_field_may_be_absent() -> None:
    camera = event("camera", plate=None)
    del camera["frame_uri"]
    parsed = only(parse_records(records([json.dumps(camera).encode()], "camera")))
    assert parsed.rows is not None
    assert parsed.rows.table.select(["plate", "frame_uri"]).to_pylist() == [{"plate": None, "frame_uri": None}]


def test_an_unknown_topic_is_quarantined_whole() -> None:
    parsed = only(parse_records(records([value(), None], "parking")))
    assert parsed.rows is None
    assert parsed.rejects.column("code").to_pylist() == ["unknown_topic"] * 2


def test_a_quarantined_record_keeps_its_place_time_and_value() -> None:
    parsed = only(parse_records(records([b"junk"], partition=1, offset=42, event_types=["smartcity.vehicle.v1"])))
    row = parsed.rejects.to_pylist()[0]
    assert (row["topic"], row["partition"], row["offset"], row["value"]) == ("vehicle", 1, 42, b"junk")
    assert row["kafka_timestamp"].year == 2026
    assert row["reason"].startswith("not_json: ")


def test_topics_may_be_mixed_in_one_table() -> None:
    mixed = pa.Table.from_batches([records([value()]), records([value("gps")], "gps"), records([b"x"], "gps")])
    parsed = {p.topic: p for p in parse_records(mixed)}
    assert {name: (len(p.rows or ()), p.rejects.num_rows) for name, p in parsed.items()} == {
        "vehicle": (1, 0),
        "gps": (1, 1),
    }


#: JSON that is a little off in every way that is known to hurt.
WORDS = rb"""{ } [ ] , : " \ NaN Infinity 1e999 -0 01 null true \ud83d \u0000 "ts":1, "road":"a","road":"b", {} //"""
FRAGMENTS = st.sampled_from([*WORDS.split(), b"\n", b" ", b"\x00", b"\xff", b"\xc3\xa9"])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["2026-03-01T07:00:00.000Z", "1999-12-31T23:59:59.999Z", "2024-02-29T00:00:00.000Z", "2100-01-01T00:00:00.001Z"]
    ),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@st.composite
def payloads(draw: st.DrawFn) -> bytes | None:
    """A good event, one with changed fields, or one whose bytes were tampered with."""
    names = [c.name for c in VEHICLE.columns] + ["extra"]
    fields: dict[str, Any] = event(sequence=draw(st.integers(0, 5)))
    fields.update(draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=2)))
    for name in draw(st.lists(st.sampled_from(names), max_size=1)):
        fields.pop(name, None)
    payload = json.dumps(fields, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(payload)))
        payload = payload[:at] + draw(FRAGMENTS) + payload[at + draw(st.integers(0, 2)) :]
    return payload


@settings(max_examples=200, deadline=None)
@given(st.lists(payloads(), min_size=1, max_size=6))
def test_the_fast_path_agrees_with_the_exact_one(some: list[bytes | None]) -> None:
    parsed = only(parse_records(records(some)))
    assert parsed.rows is not None
    outcomes = [check(VEHICLE, payload, None) for payload in some]
    good = [(at, outcome) for at, outcome in enumerate(outcomes) if not isinstance(outcome, Fault)]
    bad = [(at, outcome) for at, outcome in enumerate(outcomes) if isinstance(outcome, Fault)]
    table = parsed.rows.table
    assert table.column("kafka_offset").to_pylist() == [at for at, _ in good]
    names = [c.name for c in VEHICLE.columns]
    ms = pa.compute.cast(table.column("ts"), pa.int64())
    stored = table.select(names).set_column(names.index("ts"), "ts", ms).to_pylist()
    assert repr(stored) == repr([outcome for _, outcome in good])
    assert parsed.rejects.column("offset").to_pylist() == [at for at, _ in bad]
    assert parsed.rejects.column("reason").to_pylist() == [str(fault) for _, fault in bad]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5))
def test_no_bytes_raise(some: list[bytes]) -> None:
    parsed = only(parse_records(records(some)))
    assert parsed.rejects.num_rows == len(some)


def test_a_bad_record_among_thousands_costs_only_its_own_block() -> None:
    some: list[bytes | None] = [value(sequence=i) for i in range(3000)]
    some[1234] = b'{"event_id": 5}'
    parsed = only(parse_records(records(some)))
    assert parsed.rows is not None
    assert len(parsed.rows) == 2999
    assert parsed.rejects.column("offset").to_pylist() == [1234]
    offsets = parsed.rows.table.column("kafka_offset").to_pylist()
    assert offsets == sorted(offsets)
