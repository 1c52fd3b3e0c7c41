"""The service that the gate calls: all parts of Glue over one store."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from smartcity.localaws.api import Context, Operation, Request
from smartcity.localaws.glue import arns, faults
from smartcity.localaws.glue.account import Account
from smartcity.localaws.glue.crawl.reader import OpenReader, SignedReader
from smartcity.localaws.glue.crawl_history import CrawlHistory
from smartcity.localaws.glue.crawl_runs import CrawlRuns
from smartcity.localaws.glue.crawlers import Crawlers
from smartcity.localaws.glue.databases import Databases
from smartcity.localaws.glue.functions import Functions
from smartcity.localaws.glue.partition_indexes import PartitionIndexes
from smartcity.localaws.glue.partitions import Partitions
from smartcity.localaws.glue.scope import Scope
from smartcity.localaws.glue.statistics import ColumnStatistics
from smartcity.localaws.glue.store import Store
from smartcity.localaws.glue.tables import Tables
from smartcity.localaws.glue.versions import TableVersions


class GlueService:
    """Glue: `GlueService(context)`; its state lies in one SQLite file below the context's root."""

    name = "glue"

    def __init__(self, context: Context, open_reader: OpenReader = SignedReader) -> None:
        self._scope = Scope(Store(context.root / "glue" / "glue.sqlite"), context.region, context.account_id)
        self._runs = CrawlRuns(context, self._scope, open_reader)
        self._parts = (
            Databases(self._scope),
            Tables(self._scope),
            TableVersions(self._scope),
            Partitions(self._scope),
            PartitionIndexes(self._scope),
            ColumnStatistics(self._scope),
            Functions(self._scope),
            Account(self._scope),
            Crawlers(context, self._scope, self._runs),
            CrawlHistory(self._scope),
        )

    @cached_property
    def operations(self) -> Mapping[str, Operation]:
        """Every operation implemented, each behind the checks that all have in common."""
        return {name: self._checked(operation) for part in self._parts for name, operation in part.operations().items()}

    def _checked(self, operation: Operation) -> Operation:
        def call(request: Request) -> dict[str, Any]:
            catalog = request.params.get("CatalogId")
            if catalog not in (None, self._scope.account_id):
                raise faults.not_found(f"Catalog {catalog} not found.")
            return operation(request)

        return call

    def resource_arns(self, operation: str, params: dict[str, Any]) -> list[str]:
        """The ARNs that a policy must allow for this call."""
        return arns.resource_arns(self._scope, operation, params)

    def start(self) -> None:
        """Crawls that a kill interrupted are over: say so, and let them be started again."""
        self._runs.recover()

    def stop(self) -> None:
        """End background work and close the store."""
        self._runs.stop()
        self._scope.store.close()
