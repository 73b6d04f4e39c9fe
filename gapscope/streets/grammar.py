"""What happens on the street? One grammar for all styles: road, houses, trees, traffic and people, drawn at random."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from gapscope.streets import people, vehicles
from gapscope.streets.drives import Drive, hood_body
from gapscope.streets.meshes import Mesh, balls, boxes, rods
from gapscope.streets.scene import Body, Kind, Material, Road, Scene, SceneBuilder, dyed

FAR = 95.0
POLE, BARK, TRIM = Material(Kind.POLE), Material(Kind.BARK), Material(Kind.TRIM)


@dataclass(frozen=True)
class Content:
    """What a style asks of the grammar beyond looks."""

    traffic: float
    """How full the street is; 1 is busy."""
    clutter: float
    leaf_cards: bool
    """Trees of many small leaves instead of a few balls."""


CONTENTS = {
    "camera": Content(traffic=1.0, clutter=1.0, leaf_cards=True),
    "engine": Content(traffic=0.9, clutter=0.4, leaf_cards=True),
    "game": Content(traffic=0.9, clutter=0.2, leaf_cards=False),
}


class Ground:
    """Which ground is taken, as upright rectangles: bodies must not stand in each other."""

    def __init__(self) -> None:
        self.taken: list[tuple[float, float, float, float]] = []

    def take(self, x: float, y: float, half_x: float, half_y: float, gap: float = 0.35) -> bool:
        """Take a rectangle if all of it is free; says whether it was."""
        for other_x, other_y, other_half_x, other_half_y in self.taken:
            if abs(x - other_x) < half_x + other_half_x + gap and abs(y - other_y) < half_y + other_half_y + gap:
                return False
        self.taken.append((x, y, half_x, half_y))
        return True


@dataclass(frozen=True)
class Site:
    """What the steps of the grammar share while a street is built."""

    rng: np.random.Generator
    builder: SceneBuilder
    ground: Ground
    road: Road
    content: Content
    parking: bool
    walk_width: float

    def crosses(self, y: float, margin: float) -> bool:
        """Whether y lies on the crossing street, or within `margin` metres of it."""
        road = self.road
        return road.crossing is not None and abs(y - road.crossing) < road.crossing_half_width + margin


def street(rng: np.random.Generator, style: str, drive: Drive) -> tuple[Scene, float]:
    """A street seen from y = 0 looking along +y; also the camera's x, in the middle of the own lane."""
    content = CONTENTS[style]
    lanes, lane_width, parking = int(rng.choice([1, 2], p=[0.75, 0.25])), 3.2, bool(rng.random() < 0.6)
    crossing = float(rng.uniform(13, 26)) if rng.random() < 0.55 else None
    zebra = None
    if crossing is not None:
        zebra = crossing - 6.5
    elif rng.random() < 0.4:
        zebra = float(rng.uniform(7, 15))
    road = Road(lanes, lane_width, lanes * lane_width + (2.2 if parking else 0.35), crossing, 4.2, zebra)
    builder, ground = SceneBuilder(), Ground()
    site = Site(rng, builder, ground, road, content, parking, float(rng.uniform(2.4, 4.0)))
    camera_x = lane_width / 2 + float(rng.normal(0, 0.15))
    ground.take(camera_x, -1.0, 1.0, 4.5)
    _lay_ground(site)
    _add_houses(site)
    _add_trees_and_lamps(site)
    _add_people_crossing(site)
    _add_cycles(site)
    _add_traffic(site)
    _add_parked(site)
    _add_people_walking(site)
    _add_clutter(site)
    if drive.hood is not None:
        builder.place(hood_body(drive.hood), camera_x + drive.hood.offset, label="car")
    return builder.build(road), camera_x


