"""Pictures into S3: stored first, so that an event never names a picture that is not there."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from smartcity.errors import ServiceError

#: Uploads at a time; boto3 clients may be shared by threads.
UPLOADS = 8


class S3Frames:
    """The bucket as a place for pictures."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3, self._bucket = s3, bucket

    def uri(self, key: str) -> str:
        """The address of a picture."""
        return f"s3://{self._bucket}/{key}"

    def put(self, frames: Sequence[tuple[str, bytes]]) -> None:
        """Store pictures side by side; the same key is overwritten with the same bytes. Raises `ServiceError`."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            with ThreadPoolExecutor(UPLOADS) as pool:
                list(pool.map(self._put, frames))
        except (BotoCoreError, ClientError) as error:
            raise ServiceError(
                f"A picture could not be stored in s3://{self._bucket}: {error}",
                "See whether S3 runs (smartcity status), or drive with --frames none.",
            ) from None

    def _put(self, frame: tuple[str, bytes]) -> None:
        key, jpeg = frame
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=jpeg, ContentType="image/jpeg")
