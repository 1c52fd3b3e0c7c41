"""A statement with one part replaced, and the way back: error messages must point into what the user typed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from smartcity.localaws.athena.failures import QueryFailed
from smartcity.localaws.athena.tokens import position

_PLACE = re.compile(r"line (\d+):(\d+)(?=:)")


@dataclass(frozen=True)
class Edited:
    """`original[start:stop]` replaced by `replacement`."""

    original: str
    start: int = 0
    stop: int = 0
    replacement: str = ""

    @property
    def text(self) -> str:
        """What goes to the engine."""
        return self.original[: self.start] + self.replacement + self.original[self.stop :]

    def back(self, failure: QueryFailed) -> QueryFailed:
        """The same failure with its place in the original."""
        match = _PLACE.search(failure.reason)
        if match is None or (self.start == self.stop and not self.replacement):
            return failure
        offset = self._original_offset(_offset(self.text, int(match[1]), int(match[2])))
        line, column = position(self.original, offset)
        reason = f"{failure.reason[: match.start()]}line {line}:{column}{failure.reason[match.end() :]}"
        return QueryFailed(reason, failure.category, failure.type, failure.retryable)

    def _original_offset(self, offset: int) -> int:
        if offset <= self.start:
            return offset
        if offset < self.start + len(self.replacement):
            return self.start
        return offset - len(self.replacement) + (self.stop - self.start)


def _offset(text: str, line: int, column: int) -> int:
    lines = text.split("\n")
    return sum(len(part) + 1 for part in lines[: line - 1]) + column - 1
