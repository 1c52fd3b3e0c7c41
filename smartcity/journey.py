"""`smartcity run`: the stops of the data as a plan of eight steps, executed, resumable and summarised.

Slow things start early and side by side: Trino and Spark begin while Kafka is still starting, and the stream follows
the car while it drives. What a broken run had done is in the data folder, so that the next run drives the same trip
again: the same trip gives the same event ids, and none is stored twice.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from smartcity import foundation, start
from smartcity.errors import DataLoss, ServiceError
from smartcity.guard import Guard
from smartcity.journal import Journal, Journey
from smartcity.report import Answer, Report, Step

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from pyspark.sql import SparkSession

    from smartcity.clients import Clients
    from smartcity.pipeline.stream import BatchReport
    from smartcity.services import Runtime
    from smartcity.spark_job.query import Stream

#: A trip takes two and a half hours: one that left three hours ago has arrived.
DEPARTED_AGO = timedelta(hours=3)
#: The dash camera's pictures in a run, in seconds; a roadside camera takes one of every car that passes.
FRAMES_EVERY_S = 60
#: What is said of a step that failed.
FAILED = {
    "prepare": "Java and jars",
    "services": "Starting the services",
    "foundation": "Bucket, topics, role, catalog and workgroup",
    "drive": "Driving",
    "stream": "Streaming into the lake",
    "crawl": "Crawling",
    "query": "Asking",
    "verify": "Verifying",
}
#: How many steps a run has.
STEPS = 8
#: The questions that a run asks of its own trip, by their names among the saved queries.
QUESTIONS = ("trip-roads", "trip-incidents", "trip-weather")


class StepView(Protocol):
    """Where steps are shown (implemented by the console)."""

    def running(self, number: int, text: str) -> None: ...

    def note(self, text: str) -> None: ...

    def finished(self, number: int, status: str, text: str, seconds: float) -> None: ...


@dataclass(frozen=True)
class Options:
    """What to drive. `start` is None for a trip that has just arrived, or to go on with a broken run's trip."""

    route: str = "london-birmingham"
    seed: int = 1
    start: datetime | None = None


