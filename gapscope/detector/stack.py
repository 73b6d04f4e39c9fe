"""One line of a network's table, and a stack that checks that each line fits those below it.

Every layer keeps `input side / stride` cells along each side, so that shapes follow from the table alone. Layers that
would not (a kernel without its padding, say) are refused.
"""

from dataclasses import dataclass
from typing import Any, Literal

from gapscope.errors import InputError

IMAGE = -1
"""The input of layer 0."""
IMAGE_CHANNELS = 3
MOST = 1_000_000
"""No network has more channels, or a larger stride."""
MOST_LAYERS = 5_000
LEAK = 0.1
"""Slope of Darknet's leaky ReLU below 0."""
WHOLE_IMAGE = 0
"""The stride of a layer that has one cell for the whole image."""
BOX_CHANNELS = 5
"""tx, ty, tw, th and objectness: what an anchor says besides its classes."""

Kind = Literal["conv", "shortcut", "route", "upsample", "yolo", "maxpool", "avgpool", "dropout", "softmax"]
Activation = Literal["linear", "leaky", "relu", "mish", "swish", "logistic"]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One line of the table: what the layer is, what it reads and what shape it writes."""

    index: int
    """Darknet index, from 0."""
    kind: Kind
    inputs: tuple[int, ...]
    """Indices of the layers it reads, in order; -1 is the image."""
    in_filters: int
    """Channels it reads, all inputs of a concatenation together."""
    filters: int
    """Channels it writes."""
    stride: int
    """Input pixels per cell of its output; 0 for one cell for the whole image."""
    size: int = 0
    """Side of a kernel (convolution, maxpool), in cells; 0 for the other kinds."""
    step: int = 1
    """How far a kernel moves, in cells."""
    factor: int = 1
    """By how much an upsampling enlarges."""
    pad: int = 0
    """Cells that are added on each side before a convolution; in all, left and right together, before a maxpool."""
    groups: int = 1
    """Groups of a convolution; into how many parts a route cuts each of its inputs."""
    part: int = 0
    """Which of these parts a route takes."""
    normalized: bool = False
    """A convolution followed by batch normalization; the others have a bias."""
    activation: Activation = "linear"
    leak: float = LEAK
    """Slope of a leaky ReLU below 0."""
    anchors: tuple[int, ...] = ()
    """Indices into the network's anchors, for a yolo layer."""
    classes: int = 0
    """Number of classes of a yolo layer."""
    scale_xy: float = 1.0
    """How far a yolo layer's box centers reach beyond their cell: Darknet's `scale_x_y`."""
    probability: float = 0.0
    """Share of values that a dropout drops in training."""

    def num_features(self, size: int) -> int:
        """Numbers it writes for one square image of `size` pixels: p, the number of features in a comparison."""
        return self.filters * ((size // self.stride) ** 2 if self.stride else 1)


class Stack:
    """Piles up layers, each checked against those it reads.

    Args:
        width: Factor on the filters of normalized convolutions, which are then rounded to a multiple of 8, at least 8;
            at 1 they stay what they are.

    Every method raises InputError if the layer does not fit; the message does not name the layer.
    """

    def __init__(self, width: float = 1.0) -> None:
        self.layers: list[Layer] = []
        self.width = width

    @property
    def last(self) -> int:
        """Index of the layer on top; -1, the image, if there is none yet."""
        return len(self.layers) - 1

    def conv(
        self,
        filters: int,
        size: int = 1,
        step: int = 1,
        *,
        pad: int | None = None,
        groups: int = 1,
        normalized: bool = True,
        activation: Activation = "leaky",
    ) -> None:
        """A convolution; without `pad`, its kernel is centred."""
        if normalized:
            filters = self.thin(filters)
        pad = size // 2 if pad is None else pad
        _check_cells("a convolution", size, step, 2 * pad, f"padding {pad} on each side")
        read = self.filters_of(self.last)
        if read % groups or filters % groups:
            raise InputError(
                f"groups={groups} does not divide both the {read} channels read and the {filters} written - expected a "
                "divisor of both. Change groups or filters."
            )
        self.add(
            "conv",
            filters,
            size=size,
            step=step,
            pad=pad,
            groups=groups,
            normalized=normalized,
            activation=activation,
        )

    def maxpool(self, size: int, step: int, padding: int | None = None) -> None:
        """The largest value under a kernel; without `padding` there are size - 1 cells of it, as in Darknet."""
        padding = size - 1 if padding is None else padding
        _check_cells("a maxpool", size, step, padding, f"padding {padding} in all")
        self.add("maxpool", self.filters_of(self.last), size=size, step=step, pad=padding)

    def shortcut(self, *earlier: int, activation: Activation = "linear") -> None:
        """The layer on top with earlier ones added to it, in its shape: of unequal channels the smaller number, of
        unequal strides the cells that both have, see `modules.add_shared`."""
        inputs, own = (self.last, *earlier), self.stride_of(self.last)
        for index in earlier:
            stride = self.stride_of(index)
            if stride != own and (WHOLE_IMAGE in (stride, own) or max(stride, own) % min(stride, own)):
                raise InputError(
                    f"layer {index} has stride {stride}, layer {self.last} has {own} - a shortcut adds layers of which "
                    "one has a whole number of times the other's cells. Name another layer in 'from'."
                )
        self.add("shortcut", self.filters_of(self.last), inputs=inputs, activation=activation)

    def route(self, *sources: int, groups: int = 1, part: int = 0) -> None:
        """Layers joined along the channels, or one passed on; of each only one of `groups` parts."""
        strides = sorted({self.stride_of(i) for i in sources})
        if len(strides) > 1:
            raise InputError(
                f"layers {', '.join(map(str, sources))} have strides {' and '.join(map(str, strides))} - a route joins "
                "layers of one stride. Name others in 'layers', or upsample first."
            )
        filters = [self.filters_of(i) for i in sources]
        if not 0 <= part < groups or any(each % groups for each in filters):
            raise InputError(
                f"part {part} of {groups} cannot be taken of {', '.join(map(str, filters))} channels - expected groups "
                "that divide them and a group_id from 0 to groups - 1. Change groups or group_id."
            )
        self.add("route", sum(filters) // groups, inputs=sources, groups=groups, part=part)

    def upsample(self, factor: int = 2) -> None:
        """Every cell becomes factor x factor cells."""
        stride = self.stride_of(self.last)
        if factor < 1 or stride % factor or stride == WHOLE_IMAGE:
            raise InputError(
                f"stride={factor} cannot enlarge a layer of stride {stride} - expected a whole factor that divides it, "
                "usually 2. Change the upsampling's stride."
            )
        self.add("upsample", self.filters_of(self.last), factor=factor)

    def yolo(self, anchors: tuple[int, ...], classes: int, scale_xy: float = 1.0) -> None:
        """A detection layer with these of the network's anchors; it hands on the raw map."""
        need, read = len(anchors) * (BOX_CHANNELS + classes), self.filters_of(self.last)
        if read != need:
            raise InputError(
                f"it reads {read} channels, but {len(anchors)} anchors of {classes} classes make {need} = "
                f"{len(anchors)} x (5 + {classes}). Set filters={need} in the convolution before it, or correct its "
                "classes or mask."
            )
        self.add("yolo", read, anchors=anchors, classes=classes, scale_xy=scale_xy)

    def dropout(self, probability: float) -> None:
        """Values dropped at random in training; nothing happens in evaluation mode."""
        if not 0 <= probability < 1:
            raise InputError(f"probability={probability} - expected a share from 0 up to, but not including, 1.")
        self.add("dropout", self.filters_of(self.last), probability=probability)

    def avgpool(self) -> None:
        """The mean of each channel: one cell for the whole image."""
        self.add("avgpool", self.filters_of(self.last))

    def softmax(self) -> None:
        """Probabilities over the channels."""
        self.add("softmax", self.filters_of(self.last))

    def filters_of(self, index: int) -> int:
        return IMAGE_CHANNELS if index == IMAGE else self.layers[index].filters

    def stride_of(self, index: int) -> int:
        return 1 if index == IMAGE else self.layers[index].stride

    def thin(self, filters: int) -> int:
        return filters if self.width == 1 else max(8, 8 * round(filters * self.width / 8))

    def add(
        self,
        kind: Kind,
        filters: int,
        inputs: tuple[int, ...] | None = None,
        *,
        step: int = 1,
        factor: int = 1,
        **more: Any,
    ) -> None:
        index = len(self.layers)
        inputs = (index - 1,) if inputs is None else inputs
        read = self.filters_of(inputs[0]) if kind == "shortcut" else sum(self.filters_of(i) for i in inputs)
        stride = WHOLE_IMAGE if kind == "avgpool" else self.stride_of(inputs[0]) * step // factor
        if max(read, filters, stride) > MOST:
            raise InputError(
                f"it would have {read:,} channels to read, {filters:,} to write and stride {stride:,} - expected at "
                f"most {MOST:,} of each. Use a smaller network."
            )
        if index >= MOST_LAYERS:
            raise InputError(f"there are more than {MOST_LAYERS:,} layers, which no network has. Check the file.")
        self.layers.append(
            Layer(
                index=index,
                kind=kind,
                inputs=inputs,
                in_filters=read,
                filters=filters,
                stride=stride,
                step=step,
                factor=factor,
                **more,
            )
        )


def _check_cells(what: str, size: int, step: int, padding: int, said: str) -> None:
    """Refuse a kernel that leaves other than `side / step` cells of a side that `step` divides."""
    if not size - step <= padding < size:
        raise InputError(
            f"{what} of size {size} and stride {step} with {said} does not leave side / {step} cells - gapscope "
            "follows layers by their stride. Give it the padding that centres the kernel."
        )
