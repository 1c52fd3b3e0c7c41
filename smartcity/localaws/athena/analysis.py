"""Which tables does a query touch? The engine says so itself: EXPLAIN (TYPE IO) lists every table behind every name.

Views are not in that list (what they read is), so names are also taken from the parsed text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from smartcity.localaws.athena.tokens import Token

PREFIX = "EXPLAIN (TYPE IO, FORMAT JSON) "

#: Catalogs of the engine that are not Athena's. A text that does not contain these words cannot reach them.
FOREIGN = frozenset({"system", "jmx", "memory", "tpch", "tpcds", "blackhole"})


@dataclass(frozen=True)
class Touched:
    """One table in the engine's three-part name."""

    catalog: str
    database: str
    table: str

    @property
    def base(self) -> str:
        """The table behind a hidden one such as `gps$partitions`."""
        return self.table.split("$", 1)[0]


@dataclass(frozen=True)
class Plan:
    """What a statement reads and, if it writes, where to."""

    reads: tuple[Touched, ...]
    writes: Touched | None


def plan_from(explained: Mapping[str, Any]) -> Plan:
    """Read the JSON of EXPLAIN (TYPE IO)."""
    reads = tuple(dict.fromkeys(_touched(entry["table"]) for entry in explained.get("inputTableColumnInfos") or ()))
    target = explained.get("outputTable")
    return Plan(reads, _touched(target) if target else None)


def _touched(entry: Mapping[str, Any]) -> Touched:
    name = entry["schemaTable"]
    return Touched(entry["catalog"].lower(), name["schema"].lower(), name["table"].lower())


def mentions_foreign(tokens: tuple[Token, ...]) -> bool:
    """Whether a name of another catalog of the engine stands anywhere in the text."""
    return any(token.kind in {"word", "quoted"} and token.text.lower() in FOREIGN for token in tokens)


def names_catalog(tokens: tuple[Token, ...], catalog: str) -> bool:
    """Whether a name of three parts begins with this catalog."""
    return any(
        first.kind in {"word", "quoted"}
        and first.text.lower() == catalog
        and tokens[at + 1].is_symbol(".")
        and tokens[at + 3].is_symbol(".")
        and not (at > 0 and tokens[at - 1].is_symbol("."))
        for at, first in enumerate(tokens[:-4])
    )


def named_tables(sql: str, database: str) -> Iterator[tuple[str, str]]:
    """Database and name of every table or view that the text names; nothing if it cannot be parsed."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        tree = sqlglot.parse_one(sql, read="trino")
    except (SqlglotError, RecursionError):
        return
    locals_ = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if table.name and not (table.name.lower() in locals_ and not table.db):
            yield (table.db or database).lower(), table.name.lower()
