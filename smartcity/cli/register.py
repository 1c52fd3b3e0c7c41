"""Which commands exist. Each module imports typer only; what a command needs is imported when it runs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

#: Modules of `smartcity.cli` in the order of `smartcity --help`: the pipeline's own order. Each has `add(app)`.
MODULES = (
    "run",
    "services",
    "routes",
    "simulate",
    "stream",
    "watch",
    "quarantine",
    "crawl",
    "query",
    "load",
    "warehouse",
    "verify",
    "compact",
    "access",
    "config",
    "doctor",
)


def commands(app: typer.Typer) -> None:
    """Add every command to the application."""
    for name in MODULES:
        importlib.import_module(f"smartcity.cli.{name}").add(app)
