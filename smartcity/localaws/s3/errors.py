"""S3's errors, each with the status and sentence that S3 gives it."""

from __future__ import annotations

from smartcity.localaws.api import AwsError

_KNOWN: dict[str, tuple[int, str]] = {
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchUpload": (
        404,
        "The specified upload does not exist. The upload ID may be invalid, "
        "or the upload may have been aborted or completed.",
    ),
    "NoSuchBucketPolicy": (404, "The bucket policy does not exist"),
    "NoSuchTagSet": (404, "The TagSet does not exist"),
    "NoSuchPublicAccessBlockConfiguration": (404, "The public access block configuration was not found"),
    "BucketAlreadyOwnedByYou": (
        409,
        "Your previous request to create the named bucket succeeded and you already own it.",
    ),
    "BucketNotEmpty": (409, "The bucket you tried to delete is not empty"),
    "PreconditionFailed": (412, "At least one of the pre-conditions you specified did not hold"),
    "NotModified": (304, "Not Modified"),
    "InvalidRange": (416, "The requested range is not satisfiable"),
    "BadDigest": (400, "The Content-MD5 or checksum value that you specified did not match what we received."),
    "InvalidPart": (
        400,
        "One or more of the specified parts could not be found. The part may not have been uploaded, "
        "or the specified entity tag may not match the part's entity tag.",
    ),
    "InvalidPartOrder": (400, "The list of parts was not in ascending order. Parts must be ordered by part number."),
    "EntityTooSmall": (400, "Your proposed upload is smaller than the minimum allowed size"),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size"),
    "KeyTooLongError": (400, "Your key is too long"),
    "InvalidBucketName": (400, "The specified bucket is not valid."),
    "NotImplemented": (501, "A header or parameter you provided implies functionality that is not implemented"),
}


def s3_error(code: str, message: str = "", **fields: object) -> AwsError:
    """The error of that code, with its own sentence unless another is given."""
    status, sentence = _KNOWN.get(code, (400, code))
    return AwsError(code, message or sentence, status, **fields)
