"""Five small tables, hive-partitioned by dt and hour, in Parquet: the test bench of the recorded queries.

They hold what trips engines up: NULL, NaN, infinities, empty texts, other scripts, years 1 and 9999, the day the
clocks change, integers beyond 2^53, malformed JSON. Every value comes from a generator seeded with the table's name,
drawn in a fixed order: the recorded answers depend on it. They are no part of the pipeline's own contract.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 20_000
SEED = 476
PARTITIONS = ("dt", "hour")

Row = dict[str, Any]

_DAYS = [dt.date(2026, 3, 27) + dt.timedelta(day) for day in range(4)]  # 29 March: EU clocks change
_HOURS = [0, 1, 2, 8, 9, 17, 18, 23]
_ROADS = ["M40", "M1", "A1(M)", "M6", "m25", "A5 Éast", "Straße 7", "北環路", "M40 ", ""]
_MAKES = {
    "BMW": ["i4", "X5"],
    "Ford": ["Focus", "Puma"],
    "Škoda": ["Octavia"],
    "Toyota": ["Yaris", "Corolla"],
    "Tesla": ["Model 3", "Model Y"],
    "Citroën": ["C3"],
}
_FUELS = ["petrol", "diesel", "electric", "hybrid"]
_TAGS = ["fleet", "vip", "ev", "night", "école", "", "tow", "taxi", "bus-lane"]
_SENSORS = ["oil_temp", "tyre_fl", "tyre_fr", "batt_v", "cabin_c"]
_KINDS = ["collision", "breakdown", "fire", "medical", "flood", "debris"]
_SEVERITIES = ["low", "medium", "high", "critical"]
_STATES = ["open", "dispatched", "cleared"]
_CONDITIONS = ["clear", "rain", "snow", "fog", "drizzle", "überfrierend"]
_CONGESTION = ["free", "light", "heavy", "standstill"]
_EXTREMES = [
    dt.datetime(1, 1, 1),
    dt.datetime(1969, 12, 31, 23, 59, 59, 999999),
    dt.datetime(1582, 10, 15),
    dt.datetime(2038, 1, 19, 3, 14, 8),
    dt.datetime(9999, 12, 31, 23, 59, 59, 999000),
    dt.datetime(1970, 1, 1),
]

_STRING, _DOUBLE, _INT, _TIMESTAMP = pa.string(), pa.float64(), pa.int32(), pa.timestamp("us")
_HEAD = {"event_id": _STRING, "trip_id": _STRING, "vehicle_id": _STRING, "ts": _TIMESTAMP}
_PLACE = {"latitude": _DOUBLE, "longitude": _DOUBLE}


def _doubles(*names: str) -> dict[str, pa.DataType]:
    return dict.fromkeys(names, _DOUBLE)


def _strings(*names: str) -> dict[str, pa.DataType]:
    return dict.fromkeys(names, _STRING)


#: table → column → type, as in the files; the partition columns are in the folders' names only
COLUMNS: dict[str, dict[str, pa.DataType]] = {
    "vehicle": {
        **_HEAD,
        **_PLACE,
        "road": _STRING,
        **_doubles("speed_kmh", "heading_deg", "odometer_km", "fuel_pct"),
        "engine_rpm": _INT,
        "coolant_c": _DOUBLE,
        **_strings("make", "model"),
        "year": _INT,
        "fuel_type": _STRING,
        "tags": pa.list_(_STRING),
        "sensors": pa.map_(_STRING, _DOUBLE),
        "payload": _STRING,
    },
    "gps": {
        **_HEAD,
        **_PLACE,
        **_doubles("altitude_m", "speed_kmh", "heading_deg", "hdop"),
        "satellites": _INT,
        "fix": _STRING,
    },
    "camera": {
        **_strings("event_id", "trip_id", "vehicle_id", "camera_id"),
        "ts": _TIMESTAMP,
        **_PLACE,
        **_strings("road", "snapshot_uri", "plate"),
        "vehicles_in_view": _INT,
        "avg_flow_kmh": _DOUBLE,
        "congestion": _STRING,
    },
    "weather": {
        **_HEAD,
        **_PLACE,
        "condition": _STRING,
        **_doubles("temperature_c", "precipitation_mm_h", "wind_kmh", "humidity_pct", "visibility_m"),
        "air_quality_index": _INT,
    },
    "emergency": {
        **_strings("event_id", "trip_id", "incident_id"),
        "ts": _TIMESTAMP,
        **_PLACE,
        **_strings("road", "kind", "severity", "status", "description"),
        "lanes_closed": _INT,
    },
}


class Draw(random.Random):
    """Random values of a column. Each method draws the same number of times whatever comes out."""

    def or_null(self, share: float, value: Any) -> Any:
        """The value, or NULL in this share of cases."""
        return None if self.random() < share else value

    def double(
        self, low: float, high: float, digits: int = 2, *, null: float = 0.0, nan: float = 0.0, infinite: float = 0.0
    ) -> float | None:
        """A rounded double, or NULL, NaN or an infinity in these shares of cases."""
        lot, value = self.random(), round(self.uniform(low, high), digits)
        if lot < null:
            return None
        if lot < null + nan:
            return float("nan")
        if lot < null + nan + infinite:
            return float("inf") if self.random() < 0.5 else float("-inf")
        return value


def rows(table: str, count: int = ROWS) -> Iterator[tuple[tuple[str, str], Row]]:
    """Each row with its partition, (dt, hour)."""
    draw = Draw(SEED ^ zlib.crc32(table.encode()))
    for number in range(count):
        day, hour = _DAYS[draw.randrange(len(_DAYS))], _HOURS[min(draw.randrange(10), 7)]
        vehicle = f"veh-{draw.randrange(60):03d}"
        row: Row = {"event_id": f"{table[:3]}-{number:06d}", "trip_id": f"{vehicle}-t{draw.randrange(12):02d}"}
        row["ts"] = _moment(draw, table, day, hour)
        row["latitude"] = round(51.5 + draw.uniform(-0.4, 0.4), 6)
        row["longitude"] = round(-0.12 + draw.uniform(-0.6, 0.6), 6)
        if table != "emergency":
            row["vehicle_id"] = vehicle
        row |= _OWN[table](draw, number, day)
        yield (day.isoformat(), f"{hour:02d}"), row


def _moment(draw: Draw, table: str, day: dt.date, hour: int) -> dt.datetime:
    minute, second, micros = draw.randrange(60), draw.randrange(60), draw.randrange(1000) * 1000
    if table == "gps" and draw.random() < 0.0015:
        return _EXTREMES[draw.randrange(len(_EXTREMES))]
    return dt.datetime(day.year, day.month, day.day, hour, minute, second, micros)


def _vehicle(draw: Draw, number: int, _day: dt.date) -> Row:
    make, fuel = draw.choice(sorted(_MAKES)), draw.choice(_FUELS)
    speed = draw.double(0, 160, null=0.02, nan=0.005, infinite=0.001)
    tags = draw.or_null(0.05, [draw.or_null(0.04, draw.choice(_TAGS)) for _ in range(draw.randrange(0, 5))])
    names = draw.sample(_SENSORS, draw.randrange(0, 5))
    sensors = draw.or_null(0.05, {name: draw.double(-10, 130, null=0.05) for name in names})
    payload = _payload(draw, number)
    return {
        "speed_kmh": speed,
        "make": make,
        "fuel_type": fuel,
        "tags": tags,
        "sensors": sensors,
        "payload": payload,
        "road": draw.or_null(0.03, draw.choice(_ROADS)),
        "heading_deg": draw.double(0, 359.99),
        "odometer_km": draw.double(0, 250000, 1, null=0.01),
        "fuel_pct": None if fuel == "electric" else draw.double(0, 100, 1),
        "engine_rpm": draw.or_null(0.02, draw.randrange(-200, 7000)),
        "coolant_c": draw.double(-20, 120, 1, null=0.05),
        "model": draw.choice(_MAKES[make]),
        "year": draw.or_null(0.01, draw.randrange(1998, 2027)),
    }


def _payload(draw: Draw, number: int) -> str | None:
    names = ["Ana", "Bob", "Zoë", "李"]
    document = {
        "seq": number,
        "driver": {"id": draw.randrange(40), "name": draw.choice(names), "score": round(draw.random(), 3)},
        "alerts": [draw.choice(["speed", "fuel", "tyre"]) for _ in range(draw.randrange(0, 4))],
        "ok": draw.random() < 0.7,
        "note": draw.or_null(0.3, draw.choice(["a b", 'quote " in', "línea", ""])),
        "big": 2**53 + draw.randrange(1000),
    }
    lot = draw.random()
    if lot < 0.03:
        return None
    if lot < 0.04:
        return "{bad json"
    return '[1,2,{"a":null}]' if lot < 0.05 else json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _gps(draw: Draw, _number: int, _day: dt.date) -> Row:
    return {
        "altitude_m": draw.double(-5, 300, 1, null=0.02),
        "speed_kmh": draw.double(0, 160, null=0.02),
        "heading_deg": draw.double(0, 359.99),
        "hdop": draw.double(0.5, 20, null=0.01, nan=0.004, infinite=0.003),
        "satellites": draw.or_null(0.02, draw.randrange(0, 16)),
        "fix": draw.choice(["3D", "2D", "none", "3d"]),
    }


def _camera(draw: Draw, number: int, day: dt.date) -> Row:
    area = draw.choice("ABCDEFGH") + draw.choice("ABCDEFGH") + str(draw.randrange(10, 99))
    plate = f"{area} {draw.choice('XYZ')}{draw.choice('XYZ')}{draw.choice('XYZ')}"
    camera = f"cam-{draw.randrange(25):02d}"
    road = draw.choice(_ROADS)
    picture = f"s3://smartcity-raw/snap/{day:%Y/%m/%d}/{camera}/{number}.jpg"
    return {
        "camera_id": camera,
        "road": road,
        "plate": draw.or_null(0.35, plate.lower() if draw.random() < 0.1 else plate),
        "snapshot_uri": f"{picture}?w={draw.randrange(1, 5) * 320}&q=a%20b",
        "vehicles_in_view": draw.randrange(0, 40),
        "avg_flow_kmh": draw.double(0, 120, null=0.05),
        "congestion": draw.choice(_CONGESTION),
    }


def _weather(draw: Draw, _number: int, _day: dt.date) -> Row:
    return {
        "condition": draw.choice(_CONDITIONS),
        "temperature_c": draw.double(-15, 35, 1, null=0.02, nan=0.002),
        "precipitation_mm_h": draw.double(0, 20),
        "wind_kmh": draw.double(0, 120, 1),
        "humidity_pct": draw.double(0, 100, 1),
        "visibility_m": draw.double(20, 20000, 0, null=0.01),
        "air_quality_index": draw.or_null(0.02, draw.randrange(1, 300)),
    }


def _emergency(draw: Draw, _number: int, _day: dt.date) -> Row:
    kind = draw.choice(_KINDS)
    return {
        "incident_id": f"inc-{draw.randrange(900):04d}",
        "road": draw.choice(_ROADS),
        "kind": kind,
        "severity": draw.choice(_SEVERITIES),
        "status": draw.choice(_STATES),
        "description": draw.or_null(0.1, draw.choice(_descriptions(draw, kind))),
        "lanes_closed": draw.or_null(0.05, draw.randrange(0, 5)),
    }


def _descriptions(draw: Draw, kind: str) -> list[str]:
    return [
        f"{kind} near J{draw.randrange(1, 30)}",
        "",
        "  padded  ",
        f"{kind.upper()}: 100% lane_1 'quoted'",
        "naïve café – tab\there",
        f"call +44 20 7{draw.randrange(100, 999)} {draw.randrange(1000, 9999)}",
    ]


_OWN: dict[str, Callable[[Draw, int, dt.date], Row]] = {
    "vehicle": _vehicle,
    "gps": _gps,
    "camera": _camera,
    "weather": _weather,
    "emergency": _emergency,
}


def write(folder: Path, count: int = ROWS) -> list[Path]:
    """Write every table as folder/<table>/dt=…/hour=…/part-0.parquet and return the files."""
    written = []
    for table, columns in COLUMNS.items():
        parts: dict[tuple[str, str], list[Row]] = {}
        for partition, row in rows(table, count):
            parts.setdefault(partition, []).append(row)
        for (day, hour), content in sorted(parts.items()):
            file = folder / table / f"dt={day}" / f"hour={hour}" / "part-0.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            arrays = [pa.array([_cell(row[name]) for row in content], type_) for name, type_ in columns.items()]
            pq.write_table(pa.Table.from_arrays(arrays, list(columns)), file, compression="snappy")
            written.append(file)
    return written


def _cell(value: Any) -> Any:
    """A map as pairs, the form in which pyarrow takes one."""
    return list(value.items()) if isinstance(value, dict) else value
