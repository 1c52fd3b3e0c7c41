"""GPX files, read with gpxpy, and refused when they are not what they should be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from smartcity.errors import UsageError

if TYPE_CHECKING:
    from gpxpy.gpx import GPXRoutePoint, GPXTrackPoint


def line_of(text: str, source: str) -> Sequence[GPXTrackPoint | GPXRoutePoint]:
    """The points of the first track, or else the first route, in the order of the file. Raises `UsageError`."""
    import gpxpy
    from gpxpy.gpx import GPXException

    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UsageError(f"{source} declares XML entities.", "A GPX file needs none; remove the declaration.")
    try:
        gpx = gpxpy.parse(text)
    except (GPXException, ValueError) as error:
        raise UsageError(f"{source} is not GPX: {error}.", "Export it again, or convert it to CSV.") from None
    if not gpx.tracks and not gpx.routes:
        raise UsageError(f"{source} holds neither a track nor a route.", "Way points alone cannot be driven.")
    return [p for s in gpx.tracks[0].segments for p in s.points] if gpx.tracks else gpx.routes[0].points
