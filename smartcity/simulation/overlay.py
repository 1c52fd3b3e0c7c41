"""The camera's own writing over a picture: what, where, when, and that none of it is real."""

from __future__ import annotations

from datetime import UTC, datetime

from PIL import ImageDraw

from smartcity.simulation.lettering import Colour, width_of, write
from smartcity.simulation.scene import Scene

SIZE = 13
_SHADOW, _TEXT, _MARK = (8, 9, 11), (238, 241, 244), (255, 208, 72)


def write_overlay(pen: ImageDraw.ImageDraw, scene: Scene) -> None:
    """Two lines of data and the word SIMULATED."""
    when = datetime.fromtimestamp(scene.epoch_s, UTC)
    own = "" if scene.roadside else f"   {scene.speed_kmh:.0f} km/h"
    _left(pen, 8, f"{scene.camera}   {scene.road[:40]}  km {scene.place_m / 1000.0:.1f}", _TEXT)
    _right(pen, 8, f"{when:%Y-%m-%d %H:%M:%S} UTC", _TEXT)
    _left(pen, 338, f"{scene.vehicles} vehicles   flow {scene.flow_kmh:.0f} km/h   {scene.condition}{own}", _TEXT)
    _right(pen, 338, "SIMULATED", _MARK)


def _left(pen: ImageDraw.ImageDraw, y: int, text: str, fill: Colour) -> None:
    write(pen, (11, y + 1), text, SIZE, _SHADOW)
    write(pen, (10, y), text, SIZE, fill)


def _right(pen: ImageDraw.ImageDraw, y: int, text: str, fill: Colour) -> None:
    x = 630 - width_of(text, SIZE)
    write(pen, (x + 1, y + 1), text, SIZE, _SHADOW)
    write(pen, (x, y), text, SIZE, fill)
