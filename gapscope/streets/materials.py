"""What colour is a surface, and where? Its style's colours under lane lines, windows, slabs and dirt."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gapscope.streets.meshes import Floats, vector
from gapscope.streets.noise import cloud_noise, white_noise
from gapscope.streets.palettes import PALETTES
from gapscope.streets.scene import Kind, Road, Scene
from gapscope.streets.tracing import Hits
from gapscope.streets.weather import Weather

TEXTURE = {"camera": 1.0, "engine": 0.25, "game": 0.0}

GLOSS = np.zeros(len(Kind), np.float32)
GLOSS[[Kind.GLASS, Kind.PAINT, Kind.CHROME, Kind.POLE, Kind.HEADLAMP]] = [1.0, 0.5, 0.7, 0.2, 0.5]


@dataclass(frozen=True)
class Surface:
    """What n hits are made of: albedo (n, 3) and gloss (n,) in 0..1, and light of their own (n, 3)."""

    albedo: Floats
    gloss: Floats
    glow: Floats


def material_colours(scene: Scene, style: str) -> Floats:
    """The plain albedo (k, 3) of each material of the scene, as the style sees its dye."""
    palette, colours = PALETTES[style], np.empty((len(scene.kinds), 3), np.float32)
    for row, (kind, dye) in enumerate(zip(scene.kinds, scene.dyes, strict=True)):
        tint = palette[Kind(kind)]
        low, high = tint.brightness
        swatch = tint.swatches[min(int(dye[0] * len(tint.swatches)), len(tint.swatches) - 1)]
        colours[row] = np.multiply(swatch, low + (high - low) * dye[1])
    return np.clip(colours, 0, 0.9)


def surface(scene: Scene, hits: Hits, weather: Weather, style: str) -> Surface:
    """Albedo, gloss and glow at each hit."""
    kind, dye = scene.kinds[hits.material], scene.dyes[hits.material, 2]
    look = Surface(material_colours(scene, style)[hits.material], GLOSS[kind], _glow(scene, weather)[hits.material])
    strength = TEXTURE[style]
    if strength:
        _stain(look, kind, hits, strength)
    road = np.flatnonzero(kind == Kind.ROAD)
    _paint_road(look, road, hits, scene.road, strength)
    walk = np.flatnonzero(kind == Kind.WALK)
    _pave(look, walk, hits, strength)
    _build_walls(look, np.flatnonzero(kind == Kind.FACADE), hits, dye, weather, style)
    if weather.wet:
        look.albedo[road] *= 1 - 0.45 * weather.wet
        look.gloss[road] = weather.wet * (
            0.35 + 0.65 * np.clip(3 * cloud_noise(hits.point[road, 0] * 0.5, hits.point[road, 1] * 0.35) + 0.3, 0, 1)
        )
        look.gloss[walk] = 0.35 * weather.wet
    return look


def _glow(scene: Scene, weather: Weather) -> Floats:
    """Light (k, 3) that materials give off, on by day (0.05 to 0.4) and by night (1 and more)."""
    lit = 1.0 if weather.lamps_lit else 0.0
    signal = np.array([[6, 0.3, 0.2], [5, 3, 0.2], [0.2, 5, 2]])
    glow = np.zeros((len(scene.kinds), 3), np.float32)
    for kind, colour, by_day, by_night in (
        (Kind.HEADLAMP, (1.0, 0.93, 0.80), 0.15, 6.0),
        (Kind.TAILLAMP, (1.0, 0.04, 0.03), 0.10, 2.5),
        (Kind.DISPLAY, (1.0, 0.55, 0.05), 0.40, 1.0),
        (Kind.LAMP, (1.0, 0.75, 0.45), 0.0, 14.0),
    ):
        glow[scene.kinds == kind] = np.multiply(colour, by_day + (by_night - by_day) * lit)
    shown = scene.kinds == Kind.SIGNAL
    glow[shown] = signal[(scene.dyes[shown, 0] * 3).astype(int)] * (0.15 + 0.25 * lit)
    return glow


def _stain(look: Surface, kind: NDArray, hits: Hits, strength: float) -> None:
    """Blotches on everything, in three sizes that fade with distance; dirt low on paintwork."""
    x, y, z = hits.point.T
    near = np.clip(1.3 - hits.distance / 30, 0, 1)
    ground = (kind == Kind.ROAD) | (kind == Kind.WALK) | (kind == Kind.GRASS)
    u, v = np.where(ground, x, x + y), np.where(ground, y, z)
    blotches = 0.45 * cloud_noise(u * 0.2, v * 0.12) + (0.4 * near) * cloud_noise(u * 2.3, v * 2.3)
    grain = white_noise(u * 40, v * 40) - np.float32(0.5)
    blotches += 0.3 * grain * np.clip(1.3 - hits.distance / 12, 0, 1) * ground
    painted = kind == Kind.PAINT
    look.albedo[:] = np.clip(look.albedo * (1 + strength * np.where(painted, 0.25, 1.0) * blotches)[:, None], 0, 1)
    low = np.flatnonzero(painted | (kind == Kind.CARGO))
    dirt = (0.4 * strength * np.exp(-np.maximum(z[low] - 0.2, 0) / 0.3))[:, None]
    look.albedo[low] = look.albedo[low] * (1 - dirt) + vector(0.10, 0.09, 0.07) * dirt
    leaf = np.flatnonzero(kind == Kind.LEAF)
    look.albedo[leaf] *= (1 + strength * (white_noise(x[leaf] * 6, y[leaf] * 6 + z[leaf] * 5) - 0.4))[:, None]


def _paint_road(look: Surface, rows: NDArray, hits: Hits, road: Road, strength: float) -> None:
    """Lane lines, kerb lines, stop line and zebra crossing, worn where textures are on."""
    x, y = hits.point[rows, 0], hits.point[rows, 1]
    on_road = np.abs(x) < road.half_width
    if road.crossing is not None:
        on_road &= np.abs(y - road.crossing) > road.crossing_half_width + 0.3
    lines = np.abs(np.abs(x) - 0.13) < 0.06 if road.lanes > 1 else (np.abs(x) < 0.07) & (np.mod(y, 6) < 3)
    lines |= np.abs(np.abs(x) - road.lanes * road.lane_width) < 0.07
    if road.lanes > 1:
        lines |= (np.abs(np.abs(x) - road.lane_width) < 0.07) & (np.mod(y, 9) < 3.5)
    if road.zebra is not None:
        lines = np.where(np.abs(y - road.zebra) < 1.7, np.mod(x, 1.1) < 0.55, lines)
        lines |= (np.abs(y - road.zebra + 2.6) < 0.2) & (x > 0)
    painted = rows[lines & on_road]
    wear = np.clip(
        0.95 - 0.25 * strength + strength * cloud_noise(hits.point[painted, 0] * 4, hits.point[painted, 1] * 4), 0.1, 1
    )[:, None]
    white = np.float32(0.80 - 0.25 * strength)
    look.albedo[painted] = look.albedo[painted] * (1 - wear) + white * wear


def _pave(look: Surface, rows: NDArray, hits: Hits, strength: float) -> None:
    """Slabs with joints that fade with distance, each of its own brightness."""
    x, y = hits.point[rows, 0], hits.point[rows, 1]
    joint = ((np.mod(x, 1) < 0.05) | (np.mod(y, 1) < 0.05)) * np.clip(1.2 - hits.distance[rows] / 16, 0, 1)
    slab = 0.3 * strength * (white_noise(np.floor(x), np.floor(y)) - np.float32(0.5))
    look.albedo[rows] *= (1 - 0.35 * joint + slab)[:, None]


def _build_walls(look: Surface, rows: NDArray, hits: Hits, dye: Floats, weather: Weather, style: str) -> None:
    """Windows by floors and columns, shop fronts on the ground floor, some lit when it is dark."""
    u = np.where(np.abs(hits.normal[rows, 0]) > 0.5, hits.point[rows, 1], hits.point[rows, 0])
    v, dye = hits.point[rows, 2], dye[rows]
    floor_height, spacing = 2.9 + 0.7 * np.mod(dye * 7.3, 1), 1.7 + 1.7 * np.mod(dye * 13.7, 1)
    share = 0.4 + 0.3 * np.mod(dye * 29.1, 1)
    floor, column = np.floor(v / floor_height), np.floor(u / spacing)
    up, across = v / floor_height - floor, np.abs(u / spacing - column - 0.5)
    upright = np.abs(hits.normal[rows, 2]) < 0.5
    window = upright & (floor > 0) & (across < share / 2) & (up > 0.25) & (up < 0.82)
    shop = upright & (floor == 0) & (up > 0.12) & (up < 0.78) & (np.mod(u, 3.7) > 0.5)
    if style == "camera":
        frame = upright & (floor > 0) & (across < share / 2 + 0.05) & (up > 0.21) & (up < 0.86) & ~window
        look.albedo[rows[frame]] = look.albedo[rows[frame]] * 1.2 + 0.04
        look.albedo[rows] *= (1 - 0.35 * np.exp(-v / 1.2))[:, None]
    pane = np.flatnonzero(window | shop)
    chance = white_noise(column[pane] + 100 * dye[pane], floor[pane])
    curtain = ((chance > 0.7) * np.float32(0.25 if style == "camera" else 0.4))[:, None]
    dark = vector(0.03, 0.035, 0.04) if style == "camera" else vector(0.10, 0.17, 0.25)
    look.albedo[rows[pane]] = dark + curtain * vector(0.9, 0.85, 0.75)
    look.gloss[rows[pane]] = 0.0 if style == "game" else 0.9
    if weather.lamps_lit:
        lit = ((chance > 0.6) | (shop[pane] & (chance > 0.3))) * (0.2 + 0.6 * white_noise(floor[pane], column[pane]))
        look.glow[rows[pane]] += lit[:, None] * vector(1.0, 0.72, 0.42)
