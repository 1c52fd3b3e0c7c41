"""`aws-chunked` bodies: any fragmentation gives the same bytes, any alteration is noticed."""

from __future__ import annotations

import hashlib
import hmac
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcity.localaws.gate.body import BodyMalformed, ChunkDecoder, ChunkSignatureWrong, ChunkSigner
from smartcity.localaws.gate.signature import Signature

SIGNATURE = Signature("A", "20260301", "eu-west-2", "s3", ("host",), "ab" * 32, "20260301T070000Z", "", None)
KEY = b"k" * 32
EMPTY = hashlib.sha256(b"").hexdigest()


def framed(chunks: list[bytes], trailers: dict[str, str], signed: bool) -> bytes:
    """A body as the AWS SDK for Java frames it, written from the specification."""
    previous, body = SIGNATURE.value, b""

    def signature(algorithm: str, rest: str) -> str:
        nonlocal previous
        text = "\n".join([algorithm, SIGNATURE.timestamp, SIGNATURE.scope, previous, rest])
        previous = hmac.new(KEY, text.encode(), "sha256").hexdigest()
        return previous

    for chunk in [*chunks, b""]:
        digest = hashlib.sha256(chunk).hexdigest()
        extension = (
            f";chunk-signature={signature('AWS4-HMAC-SHA256-PAYLOAD', f'{EMPTY}{chr(10)}{digest}')}" if signed else ""
        )
        body += f"{len(chunk):x}{extension}\r\n".encode() + (chunk + b"\r\n" if chunk else b"")
    for name, value in trailers.items():
        body += f"{name}:{value}\r\n".encode()
    if trailers and signed:
        canonical = "".join(f"{name}:{value}\n" for name, value in sorted(trailers.items())).encode()
        digest = hashlib.sha256(canonical).hexdigest()
        body += f"x-amz-trailer-signature:{signature('AWS4-HMAC-SHA256-TRAILER', digest)}\r\n".encode()
    return body + b"\r\n"


def decoded(body: bytes, cuts: list[int], signed: bool) -> tuple[bytes, dict[str, str]]:
    decoder = ChunkDecoder(ChunkSigner(KEY, SIGNATURE) if signed else None)
    edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    payload = b"".join(piece for start, end in pairwise(edges) for piece in decoder.feed(body[start:end]))
    decoder.close()
    return payload, decoder.trailers


chunk_lists = st.lists(st.binary(min_size=1, max_size=40), max_size=5)
trailer_sets = st.sampled_from([{}, {"x-amz-checksum-crc32": "AAAAAA=="}])


@given(chunks=chunk_lists, trailers=trailer_sets, cuts=st.lists(st.integers(0, 500), max_size=12), signed=st.booleans())
@settings(max_examples=200, deadline=None)
def test_fragmentation_does_not_matter(
    chunks: list[bytes], trailers: dict[str, str], cuts: list[int], signed: bool
) -> None:
    assert decoded(framed(chunks, trailers, signed), cuts, signed) == (b"".join(chunks), trailers)


@given(chunks=chunk_lists, at=st.integers(0, 10_000), value=st.integers(0, 255))
@settings(max_examples=300, deadline=None)
def test_an_altered_byte_is_noticed(chunks: list[bytes], at: int, value: int) -> None:
    trailers = {"x-amz-checksum-crc32": "AAAAAA=="}
    body = bytearray(framed(chunks, trailers, signed=True))
    position = at % len(body)
    if body[position] == value:
        return
    body[position] = value
    try:
        payload, found = decoded(bytes(body), [], signed=True)
    except (BodyMalformed, ChunkSignatureWrong):
        return
    # what was altered may be framing that carries nothing: the case of a size's digits, a name's case, space
    assert (payload, found) == (b"".join(chunks), trailers)


@given(chunks=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=5), cut=st.integers(0, 10_000))
@settings(max_examples=200, deadline=None)
def test_a_body_that_was_cut_off_is_noticed(chunks: list[bytes], cut: int) -> None:
    body = framed(chunks, {}, signed=True)
    end = body.rindex(b"0;chunk-signature=")
    with pytest.raises((BodyMalformed, ChunkSignatureWrong)):
        decoded(body[: cut % end], [], signed=True)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_noise_is_decoded_or_malformed(noise: bytes) -> None:
    try:
        decoded(noise, [], signed=False)
    except BodyMalformed:
        return


@pytest.mark.parametrize(
    "body", [b"5\r\nhello", b"zz\r\n", b"-1\r\n", b"5\r\nhello!!0\r\n\r\n", b"0\r\n\r\nmore", b"\r\n"]
)
def test_broken_frames(body: bytes) -> None:
    with pytest.raises(BodyMalformed):
        decoded(body, [], signed=False)
