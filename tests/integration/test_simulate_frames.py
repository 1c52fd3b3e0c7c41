"""Pictures of a drive in real S3: each address in an event leads to a JPEG of that size and hash."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from smartcity.clients import Clients
from smartcity.pipeline.frames import S3Frames
from smartcity.pipeline.lake import ensure_bucket
from smartcity.simulation.fleet import Fleet, Plan
from smartcity.simulation.footage import FrameTaker
from smartcity.simulation.routes import find

if TYPE_CHECKING:
    from tests.integration.conftest import Stack

pytestmark = pytest.mark.integration


def test_every_address_leads_to_its_picture(stack: Stack) -> None:
    clients = Clients(stack.settings)
    s3, bucket = clients.aws("s3"), "frames-of-cars"
    ensure_bucket(s3, bucket, stack.settings.aws.region)
    plan = Plan(find("london-birmingham"), 1, 1_772_434_800, vehicles=2, duration_s=200)
    batches = Fleet(plan, FrameTaker(S3Frames(s3, bucket), 20)).batches()
    events = [json.loads(value) for batch in batches if batch.topic == "camera" for value in batch.values]
    pictures = [event for event in events if event["frame_uri"] is not None]
    assert len(pictures) >= 16
    for event in pictures:
        key = event["frame_uri"].removeprefix(f"s3://{bucket}/")
        answer = s3.get_object(Bucket=bucket, Key=key)
        jpeg = answer["Body"].read()
        assert answer["ContentType"] == "image/jpeg"
        assert (len(jpeg), hashlib.sha256(jpeg).hexdigest()) == (event["frame_bytes"], event["frame_sha256"])
        assert jpeg[:3] == b"\xff\xd8\xff"
