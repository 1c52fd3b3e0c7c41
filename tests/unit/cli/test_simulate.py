"""`simulate` and `routes` without a broker."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from smartcity.cli import app
from smartcity.cli.context import Context
from smartcity.console import Console
from smartcity.errors import ExitCode


def invoke(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = app.run(list(arguments), Context(console=Console(out=out, err=err)))
    return code, out.getvalue(), err.getvalue()


def test_events_as_lines_are_the_same_every_time(tmp_path: Path) -> None:
    drive = ["simulate", "--seed", "3", "--start", "2026-03-02T07:00Z", "--duration", "2m", "--vehicles", "2"]
    for name in ("a", "b"):
        code, out, err = invoke(*drive, "--to", f"jsonl:{tmp_path / name}")
        assert (code, out) == (0, "") and "events" in err
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    events = [json.loads(line) for line in (tmp_path / "a").read_text().splitlines()]
    assert {event["vehicle_id"] for event in events} == {"car-0001", "car-0002"}
    assert {event["topic"] for event in events} >= {"vehicle", "gps", "camera", "weather"}
    assert events[0]["trip_id"] == "london-birmingham-20260302T070000Z-3-0001"


def test_a_track_is_replayed(tmp_path: Path) -> None:
    track = tmp_path / "track.csv"
    track.write_text("time,lat,lon\n2026-03-02T07:00:00Z,52,-1\n2026-03-02T07:00:20Z,52.002,-1\n")
    assert invoke("simulate", "--replay", str(track), "--to", f"jsonl:{tmp_path / 'out'}")[0] == 0
    events = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert sum(event["topic"] == "vehicle" for event in events) == 21


@pytest.mark.parametrize(
    ("arguments", "reason", "code"),
    [
        (["--vehicles", "0"], "A fleet of 0 vehicles cannot drive.", ExitCode.USAGE),
        (["--route", "london-paris"], "There is no route named london-paris.", ExitCode.USAGE),
        (["--route", "missing.gpx"], "There is no route file missing.gpx.", ExitCode.USAGE),
        (["--start", "yesterday"], "'yesterday' is not a time.", ExitCode.USAGE),
        (["--start", "1815-06-18T11:00Z"], "is not believable", ExitCode.USAGE),
        (["--speed", "fast"], "'fast' is not a speed.", ExitCode.USAGE),
        (["--speed", "0"], "A speed of 0 never arrives.", ExitCode.USAGE),
        (["--rate", "0"], "A rate of 0 sends nothing.", ExitCode.USAGE),
        (["--drivers", "9"], "There are 1 to 4 kinds of drivers.", ExitCode.USAGE),
        (["--duration", "long"], "'long' is not a duration.", ExitCode.USAGE),
        (["--to", "paper"], "Events cannot be sent to 'paper'.", ExitCode.USAGE),
        (["--to", "jsonl:/nowhere/at/all"], "cannot be written", ExitCode.PREREQUISITE),
        (["--replay", "missing.gpx"], "cannot be read", ExitCode.USAGE),
    ],
)
def test_misuse_is_a_sentence_and_a_hint(arguments: list[str], reason: str, code: ExitCode) -> None:
    to = [] if "--to" in arguments else ["--to", "jsonl:out"]
    found, out, err = invoke("simulate", "--duration", "10s", *arguments, *to)
    assert (found, out) == (code, "")
    assert reason in err and len(err.strip().splitlines()) == 2


def test_routes_are_listed_and_shown() -> None:
    code, out, _ = invoke("routes", "list", "--json")
    assert code == 0
    listed = [json.loads(line) for line in out.splitlines()]
    assert listed[0]["route"] == "london-birmingham"
    assert listed[0]["km"] == 201.1 and listed[0]["free_flow"] == "2 h 00"
    code, out, _ = invoke("routes", "show", "london-birmingham-a34")
    assert code == 0 and "186.1 km" in out and "A34" in out and "B" in out
    assert invoke("routes", "show", "nowhere")[0] == ExitCode.USAGE
