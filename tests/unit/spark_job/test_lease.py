from __future__ import annotations

import os

import pytest

from smartcity.errors import ServiceError
from smartcity.spark_job.lease import TTL_S, Holder, Lease, process_start
from tests.unit.spark_job.fakes import MemoryBucket

ELSEWHERE = Holder("t1", "another-machine", 4711, "1.0")


def lease(bucket: MemoryBucket, holder: Holder, heartbeat_s: float = 60) -> Lease:
    return Lease(bucket, "main", holder, heartbeat_s)


def test_a_second_stream_is_refused_by_name_until_the_first_lets_go() -> None:
    bucket = MemoryBucket()
    first = lease(bucket, ELSEWHERE)
    first.take()
    second = lease(bucket, Holder.me())
    with pytest.raises(ServiceError, match="process 4711 on another-machine"):
        second.take()
    first.release()
    second.take()
    second.release()
    assert bucket.objects == {}


def test_a_silent_holder_is_replaced_and_notices() -> None:
    bucket = MemoryBucket()
    first = lease(bucket, ELSEWHERE, heartbeat_s=0.01)
    first.take()
    first._stop.set()
    bucket.advance(TTL_S + 1)
    second = lease(bucket, Holder.me())
    second.take()
    first._stop.clear()
    first._renew()
    with pytest.raises(ServiceError, match="taken over"):
        first.check()
    second.check()
    first.release()
    assert bucket.objects, "the loser must not release the winner's lease"
    second.release()


def test_a_dead_process_of_this_machine_is_replaced_at_once() -> None:
    bucket = MemoryBucket()
    me = Holder.me()
    lease(bucket, Holder("t0", me.host, me.pid, "another start")).take()
    lease(bucket, me).take()


def test_only_one_of_two_takers_gets_a_free_lease() -> None:
    class Racing(MemoryBucket):
        def put(self, key: str, body: bytes, *, absent: bool = False, etag: str | None = None) -> str:
            if etag:
                super().put(key, b'{"token": "rival", "host": "x", "pid": 1, "started": ""}')
            return super().put(key, body, absent=absent, etag=etag)

    bucket = Racing()
    lease(bucket, ELSEWHERE).take()
    bucket.advance(TTL_S + 1)
    with pytest.raises(ServiceError, match="already running"):
        lease(bucket, Holder.me()).take()


def test_a_beat_whose_answer_got_lost_is_still_ours() -> None:
    bucket = MemoryBucket()
    mine = lease(bucket, Holder.me(), heartbeat_s=0.001)
    mine.take()
    mine._etag = "stale"
    mine._renewed_or_lost(bucket.get(mine.key))
    mine.check()
    mine.release()


def test_process_start_knows_the_living_from_the_dead() -> None:
    assert process_start(os.getpid())
    assert process_start(2**22 + 1) == ""
