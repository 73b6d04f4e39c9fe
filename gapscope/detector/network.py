"""How does YOLOv3 turn images into raw detection maps, layer by layer?"""

import hashlib
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from gapscope.detector.layers import (
    ANCHORS,
    IMAGE,
    LARGEST_STRIDE,
    NUM_LAYERS,
    YOLO_LAYERS,
    Layer,
    check_range,
    yolov3_layers,
)
from gapscope.errors import InputError

LEAK = 0.1
"""Slope of the leaky ReLU below 0."""


class Convolution(nn.Module):
    """Convolution, then either batch normalization (eps 1e-5, momentum 0.1) and leaky ReLU, or a bias alone."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.conv = skip_init(
            nn.Conv2d,
            layer.in_filters,
            layer.filters,
            layer.size,
            stride=layer.step,
            padding=layer.size // 2,
            bias=not layer.normalized,
        )
        self.norm = nn.BatchNorm2d(layer.filters) if layer.normalized else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.norm is None:
            return x
        # In place is safe: the normalized tensor is fresh, nobody else holds it, and neither backward pass needs it.
        return F.leaky_relu(self.norm(x), LEAK, inplace=True)


class Shortcut(nn.Module):
    """The sum of two layers."""

    def forward(self, x: Tensor, earlier: Tensor) -> Tensor:
        return x + earlier


class Route(nn.Module):
    """One layer passed on, or two joined along the channels."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0] if len(inputs) == 1 else torch.cat(inputs, dim=1)


def layer_module(layer: Layer) -> nn.Module:
    """The module that computes one line of the table; a yolo layer hands on the raw map, nothing decoded."""
    match layer.kind:
        case "conv":
            return Convolution(layer)
        case "shortcut":
            return Shortcut()
        case "route":
            return Route()
        case "upsample":
            return nn.Upsample(scale_factor=2, mode="nearest")
        case "yolo":
            return nn.Identity()


class YOLOv3(nn.Module):
    """The network. Layer i of `layers` computes line i of `table`; build it with `yolov3`.

    Attributes:
        table: The 107 lines of the layer table.
        layers: The 107 modules, at Darknet's indices.
        anchors: Width and height of the nine reference boxes (9, 2), in pixels of the network's input.
        class_names: Names of the classes, in the order of the class logits.
        width: Factor on the channel counts; 1 is YOLOv3.
        frozen: Indices of the layers that no longer learn.
    """

    anchors: Tensor

    def __init__(self, class_names: Sequence[str], width: float = 1.0, anchor_scale: float = 1.0) -> None:
        super().__init__()
        self.class_names = tuple(class_names)
        self.width = width
        self.table = yolov3_layers(len(self.class_names), width)
        self.layers = nn.ModuleList(layer_module(layer) for layer in self.table)
        self.register_buffer("anchors", torch.tensor(ANCHORS, dtype=torch.float32) * anchor_scale)
        self.frozen: frozenset[int] = frozenset()
        self._last_reader = {source: layer.index for layer in self.table for source in layer.inputs}

    def run_layer(self, index: int, *inputs: Tensor) -> Tensor:
        """One layer from the outputs of the layers `table[index].inputs`, in that order.

        What comes back is "layer i" of the paper: after the leaky ReLU. A pass-through (83, 95) and a yolo layer
        (82, 94, 106) return the very tensor they were given.
        """
        return self.layers[index](*inputs)

    def forward(self, images: Tensor) -> list[Tensor]:
        """The raw maps of layers 82, 94 and 106 for float images (b, 3, s, s), RGB in 0..1.

        Each map is (b, 3 (5 + N), h, w): anchor by anchor the logits tx, ty, tw, th, objectness and N classes.

        Raises:
            InputError: If the images are not float, not RGB, or a side is not a multiple of 32 pixels.
        """
        check_images(images)
        held = {IMAGE: images}
        for layer in self.table:
            held[layer.index] = self.run_layer(layer.index, *(held[i] for i in layer.inputs))
            for source in layer.inputs:
                if self._last_reader[source] == layer.index:
                    del held[source]
        return [held[i] for i in YOLO_LAYERS]

    def train(self, mode: bool = True) -> "YOLOv3":
        """Training mode, except that frozen layers keep their batch normalization statistics."""
        super().train(mode)
        for index in self.frozen:
            self.layers[index].eval()
        return self


