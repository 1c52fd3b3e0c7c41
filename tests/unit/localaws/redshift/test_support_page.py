"""docs/redshift-support.md lists exactly what the code understands."""

from __future__ import annotations

import re
from pathlib import Path

from smartcity.localaws.redshift import functions, session, system

PAGE = (Path(__file__).parents[4] / "docs" / "redshift-support.md").read_text()


def section(title: str) -> str:
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


def test_functions() -> None:
    assert re.findall(r"`([a-z0-9_]+)`", section("Functions")) == functions.names()


def test_statements() -> None:
    rows = [line for line in section("Statements").splitlines() if line.startswith("| ")]
    understood, refused = (set(re.findall(r"`([A-Z]+)`", row)) for row in rows[-2:])
    queries = {"SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE"}
    assert understood == {name.upper() for name in session._STATEMENTS} | queries
    assert refused == {name.upper() for name in session._KNOWN}


def test_system_views() -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("| system views"))
    assert set(re.findall(r"`(\w+)`", row)) == set(system.VIEWS)
