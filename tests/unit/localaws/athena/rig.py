"""A local Athena on fakes: an engine that answers from a script, S3 and Glue in memory."""

from __future__ import annotations

import io
import json
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from botocore.exceptions import ClientError

from smartcity.localaws.api import AwsError, Caller, Request
from smartcity.localaws.athena import AthenaService

ACCOUNT = "123456789012"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ANALYST = f"arn:aws:iam::{ACCOUNT}:user/analyst"


class FakeClientError(ClientError):
    """As botocore raises it."""

    def __init__(self, code: str) -> None:
        super().__init__({"Error": {"Code": code, "Message": code}}, "Fake")


class Missing(FakeClientError):
    """EntityNotFoundException."""


class Exists(FakeClientError):
    """AlreadyExistsException."""


class FakeS3:
    """Objects in a dictionary."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}
        self.uploads: dict[str, list[bytes]] = {}
        self.reads = 0

    def put_object(self, Bucket: str, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:
        self.objects[Bucket, Key] = bytes(Body)
        return {}

    def get_object(self, Bucket: str, Key: str, Range: str | None = None) -> dict[str, Any]:
        self.reads += 1
        if (Bucket, Key) not in self.objects:
            raise FakeClientError("NoSuchKey")
        content = self.objects[Bucket, Key]
        if Range is not None:
            start, stop = Range.removeprefix("bytes=").split("-")
            content = content[int(start) : int(stop) + 1]
        return {"Body": io.BytesIO(content)}

    def create_multipart_upload(self, **_: Any) -> dict[str, Any]:
        id_ = str(len(self.uploads))
        self.uploads[id_] = []
        return {"UploadId": id_}

    def upload_part(self, UploadId: str, Body: bytes, **_: Any) -> dict[str, Any]:
        self.uploads[UploadId].append(Body)
        return {"ETag": "e"}

    def complete_multipart_upload(self, Bucket: str, Key: str, UploadId: str, **_: Any) -> dict[str, Any]:
        self.objects[Bucket, Key] = b"".join(self.uploads.pop(UploadId))
        return {}

    def abort_multipart_upload(self, UploadId: str, **_: Any) -> dict[str, Any]:
        self.uploads.pop(UploadId, None)
        return {}

    def list_objects_v2(self, Bucket: str, Prefix: str, Delimiter: str | None = None, **_: Any) -> dict[str, Any]:
        keys = sorted(key for bucket, key in self.objects if bucket == Bucket and key.startswith(Prefix))
        if Delimiter:
            folders = {Prefix + key[len(Prefix) :].split("/")[0] + "/" for key in keys if "/" in key[len(Prefix) :]}
            return {"CommonPrefixes": [{"Prefix": folder} for folder in sorted(folders)]}
        now = datetime.now(UTC)
        return {"KeyCount": len(keys), "Contents": [{"Key": key, "LastModified": now} for key in keys]}

    def get_paginator(self, name: str) -> Any:
        return SimpleNamespace(paginate=lambda **params: [getattr(self, name)(**params)])


class FakeGlue:
    """Databases, tables and partitions in dictionaries."""

    exceptions = SimpleNamespace(EntityNotFoundException=Missing, AlreadyExistsException=Exists)

    def __init__(self) -> None:
        self.databases: dict[str, dict[str, Any]] = {"smartcity": {"Name": "smartcity"}}
        self.tables: dict[tuple[str, str], dict[str, Any]] = {}
        self.parts: dict[tuple[str, str], dict[tuple[str, ...], dict[str, Any]]] = {}

    def get_paginator(self, name: str) -> Any:
        return SimpleNamespace(paginate=lambda **params: [getattr(self, f"_{name}")(**params)])

    def _get_databases(self) -> dict[str, Any]:
        return {"DatabaseList": list(self.databases.values())}

    def _get_tables(self, DatabaseName: str) -> dict[str, Any]:
        return {"TableList": [table for (database, _), table in self.tables.items() if database == DatabaseName]}

    def _get_partitions(self, DatabaseName: str, TableName: str, **_: Any) -> dict[str, Any]:
        return {"Partitions": list(self.parts.get((DatabaseName, TableName), {}).values())}

    def get_database(self, Name: str) -> dict[str, Any]:
        if Name not in self.databases:
            raise Missing("EntityNotFoundException")
        return {"Database": self.databases[Name]}

    def create_database(self, DatabaseInput: dict[str, Any]) -> None:
        if DatabaseInput["Name"] in self.databases:
            raise Exists("AlreadyExistsException")
        self.databases[DatabaseInput["Name"]] = DatabaseInput

    def update_database(self, Name: str, DatabaseInput: dict[str, Any]) -> None:
        self.databases[Name] = DatabaseInput

    def delete_database(self, Name: str) -> None:
        if self.databases.pop(Name, None) is None:
            raise Missing("EntityNotFoundException")

    def get_table(self, DatabaseName: str, Name: str) -> dict[str, Any]:
        if (DatabaseName, Name) not in self.tables:
            raise Missing("EntityNotFoundException")
        return {"Table": self.tables[DatabaseName, Name]}

    def create_table(self, DatabaseName: str, TableInput: dict[str, Any]) -> None:
        if DatabaseName not in self.databases:
            raise Missing("EntityNotFoundException")
        if (DatabaseName, TableInput["Name"]) in self.tables:
            raise Exists("AlreadyExistsException")
        self.tables[DatabaseName, TableInput["Name"]] = {**TableInput, "DatabaseName": DatabaseName}

    def update_table(self, DatabaseName: str, TableInput: dict[str, Any]) -> None:
        self.tables[DatabaseName, TableInput["Name"]] = {**TableInput, "DatabaseName": DatabaseName}

    def delete_table(self, DatabaseName: str, Name: str) -> None:
        del self.tables[DatabaseName, Name]

    def get_partition(self, DatabaseName: str, TableName: str, PartitionValues: list[str]) -> dict[str, Any]:
        found = self.parts.get((DatabaseName, TableName), {}).get(tuple(PartitionValues))
        if found is None:
            raise Missing("EntityNotFoundException")
        return {"Partition": found}

    def batch_create_partition(
        self, DatabaseName: str, TableName: str, PartitionInputList: list[dict[str, Any]]
    ) -> dict[str, Any]:
        parts = self.parts.setdefault((DatabaseName, TableName), {})
        errors = []
        for entry in PartitionInputList:
            if tuple(entry["Values"]) in parts:
                detail = {"ErrorCode": "AlreadyExistsException", "ErrorMessage": "there"}
                errors.append({"PartitionValues": entry["Values"], "ErrorDetail": detail})
            else:
                parts[tuple(entry["Values"])] = entry
        return {"Errors": errors}

    def delete_partition(self, DatabaseName: str, TableName: str, PartitionValues: list[str]) -> None:
        del self.parts[DatabaseName, TableName][tuple(PartitionValues)]

    def update_partition(
        self, DatabaseName: str, TableName: str, PartitionValueList: list[str], PartitionInput: dict[str, Any]
    ) -> None:
        parts = self.parts[DatabaseName, TableName]
        del parts[tuple(PartitionValueList)]
        parts[tuple(PartitionInput["Values"])] = PartitionInput


@dataclass
class FakeAccess:
    """Allows what is in `allowed` (exact action, prefix of the ARN); everything to the root."""

    allowed: set[tuple[str, str]] = field(default_factory=set)

    def check(self, principal_arn: str, action: str, resource_arn: str, context: Any = None) -> None:  # noqa: ARG002
        if not any(action == name and resource_arn.startswith(arn) for name, arn in self.allowed):
            message = f"User: {principal_arn} is not authorized to perform: {action} on resource: {resource_arn}"
            raise AwsError("AccessDeniedException", message)

    def role_credentials(self, role: str, service_principal: str, session_name: str) -> dict[str, str]:
        raise NotImplementedError


def signature(name: str) -> dict[str, Any]:
    """A type without arguments."""
    return {"rawType": name, "arguments": []}


@dataclass
class FakeTrino:
    """Answers statements with scripted pages; `answers` maps a statement to a list of protocol bodies."""

    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[httpx.Headers] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    down: bool = False
    hold: threading.Event | None = None

    def rows(self, sql: str, columns: list[tuple[str, str]], *pages: list[list[Any]], **stats: Any) -> None:
        """Script a result."""
        described = [{"name": name, "type": type_, "typeSignature": signature(type_)} for name, type_ in columns]
        self.answers[sql] = [{"columns": described, "data": page, "stats": stats} for page in pages] or [
            {"columns": described, "stats": stats}
        ]

    def fails(self, sql: str, name: str, message: str, type_: str = "USER_ERROR") -> None:
        """Script an error."""
        self.answers[sql] = [{"error": {"errorName": name, "errorType": type_, "message": message}, "stats": {}}]

    def handle(self, request: httpx.Request) -> httpx.Response:
        """The protocol."""
        if self.down:
            raise httpx.ConnectError("refused", request=request)
        if request.method == "POST":
            sql = request.content.decode()
            self.asked.append(sql)
            self.headers.append(request.headers)
            return self._page(len(self.asked) - 1, 0)
        _, number, page = request.url.path.rsplit("/", 2)
        if request.method == "DELETE":
            self.deleted.append(self.asked[int(number)])
            return httpx.Response(204)
        if self.hold is not None and not self.hold.wait(0.05):
            return httpx.Response(200, json={"id": "q", "stats": {}, "nextUri": str(request.url)})
        return self._page(int(number), int(page))

    def _page(self, number: int, page: int) -> httpx.Response:
        body: dict[str, Any] = {"id": f"q{number}", "stats": {"state": "RUNNING"}}
        pages = self.answers.get(self.asked[number], [])
        if page > 0:
            body |= pages[page - 1] if pages else {}
        if page < len(pages):
            body["nextUri"] = f"http://trino/v1/statement/executing/{number}/{page + 1}"
        return httpx.Response(200, json=body)


@dataclass
class Rig:
    """The service and everything around it."""

    service: AthenaService
    trino: FakeTrino
    s3: FakeS3
    glue: FakeGlue
    access: FakeAccess
    root: Path

    def call(self, operation: str, caller: str = ROOT, **params: Any) -> dict[str, Any]:
        """One call as the gate would make it."""
        request = Request(operation, params, Caller(caller, ACCOUNT, "AKIA"), "eu-west-2", "r-1")
        return self.service.operations[operation](request)

    def start(self, sql: str, caller: str = ROOT, **params: Any) -> str:
        """Start a query in database smartcity with results in s3://results/out/."""
        given = {
            "QueryExecutionContext": {"Database": "smartcity"},
            "ResultConfiguration": {"OutputLocation": "s3://results/out/"},
            **params,
        }
        id_: str = self.call("StartQueryExecution", caller, QueryString=sql, **given)["QueryExecutionId"]
        return id_

    def wait(self, id_: str, *states: str, deadline_s: float = 10.0) -> dict[str, Any]:
        """The execution once it is in one of these states (finished, unless told otherwise)."""
        wanted = states or ("SUCCEEDED", "FAILED", "CANCELLED")
        deadline = time.monotonic() + deadline_s
        while True:
            execution: dict[str, Any] = self.call("GetQueryExecution", QueryExecutionId=id_)["QueryExecution"]
            if execution["Status"]["State"] in wanted:
                return execution
            assert time.monotonic() < deadline, execution["Status"]
            time.sleep(0.01)

    def run(self, sql: str, caller: str = ROOT, **params: Any) -> dict[str, Any]:
        """Start and wait."""
        return self.wait(self.start(sql, caller, **params))

    def lines(self, sql: str, **params: Any) -> list[list[str | None]]:
        """Run and fetch the first page."""
        execution = self.run(sql, **params)
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
        result = self.call("GetQueryResults", QueryExecutionId=execution["QueryExecutionId"])
        return [[cell.get("VarCharValue") for cell in row["Data"]] for row in result["ResultSet"]["Rows"]]

    def reason(self, sql: str, caller: str = ROOT, **params: Any) -> str:
        """Run what must fail and return the reason."""
        execution = self.run(sql, caller, **params)
        assert execution["Status"]["State"] == "FAILED", execution["Status"]
        reason: str = execution["Status"]["StateChangeReason"]
        return reason

    def explains(self, sql: str, *tables: tuple[str, str], target: tuple[str, str] | None = None) -> None:
        """Script the engine's analysis of a statement."""

        def entry(table: tuple[str, str]) -> dict[str, Any]:
            schema, name = table
            catalog, _, schema = schema.rpartition("/")
            return {"catalog": catalog or "awsdatacatalog", "schemaTable": {"schema": schema, "table": name}}

        plan: dict[str, Any] = {"inputTableColumnInfos": [{"table": entry(table)} for table in tables]}
        if target is not None:
            plan["outputTable"] = entry(target)
        explain = "EXPLAIN (TYPE IO, FORMAT JSON) " + sql
        self.trino.rows(explain, [("Query Plan", "varchar")], [[json.dumps(plan)]])
