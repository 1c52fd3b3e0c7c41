"""One stream per checkpoint: a lease object in the bucket, taken with a conditional write and renewed by a heartbeat.

A lease is free for the taking when its holder let it go, when its heartbeat is older than `TTL_S` by the server's
own clock, or when it names a process of this machine that no longer runs. Files carry the batch's identity and
commit objects are written only once, so even a holder that slept through its lease can double nothing.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import uuid
from dataclasses import asdict, dataclass

import psutil

from smartcity import layout
from smartcity.errors import ServiceError
from smartcity.spark_job.store import Bucket, Conflict, Stored

TTL_S = 30.0
HEARTBEAT_S = 10.0


@dataclass(frozen=True)
class Holder:
    """The process that runs a stream. `started` tells it from a later process with the same number."""

    token: str
    host: str
    pid: int
    started: str

    @classmethod
    def me(cls) -> Holder:
        """This process."""
        return cls(uuid.uuid4().hex, socket.gethostname(), os.getpid(), process_start(os.getpid()))

    def is_dead(self) -> bool:
        """Whether it ran on this machine and has ended; False if unknown."""
        return self.host == socket.gethostname() and process_start(self.pid) != self.started


def process_start(pid: int) -> str:
    """When a process of this machine started, as an opaque text; empty if there is no such process."""
    try:
        return repr(psutil.Process(pid).create_time())
    except psutil.Error:
        return ""


class Lease:
    """Held from `take` to `release`."""

    def __init__(self, bucket: Bucket, stream: str, holder: Holder | None = None, heartbeat_s: float = HEARTBEAT_S):
        self.bucket = bucket
        self.stream = stream
        self.key = layout.lease_key(stream)
        self.holder = holder or Holder.me()
        self.lost: str = ""
        self._heartbeat_s = heartbeat_s
        self._etag = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self) -> None:
        """Take the lease and begin to renew it. Raises `ServiceError` naming the holder when the stream is running."""
        body = json.dumps(asdict(self.holder)).encode()
        try:
            self._etag = self.bucket.put(self.key, body, absent=True)
        except Conflict:
            self._take_over(body)
        self._thread = threading.Thread(target=self._renew, name=f"lease {self.stream}", daemon=True)
        self._thread.start()

    def _take_over(self, body: bytes) -> None:
        stored = self.bucket.get(self.key)
        if stored is None:  # released this very moment
            self._etag = self.bucket.put(self.key, body, absent=True)
            return
        other = Holder(**json.loads(stored.body))
        age_s = (stored.server_time - stored.modified).total_seconds()
        if age_s < TTL_S and not other.is_dead():
            raise self._held(other, age_s)
        try:
            self._etag = self.bucket.put(self.key, body, etag=stored.etag)
        except Conflict:
            raise self._held(other, 0.0) from None

    def _held(self, other: Holder, age_s: float) -> ServiceError:
        return ServiceError(
            f"Stream {self.stream!r} is already running: process {other.pid} on {other.host}, "
            f"seen {age_s:.0f} seconds ago.",
            f"Stop it first, wait {TTL_S:.0f} seconds after it died, or give this one another name with --name.",
        )

    def check(self) -> None:
        """Raise `ServiceError` if another process took the lease over."""
        if self.lost:
            raise ServiceError(f"Stream {self.stream!r} was taken over: {self.lost}.", "Run only one of them.")

    def _renew(self) -> None:
        body = json.dumps(asdict(self.holder)).encode()
        while not self._stop.wait(self._heartbeat_s):
            try:
                self._etag = self.bucket.put(self.key, body, etag=self._etag)
            except Conflict:
                self._renewed_or_lost(self.bucket.get(self.key))
                if self.lost:
                    return
            except Exception:  # noqa: S112  the network is away: the lease runs out, or the next beat renews it
                continue

    def _renewed_or_lost(self, stored: Stored | None) -> None:
        """A beat whose answer got lost counts as ours; anything else is somebody's."""
        if stored is not None and json.loads(stored.body)["token"] == self.holder.token:
            self._etag = stored.etag
        else:
            self.lost = "its lease is gone" if stored is None else f"its lease is now {stored.body.decode()}"

    def release(self) -> None:
        """Stop the heartbeat and let go, if it is still ours."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        stored = self.bucket.get(self.key)
        if stored is not None and json.loads(stored.body).get("token") == self.holder.token:
            self.bucket.delete([self.key])
