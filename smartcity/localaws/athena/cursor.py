"""Reading tokens one after the other: the small tool under the parser of Athena's own statements."""

from __future__ import annotations

from dataclasses import dataclass

from smartcity.localaws.athena.failures import QueryFailed
from smartcity.localaws.athena.statements import Statement
from smartcity.localaws.athena.tokens import Token, position

_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "0": "\0", "b": "\b"}


@dataclass
class Cursor:
    """A place in a statement."""

    statement: Statement
    at: int = 0

    @property
    def token(self) -> Token:
        """The next token."""
        return self.statement.tokens[min(self.at, len(self.statement.tokens) - 1)]

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return self.token.kind == "end"

    def take(self) -> Token:
        """The next token, passing it."""
        token = self.token
        self.at += 1
        return token

    def sees(self, *words: str) -> bool:
        """Whether these keywords come next."""
        tokens = self.statement.tokens[self.at : self.at + len(words)]
        return len(tokens) == len(words) and all(token.is_word(word) for token, word in zip(tokens, words, strict=True))

    def accept(self, *words: str) -> bool:
        """Pass these keywords if they come next."""
        if not self.sees(*words):
            return False
        self.at += len(words)
        return True

    def accept_symbol(self, symbol: str) -> bool:
        """Pass this sign if it comes next."""
        if not self.token.is_symbol(symbol):
            return False
        self.at += 1
        return True

    def expect(self, *words: str) -> None:
        """Pass these keywords; raises `QueryFailed` if something else stands there."""
        for word in words:
            if not self.accept(word):
                raise self.mismatch(word)

    def expect_symbol(self, symbol: str) -> None:
        """Pass this sign; raises `QueryFailed` if something else stands there."""
        if not self.accept_symbol(symbol):
            raise self.mismatch(f"'{symbol}'")

    def name(self) -> str:
        """An identifier in small letters, quoted in any of the ways."""
        token = self.take()
        if token.kind not in {"word", "quoted", "backtick"} or not token.text:
            self.at -= 1
            raise self.mismatch("<identifier>")
        return token.text.lower()

    def names(self) -> list[str]:
        """A name of one or more parts."""
        names = [self.name()]
        while self.accept_symbol("."):
            names.append(self.name())
        return names

    def string(self) -> str:
        """A text in quotes, with Hive's backslashes resolved."""
        token = self.take()
        if token.kind not in {"string", "quoted"}:
            self.at -= 1
            raise self.mismatch("<string>")
        return unescape(token.text)

    def finish(self) -> None:
        """Raises `QueryFailed` if anything is left."""
        if not self.ended:
            raise self.mismatch("<EOF>")

    def mismatch(self, expected: str) -> QueryFailed:
        """The error for an unexpected token."""
        token = self.token
        line, column = position(self.statement.sql, token.start)
        found = "<EOF>" if token.kind == "end" else self.statement.sql[token.start : token.stop]
        return QueryFailed(f"SYNTAX_ERROR: line {line}:{column}: mismatched input '{found}'. Expecting: {expected}")


def unescape(text: str) -> str:
    """Hive's escapes: backslash and a letter, or three octal digits."""
    if "\\" not in text:
        return text
    out: list[str] = []
    at = 0
    while at < len(text):
        if text[at] != "\\" or at + 1 == len(text):
            out.append(text[at])
            at += 1
        elif text[at + 1 : at + 4].isdigit() and len(text[at + 1 : at + 4]) == 3 and text[at + 1] in "01":
            out.append(chr(int(text[at + 1 : at + 4], 8)) if set(text[at + 1 : at + 4]) <= set("01234567") else "")
            at += 4
        else:
            out.append(_ESCAPES.get(text[at + 1], text[at + 1]))
            at += 2
    return "".join(out)
