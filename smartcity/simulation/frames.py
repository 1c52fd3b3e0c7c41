"""Camera pictures, drawn: a road in perspective with its traffic, weather and light, as a JPEG of 640×360.

Everything is computed from the scene with integers, exact arithmetic and hashed noise, and drawn at twice the size, so
the same scene gives the same bytes. Nothing in a picture is real, and each says so.
"""

from __future__ import annotations

import io
from functools import lru_cache
from itertools import pairwise

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from smartcity.simulation import noise
from smartcity.simulation.noise import FloatArray
from smartcity.simulation.overlay import write_overlay
from smartcity.simulation.palette import Colour, Palette, mix
from smartcity.simulation.scene import Scene
from smartcity.simulation.traffic_art import View, draw_signs, draw_vehicles

WIDTH, HEIGHT = 640, 360
SCALE = 2
QUALITY = 74
#: Grain of the sensor: by day and by night, in steps of brightness.
GRAIN = (2, 3)
GRAIN_ROWS = 256


def draw(scene: Scene) -> bytes:
    """The picture of a scene as JPEG."""
    palette = Palette.of(scene)
    dice = noise.uniform(scene.key, np.arange(640))
    view = View.of(scene)
    canvas = _sky(palette, view.horizon)
    pen = ImageDraw.Draw(canvas)
    _draw_clouds(pen, scene, palette, view, dice[400:])
    _draw_skyline(pen, scene, palette, view, dice[:60])
    _draw_ground(pen, scene, palette, view)
    _draw_road(pen, scene, palette, view)
    draw_signs(pen, scene, palette, view)
    draw_vehicles(pen, scene, palette, view, dice[60:])
    if not scene.roadside:
        _draw_bonnet(pen, palette)
    small = canvas.reduce(SCALE)
    _draw_weather(small, scene, dice)
    grainy = _with_grain(small, scene)
    write_overlay(ImageDraw.Draw(grainy), scene)
    out = io.BytesIO()
    grainy.save(out, "JPEG", quality=QUALITY, subsampling=2)
    return out.getvalue()


