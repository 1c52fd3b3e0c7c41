"""What every command is given: settings, clients and runtime, each made on first use."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from smartcity.console import Console

if TYPE_CHECKING:
    import typer

    from smartcity.clients import Clients
    from smartcity.services import Runtime
    from smartcity.settings import Settings


@dataclass
class Context:
    """One command's collaborators. `flags` are settings given on the command line, nested as in `Settings`."""

    flags: dict[str, Any] = field(default_factory=dict)
    console: Console = field(default_factory=Console)
    debug: bool = False

    @cached_property
    def settings(self) -> Settings:
        """The resolved settings."""
        from smartcity.settings import load

        return load(**self.flags)

    @cached_property
    def clients(self) -> Clients:
        """SDK clients of these settings."""
        from smartcity.clients import Clients

        return Clients(self.settings)

    @cached_property
    def runtime(self) -> Runtime:
        """Where Kafka, local AWS and Trino run."""
        from smartcity.services import runtime_for

        return runtime_for(self.settings)

    def override(self, name: str, value: Any) -> None:
        """Set one setting by its dotted name, as a command's own flag does; None leaves it alone.

        Must be called before `settings` is first used.
        """
        if value is None:
            return
        *groups, last = name.split(".")
        node = self.flags
        for group in groups:
            node = node.setdefault(group, {})
        node[last] = value


def of(context: typer.Context) -> Context:
    """Our context behind typer's."""
    found: Context = context.find_root().obj
    return found
