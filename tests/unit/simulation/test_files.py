"""Routes and recorded tracks from files: what is driven, and what is refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartcity.errors import UsageError
from smartcity.simulation import replay, routes, sketch

from .conftest import metres, parsed

GPX = """<?xml version="1.0"?><gpx version="1.1" creator="t" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>
<trkpt lat="52.000" lon="-1.000"><time>2026-03-02T07:00:00Z</time></trkpt>
<trkpt lat="52.001" lon="-1.000"><time>2026-03-02T07:00:10Z</time></trkpt>
<trkpt lat="52.001" lon="-1.000"><time>2026-03-02T07:00:40Z</time></trkpt>
<trkpt lat="52.004" lon="-0.998"><time>2026-03-02T07:01:05Z</time></trkpt>
</trkseg></trk></gpx>"""


def _file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_shipped_routes_are_complete() -> None:
    for name, kilometres in zip(routes.SHIPPED, (201.1, 187.1, 186.1), strict=True):
        route = routes.find(name)
        assert route.length_m / 1000 == pytest.approx(kilometres, abs=0.1)
        assert (route.points[0].lat, route.points[-1].lat) == (51.5074, 52.4862)
    assert routes.find("london-birmingham-m40") == routes.find("london-birmingham")


def test_a_gpx_file_is_a_route_whose_name_knows_its_content(tmp_path: Path) -> None:
    one = routes.find(str(_file(tmp_path, "My Trip.gpx", GPX)))
    other = routes.find(str(_file(tmp_path, "My Trip.gpx", GPX.replace("52.004", "52.005"))))
    assert one.name.startswith("my-trip-") and one.name != other.name
    assert len(one.points) == 3


def test_a_csv_file_may_name_roads_and_limits(tmp_path: Path) -> None:
    text = "lat,lon,road,limit_mph,name\n52,-1,A1,40,here\n52.01,-1,A1,30,there\n"
    route = routes.find(str(_file(tmp_path, "r.csv", text)))
    assert route.points[0] == routes.Point(52.0, -1.0, "A1", 40 * routes.KMH_PER_MPH, "here")
    assert routes.roads(route) == ["A1"]


BAD_ROUTES = {
    "empty.csv": ("lat,lon\n", "empty"),
    "nothing.csv": ("", "columns lat and lon"),
    "one.csv": ("lat,lon\n52,-1\n", "single point"),
    "same.csv": ("lat,lon\n52,-1\n52,-1\n", "single point"),
    "words.csv": ("lat,lon\n52,-1\nfifty,-1\n", "line 3"),
    "nan.csv": ("lat,lon\n52,-1\nnan,-1\n", "not on Earth"),
    "pole.csv": ("lat,lon\n52,-1\n95,-1\n", "not on Earth"),
    "gap.csv": ("lat,lon\n52,-1\n52.5,-1\n", "56 km lie between points 1 and 2"),
    "short.csv": ("lat,lon\n52,-1\n52.0001,-1\n", "only 11 m"),
    "order.csv": ("lat,lon,cum_km\n52,-1,0\n52.01,-1,2\n52.02,-1,1\n", "goes back"),
    "limit.csv": ("lat,lon,limit_mph\n52,-1,0\n52.01,-1,30\n", "not believable"),
    "broken.gpx": ("<gpx><trk>", "not GPX"),
    "points.gpx": ('<gpx version="1.1" creator="t"><wpt lat="1" lon="1"/></gpx>', "neither a track nor a route"),
    "clock.gpx": (GPX.replace("07:01:05", "06:59:00"), "clock goes back by 100 s at point 4"),
    "bomb.gpx": ('<!DOCTYPE x [<!ENTITY a "b">]><gpx/>', "entities"),
}


@pytest.mark.parametrize("name", BAD_ROUTES)
def test_bad_route_files_are_refused_with_a_sentence(tmp_path: Path, name: str) -> None:
    text, reason = BAD_ROUTES[name]
    with pytest.raises(UsageError) as refused:
        routes.find(str(_file(tmp_path, name, text)))
    assert reason in refused.value.reason
    assert refused.value.hint


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "image.csv").write_bytes(b"\xff\xd8\xff\xe0")
    for name in (str(tmp_path / "image.csv"), str(tmp_path / "missing.csv"), "no-such-route"):
        with pytest.raises(UsageError):
            routes.find(name)


def test_a_replay_passes_through_each_point_at_its_time(tmp_path: Path) -> None:
    track = replay.load(_file(tmp_path, "track.gpx", GPX))
    samples = parsed(replay.Replay(track, 1).batches())["vehicle"]
    assert [samples[0]["ts"], samples[-1]["ts"]] == ["2026-03-02T07:00:00.000Z", "2026-03-02T07:01:05.000Z"]
    assert len(samples) == 66
    for second, lat, lon in ((0, 52.0, -1.0), (10, 52.001, -1.0), (40, 52.001, -1.0), (65, 52.004, -0.998)):
        assert metres(samples[second], {"latitude": lat, "longitude": lon}) < 0.1
    assert samples[5]["speed_kmh"] == pytest.approx(40.0, abs=0.1)
    assert all(sample["speed_kmh"] == 0.0 for sample in samples[12:40])


def test_a_replay_has_the_other_sensors_too_and_is_repeatable(tmp_path: Path) -> None:
    text = "time,lat,lon\n" + "\n".join(f"2026-03-02T07:{m:02d}:00.500Z,{52 + m / 150},-1" for m in range(20))
    track = replay.load(_file(tmp_path, "track.csv", text))
    one, other = (parsed(replay.Replay(track, 3, window_s=size).batches()) for size in (300, 20))
    assert one == other
    assert {"vehicle", "gps", "camera", "weather"} <= set(one)


BAD_TRACKS = {
    "untimed.gpx": (GPX.replace("<time>2026-03-02T07:00:10Z</time>", ""), "point 2 has no time"),
    "clock.gpx": (GPX.replace("07:00:40", "07:00:05"), "clock goes back"),
    "jump.csv": ("time,lat,lon\n2026-03-02T07:00:00Z,52,-1\n2026-03-02T07:00:01Z,52.1,-1\n", "jumps 11120 m"),
    "still.csv": ("time,lat,lon\n2026-03-02T07:00:00Z,52,-1\n2026-03-02T07:00:09Z,52,-1\n", "never leaves"),
    "one.csv": ("time,lat,lon\n2026-03-02T07:00:00Z,52,-1\n", "1 recorded points"),
    "columns.csv": ("lat,lon\n52,-1\n", "columns time, lat and lon"),
    "words.csv": ("time,lat,lon\nnoon,52,-1\n", "line 2"),
    "year.csv": ("time,lat,lon\n1970-01-01T00:00:00Z,52,-1\n1970-01-01T00:00:09Z,52.001,-1\n", "not believable"),
    "pole.csv": ("time,lat,lon\n2026-03-02T07:00:00Z,52,-1\n2026-03-02T07:00:09Z,nan,-1\n", "not on Earth"),
}


@pytest.mark.parametrize("name", BAD_TRACKS)
def test_bad_tracks_are_refused_with_a_sentence(tmp_path: Path, name: str) -> None:
    text, reason = BAD_TRACKS[name]
    with pytest.raises(UsageError) as refused:
        replay.load(_file(tmp_path, name, text))
    assert reason in refused.value.reason


def test_a_sketch_has_both_ends() -> None:
    picture = sketch.sketch(routes.find("london-birmingham"))
    assert picture.count("A") == picture.count("B") == 1
    assert picture.index("B") < picture.index("A")  # Birmingham lies north-west
    assert max(map(len, picture.splitlines())) <= sketch.WIDTH
    stretches = sketch.limits(routes.find("london-birmingham"))
    assert stretches[0][:2] == ("A4", 0.0) and stretches[-1][2] == pytest.approx(201.1)
    assert sum(stretch[4] for stretch in stretches) == pytest.approx(120.0, abs=0.6)
