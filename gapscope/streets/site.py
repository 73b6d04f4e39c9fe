"""Where may things stand on a street, and what kind of street is it?"""

from dataclasses import dataclass

import numpy as np

from gapscope.streets.drives import SCENES
from gapscope.streets.scene import Road, SceneBuilder


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
    SCENES: Content(traffic=1.0, clutter=1.0, leaf_cards=True),
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
