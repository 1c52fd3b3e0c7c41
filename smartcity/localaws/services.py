"""Builds every service of local AWS from one folder: the identity store, S3, and those that stand on them."""

from __future__ import annotations

import importlib
import importlib.util
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smartcity.localaws.api import Context, Service
from smartcity.localaws.gate.app import Gate
from smartcity.localaws.gate.authentication import Authenticator
from smartcity.localaws.gate.deferred import DeferredService
from smartcity.localaws.gate.registry import Registry
from smartcity.localaws.identity.access import IdentityAccess
from smartcity.localaws.identity.administrator import ensure_administrator
from smartcity.localaws.identity.iam import IamService
from smartcity.localaws.identity.principals import Principals
from smartcity.localaws.identity.store import IdentityStore
from smartcity.localaws.identity.sts import StsService
from smartcity.localaws.s3.service import S3Service

#: Services built from a `Context`: botocore's name, module, class.
FROM_CONTEXT = (
    ("glue", "smartcity.localaws.glue", "GlueService"),
    ("athena", "smartcity.localaws.athena", "AthenaService"),
    ("redshift-serverless", "smartcity.localaws.redshift", "RedshiftServerlessService"),
    ("redshift-data", "smartcity.localaws.redshift", "RedshiftDataService"),
)
CREDENTIALS_FILE = "credentials.json"


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    data_dir: Path
    port: int
    region: str
    account_id: str
    trino_url: str
    max_queries: int = 8

    @property
    def endpoint_url(self) -> str:
        """Where local AWS answers."""
        return f"http://127.0.0.1:{self.port}"


class ClientFactory:
    """boto3 clients of local AWS itself; made once per service and key, for making one takes 50 ms and more."""

    def __init__(self, options: Options, store: IdentityStore) -> None:
        self._options = options
        self._store = store
        self._made: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def __call__(self, service: str, **credentials: str) -> Any:
        """A client as the administrator, or with the credentials of a role."""
        given = credentials or self._administrator()
        with self._lock:
            key = service, given["aws_access_key_id"]
            if key not in self._made:
                if len(self._made) > 64:
                    self._made.clear()
                self._made[key] = self._make(service, given)
            return self._made[key]

    def _administrator(self) -> dict[str, str]:
        key = next(k for k in self._store.all("key") if k["UserName"] == "admin" and k["Status"] == "Active")
        return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["Secret"]}

    def _make(self, service: str, credentials: dict[str, str]) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(
            retries={"mode": "standard", "max_attempts": 3},
            s3={"addressing_style": "path"},
            max_pool_connections=32,
        )
        make: Any = boto3.Session(region_name=self._options.region).client
        return make(service, endpoint_url=self._options.endpoint_url, config=config, **credentials)


def deferred(context: Context) -> list[Service]:
    """The services that stand on the others, imported later."""
    return [DeferredService(name, module, cls, context) for name, module, cls in FROM_CONTEXT if _there(module)]


def ready(module: str, class_name: str, context: Context) -> Service:
    """One of `FROM_CONTEXT`, imported and built now."""
    made: Service = getattr(importlib.import_module(module), class_name)(context)
    return made


def build(
    options: Options,
    clock: Callable[[], float] = time.time,
    further: Callable[[Context], Iterable[Service]] = deferred,
) -> Gate:
    """The application, with every service that is there. `clock` gives epoch seconds."""
    store, principals = _identities(options, clock)
    return Gate(Authenticator(principals, options.region, clock), _registry(options, clock, further, store, principals))


def registry(
    options: Options,
    clock: Callable[[], float] = time.time,
    further: Callable[[Context], Iterable[Service]] = deferred,
) -> Registry:
    """The services alone, without a gate in front."""
    return _registry(options, clock, further, *_identities(options, clock))


def _identities(options: Options, clock: Callable[[], float]) -> tuple[IdentityStore, Principals]:
    root = options.data_dir
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o700)
    store = IdentityStore(root / "iam.sqlite", options.account_id)
    ensure_administrator(store, root / CREDENTIALS_FILE, clock)
    return store, Principals(store, clock)


def _registry(
    options: Options,
    clock: Callable[[], float],
    further: Callable[[Context], Iterable[Service]],
    store: IdentityStore,
    principals: Principals,
) -> Registry:
    root = options.data_dir
    sts = StsService(store, clock)
    context = Context(
        root=root,
        region=options.region,
        account_id=options.account_id,
        endpoint_url=options.endpoint_url,
        trino_url=options.trino_url,
        access=IdentityAccess(store, principals, sts, clock),
        client=ClientFactory(options, store),
        max_queries=options.max_queries,
    )
    services: list[Service] = [
        S3Service(root / "s3", options.region, options.account_id, clock),
        IamService(store, clock),
        sts,
        *further(context),
    ]
    return Registry(services)


def _there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
