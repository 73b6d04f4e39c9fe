"""How bright is what the camera sees? Sun, sky, reflections and lamps on the surfaces that rays meet."""

from functools import cache

import numpy as np

from gapscope.streets.materials import Surface, surface
from gapscope.streets.meshes import Floats, vector
from gapscope.streets.scene import Kind, Scene
from gapscope.streets.tracing import Hits, Tracer, dot, unit_vectors
from gapscope.streets.weather import Weather, in_fog, sky

SKY_RAYS = 2


def radiance(
    tracer: Tracer, hits: Hits, eye: Floats, directions: Floats, weather: Weather, style: str, rng: np.random.Generator
) -> Floats:
    """Light (n, 3), linear RGB, that comes back along `directions` (n, 3); the n rays form a square picture."""
    look = surface(tracer.scene, hits, weather, style)
    start = hits.point + hits.normal * (np.float32(2e-3) + np.float32(1e-4) * hits.distance)[:, None]
    if style == "game":
        colour = _flat_light(tracer, hits, look, start, weather)
    else:
        colour = _full_light(tracer, hits, look, start, directions, weather, style, rng)
    if weather.night:
        colour += look.albedo * _lamp_light(tracer.scene, hits, eye)
    colour += look.glow
    missed = np.ones(len(directions), bool)
    missed[hits.ray] = False
    picture = np.empty_like(directions)
    picture[missed] = sky(weather, directions[missed], plain=style == "game")
    picture[hits.ray] = in_fog(weather, colour, hits.distance)
    return picture


def _flat_light(tracer: Tracer, hits: Hits, look: Surface, start: Floats, weather: Weather) -> Floats:
    """The light of an old game: one hard shadow, the same ambient light everywhere."""
    sunlit = _sunlit(tracer, hits, start, np.broadcast_to(weather.sun_direction, start.shape), look, weather)
    ambient = (weather.zenith + weather.horizon) * np.float32(0.22) + np.float32(0.12)
    return look.albedo * (
        sunlit[:, None] * weather.sun * np.float32(0.75) + ambient * (0.7 + 0.3 * hits.normal[:, 2:3])
    )


def _full_light(
    tracer: Tracer,
    hits: Hits,
    look: Surface,
    start: Floats,
    directions: Floats,
    weather: Weather,
    style: str,
    rng: np.random.Generator,
) -> Floats:
    """Soft sun, the visible part of the sky, light from the ground, and mirrored sky on what is glossy."""
    to_sun = np.broadcast_to(weather.sun_direction, start.shape)
    if style == "camera":
        to_sun = to_sun + np.float32(0.01 + 0.03 * weather.overcast) * _random_directions(len(start), rng)
    sunlit = _sunlit(tracer, hits, start, to_sun, look, weather)
    visible = _visible_sky(tracer, hits, start, len(directions), rng)[:, None]
    upward = 0.5 + 0.5 * hits.normal[:, 2:3]
    ground = weather.sun * np.float32(0.10 * weather.sun_direction[2]) + weather.horizon * np.float32(0.15)
    from_sky = (weather.zenith * np.float32(0.6) + weather.horizon * np.float32(0.4)) * upward + ground * (1 - upward)
    light = sunlit[:, None] * weather.sun + from_sky * visible + ground * (1 - visible) * np.float32(0.5)
    colour = look.albedo * light
    _mirror(colour, tracer.scene, hits, look, directions, weather, sunlit)
    return colour


def _sunlit(tracer: Tracer, hits: Hits, start: Floats, to_sun: Floats, look: Surface, weather: Weather) -> Floats:
    """Cosine of the sun's angle where it shines, 0 in shadow, (n,)."""
    cosine = dot(hits.normal, to_sun)
    leaf = np.flatnonzero(tracer.scene.kinds[hits.material] == Kind.LEAF)
    cosine[leaf] = 0.2 + 0.6 * np.abs(cosine[leaf])  # leaves let light through
    cosine = np.maximum(cosine, 0)
    facing = np.flatnonzero(cosine > 0) if weather.sun.any() else np.zeros(0, int)
    cosine[facing[tracer.blocked(start[facing], np.ascontiguousarray(to_sun[facing]))]] = 0
    return cosine


def _random_directions(count: int, rng: np.random.Generator) -> Floats:
    return _sphere_points()[rng.integers(0, len(_sphere_points()), count, np.uint16)]


@cache
def _sphere_points(count: int = 4096) -> Floats:
    """Points spread evenly over the unit sphere (Fibonacci lattice), in random order."""
    rng = np.random.default_rng(count)
    height = 1 - (2 * np.arange(count) + 1) / count
    angle = np.arange(count) * np.pi * (1 + 5**0.5)
    flat = np.sqrt(1 - height**2)
    points = np.stack([flat * np.cos(angle), flat * np.sin(angle), height], 1)
    return rng.permutation(points).astype(np.float32)


