"""A route as text: its shape drawn in characters, and its roads with their limits."""

from __future__ import annotations

import numpy as np

from smartcity.simulation.exact import cos_deg
from smartcity.simulation.road import Road
from smartcity.simulation.routes import KMH_PER_MPH, Route

WIDTH, HEIGHT = 60, 22
#: Dots of a braille character: bit by column and row.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


def sketch(route: Route, width: int = WIDTH, height: int = HEIGHT) -> str:
    """The line of the route, north up, `A` at its start and `B` at its end."""
    road = Road(route)
    places = np.linspace(0.0, road.length_m, 4_000)
    lat, lon = road.position(places, road.segment(places))
    x = (lon - lon.min()) * float(cos_deg(lat[:1])[0])
    y = lat.max() - lat
    scale = min((2 * width - 1) / max(float(x.max()), 1e-9), (4 * height - 1) / max(float(y.max()), 1e-9))
    columns, rows = (x * scale).astype(int), (y * scale).astype(int)
    cells = np.zeros((int(rows.max()) // 4 + 1, int(columns.max()) // 2 + 1), dtype=int)
    for column, row in zip(columns.tolist(), rows.tolist(), strict=True):
        cells[row // 4, column // 2] |= _DOTS[column % 2][row % 4]
    lines = [[chr(0x2800 + int(cell)) if cell else " " for cell in line] for line in cells]
    lines[rows[-1] // 4][columns[-1] // 2] = "B"
    lines[rows[0] // 4][columns[0] // 2] = "A"
    return "\n".join("".join(line).rstrip() for line in lines)


def limits(route: Route) -> list[tuple[str, float, float, int, float]]:
    """Stretches of one road and limit: name, from and to in km, limit in mph, minutes at the limit."""
    road = Road(route)
    found: list[tuple[str, float, float, int, float]] = []
    begin = 0
    for index in range(1, len(route.points)):
        here, first = route.points[index], route.points[begin]
        last = index == len(route.points) - 1
        if last or (here.road, here.limit_kmh) != (first.road, first.limit_kmh):
            start, end = float(road.start_m[begin]) / 1000.0, float(road.start_m[index]) / 1000.0
            minutes = (end - start) / first.limit_kmh * 60.0
            mph = round(first.limit_kmh / KMH_PER_MPH)
            found.append((first.road, round(start, 1), round(end, 1), mph, round(minutes, 1)))
            begin = index
    return found
