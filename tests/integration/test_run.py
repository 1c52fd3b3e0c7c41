"""`smartcity run` as a user runs it: processes, a folder of its own, real services."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from smartcity.errors import ExitCode
from smartcity.events import TOPICS
from tests.ports import free_port

pytestmark = pytest.mark.integration

SMARTCITY = Path(sys.executable).with_name("smartcity")
START = "2026-03-02T08:00Z"


@dataclass(frozen=True)
class City:
    """One project of its own: folder and ports."""

    env: dict[str, str]
    folder: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command under way."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [SMARTCITY, *arguments], env=self.env, cwd=self.folder.parent, stdout=pipe, stderr=pipe, text=True
        )

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """A whole command: exit code, stdout, stderr."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=280)
        return process.returncode, out, err

    def services(self) -> dict[str, dict[str, Any]]:
        code, out, err = self("status", "-o", "json")
        assert code == 0, err
        return {service["name"]: service for service in json.loads(out)}


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    folder = tmp_path_factory.mktemp("city") / "data"
    names = ("KAFKA__PORT", "AWS__PORT", "TRINO__PORT")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_ACC", "AWS_SEC", "AWS_END"))}
    env |= {f"SMARTCITY_{name}": str(free_port(2)) for name in names}
    env |= {"SMARTCITY_DATA_DIR": str(folder), "NO_COLOR": "1"}
    city = City(env, folder)
    yield city
    code, _, err = city("down", "--purge", "--yes")
    assert code == 0, err
    assert not folder.exists()


def interrupted_at(city: City, mark: str) -> tuple[int, str]:
    """Run, and press Ctrl-C when `mark` is in the output; the exit code and what was said after it."""
    with city.start("run", "--start", START) as process:
        children: list[psutil.Process] = []
        assert process.stderr is not None
        for line in process.stderr:
            if mark in line:
                break
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        process.wait(60)
    services = {service["pid"] for service in city.services().values()}
    _, alive = psutil.wait_procs([child for child in children if child.pid not in services], timeout=20)
    assert not alive, f"orphans: {alive}"
    return process.returncode, said


def test_ctrl_c_at_every_step_leaves_no_orphan_and_the_next_run_finishes_the_trip(city: City) -> None:
    for mark in ("1 of 8", "2 of 8", "3 of 8", "4 of 8", "5 of 8"):
        code, said = interrupted_at(city, mark)
        assert code == ExitCode.INTERRUPTED, said
        assert "Interrupted" in said
        assert "Traceback" not in said
    code, out, err = city("run", "--start", START, "--json")
    assert code == 0, err
    report = json.loads(out)
    assert report["trip_id"] == "london-birmingham-20260302T080000Z-1-0001"
    assert set(report["produced"]) == set(TOPICS)
    assert sum(report["produced"].values()) >= 15_000
    for topic, produced in report["produced"].items():
        assert produced == report["stored"][topic] + report["quarantined"][topic]
    assert [step["status"] for step in report["steps"]] == ["ok"] * 8
    assert {table["name"] for table in report["tables"]} == set(TOPICS)
    assert len(report["queries"]) == 3
    for query in report["queries"]:
        assert query["rows"]
        assert query["bytes_scanned"] > 0
        assert query["sql"].startswith(("WITH", "SELECT"))


def test_a_finished_trip_can_be_run_again_and_nothing_is_stored_twice(city: City) -> None:
    code, out, err = city("run", "--start", START)
    assert code == 0, err
    assert re.search(r"8 of 8 OK .* produced = stored", err)
    assert "Try next:" in out
    code, out, err = city("query", "SELECT count(*), count(DISTINCT event_id) FROM gps", "--format", "csv")
    assert code == 0, err
    total, distinct = out.splitlines()[1].split(",")
    assert total == distinct
    assert int(total) > 7_000


def test_every_event_is_in_the_lake_once_by_its_own_account(city: City) -> None:
    code, out, err = city("verify")
    assert code == 0, out + err


