"""A lexer for the SQL of Athena: enough to tell statements apart, to read Hive's DDL and to point at a place.

Both worlds meet here: Trino quotes identifiers with `"`, Hive with backticks, and Hive's strings know backslashes.
Queries are never rewritten from tokens: their text goes to the engine as it was typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["word", "quoted", "backtick", "string", "number", "symbol", "end"]

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)
  | (?P<string>'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*")
  | (?P<backtick>`(?:[^`]|``)*`)
  | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
  | (?P<word>[^\W\d][\w$@]*)
  | (?P<symbol><=|>=|<>|!=|->|=>|\|\||.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """One token: `text` is what it means (without quotes), `start` and `stop` are offsets in the statement."""

    kind: Kind
    text: str
    start: int
    stop: int

    def is_word(self, *words: str) -> bool:
        """Whether this is one of these keywords (given in capitals)."""
        return self.kind == "word" and self.text.upper() in words

    def is_symbol(self, *symbols: str) -> bool:
        """Whether this is one of these punctuation marks."""
        return self.kind == "symbol" and self.text in symbols


_QUOTES: dict[str, tuple[str, str]] = {
    "string": ("''", "'"),
    "quoted": ('""', '"'),
    "backtick": ("``", "`"),
}


def tokenize(sql: str) -> list[Token]:
    """All tokens of a text and an `end`; comments and blanks are dropped. Never fails: an odd sign is a symbol."""
    return [*_tokens(sql), Token("end", "", len(sql), len(sql))]


def _tokens(sql: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup
        if kind is None or kind == "space":
            continue
        text = match[0]
        if kind in _QUOTES:
            doubled, single = _QUOTES[kind]
            text = text[1:-1].replace(doubled, single)
        yield Token(kind, text, match.start(), match.end())  # type: ignore[arg-type]  # the group names are the kinds


def position(sql: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, both counted from 1 as the engine does."""
    before = sql[:offset]
    line = before.count("\n") + 1
    return line, offset - (before.rfind("\n") + 1) + 1


def split_statements(sql: str) -> list[str]:
    """The statements of a file: cut at semicolons outside quotes and comments; empty ones are dropped."""
    parts: list[str] = []
    begin = 0
    used = False
    for token in tokenize(sql):
        if token.is_symbol(";") or token.kind == "end":
            if used:
                parts.append(sql[begin : token.start].strip())
            begin, used = token.stop, False
        else:
            used = True
    return parts


def quote(name: str) -> str:
    """A name as the engine's quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as a string literal."""
    return "'" + text.replace("'", "''") + "'"
