"""Making, pausing and deleting warehouses: Serverless and provisioned, priced before and confirmed by the caller."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from smartcity.errors import ServiceError

TAG_KEY = "smartcity:project"
DATABASE = "dev"
_POLL_S = 10.0


@dataclass(frozen=True)
class Price:
    """What a warehouse would cost, in US dollars per hour of use."""

    what: str
    usd_per_hour: float

    def sentence(self) -> str:
        """For the question before it is made."""
        month = self.usd_per_hour * 24 * 30
        return f"{self.what}: about ${self.usd_per_hour:.2f} per hour of use (${month:,.0f} a month if it never rests)"


def serverless_price(rpus: int, usd_per_rpu_hour: float) -> Price:
    """Serverless is billed per RPU and second while queries run, 60 s at least (redshift/pricing)."""
    return Price(f"Redshift Serverless with {rpus} RPUs", rpus * usd_per_rpu_hour)


def provisioned_price(node_type: str, nodes: int, usd_per_node_hour: float) -> Price:
    """A cluster is billed per node and hour until it is paused or deleted."""
    return Price(f"{nodes} × {node_type}", nodes * usd_per_node_hour)


def describe_workgroup(serverless: Any, name: str) -> dict[str, Any] | None:
    """The workgroup of this name, or None."""
    try:
        found: dict[str, Any] = serverless.get_workgroup(workgroupName=name)["workgroup"]
    except serverless.exceptions.ResourceNotFoundException:
        return None
    return found


def ensure_serverless(serverless: Any, name: str, role_arn: str, rpus: int) -> dict[str, Any]:
    """Namespace and workgroup of this name, with the role attached that COPY assumes; accepts what is there."""
    tags = [{"key": TAG_KEY, "value": name}]
    try:
        namespace = serverless.get_namespace(namespaceName=name)["namespace"]
    except serverless.exceptions.ResourceNotFoundException:
        serverless.create_namespace(
            namespaceName=name, dbName=DATABASE, iamRoles=[role_arn], defaultIamRoleArn=role_arn, tags=tags
        )
    else:
        attached = [_arn(text) for text in namespace.get("iamRoles", ())]
        if role_arn not in attached:
            serverless.update_namespace(namespaceName=name, iamRoles=[*attached, role_arn], defaultIamRoleArn=role_arn)
    found = describe_workgroup(serverless, name)
    if found is None:
        serverless.create_workgroup(workgroupName=name, namespaceName=name, baseCapacity=rpus, tags=tags)
    return wait_for_workgroup(serverless, name)


def _arn(text: str) -> str:
    """AWS shows an attached role as `IamRole(applyStatus=in-sync, iamRoleArn=arn:…)`."""
    return text.rsplit("iamRoleArn=", maxsplit=1)[-1].rstrip(")")


def wait_for_workgroup(
    serverless: Any, name: str, timeout_s: float = 900.0, sleep: Callable[[float], None] = time.sleep
) -> dict[str, Any]:
    """Block until the workgroup is available; raises `ServiceError` at the deadline."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = describe_workgroup(serverless, name)
        if found is not None and found["status"] == "AVAILABLE":
            return found
        if time.monotonic() > deadline:
            status = found["status"] if found else "missing"
            raise ServiceError(f"Workgroup {name} is {status} after {timeout_s:.0f} s.", "See it in the AWS console.")
        sleep(_POLL_S)


def delete_serverless(serverless: Any, name: str, sleep: Callable[[float], None] = time.sleep) -> None:
    """Delete workgroup and namespace with all data; raises `ServiceError` for one that does not carry our tag."""
    found = describe_workgroup(serverless, name)
    if found is not None:
        _require_ours(serverless.list_tags_for_resource(resourceArn=found["workgroupArn"])["tags"], name)
        serverless.delete_workgroup(workgroupName=name)
        while describe_workgroup(serverless, name) is not None:
            sleep(_POLL_S)
    serverless.delete_namespace(namespaceName=name)


def _require_ours(tags: list[dict[str, str]], name: str) -> None:
    known = {tag.get("key", tag.get("Key", "")): tag.get("value", tag.get("Value", "")) for tag in tags}
    if known.get(TAG_KEY) != name:
        raise ServiceError(f"The warehouse {name} does not carry our tag {TAG_KEY}={name}.", "Delete it by hand.")


def describe_cluster(redshift: Any, name: str) -> dict[str, Any] | None:
    """The provisioned cluster of this name, or None."""
    try:
        found: dict[str, Any] = redshift.describe_clusters(ClusterIdentifier=name)["Clusters"][0]
    except redshift.exceptions.ClusterNotFoundFault:
        return None
    return found


def create_cluster(redshift: Any, name: str, role_arn: str, node_type: str, nodes: int) -> dict[str, Any]:
    """A private, encrypted cluster whose password AWS keeps."""
    shape = {"ClusterType": "multi-node", "NumberOfNodes": nodes} if nodes > 1 else {"ClusterType": "single-node"}
    made: dict[str, Any] = redshift.create_cluster(
        ClusterIdentifier=name,
        NodeType=node_type,
        MasterUsername="smartcity",
        ManageMasterPassword=True,
        DBName=DATABASE,
        IamRoles=[role_arn],
        DefaultIamRoleArn=role_arn,
        PubliclyAccessible=False,
        Encrypted=True,
        Tags=[{"Key": TAG_KEY, "Value": name}],
        **shape,
    )["Cluster"]
    return made


def pause_cluster(redshift: Any, name: str) -> str:
    """Stop paying for compute; returns the cluster's state."""
    return str(redshift.pause_cluster(ClusterIdentifier=name)["Cluster"]["ClusterStatus"])


def resume_cluster(redshift: Any, name: str) -> str:
    """Start a paused cluster; returns its state."""
    return str(redshift.resume_cluster(ClusterIdentifier=name)["Cluster"]["ClusterStatus"])


def delete_cluster(redshift: Any, name: str) -> str:
    """Delete a cluster of ours, keeping a final snapshot; returns its state."""
    found = describe_cluster(redshift, name)
    if found is None:
        raise ServiceError(f"There is no cluster {name}.", "")
    _require_ours(found.get("Tags", []), name)
    gone = redshift.delete_cluster(
        ClusterIdentifier=name, SkipFinalClusterSnapshot=False, FinalClusterSnapshotIdentifier=f"{name}-final"
    )
    return str(gone["Cluster"]["ClusterStatus"])
