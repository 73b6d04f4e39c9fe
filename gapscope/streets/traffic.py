"""Who is on the street? People, cycles and vehicles, each with its label."""

import numpy as np

from gapscope.streets import people, vehicles
from gapscope.streets.site import Site


def add_people_crossing(site: Site) -> None:
    rng, road, zebra = site.rng, site.road, site.road.zebra
    if zebra is None:
        return
    for _ in range(rng.integers(0, 3)):
        x, y = rng.uniform(-road.half_width, road.half_width), zebra + rng.uniform(-1.3, 1.3)
        if site.ground.take(x, y, 0.35, 0.3, 0.1):
            yaw = rng.choice([-1, 1]) * np.pi / 2 + rng.normal(0, 0.15)
            site.builder.place(people.pedestrian(rng), x, y, 0, yaw, label="person")


def add_people_walking(site: Site) -> None:
    rng, road = site.rng, site.road
    for _ in range(int(rng.integers(1, 6) * site.content.traffic)):
        side, y = rng.choice([-1, 1], p=[0.4, 0.6]), 6.5 + 14 * rng.random() ** 1.5
        on_road = rng.random() < 0.2 or site.crosses(y, 0.3)
        x = side * (
            road.half_width + (-rng.uniform(0.2, 1.2) if on_road else rng.uniform(0.3, min(site.walk_width, 2.2)))
        )
        if site.ground.take(x, y, 0.3, 0.3, 0.1):
            yaw = rng.choice([0, np.pi]) + rng.normal(0, 0.4)
            site.builder.place(people.pedestrian(rng), x, y, 0.0 if on_road else 0.125, yaw, label="person")


def add_cycles(site: Site) -> None:
    rng, road = site.rng, site.road
    kerb = road.half_width - (2.7 if site.parking else 0.6)
    for _ in range(rng.integers(1, 4)):
        parked, y = rng.random() < 0.2, 5 + 12 * rng.random() ** 1.3
        side = rng.choice([-1, 1], p=[0.35, 0.65])
        x, z, yaw = side * (kerb + rng.normal(0, 0.25)), 0.0, (0 if side > 0 else np.pi) + rng.normal(0, 0.12)
        if parked and not site.crosses(y, 0.5):
            x, z, yaw = side * (road.half_width + 0.7), 0.125, rng.uniform(0, 2 * np.pi)
        elif rng.random() < 0.35:
            x, y, yaw = (
                rng.uniform(-4, 5.5),
                (y if road.zebra is None else road.zebra) + rng.uniform(-1, 3),
                rng.choice([-1, 1]) * np.pi / 2,
            )
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
    out_of_view = abs(x - site.road.lane_width / 2) - half_x > 0.7 * (y + 2 * depth) + 0.5
    if out_of_view or not site.ground.take(x, y + depth, half_x, depth):
        return
    draw = {"car": vehicles.car, "bus": vehicles.bus, "truck": vehicles.truck}[label]
    site.builder.place(draw(site.rng), x, y + depth, 0, yaw, label=label)


def add_traffic(site: Site) -> None:
    rng, road, busy = site.rng, site.road, site.content.traffic * site.rng.uniform(0.6, 1.2)
    if road.crossing is not None:
        for _ in range(rng.integers(1, 4)):
            toward = rng.choice([-1, 1])
            place = rng.uniform(-8, 10), road.crossing + toward * 1.9 - 1.2
            _add_vehicle(site, *place, -toward * np.pi / 2 + rng.normal(0, 0.04), (0.34, 0.36, 0.30))
    for lane in range(road.lanes):
        for side in (1, -1):
            y = rng.uniform(6.5, 15) if side > 0 else rng.uniform(4.5, 13)
            while y < 46:
                if rng.random() < 0.75 * busy and not site.crosses(y + 2, 1.0):
                    x = side * (lane + 0.5) * road.lane_width + rng.normal(0, 0.15)
                    _add_vehicle(site, x, y, (0 if side > 0 else np.pi) + rng.normal(0, 0.03), (0.48, 0.25, 0.27))
                y += rng.uniform(8, 20)


def add_parked(site: Site) -> None:
    if not site.parking:
        return
    rng, road, busy = site.rng, site.road, site.content.traffic * site.rng.uniform(0.5, 1.1)
    for side in (-1, 1):
        y = rng.uniform(3, 9)
        while y < 34:
            if rng.random() < 0.6 * busy and not site.crosses(y + 2.5, 3.5):
                yaw = (0 if side > 0 else np.pi) + rng.normal(0, 0.04)
                _add_vehicle(site, side * (road.half_width - 1.05), y, yaw, (0.86, 0.03, 0.11))
            y += rng.uniform(5.3, 8.5)
