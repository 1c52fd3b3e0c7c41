"""One role per actor with the least it needs, as data. Each knows what must be allowed and what must be denied.

A role's name is `<project>-<actor>`. Actions have no `*`; a resource has one only below our bucket, database or
workgroup, or where AWS offers nothing narrower (https://docs.aws.amazon.com/service-authorization/latest/reference/).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from smartcity import layout
from smartcity.pipeline.access.statements import Statement, allow, document, trusted_account, trusted_services

MANIFESTS = "warehouse/"


@dataclass(frozen=True)
class Scope:
    """The resources that the policies are narrowed to; without `warehouse_arn` nobody may use a warehouse."""

    project: str
    account_id: str
    region: str
    bucket: str
    database: str
    workgroup: str = "smartcity"
    warehouse_arn: str = ""

    @property
    def bucket_arn(self) -> str:
        return f"arn:aws:s3:::{self.bucket}"

    def keys(self, *prefixes: str) -> list[str]:
        """ARNs of all objects below these prefixes."""
        return [f"{self.bucket_arn}/{prefix}*" for prefix in prefixes]

    @property
    def athena_arn(self) -> str:
        return f"arn:aws:athena:{self.region}:{self.account_id}:workgroup/{self.workgroup}"

    @property
    def catalog_arns(self) -> list[str]:
        """The catalog, our database and its tables: Glue asks for all three."""
        glue = f"arn:aws:glue:{self.region}:{self.account_id}"
        return [f"{glue}:catalog", f"{glue}:database/{self.database}", f"{glue}:table/{self.database}/*"]

    def role_arn(self, actor: str) -> str:
        """The ARN of an actor's role."""
        return f"arn:aws:iam::{self.account_id}:role/{self.project}-{actor}"


@dataclass(frozen=True)
class Probe:
    """An action on a resource, with the context that the request would carry."""

    action: str
    resource: str
    context: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}" + "".join(f" with {k}={v}" for k, v in self.context.items())


@dataclass(frozen=True)
class Role:
    """One actor: `trust` is its AssumeRolePolicyDocument, `policy` what it may do (both as dictionaries)."""

    name: str
    description: str
    trust: dict[str, Any]
    policy: dict[str, Any]
    allowed: tuple[Probe, ...] = ()
    denied: tuple[Probe, ...] = ()

    @property
    def assumed_by_service(self) -> bool:
        """Whether only an AWS service may assume it."""
        return all("Service" in statement["Principal"] for statement in self.trust["Statement"])


def _list(scope: Scope, *prefixes: str) -> Statement:
    patterns = [pattern for prefix in prefixes for pattern in (prefix.rstrip("/"), f"{prefix}*")]
    return allow("ListBucket", ["s3:ListBucket"], [scope.bucket_arn], {"StringLike": {"s3:prefix": patterns}})


def _find(scope: Scope) -> Statement:
    return allow("FindBucket", ["s3:GetBucketLocation"], [scope.bucket_arn])


def _object(scope: Scope, key: str) -> str:
    return f"{scope.bucket_arn}/{key}"


_STREAM = (
    layout.LAKE,
    layout.QUARANTINE,
    layout.COMMITS,
    layout.LEASES,
    layout.COMPACTED,
    layout.COMPACTIONS,
    layout.CHECKPOINTS,
)
_READ_CATALOG = [
    "glue:GetDatabase",
    "glue:GetDatabases",
    "glue:GetTable",
    "glue:GetTables",
    "glue:GetPartition",
    "glue:GetPartitions",
    "glue:BatchGetPartition",
]
_WRITE_PARTITIONS = ["glue:BatchCreatePartition", "glue:CreatePartition", "glue:UpdatePartition", "glue:CreateTable"]
_WRITE_CATALOG = [
    "glue:CreateTable",
    "glue:UpdateTable",
    "glue:DeleteTable",
    "glue:BatchCreatePartition",
    "glue:CreatePartition",
    "glue:UpdatePartition",
    "glue:BatchDeletePartition",
    "glue:DeletePartition",
]


