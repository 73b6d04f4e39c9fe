"""What can be recorded of a model? A few passes over the first images tell, and say why the rest cannot.

Three passes are made: two over the first two images, which must agree, and one over the first three. An output is a
layer if its first axis follows the number of images, its other axes stay, and an image's values do not depend on
which other images are in the batch. Of an output that has several rows for each image, such as windows, the rows of an
image are put together, if its values show that they stand together.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from gapscope.errors import InputError
from gapscope.recording.calls import Call, module_names, scripted_parts
from gapscope.recording.channels import ChannelAxes
from gapscope.recording.probe_images import ProbeImages
from gapscope.recording.sightings import Digest, Key, Pass, Sighting, alike, look_at

SAME = 1e-5
"""How far two passes over one batch may be apart, as a share of the mean absolute value."""
ALIKE = 1e-3
"""The same for two batches that share images: kernels round differently with the batch size, and layers add to it."""

HANDING_ON = ("Identity", "Drop", "StochasticDepth")
"""In the names of classes that hand on what they are given when they are not in training."""


@dataclass(frozen=True)
class Output:
    """One tensor that a model puts out for every batch of images: a layer."""

    key: Key
    name: str
    """The module's name where it is called; with `#0`, `#1` where that is more than once, and the way to one of several
    tensors."""
    kind: str
    """The module's class."""
    shape: tuple[int, ...]
    """Of one image; (k, ...) where an image has k rows."""
    channel_axis: int
    """Which axis of (images, *shape) counts the channels; the others, but for the first, are places."""
    usual: bool
    """Recorded unless asked otherwise: no other module is called inside, or the tensor is none that one inside made."""
    digest: Digest
    rows: int = 1
    """Of the tensor for each image."""

    @property
    def num_features(self) -> int:
        """Numbers per image."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def num_channels(self) -> int:
        """Along that axis; of an output that is one number for an image, 1."""
        return self.shape[self.channel_axis - 1] if self.shape else 1

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Of one row of the tensor that the model puts out."""
        return self.shape if self.rows == 1 else self.shape[1:]

    def fits(self, tensor: Tensor, num_images: int) -> bool:
        """Whether a tensor is this output for so many images."""
        return tuple(tensor.shape) == (num_images * self.rows, *self.row_shape)


@dataclass(frozen=True)
class RecordingPlan:
    """The layers of a model, in the order in which they are computed."""

    outputs: tuple[Output, ...]
    skipped: dict[str, str]
    """What cannot be recorded, by name, with the reason."""
    leaves: frozenset[str]
    """Modules that call no others."""
    live_bytes: int
    """Of one image: the most that the outputs of modules take at a time while it goes through the model."""

    @property
    def handing_on(self) -> str:
        """How many outputs are no layers since they are what was handed in, and of which modules; empty if none."""
        copies = Counter(one.kind for one in self.outputs if not one.usual and one.key[0].module in self.leaves)
        kinds = ", ".join(f"{count} {kind}" for kind, count in copies.most_common())
        return f"{copies.total()} left out, which hand on what they are given: {kinds}" if copies else ""


