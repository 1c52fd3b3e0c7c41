"""Local Athena: the calls of the API, each on top of Trino, Glue and S3."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from smartcity.folders import DataFolder
from smartcity.localaws.api import Context, Operation, Request
from smartcity.localaws.athena.catalogs import Catalogs
from smartcity.localaws.athena.engine import Trino
from smartcity.localaws.athena.executions import Executions
from smartcity.localaws.athena.faults import not_found
from smartcity.localaws.athena.output import Output
from smartcity.localaws.athena.queries import Queries, unload_database
from smartcity.localaws.athena.results import Reader
from smartcity.localaws.athena.runner import ENGINE_WAIT_S, Runner
from smartcity.localaws.athena.saved import Saved
from smartcity.localaws.athena.store import Store
from smartcity.localaws.athena.work import Work
from smartcity.localaws.athena.workgroups import PRIMARY, Workgroups

_CLEAR_TRIES, _CLEAR_PAUSE_S = 60, 0.5

_BY_QUERY = frozenset({"StopQueryExecution", "GetQueryExecution", "GetQueryResults", "GetQueryRuntimeStatistics"})
_BY_NAMED = frozenset({"GetNamedQuery", "UpdateNamedQuery", "DeleteNamedQuery"})
_CATALOG_CALLS = frozenset({"GetDataCatalog", "ListDatabases", "GetDatabase", "ListTableMetadata", "GetTableMetadata"})
_ACCOUNT_CALLS = frozenset({"ListWorkGroups", "ListDataCatalogs", "ListEngineVersions"})


def token_headers(token: Path) -> Callable[[], Mapping[str, str]]:
    """What the engine of this data folder wants to see in every request; one without a token wants nothing.

    The engine looks at tokens only where it is told that TLS ended before it (see services/trino_config.py).
    """

    def headers() -> Mapping[str, str]:
        try:
            return {"Authorization": f"Bearer {token.read_text().strip()}", "X-Forwarded-Proto": "https"}
        except FileNotFoundError:
            return {}

    return headers


class AthenaService:
    """The service for the gate. Nothing is opened before `start`."""

    name = "athena"

    def __init__(
        self,
        context: Context,
        engine: Trino | None = None,
        concurrency: int | None = None,
        engine_wait_s: float = ENGINE_WAIT_S,
    ) -> None:
        self._context = context
        self._trino = engine or Trino(context.trino_url, token_headers(DataFolder(context.root.parent).trino_token))
        self._concurrency = concurrency or context.max_queries
        self._engine_wait_s = engine_wait_s

    @cached_property
    def _store(self) -> Store:
        return Store(self._context.root / "athena" / "athena.sqlite")

    @cached_property
    def _s3(self) -> Any:
        return self._context.client("s3")

    @cached_property
    def _glue(self) -> Any:
        return self._context.client("glue")

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self._s3)

    @cached_property
    def _runner(self) -> Runner:
        output = Output(self._s3, self._store, self._reader)
        queries = Queries(self._trino, output, self._glue, self._s3, self._running, self._analysts)
        return Runner(self._store, Work(queries, self._store), self._concurrency, self._engine_wait_s)

    @cached_property
    def _analysts(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._concurrency, thread_name_prefix="athena-analysis")

    def _running(self, job: Any) -> None:
        self._runner.running(job)

    @cached_property
    def _workgroups(self) -> Workgroups:
        return Workgroups(self._store, self._context.region, self._context.account_id)

    @cached_property
    def _saved(self) -> Saved:
        return Saved(self._store, self._workgroups)

    @cached_property
    def _executions(self) -> Executions:
        context = self._context
        place = (context.access, context.region, context.account_id)
        return Executions(self._store, self._workgroups, self._runner, self._reader, *place)

    @cached_property
    def operations(self) -> Mapping[str, Operation]:
        """Every call implemented."""
        context = self._context
        catalogs = Catalogs(self._glue, context.access, context.region, context.account_id)
        return {
            **self._executions.operations(),
            **self._workgroups.operations(),
            **self._saved.operations(),
            **catalogs.operations(),
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "ListTagsForResource": self._tags,
        }

    def resource_arns(self, operation: str, params: dict[str, Any]) -> list[str]:
        """The workgroup or data catalog that a policy must allow."""
        if operation in _ACCOUNT_CALLS:
            return []
        if "ResourceARN" in params:
            return [params["ResourceARN"]]
        if operation in _CATALOG_CALLS:
            name = params.get("CatalogName") or params.get("Name") or ""
            return [f"arn:aws:athena:{self._context.region}:{self._context.account_id}:datacatalog/{name}"]
        return [self._workgroups.arn(name) for name in self._workgroup_names(operation, params)]

    def _workgroup_names(self, operation: str, params: dict[str, Any]) -> list[str]:
        if operation in _BY_QUERY:
            return [self._executions.workgroup_of(params["QueryExecutionId"])]
        if operation in _BY_NAMED:
            return [self._saved.workgroup_of(params["NamedQueryId"])]
        if operation == "BatchGetQueryExecution":
            return sorted({self._executions.workgroup_of(id_) for id_ in params["QueryExecutionIds"]})
        if operation == "BatchGetNamedQuery":
            return sorted({self._saved.workgroup_of(id_) for id_ in params["NamedQueryIds"]})
        return [params.get("WorkGroup") or (params.get("Name") if operation == "CreateWorkGroup" else None) or PRIMARY]

    def start(self) -> None:
        """Close the queries that a kill interrupted, and clear what their UNLOADs left in Glue."""
        self._workgroups.ensure_primary()
        unloads = [doc["QueryExecutionId"] for doc in self._store.unfinished() if doc["SubstatementType"] == "UNLOAD"]
        self._runner.resume()
        for query_id in unloads:
            self._analysts.submit(self._forget_unload, query_id)

    def _forget_unload(self, query_id: str) -> None:
        """Glue answers only once the server that we are a part of does: wait for it."""
        from botocore.exceptions import BotoCoreError, ClientError

        for _ in range(_CLEAR_TRIES):
            try:
                self._glue.delete_database(Name=unload_database(query_id))
            except BotoCoreError:
                time.sleep(_CLEAR_PAUSE_S)
            except ClientError:
                return  # it is not there: the kill came before or after
            else:
                return

    def stop(self) -> None:
        """End running queries and close the files."""
        self._runner.stop()
        self._analysts.shutdown(wait=True, cancel_futures=True)
        self._trino.close()
        self._store.close()

    def _tag(self, request: Request) -> dict[str, Any]:
        arn = self._taggable(request)
        self._store.tag(arn, [(tag["Key"], tag.get("Value", "")) for tag in request.params["Tags"]])
        return {}

    def _untag(self, request: Request) -> dict[str, Any]:
        self._store.untag(self._taggable(request), request.params["TagKeys"])
        return {}

    def _tags(self, request: Request) -> dict[str, Any]:
        return {"Tags": [{"Key": key, "Value": value} for key, value in self._store.tags(self._taggable(request))]}

    def _taggable(self, request: Request) -> str:
        arn: str = request.params["ResourceARN"]
        kind, _, name = arn.rpartition(":")[2].partition("/")
        known = self._store.get("workgroup", "", name) is not None if kind == "workgroup" else name == "AwsDataCatalog"
        if not known:
            raise not_found(f"Resource {arn} was not found", arn)
        return arn