def check_images(images: Tensor) -> None:
    """Refuse what the network cannot read."""
    shape = tuple(images.shape)
    if images.ndim != 4 or shape[1] != 3:
        raise InputError(f"images have the shape {shape} - expected (images, 3, height, width). Stack RGB images.")
    if not images.is_floating_point():
        raise InputError(f"images are {images.dtype} - expected float values from 0 to 1. Divide bytes by 255.")
    if min(shape[2:]) < LARGEST_STRIDE or shape[2] % LARGEST_STRIDE or shape[3] % LARGEST_STRIDE:
        raise InputError(
            f"images are {shape[3]} x {shape[2]} pixels - YOLOv3 needs sides that are multiples of {LARGEST_STRIDE}. "
            "Letterbox them to such a size, for example 416."
        )


def yolov3(
    classes: Sequence[str] | int,
    width: float = 1.0,
    anchor_scale: float = 1.0,
    generator: torch.Generator | None = None,
    prior: float | None = 0.01,
) -> YOLOv3:
    """A new YOLOv3 with random weights, in training mode.

    Weights are drawn as `torch.nn.Conv2d` draws them (Kaiming uniform with a = sqrt 5, and biases uniform about 0),
    but from `generator` alone: the global random state is neither read nor changed.

    Args:
        classes: Class names in order, or their number (they are then called class0, class1, ...).
        width: Factor on the channel counts, see `yolov3_layers`.
        anchor_scale: Factor on the anchors, for objects smaller or larger than those of COCO at 416 pixels.
        generator: Source of randomness, on the CPU; a fresh one with seed 0 if left out.
        prior: What objectness says before training, from 0 to 1: sets its biases to log(prior / (1 - prior)), so that
            the many empty cells do not drown the first steps (Lin et al. 2017, arXiv:1708.02002, section 4.1).
            The paper mentions nothing like it: None keeps the drawn biases.

    Raises:
        InputError: If a class is missing, doubled or empty, or width, anchor_scale or prior is out of range.
    """
    names = [f"class{i}" for i in range(classes)] if isinstance(classes, int) else list(classes)
    check_names(names)
    if not anchor_scale > 0:
        raise InputError(f"anchor_scale = {anchor_scale} - expected a factor above 0; 1 keeps YOLOv3's anchors.")
    if prior is not None and not 0 < prior < 1:
        raise InputError(f"prior = {prior} - expected a probability between 0 and 1, or None for no prior.")
    network = YOLOv3(names, width, anchor_scale)
    initialize(network, generator or torch.Generator().manual_seed(0))
    if prior is not None:
        set_objectness_prior(network, prior)
    return network


def check_names(names: Sequence[str]) -> None:
    """Refuse class names that are not all there and different."""
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(f"class {doubled[0]!r} is listed more than once - every class has one place. Remove one.")
    if not all(names):
        raise InputError("a class has an empty name - every class needs one. Name it, or give the number of classes.")


@torch.no_grad()
def initialize(network: YOLOv3, generator: torch.Generator) -> None:
    """Draw all convolutions anew, in the order of the layers."""
    for layer in network.layers:
        if isinstance(layer, Convolution):
            nn.init.kaiming_uniform_(layer.conv.weight, a=math.sqrt(5), generator=generator)
            if layer.conv.bias is not None:
                bound = 1 / math.sqrt(layer.conv.weight[0].numel())
                layer.conv.bias.uniform_(-bound, bound, generator=generator)


@torch.no_grad()
def set_objectness_prior(network: YOLOv3, prior: float) -> None:
    """Make every anchor of every cell start with about this objectness."""
    for index in YOLO_LAYERS:
        bias = network.layers[index - 1].get_parameter("conv.bias")
        bias.view(-1, 5 + len(network.class_names))[:, 4] = math.log(prior / (1 - prior))


def freeze(network: YOLOv3, first: int, last: int) -> None:
    """Stop layers first..last (included) from learning, for good: neither weights nor batch statistics change.

    Layers frozen before stay frozen.

    Raises:
        InputError: If the network has no such layers.
    """
    check_range(first, last)
    network.frozen |= frozenset(range(first, last + 1))
    for index in network.frozen:
        network.layers[index].requires_grad_(False)
    network.train(network.training)


def fingerprint(network: YOLOv3, first: int = 0, last: int = NUM_LAYERS - 1) -> str:
    """SHA-256 (hex) over the weights and the batch statistics of layers first..last, included.

    It does not depend on the device or the memory format.

    Raises:
        InputError: If the network has no such layers.
    """
    check_range(first, last)
    digest = hashlib.sha256()
    for index in range(first, last + 1):
        for name, value in network.layers[index].state_dict().items():
            digest.update(f"{index}.{name} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