class Run:
    """One execution of the plan."""

    def __init__(
        self,
        clients: Clients,
        runtime: Runtime,
        options: Options,
        view: StepView,
    ) -> None:
        self._clients, self._runtime, self._options, self._view = clients, runtime, options, view
        self._settings = clients.settings
        self._journal = Journal(self._settings.folder.journeys)
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="journey")
        self._now: Callable[[str], None] = lambda _: None
        self._spark: Future[SparkSession] = Future()
        self._stream: Future[Stream] = Future()
        self._trino: Future[float] = Future()
        self._guard = Guard(runtime, ("kafka", "aws"))
        self._stored = 0
        self._interrupted = False
        self._make_caches = False
        self.report = Report()

    @property
    def plan(self) -> tuple[tuple[str, Callable[[], str]], ...]:
        """The steps, in order; each returns what to say when it is done."""
        return (
            ("prepare", self._prepare),
            ("services", self._start_services),
            ("foundation", self._lay_foundation),
            ("drive", self._drive),
            ("stream", self._finish_stream),
            ("crawl", self._crawl),
            ("query", self._query),
            ("verify", self._verify),
        )

    def execute(self) -> Report:
        """Run every step. Raises the first step's error, with what to do; nothing that was done is lost."""
        began = time.monotonic()
        with self._journal.exclusive(), self._ctrl_c_counts():
            try:
                for number, (name, action) in enumerate(self.plan, start=1):
                    self._step(number, name, action)
            finally:
                self._wind_down()
        self.report.seconds = time.monotonic() - began
        return self.report

    @contextmanager
    def _ctrl_c_counts(self) -> Iterator[None]:
        """Remember Ctrl-C as well as raise it: what is raised in one of py4j's finalisers is dropped."""

        def interrupt(_number: int, frame: FrameType | None) -> None:
            self._interrupted = True
            if frame is None or "py4j" not in frame.f_code.co_filename:
                raise KeyboardInterrupt

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _check_interrupted(self) -> None:
        if self._interrupted:
            raise KeyboardInterrupt

    def _step(self, number: int, name: str, action: Callable[[], str]) -> None:
        began = time.monotonic()
        self._now = lambda text: self._view.running(number, text)
        try:
            said = action()
            self._check_interrupted()
        except BaseException as error:
            seconds = time.monotonic() - began
            self._view.finished(number, "FAIL", FAILED[name], seconds)
            self.report.steps.append(Step(name, "failed", round(seconds, 3)))
            raise self._explained(error) from None
        seconds = time.monotonic() - began
        self._view.finished(number, "OK", said, seconds)
        self.report.steps.append(Step(name, "ok", round(seconds, 3)))

    def _explained(self, error: BaseException) -> BaseException:
        """A service that died is the reason, whatever its clients made of it; and what to do next."""
        if isinstance(error, Exception):
            try:
                self._guard.check()
            except ServiceError as died:
                error = died
        if isinstance(error, ServiceError) and not isinstance(error, DataLoss):
            error.hint = f"{error.hint.rstrip('.')}. Then run it again: it goes on with the same trip.".lstrip(". ")
        return error

    # the steps

    def _prepare(self) -> str:
        from smartcity import simulation

        self._journey = self._planned()
        self._trip = simulation.trip(self._journey.route, self._journey.seed, self._journey.start)
        self.report.trip_id = self._trip.trip_id
        self._now("Looking for Java and jars")
        fetched: set[str] = set()

        def progress(label: str, done: int, total: int) -> None:
            if label not in fetched and done < total:
                fetched.add(label)
                self._view.note(f"Fetching {label}: {total / 1e6:.0f} MB, once")
            self._now(f"Fetching {label}: {done / 1e6:.0f} of {total / 1e6:.0f} MB")

        start.prepare(self._settings, progress)
        return "Java and jars are here"

    def _start_services(self) -> str:
        from smartcity.services.spark import start_jvm

        self._now("Starting local AWS, Kafka, Trino and Spark")
        wait_s = self._settings.start_timeout_s
        self._pool.submit(start_jvm, self._settings)  # needs no service; what it raises, start_spark raises again
        names = [name for name in ("aws", "kafka") if self._runtime.start(name)]
        self._runtime.wait_ready("aws", wait_s)
        self._spark = self._pool.submit(self._start_spark)
        names += ["trino"] if self._runtime.start("trino") else []
        self._trino = self._pool.submit(self._runtime.wait_ready, "trino", wait_s)
        self._runtime.wait_ready("kafka", wait_s)
        self._guard.start()
        return f"Started {', '.join(names)}" if names else "Everything runs already"

    def _start_spark(self) -> SparkSession:
        from smartcity.pipeline import stream
        from smartcity.services.spark import start_spark

        return start_spark(self._settings, "smartcity-stream", stream.spark_options())

    def _lay_foundation(self) -> str:
        self._now("Looking for bucket, topics, role, catalog and workgroup")
        self.report.remarks += foundation.ensure_all(self._clients)
        self._stream = self._pool.submit(self._open_stream)
        return "Bucket, topics, role, catalog and workgroup exist"

    def _open_stream(self) -> Stream:
        from smartcity.pipeline import catalog, stream

        aws = self._settings.aws
        return stream.start(
            self._spark.result(),
            self._clients.aws("s3"),
            self._clients.kafka_admin,
            aws.bucket,
            stream.stream_config(self._settings),
            register=catalog.Registrar(self._clients.aws("glue"), aws.database, aws.bucket),
            on_batch=self._count_batch,
        )

    def _count_batch(self, batch: BatchReport) -> None:
        self._stored += 0 if batch.replayed else batch.stored

    def _drive(self) -> str:
        from smartcity.ledger import LedgerWriter
        from smartcity.pipeline import broker
        from smartcity.pipeline.frames import S3Frames
        from smartcity.simulation.footage import FrameTaker

        trip = self._trip
        if self._journey.driven:
            return f"{trip.trip_id} has arrived already"
        self._journal.save(self._journey)
        camera = FrameTaker(S3Frames(self._clients.aws("s3"), self._settings.aws.bucket), FRAMES_EVERY_S)
        with LedgerWriter.new(self._settings.folder.ledger) as ledger:
            sent = broker.send(
                self._clients.producer(**broker.PRODUCER),
                trip.batches(camera),
                ledger,
                timeout_s=self._settings.kafka.delivery_timeout_s,
                progress=lambda events: self._now(f"Driving {trip.route}: {events:,} events acknowledged"),
                stop=self._guard.died,
            )
        self._journey = self._journal.mark(self._journey)
        return f"Drove {trip.route}: {sent.events:,} events acknowledged by Kafka"

    def _planned(self) -> Journey:
        """The journey of a broken run if the options name no other, else a new one."""
        wanted = self._options
        broken = self._journal.unfinished()
        if (
            broken
            and (broken.route, broken.seed) == (wanted.route, wanted.seed)
            and wanted.start in {None, broken.start}
        ):
            return broken
        left = wanted.start or (datetime.now(UTC) - DEPARTED_AGO).replace(microsecond=0)
        return Journey(wanted.route, wanted.seed, left)

    def _finish_stream(self) -> str:
        self._now("Waiting for Spark")
        stream = self._stream.result()
        ends = self._ends()
        while not stream.committed(ends):
            self._check_interrupted()
            self._guard.check()
            if stream.wait(0):
                raise ServiceError("The stream ended before it had stored everything.", f"See {self._spark_log}.")
            self._now(f"Streaming into the lake: {self._stored:,} events stored")
            time.sleep(0.05)
        stream.stop()
        return f"{self._stored:,} events stored in the lake"

    @property
    def _spark_log(self) -> Path:
        return self._settings.folder.logs / "spark.log"

    def _ends(self) -> dict[str, dict[int, int]]:
        from smartcity.spark_job.source import KafkaBroker

        _, ends = KafkaBroker(self._clients.kafka_admin).offsets(tuple(self._topics))
        return {topic: dict(partitions) for topic, partitions in ends.items()}

    @property
    def _topics(self) -> tuple[str, ...]:
        from smartcity.events import TOPICS

        return tuple(TOPICS)

    def _crawl(self) -> str:
        from smartcity.pipeline import catalog

        self._now("Crawling the lake")
        aws = self._settings.aws
        glue = self._clients.aws("glue")
        catalog.run_crawler(glue, aws.crawler, timeout_s=self._settings.start_timeout_s)
        tables = catalog.describe_tables(glue, aws.database)
        self.report.tables = [
            {"name": table.name, "partitions": table.partitions, "rows": table.rows} for table in tables
        ]
        return f"{len(tables)} tables in the catalog, {sum(table.partitions for table in tables)} partitions"

    def _query(self) -> str:
        from smartcity.pipeline import query
        from smartcity.queries import bind, saved_query

        self._now("Waiting for Trino")
        self._trino.result()
        athena, aws = self._clients.aws("athena"), self._settings.aws
        for name in QUESTIONS:
            self._now(f"Asking: {name}")
            sql, parameters = bind(saved_query(name).sql, {"trip_id": self.report.trip_id})
            result = query.run_query(athena, sql, database=aws.database, workgroup=aws.workgroup, parameters=parameters)
            rows = [tuple(row) for row in result.rows]
            self.report.answers.append(Answer(name, sql, result.columns, rows, result.seconds, result.bytes_scanned))
        return f"{len(self.report.answers)} questions answered"

    def _verify(self) -> str:
        from smartcity import ledger
        from smartcity.pipeline import verify
        from smartcity.spark_job.store import Bucket

        self._now("Comparing ledger, offsets, commits, files and rows")
        bucket = Bucket(self._clients.aws("s3"), self._settings.aws.bucket)
        found = verify.verify(
            bucket, ledger.read(self._settings.folder.ledger), ends=self._ends(), trip_id=self.report.trip_id
        )
        # a drive that was broken off sends its events again: they count once, by event id
        self.report.produced = {check.topic: check.produced - check.duplicates for check in found.topics}
        self.report.duplicates = {check.topic: check.duplicates for check in found.topics}
        self.report.stored = {check.topic: check.stored for check in found.topics}
        self.report.quarantined = {check.topic: check.quarantined for check in found.topics}
        found.require()
        self._journal.mark(self._journey, finished=True)
        self._make_caches = True
        return f"{sum(self.report.produced.values()):,} produced = stored + quarantined, event by event"

    # the end

    def _wind_down(self) -> None:
        """Stop the stream and Spark, whatever happened; the services go on running."""
        from smartcity.services.spark import end_gateway, stop_spark

        self._guard.stop()
        if self._stream.done() and not self._stream.exception():
            self._stream.result().stop()
        if self._spark.done() and not self._spark.exception():
            stop_spark(self._spark.result())
        end_gateway()
        if self._make_caches:
            from smartcity.services.background import make_caches_in_background

            make_caches_in_background(self._settings)
        self._pool.shutdown(wait=False, cancel_futures=True)
