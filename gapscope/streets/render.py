"""One street image and its boxes, from a seed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gapscope.errors import InputError
from gapscope.streets.drives import SCENES, check_style, drive_of, image_generator
from gapscope.streets.grammar import street
from gapscope.streets.lens import View, develop_camera, develop_engine, develop_plain, draw_view, shrink
from gapscope.streets.meshes import Floats
from gapscope.streets.scene import NO_OBJECT, Scene
from gapscope.streets.shading import radiance
from gapscope.streets.tracing import Hits, Tracer
from gapscope.streets.weather import Weather, draw_weather

MIN_BOX_AREA = 100.0
"""Boxes smaller than this (square pixels) are not labelled, as in the paper."""
MIN_VISIBLE_AREA = 25.0
"""Square pixels of an object that must be seen, within a box of at least `MIN_SIDE` pixels each way."""
MIN_SIDE = 4.0
MIN_VISIBLE_SHARE = 0.12
MIN_LIGHT_THROUGH_FOG = 0.22
SAMPLES = {"camera": 1.5, "engine": 1.5, "game": 1.0}
"""Rays per pixel edge."""
SAMPLES_OF_SCENES = 1.5
"""Those that the boxes of same scenes are measured with, in every style."""


@dataclass(frozen=True)
class Street:
    """An image (h, w, 3) uint8 RGB with its labelled boxes.

    `xyxy` (m, 4) float32 are continuous pixel edges, exclusive at the maximum; `classes` names each box's class;
    `drive` is the sequence the image belongs to; `meta` says what weather it shows.
    """

    image: NDArray[np.uint8]
    classes: tuple[str, ...]
    xyxy: Floats
    drive: str
    meta: dict[str, Any]


def render(
    seed: int,
    style: str,
    size: int,
    severity: float = 0.4,
    *,
    index: int = 0,
    same_scenes: bool = False,
    hood: bool | None = None,
) -> Street:
    """Image `index` of the domain with this seed: the same arguments give the same bytes.

    Args:
        seed: Of the whole domain.
        style: "camera" (simulated camera), "engine" (game engine) or "game" (low poly).
        size: Pixels along an edge of the square image.
        severity: 0..1, how harsh weather and camera are; only "camera" heeds it, and which boxes of same scenes count.
        index: Which image; eight in a row share a drive.
        same_scenes: Whether the street, the camera's place and the boxes are the same in every style (of one seed,
            size, severity and hood), so that styles differ in looks alone.
        hood: Whether the driver's own hood is seen; left out, in the engine's own scenes.

    Raises:
        InputError: For an unknown style, a size under 32, a severity outside 0..1, or where embreex is missing.
    """
    check_style(style)
    if size < 32:
        raise InputError(f"a street of {size} x {size} pixels shows nothing. Ask for at least 32.")
    if not 0 <= severity <= 1:
        raise InputError(f"severity is {severity}, but must lie between 0 (clean daylight) and 1 (harsh).")
    content, rng = SCENES if same_scenes else style, image_generator(seed, style, index)
    drive, drawn = (
        drive_of(seed, content, index, hood=hood),
        image_generator(seed, SCENES, index) if same_scenes else rng,
    )
    scene, camera_x = street(drawn, content, drive)
    weather = draw_weather(rng, style, severity)
    view = draw_view(drive, camera_x, drawn, steady=content not in ("camera", SCENES))
    tracer, side = Tracer(scene), round(size * SAMPLES[style])
    directions = view.rays(side, 0.5 if style == "game" else rng.random((2, side, side), np.float32))
    hits = tracer.first_hits(np.broadcast_to(view.eye, directions.shape).copy(), directions)
    light = radiance(tracer, hits, view.eye, directions, weather, style, rng).reshape(side, side, 3)
    image = _developed(shrink(light, size), style, severity, weather, rng)
    fog = weather.fog
    if same_scenes:
        side, fog = round(size * SAMPLES_OF_SCENES), _fog_of_the_camera(seed, index, severity)
        directions = view.rays(side)
        hits = tracer.first_hits(np.broadcast_to(view.eye, directions.shape).copy(), directions)
    numbers, xyxy = visible_boxes(hits, side, size, fog)
    numbers, xyxy = without_slivers(numbers, xyxy, scene, view, size)
    meta = {
        "night": weather.night,
        "fog": weather.fog,
        "wet": weather.wet,
        "overcast": weather.overcast,
        "triangles": len(scene.faces),
    }
    return Street(image, tuple(scene.object_classes[number] for number in numbers), xyxy, drive.name, meta)


def _fog_of_the_camera(seed: int, index: int, severity: float) -> float:
    """Of the same scene in the style `camera`: what is lost in it counts in no style."""
    return draw_weather(image_generator(seed, "camera", index), "camera", severity).fog


def _developed(
    light: Floats, style: str, severity: float, weather: Weather, rng: np.random.Generator
) -> NDArray[np.uint8]:
    if style == "game":
        return develop_plain(light)
    if style == "engine":
        return develop_engine(light)
    return develop_camera(light, rng, severity, night=weather.night)


def visible_boxes(hits: Hits, side: int, size: int, fog: float = 0.0) -> tuple[NDArray[np.int32], Floats]:
    """Objects that can be seen, and the box around the visible pixels of each.

    Args:
        hits: What the rays of a square picture met.
        side: Rays along an edge of the picture.
        size: Pixels along an edge of the image, in which the boxes are measured.
        fog: Extinction, 1/m; objects lost in it get no box.

    Returns:
        Object numbers (m,) and xyxy (m, 4) in pixels of the image. Left out are boxes under `MIN_BOX_AREA`, objects of
        which next to nothing is seen, and those of which fog leaves less than `MIN_LIGHT_THROUGH_FOG`.
    """
    seen = np.flatnonzero(hits.object != NO_OBJECT)
    seen = seen[np.argsort(hits.object[seen], kind="stable")]
    numbers, starts, counts = np.unique(hits.object[seen], return_index=True, return_counts=True)
    if not len(numbers):
        return numbers, np.zeros((0, 4), np.float32)
    rows, columns = np.divmod(hits.ray[seen], side)
    low = [np.minimum.reduceat(columns, starts), np.minimum.reduceat(rows, starts)]
    high = [np.maximum.reduceat(columns, starts) + 1, np.maximum.reduceat(rows, starts) + 1]
    xyxy = np.stack([*low, *high], 1) * (size / side)
    width, height = xyxy[:, 2] - xyxy[:, 0], xyxy[:, 3] - xyxy[:, 1]
    distance = np.add.reduceat(hits.distance[seen].astype(float), starts) / counts
    keep = (width * height >= MIN_BOX_AREA) & (np.minimum(width, height) >= MIN_SIDE)
    keep &= counts * (size / side) ** 2 >= MIN_VISIBLE_AREA
    keep &= np.exp(-fog * distance) >= MIN_LIGHT_THROUGH_FOG
    return numbers[keep], xyxy[keep].astype(np.float32)


def without_slivers(
    numbers: NDArray[np.int32], xyxy: Floats, scene: Scene, view: View, size: int
) -> tuple[NDArray[np.int32], Floats]:
    """Drops objects whose box is under `MIN_VISIBLE_SHARE` of what it would be were nothing in front of them."""
    keep = np.ones(len(numbers), bool)
    for row, number in enumerate(numbers):
        corners = view.project(scene.vertices_of(number), size)
        if len(corners):
            (x0, y0), (x1, y1) = np.clip([corners.min(0), corners.max(0)], 0, size)
            x, y = xyxy[row, 2:] - xyxy[row, :2]
            keep[row] = x * y >= MIN_VISIBLE_SHARE * (x1 - x0) * (y1 - y0)
    return numbers[keep], xyxy[keep]
