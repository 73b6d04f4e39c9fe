"""How much of one network's front can the back of another use? Stitches at every cut, scored with their controls."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gapscope.config import Evaluate
from gapscope.data.batches import batches
from gapscope.data.samples import Samples
from gapscope.data.table import AnnotationTable
from gapscope.detector.decode import Detections
from gapscope.detector.network import Darknet, fingerprint
from gapscope.detector.stack import IMAGE
from gapscope.errors import InputError
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.evaluate import detection_columns
from gapscope.grafting.batch_statistics import estimate_statistics
from gapscope.grafting.by_block import change
from gapscope.grafting.channel_statistics import as_input
from gapscope.grafting.question import drawn_anew
from gapscope.grafting.scoring import BATCH, Score, detections_in, on_device, score_boxes, unlabelled_batches
from gapscope.grafting.stitch import RIDGE, Stitches, check_same_layers, stitch
from gapscope.grafting.stitch_result import NOISE, UNTRAINED, CutResult, StitchResult, TensorMatch
from gapscope.grafting.stitched import as_convolution
from gapscope.grafting.walk import Recipe, walk
from gapscope.kept_memory import kept_memory
from gapscope.progress import Progress, silent

MOST_FITTED = 256
"""Images that stitches are fitted on, and on which they are matched, at most."""
FRONT, BACK = 0, 1
"""Numbers of the two networks in recipes."""


@dataclass(frozen=True)
class _Tried:
    """A front with its stitches, and what it is shown."""

    front: Darknet
    stitches: Stitches
    sees_noise: bool


@kept_memory()
def score_stitches(
    front: Darknet,
    back: Darknet,
    table: AnnotationTable,
    size: int,
    settings: Evaluate | None = None,
    *,
    headline: Sequence[str] = (),
    fit: AnnotationTable | None = None,
    cuts: Sequence[int] | None = None,
    controls: bool = True,
    ridge: float = RIDGE,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> StitchResult:
    """Stitch the front of one network to the back of another at every cut, and score each stitched network.

    Stitches see no label. Controls say what a match and a score are worth: a front that has learnt nothing (random
    weights, batch statistics of its own maps), and the front shown noise in the place of the images.

    Args:
        front: Whose front is asked about.
        back: Whose back goes on behind the cut, and whose activations are matched.
        table: Labelled images; stitches are matched and networks scored on them.
        size: Side of the networks' input in pixels.
        settings: Rule, thresholds and draws.
        headline: Classes whose mean AP is the score; all by default.
        fit: Images that stitches are fitted on, without labels, of which up to 256 are used. By default every other
            image of `table` is fitted on, and only the rest is scored.
        cuts: Layers behind which networks are cut; None: where one tensor crosses, behind layers that a route reads,
            and at the ends of YOLOv3's blocks.
        controls: Also an untrained front and noise.
        ridge: See `stitch`.
        seed: Of untrained layers, noise and draws.

    Raises:
        InputError: The networks' layers differ, there are too few images, or no headline class has a box.
    """
    check_same_layers(front, back)
    if not back.yolo_layers:
        raise InputError(f"{back.plan.name} has no detection layers - it finds nothing. Use a whole detector.")
    began, settings = time.monotonic(), settings or Evaluate()
    if fit is None and len(table) < 2:
        raise InputError(f"{len(table)} image is given - expected at least 2, one to fit on and one to score.")
    held = np.arange(len(table)) if fit is not None else np.arange(1, len(table), 2)
    samples = Samples(table, held, size=size)
    fitted_on = Samples(table, np.arange(0, len(table), 2), size=size) if fit is None else Samples(fit, size=size)
    given = unlabelled_batches(fitted_on, MOST_FITTED, device)
    others = unlabelled_batches(samples, MOST_FITTED, device)
    mine, theirs = on_device([front, back], device)
    known: dict[str, Any] = {"cuts": cuts, "ridge": ridge, "seed": seed, "progress": progress}
    tried = {"": _Tried(mine, stitch(mine, theirs, given, others, **known), False)}
    if controls:
        anew = estimate_statistics(drawn_anew(front, seed).eval().to(device), given)
        tried[UNTRAINED] = _Tried(anew, stitch(anew, theirs, given, others, **known), False)
        noise = [_noise(given, seed), _noise(others, seed + 1)]
        found = stitch(mine, theirs, given, others, front_sees=(noise[0], noise[1]), **known)
        tried[NOISE] = _Tried(mine, found, True)
    leading = list(headline) or list(back.class_names)
    scores: dict[str, dict[Recipe, Score]] = {}
    for name, one in tried.items():
        what = f"stitched networks{f', {name}' if name else ''}"
        boxes = _detect(one, theirs, samples, settings, seed, whole=not name, what=what, progress=progress)
        scores[name] = {recipe: score_boxes(some, samples, settings, leading) for recipe, some in boxes.items()}
    length, stitches = len(back.table), tried[""].stitches
    about = {
        "networks": {"front": fingerprint(front), "back": fingerprint(back)},
        "num_layers": length,
        "images_fitted_on": sum(map(len, given)),
        "images_matched_on": sum(map(len, others)),
        "num_images": len(samples),
        "size": size,
        "rule": settings.rule,
        "headline": leading,
        "draws": settings.bootstraps,
        "ridge": ridge,
        "seed": seed,
        "device": str(device),
        "seconds": round(time.monotonic() - began, 1),
    }
    whole = scores[""]
    return StitchResult(
        about,
        front=whole[(FRONT,) * length].map50,
        back=whole[(BACK,) * length].map50,
        tensors=tuple(_match(layer, tried) for layer in stitches.tensors),
        cuts=tuple(_cut(cut, stitches, scores, whole[(BACK,) * length]) for cut in stitches.cuts),
    )


def recipe_of_cut(length: int, cut: int) -> Recipe:
    """The front up to a layer, the back behind it."""
    return (FRONT,) * (cut + 1) + (BACK,) * (length - cut - 1)


def _match(layer: int, tried: Mapping[str, _Tried]) -> TensorMatch:
    one = tried[""].stitches.tensors[layer]
    controls = {name: other.stitches.tensors[layer].r2 for name, other in tried.items() if name}
    return TensorMatch(layer, one.r2, one.interval, controls, one.places, one.weight.shape[1])


def _cut(cut: int, stitches: Stitches, scores: Mapping[str, Mapping[Recipe, Score]], back: Score) -> CutResult:
    recipe = recipe_of_cut(len(stitches.back.table), cut)
    controls = {name: change(some[recipe], back) for name, some in scores.items() if name}
    return CutResult(cut, stitches.crossing(cut), stitches.r2(cut), change(scores[""][recipe], back), controls)


@torch.no_grad()
def _detect(
    one: _Tried,
    back: Darknet,
    samples: Samples,
    settings: Evaluate,
    seed: int,
    *,
    whole: bool,
    what: str,
    progress: Progress,
) -> dict[Recipe, Boxes]:
    """What the stitched networks of all cuts find, the layers of the front computed once; with `whole`, of front and
    back as they are, too."""
    networks, length, device = [one.front, back], len(back.table), back.anchors.device
    seams = {layer: as_convolution(found).to(device) for layer, found in one.stitches.tensors.items()}
    recipes = [recipe_of_cut(length, cut) for cut in one.stitches.cuts]
    found: dict[Recipe, list[Detections]] = {recipe: [] for recipe in recipes}
    if whole:
        found |= {(FRONT,) * length: [], (BACK,) * length: []}
    done = 0
    for batch in batches(samples, BATCH, seed=0, epoch=0):
        images = as_input(batch.images.to(device).contiguous())
        shown = _noise([images], seed + 2 + done)[0] if one.sees_noise else images

        def compute(beginning: Recipe, inputs: list[Tensor], shown: Tensor = shown) -> Tensor:
            index, mine = len(beginning) - 1, beginning[-1]
            read = [
                shown if source == IMAGE and mine == FRONT else _through(seams, source, beginning, given)
                for source, given in zip(back.table[index].inputs, inputs, strict=True)
            ]
            return networks[mine].run_layer(index, *read)

        for recipe, maps in walk(back, found, images, compute):
            found[recipe] += detections_in(back, maps, samples.size, settings)
        done += len(batch)
        progress(what, done, len(samples))
    return {recipe: detection_columns(some, samples) for recipe, some in found.items()}


def _through(seams: Mapping[int, torch.nn.Conv2d], source: int, beginning: Recipe, given: Tensor) -> Tensor:
    """What a layer reads: an activation of the front that a layer of the back reads goes through its stitch."""
    crosses = source != IMAGE and beginning[source] == FRONT and beginning[-1] == BACK
    found: Tensor = seams[source](given) if crosses else given
    return found


def _noise(given: Sequence[Tensor], seed: int) -> list[Tensor]:
    """As many images of independent uniform pixels."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(one.shape, generator=generator).to(one.device) for one in given]