def _visible_sky(tracer: Tracer, hits: Hits, start: Floats, rays: int, rng: np.random.Generator) -> Floats:
    """Share (n,) of the sky's light that reaches each hit, from a few rays each, evened out between neighbours.

    A surface normal plus a point on the unit sphere is a direction distributed as the cosine law asks.
    """
    free = np.zeros(len(start), np.float32)
    for _ in range(SKY_RAYS):
        free += ~tracer.blocked(start, hits.normal + _random_directions(len(start), rng))
    return _evened(free / SKY_RAYS, hits, rays)


def _evened(values: Floats, hits: Hits, rays: int) -> Floats:
    """Mean over the 3 x 3 neighbours in the picture that are of the same material and about as far away."""
    side = int(np.sqrt(rays))
    value, distance = np.zeros((side + 2, side + 2), np.float32), np.zeros((side + 2, side + 2), np.float32)
    material = np.full((side + 2, side + 2), -1, np.int32)
    for grid, source in ((value, values), (distance, hits.distance), (material, hits.material)):
        inner = np.full(rays, grid[0, 0], grid.dtype)
        inner[hits.ray] = source
        grid[1:-1, 1:-1] = inner.reshape(side, side)
    centre = slice(1, -1)
    total, weights = np.zeros((side, side), np.float32), np.zeros((side, side), np.float32)
    tolerance = 0.05 * distance[centre, centre] + 0.05
    for i in range(3):
        for j in range(3):
            near = slice(i, i + side), slice(j, j + side)
            alike = (material[near] == material[centre, centre]) & (
                np.abs(distance[near] - distance[centre, centre]) < tolerance
            )
            total += value[near] * alike
            weights += alike
    return (total / weights).reshape(-1)[hits.ray]


def _mirror(
    colour: Floats, scene: Scene, hits: Hits, look: Surface, directions: Floats, weather: Weather, sunlit: Floats
) -> None:
    """Mixes in what glossy surfaces mirror (Schlick 1994): the sky, or house walls below the roofs.

    Houses in the mirror are a dark band up to 20 degrees: tracing them would cost a second picture.
    """
    rows = np.flatnonzero(look.gloss > 0.05)
    along, normal = directions[hits.ray[rows]], hits.normal[rows]
    facing = np.clip(-dot(along, normal), 0, 1)
    share = (0.04 + 0.96 * (1 - facing) ** 5) * look.gloss[rows]
    share = np.where(scene.kinds[hits.material[rows]] == Kind.GLASS, np.maximum(share, 0.12), share)[:, None]
    mirrored = along + (2 * facing)[:, None] * normal
    above = np.clip((mirrored[:, 2:3] - 0.2) * 6, 0, 1)
    walls = (weather.horizon + weather.sun * np.float32(0.3)) * np.float32(0.22)
    seen = sky(weather, mirrored, plain=True) * above + walls * (1 - above)
    colour[rows] = colour[rows] * (1 - share) + seen * share
    half = unit_vectors(weather.sun_direction - along)
    shine = np.clip(dot(normal, half), 0, 1) ** 180 * look.gloss[rows] * (sunlit[rows] > 0)
    colour[rows] += shine[:, None] * weather.sun * np.float32(1.5)


def _lamp_light(scene: Scene, hits: Hits, eye: Floats) -> Floats:
    """Light (n, 3) of the street lamps within 60 m and of the own head lamps, without shadows."""
    light = np.zeros_like(hits.point)
    for lamp in scene.lamps[scene.lamps[:, 1] < 60]:
        toward = lamp - hits.point
        squared = dot(toward, toward)
        falling = np.clip(toward[:, 2] / np.sqrt(squared), 0, 1)
        cosine = np.clip(dot(hits.normal, toward) / np.sqrt(squared), 0, 1)
        light += (cosine * falling * 12 / (squared + 4))[:, None] * vector(1, 0.72, 0.42)
    toward = vector(eye[0], eye[1] - 1, 0.7) - hits.point
    squared = dot(toward, toward)
    distance = np.sqrt(squared)
    beam = np.clip((-toward[:, 1] / distance - 0.85) / 0.12, 0, 1) * np.clip(
        1.1 + 14 * np.minimum(toward[:, 2] / distance, 0), 0.12, 1
    )
    cosine = np.clip(dot(hits.normal, toward) / distance, 0, 1)
    return light + (cosine * beam * 55 / (squared + 20))[:, None] * vector(1, 0.95, 0.85)
