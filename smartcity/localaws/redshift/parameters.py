"""`:name` parameters of the Data API: text that takes the type of its surroundings, never SQL."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from smartcity.localaws.redshift.faults import SqlError
from smartcity.localaws.redshift.grammar import tokenize


def bound(sql: str, parameters: list[dict[str, str]], allow_unused: bool = False) -> str:
    """The statement with each `:name` outside quotes replaced by a quoted literal; raises `SqlError`."""
    if not parameters:
        return sql
    values = {item["name"]: item["value"] for item in parameters}
    if len(values) < len(parameters):
        raise SqlError("Duplicate parameter name in the parameters list")
    done, at, used = "", 0, set[str]()
    tokens = tokenize(sql)
    for index, token in enumerate(tokens):
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        if token.token_type != TokenType.COLON or following is None or following.start != token.end + 1:
            continue
        name = sql[following.start : following.end + 1]
        if name not in values:
            raise SqlError(f"Cannot find parameter: {name}")
        used.add(name)
        done += sql[at : token.start] + "'" + values[name].replace("\\", "\\\\").replace("'", "''") + "'"
        at = following.end + 1
    unused = sorted(set(values) - used)
    if unused and not allow_unused:
        raise SqlError(f"Parameters list contains unused parameters: {', '.join(unused)}")
    return done + sql[at:]
