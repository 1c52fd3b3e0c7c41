"""Which statement is this, and may Athena run it?

Athena takes a fixed set of statements. What the engine could also do (SET SESSION, CALL, GRANT, USE, …) is refused
here, before the engine sees it; a text that begins with no statement at all goes to the engine for its error message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smartcity.localaws.athena.failures import QueryFailed, not_allowed
from smartcity.localaws.athena.tokens import Token, position, tokenize

DML, DDL, UTILITY = "DML", "DDL", "UTILITY"

#: Words with which a statement of the engine begins and that Athena does not take.
_REFUSED = frozenset(
    {
        *("ANALYZE", "CALL", "COMMENT", "COMMIT", "DENY", "GRANT", "REFRESH", "RESET", "REVOKE", "ROLLBACK"),
        *("SET", "START", "TRUNCATE", "USE", "TABLE"),
    }
)
_LOOK_AHEAD = 8  #: so many ends follow the last token: code may look that far ahead

_QUERY = frozenset({"SELECT", "WITH", "VALUES"})
_CHANGES = frozenset({"INSERT", "MERGE", "UPDATE", "DELETE"})


@dataclass(frozen=True)
class Statement:
    """One statement: its text without a final semicolon, its kind (`what`), and Athena's names for it."""

    sql: str
    tokens: tuple[Token, ...]
    what: str  #: "SELECT", "INSERT", "CREATE_TABLE_AS_SELECT", "SHOW_TABLES", … : `SubstatementType`
    type: str  #: DML, DDL or UTILITY: `StatementType`

    @property
    def only_reads(self) -> bool:
        """Whether this is surely a query: it begins as one."""
        return self.what == "SELECT" and (self.tokens[0].is_word(*_QUERY) or self.tokens[0].is_symbol("("))

    def rest(self, first: int) -> str:
        """The text from token number `first`."""
        return self.sql[self.tokens[first].start :]

    @property
    def touches_nothing(self) -> bool:
        """Whether this is a query that surely names no table: there is no FROM and no TABLE in it."""
        return self.only_reads and not any(token.is_word("FROM", "TABLE") for token in self.tokens)


def classify(sql: str) -> Statement:
    """Name a statement. Raises `QueryFailed` if Athena does not take it."""
    tokens = tokenize(sql)
    while len(tokens) > 1 and tokens[-2].is_symbol(";"):
        del tokens[-2]
    end = tokens[-2].stop if len(tokens) > 1 else 0
    text = sql[:end]
    what, type_ = _name([*tokens, *tokens[-1:] * _LOOK_AHEAD], text)
    return Statement(text, (*tokens, *tokens[-1:] * _LOOK_AHEAD), what, type_)


def _name(tokens: list[Token], sql: str) -> tuple[str, str]:
    first = tokens[0]
    if first.kind == "end":
        raise QueryFailed("SYNTAX_ERROR: line 1:1: The statement is empty")
    word = first.text.upper() if first.kind == "word" else ""
    if word in _QUERY or first.is_symbol("("):
        _refuse_with_extras(tokens, sql)
        return "SELECT", DML
    if word in _CHANGES:
        return word, DML
    if word in _REFUSED:
        raise _refused(tokens, sql)
    namer = _NAMERS.get(word)
    return namer(tokens, sql) if namer else ("SELECT", DML)


def _refused(tokens: list[Token], sql: str, count: int = 2) -> QueryFailed:
    words = " ".join(token.text.upper() for token in tokens[:count] if token.kind == "word")
    line, column = position(sql, tokens[0].start)
    return not_allowed(f"line {line}:{column}: {words} is not supported by Athena")


def _refuse_with_extras(tokens: list[Token], sql: str) -> None:
    """`WITH SESSION` and `WITH FUNCTION` are the engine's, not Athena's."""
    if tokens[0].is_word("WITH") and tokens[1].is_word("SESSION", "FUNCTION") and not tokens[2].is_word("AS"):
        raise _refused(tokens, sql)


def _create(tokens: list[Token], sql: str) -> tuple[str, str]:
    rest = [token for token in tokens[1:6] if not token.is_word("OR", "REPLACE")]
    if rest[0].is_word("DATABASE", "SCHEMA"):
        return "CREATE_DATABASE", DDL
    if rest[0].is_word("EXTERNAL") and rest[1].is_word("TABLE"):
        return "CREATE_TABLE", DDL
    if rest[0].is_word("VIEW"):
        return "CREATE_VIEW", DDL
    if rest[0].is_word("TABLE"):
        return ("CREATE_TABLE_AS_SELECT", DML) if _has_select(tokens) else ("CREATE_TABLE", DDL)
    raise _refused(tokens, sql, 3)


