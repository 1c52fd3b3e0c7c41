"""Asking Trino directly, over its documented client protocol: what the answers are without Athena's front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.golden.queries import DATABASE, Query


@dataclass(frozen=True)
class Answer:
    """What came of a statement: columns as (name, type) and rows, or the name and text of an error."""

    columns: Sequence[tuple[str, str]] = ()
    rows: Sequence[Sequence[Any]] = ()
    error: str | None = None
    message: str = ""
    stats: Mapping[str, Any] = field(default_factory=dict)
    update_count: int | None = None


@dataclass
class Direct:
    """One session: prepared statements are carried from statement to statement, as the protocol asks of clients."""

    url: str
    token: Path
    user: str = "local-aws"
    prepared: dict[str, str] = field(default_factory=dict)
    session: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.url, timeout=60.0, trust_env=False)

    def close(self) -> None:
        """Drop the connections."""
        self.http.close()

    @property
    def headers(self) -> dict[str, str]:
        """The session as headers."""
        headers = {
            "Authorization": f"Bearer {self.token.read_text()}",
            "X-Forwarded-Proto": "https",
            "X-Trino-User": self.user,
            "X-Trino-Catalog": "awsdatacatalog",
            "X-Trino-Schema": DATABASE,
            "X-Trino-Time-Zone": "UTC",
            "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",
        }
        if self.prepared:
            headers["X-Trino-Prepared-Statement"] = ",".join(f"{name}={text}" for name, text in self.prepared.items())
        if self.session:
            headers["X-Trino-Session"] = ",".join(f"{name}={text}" for name, text in self.session.items())
        return headers

    def ask(self, sql: str) -> Answer:
        """Run a statement to its end."""
        response = self.http.post("/v1/statement", content=sql.encode(), headers=self.headers)
        columns: list[tuple[str, str]] = []
        rows: list[Sequence[Any]] = []
        while True:
            page = response.raise_for_status().json()
            self._remember(response.headers)
            if "error" in page:
                return Answer(error=page["error"]["errorName"], message=page["error"]["message"], stats=page["stats"])
            columns = columns or [(column["name"], column["type"]) for column in page.get("columns", ())]
            rows += page.get("data", ())
            if "nextUri" not in page:
                return Answer(columns, rows, stats=page["stats"], update_count=page.get("updateCount"))
            response = self.http.get(urlsplit(page["nextUri"]).path, headers=self.headers)

    def _remember(self, headers: Mapping[str, str]) -> None:
        if "X-Trino-Added-Prepare" in headers:
            name, _, text = headers["X-Trino-Added-Prepare"].partition("=")
            self.prepared[name] = text
        if "X-Trino-Deallocated-Prepare" in headers:
            self.prepared.pop(headers["X-Trino-Deallocated-Prepare"], None)

    def run(self, query: Query) -> Answer:
        """A recorded query with the steps before it and the cleaning after it."""
        try:
            for step in query.steps:
                done = self.ask(step)
                assert done.error is None, f"{step}: {done.error} {done.message}"
            return self.ask(query.sql)
        finally:
            for step in query.cleanup:
                self.ask(step)
