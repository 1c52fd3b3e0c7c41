"""Reading Redshift's SQL: a dialect in which no function is rewritten behind our back, and a scanner for DDL.

sqlglot's own Redshift dialect turns many functions into general ones and back into another engine's on the way out.
Here each call stays what it is, so that `functions` alone decides what it means, and the unknown fails.
"""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.redshift import Redshift
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.redshift import RedshiftParser
from sqlglot.tokenizer_core import Token, TokenType

from smartcity.localaws.redshift.faults import SqlError

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns about statements that we parse ourselves

_KEPT = ("CAST", "CONVERT", "EXTRACT", "TRIM", "POSITION", "SUBSTRING")


class WarehouseDialect(Redshift):
    """Redshift's grammar with every function call left as written."""

    class Tokenizer(Redshift.Tokenizer):
        COMMANDS: ClassVar[set[TokenType]] = set()  # else the rest of a REFRESH or VACUUM is one token

    class Parser(RedshiftParser):
        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            name: parser for name, parser in RedshiftParser.FUNCTION_PARSERS.items() if name in _KEPT
        }
        NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {
            token: node
            for token, node in RedshiftParser.NO_PAREN_FUNCTIONS.items()
            if token in {TokenType.CURRENT_DATE, TokenType.CURRENT_USER, TokenType.CURRENT_TIMESTAMP}
        }
        NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            "CASE": RedshiftParser.NO_PAREN_FUNCTION_PARSERS["CASE"],
            "APPROXIMATE": lambda self: self._approximate(),
            "SYSDATE": lambda self: self.expression(exp.Anonymous(this="getsysdate", expressions=[])),
        }

        def _approximate(self) -> Any:
            call = self._parse_window(self._parse_function())
            inner = call.find(exp.Anonymous) if call else None
            if inner is None:
                self.raise_error("syntax error after APPROXIMATE")
                return None
            inner.set("this", f"approximate_{inner.name.lower()}")
            return call


def parse(sql: str) -> exp.Expr:
    """One query or DML statement as a tree; raises `SqlError` with Redshift's wording."""
    try:
        found = [tree for tree in WarehouseDialect().parse(sql) if tree is not None]
    except (ParseError, TokenError) as error:
        raise syntax_error(error, sql) from None
    except RecursionError:
        raise SqlError("stack depth limit exceeded") from None
    if len(found) != 1:
        raise SqlError("syntax error: exactly one statement is expected")
    return found[0]


def syntax_error(error: Exception, sql: str) -> SqlError:
    """`syntax error at or near "X"` with the word at which the parser stopped."""
    details = getattr(error, "errors", None)
    near = (details[0].get("highlight") or "") if details else ""
    if not near.strip():
        words = sql.split()
        near = words[-1] if words else "end of input"
    return SqlError(f'syntax error at or near "{near.strip()}"')


def tokenize(sql: str) -> list[Token]:
    """The tokens of a statement; raises `SqlError` for an unclosed quote or comment."""
    try:
        return list(WarehouseDialect().tokenize(sql))
    except TokenError:
        raise SqlError("syntax error: unterminated quoted string or comment") from None


def split(sql: str) -> list[str]:
    """The statements of a text, cut at semicolons outside quotes and parentheses; comments stay."""
    parts, start, depth = [], 0, 0
    for token in tokenize(sql):
        if token.token_type == TokenType.L_PAREN:
            depth += 1
        elif token.token_type == TokenType.R_PAREN:
            depth -= 1
        elif token.token_type == TokenType.SEMICOLON and depth <= 0:
            parts.append(sql[start : token.start])
            start = token.end + 1
    parts.append(sql[start:])
    return [part.strip() for part in parts if tokenize(part)]


class Scanner:
    """Walks over the tokens of a statement that we parse ourselves; words are compared without case."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.tokens = [token for token in tokenize(sql) if token.token_type != TokenType.SEMICOLON]
        self.at = 0

    @property
    def done(self) -> bool:
        return self.at >= len(self.tokens)

    @property
    def current(self) -> Token | None:
        return None if self.done else self.tokens[self.at]

    def peek(self, offset: int = 0) -> str:
        """The word at the cursor in lower case; a quoted string gives `'` so that it is never taken for a word."""
        at = self.at + offset
        if at >= len(self.tokens):
            return ""
        token = self.tokens[at]
        return "'" if token.token_type == TokenType.STRING else self._text(token).lower()

    def _text(self, token: Token) -> str:
        return token.text or self.sql[token.start : token.end + 1]

    def match(self, *words: str) -> bool:
        """Step over these words if they come next."""
        if all(self.peek(index) == word for index, word in enumerate(self._words(words))):
            self.at += len(self._words(words))
            return True
        return False

    def _words(self, words: tuple[str, ...]) -> list[str]:
        # the tokenizer joins some pairs of words, such as "order by", into one token
        joined: list[str] = []
        for word in words:
            if joined and self.peek(len(joined) - 1) == f"{joined[-1]} {word}":
                joined[-1] = f"{joined[-1]} {word}"
            else:
                joined.append(word)
        return joined

    def expect(self, *words: str) -> None:
        """Step over these words; raises a syntax error otherwise."""
        if not self.match(*words):
            raise self.error()

    def error(self) -> SqlError:
        """A syntax error at the cursor."""
        return SqlError(
            f'syntax error at or near "{self._text(self.tokens[self.at])}"'
            if not self.done
            else "syntax error at end of input"
        )

    def string(self) -> str:
        """A quoted string."""
        if self.peek() != "'":
            raise self.error()
        self.at += 1
        return self.tokens[self.at - 1].text

    def integer(self) -> int:
        """An unsigned whole number."""
        if not self.peek().isdigit():
            raise self.error()
        self.at += 1
        return int(self.tokens[self.at - 1].text)

    def identifier(self) -> str:
        """A name, folded to lower case as Redshift does even for quoted ones."""
        token = self.current
        if token is None or token.token_type in {TokenType.STRING, TokenType.NUMBER} or self.peek() in set("(),;.=*"):
            raise self.error()
        self.at += 1
        name = self._text(token).lower()
        if name == "#":
            name += self.identifier()
        return name

    def name(self) -> tuple[str, ...]:
        """A dotted name of one to three parts."""
        parts = [self.identifier()]
        while self.match("."):
            parts.append(self.identifier())
        return tuple(parts)

    def names(self) -> list[str]:
        """A list of names in parentheses."""
        self.expect("(")
        found = [self.identifier()]
        while self.match(","):
            found.append(self.identifier())
        self.expect(")")
        return found

    def until(self, *stops: str) -> str:
        """The source text up to one of `stops` (or a closing parenthesis or comma) at this depth."""
        start, depth = self.at, 0
        while not self.done:
            word = self.peek()
            if depth == 0 and (word in stops or word in {")", ","}):
                break
            depth += {"(": 1, ")": -1}.get(word, 0)
            self.at += 1
        return self.text(start, self.at)

    def text(self, start: int, stop: int) -> str:
        """The source between two token positions."""
        if stop <= start:
            return ""
        return self.sql[self.tokens[start].start : self.tokens[stop - 1].end + 1]

    def rest(self) -> str:
        """All source text from the cursor on."""
        text = self.text(self.at, len(self.tokens))
        self.at = len(self.tokens)
        return text

    def finish(self) -> None:
        """Raises a syntax error unless everything was read."""
        if not self.done:
            raise self.error()
