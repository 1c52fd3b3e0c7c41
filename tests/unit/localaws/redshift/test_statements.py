"""Redshift's SQL: statements with answers that follow from AWS's documentation (see statements/README.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from smartcity.localaws.redshift import results
from smartcity.localaws.redshift.engine import Warehouse
from smartcity.localaws.redshift.faults import SqlError
from smartcity.localaws.redshift.files import Files
from smartcity.localaws.redshift.grammar import split
from smartcity.localaws.redshift.session import Session

FOLDER = Path(__file__).parent / "statements"
NULL = "∅"


@dataclass
class Case:
    page: str
    sql: str = ""
    types: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    error: str = ""


def read_cases(name: str) -> list[Case]:
    cases = []
    for block in (FOLDER / name).read_text().strip("\n").split("\n\n"):
        first, *lines = block.split("\n")
        case = Case(first.removeprefix("page: "))
        for line in lines:
            if line.startswith("= "):
                case.rows.append(line[2:])
            elif line.startswith("! "):
                case.error = line[2:]
            elif line.startswith(": "):
                case.types = [item.strip() for item in line[2:].split(",")]
            else:
                case.sql += line + "\n"
        cases.append(case)
    return cases


CASES = [*read_cases("semantics.txt"), *read_cases("errors.txt")]


def no_files(role: str) -> Files:
    raise AssertionError(f"a statement of these tests must not reach S3 (role {role})")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    made = Warehouse(tmp_path_factory.mktemp("redshift") / "dev.duckdb", memory_limit="256MB")
    session = Session(made, no_files)
    for statement in split((FOLDER / "setup.sql").read_text()):
        session.execute(statement)
    session.close()
    yield made
    made.close()


@pytest.fixture
def session(warehouse: Warehouse) -> Iterator[Session]:
    made = Session(warehouse, no_files)
    made.execute("BEGIN")
    yield made
    made.close()


def shown(value: object, type_: results.RsType) -> str:
    found = results.field(value, type_)
    if found.get("isNull"):
        return NULL
    return results.as_text(next(iter(found.values())))


def run(session: Session, sql: str) -> tuple[list[str], list[str]]:
    try:
        *before, last = split(sql)
    except SqlError:
        before, last = [], sql
    for statement in before:
        session.execute(statement)
    outcome = session.execute(last)
    if outcome.data is None:
        return [], []
    columns = [outcome.data.column(at).to_pylist() for at in range(outcome.data.num_columns)]
    rows = [
        " | ".join(shown(v, t) for v, t in zip(row, outcome.types, strict=True)) for row in zip(*columns, strict=True)
    ]
    return [type_.api_name for type_ in outcome.types], rows


def test_there_are_enough_cases_of_both_kinds() -> None:
    errors = sum(1 for case in CASES if case.error)
    assert len(CASES) >= 150
    assert errors >= 75
    assert len(CASES) - errors >= 75
    assert all(case.page.endswith(".html") for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case.sql.split())[:70])
def test_statement(session: Session, case: Case) -> None:
    if case.error:
        with pytest.raises(SqlError) as caught:
            run(session, case.sql)
        assert case.error in caught.value.text
        assert caught.value.text.startswith("ERROR:")
        assert "Assert:" not in caught.value.text, "an error of DuckDB that has no Redshift wording"
        return
    types, rows = run(session, case.sql)
    assert rows == case.rows
    if case.types:
        assert types == case.types
