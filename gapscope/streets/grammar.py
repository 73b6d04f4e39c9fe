"""What happens on the street? One grammar for all styles: content is drawn here, looks are drawn elsewhere."""

import numpy as np

from gapscope.streets import roadside, traffic
from gapscope.streets.drives import Drive, hood_body
from gapscope.streets.scene import Road, Scene, SceneBuilder
from gapscope.streets.site import CONTENTS, Ground, Site


def street(rng: np.random.Generator, style: str, drive: Drive) -> tuple[Scene, float]:
    """A street seen from y = 0 looking along +y; also the camera's x, in the middle of the own lane."""
    content = CONTENTS[style]
    lanes, lane_width, parking = int(rng.choice([1, 2], p=[0.75, 0.25])), 3.1, bool(rng.random() < 0.6)
    crossing = float(rng.uniform(12, 22)) if rng.random() < 0.55 else None
    zebra = None
    if crossing is not None:
        zebra = crossing - 6.2
    elif rng.random() < 0.4:
        zebra = float(rng.uniform(7, 13))
    road = Road(lanes, lane_width, lanes * lane_width + (2.2 if parking else 0.35), crossing, 4.2, zebra)
    builder, ground = SceneBuilder(), Ground()
    site = Site(rng, builder, ground, road, content, parking, float(rng.uniform(2.4, 4.0)))
    camera_x = lane_width / 2 + float(rng.normal(0, 0.15))
    ground.take(camera_x, -1.0, 1.0, 4.5)
    roadside.lay_ground(site)
    roadside.add_houses(site)
    roadside.add_trees_and_lamps(site)
    traffic.add_people_crossing(site)
    traffic.add_cycles(site)
    traffic.add_traffic(site)
    traffic.add_parked(site)
    traffic.add_people_walking(site)
    roadside.add_clutter(site)
    if drive.hood is not None:
        builder.place(hood_body(drive.hood), camera_x + drive.hood.offset, label="car")
    return builder.build(road), camera_x
