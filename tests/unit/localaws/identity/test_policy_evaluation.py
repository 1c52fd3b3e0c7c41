"""AWS's evaluation logic, case by case, and properties that hold for every policy."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcity.localaws.api import AwsError
from smartcity.localaws.identity import conditions, documents
from smartcity.localaws.identity.glob import matches
from smartcity.localaws.identity.managed import MANAGED
from smartcity.localaws.identity.policy import Effect, PolicySet, Principal, Question, statements


def parsed(*items: dict[str, Any]) -> Any:
    return statements({"Version": "2012-10-17", "Statement": list(items)})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def decide(items: list[dict[str, Any]], action: str, resource: str = "arn:aws:s3:::b/k", **context: Any) -> Effect:
    keys = {name.replace("__", ":").lower(): (value,) for name, value in context.items()}
    return PolicySet(parsed(*items)).decide(Question(action, resource, keys)).effect


@given(pattern=st.text("ab*?.[", max_size=10), text=st.text("ab.[", max_size=14))
@settings(max_examples=500)
def test_wildcards_mean_what_they_mean(pattern: str, text: str) -> None:
    wanted = re.fullmatch("".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern), text, re.DOTALL)
    assert matches(pattern, text) == bool(wanted)


def test_a_hostile_wildcard_takes_no_time() -> None:
    assert not matches("*a" * 300 + "b", "a" * 3000)


@pytest.mark.parametrize(
    ("items", "action", "effect"),
    [
        ([], "s3:GetObject", Effect.IMPLICIT_DENY),
        ([allow("s3:GetObject")], "s3:GetObject", Effect.ALLOW),
        ([allow("s3:getobject")], "s3:GetObject", Effect.ALLOW),
        ([allow("s3:Get*")], "s3:GetObject", Effect.ALLOW),
        ([allow("s3:Get*")], "s3:PutObject", Effect.IMPLICIT_DENY),
        ([allow("*"), deny("s3:*")], "s3:GetObject", Effect.EXPLICIT_DENY),
        ([deny("s3:Put*"), allow("s3:*")], "s3:GetObject", Effect.ALLOW),
        ([allow("s3:*", "arn:aws:s3:::b/*")], "s3:GetObject", Effect.ALLOW),
        ([allow("s3:*", "arn:aws:s3:::b")], "s3:GetObject", Effect.IMPLICIT_DENY),
        ([allow("s3:*", ["arn:aws:s3:::x/*", "arn:aws:s3:::b/?"])], "s3:GetObject", Effect.ALLOW),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], "s3:GetObject", Effect.ALLOW),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], "iam:ListUsers", Effect.IMPLICIT_DENY),
        ([{"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::b/*"}, allow("*")], "s3:Get", Effect.ALLOW),
        (
            [{"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::c/*"}, allow("*")],
            "s3:Get",
            Effect.EXPLICIT_DENY,
        ),
    ],
)
def test_statements(items: list[dict[str, Any]], action: str, effect: Effect) -> None:
    assert decide(items, action) is effect


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"s3:prefix": "raw"}}, {"s3__prefix": "raw"}, True),
        ({"StringEquals": {"s3:prefix": ["raw", "cur"]}}, {"s3__prefix": "cur"}, True),
        ({"StringEquals": {"s3:prefix": "raw"}}, {"s3__prefix": "Raw"}, False),
        ({"StringEqualsIgnoreCase": {"s3:prefix": "raw"}}, {"s3__prefix": "RAW"}, True),
        ({"StringEquals": {"s3:prefix": "raw"}}, {}, False),
        ({"StringEqualsIfExists": {"s3:prefix": "raw"}}, {}, True),
        ({"StringNotEquals": {"s3:prefix": "raw"}}, {}, True),
        ({"StringNotEquals": {"s3:prefix": ["raw", "cur"]}}, {"s3__prefix": "cur"}, False),
        ({"StringLike": {"s3:prefix": "ra?/*"}}, {"s3__prefix": "raw/x/y"}, True),
        ({"StringNotLike": {"s3:prefix": "raw*"}}, {"s3__prefix": "raw"}, False),
        ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, {"s3__max-keys": "10"}, True),
        ({"NumericLessThan": {"s3:max-keys": "10"}}, {"s3__max-keys": "11"}, False),
        ({"NumericEquals": {"s3:max-keys": 10}}, {"s3__max-keys": "abc"}, False),
        (
            {"DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}},
            {"aws__currenttime": "2026-03-01T00:00:00Z"},
            True,
        ),
        (
            {"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}},
            {"aws__currenttime": "2026-03-01T00:00:00Z"},
            False,
        ),
        ({"Bool": {"aws:SecureTransport": False}}, {"aws__securetransport": "false"}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, {"aws__securetransport": "false"}, False),
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, {"aws__sourceip": "127.0.0.1"}, True),
        ({"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, {"aws__sourceip": "127.0.0.1"}, False),
        ({"IpAddress": {"aws:SourceIp": "rubbish"}}, {"aws__sourceip": "127.0.0.1"}, False),
        (
            {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/a*"}},
            {"aws__principalarn": "arn:aws:iam::1:role/abc"},
            True,
        ),
        ({"ArnLike": {"aws:PrincipalArn": "arn:*:abc"}}, {"aws__principalarn": "arn:aws:iam::1:role/abc"}, False),
        ({"Null": {"s3:prefix": "true"}}, {}, True),
        ({"Null": {"s3:prefix": "false"}}, {}, False),
        ({"Null": {"s3:prefix": "false"}}, {"s3__prefix": ""}, True),
        ({"StringEquals": {"s3:prefix": "a"}, "Bool": {"aws:SecureTransport": "true"}}, {"s3__prefix": "a"}, False),
    ],
)
def test_conditions(condition: dict[str, Any], context: dict[str, str], holds: bool) -> None:
    effect = decide([allow("s3:*", Condition=condition)], "s3:ListBucket", **context)
    assert (effect is Effect.ALLOW) is holds


@pytest.mark.parametrize(
    ("operator", "actual", "holds"),
    [
        ("ForAnyValue:StringEquals", ("a", "z"), True),
        ("ForAnyValue:StringEquals", ("z",), False),
        ("ForAnyValue:StringEquals", None, False),
        ("ForAllValues:StringEquals", ("a", "b"), True),
        ("ForAllValues:StringEquals", ("a", "z"), False),
        ("ForAllValues:StringEquals", None, True),
    ],
)
def test_sets_of_values(operator: str, actual: tuple[str, ...] | None, holds: bool) -> None:
    assert conditions.holds(operator, ["a", "b"], actual) is holds


def test_policy_variables() -> None:
    home = allow("s3:*", "arn:aws:s3:::b/${aws:username}/*")
    assert decide([home], "s3:GetObject", "arn:aws:s3:::b/anna/x", aws__username="anna") is Effect.ALLOW
    assert decide([home], "s3:GetObject", "arn:aws:s3:::b/eve/x", aws__username="anna") is Effect.IMPLICIT_DENY
    assert decide([home], "s3:GetObject", "arn:aws:s3:::b//x") is Effect.IMPLICIT_DENY
    other = allow("s3:*", "arn:aws:s3:::b/${aws:PrincipalTag/team, 'none'}/*")
    assert decide([other], "s3:GetObject", "arn:aws:s3:::b/none/x") is Effect.ALLOW


actions = st.sampled_from(["s3:*", "s3:Get*", "s3:GetObject", "*", "iam:*"])
resources = st.sampled_from(["*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/k", "arn:aws:s3:::c/*"])
items = st.builds(
    lambda effect, action, resource: {"Effect": effect, "Action": action, "Resource": resource},
    st.sampled_from(["Allow", "Deny"]),
    actions,
    resources,
)


@given(first=st.lists(items, max_size=4), second=st.lists(items, max_size=4))
@settings(max_examples=300)
def test_layers_only_ever_narrow(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    question = Question("s3:GetObject", "arn:aws:s3:::b/k")
    alone = PolicySet(parsed(*first)).decide(question).effect
    for layered in (
        PolicySet(parsed(*first), boundary=parsed(*second)),
        PolicySet(parsed(*first), session=parsed(*second)),
    ):
        effect = layered.decide(question).effect
        other = PolicySet(parsed(*second)).decide(question).effect
        assert (effect is Effect.ALLOW) == (alone is Effect.ALLOW and other is Effect.ALLOW)
        if Effect.EXPLICIT_DENY in (alone, other):
            assert effect is Effect.EXPLICIT_DENY


@given(first=st.lists(items, max_size=4), second=st.lists(items, max_size=4))
@settings(max_examples=300)
def test_a_resource_policy_grants_beside_the_identity_but_denies_over_it(
    first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    principal = Principal("arn:aws:iam::1:user/u", "1", ("arn:aws:iam::1:user/u",))
    question = Question("s3:GetObject", "arn:aws:s3:::b/k", {}, principal)
    own = PolicySet(parsed(*first))
    by_resource = parsed(*({**item, "Principal": "*"} for item in second))
    effects = {own.decide(question).effect, PolicySet(by_resource).decide(question).effect}
    together = own.decide(question, by_resource).effect
    if Effect.EXPLICIT_DENY in effects:
        assert together is Effect.EXPLICIT_DENY
    else:
        assert (together is Effect.ALLOW) == (Effect.ALLOW in effects)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"Statement": 5}',
        '{"Statement": [{"Effect": "Allow"}]}',
        '{"Statement": [{"Effect": "allow", "Action": "*", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "GetObject", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": [], "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "*", "NotAction": "*", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringIs": {"a": "b"}}}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringLike": "b"}}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Extra": 1}]}',
        '{"Version": "2020-01-01", "Statement": []}',
        "[" * 50_000,
    ],
)
def test_documents_that_would_be_misread_are_refused(text: str) -> None:
    with pytest.raises(AwsError) as caught:
        documents.check(text)
    assert caught.value.code == "MalformedPolicyDocument"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["Allow", "s3:*", "*"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Effect", "Action", "Resource", "Principal", "Condition", "StringLike"]), inner
        )
    ),
    max_leaves=12,
)


@given(json_values, st.sampled_from(["identity", "trust", "resource"]))
@settings(max_examples=400)
def test_any_json_is_accepted_and_evaluated_or_refused(value: Any, kind: Any) -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": value})
    try:
        document = documents.check(text, kind)
    except AwsError:
        return
    principal = Principal("arn", "1", ("arn",))
    assert PolicySet(statements(document)).decide(Question("s3:GetObject", "r", {}, principal)).effect in Effect


def test_managed_policies_are_documents() -> None:
    for arn, document in MANAGED.items():
        assert documents.check(json.dumps(document)) == document, arn
