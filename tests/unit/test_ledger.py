"""The ledger tells what was acknowledged, and survives being cut off."""

from __future__ import annotations

import tracemalloc
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartcity import ledger
from smartcity.errors import PrerequisiteError
from smartcity.ledger import LedgerWriter, Run


def _ids(count: int, salt: str = "") -> bytes:
    return b"".join(uuid.uuid5(uuid.NAMESPACE_URL, f"{salt}{n}").bytes for n in range(count))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    with LedgerWriter.new(tmp_path) as writer:
        writer.acknowledged(Run("gps", 2, 100, _ids(3), "trip-1"))
        writer.acknowledged(Run("vehicle", 0, ledger.UNKNOWN_OFFSET, _ids(2, "v"), "trip-ü"))
        writer.unacknowledged(Run("gps", 1, ledger.UNKNOWN_OFFSET, _ids(1, "u"), "trip-1"))
    rows = [row for batch in ledger.read(tmp_path) for row in batch.to_pylist()]
    assert [(row["topic"], row["partition"], row["offset"], row["trip_id"]) for row in rows] == [
        ("gps", 2, 100, "trip-1"),
        ("gps", 2, 101, "trip-1"),
        ("gps", 2, 102, "trip-1"),
        ("vehicle", 0, -1, "trip-ü"),
        ("vehicle", 0, -1, "trip-ü"),
    ]
    assert b"".join(row["event_id"] for row in rows[:3]) == _ids(3)
    assert ledger.count(tmp_path) == {"gps": 3, "vehicle": 2}
    assert ledger.count(tmp_path, ledger.UNACKNOWLEDGED) == {"gps": 1}


def test_several_runs_are_read_in_their_order(tmp_path: Path) -> None:
    for salt in ("a", "b"):
        with LedgerWriter(tmp_path / salt) as writer:
            writer.acknowledged(Run("gps", 0, 0, _ids(1, salt), salt))
    assert [row["trip_id"] for batch in ledger.read(tmp_path) for row in batch.to_pylist()] == ["a", "b"]


def test_an_empty_ledger_is_empty(tmp_path: Path) -> None:
    assert list(ledger.read(tmp_path / "none")) == []
    assert ledger.count(tmp_path) == {}
    LedgerWriter.new(tmp_path).close()
    assert ledger.folders(tmp_path) == []


@given(cut=st.integers(1, 200), data=st.binary(max_size=40))
def test_a_ledger_that_was_cut_off_is_read_up_to_the_cut(
    tmp_path_factory: pytest.TempPathFactory, cut: int, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    with LedgerWriter(folder / "run") as writer:
        writer.acknowledged(Run("gps", 0, 0, _ids(4), "trip"))
        writer.acknowledged(Run("gps", 0, 4, _ids(4, "later"), "trip"))
    file = folder / "run" / ledger.ACKNOWLEDGED
    whole = file.read_bytes()
    first = len(whole) // 2
    file.write_bytes(whole[: max(len(whole) - cut, first)] + (data if cut < 5 else b""))
    found = list(ledger.runs(file))
    assert len(found) >= 1 and found[0].ids == _ids(4)
    assert all(run.ids in {_ids(4), _ids(4, "later")} for run in found)


def test_a_damaged_run_is_not_believed(tmp_path: Path) -> None:
    with LedgerWriter(tmp_path / "run") as writer:
        writer.acknowledged(Run("gps", 0, 0, _ids(4), "trip"))
    file = tmp_path / "run" / ledger.ACKNOWLEDGED
    damaged = bytearray(file.read_bytes())
    damaged[-1] ^= 1
    file.write_bytes(damaged)
    assert list(ledger.runs(file)) == []


def test_reading_millions_needs_little_memory(tmp_path: Path) -> None:
    ids = bytes(16 * 10_000)
    with LedgerWriter(tmp_path / "run") as writer:
        for number in range(100):
            writer.acknowledged(Run("gps", 0, number * 10_000, ids, "trip"))
    next(ledger.read(tmp_path))
    tracemalloc.start()
    rows = sum(batch.num_rows for batch in ledger.read(tmp_path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == 1_000_000
    assert peak < 20_000_000


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PrerequisiteError) as refused:
        LedgerWriter(tmp_path / "file" / "run").acknowledged(Run("gps", 0, 0, _ids(1), "trip"))
    assert "cannot be written" in refused.value.reason
