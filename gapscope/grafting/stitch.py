"""Stitches: a 1x1 convolution from what a layer of one network puts out to what the same layer of another does.

It is fitted by least squares to the other network's own activations, in closed form, and to nothing else: a stitch that
is trained on the task can make detections out of noise (Smith 2025, arXiv:2412.11299), so what it scores says little
of what the front has found.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gapscope.detector.network import Darknet, check_images
from gapscope.detector.stack import IMAGE, LEAK
from gapscope.errors import InputError
from gapscope.evaluation.columns import Array
from gapscope.grafting.channel_statistics import as_input
from gapscope.grafting.cuts import checked_cuts, crossing
from gapscope.grafting.graft import check_fit
from gapscope.grafting.moments import Moments
from gapscope.grafting.stitched import Stitch, Stitched
from gapscope.progress import Progress, silent

RIDGE = 1e-10
"""Added to the variance of each channel of the front, in parts of it: channels that follow from others need it."""
DRAWS = 1000
"""Draws of the held-out images behind the interval of R^2."""
Batches = Tensor | Sequence[Tensor]
"""Images (n, 3, h, w), RGB, bytes or float values in 0..1, or a list of such batches."""


@dataclass(frozen=True, eq=False)
class Stitches:
    """Two networks and the stitches between them."""

    front: Darknet
    back: Darknet
    cuts: tuple[int, ...]
    tensors: Mapping[int, Stitch]
    """By layer."""

    def network(self, cut: int) -> Stitched:
        """The front up to a cut, stitched to the back behind it.

        Raises:
            InputError: It was not among the cuts.
        """
        if cut not in self.cuts:
            raise InputError(f"there is no stitch at layer {cut} - the cuts are {', '.join(map(str, self.cuts))}.")
        return Stitched(self.front, self.back, cut, {layer: self.tensors[layer] for layer in self.crossing(cut)})

    def crossing(self, cut: int) -> tuple[int, ...]:
        """The layers whose tensors cross a cut."""
        return crossing(self.back.table, cut)

    def r2(self, cut: int) -> float:
        """R^2 of a cut: of the tensors that cross it, the one that is matched least."""
        return min(self.tensors[layer].r2 for layer in self.crossing(cut))


@torch.no_grad()
def stitch(
    front: Darknet,
    back: Darknet,
    images: Batches,
    held_out: Batches,
    *,
    cuts: Sequence[int] | None = None,
    front_sees: tuple[Batches, Batches] | None = None,
    ridge: float = RIDGE,
    seed: int = 0,
    progress: Progress = silent,
) -> Stitches:
    """Fit a stitch to every tensor that crosses one of the cuts, and score it on images that it has not seen.

    With X the front's channels at all places of all images, each less its mean and divided by its standard deviation,
    and Y the back's less their means,

        weight^T = (X^T X / N + ridge I)^-1 X^T Y / N

    from sums over images in float64 (through the eigenvectors of X^T X), so memory does not grow with the images. A
    tensor's stitch is the same for all cuts that it crosses.

    Args:
        front: A network in evaluation mode or not; it is used as in evaluation. It may be wider than the back.
        back: A network of the same layers; both are on one device.
        images: That the stitches are fitted on; labels play no part.
        held_out: Other images, which score the match.
        cuts: Layers behind which the networks are cut; None: `usual_cuts`.
        front_sees: For the front other images in the place of both, such as noise: what a match is worth that knows
            nothing of the image.
        ridge: In parts of the variance of each channel of the front.
        seed: Of the draws behind intervals.
        progress: Told after each batch.

    Raises:
        InputError: The networks' layers differ, there is no image, or there is no such cut.

    Source:
        Lenc and Vedaldi 2015, arXiv:1411.5908; direct matching: Csiszarik et al. 2021, arXiv:2110.14633.
    """
    check_same_layers(front, back)
    chosen = checked_cuts(back, cuts)
    layers = sorted({layer for cut in chosen for layer in crossing(back.table, cut)})
    modes = front.training, back.training
    front.eval(), back.eval()
    try:
        fitted = _fit(front, back, _pairs(images, front_sees and front_sees[0], back), layers, ridge, progress)
        others = _pairs(held_out, front_sees and front_sees[1], back)
        wrong, whole = _errors(front, back, others, fitted, progress)
    finally:
        front.train(modes[0]), back.train(modes[1])
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(wrong), np.full(len(wrong), 1 / len(wrong)), size=DRAWS).astype(np.float64)
    tensors = {}
    for at, (layer, one) in enumerate(fitted.items()):
        r2 = _r2(wrong[:, at].sum(), whole[:, at].sum())
        low, high = np.quantile(_r2(counts @ wrong[:, at], counts @ whole[:, at]), (0.025, 0.975))
        tensors[layer] = replace(one, r2=float(r2), interval=(float(low), float(high)))
    return Stitches(front, back, chosen, tensors)


def check_same_layers(front: Darknet, back: Darknet) -> None:
    """Refuse networks of which one cannot go on where the other was cut; widths may differ.

    Raises:
        InputError: Their layers, classes or anchors differ.
    """
    same = [replace(one, filters=0, in_filters=0, leak=LEAK) for one in front.table]
    if same == [replace(one, filters=0, in_filters=0, leak=LEAK) for one in back.table]:
        if front.class_names == back.class_names and torch.equal(front.anchors.cpu(), back.anchors.cpu()):
            return
        check_fit(front, front, "back")
    if front.class_names != back.class_names:
        raise InputError(
            f"the front knows the classes {', '.join(front.class_names)}, the back {', '.join(back.class_names)} - "
            "both must know the same ones in the same order. Stitch networks of one study."
        )
    raise InputError(
        f"the front is {front.plan.name} of {len(front.table)} layers, the back {back.plan.name} of "
        f"{len(back.table)}, and their layers or anchors differ in more than width - both must be cut at the same "
        "places. Stitch networks of one kind."
    )


def _pairs(images: Batches, front_sees: Batches | None, back: Darknet) -> list[tuple[Tensor, Tensor]]:
    """What front and back see, batch by batch."""
    theirs = _batches(images, back)
    mine = theirs if front_sees is None else _batches(front_sees, back)
    if [one.shape for one in mine] != [one.shape for one in theirs]:
        raise InputError("the front is to see other images of other numbers or sizes. Give as many in equal batches.")
    return list(zip(mine, theirs, strict=True))


def _batches(images: Batches, network: Darknet) -> list[Tensor]:
    found = [as_input(one) for one in ([images] if isinstance(images, Tensor) else images)]
    if not sum(len(one) for one in found):
        raise InputError("a stitch was to be fitted or scored on 0 images - expected at least one. Give images.")
    for one in found:
        check_images(one, network.largest_stride)
    return found


def _fit(
    front: Darknet,
    back: Darknet,
    pairs: Sequence[tuple[Tensor, Tensor]],
    layers: Sequence[int],
    ridge: float,
    progress: Progress,
) -> dict[int, Stitch]:
    moments = {layer: Moments(front.table[layer].filters, back.table[layer].filters) for layer in layers}
    for done, (mine, theirs) in enumerate(pairs, start=1):
        for layer, x, y in _side_by_side(front, back, mine, theirs, layers):
            for one, other in zip(x, y, strict=True):
                moments[layer].add(one.flatten(1), other.flatten(1))
        progress("fitting stitches", done, len(pairs))
    fitted, nan = {}, float("nan")
    for layer, sums in moments.items():
        weight, bias = sums.solve(ridge)
        fitted[layer] = Stitch(layer, weight, bias, sums.mean_y, sums.count, nan, (nan, nan))
    return fitted


def _errors(
    front: Darknet,
    back: Darknet,
    pairs: Sequence[tuple[Tensor, Tensor]],
    fitted: Mapping[int, Stitch],
    progress: Progress,
) -> tuple[Array, Array]:
    """(images, tensors) what is left of the back's activations beside the stitch, and beside its mean: sums of squares.

    The mean is that over the images of the fit: what a stitch says that knows nothing of the image.
    """
    layers, wrong, whole = list(fitted), [], []
    for done, (mine, theirs) in enumerate(pairs, start=1):
        left, right = np.empty((len(mine), len(layers))), np.empty((len(mine), len(layers)))
        for layer, x, y in _side_by_side(front, back, mine, theirs, layers):
            one, at = fitted[layer], layers.index(layer)
            for row, (of_front, of_back) in enumerate(zip(x, y, strict=True)):
                target = of_back.flatten(1).cpu().double()
                found = one.weight @ of_front.flatten(1).cpu().double() + one.bias[:, None]
                left[row, at] = float((target - found).square().sum())
                right[row, at] = float((target - one.mean[:, None]).square().sum())
        wrong.append(left)
        whole.append(right)
        progress("scoring stitches on held-out images", done, len(pairs))
    return np.concatenate(wrong), np.concatenate(whole)


def _side_by_side(
    front: Darknet, back: Darknet, mine: Tensor, theirs: Tensor, layers: Sequence[int]
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """(layer, the front's map, the back's) of each of the layers, both networks a layer at a time."""
    for (index, x), (_, y) in zip(_outputs(front, mine, max(layers)), _outputs(back, theirs, max(layers)), strict=True):
        if index in layers:
            yield index, x, y


def _outputs(network: Darknet, images: Tensor, last: int) -> Iterator[tuple[int, Tensor]]:
    """Each layer's output in turn; what no later one reads is forgotten."""
    table = network.table[: last + 1]
    last_reader = {source: layer.index for layer in table for source in layer.inputs}
    held = {IMAGE: images}
    for layer in table:
        held[layer.index] = network.run_layer(layer.index, *(held[i] for i in layer.inputs))
        yield layer.index, held[layer.index]
        for source in {*layer.inputs, layer.index}:
            if last_reader.get(source, layer.index) == layer.index:
                held.pop(source, None)


def _r2(wrong: Array, whole: Array) -> Array:
    """1 - wrong / whole; 1 where both are 0."""
    known = np.asarray(whole) > 0
    return np.where(known, 1 - wrong / np.where(known, whole, 1), np.where(np.asarray(wrong) > 0, -np.inf, 1.0))