def _everywhere(scope: Scope) -> tuple[Probe, ...]:
    """What no actor may do."""
    return (
        Probe("s3:DeleteBucket", scope.bucket_arn),
        Probe("s3:PutBucketPolicy", scope.bucket_arn),
        Probe("s3:GetObject", f"arn:aws:s3:::{scope.bucket}-of-somebody-else/lake/x"),
        Probe("iam:CreateUser", f"arn:aws:iam::{scope.account_id}:user/x"),
        Probe("iam:PutRolePolicy", scope.role_arn("analyst")),
        Probe("sts:AssumeRole", scope.role_arn("loader")),
    )


def stream_role(scope: Scope) -> Role:
    """The streaming job: lake, quarantine, commit objects and checkpoint; registers partitions."""
    statements = [
        _list(scope, *_STREAM),
        _find(scope),
        allow(
            "WriteLake",
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            scope.keys(*_STREAM),
        ),
        allow("RegisterPartitions", [*_READ_CATALOG, *_WRITE_PARTITIONS], scope.catalog_arns),
    ]
    return Role(
        f"{scope.project}-stream",
        "Streaming job: Kafka to the lake",
        trusted_account(scope.account_id),
        document(statements),
        allowed=(
            Probe("s3:PutObject", _object(scope, "lake/vehicle/dt=2026-03-01/a.parquet")),
            Probe("s3:GetObject", _object(scope, "checkpoints/stream/offsets/0")),
            Probe("s3:DeleteObject", _object(scope, "commits/q/000000001.json")),
            Probe("s3:ListBucket", scope.bucket_arn, {"s3:prefix": "lake/vehicle/"}),
            Probe("glue:BatchCreatePartition", scope.catalog_arns[1].replace("database", "table") + "/vehicle"),
        ),
        denied=(
            *_everywhere(scope),
            Probe("s3:PutObject", _object(scope, "frames/a.jpg")),
            Probe("s3:GetObject", _object(scope, "athena-results/a.csv")),
            Probe("s3:ListBucket", scope.bucket_arn, {"s3:prefix": "frames/"}),
            Probe("glue:DeleteTable", scope.catalog_arns[1].replace("database", "table") + "/vehicle"),
            Probe("athena:StartQueryExecution", scope.athena_arn),
        ),
    )


def frames_role(scope: Scope) -> Role:
    """The cars: they write pictures and read nothing."""
    return Role(
        f"{scope.project}-frames",
        "Frame writer: camera pictures",
        trusted_account(scope.account_id),
        document([allow("WriteFrames", ["s3:PutObject"], scope.keys(layout.FRAMES))]),
        allowed=(Probe("s3:PutObject", _object(scope, "frames/car-1/2026/a.jpg")),),
        denied=(
            *_everywhere(scope),
            Probe("s3:GetObject", _object(scope, "frames/car-1/2026/a.jpg")),
            Probe("s3:DeleteObject", _object(scope, "frames/car-1/2026/a.jpg")),
            Probe("s3:PutObject", _object(scope, "lake/vehicle/dt=2026-03-01/a.parquet")),
            Probe("s3:ListBucket", scope.bucket_arn, {"s3:prefix": "frames/"}),
        ),
    )


def crawler_role(scope: Scope) -> Role:
    """The Glue crawler: lists and reads the lake, writes our database's tables and its own log."""
    glue = f"arn:aws:glue:{scope.region}:{scope.account_id}"
    statements = [
        _list(scope, layout.LAKE),
        _find(scope),
        allow("ReadLake", ["s3:GetObject"], scope.keys(layout.LAKE)),
        allow("WriteCatalog", [*_READ_CATALOG, *_WRITE_CATALOG], scope.catalog_arns),
        allow(
            "WriteLog",
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            [f"arn:aws:logs:{scope.region}:{scope.account_id}:log-group:/aws-glue/crawlers*"],
        ),
    ]
    return Role(
        f"{scope.project}-crawler",
        "Glue crawler of the lake",
        trusted_services(["glue.amazonaws.com"], scope.account_id),
        document(statements),
        allowed=(
            Probe("s3:GetObject", _object(scope, "lake/gps/dt=2026-03-01/a.parquet")),
            Probe("s3:ListBucket", scope.bucket_arn, {"s3:prefix": "lake/"}),
            Probe("glue:UpdateTable", f"{glue}:table/{scope.database}/gps"),
        ),
        denied=(
            *_everywhere(scope),
            Probe("s3:PutObject", _object(scope, "lake/gps/dt=2026-03-01/a.parquet")),
            Probe("s3:GetObject", _object(scope, "quarantine/gps/dt=2026-03-01/a.parquet")),
            Probe("glue:UpdateTable", f"{glue}:table/other/gps"),
            Probe("glue:DeleteDatabase", f"{glue}:database/{scope.database}"),
        ),
    )


