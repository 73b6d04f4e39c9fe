"""What will the grafts cost? Their number times the seconds of one, less what they share."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from gapscope.config import Evaluate
from gapscope.data.samples import Samples
from gapscope.data.table import AnnotationTable
from gapscope.detector.guests import Network
from gapscope.detector.network import Darknet
from gapscope.detector.stack import Layer
from gapscope.evaluation.bootstrap import bootstrap
from gapscope.evaluation.evaluate import target_columns
from gapscope.evaluation.scores import SEED
from gapscope.grafting.layer_names import num_layers
from gapscope.grafting.question import Question
from gapscope.grafting.scoring import BATCH, detect_all, match, on_device, unlabelled_batches
from gapscope.grafting.walk import Recipe, beginnings, operations, walk_operations


@dataclass(frozen=True)
class Cost:
    """Of all grafts of a question on a set of images."""

    grafts: int
    """Networks that are scored, each once for each kind of batch statistics."""
    kinds: int
    """Kinds of batch statistics."""
    layer_calls: int
    """Layers that are computed for each batch of images."""
    layer_calls_apart: int
    """The same if every graft were computed by itself."""
    operations: float
    """Share of the multiply-adds of separate passes."""
    seconds_of_one: float
    """To evaluate one network."""
    seconds: float
    """To evaluate all grafts."""


def graft_cost(
    asked: Question, table: AnnotationTable, size: int, settings: Evaluate, kinds: int, device: torch.device | str
) -> Cost:
    """The cost of a question, going by the host on the first batch of the images.

    Raises:
        InputError: The images cannot be read.
    """
    host, recipes = asked.networks[0], asked.recipes
    share = share_of_operations(host.table, recipes, size) if isinstance(host, Darknet) else 1.0
    first = Samples(table, range(min(BATCH, len(table))), size=size)
    passes, whole = _seconds(on_device([host], device)[0], first, settings, device)
    scale = len(table) / len(first)
    one = scale * whole
    every = len(recipes) * scale * (whole - passes + share * passes)
    apart = len(recipes) * asked.num_layers
    calls = len(beginnings(recipes)) if isinstance(host, Darknet) else apart
    return Cost(len(recipes), kinds, calls, apart, share, one, kinds * every)


def share_of_operations(layers: Sequence[Layer], recipes: Sequence[Recipe], size: int) -> float:
    """Multiply-adds of all grafts together, in parts of those of separate passes."""
    return walk_operations(layers, recipes, size) / (sum(operations(layers, size)) * len(recipes))


def _seconds(host: Network, samples: Samples, settings: Evaluate, device: torch.device | str) -> tuple[float, float]:
    """Of the bare layers, and of layers, detections and scores together, for these images; after a first pass."""
    alone = (0,) * num_layers(host)
    images = unlabelled_batches(samples, len(samples), device)
    with torch.no_grad():
        host(images[0])
        began = time.perf_counter()
        host(images[0])
        passes = time.perf_counter() - began
    began = time.perf_counter()
    found = detect_all([host], [alone], samples, settings, device=device)[alone]
    matches = match(settings.rule, target_columns(samples), found, len(samples), len(host.class_names))
    bootstrap(settings.rule, matches, settings.bootstraps, SEED)
    return passes, max(passes, time.perf_counter() - began)
