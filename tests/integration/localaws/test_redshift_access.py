"""Roles on a real local AWS: made, checked by simulation and by trying, refused with AWS's words, removed."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from smartcity.pipeline import access
from tests.integration.localaws.local_aws_process import LocalAws
from tests.integration.localaws.redshift_lake import City

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def city(local_aws: LocalAws) -> City:
    return City(local_aws, "access-city").build()


def test_apply_twice_then_every_probe_is_right(city: City) -> None:
    iam, sts = city.aws.client("iam"), city.aws.client("sts")
    wanted = access.roles(city.scope)
    access.apply_roles(iam, wanted, city.name)
    assert {change.what for change in access.apply_roles(iam, wanted, city.name)} == {"unchanged"}
    verdicts = []
    for role in wanted:
        arn = f"arn:aws:iam::{city.aws.account_id}:role/{role.name}"
        verdicts += access.simulate(iam, role, arn)
        if not role.assumed_by_service:
            with access.seeded(city.s3, city.bucket, role):
                verdicts += access.attempt(city.aws.client, access.assume(sts, arn, "check"), role, city.scope)
    assert [verdict.sentence() for verdict in verdicts if not verdict.right] == []
    assert sum(verdict.how == "tried" for verdict in verdicts) > 30


def test_a_role_that_can_too_much_is_found_out(city: City) -> None:
    iam = city.aws.client("iam")
    role = access.ACTORS["frames"](city.scope)
    arn = access.ensure_role(iam, role, city.name)
    more = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{city.bucket}/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [more]})
    iam.put_role_policy(RoleName=role.name, PolicyName="more", PolicyDocument=document)
    wrong = [verdict.sentence() for verdict in access.simulate(iam, role, arn) if not verdict.right]
    assert len(wrong) == 1
    assert wrong[0].startswith(f"{role.name} may s3:GetObject on arn:aws:s3:::{city.bucket}/frames/")
    assert access.plan_roles(iam, [role], city.name)[0].details == ("policy more is not ours",)
    iam.delete_role_policy(RoleName=role.name, PolicyName="more")


def test_a_wrong_secret_and_a_broken_token_are_refused(city: City) -> None:
    arn = access.ensure_role(city.aws.client("iam"), access.ACTORS["frames"](city.scope), city.name)
    key = access.assume(city.aws.client("sts"), arn, "refused")
    for broken in ({"aws_secret_access_key": "x" * 40}, {"aws_session_token": "nonsense"}):
        with pytest.raises(ClientError) as caught:
            city.aws.client("s3", **{**key, **broken}).put_object(Bucket=city.bucket, Key="frames/a", Body=b"")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in {400, 403}


def test_remove_takes_only_what_carries_our_tag(city: City) -> None:
    iam = city.aws.client("iam")
    access.apply_roles(iam, access.roles(city.scope), city.name)
    iam.untag_role(RoleName=f"{city.name}-analyst", TagKeys=[access.TAG_KEY])
    done = {change.role: change.what for change in access.remove_roles(iam, city.scope)}
    assert done.pop(f"{city.name}-analyst") == "refused"
    assert set(done.values()) == {"remove"}
    assert access.describe_role(iam, f"{city.name}-analyst") is not None
    assert access.describe_role(iam, f"{city.name}-stream") is None
