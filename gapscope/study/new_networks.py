"""A new network as an experiment asks for it, before anything is learnt."""

from pathlib import Path

import torch

from gapscope.config import Experiment
from gapscope.detector.factories import is_guest
from gapscope.detector.foreign_starts import begin_from
from gapscope.detector.guests import Network, build_guest
from gapscope.detector.network import darknet, set_objectness_prior, yolov3
from gapscope.detector.protocol import Guest
from gapscope.detector.weights import load_backbone, load_whole
from gapscope.networks import plan_of_model


def new_network(experiment: Experiment, arm: str, seed: int) -> Network:
    """The network of an arm, drawn at random by the seed, in training mode.

    Raises:
        InputError: There is no such network.
    """
    model, classes = experiment.model_of(arm), experiment.data.classes
    if is_guest(model.name):
        return build_guest(
            model.name,
            classes,
            experiment.data.image_size,
            seed,
            width=model.width,
            anchor_scale=model.anchor_scale,
            learns=not experiment.arms[arm].is_given,
        )
    generator = torch.Generator().manual_seed(seed)
    if model.name == "yolov3":
        return yolov3(classes, model.width, model.anchor_scale, generator, model.prior or None)
    network = darknet(plan_of_model(model, len(classes)), classes, generator=generator)
    network.anchors.mul_(model.anchor_scale)
    if model.prior:
        set_objectness_prior(network, model.prior)
    return network


def begin(network: Network, path: Path, *, keep_head: bool) -> None:
    """Take the backbone from a weights file, or all layers; heads that are not kept stay as they were drawn.

    Raises:
        InputError: The file holds other layers than the network, or other classes than a kept head's.
    """
    if isinstance(network, Guest):
        begin_from(network, path, keep_head=keep_head)
    elif keep_head:
        load_whole(network, path)
    else:
        load_backbone(network, path)
