"""Runs queries: a fixed number of workers, states that only move forward, every state stored before anybody sees it.

    QUEUED ──► RUNNING ──► SUCCEEDED | FAILED | CANCELLED

A query waits in QUEUED for a worker, and for the engine while that is starting.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from smartcity.localaws.api import AwsError
from smartcity.localaws.athena.engine import EngineUnreachable
from smartcity.localaws.athena.failures import (
    ENGINE_ERROR,
    RESULT_WRITE_ERROR,
    SYSTEM,
    USER,
    QueryCancelled,
    QueryFailed,
)
from smartcity.localaws.athena.job import Job

if TYPE_CHECKING:
    from collections.abc import Callable

    from smartcity.localaws.athena.store import Store

log = logging.getLogger(__name__)

ENGINE_WAIT_S = 120.0  #: how long a query waits for an engine that does not answer
_RETRY_S = 0.2
_SCAN_LIMIT = "Query cancelled! : Bytes scanned limit was exceeded"


class Runner:
    """Takes jobs and brings each to a final state. `work` does a job or raises."""

    def __init__(
        self, store: Store, work: Callable[[Job], None], concurrency: int = 8, engine_wait_s: float = ENGINE_WAIT_S
    ) -> None:
        self._store = store
        self._work = work
        self._engine_wait_s = engine_wait_s
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="athena")
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def submit(self, job: Job) -> None:
        """Queue a job whose execution is already stored as QUEUED."""
        with self._lock:
            self._jobs[job.id] = job
        self._pool.submit(self._run, job)

    def job(self, id_: str) -> Job | None:
        """A job that is not finished yet."""
        with self._lock:
            return self._jobs.get(id_)

    def cancel(self, id_: str) -> None:
        """Stop a query; one that is finished already stays as it is."""
        job = self.job(id_)
        if job is not None:
            job.cancelled.set()
            if job.running_since is None:
                self._finish(job, "CANCELLED", "Query was cancelled by the user")

    def stop(self) -> None:
        """End all work; what ran becomes FAILED at the next start, or now if there is still time."""
        self._stopping.set()
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.cancelled.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def resume(self) -> None:
        """Mark queries that a kill interrupted; their work in the engine is lost."""
        for doc in self._store.unfinished():
            failure = QueryFailed(
                "GENERIC_INTERNAL_ERROR: Athena was restarted while the query ran; start it again",
                SYSTEM,
                ENGINE_ERROR,
                retryable=True,
            )
            _close(doc, "FAILED", failure.reason)
            doc["Status"]["AthenaError"] = failure.athena_error
            self._store.save_execution(doc)

    def running(self, job: Job) -> None:
        """The engine, or the statement's own code, has begun."""
        if job.running_since is None:
            with self._lock:
                if job.doc["Status"]["State"] != "QUEUED":
                    return
                job.running_since = time.time()
                job.doc["Status"]["State"] = "RUNNING"
                self._store.save_execution(job.doc)

    def _run(self, job: Job) -> None:
        try:
            if job.cancelled.is_set():
                raise QueryCancelled  # noqa: TRY301  one way to end
            self._with_engine(job)
            self.running(job)
            self._finish(job, "SUCCEEDED")
        except QueryCancelled:
            self._cancelled(job)
        except QueryFailed as failure:
            self._failed(job, failure)
        except AwsError as error:
            self._failed(job, QueryFailed(f"{error.code}: {error.message}", USER))
        except Exception as error:
            self._failed(job, self._unforeseen(job, error))

    def _cancelled(self, job: Job) -> None:
        if self._stopping.is_set() and not job.over_limit:
            reason = "GENERIC_INTERNAL_ERROR: Athena was stopped while the query ran; start it again"
            self._failed(job, QueryFailed(reason, SYSTEM, ENGINE_ERROR, retryable=True))
            return
        self._finish(job, "CANCELLED", _SCAN_LIMIT if job.over_limit else "Query was cancelled by the user")

    def _with_engine(self, job: Job) -> None:
        """Do the work; while nobody answers at the engine's address, wait and try again."""
        deadline = time.monotonic() + self._engine_wait_s
        while True:
            try:
                return self._work(job)
            except EngineUnreachable as error:
                if time.monotonic() > deadline or job.running_since is not None:
                    reason = f"GENERIC_INTERNAL_ERROR: The query engine does not answer ({error})"
                    raise QueryFailed(reason, SYSTEM, ENGINE_ERROR, retryable=True) from error
            if job.cancelled.wait(_RETRY_S):
                raise QueryCancelled

    def _unforeseen(self, job: Job, error: Exception) -> QueryFailed:
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, ClientError):
            what = error.response["Error"]
            reason = f"{error.operation_name} failed: {what.get('Code')}: {what.get('Message')}"
            if what.get("Code") == "NoSuchBucket":
                reason = f"Unable to verify/create output bucket {job.output.bucket}. {what.get('Message')}"
            return QueryFailed(reason, USER, RESULT_WRITE_ERROR)
        if not isinstance(error, BotoCoreError):
            log.exception("query %s failed unexpectedly", job.id)
        return QueryFailed(f"GENERIC_INTERNAL_ERROR: {type(error).__name__}: {error}", SYSTEM, ENGINE_ERROR)

    def _failed(self, job: Job, failure: QueryFailed) -> None:
        job.doc["Status"]["AthenaError"] = failure.athena_error
        self._finish(job, "FAILED", failure.reason)

    def _finish(self, job: Job, state: str, reason: str | None = None) -> None:
        with self._lock:
            if self._jobs.pop(job.id, None) is None:
                return  # cancelled while it waited
            statistics = statistics_of(job, time.time())
            job.doc["Statistics"] = {**job.doc.get("Statistics", {}), **statistics}
            job.doc["_engine"] = {**job.outcome.stats, "updateCount": job.outcome.update_count}
            job.doc["_engine"].pop("rootStage", None)
            _close(job.doc, state, reason)
            self._store.save_execution(job.doc)


def _close(doc: dict[str, Any], state: str, reason: str | None) -> None:
    doc["Status"]["State"] = state
    doc["Status"]["CompletionDateTime"] = time.time()
    if reason is not None:
        doc["Status"]["StateChangeReason"] = reason


def statistics_of(job: Job, now: float) -> dict[str, Any]:
    """The `QueryExecutionStatistics` so far; times in milliseconds, bytes as the engine read them from S3."""
    running = job.running_since or now
    stats = job.outcome.stats
    statistics = {
        "EngineExecutionTimeInMillis": round((now - running) * 1000),
        "DataScannedInBytes": job.outcome.bytes_scanned,
        "TotalExecutionTimeInMillis": round((now - job.began) * 1000),
        "QueryQueueTimeInMillis": round((running - job.began) * 1000),
        "ServicePreProcessingTimeInMillis": 0,
        "QueryPlanningTimeInMillis": int(stats.get("planningTimeMillis", 0)),
        "ServiceProcessingTimeInMillis": max(0, round((now - running) * 1000) - int(stats.get("elapsedTimeMillis", 0)))
        if stats
        else 0,
        "ResultReuseInformation": {"ReusedPreviousResult": job.reused},
    }
    if job.manifest is not None:
        statistics["DataManifestLocation"] = job.manifest.url
    return statistics
