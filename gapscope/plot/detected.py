"""Detections drawn over an image."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from gapscope.detector.decode import Detections
from gapscope.drawing import class_color
from gapscope.errors import InputError
from gapscope.lettering import class_label, legible
from gapscope.plot.style import SMALLEST_TEXT, Plot, style_of


def detections(
    image: Any,
    found: Detections,
    classes: Sequence[str] = (),
    *,
    confidence: float = 0.25,
    title: str = "",
    width: float = 4.5,
) -> Plot:
    """An image with the boxes that a network found, each with its class and confidence.

    Args:
        image: What the network saw: (3, h, w) or (h, w, 3), bytes or values from 0 to 1, as tensor or array; or a PIL
            image. The boxes are in its pixels.
        found: One element of what `gapscope.detect` returned.
        classes: Names, such as `network.class_names`; without them boxes carry the class's number.
        confidence: Boxes below it are left out.
        title: Above the image.
        width: Inches.

    Raises:
        InputError: If the image has another shape, or there is a class without a name.
    """
    pixels = _pixels(image)
    boxes, scores, labels = (value.detach().cpu().numpy() for value in (found.boxes, found.confidences, found.classes))
    if classes and len(labels) and int(labels.max()) >= len(classes):
        raise InputError(f"a box is of class {int(labels.max())}, but there are {len(classes)} names: give them all.")
    height = width * pixels.shape[0] / pixels.shape[1] + (0.25 if title else 0)
    with mpl.rc_context(style_of(width)):
        figure = Plot(width, height)
        axes = figure.subplots()
        axes.imshow(pixels, interpolation="nearest")
        axes.set_axis_off()
        for box, score, label in zip(boxes[::-1], scores[::-1], labels[::-1], strict=True):
            if score >= confidence:
                name = class_label(classes[label], int(label)) if classes else str(label)
                _draw_box(axes, box, f"{name} {score:.2f}", class_color(int(label)), pixels.shape[1])
        if title:
            axes.set_title(legible(title))
        return figure


def _pixels(image: Any) -> NDArray[Any]:
    """(h, w, 3), bytes or floats from 0 to 1."""
    array = np.asarray(image.detach().cpu() if hasattr(image, "detach") else image)
    if array.ndim == 3 and array.shape[0] == 3 and array.shape[2] != 3:
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] != 3:
        raise InputError(f"an image of shape {array.shape} cannot be shown. Give (3, h, w) or (h, w, 3).")
    return array if array.dtype == np.uint8 else np.clip(array.astype(np.float64), 0, 1)


def _draw_box(axes: Any, box: NDArray[Any], text: str, color: tuple[int, int, int], width: int) -> None:
    x1, y1, x2, y2 = (float(side) for side in box)
    shade = tuple(part / 255 for part in color)
    outline = Rectangle((x1 - 0.5, y1 - 0.5), x2 - x1, y2 - y1, fill=False, edgecolor=shade, linewidth=1.2)
    axes.add_patch(outline)
    bright = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] > 140
    field: Any = {"facecolor": shade, "edgecolor": "none", "pad": 0.8}
    at_right = x1 > 0.75 * width
    axes.text(
        x2 if at_right else x1,
        y1,
        text,
        ha="right" if at_right else "left",
        va="bottom" if y1 > 0.06 * width else "top",
        fontsize=SMALLEST_TEXT,
        color="black" if bright else "white",
        bbox=field,
    )