def _lay_ground(site: Site) -> None:
    road, walk_width = site.road, site.walk_width
    body = Body()
    corners = np.array([[-150, -20, 0], [150, -20, 0], [150, 400, 0], [-150, 400, 0]], np.float32)
    body.add(Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32)), Material(Kind.ROAD, (0.0, site.rng.random(), 0.5)))
    blocks = [(-20.0, FAR + 80)]
    if road.crossing is not None:
        edge = road.crossing_half_width
        blocks = [(-20.0, road.crossing - edge), (road.crossing + edge, FAR + 80)]
    walk, yard = dyed(Kind.WALK, site.rng), dyed(Kind.GRASS if site.rng.random() < 0.6 else Kind.WALK, site.rng)
    for side in (-1, 1):
        for start, end in blocks:
            middle, length = (start + end) / 2, end - start
            near, far = road.half_width + walk_width / 2, road.half_width + walk_width + 40
            body.add(boxes([(side * near, middle, 0.06), (side * far, middle, 0.05)], [(walk_width, length, 0.13), (80, length, 0.14)]), [walk, yard])
    site.builder.place(body)


def _add_houses(site: Site) -> None:
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
    top = boxes((x, y, height + rise / 2), (width + 0.5, length + 0.2, rise), (0.15, 0.95) if pitched else (1, 1))
    body.add(boxes((x, y, height / 2), (width, length, height)), wall)
    body.add(top, roof)
    face = x - np.sign(x) * width / 2
    if rng.random() < 0.5 * site.content.clutter:
        body.add(boxes((face - np.sign(x) * 0.5, y, 3.0), (1.1, length * 0.8, 0.12)), dyed(Kind.SIGN, rng))
    floors = int((height - 3) / 3.1 * site.content.clutter * rng.random())
    if floors > 0:
        centres = np.stack([np.full(floors, face), y + rng.uniform(-0.35, 0.35, floors) * length, 3.3 + 3.1 * np.arange(floors)], 1)
        body.add(boxes(centres, (1.6, 2.6, 0.9)), roof)


def _add_trees_and_lamps(site: Site) -> None:
    rng, edge = site.rng, site.road.half_width
    for side in (-1, 1):
        body, step = Body(), rng.uniform(14, 26)
        for y in np.arange(rng.uniform(-2, 8), 80, step):
            if site.crosses(y, 1.0):
                continue
            x = side * (edge + 0.45)
            reach = x - side * 1.9
            body.add(rods([(x, y, 0), (x, y, 6.7)], [(x, y, 6.8), (reach, y, 7.1)], [0.09, 0.05], [0.06, 0.05], sides=6), POLE)
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
    centre = np.float32([x, y, height + crown * 0.85])
    if site.content.leaf_cards:
        cloud = _leaf_cloud(int(rng.integers(4)), near=y < 25)
        body.add(Mesh(cloud.vertices * np.float32(crown) + centre, cloud.faces), leaves)
        return
    clumps = rng.normal(0, 0.28, (4, 3)) * crown
    body.add(balls(centre + clumps, np.full((4, 3), 0.75 * crown)), leaves)


@cache
def _leaf_cloud(variant: int, *, near: bool) -> Mesh:
    """A crown of radius 1: four of them, drawn once, are enough when scaled and dyed; far trees have fewer, larger leaves."""
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
        body.add(boxes((reach, y - 0.14, 5.2 - 0.3 * light), (0.2, 0.05, 0.2)), Material(Kind.SIGNAL, ((light + 0.5) / 3, 0.5, 0.5)))
    site.builder.place(body)


def _add_people_crossing(site: Site) -> None:
    if site.road.zebra is None:
        return
    rng, road = site.rng, site.road
    for _ in range(rng.integers(0, 4)):
        x, y = rng.uniform(-road.half_width, road.half_width), road.zebra + rng.uniform(-1.3, 1.3)
        if site.ground.take(x, y, 0.35, 0.3, 0.1):
            yaw = rng.choice([-1, 1]) * np.pi / 2 + rng.normal(0, 0.15)
            site.builder.place(people.pedestrian(rng), x, y, 0, yaw, label="person")


def _add_people_walking(site: Site) -> None:
    rng, road = site.rng, site.road
    for _ in range(int(rng.integers(2, 8) * site.content.traffic)):
        side, y = rng.choice([-1, 1], p=[0.4, 0.6]), 7 + 17 * rng.random() ** 1.4
        on_road = rng.random() < 0.2 or site.crosses(y, 0.3)
        x = side * (road.half_width + (-rng.uniform(0.2, 1.2) if on_road else rng.uniform(0.3, min(site.walk_width, 2.2))))
        if site.ground.take(x, y, 0.3, 0.3, 0.1):
            yaw = rng.choice([0, np.pi]) + rng.normal(0, 0.4)
            site.builder.place(people.pedestrian(rng), x, y, 0.0 if on_road else 0.125, yaw, label="person")


