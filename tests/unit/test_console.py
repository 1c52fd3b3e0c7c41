from __future__ import annotations

import io
import json

import pytest

from smartcity.console import Console, StepLines, fitting
from smartcity.errors import ServiceError

COLUMNS = ("road", "km", "note")
ROWS = [("M40", 142.5, None), ("A40, west", 18.0, 'said "slow"')]


@pytest.fixture
def console() -> Console:
    return Console(out=io.StringIO(), err=io.StringIO())


def written(console: Console) -> str:
    assert isinstance(console.out, io.StringIO)
    return console.out.getvalue()


def test_a_table_in_a_pipe_is_plain_and_never_cut(console: Console) -> None:
    long = "x" * 300
    assert console.rows(("name",), [(long,)]) == 1
    assert long in written(console)
    assert "\x1b" not in written(console)


def test_csv_quotes_and_leaves_null_empty(console: Console) -> None:
    assert console.rows(COLUMNS, ROWS, "csv") == 2
    assert written(console) == 'road,km,note\nM40,142.5,\n"A40, west",18.0,"said ""slow"""\n'


def test_json_is_one_object_a_line(console: Console) -> None:
    assert console.rows(COLUMNS, ROWS, "json") == 2
    assert [json.loads(line)["road"] for line in written(console).splitlines()] == ["M40", "A40, west"]


def test_vertical_names_every_field(console: Console) -> None:
    assert console.rows(COLUMNS, ROWS[:1], "vertical") == 1
    assert written(console) == "*** row 1 ***\nroad: M40\n  km: 142.5\nnote: \n"


def test_an_error_is_reason_then_hint_on_stderr(console: Console) -> None:
    console.error(ServiceError("Kafka is down.", "Start it."))
    assert isinstance(console.err, io.StringIO)
    assert console.err.getvalue() == "Error: Kafka is down.\nStart it.\n"
    assert written(console) == ""


def test_an_error_under_json_is_one_object(console: Console) -> None:
    console.json_errors = True
    console.error(ServiceError("Kafka is down.", "Start it."))
    assert isinstance(console.err, io.StringIO)
    assert json.loads(console.err.getvalue()) == {"error": "Kafka is down.", "hint": "Start it.", "exit_code": 5}


def test_steps_in_a_pipe_are_one_plain_line_each(console: Console) -> None:
    with console.steps(8) as steps:
        assert isinstance(steps, StepLines)
        steps.running(3, "driving")
        steps.finished(3, "OK", "Drive to Birmingham", 1.44)
    assert isinstance(console.err, io.StringIO)
    assert console.err.getvalue() == "3 of 8 OK   Drive to Birmingham [1.4s]\n"


def test_a_download_in_a_pipe_is_said_once(console: Console) -> None:
    with console.download() as progress:
        for done in (0, 5_000_000, 10_000_000):
            progress("Kafka", done, 10_000_000)
    assert isinstance(console.err, io.StringIO)
    assert console.err.getvalue() == "Fetching Kafka: 10 MB, once\n"


class Terminal(io.StringIO):
    """A stream that says it is a terminal (80 columns, from the environment)."""

    def isatty(self) -> bool:
        return True


def test_a_table_too_wide_for_the_terminal_is_shown_field_by_field() -> None:
    console = Console(out=Terminal(), err=io.StringIO())
    words = "two words " * 12
    console.rows(("a", "b"), [(words, words)])
    assert isinstance(console.out, Terminal)
    assert console.out.getvalue().startswith("*** row 1 ***\na: two words")


def test_how_many_columns_fit() -> None:
    rows = [("x" * 30, "y" * 30, "z" * 30)]
    assert [fitting(("a", "b", "c"), rows, width) for width in (120, 80, 40, 10)] == [3, 2, 1, 1]
