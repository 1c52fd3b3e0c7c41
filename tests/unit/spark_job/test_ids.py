from __future__ import annotations

import uuid

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcity.spark_job.ids import IdMemory, Ids, Segment, decode_uuids, repeated

#: Few first halves and few second halves, so that collisions of either half happen.
UUIDS = st.builds(lambda hi, lo: uuid.UUID(int=(hi << 64) | lo), st.integers(0, 3), st.integers(0, 3))


def ids_of(some: list[uuid.UUID]) -> Ids:
    return Ids.of_column(pa.array([str(u) for u in some], pa.string()))


@settings(deadline=None)
@given(st.lists(st.uuids() | UUIDS))
def test_texts_and_bytes_give_the_same_ids(some: list[uuid.UUID]) -> None:
    ids = ids_of(some)
    assert [(int(h) << 64) | int(low) for h, low in zip(ids.hi, ids.lo, strict=True)] == [u.int for u in some]
    binary = Ids.of_column(pa.array([u.bytes for u in some], pa.binary(16)))
    assert (binary.hi == ids.hi).all()
    assert (binary.lo == ids.lo).all()


def test_slices_and_chunks_decode_their_own_part() -> None:
    some = [uuid.UUID(int=i) for i in range(10)]
    text = pa.array([str(u) for u in some])
    assert Ids.of_column(text.slice(3, 4)).lo.tolist() == [3, 4, 5, 6]
    assert Ids.of_column(pa.array([u.bytes for u in some], pa.binary(16)).slice(3, 2)).lo.tolist() == [3, 4]
    assert Ids.of_column(pa.chunked_array([text.slice(0, 2), text.slice(8)])).lo.tolist() == [0, 1, 8, 9]


def test_only_the_canonical_form_is_an_id() -> None:
    good = "7f1d9c1e-2f55-5a8b-9f0e-5c6d3b0a4e21"
    texts = [good, good.upper(), good.replace("-", "_"), good[:-1] + "g", good[:-1], good + "0", "", None, "é" * 18]
    assert decode_uuids(pa.array(texts, pa.string()))[1].tolist() == [True] + [False] * 8


@settings(deadline=None)
@given(st.lists(UUIDS))
def test_repeated_marks_every_id_but_the_first(some: list[uuid.UUID]) -> None:
    expected = [u in some[:at] for at, u in enumerate(some)]
    assert repeated(ids_of(some)).tolist() == expected


@settings(deadline=None)
@given(st.lists(UUIDS), st.permutations(range(5)))
def test_the_checksum_ignores_order_but_not_number(some: list[uuid.UUID], order: list[int]) -> None:
    shuffled = [some[at] for at in sorted(range(len(some)), key=lambda at: order[at % 5])]
    assert ids_of(shuffled).checksum() == ids_of(some).checksum()
    assert ids_of([*some, uuid.UUID(int=1)]).checksum() != ids_of(some).checksum()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.lists(UUIDS, max_size=6)), max_size=12), st.integers(1, 20))
def test_memory_answers_like_a_dictionary(batches: list[tuple[int, list[uuid.UUID]]], horizon: int) -> None:
    memory, stored, now = IdMemory(horizon), {}, 100
    for wait, batch in batches:
        now += wait
        expected = [u in stored and stored[u] >= now - horizon for u in batch]
        assert memory.seen(ids_of(batch), now).tolist() == expected
        memory.add(Segment.of(ids_of(batch), now), now)
        stored.update(dict.fromkeys(batch, now))


def test_lookups_search_few_segments_and_twenty_bytes_per_id() -> None:
    memory = IdMemory(1e9)
    random = np.random.default_rng(1)
    for batch in range(300):
        ids = Ids(random.integers(0, 2**63, 100, np.uint64), random.integers(0, 2**63, 100, np.uint64))
        memory.add(Segment.of(ids, batch), batch)
    assert len(memory) == 30_000
    assert memory.nbytes == 30_000 * 20
    assert memory.segments <= 8


def test_ids_older_than_the_horizon_are_forgotten_at_a_merge() -> None:
    memory = IdMemory(10)
    for now in range(0, 1000, 5):
        memory.add(Segment.of(ids_of([uuid.uuid5(uuid.NAMESPACE_URL, str(now))]), now), now)
    assert len(memory) < 50
