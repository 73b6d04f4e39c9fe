"""Filters: which labelled boxes are no fair targets, and are taken out before anything is trained or scored."""

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gapscope.data.letterbox import letterbox_geometry
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError

Scale = Literal["native", "network"]


def drop_small(
    table: AnnotationTable, min_area: float, at: Scale = "native", image_size: int = 0
) -> tuple[AnnotationTable, int]:
    """Remove boxes under `min_area` square pixels, and say how many.

    Ignore regions stay, however small: they only ever forgive.

    Args:
        table: Boxes of one domain.
        min_area: In square pixels.
        at: Pixels of the image as stored ("native"), or of the square that the network sees ("network"), in which
            images of any size are judged alike.
        image_size: Side of that square.

    Source: Ljungqvist et al. 2022, section 3.1.2 (100 square pixels, game images only; at which scale it does not say).
    """
    areas = table.areas * _network_scales(table, image_size) ** 2 if at == "network" else table.areas
    keep = (areas >= min_area) | table.ignore
    return table.keep_boxes(keep), int((~keep).sum())


def _network_scales(table: AnnotationTable, image_size: int) -> NDArray[np.float64]:
    """(m,) network pixels per image pixel at each box."""
    sizes = np.stack([table.widths, table.heights], axis=1)
    unique, which = np.unique(sizes, axis=0, return_inverse=True)
    scales = np.array([letterbox_geometry(int(width), int(height), image_size)[0] for width, height in unique])
    return scales[which.reshape(-1)][table.box_image]


def ignore_hard(
    table: AnnotationTable,
    *,
    max_aspect: float | None = None,
    max_truncation: float | None = None,
    max_occlusion: float | None = None,
) -> tuple[AnnotationTable, dict[str, int]]:
    """Turn boxes beyond a limit into ignore regions, and say how many by each.

    They are not removed: the object is in the image. A network that finds it makes no mistake, and one that does not
    find it makes none either; as background it would teach the one and charge the other.

    Args:
        table: Boxes of one domain.
        max_aspect: Longer side over shorter side.
        max_truncation: Share (0 to 1) of the object outside the image.
        max_occlusion: Share of the object that others hide. Boxes of which the data set does not say it stay.

    Returns:
        The table, and boxes by limit; a box beyond several counts at the first.

    Raises:
        InputError: A share is limited that the data set states of no box.
    """
    width, height = (table.xyxy[:, 2:] - table.xyxy[:, :2]).T
    beyond: dict[str, NDArray[np.bool_]] = {}
    if max_aspect is not None:
        beyond["max_aspect"] = np.maximum(width, height) > max_aspect * np.minimum(width, height)
    for name, limit, shares in (
        ("max_truncation", max_truncation, table.truncation),
        ("max_occlusion", max_occlusion, table.occlusion),
    ):
        if limit is not None:
            _check_stated(name, limit, shares)
            beyond[name] = shares > np.float16(limit)  # as stored: 0.3 is not beyond 0.3
    ignore = table.ignore.copy()
    counts = {}
    for name, rows in beyond.items():
        counts[name] = int((rows & ~ignore).sum())
        ignore |= rows
    return replace(table, ignore=ignore), counts


def _check_stated(name: str, limit: float, shares: NDArray[np.float16]) -> None:
    if len(shares) and np.isnan(shares).all():
        what = name.removeprefix("max_")
        raise InputError(
            f"{name} = {limit:g}: no box of this data set says its {what} - expected a format that does, such as KITTI "
            f"or Open Images. Leave out {name}."
        )
