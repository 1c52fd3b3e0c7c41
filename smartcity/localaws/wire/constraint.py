"""What the model of an operation forbids, in AWS's sentences; botocore itself checks types and minima only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

_NUMBERS = ("integer", "long", "double", "float")


def violations(shape: Any, params: dict[str, Any]) -> list[str]:
    """Every violated constraint: `Value 'x' at 'name' failed to satisfy constraint: Member must …`."""
    return [] if shape is None else list(_structure(shape, params, ""))


def sentence(found: list[str]) -> str:
    """AWS's message for a list of violations."""
    plural = "s" if len(found) > 1 else ""
    return f"{len(found)} validation error{plural} detected: " + "; ".join(found)


def _failed(value: Any, path: str, constraint: str) -> str:
    shown = "null" if value is None else f"'{value}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: Member must {constraint}"


def _join(path: str, name: str) -> str:
    lowered = name[0].lower() + name[1:]
    return f"{path}.{lowered}" if path else lowered


def _structure(shape: Any, value: dict[str, Any], path: str) -> Iterator[str]:
    for name in shape.required_members:
        if name not in value:
            yield _failed(None, _join(path, name), "not be null")
    for name, item in value.items():
        yield from _any(shape.members[name], item, _join(path, name))


def _any(shape: Any, value: Any, path: str) -> Iterator[str]:
    kind = shape.type_name
    if getattr(shape, "is_document_type", False):
        return
    if kind == "structure":
        yield from _structure(shape, value, path)
    elif kind == "list":
        yield from _length(shape, len(value), value, path)
        for index, item in enumerate(value, 1):
            yield from _any(shape.member, item, f"{path}.{index}.member")
    elif kind == "map":
        yield from _length(shape, len(value), value, path)
        for key, item in value.items():
            yield from _any(shape.value, item, f"{path}.{key}.member")
    elif kind == "string":
        yield from _string(shape, value, path)
    elif kind in _NUMBERS:
        yield from _range(shape, value, path)


def _length(shape: Any, length: int, value: Any, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and length < low:
        yield _failed(value, path, f"have length greater than or equal to {low}")
    if high is not None and length > high:
        yield _failed(value if length < 200 else "…", path, f"have length less than or equal to {high}")


def _range(shape: Any, value: float, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and value < low:
        yield _failed(value, path, f"have value greater than or equal to {low}")
    if high is not None and value > high:
        yield _failed(value, path, f"have value less than or equal to {high}")


def _string(shape: Any, value: str, path: str) -> Iterator[str]:
    yield from _length(shape, len(value), value, path)
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        yield _failed(value, path, f"satisfy enum value set: [{', '.join(allowed)}]")
    pattern = shape.metadata.get("pattern")
    compiled = _compiled(pattern) if pattern else None
    if compiled is not None and len(value) <= 4096 and not compiled.fullmatch(value):
        yield _failed(value[:200], path, f"satisfy regular expression pattern: {pattern}")


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """The pattern, or None where it is Java's and not Python's (`\\p{L}`, surrogate pairs): then AWS checks alone."""
    if _NESTED.search(pattern):
        return None
    try:
        return re.compile(pattern)
    except re.error:
        return None


#: A repeated group that ends in a repetition, such as `(a+)+`: time grows exponentially with hostile input.
_NESTED = re.compile(r"[+*]\)[+*{]")
