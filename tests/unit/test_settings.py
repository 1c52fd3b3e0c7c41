from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from smartcity.errors import ExitCode, SettingsError
from smartcity.settings import environment_name, explain, load, template


def sources(flags: dict[str, object] | None = None) -> dict[str, tuple[str, str]]:
    flags = flags or {}
    return {value.name: (value.value, value.source) for value in explain(load(**flags), flags)}


def test_a_flag_wins_over_environment_dotenv_file_and_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sources()["kafka.partitions"] == ("3", "default")
    Path("smartcity.toml").write_text("[kafka]\npartitions = 4\n")
    assert sources()["kafka.partitions"] == ("4", "smartcity.toml")
    Path(".env").write_text("SMARTCITY_KAFKA__PARTITIONS=5\nOTHER_PROGRAM=1\n")
    assert sources()["kafka.partitions"] == ("5", ".env")
    monkeypatch.setenv("SMARTCITY_KAFKA__PARTITIONS", "6")
    assert sources()["kafka.partitions"] == ("6", "environment")
    assert sources({"kafka": {"partitions": 7}})["kafka.partitions"] == ("7", "flag")


def test_secrets_are_never_shown() -> None:
    values = sources({"aws": {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "hush"}})
    assert values["aws.secret_access_key"] == ("********", "flag")
    assert "hush" not in repr(values)


def test_a_wrong_value_names_the_setting_its_source_and_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTCITY_KAFKA__PORT", "99999")
    with pytest.raises(SettingsError) as caught:
        load()
    assert "kafka.port" in caught.value.reason
    assert "environment" in caught.value.reason
    assert "SMARTCITY_KAFKA__PORT" in caught.value.hint
    assert caught.value.exit_code == ExitCode.SETTINGS


def test_a_wrong_secret_is_not_repeated_in_the_error() -> None:
    with pytest.raises(SettingsError) as caught:
        load(aws={"secret_access_key": ["hush"]})
    assert "hush" not in caught.value.reason + caught.value.hint


@pytest.mark.parametrize("text", ["[kafka]\ncolour = 1\n", "colour = 1\n"])
def test_an_unknown_setting_is_refused(text: str) -> None:
    Path("smartcity.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"no setting .*colour"):
        load()


def test_a_file_that_is_not_toml_is_refused_in_a_sentence() -> None:
    Path("smartcity.toml").write_text("[kafka\n")
    with pytest.raises(SettingsError, match=r"smartcity\.toml is not valid TOML"):
        load()


def test_the_template_names_every_setting_and_changes_none() -> None:
    before = sources()
    Path("smartcity.toml").write_text(template())
    assert sources() == before
    names = {line.removeprefix("# ").split(" = ")[0] for line in template().splitlines() if " = " in line}
    assert {name.split(".")[-1] for name in before} <= names


def test_the_template_with_every_comment_taken_away_is_toml() -> None:
    lines = [line.removeprefix("# ") if " = " in line else line for line in template().splitlines()]
    assert tomllib.loads("\n".join(lines))["kafka"]["port"] == 29092


def test_environment_names() -> None:
    assert environment_name("kafka.port") == "SMARTCITY_KAFKA__PORT"
    assert environment_name("data_dir") == "SMARTCITY_DATA_DIR"