def _sky(palette: Palette, horizon: int) -> Image.Image:
    """The sky from top to horizon; below it the haze, which the ground covers."""
    rows = np.clip(np.arange(HEIGHT * SCALE) * 256 // max(horizon, 1), 0, 256)[:, np.newaxis]
    top, low = np.array(palette.sky_top), np.array(palette.sky_low)
    column = (top * (256 - rows) + low * rows) // 256
    strip = Image.fromarray(column[:, np.newaxis, :].astype(np.uint8))
    return strip.resize((WIDTH * SCALE, HEIGHT * SCALE), Image.Resampling.NEAREST)


def _draw_clouds(pen: ImageDraw.ImageDraw, scene: Scene, palette: Palette, view: View, dice: FloatArray) -> None:
    """Flat-bottomed heaps where the sky is neither clear nor closed."""
    if scene.condition not in {"Partly cloudy", "Cloudy", "Light rain", "Drizzle"} or palette.night:
        return
    white = mix(palette.sky_low, (248, 249, 250), 140 if scene.condition == "Partly cloudy" else 60)
    for index in range(9):
        x, y = int(WIDTH * SCALE * dice[index * 4]), int((view.horizon - 90) * dice[index * 4 + 1])
        wide = 60 + int(130 * dice[index * 4 + 2])
        for part in range(4):
            radius = wide * (3 + part % 2) // 9
            left = x + part * wide // 3
            pen.ellipse((left, y - radius // 2, left + radius * 2, y + radius // 2), fill=white)
        pen.rounded_rectangle(
            (x, y, x + wide * 5 // 3, y + wide // 7), wide // 14, fill=mix(white, palette.sky_low, 70)
        )


def _draw_skyline(pen: ImageDraw.ImageDraw, scene: Scene, palette: Palette, view: View, dice: FloatArray) -> None:
    """Houses in towns, woods and hills elsewhere."""
    y, width = view.horizon, WIDTH * SCALE
    hills = [(index * width // 16, y - 14 - int(34 * dice[index])) for index in range(17)]
    pen.polygon([(0, y), *hills, (width, y)], fill=palette.far)
    if scene.limit_mph <= 40:
        _draw_houses(pen, palette, y, dice)
        return
    x = -20
    for index in range(60):
        size = 16 + int(30 * dice[index])
        pen.ellipse((x, y - size, x + 2 * size, y + size), fill=palette.wood if index % 3 else palette.wood_dark)
        x += 12 + int(22 * dice[59 - index])


def _draw_houses(pen: ImageDraw.ImageDraw, palette: Palette, y: int, dice: FloatArray) -> None:
    x = -30
    for index in range(30):
        wide, high = 50 + int(70 * dice[index]), 50 + int(130 * dice[59 - index])
        wall = mix(palette.house, palette.far, int(110 * dice[index + 20]))
        pen.rectangle((x, y - high, x + wide, y + 6), fill=wall)
        for row in range(y - high + 10, y - 12, 22):
            for column in range(x + 8, x + wide - 12, 20):
                lit = palette.night and (row * 7 + column * 13 + index) % 5 < 2
                pen.rectangle((column, row, column + 9, row + 11), fill=(246, 214, 140) if lit else palette.window)
        x += wide + (4 if index % 4 else 26)


def _draw_ground(pen: ImageDraw.ImageDraw, scene: Scene, palette: Palette, view: View) -> None:
    """Verge or pavement, from haze at the horizon to full colour in front."""
    near = palette.pavement if scene.limit_mph <= 40 else palette.grass
    top, bottom = view.horizon, HEIGHT * SCALE
    for band in range(12):
        y0, y1 = top + (bottom - top) * band * band // 144, top + (bottom - top) * (band + 1) * (band + 1) // 144
        pen.rectangle((0, y0, WIDTH * SCALE, y1), fill=mix(palette.haze, near, min(256, 70 + 26 * band)))


def _draw_road(pen: ImageDraw.ImageDraw, scene: Scene, palette: Palette, view: View) -> None:
    """Carriageways, edge lines, lane lines, barrier or kerb."""
    edge = scene.lanes * view.lane_m
    motorway = scene.lanes >= 3
    if motorway:
        _strip(pen, view, palette, (edge + 2.2, 2 * edge + 2.4), palette.road)
        for lane in (1, 2):
            _dashes(pen, view, palette, edge + 2.3 + lane * view.lane_m, 0.0)
    _strip(pen, view, palette, (-(3.3 if motorway else 0.6), edge + 0.8), palette.road)
    _strip(pen, view, palette, (-0.12, 0.12), palette.line)
    _strip(pen, view, palette, (edge - 0.12, edge + 0.12), palette.line)
    phase = (scene.place_m % 9.0) if not scene.roadside else 0.0
    for lane in range(1, scene.lanes):
        _dashes(pen, view, palette, lane * view.lane_m, phase)
    if motorway:
        _draw_barrier(pen, view, palette, edge + 1.5)


def _strip(pen: ImageDraw.ImageDraw, view: View, palette: Palette, edges: tuple[float, float], colour: Colour) -> None:
    """A band along the road between two offsets in metres, fading into the haze."""
    for far, near in pairwise(view.depths):
        shade = mix(_lit_up(colour, palette, view, far), palette.haze, view.fade(far))
        left, right = edges
        corners = [view.at(left, far), view.at(right, far), view.at(right, near), view.at(left, near)]
        pen.polygon(corners, fill=shade)


def _lit_up(colour: Colour, palette: Palette, view: View, depth: float) -> Colour:
    """A surface in the headlights of the camera's own car at night."""
    if not palette.night or view.height_m > 2.0 or depth > 48.0:
        return colour
    return mix(colour, (150, 146, 128), int((48.0 - depth) * 1.9))


def _dashes(pen: ImageDraw.ImageDraw, view: View, palette: Palette, offset: float, phase: float) -> None:
    """Lane lines: two metres of paint every nine (Traffic Signs Manual, chapter 5)."""
    start = view.nearest - phase
    while start < view.farthest:
        near, far = max(start, view.nearest), start + 2.6
        if far > view.nearest:
            shade = mix(palette.line, palette.haze, view.fade(near))
            corners = [(offset - 0.08, far), (offset + 0.08, far), (offset + 0.08, near), (offset - 0.08, near)]
            pen.polygon([view.at(*corner) for corner in corners], fill=shade)
        start += 9.0


def _draw_barrier(pen: ImageDraw.ImageDraw, view: View, palette: Palette, offset: float) -> None:
    for far, near in pairwise(view.depths):
        (x0, y0), (x1, y1) = view.at(offset, far), view.at(offset, near)
        h0, h1 = view.size(0.9, far), view.size(0.9, near)
        shade = mix(palette.barrier, palette.haze, view.fade(far))
        pen.polygon([(x0, y0 - h0), (x1, y1 - h1), (x1, y1), (x0, y0)], fill=shade)
        pen.line((x0, y0 - h0, x1, y1 - h1), fill=mix(palette.line, palette.haze, view.fade(far)), width=2)


def _draw_bonnet(pen: ImageDraw.ImageDraw, palette: Palette) -> None:
    width, bottom = WIDTH * SCALE, HEIGHT * SCALE
    pen.ellipse((-140, bottom - 84, width + 140, bottom + 260), fill=palette.bonnet)
    pen.arc((-140, bottom - 84, width + 140, bottom + 260), 200, 340, fill=palette.bonnet_edge, width=5)


def _draw_weather(image: Image.Image, scene: Scene, dice: FloatArray) -> None:
    """Streaks of rain, flakes of snow, drops on the windscreen."""
    pen = ImageDraw.Draw(image)
    amount = int(min(25.0 + 28.0 * scene.rain_mm_h, 240.0)) if scene.rain_mm_h > 0.1 else 0
    xs, ys = (dice[:320] * WIDTH).astype(int).tolist(), (dice[320:] * HEIGHT).astype(int).tolist()
    light = (205, 212, 220) if scene.sun_sin > 0 else (120, 128, 140)
    for x, y, size in zip(xs[:amount], ys[:amount], (dice[:320] * 7).astype(int).tolist(), strict=False):
        if scene.snow:
            pen.ellipse((x, y, x + 2 + size // 3, y + 2 + size // 3), fill=(238, 241, 245))
        else:
            pen.line((x, y, x - 2 - size // 3, y + 8 + size), fill=light)
    if not scene.roadside and amount and not scene.snow:
        for x, y in zip(xs[240 : 240 + amount // 4], ys[240 : 240 + amount // 4], strict=False):
            pen.ellipse((x, y, x + 5, y + 6), outline=light)


def _with_grain(image: Image.Image, scene: Scene) -> Image.Image:
    """Noise of the sensor, and fog over everything."""
    row = int(scene.key % GRAIN_ROWS)
    grain = _grain(GRAIN[1] if scene.sun_sin < 0 else GRAIN[0]).crop((0, row, WIDTH, row + HEIGHT))
    return ImageChops.add(image, grain, 1, -128)


@lru_cache(maxsize=2)
def _grain(strength: int) -> Image.Image:
    """A tall strip of bell-shaped noise around 128, cut anew for every picture."""
    bell = noise.normal(noise.key("grain"), np.arange(WIDTH * (HEIGHT + GRAIN_ROWS)))
    grey = np.rint(128.0 + bell * strength).astype(np.uint8).reshape(-1, WIDTH)
    return Image.merge("RGB", [Image.fromarray(grey)] * 3)
