"""What do cars, buses, trucks and cycles look like? Bodies of random size and shape; metres, facing +y."""

from typing import NamedTuple

import numpy as np

from gapscope.streets.meshes import balls, boxes, hull, rods, tyres
from gapscope.streets.scene import Body, Kind, Material, dyed

GLASS, TRIM, CHROME, RUBBER = (Material(kind) for kind in (Kind.GLASS, Kind.TRIM, Kind.CHROME, Kind.RUBBER))
HEADLAMP, TAILLAMP, PLATE = (Material(kind) for kind in (Kind.HEADLAMP, Kind.TAILLAMP, Kind.PLATE))


class CarShape(NamedTuple):
    """Sizes of a car; `cabin` holds the foot's rear and front end, then the roof's, as shares of the length."""

    length: float
    width: float
    belt: float
    roof: float
    clearance: float
    cabin: tuple[float, float, float, float]


CAR_SHAPES = {
    "sedan": CarShape(4.6, 1.82, 0.94, 1.45, 0.19, (-0.37, 0.24, -0.22, 0.06)),
    "hatchback": CarShape(4.0, 1.76, 0.96, 1.50, 0.19, (-0.47, 0.26, -0.35, 0.06)),
    "estate": CarShape(4.7, 1.82, 0.96, 1.50, 0.19, (-0.48, 0.24, -0.41, 0.06)),
    "off-roader": CarShape(4.6, 1.92, 1.10, 1.76, 0.30, (-0.48, 0.25, -0.42, 0.10)),
    "people carrier": CarShape(4.8, 1.90, 1.08, 1.88, 0.22, (-0.485, 0.36, -0.45, 0.17)),
}

# The lower body of a car from tail to nose: y over length, lift of the bottom, top over belt height, width over width.
_CAR_STATIONS = np.array(
    [
        [-0.50, 0.20, 0.82, 0.84],
        [-0.47, 0.08, 0.98, 0.95],
        [-0.35, 0.00, 1.00, 1.00],
        [0.20, 0.00, 0.99, 1.00],
        [0.28, 0.00, 0.95, 0.99],
        [0.42, 0.02, 0.84, 0.96],
        [0.48, 0.08, 0.76, 0.89],
        [0.50, 0.18, 0.66, 0.78],
    ]
)


def car(rng: np.random.Generator) -> Body:
    """A passenger car of one of five shapes."""
    shape = CAR_SHAPES[str(rng.choice(list(CAR_SHAPES)))]
    stretch, widen, raise_ = rng.uniform(0.95, 1.06, 3)
    shape = shape._replace(
        length=shape.length * stretch, width=shape.width * widen, roof=shape.roof * (0.5 + 0.5 * raise_)
    )
    paint = dyed(Kind.PAINT, rng)
    body, half = Body(), shape.width / 2
    y, lift, top, width = _CAR_STATIONS.T
    stations = np.stack([y * shape.length, shape.clearance + lift, top * shape.belt, width * half], 1)
    body.add(hull(stations, exponent=5.5, sides=16), paint, smooth=True)
    _add_cabin(body, shape, paint)
    _add_car_fittings(body, shape, paint)
    radius = 0.33 if shape.clearance < 0.25 else 0.38
    _add_wheels(body, half, [-0.31 * shape.length, 0.31 * shape.length], radius, arches=True)
    return body


def _add_cabin(body: Body, shape: CarShape, paint: Material) -> None:
    rear, front, roof_rear, roof_front = (share * shape.length for share in shape.cabin)
    foot, roof = 0.95 * shape.width, 0.76 * shape.width
    low, high = shape.belt - 0.06, shape.roof - 0.05
    middle = ((rear + front) / 2, (roof_rear + roof_front) / 2)
    taper = (roof / foot, (roof_front - roof_rear) / (front - rear))
    body.add(
        boxes((0, middle[0], (low + high) / 2), (foot, front - rear, high - low), taper, (0, middle[1] - middle[0])),
        GLASS,
    )
    slab = (roof + 0.06, roof_front - roof_rear + 0.10, 0.08)
    body.add(boxes((0, middle[1], shape.roof - 0.04), slab, (0.9, 0.93)), paint)
    feet, tops = [], []
    for side in (-0.5, 0.5):
        for below, above in ((rear, roof_rear), (front, roof_front), middle):
            feet.append((side * foot, below, low))
            tops.append((side * roof, above, high))
    body.add(rods(feet, tops, 0.055, sides=5), paint)


