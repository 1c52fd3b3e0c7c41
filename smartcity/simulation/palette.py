"""The colours of a picture: by the height of the sun, clouds, fog and snow."""

from __future__ import annotations

from dataclasses import dataclass

from smartcity.simulation.scene import Scene

Colour = tuple[int, int, int]


def mix(first: Colour, second: Colour, share: int) -> Colour:
    """`share` of 256 parts of the second colour, the rest of the first."""
    a, b = 256 - share, share
    return (
        (first[0] * a + second[0] * b) >> 8,
        (first[1] * a + second[1] * b) >> 8,
        (first[2] * a + second[2] * b) >> 8,
    )


@dataclass(frozen=True)
class Palette:
    """Colours of the things in a picture, lit as they are."""

    night: bool
    light: int
    sky_top: Colour
    sky_low: Colour
    haze: Colour
    far: Colour
    wood: Colour
    wood_dark: Colour
    house: Colour
    window: Colour
    grass: Colour
    pavement: Colour
    road: Colour
    line: Colour
    barrier: Colour
    bonnet: Colour
    bonnet_edge: Colour

    @classmethod
    def of(cls, scene: Scene) -> Palette:
        """The colours of this scene's light and weather."""
        light = int(max(0.0, min(1.0, (scene.sun_sin + 0.1) / 0.28)) * 256)
        dusk = int(max(0.0, 1.0 - abs(scene.sun_sin - 0.02) / 0.14) * 256)
        grey = {"Sunny day": 0, "Clear night": 0, "Partly cloudy": 110}.get(scene.condition, 230)
        top = mix((9, 13, 28), mix((66, 126, 200), (139, 148, 158), grey), light)
        low = mix((24, 27, 40), mix((178, 205, 230), (186, 191, 196), grey), light)
        low = mix(low, (232, 152, 98), dusk * (256 - grey // 2) >> 9)
        fog = int(max(0.0, min(1.0, 1.0 - scene.visibility_m / 1_500.0)) * 250)
        veil = mix((58, 60, 66), (206, 209, 211), light)
        top, low = mix(top, veil, fog), mix(low, veil, fog)

        def lit(day: Colour, night: Colour) -> Colour:
            return mix(night, day, light)

        white = (228, 232, 236)
        grass = lit(white if scene.snow else (92, 122, 66), (22, 28, 22))
        wet = 46 if scene.rain_mm_h > 0.3 else 0
        far = mix(lit((104, 126, 138), (19, 22, 32)), low, 70 + fog // 2)
        return cls(
            night=light < 110,
            light=light,
            sky_top=top,
            sky_low=low,
            haze=low,
            far=far,
            wood=mix(lit((70, 94, 58), (14, 18, 18)), low, min(40 + fog, 250)),
            wood_dark=mix(lit((52, 76, 48), (10, 14, 14)), low, min(40 + fog, 250)),
            house=mix(lit((150, 134, 122), (36, 36, 44)), low, 40 + fog // 2),
            window=mix(lit((88, 100, 112), (18, 20, 28)), low, 40 + fog // 2),
            grass=mix(grass, low, fog // 2),
            pavement=lit((150, 150, 148), (44, 44, 48)),
            road=mix(mix(lit((88, 90, 94), (34, 35, 40)), (150, 158, 168), wet * light >> 8), low, fog // 3),
            line=lit((236, 236, 232), (150, 150, 146)),
            barrier=lit((168, 172, 176), (66, 68, 74)),
            bonnet=lit((38, 44, 56), (10, 11, 15)),
            bonnet_edge=lit((104, 114, 130), (34, 38, 48)),
        )
