"""A service whose modules are imported beside the work: pyarrow and sqlglot must not delay the first answer."""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Mapping
from typing import Any

from smartcity.localaws.api import AwsError, Context, Operation, Service

_log = logging.getLogger("smartcity.localaws")
_LOAD_LIMIT_S = 60.0


class DeferredService:
    """Stands for `module.class_name(context)`; calls wait until it is there."""

    def __init__(self, name: str, module: str, class_name: str, context: Context) -> None:
        self.name = name
        self._module = module
        self._class_name = class_name
        self._context = context
        self._service: Service | None = None
        self._settled = threading.Event()

    def start(self) -> None:
        """Import, build and start the service; whoever waits for it goes on."""
        try:
            made: Service = getattr(importlib.import_module(self._module), self._class_name)(self._context)
            made.start()
            self._service = made
        except Exception:
            _log.exception("%s did not start", self.name)
        finally:
            self._settled.set()

    def stop(self) -> None:
        """Stop the service if it was started."""
        if self._service is not None:
            self._service.stop()

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Those of the service."""
        return self._loaded().operations

    def resource_arns(self, operation: str, params: dict[str, Any]) -> list[str]:
        """Those of the service."""
        return self._loaded().resource_arns(operation, params)

    def _loaded(self) -> Service:
        self._settled.wait(_LOAD_LIMIT_S)
        if self._service is None:
            raise AwsError("ServiceUnavailableException", f"{self.name} is not available; see local AWS's log.", 503)
        return self._service