def _add_car_fittings(body: Body, shape: CarShape, paint: Material) -> None:
    half, tail, nose, belt = shape.width / 2, -shape.length / 2, shape.length / 2, shape.belt
    mirror = shape.cabin[1] * shape.length - 0.35
    parts: list[tuple[tuple[float, float, float], tuple[float, float, float], Material]] = [
        ((0, nose - 0.03, belt * 0.52), (half * 1.1, 0.10, 0.16), TRIM),
        ((0, nose - 0.08, shape.clearance + 0.12), (half * 1.5, 0.10, 0.12), TRIM),
        ((0, tail + 0.03, shape.clearance + 0.18), (half * 1.6, 0.12, 0.16), TRIM),
        ((0, tail - 0.02, belt * 0.63), (0.52, 0.04, 0.12), PLATE),
        ((0, nose + 0.03, shape.clearance + 0.2), (0.52, 0.04, 0.11), PLATE),
        ((0, 0, shape.clearance + 0.03), (half * 1.7, shape.length * 0.84, 0.12), TRIM),
    ]
    for side in (-1, 1):
        parts += [
            ((side * half * 0.68, nose - 0.11, belt * 0.70), (half * 0.42, 0.16, 0.14), HEADLAMP),
            ((side * half * 0.72, tail + 0.06, belt * 0.80), (half * 0.38, 0.14, 0.17), TAILLAMP),
            ((side * (half + 0.07), mirror, belt + 0.06), (0.17, 0.11, 0.14), paint),
        ]
    centres, sizes, materials = zip(*parts, strict=True)
    body.add(boxes(centres, sizes), materials)


def _add_wheels(body: Body, half: float, axles: list[float], radius: float, *, arches: bool = False) -> None:
    width = 0.22 if arches else 0.30
    sides = np.array([(side, y) for side in (-1, 1) for y in axles])
    hub = np.stack([sides[:, 0] * half, sides[:, 1], np.full(len(sides), radius)], 1)
    outward = np.stack([sides[:, 0], 0 * sides[:, 0], 0 * sides[:, 0]], 1)
    body.add(rods(hub - outward * width, hub + outward * 0.02, radius, sides=12), RUBBER, smooth=False)
    body.add(rods(hub, hub + outward * 0.035, radius * 0.6, sides=6), CHROME)
    if arches:
        body.add(rods(hub - outward * 0.1, hub + outward * 0.008, radius + 0.06, sides=10), TRIM)


