"""Several classes scored as one, such as `vehicle` for cars, buses and trucks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from gapscope.errors import InputError
from gapscope.evaluation.columns import Boxes


def merge_classes(
    targets: Boxes, detections: Boxes, classes: Sequence[str], groups: Mapping[str, Sequence[str]], nms_iou: float
) -> tuple[Boxes, Boxes, tuple[str, ...]]:
    """Targets, detections and classes with some classes put together.

    A network that takes a van for a car and for a truck says so twice, which is no longer two opinions: overlapping
    detections of a merged class are suppressed once more, as the network's own of one class have been.

    Args:
        groups: New class -> the classes that it stands for. It takes the place of the first; others stay as they are.
        nms_iou: Of two detections of a merged class that overlap more than this, the less confident goes.

    Raises:
        InputError: A name is no class, is in two groups, or a new name is that of a class that stays.
    """
    from torchvision.ops import batched_nms  # late: it takes seconds

    becomes = merged_names(classes, groups)
    names = tuple(dict.fromkeys(becomes))
    label = np.array([names.index(name) for name in becomes] + [-1])  # the last entry serves -1, every class
    targets, detections = (replace(boxes, label=label[boxes.label]) for boxes in (targets, detections))
    merged = np.isin(detections.label, [names.index(name) for name in groups])
    rows = np.flatnonzero(merged)
    if len(rows):
        one = detections.take(rows)
        group = torch.from_numpy(one.image * len(names) + one.label)
        kept = batched_nms(torch.from_numpy(one.xyxy), torch.from_numpy(one.confidence), group, nms_iou)
        stays = ~merged
        stays[rows[kept.numpy()]] = True
        detections = detections.take(stays)
    return targets, detections, names


def merged_names(classes: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """What each class is called after merging.

    Raises:
        InputError: A name is no class, is in two groups, or a new name is that of a class that stays.
    """
    becomes = list(classes)
    seen: dict[str, str] = {}
    for name, members in groups.items():
        for member in members:
            if member not in classes:
                raise InputError(f"merge {name}: '{member}' is no class of the network. It has: {', '.join(classes)}.")
            if member in seen:
                raise InputError(f"merge {name}: '{member}' is in '{seen[member]}' too - expected one place for it.")
            seen[member] = name
            becomes[list(classes).index(member)] = name
    taken = [name for name in groups if name in classes and name not in seen]
    if taken:
        raise InputError(f"merge {taken[0]}: a class of this name stays. Put it in too, or take another name.")
    return becomes
