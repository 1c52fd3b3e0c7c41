"""JSON services behind the gate: parsing, validation, errors as AWS words them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from .rig import AwsError, Key, Rig


def test_a_call_reaches_the_service_parsed_and_its_answer_goes_back_by_the_model(rig: Rig) -> None:
    created = datetime(2026, 3, 1, 7, 0, 0, 250_000, UTC)
    rig.glue.answer = {"Database": {"Name": "d", "CreateTime": created, "Description": None, "NotInTheModel": 1}}
    answer = rig.call_json("AWSGlue.GetDatabase", {"Name": "d", "Unknown": "ignored"})
    assert answer.status == 200
    assert answer.json == {"Database": {"Name": "d", "CreateTime": created.timestamp()}}
    assert answer.headers["x-amzn-requestid"] == rig.glue.seen[0].request_id
    assert rig.glue.seen[0].params == {"Name": "d"}
    assert rig.glue.seen[0].caller.arn == "arn:aws:iam::000000000000:user/admin"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "SerializationException"),
        (b"[]", "SerializationException"),
        (b'"text"', "SerializationException"),
        (b"\xff\xfe", "SerializationException"),
        (b'{"Name": 5}', "SerializationException"),
        (b'{"Name": {"a": 1}}', "SerializationException"),
        (b'{"Name": true}', "SerializationException"),
        (b"[" * 100_000, "SerializationException"),
        (b"", "InvalidInputException"),
        (b"{}", "InvalidInputException"),
        (b'{"Name": null}', "InvalidInputException"),
        (b'{"Name": ""}', "InvalidInputException"),
    ],
)
def test_bad_bodies(rig: Rig, body: bytes, code: str) -> None:
    answer = rig.call_json("AWSGlue.GetDatabase", body)
    assert (answer.status, answer.json["__type"], answer.headers["x-amzn-errortype"]) == (400, code, code)
    assert rig.glue.seen == []


def test_a_violated_constraint_is_named_as_aws_names_it(rig: Rig) -> None:
    message = rig.call_json("AWSGlue.GetDatabase", {}).json["message"]
    assert message == (
        "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"
    )


@pytest.mark.parametrize(
    "target", ["AWSGlue.NoSuchThing", "AWSGlue", "", "AmazonAthena.GetDatabase", "AWSGlue.GetTable.x"]
)
def test_unknown_operations(rig: Rig, target: str) -> None:
    answer = rig.call_json(target, {})
    assert (answer.status, answer.json["__type"]) == (400, "UnknownOperationException")


def test_an_operation_of_the_model_that_is_not_here(rig: Rig) -> None:
    answer = rig.call_json("AWSGlue.CreateDevEndpoint", {})
    assert (answer.status, answer.json["__type"]) == (400, "UnknownOperationException")


def test_errors_of_a_service_keep_code_status_and_fields(rig: Rig) -> None:
    rig.glue.answer = AwsError("EntityNotFoundException", "Database x not found.", 400, FromFederationSource=False)
    answer = rig.call_json("AWSGlue.GetDatabase", {"Name": "x"})
    assert (answer.status, answer.json["__type"], answer.json["message"]) == (
        400,
        "EntityNotFoundException",
        "Database x not found.",
    )
    assert answer.json["FromFederationSource"] is False


def test_what_nobody_foresaw_is_logged_and_not_shown(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.glue.answer = RuntimeError("password of the database")
    answer = rig.call_json("AWSGlue.GetDatabase", {"Name": "x"})
    assert (answer.status, answer.json["__type"]) == (500, "InternalServerException")
    assert "password" not in answer.body.decode()
    assert "password of the database" in caplog.text


def test_a_resource_that_cannot_be_derived_denies(rig: Rig) -> None:
    answer = rig.call_json("AWSGlue.GetDatabase", {"Name": "boom"})
    assert answer.status == 500
    assert rig.glue.seen == []


def key_with(rig: Rig, statement: str) -> Key:
    rig.call_query("iam", "Action=CreateUser&Version=2010-05-08&UserName=u")
    document = '{"Version":"2012-10-17","Statement":[' + statement + "]}"
    from urllib.parse import quote

    form = f"Action=PutUserPolicy&Version=2010-05-08&UserName=u&PolicyName=p&PolicyDocument={quote(document)}"
    assert rig.call_query("iam", form).status == 200
    made = rig.call_query("iam", "Action=CreateAccessKey&Version=2010-05-08&UserName=u").body.decode()

    def between(name: str) -> str:
        return made.partition(f"<{name}>")[2].partition("<")[0]

    return {"key": between("AccessKeyId"), "secret": between("SecretAccessKey")}


def test_every_resource_of_a_call_has_to_be_allowed(rig: Rig) -> None:
    database = "arn:aws:glue:eu-west-2:000000000000:database/d"
    catalog = "arn:aws:glue:eu-west-2:000000000000:catalog"

    def asked(resources: str, name: str = "d") -> Any:
        statement = f'{{"Effect":"Allow","Action":"glue:Get*","Resource":{resources}}}'
        rig.glue.answer = {"Database": {"Name": name}}
        key = key_with(rig, statement)
        answer = rig.call_json("AWSGlue.GetDatabase", {"Name": name}, key)
        rig.call_query("iam", f"Action=DeleteAccessKey&Version=2010-05-08&UserName=u&AccessKeyId={key['key']}")
        return answer

    assert asked(f'["{database}","{catalog}"]').status == 200
    only = asked(f'["{database}"]')
    assert (only.status, only.json["__type"]) == (400, "AccessDeniedException")
    assert only.json["Message"] == (
        "User: arn:aws:iam::000000000000:user/u is not authorized to perform: glue:GetDatabase on resource: "
        f"{catalog} because no identity-based policy allows the glue:GetDatabase action"
    )
    assert asked(f'["{database}","{catalog}"]', "other").status == 400


def test_a_service_that_fails_to_load_says_so(rig: Rig) -> None:
    from smartcity.localaws.gate.deferred import DeferredService

    broken = DeferredService("athena", "smartcity.localaws.no_such_module", "X", rig.context)
    broken.start()
    with pytest.raises(AwsError, match="athena is not available"):
        broken.resource_arns("GetWorkGroup", {})
