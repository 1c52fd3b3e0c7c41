"""Questions that analysts of this data ask, as files of SQL: `smartcity query --named NAME`.

The first line of a file is its title; further comment lines at its top explain. `:name` stands for a value: it becomes
a question mark and an execution parameter, never a part of the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from smartcity.errors import UsageError

_SKIP_OR_NAME = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|:([a-z_][a-z0-9_]*)", re.DOTALL)
_STATEMENT_END = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|(;)", re.DOTALL)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)

Value = str | int | float


@dataclass(frozen=True)
class SavedQuery:
    """One file. `parameters` are the names after the colons, in the order of their first use."""

    name: str
    title: str
    notes: tuple[str, ...]
    sql: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """The values that must be given."""
        return tuple(dict.fromkeys(placeholders(self.sql)))


@cache
def saved_queries() -> dict[str, SavedQuery]:
    """Every saved query by name."""
    files = (file for file in resources.files(__package__).iterdir() if file.name.endswith(".sql"))
    queries = (_read(file.name.removesuffix(".sql"), file.read_text("utf-8")) for file in files)
    return {query.name: query for query in sorted(queries, key=lambda query: query.name)}


def saved_query(name: str) -> SavedQuery:
    """One saved query. Raises `UsageError` naming the nearest ones if there is none."""
    import difflib

    queries = saved_queries()
    if name not in queries:
        near = difflib.get_close_matches(name, queries, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "See them with: smartcity query --list"
        raise UsageError(f"There is no saved query {name!r}.", hint)
    return queries[name]


def _read(name: str, text: str) -> SavedQuery:
    lines = text.strip().split("\n")
    count = next(number for number, line in enumerate(lines) if not line.startswith("--"))
    comments = [line.removeprefix("--").strip() for line in lines[:count]]
    return SavedQuery(name, comments[0], tuple(comments[1:]), "\n".join(lines[count:]))


def placeholders(sql: str) -> list[str]:
    """Every `:name` in a statement, outside texts and comments."""
    return [match[1] for match in _SKIP_OR_NAME.finditer(sql) if match[1]]


def statements(text: str) -> list[str]:
    """The statements of a file: cut at semicolons outside texts and comments; those without content are dropped."""
    ends = [match.start(1) for match in _STATEMENT_END.finditer(text) if match[1]]
    begins = [0, *(end + 1 for end in ends)]
    parts = (text[begin:end].strip() for begin, end in zip(begins, [*ends, len(text)], strict=True))
    return [part for part in parts if _COMMENT.sub("", part).strip()]


def bind(sql: str, values: Mapping[str, Value]) -> tuple[str, list[str]]:
    """The statement with question marks, and the execution parameters in their order.

    Raises `UsageError` for a value that is missing or not asked for.
    """
    used = placeholders(sql)
    missing = [name for name in dict.fromkeys(used) if name not in values]
    if missing:
        example = " ".join(f"--param {name}=…" for name in missing)
        raise UsageError(f"The query needs {', '.join(missing)}.", f"Give it with: {example}")
    unknown = [name for name in values if name not in used]
    if unknown:
        raise UsageError(f"The query has no parameter {', '.join(unknown)}.", _known(used))
    text = _SKIP_OR_NAME.sub(lambda match: "?" if match[1] else match[0], sql)
    return text, [literal(values[name]) for name in used]


def _known(used: Sequence[str]) -> str:
    return f"It has: {', '.join(dict.fromkeys(used))}." if used else "It takes none."


def literal(value: Value) -> str:
    """A value as a SQL literal."""
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
