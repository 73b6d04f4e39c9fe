"""What a domain holds once its labels are mapped and filtered: the summary that the report shows."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from gapscope.data.check import kinds_of
from gapscope.data.distributions import distributions, quantiles
from gapscope.data.labels import LabelCounts
from gapscope.data.leaks import Leaks
from gapscope.data.problems import Problem
from gapscope.data.splits import Splits
from gapscope.data.table import AnnotationTable
from gapscope.progress import Progress, silent


def domain_summary(
    table: AnnotationTable,
    splits: Splits,
    *,
    domain: str,
    role: str,
    labels: LabelCounts,
    removed: Mapping[str, int],
    leaks: Leaks,
    split: str,
    left_out: Sequence[Problem] = (),
    progress: Progress = silent,
) -> dict[str, Any]:
    """A domain in numbers, ready for JSON.

    Args:
        table: The mapped and filtered annotations.
        splits: Image indices by split.
        domain: Its name in the study.
        role: "real", "synthetic" or "control".
        labels: What the label map did.
        removed: Boxes taken out, by filter ("min_area", "hood"); rows without area are added as "no_area".
        leaks: What the splits share.
        split: How they were made, in words.
        left_out: Broken rows and images that are not among them.
        progress: Told how many images are looked at.

    Returns:
        Counts per split, label map, and over the images of all splits the median (width, height) and the quantiles of
        boxes per image and of box area (square pixels of the original images), ignore regions left out; and their
        `distributions`.
    """
    parts = {name: table.select(indices) for name, indices in splits.items()}
    used = table.select(np.sort(np.concatenate(list(splits.values()))))
    scored = used.keep_boxes(~used.ignore)
    per_image = np.bincount(scored.box_image, minlength=len(scored))
    return {
        "domain": domain,
        "role": role,
        "images": {name: len(part) for name, part in parts.items()},
        "boxes": {name: part.counts() for name, part in parts.items()},
        "ignored": {name: int(part.ignore.sum()) for name, part in parts.items()},
        **asdict(labels),
        "removed": {**removed, "no_area": table.no_area},
        "fingerprint": domain_fingerprint(table, splits),
        "split": split,
        "leaks": leaks.as_dict(),
        "image_size": [float(np.median(side)) for side in (used.widths, used.heights)] if len(used) else [],
        "boxes_per_image": quantiles(per_image),
        "box_area": quantiles(scored.areas),
        "left_out": {kind.what: len(kind.problems) for kind in kinds_of(left_out)},
        "distributions": distributions(used, progress=progress),
    }


def domain_fingerprint(table: AnnotationTable, splits: Splits) -> str:
    """SHA-256 (hex) over image names, file lengths, sizes, groups, boxes, classes, ignore regions and splits, wherever
    the root is."""
    digest = hashlib.sha256("\0".join(table.class_names).encode())
    for name in ("paths", "groups"):
        digest.update("\0".join(map(str, getattr(table, name))).encode())
    for name in ("widths", "heights", "box_image", "box_class", "xyxy", "ignore"):
        digest.update(np.ascontiguousarray(getattr(table, name)).tobytes())
    if table.ignore.any():  # which of them are crowds decides what is scored
        digest.update(np.ascontiguousarray(table.crowd).tobytes())
    digest.update(np.array([table.path(i).stat().st_size for i in range(len(table))], dtype=np.int64).tobytes())
    for name, indices in splits.items():
        digest.update(name.encode() + np.asarray(indices, dtype=np.int64).tobytes())
    return digest.hexdigest()
