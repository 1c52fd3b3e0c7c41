"""Pictures go to S3 before events name them."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from smartcity.errors import ServiceError
from smartcity.pipeline.frames import S3Frames


class FakeS3:
    """Remembers what was put, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.error = error
        self._lock = threading.Lock()

    def put_object(self, **request: Any) -> None:
        if self.error is not None:
            raise self.error
        with self._lock:
            self.objects[f"{request['Bucket']}/{request['Key']}"] = request["Body"], request["ContentType"]


def test_pictures_are_there_when_put_returns() -> None:
    s3 = FakeS3()
    store = S3Frames(s3, "lake")
    frames = [(f"frames/CAM-1/{n}.jpg", bytes([n])) for n in range(50)]
    store.put(frames)
    assert s3.objects == {f"lake/{key}": (jpeg, "image/jpeg") for key, jpeg in frames}
    assert store.uri("frames/CAM-1/1.jpg") == "s3://lake/frames/CAM-1/1.jpg"
    store.put([])


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject"),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
    ],
)
def test_a_picture_that_cannot_be_stored_is_a_sentence(error: Exception) -> None:
    with pytest.raises(ServiceError) as failed:
        S3Frames(FakeS3(error), "lake").put([("frames/x.jpg", b"x")])
    assert "s3://lake" in failed.value.reason and failed.value.hint
