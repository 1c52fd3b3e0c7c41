"""The stream's figures for Prometheus, on 127.0.0.1 only, in its text format (version 0.0.4)."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from smartcity.errors import ServiceError

_LOOPBACK = "127.0.0.1"


class Report(Protocol):
    """What is counted of a batch; `pipeline.stream.BatchReport` is one."""

    @property
    def topics(self) -> Mapping[str, Mapping[str, int]]: ...
    @property
    def lag(self) -> Mapping[str, int]: ...
    @property
    def batch(self) -> int: ...
    @property
    def files(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def at(self) -> float: ...


class Metrics:
    """Sums over batches; safe to read while batches are added."""

    OUTCOMES = ("read", "stored", "quarantined", "duplicates", "late")

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._events: dict[tuple[str, str], int] = {}
        self._files = self._batches = 0
        self._seconds = 0.0
        self._last: Report | None = None

    def add(self, report: Report) -> None:
        """Count one batch."""
        with self._lock:
            for topic, counts in report.topics.items():
                for outcome in self.OUTCOMES:
                    self._events[topic, outcome] = self._events.get((topic, outcome), 0) + counts.get(outcome, 0)
            self._files += report.files
            self._batches += 1
            self._seconds += report.seconds
            self._last = report

    def render(self) -> str:
        """The page that Prometheus reads."""
        with self._lock:
            return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        stream = f'stream="{self._stream}"'
        yield from _head("smartcity_stream_events_total", "counter", "Events by topic and what became of them")
        for (topic, outcome), count in sorted(self._events.items()):
            yield f'smartcity_stream_events_total{{{stream},topic="{topic}",outcome="{outcome}"}} {count}'
        for name, kind, text, number in (
            ("batches_total", "counter", "Batches committed since the start", self._batches),
            ("files_total", "counter", "Files written since the start", self._files),
            ("batch_seconds_total", "counter", "Time spent in batches", round(self._seconds, 3)),
        ):
            yield from _head(f"smartcity_stream_{name}", kind, text)
            yield f"smartcity_stream_{name}{{{stream}}} {number}"
        if self._last is not None:
            yield from self._of_last(stream, self._last)

    @staticmethod
    def _of_last(stream: str, last: Report) -> Iterator[str]:
        yield from _head("smartcity_stream_lag_events", "gauge", "Events at the brokers beyond the last batch")
        for topic, number in sorted(last.lag.items()):
            yield f'smartcity_stream_lag_events{{{stream},topic="{topic}"}} {number}'
        yield from _head("smartcity_stream_last_batch", "gauge", "Number of the last batch")
        yield f"smartcity_stream_last_batch{{{stream}}} {last.batch}"
        yield from _head("smartcity_stream_last_commit_timestamp_seconds", "gauge", "When it was committed")
        yield f"smartcity_stream_last_commit_timestamp_seconds{{{stream}}} {last.at}"


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


class MetricsServer:
    """Answers GET /metrics from a thread until `close`."""

    def __init__(self, metrics: Metrics, port: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = metrics.render().encode() if self.path.split("?")[0] == "/metrics" else b""
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Requests are not logged."""

        try:
            self._server = ThreadingHTTPServer((_LOOPBACK, port), Handler)
        except OSError as error:
            raise ServiceError(f"Port {port} cannot be used for metrics: {error.strerror}.", "Name another.") from None
        self.address = f"http://{_LOOPBACK}:{self._server.server_port}/metrics"
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
