"""Bodies: plain or `aws-chunked`, signed per chunk or not, with trailers; within limits of size and time.

Formats: "Signature calculations for the Authorization header: transferring payload in multiple chunks" and
"… including trailing headers" in the Amazon S3 API reference.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from typing import Any

from smartcity.localaws.gate.signature import Signature

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
IDLE_LIMIT_S = 20.0  # S3 closes a connection that sends nothing for about this long
_LINE_LIMIT = 16_384
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


class ClientGone(Exception):
    """The connection was closed while the body was being read."""


class BodyStalled(Exception):
    """Nothing arrived for too long."""


class BodyMalformed(Exception):
    """The framing of a chunked body is broken, or it ends too early."""


class ChunkSignatureWrong(Exception):
    """A chunk or the trailer was not signed by the key that signed the request."""


async def pieces(receive: Receive, idle_limit_s: float = IDLE_LIMIT_S) -> AsyncIterator[bytes]:
    """The body as it arrives."""
    while True:
        try:
            message = await asyncio.wait_for(receive(), idle_limit_s)
        except TimeoutError:
            raise BodyStalled from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        data = message.get("body", b"")
        if data:
            yield data
        if not message.get("more_body", False):
            return


class ChunkSigner:
    """Signatures of the chunks of one body: each covers the one before."""

    def __init__(self, key: bytes, signature: Signature) -> None:
        self._key = key
        self._signature = signature
        self._previous = signature.value

    def check_chunk(self, sha256_hex: str, claimed: str) -> None:
        """Raise `ChunkSignatureWrong` unless `claimed` is right."""
        self._check("AWS4-HMAC-SHA256-PAYLOAD", f"{_EMPTY_SHA256}\n{sha256_hex}", claimed)

    def check_trailer(self, canonical: bytes, claimed: str) -> None:
        """Raise `ChunkSignatureWrong` unless `claimed` is right."""
        self._check("AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(canonical).hexdigest(), claimed)

    def _check(self, algorithm: str, rest: str, claimed: str) -> None:
        signature = self._signature
        text = f"{algorithm}\n{signature.timestamp}\n{signature.scope}\n{self._previous}\n{rest}"
        expected = hmac.new(self._key, text.encode(), "sha256").hexdigest()
        if not hmac.compare_digest(expected.encode(), claimed.encode()):
            raise ChunkSignatureWrong
        self._previous = expected


class ChunkDecoder:
    """Takes the framing off an `aws-chunked` body as it arrives. `signer` is None for unsigned chunks."""

    def __init__(self, signer: ChunkSigner | None) -> None:
        self._signer = signer
        self._buffer = bytearray()
        self._state = self._header
        self._left = 0
        self._claimed = ""
        self._hash = hashlib.sha256()
        self._trailer_lines: list[bytes] = []
        self.trailers: dict[str, str] = {}
        self.finished = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The payload in `data`."""
        self._buffer += data
        while not self.finished:
            found = self._state()
            if found is None:
                return
            if found:
                yield found
        if self._buffer.strip(b"\r\n"):
            raise BodyMalformed("data after the last chunk")

    def close(self) -> None:
        """Raise `BodyMalformed` when the last chunk has not come; the empty line after trailers is optional."""
        if not self.finished and self._state == self._trailer:
            if self._buffer:
                self._trailer_lines.append(bytes(self._buffer))
            self._end_trailer()
        if not self.finished:
            raise BodyMalformed("the last chunk is missing")

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > _LINE_LIMIT:
                raise BodyMalformed("a line is too long")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _header(self) -> bytes | None:
        line = self._line()
        if line is None:
            return None
        size, _, extension = line.partition(b";")
        if not 0 < len(size) <= 10 or size.strip(b"0123456789abcdefABCDEF"):
            raise BodyMalformed("a chunk's size is not a number")
        self._left = int(size, 16)
        self._claimed = extension.decode("latin-1").partition("chunk-signature=")[2].strip()
        self._hash = hashlib.sha256()
        if self._left == 0:
            self._check_chunk()
            self._state = self._trailer
        else:
            self._state = self._payload
        return b""

    def _payload(self) -> bytes | None:
        if not self._buffer:
            return None
        piece = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        self._left -= len(piece)
        if self._signer is not None:
            self._hash.update(piece)
        if self._left == 0:
            self._state = self._payload_end
        return piece

    def _payload_end(self) -> bytes | None:
        if len(self._buffer) < 2:
            return None
        if self._buffer[:2] != b"\r\n":
            raise BodyMalformed("a chunk is longer than it says")
        del self._buffer[:2]
        self._check_chunk()
        self._state = self._header
        return b""

    def _check_chunk(self) -> None:
        if self._signer is not None:
            self._signer.check_chunk(self._hash.hexdigest(), self._claimed)

    def _trailer(self) -> bytes | None:
        line = self._line()
        if line is None:
            return None
        if line:
            self._trailer_lines.append(line)
            if len(self._trailer_lines) > 32:
                raise BodyMalformed("too many trailers")
            return b""
        self._end_trailer()
        return b""

    def _end_trailer(self) -> None:
        claimed = ""
        for line in self._trailer_lines:
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon:
                raise BodyMalformed("a trailer is not a header")
            if name.strip().lower() == "x-amz-trailer-signature":
                claimed = value.strip()
            else:
                self.trailers[name.strip().lower()] = value.strip()
        if self._signer is not None and self.trailers:
            canonical = "".join(f"{name}:{value}\n" for name, value in sorted(self.trailers.items()))
            self._signer.check_trailer(canonical.encode("latin-1"), claimed)
        self.finished = True
