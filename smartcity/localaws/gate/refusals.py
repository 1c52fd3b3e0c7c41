"""What can be wrong with a request before any service sees it, in the words of each protocol's clients."""

from __future__ import annotations

from enum import Enum
from typing import Any

from smartcity.localaws.api import AwsError


class Fault(Enum):
    """Codes and statuses for S3, for Query services and for JSON services; then the message."""

    UNSIGNED = (
        ("AccessDenied", 403),
        ("MissingAuthenticationToken", 403),
        ("MissingAuthenticationTokenException", 403),
    )
    MALFORMED = (
        ("AuthorizationHeaderMalformed", 400),
        ("IncompleteSignature", 403),
        ("IncompleteSignatureException", 400),
    )
    UNKNOWN_KEY = (("InvalidAccessKeyId", 403), ("InvalidClientTokenId", 403), ("UnrecognizedClientException", 400))
    BAD_TOKEN = (("InvalidToken", 400), ("InvalidClientTokenId", 403), ("UnrecognizedClientException", 400))
    EXPIRED_TOKEN = (("ExpiredToken", 400), ("ExpiredToken", 403), ("ExpiredTokenException", 400))
    SIGNATURE = (("SignatureDoesNotMatch", 403), ("SignatureDoesNotMatch", 403), ("InvalidSignatureException", 400))
    SKEWED = (("RequestTimeTooSkewed", 403), ("SignatureDoesNotMatch", 403), ("InvalidSignatureException", 400))
    EXPIRED_URL = (("AccessDenied", 403), ("SignatureDoesNotMatch", 403), ("InvalidSignatureException", 400))
    UNSIGNED_HEADERS = (("AccessDenied", 403), ("SignatureDoesNotMatch", 403), ("InvalidSignatureException", 400))
    BODY_HASH = (("XAmzContentSHA256Mismatch", 400), ("SignatureDoesNotMatch", 403), ("InvalidSignatureException", 400))
    UNKNOWN_SERVICE = (("AccessDenied", 403), ("AccessDenied", 403), ("AccessDeniedException", 403))
    TOO_LARGE = (("EntityTooLarge", 400), ("RequestEntityTooLarge", 413), ("RequestEntityTooLargeException", 413))
    TIMEOUT = (("RequestTimeout", 400), ("RequestExpired", 400), ("RequestTimeoutException", 408))
    INCOMPLETE = (("IncompleteBody", 400), ("IncompleteSignature", 400), ("SerializationException", 400))
    BUG = (("InternalError", 500), ("InternalFailure", 500), ("InternalServerException", 500))


def fault(kind: Fault, protocol: str, message: str, **fields: Any) -> AwsError:
    """The error of a fault for a protocol."""
    code, status = kind.value[{"rest-xml": 0, "query": 1}.get(protocol, 2)]
    return AwsError(code, message, status, **fields)
