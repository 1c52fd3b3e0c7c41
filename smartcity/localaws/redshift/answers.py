"""The Data API's answers in the shape of botocore's model."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

from smartcity.localaws.api import AwsError
from smartcity.localaws.redshift import results
from smartcity.localaws.redshift.records import Statement
from smartcity.localaws.redshift.shared import database_user
from smartcity.localaws.redshift.types import RsType, parse_type


def _time(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def submitted(statement: Statement, caller: str) -> dict[str, Any]:
    """The answer of ExecuteStatement and BatchExecuteStatement."""
    answer = {
        "Id": statement.id,
        "CreatedAt": _time(statement.created),
        "WorkgroupName": statement.workgroup,
        "Database": statement.database,
        "DbUser": database_user(caller),
        "DbGroups": [],
    }
    return answer | ({"SessionId": statement.session_id} if statement.session_id else {})


def described(statement: Statement, number: int, caller: str) -> dict[str, Any]:
    """DescribeStatement, of a whole statement or of one of a batch (`number` from 1)."""
    part = statement.subs[number - 1] if number and len(statement.subs) >= number else None
    answer: dict[str, Any] = {
        "Id": f"{statement.id}:{number}" if number else statement.id,
        "CreatedAt": _time(statement.created),
        "UpdatedAt": _time(part["updated"] if part else statement.updated),
        "Database": statement.database,
        "DbUser": database_user(caller),
        "WorkgroupName": statement.workgroup,
        "Status": part["status"] if part else statement.status,
        "HasResultSet": part["has_result"] if part else statement.has_result,
        "ResultRows": part["rows"] if part else statement.rows,
        "ResultSize": part["size"] if part else statement.size,
        "QueryString": statement.sqls[number - 1] if number else "; ".join(statement.sqls),
        "Duration": _duration_ns(statement),
        "RedshiftPid": 1073741824 + abs(hash(statement.session_id or statement.id)) % 1_000_000,
        "RedshiftQueryId": int(statement.id.replace("-", "")[:7], 16),
        "ResultFormat": statement.format,
    }
    error = part["error"] if part else statement.error
    if error:
        answer["Error"] = error
    if statement.parameters:
        answer["QueryParameters"] = statement.parameters
    if statement.session_id:
        answer["SessionId"] = statement.session_id
    if statement.batch and not number:
        answer["SubStatements"] = [_sub(statement, at, sub) for at, sub in enumerate(statement.subs, 1)]
    return answer


def _duration_ns(statement: Statement) -> int:
    """Nanoseconds of running, −1 before it began."""
    if not statement.started:
        return -1
    return int((statement.updated - statement.started) * 1e9)


def _sub(statement: Statement, number: int, sub: dict[str, Any]) -> dict[str, Any]:
    shown = {
        "Id": f"{statement.id}:{number}",
        "CreatedAt": _time(sub["created"]),
        "UpdatedAt": _time(sub["updated"]),
        "Duration": int((sub["updated"] - sub["created"]) * 1e9),
        "HasResultSet": sub["has_result"],
        "QueryString": statement.sqls[number - 1],
        "RedshiftQueryId": int(statement.id.replace("-", "")[:7], 16) + number,
        "ResultRows": sub["rows"],
        "ResultSize": sub["size"],
        "Status": sub["status"],
    }
    return shown | ({"Error": sub["error"]} if sub["error"] else {})


def _shape(statement: Statement, number: int) -> tuple[list[str], list[RsType], int]:
    part = statement.subs[number - 1] if number else None
    names, types = (part["names"], part["types"]) if part else (statement.names, statement.types)
    return names, [_unsized(text) for text in types], int(part["rows"] if part else statement.rows)


def _unsized(text: str) -> RsType:
    return RsType(text) if text in {"character varying", "character", "binary varying"} else parse_type(text)


def _start(token: str | None) -> int:
    if token is None:
        return 0
    if not re.fullmatch(r"rows-\d{1,12}", token):
        raise AwsError("ValidationException", "Invalid NextToken.")
    return int(token[5:])


def page(statement: Statement, number: int, path: Path, token: str | None) -> dict[str, Any]:
    """One page of GetStatementResult."""
    names, types, total = _shape(statement, number)
    records, after = results.load_page(path, types, _start(token))
    answer = {"Records": records, "ColumnMetadata": results.column_metadata(names, types), "TotalNumRows": total}
    return answer | ({"NextToken": f"rows-{after}"} if after is not None else {})


def csv_page(statement: Statement, number: int, path: Path, token: str | None) -> dict[str, Any]:
    """One page of GetStatementResultV2."""
    names, types, total = _shape(statement, number)
    text, after = results.load_csv(path, names, types, _start(token))
    answer = {
        "Records": [{"CSVRecords": text}],
        "ColumnMetadata": results.column_metadata(names, types),
        "TotalNumRows": total,
        "ResultFormat": "CSV",
    }
    return answer | ({"NextToken": f"rows-{after}"} if after is not None else {})


def statements(found: list[Statement], params: dict[str, Any]) -> dict[str, Any]:
    """ListStatements: by name prefix and status."""
    status, prefix = params.get("Status", "ALL"), params.get("StatementName", "")
    chosen = [s for s in found if status in ("ALL", s.status) and s.name.startswith(prefix)]
    chosen = [s for s in chosen if not params.get("WorkgroupName") or s.workgroup == params["WorkgroupName"]]
    start = _start(params.get("NextToken"))
    stop = start + int(params.get("MaxResults") or 100)
    answer: dict[str, Any] = {"Statements": [_listed(statement) for statement in chosen[start:stop]]}
    return answer | ({"NextToken": f"rows-{stop}"} if stop < len(chosen) else {})


def _listed(statement: Statement) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Id": statement.id,
        "Status": statement.status,
        "CreatedAt": _time(statement.created),
        "UpdatedAt": _time(statement.updated),
        "IsBatchStatement": statement.batch,
        "ResultFormat": statement.format,
        "QueryParameters": statement.parameters,
        "StatementName": statement.name,
    }
    shown |= {"QueryStrings": statement.sqls} if statement.batch else {"QueryString": statement.sqls[0]}
    if not statement.parameters:
        del shown["QueryParameters"]
    if not statement.name:
        del shown["StatementName"]
    return shown | ({"SessionId": statement.session_id} if statement.session_id else {})
