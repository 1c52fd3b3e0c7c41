"""Columns of numbers to lines of JSON, thousands at a time.

A block of events becomes one matrix of bytes with a row per event. Every value has a field of fixed width in it; what
a value leaves of its field stays zero, and the zeros are dropped at the end. A number is written by looking its digits
up in tables, so that no Python object is made before the finished line. The result is compact JSON with exactly the
columns of the contract, in its order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count
from json.encoder import encode_basestring
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcity.events import TOPICS
from smartcity.simulation.identity import ByteArray, write_uuids
from smartcity.simulation.noise import FloatArray, IntArray

#: Digits before and after the point of each number; 7 decimals of a degree are 1 cm, as receivers report.
FORMATS: dict[str, tuple[int, int]] = {
    "latitude": (3, 7),
    "longitude": (3, 7),
    "speed_kmh": (3, 2),
    "limit_kmh": (3, 1),
    "heading_deg": (3, 2),
    "odometer_km": (7, 3),
    "fuel_pct": (3, 3),
    "engine_rpm": (6, 0),
    "coolant_c": (3, 1),
    "altitude_m": (6, 1),
    "hdop": (3, 2),
    "satellites": (3, 0),
    "frame_bytes": (6, 0),
    "vehicles_in_view": (3, 0),
    "avg_flow_kmh": (3, 1),
    "temperature_c": (3, 1),
    "precipitation_mm_h": (3, 2),
    "wind_kmh": (3, 1),
    "humidity_pct": (3, 1),
    "visibility_m": (6, 1),
    "air_quality_index": (3, 0),
    "lanes_closed": (3, 0),
}
#: Columns that are the same in all events of a trip.
CONSTANTS = ("trip_id", "vehicle_id", "make", "model", "year", "fuel_type")

_TS_WIDTH = 24
_serials = count()
_Table = NDArray[np.void]


def _table(texts: list[str]) -> _Table:
    width = max(len(text) for text in texts)
    return np.frombuffer(b"".join(text.encode().rjust(width, b"\0") for text in texts), dtype=f"V{width}")


_FIXED = {digits: _table([f"{number:0{digits}d}" for number in range(10**digits)]) for digits in (1, 2, 3, 4)}
_FIRST_3 = _table([str(number) for number in range(1000)])
#: The leading group of a long number: nothing for zero.
_LEAD_4 = _table([str(number) if number else "" for number in range(10_000)])
#: The group after it: bare if the leading group was empty, else with zeros in front (from 1,000 on).
_NEXT_3 = _table([str(number) for number in range(1000)] + [f"{number:03d}" for number in range(1000)])
_CLOCK = _table([f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86_400)])


def literal(text: str | None) -> bytes:
    """A JSON string or null in UTF-8."""
    return b"null" if text is None else encode_basestring(text).encode()


class Layout:
    """Where each column of a topic stands in a row: `vocabularies` of columns with few texts, `widths` of free ones."""

    def __init__(
        self, topic: str, vocabularies: Mapping[str, Sequence[str | None]], widths: Mapping[str, int], constants: int
    ) -> None:
        self.topic, self.serial = topic, next(_serials)
        self._vocabularies = {
            name: np.array([literal(text) for text in texts]).view("V" + str(max(len(literal(t)) for t in texts)))
            for name, texts in vocabularies.items()
        }
        self._pieces: list[tuple[int, bytes]] = []
        self._fields: dict[str, tuple[int, int]] = {}
        self.width = 0
        self._text(b"{")
        for number, column in enumerate(TOPICS[topic].columns):
            self._text(("," if number else "").encode() + literal(column.name) + b":")
            self._field(column.name, self._width_of(column.name, widths, constants))
        self._text(b"}\n")

    def _width_of(self, name: str, widths: Mapping[str, int], constants: int) -> int:
        if name in CONSTANTS:
            return constants
        if name in self._vocabularies:
            return int(self._vocabularies[name].dtype.itemsize)
        if name in widths:
            return widths[name]
        whole, decimals = FORMATS.get(name, (0, 0))
        return {"event_id": 38, "ts": _TS_WIDTH + 2}.get(name, 1 + whole + (decimals and decimals + 1))

    def _text(self, text: bytes) -> None:
        self._pieces.append((self.width, text))
        self.width += len(text)

    def _field(self, name: str, width: int) -> None:
        self._fields[name] = (self.width, width)
        self.width += width

    def template(self, constants: Mapping[str, str | int]) -> ByteArray:
        """A row with everything that does not change within a trip."""
        row = bytearray(self.width)
        for place, text in self._pieces:
            row[place : place + len(text)] = text
        for name, value in constants.items():
            if name in self._fields:
                text = literal(value) if isinstance(value, str) else str(value).encode()
                place = self._fields[name][0]
                row[place : place + len(text)] = text
        for name in ("event_id", "ts"):
            place, width = self._fields[name]
            row[place] = row[place + width - 1] = ord('"')
        return np.frombuffer(bytes(row), dtype=np.uint8)

    def lines(
        self, templates: Sequence[tuple[ByteArray, int]], ids: bytes, epoch_ms: IntArray, columns: Mapping[str, Any]
    ) -> list[bytes]:
        """One line of JSON per event, without its line feed. `templates` tell how many rows each trip has."""
        matrix = np.empty((len(epoch_ms), self.width), dtype=np.uint8)
        start = 0
        for template, rows in templates:
            matrix[start : start + rows] = template
            start += rows
        place = self._fields["event_id"][0] + 1
        write_uuids(matrix[:, place : place + 36], ids)
        self._write_ts(matrix, epoch_ms)
        for name, values in columns.items():
            self._write(matrix, name, values)
        flat = matrix.ravel()
        text: bytes = flat[flat != 0].tobytes()
        return text.split(b"\n")[:-1]

    def _write(self, matrix: ByteArray, name: str, values: Any) -> None:
        place, width = self._fields[name]
        if name in self._vocabularies:
            _put(matrix, place, self._vocabularies[name][values])
        elif isinstance(values, list):
            _put(matrix, place, np.array(values, dtype=f"S{width}").view(f"V{width}"))
        else:
            _write_number(matrix, place, values, *FORMATS[name])

    def _write_ts(self, matrix: ByteArray, epoch_ms: IntArray) -> None:
        place = self._fields["ts"][0] + 1
        seconds = epoch_ms // 1000
        days = seconds // 86_400
        first = int(days.min())
        dates = _dates(first, int(days.max()))
        _put(matrix, place, dates[days - first])
        matrix[:, place + 10] = ord("T")
        _put(matrix, place + 11, _CLOCK[seconds - days * 86_400])
        matrix[:, place + 19] = ord(".")
        _put(matrix, place + 20, _FIXED[3][epoch_ms - seconds * 1000])
        matrix[:, place + 23] = ord("Z")


@lru_cache(maxsize=16)
def _dates(first: int, last: int) -> _Table:
    return _table([f"{datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%d}" for day in range(first, last + 1)])


@lru_cache(maxsize=64)
def layout(
    topic: str,
    vocabularies: tuple[tuple[str, tuple[str | None, ...]], ...],
    widths: tuple[tuple[str, int], ...],
    constants: int,
) -> Layout:
    """A layout, made once for the same arguments."""
    return Layout(topic, dict(vocabularies), dict(widths), constants)


def _put(matrix: ByteArray, place: int, cells: _Table) -> None:
    """Copy cells of some bytes into the column that begins at `place`."""
    target = np.ndarray((len(matrix),), cells.dtype, buffer=matrix.data, offset=place, strides=(matrix.shape[1],))
    target[:] = cells


def _write_number(matrix: ByteArray, place: int, values: FloatArray | IntArray, whole: int, decimals: int) -> None:
    scaled = np.rint(np.abs(values) * 10.0**decimals).astype(np.uint32)
    negative = (values < 0) & (scaled > 0)
    if negative.any():
        matrix[:, place] = np.where(negative, ord("-"), 0)
    else:
        matrix[:, place] = 0
    place += 1
    power = np.uint32(10**decimals)
    number = scaled // power if decimals else scaled
    if whole == 3:
        _put(matrix, place, _FIRST_3[number])
    else:
        lead = number // np.uint32(1000)
        rest = number - lead * np.uint32(1000)
        _put(matrix, place, _LEAD_4[lead] if whole == 7 else _LEAD_3[lead])
        _put(matrix, place + whole - 3, _NEXT_3[rest + (lead > 0) * np.uint32(1000)])
    if decimals:
        place += whole
        matrix[:, place] = ord(".")
        _write_fraction(matrix, place + 1, scaled - number * power, decimals)


#: As `_LEAD_4`, three digits wide.
_LEAD_3 = _table([str(number) if number else "" for number in range(1000)])


def _write_fraction(matrix: ByteArray, place: int, fraction: NDArray[np.uint32], decimals: int) -> None:
    if decimals <= 4:
        _put(matrix, place, _FIXED[decimals][fraction])
        return
    high = fraction // np.uint32(1000)
    _put(matrix, place, _FIXED[4][high])
    _put(matrix, place + 4, _FIXED[3][fraction - high * np.uint32(1000)])
