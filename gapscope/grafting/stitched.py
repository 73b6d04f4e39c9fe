"""The front of one network, stitched to the back of another: a network like any other."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from gapscope.detector.network import Darknet


@dataclass(frozen=True, eq=False)
class Stitch:
    """One tensor's stitch: y = weight x + bias at every place of the map."""

    layer: int
    weight: Tensor
    """(channels of the back's layer, channels of the front's), float64."""
    bias: Tensor
    """(channels of the back's layer,), float64."""
    mean: Tensor
    """(channels of the back's layer,) of the back's own activations over the images of the fit."""
    places: int
    """Cells of all images that it was fitted on; a fit on fewer than ten for each channel says little."""
    r2: float
    """Share of the variance of the back's own activations that it explains on held-out images; below 0 where their
    mean over the images that it was fitted on comes nearer."""
    interval: tuple[float, float]
    """Central 95 % over held-out images drawn anew."""


class Stitched(Darknet):
    """Layers up to a cut are the front's, those behind it the back's; what crosses goes through a 1x1 convolution.

    It detects, is scored and recorded as any network of ours, layer by layer; a layer up to the cut is recorded as the
    front has it. It has no file of its own: keep both networks and the stitches.

    Args:
        front: Copied; where it is and in which mode, the new network is.
        back: Copied.
        cut: The last layer of the front.
        stitches: For every tensor that crosses.
    """

    def __init__(self, front: Darknet, back: Darknet, cut: int, stitches: Mapping[int, Stitch]) -> None:
        table = front.table[: cut + 1] + back.table[cut + 1 :]
        name = f"{back.plan.name}, stitched behind layer {cut}"
        super().__init__(replace(back.plan, name=name, layers=tuple(table)), back.class_names)
        self.layers = nn.ModuleList(deepcopy([*front.layers[: cut + 1], *back.layers[cut + 1 :]]))
        self.anchors.copy_(back.anchors)
        self.cut = cut
        self.stitches = nn.ModuleDict({str(layer): as_convolution(one) for layer, one in stitches.items()})
        self.to(front.anchors.device)
        self.train(front.training)

    def run_layer(self, index: int, *inputs: Tensor) -> Tensor:
        """One layer, which reads what crosses the cut through its stitch."""
        if index <= self.cut:
            return super().run_layer(index, *inputs)
        sources = self.table[index].inputs
        return super().run_layer(
            index,
            *(
                self.stitches[str(source)](one) if source <= self.cut else one
                for source, one in zip(sources, inputs, strict=True)
            ),
        )


def as_convolution(one: Stitch) -> nn.Conv2d:
    """A stitch as a layer, in float32."""
    out_channels, in_channels = one.weight.shape
    module = nn.Conv2d(in_channels, out_channels, 1)
    with torch.no_grad():
        module.weight.copy_(one.weight[:, :, None, None])
        assert module.bias is not None
        module.bias.copy_(one.bias)
    return module
