"""What cars hear of incidents ahead, and the columns of the events that tell it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from smartcity.simulation import encode, incidents
from smartcity.simulation.drive import Motion
from smartcity.simulation.incidents import Incident
from smartcity.simulation.road import Road

#: Messages are looked at this often, in seconds.
LISTEN_S = 10
#: Columns of free text.
TEXTS = ("incident_id", "kind", "severity", "description")
_CLEARED = incidents.STATUSES.index("cleared")


@dataclass(frozen=True)
class News:
    """A car (by the row of the block at which it listens) hears that an incident has reached a status."""

    row: int
    incident: Incident
    status: int


def hear(incident: Incident, motion: Motion, heard: Sequence[dict[str, int]]) -> Iterator[News]:
    """The news of one incident for the cars of a block; `heard`, per car, remembers the last status by incident.

    A car hears of what happens ahead of it, once per status; of what is over already it hears nothing.
    """
    places = motion.distance_m[:, ::LISTEN_S]
    moments = motion.begin_s + np.arange(places.shape[1]) * LISTEN_S
    status = np.array([incident.status(int(moment)) for moment in moments])
    ahead = incident.place_m - places
    near = (ahead > 0.0) & (ahead < incidents.AHEAD_M) & motion.on_road[:, ::LISTEN_S]
    codes = np.where(near, status, -1)
    known = np.array([memory.get(incident.incident_id, -1) for memory in heard])[:, np.newaxis]
    before = np.maximum.accumulate(np.concatenate((known, codes), axis=1), axis=1)[:, :-1]
    seconds = motion.distance_m.shape[1]
    for car, column in zip(*np.nonzero(codes > before), strict=True):
        code = int(codes[car, column])
        heard[car][incident.incident_id] = code
        if code != _CLEARED or before[car, column] >= 0:
            yield News(int(car * seconds + column * LISTEN_S), incident, code)


def columns(items: Sequence[News], road: Road) -> tuple[dict[str, Any], dict[str, tuple[str | None, ...]]]:
    """The columns of the events, and the vocabularies of those that have one."""
    found = [item.incident for item in items]
    places = np.array([incident.place_m for incident in found])
    segment = road.segment(places)
    lat, lon = road.position(places, segment)
    names = [road.road_names[index] for index in road.road_index[segment]]
    texts = [incidents.describe(item.incident, item.status, name) for item, name in zip(items, names, strict=True)]
    values: dict[str, Any] = {
        "latitude": lat,
        "longitude": lon,
        "incident_id": [encode.literal(incident.incident_id) for incident in found],
        "road": road.road_index[segment],
        "kind": [encode.literal(incident.kind) for incident in found],
        "severity": [encode.literal(incident.severity) for incident in found],
        "status": np.array([item.status for item in items]),
        "description": [encode.literal(text) for text in texts],
        "lanes_closed": np.array([item.incident.lanes_closed(item.status) for item in items]),
    }
    return values, {"road": road.road_names, "status": incidents.STATUSES}
