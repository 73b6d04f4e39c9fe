"""Objects of a recording by class, by size, by set: which rows belong together?"""

from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gapscope.errors import InputError
from gapscope.recording.objects import SIZES
from gapscope.recording.recording import Recording
from gapscope.similarity.compare import check_same_images, compare

By = Literal["class", "size"]
AT_LEAST = 20
"""Objects below which a class or size is left out: its values would be chance."""


def object_parts(recording: Recording, by: By) -> dict[str, NDArray[np.bool_]]:
    """Which objects are of each class (in the order of their names), or small, medium and large.

    Raises:
        InputError: The rows of the recording are images.
    """
    if recording.objects is None:
        raise InputError(f"the rows of {recording.name} are images, which have no {by}. Record it with boxes.")
    of_each = recording.objects.label if by == "class" else recording.objects.size_names
    names = np.unique(of_each).tolist() if by == "class" else [name for name in SIZES if name in of_each]
    return {name: of_each == name for name in names}


def compare_objects(
    a: Recording, b: Recording, by: By, *, at_least: int = AT_LEAST, **more: Any
) -> dict[str, xr.Dataset]:
    """What `compare` gives for the objects of each class or size alone; objects of one image count as independent.

    Args:
        a: A recording over objects.
        b: Another network's over the same ones.
        by: "class", or "size" (small, medium, large: the side of a box below 32, below 96, and above, in pixels of the
            networks' input).
        at_least: A class or size of fewer objects is left out.
        more: What `compare` takes besides.

    Raises:
        InputError: The rows are images, or no class has enough objects; or as `compare`.
    """
    check_same_images(a, b)
    parts = object_parts(a, by)
    object_parts(b, by)
    enough = {name: rows for name, rows in parts.items() if rows.sum() >= at_least}
    if not enough:
        counts = ", ".join(f"{name} {int(rows.sum())}" for name, rows in parts.items())
        raise InputError(
            f"no {by} has {at_least} objects ({counts}) - fewer say little. Record more, or lower at_least."
        )
    found = {}
    for name, rows in enough.items():
        grid = compare(a.take_objects(rows), b.take_objects(rows), **more)
        found[name] = grid.assign_attrs({"part": name, "by": by})
    return found


def sets_of(recording: Recording) -> tuple[list[str], list[str] | None]:
    """Labels and groups for `separability`: the sets that a recording's rows are from.

    Objects are from the sets that they were recorded with, and those of one image (of one drive, where drives are
    known) are a group. Of images it is the folder that their names begin with; they are in no groups.

    Raises:
        InputError: There are not two sets.
    """
    objects = recording.objects
    if objects is None:
        labels = [name.partition("/")[0] if "/" in name else "" for name in recording.images]
        groups = None
    else:
        labels = objects.source.tolist()
        groups = [
            f"{label}/{group or image}"
            for label, group, image in zip(labels, objects.group, objects.image, strict=True)
        ]
    names = sorted(set(labels))
    if len(names) != 2:
        what = "objects of two labelled folders" if objects is not None else "a folder with two folders of images in it"
        raise InputError(
            f"the rows of {recording.name} are of {len(names)} sets ({', '.join(map(repr, names[:4]))}) - expected 2. "
            f"Record {what}, or name sets in Python."
        )
    return labels, groups
