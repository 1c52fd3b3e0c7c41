"""Every test has its own folders and no settings of the person who runs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

#: Start-up caches take a minute of processor time to make: tests that want one ask for it.
os.environ.setdefault("SMARTCITY_JAVA__START_CACHES", "false")
_KEPT = {"SMARTCITY_CACHE_DIR", "SMARTCITY_JAVA__START_CACHES", "AWS_CA_BUNDLE"}


@pytest.fixture(autouse=True)
def _own_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("SMARTCITY_", "AWS_")) and name not in _KEPT:
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("SMARTCITY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