_ATHENA = [
    "athena:StartQueryExecution",
    "athena:StopQueryExecution",
    "athena:GetQueryExecution",
    "athena:BatchGetQueryExecution",
    "athena:GetQueryResults",
    "athena:GetWorkGroup",
    "athena:ListQueryExecutions",
]


def _querying(scope: Scope) -> list[Statement]:
    return [
        allow("RunQueries", _ATHENA, [scope.athena_arn]),
        allow("ReadCatalog", _READ_CATALOG, scope.catalog_arns),
        _list(scope, layout.LAKE, layout.COMPACTED, layout.ATHENA_RESULTS),
        _find(scope),
        allow("ReadLake", ["s3:GetObject"], scope.keys(layout.LAKE, layout.COMPACTED)),
        allow(
            "KeepResults",
            ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
            scope.keys(layout.ATHENA_RESULTS),
        ),
    ]


def _query_probes(scope: Scope) -> tuple[Probe, ...]:
    return (
        Probe("athena:StartQueryExecution", scope.athena_arn),
        Probe("athena:GetQueryResults", scope.athena_arn),
        Probe("glue:GetTable", scope.catalog_arns[1].replace("database", "table") + "/vehicle"),
        Probe("s3:GetObject", _object(scope, "lake/vehicle/dt=2026-03-01/a.parquet")),
        Probe("s3:PutObject", _object(scope, "athena-results/a.csv")),
    )


def _query_refusals(scope: Scope) -> tuple[Probe, ...]:
    return (
        *_everywhere(scope),
        Probe("s3:PutObject", _object(scope, "lake/vehicle/dt=2026-03-01/a.parquet")),
        Probe("s3:DeleteObject", _object(scope, "lake/vehicle/dt=2026-03-01/a.parquet")),
        Probe("glue:CreateTable", scope.catalog_arns[1].replace("database", "table") + "/x"),
        Probe("athena:StartQueryExecution", scope.athena_arn.rsplit("/", 1)[0] + "/primary"),
        Probe("athena:DeleteWorkGroup", scope.athena_arn),
    )


def analyst_role(scope: Scope) -> Role:
    """People who ask: Athena in our workgroup, reading the lake."""
    return Role(
        f"{scope.project}-analyst",
        "Analyst: Athena queries over the lake",
        trusted_account(scope.account_id),
        document(_querying(scope)),
        allowed=_query_probes(scope),
        denied=(*_query_refusals(scope), Probe("s3:GetObject", _object(scope, "frames/car-1/a.jpg"))),
    )


def dashboard_role(scope: Scope) -> Role:
    """The dashboard: what the analyst may, and the pictures that it shows."""
    return Role(
        f"{scope.project}-dashboard",
        "Dashboard: Athena queries and camera pictures",
        trusted_account(scope.account_id),
        document([*_querying(scope), allow("ReadFrames", ["s3:GetObject"], scope.keys(layout.FRAMES))]),
        allowed=(*_query_probes(scope), Probe("s3:GetObject", _object(scope, "frames/car-1/a.jpg"))),
        denied=(*_query_refusals(scope), Probe("s3:PutObject", _object(scope, "frames/car-1/a.jpg"))),
    )


_FOLLOW_SQL = ["redshift-data:DescribeStatement", "redshift-data:GetStatementResult", "redshift-data:CancelStatement"]


