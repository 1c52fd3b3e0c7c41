"""From the body of a request to S3 to a verified `Upload`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from smartcity.localaws.api import AwsError
from smartcity.localaws.gate.body import BodyMalformed, ChunkDecoder, ChunkSigner, Receive, pieces
from smartcity.localaws.gate.head import Head
from smartcity.localaws.gate.refusals import Fault, fault
from smartcity.localaws.gate.signature import UNSIGNED, Signature, signing_key
from smartcity.localaws.s3.checksums import ALGORITHMS
from smartcity.localaws.s3.content import Upload
from smartcity.localaws.s3.errors import s3_error

_CHECKSUM = "x-amz-checksum-"
_STREAMING_SIGNED = ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
_STREAMING_UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_BATCH_BYTES = 1 << 19
_NOT_ALGORITHMS = ("type", "mode", "algorithm")
#: Largest object of a single PUT, and largest part.
LIMIT_BYTES = 5 << 30

Write = Callable[[Callable[[bytes], None], bytes], Awaitable[None]]


def payload_hash(head: Head) -> str:
    """What the client signed as its payload's hash; raises `InvalidRequest` when it says nothing."""
    declared = head.headers.get("x-amz-content-sha256")
    if declared is None:
        if head.presigned:
            return UNSIGNED
        raise AwsError("InvalidRequest", "Missing required header for this request: x-amz-content-sha256", 400)
    plain = len(declared) == 64 and not declared.strip("0123456789abcdef")
    if not plain and declared not in (UNSIGNED, _STREAMING_UNSIGNED, *_STREAMING_SIGNED):
        message = (
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value."
        )
        raise AwsError("InvalidArgument", message, 400)
    return declared


class Receiver:
    """Receives one body: unframes, digests and verifies it."""

    def __init__(self, head: Head, signature: Signature, secret: str, upload: Callable[[list[str]], Upload]) -> None:
        self._head = head
        self._declared = payload_hash(head)
        self._decoder = self._chunk_decoder(signature, secret)
        claimed = {n[len(_CHECKSUM) :]: v for n, v in head.headers.items() if n.startswith(_CHECKSUM)}
        self._claimed = {name: value for name, value in claimed.items() if name not in _NOT_ALGORITHMS}
        self._promised = self._trailers()
        wanted = {*self._claimed, *self._promised} | ({"sha256"} if self._plain_hash else set())
        if not wanted <= set(ALGORITHMS):
            raise s3_error("NotImplemented", Header=_CHECKSUM + min(wanted - set(ALGORITHMS)))
        self.upload = upload(sorted(wanted))

    @property
    def _plain_hash(self) -> str:
        return self._declared if len(self._declared) == 64 and not self._declared.startswith("STREAMING") else ""

    def _chunk_decoder(self, signature: Signature, secret: str) -> ChunkDecoder | None:
        if self._declared in _STREAMING_SIGNED:
            return ChunkDecoder(ChunkSigner(signing_key(signature, secret), signature))
        if self._declared == _STREAMING_UNSIGNED or "aws-chunked" in self._head.headers.get("content-encoding", ""):
            if self._plain_hash:
                raise AwsError("InvalidArgument", "An aws-chunked body needs a STREAMING payload hash.", 400)
            return ChunkDecoder(None)
        return None

    def _trailers(self) -> list[str]:
        if self._decoder is None:
            return []
        names = [
            name.strip().lower() for name in self._head.headers.get("x-amz-trailer", "").split(",") if name.strip()
        ]
        if any(not name.startswith(_CHECKSUM) for name in names):
            raise s3_error("NotImplemented", Header="x-amz-trailer")
        return [name[len(_CHECKSUM) :] for name in names]

    async def receive(self, receive: Receive, write: Write, limit: int = LIMIT_BYTES) -> Upload:
        """Take the whole body; raises `AwsError` when anything about it is not as declared."""
        try:
            await self._take(receive, write, limit)
            self._verify()
        except BaseException:
            self.upload.discard()
            raise
        return self.upload

    async def _take(self, receive: Receive, write: Write, limit: int) -> None:
        batch = bytearray()
        async for piece in pieces(receive):
            for data in self._decoder.feed(piece) if self._decoder is not None else (piece,):
                batch += data
            if len(batch) >= _BATCH_BYTES:
                await write(self.upload.write, bytes(batch))
                batch = bytearray()
            if self.upload.size + len(batch) > limit:
                raise fault(Fault.TOO_LARGE, "rest-xml", "Your proposed upload exceeds the maximum allowed size")
        if self._decoder is not None:
            self._decoder.close()
        if batch:
            if self.upload.size or len(batch) >= _BATCH_BYTES:
                await write(self.upload.write, bytes(batch))
            else:
                self.upload.write(bytes(batch))

    def _verify(self) -> None:
        headers, upload = self._head.headers, self.upload
        self._verify_size(headers.get("x-amz-decoded-content-length") if self._decoder is not None else None)
        if self._plain_hash and upload.hexdigest("sha256") != self._plain_hash:
            message = "The provided 'x-amz-content-sha256' header does not match what was computed."
            raise fault(Fault.BODY_HASH, "rest-xml", message)
        if "content-md5" in headers and headers["content-md5"] != upload.md5:
            raise s3_error("BadDigest")
        upload.claimed = {**self._claimed, **self._claimed_in_trailers()}
        computed = upload.checksums
        for name, value in upload.claimed.items():
            if computed[name] != value:
                message = f"The {name.upper()} you specified did not match the calculated checksum."
                raise s3_error("BadDigest", message)

    def _verify_size(self, declared: Any) -> None:
        if declared is not None and declared != str(self.upload.size):
            message = "You did not provide the number of bytes specified by the Content-Length HTTP header."
            raise fault(Fault.INCOMPLETE, "rest-xml", message)

    def _claimed_in_trailers(self) -> dict[str, str]:
        if self._decoder is None:
            return {}
        found = {}
        for name in self._promised:
            value = self._decoder.trailers.get(_CHECKSUM + name)
            if value is None:
                raise BodyMalformed("a promised trailer is missing")
            found[name] = value
        return found
