"""The files that a query leaves in its output location, and what is remembered of them.

<id>.csv           rows of a query             <id>.csv.metadata   its columns (see `metadata`)
<id>.txt           lines of SHOW, DESCRIBE, DDL, EXPLAIN; `.txt.metadata` beside it
<id>-manifest.csv  objects that CTAS, INSERT INTO or UNLOAD wrote; `<id>.metadata` beside it
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from smartcity.localaws.athena import metadata
from smartcity.localaws.athena.job import Job, TextResult
from smartcity.localaws.athena.locations import Location
from smartcity.localaws.athena.results import Reader, Writer
from smartcity.localaws.athena.store import Store
from smartcity.localaws.athena.values import Column


@dataclass(frozen=True)
class Output:
    """Writes results of finished queries."""

    s3: Any
    store: Store
    reader: Reader

    def writer(self, job: Job, columns: Sequence[Column]) -> Writer:
        """Where rows of a query go while they arrive."""
        return Writer(self.s3, job.result(".csv"), columns)

    def save_rows(self, job: Job, writer: Writer) -> None:
        """The rows are complete: make the files appear and remember the pages."""
        content = writer.content
        writer.finish()
        if content is not None:
            self.reader.keep(writer.target, content)
        self._metadata(job, writer.target, writer.columns)
        doc = {
            "kind": "csv",
            "url": writer.target.url,
            "size": writer.size,
            "lines": writer.lines,
            "columns": [column.info for column in writer.columns],
            "updateCount": 0,
        }
        self.store.save_result(job.id, doc, writer.offsets.tobytes())
        self._located(job, writer.target)

    def save_text(self, job: Job, result: TextResult) -> None:
        """A statement answered with lines."""
        target = job.result(".txt")
        lines = [line for text in result.lines for line in text.split("\n")]
        body = "".join(f"{line}\n" for line in lines)
        self.s3.put_object(Bucket=target.bucket, Key=target.key, Body=body.encode(), ContentType="text/plain")
        self._metadata(job, target, result.columns)
        doc = {
            "kind": "txt",
            "url": target.url,
            "size": len(body.encode()),
            "lines": len(lines),
            "cells": result.cells,
            "columns": [column.info for column in result.columns],
            "updateCount": 0,
        }
        self.store.save_result(job.id, doc, b"")
        self._located(job, target)

    def save_count(self, job: Job, count: int, objects: Sequence[str]) -> None:
        """A statement that wrote rows elsewhere: only their number and the objects are reported."""
        base = (
            job.output.below(f"tables/{job.id}")
            if job.doc.get("SubstatementType", "").startswith("CREATE")
            else (job.output.below(job.id))
        )
        manifest = Location(base.bucket, base.key + "-manifest.csv")
        body = "".join(f"{url}\n" for url in objects).encode()
        self.s3.put_object(Bucket=manifest.bucket, Key=manifest.key, Body=body, ContentType="text/csv")
        self._metadata(job, base, ())
        job.manifest = manifest
        doc = {"kind": "none", "url": base.url, "size": 0, "lines": 0, "columns": [], "updateCount": count}
        self.store.save_result(job.id, doc, array("Q").tobytes())
        self._located(job, base)

    def _metadata(self, job: Job, target: Location, columns: Sequence[Column]) -> None:
        body = metadata.encode(job.outcome.query_id or job.id, columns)
        self.s3.put_object(
            Bucket=target.bucket, Key=target.key + ".metadata", Body=body, ContentType="binary/octet-stream"
        )

    def _located(self, job: Job, target: Location) -> None:
        job.doc["ResultConfiguration"] = {**job.doc["ResultConfiguration"], "OutputLocation": target.url}
