"""Canonicalisation: whatever botocore signs is recognised, and nothing else is."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcity.localaws.gate.head import Head
from smartcity.localaws.gate.signature import Malformed, genuine, read

from .rig import sign

KEY = {"key": "AKIAEXAMPLE", "secret": "s3cr3t/+="}
NOW = 1_790_000_000.0
HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

texts = st.text(st.characters(blacklist_categories=("Cs",)), max_size=12)
names = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=8)
header_values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


def head_of(method: str, path: str, query: str, headers: dict[str, str]) -> Head:
    return Head(method, path, query, {name.lower(): value for name, value in headers.items()})


def accepted(head: Head, secret: str = KEY["secret"], payload_hash: str = HASH) -> bool:
    return genuine(head, read(head), secret, payload_hash)


def encoded(pairs: list[tuple[str, str]]) -> str:
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)


@given(key=texts, pairs=st.lists(st.tuples(names, texts), max_size=4), value=header_values)
@settings(max_examples=150, deadline=None)
def test_what_botocore_signs_is_genuine(key: str, pairs: list[tuple[str, str]], value: str) -> None:
    path, query = "/bucket/" + quote(key, safe="/~"), encoded(pairs)
    headers = sign("s3", "GET", path, {"x-amz-meta-v": value, "Range": "bytes=0-1"}, b"", KEY, NOW, query)
    assert accepted(head_of("GET", path, query, headers))


@given(
    key=st.text("abc/=+ ü%", min_size=1, max_size=10),
    pairs=st.lists(st.tuples(st.text("ab/=+ü", min_size=1, max_size=4), st.text("ab/=+ &ü", max_size=4)), max_size=3),
)
@settings(max_examples=150, deadline=None)
def test_clients_may_encode_less_than_they_sign(key: str, pairs: list[tuple[str, str]]) -> None:
    """Signed in canonical encoding, sent with `=`, `+`, `:` and the like left as they are."""
    canonical, query = "/bucket/" + quote(key, safe="/~"), encoded(pairs)
    headers = sign("s3", "GET", canonical, {}, b"", KEY, NOW, query)
    lax_path = "/bucket/" + quote(key, safe="/~=+:@!$'()*,;")
    lax_query = "&".join(f"{quote(n, safe='~/:+')}={quote(v, safe='~/:=+')}" for n, v in pairs)
    assert accepted(head_of("GET", lax_path, lax_query, headers))


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_nothing_that_was_signed_can_be_changed(data: st.DataObject) -> None:
    path, query = "/bucket/dt%3D1/x", "list-type=2&prefix=a%2Fb"
    headers = sign("s3", "PUT", path, {"x-amz-meta-v": "one two"}, b"", KEY, NOW, query)
    assert accepted(head_of("PUT", path, query, headers))
    changed = data.draw(
        st.sampled_from(["method", "path", "query", "header", "host", "date", "hash", "secret", "signature"])
    )
    method, secret, payload_hash, altered = "PUT", KEY["secret"], HASH, dict(headers)
    character = data.draw(st.sampled_from("abcdef0123456789"))
    if changed == "method":
        method = data.draw(st.sampled_from(["GET", "POST", "DELETE", "HEAD"]))
    elif changed == "path":
        path = data.draw(
            st.sampled_from(["/bucket/dt%3D1/y", "/bucket/dt%3D1", "/bucket//dt%3D1/x", "/bucket/dt%3D1/x/"])
        )
    elif changed == "query":
        query = data.draw(st.sampled_from([query + "&acl", "prefix=a%2Fb", "list-type=2&prefix=a%2Fc", ""]))
    elif changed == "header":
        altered["x-amz-meta-v"] = data.draw(st.sampled_from(["one", "one two three", "ONE TWO", ""]))
    elif changed == "host":
        altered["Host"] = "elsewhere"
    elif changed == "date":
        altered["X-Amz-Date"] = altered["X-Amz-Date"][:-2] + "9Z"
    elif changed == "hash":
        payload_hash = "0" * 64
    elif changed == "secret":
        secret = KEY["secret"] + "x"
    else:
        given_signature = altered["Authorization"]
        altered["Authorization"] = given_signature[:-1] + character
        if character == given_signature[-1]:
            return
    assert not accepted(head_of(method, path, query, altered), secret, payload_hash)


@given(header=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_authorization_is_read_or_malformed(header: str) -> None:
    try:
        read(Head("GET", "/", "", {"authorization": header, "x-amz-date": "20260301T070000Z"}))
    except Malformed:
        return
    raise AssertionError("random text is no signature")


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Signature=0",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A/20260301/r/s3/aws4_request&X-Amz-Signature=0",
        "X-Amz-Algorithm=AWS4-HMAC-SHA1&X-Amz-Credential=A/20260301/r/s3/aws4_request&X-Amz-Expires=1&X-Amz-Signature=0",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A/20260301/r/s3/aws4_request&X-Amz-Expires=-1&X-Amz-Signature=0",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A/20260301/r/s3/aws4_request&X-Amz-Expires=604801"
        "&X-Amz-Date=20260301T070000Z&X-Amz-Signature=0",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A/20260301/r/s3/aws4_request&X-Amz-Expires=1"
        "&X-Amz-Date=20260302T070000Z&X-Amz-Signature=0",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A/20260399/r/s3/aws4_request&X-Amz-Expires=1"
        "&X-Amz-Date=20260399T070000Z&X-Amz-Signature=0",
    ],
)
def test_malformed_presigned_urls(query: str) -> None:
    with pytest.raises(Malformed):
        read(Head("GET", "/b/k", query, {}))
