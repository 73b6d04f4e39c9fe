"""What came out of the stitches between two networks, as numbers that a file holds."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gapscope.errors import InputError
from gapscope.files import OTHER_CONTENT, read_json, write_json
from gapscope.grafting.result import Change
from gapscope.typed import typed

FORMAT = "gapscope stitch 1"
UNTRAINED, NOISE = "untrained", "noise"
"""The controls: a front that has learnt nothing, and the front shown noise."""


@dataclass(frozen=True)
class TensorMatch:
    """How well one tensor of the front can be turned into the back's."""

    layer: int
    r2: float
    """Share of the variance of the back's activations explained on held-out images."""
    interval: tuple[float, float]
    """Central 95 % over held-out images."""
    controls: dict[str, float]
    """The same of the controls."""
    places: int
    """Cells that the stitch was fitted on."""
    channels: int
    """Of the front's tensor."""


@dataclass(frozen=True)
class CutResult:
    """The front up to a layer, stitched to the back; changes are against the back as it is."""

    cut: int
    crossing: tuple[int, ...]
    """The layers whose tensors cross."""
    r2: float
    """Of the tensor that is matched least."""
    stitched: Change
    controls: dict[str, Change]


@dataclass(frozen=True)
class StitchResult:
    """What `gapscope.score_stitches` returns; `save` keeps it."""

    about: dict[str, Any]
    """Networks, images, ridge, rule, classes, draws, device and what it cost."""
    front: float
    """mAP@0.5 of the front's network as it is."""
    back: float
    tensors: tuple[TensorMatch, ...]
    cuts: tuple[CutResult, ...]

    def with_facts(self, **facts: Any) -> "StitchResult":
        """The same, with more in `about`."""
        return replace(self, about=self.about | facts)

    def save(self, path: Path | str) -> None:
        """Write JSON, whole or not at all."""
        write_json(Path(path), {"format": FORMAT} | asdict(self))


def read_stitches(path: Path | str) -> StitchResult:
    """What `StitchResult.save` wrote.

    Raises:
        InputError: The file is missing, broken or something else.
    """
    try:
        content = read_json(Path(path))
        if content["format"] != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        return typed(StitchResult, content)
    except OTHER_CONTENT as error:
        raise InputError(
            f"{path} cannot be read as stitches: {str(error) or type(error).__name__}. Make it again: gapscope stitch."
        ) from error
