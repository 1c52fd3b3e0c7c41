"""Redshift Serverless: namespaces, workgroups and credentials.

https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
import shutil
from collections.abc import Mapping
from typing import Any

from smartcity.localaws.api import AwsError, Context, Operation, Request
from smartcity.localaws.redshift import shared
from smartcity.localaws.redshift.catalog import DATABASE

_NAME = re.compile(r"^[a-z0-9-]{3,64}$")
_ROLE = re.compile(r"^arn:aws[a-z-]*:iam::\d{12}:role/")
_RPU = range(4, 1025)


class RedshiftServerlessService:
    """The control calls; a workgroup is ready as soon as it exists."""

    name = "redshift-serverless"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._shared = shared.of(context)
        self._items = self._shared.inventory

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Every call implemented."""
        return {
            "CreateNamespace": self._create_namespace,
            "GetNamespace": lambda r: {"namespace": _shown(self._items.get("namespace", r.params["namespaceName"]))},
            "ListNamespaces": lambda r: _page(r, "namespaces", self._items.all("namespace")),
            "UpdateNamespace": self._update_namespace,
            "DeleteNamespace": self._delete_namespace,
            "CreateWorkgroup": self._create_workgroup,
            "GetWorkgroup": lambda r: {"workgroup": _shown(self._items.get("workgroup", r.params["workgroupName"]))},
            "ListWorkgroups": lambda r: _page(r, "workgroups", self._items.all("workgroup")),
            "UpdateWorkgroup": self._update_workgroup,
            "DeleteWorkgroup": self._delete_workgroup,
            "GetCredentials": self._credentials,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "ListTagsForResource": lambda r: {"tags": self._by_arn(r.params["resourceArn"]).get("tags", [])},
        }

    def resource_arns(self, operation: str, params: dict[str, Any]) -> list[str]:
        """The namespace or workgroup named; lists have none."""
        if operation.startswith("List") and operation != "ListTagsForResource":
            return []
        if "resourceArn" in params:
            return [params["resourceArn"]]
        found = [
            self._items.arn(kind, params[f"{kind}Name"])
            for kind in ("workgroup", "namespace")
            if f"{kind}Name" in params
        ]
        return found if operation == "CreateWorkgroup" else found[:1]

    def start(self) -> None:
        """Nothing to resume: every call is done when it answers."""

    def stop(self) -> None:
        """Close the warehouses; the data service may have done so already."""
        self._shared.close()

    def _create_namespace(self, request: Request) -> dict[str, Any]:
        params = request.params
        name = _checked_name(params["namespaceName"])
        if self._items.find("namespace", name):
            raise AwsError("ConflictException", f"The namespace {name} already exists.")
        if params.get("dbName", DATABASE) != DATABASE:
            raise AwsError("ValidationException", f"Local AWS has one database per namespace: {DATABASE}.")
        if params.get("manageAdminPassword"):
            raise AwsError("ValidationException", "Local AWS has no Secrets Manager to keep an admin password in.")
        roles = self._roles(request, params)
        body = {
            "namespaceArn": self._items.arn("namespace", name),
            "namespaceId": self._items.arn("namespace", name).rsplit("/", 1)[1],
            "namespaceName": name,
            "adminUsername": params.get("adminUsername", "admin"),
            "dbName": DATABASE,
            "iamRoles": roles,
            "defaultIamRoleArn": params.get("defaultIamRoleArn", ""),
            "kmsKeyId": "AWS_OWNED_KMS_KEY",
            "logExports": params.get("logExports", []),
            "status": "AVAILABLE",
            "creationDate": _now(),
            "tags": params.get("tags", []),
        }
        self._items.put("namespace", name, body)
        return {"namespace": _shown(body)}

    def _roles(self, request: Request, params: dict[str, Any]) -> list[str]:
        """Attaching a role needs iam:PassRole, as for every AWS service that will assume it."""
        roles = list(params.get("iamRoles", []))
        default = params.get("defaultIamRoleArn")
        if default and default not in roles:
            raise AwsError("ValidationException", "The default IAM role must be one of the namespace's IAM roles.")
        for role in roles:
            if not _ROLE.match(role):
                raise AwsError("ValidationException", f"Invalid IAM role ARN: {role}")
            self._context.access.check(
                request.caller.arn, "iam:PassRole", role, {"iam:PassedToService": "redshift-serverless.amazonaws.com"}
            )
        return roles

    def _update_namespace(self, request: Request) -> dict[str, Any]:
        params = request.params
        body = self._items.get("namespace", params["namespaceName"])
        if "iamRoles" in params:
            body["iamRoles"] = self._roles(request, params)
        for key in ("adminUsername", "defaultIamRoleArn", "logExports"):
            if key in params:
                body[key] = params[key]
        self._items.put("namespace", params["namespaceName"], body)
        return {"namespace": _shown(body)}

    def _delete_namespace(self, request: Request) -> dict[str, Any]:
        name = request.params["namespaceName"]
        body = self._items.get("namespace", name)
        if any(group["namespaceName"] == name for group in self._items.all("workgroup")):
            raise AwsError("ConflictException", f"The namespace {name} has a workgroup. Delete the workgroup first.")
        self._shared.forget(name)
        self._items.remove("namespace", name)
        shutil.rmtree(self._items.file(name).parent, ignore_errors=True)
        return {"namespace": _shown({**body, "status": "DELETING"})}

    def _create_workgroup(self, request: Request) -> dict[str, Any]:
        params = request.params
        name, namespace = _checked_name(params["workgroupName"]), params["namespaceName"]
        if self._items.find("workgroup", name):
            raise AwsError("ConflictException", f"The workgroup {name} already exists.")
        self._items.get("namespace", namespace)
        if any(group["namespaceName"] == namespace for group in self._items.all("workgroup")):
            raise AwsError("ConflictException", f"The namespace {namespace} already has a workgroup.")
        body = {
            "workgroupArn": self._items.arn("workgroup", name),
            "workgroupId": self._items.arn("workgroup", name).rsplit("/", 1)[1],
            "workgroupName": name,
            "namespaceName": namespace,
            "baseCapacity": _capacity(params.get("baseCapacity", 128)),
            "enhancedVpcRouting": params.get("enhancedVpcRouting", False),
            "configParameters": params.get("configParameters", []),
            "publiclyAccessible": params.get("publiclyAccessible", False),
            "securityGroupIds": params.get("securityGroupIds", []),
            "subnetIds": params.get("subnetIds", []),
            "status": "AVAILABLE",
            "endpoint": {"address": "127.0.0.1", "port": 5439, "vpcEndpoints": []},
            "creationDate": _now(),
            "tags": params.get("tags", []),
        }
        self._items.put("workgroup", name, body)
        return {"workgroup": _shown(body)}

    def _update_workgroup(self, request: Request) -> dict[str, Any]:
        params = request.params
        body = self._items.get("workgroup", params["workgroupName"])
        if "baseCapacity" in params:
            body["baseCapacity"] = _capacity(params["baseCapacity"])
        for key in ("enhancedVpcRouting", "configParameters", "publiclyAccessible", "subnetIds", "securityGroupIds"):
            if key in params:
                body[key] = params[key]
        self._items.put("workgroup", params["workgroupName"], body)
        return {"workgroup": _shown(body)}

    def _delete_workgroup(self, request: Request) -> dict[str, Any]:
        name = request.params["workgroupName"]
        body = self._items.get("workgroup", name)
        self._items.remove("workgroup", name)
        self._shared.forget(body["namespaceName"])
        return {"workgroup": _shown({**body, "status": "DELETING"})}

    def _credentials(self, request: Request) -> dict[str, Any]:
        params = request.params
        if "workgroupName" not in params:
            raise AwsError("ValidationException", "workgroupName is required.")
        self._items.get("workgroup", params["workgroupName"])
        seconds = int(params.get("durationSeconds", 900))
        expires = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
        return {
            "dbUser": shared.database_user(request.caller.arn),
            "dbPassword": secrets.token_urlsafe(32),
            "expiration": expires,
            "nextRefreshTime": expires,
        }

    def _by_arn(self, arn: str) -> dict[str, Any]:
        for kind in ("workgroup", "namespace"):
            for body in self._items.all(kind):
                if body[f"{kind}Arn"] == arn:
                    return body | {"kind": kind}
        raise AwsError("ResourceNotFoundException", f"The resource {arn} does not exist.", resourceName=arn)

    def _retag(self, arn: str, tags: list[dict[str, str]]) -> None:
        body = self._by_arn(arn)
        kind = body.pop("kind")
        self._items.put(kind, body[f"{kind}Name"], {**body, "tags": tags})

    def _tag(self, request: Request) -> dict[str, Any]:
        arn, new = request.params["resourceArn"], request.params["tags"]
        names = {tag["key"] for tag in new}
        self._retag(arn, [tag for tag in self._by_arn(arn)["tags"] if tag["key"] not in names] + new)
        return {}

    def _untag(self, request: Request) -> dict[str, Any]:
        arn, names = request.params["resourceArn"], set(request.params["tagKeys"])
        self._retag(arn, [tag for tag in self._by_arn(arn)["tags"] if tag["key"] not in names])
        return {}


def _checked_name(name: str) -> str:
    if not _NAME.match(name):
        raise AwsError("ValidationException", f"Invalid name {name}: 3 to 64 lower-case letters, digits and hyphens.")
    return name


def _capacity(value: int) -> int:
    if value not in _RPU or (value % 8 and value != 4):
        raise AwsError("ValidationException", "Base capacity must be 4, or 8 to 1024 in steps of 8 RPUs.")
    return value


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat()


def _shown(body: dict[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in body.items() if key != "tags"}
    return {**shown, "creationDate": dt.datetime.fromisoformat(body["creationDate"])}


def _page(request: Request, key: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    start = int(request.params.get("nextToken") or 0)
    stop = start + int(request.params.get("maxResults") or 100)
    more = {"nextToken": str(stop)} if stop < len(items) else {}
    return {key: [_shown(item) for item in items[start:stop]], **more}
