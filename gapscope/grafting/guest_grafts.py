"""Grafts of detectors of other makes: their layers have no order that is known, so each graft is a pass of its own."""

from collections.abc import Mapping, Sequence
from copy import deepcopy

import torch
from torch import Tensor

from gapscope.config import Evaluate
from gapscope.data.batches import batches
from gapscope.data.samples import Samples
from gapscope.detector.decode import Detections
from gapscope.detector.guest_layers import layer_modules
from gapscope.detector.protocol import Guest
from gapscope.errors import InputError
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.evaluate import MAX_DETECTIONS, detection_columns
from gapscope.grafting.guest_statistics import GuestStatistics, guest_statistics, normalizations, set_statistics
from gapscope.grafting.walk import Recipe
from gapscope.progress import Progress, silent


def check_guests_fit(host: Guest, donor: Guest, name: str = "donor") -> None:
    """Refuse two detectors of which one cannot take the other's layers.

    Raises:
        InputError: They are of other makes, sizes or classes.
    """
    if host.name != donor.name or host.paths != donor.paths:
        raise InputError(
            f"the host is {host.name}, the {name} {donor.name} - both must be the same network. Graft between networks "
            "of one kind."
        )
    if host.class_names != donor.class_names:
        raise InputError(
            f"the host knows the classes {', '.join(host.class_names)}, the {name} {', '.join(donor.class_names)} - "
            "both must know the same ones in the same order. Graft between networks of one study."
        )
    theirs = donor.state_dict()
    for key, value in host.state_dict().items():
        if key not in theirs or theirs[key].shape != value.shape:
            other = tuple(theirs[key].shape) if key in theirs else "missing"
            raise InputError(
                f"{key.removeprefix('model.')} has the shape {tuple(value.shape)} in the host and {other} in the "
                f"{name} - both must be the same. Graft between networks of one width and size."
            )


def put_layers(network: Guest, donor: Guest, layers: Sequence[int]) -> None:
    """Give a network these layers of another: weights, batch statistics and all else that they keep."""
    ours, theirs = layer_modules(network), layer_modules(donor)
    for index in layers:
        ours[index][1].load_state_dict(theirs[index][1].state_dict())


class Mixed:
    """One network that becomes each graft in turn; only layers that differ from the one before are put in."""

    def __init__(self, networks: Sequence[Guest]) -> None:
        self.networks, self.network = networks, deepcopy(networks[0])
        self.now: list[int] = [0] * len(networks[0].paths)

    def become(self, recipe: Recipe, statistics: GuestStatistics | None = None) -> Guest:
        """The graft of a recipe, with batch statistics in place of those that its layers bring along."""
        for source in sorted(set(recipe)):
            wanted = [i for i, one in enumerate(recipe) if one == source and self.now[i] != source]
            put_layers(self.network, self.networks[source], wanted)
        self.now = list(recipe)
        if statistics:
            for name, norm in normalizations(self.network).items():
                if name in statistics:
                    set_statistics(norm, statistics[name])
            self.now = [-1] * len(recipe)  # no layer is any network's any more
        return self.network


def statistics_of_guests(
    networks: Sequence[Guest], recipes: Sequence[Recipe], images: Sequence[Tensor]
) -> dict[Recipe, GuestStatistics]:
    """Of every graft, those of its own maps over all these images."""
    mixed = Mixed(networks)
    return {recipe: guest_statistics(mixed.become(recipe), images) for recipe in sorted(set(recipes))}


@torch.no_grad()
def detect_guests(
    networks: Sequence[Guest],
    recipes: Sequence[Recipe],
    samples: Samples,
    settings: Evaluate,
    *,
    batch_size: int,
    statistics: Mapping[Recipe, GuestStatistics] | None = None,
    device: torch.device | str = "cpu",
    what: str = "grafts",
    progress: Progress = silent,
) -> dict[Recipe, Boxes]:
    """What every graft finds in all samples, as `detect_all` does for Darknet's networks."""
    mixed, given = Mixed(networks), statistics or {}
    order = sorted(set(recipes))
    found: dict[Recipe, list[Detections]] = {recipe: [] for recipe in order}
    done = 0
    for batch in batches(samples, batch_size, seed=0, epoch=0):
        images = batch.images.to(device).contiguous()
        for recipe in order:
            network = mixed.become(recipe, given.get(recipe))
            for one in network.detect(images, settings.confidence, MAX_DETECTIONS):
                found[recipe].append(Detections(one.boxes.cpu(), one.confidences.cpu(), one.classes.cpu()))
        done += len(batch)
        progress(what, done, len(samples))
    return {recipe: detection_columns(some, samples) for recipe, some in found.items()}
