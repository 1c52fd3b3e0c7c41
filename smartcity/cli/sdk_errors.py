"""One table from the errors of boto3, Kafka and the operating system to sentences; the unknown stays a bug."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from smartcity.errors import PrerequisiteError, ServiceError, ServiceNotRunning, SmartCityError

_CREDENTIAL_CODES = {
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "ExpiredToken",
    "ExpiredTokenException",
}


def as_user_error(error: BaseException) -> SmartCityError | None:
    """The user's view of an SDK's error, or None if nobody foresaw it."""
    if isinstance(error, SmartCityError):
        return error
    for type_ in type(error).__mro__:
        translate = _TABLE.get(f"{type_.__module__}.{type_.__qualname__}")
        if translate:
            return translate(error)
    return None


def _aws_refused(error: Any) -> SmartCityError:
    code, message = error.response["Error"].get("Code", "?"), error.response["Error"].get("Message", "")
    reason = f"AWS refused {error.operation_name}: {message or code} ({code})."
    if code in _CREDENTIAL_CODES:
        return PrerequisiteError(reason, "Check the credentials: smartcity config show names where each comes from.")
    if code.startswith("AccessDenied"):
        return ServiceError(reason, "Use a role or user whose policies allow this action, or have it granted.")
    return ServiceError(reason, "")


def _aws_unreachable(error: Any) -> SmartCityError:
    address = error.kwargs.get("endpoint_url", "AWS") if hasattr(error, "kwargs") else "AWS"
    return ServiceNotRunning(f"Nothing answers at {address}.", "Start the services with: smartcity up")


def _no_credentials(_: Any) -> SmartCityError:
    return PrerequisiteError(
        "No AWS credentials were found.", "Set a profile (aws.profile), or sign in with: aws login"
    )


def _kafka(error: Any) -> SmartCityError:
    kafka_error = error.args[0] if error.args else error
    text = kafka_error.str() if hasattr(kafka_error, "str") else str(kafka_error)
    return ServiceError(
        f"Kafka failed: {text}.", "See its state with: smartcity status, its log with: smartcity logs kafka"
    )


def _timed_out(_: Any) -> SmartCityError:
    return ServiceNotRunning(
        "A service does not answer, most likely Kafka.", "See which: smartcity status; start it: smartcity up"
    )


def _os_error(error: Any) -> SmartCityError | None:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return PrerequisiteError(f"The disk is full{where}.", "Free some space, or move data_dir to another disk.")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return PrerequisiteError(
            f"No permission to write or read{where}.", "Choose another folder with --data-dir, or mend its permissions."
        )
    return None


_TABLE: dict[str, Callable[[Any], SmartCityError | None]] = {
    "botocore.exceptions.ClientError": _aws_refused,
    "botocore.exceptions.EndpointConnectionError": _aws_unreachable,
    "botocore.exceptions.ConnectTimeoutError": _aws_unreachable,
    "botocore.exceptions.ConnectionClosedError": _aws_unreachable,
    "botocore.exceptions.NoCredentialsError": _no_credentials,
    "botocore.exceptions.PartialCredentialsError": _no_credentials,
    "botocore.exceptions.ProfileNotFound": _no_credentials,
    "cimpl.KafkaException": _kafka,
    "confluent_kafka.cimpl.KafkaException": _kafka,
    "builtins.TimeoutError": _timed_out,
    "builtins.OSError": _os_error,
}
