"""Where does the loss sit? Every block of the donor in the host, scored on one set of labelled images."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from gapscope.config import Evaluate
from gapscope.data.samples import Samples
from gapscope.data.table import AnnotationTable
from gapscope.detector.guest_layers import hash_of_layers, layer_modules
from gapscope.detector.guests import Network
from gapscope.detector.network import Darknet
from gapscope.detector.protocol import Guest
from gapscope.grafting.batch_statistics import recipe_statistics
from gapscope.grafting.by_block import grafts_of
from gapscope.grafting.guest_grafts import statistics_of_guests
from gapscope.grafting.layer_names import Layers
from gapscope.grafting.plan import KINDS, Kind
from gapscope.grafting.question import Question, question
from gapscope.grafting.result import GraftResult
from gapscope.grafting.scoring import AnyStatistics, Score, detect_all, on_device, score_boxes, unlabelled_batches
from gapscope.grafting.walk import Recipe, beginnings
from gapscope.kept_memory import kept_memory
from gapscope.progress import Progress, silent

Which = Literal["own", "estimated"]
KINDS_OF_STATISTICS: dict[str, tuple[Which, ...]] = {
    "own": ("own",),
    "estimated": ("estimated",),
    "both": ("own", "estimated"),
}
UNLABELLED = 64
"""Images on which statistics are estimated anew, unless more are asked for."""


def graft_blocks(
    host: Network,
    donor: Network,
    table: AnnotationTable,
    size: int,
    settings: Evaluate | None = None,
    *,
    headline: Sequence[str] = (),
    blocks: str | Sequence[Layers] | None = None,
    forms: Sequence[Kind] = KINDS,
    control: Network | None = None,
    start: Path | str | Network | None = None,
    untrained: bool = False,
    orders: int = 0,
    statistics: Sequence[Which] = ("own", "estimated"),
    unlabelled: AnnotationTable | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> GraftResult:
    """Put blocks of the donor into the host - each alone, each left out, from the front, from the back - and score all.

    Args:
        host: The network whose loss is to be found, such as U-Synthetic.
        donor: The network that does better, such as U-Real: same layers, classes and anchors.
        table: Labelled images; its classes are the networks'.
        size: Side of the networks' input in pixels.
        settings: Rule, thresholds and the number of draws behind intervals.
        headline: Classes whose mean AP is the score; all by default.
        blocks: Ranges or names of layers; the network's blocks by default, of YOLOv3 nine.
        forms: In which the donor's blocks are grafted; without `alone` there is no verdict, so it must be among them.
        control: Another seed of the host's arm, whose blocks show what any foreign part changes.
        start: Weights that the host's backbone started from, or the whole network as it was before training; blocks are
            rewound to them, one at a time.
        untrained: Also put in blocks that have learnt nothing.
        orders: For shares of the gap: how many orders are drawn where there are more than 6 blocks; of up to 6 all
            orders count. 0 for no shares.
        statistics: `own`: layers keep the batch statistics that they bring along; `estimated`: every graft, host and
            donor too, gets those of its own maps over unlabelled images.
        unlabelled: Images for them, of which up to 64 are used; those of `table` by default, without their labels.
        seed: Of untrained layers and drawn orders.

    Raises:
        InputError: Networks do not fit each other, layers are unknown, or no headline class has a box.
    """
    start = Path(start) if isinstance(start, str) else start
    asked = question(
        host,
        donor,
        blocks=blocks,
        forms=forms,
        control=control,
        start=start,
        untrained=untrained,
        orders=orders,
        seed=seed,
    )
    return score_question(
        asked,
        table,
        size,
        settings or Evaluate(),
        headline=headline,
        statistics=statistics,
        unlabelled=unlabelled,
        seed=seed,
        device=device,
        progress=progress,
    )


@kept_memory()
def score_question(
    asked: Question,
    table: AnnotationTable,
    size: int,
    settings: Evaluate,
    *,
    headline: Sequence[str] = (),
    statistics: Sequence[Which] = ("own", "estimated"),
    unlabelled: AnnotationTable | None = None,
    estimated: AnyStatistics | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    what: str = "grafts",
    progress: Progress = silent,
) -> GraftResult:
    """Score all grafts of a question that has been checked; arguments as those of `graft_blocks`.

    Args:
        estimated: What `estimated_statistics` gave for the same question, if it is there already.
        what: Whose progress is told.
    """
    leading = list(headline) or list(asked.networks[0].class_names)
    samples = Samples(table, size=size)
    seen = samples if unlabelled is None else Samples(unlabelled, size=size)
    networks, recipes = on_device(asked.networks, device), asked.recipes
    began, found = time.monotonic(), []
    for which in statistics:
        given = None
        if which == "estimated":
            progress(f"{what}: estimating statistics", 0, 1)
            given = estimated if estimated is not None else _estimated(networks, recipes, seen, device)
            progress(f"{what}: estimating statistics", 1, 1)
        told = f"{what}: {len(recipes)} networks, {which} statistics"
        boxes = detect_all(
            networks, recipes, samples, settings, statistics=given, device=device, what=told, progress=progress
        )
        scores: dict[Recipe, Score] = {}
        for recipe, some in boxes.items():
            scores[recipe] = score_boxes(some, samples, settings, leading)
            progress(f"{what}: scores and intervals, {which} statistics", len(scores), len(boxes))
        found.append(grafts_of(asked, scores, which))
    about = _about(asked, samples, settings, leading, device) | {
        "images_for_statistics": min(UNLABELLED, len(seen)) if "estimated" in statistics else 0,
        "seed": seed,
        "seconds": round(time.monotonic() - began, 1),
    }
    return GraftResult(about, tuple(found))


def estimated_statistics(
    asked: Question, unlabelled: AnnotationTable, size: int, device: torch.device | str = "cpu"
) -> AnyStatistics:
    """Batch statistics of every graft of a question, on up to 64 images without labels."""
    return _estimated(on_device(asked.networks, device), asked.recipes, Samples(unlabelled, size=size), device)


def _estimated(
    networks: Sequence[Network], recipes: Sequence[Recipe], seen: Samples, device: torch.device | str
) -> AnyStatistics:
    images = unlabelled_batches(seen, UNLABELLED, device)
    if guests := [one for one in networks if isinstance(one, Guest)]:
        return statistics_of_guests(guests, recipes, images)
    return recipe_statistics([one for one in networks if isinstance(one, Darknet)], recipes, images)


def _about(
    asked: Question, samples: Samples, settings: Evaluate, headline: Sequence[str], device: torch.device | str
) -> dict[str, Any]:
    names = ["host", "donor", *asked.controls]
    apart = len(asked.recipes) * asked.num_layers
    return {
        "networks": {name: _hash(one) for name, one in zip(names, asked.networks, strict=True)},
        "num_layers": asked.num_layers,
        "num_images": len(samples),
        "size": samples.size,
        "rule": settings.rule,
        "headline": list(headline),
        "draws": settings.bootstraps,
        "device": str(device),
        "grafts": len(asked.recipes),
        "layer_calls": len(beginnings(asked.recipes)) if isinstance(asked.networks[0], Darknet) else apart,
        "layer_calls_apart": apart,
    }


def _hash(network: Network) -> str:
    return hash_of_layers(network, range(len(layer_modules(network))))
