"""The network: how do images become raw detection maps, layer by layer? Freezing and fingerprints too."""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from gapscope.detector.cfg_plan import plan_from
from gapscope.detector.class_names import class_names_of, names_for
from gapscope.detector.layers import IMAGE, LARGEST_STRIDE, check_range
from gapscope.detector.modules import Convolution, Shortcut, layer_module
from gapscope.detector.plans import Plan, yolov3_plan as yolov3_plan
from gapscope.detector.stack import BOX_CHANNELS, Layer
from gapscope.errors import InputError
from gapscope.showing import first_few
from gapscope.words import number_of


class Darknet(nn.Module):
    """A network of any plan. Layer i of `layers` computes line i of `table`; build it with `darknet`.

    Attributes:
        plan: What it is made of, and where that is from.
        table: The lines of the layer table.
        layers: Their modules, at Darknet's indices.
        anchors: Width and height of the reference boxes (a, 2), in pixels of the network's input.
        class_names: Names of the classes, in the order of the class logits; () without detection layers.
        width: Factor on the channel counts of a built-in network; 1 is the network as published.
        frozen: Indices of the layers that no longer learn.
    """

    anchors: Tensor

    def __init__(self, plan: Plan, class_names: Sequence[str]) -> None:
        super().__init__()
        self.plan = plan
        self.class_names = tuple(class_names)
        self.width = plan.width
        self.table = plan.layers
        self.layers = nn.ModuleList(layer_module(layer) for layer in self.table)
        self.register_buffer("anchors", torch.tensor(plan.anchors, dtype=torch.float32).view(-1, 2))
        self.frozen: frozenset[int] = frozenset()
        self._outputs = [layer.index for layer in self.yolo_layers] or [self.table[-1].index]

    def __repr__(self) -> str:
        """One line; `layers` shows every module, and `gapscope layers` the table."""
        classes = f", classes {first_few(self.class_names)}" if self.class_names else ""
        width = f" at width {self.width:g}" if self.width != 1 else ""
        return f"<{self.plan.name}{width}: {number_of(len(self.table), 'layer')}{classes}>"

    @property
    def yolo_layers(self) -> list[Layer]:
        """The detection layers, in the order of the maps that `forward` returns."""
        return [layer for layer in self.table if layer.kind == "yolo"]

    @property
    def largest_stride(self) -> int:
        """Sides of the input must be multiples of this, in pixels."""
        return math.lcm(*(layer.stride for layer in self.table if layer.stride))

    def run_layer(self, index: int, *inputs: Tensor) -> Tensor:
        """One layer from the outputs of the layers `table[index].inputs`, in that order.

        What comes back is "layer i" of the paper: after the leaky ReLU. A pass-through (83, 95 of YOLOv3) and a yolo
        layer (82, 94, 106) return the very tensor they were given.
        """
        return self.layers[index](*inputs)

    def forward(self, images: Tensor) -> list[Tensor]:
        """The raw maps of the yolo layers for float images (b, 3, h, w), RGB in 0..1; without any, the last layer.

        Each map is (b, a (5 + N), h / stride, w / stride), a its number of anchors: anchor by anchor the logits tx, ty,
        tw, th, objectness and N classes. Those of YOLOv3 come from layers 82, 94 and 106.

        Raises:
            InputError: If the images are not float, not RGB, or a side is not a multiple of the largest stride.
        """
        check_images(images, self.largest_stride)
        return run_table(self.table, self.run_layer, images, self._outputs)

    def set_leaks(self, leaks: Mapping[int, float]) -> None:
        """Give the leaky ReLU of these layers another slope, as weights from elsewhere may need."""
        layers = (replace(layer, leak=leaks.get(layer.index, layer.leak)) for layer in self.table)
        self.plan = replace(self.plan, layers=tuple(layers))
        self.table = self.plan.layers
        for index, leak in leaks.items():
            module = self.layers[index]
            if isinstance(module, Convolution | Shortcut):
                module.leak = leak

    def train(self, mode: bool = True) -> "Darknet":
        """Training mode, except that frozen layers keep their batch normalization statistics."""
        super().train(mode)
        for index in self.frozen:
            self.layers[index].eval()
        return self


def run_table(
    table: Sequence[Layer], run_layer: Callable[..., Tensor], images: Tensor, outputs: Sequence[int]
) -> list[Tensor]:
    """What some layers of a table put out; what is read no more is let go.

    Args:
        table: All layers, in order.
        run_layer: Computes a layer from its index and what it reads.
        images: What layer 0 reads.
        outputs: Indices of the layers that are wanted.
    """
    last_reader = {source: layer.index for layer in table for source in layer.inputs}
    held = {IMAGE: images}
    for layer in table:
        held[layer.index] = run_layer(layer.index, *(held[i] for i in layer.inputs))
        for source in set(layer.inputs):
            if last_reader[source] == layer.index and source not in outputs:
                del held[source]
    return [held[i] for i in outputs]


