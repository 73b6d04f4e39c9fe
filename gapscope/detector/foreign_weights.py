"""Weights that another program has written of a detector behind the protocol: its state dictionary, by name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from gapscope.detector.file_kind import file_kind
from gapscope.detector.guests import guest_file, start_guest
from gapscope.detector.protocol import Guest
from gapscope.detector.timm_weights import check_stored
from gapscope.errors import InputError
from gapscope.files import check_unpacked
from gapscope.words import number_of


def fill_guest(network: Guest, path: Path, place: str) -> None:
    """Take all weights from a file that some other program has written: the detector's own state dictionary.

    Args:
        network: Gets them.
        path: A guest's file, a safetensors file, or a PyTorch file that holds nothing but tensors.
        place: What names the file, such as `[arms.x] trained`.

    Raises:
        InputError: Reading it would run code, or its tensors are not the network's, with the first that is not.
    """
    about = guest_file(path)
    if about is not None:
        start_guest(network, path, keep_head=True)
        return
    tensors, whole = foreign_tensors(path, place), dict(network.model.state_dict())
    inner = getattr(network.model, "model", None)
    wanted = [whole, dict(inner.state_dict()) if isinstance(inner, nn.Module) else {}]
    best = max(wanted, key=lambda one: len(set(one) & set(tensors)))
    tied = {value.data_ptr() for name, value in best.items() if name in tensors}  # one tensor, kept under one name
    lacked = [(name, value) for name, value in best.items() if name not in tensors and value.data_ptr() not in tied]
    missing = [name for name, _ in lacked if not name.endswith("num_batches_tracked")]
    foreign = [name for name in tensors if name not in best]
    if missing or foreign:
        what = f"lacks '{missing[0]}'" if missing else f"holds '{foreign[0]}'"
        raise InputError(
            f"{place} = '{path}': it {what}, which is {'' if missing else 'not '}a tensor of {network.name} - expected "
            f"its state_dict, such as '{next(iter(best))}'. Name the network that was trained: [model] name, or a "
            "module:factory that builds it."
        )
    for name, value in best.items():
        stored = tensors.get(name, value)
        if stored.shape != value.shape:
            raise InputError(
                f"{place} = '{path}': '{name}' has the shape {tuple(stored.shape)}, and {network.name} for "
                f"{number_of(len(network.class_names), 'class', 'classes')} {tuple(value.shape)} - both must match. "
                "Give [data] the classes that it was trained for, or a module:factory that builds it as it was."
            )
    with torch.no_grad():
        for name, value in best.items():
            value.copy_(tensors.get(name, value))


def foreign_tensors(path: Path, place: str) -> dict[str, Tensor]:
    """The tensors of a file by name, without what wrappers of a training put before all names.

    Args:
        path: A safetensors file, or a PyTorch file that holds nothing but tensors.
        place: What names the file, such as `[arms.x] trained`.

    Raises:
        InputError: It is broken, or reading it would run code.
    """
    kind = file_kind(path)
    if kind == "darknet":
        raise InputError(f"{place} = '{path}': it is no .safetensors and no PyTorch file. Give the detector's weights.")
    try:
        if kind == "safetensors":
            tensors = dict(load_file(path))
        else:
            check_unpacked(path)
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
            inside = ("model_state_dict", "state_dict", "model", "weights")
            content = next((content[key] for key in inside if isinstance(content.get(key), Mapping)), content)
            tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    except Exception as error:  # PyTorch raises a different kind for every way a file can be broken
        raise InputError(
            f"{place} = '{path}': it is broken, or holds more than tensors, which reading it would run - expected a "
            "state_dict. Where it was trained: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')."
        ) from error
    check_stored(tensors, path)
    for prefix in ("module.", "_orig_mod."):  # several devices, and torch.compile
        if tensors and all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors
