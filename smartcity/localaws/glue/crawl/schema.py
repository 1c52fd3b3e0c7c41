"""Schemas of files and folders: when two describe the same table, and what they are together."""

from __future__ import annotations

from collections.abc import Iterable

from smartcity.localaws.glue.crawl.facts import Columns
from smartcity.localaws.glue.crawl.types import GlueType, merge, widen

#: AWS's threshold: schemas that agree in at least 70 % are "similar".
SIMILARITY = 0.7


def merge_columns(schemas: Iterable[Columns]) -> Columns:
    """All columns of all schemas in the order of their first appearance, each as wide as needed."""
    merged: dict[str, GlueType] = {}
    for schema in dict.fromkeys(map(_hashable, schemas)):
        for name, kind in schema:
            merged[name] = widen(merged[name], _thawed(kind)) if name in merged else _thawed(kind)
    return tuple(merged.items())


def _hashable(schema: Columns) -> tuple[tuple[str, object], ...]:
    return tuple((name, _frozen(kind)) for name, kind in schema)


def _frozen(kind: object) -> object:
    return tuple(_frozen(part) for part in kind) if isinstance(kind, (list, tuple)) else kind


def _thawed(kind: object) -> GlueType:
    return [_thawed(part) for part in kind] if isinstance(kind, tuple) else kind  # type: ignore[return-value]


def similarity(one: Columns, other: Columns, strict: bool) -> float:
    """The share of columns that both have with compatible types.

    `strict` counts against all columns of both, for folders of any names; otherwise against the smaller schema, for
    files of one folder and `key=value` folders, where a column may have been added.
    """
    left, right = dict(one), dict(other)
    if not left or not right:
        return 1.0 if not left and not right else 0.0
    shared = sum(1 for name in left.keys() & right.keys() if merge(left[name], right[name]) is not None)
    return shared / (len(left.keys() | right.keys()) if strict else min(len(left), len(right)))
