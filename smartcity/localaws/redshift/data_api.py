"""The Redshift Data API: statements are taken in at once, run in threads, and asked about afterwards.

https://docs.aws.amazon.com/redshift-data/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from smartcity.localaws.api import AwsError, Context, Operation, Request
from smartcity.localaws.redshift import answers, listing, shared
from smartcity.localaws.redshift.catalog import DATABASE
from smartcity.localaws.redshift.records import Statement
from smartcity.localaws.redshift.runner import Runner

MAX_SQL_BYTES = 100_000
_NO_RESOURCE = {
    "CancelStatement",
    "DescribeStatement",
    "GetStatementResult",
    "GetStatementResultV2",
    "ListStatements",
}


class RedshiftDataService:
    """All calls of the Data API for the workgroups of Redshift Serverless."""

    name = "redshift-data"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._shared = shared.of(context)
        self._runner = Runner(context, self._shared)
        self._records = self._runner.records

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Every call of the model."""
        return {
            "ExecuteStatement": self._execute,
            "BatchExecuteStatement": self._execute,
            "DescribeStatement": self._describe,
            "GetStatementResult": self._result,
            "GetStatementResultV2": self._result_v2,
            "CancelStatement": self._cancel,
            "ListStatements": self._list_statements,
            "ListDatabases": lambda r: self._listed(r, listing.databases),
            "ListSchemas": lambda r: self._listed(r, listing.schemas),
            "ListTables": lambda r: self._listed(r, listing.tables),
            "DescribeTable": lambda r: self._listed(r, listing.describe_table),
        }

    def resource_arns(self, operation: str, params: dict[str, Any]) -> list[str]:
        """The workgroup, for the calls that have one (service authorization reference of the Data API)."""
        if operation in _NO_RESOURCE:
            return []
        name = params.get("WorkgroupName")
        if name is None and params.get("SessionId"):
            name = self._runner.session_workgroup(params["SessionId"])
        if name is None:
            return []
        return [name if name.startswith("arn:") else self._shared.inventory.arn("workgroup", name)]

    def start(self) -> None:
        """Settle what a kill interrupted."""
        self._runner.recover()

    def stop(self) -> None:
        """Cancel what runs, close the warehouses."""
        self._runner.stop()
        self._shared.close()

    def _workgroup(self, request: Request) -> dict[str, Any]:
        params = request.params
        if params.get("ClusterIdentifier"):
            raise AwsError(
                "ValidationException", f"Redshift endpoint doesn't exist in this region: {params['ClusterIdentifier']}"
            )
        if not params.get("WorkgroupName"):
            raise AwsError("ValidationException", "Either ClusterIdentifier or WorkgroupName must be given.")
        name = self._workgroup_name(params["WorkgroupName"])
        found = self._shared.inventory.find("workgroup", name)
        if found is None:
            raise AwsError("ValidationException", f"Redshift endpoint doesn't exist in this region: {name}")
        self._context.access.check(request.caller.arn, "redshift-serverless:GetCredentials", found["workgroupArn"])
        database = params.get("Database")
        if database is not None and database != DATABASE:
            raise AwsError("ValidationException", f'FATAL: database "{database}" does not exist')
        return found

    def _workgroup_name(self, given: str) -> str:
        if not given.startswith("arn:"):
            return given
        names = [
            item["workgroupName"] for item in self._shared.inventory.all("workgroup") if item["workgroupArn"] == given
        ]
        return names[0] if names else given

    def _execute(self, request: Request) -> dict[str, Any]:
        params = request.params
        batch = request.operation == "BatchExecuteStatement"
        sqls = list(params["Sqls"]) if batch else [params["Sql"]]
        if sum(len(sql.encode()) for sql in sqls) > MAX_SQL_BYTES:
            raise AwsError("ValidationException", "Cannot process query string larger than 100kB")
        owner = shared.principal(request.caller.arn)
        digest = hashlib.sha256(json.dumps(params, sort_keys=True, default=str).encode()).hexdigest()
        token = params.get("ClientToken") or ""
        repeated = self._records.by_token(owner, token) if token else None
        if repeated is not None:
            if repeated.digest != digest:
                raise AwsError("ValidationException", "The client token was used before with other parameters.")
            return answers.submitted(repeated, request.caller.arn)
        session_id = self._runner.claim_session(params, owner)
        workgroup = (
            self._runner.session_workgroup(session_id)
            if params.get("SessionId")
            else self._workgroup(request)["workgroupName"]
        )
        statement = Statement(
            id=str(uuid.uuid4()),
            created=time.time(),
            principal=owner,
            workgroup=str(workgroup),
            database=params.get("Database", DATABASE),
            sqls=sqls,
            batch=batch,
            parameters=params.get("Parameters", []),
            name=params.get("StatementName", ""),
            token=token,
            digest=digest,
            format=params.get("ResultFormat", "JSON"),
            session_id=session_id,
        )
        self._runner.submit(statement, params.get("SessionKeepAliveSeconds"))
        return answers.submitted(statement, request.caller.arn)

    def _owned(self, request: Request) -> tuple[Statement, int]:
        """The statement of an id and the number of the sub-statement (0: all); raises for another's."""
        base, _, sub = request.params["Id"].partition(":")
        found = self._records.get(base)
        number = int(sub) if sub.isdigit() else 0
        missing = found is None or found.principal != shared.principal(request.caller.arn)
        if found is None or missing or (sub and not 1 <= number <= len(found.sqls)) or (sub and not found.batch):
            raise AwsError("ResourceNotFoundException", "Query does not exist.", ResourceId=request.params["Id"])
        return found, number

    def _describe(self, request: Request) -> dict[str, Any]:
        statement, number = self._owned(request)
        return answers.described(statement, number, request.caller.arn)

    def _finished(self, request: Request) -> tuple[Statement, int]:
        statement, number = self._owned(request)
        if statement.batch and not number:
            raise AwsError("ValidationException", "Get the result of a batch by the id of a sub-statement.")
        part = statement.subs[number - 1] if number and len(statement.subs) >= number else None
        has_result = part["has_result"] if part else statement.has_result
        if statement.status != "FINISHED" or not has_result:
            raise AwsError(
                "ResourceNotFoundException",
                "Query does not have result. Please check query status with DescribeStatement.",
                ResourceId=request.params["Id"],
            )
        return statement, number

    def _result(self, request: Request) -> dict[str, Any]:
        statement, number = self._finished(request)
        if statement.format == "CSV":
            raise AwsError("ValidationException", "The result is CSV: get it with GetStatementResultV2.")
        return answers.page(
            statement, number, self._runner.result_file(statement, number), request.params.get("NextToken")
        )

    def _result_v2(self, request: Request) -> dict[str, Any]:
        statement, number = self._finished(request)
        if statement.format != "CSV":
            raise AwsError("ValidationException", "The result is not CSV: get it with GetStatementResult.")
        return answers.csv_page(
            statement, number, self._runner.result_file(statement, number), request.params.get("NextToken")
        )

    def _cancel(self, request: Request) -> dict[str, Any]:
        statement, _ = self._owned(request)
        if statement.final:
            raise AwsError(
                "ValidationException",
                f"Could not cancel a query that is already in {statement.status} state with ID: {statement.id}",
            )
        return {"Status": self._runner.cancel(statement)}

    def _list_statements(self, request: Request) -> dict[str, Any]:
        return answers.statements(self._records.listed(shared.principal(request.caller.arn)), request.params)

    def _listed(self, request: Request, what: Any) -> dict[str, Any]:
        namespace = self._workgroup(request)["namespaceName"]
        result: dict[str, Any] = what(self._shared.warehouse(namespace), request.params)
        return result
