"""Which network a proposed study trains, how large it and its images are, and where it starts."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gapscope.config import Model, Train
from gapscope.data.table import AnnotationTable
from gapscope.detector.factories import ANCHOR_FREE, is_factory, is_guest, load_factory
from gapscope.detector.guests import built_with, guest_file
from gapscope.detector.weights import read_weights
from gapscope.errors import InputError
from gapscope.networks import plan_of_model
from gapscope.study.proposed_facts import SetFacts
from gapscope.study.proposed_map import ProposedMap
from gapscope.study.proposed_text import Sizes, Start
from gapscope.study.study import DARKNET53, STREETS_WIDTH
from gapscope.training.processes import device_kind

PAPER_SIZE, SMALLEST = 416, 160
"""Sides of the network's input, pixels: the paper's, and that of the demo."""
MOST_WITHOUT_GPU = 256
"""A first study on a processor is to take hours, not days."""
BOX_PIXELS = 16.0
"""The median box is to be so wide in the network's input: two cells of the finest grid."""
PROBE = 200
"""Images on which layers are recorded, if there are so many test images."""
EPOCHS, STEPS, MOST_EPOCHS = 20, 1200, 100
"""Of a thin network's first study: so many epochs, or more of few images, until it has taken so many steps."""
YOLOV3 = "yolov3"
STREETS, SCRATCH = "streets", "scratch"


def proposed_model(said: str, start: str) -> str:
    """The network: the one that is said, else YOLOv3 without anchors where arms start from `streets`, else YOLOv3.

    Raises:
        InputError: There is no such network, or its module cannot be imported.
    """
    name = said or (ANCHOR_FREE if start in ("", STREETS) else YOLOV3)
    if is_factory(name):
        load_factory(name)
    elif not is_guest(name):
        plan_of_model(Model(name=name), 1)
    return name


def proposed_sizes(
    sets: Sequence[SetFacts], names: ProposedMap, start: Start, model: str, size: int | None = None
) -> Sizes:
    """Sizes that show the median box of either set, and the width that the start fits.

    Args:
        sets: The real and the synthetic data set.
        names: The label map.
        start: Where arms start.
        model: The network.
        size: Side of the images, where somebody has said it.
    """
    probe = min(PROBE, len(sets[0].splits["test"]))
    longest = max(int(np.median(np.maximum(one.table.widths, one.table.heights))) for one in sets)
    largest = min(PAPER_SIZE, max(SMALLEST, math.ceil(longest / 32) * 32))
    share = min(_median_share(one.table, _named(names, side)) for side, one in enumerate(sets))
    thin = start.start == STREETS
    most = largest if has_gpu() or not thin else min(largest, MOST_WITHOUT_GPU)
    found = min(most, max(SMALLEST, math.ceil(BOX_PIXELS / share / 32) * 32)) if thin else largest
    side = size or found
    seen = f"boxes are then {share * side:.0f} pixels wide (median)"
    if size:
        seen += "; as --size says"
    elif not thin:
        seen += "; the paper's, or the images' if that is less"
    elif side < largest:
        seen += f"; {PAPER_SIZE} is the paper's and takes {(PAPER_SIZE / side) ** 2:.1f} times as long"
    width = STREETS_WIDTH if thin else _width_of(start.start) if model in (YOLOV3, ANCHOR_FREE) else 1.0
    return Sizes(width, side, probe, seen, model, epochs_for(sets) if thin else None)


def epochs_for(sets: Sequence[SetFacts]) -> int:
    """Of the recommended recipe, for the smaller set."""
    images = min(len(one.splits["train"]) for one in sets)
    return min(MOST_EPOCHS, max(EPOCHS, math.ceil(STEPS / math.ceil(images / Train().batch_size))))


def has_gpu() -> bool:
    """Whether networks would run on one."""
    return device_kind(Train()) != "cpu"


def proposed_start(start: str, model: str) -> Start:
    """Where arms start, and what else there is.

    Args:
        start: `streets`, a weights file, or "" for what suits the network.
        model: The network.

    Raises:
        InputError: It is none of these, or the network cannot start there.
    """
    ours = model in (YOLOV3, ANCHOR_FREE)
    if start == STREETS and not ours:
        raise InputError(
            f"--start {STREETS}: that is a backbone of YOLOv3's, which {model} does not have. Name a weights file, or "
            "leave it out."
        )
    if start == STREETS or (not start and ours):
        why = "a small backbone that comes with gapscope, trained on rendered streets"
        return Start(STREETS, f"{why}. The paper's, of ImageNet, does not come with it: {DARKNET53}; then --start FILE")
    if not start:
        return Start(
            SCRATCH,
            "at random, and a network learns little of some hundred images that way. Weights that have its backbone, "
            "such as a classifier's: --start FILE",
        )
    if not Path(start).is_file():
        raise InputError(
            f"--start {start}: there is no such file. Name a .weights, .conv.74, .safetensors or .pth file."
        )
    taken = "layers 0-74 come" if ours else "the backbone comes"
    return Start(Path(start).resolve().as_posix(), f"{taken} from there, heads start at random")


def _width_of(start: str) -> float:
    """Of the network in a file; only gapscope's own files are of others than 1."""
    if Path(start).suffix != ".safetensors":
        return 1.0
    about = guest_file(Path(start))
    return read_weights(Path(start)).width if about is None else built_with(Path(start), about)[3]


def _named(names: ProposedMap, side: int) -> list[str]:
    return [one.name for one in names.members if one.side == side and (names.taken or not one.why)]


def _median_share(table: AnnotationTable, names: Sequence[str]) -> float:
    """Of a box's side in that of its image, over the boxes of these names; 1 where there are none."""
    wanted = np.isin(table.box_class, [i for i, name in enumerate(table.class_names) if name in names])
    table = table.keep_boxes(wanted & ~table.ignore)
    frame = table.widths.astype(np.float64) * table.heights
    shares = np.sqrt(table.areas / frame[table.box_image])
    return float(np.median(shares)) if len(shares) else 1.0
