"""How does Darknet keep the weights of YOLOv3 in a `.weights` file?

A header of three int32 (major, minor, revision) and a count of the images seen in training, then float32 values,
convolution by convolution in file order and nothing for the other layers: with batch normalization its bias, scale,
running mean and running variance and then the kernels; without it the bias and then the kernels, each kernel as
(out, in, row, column). The count has 8 bytes from version 0.2 on and 4 bytes before. All little-endian.

Source:
    The functions `load_convolutional_weights`, `load_weights_upto` and `save_weights_upto` of Darknet's parser.c,
    rewritten from their description.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gapscope.detector.layers import ANCHORS_PER_LAYER, NUM_LAYERS, YOLO_LAYERS, Layer, check_range
from gapscope.detector.network import Convolution, YOLOv3
from gapscope.errors import InputError
from gapscope.files import atomic_path

FLOAT = np.dtype("<f4")
INT = np.dtype("<i4")
FIRST_OF_CLASSES = YOLO_LAYERS[0] - 1
"""The first layer whose shape depends on the number of classes."""


@dataclass(frozen=True)
class DarknetHeader:
    """The head of a `.weights` file."""

    major: int = 0
    minor: int = 2
    revision: int = 0
    seen: int = 0
    """Images seen in training."""

    @property
    def count_type(self) -> np.dtype:
        """How `seen` is written: 8 bytes from version 0.2 on, 4 bytes before."""
        long = self.major * 10 + self.minor >= 2 and self.major < 1000 and self.minor < 1000
        return np.dtype("<i8") if long else INT

    @property
    def num_bytes(self) -> int:
        """Length of the header: 20, or 16 before version 0.2."""
        return 3 * INT.itemsize + self.count_type.itemsize


def load_darknet_weights(network: YOLOv3, path: Path, last: int | None = None) -> DarknetHeader:
    """Copy the weights of a Darknet file into layers 0..last of a network.

    A file may hold the whole network, or its first layers only, such as `darknet53.conv.74` (all of the backbone).
    Every byte is accounted for. A file of a whole YOLOv3 with other classes fits up to layer 80.

    Args:
        network: The network to fill; it is left as it was if the file is refused.
        path: The `.weights` file.
        last: Last layer to fill. If left out, the file must hold the whole network and nothing else.

    Returns:
        The file's header.

    Raises:
        InputError: If the file is missing, or its length fits neither the whole network nor its first layers.
    """
    wanted = NUM_LAYERS - 1 if last is None else last
    check_range(0, wanted)
    header, values = read_values(path)
    check_length(path, network.table, len(values), wanted, whole=last is None)
    if not np.isfinite(values).all():
        raise InputError(f"{path} holds values that are no finite numbers - expected weights. Copy it again.")
    with torch.no_grad():
        for tensor, part in zip(stored_tensors(network, wanted), split(values, network, wanted), strict=True):
            tensor.copy_(torch.from_numpy(part.astype(np.float32)).view(tensor.shape))
    return header


def save_darknet_weights(
    network: YOLOv3, path: Path, header: DarknetHeader | None = None, last: int = NUM_LAYERS - 1
) -> None:
    """Write layers 0..last of a network as a Darknet file, which a file that was read gives back byte for byte."""
    check_range(0, last)
    header = header or DarknetHeader()
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(np.array([header.major, header.minor, header.revision], INT).tobytes())
        stream.write(np.array(header.seen, header.count_type).tobytes())
        for tensor in stored_tensors(network, last):
            stream.write(tensor.detach().cpu().contiguous().numpy().astype(FLOAT, copy=False).tobytes())


def read_values(path: Path) -> tuple[DarknetHeader, np.ndarray]:
    """Header and float values of a file."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such weights file. Check the path.")
    size = path.stat().st_size
    if size < 16:
        raise InputError(f"{path} has {size} bytes - a Darknet weights file has a header of 16 or 20. Copy it again.")
    major, minor, revision = (int(value) for value in np.fromfile(path, INT, count=3))
    header = DarknetHeader(major, minor, revision)
    if size < header.num_bytes or (size - header.num_bytes) % FLOAT.itemsize:
        raise InputError(
            f"{path} has {size} bytes - expected a header of {header.num_bytes} (version {major}.{minor}) and then "
            "whole 4-byte values. It is cut short or no Darknet weights file; copy it again."
        )
    seen = int(np.fromfile(path, header.count_type, count=1, offset=12)[0])
    return DarknetHeader(major, minor, revision, seen), np.fromfile(path, FLOAT, offset=header.num_bytes)


def stored_tensors(network: YOLOv3, last: int) -> Iterator[Tensor]:
    """The tensors of layers 0..last that a Darknet file holds, in its order."""
    for layer in network.layers[: last + 1]:
        if isinstance(layer, Convolution):
            if layer.norm is None:
                yield layer.get_parameter("conv.bias")
            else:
                yield layer.norm.bias
                yield layer.norm.weight
                yield layer.norm.get_buffer("running_mean")
                yield layer.norm.get_buffer("running_var")
            yield layer.conv.weight


def split(values: np.ndarray, network: YOLOv3, last: int) -> Iterator[np.ndarray]:
    """The values of each stored tensor in turn."""
    start = 0
    for tensor in stored_tensors(network, last):
        yield values[start : start + tensor.numel()]
        start += tensor.numel()


def stored_values(layer: Layer) -> int:
    """How many values a Darknet file holds of a layer."""
    if layer.kind != "conv":
        return 0
    return layer.filters * (4 if layer.normalized else 1) + layer.filters * layer.in_filters * layer.size**2


def check_length(path: Path, table: Sequence[Layer], found: int, last: int, *, whole: bool) -> None:
    """Refuse a file that holds neither exactly the first layers of this network nor a whole one of other classes."""
    sums = np.cumsum([stored_values(layer) for layer in table])
    held = int(np.searchsorted(sums, found, side="right")) - 1
    exact = found > 0 and sums[held] == found
    if exact and (held == NUM_LAYERS - 1 or (not whole and last <= held)):
        return
    classes = classes_of_whole_file(table, found)
    if classes and not whole and last < FIRST_OF_CLASSES:
        return
    if classes:
        what = f"a whole YOLOv3 of {classes} classes"
    elif exact:
        what = f"layers 0-{held}"
    else:
        what = "neither the first layers of this network nor a whole one"
    wanted = "the whole network and nothing else" if whole else f"at least layers 0-{last}"
    raise InputError(
        f"{path} holds {found:,} values after its header, {what} - expected {wanted}: {sums[last]:,} values for "
        f"{table[-1].filters // 3 - 5} classes. Give the last layer to take, such as 74 for the backbone, or a network "
        "of the file's classes and width."
    )


def classes_of_whole_file(table: Sequence[Layer], found: int) -> int:
    """The number of classes for which a network of this width has so many values; 0 if there is none."""
    heads = [layer for layer in table if layer.kind == "conv" and not layer.normalized]
    others = sum(stored_values(layer) for layer in table) - sum(stored_values(layer) for layer in heads)
    channels, rest = divmod(found - others, sum(1 + layer.in_filters for layer in heads))
    if rest or channels % ANCHORS_PER_LAYER:
        return 0
    return max(0, channels // ANCHORS_PER_LAYER - 5)
