"""Pages of keys against a plain model of what S3 does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcity.localaws.api import AwsError
from smartcity.localaws.s3.listing import after, page
from smartcity.localaws.s3.preconditions import byte_range
from smartcity.localaws.s3.store import ObjectRecord, ObjectStore

keys_of = st.lists(st.text("ab/=\ud7ff\ue000\U0010ffffü", min_size=1, max_size=6), max_size=25, unique=True)


def rows(keys: list[str], prefix: str, delimiter: str) -> list[str]:
    """Keys and common prefixes in order, as the documentation describes them."""
    found: list[str] = []
    for key in sorted((k for k in keys if k.startswith(prefix)), key=str.encode):
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        row = key[: end + 1] if end >= 0 else key
        if row not in found:
            found.append(row)
    return found


@given(
    keys=keys_of,
    prefix=st.text("ab/=", max_size=3),
    delimiter=st.sampled_from(["", "/"]),
    size=st.integers(1, 7),
)
@settings(max_examples=300, deadline=None)
def test_pages_together_are_the_whole_list(keys: list[str], prefix: str, delimiter: str, size: int) -> None:
    ordered = sorted(keys, key=str.encode)

    def scan(start: str, inclusive: bool, limit: int) -> list[ObjectRecord]:
        low = start.encode()
        fitting = [k for k in ordered if k.encode() > low or (inclusive and k.encode() == low)]
        return [ObjectRecord(key, 0, "", 0.0, ()) for key in fitting[:limit]]

    seen: list[str] = []
    marker = ""
    for _ in range(len(keys) + 2):
        found = page(scan, prefix, delimiter, marker, size)
        assert found.count <= size
        seen += sorted([record.key for record in found.objects] + found.prefixes, key=str.encode)
        if not found.truncated:
            break
        assert found.count == size
        marker = found.last
    assert seen == rows(keys, prefix, delimiter)


@given(prefix=st.text(min_size=1, max_size=4), rest=st.text(max_size=4))
@settings(max_examples=300)
def test_after_is_beyond_everything_with_the_prefix(prefix: str, rest: str) -> None:
    assert after(prefix).encode() > (prefix + rest).encode()


def test_sqlite_orders_keys_as_utf8_bytes(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    store.create_bucket("bkt", 0.0, {})
    keys = ["z", "é", "\ue000", "\U00010000", "A", "a/", "a"]
    for key in keys:
        store.put("bkt", ObjectRecord(key, 0, "", 0.0, ()))
    assert [record.key for record in store.scan("bkt", "", True, 100)] == sorted(keys, key=str.encode)
    store.close()


@given(st.text("bytes=0123456789-, ", max_size=14), st.integers(0, 30))
@settings(max_examples=300)
def test_any_range_is_inside_the_object_or_refused(text: str, size: int) -> None:
    try:
        found = byte_range(text, size)
    except AwsError as error:
        assert error.code == "InvalidRange"
        return
    if found is not None:
        start, length = found
        assert start >= 0
        assert length >= 1
        assert start + length <= size


@pytest.mark.parametrize("text", ["bytes=0-1,3-4", "bytes=", "items=0-1", "bytes=5-2", None])
def test_what_is_no_single_range_gives_the_whole_object(text: str | None) -> None:
    assert byte_range(text, 10) is None
