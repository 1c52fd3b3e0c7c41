"""From motion to events: what the sensors of a few cars report in a window, as finished lines.

Vehicle and GPS report every second, the dash camera every ten and whenever a roadside camera is passed, the weather
station every thirty, emergencies as the car hears of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from smartcity.layout import FRAMES
from smartcity.simulation import cameras, encode, engine, gps, news, noise, weather
from smartcity.simulation.batch import EventBatch
from smartcity.simulation.car import Car
from smartcity.simulation.city import City
from smartcity.simulation.drive import Motion
from smartcity.simulation.footage import FrameTaker, Shot
from smartcity.simulation.identity import ByteArray, event_ids
from smartcity.simulation.noise import BoolArray, FloatArray, IntArray
from smartcity.simulation.routes import KMH_PER_MPH
from smartcity.simulation.scene import Scene

WEATHER_S = 30
_SHOT_COLUMNS = ("frame_uri", "frame_sha256", "frame_bytes")


@dataclass
class Memory:
    """What one car carries from window to window."""

    outside_c: float
    used_kj: float = 0.0
    peak_kj: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)
    templates: dict[int, ByteArray] = field(default_factory=dict)

    def template(self, layout: encode.Layout, car: Car) -> ByteArray:
        """The car's row of a layout, made once."""
        if layout.serial not in self.templates:
            self.templates[layout.serial] = layout.template(car.constants)
        return self.templates[layout.serial]


@dataclass(frozen=True)
class _Rows:
    """The samples of a block as columns, car after car."""

    car: IntArray
    epoch_s: IntArray
    since_s: IntArray
    distance: FloatArray
    segment: IntArray
    lat: FloatArray
    lon: FloatArray
    speed_kmh: FloatArray
    heading: FloatArray
    height: FloatArray


class Sensors:
    """The sensors of all cars of a city."""

    def __init__(self, city: City, frames: FrameTaker | None = None) -> None:
        self._city, self._frames = city, frames
        self._memory: dict[int, Memory] = {}

    def forget(self, numbers: set[int]) -> None:
        """Drop what is kept for cars that have arrived."""
        for number in numbers:
            self._memory.pop(number, None)

    def observe(self, cars: Sequence[Car], motion: Motion) -> Iterator[EventBatch]:
        """The events of these cars in this window, topic by topic, each car's in order."""
        memories = [self._memory_of(car) for car in cars]
        block = _Block(self._city, cars, memories, motion, self._frames)
        yield from block.vehicle()
        yield from block.gps()
        yield from block.camera()
        yield from block.weather()
        yield from block.emergency()

    def _memory_of(self, car: Car) -> Memory:
        if car.number not in self._memory:
            road = self._city.road
            sky = self._city.weather.at(np.array([car.depart_s]), road.lat[:1], road.lon[:1])
            self._memory[car.number] = Memory(outside_c=float(sky.temperature_c[0]))
        return self._memory[car.number]


