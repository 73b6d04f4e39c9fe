"""How does Darknet keep the weights of a network in a `.weights` file?

A header of three int32 (major, minor, revision) and a count of the images seen in training, then float32 values,
convolution by convolution in file order and nothing for the other layers: with batch normalization its bias, scale,
running mean and running variance and then the kernels; without it the bias and then the kernels, each kernel as
(out, in / groups, row, column). The count has 8 bytes from version 0.2 on and 4 bytes before; some programs write 8
under any version, so in an old file it is taken to have 8 where only that fits the network. All little-endian.

Source:
    The functions `load_convolutional_weights`, `load_weights_upto` and `save_weights_upto` of Darknet's parser.c,
    rewritten from their description.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gapscope.detector.file_kind import file_kind
from gapscope.detector.fits import (
    built_in_fits,
    classes_of_whole_file,
    first_of_classes,
    is_exact,
    last_begun,
    running_totals,
    stored_values,
)
from gapscope.detector.layers import check_range
from gapscope.detector.modules import Convolution
from gapscope.detector.network import Darknet
from gapscope.detector.plans import Plan
from gapscope.detector.stack import Layer
from gapscope.errors import InputError
from gapscope.files import atomic_path
from gapscope.words import number_of

FLOAT = np.dtype("<f4")
INT = np.dtype("<i4")
LONG = np.dtype("<i8")
VERSION_BYTES = 3 * INT.itemsize


@dataclass(frozen=True)
class DarknetHeader:
    """The head of a `.weights` file."""

    major: int = 0
    minor: int = 2
    revision: int = 0
    seen: int = 0
    """Images seen in training."""
    always_long: bool = False
    """Whether the count has 8 bytes although the version is below 0.2."""

    @property
    def count_type(self) -> np.dtype:
        """How `seen` is written: 8 bytes from version 0.2 on, 4 bytes before."""
        recent = self.major * 10 + self.minor >= 2 and self.major < 1000 and self.minor < 1000
        return LONG if recent or self.always_long else INT

    @property
    def num_bytes(self) -> int:
        """Length of the header: 20 or 16."""
        return VERSION_BYTES + self.count_type.itemsize


@dataclass(frozen=True)
class DarknetFile:
    """A `.weights` file: which header it has depends on the network that it is read for."""

    path: Path
    header: DarknetHeader
    size: int
    """Bytes of the whole file."""

    @property
    def num_values(self) -> int:
        return (self.size - self.header.num_bytes) // FLOAT.itemsize

    def with_long_count(self) -> "DarknetFile":
        """The same file, its count of images read as 8 bytes."""
        return replace(self, header=_with_seen(self.path, replace(self.header, always_long=True), self.size))

    def values(self) -> np.ndarray:
        """All float values after the header."""
        return np.fromfile(self.path, FLOAT, offset=self.header.num_bytes)


def open_darknet_file(path: Path) -> DarknetFile:
    """What the head of a file says, by its version.

    Raises:
        InputError: If the file is missing or no Darknet file.
    """
    kind = file_kind(path)
    if kind != "darknet":
        raise InputError(f"{path} is a {kind} file - expected Darknet's .weights format. Convert it, or name another.")
    size = path.stat().st_size
    if size < VERSION_BYTES + INT.itemsize:
        raise InputError(f"{path} has {size} bytes - a Darknet weights file has a header of 16 or 20. Copy it again.")
    major, minor, revision = (int(value) for value in np.fromfile(path, INT, count=3))
    header = DarknetHeader(major, minor, revision)
    if size < header.num_bytes or (size - header.num_bytes) % FLOAT.itemsize:
        raise InputError(
            f"{path} has {size} bytes - expected a header of {header.num_bytes} (version {major}.{minor}) and then "
            "whole 4-byte values. It is cut short or no Darknet weights file; copy it again."
        )
    return DarknetFile(path, _with_seen(path, header, size), size)


def _with_seen(path: Path, header: DarknetHeader, size: int) -> DarknetHeader:
    if size < header.num_bytes:
        return header
    return replace(header, seen=int(np.fromfile(path, header.count_type, count=1, offset=VERSION_BYTES)[0]))


def fitting_header(file: DarknetFile, table: Sequence[Layer]) -> DarknetFile:
    """The file with the header length that fits a network: as its version says, or 20 in an old file if only that does.

    The other way round is not tried: a file cut short by one value would look like it.
    """
    if file.header.count_type == LONG or file.size < VERSION_BYTES + LONG.itemsize:
        return file
    long = file.with_long_count()
    fits = [is_exact(table, one.num_values) or classes_of_whole_file(table, one.num_values) for one in (file, long)]
    return long if fits[1] and not fits[0] else file


def load_darknet_weights(network: Darknet, path: Path | str, last: int | None = None) -> DarknetHeader:
    """Copy the weights of a Darknet file into layers 0..last of a network.

    A file may hold the whole network, or its first layers only, such as `darknet53.conv.74` (all of the backbone).
    Every byte is accounted for. A file of the whole network with other classes fits up to the layer before the first
    detections (80 of YOLOv3).

    Args:
        network: The network to fill; it is left as it was if the file is refused.
        path: The `.weights` file.
        last: Last layer to fill. If left out, the file must hold the whole network and nothing else.

    Returns:
        The file's header.

    Raises:
        InputError: If the file is missing, or its length fits neither the whole network nor its first layers.
    """
    path = Path(path)
    wanted = len(network.table) - 1 if last is None else last
    check_range(0, wanted, len(network.table))
    file = fitting_header(open_darknet_file(path), network.table)
    check_length(file, network.plan, wanted, whole=last is None)
    values = file.values()
    if not np.isfinite(values).all():
        raise InputError(f"{path} holds values that are no finite numbers - expected weights. Copy it again.")
    with torch.no_grad():
        for tensor, part in zip(stored_tensors(network, wanted), split(values, network, wanted), strict=True):
            tensor.copy_(torch.from_numpy(part.astype(np.float32)).view(tensor.shape))
    return file.header


def save_darknet_weights(
    network: Darknet, path: Path | str, header: DarknetHeader | None = None, last: int | None = None
) -> None:
    """Write layers 0..last of a network (all by default) as a Darknet file.

    A file that was read comes back byte for byte.
    """
    path = Path(path)
    last = len(network.table) - 1 if last is None else last
    check_range(0, last, len(network.table))
    header = header or DarknetHeader()
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(np.array([header.major, header.minor, header.revision], INT).tobytes())
        stream.write(np.array(header.seen, header.count_type).tobytes())
        for tensor in stored_tensors(network, last):
            stream.write(tensor.detach().cpu().contiguous().numpy().astype(FLOAT, copy=False).tobytes())


def stored_tensors(network: Darknet, last: int) -> Iterator[Tensor]:
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


def split(values: np.ndarray, network: Darknet, last: int) -> Iterator[np.ndarray]:
    """The values of each stored tensor in turn."""
    start = 0
    for tensor in stored_tensors(network, last):
        yield values[start : start + tensor.numel()]
        start += tensor.numel()


def check_length(file: DarknetFile, plan: Plan, last: int, *, whole: bool) -> None:
    """Refuse a file that holds neither exactly the first layers of this network nor a whole one of other classes."""
    table, found = plan.layers, file.num_values
    exact, held = is_exact(table, found), last_begun(table, found)
    if exact and (held == len(table) - 1 or (not whole and last <= held)):
        return
    classes = classes_of_whole_file(table, found)
    if classes and not whole and last < first_of_classes(table):
        return
    total = int(running_totals(table)[last])
    wanted = "the whole network and nothing else" if whole else f"at least layers 0-{last}"
    raise InputError(
        f"{file.path} holds {found:,} values after its header, {_what_it_is(plan, found, classes)} - expected "
        f"{wanted}: {total:,} values for {plan.name}{_for_classes(plan)}. {_advice(plan, found, exact)}"
    )


def _what_it_is(plan: Plan, found: int, classes: int) -> str:
    table, held = plan.layers, last_begun(plan.layers, found)
    totals = running_totals(table)
    if classes:
        return f"a whole {plan.name} of {classes} classes"
    if is_exact(table, found):
        return f"layers 0-{held}"
    if held == len(table) - 1:
        return f"{FLOAT.itemsize * (found - int(totals[-1])):,} bytes more than the whole network takes"
    cut = table[held + 1]
    lacking = int(totals[held + 1]) - found
    return f"which end inside layer {cut.index} ({cut.filters} filters): {lacking:,} of its {stored_values(cut):,} lack"


def _for_classes(plan: Plan) -> str:
    width = f" at width {plan.width:g}" if plan.width != 1 else ""
    return width + (f" with {number_of(plan.classes, 'class', 'classes')}" if plan.classes else "")


def _advice(plan: Plan, found: int, exact: bool) -> str:
    others = [fit.name for fit, last in built_in_fits(found) if last == len(fit.layers) - 1 and fit.name != plan.name]
    if others:
        return f"It is as long as a {others[0]} - load it into that network."
    if exact:
        return "Give the last layer to take, such as 74 for YOLOv3's backbone."
    return "Give a network of the file's layers, classes and width; if it is the right one, copy the file again."
