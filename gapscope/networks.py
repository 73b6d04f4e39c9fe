"""Which network does an arm have? What it is made of, and what its layers are, by the names of an experiment file."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from gapscope.config import Experiment, Model
from gapscope.detector.cfg_plan import parse_cfg, plan_from
from gapscope.detector.cfg_text import cfg_text
from gapscope.detector.factories import ANCHOR_FREE, is_factory, is_guest
from gapscope.detector.fits import detection_convs
from gapscope.detector.layers import check_range
from gapscope.detector.network_map import LayerMap, darknet_map
from gapscope.detector.plans import BUILT_IN, Plan
from gapscope.detector.stack import BOX_CHANNELS
from gapscope.errors import InputError
from gapscope.words import did_you_mean

NAMES = tuple(name for name in BUILT_IN if name != "darknet53")
"""Built-in networks with detections."""


def check_network(name: str, known: Sequence[str], whose: str = "arm") -> None:
    """Refuse a network that no arm has.

    Raises:
        InputError: Naming those that arms have.
    """
    if name not in known:
        raise InputError(
            f"no {whose} has the network '{name}'.{did_you_mean(name, known)} There "
            f"{'are' if len(known) > 1 else 'is'} {', '.join(known)}."
        )


def plan_of_model(model: Model, classes: int) -> Plan:
    """What a network of Darknet's is made of, for so many classes.

    Raises:
        InputError: There is no such network, or its .cfg file cannot be read or trained for these classes.
    """
    if not model.name.endswith(".cfg"):
        if model.name not in NAMES:
            known = (*NAMES, ANCHOR_FREE)
            raise InputError(
                f"name = '{model.name}': there is no such network.{did_you_mean(model.name, known)} Known are "
                f"{', '.join(known)}, a Darknet .cfg file, torchvision's detectors such as fcos_resnet50_fpn, and "
                "module:factory."
            )
        return plan_from(model.name, classes, model.width)
    if not Path(model.name).is_file():
        raise InputError(f"name = '{model.name}': there is no such file here. Name a Darknet .cfg file.")
    plan = plan_from(model.name, classes, model.width)
    return plan if plan.classes in (0, classes) else with_classes(plan, classes)


def with_classes(plan: Plan, classes: int) -> Plan:
    """The plan of a .cfg file for another number of classes: other detections, and the convolutions that feed them.

    Raises:
        InputError: Something else feeds detections.
    """
    layers = list(plan.layers)
    for conv, yolo in detection_convs(plan.layers):
        if conv.kind != "conv":
            raise InputError(
                f"{plan.name}: layer {yolo.index} detects what a {conv.kind} says - expected a convolution, whose "
                "filters follow from the classes. Use another network."
            )
        layers[conv.index] = replace(conv, filters=len(yolo.anchors) * (BOX_CHANNELS + classes))
        layers[yolo.index] = replace(yolo, classes=classes)
    text = cfg_text(replace(plan, layers=tuple(layers)), plan.anchors)
    return replace(parse_cfg(text, plan.name, f"{plan.name} for {classes} classes"), notes=plan.notes)


def layer_map(experiment: Experiment, arm: str) -> LayerMap:
    """The layers of an arm's network, and the blocks that they form.

    Raises:
        InputError: There is no such network.
    """
    known = experiment.known_map(arm)
    if known is not None:
        return known
    model, data = experiment.model_of(arm), experiment.data
    if experiment.runs_no_code and is_factory(model.name):
        raise InputError(
            f"name = '{model.name}': the run folder does not say what layers {arm} has, and no code is run to "
            "look at one. Give the experiment file to gapscope run once more, which imports that module and notes them."
        )
    if is_guest(model.name):
        return _guest_map(model, tuple(data.classes), data.image_size)
    is_file = model.name.endswith(".cfg") and Path(model.name).is_file()
    return _map(model, len(data.classes), Path(model.name).stat().st_mtime_ns if is_file else 0)


@lru_cache(maxsize=32)
def _map(model: Model, classes: int, changed: int) -> LayerMap:
    return darknet_map(plan_of_model(model, classes))


@lru_cache(maxsize=32)
def _guest_map(model: Model, classes: tuple[str, ...], size: int) -> LayerMap:
    from gapscope.detector.guests import map_of_guest  # which needs torch: Darknet's networks do not

    return map_of_guest(model.name, classes, size, model.width, model.anchor_scale)


def is_yolov3(experiment: Experiment) -> bool:
    """Whether every arm has the 107 layers that the paper numbers."""
    return all(layer_map(experiment, arm).is_yolov3 for arm in experiment.arms)


def layers_of(text: str, network: LayerMap) -> tuple[int, ...]:
    """Layers of ranges or names with commas between them, such as "0-4, stage 3, 81", rising, each once.

    Raises:
        InputError: A part names no layer of the network.
    """
    found: set[int] = set()
    for part in text.split(","):
        word = " ".join(part.split())
        if word.lower() in network.ranges:
            first, last = network.ranges[word.lower()]
        else:
            match = re.fullmatch(r"(\d+)(?:\s*-\s*(\d+))?", word, flags=re.ASCII)
            if match is None:
                raise InputError(
                    f"{text!r} is no list of layers - expected ranges or numbers, such as '62-74, 81', or names: "
                    f"{', '.join(network.ranges)}."
                )
            first, last = int(match[1]), int(match[2] or match[1])
            check_range(first, last, len(network.layers))
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def part_words(network: LayerMap, parts: Sequence[str] = ("backbone", "head")) -> str:
    """`backbone 0-74, head 75-106`."""
    return ", ".join(f"{part} {network.words_of(part)}" for part in parts if part in network.ranges)