def _has_select(tokens: list[Token]) -> bool:
    """Whether a top-level AS follows: CREATE TABLE … AS."""
    depth = 0
    for token in tokens:
        depth += token.is_symbol("(") - token.is_symbol(")")
        if depth == 0 and token.is_word("AS"):
            return True
    return False


def _drop(tokens: list[Token], sql: str) -> tuple[str, str]:
    if tokens[1].is_word("DATABASE", "SCHEMA"):
        return "DROP_DATABASE", DDL
    if tokens[1].is_word("TABLE", "VIEW"):
        return f"DROP_{tokens[1].text.upper()}", DDL
    raise _refused(tokens, sql)


def _alter(tokens: list[Token], sql: str) -> tuple[str, str]:
    if tokens[1].is_word("TABLE"):
        return "ALTER_TABLE", DDL
    if tokens[1].is_word("DATABASE", "SCHEMA"):
        return "ALTER_DATABASE", DDL
    raise _refused(tokens, sql)


_SHOW = {
    "DATABASES": "SHOW_DATABASES",
    "SCHEMAS": "SHOW_DATABASES",
    "TABLES": "SHOW_TABLES",
    "VIEWS": "SHOW_VIEWS",
    "COLUMNS": "SHOW_COLUMNS",
    "PARTITIONS": "SHOW_PARTITIONS",
    "TBLPROPERTIES": "SHOW_TBLPROPERTIES",
    "CATALOGS": "SHOW_CATALOGS",
    "FUNCTIONS": "SHOW_FUNCTIONS",
}


def _show(tokens: list[Token], sql: str) -> tuple[str, str]:
    second = tokens[1].text.upper()
    if second == "CREATE" and tokens[2].is_word("TABLE", "VIEW"):
        return f"SHOW_CREATE_{tokens[2].text.upper()}", UTILITY
    if second in _SHOW:
        return _SHOW[second], UTILITY
    raise _refused(tokens, sql)


def _execute(tokens: list[Token], sql: str) -> tuple[str, str]:
    if tokens[1].is_word("IMMEDIATE"):
        raise _refused(tokens, sql)
    return "EXECUTE", DML


_NAMERS: dict[str, Callable[[list[Token], str], tuple[str, str]]] = {
    "CREATE": _create,
    "DROP": _drop,
    "ALTER": _alter,
    "SHOW": _show,
    "EXECUTE": _execute,
    "MSCK": lambda _tokens, _sql: ("MSCK_REPAIR_TABLE", DDL),
    "DESCRIBE": lambda _tokens, _sql: ("DESCRIBE_TABLE", UTILITY),
    "DESC": lambda _tokens, _sql: ("DESCRIBE_TABLE", UTILITY),
    "EXPLAIN": lambda _tokens, _sql: ("EXPLAIN", UTILITY),
    "OPTIMIZE": lambda _tokens, _sql: ("OPTIMIZE", DML),
    "VACUUM": lambda _tokens, _sql: ("VACUUM", DML),
    "UNLOAD": lambda _tokens, _sql: ("UNLOAD", DML),
    "PREPARE": lambda _tokens, _sql: ("PREPARE", DDL),
    "DEALLOCATE": lambda _tokens, _sql: ("DEALLOCATE", DDL),
}


def explained(statement: Statement) -> Statement:
    """The statement behind EXPLAIN and its options; raises `QueryFailed` if Athena does not take it."""
    index = 1
    tokens = statement.tokens
    while tokens[index].is_word("ANALYZE", "VERBOSE"):
        index += 1
    if tokens[index].is_symbol("(") and tokens[index + 1].is_word("TYPE", "FORMAT"):
        while not tokens[index].is_symbol(")") and tokens[index].kind != "end":
            index += 1
        index += 1
    inner = classify(statement.rest(min(index, len(tokens) - 1)))
    if inner.what == "EXPLAIN" or inner.type == UTILITY:
        raise not_allowed("line 1:1: EXPLAIN takes a query")
    return inner


def parameters(values: list[str]) -> str:
    """`USING a, b`: each value must be one expression of its own, or the count would be wrong."""
    for number, value in enumerate(values, start=1):
        depth = 0
        tokens = tokenize(value)
        for token in tokens:
            depth += token.is_symbol("(", "[") - token.is_symbol(")", "]")
            if depth < 0 or (depth == 0 and token.is_symbol(",", ";")):
                raise QueryFailed(f"INVALID_PARAMETER_USAGE: parameter {number} is not one value: {value}")
        if depth or len(tokens) == 1:
            raise QueryFailed(f"INVALID_PARAMETER_USAGE: parameter {number} is not one value: {value}")
    return "USING " + ", ".join(values)
