"""How does timm's Darknet-53, trained to classify ImageNet, become layers 0-74?

timm (`darknet53`) has the same 52 convolutions under other names, but differs in two things. It expects images minus
the mean and over the deviation of ImageNet's colours: this is worked into layer 0, whose outputs then are the same but
along the image's border, where timm pads with the mean colour and Darknet with black. And its leaky ReLU has slope 0.01
instead of 0.1: the layers keep that slope, without which their weights mean something else.

Source:
    Names and numbers of timm 1.0, models/cspnet.py (`darknet53`), and its published configuration.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from gapscope.detector.layers import RESIDUAL_BLOCKS
from gapscope.errors import InputError
from gapscope.files import check_unpacked

TIMM_LEAK = 0.01
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Of RGB values from 0 to 1."""
FIRST_NAME = "stem.conv1.conv.weight"
MOST_PER_BYTE = 8
"""Bytes of tensors per byte of a file: some networks use one tensor several times."""
NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def timm_modules() -> dict[int, str]:
    """Layer -> the name of timm's module for it."""
    names = {0: "stem.conv1"}
    index = 1
    for stage, num_blocks in enumerate(RESIDUAL_BLOCKS):
        names[index] = f"stages.{stage}.conv_down"
        index += 1
        for block in range(num_blocks):
            names[index] = f"stages.{stage}.blocks.{block}.conv1"
            names[index + 1] = f"stages.{stage}.blocks.{block}.conv2"
            index += 3  # the third is the shortcut
    return names


def from_timm(tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The tensors under our names, `layers.<i>.conv.weight` and so on, for RGB images from 0 to 1.

    Raises:
        InputError: If a tensor of Darknet-53 is missing.
    """
    found = {}
    for index, module in timm_modules().items():
        parts = {"conv.weight": f"{module}.conv.weight"} | {f"norm.{p}": f"{module}.bn.{p}" for p in NORM_PARTS}
        for ours, theirs in parts.items():
            if theirs not in tensors:
                raise InputError(foreign_file(path, f"has no tensor {theirs!r}"))
            found[f"layers.{index}.{ours}"] = tensors[theirs].float()
        found[f"layers.{index}.norm.num_batches_tracked"] = torch.tensor(0)
    return fold_normalization(found)


def fold_normalization(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Work the colours' mean m and deviation s into layer 0.

    A kernel w applied to (x - m) / s gives what w / s applied to x gives, less the sum of w m / s: a constant per
    channel, which joins the running mean.
    """
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    kernel = tensors["layers.0.conv.weight"] / std
    constant = (kernel * mean).sum((1, 2, 3))
    return tensors | {
        "layers.0.conv.weight": kernel,
        "layers.0.norm.running_mean": tensors["layers.0.norm.running_mean"] + constant,
    }


def foreign_file(path: Path, wrong: str) -> str:
    """What can be done with a PyTorch file that does not hold timm's darknet53: one sentence, wherever it is given."""
    return (
        f"{path} {wrong} - expected tensors of timm's darknet53, the only ones that gapscope reads from PyTorch's "
        "files; any other network is recorded with a function of yours that builds it and loads this file: gapscope "
        "record my_model.py:build --images FOLDER; and what it detects is scored as COCO results: gapscope evaluate "
        "results.json --data FOLDER."
    )


def read_torch_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a PyTorch checkpoint: a state dictionary, or one under `state_dict` or `model`.

    Nothing but tensors is unpickled.

    Raises:
        InputError: If the file is broken or holds something else.
    """
    try:
        check_unpacked(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch raises a different kind for every way a file can be broken
        wrong = "is broken or holds objects besides tensors, which are not unpickled, since that could run anything,"
        raise InputError(foreign_file(path, wrong)) from error
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content:
        raise InputError(foreign_file(path, "holds no state dictionary"))
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    check_stored(tensors, path)
    return tensors


def check_stored(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Refuse tensors that repeat few values many times, of which copies would take any amount of memory, and tensors
    whose values are not stored one by one.

    Raises:
        InputError: The file holds one.
    """
    total = sum(value.numel() * value.element_size() for value in tensors.values())
    odd = any(one.device.type != "cpu" or one.layout != torch.strided or one.is_quantized for one in tensors.values())
    if odd or total > MOST_PER_BYTE * path.stat().st_size:
        raise InputError(
            f"{path} holds tensors of {total:,} bytes, which a file of its size cannot - expected a network's weights. "
            "Save its state_dict once more."
        )
