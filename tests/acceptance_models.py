"""Four models of different kinds, small and with random weights, on which every promise of recording is checked."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from full_features import probe
from torch import nn
from torchvision.models import detection, resnet18
from torchvision.models.detection import faster_rcnn

from gapscope.detector.network import YOLOv3, yolov3

SIZE = 64


@dataclass(frozen=True)
class Kind:
    """A model and what is known of its layers."""

    build: Callable[[int], nn.Module]
    """From a seed, with any batch statistics."""
    layers: list[Any]
    """Three layers by the names under which they are recorded, in order of computation; the last is a prediction."""
    modules: list[str]
    """The calls of modules that put them out, as `full_features` names them."""
    last: Callable[[nn.Module], nn.Module]
    """The module with weight and bias that puts out the last of them; the other two are computed before it."""
    to_arguments: Callable[[torch.Tensor], Any] = lambda batch: batch


class OursInFloat64(YOLOv3):
    """Our network in float64, so that the batch size changes none of a layer's float32 output."""

    def run_layer(self, index: int, *inputs: torch.Tensor) -> torch.Tensor:
        return super().run_layer(index, *(tensor.double() for tensor in inputs)).float()


def in_float64(model: nn.Module) -> nn.Module:
    """A copy whose layers are computed in float64, where rounding is far below what is asked of a recording."""
    if not isinstance(model, YOLOv3):
        return copy.deepcopy(model).double()
    own = OursInFloat64(model.class_names, model.width)
    own.load_state_dict(model.state_dict())
    return own.double().eval()


def ours(seed: int) -> nn.Module:
    return yolov3(5, width=0.0625, generator=torch.Generator().manual_seed(seed))


def theirs(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A model whose weights are drawn from the global random numbers, with those of a seed."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return build()


def detector(name: str) -> nn.Module:
    """One of torchvision's detectors, for images of 64 pixels; what follows its proposals is narrow."""
    model = getattr(detection, name)(weights=None, weights_backbone=None, num_classes=5)
    model.transform.min_size, model.transform.max_size, model.transform.fixed_size = (SIZE,), SIZE, None
    if name == FASTER_RCNN:
        model.roi_heads.box_head = faster_rcnn.TwoMLPHead(256 * 7**2, 16)
        model.roi_heads.box_predictor = faster_rcnn.FastRCNNPredictor(16, 5)
    return model


SSDLITE, FASTER_RCNN = "ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn"

OF_SSDLITE = ["backbone.features.0.0.1", "backbone.features.1.0.2", "head.classification_head.module_list.5.1"]
OF_FASTER_RCNN = ["backbone.body.0.1", "backbone.fpn.inner_blocks.1.0", "rpn.head.cls_logits#2"]
OF_RESNET = ["bn1", "layer2.1.relu#0", "fc"]

KINDS = {
    "yolov3": Kind(
        build=ours,
        layers=[4, 36, 105],
        modules=["layers.4", "layers.36", "layers.105"],
        last=lambda model: model.layers[105].conv,
    ),
    "resnet18": Kind(
        build=lambda seed: theirs(resnet18, seed),
        layers=OF_RESNET,
        modules=OF_RESNET,
        last=lambda model: model.fc,
    ),
    SSDLITE: Kind(
        build=lambda seed: theirs(lambda: detector(SSDLITE), seed),
        layers=OF_SSDLITE,
        modules=OF_SSDLITE,
        last=lambda model: model.head.classification_head.module_list[5][1],
        to_arguments=list,
    ),
    FASTER_RCNN: Kind(
        build=lambda seed: theirs(lambda: detector(FASTER_RCNN), seed),
        layers=OF_FASTER_RCNN,
        modules=OF_FASTER_RCNN,
        last=lambda model: model.rpn.head.cls_logits,
        to_arguments=list,
    ),
}


@torch.no_grad()
def settled_model(name: str, seed: int = 0) -> nn.Module:
    """A model with weights drawn from a seed and batch statistics that fit its images, in evaluation mode.

    The statistics are those of one pass in which the norms alone are in training mode: with those of a fresh model
    (mean 0, variance 1) activations would fade from layer to layer, and a detector in training mode asks for boxes.
    """
    model = KINDS[name].build(seed).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            module.train()
    model(KINDS[name].to_arguments(probe(seed=99, n=12, size=SIZE).float() / 255))
    return model.eval()
