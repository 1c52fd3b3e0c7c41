"""Sessions end when their time is over, and not before."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from smartcity.localaws.api import AwsError
from smartcity.localaws.wire.parse import xml_root

from .rig import Answer, Key, Rig

_TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":%s,"Action":"sts:AssumeRole"}]}'
_ADMIN = '{"AWS":"arn:aws:iam::000000000000:user/admin"}'


def role(rig: Rig, principal: str = _ADMIN, maximum_s: int = 3600) -> str:
    trust = quote(_TRUST % principal)
    form = f"Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument={trust}"
    assert rig.call_query("iam", f"{form}&MaxSessionDuration={maximum_s}").status == 200
    attach = (
        "Action=AttachRolePolicy&Version=2010-05-08&RoleName=r&PolicyArn=arn:aws:iam::aws:policy/AmazonS3FullAccess"
    )
    assert rig.call_query("iam", attach).status == 200
    return "arn:aws:iam::000000000000:role/r"


def assume(rig: Rig, arn: str, seconds: int = 900, key: Key | None = None) -> Answer:
    form = f"Action=AssumeRole&Version=2011-06-15&RoleArn={quote(arn)}&RoleSessionName=s1&DurationSeconds={seconds}"
    return rig.call_query("sts", form, key)


def key_of(answer: Answer) -> Key:
    assert answer.status == 200, answer.body
    found = {e.tag.rpartition("}")[2]: e.text or "" for e in xml_root(answer.body).iter()}
    return {"key": found["AccessKeyId"], "secret": found["SecretAccessKey"], "token": found["SessionToken"]}


def list_buckets(rig: Rig, key: Key) -> Answer:
    return rig.signed("s3", "GET", "/", key=key)


def test_a_session_ends_to_the_second(rig: Rig) -> None:
    key = key_of(assume(rig, role(rig)))
    rig.clock.now += 899
    assert list_buckets(rig, key).status == 200
    rig.clock.now += 1
    expired = list_buckets(rig, key)
    assert (expired.status, b"ExpiredToken" in expired.body) == (400, True)
    identity = rig.call_query("sts", "Action=GetCallerIdentity&Version=2011-06-15", key)
    assert (identity.status, b"<Code>ExpiredToken</Code>" in identity.body) == (403, True)
    database = rig.call_json("AWSGlue.GetDatabase", {"Name": "d"}, key)
    assert (database.status, database.json["__type"]) == (400, "ExpiredTokenException")


def test_expiry_tells_nothing_to_those_without_the_secret(rig: Rig) -> None:
    key = key_of(assume(rig, role(rig)))
    rig.clock.now += 5000
    assert b"SignatureDoesNotMatch" in list_buckets(rig, {**key, "secret": "guess"}).body


@pytest.mark.parametrize(("seconds", "status"), [(899, 400), (900, 200), (3600, 200), (3601, 400)])
def test_how_long_a_session_may_be(rig: Rig, seconds: int, status: int) -> None:
    assert assume(rig, role(rig), seconds).status == status


def test_a_session_of_a_session_lasts_an_hour_at_most(rig: Rig) -> None:
    arn = role(rig, '{"AWS":["arn:aws:iam::000000000000:user/admin","arn:aws:iam::000000000000:role/r"]}', 7200)
    first = key_of(assume(rig, arn, 7200))
    assert b"role chaining" in assume(rig, arn, 3601, first).body
    assert key_of(assume(rig, arn, 3600, first))["token"]


def test_a_role_of_the_same_name_is_another_role(rig: Rig) -> None:
    key = key_of(assume(rig, role(rig)))
    detach = (
        "Action=DetachRolePolicy&Version=2010-05-08&RoleName=r&PolicyArn=arn:aws:iam::aws:policy/AmazonS3FullAccess"
    )
    assert rig.call_query("iam", detach).status == 200
    assert rig.call_query("iam", "Action=DeleteRole&Version=2010-05-08&RoleName=r").status == 200
    assert list_buckets(rig, key).status == 403


def test_services_assume_roles_that_trust_them(rig: Rig) -> None:
    arn = role(rig, '{"Service":"glue.amazonaws.com"}')
    access = rig.context.access
    made = access.role_credentials(arn, "glue.amazonaws.com", "crawl")
    key = {
        "key": made["aws_access_key_id"],
        "secret": made["aws_secret_access_key"],
        "token": made["aws_session_token"],
    }
    assert list_buckets(rig, key).status == 200
    assert access.role_credentials("r", "glue.amazonaws.com", "crawl") == made, "one session serves for a while"
    rig.clock.now += 3600
    assert access.role_credentials("r", "glue.amazonaws.com", "crawl") != made
    for name, service in ((arn, "athena.amazonaws.com"), ("nobody", "glue.amazonaws.com")):
        with pytest.raises(AwsError):
            access.role_credentials(name, service, "crawl")


def test_services_ask_what_a_principal_may(rig: Rig) -> None:
    arn = role(rig)
    access = rig.context.access
    access.check(arn, "s3:GetObject", "arn:aws:s3:::b/k")
    access.check("arn:aws:iam::000000000000:user/admin", "glue:GetTable", "*")
    for principal, action in ((arn, "glue:GetTable"), ("arn:aws:iam::000000000000:user/nobody", "s3:GetObject")):
        with pytest.raises(AwsError) as caught:
            access.check(principal, action, "*")
        assert caught.value.code == "AccessDeniedException"
    session = key_of(assume(rig, arn))
    access.check("arn:aws:sts::000000000000:assumed-role/r/s1", "s3:GetObject", "*")
    rig.clock.now += 5000
    with pytest.raises(AwsError):
        access.check("arn:aws:sts::000000000000:assumed-role/r/s1", "s3:GetObject", "*")
    assert session["token"]
