"""The filter of GetPartitions: a SQL condition over partition keys, evaluated over all partitions at once.

sqlglot parses; what comes out is accepted only if it consists of the operators that AWS documents, with a partition
key on the left and literals on the right. Logic is SQL's, with three values: a comparison with a null key is unknown,
and NOT unknown is unknown, so such a partition is not returned.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import exp
from sqlglot import tokens as sql_tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from smartcity.localaws.api import AwsError
from smartcity.localaws.glue.faults import invalid
from smartcity.localaws.glue.key_types import NULL_VALUE, base_type, reader_for

#: Unknown is None.
Truth = list[bool | None]
Rows = Sequence[Sequence[str]]

_COMPARISONS: dict[type[exp.Expr], Callable[[Any, Any], bool]] = {
    exp.EQ: operator.eq,
    exp.NEQ: operator.ne,
    exp.LT: operator.lt,
    exp.LTE: operator.le,
    exp.GT: operator.gt,
    exp.GTE: operator.ge,
}

#: Words of the grammar: never a column, even if a key has that name.
_GRAMMAR = frozenset({"and", "or", "not", "in", "between", "like", "is", "null"})


class _FilterDialect(Dialect):
    """JSQLParser's quoting: names in `"` or backticks, strings in `'` doubled to escape; no comments."""

    class Tokenizer(sql_tokens.Tokenizer):
        IDENTIFIERS = ['"', "`"]  # noqa: RUF012  sqlglot's own form
        STRING_ESCAPES = ["'"]  # noqa: RUF012
        COMMENTS: ClassVar[list[str | tuple[str, str]]] = []


_DIALECT = _FilterDialect()


