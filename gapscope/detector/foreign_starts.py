"""Where the backbone of a detector behind the protocol begins: weights of any make whose tensors have its names.

A classifier of torchvision, a checkpoint of the same detector with other classes, Darknet's own files: what they call
their tensors ends as the backbone's names end, and begins in its own way (`layer1.0.conv1.weight` for
`model.backbone.body.layer1.0.conv1.weight`). That beginning is found out; nothing is taken unless everything fits.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from gapscope.detector.anchor_free import AnchorFree
from gapscope.detector.file_kind import file_kind
from gapscope.detector.foreign_weights import fill_guest, foreign_tensors
from gapscope.detector.guests import guest_file, said_of_itself, start_guest
from gapscope.detector.protocol import Guest
from gapscope.detector.stack import LEAK
from gapscope.detector.weights import DARKNET_FORMAT, FORMAT, load_weights, read_weights
from gapscope.errors import InputError
from gapscope.showing import first_few
from gapscope.words import number_of

COUNTER = "num_batches_tracked"
"""Of a batch normalization: it decides nothing here, and older files lack it."""


def begin_from(network: Guest, path: Path, *, keep_head: bool) -> None:
    """Take the backbone, or all layers, from a file.

    Args:
        network: Gets them.
        path: Of this detector as a study keeps it, or of another program: a state dictionary or a Darknet file.
        keep_head: Whether the head is taken too; every tensor must be there then.

    Raises:
        InputError: The file cannot be read, or its tensors are not the backbone's; nothing is copied then.
    """
    if guest_file(path) is not None or isinstance(network.model, AnchorFree):
        start_guest(network, path, keep_head=keep_head)
    elif keep_head:
        fill_guest(network, path, "start")
    else:
        fill_backbone(network, path)


@torch.no_grad()
def fill_backbone(network: Guest, path: Path) -> None:
    """Copy every tensor of the backbone from a file that knows them under the same names but for their beginning.

    Raises:
        InputError: As `begin_from`.
    """
    owned = tuple(f"{one}." for one in network.paths[: network.map.backbone_last + 1])
    wanted = {name: value for name, value in network.model.state_dict().items() if name.startswith(owned)}
    needed = [name for name in wanted if not name.endswith(COUNTER)]
    if not needed:
        raise InputError(f"start = '{path}': the backbone of {network.name} has no weights. Set start = 'scratch'.")
    stored = stored_tensors(path)
    names = matched_names(list(wanted), list(stored))
    lacking = [name for name in needed if name not in names]
    if lacking:
        raise InputError(
            f"start = '{path}': it has {len(needed) - len(lacking)} of the {number_of(len(needed), 'tensor')} of the "
            f"backbone of {network.name}, and not '{lacking[0]}'; it holds {first_few(sorted(stored))}. Take weights "
            "of the same backbone, or start = 'scratch'."
        )
    for name, theirs in names.items():
        if wanted[name].shape != stored[theirs].shape:
            raise InputError(
                f"start = '{path}': '{theirs}' has the shape {tuple(stored[theirs].shape)}, and '{name}' of "
                f"{network.name} {tuple(wanted[name].shape)} - both must match. Take weights of the same backbone."
            )
    for name, theirs in names.items():
        wanted[name].copy_(stored[theirs])


def matched_names(wanted: list[str], stored: list[str]) -> dict[str, str]:
    """Each wanted name that a file has -> what it is called there: another beginning, one for all of them.

    The beginning that gives most of them is taken; of several, as of a network and its moving average in one file, the
    shortest.
    """
    there = set(stored)
    first = next(one for one in wanted if not one.endswith(COUNTER))
    parts = first.split(".")
    best: dict[str, str] = {}
    for cut in range(len(parts)):
        ours, end = ".".join((*parts[:cut], "")) if cut else "", ".".join(parts[cut:])
        if not all(name.startswith(ours) for name in wanted):
            break
        whole = [one.removesuffix(end) for one in stored if one == end or one.endswith(f".{end}")]
        for theirs in sorted(whole, key=len):
            renamed = {name: theirs + name.removeprefix(ours) for name in wanted}
            found = {name: one for name, one in renamed.items() if one in there}
            best = max(best, found, key=len)
    return best


def stored_tensors(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a file of any make, by the names that they have there; Darknet's are `layers.<i>.conv.weight` ...

    Raises:
        InputError: It cannot be read, is a Darknet file whose network is not known, or its layers compute otherwise
            than Darknet's do.
    """
    if file_kind(path) == "darknet":
        return load_weights(path).state_dict()
    if said_of_itself(path).get("format") not in (FORMAT, DARKNET_FORMAT):
        return foreign_tensors(path, "start")
    file = read_weights(path)
    if any(leak != LEAK for leak in file.leaks.values()):
        raise InputError(
            f"start = '{path}': the leaky ReLU of its layers has another slope than Darknet's {LEAK:g}, without which "
            "its weights mean something else. Start from Darknet's own weights, or from those of an arm."
        )
    return file.tensors