class YOLOv3(Darknet):
    """The 107 layers of YOLOv3; build it with `yolov3`."""

    def __init__(self, class_names: Sequence[str], width: float = 1.0, anchor_scale: float = 1.0) -> None:
        super().__init__(yolov3_plan(len(class_names), width), class_names)
        self.anchors.mul_(anchor_scale)


def check_images(images: Tensor, multiple: int = LARGEST_STRIDE) -> None:
    """Refuse what a network whose sides must be multiples of so many pixels cannot read."""
    shape = tuple(images.shape)
    if images.ndim != 4 or shape[1] != 3:
        raise InputError(f"images have the shape {shape} - expected (images, 3, height, width). Stack RGB images.")
    if not images.is_floating_point():
        raise InputError(f"images are {images.dtype} - expected float values from 0 to 1. Divide bytes by 255.")
    if min(shape[2:]) < multiple or shape[2] % multiple or shape[3] % multiple:
        raise InputError(
            f"images are {shape[3]} x {shape[2]} pixels - this network needs sides that are multiples of {multiple}. "
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
    names = class_names_of(classes)
    if not anchor_scale > 0:
        raise InputError(f"anchor_scale = {anchor_scale} - expected a factor above 0; 1 keeps YOLOv3's anchors.")
    if prior is not None and not 0 < prior < 1:
        raise InputError(f"prior = {prior} - expected a probability between 0 and 1, or None for no prior.")
    network = YOLOv3(names, width, anchor_scale)
    initialize(network, generator or torch.Generator().manual_seed(0))
    if prior is not None:
        set_objectness_prior(network, prior)
    return network


def darknet(
    source: str | Path | Plan,
    classes: Sequence[str] | int | None = None,
    width: float = 1.0,
    generator: torch.Generator | None = None,
) -> Darknet:
    """A new network of any plan with random weights, in training mode; drawn as `yolov3` draws them, without a prior.

    Args:
        source: A .cfg file, or the name of a built-in network: yolov3, yolov3-tiny, yolov3-spp, darknet53.
        classes: Class names in order, or their number. A .cfg says the number itself; names must be as many.
        width: Factor on the channel counts of a built-in network.
        generator: Source of randomness, on the CPU; a fresh one with seed 0 if left out.

    Raises:
        InputError: If the .cfg cannot be read, there is no such network, or classes and network do not fit.
    """
    names = None if classes is None else class_names_of(classes)
    plan = source if isinstance(source, Plan) else plan_from(source, 80 if names is None else len(names), width)
    network = Darknet(plan, names_for(plan, names))
    initialize(network, generator or torch.Generator().manual_seed(0))
    return network


def initialize(network: Darknet, generator: torch.Generator) -> None:
    """Draw all convolutions of a network anew."""
    draw_convolutions(network.layers, generator)


@torch.no_grad()
def draw_convolutions(layers: Iterable[nn.Module], generator: torch.Generator) -> None:
    """Draw the convolutions among layers anew, in their order."""
    for layer in layers:
        if isinstance(layer, Convolution):
            nn.init.kaiming_uniform_(layer.conv.weight, a=math.sqrt(5), generator=generator)
            if layer.conv.bias is not None:
                bound = 1 / math.sqrt(layer.conv.weight[0].numel())
                layer.conv.bias.uniform_(-bound, bound, generator=generator)


@torch.no_grad()
def set_objectness_prior(network: Darknet, prior: float) -> None:
    """Make every anchor of every cell start with about this objectness."""
    for layer in network.yolo_layers:
        bias = network.layers[layer.inputs[0]].get_parameter("conv.bias")
        bias.view(-1, BOX_CHANNELS + len(network.class_names))[:, 4] = math.log(prior / (1 - prior))


def freeze(network: Darknet, first: int, last: int) -> None:
    """Stop layers first..last (included) from learning, for good: neither weights nor batch statistics change.

    Layers frozen before stay frozen.

    Raises:
        InputError: If the network has no such layers.
    """
    check_range(first, last, len(network.layers))
    freeze_layers(network, range(first, last + 1))


def freeze_layers(network: Darknet, layers: Iterable[int]) -> None:
    """The same for any layers of the network, by index."""
    network.frozen |= frozenset(layers)
    for index in network.frozen:
        network.layers[index].requires_grad_(False)
    network.train(network.training)


def fingerprint(network: Darknet, first: int = 0, last: int | None = None) -> str:
    """SHA-256 (hex) over the weights and the batch statistics of layers first..last, included; of all by default.

    It does not depend on the device or the memory format.

    Raises:
        InputError: If the network has no such layers.
    """
    last = len(network.layers) - 1 if last is None else last
    check_range(first, last, len(network.layers))
    return layers_fingerprint(network, range(first, last + 1))


def layers_fingerprint(network: Darknet, layers: Iterable[int]) -> str:
    """The same over any layers of the network, in the order that is given."""
    digest = hashlib.sha256()
    for index in layers:
        for name, value in network.layers[index].state_dict().items():
            digest.update(f"{index}.{name} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
