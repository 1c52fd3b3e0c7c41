"""Trino over its client protocol: a statement is posted, pages are fetched until there is no next one.

The protocol is the documented one (`POST /v1/statement`, then `nextUri`). Only what Athena needs is here. Rows come
as the engine's JSON in pages of about 4 MB, so that a million rows pass in flat memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from smartcity.localaws.athena.failures import ENGINE_ERROR, SYSTEM, QueryCancelled, QueryFailed, from_engine
from smartcity.localaws.athena.values import Column, type_of

if TYPE_CHECKING:
    import httpx

Rows = Sequence[Sequence[Any]]
_PAGE = "4MB"
_BUSY = frozenset({429, 502, 503, 504})
_STARTING = frozenset({"SERVER_STARTING_UP", "NO_NODES_AVAILABLE"})
_BUSY_TRIES = 40
_BUSY_WAIT_S = 0.25


class EngineUnreachable(Exception):
    """Nobody answers at the engine's address, or it is still starting: nothing of the statement was run."""


@dataclass
class Outcome:
    """What is known of a running statement; grows page by page."""

    query_id: str = ""
    columns: list[Column] | None = None
    stats: dict[str, Any] = field(default_factory=dict)
    update_type: str | None = None
    update_count: int | None = None
    next_uri: str | None = None

    @property
    def bytes_scanned(self) -> int:
        """Bytes read from files (not from memory, not after decompression)."""
        return int(self.stats.get("physicalInputBytes", 0))

    def take(self, body: Mapping[str, Any]) -> Rows:
        """Note what a page says and return its rows; raises `QueryFailed` if it reports an error."""
        self.query_id = body.get("id", self.query_id)
        self.stats = body.get("stats") or self.stats
        self.update_type = body.get("updateType", self.update_type)
        self.update_count = body.get("updateCount", self.update_count)
        self.next_uri = body.get("nextUri")
        if "error" in body:
            error = body["error"]
            name, type_ = error.get("errorName", "GENERIC_INTERNAL_ERROR"), error.get("errorType", "INTERNAL_ERROR")
            if name in _STARTING and self.columns is None:
                raise EngineUnreachable(error.get("message", name))
            raise from_engine(name, type_, error.get("message", "no message"))
        if self.columns is None and body.get("columns"):
            self.columns = [Column(column["name"], type_of(column["typeSignature"])) for column in body["columns"]]
        rows: Rows = body.get("data") or ()
        return rows


@dataclass(frozen=True)
class Session:
    """Under which names a statement runs. `prepared` maps names to statements with `?`."""

    user: str
    schema: str = "default"
    catalog: str = "awsdatacatalog"
    source: str = "athena"
    prepared: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        """The protocol's session headers."""
        headers = {
            "X-Trino-User": self.user,
            "X-Trino-Catalog": self.catalog,
            "X-Trino-Schema": self.schema,
            "X-Trino-Source": self.source,
            "X-Trino-Time-Zone": "UTC",
            "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",
        }
        if self.properties:
            headers["X-Trino-Session"] = ",".join(f"{name}={quote(value)}" for name, value in self.properties.items())
        if self.prepared:
            pairs = (f"{quote(name, safe='')}={quote(text, safe='')}" for name, text in self.prepared.items())
            headers["X-Trino-Prepared-Statement"] = ",".join(pairs)
        return headers


