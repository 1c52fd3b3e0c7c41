"""What a crawl changes in the catalog: nothing where nothing changed, and only what the crawler's policies allow."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from smartcity.localaws.api import AwsError
from smartcity.localaws.glue.crawl.definitions import (
    AMOUNTS,
    DEPRECATED_BY,
    UPDATED_BY,
    other_name,
    partition_input,
    table_input,
    table_name,
)
from smartcity.localaws.glue.crawl.folders import Found
from smartcity.localaws.glue.partitions import Partitions
from smartcity.localaws.glue.scope import Scope
from smartcity.localaws.glue.tables import Tables, find_table

_FORMAT_MEMBERS = ("Columns", "Location", "InputFormat", "OutputFormat", "SerdeInfo")


@dataclass(frozen=True)
class Policy:
    """What a crawler may do to what is already there, from SchemaChangePolicy and Configuration."""

    update: bool = True
    delete: str = "DEPRECATE_IN_DATABASE"
    inherit: bool = False  #: partitions take the table's columns (`InheritFromTable`)
    merge_columns: bool = False  #: the table keeps its columns and only gets new ones (`MergeNewColumns`)


@dataclass
class Changes:
    """Names of tables and counts of partitions that a crawl added, updated and deleted (or deprecated)."""

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    partitions_added: int = 0
    partitions_updated: int = 0
    partitions_deleted: int = 0
    log: list[str] = field(default_factory=list)


class Publisher:
    """Writes what one crawl found. `allow(action, *names)` raises AccessDenied unless the role may do it."""

    def __init__(
        self,
        scope: Scope,
        crawler: dict[str, Any],
        policy: Policy,
        creator: str,
        allow: Callable[..., None],
    ) -> None:
        self._scope, self._crawler, self._policy = scope, crawler, policy
        self._creator, self._allow = creator, allow
        self._database: str = crawler["DatabaseName"].lower()
        self._tables, self._partitions = Tables(scope), Partitions(scope)
        self.changes = Changes()

    def publish(self, found: Found) -> str:
        """Bring one table up to date; returns its name."""
        name, old = self._place_of(found)
        wanted = table_input(found, name, self._crawler["Name"])
        if old is None:
            self._create(wanted)
        elif old.get("Parameters", {}).get("table_type", "").upper() == "ICEBERG":
            self.changes.log.append(f"{name}: an Iceberg table keeps its own metadata; skipped.")
            return name
        else:
            wanted = self._update(old, wanted)
        self._remember(found, name)
        if found.keys and self._keys_agree(name, found):
            self._publish_partitions(found, name, wanted)
        return name

    def _place_of(self, found: Found) -> tuple[str, dict[str, Any] | None]:
        """The name for a table and the table of that name, if it is the same one."""
        self._allow("glue:GetTable", self._database, "*")
        with self._scope.store.read() as db:
            known = db.execute(
                "SELECT name FROM crawled_tables WHERE crawler = ? AND db = ? AND location = ?",
                (self._crawler["Name"], self._database, found.location),
            ).fetchone()
        name = known[0] if known else table_name(found, self._crawler.get("TablePrefix", ""))
        old = self._find(name)
        if old is None or known or _same_place(old, found.location):
            return name, old
        name = other_name(name, found.location)
        return name, self._find(name)

    def _find(self, name: str) -> dict[str, Any] | None:
        try:
            with self._scope.store.read() as db:
                return find_table(db, self._database, name)[1]
        except AwsError as error:
            if error.code != "EntityNotFoundException":
                raise
            return None

    def _create(self, wanted: dict[str, Any]) -> None:
        self._allow("glue:CreateTable", self._database, wanted["Name"])
        with self._scope.store.write() as db:
            self._tables.create_in(db, self._database, wanted, self._creator)
        self.changes.added.append(wanted["Name"])

    def _update(self, old: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
        """Replace what differs; counts alone are brought up to date without a new version."""
        given = _keep_what_people_wrote(old, wanted, self._policy.merge_columns)
        changed = _differs(old, given)
        if changed and not self._policy.update:
            self.changes.log.append(f"{old['Name']}: the schema changed; logged only, as UpdateBehavior says.")
            return {**given, "StorageDescriptor": old["StorageDescriptor"], "PartitionKeys": old["PartitionKeys"]}
        if changed or _amounts(old) != _amounts(given):
            self._allow("glue:UpdateTable", self._database, old["Name"])
            with self._scope.store.write() as db:
                self._tables.update_in(db, self._database, given, archive=changed)
        if changed:
            self.changes.updated.append(old["Name"])
        return given

    def _remember(self, found: Found, name: str) -> None:
        row = (self._crawler["Name"], found.location, self._database, name)
        with self._scope.store.read() as db:
            if db.execute(
                "SELECT 1 FROM crawled_tables WHERE crawler = ? AND location = ? AND db = ? AND name = ?", row
            ).fetchone():
                return
        with self._scope.store.write() as db:
            db.execute("INSERT OR REPLACE INTO crawled_tables VALUES (?, ?, ?, ?)", row)

    def _keys_agree(self, name: str, found: Found) -> bool:
        current = self._find(name) or {}
        if len(current.get("PartitionKeys", [])) == len(found.keys):
            return True
        self.changes.log.append(f"{name}: folder partition keys do not match table partition keys, skipping folder.")
        return False

    def _publish_partitions(self, found: Found, name: str, table: dict[str, Any]) -> None:
        self._allow("glue:GetPartitions", self._database, name)
        old = {tuple(item["Values"]): item for item in self._partitions.all_of(self._database, name)}
        elsewhere = {values for values, item in old.items() if not _lies_below(item, found.location)}
        columns = table["StorageDescriptor"]["Columns"] if self._policy.inherit else None
        wanted = {leaf.values: _partition(found, leaf, columns) for leaf in found.leaves}
        new = [item for values, item in wanted.items() if values not in old]
        both = [(old[values], item) for values, item in wanted.items() if values in old and values not in elsewhere]
        gone = [item for values, item in old.items() if values not in wanted and values not in elsewhere]
        if new:
            self._allow("glue:BatchCreatePartition", self._database, name)
            self.changes.partitions_added += len(new) - len(self._partitions.insert_all(self._database, name, new))
        self._update_partitions(name, both)
        self._remove_partitions(name, gone)

    def _update_partitions(self, name: str, pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> None:
        changed = [(old, item) for old, item in pairs if _differs(old, item)]
        if changed and not self._policy.update:
            self.changes.log.append(f"{name}: {len(changed)} partitions changed; logged only, as UpdateBehavior says.")
            pairs = [(old, item) for old, item in pairs if not _differs(old, item)]
            changed = []
        stale = [item for old, item in pairs if _differs(old, item) or _amounts(old) != _amounts(item)]
        if stale:
            self._allow("glue:UpdatePartition", self._database, name)
            self._partitions.replace_all(self._database, name, stale)
        self.changes.partitions_updated += len(changed)

    def _remove_partitions(self, name: str, gone: Sequence[dict[str, Any]]) -> None:
        gone = [item for item in gone if DEPRECATED_BY not in item.get("Parameters", {})]
        if not gone:
            return
        if self._policy.delete == "LOG":
            self.changes.log.append(f"{name}: {len(gone)} partitions have no data any more; logged only.")
            return
        if self._policy.delete == "DELETE_FROM_DATABASE":
            self._allow("glue:BatchDeletePartition", self._database, name)
            self._partitions.delete_all(self._database, name, [item["Values"] for item in gone])
        else:
            self._allow("glue:UpdatePartition", self._database, name)
            self._partitions.replace_all(self._database, name, [_deprecated(item) for item in gone])
        self.changes.partitions_deleted += len(gone)

    def retire(self, keep: set[str], under: Sequence[str]) -> None:
        """Deal with tables of this crawler below the targets `under` of which nothing was found any more."""
        with self._scope.store.read() as db:
            rows = db.execute(
                "SELECT name, location FROM crawled_tables WHERE crawler = ? AND db = ? ORDER BY name",
                (self._crawler["Name"], self._database),
            ).fetchall()
        for name, location in rows:
            table = self._find(name)
            if name not in keep and table is not None and location.startswith(tuple(under)):
                self._retire(name, table)

    def _retire(self, name: str, table: dict[str, Any]) -> None:
        if self._policy.delete == "LOG":
            self.changes.log.append(f"{name}: no data any more; logged only, as DeleteBehavior says.")
        elif self._policy.delete == "DELETE_FROM_DATABASE":
            self._allow("glue:DeleteTable", self._database, name)
            self._delete(name)
            self.changes.deleted.append(name)
        elif DEPRECATED_BY not in table.get("Parameters", {}):
            self._allow("glue:UpdateTable", self._database, name)
            with self._scope.store.write() as db:
                self._tables.update_in(db, self._database, _deprecated(table))
            self.changes.deleted.append(name)

    def _delete(self, name: str) -> None:
        from smartcity.localaws.glue.tables import drop_table

        with self._scope.store.write() as db:
            drop_table(db, find_table(db, self._database, name)[0])
            db.execute(
                "DELETE FROM crawled_tables WHERE crawler = ? AND db = ? AND name = ?",
                (self._crawler["Name"], self._database, name),
            )


def _partition(found: Found, leaf: Any, columns: list[dict[str, Any]] | None) -> dict[str, Any]:
    item = partition_input(found, leaf, inherit=columns is not None)
    if columns is not None:
        plain = [{"Name": column["Name"], "Type": column["Type"]} for column in columns]
        item["StorageDescriptor"] = {**item["StorageDescriptor"], "Columns": plain}
    return item


def _lies_below(partition: dict[str, Any], location: str) -> bool:
    """Whether a partition is where a crawl could find it: one that somebody put elsewhere is theirs."""
    return str(partition.get("StorageDescriptor", {}).get("Location", "")).startswith(location)


def _same_place(table: dict[str, Any], location: str) -> bool:
    there = table.get("StorageDescriptor", {}).get("Location", "")
    return bool(there) and str(there).rstrip("/") == location.rstrip("/")


def _keep_what_people_wrote(old: dict[str, Any], wanted: dict[str, Any], merge_columns: bool) -> dict[str, Any]:
    """The wanted table with the old one's description, comments and parameters that are not the crawler's."""
    known = {column["Name"]: column for column in old.get("StorageDescriptor", {}).get("Columns", [])}
    columns = []
    for column in wanted["StorageDescriptor"]["Columns"]:
        before = known.get(column["Name"], {})
        extra = {key: before[key] for key in ("Comment", "Parameters") if key in before}
        columns.append({**column, **extra})
    if merge_columns:
        columns = [*known.values(), *(column for column in columns if column["Name"] not in known)]
    parameters = {key: value for key, value in old.get("Parameters", {}).items() if key != DEPRECATED_BY}
    members = ("Description", "Owner", "Retention", "LastAnalyzedTime")
    kept: dict[str, Any] = {key: old[key] for key in members if key in old}
    return {
        **wanted,
        **kept,
        "Parameters": {**parameters, **wanted["Parameters"]},
        "StorageDescriptor": {**wanted["StorageDescriptor"], "Columns": columns},
    }


def _differs(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """More than counts changed: columns, place, reader, keys, or a mark of deprecation."""
    before, after = old.get("StorageDescriptor", {}), new["StorageDescriptor"]
    return (
        any(before.get(member) != after.get(member) for member in _FORMAT_MEMBERS)
        or old.get("PartitionKeys", []) != new.get("PartitionKeys", [])
        or _settings(old) != _settings(new)
    )


def _settings(doc: dict[str, Any]) -> dict[str, str]:
    return {key: value for key, value in doc.get("Parameters", {}).items() if key not in (*AMOUNTS, UPDATED_BY)}


def _amounts(doc: dict[str, Any]) -> list[str | None]:
    return [doc.get("Parameters", {}).get(key) for key in (*AMOUNTS, UPDATED_BY)]


def _deprecated(doc: dict[str, Any]) -> dict[str, Any]:
    """The same, marked as AWS marks it: with the moment in milliseconds."""
    return {**doc, "Parameters": {**doc.get("Parameters", {}), DEPRECATED_BY: str(int(time.time() * 1000))}}
