"""How people drive: four styles, and the car's longitudinal motion second by second.

Acceleration falls linearly with speed, a = α − β v (Long, "Acceleration characteristics of starting vehicles",
Transportation Research Record 1737, 2000; α about 2 to 3 m/s², β about 0.05 to 0.07 1/s for cars). Braking for what
 can be foreseen stays at the comfortable rate of the style (1.67 to 2.5 m/s²: Treiber, Hennecke and Helbing,
Physical Review E 62, 2000; AASHTO's design value is 3.4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smartcity.simulation.noise import FloatArray
from smartcity.simulation.road import ARRIVAL_MS, CELL_M, PAD_CELLS, Road

#: The hardest braking for what could not be foreseen, such as a light that turns red, in m/s².
HARDEST_MS2 = 3.4
#: A car covers at most this much in a second, so that a look-ahead of one second is long enough, in metres.
REACH_M = (PAD_CELLS - 1) * CELL_M


@dataclass(frozen=True)
class Style:
    """A driver's habits: acceleration from rest (m/s²) and its fall (1/s), braking (m/s²), share of the limit, rest."""

    name: str
    start_ms2: float
    fall: float
    braking_ms2: float
    pace: float
    rest_chance: float


STYLES = (
    Style("steady", 1.9, 0.050, 1.8, 0.975, 0.25),
    Style("brisk", 2.5, 0.058, 2.3, 0.992, 0.10),
    Style("careful", 1.5, 0.044, 1.5, 0.950, 0.40),
    Style("commuter", 2.1, 0.052, 2.0, 0.985, 0.05),
)


def envelope_ms(road: Road, style: Style) -> FloatArray:
    """Highest speed in each cell with which a driver meets every limit and bend ahead by braking as usual.

    A speed taken from the cell in which a second begins is legal wherever that second ends.
    """
    allowed = road.allowed_ms
    braking = np.arange(len(allowed)) * (2.0 * style.braking_ms2 * CELL_M)
    ahead = np.minimum.accumulate((allowed * allowed + braking)[::-1])[::-1]
    meets = np.sqrt(ahead - braking)
    cells = len(meets) - PAD_CELLS
    result = meets[:cells].copy()
    for step in range(1, PAD_CELLS):
        reachable = np.maximum(meets[step : step + cells], CELL_M * (step - 1))
        np.minimum(result, reachable, out=result)
    return np.concatenate((result, np.full(PAD_CELLS, ARRIVAL_MS)))


def drive_second(
    speed: FloatArray, legal: FloatArray, traffic: FloatArray, start_ms2: FloatArray, keep: FloatArray
) -> FloatArray:
    """The speed of the next second: as the limits and the traffic allow, within what the car can do.

    `legal` is obeyed exactly, `traffic` as far as hard braking can; `keep` is 1 − β.
    """
    met = np.maximum(traffic, speed - HARDEST_MS2)
    return np.minimum(np.minimum(legal, met), speed * keep + start_ms2)
