"""From a request to the identity that signed it, or the refusal that AWS would give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from smartcity.localaws.api import AwsError
from smartcity.localaws.gate.head import Head
from smartcity.localaws.gate.refusals import Fault, fault
from smartcity.localaws.gate.signature import Malformed, Signature, genuine, read
from smartcity.localaws.identity.principals import Identity, Principals
from smartcity.localaws.wire.models import SERVICES, protocol

_SKEW_S = 15 * 60
_GLOBAL_REGION = "us-east-1"  # where IAM is, and where STS's global endpoint signs


@dataclass(frozen=True)
class Claim:
    """A signature whose form, service, region and time are right; the secret has not been looked at yet."""

    signature: Signature
    protocol: str

    @property
    def service(self) -> str:
        """The service that the request was signed for."""
        return self.signature.service


def error_protocol(head: Head) -> str:
    """The protocol in which to answer a request whose service is not known."""
    content_type = head.headers.get("content-type", "")
    if "x-amz-target" in head.headers or "json" in content_type:
        return "json"
    return "query" if "x-www-form-urlencoded" in content_type else "rest-xml"


class Authenticator:
    """Verifies signatures. `clock` gives epoch seconds."""

    def __init__(self, principals: Principals, region: str, clock: Callable[[], float]) -> None:
        self._principals = principals
        self._region = region
        self._clock = clock

    def claim(self, head: Head) -> Claim:
        """Read the signature and check everything that needs no secret; raises `AwsError`."""
        guess = error_protocol(head)
        if not head.path.startswith("/") or "#" in head.path + head.query:
            raise AwsError("InvalidURI", "Couldn't parse the specified URI.", 400)
        if head.anonymous:
            message = "Access Denied" if guess == "rest-xml" else "Missing Authentication Token"
            raise fault(Fault.UNSIGNED, guess, message)
        if head.presigned and "authorization" in head.headers:
            message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the header."
            raise AwsError("InvalidArgument", message, 400)
        try:
            signature = read(head)
        except Malformed as error:
            raise fault(Fault.MALFORMED, guess, str(error)) from None
        if signature.service not in SERVICES:
            raise fault(Fault.UNKNOWN_SERVICE, guess, f"Local AWS has no service {signature.service[:64]}.")
        claim = Claim(signature, protocol(signature.service))
        self._check_region(claim)
        self._check_headers(claim, head)
        self._check_time(claim)
        return claim

    def identify(self, head: Head, claim: Claim, payload_hash: str) -> Identity:
        """The identity whose secret made the signature; raises `AwsError`."""
        signature = claim.signature
        identity = self._principals.by_key(signature.access_key_id)
        if identity is None:
            raise fault(Fault.UNKNOWN_KEY, claim.protocol, _UNKNOWN_KEY[claim.protocol == "rest-xml"])
        if identity.token != signature.token:
            kind, message = (Fault.BAD_TOKEN, "The provided token is malformed or otherwise invalid.")
            if identity.token and not signature.token:
                kind, message = Fault.UNKNOWN_KEY, _UNKNOWN_KEY[claim.protocol == "rest-xml"]
            raise fault(kind, claim.protocol, message)
        if not genuine(head, signature, identity.secret, payload_hash):
            raise fault(Fault.SIGNATURE, claim.protocol, _WRONG_SIGNATURE)
        if identity.expires_at <= self._clock():
            message = "The provided token has expired." if claim.service == "s3" else _EXPIRED_TOKEN
            raise fault(Fault.EXPIRED_TOKEN, claim.protocol, message)
        return identity

    def _check_region(self, claim: Claim) -> None:
        region = claim.signature.region
        if region == self._region or (claim.service in ("iam", "sts") and region == _GLOBAL_REGION):
            return
        if claim.service == "s3":
            wrong = f"the region '{region[:32]}' is wrong; expecting '{self._region}'"
            message = f"The authorization header is malformed; {wrong}"
            raise fault(Fault.MALFORMED, claim.protocol, message, Region=self._region)
        raise fault(Fault.SIGNATURE, claim.protocol, "Credential should be scoped to a valid region.")

    def _check_headers(self, claim: Claim, head: Head) -> None:
        """Host and every x-amz- header have to be signed, or somebody on the way could add one."""
        signed = {name.lower() for name in claim.signature.signed_headers}
        needed = {name for name in head.headers if name.startswith("x-amz-")} | {"host"}
        if not needed <= signed or not signed <= head.headers.keys():
            message = "There were headers present in the request which were not signed"
            raise fault(Fault.UNSIGNED_HEADERS, claim.protocol, message)

    def _check_time(self, claim: Claim) -> None:
        signature, now = claim.signature, self._clock()
        age = now - signature.epoch_s
        if signature.expires_s is not None:
            if age < -_SKEW_S:
                raise fault(Fault.EXPIRED_URL, claim.protocol, "Request is not valid yet")
            if age > signature.expires_s:
                raise fault(Fault.EXPIRED_URL, claim.protocol, "Request has expired")
        elif abs(age) > _SKEW_S:
            raise fault(Fault.SKEWED, claim.protocol, _skew_message(claim, now))


_UNKNOWN_KEY = (
    "The security token included in the request is invalid.",
    "The AWS Access Key Id you provided does not exist in our records.",
)
_EXPIRED_TOKEN = "The security token included in the request is expired"  # noqa: S105  a sentence
_WRONG_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method."
)


def _skew_message(claim: Claim, now: float) -> str:
    if claim.service == "s3":
        return "The difference between the request time and the current time is too large."
    limit = datetime.fromtimestamp(now - _SKEW_S, UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"Signature expired: {claim.signature.timestamp} is now earlier than {limit} (15 min.)"
