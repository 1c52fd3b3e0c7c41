"""Workgroups: where results go, who may choose that, and how much a query may scan."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from smartcity.localaws.api import Operation, Request
from smartcity.localaws.athena import locations
from smartcity.localaws.athena.faults import invalid, listing, moment, page
from smartcity.localaws.athena.store import Store

KIND = "workgroup"
PRIMARY = "primary"
ENGINE = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}
_VERSIONS = frozenset({"AUTO", "Athena engine version 3"})
_NAME = re.compile(r"[a-zA-Z0-9._-]{1,128}")
_MIN_CUTOFF = 10_000_000  # bytes; the smallest BytesScannedCutoffPerQuery of the API

Doc = dict[str, Any]


@dataclass(frozen=True)
class Workgroups:
    """The workgroup calls, and what queries need to know of a workgroup."""

    store: Store
    region: str
    account_id: str

    def operations(self) -> dict[str, Operation]:
        """The calls by name."""
        return {
            "CreateWorkGroup": self.create,
            "GetWorkGroup": self.describe,
            "ListWorkGroups": self.list,
            "UpdateWorkGroup": self.update,
            "DeleteWorkGroup": self.delete,
            "ListEngineVersions": self.engine_versions,
        }

    def ensure_primary(self) -> None:
        """Every account has the workgroup `primary`."""
        doc = _new(PRIMARY, {"EnforceWorkGroupConfiguration": False}, "")
        self.store.put(KIND, "", PRIMARY, doc, replace=False)

    def arn(self, name: str) -> str:
        """ARN of a workgroup."""
        return f"arn:aws:athena:{self.region}:{self.account_id}:workgroup/{name}"

    def find(self, name: str) -> Doc:
        """A workgroup; raises `AwsError` if there is none."""
        found = self.store.get(KIND, "", name)
        if found is None:
            raise invalid(f"WorkGroup {name} is not found.", "WORKGROUP_NOT_FOUND")
        return found

    def create(self, request: Request) -> dict[str, Any]:
        """CreateWorkGroup."""
        params = request.params
        name = params["Name"]
        if not _NAME.fullmatch(name):
            raise invalid(f"WorkGroup name {name} is not valid.")
        configuration = {"EnforceWorkGroupConfiguration": True, **_checked(params.get("Configuration") or {})}
        doc = _new(name, configuration, params.get("Description", ""))
        if not self.store.put(KIND, "", name, doc, replace=False):
            raise invalid("WorkGroup is already created", "WORKGROUP_ALREADY_EXISTS")
        self.store.tag(self.arn(name), [(tag["Key"], tag.get("Value", "")) for tag in params.get("Tags") or ()])
        return {}

    def describe(self, request: Request) -> dict[str, Any]:
        """GetWorkGroup."""
        found = self.find(request.params["WorkGroup"])
        return {"WorkGroup": {**found, "CreationTime": moment(found["CreationTime"])}}

    def list(self, request: Request) -> dict[str, Any]:
        """ListWorkGroups."""
        found, token = page(self.store.all(KIND, ""), request.params)
        summaries = [
            {
                "Name": doc["Name"],
                "State": doc["State"],
                "Description": doc["Description"],
                "CreationTime": moment(doc["CreationTime"]),
                "EngineVersion": doc["Configuration"]["EngineVersion"],
            }
            for doc in found
        ]
        return listing("WorkGroups", summaries, token)

    def update(self, request: Request) -> dict[str, Any]:
        """UpdateWorkGroup."""
        params = request.params
        doc = self.find(params["WorkGroup"])
        if "Description" in params:
            doc["Description"] = params["Description"]
        if "State" in params:
            doc["State"] = params["State"]
        doc["Configuration"] = _updated(doc["Configuration"], params.get("ConfigurationUpdates") or {})
        self.store.put(KIND, "", doc["Name"], doc)
        return {}

    def delete(self, request: Request) -> dict[str, Any]:
        """DeleteWorkGroup."""
        name = request.params["WorkGroup"]
        if name == PRIMARY:
            raise invalid("The primary workgroup cannot be deleted.")
        self.find(name)
        contents = [*self.store.all("named", name), *self.store.all("prepared", name)]
        queries = self.store.execution_ids(name, None, 1)
        if (contents or queries) and not request.params.get("RecursiveDeleteOption"):
            raise invalid(f"WorkGroup {name} is not empty", "WORKGROUP_NOT_EMPTY")
        for query in self.store.all("named", name):
            self.store.delete("named", name, query["NamedQueryId"])
        for statement in self.store.all("prepared", name):
            self.store.delete("prepared", name, statement["StatementName"])
        self.store.forget_executions(name)
        self.store.delete(KIND, "", name)
        self.store.untag(self.arn(name))
        return {}

    def engine_versions(self, _request: Request) -> dict[str, Any]:
        """ListEngineVersions."""
        pinned = {
            "SelectedEngineVersion": "Athena engine version 3",
            "EffectiveEngineVersion": "Athena engine version 3",
        }
        return {"EngineVersions": [ENGINE, pinned]}


def _new(name: str, configuration: Doc, description: str) -> Doc:
    configuration = {
        "ResultConfiguration": {},
        "PublishCloudWatchMetricsEnabled": False,
        "RequesterPaysEnabled": False,
        "EngineVersion": ENGINE,
        **configuration,
    }
    return {
        "Name": name,
        "State": "ENABLED",
        "Configuration": configuration,
        "Description": description,
        "CreationTime": time.time(),
    }


def _checked(configuration: Doc) -> Doc:
    url = (configuration.get("ResultConfiguration") or {}).get("OutputLocation")
    if url is not None:
        check_output(url)
    cutoff = configuration.get("BytesScannedCutoffPerQuery")
    if cutoff is not None and cutoff < _MIN_CUTOFF:
        raise invalid(f"BytesScannedCutoffPerQuery must be at least {_MIN_CUTOFF} bytes.")
    version = (configuration.get("EngineVersion") or {}).get("SelectedEngineVersion", "AUTO")
    if version not in _VERSIONS:
        raise invalid(f"{version} is not a supported engine version.")
    if "EngineVersion" in configuration:
        effective = {"SelectedEngineVersion": version, "EffectiveEngineVersion": "Athena engine version 3"}
        return {**configuration, "EngineVersion": effective}
    return configuration


def _updated(configuration: Doc, updates: Doc) -> Doc:
    configuration = dict(configuration)
    results = dict(configuration.get("ResultConfiguration") or {})
    changes = updates.get("ResultConfigurationUpdates") or {}
    for name in ("OutputLocation", "EncryptionConfiguration", "ExpectedBucketOwner", "AclConfiguration"):
        if changes.get(f"Remove{name}"):
            results.pop(name, None)
        elif name in changes:
            results[name] = changes[name]
    configuration["ResultConfiguration"] = results
    if updates.get("RemoveBytesScannedCutoffPerQuery"):
        configuration.pop("BytesScannedCutoffPerQuery", None)
    for name in _PLAIN:
        if name in updates:
            configuration[name] = updates[name]
    return _checked(configuration)


_PLAIN = (
    *("EnforceWorkGroupConfiguration", "PublishCloudWatchMetricsEnabled", "BytesScannedCutoffPerQuery"),
    *("RequesterPaysEnabled", "EngineVersion", "EnableMinimumEncryptionConfiguration"),
)


def check_output(url: str) -> locations.Location:
    """An output location as a place in S3; raises `AwsError` if it is none."""
    try:
        return locations.parse(url).folder
    except ValueError:
        raise invalid("outputLocation is not a valid S3 path.") from None