def _add_cycles(site: Site) -> None:
    rng, road = site.rng, site.road
    kerb = road.half_width - (2.7 if site.parking else 0.6)
    for _ in range(rng.integers(1, 5)):
        parked, y = rng.random() < 0.2, 5.5 + 14 * rng.random() ** 1.2
        side = rng.choice([-1, 1], p=[0.4, 0.6])
        x, z, yaw = side * (kerb + rng.normal(0, 0.25)), 0.0, (0 if side > 0 else np.pi) + rng.normal(0, 0.12)
        if parked and not site.crosses(y, 0.5):
            x, z, yaw = side * (road.half_width + 0.7), 0.125, rng.uniform(0, 2 * np.pi)
        elif rng.random() < 0.35:
            x, y, yaw = rng.uniform(-4, 5.5), (road.zebra or y) + rng.uniform(-1, 3), rng.choice([-1, 1]) * np.pi / 2
        _add_cycle(site, x, y, z, yaw, ridden=not parked)


def _add_cycle(site: Site, x: float, y: float, z: float, yaw: float, *, ridden: bool) -> None:
    across = abs(np.sin(yaw))
    if not site.ground.take(x, y, 0.4 + 0.5 * across, 0.9 - 0.5 * across, 0.15):
        return
    motor = site.rng.random() < 0.3
    site.builder.place(vehicles.cycle(site.rng, motor=motor), x, y, z, yaw, label="cycle")
    if ridden:
        site.builder.place(people.rider(site.rng), x, y, z, yaw, label="person")


def _add_vehicle(site: Site, x: float, y: float, yaw: float, shares: tuple[float, float, float]) -> None:
    """A car, bus or truck (in these shares) if there is room for it."""
    label = str(site.rng.choice(["car", "bus", "truck"], p=shares))
    half_width, half_length = {"car": (1.0, 2.4), "bus": (1.35, 6.0), "truck": (1.3, 4.5)}[label]
    sideways = abs(np.sin(yaw)) > 0.7
    # The bumper that faces the camera stands at y, whatever the length: a bus is as near as a car.
    depth = half_width if sideways else half_length
    half_x = half_length if sideways else half_width
    if not site.ground.take(x, y + depth, half_x, depth):
        return
    draw = {"car": vehicles.car, "bus": vehicles.bus, "truck": vehicles.truck}[label]
    site.builder.place(draw(site.rng), x, y + depth, 0, yaw, label=label)


def _add_traffic(site: Site) -> None:
    rng, road, busy = site.rng, site.road, site.content.traffic * site.rng.uniform(0.6, 1.2)
    if road.crossing is not None:
        for _ in range(rng.integers(1, 4)):
            toward = rng.choice([-1, 1])
            place = rng.uniform(-8, 10), road.crossing + toward * 1.9 - 1.2
            _add_vehicle(site, *place, -toward * np.pi / 2 + rng.normal(0, 0.04), (0.3, 0.35, 0.35))
    for lane in range(road.lanes):
        for side in (1, -1):
            y = rng.uniform(8, 18) if side > 0 else rng.uniform(6, 16)
            while y < 60:
                if rng.random() < 0.7 * busy and not site.crosses(y + 2, 1.0):
                    x = side * (lane + 0.5) * road.lane_width + rng.normal(0, 0.15)
                    _add_vehicle(site, x, y, (0 if side > 0 else np.pi) + rng.normal(0, 0.03), (0.46, 0.25, 0.29))
                y += rng.uniform(8, 20)


def _add_parked(site: Site) -> None:
    if not site.parking:
        return
    rng, road, busy = site.rng, site.road, site.content.traffic * site.rng.uniform(0.5, 1.1)
    for side in (-1, 1):
        y = rng.uniform(3, 9)
        while y < 45:
            if rng.random() < 0.6 * busy and not site.crosses(y + 2.5, 3.5):
                yaw = (0 if side > 0 else np.pi) + rng.normal(0, 0.04)
                _add_vehicle(site, side * (road.half_width - 1.05), y, yaw, (0.84, 0.02, 0.14))
            y += rng.uniform(5.3, 8.5)


def _add_clutter(site: Site) -> None:
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
