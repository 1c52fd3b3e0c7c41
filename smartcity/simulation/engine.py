"""What drives: a catalogue of cars, and what their engines use, turn and warm up to.

Power at the wheels is the road load of every textbook (Gillespie, Fundamentals of Vehicle Dynamics):
P = (m a + m g (c_r + slope) + ½ ρ c_d A v²) v. Units follow COVESA VSS (rpm, °C, per cent of tank or battery).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smartcity.simulation.exact import decay
from smartcity.simulation.noise import FloatArray, IntArray

GRAVITY = 9.81
AIR_KG_M3 = 1.22
ROLLING = 0.011
#: Speeds in km/h at which an automatic box takes the next gear, and engine turns per minute and km/h in each gear.
SHIFT_KMH = np.array([18.0, 33.0, 50.0, 70.0, 92.0])
GEAR_RPM = np.array([112.0, 66.0, 45.0, 34.5, 27.5, 22.5])
IDLE_RPM = 780.0
#: Turns per minute and km/h of a single-speed electric drive.
ELECTRIC_RPM = 88.0
FUEL_TYPES = ("petrol", "diesel", "hybrid", "electric")


@dataclass(frozen=True)
class Model:
    """A model as sold: years, drive, mass in kg, c_d A in m², energy in tank or battery in kWh, share of sales."""

    make: str
    model: str
    years: tuple[int, int]
    fuel_type: str
    mass_kg: float
    drag_m2: float
    energy_kwh: float
    weight: int = 10


#: A litre of petrol holds about 8.9 kWh, of diesel 10.0 kWh.
MODELS = (
    Model("Ford", "Puma", (2020, 2026), "petrol", 1_280, 0.72, 374, 14),
    Model("Vauxhall", "Corsa", (2019, 2026), "petrol", 1_160, 0.64, 392, 12),
    Model("Nissan", "Qashqai", (2018, 2026), "petrol", 1_420, 0.78, 490, 12),
    Model("MINI", "Cooper", (2019, 2026), "petrol", 1_240, 0.66, 392, 6),
    Model("Volkswagen", "Golf", (2017, 2026), "diesel", 1_390, 0.63, 500, 12),
    Model("BMW", "320d", (2018, 2025), "diesel", 1_560, 0.60, 590, 8),
    Model("Land Rover", "Defender", (2020, 2026), "diesel", 2_290, 1.05, 850, 5),
    Model("Ford", "Transit", (2016, 2026), "diesel", 2_150, 1.35, 800, 9),
    Model("Toyota", "Corolla", (2019, 2026), "hybrid", 1_360, 0.62, 383, 10),
    Model("Kia", "Niro", (2019, 2026), "hybrid", 1_470, 0.68, 374, 7),
    Model("Tesla", "Model 3", (2019, 2026), "electric", 1_760, 0.51, 75, 9),
    Model("MG", "MG4", (2022, 2026), "electric", 1_670, 0.63, 64, 6),
    Model("Nissan", "Leaf", (2018, 2024), "electric", 1_580, 0.66, 59, 5),
)


def pick(draw: float) -> Model:
    """The model at this share of all sales, 0 to 1."""
    left = draw * sum(model.weight for model in MODELS)
    for model in MODELS:
        left -= model.weight
        if left < 0:
            return model
    return MODELS[0]


@dataclass(frozen=True)
class Garage:
    """The cars of a group as columns (one row per car), for vectorised physics."""

    mass_kg: FloatArray
    drag_m2: FloatArray
    energy_kj: FloatArray
    fuel: IntArray
    outside_c: FloatArray

    @classmethod
    def of(cls, models: list[Model], outside_c: list[float]) -> Garage:
        """Columns of these models, each starting at this temperature."""

        def column(values: list[float]) -> FloatArray:
            return np.array(values, dtype=np.float64)[:, np.newaxis]

        return cls(
            column([m.mass_kg for m in models]),
            column([m.drag_m2 for m in models]),
            column([m.energy_kwh * 3_600.0 for m in models]),
            np.array([FUEL_TYPES.index(m.fuel_type) for m in models])[:, np.newaxis],
            column(outside_c),
        )


def energy_kj(garage: Garage, speed_ms: FloatArray, accel_ms2: FloatArray, slope: FloatArray) -> FloatArray:
    """Energy taken from tank or battery in each second; negative where a battery gains."""
    force = (
        garage.mass_kg * (accel_ms2 + GRAVITY * (slope + ROLLING))
        + 0.5 * AIR_KG_M3 * garage.drag_m2 * speed_ms * speed_ms
    )
    power_kw = force * speed_ms * 0.001
    driving, braking = np.maximum(power_kw, 0.0), np.minimum(power_kw, 0.0)
    petrol = 4.5 + driving / 0.34
    diesel = 3.5 + driving / 0.39
    hybrid = np.maximum(0.8 + driving / 0.40 + 0.9 * braking, 0.0)
    electric = 0.7 + driving / 0.88 + 0.62 * braking
    return np.choose(garage.fuel, (petrol, diesel, hybrid, electric))


def engine_rpm(garage: Garage, speed_ms: FloatArray, accel_ms2: FloatArray) -> FloatArray:
    """Turns per minute: by gear for engines, by speed for electric drives; a hybrid's engine rests at low load."""
    kmh = speed_ms * 3.6
    turning = np.maximum(kmh * GEAR_RPM[np.searchsorted(SHIFT_KMH, kmh)], IDLE_RPM) + 260.0 * np.maximum(accel_ms2, 0.0)
    resting = (kmh < 38.0) & (accel_ms2 < 0.9)
    hybrid = np.where(resting, 0.0, turning)
    return np.choose(garage.fuel, (turning, turning * 0.86, hybrid, kmh * ELECTRIC_RPM))


def coolant_c(garage: Garage, driven_s: FloatArray, rpm: FloatArray) -> FloatArray:
    """Temperature of the coolant: from the outside temperature to the thermostat's in some minutes."""
    electric = garage.fuel == FUEL_TYPES.index("electric")
    target = np.where(electric, 36.0, 89.0 + rpm * 0.0008)
    warm = 1.0 - decay(np.maximum(driven_s, 0.0) / np.where(electric, 900.0, 280.0))
    return garage.outside_c + (target - garage.outside_c) * warm
