"""What does `data/<domain>/summary.json` hold? A domain in numbers, as values with names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gapscope.data.distributions import EDGES, PLACES, QUANTILES
from gapscope.data.splits import SPLITS
from gapscope.typed import typed

Counts = Mapping[str, int]


@dataclass(frozen=True)
class Spread:
    """How one quantity is spread, see `gapscope.data.distributions`."""

    quantiles: Mapping[str, float]
    counts: Sequence[float] = ()


@dataclass(frozen=True)
class Distributions:
    """What every version of a domain's distributions holds, and is shown."""

    boxes: int
    classes: Counts
    places: Sequence[Sequence[float]]
    box_side: Spread
    boxes_per_image: Spread
    box_share: Spread | None = None
    aspect: Spread | None = None
    brightness: Spread | None = None
    contrast: Spread | None = None
    saturation: Spread | None = None


@dataclass(frozen=True)
class SplitOverlap:
    """What a held-out split shares with an earlier one."""

    held_out: str
    seen_in: str
    images: int
    counts: Counts
    """By what was looked for: see `gapscope.data.leak_shares`."""
    examples: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class LeakCounts:
    """Images of held-out splits that training has seen, or nearly."""

    shared_groups: int = 0
    near_duplicates: int = 0
    adjacent_frames: int = 0
    examples: tuple[tuple[str, str], ...] = ()
    overlaps: tuple[SplitOverlap, ...] | None = None
    """None in summaries of before shares were noted."""

    @property
    def any(self) -> bool:
        return bool(self.shared_groups or self.near_duplicates or self.adjacent_frames)


@dataclass(frozen=True)
class DomainSummary:
    """What the data stage left of one domain; counts are of boxes unless they say images."""

    images: Counts
    """By split."""
    boxes: Mapping[str, Counts]
    """By split and common label."""
    ignored: Counts
    """Ignore regions by split."""
    label_map: Mapping[str, Counts]
    """By common label and the domain's own name."""
    dropped: Counts
    """By the domain's own name."""
    ignored_sources: Counts
    """Likewise."""
    removed: Counts
    """By the filter that removed them."""
    fingerprint: str
    split: str
    """How the images were split, in words."""
    leaks: LeakCounts
    root: str = "."
    """Folder of the images, from that of the domain."""
    image_size: tuple[float, float] | None = None
    """Median width and height, pixels."""
    distributions: Mapping[str, Any] = field(default_factory=dict)
    """As `gapscope.data.distributions` shapes them; empty in summaries of before there were any."""
    notes: tuple[str, ...] = ()
    left_out: Counts | None = None
    """What was left out as broken, by what was wrong; None where nobody looked."""

    @property
    def used(self) -> Counts:
        """Boxes by common label, of all splits together."""
        labels = dict.fromkeys(label for counts in self.boxes.values() for label in counts)
        return {label: sum(counts.get(label, 0) for counts in self.boxes.values()) for label in labels}

    @property
    def held_out(self) -> int:
        """Images that no training takes."""
        return self.images["val"] + self.images["test"]


def parse_summary(found: Mapping[str, Any]) -> DomainSummary:
    """The JSON of a summary.

    Raises:
        KeyError, TypeError, ValueError: If a part that every version has is missing, or one is not what it should be.
    """
    leaks = {name: value for name, value in found["leaks"].items() if value is not None}
    summary = typed(DomainSummary, {**found, "leaks": leaks, "image_size": found.get("image_size") or None})
    for split in SPLITS:
        _ = summary.images[split], summary.boxes[split], summary.ignored[split]
    known = summary.distributions
    return replace(summary, distributions=_distributions(known)) if known else summary


def _distributions(found: Mapping[str, Any]) -> dict[str, Any]:
    """
    Raises:
        KeyError, ValueError: A part that is shown is missing, or has others than the quantiles and bins of all domains.
    """
    checked = typed(Distributions, found)
    spreads = {name: one for name, one in vars(checked).items() if isinstance(one, Spread)}
    for quantity, spread in spreads.items():
        if spread.quantiles and set(spread.quantiles) != set(QUANTILES):
            raise ValueError(f"distributions.{quantity}.quantiles has others than {', '.join(QUANTILES)}")
        if quantity in EDGES and len(spread.counts) != len(EDGES[quantity]) - 1:
            raise ValueError(f"distributions.{quantity}.counts has not {len(EDGES[quantity]) - 1} bins")
    if np.shape(checked.places) != PLACES:
        raise ValueError(f"distributions.places has not {PLACES[0]} rows of {PLACES[1]}")
    plain = {"boxes": checked.boxes, "classes": checked.classes, "places": checked.places}
    return {**found, **plain, **{name: vars(one) for name, one in spreads.items()}}
