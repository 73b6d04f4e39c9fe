"""What do people look like, on foot and on a cycle? Bodies of rods and balls on a skeleton; metres, facing +y."""

import numpy as np

from gapscope.streets.meshes import Floats, balls, boxes, rods
from gapscope.streets.scene import Body, Kind, Material, dyed

SHOES = Material(Kind.TRIM)
SIDES = np.array([-1.0, 1.0])


def pedestrian(rng: np.random.Generator) -> Body:
    """A person walking or standing, sometimes a child, sometimes with a bag."""
    size = rng.uniform(0.65, 0.8) if rng.random() < 0.1 else rng.uniform(0.93, 1.06)
    swing = rng.uniform(0.05, 0.55) * rng.choice([-1, 1]) * SIDES
    hip = np.stack([SIDES * 0.09, [0, 0], [0.92, 0.92]], 1)
    knee = hip + _swung(swing * 0.8 + 0.1, 0.44)
    ankle = knee + _swung(swing * 0.8 - 0.15, 0.42)
    shoulder = np.stack([SIDES * 0.2, [0.02, 0.02], [1.42, 1.42]], 1)
    elbow = shoulder + _swung(-swing * 0.8, 0.29) + np.outer(SIDES, [0.05, 0, 0])
    hand = elbow + _swung(-swing * 0.6 + 0.25, 0.26)
    body = _figure(rng, [hip, knee, ankle, shoulder, elbow, hand], size)
    if rng.random() < 0.35:
        body.add(boxes(np.array([0, -0.24, 1.22]) * size, np.array([0.3, 0.2, 0.44]) * size), dyed(Kind.SHIRT, rng))
    return body


def rider(rng: np.random.Generator) -> Body:
    """A person sitting on a cycle whose origin is the same."""
    pedal = 0.13 * rng.choice([-1, 1]) * SIDES
    hip = np.stack([SIDES * 0.09, [-0.2, -0.2], [1.0, 1.0]], 1)
    knee = np.stack([SIDES * 0.12, [0.17, 0.17], 0.78 + pedal], 1)
    ankle = np.stack([SIDES * 0.12, [0.0, 0.0], 0.36 + pedal], 1)
    shoulder = np.stack([SIDES * 0.2, [0.08, 0.08], [1.48, 1.48]], 1)
    elbow = np.stack([SIDES * 0.27, [0.2, 0.2], [1.22, 1.22]], 1)
    hand = np.stack([SIDES * 0.25, [0.36, 0.36], [1.09, 1.09]], 1)
    return _figure(rng, [hip, knee, ankle, shoulder, elbow, hand], rng.uniform(0.95, 1.04))


def _swung(angle: Floats | np.ndarray, length: float) -> np.ndarray:
    """Limbs (2, 3) of this length hanging down, turned forward by `angle` (2,) radians."""
    return length * np.stack([0 * angle, np.sin(angle), -np.cos(angle)], 1)


def _figure(rng: np.random.Generator, joints: list[np.ndarray], size: float) -> Body:
    """Flesh and clothes on a skeleton: left and right hip, knee, ankle, shoulder, elbow and hand, each (2, 3)."""
    hip, knee, ankle, shoulder, elbow, hand = (joint * size for joint in joints)
    build = rng.uniform(0.9, 1.25) * size
    skin, hair = dyed(Kind.SKIN, rng), dyed(Kind.HAIR, rng)
    shirt, trousers = dyed(Kind.SHIRT, rng), dyed(Kind.TROUSERS, rng)
    forearm = skin if rng.random() < 0.4 else shirt
    waist, neck = hip.mean(0), shoulder.mean(0)
    toe = ankle + np.array([0, 0.16, -0.04]) * size
    body = Body()
    spine = (
        np.stack([waist, neck, shoulder[0]]),
        np.stack([neck - np.array([0, 0, 0.06]), neck + np.array([0, 0.01, 0.1]), shoulder[1]]),
    )
    body.add(
        rods(*spine, np.array([0.155, 0.07, 0.09]) * build, np.array([0.185, 0.06, 0.09]) * build, round_ends=True),
        [shirt, skin, shirt],
        smooth=True,
    )
    legs = np.concatenate([hip, knee, ankle - [0, 0, 0.03 * size]]), np.concatenate([knee, ankle, toe])
    widths = np.repeat([0.10, 0.07, 0.05], 2) * build, np.repeat([0.07, 0.05, 0.04], 2) * build
    body.add(rods(*legs, *widths, sides=5, round_ends=True), [trousers] * 4 + [SHOES] * 2, smooth=True)
    arms = np.concatenate([shoulder, elbow]), np.concatenate([elbow, hand])
    widths = np.repeat([0.065, 0.05], 2) * build, np.repeat([0.05, 0.045], 2) * build
    body.add(rods(*arms, *widths, sides=5, round_ends=True), [shirt] * 2 + [forearm] * 2, smooth=True)
    head = neck + np.array([0, 0.04, 0.28]) * size
    skull = np.stack([head, head + np.array([0, -0.03, 0.035]) * size])
    radii = np.array([[0.095, 0.11, 0.13], [0.104, 0.11, 0.118]]) * size
    body.add(balls(skull, radii), [skin, hair], smooth=True)
    return body
