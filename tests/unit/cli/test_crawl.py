"""What `smartcity crawl` says about a table, and how it shows a catalog."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest

from smartcity.cli import crawl
from smartcity.cli.context import Context
from smartcity.console import Console
from smartcity.pipeline.catalog import CrawlReport, TableDescription

GPS = TableDescription("gps", "s3://b/lake/gps/", (("id", "string"),), ("dt",), 3, 300, 3, 9000)
REPORT = CrawlReport("lake", 1.25, tables_added=1)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (None, "new"),
        (GPS, "unchanged"),
        (replace(GPS, rows=None, files=None, size_bytes=None), "+300 rows"),
        (replace(GPS, partitions=1, rows=100), "+2 partitions, +200 rows"),
        (replace(GPS, partitions=4, rows=301), "-1 partitions, -1 rows"),
        (replace(GPS, columns=()), "columns id"),
        (replace(GPS, columns=(("id", "int"),)), "columns changed"),
        (replace(GPS, size_bytes=1), "rewritten"),
    ],
)
def test_what_happened(before: TableDescription | None, said: str) -> None:
    assert crawl.what(before, GPS) == said


def show(after: list[TableDescription], as_json: bool = False) -> tuple[str, str]:
    """What is on stdout and stderr."""
    console = Console(out=io.StringIO(), err=io.StringIO())
    crawl._show(Context(console=console), REPORT, {"old": replace(GPS, name="old")}, after, as_json)
    return console.out.getvalue(), console.err.getvalue()  # type: ignore[attr-defined]


def test_new_and_deleted_tables_are_shown() -> None:
    out, err = show([GPS])
    lines = [line.split() for line in out.splitlines() if "gps" in line or "old" in line]
    assert lines == [["gps", "new", "3", "300", "3", "9000"], ["old", "deleted"]]
    assert "Crawled in 1.2s by lake" in err


def test_json_is_one_object() -> None:
    out, _ = show([GPS], as_json=True)
    found = json.loads(out)
    assert (found["tables_added"], found["tables"][0]["name"], found["tables"][0]["what"]) == (1, "gps", "new")
