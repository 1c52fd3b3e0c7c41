"""Height above the sea from a few dozen well-known places, so that a car climbs the Chilterns before Oxford."""

from __future__ import annotations

import numpy as np

from smartcity.simulation.exact import cos_deg
from smartcity.simulation.noise import FloatArray

#: Latitude, longitude and approximate height in metres; own map knowledge, good to about 15 m.
PLACES = np.array(
    (
        (51.507, -0.128, 12.0),  # Charing Cross
        (51.520, -0.170, 30.0),  # Paddington
        (51.530, -0.293, 32.0),  # Hanger Lane
        (51.555, -0.430, 40.0),  # Northolt
        (51.561, -0.499, 42.0),  # Denham, the Colne valley
        (51.600, -0.640, 95.0),  # Beaconsfield
        (51.612, -0.768, 158.0),  # Handy Cross
        (51.661, -0.913, 236.0),  # Stokenchurch, top of the Chilterns
        (51.675, -0.962, 118.0),  # Lewknor, foot of the scarp
        (51.732, -1.076, 70.0),  # Milton Common
        (51.868, -1.198, 64.0),  # Wendlebury
        (51.948, -1.205, 110.0),  # Ardley
        (52.072, -1.313, 98.0),  # Banbury
        (52.191, -1.457, 92.0),  # Gaydon
        (52.259, -1.612, 55.0),  # Longbridge, the Avon
        (52.336, -1.780, 122.0),  # Hockley Heath
        (52.445, -1.710, 96.0),  # Birmingham Airport
        (52.509, -1.862, 96.0),  # Gravelly Hill
        (52.486, -1.890, 128.0),  # Lancaster Circus
        (51.557, -0.214, 60.0),  # Cricklewood
        (51.637, -0.307, 95.0),  # Elstree
        (51.749, -0.409, 125.0),  # Hemel Hempstead
        (51.854, -0.424, 150.0),  # Luton
        (52.026, -0.603, 105.0),  # Ridgmont
        (52.186, -0.896, 95.0),  # Northampton
        (52.351, -1.155, 120.0),  # Crick
        (52.438, -1.429, 95.0),  # Coventry North
    )
)


def altitude_m(lat: FloatArray, lon: FloatArray) -> FloatArray:
    """Height at each place: the mean of the known heights, weighted by the fourth power of nearness (Shepard 1968)."""
    total = np.zeros_like(lat)
    weights = np.zeros_like(lat)
    scale = cos_deg(lat)
    for place_lat, place_lon, height in PLACES:
        north = lat - place_lat
        east = (lon - place_lon) * scale
        weight = 1.0 / (north * north + east * east + 2e-4)
        weight = weight * weight
        total = total + weight * height
        weights = weights + weight
    return total / weights