def test_the_environment_makes_the_aws_cli_work_unchanged(city: City) -> None:
    code, out, err = city("status", "-o", "env")
    assert code == 0, err
    exports = dict(line.removeprefix("export ").split("=", 1) for line in out.splitlines())
    aws = Path(sys.executable).with_name("aws")
    listing = subprocess.run(
        [aws, "s3", "ls", "s3://smartcity-lake/lake/"],
        env=city.env | exports,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert listing.returncode == 0, listing.stderr
    assert [line.split()[-1] for line in listing.stdout.splitlines()] == [f"{topic}/" for topic in sorted(TOPICS)]


def test_a_second_up_changes_nothing(city: City) -> None:
    before = {name: service["pid"] for name, service in city.services().items()}
    code, _, err = city("up")
    assert (code, err.count("runs already")) == (0, 3), err
    assert {name: service["pid"] for name, service in city.services().items()} == before


@pytest.mark.parametrize(("mark", "service"), [("3 of 8", "kafka"), ("4 of 8", "kafka"), ("3 of 8", "aws")])
def test_a_service_that_dies_during_a_run_is_named_and_the_next_run_goes_on(
    city: City, mark: str, service: str
) -> None:
    assert city("up")[0] == 0
    killed = city.services()[service]["pid"]
    with city.start("run", "--start", "2026-03-03T08:00Z") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if mark in line:
                break
        os.kill(killed, signal.SIGKILL)
        said = process.stderr.read()
        process.wait(60)
    assert process.returncode == ExitCode.SERVICE, said
    assert f"The service {service} died." in said
    assert "run it again" in said
    code, _, err = city("run", "--start", "2026-03-03T08:00Z")
    assert code == 0, err


def test_a_second_run_at_the_same_time_is_refused(city: City) -> None:
    with (city.folder / "journeys" / "lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, _, err = city("run")
    assert code == ExitCode.SERVICE
    assert "Another smartcity run is at work" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--route", "atlantis"], "There is no route named atlantis"),
        (["--route", "missing.gpx"], "There is no route file missing.gpx"),
        (["--start", "yesterday"], "'yesterday' is not a time"),
        (["--start", "1066-10-14T09:00Z"], "not believable"),
    ],
)
def test_a_bad_route_or_time_is_refused_before_anything_starts(city: City, arguments: list[str], sentence: str) -> None:
    code, _, err = city("run", *arguments)
    assert code == ExitCode.USAGE
    assert sentence in err
    assert "2 of 8" not in err


@pytest.mark.parametrize("service", ["kafka", "aws", "trino"])
def test_a_killed_service_is_found_and_started_again(city: City, service: str) -> None:
    killed = city.services()[service]["pid"]
    os.kill(killed, signal.SIGKILL)
    code, _, err = city("up")
    assert code == 0, err
    found = city.services()
    assert found[service]["state"] == "running"
    assert found[service]["pid"] != killed


def test_what_was_stored_is_there_after_the_kills(city: City) -> None:
    code, out, err = city("verify", "--json")
    assert code == 0, out + err


def test_commands_without_services_say_what_to_start(city: City) -> None:
    assert city("down")[0] == 0
    code, _, err = city("query", "SELECT 1")
    assert code == ExitCode.SERVICE
    assert "smartcity up" in err
    assert "Traceback" not in err


README = Path(__file__).parents[2] / "README.md"


def test_the_readmes_commands_work(city: City) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", README.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    one_stop_at_a_time, other_tools = blocks
    script = one_stop_at_a_time.replace("smartcity down\n", other_tools + "smartcity down\n")
    path = f"{SMARTCITY.parent}:{os.environ['PATH']}"
    shell = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=city.env | {"PATH": path},
        cwd=city.folder.parent,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert shell.returncode == 0, shell.stderr
    for said in ("acknowledged", "M40", "lake/gps/dt=", '"TableList"'):
        assert said in shell.stdout + shell.stderr
