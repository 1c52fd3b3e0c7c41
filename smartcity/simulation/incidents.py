"""Incidents on a route and their life: reported, dispatched, on scene, cleared.

Kinds are those that National Highways' control rooms log; a collision's severity is that of STATS19 (slight, serious,
fatal), anything without a casualty is `none`. Lanes are closed from the first traffic officer's sign (dispatched) until
the incident is cleared, and cars queue behind them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smartcity.simulation import noise
from smartcity.simulation.road import Road

STATUSES = ("reported", "dispatched", "on_scene", "cleared")
#: One incident at most is drawn for every cell of this length and duration.
CELL_LENGTH_M = 16_000.0
CELL_DURATION_S = 5_400
#: A car hears of incidents this far ahead (traffic messages, overhead signs).
AHEAD_M = 40_000.0
#: No incident outlasts this, so that only a few cells need a look.
LONGEST_S = 7_200


@dataclass(frozen=True)
class Kind:
    """A kind of incident: how often (per mille), lanes closed, minutes on scene, and what the log says."""

    name: str
    weight: int
    lanes: tuple[int, int]
    minutes: tuple[int, int]
    texts: tuple[str, ...]


KINDS = (
    Kind(
        "breakdown",
        420,
        (0, 1),
        (12, 40),
        ("car broken down on the verge", "lorry with a burst tyre", "van without power in lane 1"),
    ),
    Kind(
        "collision",
        220,
        (1, 2),
        (20, 45),
        ("two cars, rear-end shunt", "car and van, side impact", "single car hit the barrier"),
    ),
    Kind(
        "obstruction",
        150,
        (1, 1),
        (6, 18),
        ("debris in lane 2", "shed load across two lanes", "tyre carcass in the carriageway"),
    ),
    Kind("animal_on_road", 50, (1, 1), (8, 20), ("loose dog near the hard shoulder", "deer in the carriageway")),
    Kind("pedestrian_on_road", 40, (0, 1), (6, 18), ("person walking along the hard shoulder",)),
    Kind("vehicle_fire", 40, (1, 2), (25, 50), ("car on fire, fire service called", "smoke from a lorry's brakes")),
    Kind("spillage", 40, (1, 1), (18, 40), ("diesel spill", "gravel spilt from a tipper")),
    Kind("flooding", 40, (1, 1), (20, 45), ("standing water across lane 1",)),
)


@dataclass(frozen=True)
class Incident:
    """What happens where, and the four moments of its life as epoch seconds."""

    incident_id: str
    kind: str
    severity: str
    text: str
    place_m: float
    lanes: int
    moments: tuple[int, int, int, int]
    demand: float

    def status(self, epoch_s: int) -> int:
        """Index into `STATUSES`, or -1 before it is reported."""
        return sum(epoch_s >= moment for moment in self.moments) - 1

    def lanes_closed(self, status: int) -> int:
        """Lanes closed in this state."""
        return self.lanes if status in {1, 2} else 0

    def queue(self, epoch_s: int) -> tuple[float, float] | None:
        """Where the queue begins and ends, in metres along the route, or None without a queue.

        While lanes are closed its tail grows backwards; afterwards its head dissolves (shock waves as in
        Lighthill and Whitham 1955; about 1 m/s of growth per lane at full demand, 5 m/s of dissolving).
        """
        if self.lanes == 0 or epoch_s < self.moments[1]:
            return None
        grown = min(1.1 * self.lanes * self.demand * (min(epoch_s, self.moments[3]) - self.moments[1]), 1_500.0)
        gone = 5.0 * max(epoch_s - self.moments[3], 0)
        return None if gone >= grown else (self.place_m - grown, self.place_m - gone)


class Incidents:
    """All incidents of a seed on a road, drawn cell by cell on demand."""

    def __init__(self, seed: int, road: Road) -> None:
        self._road = road
        self._key = noise.key(seed, "incidents", road.route.name)
        self._cells: dict[tuple[int, int], Incident | None] = {}

    def alive(self, epoch_s: int) -> list[Incident]:
        """Incidents reported before this second that may still matter: until an hour after clearing."""
        last = epoch_s // CELL_DURATION_S
        first = (epoch_s - LONGEST_S - 3_600) // CELL_DURATION_S
        places = range(int(self._road.length_m // CELL_LENGTH_M) + 1)
        self._forget(first)
        found = (self._in_cell(place, period) for period in range(first, last + 1) for place in places)
        return [one for one in found if one and one.moments[0] <= epoch_s < one.moments[3] + 3_600]

    def _forget(self, before: int) -> None:
        if len(self._cells) > 4_000:
            self._cells = {cell: one for cell, one in self._cells.items() if cell[1] >= before}

    def _in_cell(self, place: int, period: int) -> Incident | None:
        cell = (place, period)
        if cell not in self._cells:
            self._cells[cell] = self._draw(place, period)
        return self._cells[cell]

    def _draw(self, place: int, period: int) -> Incident | None:
        u = noise.uniform(noise.key(self._key, place, period), np.arange(12))
        where = (place + float(u[0])) * CELL_LENGTH_M
        if u[1] > 0.7 or not 500.0 < where < self._road.length_m - 500.0:
            return None
        kind = _pick(float(u[2]))
        reported = period * CELL_DURATION_S + int(u[3] * CELL_DURATION_S)
        dispatched = reported + 60 + int(u[4] * 180)
        on_scene = dispatched + 240 + int(u[5] * 660)
        shortest, longest = kind.minutes
        cleared = on_scene + 60 * shortest + int(u[6] * 60 * (longest - shortest))
        return Incident(
            incident_id=f"INC-{noise.key(self._key, place, period, 'id') % 10**10:010d}",
            kind=kind.name,
            severity=_severity(kind.name, float(u[7])),
            text=kind.texts[int(u[8] * len(kind.texts))],
            place_m=where,
            lanes=min(kind.lanes[0] + int(u[9] * (kind.lanes[1] - kind.lanes[0] + 1)), kind.lanes[1]),
            moments=(reported, dispatched, on_scene, cleared),
            demand=0.4 + 0.6 * float(u[10]),
        )


def _pick(draw: float) -> Kind:
    left = draw * sum(kind.weight for kind in KINDS)
    for kind in KINDS:
        left -= kind.weight
        if left < 0:
            return kind
    return KINDS[0]


def _severity(kind: str, draw: float) -> str:
    """Of reported injury collisions about 1.5 % are fatal and 20 % serious (Reported road casualties Great Britain)."""
    if kind != "collision" or draw < 0.35:
        return "none"
    return "slight" if draw < 0.86 else "serious" if draw < 0.985 else "fatal"


def describe(incident: Incident, status: int, road_name: str) -> str:
    """The line in the control room's log."""
    said = ("Reported", "Traffic officers dispatched", "Traffic officers on scene", "Cleared")[status]
    closed = incident.lanes_closed(status)
    lanes = f", {closed} lane{'s' if closed > 1 else ''} closed" if closed else ""
    return f"{road_name} at km {incident.place_m / 1000.0:.1f}: {incident.text}. {said}{lanes}."
