"""The calls about queries: start, look, fetch, stop, list."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

from smartcity.localaws.api import AwsError, Operation, Request
from smartcity.localaws.athena import statements
from smartcity.localaws.athena.failures import QueryFailed
from smartcity.localaws.athena.faults import invalid, listing, moment, place_of, token_of
from smartcity.localaws.athena.job import Job
from smartcity.localaws.athena.locations import parse
from smartcity.localaws.athena.permissions import Permissions
from smartcity.localaws.athena.results import PAGE_LINES, Reader
from smartcity.localaws.athena.runner import Runner, statistics_of
from smartcity.localaws.athena.store import Store
from smartcity.localaws.athena.workgroups import ENGINE, PRIMARY, Workgroups, check_output
from smartcity.localaws.wire.render import Wire

_MAX_SQL_BYTES = 262_144
_FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
_CATALOG = "awsdatacatalog"

Doc = dict[str, Any]


@dataclass(frozen=True)
class Executions:
    """Queries as the API shows them."""

    store: Store
    workgroups: Workgroups
    runner: Runner
    reader: Reader
    access: Any
    region: str
    account_id: str

    def operations(self) -> dict[str, Operation]:
        """The calls by name."""
        return {
            "StartQueryExecution": self.begin,
            "StopQueryExecution": self.stop,
            "GetQueryExecution": self.describe,
            "BatchGetQueryExecution": self.batch,
            "ListQueryExecutions": self.history,
            "GetQueryResults": self.results,
            "GetQueryRuntimeStatistics": self.runtime_statistics,
        }

    def begin(self, request: Request) -> dict[str, Any]:
        """StartQueryExecution."""
        params = request.params
        sql = params["QueryString"]
        if len(sql.encode()) > _MAX_SQL_BYTES:
            raise invalid(f"QueryString exceeds the maximum length of {_MAX_SQL_BYTES} bytes.")
        workgroup = self.workgroups.find(params.get("WorkGroup") or PRIMARY)
        if workgroup["State"] != "ENABLED":
            raise invalid(f"WorkGroup {workgroup['Name']} is disabled.")
        context = _context(params.get("QueryExecutionContext") or {})
        configuration = _results_to(workgroup, params.get("ResultConfiguration") or {})
        now = time.time()
        doc = _document(params, workgroup["Name"], context, configuration, now)
        fingerprint = _fingerprint(doc)
        token = params.get("ClientRequestToken")
        stored = self.store.add_execution(doc, token, now, fingerprint)
        if stored is not doc and stored["QueryExecutionId"] != doc["QueryExecutionId"]:
            if stored["_request"] != doc["_request"]:
                raise invalid("Idempotent parameters do not match", "DUPLICATE_REQUEST")
            return {"QueryExecutionId": stored["QueryExecutionId"]}
        settings = workgroup["Configuration"]
        self.runner.submit(
            Job(
                doc,
                self._permissions(request),
                check_output(configuration["OutputLocation"]),
                bytes_limit=settings.get("BytesScannedCutoffPerQuery"),
                location_enforced=bool(settings.get("EnforceWorkGroupConfiguration")),
                reuse_minutes=_reuse(params),
                fingerprint=fingerprint,
                began=now,
            )
        )
        return {"QueryExecutionId": doc["QueryExecutionId"]}

    def stop(self, request: Request) -> dict[str, Any]:
        """StopQueryExecution."""
        id_ = request.params["QueryExecutionId"]
        self._find(id_)
        self.runner.cancel(id_)
        return {}

    def describe(self, request: Request) -> dict[str, Any]:
        """GetQueryExecution."""
        return {"QueryExecution": self._shown(self._find(request.params["QueryExecutionId"]))}

    def batch(self, request: Request) -> dict[str, Any]:
        """BatchGetQueryExecution."""
        found, missing = [], []
        for id_ in request.params["QueryExecutionIds"]:
            doc = self.store.execution(id_)
            if doc is None:
                message = f"QueryExecution {id_} was not found"
                missing.append({"QueryExecutionId": id_, "ErrorCode": "INVALID_INPUT", "ErrorMessage": message})
            else:
                found.append(self._shown(doc))
        return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing}

    def history(self, request: Request) -> dict[str, Any]:
        """ListQueryExecutions: newest first."""
        params = request.params
        workgroup = params.get("WorkGroup") or PRIMARY
        self.workgroups.find(workgroup)
        before = place_of(params.get("NextToken"))
        if before is not None and not isinstance(before, int):
            raise invalid("The pagination token is not valid.")
        size = int(params.get("MaxResults") or 50)
        found = self.store.execution_ids(workgroup, before, size + 1)
        token = token_of(found[size - 1][0]) if len(found) > size else None
        return listing("QueryExecutionIds", [id_ for _, id_ in found[:size]], token)

    def results(self, request: Request) -> dict[str, Any]:
        """GetQueryResults: up to 1,000 rows; the first page of a SELECT begins with the column names."""
        id_ = request.params["QueryExecutionId"]
        execution = self._find(id_)
        _require_succeeded(execution)
        found = self.store.result(id_)
        if found is None:
            raise invalid(f"Results of query {id_} are not available.")
        doc, offsets = found
        first = place_of(request.params.get("NextToken")) or 0
        if not isinstance(first, int) or not 0 <= first <= doc["lines"]:
            raise invalid("The pagination token is not valid.")
        size = min(int(request.params.get("MaxResults") or PAGE_LINES), PAGE_LINES)
        rows = self._lines(request, doc, offsets, first, size)
        answer = {
            "UpdateCount": doc["updateCount"],
            "ResultSet": {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": doc["columns"]}},
        }
        last = first + size
        return answer if last >= doc["lines"] else {**answer, "NextToken": token_of(last)}

    def runtime_statistics(self, request: Request) -> dict[str, Any]:
        """GetQueryRuntimeStatistics, as far as the engine tells."""
        doc = self._find(request.params["QueryExecutionId"])
        if doc["Status"]["State"] not in _FINAL:
            raise invalid(f"Query has not yet finished. Current state: {doc['Status']['State']}")
        statistics, engine = doc.get("Statistics", {}), doc.get("_engine", {})
        times = ("QueryQueueTimeInMillis", "ServicePreProcessingTimeInMillis", "QueryPlanningTimeInMillis")
        more = ("EngineExecutionTimeInMillis", "ServiceProcessingTimeInMillis", "TotalExecutionTimeInMillis")
        found = self.store.result(doc["QueryExecutionId"])
        is_rows = found is not None and found[0]["kind"] == "csv"
        rows = {
            "InputRows": int(engine.get("processedRows", 0)),
            "InputBytes": int(engine.get("physicalInputBytes", 0)),
            "OutputRows": found[0]["lines"] - 1 if found and is_rows else 0,
            "OutputBytes": found[0]["size"] if found and is_rows else 0,
        }
        timeline = {name: statistics.get(name, 0) for name in (*times, *more)}
        return {"QueryRuntimeStatistics": {"Timeline": timeline, "Rows": rows}}

    def workgroup_of(self, id_: str) -> str:
        """The workgroup of a query, for its permissions; `primary` if there is no such query."""
        doc = self.store.execution(id_)
        return doc["WorkGroup"] if doc else PRIMARY

    def _lines(self, request: Request, doc: Doc, offsets: bytes, first: int, size: int) -> list[Doc]:
        if doc["kind"] == "none":
            return []
        target = parse(doc["url"])
        try:
            self._permissions(request).require("s3:GetObject", target.arn)
        except QueryFailed as failure:
            raise AwsError("AccessDeniedException", failure.reason) from failure
        try:
            if doc["kind"] == "txt":
                return self._text_lines(target, doc, first, size)
            cells = self.reader.lines(target, offsets, doc["size"], first, size)
        except Exception as error:
            if not hasattr(error, "response"):
                raise
            raise invalid(f"Unable to read the results of query at {doc['url']}: {error}") from error
        return Wire({"Data": [{} if cell is None else {"VarCharValue": cell} for cell in row]} for row in cells)

    def _text_lines(self, target: Any, doc: Doc, first: int, size: int) -> list[Doc]:
        lines = self.reader.text(target).split("\n")[:-1][first : first + size]
        return [
            {"Data": [{"VarCharValue": cell} for cell in (line.split("\t") if doc["cells"] else [line])]}
            for line in lines
        ]

    def _permissions(self, request: Request) -> Permissions:
        return Permissions(self.access, request.caller.arn, self.region, self.account_id)

    def _find(self, id_: str) -> Doc:
        doc = self.store.execution(id_)
        if doc is None:
            raise invalid(f"QueryExecution {id_} was not found")
        return doc

    def _shown(self, doc: Doc) -> Doc:
        job = self.runner.job(doc["QueryExecutionId"])
        shown = {key: value for key, value in doc.items() if not key.startswith("_")}
        status = dict(doc["Status"])
        for name in ("SubmissionDateTime", "CompletionDateTime"):
            if name in status:
                status[name] = moment(status[name])
        shown["Status"] = status
        if job is not None:
            shown["Statistics"] = statistics_of(job, time.time())
        return shown


def _context(context: Doc) -> Doc:
    catalog = context.get("Catalog")
    if catalog is not None and catalog.lower() != _CATALOG:
        raise invalid(f"Catalog {catalog} was not found; local Athena has AwsDataCatalog.")
    return {key: value.lower() for key, value in context.items() if value}


def _results_to(workgroup: Doc, asked: Doc) -> Doc:
    """The result configuration in force: the workgroup's if it enforces its own."""
    settings = workgroup["Configuration"]
    own = settings.get("ResultConfiguration") or {}
    configuration = own if settings.get("EnforceWorkGroupConfiguration") and own else {**own, **asked}
    if not configuration.get("OutputLocation"):
        raise invalid(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    check_output(configuration["OutputLocation"])
    return dict(configuration)


def _document(params: Doc, workgroup: str, context: Doc, configuration: Doc, now: float) -> Doc:
    try:
        statement = statements.classify(params["QueryString"])
        what, type_ = statement.what, statement.type
    except QueryFailed:
        what, type_ = "", "DML"
    doc = {
        "QueryExecutionId": str(uuid.uuid4()),
        "Query": params["QueryString"],
        "StatementType": type_,
        "ResultConfiguration": configuration,
        "ResultReuseConfiguration": params.get("ResultReuseConfiguration")
        or {"ResultReuseByAgeConfiguration": {"Enabled": False}},
        "QueryExecutionContext": context,
        "Status": {"State": "QUEUED", "SubmissionDateTime": now},
        "Statistics": {},
        "WorkGroup": workgroup,
        "EngineVersion": ENGINE,
        "SubstatementType": what,
        "_request": hashlib.sha256(json.dumps(params, sort_keys=True, default=str).encode()).hexdigest(),
    }
    if params.get("ExecutionParameters"):
        doc["ExecutionParameters"] = list(params["ExecutionParameters"])
    return doc


def _fingerprint(doc: Doc) -> str:
    same = [doc["Query"], doc["WorkGroup"], doc["QueryExecutionContext"], doc.get("ExecutionParameters")]
    return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()


def _reuse(params: Doc) -> int | None:
    asked = (params.get("ResultReuseConfiguration") or {}).get("ResultReuseByAgeConfiguration") or {}
    return int(asked.get("MaxAgeInMinutes") or 60) if asked.get("Enabled") else None


def _require_succeeded(execution: Doc) -> None:
    state = execution["Status"]["State"]
    if state == "SUCCEEDED":
        return
    if state in _FINAL:
        reason = execution["Status"].get("StateChangeReason", "")
        raise invalid(f"Query did not finish successfully. Final query state: {state}. {reason}".strip())
    raise invalid(f"Query has not yet finished. Current state: {state}", "QUERY_NOT_FINISHED")
