"""What the control and the data API of one process share: the inventory and the open warehouses."""

from __future__ import annotations

import threading
from weakref import WeakValueDictionary

from smartcity.localaws.api import Context
from smartcity.localaws.redshift.engine import Warehouse
from smartcity.localaws.redshift.inventory import Inventory

_open: WeakValueDictionary[str, Shared] = WeakValueDictionary()
_guard = threading.Lock()


class Shared:
    """Open files of one data folder. DuckDB allows one writer per file, so each is opened once per process."""

    def __init__(self, context: Context) -> None:
        self.inventory = Inventory(context)
        self._warehouses: dict[str, Warehouse] = {}
        self._lock = threading.Lock()

    def warehouse(self, namespace: str) -> Warehouse:
        """The open warehouse of a namespace."""
        with self._lock:
            if namespace not in self._warehouses:
                self._warehouses[namespace] = Warehouse(self.inventory.file(namespace))
            return self._warehouses[namespace]

    def forget(self, namespace: str) -> None:
        """Close a warehouse whose workgroup is gone."""
        with self._lock:
            found = self._warehouses.pop(namespace, None)
        if found is not None:
            found.close()

    def close(self) -> None:
        """Close all warehouses."""
        for namespace in list(self._warehouses):
            self.forget(namespace)


def of(context: Context) -> Shared:
    """The shared files of a context's data folder."""
    key = str(context.root.resolve())
    with _guard:
        found = _open.get(key)
        if found is None:
            found = _open[key] = Shared(context)
        return found


def principal(arn: str) -> str:
    """Who owns a statement: an assumed role without its session's name, or the user."""
    return arn.rsplit("/", 1)[0] if ":assumed-role/" in arn else arn


def database_user(arn: str) -> str:
    """The database user of an IAM identity: `IAM:user` or `IAMR:role` (redshift-iam-access-control-native-idp)."""
    if ":assumed-role/" in arn:
        return "IAMR:" + arn.split("/")[1]
    return "IAM:" + arn.rsplit("/", 1)[-1].rsplit(":", 1)[-1]
