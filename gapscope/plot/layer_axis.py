"""Layers along an axis: numbers or names, as many as can be read, and for YOLOv3 a map of its blocks."""

from collections.abc import Sequence
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from gapscope.detector.layers import BACKBONE_LAST, NUM_LAYERS, YOLO_LAYERS, is_yolov3
from gapscope.detector.network_map import BLOCKS, ROUTES, Block
from gapscope.plot.style import SMALLEST_TEXT, text_width

Labels = Sequence[int | str]
"""Darknet indices or names; layers stand at 0, 1, 2, ... along an axis, whatever their labels."""

BLOCK_COLORS = {True: ("#d7dde4", "#c2cbd6"), False: ("#f3dcc4", "#ebcba7")}
"""Fills of the network map, in turn: backbone (True) and head (False)."""
DETECTION_COLOR, ROUTE_COLOR = "#555555", "#a06000"
LONGEST_NAME = 20
STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def labels_of(layers: NDArray[Any]) -> list[int | str]:
    """A coordinate's labels as numbers or texts."""
    return layers.tolist()


def set_layer_ticks(axes: Axes, labels: Labels, which: Literal["x", "y"], inches: float) -> None:
    """Mark as many layers as can be read on an axis of so many inches; numbers in round steps, names turned upright."""
    texts = [short_name(str(label)) for label in labels]
    room = _room(labels, texts, which)
    least = max(1, -(-len(texts) * room // inches)) if texts else 1
    step = next((step for step in STEPS if step >= least), STEPS[-1])
    _set_ticks(axes, labels, texts, range(0, len(texts), step), which)


def mark_places(axes: Axes, labels: Labels, places: Sequence[int], which: Literal["x", "y"], inches: float) -> None:
    """Mark some layers by their places along the axis; those too near to the one before stay unmarked."""
    texts = [short_name(str(label)) for label in labels]
    room = _room(labels, texts, which) / inches * len(labels)
    kept: list[int] = []
    for place in places:
        if not kept or place - kept[-1] >= room:
            kept.append(place)
    _set_ticks(axes, labels, texts, kept, which)


def _room(labels: Labels, texts: Sequence[str], which: Literal["x", "y"]) -> float:
    """Inches that a label takes along its axis."""
    size = mpl.rcParams["xtick.labelsize"] if which == "x" else mpl.rcParams["ytick.labelsize"]
    points = FontProperties(size=size).get_size_in_points()
    if _upright(labels) and which == "x":
        return max((text_width(text, points) for text in texts), default=0.0) + 0.12
    return points * (2.6 if _upright(labels) else 1.25) / 72  # a number at every other line is enough


def _upright(labels: Labels) -> bool:
    """Numbers stand upright below the x axis, names are turned."""
    return all(isinstance(label, int) for label in labels)


def _set_ticks(
    axes: Axes, labels: Labels, texts: Sequence[str], places: Sequence[int], which: Literal["x", "y"]
) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    turned = which == "x" and not _upright(labels)
    axis.set_ticks(list(places), [texts[place] for place in places], rotation=90 if turned else 0)


def short_name(name: str, longest: int = LONGEST_NAME) -> str:
    """A name with its middle left out, if it is long: beginning and end tell layers apart."""
    if len(name) <= longest:
        return name
    half = (longest - 3) // 2
    return f"{name[:half]}...{name[-(longest - 3 - half) :]}"


def mark_layers(axes: Axes) -> None:
    """Through YOLOv3's layers: the border between backbone and head, the routes from the backbone, the detections."""
    axes.axvline(BACKBONE_LAST + 0.5, color="black", linewidth=0.8)
    for layer in ROUTES:
        axes.axvline(layer, color="#888888", linewidth=0.6, linestyle=":")
    for layer in YOLO_LAYERS:
        axes.axvline(layer, color="#888888", linewidth=0.6)


def draw_network_map(axes: Axes, inches: float) -> None:
    """A strip of so many inches with YOLOv3's blocks, the detection layers and the routes."""
    for i, block in enumerate(BLOCKS):
        color = BLOCK_COLORS[block.in_backbone][i % 2]
        axes.add_patch(Rectangle((block.first - 0.5, 0), block.last - block.first + 1, 1, facecolor=color))
        name = readable_name(block, inches)
        axes.text((block.first + block.last) / 2, 0.64, name, ha="center", va="center", fontsize=SMALLEST_TEXT)
    for layers, color in ((YOLO_LAYERS, DETECTION_COLOR), (ROUTES, ROUTE_COLOR)):
        for layer in layers:
            axes.add_patch(Rectangle((layer - 0.5, 0), 1, 0.28, facecolor=color))
    axes.set(ylim=(0, 1), yticks=[])
    axes.tick_params(axis="x", length=2)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def names_room(labels: Labels, points: float) -> float:
    """Inches that the longest label takes beside an axis; a little more, since letters are fitted to pixels."""
    return 1.06 * max((text_width(short_name(str(label)), points) for label in labels), default=0.0)


def readable_name(block: Block, inches: float) -> str:
    """A block's name, or a shorter one, or none: what fits over its layers."""
    room = (block.last - block.first + 1) / NUM_LAYERS * inches - 0.03
    short = block.name.replace("stage ", "s").replace("head ", "h")
    return next((name for name in (block.name, short) if text_width(name, SMALLEST_TEXT) <= room), "")


def name_layer_axis(axes: Axes, labels: Labels, inches: float) -> None:
    """Ticks, limits and title of the x axis."""
    points = FontProperties(size=mpl.rcParams["axes.labelsize"]).get_size_in_points()
    set_layer_ticks(axes, labels, "x", inches)
    axes.set_xlim(-1, len(labels))
    axes.set_xlabel(_map_title(points, inches) if is_yolov3(labels) else "layer")


def _map_title(points: float, inches: float) -> str:
    parts = ("layer (dark: detection layers 82, 94, 106;", "brown: routes 86, 98)")
    whole = " ".join(parts)
    return whole if text_width(whole, points) <= inches else "\n".join(parts)
