"""What lines a street? Pavements, houses, trees, lamps, traffic lights and clutter."""

from functools import cache

import numpy as np

from gapscope.streets.meshes import Mesh, balls, boxes, rods, vector
from gapscope.streets.scene import Body, Kind, Material, dyed
from gapscope.streets.site import Site

FAR = 95.0
POLE, BARK, TRIM = Material(Kind.POLE), Material(Kind.BARK), Material(Kind.TRIM)


def lay_ground(site: Site) -> None:
    road, walk_width = site.road, site.walk_width
    body = Body()
    corners = np.array([[-150, -20, 0], [150, -20, 0], [150, 400, 0], [-150, 400, 0]], np.float32)
    body.add(
        Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32)), Material(Kind.ROAD, (0.0, site.rng.random(), 0.5))
    )
    blocks = [(-20.0, FAR + 80)]
    if road.crossing is not None:
        edge = road.crossing_half_width
        blocks = [(-20.0, road.crossing - edge), (road.crossing + edge, FAR + 80)]
    walk, yard = dyed(Kind.WALK, site.rng), dyed(Kind.GRASS if site.rng.random() < 0.6 else Kind.WALK, site.rng)
    for side in (-1, 1):
        for start, end in blocks:
            middle, length = (start + end) / 2, end - start
            near, far = road.half_width + walk_width / 2, road.half_width + walk_width + 40
            body.add(
                boxes(
                    [(side * near, middle, 0.06), (side * far, middle, 0.05)],
                    [(walk_width, length, 0.13), (80, length, 0.14)],
                ),
                [walk, yard],
            )
    site.builder.place(body)


def add_houses(site: Site) -> None:
    rng, road = site.rng, site.road
    body = Body()
    for side in (-1, 1):
        y, density = -6.0, rng.choice([0.95, 0.85, 0.6])
        while y < FAR:
            length = rng.uniform(8, 20)
            middle = y + length / 2
            if not site.crosses(middle, length / 2) and rng.random() < density:
                x = side * (road.half_width + site.walk_width + rng.uniform(0, 2.0) + 6)
                _add_house(body, site, (x, middle), (12.0, length - 0.3))
            y += length + (rng.uniform(0, 5) if rng.random() < 0.3 else 0)
    for x in rng.uniform(-45, 45, 5):
        _add_house(body, site, (float(x), FAR + 30), (22.0, 10.0))
    if road.crossing is not None:
        for x in (-55, 55):
            _add_house(body, site, (x, road.crossing + rng.uniform(-6, 6)), (12, 22))
    site.builder.place(body)


def _add_house(body: Body, site: Site, place: tuple[float, float], size: tuple[float, float]) -> None:
    rng = site.rng
    (x, y), (width, length) = place, size
    height = rng.uniform(*[(4.5, 8), (8, 16), (16, 32)][rng.choice(3, p=[0.35, 0.45, 0.2])])
    wall, roof = dyed(Kind.FACADE, rng), dyed(Kind.ROOF, rng)
    pitched = height < 10 and rng.random() < 0.5
    rise = 2.4 if pitched else 0.4
    taper = (0.15, 0.95) if pitched else (1, 1)
    parts = [
        ((x, y, height / 2), (width, length, height), (1, 1), wall),
        ((x, y, height + rise / 2), (width + 0.5, length + 0.2, rise), taper, roof),
    ]
    face = x - np.sign(x) * width / 2
    if rng.random() < 0.5 * site.content.clutter:
        parts.append(((face - np.sign(x) * 0.5, y, 3.0), (1.1, length * 0.8, 0.12), (1, 1), dyed(Kind.SIGN, rng)))
    for floor in range(int((height - 3) / 3.1 * site.content.clutter * rng.random())):
        balcony = (face, y + rng.uniform(-0.35, 0.35) * length, 3.3 + 3.1 * floor)
        parts.append((balcony, (1.6, 2.6, 0.9), (1, 1), roof))
    centres, sizes, tapers, materials = zip(*parts, strict=True)
    body.add(boxes(centres, sizes, tapers), materials)