class PartitionFilter:
    """One parsed expression for tables with these keys (`PartitionKeys` of the table).

    Raises InvalidInputException for what does not parse, unknown columns, unsupported operators, and literals that
    do not fit a key's type.
    """

    def __init__(self, expression: str, keys: Sequence[dict[str, Any]]) -> None:
        self._text = expression
        self._keys = {key["Name"].lower(): (index, key.get("Type", "string")) for index, key in enumerate(keys)}
        self._rows: Rows = ()
        self._cache: dict[str, list[Any]] = {}
        self._root = self._parse()
        self.matches([])  # on no rows: finds what is unsupported before the first partition is read

    def _parse(self) -> exp.Expr:
        try:
            quoted = self._quote_keys(_DIALECT.tokenize(self._text))
            return sqlglot.parse_one(quoted, dialect=_DIALECT, into=exp.Condition)
        except (SqlglotError, RecursionError):
            raise self._unsupported() from None

    def _quote_keys(self, tokens: list[Any]) -> str:
        """The text with every key quoted, so that a key may be called `date`, `order` or `timestamp`."""
        text = self._text
        for token, following in zip(reversed(tokens), [None, *reversed(tokens)], strict=False):
            word = token.text.lower()
            literal_type = following is not None and following.token_type.name == "STRING"
            plain = token.token_type.name not in ("STRING", "IDENTIFIER", "NUMBER")
            if plain and word in self._keys and word not in _GRAMMAR and not literal_type:
                text = f'{text[: token.start]}"{word}"{text[token.end + 1 :]}'
        return text

    def _unsupported(self) -> AwsError:
        return invalid(f"Unsupported expression '{self._text}'")

    def matches(self, rows: Rows) -> list[bool]:
        """For each list of partition values: does the expression hold?

        Raises InvalidStateException when a stored value does not fit its key's type.
        """
        self._rows, self._cache = rows, {}
        try:
            return [value is True for value in self._evaluate(self._root)]
        except RecursionError:
            raise self._unsupported() from None

    def _evaluate(self, node: exp.Expr) -> Truth:
        while isinstance(node, exp.Paren):
            node = node.this
        if isinstance(node, exp.And):
            return _fold(all_of, [self._evaluate(part) for part in node.flatten()])
        if isinstance(node, exp.Or):
            return _fold(any_of, [self._evaluate(part) for part in node.flatten()])
        if isinstance(node, exp.Not):
            return [None if value is None else not value for value in self._evaluate(node.this)]
        return self._condition(node)

    def _condition(self, node: exp.Expr) -> Truth:
        compare = _COMPARISONS.get(type(node))
        if compare is not None:
            return self._compare(node, compare)
        if isinstance(node, exp.Between):
            low, high = (self._literal(node, node.args[end]) for end in ("low", "high"))
            return [None if value is None else low <= value <= high for value in self._column(node)]
        if isinstance(node, exp.In) and node.expressions and set(_given(node)) == {"this", "expressions"}:
            wanted = [self._literal(node, item) for item in node.expressions]
            return [None if value is None else value in wanted for value in self._column(node)]
        if isinstance(node, exp.Like):
            return self._like(node)
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            return [value is None for value in self._column(node)]
        raise self._unsupported()

    def _compare(self, node: exp.Expr, compare: Callable[[Any, Any], bool]) -> Truth:
        if _text_of(node.expression) == NULL_VALUE:  # Trino asks `key <> '__HIVE_DEFAULT_PARTITION__'` of any type
            if not isinstance(node, (exp.EQ, exp.NEQ)):
                raise self._unsupported()
            wanted = isinstance(node, exp.EQ)
            return [(value is None) is wanted for value in self._column(node)]
        right = self._literal(node, node.expression)
        return [None if value is None else compare(value, right) for value in self._column(node)]

    def _like(self, node: exp.Like) -> Truth:
        declared = base_type(self._key(node)[1])
        if declared not in ("string", "char", "varchar"):
            kind = "Integral" if declared.endswith("int") or declared in ("long", "integer") else declared.title()
            raise invalid(f"{kind} data type doesn't support operation 'LIKE'")
        pattern = self._literal(node, node.expression).replace("\\", "\\\\")
        found: Truth = pc.match_like(pa.array(self._column(node), pa.string()), pattern).to_pylist()
        negated = bool(node.args.get("negate"))
        return [None if value is None else value is not negated for value in found]

    def _key(self, node: exp.Expr) -> tuple[int, str]:
        column = node.this
        while isinstance(column, exp.Paren):
            column = column.this
        if not isinstance(column, exp.Column) or column.table:
            raise self._unsupported()
        if column.name.lower() not in self._keys:
            raise invalid(f"Unknown column '{column.name}'")
        return self._keys[column.name.lower()]

    def _column(self, node: exp.Expr) -> list[Any]:
        """The key's values in all rows, read once as its type; None where a row has none."""
        index, declared = self._key(node)
        name = str(index)
        if name not in self._cache:
            texts = [row[index] for row in self._rows]
            reader = reader_for(declared)
            try:
                known = {text: None if text == NULL_VALUE else reader(text) for text in set(texts)}
            except ValueError as error:
                raise AwsError("InvalidStateException", str(error)) from None
            self._cache[name] = [known[text] for text in texts]
        return self._cache[name]

    def _literal(self, node: exp.Expr, literal: exp.Expr) -> Any:
        text = _text_of(literal)
        if text is None:
            raise self._unsupported()
        try:
            return reader_for(self._key(node)[1])(text)
        except ValueError as error:
            raise invalid(str(error)) from None


def _given(node: exp.Expr) -> list[str]:
    return [name for name, value in node.args.items() if value]


def _text_of(node: exp.Expr) -> str | None:
    """The text of a literal: a string, a number with its sign, DATE '…' or TIMESTAMP '…'; None for anything else."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Literal):
        return str(node.this)
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not node.this.is_string:
        return f"-{node.this.this}"
    if isinstance(node, exp.Cast) and node.to.this in (exp.DataType.Type.DATE, exp.DataType.Type.TIMESTAMP):
        return _text_of(node.this)
    return None


def all_of(values: Sequence[bool | None]) -> bool | None:
    """SQL's AND: false wins over unknown."""
    return False if False in values else (None if None in values else True)


def any_of(values: Sequence[bool | None]) -> bool | None:
    """SQL's OR: true wins over unknown."""
    return True if True in values else (None if None in values else False)


def _fold(combine: Callable[[Sequence[bool | None]], bool | None], parts: list[Truth]) -> Truth:
    return [combine(values) for values in zip(*parts, strict=True)]
