"""`smartcity query` and its shell, with an Athena that is a script."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prompt_toolkit.document import Document

from smartcity.cli import app
from smartcity.cli.ask import Ask, Asker, size
from smartcity.cli.context import Context
from smartcity.cli.shell import Shell, completer
from smartcity.console import Console
from smartcity.errors import ExitCode
from smartcity.settings import load


class FakeAthena:
    """Answers every statement with `rows` numbers from 1, in a column `n`; SELECT nosuch fails."""

    exceptions = SimpleNamespace(InvalidRequestException=ValueError)

    def __init__(self, rows: int = 3) -> None:
        self.rows = rows
        self.asked: list[dict[str, Any]] = []

    def create_work_group(self, **_: Any) -> None:
        """There is none yet."""

    def start_query_execution(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        return {"QueryExecutionId": str(len(self.asked) - 1)}

    def get_query_execution(self, QueryExecutionId: str) -> dict[str, Any]:
        sql = self.asked[int(QueryExecutionId)]["QueryString"]
        status: dict[str, Any] = {"State": "SUCCEEDED"}
        if "nosuch" in sql:
            reason = "COLUMN_NOT_FOUND: line 1:8: Column 'nosuch' cannot be resolved"
            status = {"State": "FAILED", "StateChangeReason": reason, "AthenaError": {"ErrorCategory": 2}}
        statistics = {"DataScannedInBytes": 1_500_000}
        return {"QueryExecution": {"Query": sql, "Status": status, "Statistics": statistics, "StatementType": "DML"}}

    def get_query_results(self, NextToken: str = "0", **_: Any) -> dict[str, Any]:
        first = int(NextToken)
        last = min(first + 999, self.rows)
        numbers = [str(number) for number in range(first + 1, last + 1)]
        rows = [{"Data": [{"VarCharValue": text}]} for text in (["n"] if first == 0 else []) + numbers]
        info = [{"Name": "n", "Type": "integer"}]
        page: dict[str, Any] = {"ResultSet": {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": info}}}
        return {**page, "NextToken": str(last)} if last < self.rows else page


class World:
    """A context whose clients and runtime are scripts."""

    def __init__(self, athena: FakeAthena, **flags: Any) -> None:
        self.athena = athena
        self.started: list[str] = []
        self.out, self.err = io.StringIO(), io.StringIO()
        self.ours = Context(flags=flags, console=Console(out=self.out, err=self.err))
        clients: dict[str, Any] = {"athena": athena}
        self.ours.__dict__["clients"] = SimpleNamespace(aws=lambda name: clients[name])
        self.ours.__dict__["runtime"] = SimpleNamespace(start=self.started.append)
        self.clients = clients

    def run(self, *arguments: str) -> int:
        """One command line."""
        return app.run(["query", *arguments], self.ours)


@pytest.fixture
def make_world() -> Callable[..., World]:
    """Makes worlds with so many rows."""
    return lambda rows=3, **flags: World(FakeAthena(rows), **flags)


def test_a_table_ends_with_what_it_took(make_world: Callable[..., World]) -> None:
    world = make_world()
    assert world.run("SELECT n FROM vehicle") == ExitCode.OK
    lines = world.out.getvalue().split("\n")
    assert [line.strip() for line in lines if line.strip().isdigit()] == ["1", "2", "3"]
    assert lines[-2].startswith("3 rows, 0.")
    assert lines[-2].endswith("s, 1.5 MB scanned, $0.00005 on AWS")
    assert world.started == ["trino"], "the engine is started on demand"
    assert world.athena.asked[0]["QueryExecutionContext"]["Database"] == "smartcity"


@pytest.mark.parametrize(("format_", "content"), [("csv", "n\n1\n2\n3\n"), ("json", '{"n": 1}\n{"n": 2}\n{"n": 3}\n')])
def test_csv_and_json_are_alone_on_stdout(make_world: Callable[..., World], format_: str, content: str) -> None:
    world = make_world()
    assert world.run("SELECT n FROM vehicle", "--format", format_) == ExitCode.OK
    assert world.out.getvalue() == content
    assert "1.5 MB scanned" in world.err.getvalue()


def test_cut_off_rows_are_told(make_world: Callable[..., World]) -> None:
    world = make_world(2500)
    world.run("SELECT n FROM vehicle", "--format", "csv", "--limit", "2")
    assert world.out.getvalue() == "n\n1\n2\n"
    assert "Only the first 2 rows are shown. --limit 0 shows all." in world.err.getvalue()
    world = make_world(2500)
    world.run("SELECT n FROM vehicle")
    assert "Only the first 1,000 rows are shown." in world.out.getvalue()
    world = make_world(2500)
    world.run("SELECT n FROM vehicle", "--limit", "0")
    assert "2,500 rows," in world.out.getvalue()
    assert "Only" not in world.out.getvalue()


def test_a_bad_statement_is_code_2_with_a_mark_below_the_place(make_world: Callable[..., World]) -> None:
    world = make_world()
    assert world.run("SELECT nosuch FROM vehicle") == ExitCode.USAGE
    assert world.err.getvalue().splitlines()[-3:-1] == ["SELECT nosuch FROM vehicle", "       ^"]


def test_files_several_statements_and_parameters(make_world: Callable[..., World], tmp_path: Path) -> None:
    file = tmp_path / "q.sql"
    file.write_text("-- first\nSELECT :a;\nSELECT :b, ':a';\n")
    world = make_world()
    assert world.run("-f", str(file), "--param", "a=5", "--param", "b=it's") == ExitCode.OK
    first, second = world.athena.asked
    assert (first["QueryString"], first["ExecutionParameters"]) == ("-- first\nSELECT ?", ["5"])
    assert (second["QueryString"], second["ExecutionParameters"]) == ("SELECT ?, ':a'", ["'it''s'"])


def test_saved_queries(make_world: Callable[..., World]) -> None:
    world = make_world()
    assert world.run("--list", "--format", "csv") == ExitCode.OK
    assert 'trip-roads,"Time, mean and top speed on each road of a trip",trip_id' in world.out.getvalue()
    assert world.run("--named", "trip-roads", "--param", "trip_id='7'") == ExitCode.OK
    assert world.athena.asked[0]["ExecutionParameters"] == ["'7'"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["SELECT 1", "--named", "trips"], "SQL and --named were both given."),
        (["--named", "nosuch"], "There is no saved query 'nosuch'."),
        (["--named", "trip-roads"], "The query needs trip_id."),
        (["SELECT 1", "--param", "x=1"], "The query has no parameter x."),
        (["SELECT 1", "--param", "x"], "--param takes NAME=VALUE"),
        (["-f", "nosuch.sql"], "There is no file nosuch.sql."),
        (["/* nothing */"], "There is no statement."),
        (["SELECT 1", "--format", "xml"], "xml"),
        (["SELECT 1", "--limit", "-1"], "--limit"),
    ],
)
def test_misuse(make_world: Callable[..., World], arguments: list[str], sentence: str) -> None:
    world = make_world()
    assert world.run(*arguments) == ExitCode.USAGE
    assert sentence in world.err.getvalue()
    assert world.out.getvalue() == ""


def test_explain_asks_for_the_plan(make_world: Callable[..., World]) -> None:
    world = make_world()
    world.run("SELECT 1", "--explain")
    assert world.athena.asked[0]["QueryString"] == "EXPLAIN SELECT 1"


def test_a_large_scan_of_an_account_is_asked_about(make_world: Callable[..., World]) -> None:
    world = make_world(aws={"target": "account"})
    table = {"Table": {"StorageDescriptor": {"Location": "s3://bucket/lake/vehicle"}}}
    pages = [{"Contents": [{"Size": 20_000_000_000_000}]}]
    world.clients["glue"] = SimpleNamespace(
        get_table=lambda **_: table, exceptions=SimpleNamespace(EntityNotFoundException=KeyError)
    )
    world.clients["s3"] = SimpleNamespace(get_paginator=lambda _: SimpleNamespace(paginate=lambda **_: pages))
    assert world.run("SELECT n FROM vehicle") == ExitCode.USAGE
    assert "The query may scan up to 20.0 TB ($100.00)." in world.err.getvalue()
    assert world.athena.asked == []
    assert world.run("SELECT n FROM vehicle", "--yes") == ExitCode.OK
    assert world.started == [], "an account has its own engine"


def _shell(world: World, *inputs: str) -> str:
    given = iter(inputs)

    def read(_prompt: str) -> str:
        try:
            return next(given)
        except StopIteration:
            raise EOFError from None

    Shell(world.ours, Asker(world.ours, Ask()), read).run()
    return world.out.getvalue()


def test_the_shell_asks_and_survives_errors(make_world: Callable[..., World]) -> None:
    world = make_world()
    out = _shell(world, "SELECT nosuch;", "", r"\nonsense", "SELECT 1;", r"SELECT 2\G", r"\c other", "SELECT 3;")
    assert "COLUMN_NOT_FOUND" in world.err.getvalue()
    assert r"There is no command \nonsense." in world.err.getvalue()
    assert "*** row 1 ***\nn: 1\n" in out
    assert [request["QueryString"] for request in world.athena.asked] == [
        *("SELECT nosuch", "SELECT 1", "SELECT 2", "SELECT 3"),
    ]
    assert world.athena.asked[-1]["QueryExecutionContext"]["Database"] == "other"


def test_the_shell_times_or_not(make_world: Callable[..., World]) -> None:
    out = _shell(make_world(), "SELECT 1;", r"\timing", "SELECT 2;")
    assert out.count("MB scanned") == 1


def test_the_shell_leaves_and_lists(make_world: Callable[..., World]) -> None:
    world = make_world()
    out = _shell(world, r"\list", r"\?", r"\dt", r"\d vehicle", r"\format csv", "SELECT 1;", r"\q", "SELECT 9;")
    assert "trip-roads" in out
    assert r"\watch" in out
    assert [request["QueryString"] for request in world.athena.asked] == ["SHOW TABLES", "DESCRIBE vehicle", "SELECT 1"]


def test_watch_repeats_until_it_is_interrupted(make_world: Callable[..., World]) -> None:
    world = make_world()
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    shell = Shell(world.ours, Asker(world.ours, Ask()), lambda _: "", sleep=sleep)
    shell.handle("SELECT 1;")
    shell.handle(r"\watch 5")
    assert pauses == [5.0, 5.0, 5.0]
    assert len(world.athena.asked) == 4


def test_completion() -> None:
    asked: list[int] = []

    def known() -> list[tuple[str, str]]:
        asked.append(1)
        return [("vehicle", "table"), ("vehicle_id", "string")]

    names = completer(known)
    for text, expected in (("SELECT veh", ["vehicle", "vehicle_id"]), ("sel", ["SELECT"]), ("SELECT ", [])):
        found = names.get_completions(Document(text), SimpleNamespace())  # type: ignore[arg-type]
        assert [completion.text for completion in found] == expected
    assert asked == [1]


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (3 * 10**15, "3000.0 TB")]
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


def test_defaults_come_from_the_settings() -> None:
    assert load().aws.confirm_scan_gb == 10.0