class _Block:
    """Some cars in one window."""

    def __init__(
        self, city: City, cars: Sequence[Car], memories: list[Memory], motion: Motion, frames: FrameTaker | None
    ) -> None:
        self._city, self._cars, self._memories, self._motion, self._frames = city, cars, memories, motion, frames
        self._on = motion.on_road
        self._room = max(len(encode.literal(str(value))) for car in cars for value in car.constants.values()) + 16
        self._slope: FloatArray
        self._rows = self._make_rows()

    def _make_rows(self) -> _Rows:
        road, motion = self._city.road, self._motion
        flat = motion.distance_m.ravel()
        segment = road.segment(flat)
        lat, lon = road.position(flat, segment)
        height, slope = road.height(flat)
        self._slope = slope.reshape(motion.distance_m.shape)
        seconds = np.arange(motion.distance_m.shape[1]) + motion.begin_s
        departs = np.array([car.depart_s for car in self._cars])
        car = np.repeat(np.arange(len(self._cars)), len(seconds))
        epoch_s = np.tile(seconds, len(self._cars))
        covered = motion.speed_ms.ravel()
        straight, heading = road.movement(flat, covered, segment)
        since_s = epoch_s - departs[car]
        return _Rows(car, epoch_s, since_s, flat, segment, lat, lon, straight * 3.6, heading, height)

    def _batches(
        self,
        topic: str,
        rows: IntArray,
        columns: dict[str, Any],
        vocabularies: Mapping[str, tuple[str | None, ...]],
        widths: Mapping[str, int],
    ) -> Iterator[EventBatch]:
        """Encode the events that stand at these rows of the block, and hand them out car by car."""
        if len(rows) == 0:
            return
        layout = encode.layout(topic, tuple(vocabularies.items()), tuple(widths.items()), self._room)
        counts = np.bincount(self._rows.car[rows], minlength=len(self._cars)).tolist()
        epoch_ms = self._rows.epoch_s[rows] * 1000
        templates, ids, firsts = [], [], []
        for car, memory, count in zip(self._cars, self._memories, counts, strict=True):
            first = memory.counts.get(topic, 0)
            memory.counts[topic] = first + count
            templates.append((memory.template(layout, car), count))
            ids.append(event_ids(car.trip_id, topic, first, count) if count else b"")
            firsts.append(first)
        lines = layout.lines(templates, b"".join(ids), epoch_ms, columns)
        start = 0
        for car, first, own, count in zip(self._cars, firsts, ids, counts, strict=True):
            if count:
                part = slice(start, start + count)
                yield EventBatch(topic, car.vehicle_id, car.trip_id, first, lines[part], own, epoch_ms[part])
                start += count

    @property
    def _sampled(self) -> IntArray:
        return np.flatnonzero(self._on.ravel())

    def _roads(self, rows: IntArray) -> IntArray:
        return self._city.road.road_index[self._rows.segment[rows]]

    def vehicle(self) -> Iterator[EventBatch]:
        """Speed, engine and energy of each second."""
        motion, rows, road = self._motion, self._sampled, self._city.road
        garage = engine.Garage.of([car.model for car in self._cars], [memory.outside_c for memory in self._memories])
        rpm = engine.engine_rpm(garage, motion.speed_ms, motion.accel_ms2)
        departs = np.array([car.depart_s for car in self._cars])[:, np.newaxis]
        driven = (motion.begin_s + np.arange(rpm.shape[1]) - departs).astype(np.float64)
        odometer = np.array([car.odometer_km for car in self._cars])[:, np.newaxis] + motion.distance_m * 0.001
        columns = {
            "latitude": self._rows.lat[rows],
            "longitude": self._rows.lon[rows],
            "road": self._roads(rows),
            "speed_kmh": self._rows.speed_kmh[rows],
            "limit_kmh": road.limits_kmh[self._rows.segment[rows]],
            "heading_deg": _wrapped(self._rows.heading[rows]),
            "odometer_km": odometer.ravel()[rows],
            "fuel_pct": self._fuel(garage).ravel()[rows],
            "engine_rpm": rpm.ravel()[rows],
            "coolant_c": engine.coolant_c(garage, driven, rpm).ravel()[rows],
        }
        yield from self._batches("vehicle", rows, columns, {"road": road.road_names}, {})

    def _fuel(self, garage: engine.Garage) -> FloatArray:
        """Per cent left. A battery's gauge does not climb back when braking feeds it, as real ones hardly do."""
        motion, memories = self._motion, self._memories
        taken = engine.energy_kj(garage, motion.speed_ms, motion.accel_ms2, self._slope) * self._on
        before = np.array([memory.used_kj for memory in memories])[:, np.newaxis]
        used = np.cumsum(np.concatenate((before, taken), axis=1), axis=1)
        peak = np.maximum.accumulate(used, axis=1)
        peak = np.maximum(peak, np.array([memory.peak_kj for memory in memories])[:, np.newaxis])
        for memory, last, top in zip(memories, used[:, -1].tolist(), peak[:, -1].tolist(), strict=True):
            memory.used_kj, memory.peak_kj = last, top
        start = np.array([car.fuel_pct for car in self._cars])[:, np.newaxis]
        left: FloatArray = np.maximum(start - 100.0 * peak[:, 1:] / garage.energy_kj, 1.0)
        return left

    def gps(self) -> Iterator[EventBatch]:
        """The receivers' fixes of each second."""
        motion, rows = self._motion, self._sampled
        shape = motion.distance_m.shape
        fixes = gps.receive(
            noise.keys([noise.key(car.key, "gps") for car in self._cars]),
            (motion.begin_s + np.arange(shape[1])).astype(np.float64),
            view=self._city.sky.at(motion.distance_m),
            lat=self._rows.lat.reshape(shape),
            lon=self._rows.lon.reshape(shape),
            height_m=self._rows.height.reshape(shape),
            speed_ms=motion.speed_ms,
            heading_deg=self._rows.heading.reshape(shape),
        )
        columns = {
            "latitude": fixes.lat.ravel()[rows],
            "longitude": fixes.lon.ravel()[rows],
            "altitude_m": fixes.altitude_m.ravel()[rows],
            "speed_kmh": fixes.speed_ms.ravel()[rows] * 3.6,
            "heading_deg": _wrapped(fixes.heading_deg.ravel()[rows]),
            "hdop": fixes.hdop.ravel()[rows],
            "satellites": fixes.satellites.ravel()[rows],
            "fix": fixes.fix.ravel()[rows],
        }
        yield from self._batches("gps", rows, columns, {"fix": gps.FIXES}, {})

    def camera(self) -> Iterator[EventBatch]:
        """Dash cameras and the roadside cameras that the cars pass."""
        rows, passed = self._camera_rows()
        if len(rows) == 0:
            return
        roadside = passed >= 0
        city, block = self._city, self._rows
        keys = noise.keys([noise.key(car.key, "view") for car in self._cars])[block.car[rows]] + roadside
        view = cameras.look(
            city.traffic, city.road, block.epoch_s[rows], block.distance[rows], roadside=roadside, keys=keys
        )
        masts, plates = city.cameras, self._plates(rows, roadside)
        words: dict[str, tuple[str | None, ...]] = {"road": city.road.road_names, "congestion": cameras.CONGESTION}
        words["camera_id"] = masts.ids + tuple(f"DASH-{car.vehicle_id}" for car in self._cars)
        shots: dict[str, Any] = {name: np.zeros(len(rows), dtype=np.int64) for name in _SHOT_COLUMNS}
        if self._frames is None:
            words.update(dict.fromkeys(_SHOT_COLUMNS, (None,)))
        else:
            shots = self._shots(self._frames, rows, passed, view, plates)
        columns: dict[str, Any] = {
            "latitude": np.where(roadside, masts.lat[passed], block.lat[rows]) if len(masts.ids) else block.lat[rows],
            "longitude": np.where(roadside, masts.lon[passed], block.lon[rows]) if len(masts.ids) else block.lon[rows],
            "camera_id": np.where(roadside, passed, len(masts.ids) + block.car[rows]),
            "road": self._roads(rows),
            **shots,
            "plate": [encode.literal(plate) for plate in plates],
            "vehicles_in_view": view.vehicles,
            "avg_flow_kmh": view.flow_kmh,
            "congestion": view.congestion,
        }
        widths = {name: _room_for(columns[name]) for name in (*_SHOT_COLUMNS, "plate") if name not in words}
        yield from self._batches("camera", rows, columns, words, widths)

    def _camera_rows(self) -> tuple[IntArray, IntArray]:
        """Rows with a camera event, and the roadside camera's number or -1 for the dash camera."""
        rows, block = self._sampled, self._rows
        dash = rows[block.since_s[rows] % cameras.DASH_S == 0]
        speed = self._motion.speed_ms.ravel()[rows]
        passed = self._city.cameras.passed(block.distance[rows], speed)
        masts = rows[passed >= 0]
        both = np.concatenate((dash, masts))
        numbers = np.concatenate((np.full(len(dash), -1), passed[passed >= 0]))
        order = np.argsort(both * 2 + (numbers >= 0), kind="stable")
        return both[order], numbers[order]

    def _plates(self, rows: IntArray, roadside: BoolArray) -> list[str | None]:
        """The plate that was read: a mast reads the passing car's nine times in ten, a dash camera some ahead."""
        block = self._rows
        keys = noise.keys([noise.key(car.key, "plate") for car in self._cars])[block.car[rows]]
        draw = noise.uniform(keys, block.epoch_s[rows] * 2 + roadside)
        other = noise.uniform(keys + np.uint64(7), block.epoch_s[rows] // 40)
        result: list[str | None] = []
        for car, mast, chance, number in zip(
            block.car[rows].tolist(), roadside.tolist(), draw.tolist(), other.tolist(), strict=True
        ):
            if mast:
                result.append(self._cars[car].plate if chance < 0.9 else None)
            else:
                result.append(f"SIM {int(number * 10_000):04d}" if chance < 0.35 else None)
        return result

    def _shots(
        self, frames: FrameTaker, rows: IntArray, passed: IntArray, view: cameras.View, plates: list[str | None]
    ) -> dict[str, list[bytes]]:
        """The three columns about pictures; null where none is taken."""
        shots: list[Shot | None] = [None] * len(rows)
        wanted = frames.wanted(self._rows.since_s[rows], passed)
        scenes = self._scenes(rows[wanted], passed[wanted], view.of(wanted), [plates[index] for index in wanted])
        for index, shot in zip(wanted.tolist(), frames.take(scenes), strict=True):
            shots[index] = shot
        return {
            "frame_uri": [encode.literal(shot.uri) if shot else b"null" for shot in shots],
            "frame_sha256": [encode.literal(shot.sha256) if shot else b"null" for shot in shots],
            "frame_bytes": [b"%d" % shot.size if shot else b"null" for shot in shots],
        }

    def _scenes(
        self, rows: IntArray, passed: IntArray, view: cameras.View, plates: list[str | None]
    ) -> list[tuple[str, Scene]]:
        """What is to be drawn, and under which key it is kept."""
        if len(rows) == 0:
            return []
        block, road = self._rows, self._city.road
        sky = self._city.weather.at(block.epoch_s[rows], block.lat[rows], block.lon[rows])
        lanes = road.lanes(block.segment[rows])
        scenes = []
        for index, (row, mast) in enumerate(zip(rows.tolist(), passed.tolist(), strict=True)):
            car, segment = self._cars[int(block.car[row])], int(block.segment[row])
            camera = self._city.cameras.ids[mast] if mast >= 0 else f"DASH-{car.vehicle_id}"
            scene = Scene(
                camera=camera,
                roadside=mast >= 0,
                epoch_s=int(block.epoch_s[row]),
                road=road.road_names[int(road.road_index[segment])],
                place_m=float(block.distance[row]),
                limit_mph=round(float(road.limits_kmh[segment]) / KMH_PER_MPH),
                lanes=int(lanes[index]),
                bend=road.bend(float(block.distance[row])),
                vehicles=int(view.vehicles[index]),
                flow_kmh=float(view.flow_kmh[index]),
                congested=int(view.congestion[index]) >= 2,
                speed_kmh=float(block.speed_kmh[row]),
                plate=plates[index],
                sun_sin=float(sky.sun_sin[index]),
                condition=weather.CONDITIONS[int(sky.condition[index])],
                rain_mm_h=float(sky.rain_mm_h[index]),
                snow=bool(sky.snowing[index]),
                visibility_m=float(sky.visibility_m[index]),
                key=noise.key(self._city.seed, "frame", camera, int(block.epoch_s[row])),
            )
            scenes.append((f"{FRAMES}{camera}/{car.trip_id}/{scene.epoch_s}.jpg", scene))
        return scenes

    def weather(self) -> Iterator[EventBatch]:
        """What the car's weather station measures."""
        block = self._rows
        rows = self._sampled
        rows = rows[block.since_s[rows] % WEATHER_S == 0]
        if len(rows) == 0:
            return
        lat, lon = block.lat[rows], block.lon[rows]
        sky = self._city.weather.at(block.epoch_s[rows], lat, lon)
        columns = {
            "latitude": lat,
            "longitude": lon,
            "condition": sky.condition,
            "temperature_c": sky.temperature_c,
            "precipitation_mm_h": sky.rain_mm_h,
            "wind_kmh": sky.wind_kmh,
            "humidity_pct": sky.humidity_pct,
            "visibility_m": sky.visibility_m,
            "air_quality_index": sky.air_quality,
        }
        yield from self._batches("weather", rows, columns, {"condition": weather.CONDITIONS}, {})

    def emergency(self) -> Iterator[EventBatch]:
        """News of incidents ahead: once when first heard of, then at every change until they are passed."""
        begin, seconds = self._motion.begin_s, self._motion.distance_m.shape[1]
        alive = self._city.incidents.alive(begin + seconds - 1)
        heard = [memory.heard for memory in self._memories]
        items = [item for incident in alive for item in news.hear(incident, self._motion, heard)]
        if not items:
            return
        items.sort(key=lambda item: (item.row, item.incident.incident_id))
        columns, words = news.columns(items, self._city.road)
        widths = {name: _room_for(columns[name]) for name in news.TEXTS}
        yield from self._batches("emergency", np.array([item.row for item in items]), columns, words, widths)


def _wrapped(heading_deg: FloatArray) -> FloatArray:
    """Headings that would print as 360.00 become 0."""
    return np.where(heading_deg >= 359.995, 0.0, heading_deg)


def _room_for(literals: list[bytes]) -> int:
    """Width of a field for these texts, in steps so that layouts are reused."""
    return -(-max(len(text) for text in literals) // 32) * 32
