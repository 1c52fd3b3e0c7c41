"""Proof that each role can do its work and no more: IAM's own simulation, and really trying with its credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from smartcity.pipeline.access.roles import Probe, Role, Scope

How = Literal["simulated", "tried"]
MakeClient = Callable[..., Any]


@dataclass(frozen=True)
class Verdict:
    """One probe of one role: what should be and what is."""

    actor: str
    probe: Probe
    expected: bool
    found: bool
    how: How

    @property
    def right(self) -> bool:
        """Whether the role behaves as it must."""
        return self.expected == self.found

    def sentence(self) -> str:
        """Actor, action and resource."""
        verb = "may" if self.found else "may not"
        should = "" if self.right else ", but should" if self.expected else ", but should not"
        return f"{self.actor} {verb} {self.probe.action} on {self.probe.resource}{should}"


def simulate(iam: Any, role: Role, role_arn: str) -> list[Verdict]:
    """Ask SimulatePrincipalPolicy about everything that must be allowed or denied."""
    wanted = [(probe, True) for probe in role.allowed] + [(probe, False) for probe in role.denied]
    return [
        Verdict(role.name, probe, expected, _simulated(iam, role_arn, probe), "simulated") for probe, expected in wanted
    ]


def _simulated(iam: Any, role_arn: str, probe: Probe) -> bool:
    context = [
        {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]}
        for key, value in probe.context.items()
    ]
    found = iam.simulate_principal_policy(
        PolicySourceArn=role_arn, ActionNames=[probe.action], ResourceArns=[probe.resource], ContextEntries=context
    )
    return bool(found["EvaluationResults"][0]["EvalDecision"] == "allowed")


def assume(sts: Any, role_arn: str, session: str) -> dict[str, str]:
    """Credentials of a role, as boto3's clients take them."""
    found = sts.assume_role(RoleArn=role_arn, RoleSessionName=session, DurationSeconds=900)["Credentials"]
    return {
        "aws_access_key_id": found["AccessKeyId"],
        "aws_secret_access_key": found["SecretAccessKey"],
        "aws_session_token": found["SessionToken"],
    }


@contextmanager
def seeded(s3: Any, bucket: str, role: Role) -> Iterator[None]:
    """Put what `attempt` will ask for and remove it afterwards: who may not list is denied what is not there."""
    objects = (probe.resource for probe, _ in _both(role) if probe.action.startswith("s3:") and "/" in probe.resource)
    ours = f"arn:aws:s3:::{bucket}/"
    keys = {_bucket_key(resource)[1] for resource in objects if resource.startswith(ours)}
    try:
        for key in keys:
            s3.put_object(Bucket=bucket, Key=key, Body=b"")
        yield
    finally:
        for key in keys:
            s3.delete_object(Bucket=bucket, Key=key)


def attempt(make: MakeClient, credentials: dict[str, str], role: Role, scope: Scope) -> list[Verdict]:
    """Really try what can be tried without harm, on the objects that `seeded` put there.

    A refusal is AccessDenied; any other answer, such as EntityNotFoundException, means that the role was let through.
    """
    verdicts = []
    for probe, expected in _both(role):
        call = _CALLS.get(probe.action)
        if call is not None and (expected or probe.action in _HARMLESS or scope.bucket in probe.resource):
            found = _let_through(lambda call=call, probe=probe: call(make, credentials, probe))  # type: ignore[misc]
            verdicts.append(Verdict(role.name, probe, expected, found, "tried"))
    return verdicts


def _both(role: Role) -> Iterable[tuple[Probe, bool]]:
    yield from ((probe, True) for probe in role.allowed)
    yield from ((probe, False) for probe in role.denied)


def _let_through(call: Callable[[], object]) -> bool:
    from botocore.exceptions import ClientError

    try:
        call()
    except ClientError as error:
        return (
            not str(error.response["Error"]["Code"]).startswith("AccessDenied")
            and error.response["Error"]["Code"] != "403"
        )
    return True


def _bucket_key(resource: str) -> tuple[str, str]:
    bucket, _, key = resource.removeprefix("arn:aws:s3:::").partition("/")
    return bucket, f"{key.rsplit('/', 1)[0]}/smartcity-access-check" if key else ""


def _get(make: MakeClient, key: dict[str, str], probe: Probe) -> object:
    bucket, name = _bucket_key(probe.resource)
    return make("s3", **key).get_object(Bucket=bucket, Key=name)


def _delete(make: MakeClient, key: dict[str, str], probe: Probe) -> object:
    bucket, name = _bucket_key(probe.resource)
    return make("s3", **key).delete_object(Bucket=bucket, Key=name)


def _put(make: MakeClient, key: dict[str, str], probe: Probe) -> object:
    """An empty object under a name that the check itself removes; data files end in .parquet, so nobody reads it."""
    bucket, name = _bucket_key(probe.resource)
    return make("s3", **key).put_object(Bucket=bucket, Key=name, Body=b"")


def _listing(make: MakeClient, key: dict[str, str], probe: Probe) -> object:
    bucket, _ = _bucket_key(probe.resource)
    return make("s3", **key).list_objects_v2(Bucket=bucket, Prefix=probe.context.get("s3:prefix", ""), MaxKeys=1)


def _glue_table(make: MakeClient, key: dict[str, str], probe: Probe) -> object:
    database, table = probe.resource.rsplit(":table/", 1)[1].split("/")
    return make("glue", **key).get_table(DatabaseName=database, Name=table)


def _create_user(make: MakeClient, key: dict[str, str], _: Probe) -> object:
    return make("iam", **key).create_user(UserName="smartcity-access-check")


def _assume(make: MakeClient, key: dict[str, str], probe: Probe) -> object:
    return make("sts", **key).assume_role(RoleArn=probe.resource, RoleSessionName="check")


def _describe(make: MakeClient, key: dict[str, str], _: Probe) -> object:
    return make("redshift-data", **key).describe_statement(Id="00000000-0000-0000-0000-000000000000")


_CALLS: dict[str, Callable[[MakeClient, dict[str, str], Probe], object]] = {
    "s3:GetObject": _get,
    "s3:PutObject": _put,
    "s3:DeleteObject": _delete,
    "s3:ListBucket": _listing,
    "glue:GetTable": _glue_table,
    "iam:CreateUser": _create_user,
    "sts:AssumeRole": _assume,
    "redshift-data:DescribeStatement": _describe,
}
_HARMLESS = {"s3:GetObject", "s3:ListBucket", "glue:GetTable", "iam:CreateUser", "sts:AssumeRole"}