def add_trees_and_lamps(site: Site) -> None:
    rng, edge = site.rng, site.road.half_width
    for side in (-1, 1):
        body, step = Body(), rng.uniform(14, 26)
        for y in np.arange(rng.uniform(-2, 8), 80, step):
            if site.crosses(y, 1.0):
                continue
            x = side * (edge + 0.45)
            reach = x - side * 1.9
            body.add(
                rods([(x, y, 0), (x, y, 6.7)], [(x, y, 6.8), (reach, y, 7.1)], [0.09, 0.05], [0.06, 0.05], sides=6),
                POLE,
            )
            body.add(boxes((reach, y, 7.05), (0.75, 0.3, 0.12)), Material(Kind.LAMP))
            site.builder.lamps.append((float(reach), float(y), 6.95))
        if rng.random() < 0.7:
            for y in np.arange(rng.uniform(3, 14), 70, rng.uniform(8, 17)):
                if not site.crosses(y, 2.5) and rng.random() < 0.8:
                    _add_tree(body, site, side * (edge + rng.uniform(1.0, 1.7)), float(y))
        if body.meshes:
            site.builder.place(body)
    if site.road.crossing is not None:
        _add_signals(site, site.road.crossing - site.road.crossing_half_width - 0.6)


def _add_tree(body: Body, site: Site, x: float, y: float) -> None:
    rng = site.rng
    height, crown, leaves = rng.uniform(2.4, 3.6), rng.uniform(1.3, 2.4), dyed(Kind.LEAF, rng)
    body.add(rods((x, y, 0), (x + rng.normal(0, 0.1), y, height + 0.6), 0.16, 0.10, sides=6), BARK, smooth=True)
    centre = vector(x, y, height + crown * 0.85)
    if site.content.leaf_cards:
        cloud = _leaf_cloud(int(rng.integers(4)), near=y < 25)
        body.add(Mesh(cloud.vertices * np.float32(crown) + centre, cloud.faces), leaves)
        return
    clumps = rng.normal(0, 0.28, (4, 3)) * crown
    body.add(balls(centre + clumps, np.full((4, 3), 0.75 * crown)), leaves)


@cache
def _leaf_cloud(variant: int, *, near: bool) -> Mesh:
    """A crown of radius 1, drawn once and then scaled and dyed; far trees have fewer, larger leaves."""
    rng = np.random.default_rng([variant, 20_000])
    count, leaf = (420, 0.105) if near else (160, 0.17)
    middle = rng.normal(size=(count, 3))
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    lumps = 1 + 0.25 * np.sin(5 * middle[:, :1] + variant) * np.cos(4 * middle[:, 1:2])
    middle *= rng.random((count, 1)) ** 0.4 * lumps
    corners = middle[:, None] + rng.normal(0, leaf, (count, 3, 3))
    return Mesh(corners.reshape(-1, 3).astype(np.float32), np.arange(3 * count, dtype=np.int32).reshape(-1, 3))


def _add_signals(site: Site, y: float) -> None:
    body, light = Body(), int(site.rng.integers(3))
    for side in (-1, 1):
        x = side * (site.road.half_width + 0.4)
        reach = x - side * 2.4
        body.add(rods([(x, y, 0), (x, y, 5.0)], [(x, y, 5.1), (reach, y, 5.3)], [0.08, 0.05], sides=6), POLE)
        body.add(boxes((reach, y, 4.9), (0.34, 0.25, 0.95)), TRIM)
        body.add(
            boxes((reach, y - 0.14, 5.2 - 0.3 * light), (0.2, 0.05, 0.2)),
            Material(Kind.SIGNAL, ((light + 0.5) / 3, 0.5, 0.5)),
        )
    site.builder.place(body)


def add_clutter(site: Site) -> None:
    rng, road = site.rng, site.road
    body = Body()
    for _ in range(int(rng.integers(2, 12) * site.content.clutter)):
        side, y, kind = rng.choice([-1, 1]), rng.uniform(6, 40), rng.integers(3)
        x = side * (road.half_width + rng.uniform(0.5, site.walk_width))
        if site.crosses(y, 1.0) or not site.ground.take(x, y, 0.4, 0.4, 0.1):
            continue
        if kind == 0:
            body.add(rods((x, y, 0.1), (x, y, 1.0), 0.25, 0.28, sides=8), dyed(Kind.CARGO, rng), smooth=True)
        elif kind == 1:
            size = rng.uniform((0.4, 0.4, 0.8), (0.9, 0.9, 1.5))
            body.add(boxes((x, y, 0.1 + size[2] / 2), size), dyed(Kind.CARGO, rng))
        else:
            body.add(rods((x, y, 0.1), (x, y, 2.5), 0.035, sides=5), POLE)
            body.add(boxes((x, y - 0.05, 2.3), (0.62, 0.04, 0.62)), dyed(Kind.SIGN, rng))
    if body.meshes:
        site.builder.place(body)
