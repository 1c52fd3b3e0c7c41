"""The AWS-managed policies that exist here: those that this pipeline's guides attach.

Each grants what AWS's own policy of that name grants to the services that local AWS has.
"""

from __future__ import annotations

from typing import Any

_PREFIX = "arn:aws:iam::aws:policy/"


def _allow(*actions: str, resources: str | list[str] = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resources}


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


_ATHENA_S3 = _allow(
    "s3:GetBucketLocation",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListMultipartUploadParts",
    "s3:AbortMultipartUpload",
    "s3:CreateBucket",
    "s3:PutObject",
    "s3:PutBucketPublicAccessBlock",
    resources=["arn:aws:s3:::aws-athena-query-results-*"],
)

#: ARN → document.
MANAGED: dict[str, dict[str, Any]] = {
    _PREFIX + "AdministratorAccess": _document(_allow("*")),
    _PREFIX + "PowerUserAccess": _document(
        {
            "Effect": "Allow",
            "NotAction": ["iam:*", "organizations:*", "account:*"],
            "Resource": "*",
        },
        _allow("iam:ListRoles", "iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole"),
    ),
    _PREFIX + "ReadOnlyAccess": _document(
        _allow(
            "s3:Get*",
            "s3:List*",
            "iam:Get*",
            "iam:List*",
            "iam:Simulate*",
            "sts:GetCallerIdentity",
            "glue:Get*",
            "glue:BatchGet*",
            "glue:List*",
            "glue:Search*",
            "athena:Get*",
            "athena:BatchGet*",
            "athena:List*",
            "redshift-data:Describe*",
            "redshift-data:List*",
            "redshift-serverless:Get*",
            "redshift-serverless:List*",
            "quicksight:Describe*",
            "quicksight:List*",
            "quicksight:Get*",
            "quicksight:Search*",
        )
    ),
    _PREFIX + "IAMFullAccess": _document(_allow("iam:*")),
    _PREFIX + "IAMReadOnlyAccess": _document(
        _allow("iam:Get*", "iam:List*", "iam:GenerateCredentialReport", "iam:Simulate*")
    ),
    _PREFIX + "AmazonS3FullAccess": _document(_allow("s3:*", "s3-object-lambda:*")),
    _PREFIX + "AmazonS3ReadOnlyAccess": _document(_allow("s3:Get*", "s3:List*", "s3:Describe*")),
    _PREFIX + "AmazonAthenaFullAccess": _document(
        _allow("athena:*"),
        _allow(
            "glue:CreateDatabase",
            "glue:DeleteDatabase",
            "glue:GetDatabase",
            "glue:GetDatabases",
            "glue:UpdateDatabase",
            "glue:CreateTable",
            "glue:DeleteTable",
            "glue:BatchDeleteTable",
            "glue:UpdateTable",
            "glue:GetTable",
            "glue:GetTables",
            "glue:BatchCreatePartition",
            "glue:CreatePartition",
            "glue:DeletePartition",
            "glue:BatchDeletePartition",
            "glue:UpdatePartition",
            "glue:GetPartition",
            "glue:GetPartitions",
            "glue:BatchGetPartition",
            "glue:GetColumnStatisticsForTable",
            "glue:GetColumnStatisticsForPartition",
        ),
        _ATHENA_S3,
        _allow("s3:ListBucket", "s3:GetBucketLocation", "s3:ListAllMyBuckets"),
    ),
    _PREFIX + "AWSGlueConsoleFullAccess": _document(
        _allow(
            "glue:*",
            "s3:ListAllMyBuckets",
            "s3:ListBucket",
            "s3:GetBucketAcl",
            "s3:GetBucketLocation",
            "iam:ListRoles",
            "iam:ListUsers",
            "iam:ListGroups",
            "iam:ListRolePolicies",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
        ),
        _allow("s3:GetObject", "s3:PutObject", resources=["arn:aws:s3:::aws-glue-*/*", "arn:aws:s3:::*/*aws-glue-*/*"]),
        {
            **_allow("iam:PassRole", resources="arn:aws:iam::*:role/AWSGlueServiceRole*"),
            "Condition": {"StringLike": {"iam:PassedToService": ["glue.amazonaws.com"]}},
        },
    ),
    _PREFIX + "service-role/AWSGlueServiceRole": _document(
        _allow(
            "glue:*",
            "s3:GetBucketLocation",
            "s3:ListBucket",
            "s3:ListAllMyBuckets",
            "s3:GetBucketAcl",
            "iam:ListRolePolicies",
            "iam:GetRole",
            "iam:GetRolePolicy",
        ),
        _allow("s3:CreateBucket", "s3:PutBucketPublicAccessBlock", resources=["arn:aws:s3:::aws-glue-*"]),
        _allow(
            "s3:GetObject",
            "s3:PutObject",
            "s3:DeleteObject",
            resources=["arn:aws:s3:::aws-glue-*/*", "arn:aws:s3:::*/*aws-glue-*/*"],
        ),
        _allow("s3:GetObject", resources=["arn:aws:s3:::crawler-public*", "arn:aws:s3:::aws-glue-*"]),
    ),
    _PREFIX + "AmazonRedshiftDataFullAccess": _document(
        _allow("redshift-data:*", "redshift-serverless:GetCredentials")
    ),
    _PREFIX + "AmazonRedshiftAllCommandsFullAccess": _document(
        _allow("s3:Get*", "s3:List*", "s3:PutObject"),
        _allow(
            "glue:CreateDatabase",
            "glue:DeleteDatabase",
            "glue:Get*",
            "glue:UpdateDatabase",
            "glue:CreateTable",
            "glue:DeleteTable",
            "glue:BatchDeleteTable",
            "glue:UpdateTable",
            "glue:BatchCreatePartition",
            "glue:CreatePartition",
            "glue:DeletePartition",
            "glue:BatchDeletePartition",
            "glue:UpdatePartition",
            "glue:BatchGetPartition",
        ),
    ),
    _PREFIX + "service-role/AWSQuicksightAthenaAccess": _document(
        _allow(
            "athena:BatchGetQueryExecution",
            "athena:CancelQueryExecution",
            "athena:GetCatalogs",
            "athena:GetQueryExecution",
            "athena:GetQueryResults",
            "athena:GetWorkGroup",
            "athena:ListDataCatalogs",
            "athena:ListDatabases",
            "athena:ListQueryExecutions",
            "athena:ListTableMetadata",
            "athena:ListWorkGroups",
            "athena:StartQueryExecution",
            "athena:StopQueryExecution",
        ),
        _allow(
            "glue:GetDatabase",
            "glue:GetDatabases",
            "glue:GetTable",
            "glue:GetTables",
            "glue:GetPartition",
            "glue:GetPartitions",
            "glue:BatchGetPartition",
        ),
        _ATHENA_S3,
    ),
}
