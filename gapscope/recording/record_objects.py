"""A model and labelled images -> a recording whose rows are the labelled objects."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from gapscope.data.label_maps import LabelMap, renamed
from gapscope.data.readers.detect import read_annotations
from gapscope.data.samples import Samples
from gapscope.data.table import AnnotationTable
from gapscope.detector.network import Darknet
from gapscope.errors import InputError
from gapscope.recording.named_models import load_model
from gapscope.recording.object_boxes import object_boxes
from gapscope.recording.record import record
from gapscope.recording.record_files import checked_size
from gapscope.recording.recording import Recording

PER_CLASS = 200
"""Objects of each class and set, unless more are asked for: a Gram matrix grows with the square of their number."""


def record_objects(
    model: nn.Module,
    tables: AnnotationTable | dict[str, AnnotationTable],
    *,
    size: int = 416,
    per_class: int | None = PER_CLASS,
    smallest: float = 0.0,
    seed: int = 0,
    **more: Any,
) -> Recording:
    """Letterbox labelled images and record a model over their objects.

    Args:
        model: Any module, see `record`.
        tables: Labelled images, as `gapscope.read_annotations` gives them; or several by the name of their set, which
            `objects.source` of the recording then holds.
        size: Side of the input, pixels.
        per_class: At most so many boxes of each class and set, drawn at random; None: all.
        smallest: Boxes whose side (the root of the area) is smaller are left out, pixels of the input.
        seed: Of the draw.
        more: What `record` takes besides: layers, preprocess, device, progress, ...

    Returns:
        A recording whose `objects` know image, box, class, set and group of each row.

    Raises:
        InputError: There are fewer than 4 objects, or as `record`.
    """
    several = tables if isinstance(tables, dict) else {"": tables}
    boxes = object_boxes(several, size, per_class=per_class, smallest=smallest, seed=seed)
    if len(boxes) < 4:
        counts = sum(int((~table.ignore).sum()) for table in several.values())
        raise InputError(
            f"{len(boxes)} of {counts} labelled boxes can be recorded - expected at least 4, better 100. Give more "
            "images, or leave out `smallest`."
        )
    shown, places = np.unique(boxes.image, return_inverse=True)
    images, paths, start = [], [], 0
    for source, table in several.items():
        mine = shown[(shown >= start) & (shown < start + len(table))] - start
        samples = Samples(table, mine, size=size, cache=False)
        images += [samples[i].image for i in range(len(samples))]
        paths += [f"{source}/{table.paths[i]}" if source else str(table.paths[i]) for i in mine]
        start += len(table)
    return record(model, torch.stack(images), size=size, paths=paths, boxes=replace(boxes, image=places), **more)


def record_labelled_folders(
    model: str | Path,
    folders: Sequence[Path],
    *,
    size: int | None = None,
    format: str | None = None,
    label_map: str = "",
    labels: Mapping[str, Sequence[str]] | None = None,
    drop: Sequence[str] = (),
    per_class: int | None = PER_CLASS,
    smallest: float = 0.0,
    name: str = "",
    **more: Any,
) -> Recording:
    """Record a model by name over the objects of labelled folders; a set is called by its folder.

    Args:
        model: A weights file of ours, or `module:factory`, see `load_model`.
        folders: Each of any format that `read_annotations` knows.
        size: Input size in pixels; None: what a network of ours was made for, 416 for any other model.
        format: Of all folders; None: what each is found to be.
        label_map: A named map of their classes, such as `bdd100k-2018`; "" for none.
        labels: Class -> the data's names for it; left out, names stay as they are.
        drop: Names whose boxes are left out.
        name: What figures and tables call the network; left out, its weights file or its class.
        per_class, smallest, more: As `record_objects`.

    Raises:
        InputError: A folder or the model cannot be read, two folders have one name, or as `record_objects`.
    """
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        raise InputError(
            f"two folders are called {max(names, key=names.count)}, by which their objects are known. Rename one."
        )
    network = load_model(model)
    side = checked_size(network, size)
    plan = LabelMap({name: tuple(own) for name, own in (labels or {}).items()}, tuple(drop))
    tables = [renamed(read_annotations(folder, format), label_map, plan) for folder in folders]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if isinstance(network, Darknet) and device == "cpu":
        network.to(memory_format=torch.channels_last)  # quicker there
    source = "weights" if isinstance(network, Darknet) else "source"
    return record_objects(
        network,
        dict(zip(names, tables, strict=True)) if len(tables) > 1 else tables[0],
        size=side,
        per_class=per_class,
        smallest=smallest,
        device=device,
        provenance={source: Path(model).name, "images": " and ".join(names), **({"name": name} if name else {})},
        **more,
    )