def explore(model: nn.Module, probe: ProbeImages, *, copies: bool = False) -> RecordingPlan:
    """Find the layers of a model that is in evaluation mode.

    Args:
        copies: Record identities and dropout, which hand on what they were given, without being asked for them.

    Raises:
        InputError: If the model cannot take the images, or two passes over the same images differ.
    """
    modules = module_names(model)
    first = look_at(model, modules, probe, 2, axes=ChannelAxes())
    if module_names(model) != modules:  # it builds or replaces parts when it is first called
        modules = module_names(model)
        first = look_at(model, modules, probe, 2, axes=ChannelAxes())
    again, larger = (look_at(model, modules, probe, num) for num in (2, 3))
    keys = [*first.seen, *(key for key in larger.seen if key not in first.seen)]
    labels = _labels(keys, modules)
    _refuse_randomness(first, again, labels)

    leaves = first.called - first.calling_others
    skipped: dict[str, str] = {}
    outputs: list[Output] = []
    for key in keys:
        one, name, module = first.seen.get(key), labels[key], modules[key[0].module]
        reason = _reason_against(one, larger.seen.get(key))
        if reason or one is None:
            skipped[name] = reason
            continue
        kind = type(module).__name__
        copy = one.handed_on and any(word in kind for word in HANDING_ON) and not copies
        rows, shape, axis = one.shape[0] // 2, one.shape[1:], one.channel_axis
        if rows > 1:
            shape, axis = (rows, *shape), axis + 1
        usual = one.new or (key[0].module in leaves and not copy)
        outputs.append(Output(key, name, kind, shape, axis, usual, one.digest, rows))
    skipped |= dict.fromkeys(scripted_parts(model), "is TorchScript, which does not show what its layers put out")
    now = module_names(model)
    for name, module in modules.items():
        if name not in first.called and not any(module.children()):
            same = now.get(name) is module
            skipped[name] = "is never called" if same else "is made anew whenever the model is called"
    return RecordingPlan(tuple(outputs), skipped, frozenset(leaves), first.live_bytes // 2)


def _labels(keys: Sequence[Key], modules: dict[str, nn.Module]) -> dict[Key, str]:
    """What the outputs are called, each differently.

    A module that is called more than once gets a number, one that the model holds in several places the name that it
    has where it is called. Where the way to a tensor reads like another module, as `.0` of a list of blocks that puts
    out a list, `()` tells them apart.
    """
    found: dict[Key, str] = {}
    places = _numbered_places([call for call, _ in keys])
    taken = set(modules) | {place for place, _ in places.values()}
    whole = "output"
    while whole in modules:
        whole += "_"
    for call, path in keys:
        place, number = places[call]
        label = (place or whole) + ("" if number is None else f"#{number}")
        while path and label + path in taken:
            label += "()"
        taken.add(label + path)
        found[call, path] = label + path
    return found


def _numbered_places(calls: Sequence[Call]) -> dict[Call, tuple[str, int | None]]:
    """What the module of each call is named there, and which call of that name it is; None if it is the only one."""
    places: dict[str, list[Call]] = {}
    for call in dict.fromkeys(calls):
        places.setdefault(call.place or call.module, []).append(call)
    found: dict[Call, tuple[str, int | None]] = {}
    for place, here in places.items():
        alone = all(call.module == place for call in here)  # then its numbers are those of the module's calls
        often = any(call.number for call in here) if alone else len(here) > 1
        for number, call in enumerate(here):
            found[call] = place, (call.number if alone else number) if often else None
    return found


def _refuse_randomness(first: Pass, again: Pass, labels: dict[Key, str]) -> None:
    for key, one in first.seen.items():
        other = again.seen.get(key)
        if other is None or one.shape != other.shape or not alike(one.digest, other.digest, SAME):
            raise InputError(
                f"layer {labels[key]} puts out something else each time it sees the same images: the model draws "
                "random numbers, or remembers earlier images, in evaluation mode too. Switch that off to record it."
            )


def _reason_against(one: Sighting | None, other: Sighting | None) -> str:
    """Why a tensor, seen for 2 images and for 3, is no layer; empty if it is one."""
    if one is None or other is None:
        return "is there for some numbers of images only"
    if not one.dense:
        return "is sparse or nested"
    if not one.dtype.is_floating_point:
        return f"holds {str(one.dtype).removeprefix('torch.')} values, which are no activations"
    if not one.shape or not _rows_follow(one, other):
        return f"has the shapes {one.shape} for 2 images and {other.shape} for 3: its rows are not the images"
    if one.shape[1:] != other.shape[1:]:
        return f"has the shapes {one.shape} for 2 images and {other.shape} for 3: its features vary"
    if 0 in one.shape:
        return "is empty"
    if not alike(one.digest, other.digest, ALIKE):
        return "an image's values depend on the other images of the batch"
    return ""


def _rows_follow(one: Sighting, other: Sighting) -> bool:
    """Whether the rows are the images, or as many for each image, one image's after the other's.

    Of several rows the values must say so: those of an image are the same whichever images come with it, and differ
    from another image's. Rows that are sorted otherwise, or are not of images at all (anchors), are neither.
    """
    rows = one.shape[0] // 2
    if (one.shape[0], other.shape[:1]) != (2 * rows, (3 * rows,)) or not rows:
        return False
    if rows == 1:
        return True
    return (
        len(one.shape) > 1
        and alike(one.digest, other.digest, ALIKE)
        and not alike(one.digest[:1], one.digest[1:], ALIKE)
    )
