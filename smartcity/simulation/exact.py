"""Trigonometry from additions, multiplications, divisions and square roots only.

IEEE 754 rounds those the same everywhere; the sine of a C library or of a SIMD build of numpy may differ in its last
bit, and one bit can flip a rounded digit and so an event. The series below are good to about 1e-15.
"""

from __future__ import annotations

import numpy as np

from smartcity.simulation.noise import FloatArray

PI = 3.141592653589793
_DEG = PI / 180.0
_COS_TERMS = tuple(1.0 / (2 * k * (2 * k - 1)) for k in range(12, 0, -1))
_ATAN_TERMS = tuple((-1.0) ** k / (2 * k + 1) for k in range(12, -1, -1))


def cos_deg(angle: FloatArray) -> FloatArray:
    """Cosine of an angle in degrees."""
    angle = angle - 360.0 * np.floor((angle + 180.0) / 360.0)
    square = (angle * _DEG) * (angle * _DEG)
    result = np.ones_like(square)
    for term in _COS_TERMS:
        result = 1.0 - square * term * result
    return result


def sin_deg(angle: FloatArray) -> FloatArray:
    """Sine of an angle in degrees."""
    return cos_deg(90.0 - angle)


def bearing_deg(east: FloatArray, north: FloatArray) -> FloatArray:
    """Compass bearing of a vector in [0, 360): 0 is north, 90 east. A null vector gives 0."""
    x, y = np.abs(east), np.abs(north)
    large = np.maximum(x, y)
    ratio = np.minimum(x, y) / np.where(large == 0.0, 1.0, large)
    angle = _atan(ratio) / _DEG
    angle = np.where(x > y, 90.0 - angle, angle)
    angle = np.where(north < 0.0, 180.0 - angle, angle)
    angle = np.where(east < 0.0, 360.0 - angle, angle)
    return np.where(angle >= 360.0, 0.0, angle)


def _atan(ratio: FloatArray) -> FloatArray:
    """Arc tangent for 0 to 1: two half-angle steps, then the series."""
    for _ in range(2):
        ratio = ratio / (1.0 + np.sqrt(1.0 + ratio * ratio))
    square = ratio * ratio
    result = np.zeros_like(ratio)
    for term in _ATAN_TERMS:
        result = term + square * result
    return 4.0 * ratio * result


def decay(x: FloatArray) -> FloatArray:
    """exp(-x) for x >= 0 within 3 %, which is all that a warming engine needs."""
    return 1.0 / (1.0 + x * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x / 120.0)))))


def interpolate(x: FloatArray, knots: FloatArray, values: FloatArray) -> FloatArray:
    """Piecewise linear interpolation, held at both ends; `numpy.interp` may fuse operations on some platforms."""
    right = np.clip(np.searchsorted(knots, x, side="right"), 1, len(knots) - 1)
    left = right - 1
    share = np.clip((x - knots[left]) / (knots[right] - knots[left]), 0.0, 1.0)
    return values[left] + (values[right] - values[left]) * share
