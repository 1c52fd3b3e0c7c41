"""Randomness without state: a number is a pure function of a key and its coordinates.

The world is asked about any place and second in any order and in pieces of any length, and must always answer the
same. So nothing here draws from a generator: integers are hashed (the finalizer of SplitMix64: Steele, Lea and Flood,
"Fast splittable pseudorandom number generators", OOPSLA 2014), which is exact on every platform, and smooth fields
are value noise over hashed lattice points.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
BoolArray: TypeAlias = NDArray[np.bool_]
IntArray: TypeAlias = NDArray[np.int64]
KeyArray: TypeAlias = NDArray[np.uint64]

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB
_LATTICE_X = np.uint64(0x9E3779B97F4A7C15)
_LATTICE_Y = np.uint64(0xC2B2AE3D27D4EB4F)
_LATTICE_Z = np.uint64(0xD6E8FEB86659FD93)


def key(*parts: int | str) -> int:
    """A 64-bit key from a seed and names: different parts give unrelated keys."""
    state = 0
    for part in parts:
        data = part.encode() if isinstance(part, str) else (part & _MASK).to_bytes(8, "little")
        for start in range(0, len(data), 8):
            state = _mix_int(state ^ int.from_bytes(data[start : start + 8], "little"))
        state = _mix_int(state + len(data))
    return state


def _mix_int(value: int) -> int:
    value = (value + _GOLDEN) & _MASK
    value = ((value ^ (value >> 30)) * _MIX_1) & _MASK
    value = ((value ^ (value >> 27)) * _MIX_2) & _MASK
    return value ^ (value >> 31)


def _mix(value: KeyArray) -> KeyArray:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(_MIX_1)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(_MIX_2)
    return value ^ (value >> np.uint64(31))


def keys(values: list[int]) -> KeyArray:
    """Keys of several cars as an array, for `uniform` and its kin."""
    return np.array(values, dtype=np.uint64)


def _bits(base: int | KeyArray, index: Any) -> KeyArray:
    base_array = np.asarray(base, dtype=np.uint64)
    index_array = np.atleast_1d(np.asarray(index, dtype=np.int64)).view(np.uint64)
    return _mix(base_array + index_array * _LATTICE_X)


def uniform(base: int | KeyArray, index: Any) -> FloatArray:
    """Numbers in [0, 1), one per index; `base` and `index` broadcast."""
    return (_bits(base, index) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(base: int | KeyArray, index: Any) -> FloatArray:
    """Numbers of mean 0 and deviation 1, bell-shaped and bounded by ±3.46: the sum of four uniforms.

    (Irwin-Hall. A sum of integers is exact everywhere, while the logarithm in Box-Muller is not.)
    """
    bits = _bits(base, index)
    low = np.uint64(0xFFFF)
    total = (bits & low) + ((bits >> np.uint64(16)) & low) + ((bits >> np.uint64(32)) & low) + (bits >> np.uint64(48))
    bell: FloatArray = (total.astype(np.float64) * (1 / 65535) - 2.0) * 1.7320508075688772
    return bell


def _fade(fraction: FloatArray) -> FloatArray:
    return fraction * fraction * (3.0 - 2.0 * fraction)


def _split(x: FloatArray) -> tuple[KeyArray, FloatArray]:
    floor = np.floor(x)
    return floor.astype(np.int64).view(np.uint64), _fade(x - floor)


def _unit(bits: KeyArray) -> FloatArray:
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def smooth(base: int | KeyArray, x: FloatArray) -> FloatArray:
    """Value noise in [0, 1) over one coordinate: independent at whole numbers, smooth in between."""
    cell, fade = _split(np.atleast_1d(x))
    origin = np.asarray(base, dtype=np.uint64) + cell * _LATTICE_X
    near, far = _unit(_mix(origin)), _unit(_mix(origin + _LATTICE_X))
    return near + (far - near) * fade


def smooth_normal(base: int | KeyArray, x: FloatArray) -> FloatArray:
    """Like `smooth`, but bell-shaped around 0 with deviation 1 at whole numbers."""
    cell, fade = _split(np.atleast_1d(x))
    index = cell.view(np.int64)
    near, far = normal(base, index), normal(base, index + 1)
    return near + (far - near) * fade


def smooth2(base: int, x: FloatArray, y: FloatArray) -> FloatArray:
    """Value noise in [0, 1) over two coordinates."""
    cell_x, fade_x = _split(np.atleast_1d(x))
    cell_y, fade_y = _split(np.atleast_1d(y))
    origin = np.uint64(base) + cell_x * _LATTICE_X + cell_y * _LATTICE_Y
    low = _unit(_mix(origin))
    low = low + (_unit(_mix(origin + _LATTICE_X)) - low) * fade_x
    high_origin = origin + _LATTICE_Y
    high = _unit(_mix(high_origin))
    high = high + (_unit(_mix(high_origin + _LATTICE_X)) - high) * fade_x
    return low + (high - low) * fade_y


def smooth3(base: int, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
    """Value noise in [0, 1) over two coordinates and time."""
    cell_z, fade_z = _split(np.atleast_1d(z))
    key_low = np.uint64(base) + cell_z * _LATTICE_Z
    low = _smooth2_keys(key_low, x, y)
    high = _smooth2_keys(key_low + _LATTICE_Z, x, y)
    return low + (high - low) * fade_z


def _smooth2_keys(base: KeyArray, x: FloatArray, y: FloatArray) -> FloatArray:
    cell_x, fade_x = _split(np.atleast_1d(x))
    cell_y, fade_y = _split(np.atleast_1d(y))
    origin = base + cell_x * _LATTICE_X + cell_y * _LATTICE_Y
    low = _unit(_mix(origin))
    low = low + (_unit(_mix(origin + _LATTICE_X)) - low) * fade_x
    high = _unit(_mix(origin + _LATTICE_Y))
    high = high + (_unit(_mix(origin + _LATTICE_X + _LATTICE_Y)) - high) * fade_x
    return low + (high - low) * fade_y


def smooth_rows(rows: KeyArray, x: FloatArray) -> FloatArray:
    """`smooth_normal` for several keys over one ascending line of coordinates: one row per key.

    Only the few whole numbers in between are hashed, which makes it cheap for long lines.
    """
    floor = np.floor(x)
    cell = (floor - floor[0]).astype(np.int64)
    fade = _fade(x - floor)
    knots = int(floor[0]) + np.arange(int(cell[-1]) + 2)
    values = normal(rows[:, np.newaxis], knots[np.newaxis, :])
    near = values[:, cell]
    return near + (values[:, cell + 1] - near) * fade
