from __future__ import annotations

import errno
import io
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from smartcity.cli import app
from smartcity.cli.context import Context
from smartcity.cli.sdk_errors import as_user_error
from smartcity.console import Console
from smartcity.errors import ExitCode, PrerequisiteError, ServiceError, ServiceNotRunning


def invoke(*arguments: str) -> tuple[int, str, str]:
    console = Console(out=io.StringIO(), err=io.StringIO())
    code = app.run(list(arguments), Context(console=console))
    assert isinstance(console.out, io.StringIO)
    assert isinstance(console.err, io.StringIO)
    return code, console.out.getvalue(), console.err.getvalue()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["up", "--colour"], "No such option"),
        (["up", "zebra"], "There is no service zebra."),
        (["down", "--purge", "kafka"], "--purge deletes the data of all services."),
        (["logs", "-f"], "-f follows one service."),
        (["--set", "kafka.port", "config", "show"], "--set takes NAME=VALUE"),
    ],
)
def test_misuse_is_a_sentence_a_hint_and_code_2(arguments: list[str], sentence: str) -> None:
    code, out, err = invoke(*arguments)
    assert (code, out) == (ExitCode.USAGE, "")
    assert err.startswith("Error: ")
    assert sentence in err
    assert len(err.strip().splitlines()) == 2
    assert "Traceback" not in err


def test_a_wrong_setting_is_code_3() -> None:
    code, _, err = invoke("--set", "kafka.port=high", "config", "show")
    assert code == ExitCode.SETTINGS
    assert "kafka.port from flag" in err


def test_config_show_as_json_round_trips() -> None:
    code, out, _ = invoke("--set", "aws.bucket=my-lake", "config", "show", "--json")
    assert code == 0
    assert json.loads(out)["aws.bucket"] == {"value": "my-lake", "source": "flag"}


def test_config_init_does_not_overwrite() -> None:
    assert invoke("config", "init")[0] == 0
    code, _, err = invoke("config", "init")
    assert code == ExitCode.USAGE
    assert "exists already" in err
    assert Path("smartcity.toml").read_text().startswith("# Settings of smartcity")


def test_an_unforeseen_error_has_no_traceback_without_debug() -> None:
    class Broken(Context):
        @property
        def settings(self) -> Any:  # type: ignore[override]
            raise ZeroDivisionError("by zero")

    for flags, shown in (([], False), (["--debug"], True)):
        console = Console(out=io.StringIO(), err=io.StringIO())
        assert app.run([*flags, "config", "show"], Broken(console=console)) == ExitCode.BUG
        assert isinstance(console.err, io.StringIO)
        assert ("Traceback" in console.err.getvalue()) is shown
        assert "A bug: ZeroDivisionError" in console.err.getvalue()


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "No."}}, "PutObject")


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (refused("InvalidAccessKeyId"), PrerequisiteError, "AWS refused PutObject"),
        (refused("AccessDenied"), ServiceError, "AWS refused PutObject"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), ServiceNotRunning, "Nothing answers at"),
        (OSError(errno.ENOSPC, "No space left on device", "x"), PrerequisiteError, "The disk is full (x)"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), PrerequisiteError, "No permission"),
    ],
)
def test_errors_of_sdks_become_sentences(error: Exception, kind: type[Exception], sentence: str) -> None:
    found = as_user_error(error)
    assert type(found) is kind
    assert sentence in str(found)


def test_the_unknown_stays_unknown() -> None:
    assert as_user_error(KeyError("x")) is None