def bus(rng: np.random.Generator) -> Body:
    """A city bus: one long rounded box with bands of windows, doors on its right and a lit destination sign."""
    length, height, half = rng.uniform(9.0, 12.0), rng.uniform(2.9, 3.25), 1.26
    paint, stripe = dyed(Kind.PAINT, rng), dyed(Kind.PAINT, rng)
    tail, nose = -length / 2, length / 2
    body = Body()
    stations = [
        (tail, 0.5, height - 0.15, half * 0.95),
        (tail + 0.15, 0.35, height, half),
        (nose - 0.2, 0.35, height, half),
        (nose, 0.45, height - 0.12, half * 0.94),
    ]
    body.add(hull(stations, exponent=9, sides=20), paint, smooth=True)
    parts: list[tuple[tuple[float, float, float], tuple[float, float, float], Material]] = [
        ((0, nose - 0.01, 1.75), (half * 1.8, 0.1, 1.35), GLASS),
        ((0, nose, height - 0.28), (half * 1.5, 0.12, 0.28), Material(Kind.DISPLAY)),
        ((0, tail + 0.01, 2.1), (half * 1.6, 0.1, 0.8), GLASS),
        ((0, nose, 0.5), (half * 1.85, 0.1, 0.24), TRIM),
        ((0, tail, 0.5), (half * 1.85, 0.1, 0.24), TRIM),
        ((0, tail - 0.03, 1.0), (0.6, 0.06, 0.16), PLATE),
    ]
    windows = int(length / 1.4)
    pitch = (length - 1.2) / windows
    for side in (-1, 1):
        parts += [
            ((side * half, tail + 0.6 + (i + 0.5) * pitch, 1.95), (0.06, pitch * 0.88, 0.95), GLASS)
            for i in range(windows)
        ]
        parts += [
            ((side * half, 0, 1.05), (0.05, length * 0.96, 0.34), stripe),
            ((side * half * 0.74, nose + 0.01, 0.8), (0.36, 0.08, 0.2), HEADLAMP),
            ((side * half * 0.82, tail - 0.01, 1.05), (0.24, 0.08, 0.45), TAILLAMP),
            ((side * (half + 0.2), nose - 0.05, 2.25), (0.2, 0.14, 0.42), TRIM),
        ]
    parts += [((half + 0.015, y, 1.4), (0.07, 1.15, 2.0), GLASS) for y in (nose - 1.0, -0.3)]
    centres, sizes, materials = zip(*parts, strict=True)
    body.add(boxes(centres, sizes), materials)
    _add_wheels(body, half, [tail + 2.6, nose - 2.5], 0.48)
    return body


def truck(rng: np.random.Generator) -> Body:
    """A lorry: a cab, a chassis and a box, an open bed, a tank or a tipper behind it."""
    length, half, cab_height = rng.uniform(6.0, 9.0), rng.uniform(1.08, 1.22), rng.uniform(2.35, 2.85)
    cab_length = rng.uniform(1.7, 2.1)
    paint, load = dyed(Kind.PAINT, rng), dyed(Kind.CARGO, rng)
    tail, nose = -length / 2, length / 2
    body = Body()
    cab = (0, nose - cab_length / 2, 0.55 + (cab_height - 0.55) / 2)
    body.add(boxes(cab, (half * 1.9, cab_length, cab_height - 0.55), (0.94, 0.86), (0, -0.1)), paint)
    parts: list[tuple[tuple[float, float, float], tuple[float, float, float], Material]] = [
        ((0, nose - 0.1, cab_height * 0.69), (half * 1.66, 0.2, cab_height * 0.28), GLASS),
        ((0, nose - 0.02, cab_height * 0.42), (half * 1.2, 0.12, 0.28), TRIM),
        ((0, nose, 0.62), (half * 1.9, 0.16, 0.32), TRIM),
        ((0, -0.1, 0.75), (0.9, length * 0.95, 0.24), TRIM),
        ((0, tail, 0.6), (half * 1.9, 0.1, 0.14), TRIM),
        ((0, tail - 0.04, 0.82), (0.52, 0.05, 0.14), PLATE),
    ]
    for side in (-1, 1):
        parts += [
            (
                (side * half * 0.935, nose - cab_length * 0.42, cab_height * 0.69),
                (0.06, cab_length * 0.5, cab_height * 0.24),
                GLASS,
            ),
            ((side * (half + 0.12), nose - 0.15, cab_height * 0.69), (0.16, 0.12, 0.45), TRIM),
            ((side * half * 0.72, nose + 0.03, 0.86), (0.36, 0.1, 0.2), HEADLAMP),
            ((side * half * 0.8, tail - 0.03, 0.85), (0.28, 0.08, 0.18), TAILLAMP),
        ]
    centres, sizes, materials = zip(*parts, strict=True)
    body.add(boxes(centres, sizes), materials)
    _add_cargo(body, rng, (tail, nose - cab_length - 0.15), half, load)
    axles = [nose - 1.0, tail + 1.2] + ([tail + 2.3] if length > 7.5 else [])
    _add_wheels(body, half - 0.02, axles, 0.48)
    return body


