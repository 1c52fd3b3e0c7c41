"""The world of one seed on one route: road, weather, traffic, incidents, cameras. Everything cars share."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from smartcity.simulation.cameras import Cameras
from smartcity.simulation.car import Car, make_car
from smartcity.simulation.driver import STYLES, envelope_ms
from smartcity.simulation.gps import SkyView
from smartcity.simulation.incidents import Incidents
from smartcity.simulation.noise import FloatArray
from smartcity.simulation.road import Road
from smartcity.simulation.routes import Route
from smartcity.simulation.traffic import Traffic
from smartcity.simulation.weather import Weather


class City:
    """One world: asked in any order and in pieces of any length, it answers the same."""

    def __init__(self, route: Route, seed: int, styles: int = len(STYLES)) -> None:
        self.seed, self.styles = seed, styles
        self.road = Road(route)
        self.weather = Weather(seed)
        self.incidents = Incidents(seed, self.road)
        self.traffic = Traffic(seed, self.road, self.weather, self.incidents)

    @cached_property
    def sky(self) -> SkyView:
        """How much of the sky receivers see."""
        return SkyView(self.road)

    @cached_property
    def cameras(self) -> Cameras:
        """The road authority's cameras."""
        return Cameras(self.road)

    @cached_property
    def envelopes(self) -> FloatArray:
        """Legal speed by style and cell."""
        return np.stack([envelope_ms(self.road, style) for style in STYLES])

    def car(self, number: int, depart_s: int) -> Car:
        """Car `number`, leaving at this second."""
        return make_car(self.road, self.seed, number, depart_s, self.styles)
