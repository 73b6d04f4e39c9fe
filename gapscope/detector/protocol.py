"""What must a detector of any make offer, so that it can be an arm of a study? And the wrapper that studies it.

The study keeps its own loop, data, freezing, resume, evaluation and recording, and asks the detector for its losses,
its boxes and its layers. Nothing in the protocol names gapscope: tensors, lists and dictionaries are all there is.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gapscope.detector.decode import Detections
from gapscope.detector.network_map import Block, LayerMap
from gapscope.errors import InputError
from gapscope.showing import first_few
from gapscope.words import number_of

BACKBONE, HEAD, UNSEEN = "backbone", "head", "not recorded"
"""The three kinds of blocks, in their order. What is not recorded learns and can be frozen, but puts out nothing that
has a row for each image, such as features of proposals."""


class Target(NamedTuple):
    """The labelled boxes of one image; ignore regions are not among them."""

    boxes: Tensor
    """(m, 4) `xyxy` in pixels of the network's input, each with an area."""
    classes: Tensor
    """(m,) int64, from 0."""


@runtime_checkable
class Detector(Protocol):
    """What a `torch.nn.Module` offers besides. In evaluation mode, calling it with images is one plain pass through all
    of its layers, which is what is recorded."""

    def losses(self, images: Tensor, targets: Sequence[Target]) -> Mapping[str, Tensor]:
        """The parts of the loss by name, scalars; their sum is what training makes smaller.

        Args:
            images: (b, 3, s, s) RGB, float values in 0..1.
            targets: One for each image.
        """

    def detect(self, images: Tensor) -> Sequence[tuple[Tensor, Tensor, Tensor]]:
        """For each image its boxes (d, 4) `xyxy` in pixels of the input, confidences (d,) and classes (d,), after the
        detector's own suppression of overlaps. It is called in evaluation mode, without gradients."""

    def blocks(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """`backbone` and `head`, in each the blocks by name, in each the names of submodules, all in the order in which
        they are computed: `{"backbone": {"stem": ["conv1"]}, "head": {"head": ["boxes", "scores"]}}`.

        Every submodule that is named is a layer of the study, and every weight that learns is in one of them. `not
        recorded`, a third one, is for modules whose outputs have no row for each image.
        """


class Guest(nn.Module):
    """A detector that offers the protocol, as the study sees it: with layers that can be frozen, compared and kept.

    Attributes:
        model: The detector.
        name: What the experiment file calls it.
        class_names: Of the study, in order.
        paths: Names of the submodules that are its layers, in order.
        map: What the layers are.
        settings: What it was built with.
        frozen: Indices of the layers that no longer learn.
    """

    def __init__(
        self,
        model: Any,
        name: str,
        class_names: Sequence[str],
        stride: int = 1,
        settings: Mapping[str, float] | None = None,
        *,
        learns: bool = True,
        layer_map: LayerMap | None = None,
    ) -> None:
        """
        Args:
            model: Offers the protocol.
            name: What builds it.
            class_names: Of the study.
            stride: Sides of images must be multiples of this, in pixels.
            settings: What it was built with besides, for its weights file.
            learns: Whether it is to be trained; one that is not needs no losses.
            layer_map: What its layers are, where more is known of them than `blocks` says.

        Raises:
            InputError: The model does not offer the protocol, or its blocks are not its modules.
        """
        super().__init__()
        check_offered(model, name, learns=learns)
        self.model = model
        self.name = name
        self.class_names = tuple(class_names)
        self.paths, offered = layers_offered(model, name, stride)
        self.map = layer_map or offered
        self.settings = dict(settings or {})
        self.frozen: frozenset[int] = frozenset()

    def __repr__(self) -> str:
        return f"<{self.name}: {number_of(len(self.paths), 'layer')}, classes {first_few(self.class_names)}>"

    def forward(self, images: Tensor, targets: Sequence[Target] | None = None) -> Any:
        """One plain pass; with targets the named losses."""
        return self.model(images) if targets is None else self.losses(images, targets)

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        """The parts of the loss by name, scalars.

        Raises:
            InputError: If the detector gives something else.
        """
        found = self.model.losses(images, list(targets))
        if not isinstance(found, Mapping) or not found:
            raise InputError(
                f"{self.name}: losses() gave a {type(found).__name__} - expected the parts of the loss by name, as in "
                "{'box': tensor, 'class': tensor}. Return a dictionary."
            )
        for name, value in found.items():
            if not isinstance(value, Tensor) or value.numel() != 1:
                what = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
                raise InputError(f"{self.name}: losses() gave '{name}' as {what} - expected a scalar. Take its mean.")
        return {str(name): value.reshape(()) for name, value in found.items()}

    @torch.no_grad()
    def detect(self, images: Tensor, confidence: float, most: int) -> list[Detections]:
        """What the detector finds in each image above a confidence, most confident first; in evaluation mode.

        Args:
            images: (b, 3, s, s) RGB, bytes or float values in 0..1.
            confidence: Least confidence that counts.
            most: Boxes per image.

        Raises:
            InputError: If it gives something else than boxes, confidences and classes for each image.
        """
        was_training = self.training
        self.eval()
        try:
            found = self.model.detect(images if images.is_floating_point() else images.float() / 255)
        finally:
            self.train(was_training)
        if not isinstance(found, Sequence) or len(found) != len(images):
            what = f"{len(found)} results" if isinstance(found, Sequence) else f"a {type(found).__name__}"
            raise InputError(
                f"{self.name}: detect() gave {what} for {len(images)} images - expected a list with (boxes, "
                "confidences, classes) for each."
            )
        height, width = images.shape[-2:]
        return [self._checked(one, confidence, most).inside(width, height) for one in found]

    def _checked(self, one: Any, confidence: float, most: int) -> Detections:
        shapes = [tuple(part.shape) if isinstance(part, Tensor) else type(part).__name__ for part in one]
        count = shapes[1][0] if len(shapes) == 3 and isinstance(shapes[1], tuple) and len(shapes[1]) == 1 else None
        if shapes != [(count, 4), (count,), (count,)]:
            raise InputError(
                f"{self.name}: detect() gave {shapes} for an image - expected boxes (d, 4), confidences (d,) and "
                "classes (d,)."
            )
        boxes, confidences, classes = one
        if count and not 0 <= int(classes.min()) <= int(classes.max()) < len(self.class_names):
            raise InputError(
                f"{self.name}: detect() gave classes from {int(classes.min())} to {int(classes.max())} - expected 0 to "
                f"{len(self.class_names) - 1}, the study's. Leave out a background class."
            )
        order = confidences.argsort(descending=True, stable=True)
        kept = order[confidences[order] >= confidence][:most]
        return Detections(boxes[kept].float(), confidences[kept].float(), classes[kept].long())

    def train(self, mode: bool = True) -> "Guest":
        """Training mode, except that frozen layers keep their batch normalization statistics."""
        super().train(mode)
        for index in self.frozen:
            self.model.get_submodule(self.paths[index]).eval()
        return self


def check_offered(model: Any, name: str, *, learns: bool = True) -> None:
    """Refuse what does not offer the protocol; a detector that is not trained needs no losses."""
    if not isinstance(model, nn.Module):
        raise InputError(f"{name} built a {type(model).__name__} - expected a torch.nn.Module. Return the detector.")
    wanted = ("losses", "detect", "blocks") if learns else ("detect", "blocks")
    lacking = [method for method in wanted if not callable(getattr(model, method, None))]
    if lacking:
        raise InputError(
            f"{name} built a {type(model).__name__} without {', '.join(f'{one}()' for one in lacking)} - expected the "
            "detector protocol. The page 'Your own detector in a study' of the documentation has a whole example."
        )


def layers_offered(model: Any, name: str, stride: int) -> tuple[tuple[str, ...], LayerMap]:
    """The submodules that are layers, and what they are.

    Raises:
        InputError: A block names no submodule, or a weight that learns is in none or in two of them.
    """
    found = model.blocks()
    if not isinstance(found, Mapping) or not found.get(BACKBONE) or set(found) - {BACKBONE, HEAD, UNSEEN}:
        keys = ", ".join(map(str, found)) if isinstance(found, Mapping) else type(found).__name__
        raise InputError(
            f"{name}: blocks() gave {keys} - expected a dictionary of '{BACKBONE}' and '{HEAD}', in each the blocks by "
            f"name with their submodules, and '{UNSEEN}' if need be."
        )
    modules = dict(model.named_modules())
    paths: list[str] = []
    blocks: list[Block] = []
    seen = 0
    for part in (BACKBONE, HEAD, UNSEEN):
        for block, members in (found.get(part) or {}).items():
            for path in members:
                if path not in modules or not path:
                    raise InputError(f"{name}: blocks() names '{path}', and there is no such submodule. Correct it.")
            blocks.append(Block(str(block), len(paths), len(paths) + len(members) - 1, part == BACKBONE))
            paths += members
        seen = len(paths) if part != UNSEEN else seen
    _check_owners(model, name, paths)
    weighted = tuple(at for at, path in enumerate(paths) if any(True for _ in modules[path].parameters()))
    words = tuple(f"{at}: {path} ({type(modules[path]).__name__})" for at, path in enumerate(paths))
    kinds = tuple(type(modules[path]).__name__ for path in paths)
    inputs = tuple((at - 1,) for at in range(len(paths)))
    return tuple(paths), LayerMap(
        name, words, tuple(blocks), weighted=weighted, kinds=kinds, inputs=inputs, stride=stride, recorded=seen
    )


def _check_owners(model: nn.Module, name: str, paths: Sequence[str]) -> None:
    """Every weight that learns is in exactly one layer, so that freezing layers says what of the network stays."""
    for parameter, value in model.named_parameters():
        if not value.requires_grad:
            continue
        owners = [path for path in paths if parameter.startswith(f"{path}.")]
        if len(owners) != 1:
            where = f"in {' and in '.join(owners)}" if owners else "in no module that blocks() names"
            raise InputError(
                f"{name}: the weight '{parameter}' is {where} - expected it in one of them. Correct blocks()."
            )