def _add_cargo(body: Body, rng: np.random.Generator, bed: tuple[float, float], half: float, load: Material) -> None:
    rear, front = bed
    middle, length, top = (rear + front) / 2, front - rear, rng.uniform(2.8, 3.6)
    kind = rng.choice(["box", "box", "box", "open", "tipper", "tank"])
    if kind == "box":
        body.add(boxes((0, middle, (0.9 + top) / 2), (half * 2.04, length, top - 0.9)), load)
        seams = [(0, rear - 0.01, 0.9 + (top - 0.9) / 2)]
        body.add(boxes(seams, (0.05, 0.03, top - 1.1)), TRIM)
        return
    if kind == "tank":
        low, high = 1.0, 2.75
        ends = [(rear + 0.1, low + 0.2, high - 0.2, half * 0.7), (rear + 0.4, low, high, half * 0.93)]
        ends += [(front - 0.4, low, high, half * 0.93), (front - 0.1, low + 0.2, high - 0.2, half * 0.7)]
        body.add(hull(ends, exponent=2.3, sides=14), Material(Kind.CARGO, (0.0, 0.9, load.dye[2])), smooth=True)
        return
    wall = 0.5 if kind == "open" else 1.2
    walls = [(side * half * 0.98, middle, 1.1 + wall / 2) for side in (-1, 1)] + [(0, y, 1.1 + wall / 2) for y in bed]
    sizes = [(0.08, length, wall)] * 2 + [(half * 2, 0.08, wall)] * 2
    body.add(boxes([(0, middle, 1.02), *walls], [(half * 2, length, 0.2), *sizes]), load)
    goods = int(rng.integers(1, 5))
    places = np.stack(
        [rng.uniform(-0.5, 0.5, goods), rng.uniform(rear + 0.7, front - 0.7, goods), np.full(goods, 1.6)], 1
    )
    body.add(boxes(places, rng.uniform(0.6, 1.2, (goods, 3))), [dyed(Kind.CARGO, rng) for _ in range(goods)])


def cycle(rng: np.random.Generator, *, motor: bool = False) -> Body:
    """A bicycle, or with `motor` a motorcycle; the rider is a body of its own (`people.rider`)."""
    paint, body = dyed(Kind.PAINT, rng), Body()
    radius, reach = (0.31, 0.64) if motor else (0.34, 0.53)
    axles = [(0, -reach, radius), (0, reach, radius)]
    body.add(tyres(axles, radius, 0.075 if motor else 0.03), RUBBER, smooth=True)
    crank, seat, head, fork = (0, -0.06, radius - 0.02), (0, -0.22, 0.90), (0, reach - 0.18, 0.92), (0, reach, radius)
    joints = [(crank, seat), (crank, head), (seat, head), (axles[0], crank), (axles[0], seat), (fork, head)]
    starts, ends = zip(*joints, strict=True)
    body.add(rods(starts, ends, 0.04 if motor else 0.027, sides=5), paint)
    bar = reach - 0.2
    body.add(rods((-0.29, bar, 1.05), (0.29, bar, 1.05), 0.022, sides=5), TRIM)
    body.add(rods(head, (0, bar, 1.05), 0.025, sides=5), TRIM)
    body.add(boxes((0, -0.25, 0.95), (0.16, 0.28, 0.07), (0.7, 1)), TRIM)
    if motor:
        tank = [(-0.78, 0.74, 0.84, 0.08), (-0.3, 0.60, 0.84, 0.14), (0.1, 0.55, 0.96, 0.16), (0.36, 0.66, 0.98, 0.10)]
        body.add(hull(tank, exponent=2.6, sides=10), paint, smooth=True)
        body.add(boxes([(0, 0, 0.38), (0, -0.8, 0.76)], [(0.34, 0.55, 0.36), (0.22, 0.07, 0.1)]), [TRIM, TAILLAMP])
        body.add(balls((0, 0.64, 0.92), (0.12, 0.12, 0.12)), HEADLAMP, smooth=True)
        body.add(
            rods(
                [(-0.05, y, radius) for y in (-reach, reach)],
                [(0.05, y, radius) for y in (-reach, reach)],
                radius * 0.5,
            ),
            CHROME,
        )
    else:
        body.add(rods((-0.03, -reach, radius), (0.03, -reach, radius), 0.06, sides=6), CHROME)
    return body
