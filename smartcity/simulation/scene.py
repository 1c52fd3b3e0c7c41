"""What a camera looks at, as numbers and words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that decides a picture: the same scene gives the same bytes."""

    camera: str
    roadside: bool
    epoch_s: int
    road: str
    place_m: float
    limit_mph: int
    lanes: int
    bend: float
    vehicles: int
    flow_kmh: float
    congested: bool
    speed_kmh: float
    plate: str | None
    sun_sin: float
    condition: str
    rain_mm_h: float
    snow: bool
    visibility_m: float
    key: int