def _sending_sql(scope: Scope) -> list[Statement]:
    warehouse = [scope.warehouse_arn]
    return [
        allow("SendSql", ["redshift-data:ExecuteStatement", "redshift-data:BatchExecuteStatement"], warehouse),
        allow("UseWarehouse", ["redshift-serverless:GetCredentials", "redshift-serverless:GetWorkgroup"], warehouse),
        # these have no resource in AWS; the Data API itself shows a statement to its owner only
        allow("FollowSql", _FOLLOW_SQL, ["*"]),
    ]


def loader_role(scope: Scope) -> Role:
    """The warehouse loader: reads commit objects, writes manifests, sends SQL; the data are read by Redshift's role."""
    statements = [
        _list(scope, layout.COMMITS, layout.COMPACTIONS, layout.LAKE),
        _find(scope),
        allow("ReadCommits", ["s3:GetObject"], scope.keys(layout.COMMITS, layout.COMPACTIONS)),
        allow("ReadHeaders", ["s3:GetObject"], scope.keys(layout.LAKE)),
        allow("WriteManifests", ["s3:PutObject", "s3:DeleteObject"], scope.keys(MANIFESTS)),
    ]
    allowed: list[Probe] = [
        Probe("s3:GetObject", _object(scope, "commits/q/000000001.json")),
        Probe("s3:PutObject", _object(scope, "warehouse/manifests/a.json")),
    ]
    if scope.warehouse_arn:
        statements += _sending_sql(scope)
        allowed += [
            Probe("redshift-data:BatchExecuteStatement", scope.warehouse_arn),
            Probe("redshift-serverless:GetCredentials", scope.warehouse_arn),
            Probe("redshift-data:DescribeStatement", "*"),
        ]
    return Role(
        f"{scope.project}-loader",
        "Warehouse loader: from the lake's commits to SQL",
        trusted_account(scope.account_id),
        document(statements),
        allowed=tuple(allowed),
        denied=(
            *(probe for probe in _everywhere(scope) if probe.action != "sts:AssumeRole"),
            Probe("s3:PutObject", _object(scope, "lake/vehicle/dt=2026-03-01/a.parquet")),
            Probe("s3:DeleteObject", _object(scope, "commits/q/000000001.json")),
            Probe("athena:StartQueryExecution", scope.athena_arn),
            Probe("redshift-serverless:DeleteWorkgroup", scope.warehouse_arn or "*"),
        ),
    )


def warehouse_role(scope: Scope) -> Role:
    """What Redshift itself assumes: COPY reads the lake and the manifests, Spectrum the catalog."""
    statements = [
        _list(scope, layout.LAKE, layout.COMPACTED, MANIFESTS),
        _find(scope),
        allow("ReadLake", ["s3:GetObject"], scope.keys(layout.LAKE, layout.COMPACTED, MANIFESTS)),
        allow("ReadCatalog", _READ_CATALOG, scope.catalog_arns),
    ]
    return Role(
        f"{scope.project}-warehouse",
        "Redshift: COPY and Spectrum",
        trusted_services(["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"], scope.account_id),
        document(statements),
        allowed=(
            Probe("s3:GetObject", _object(scope, "lake/vehicle/dt=2026-03-01/a.parquet")),
            Probe("s3:GetObject", _object(scope, "warehouse/manifests/a.json")),
            Probe("glue:GetPartitions", scope.catalog_arns[1].replace("database", "table") + "/vehicle"),
        ),
        denied=(
            *_everywhere(scope),
            Probe("s3:PutObject", _object(scope, "lake/vehicle/dt=2026-03-01/a.parquet")),
            Probe("s3:GetObject", _object(scope, "frames/car-1/a.jpg")),
            Probe("glue:UpdateTable", scope.catalog_arns[1].replace("database", "table") + "/vehicle"),
        ),
    )


ACTORS: dict[str, Callable[[Scope], Role]] = {
    "stream": stream_role,
    "frames": frames_role,
    "crawler": crawler_role,
    "analyst": analyst_role,
    "loader": loader_role,
    "warehouse": warehouse_role,
    "dashboard": dashboard_role,
}


def roles(scope: Scope) -> list[Role]:
    """Every actor's role."""
    return [make(scope) for make in ACTORS.values()]
