"""The projection of a road onto a picture, and what stands and drives on it."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import ImageDraw

from smartcity.simulation.lettering import write_centred
from smartcity.simulation.noise import FloatArray
from smartcity.simulation.palette import Colour, Palette, mix
from smartcity.simulation.scene import Scene

WIDTH, HEIGHT = 1280, 720
PAINTS: tuple[Colour, ...] = (
    (196, 200, 204),
    (44, 46, 50),
    (232, 234, 236),
    (120, 126, 134),
    (36, 66, 122),
    (152, 32, 34),
    (84, 92, 98),
    (24, 78, 66),
)
BRAKE: Colour = (255, 48, 36)
TAIL: Colour = (150, 24, 24)
LIT: Colour = (226, 36, 30)


@dataclass(frozen=True)
class View:
    """A pinhole camera above the road: height and focal length, where the horizon is, and how far it sees in metres."""

    horizon: int
    focal: float
    height_m: float
    side_m: float
    curve: float
    lane_m: float
    nearest: float
    farthest: float
    clear_m: float

    @classmethod
    def of(cls, scene: Scene) -> View:
        """Mast cameras look down on the road, dash cameras along it. Offsets count from the nearside edge line."""
        curve = max(-60.0, min(60.0, scene.bend)) * 0.0000075
        middle = scene.lanes * 3.65 / 2
        clear = min(max(scene.visibility_m, 60.0) * 0.5, 900.0)
        if scene.roadside:
            return cls(196, 1120.0, 8.0, middle, curve * 6, 3.65, 14.0, 260.0, clear)
        own_lane = 3.65 * (0.5 if scene.lanes < 3 else 1.5)
        return cls(306, 900.0, 1.45, own_lane, curve * 10, 3.65, 3.0, 240.0, clear)

    @property
    def depths(self) -> tuple[float, ...]:
        """Distances between which straight edges are drawn, far to near."""
        depths, depth = [], self.farthest
        while depth > self.nearest:
            depths.append(depth)
            depth = depth * 0.78
        return (*depths, self.nearest)

    def at(self, offset_m: float, depth_m: float) -> tuple[int, int]:
        """Where a point on the road is in the picture."""
        x = WIDTH / 2 + self.focal * ((offset_m - self.side_m) / depth_m + self.curve * depth_m)
        return int(x), int(self.horizon + self.focal * self.height_m / depth_m)

    def size(self, metres: float, depth_m: float) -> int:
        """How many pixels a length is at a distance."""
        return int(self.focal * metres / depth_m)

    def fade(self, depth_m: float) -> int:
        """How much of 256 parts the haze takes at a distance."""
        return int(250 * depth_m / (depth_m + self.clear_m))


def draw_signs(pen: ImageDraw.ImageDraw, scene: Scene, palette: Palette, view: View) -> None:
    """A gantry or a blue sign on motorways, a limit sign and lamp posts elsewhere."""
    if scene.lanes >= 3:
        if scene.congested:
            _draw_gantry(pen, scene, palette, view)
        elif int(scene.place_m // 400) % 2 == 0:
            _draw_panel(pen, scene, palette, view)
    else:
        for depth in (120.0, 80.0, 52.0, 34.0, 22.0):
            _draw_lamp(pen, palette, view, depth)
        if int(scene.place_m // 300) % 2 == 0:
            _draw_limit(pen, scene, palette, view, 26.0)


def _draw_lamp(pen: ImageDraw.ImageDraw, palette: Palette, view: View, depth: float) -> None:
    x, y = view.at(-1.6, depth)
    tall, arm = view.size(8.0, depth), view.size(1.8, depth)
    pole = mix((96, 100, 106) if not palette.night else (82, 84, 90), palette.haze, view.fade(depth))
    wide = max(view.size(0.14, depth), 2)
    pen.line((x, y, x, y - tall), fill=pole, width=wide)
    pen.line((x, y - tall, x + arm, y - tall), fill=pole, width=wide)
    if palette.night:
        glow = max(view.size(0.5, depth), 4)
        pen.ellipse((x + arm - glow, y - tall - glow, x + arm + glow, y - tall + glow), fill=(255, 222, 150))


def _draw_panel(pen: ImageDraw.ImageDraw, scene: Scene, palette: Palette, view: View) -> None:
    """The blue sign of a motorway with its name and kilometre."""
    depth = 58.0 if scene.roadside else 30.0
    x, y = view.at(-4.6, depth)
    wide, high, lift = view.size(5.4, depth), view.size(3.0, depth), view.size(2.4, depth)
    blue = mix((0, 88, 168), (8, 26, 56), 256 - palette.light if palette.light < 256 else 0)
    pen.rectangle((x - wide // 2 - 3, y - lift, x - wide // 2 + 3, y), fill=palette.barrier)
    pen.rectangle((x + wide // 2 - 12, y - lift, x + wide // 2 - 6, y), fill=palette.barrier)
    box = (x - wide * 3 // 4, y - lift - high, x + wide // 2, y - lift)
    pen.rounded_rectangle(box, 8, fill=blue, outline=(236, 240, 244), width=3)
    name = scene.road.split()[0].split("/")[0][:7]
    centre = (box[0] + box[2]) // 2
    write_centred(pen, (centre, box[1] + high // 3), name, max(high * 2 // 5, 8), (248, 250, 252))
    far = f"km {scene.place_m / 1000.0:.1f}"
    write_centred(pen, (centre, box[1] + high * 3 // 4), far, max(high // 4, 8), (248, 250, 252))


def _draw_gantry(pen: ImageDraw.ImageDraw, scene: Scene, palette: Palette, view: View) -> None:
    """A gantry with a lowered limit above each lane."""
    depth = 64.0 if scene.roadside else 44.0
    left, right = view.at(-3.4, depth), view.at(scene.lanes * view.lane_m + 1.4, depth)
    lift, beam = view.size(6.2, depth), max(view.size(0.7, depth), 6)
    steel = mix(palette.barrier, palette.haze, view.fade(depth))
    for x, y in (left, right):
        pen.rectangle((x - 4, y - lift, x + 4, y), fill=steel)
    pen.rectangle((left[0], left[1] - lift - beam, right[0], left[1] - lift), fill=steel)
    shown = "40" if scene.flow_kmh < 55.0 else "50"
    half = view.size(0.85, depth)
    for lane in range(scene.lanes):
        x, y = view.at((lane + 0.5) * view.lane_m, depth)[0], left[1] - lift - beam // 2
        pen.rectangle((x - half, y - half, x + half, y + half), fill=(16, 17, 19))
        pen.ellipse((x - half + 4, y - half + 4, x + half - 4, y + half - 4), outline=(230, 40, 34), width=4)
        write_centred(pen, (x, y), shown, max(half, 10), (250, 246, 224))


def _draw_limit(pen: ImageDraw.ImageDraw, scene: Scene, palette: Palette, view: View, depth: float) -> None:
    x, y = view.at(-1.2, depth)
    lift, radius = view.size(2.3, depth), view.size(0.42, depth)
    pen.line((x, y, x, y - lift), fill=palette.barrier, width=5)
    circle = (x - radius, y - lift - radius, x + radius, y - lift + radius)
    pen.ellipse(circle, fill=(246, 246, 244), outline=(206, 26, 32), width=max(radius // 4, 3))
    write_centred(pen, (x, y - lift), str(scene.limit_mph), max(radius, 8), (18, 18, 20))


def draw_vehicles(pen: ImageDraw.ImageDraw, scene: Scene, palette: Palette, view: View, dice: FloatArray) -> None:
    """As many vehicles as the camera counts, spread over the lanes, far ones first."""
    count = min(scene.vehicles, 120)
    nearest, farthest = (20.0, 235.0) if scene.roadside else (13.0, 130.0)
    rolls = dice.tolist()
    placed = []
    rows = max(-(-count // scene.lanes), 1)
    gap = (farthest - nearest) / rows
    for index in range(count):
        lane, row = index % scene.lanes, index // scene.lanes
        share = (row + 0.15 + 0.5 * rolls[index]) / rows
        depth = nearest + (farthest - nearest) * (share if rows > 6 else share * (0.45 + 0.55 * share))
        placed.append((depth, lane, index))
    own_lane = 0 if scene.lanes < 3 else 1
    for depth, lane, index in sorted(placed, reverse=True):
        plate = scene.plate if scene.plate and (scene.roadside or lane == own_lane) and index < scene.lanes else None
        lorry = gap > 11.0 and rolls[120 + index % 400] < 0.14 and lane < scene.lanes - 1 and depth > 30.0
        offset = (lane + 0.5) * view.lane_m + (rolls[200 + index % 300] - 0.5) * 0.7
        _draw_vehicle(pen, scene, palette, view, _Vehicle(offset, depth, PAINTS[index * 5 % 8], lorry, plate))


@dataclass(frozen=True)
class _Vehicle:
    """One vehicle on the road: offset and distance in metres, colour, kind, and the plate if it was read."""

    offset: float
    depth: float
    paint: Colour
    lorry: bool
    plate: str | None


def _draw_vehicle(pen: ImageDraw.ImageDraw, scene: Scene, palette: Palette, view: View, one: _Vehicle) -> None:
    """A vehicle from behind: shadow, body, rear window, lights and plate."""
    x, y = view.at(one.offset, one.depth)
    wide, high = view.size(2.4 if one.lorry else 1.75, one.depth), view.size(3.5 if one.lorry else 1.42, one.depth)
    haze = view.fade(one.depth)
    paint = mix(mix((12, 13, 16), one.paint, 60 + palette.light * 196 // 256), palette.haze, haze)
    dark = mix(mix((8, 8, 10), (34, 40, 48), palette.light), palette.haze, haze)
    half, lip = wide // 2, max(high // 12, 1)
    pen.ellipse((x - half - lip, y - lip * 2, x + half + lip, y + lip * 2), fill=mix(palette.road, (12, 12, 14), 150))
    if one.lorry:
        pen.rectangle((x - half, y - high, x + half, y - lip), fill=paint)
        pen.line((x, y - high + lip, x, y - high // 4), fill=dark, width=max(wide // 40, 1))
        pen.rectangle((x - half, y - high // 5, x + half, y - lip), fill=dark)
    else:
        shoulder = y - high * 6 // 11
        pen.rounded_rectangle((x - half, shoulder, x + half, y - lip), max(high // 8, 1), fill=paint)
        roof, narrow = y - high, half * 7 // 10
        cabin = [(x - narrow, roof), (x + narrow, roof), (x + half - 1, shoulder + 2), (x - half + 1, shoulder + 2)]
        pen.polygon(cabin, fill=paint)
        inset = max(wide // 14, 1)
        glass = [(x - narrow + inset, roof + inset), (x + narrow - inset, roof + inset)]
        pen.polygon([*glass, (x + half - 2 * inset, shoulder), (x - half + 2 * inset, shoulder)], fill=dark)
        pen.rectangle((x - half + inset, y - lip * 3, x + half - inset, y - lip), fill=dark)
    _draw_lights(pen, scene, palette, (x, y, half, high), haze)
    if wide > 44:
        _draw_plate(pen, one.plate, (x, y - high // 4, wide), haze)


def _draw_lights(
    pen: ImageDraw.ImageDraw, scene: Scene, palette: Palette, box: tuple[int, int, int, int], haze: int
) -> None:
    x, y, half, high = box
    lit = scene.congested or palette.night
    colour = mix(
        BRAKE if scene.congested else TAIL if not palette.night else (226, 36, 30),
        palette.haze,
        haze // (2 if lit else 1),
    )
    size, level = max(half // 4, 1), y - high * 2 // 5
    for side in (-1, 1):
        centre = x + side * (half - size)
        if lit and half > 6:
            glow, reach = mix(colour, palette.road, 150), size * 5 // 4
            pen.ellipse((centre - reach, level - reach, centre + reach, level + reach), fill=glow)
        pen.rectangle((centre - size // 2 - 1, level - size, centre + size // 2 + 1, level + size // 2), fill=colour)


def _draw_plate(pen: ImageDraw.ImageDraw, plate: str | None, place: tuple[int, int, int], haze: int) -> None:
    """A yellow rear plate; readable only where the camera read it, and plainly invented."""
    x, y, wide = place
    half, high = wide * 3 // 20, max(wide // 14, 4)
    pen.rectangle((x - half, y - high, x + half, y + high), fill=mix((236, 200, 64), (128, 128, 128), haze // 2))
    if plate and half > 14:
        write_centred(pen, (x, y), plate, max(half * 3 // 8, 7), (24, 22, 18))
