"""The one terminal: results on stdout, status on stderr; rich is imported here and nowhere else.

On a terminal a running step shows a spinner and lists show as tables; in a pipe every finished step is one plain line
and a list is the same table without colour.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TextIO

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from smartcity.errors import SmartCityError

Format = Literal["table", "csv", "json", "vertical"]
Row = Sequence[Any]


@dataclass
class Console:
    """Where a command writes. `json_errors` makes errors one JSON object on stderr."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    json_errors: bool = False

    @property
    def is_terminal(self) -> bool:
        """Whether status may move: stderr is a terminal."""
        return self.err.isatty()

    @property
    def width(self) -> int:
        """Characters in a line of the result; a pipe has no limit."""
        return self._rich(self.out).width if self.out.isatty() else 10_000

    def _rich(self, stream: TextIO) -> RichConsole:
        from rich.console import Console as RichConsole

        return RichConsole(file=stream, highlight=False, soft_wrap=not stream.isatty())

    def say(self, text: str, style: str | None = None) -> None:
        """One line of status on stderr."""
        self._rich(self.err).print(text, style=style, markup=False)

    def text(self, text: str) -> None:
        """One line of result on stdout, as it is."""
        self.out.write(text + "\n")
        self.out.flush()

    def json(self, value: Any) -> None:
        """One JSON value on stdout, in one line."""
        self.text(json.dumps(value, default=_plain, ensure_ascii=False))

    def error(self, error: SmartCityError) -> None:
        """`reason`, then `hint`, on stderr."""
        if self.json_errors:
            body = {"error": error.reason, "hint": error.hint, "exit_code": int(error.exit_code)}
            self.err.write(json.dumps(body, ensure_ascii=False) + "\n")
            return
        rich = self._rich(self.err)
        rich.print(f"Error: {error.reason}", style="bold red", markup=False)
        if error.hint:
            rich.print(error.hint, markup=False)

    def rows(self, columns: Sequence[str], rows: Iterable[Row], how: Format = "table") -> int:
        """Rows on stdout as a table, CSV, JSON lines or one field per line; returns how many there were."""
        writers: dict[Format, Callable[[Sequence[str], Iterable[Row]], int]] = {
            "table": self._table,
            "csv": self._csv,
            "json": self._json_lines,
            "vertical": self._vertical,
        }
        return writers[how](columns, rows)

    def _table(self, columns: Sequence[str], rows: Iterable[Row]) -> int:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        shown = list(rows)
        if self.out.isatty() and _table_width(columns, shown) > self.width:
            return self._vertical(columns, shown)  # folded cells would cut words and times in two
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for index, name in enumerate(columns):
            numeric = all(isinstance(row[index], int | float) or row[index] is None for row in shown)
            table.add_column(Text(name), justify="right" if numeric and shown else "left", overflow="fold")
        for row in shown:
            table.add_row(*(Text(_cell(value)) for value in row))
        rich = self._rich(self.out)
        if not self.out.isatty():
            rich.width = 10_000  # a pipe has no width: never fold or cut what another program reads
        rich.print(table)
        return len(shown)

    def _csv(self, columns: Sequence[str], rows: Iterable[Row]) -> int:
        writer = csv.writer(self.out, lineterminator="\n")
        writer.writerow(columns)
        count = 0
        for count, row in enumerate(rows, start=1):  # noqa: B007
            writer.writerow("" if value is None else _cell(value) for value in row)
        return count

    def _json_lines(self, columns: Sequence[str], rows: Iterable[Row]) -> int:
        count = 0
        for count, row in enumerate(rows, start=1):  # noqa: B007
            self.json(dict(zip(columns, row, strict=True)))
        return count

    def _vertical(self, columns: Sequence[str], rows: Iterable[Row]) -> int:
        width = max((len(name) for name in columns), default=0)
        count = 0
        for count, row in enumerate(rows, start=1):
            self.text(f"*** row {count} ***")
            for name, value in zip(columns, row, strict=True):
                self.text(f"{name:>{width}}: {_cell(value)}")
        return count

    @contextmanager
    def activity(self, text: str) -> Iterator[Callable[[str], None]]:
        """A spinner with a changing text on a terminal; nothing in a pipe. Yields the function that changes it."""
        if not self.is_terminal:
            yield lambda _: None
            return
        from rich.text import Text

        with self._rich(self.err).status(Text(text)) as status:
            yield lambda new: status.update(Text(new))

    @contextmanager
    def steps(self, total: int) -> Iterator[StepLines]:
        """Lines `3 of 8 OK …` as steps finish, under them what runs just now if this is a terminal."""
        if not self.is_terminal:
            yield StepLines(total, self.say, lambda _: None)
            return
        from rich.text import Text

        with self._rich(self.err).status("") as status:
            yield StepLines(total, self.say_above(status), lambda text: status.update(Text(text)))

    def say_above(self, status: Any) -> Callable[[str, str | None], None]:
        """A `say` that prints above a running spinner."""

        def say(text: str, style: str | None = None) -> None:
            status.console.print(text, style=style, markup=False)

        return say

    @contextmanager
    def download(self) -> Iterator[Callable[[str, int, int], None]]:
        """Progress of downloads: call it with label, bytes done and bytes in all. Plain lines in a pipe."""
        if not self.is_terminal:
            yield self._plain_download()
            return
        from rich import progress

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
        )
        with progress.Progress(*columns, console=self._rich(self.err), transient=True) as bar:
            tasks: dict[str, progress.TaskID] = {}

            def show(label: str, done: int, total: int) -> None:
                if label not in tasks:
                    tasks[label] = bar.add_task(label, total=total)
                bar.update(tasks[label], completed=done, total=total)

            yield show

    def _plain_download(self) -> Callable[[str, int, int], None]:
        said: set[str] = set()

        def show(label: str, done: int, total: int) -> None:
            if label not in said and done < total:
                said.add(label)
                self.say(f"Fetching {label}: {total / 1e6:.0f} MB, once")

        return show


@dataclass
class StepLines:
    """The lines of a plan being executed; `say` prints a finished line, `now` changes the moving one."""

    total: int
    say: Callable[[str, str | None], None]
    now: Callable[[str], None]

    def running(self, number: int, text: str) -> None:
        """Step `number` (from 1) is at work."""
        self.now(f"{number} of {self.total} … {text}")

    def note(self, text: str) -> None:
        """A line between the steps."""
        self.say(text, None)

    def finished(self, number: int, status: str, text: str, seconds: float) -> None:
        """Step `number` has ended with a status such as OK, SKIP or FAIL."""
        style = {"OK": "green", "FAIL": "bold red"}.get(status)
        self.say(f"{number} of {self.total} {status:<4} {text} [{seconds:.1f}s]", style)


def fitting(columns: Sequence[str], rows: Sequence[Row], width: int) -> int:
    """How many columns, from the left, make a table of at most `width` characters; at least one."""
    return next((n for n in range(len(columns), 1, -1) if _table_width(columns[:n], rows) <= width), 1)


def _table_width(columns: Sequence[str], rows: Sequence[Row]) -> int:
    widths = [max(len(name), *(len(_cell(row[at])) for row in rows), 0) for at, name in enumerate(columns)]
    return sum(widths) + 3 * len(widths)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, default=_plain, ensure_ascii=False)
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