class Trino:
    """A client of one engine. Safe to use from many threads."""

    def __init__(
        self,
        url: str,
        headers: Callable[[], Mapping[str, str]] = dict,
        client: httpx.Client | None = None,
        verify: Any = True,
    ) -> None:
        self.url = url.rstrip("/")
        self._own_headers = headers
        self._client = client
        self._verify = verify

    @property
    def _http(self) -> httpx.Client:
        if self._client is None:
            import httpx

            limits = httpx.Limits(max_connections=64, max_keepalive_connections=16)
            timeout = httpx.Timeout(60.0, connect=3.0)
            self._client = httpx.Client(limits=limits, timeout=timeout, trust_env=False, verify=self._verify)
        return self._client

    def close(self) -> None:
        """Drop the connections."""
        if self._client is not None:
            self._client.close()

    def is_ready(self) -> bool:
        """Whether the engine answers and has finished starting."""
        import httpx

        try:
            info = self._http.get(f"{self.url}/v1/info", headers=dict(self._own_headers()), timeout=3.0)
        except httpx.HTTPError:
            return False
        return info.status_code == 200 and info.json().get("starting") is False

    def run(self, sql: str, session: Session, cancelled: Event, outcome: Outcome | None = None) -> Iterator[Rows]:
        """Run a statement and yield its rows page by page (empty pages too); `outcome` fills as they come.

        Raises `EngineUnreachable` if it could not even be handed over, `QueryFailed` with the engine's own error or
        when the engine dies meanwhile, `QueryCancelled` once `cancelled` is set (the work in the engine is ended).
        """
        outcome = outcome if outcome is not None else Outcome()
        try:
            yield outcome.take(self._submit(sql, session))
            while outcome.next_uri:
                if cancelled.is_set():
                    raise QueryCancelled
                yield outcome.take(self._next(outcome.next_uri, session))
        finally:
            if outcome.next_uri:
                self._delete(outcome.next_uri)

    def collect(self, sql: str, session: Session, cancelled: Event, outcome: Outcome | None = None) -> list[list[Any]]:
        """All rows of a small statement."""
        return [list(row) for rows in self.run(sql, session, cancelled, outcome) for row in rows]

    def _submit(self, sql: str, session: Session) -> dict[str, Any]:
        import httpx

        headers = {**session.headers, **self._own_headers(), "Content-Type": "text/plain; charset=utf-8"}
        try:
            answer = self._http.post(f"{self.url}/v1/statement", content=sql.encode(), headers=headers)
        except httpx.HTTPError as error:
            raise EngineUnreachable(str(error)) from error
        if answer.status_code in _BUSY:
            raise EngineUnreachable(f"HTTP {answer.status_code}")
        return _body(answer)

    def _next(self, uri: str, session: Session) -> dict[str, Any]:
        import httpx

        headers = {"X-Trino-User": session.user, **self._own_headers()}
        separator = "&" if "?" in uri else "?"
        for _ in range(_BUSY_TRIES):
            try:
                answer = self._http.get(f"{self._own(uri)}{separator}targetResultSize={_PAGE}", headers=headers)
            except httpx.HTTPError as error:
                raise _lost(str(error)) from error
            if answer.status_code not in _BUSY:
                return _body(answer)
            time.sleep(_BUSY_WAIT_S)
        raise _lost(f"HTTP {answer.status_code}")

    def _own(self, uri: str) -> str:
        """A link of the engine at the address where we found it: behind a proxy it names itself otherwise."""
        parts = urlsplit(uri)
        return self.url + parts.path + (f"?{parts.query}" if parts.query else "")

    def _delete(self, uri: str) -> None:
        """End the work in the engine; if that fails, the engine drops abandoned queries by itself."""
        import contextlib

        import httpx

        with contextlib.suppress(httpx.HTTPError):
            self._http.delete(self._own(uri), headers=dict(self._own_headers()), timeout=5.0)


def _body(answer: httpx.Response) -> dict[str, Any]:
    import orjson

    if answer.status_code != 200:
        raise _lost(f"HTTP {answer.status_code} {answer.text[:200]}")
    body: dict[str, Any] = orjson.loads(answer.content)
    return body


def _lost(detail: str) -> QueryFailed:
    """The failure of a query whose engine went away while it ran."""
    reason = f"GENERIC_INTERNAL_ERROR: The query engine stopped answering while the query ran ({detail})"
    return QueryFailed(reason, SYSTEM, ENGINE_ERROR, retryable=True)
