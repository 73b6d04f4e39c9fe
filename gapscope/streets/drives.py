"""Which camera took an image? Images come in drives, and within a drive the camera stays where it is."""

from dataclasses import dataclass

import numpy as np

from gapscope.errors import InputError
from gapscope.streets.meshes import boxes, hull
from gapscope.streets.scene import Body, Kind, Material

FRAMES_PER_DRIVE = 8
STYLES = ("camera", "engine", "game")
SCENES = "scenes"
"""In the place of a style: what is the same in every style."""


@dataclass(frozen=True)
class HoodShape:
    """The driver's own hood, as seen in the pictures of a game engine; metres, relative to the camera."""

    paint: Material
    half_width: float
    reach: float
    """Distance of its front edge ahead of the camera."""
    top: float
    """Height of its front edge above the ground."""
    offset: float
    """How far its centre lies right of the camera."""


@dataclass(frozen=True)
class Drive:
    """The camera of one drive: `pitch` in radians upwards, `field_of_view` in radians, heights in metres."""

    name: str
    camera_height: float
    pitch: float
    field_of_view: float
    distortion: float
    """First radial coefficient; negative is a barrel."""
    hood: HoodShape | None


def check_style(style: str) -> None:
    if style not in STYLES:
        raise InputError(f"there is no street style '{style}'. Choose one of: {', '.join(STYLES)}.")


def image_generator(seed: int, style: str, index: int) -> np.random.Generator:
    """The randomness of one image: a function of domain seed, style (or `SCENES`) and index alone."""
    return np.random.default_rng([seed, (*STYLES, SCENES).index(style), index])


def drive_of(seed: int, style: str, index: int, *, hood: bool | None = None) -> Drive:
    """The drive that image `index` belongs to: eight consecutive images share one.

    Args:
        seed: Of the domain.
        style: Or `SCENES`.
        index: Of the image.
        hood: Whether the driver's own hood is seen; of itself only the engine shows one.
    """
    number = index // FRAMES_PER_DRIVE
    rng = np.random.default_rng([seed, (*STYLES, SCENES).index(style), number, FRAMES_PER_DRIVE])
    name, shown = f"{style}-{seed}-{number:04d}", style == "engine" if hood is None else hood
    if style in ("camera", SCENES):
        view, height, pitch = np.radians(rng.uniform(48, 62)), rng.uniform(1.2, 2.1), np.radians(rng.normal(-1.5, 1.5))
        distortion = rng.uniform(-0.10, 0.02)
    else:
        view, height, pitch = np.radians(55), rng.uniform(1.45, 1.65), np.radians(rng.uniform(-2.5, -1.0))
        distortion = 0.0
    body = _hood(rng, height, pitch, view) if shown else None
    return Drive(name, float(height), float(pitch), float(view), float(distortion), body)


def _hood(rng: np.random.Generator, height: float, pitch: float, view: float) -> HoodShape:
    """A hood whose front edge is seen at 0.74 to 0.84 of the picture's height."""
    row, reach = rng.uniform(0.74, 0.84), rng.uniform(1.5, 1.9)
    below = np.arctan((2 * row - 1) * np.tan(view / 2)) - pitch
    first, second, third = rng.random(3).tolist()
    return HoodShape(
        paint=Material(Kind.PAINT, (first, second, third)),
        half_width=float(rng.uniform(0.76, 0.86)),
        reach=float(reach),
        top=float(height - reach * np.tan(below)),
        offset=float(rng.uniform(0.05, 0.25)),
    )


def hood_body(hood: HoodShape) -> Body:
    """The hood as a body standing where the camera stands, on the ground."""
    top, width, reach = hood.top, hood.half_width, hood.reach
    body = Body()
    stations = [
        (0.2, top - 0.4, top + 0.05, width),
        (reach - 0.6, top - 0.4, top + 0.04, width * 0.98),
        (reach - 0.15, top - 0.4, top + 0.01, width * 0.93),
        (reach, top - 0.4, top - 0.05, width * 0.82),
    ]
    body.add(hull(stations, exponent=6, sides=24), hood.paint, smooth=True)
    ridges = [(side * width * 0.45, reach * 0.5, top + 0.045) for side in (-1, 1)]
    body.add(boxes(ridges, (0.06, reach * 0.8, 0.014), (0.2, 0.9)), hood.paint)
    return body
