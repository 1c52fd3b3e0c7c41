"""Pictures: real JPEGs of the promised size, the same for the same scene, stored before they are named."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import replace

import pytest
from PIL import Image

from smartcity.errors import UsageError
from smartcity.simulation.fleet import Fleet, Plan
from smartcity.simulation.footage import FrameTaker
from smartcity.simulation.frames import draw
from smartcity.simulation.routes import find
from smartcity.simulation.scene import Scene

from .conftest import START_S, parsed, small_route

SCENE = Scene(
    camera="CAM-M40-0305",
    roadside=True,
    epoch_s=START_S,
    road="M40",
    place_m=30_480.0,
    limit_mph=70,
    lanes=3,
    bend=4.0,
    vehicles=14,
    flow_kmh=88.0,
    congested=False,
    speed_kmh=0.0,
    plate="SIM 0042",
    sun_sin=0.45,
    condition="Partly cloudy",
    rain_mm_h=0.0,
    snow=False,
    visibility_m=25_000.0,
    key=12_345,
)
SCENES = {
    "day": SCENE,
    "dash": replace(SCENE, roadside=False, camera="DASH-car-0001", speed_kmh=98.0, vehicles=6),
    "jam": replace(SCENE, vehicles=79, congested=True, flow_kmh=12.0, condition="Overcast"),
    "night": replace(SCENE, sun_sin=-0.4, condition="Light rain", rain_mm_h=2.5),
    "town": replace(SCENE, roadside=False, lanes=2, limit_mph=20, road="A4", bend=-40.0, vehicles=0),
    "fog": replace(SCENE, condition="Fog", visibility_m=150.0),
    "snow": replace(SCENE, condition="Heavy snow", snow=True, rain_mm_h=4.0, visibility_m=1_500.0),
    "storm": replace(SCENE, roadside=False, condition="Thunder", rain_mm_h=12.0, visibility_m=3_500.0),
    "odd": replace(SCENE, road="Straße 東京", vehicles=500, lanes=2, bend=180.0),
}


class Shelf:
    """A store in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def uri(self, key: str) -> str:
        return f"s3://shelf/{key}"

    def put(self, frames: Sequence[tuple[str, bytes]]) -> None:
        self.kept.update(frames)


@pytest.mark.parametrize("name", SCENES)
def test_a_picture_is_a_jpeg_of_the_promised_size(name: str) -> None:
    jpeg = draw(SCENES[name])
    image = Image.open(io.BytesIO(jpeg))
    image.load()
    assert (image.format, image.size) == ("JPEG", (640, 360))
    assert 14_000 < len(jpeg) < 36_000
    assert draw(SCENES[name]) == jpeg


def test_scenes_that_differ_look_different() -> None:
    assert len({draw(scene) for scene in SCENES.values()}) == len(SCENES)
    assert draw(replace(SCENE, vehicles=15)) != draw(SCENE)

    def brightness(scene: Scene) -> float:
        return sum(Image.open(io.BytesIO(draw(scene))).convert("L").resize((1, 1)).tobytes())

    assert brightness(SCENES["night"]) < brightness(SCENES["day"]) / 2


def test_events_name_pictures_that_are_there() -> None:
    shelf = Shelf()
    plan = Plan(find("london-birmingham"), 3, START_S, vehicles=2, duration_s=300)
    events = parsed(Fleet(plan, FrameTaker(shelf, 20)).batches())["camera"]
    named = [event for event in events if event["frame_uri"]]
    assert 0 < len(named) < len(events) and len(named) == len(shelf.kept)
    for event in named:
        jpeg = shelf.kept[event["frame_uri"].removeprefix("s3://shelf/")]
        assert (event["frame_sha256"], event["frame_bytes"]) == (hashlib.sha256(jpeg).hexdigest(), len(jpeg))
        assert event["frame_uri"].startswith("s3://shelf/frames/")
    assert all(event["frame_sha256"] is event["frame_bytes"] is None for event in events if not event["frame_uri"])


def test_the_same_trip_takes_the_same_pictures_whatever_the_windows() -> None:
    shelves = Shelf(), Shelf()
    for shelf, window_s in zip(shelves, (300, 20), strict=True):
        plan = Plan(small_route(), 3, START_S, duration_s=120)
        list(Fleet(plan, FrameTaker(shelf), window_s=window_s).batches())
    assert shelves[0].kept == shelves[1].kept and shelves[0].kept


def test_pictures_do_not_change_which_events_there_are() -> None:
    plan = Plan(small_route(), 3, START_S, duration_s=120)
    without, with_pictures = Fleet(plan), Fleet(plan, FrameTaker(Shelf()))
    assert [b.ids for b in without.batches()] == [b.ids for b in with_pictures.batches()]


def test_too_many_pictures_are_refused() -> None:
    with pytest.raises(UsageError):
        FrameTaker(Shelf(), 0)
